"""A clinician's hours: weekly ones in their own zone, and exceptions to them."""

import itertools
import uuid
from collections.abc import Sequence
from datetime import datetime, time
from typing import TypedDict

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from accounts.models import Role, User
from common import audit
from common.errors import Conflict, Invalid, NotPermitted, NotVisible
from consults.actions.booking import lock_times_of
from consults.models import Appointment, Availability, AvailabilityException, Introduction
from safety.roster_access import shifts_of_between


class WeeklyHours(TypedDict):
    """One row of a weekly timetable."""

    weekday: int
    starts: time
    ends: time
    visit_types: list[str]


def _may_set(clinician: User, by: User) -> None:
    if clinician.role not in (Role.PSYCHIATRIST, Role.COACH):
        raise Invalid("Only psychiatrists and coaches offer hours.")
    if by.pk != clinician.pk and by.role != Role.ADMINISTRATOR:
        raise NotPermitted("Hours are set by the person who keeps them.")


def set_weekly_hours(
    clinician: User, *, rows: Sequence[WeeklyHours], by: User, at: datetime
) -> list[Availability]:
    """Replace the weekly timetable. Booked visits stay as they are. Raises Invalid for hours that overlap on a day."""
    _may_set(clinician, by)
    ordered = sorted(rows, key=lambda row: (row["weekday"], row["starts"]))
    for earlier, later in itertools.pairwise(ordered):
        ends_with_the_day = earlier["ends"] == time(0)
        if earlier["weekday"] == later["weekday"] and (
            ends_with_the_day or later["starts"] < earlier["ends"]
        ):
            raise Invalid("Two rows of the same day overlap. Join them, or move one.")
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=clinician.pk)
        Availability.objects.filter(clinician=clinician).delete()
        made = Availability.objects.bulk_create([Availability(clinician=clinician, **row) for row in ordered])
        audit.record("availability.set", by=by, at=at, about=clinician, detail={"rows": len(made)})
    return made


def add_exception(
    clinician: User,
    *,
    kind: str,
    starts_at: datetime,
    ends_at: datetime,
    by: User,
    at: datetime,
    visit_types: Sequence[str] = (),
    note: str = "",
) -> AvailabilityException:
    """Leave, or extra hours. Raises Conflict for leave over booked visits: those are moved by a person first."""
    _may_set(clinician, by)
    if ends_at <= starts_at:
        raise Invalid("The end must be after the start.", fields={"ends_at": "Choose a later end."})
    during = DateTimeTZRange(starts_at, ends_at)
    with transaction.atomic():
        if kind == "leave":
            # The lock that booking takes: whoever books in this moment is either counted here or refused there.
            lock_times_of(clinician.pk)
            count = (
                Appointment.objects.filter(
                    clinician=clinician, state="booked", during__overlap=during
                ).count()
                + Introduction.objects.filter(
                    clinician=clinician, state="booked", during__overlap=during
                ).count()
            )
            if count:
                raise Conflict(
                    f"{count} booked {'visit lies' if count == 1 else 'visits lie'} in this time. Move or cancel first.",
                    code="visits_booked",
                )
            User.objects.select_for_update(no_key=True).get(pk=clinician.pk)
            if shifts_of_between(clinician, starts_at, ends_at).exists():
                raise Conflict(
                    "An on-call shift lies in this time. Hand it over on the roster first.", code="on_call"
                )
        row = AvailabilityException.objects.create(
            clinician=clinician, kind=kind, during=during, visit_types=list(visit_types), note=note
        )
        audit.record(f"availability.{kind}_added", by=by, at=at, about=row)
    return row


def remove_exception(clinician: User, exception_id: uuid.UUID, *, by: User, at: datetime) -> None:
    """Take an exception back. Raises NotVisible when it is not this clinician's."""
    _may_set(clinician, by)
    with transaction.atomic():
        row = AvailabilityException.objects.filter(pk=exception_id, clinician=clinician).first()
        if row is None:
            raise NotVisible("There is no such page.")
        audit.record("availability.exception_removed", by=by, at=at, about=row)
        row.delete()
