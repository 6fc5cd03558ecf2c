"""Housekeeping of what every app leans on; what is old is known by its row."""

from celery import shared_task
from django.db import connection

from common import clock, intents


@shared_task(name="common.tasks.sweep")
def sweep() -> dict[str, int]:
    """Forget intents whose time is over, and tries and codes of the log-in that no longer count."""
    done = intents.sweep(at=clock.now())
    with connection.cursor() as cursor:
        # By the clock that wrote them: the library's own, which no test moves.
        cursor.execute("DELETE FROM common_cache WHERE expires < now()")
        return done | {"cache": cursor.rowcount}
