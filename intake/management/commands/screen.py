"""manage.py screen: the eligibility rules over a table of answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from intake.rules import Stage
from intake.rules.facts import STATES
from intake.screening import BadRow, TableError, screen_file


class Command(BaseCommand):
    help = (
        "Screens a CSV table: questionnaire totals, averaged blood pressure with its band, and every eligibility "
        "rule. Writes one row of results for each row that can be read; the others are reported by line."
    )
    # The rules need no database and no other app: nothing to check first.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file", metavar="FILE.csv", help="the table: a header line, then one person a row"
        )
        parser.add_argument("--out", metavar="FILE.csv", required=True, help="where the results go")
        parser.add_argument(
            "--stage",
            choices=[stage.value for stage in Stage],
            default=Stage.INTAKE.value,
            help="which facts and rules apply (default: intake)",
        )
        parser.add_argument(
            "--states", metavar="CA,NY", help="states with a licensed prescriber (default: every state)"
        )
        parser.add_argument("--strict", action="store_true", help="exit with 1 when a row could not be read")

    def handle(self, *args: Any, **options: Any) -> None:
        states = None
        if options["states"]:
            states = options["states"].replace(",", " ").upper().split()
            if unknown := sorted(set(states) - STATES):
                raise CommandError(f"--states: no such state: {', '.join(unknown)}.")
        try:
            report = screen_file(
                options["file"], options["out"], stage=options["stage"], states=states, on_bad=self._report
            )
        except TableError as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"{error.filename or options['file']}: {error.strerror}.") from None
        self.stdout.write(
            f"{report.written} rows screened into {Path(options['out'])}, {len(report.bad)} left out."
        )
        if report.bad and options["strict"]:
            raise CommandError(f"{len(report.bad)} rows could not be read.", returncode=1)

    def _report(self, bad: BadRow) -> None:
        self.stderr.write(f"line {bad.line}: {bad.sentence}")
