"""Every route as JSON: name, path with typed parameters, methods, kind, who may call it. The access tests read the same list."""

import json
from typing import Any

from django.core.management.base import BaseCommand

from portal.routes import every_route


class Command(BaseCommand):
    help = "Print every route of the URLconf as JSON."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(json.dumps([route.as_dict() for route in every_route()], indent=1))
