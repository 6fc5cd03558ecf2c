"""Find, hold, confirm; move, cancel, come, close. Overlap is impossible: PostgreSQL refuses it (exclusion constraints)."""

import hashlib
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import Q
from django.urls import reverse

from accounts.access import licensed_states, patients_visible_to
from accounts.actions import assign_care_team
from accounts.models import Patient, Role, User
from common import audit, states
from common.clock import local_date
from common.errors import Conflict, Invalid, NotPermitted, NotVisible, SlotTaken
from common.locks import is_lock_trouble
from consults import wording
from consults.access.leave import is_away
from consults.access.slots import Slot, open_slots, visit_settings
from consults.access.state_rules import booking_refusal_in
from consults.access.visits import blockers, is_accepted
from consults.access.waiting import nobody_knows_who
from consults.actions.freed import note_freed
from consults.actions.missed import after_a_missed_visit
from consults.actions.rooms import follow_visit
from consults.models import Appointment, VisitNote, VisitType, WaitingListEntry
from consults.rules.limits import limit_reached
from consults.states import APPOINTMENT_MOVES
from notify.actions import cancel_for, promise

REMINDERS = ("visit_tomorrow", "visit_soon")


def _first_at(clinician_id: uuid.UUID, starts_at: datetime) -> None:
    """One person at a time takes one time; whoever presses at the same moment is told so and does not stand in line.

    Two hundred in one line would hold up everybody who books with this clinician, and whoever has a hold to confirm.
    """
    digest = hashlib.sha256(clinician_id.bytes + f"{starts_at.timestamp():.6f}".encode()).digest()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(digest[:8], "big", signed=True)]
        )
        if not cursor.fetchone()[0]:
            raise SlotTaken(wording.SLOT_WANTED)


def lock_times_of(*people: uuid.UUID) -> None:
    """One booking at a time per person, so that two exclusion constraints never wait for each other."""
    keys = sorted({int.from_bytes(person.bytes[:8], "big", signed=True) for person in people})
    with connection.cursor() as cursor:
        for key in keys:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])


def _may_book(patient: Patient, by: User) -> None:
    if by.pk == patient.pk or by.role == Role.PATIENT:
        if by.pk != patient.pk:
            raise NotVisible("There is no such page.")
        return
    if not patients_visible_to(by).filter(pk=patient.pk).exists():
        raise NotVisible("There is no such page.")


def _may_change(appointment: Appointment, by: User) -> None:
    if by.pk not in (appointment.patient_id, appointment.clinician_id):
        if by.role == Role.PATIENT or not patients_visible_to(by).filter(pk=appointment.patient_id).exists():
            raise NotVisible("There is no such page.")


def release_expired_holds(*, at: datetime, people: Sequence[uuid.UUID] | None = None) -> int:
    """Let go of slots whose ten minutes are over; of these people only, or of everybody (the sweeper)."""
    rows = Appointment.objects.filter(state="held", hold_expires_at__lte=at)
    if people is not None:
        rows = rows.filter(Q(clinician__in=people) | Q(patient__in=people))
    released = 0
    with transaction.atomic():
        for row in rows.select_for_update(skip_locked=people is None):
            states.move(
                row,
                "cancelled",
                moves=APPOINTMENT_MOVES,
                by="system:holds",
                at=at,
                reasons=["hold_over"],
                cancelled_at=at,
                cancel_reason="hold_over",
            )
            released += 1
    return released


def _slot(
    patient: Patient,
    visit_type: str,
    clinician_id: uuid.UUID,
    starts_at: datetime,
    *,
    at: datetime,
    moving: Appointment | None = None,
) -> Slot:
    """The free slot that begins exactly then, or SlotTaken."""
    if starts_at.tzinfo is None:
        raise Invalid(
            "A time needs its zone.", fields={"starts_at": "Give the offset, such as 2026-12-01T17:00:00Z."}
        )
    found = open_slots(
        visit_type,
        patient,
        starts_at,
        starts_at + timedelta(microseconds=1),
        at=at,
        clinician_id=clinician_id,
        moving=moving,
    )
    if not found:
        raise SlotTaken(wording.SLOT_GONE)
    return found[0]


def hold_slot(
    patient: Patient, *, visit_type: str, clinician_id: uuid.UUID, starts_at: datetime, by: User, at: datetime
) -> Appointment:
    """Keep a free time for ten minutes. A patient holds one slot at a time: an earlier hold is let go.

    Raises SlotTaken when the time is not free (any more).
    """
    _may_book(patient, by)
    _check_accepted(patient, visit_type)
    check_limits(patient, visit_type, by=by, at=at)
    until = at + timedelta(minutes=visit_settings(at)["hold_minutes"])
    # Asked before any lock, so that whoever comes too late is told so without standing in line.
    _slot(patient, visit_type, clinician_id, starts_at, at=at)
    with slot_refusals(), transaction.atomic():
        _first_at(clinician_id, starts_at)
        lock_times_of(clinician_id, patient.pk)
        release_expired_holds(at=at, people=[clinician_id, patient.pk])
        check_limits(patient, visit_type, by=by, at=at)
        for earlier in Appointment.objects.filter(patient=patient, state="held", for_offer=False):
            states.move(
                earlier,
                "cancelled",
                moves=APPOINTMENT_MOVES,
                by=by,
                at=at,
                reasons=["another_time_chosen"],
                cancelled_at=at,
                cancel_reason="another_time",
            )
        return keep_slot(
            patient, visit_type=visit_type, clinician_id=clinician_id, starts_at=starts_at, until=until, by=by, at=at
        )  # fmt: skip


def keep_slot(
    patient: Patient, *, visit_type: str, clinician_id: uuid.UUID, starts_at: datetime, until: datetime, by: User | str,
    at: datetime, for_offer: bool = False,
) -> Appointment:  # fmt: skip
    """The row of a hold, once more checked. The caller has locked the times of both people and holds a transaction."""
    slot = _slot(patient, visit_type, clinician_id, starts_at, at=at)
    with transaction.atomic():
        row = Appointment.objects.create(
            patient=patient,
            clinician_id=clinician_id,
            visit_type=visit_type,
            during=DateTimeTZRange(slot.starts_at, slot.ends_at),
            state="held",
            hold_expires_at=until,
            state_of_care=patient.state,
            for_offer=for_offer,
            created_at=at,
        )
    states.opened(row, "held", by=by, at=at)
    audit.record("visit.held", by=by, at=at, about=row, patient_id=patient.pk)
    return row


@contextmanager
def slot_refusals() -> Iterator[None]:
    """An overlap that PostgreSQL refused, or a lock that took too long, is one sentence: somebody else has the time."""
    try:
        yield
    except IntegrityError as error:
        if "in_one_visit_at_a_time" not in str(error):
            raise
        raise SlotTaken(wording.SLOT_TAKEN) from None
    except OperationalError as error:
        if not is_lock_trouble(error):
            raise
        raise SlotTaken(wording.SLOT_TAKEN) from None


def check_limits(patient: Patient, visit_type: str, *, by: User, at: datetime, choosing: bool = True) -> None:
    """Nobody books or keeps everybody's times; the care team may go past it. Raises Conflict with what helps."""
    if by.pk != patient.pk:
        return
    rows = Appointment.objects.filter(patient=patient)
    ahead = rows.filter(visit_type=visit_type, state="booked", during__startswith__gt=at).count()
    chosen = rows.filter(created_at__gt=at - timedelta(days=1), for_offer=False).count() if choosing else 0
    found = limit_reached(visit_settings(at).get("limits", {}), visit_type, ahead=ahead, chosen_today=chosen)
    if found:
        raise Conflict(wording.LIMITS[found], code=found)


def _check_accepted(patient: Patient, visit_type: str) -> None:
    """An introduction is open to everybody; whatever is care comes after a psychiatrist's yes."""
    if visit_type != VisitType.INTRO and not is_accepted(patient):
        raise Conflict(wording.NOT_ACCEPTED, code="intake_not_accepted")


def _check_blockers(patient: Patient, visit_type: str, at: datetime) -> None:
    _check_accepted(patient, visit_type)
    _check_law(visit_type, patient.state, at)
    found = blockers(patient, visit_type, at)
    if found:
        raise Conflict(found[0]["sentence"], code=found[0]["code"])


def _check_law(visit_type: str, state: str, at: datetime) -> None:
    """No consult where the state forbids it, or where nobody has read its rule: not booked, and not held by somebody who travels."""
    gap = booking_refusal_in(state, at=at) if visit_type == VisitType.CONSULT else None
    if gap:
        raise Conflict(wording.LAW_FOR_PATIENT[gap], code=gap)


def _check_licence(appointment: Appointment, state: str, on_at: datetime) -> None:
    """A psychiatrist sees somebody only where both licence and DEA registration hold on that day."""
    if appointment.clinician.role != Role.PSYCHIATRIST:
        return
    day = local_date(on_at, appointment.patient.user.time_zone)
    if state not in licensed_states(appointment.clinician, day):
        raise Conflict(
            "This psychiatrist may not see you in the state you are in on that day. Choose another time, or call us.",
            code="not_licensed_there",
        )


def confirm_booking(appointment: Appointment, *, by: User, at: datetime) -> Appointment:
    """Turn a hold into a booking: licence, payment and intake checked once more, invitation and reminders promised.

    Raises SlotTaken when the ten minutes are over or the clinician is not there any more, Conflict for what blocks the booking.
    """
    _may_change(appointment, by)
    with transaction.atomic():
        # Leave is written under the same lock, so nobody is booked into it.
        lock_times_of(appointment.clinician_id, appointment.patient_id)
        row = (
            Appointment.objects.select_for_update(of=("self",))
            .select_related("patient__user", "clinician")
            .get(pk=appointment.pk)
        )
        if row.state == "booked":
            return row
        if row.state != "held" or row.hold_expires_at is None or row.hold_expires_at <= at:
            raise SlotTaken(wording.HOLD_OVER)
        if not row.clinician.is_active or is_away(row.clinician_id, row.during):
            raise SlotTaken(wording.SLOT_GONE)
        check_limits(row.patient, row.visit_type, by=by, at=at, choosing=False)
        _check_licence(row, row.patient.state, row.starts_at)
        _check_blockers(row.patient, row.visit_type, at)
        states.move(
            row, "booked", moves=APPOINTMENT_MOVES, by=by, at=at, booked_at=at, hold_expires_at=None,
            state_of_care=row.patient.state,
        )  # fmt: skip
        if row.clinician.role == Role.PSYCHIATRIST and row.visit_type == VisitType.CONSULT:
            assign_care_team(row.patient, psychiatrist=row.clinician, by=by, at=at)
        # Whoever waits for an earlier time of this kind and had none yet now has a visit to bring forward.
        WaitingListEntry.objects.filter(
            patient=row.patient_id, visit_type=row.visit_type, state="waiting", appointment=None
        ).update(appointment=row)
        audit.record("visit.booked", by=by, at=at, about=row, patient_id=row.patient_id)
        _tell(row, "visit_booked", at=at)
        _promise_reminders(row, at=at)
    return row


def cancel(appointment: Appointment, *, by: User, at: datetime, reason: str = "") -> Appointment:
    """Give a held or booked time back; reminders are taken back, both people hear of a booked one.

    A patient cannot cancel a visit that has begun: it took place or was missed. Raises Conflict then.
    """
    _may_change(appointment, by)
    with transaction.atomic():
        row = (
            Appointment.objects.select_for_update(of=("self",))
            .select_related("patient__user", "clinician")
            .get(pk=appointment.pk)
        )
        if row.state == "cancelled":
            return row
        was_booked = row.state == "booked"
        if was_booked and by.pk == row.patient_id and row.starts_at <= at:
            raise Conflict(wording.HAS_BEGUN, code="has_begun")
        states.move(
            row,
            "cancelled",
            moves=APPOINTMENT_MOVES,
            by=by,
            at=at,
            cancelled_at=at,
            cancel_reason="patient" if by.pk == row.patient_id else "practice",
            sequence=row.sequence + 1,
        )
        audit.record("visit.cancelled", by=by, at=at, about=row, patient_id=row.patient_id, reason=reason)
        if was_booked:
            cancel_for(row, at=at, why="the visit was cancelled")
            follow_visit(row, at=at)
            _tell(row, "visit_cancelled", at=at)
        if not row.double_booked and (was_booked or row.for_offer):
            note_freed(clinician_id=row.clinician_id, visit_type=row.visit_type, during=row.during, at=at)
    return row


def set_meeting_url(appointment: Appointment, *, url: str, by: User, at: datetime) -> Appointment:
    """The clinician's own video room for this visit; https only."""
    if by.pk != appointment.clinician_id:
        raise NotPermitted("The clinician of this visit sets the room.")
    parts = urlsplit(url)
    if url and (parts.scheme != "https" or not parts.netloc):
        raise Invalid(
            "Give the whole address, beginning with https://.",
            fields={"meeting_url": "Not an https address."},
        )
    with transaction.atomic():
        Appointment.objects.filter(pk=appointment.pk).update(meeting_url=url)
        audit.record("visit.room_set", by=by, at=at, about=appointment, patient_id=appointment.patient_id)
    appointment.meeting_url = url
    return appointment


def close_visit(appointment: Appointment, *, happened: bool, by: User, at: datetime) -> Appointment:
    """The clinician's word on whether the visit took place. A consult is completed by signing its note."""
    if by.pk != appointment.clinician_id:
        raise NotPermitted("The clinician of this visit closes it.")
    if at < appointment.starts_at:
        raise Conflict("This visit has not begun.", code="not_begun")
    if happened and nobody_knows_who(appointment):
        raise Conflict(
            "Nothing on file could be compared when this person came. Say first how you know who it was.",
            code="not_identified",
        )
    with transaction.atomic():
        if (
            not happened
            and VisitNote.objects.filter(appointment=appointment, signed_at__isnull=False).exists()
        ):
            raise Conflict(
                "The note of this visit is signed, so it took place. Open the note again first if that is wrong.",
                code="note_signed",
            )
        states.move(
            appointment, "completed" if happened else "no_show", moves=APPOINTMENT_MOVES, by=by, at=at
        )
        audit.record(
            "visit.completed" if happened else "visit.missed",
            by=by,
            at=at,
            about=appointment,
            patient_id=appointment.patient_id,
        )
        cancel_for(appointment, at=at, why="the visit is over", kinds=REMINDERS)
        after_a_missed_visit(appointment, by=by, at=at)
    return appointment


def _words_for(row: Appointment) -> dict[str, Any]:
    path = reverse("consults:appointment", args=[row.pk])
    return {"when_words": row.starts_at, "link": f"{settings.SITE_URL}{path}"}


def _tell(row: Appointment, kind: str, *, at: datetime) -> None:
    """Both people hear of it, each in their own zone; no word about what the visit is for."""
    for person in (row.patient.user, row.clinician):
        _tell_one(row, person, kind, at=at)


def _tell_one(row: Appointment, person: User, kind: str, *, at: datetime) -> None:
    promise(
        kind,
        to=person,
        channel="email",
        context=_words_for(row),
        due_at=at,
        at=at,
        about=row,
        patient=row.patient,
        dedupe_key=f"{kind}:{row.pk}:{row.sequence}:{person.pk}",
        respect_quiet_hours=False,
    )


def _promise_reminders(row: Appointment, *, at: datetime) -> None:
    """The day before and an hour before; a moved or cancelled visit takes them back."""
    user = row.patient.user
    planned = [("visit_tomorrow", "email", timedelta(days=1))]
    if user.phone:
        planned += [("visit_tomorrow", "sms", timedelta(days=1))]
    planned += [("visit_soon", "sms" if user.phone else "email", timedelta(hours=1))]
    for kind, channel, before in planned:
        due_at = row.starts_at - before
        if due_at > at:
            promise(
                kind,
                to=user,
                channel=channel,
                context=_words_for(row),
                due_at=due_at,
                at=at,
                about=row,
                patient=row.patient,
                dedupe_key=f"{kind}:{row.pk}:{row.sequence}:{channel}",
                expires_at=row.starts_at,
                # The day before goes both ways already: a stopped text is not a second mail.
                fallbacks=() if kind == "visit_tomorrow" or channel == "email" else ("email",),
            )
