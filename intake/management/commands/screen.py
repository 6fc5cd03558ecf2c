"""manage.py screen: the eligibility rules over a table of answers. The work is in intake/screening/."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from intake.screening import TableError, command


class Command(BaseCommand):
    help = (
        "Screens a CSV table: questionnaire totals, averaged blood pressure with its band, and every eligibility "
        "rule. Writes one row of results for each row that can be read; the others are reported by line."
    )
    # The rules need no database and no other app: nothing to check first.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        command.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        names = ("file", "out", "stage", "states", "strict")
        try:
            command.run(
                **{name: options[name] for name in names}, say=self.stdout.write, warn=self.stderr.write
            )
        except TableError as error:
            raise CommandError(str(error)) from None
