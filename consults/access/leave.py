"""Leave of the calendar, told to the on-call roster."""

import uuid
from datetime import datetime
from typing import Any

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from consults.models import AvailabilityException


def leave_of(*, person: Any, starts_at: datetime, ends_at: datetime) -> list[tuple[datetime, datetime]]:
    """Hook `staff.away`: when this clinician's calendar says leave within the window."""
    rows = AvailabilityException.objects.filter(
        clinician=person, kind="leave", during__overlap=DateTimeTZRange(starts_at, ends_at)
    )
    return [(row.during.lower, row.during.upper) for row in rows]


def is_away(clinician_id: uuid.UUID, during: DateTimeTZRange) -> bool:
    """Does leave lie in this time?"""
    return AvailabilityException.objects.filter(
        clinician=clinician_id, kind="leave", during__overlap=during
    ).exists()
