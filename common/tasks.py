"""Housekeeping of what every app leans on; what is old is known by its row."""

from celery import shared_task

from common import clock, intents


@shared_task(name="common.tasks.sweep")
def sweep() -> dict[str, int]:
    """Forget intents whose time is over."""
    return intents.sweep(at=clock.now())
