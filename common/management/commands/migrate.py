"""Django's own `migrate`, with historical models rendered one at a time (common/migrating.py)."""

from typing import Any

from django.core.management.commands import migrate

from common.migrating import one_model_at_a_time


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> str | None:
        with one_model_at_a_time():
            return super().handle(*args, **options)
