"""Background work; what is due are rows, so a lost task loses nothing."""

from celery import shared_task

from common import clock
from consults import actions


@shared_task(name="consults.tasks.release_holds")
def release_holds() -> int:
    """Let go of slots that were kept and not booked."""
    return actions.release_expired_holds(at=clock.now())
