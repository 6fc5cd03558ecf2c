"""Booked visits that cannot be held as they are: licence, registration, leave, account and state looked at ahead of the day."""

import uuid
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import Exists, OuterRef, QuerySet, Subquery

from accounts.models import DeaRegistration, Licence, Role
from common.clock import local_date
from consults.access.slots import visit_settings
from consults.access.state_rules import booking_refusal_in
from consults.models import Appointment, AvailabilityException, Introduction, VisitType
from consults.rules.doubt import Doubt, doubts
from consults.rules.slots import Span

PSYCHIATRISTS_OWN = (VisitType.CONSULT, VisitType.INTRO, VisitType.FOLLOW_UP)


def role_of_visit(visit_type: str) -> str:
    """Who holds a kind of visit."""
    return str(Role.PSYCHIATRIST if visit_type in PSYCHIATRISTS_OWN else Role.COACH)


def doubts_of(rows: Iterable[Appointment], *, at: datetime) -> dict[uuid.UUID, list[Doubt]]:
    """What stands against each of these visits; those without a doubt are left out. As many queries for many visits as for one in the same states.

    The rows come with `patient__user` and `clinician`. The state is where the patient says she lives today.
    """
    rows = [row for row in rows if row.state == "booked" and row.ends_at > at]
    if not rows:
        return {}
    people = {row.clinician_id for row in rows}
    licences: dict[tuple[uuid.UUID, str], tuple[date | None, date]] = {
        (one.psychiatrist_id, one.state): (one.issued_on, one.expires_on)
        for one in Licence.objects.filter(psychiatrist__in=people)
    }
    registered = {
        (one.psychiatrist_id, one.state): one.expires_on
        for one in DeaRegistration.objects.filter(psychiatrist__in=people)
    }
    away: dict[uuid.UUID, list[Span]] = defaultdict(list)
    around = DateTimeTZRange(min(row.starts_at for row in rows), max(row.ends_at for row in rows))
    for leave in AvailabilityException.objects.filter(
        clinician__in=people, kind="leave", during__overlap=around
    ).only("clinician_id", "during"):
        away[leave.clinician_id].append(Span(leave.during.lower, leave.during.upper))
    settings = visit_settings(at)["types"]
    closed = {
        state: bool(booking_refusal_in(state, at=at))
        for state in {row.patient.state for row in rows if row.visit_type == VisitType.CONSULT}
    }
    found = {}
    for row in rows:
        key, on = (row.clinician_id, row.patient.state), local_date(row.starts_at, row.patient.user.time_zone)
        issued, until = licences.get(key, (None, date.min))
        if issued is not None and issued > on:
            until = date.min
        role = settings.get(row.visit_type, {}).get("role", role_of_visit(row.visit_type))
        reasons = doubts(
            gone=not row.clinician.is_active or row.clinician.role != role,
            away=any(one.overlaps(Span(row.starts_at, row.ends_at)) for one in away[row.clinician_id]),
            needs_licence=role == Role.PSYCHIATRIST,
            licensed_until=min(until, registered.get(key, date.min)),
            on=on,
            closed=row.visit_type == VisitType.CONSULT and closed[row.patient.state],
        )
        if reasons:
            found[row.pk] = reasons
    return found


def with_doubts(rows: QuerySet[Introduction]) -> QuerySet[Introduction]:
    """Introductory calls with what `doubts_of_call` reads, in the query that finds them: no page takes a further one for it."""
    theirs: dict[str, Any] = {"psychiatrist": OuterRef("clinician"), "state": OuterRef("state_of_care")}
    licence = Licence.objects.filter(**theirs)
    away = AvailabilityException.objects.filter(
        clinician=OuterRef("clinician"), kind="leave", during__overlap=OuterRef("during")
    )
    return rows.select_related("clinician").annotate(
        licensed_from=Subquery(licence.values("issued_on")[:1]),
        licensed_until=Subquery(licence.values("expires_on")[:1]),
        registered_until=Subquery(DeaRegistration.objects.filter(**theirs).values("expires_on")[:1]),
        in_leave=Exists(away),
    )


def doubts_of_call(row: Any, *, at: datetime) -> list[Doubt]:
    """What stands against an introductory call found by `with_doubts`. The state is where its caller said that they are."""
    if row.state != "booked" or row.ends_at <= at:
        return []
    on = local_date(row.starts_at, row.time_zone)
    until = min(row.licensed_until or date.min, row.registered_until or date.min)
    return doubts(
        gone=is_gone(row),
        away=row.in_leave,
        needs_licence=True,
        licensed_until=date.min if row.licensed_from is not None and row.licensed_from > on else until,
        on=on,
        closed=False,
    )


def is_gone(row: Appointment | Introduction) -> bool:
    """Is whoever was to hold it not here any more, or here for other work?"""
    role = role_of_visit(row.visit_type) if isinstance(row, Appointment) else str(Role.PSYCHIATRIST)
    return not row.clinician.is_active or row.clinician.role != role
