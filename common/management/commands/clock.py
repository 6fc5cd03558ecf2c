"""Move the test clock of every process: `manage.py clock --advance 7d`. Refused in production and without HEARTHSIDE_TEST_CLOCK=1."""

import re
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from common import clock
from common.models import ClockOffset

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def seconds_of(text: str) -> int:
    """'7d', '90m', '1h30m' in seconds. Raises CommandError for anything else."""
    parts = re.findall(r"(\d+)([smhdw])", text)
    if not parts or "".join(a + b for a, b in parts) != text:
        raise CommandError("Say how far as in 90m, 1h30m, 7d or 2w.")
    return sum(int(count) * UNITS_S[unit] for count, unit in parts)


class Command(BaseCommand):
    help = "Show, advance or reset the test clock (only with HEARTHSIDE_TEST_CLOCK=1, never in production)."

    def add_arguments(self, parser: CommandParser) -> None:
        group = parser.add_mutually_exclusive_group()
        group.add_argument("--advance", metavar="7d", help="move every process this far ahead")
        group.add_argument("--reset", action="store_true", help="back to the real time")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("The production settings are in force: the clock stays as it is.")
        if not settings.TEST_CLOCK:
            raise CommandError("Set HEARTHSIDE_TEST_CLOCK=1 for every process first; `make up` does.")
        path = settings.TEST_CLOCK_FILE
        offset = float(path.read_text() or 0) if path.exists() else 0.0
        if options["advance"]:
            offset += seconds_of(options["advance"])
        if options["reset"]:
            offset = 0.0
        if options["advance"] or options["reset"]:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_suffix(".new")
            fresh.write_text(str(offset))
            fresh.replace(path)
            ClockOffset.set_seconds(offset)
        self.stdout.write(f"{clock.now().isoformat()} ({offset:+.0f} s)")
