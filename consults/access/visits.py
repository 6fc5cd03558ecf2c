"""Who sees which appointment and note, and what a note still lacks."""

import functools
import json
import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

from accounts.access import licensed_states, patients_visible_to
from accounts.models import Patient, Role, User
from common import hooks
from common.clock import local_date
from common.errors import NotVisible
from consults.models import Appointment, VisitNote
from consults.rules.signing import NoteFacts
from intake.access.queue import SqlNow
from intake.models import Intake

# Long enough to finish a note and an order, short enough that a chart is not open to everybody who once had a visit.
CHART_STAYS_OPEN_AFTER_VISIT = timedelta(days=14)


def visible_appointments(user: Any) -> QuerySet[Appointment]:
    """A patient sees hers; a clinician their own and those of the patients they care for; nobody else any."""
    if user is None or not user.is_authenticated:
        return Appointment.objects.none()
    if user.role == Role.PATIENT:
        return Appointment.objects.filter(patient_id=user.pk)
    if user.role in (Role.PSYCHIATRIST, Role.COACH):
        return Appointment.objects.filter(Q(clinician=user) | Q(patient__in=patients_visible_to(user)))
    return Appointment.objects.none()


def visible_appointment(user: Any, appointment_id: uuid.UUID | str) -> Appointment:
    """That appointment with its people, or NotVisible."""
    row = (
        visible_appointments(user)
        .filter(pk=appointment_id)
        .select_related("patient__user", "clinician", "patient__care_team")
        .first()
    )
    if row is None:
        raise NotVisible("There is no such page.")
    return row


def patients_by_appointment(user: Any) -> Q | None:
    """`patient.visible`: a psychiatrist sees the charts of those who have booked a visit with them, before it and a while after.

    One visit, or one that nobody came to, is no key for ever: whoever goes on caring is in the care team (TM-17).
    """
    if user.role != Role.PSYCHIATRIST:
        return None
    return Q(
        pk__in=Appointment.objects.filter(
            clinician=user,
            visit_type__in=["consult", "follow_up"],
            state__in=["booked", "completed", "no_show"],
            during__endswith__gt=SqlNow() - CHART_STAYS_OPEN_AFTER_VISIT,
        ).values("patient")
    )


def appointments_of(patient: Patient) -> QuerySet[Appointment]:
    """A patient's visits, latest first, without slots that were let go again."""
    return (
        Appointment.objects.filter(patient=patient)
        .exclude(state="cancelled", booked_at__isnull=True)
        .select_related("clinician")
        .order_by("-during")
    )


def appointments_between(user: User, from_at: datetime, to_at: datetime) -> QuerySet[Appointment]:
    """A clinician's own booked and past visits in a stretch of time, in order."""
    return (
        Appointment.objects.filter(clinician=user, during__overlap=DateTimeTZRange(from_at, to_at))
        .filter(state__in=["booked", "completed", "no_show"])
        .select_related("patient__user", "note")
        .order_by("during")
    )


def visit_between(
    patient_id: uuid.UUID, from_at: datetime, to_at: datetime, *, at: datetime
) -> Appointment | None:
    """The first visit that is booked for this patient in a stretch of time, or kept for a moment while it is confirmed."""
    return (
        Appointment.objects.filter(patient=patient_id, during__overlap=DateTimeTZRange(from_at, to_at))
        .filter(Q(state="booked") | Q(state="held", hold_expires_at__gt=at))
        .order_by(Lower("during"))
        .first()
    )


def next_appointment(patient: Patient, at: datetime) -> Appointment | None:
    """The next booked visit that is not over yet."""
    return (
        Appointment.objects.filter(patient=patient, state="booked", during__endswith__gt=at)
        .select_related("clinician")
        .order_by(Lower("during"))
        .first()
    )


def blockers(patient: Patient, visit_type: str, at: datetime) -> list[dict[str, str]]:
    """What upper apps hold against booking this kind of visit now: [{code, sentence, url, label}], from `booking.blockers`."""
    found: list[dict[str, str]] = []
    for answer in hooks.run("booking.blockers", patient=patient, visit_type=visit_type, at=at):
        found.extend(answer or [])
    return found


def is_accepted(patient: Patient) -> bool:
    """Has a psychiatrist accepted this patient's intake? Until then only an introduction can be booked."""
    return Intake.objects.filter(patient=patient, state="accepted").exists()


def notes_of(patient: Patient) -> QuerySet[VisitNote]:
    """Signed notes, newest first."""
    return (
        VisitNote.objects.filter(patient=patient, signed_at__isnull=False)
        .select_related("signed_by", "appointment")
        .prefetch_related("addenda__written_by", "kept_signatures__signed_by")
        .order_by("-signed_at")
    )


def latest_signed_note(patient: Patient) -> VisitNote | None:
    """The newest signed note of a consult or follow-up."""
    return notes_of(patient).first()


@functools.lru_cache(maxsize=1)
def note_templates() -> dict[str, Any]:
    """The templates of visit notes, as shipped (`consults/data/note_templates.json`)."""
    return json.loads((settings.BASE_DIR / "consults" / "data" / "note_templates.json").read_text())


def templates_for(visit_type: str) -> list[dict[str, Any]]:
    """The templates that fit this kind of visit."""
    return [row for row in note_templates()["templates"] if visit_type in row["visit_types"]]


@functools.lru_cache(maxsize=1)
def prompts() -> frozenset[str]:
    """Every line of every template: left as it came, it is nothing that anybody wrote."""
    return frozenset(
        line.strip()
        for row in note_templates()["templates"]
        for text in row["body"].values()
        for line in text.splitlines()
    )


def note_facts(note: VisitNote, *, by: User, at: datetime) -> NoteFacts:
    """What the rules of signing look at."""
    body = note.body or {}
    return NoteFacts(
        history=body.get("history", ""),
        mental_status=body.get("mental_status", ""),
        risk=body.get("risk", ""),
        plan=body.get("plan", ""),
        short_visit_reason=body.get("short_visit_reason", ""),
        diagnosis=note.diagnosis,
        suitable=note.suitable,
        identity_confirmed=note.identity_confirmed,
        date_of_birth_seen=note.date_of_birth_seen,
        date_of_birth_on_file=note.patient.date_of_birth if note.patient.identity_verified_at else None,
        location_confirmed=note.location_confirmed,
        location_state=note.location_state,
        duration_minutes=note.duration_minutes,
        licensed_states=licensed_states(by, local_date(at, note.patient.user.time_zone)),
        starts_at=note.appointment.starts_at,
        signing_at=at,
        visit_type=note.appointment.visit_type,
        held_by=note.held_by,
        prompts=prompts(),
    )


def can_join(appointment: Appointment, at: datetime, opens_minutes_before: int) -> bool:
    """The door is open from a little before the start until an hour after the end."""
    return (
        appointment.state == "booked"
        and appointment.starts_at - timedelta(minutes=opens_minutes_before) <= at
        and at < appointment.ends_at + timedelta(hours=1)
    )
