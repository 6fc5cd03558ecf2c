"""Celery's edge of outcomes; what is due follows from rows, so a lost tick loses nothing."""

from celery import shared_task

from common import clock
from outcomes import actions


@shared_task(name="outcomes.tasks.sweep")
def sweep() -> dict[str, int]:
    """A reminder to whoever has the question of the month due."""
    return actions.sweep(at=clock.now())
