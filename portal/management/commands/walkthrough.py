"""Walk through a whole course against the running demo, as each person in it, and say what every step proved."""

import secrets
import sys
import traceback
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from common import clock
from portal.walkthrough.pages import NotThere
from portal.walkthrough.story import STEPS
from portal.walkthrough.walk import Walk, log_ins_from


class Command(BaseCommand):
    help = "Drive the running demo over HTTP through a whole course; exits non-zero at the first step that fails."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--url", default=settings.SITE_URL, help="where the site runs (default: %(default)s)"
        )
        parser.add_argument(
            "--logins", type=Path, default=Path(settings.BASE_DIR) / "var" / "demo-logins.txt"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PRODUCTION or not settings.TEST_CLOCK:
            raise CommandError(
                "The walk moves the clock: it needs a demo with HEARTHSIDE_TEST_CLOCK=1, as `make up` runs it."
            )
        try:
            walk = Walk(
                site=options["url"].rstrip("/"),
                log_ins=log_ins_from(options["logins"]),
                advance=lambda seconds: call_command("clock", advance=f"{seconds}s", stdout=_Nowhere()),
                say=self.stdout.write,
                stamp=secrets.token_hex(3).upper(),
            )
        except (NotThere, ValueError) as problem:
            raise CommandError(str(problem)) from None
        started = clock.monotonic_s()
        for number, (item, title, step) in enumerate(STEPS, start=1):
            began = clock.monotonic_s()
            self.stdout.write(f"{number:>2}  [{item}] {title} … ", ending="")
            self.stdout.flush()
            try:
                proved = step(walk)
            except Exception as problem:
                self.stdout.write("FAILED")
                if not isinstance(problem, NotThere):
                    traceback.print_exc(file=sys.stderr)
                raise CommandError(f"Step {number}, {title}: {problem or type(problem).__name__}") from None
            self.stdout.write(f"ok ({clock.monotonic_s() - began:.1f} s)\n      {proved}")
        pages = sum(browser.pages_seen for browser in walk.people.values())
        took = clock.monotonic_s() - started
        self.stdout.write(
            f"\nThe whole course holds: {len(STEPS)} steps, {pages} pages, {took:.0f} s. "
            f"The demo's clock stands at {clock.now():%Y-%m-%d %H:%M} UTC."
        )


class _Nowhere:
    """Where the clock's own words go."""

    def write(self, text: str) -> int:
        return len(text)
