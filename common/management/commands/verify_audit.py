"""Check the audit chain; name the first changed, missing or reordered row. `--anchor FILE` also keeps today's heads outside."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from common import clock
from common.audit_chain import anchor, first_fault


class Command(BaseCommand):
    help = "Verify the hash chain of the audit trail; exits 1 and names the first row that is not as it was written."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--anchor", type=Path, help="append the signed heads to this file (kept on another machine)"
        )
        parser.add_argument("--against", type=Path, help="also check the chain against heads kept earlier")

    def handle(self, *args: Any, **options: Any) -> None:
        fault, rows = first_fault(anchors=options["against"])
        if fault:
            raise CommandError(fault)
        if options["anchor"]:
            anchor(options["anchor"], at=clock.now())
        self.stdout.write(f"The audit chain holds: {rows} rows checked.")
