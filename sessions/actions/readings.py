"""Readings taken in a session: which phase they are of, and which due row they fulfil."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.models import Patient
from common import audit
from common.errors import Conflict, NotVisible
from notify.actions import cancel_for
from sessions import states
from sessions.actions.course import PRACTICE, practised_enough
from sessions.actions.shared import hold_course
from sessions.models import Checkpoint, DosingSession
from vitals.actions import ReadingContext, RecordedReading, record_reading
from vitals.models import Reading
from vitals.rules import programme_hold_reasons

POST = (Checkpoint.Kind.T40, Checkpoint.Kind.T65, Checkpoint.Kind.T120, Checkpoint.Kind.RECHECK)
# A reading a little before its time counts for it.
EARLY = timedelta(minutes=10)


def reading_context(*, patient: Patient, session_id: UUID, phase: str, at: datetime) -> ReadingContext:
    """For `reading.context`: what a session says about a reading. Raises NotVisible for somebody else's session."""
    session = (
        DosingSession.objects.select_related("course__protocol")
        .filter(pk=session_id, patient=patient)
        .first()
    )
    if session is None:
        raise NotVisible("There is no such session.")
    if session.state == states.PREPARING:
        return ReadingContext(version=session.course.protocol, phase=Reading.Phase.PRE, after_dose=False)
    if session.dose_at is None:
        raise Conflict("This session is not open for readings.", code="session_not_open")
    if session.state not in (*states.WATCHED, states.RELEASED):
        raise Conflict("This session is over.", code="session_over")
    due = _due(session, at=at)
    found = due.kind if due is not None and due.kind != Checkpoint.Kind.RECHECK else Reading.Phase.EXTRA
    return ReadingContext(version=session.course.protocol, phase=str(found), after_dose=True)


def _due(session: DosingSession, *, at: datetime) -> Checkpoint | None:
    """The reading that is due now, latest first: a late T+65 taken at T+120 is the T+120 one."""
    return (
        Checkpoint.objects.filter(
            session_id=session.pk,
            kind__in=POST,
            done_at__isnull=True,
            cancelled_at__isnull=True,
            due_at__lte=at + EARLY,
        )
        .order_by("-due_at")
        .first()
    )


def take_reading(
    session: DosingSession,
    *,
    systolic_mmhg: int,
    diastolic_mmhg: int,
    pulse_bpm: int,
    by: Any,
    at: datetime,
    source: str,
    spo2_pct: int | None = None,
) -> RecordedReading:
    """A reading typed on the session's own page or the sitter's."""
    return record_reading(
        patient=session.patient,
        session_id=session.pk,
        systolic_mmhg=systolic_mmhg,
        diastolic_mmhg=diastolic_mmhg,
        pulse_bpm=pulse_bpm,
        spo2_pct=spo2_pct,
        taken_at=at,
        source=source,
        by=by,
        at=at,
    )


def on_reading(*, outcome: RecordedReading, by: Any, at: datetime) -> None:
    """For `reading.recorded`: tick off what was due, and put down what the reading calls for next."""
    reading = outcome.reading
    if reading.phase == Reading.Phase.PRACTICE and not reading.rejected:
        _practised(reading.patient_id, at=at)
    if reading.session_id is None or reading.rejected or not outcome.after_dose:
        return
    session = DosingSession.objects.select_related("course").get(pk=reading.session_id)
    with transaction.atomic():
        due = _due(session, at=at)
        if due is not None:
            Checkpoint.objects.filter(pk=due.pk).update(
                done_at=at, done_by=audit.actor_name(by), reading=reading, next_ladder_at=None
            )
            # An earlier one that was missed cannot be taken any more; its alarm stays with whoever was called.
            Checkpoint.objects.filter(
                session_id=session.pk,
                kind__in=POST,
                done_at__isnull=True,
                cancelled_at__isnull=True,
                due_at__lt=due.due_at,
            ).update(cancelled_at=at, next_ladder_at=None)
        again = [step.recheck_minutes for step in outcome.next_steps if step.recheck_minutes]
        if again and session.dose_at is not None and session.state in states.WATCHED:
            _recheck(session, in_minutes=min(again), at=at)
        if any(step.programme_hold for step in outcome.next_steps) or _high_again(session, outcome):
            hold_course(session.course, by="system:protocol", at=at, reason=f"reading_{outcome.band}")


def _practised(patient_id: Any, *, at: datetime) -> None:
    """Practised on enough days: nobody is reminded of it any more."""
    first = (
        DosingSession.objects.filter(patient_id=patient_id, number=1, state=states.SCHEDULED)
        .select_related("course__protocol", "patient__user")
        .first()
    )
    if first is not None and practised_enough(first, at=at):
        cancel_for(first, kinds=[PRACTICE], at=at, why="practised")


def _recheck(session: DosingSession, *, in_minutes: int, at: datetime) -> None:
    """One more reading by a time; the ladder of missing readings watches over it as over the others."""
    assert session.dose_at is not None
    due_at = at + timedelta(minutes=in_minutes)
    Checkpoint.objects.get_or_create(
        session=session,
        kind=Checkpoint.Kind.RECHECK,
        minute=int((due_at - session.dose_at) / timedelta(minutes=1)),
        defaults={"due_at": due_at, "next_ladder_at": due_at + timedelta(minutes=15)},
    )


def _high_again(session: DosingSession, outcome: RecordedReading) -> bool:
    """High readings after the dose in two sessions hold the course for the psychiatrist."""
    if outcome.band not in ("high", "crisis"):
        return False
    from vitals.actions import limits_of

    limits, _ = limits_of(outcome.reading.protocol)
    others = Reading.objects.filter(
        session_id__in=DosingSession.objects.filter(course=session.course).values("pk"),
        phase__in=["t40", "t65", "t120", "extra"],
    )
    high = others.filter(band__in=["high", "crisis"]).values("session_id").distinct().count()
    crisis = others.filter(band="crisis").values("session_id").distinct().count()
    return bool(
        programme_hold_reasons(high_sessions=high, crisis_sessions=crisis, symptomatic=False, limits=limits)
    )
