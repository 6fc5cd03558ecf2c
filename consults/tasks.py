"""Background work; what is due are rows, so a lost task loses nothing."""

from celery import shared_task

from common import clock
from consults import actions
from video.actions import close_rooms_over


@shared_task(name="consults.tasks.release_holds")
def release_holds() -> int:
    """Let go of slots that were kept and not booked, forget callers whose call is long over, offer what was freed."""
    at = clock.now()
    actions.forget_introductions(at=at)
    released = actions.release_expired_holds(at=at)
    actions.go_round(at=at)
    return released


@shared_task(name="consults.tasks.sweep_parcels")
def sweep_parcels() -> int:
    """Parcels that are late, or arrived and were not counted."""
    return actions.sweep_parcels(at=clock.now())


@shared_task(name="consults.tasks.close_visits")
def close_visits() -> dict[str, int]:
    """Notice who waits in vain, close rooms that are over, then the visits of which nobody has said anything and the book is clear."""
    at = clock.now()
    actions.notice_who_waits_in_vain(at=at)
    close_rooms_over(at=at)
    return actions.close_by_attendance(at=at)
