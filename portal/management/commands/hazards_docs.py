"""Draw docs from the code, or with --check say what is stale."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal import drawings


class Command(BaseCommand):
    help = "Write the generated pages of docs/; --check only compares."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        pages = drawings.hazards()
        if not options["check"]:
            drawings.write(pages)
        elif stale := drawings.stale(pages):
            names = ", ".join(path.name for path in stale)
            raise CommandError(f"{names} is not as the code would draw it: run `manage.py hazards_docs`.")
        self.stdout.write(f"{len(pages)} pages are as the code draws them.")
