"""A time that was given back, written down so that it goes round among those who wait for one."""

import uuid
from datetime import datetime, timedelta

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from consults.access.slots import visit_settings
from consults.models import FreedSlot, WaitingListEntry


def note_freed(
    *, clinician_id: uuid.UUID, visit_type: str, during: DateTimeTZRange, at: datetime
) -> FreedSlot | None:
    """Within the transaction that gives a time back. None when it is too near, or nobody waits."""
    if during.lower <= at + timedelta(minutes=visit_settings(at)["minimum_notice_minutes"]):
        return None
    if not WaitingListEntry.objects.filter(visit_type=visit_type, state="waiting").exists():
        return None
    row, _ = FreedSlot.objects.get_or_create(
        clinician_id=clinician_id,
        visit_type=visit_type,
        during=during,
        settled_at=None,
        defaults={"freed_at": at},
    )

    def now() -> None:
        from consults.actions.waiting_list import go_round

        go_round(at=at, only=row.pk)

    # What fails here fails for nobody: the sweep comes by within a minute.
    transaction.on_commit(now, robust=True)
    return row
