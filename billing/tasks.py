"""Background work of billing; what is due are rows."""

from celery import shared_task

from billing import actions
from common import clock


@shared_task(name="billing.tasks.sweep")
def sweep() -> dict[str, int]:
    """Refunds that are due, and provider events that are not worked off."""
    at = clock.now()
    return {"events": actions.work_off_events(at=at), "refunds": actions.send_due_refunds(at=at)}
