"""A practice of made-up people: every state of the course, the same from the same seed, told through the product's own actions."""

import json
import random
import types
import uuid
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts.models import User
from common import clock
from portal.demo.cast import PASSWORD, Cast, log_ins
from portal.demo.practice import open_practice
from portal.demo.stories import STORIES, USUAL
from portal.demo.trouble import show


class Command(BaseCommand):
    help = "Fill an empty database with a made-up practice. Refused in production and where there already are people."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--random-seed", type=int, default=1)
        parser.add_argument("--patients", type=int, help="40, or 24 for the demo")
        parser.add_argument("--json", action="store_true", help="print ids, log-ins and TOTP secrets as JSON")
        parser.add_argument(
            "--canaries",
            action="store_true",
            help="put a unique marker into every field that holds a person's words",
        )
        parser.add_argument(
            "--demo", action="store_true", help="for `make up`: do nothing where there already are people"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("The production settings are in force: made-up people stay out.")
        if User.objects.exists():
            if options["demo"]:
                return
            raise CommandError("There already are people in this database. Seed an empty one.")
        cast = Cast(
            rng=random.Random(options["random_seed"]),
            now=clock.now().replace(microsecond=0),
            canaries_wanted=options["canaries"],
            seed=options["random_seed"],
        )
        with same_ids(cast.rng):
            with transaction.atomic():
                open_practice(cast)
            stages = list(STORIES)
            for index in range(options["patients"] or (24 if options["demo"] else 40)):
                stage = stages[index] if index < len(stages) else USUAL[index % len(USUAL)]
                with transaction.atomic():
                    cast.patients.append((STORIES[stage](cast, index), stage))
            with transaction.atomic():
                show(cast)
        self._report(cast, options)

    def _report(self, cast: Cast, options: dict[str, Any]) -> None:
        people = log_ins(cast)
        if options["json"]:
            self.stdout.write(
                json.dumps(
                    {"people": people, "canaries": cast.canaries, "now": cast.now.isoformat()}, indent=1
                )
            )
            return
        lines = [f"Everybody's password: {PASSWORD}", ""]
        for row in people:
            if row["role"] != "patient":
                lines.append(
                    f"{row['role']:<14} {row['email']:<34} second factor (TOTP secret): {row['totp_secret']}"
                )
        seen: set[str] = set()
        for row in people:
            if row["role"] == "patient" and row["stage"] not in seen:
                seen.add(row["stage"])
                lines.append(f"{'patient':<14} {row['email']:<44} {row['stage'].replace('_', ' ')}")
        text = "\n".join(lines)
        if options["demo"]:
            path = Path(settings.BASE_DIR) / "var" / "demo-logins.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n")
            path.chmod(0o600)
        self.stdout.write(text)


class same_ids:
    """`uuid.uuid4` drawn from the seed's dice, in this process and for as long as the block lasts."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def __enter__(self) -> None:
        self.kept = uuid.os  # type: ignore[attr-defined]
        uuid.os = types.SimpleNamespace(urandom=self.rng.randbytes)  # type: ignore[attr-defined]

    def __exit__(self, *_: object) -> None:
        uuid.os = self.kept  # type: ignore[attr-defined]
