"""Beat drives the noticing; every row it works from is in the database."""

from celery import shared_task

from coaching import actions
from common import clock


@shared_task
def sweep() -> dict[str, int]:
    """Plans back into step with sessions; people who have gone quiet."""
    return actions.sweep(at=clock.now())
