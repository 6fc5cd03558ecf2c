"""When a session has its person's time: no visit is booked into one, and none is put over a visit."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from consults.access import visit_between
from sessions import rules, states
from sessions.models import DosingSession
from sessions.wording import local_when

# From its hour to the end of the watch, whether it has begun or not.
TAKES_TIME = (states.SCHEDULED, *states.ACTIVE)


def busy_times(*, patient_id: Any, from_at: datetime, to_at: datetime) -> list[tuple[datetime, datetime]]:
    """Hook `patient.busy`: (start, end) of the sessions that touch this stretch of time. One query.

    A session lasts to the end of its watch, counted from its hour or, where it was later, from its dose (protocol 8).
    """
    rows = (
        DosingSession.objects.filter(patient=patient_id, state__in=TAKES_TIME)
        .filter(Q(course__state__in=states.COURSE_OPEN) | Q(state__in=states.ACTIVE))
        .filter(scheduled_at__gt=from_at - timedelta(days=2), scheduled_at__lt=to_at)
        .values_list("scheduled_at", "dose_at", "course__protocol__data__timeline__watch_until_minutes")
    )
    found = [
        (hour, max(hour, dose_at or hour) + timedelta(minutes=minutes)) for hour, dose_at, minutes in rows
    ]
    return [(begin, end) for begin, end in found if begin < to_at and from_at < end]


def visit_in_the_way(
    session: DosingSession, when: datetime, *, timeline: rules.Timeline, at: datetime
) -> str:
    """A sentence when this person has a visit during a session that began at `when`; empty when nothing is in the way."""
    visit = visit_between(
        session.patient_id, when, when + timedelta(minutes=timeline.watch_until_minutes), at=at
    )
    if visit is None:
        return ""
    there = local_when(visit.starts_at, session.patient.user.time_zone)
    return f"Session {session.number} would fall on a visit ({there}). Move the visit first, or choose another day."
