"""Another time, or another clinician, for a booked visit: whoever had a part in it hears of it, and nothing of the old time stays."""

import uuid
from datetime import datetime

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from accounts.actions import assign_care_team
from accounts.models import Role, User
from common import audit
from common.errors import Conflict
from consults import wording
from consults.access.slots import visit_settings
from consults.actions.booking import (
    _first_at,
    _may_change,
    _promise_reminders,
    _slot,
    _tell,
    _tell_one,
    lock_times_of,
    release_expired_holds,
    slot_refusals,
)
from consults.actions.freed import note_freed
from consults.actions.rooms import follow_visit
from consults.models import Appointment, VisitEntry, VisitNote, VisitType
from consults.rules.limits import moves_reached
from notify.actions import cancel_for


def reschedule(
    appointment: Appointment, *, starts_at: datetime, clinician_id: uuid.UUID | None, by: User, at: datetime
) -> Appointment:
    """Give a booked visit another time; a calendar updates the entry it has. Raises SlotTaken, or Conflict for a past visit.

    A clinician who gives the visit up hears that it is cancelled for them. Whoever had come already comes anew.
    """
    _may_change(appointment, by)
    patient = appointment.patient
    clinician_id = clinician_id or appointment.clinician_id
    slot = _slot(patient, appointment.visit_type, clinician_id, starts_at, at=at, moving=appointment)
    with slot_refusals(), transaction.atomic():
        _first_at(clinician_id, starts_at)
        lock_times_of(clinician_id, appointment.clinician_id, patient.pk)
        release_expired_holds(at=at, people=[clinician_id, patient.pk])
        row = (
            Appointment.objects.select_for_update(of=("self",))
            .select_related("clinician")
            .get(pk=appointment.pk)
        )
        if row.state != "booked" or row.starts_at <= at:
            raise Conflict("This appointment can no longer be moved.", code="cannot_be_moved")
        reached = moves_reached(visit_settings(at).get("limits", {}), moves=row.sequence)
        if reached and by.pk == patient.pk:
            raise Conflict(wording.LIMITS[reached], code=reached)
        _slot(patient, row.visit_type, clinician_id, starts_at, at=at, moving=row)
        before, before_during, was_double = row.clinician, row.during, row.double_booked
        row.during = DateTimeTZRange(slot.starts_at, slot.ends_at)
        row.clinician_id = clinician_id
        row.state_of_care = patient.state
        row.sequence += 1
        # The new time is free, so what was double booked on purpose no longer is.
        row.double_booked, row.double_booked_by, row.double_booked_at = False, None, None
        row.double_booked_reason = ""
        row.patient_arrived_at = None
        if before.pk != clinician_id:
            row.meeting_url = ""
        with transaction.atomic():
            row.save()
        row = Appointment.objects.select_related("patient__user", "clinician").get(pk=row.pk)
        audit.record("visit.moved", by=by, at=at, about=row, patient_id=row.patient_id)
        _come_anew(row, at=at)
        cancel_for(row, at=at, why="the visit moved")
        _tell(row, "visit_moved", at=at)
        if before.pk != row.clinician_id:
            _hand_over(row, before, by=by, at=at)
        _promise_reminders(row, at=at)
        if not was_double:
            note_freed(clinician_id=before.pk, visit_type=row.visit_type, during=before_during, at=at)
    return row


def _come_anew(row: Appointment, *, at: datetime) -> None:
    """Who and where she said she was belongs to the time that is given up; wrong dates of birth stay counted."""
    VisitEntry.objects.filter(appointment=row).update(
        matched_at=None,
        confirmed_at=None,
        state="",
        at_address_on_file=None,
        address_now="",
        turned_away_at=None,
        turned_away_why="",
    )
    follow_visit(row, at=at)


def _hand_over(row: Appointment, before: User, *, by: User, at: datetime) -> None:
    """The visit is somebody else's now: a draft of its note too, and the former clinician hears that theirs is cancelled."""
    VisitNote.objects.filter(appointment=row, signed_at__isnull=True).update(author=row.clinician)
    if row.visit_type == VisitType.CONSULT and row.clinician.role == Role.PSYCHIATRIST:
        assign_care_team(row.patient, psychiatrist=row.clinician, by=by, at=at)
    if before.is_active:
        _tell_one(row, before, "visit_cancelled", at=at)
