"""Two visits at one time, on purpose: a psychiatrist or coach in their own calendar, with a reason that stays. Nothing else may."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from accounts.models import Patient, Role, User
from common import audit, states
from common.errors import Conflict, Invalid, NotPermitted, SlotTaken
from consults import wording
from consults.access.slots import busy_elsewhere, minutes_of, visit_settings
from consults.actions.booking import (
    _check_blockers,
    _check_licence,
    _may_book,
    _promise_reminders,
    _tell,
    lock_times_of,
    release_expired_holds,
    slot_refusals,
)
from consults.models import Appointment, AvailabilityException, Introduction
from consults.states import APPOINTMENT_MOVES


def double_book(
    patient: Patient, *, visit_type: str, starts_at: datetime, reason: str, by: User, at: datetime
) -> Appointment:
    """Book this patient into one's own calendar at a time that may be taken; outside the hours too, never over leave.

    Only whoever holds visits, only their own time, only with a reason. The flag is set only when something else lies there. A
    patient is still in one visit at a time, and in none during a session. Raises NotPermitted, Invalid without a reason or for a past time, Conflict, SlotTaken when it is
    the patient who is elsewhere.
    """
    if by.role not in (Role.PSYCHIATRIST, Role.COACH):
        raise NotPermitted("Only whoever holds visits books over one, and only in their own calendar.")
    _may_book(patient, by)
    kind = visit_settings(at)["types"].get(visit_type)
    if kind is None or kind["role"] != by.role:
        raise Invalid("Choose one of your kinds of visit.", fields={"visit_type": "Choose one."})
    if not reason.strip():
        raise Invalid("Write why.", fields={"reason": "A double booking needs a reason."})
    if starts_at <= at:
        raise Invalid("Choose a time to come.", fields={"starts_at": "This time is over."})
    own = getattr(by, "calendar_settings", None)
    length = minutes_of(
        own.consult_minutes if own is not None else None, visit_type, visit_settings(at)["types"]
    )
    during = DateTimeTZRange(starts_at, starts_at + timedelta(minutes=length))
    _check_blockers(patient, visit_type, at)
    with slot_refusals(), transaction.atomic():
        lock_times_of(by.pk, patient.pk)
        release_expired_holds(at=at, people=[by.pk, patient.pk])
        if AvailabilityException.objects.filter(clinician=by, kind="leave", during__overlap=during).exists():
            raise Conflict("You are away then. Take the leave back first.", code="on_leave")
        if busy_elsewhere(patient, during.lower, during.upper):
            raise SlotTaken(wording.IN_A_SESSION)
        over = (
            Appointment.objects.filter(
                clinician=by, state__in=["held", "booked"], during__overlap=during
            ).exists()
            or Introduction.objects.filter(clinician=by, state="booked", during__overlap=during).exists()
        )
        row = Appointment(
            patient=patient,
            clinician=by,
            visit_type=visit_type,
            during=during,
            state="held",
            hold_expires_at=at,
            state_of_care=patient.state,
            created_at=at,
            double_booked=over,
            double_booked_by=by if over else None,
            double_booked_at=at if over else None,
            double_booked_reason=reason.strip() if over else "",
        )
        _check_licence(row, patient.state, starts_at)
        row.save(force_insert=True)
        states.opened(row, "held", by=by, at=at)
        states.move(row, "booked", moves=APPOINTMENT_MOVES, by=by, at=at, booked_at=at, hold_expires_at=None)
        audit.record(
            "visit.double_booked" if over else "visit.booked", by=by, at=at, about=row, patient_id=patient.pk
        )
        _tell(row, "visit_booked", at=at)
        _promise_reminders(row, at=at)
    return row
