"""Opening a course from a signed order, moving its sessions, and keeping its reminders true."""

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from accounts.models import Role
from common import audit
from common import states as common_states
from common.clock import local_date
from common.errors import Conflict, Invalid, NotPermitted
from consults.actions import ask_for_count, ask_to_revoke, lock_times_of
from notify.actions import cancel_for
from notify.actions.promises import in_their_day
from safety.actions import place_hold
from sessions import rules, states
from sessions.access.busy import visit_in_the_way
from sessions.access.facts import practice_days, timeline_for
from sessions.actions.shared import lock_patient, lock_session, tell
from sessions.models import Course, DoseRelease, DosingSession
from sessions.wording import local_when

REMINDERS = ("session_two_days", "session_tomorrow", "session_today")
PRACTICE = "practice_due"
MAY_MOVE = (states.SCHEDULED, states.PREPARING, states.MISSED)


def starts_at(day: date, zone: str, timeline: rules.Timeline) -> datetime:
    """The usual hour on that day where the patient lives, as an instant."""
    return datetime.combine(day, time(timeline.session_start_local_hour), ZoneInfo(zone)).astimezone(
        ZoneInfo("UTC")
    )


def open_course(order: Any, *, by: Any, at: datetime) -> Course:
    """Turn a signed order into four sessions on its dates; an order that replaces another takes over the sessions to come."""
    with transaction.atomic():
        patient = lock_patient(order.patient_id)
        course = (
            Course.objects.select_for_update(of=("self",))
            .filter(patient=patient, state__in=states.COURSE_OPEN)
            .first()
        )
        if course is None:
            course = Course.objects.create(
                patient=patient, order=order, protocol=order.protocol, started_at=at
            )
            common_states.opened(course, states.ACTIVE_COURSE, by=by, at=at)
        else:
            course.order = order
            course.save(update_fields=["order"])
        timeline = rules.timeline_of(course.protocol.data["timeline"])
        lock_times_of(patient.pk)
        for number, day in enumerate(order.session_dates, start=1):
            when = starts_at(day, patient.user.time_zone, timeline)
            session, created = DosingSession.objects.get_or_create(
                course=course, number=number, defaults={"patient": patient, "scheduled_at": when}
            )
            if created:
                common_states.opened(session, states.SCHEDULED, by=by, at=at)
                _keep_clear_of_visits(session, when, timeline, at=at)
            elif (
                session.state != states.SCHEDULED
                or number not in order.sessions_covered
                or session.scheduled_at == when
            ):
                continue
            else:
                _keep_clear_of_visits(session, when, timeline, at=at)
                session.scheduled_at = when
                session.save(update_fields=["scheduled_at"])
            plan_reminders(session, at=at)
        audit.record(
            "course.opened",
            by=by,
            at=at,
            about=course,
            patient_id=patient.pk,
            detail={"order": str(order.pk)},
        )
    return course


def _keep_clear_of_visits(
    session: DosingSession, when: datetime, timeline: rules.Timeline, *, at: datetime
) -> None:
    """Nobody is called to a visit while under the medicine or watched. The caller has locked the patient's times.

    Raises Invalid (field `on`) naming the visit.
    """
    found = visit_in_the_way(session, when, timeline=timeline, at=at)
    if found:
        raise Invalid(found, code="visit_in_session", fields={"on": found})


def plan_reminders(session: DosingSession, *, at: datetime) -> None:
    """Take back what was promised for an earlier date and promise the reminders of this one; what is past is left out.

    What came due in the night and waits for the morning is not past: moved away and back before then, it is promised again.
    """
    cancel_for(session, kinds=REMINDERS, at=at, why="moved")
    patient = session.patient
    for kind, due_at in rules.reminders_before(session.scheduled_at, timeline_for(session)):
        if in_their_day(due_at, patient.user) <= at:
            continue
        tell(
            patient.user,
            kind,
            about=session,
            patient=patient,
            due_at=due_at,
            at=at,
            path=f"/sessions/{session.pk}/",
            when=session.scheduled_at,
            expires_after=session.scheduled_at - due_at,
            key=f"{kind}:{session.pk}:{session.scheduled_at.timestamp():.0f}",
        )
    _plan_practice(session, at=at)


def _plan_practice(session: DosingSession, *, at: datetime) -> None:
    """Before session 1: the cuff is to be practised on two days (G14). Who has done so is not reminded."""
    cancel_for(session, kinds=[PRACTICE], at=at, why="moved")
    if session.number != 1 or practised_enough(session, at=at):
        return
    patient = session.patient
    for hours in timeline_for(session).practice_reminder_hours_before:
        due_at = session.scheduled_at - timedelta(hours=hours)
        if in_their_day(due_at, patient.user) > at:
            tell(
                patient.user,
                PRACTICE,
                about=session,
                patient=patient,
                due_at=due_at,
                at=at,
                path="/consults/medicine/",
                expires_after=session.scheduled_at - due_at,
                key=f"{PRACTICE}:{session.pk}:{hours:g}:{session.scheduled_at.timestamp():.0f}",
            )


def practised_enough(session: DosingSession, *, at: datetime) -> bool:
    """Has she practised with her cuff on as many days as the protocol of her course asks?"""
    wanted = session.course.protocol.data["gate"].get("practice_days_min", 0)
    return practice_days(session, zone=session.patient.user.time_zone, at=at) >= wanted


def reschedule_session(
    session: DosingSession, *, on: date, by: Any, at: datetime, reason: str = ""
) -> DosingSession:
    """Move a session to another day, and those after it if they would come too close. A pause, never a failure.

    Raises Invalid for a day that is past, too close to the last dose, after the order ends, or on which a visit lies in the way
    of this session or of one that follows it; Conflict once a dose was released.
    """
    with transaction.atomic():
        session = lock_session(session)
        # After the person and before any other's times, as where an order opens a course: never the other way round.
        lock_times_of(session.patient_id)
        course, order = session.course, session.course.order
        if session.state not in MAY_MOVE or course.state not in states.COURSE_OPEN:
            raise Conflict("This session can no longer be moved.")
        zone = session.patient.user.time_zone
        gap = timedelta(hours=course.protocol.data["gate"]["min_interval_hours"])
        timeline = timeline_for(session)
        when = starts_at(on, zone, timeline)
        earlier = DosingSession.objects.filter(course=course, number__lt=session.number).exclude(
            state=states.ABORTED
        )
        last = DoseRelease.objects.filter(patient=session.patient).order_by("-released_at").first()
        not_before = max(
            [s.scheduled_at + gap for s in earlier.filter(state=states.SCHEDULED)]
            + ([last.released_at + gap] if last else []),
            default=None,
        )
        fields = {}
        if on < local_date(at, zone):
            fields["on"] = "Choose today or a day to come."
        elif not_before is not None and local_date(when, zone) < local_date(not_before, zone):
            fields["on"] = (
                f"Sessions are at least six days apart. The first day is {local_when(not_before, zone, day_only=True)}."
            )
        elif order.expires_on is not None and on > order.expires_on:
            fields["on"] = "That is after your prescription ends. Your psychiatrist can renew it."
        if fields:
            raise Invalid("That day does not work.", fields=fields)
        if not_before is not None and when < not_before:
            when = not_before
        _keep_clear_of_visits(session, when, timeline, at=at)
        _put(session, when, by=by, at=at, reason=reason)
        previous = when
        for later in DosingSession.objects.filter(
            course=course, number__gt=session.number, state=states.SCHEDULED
        ).order_by("number"):
            if later.scheduled_at >= previous + gap:
                break
            day = local_date(previous, zone) + timedelta(
                days=course.protocol.data["timeline"]["target_gap_days"]
            )
            previous = starts_at(day, zone, timeline)
            _keep_clear_of_visits(later, previous, timeline, at=at)
            _put(later, previous, by=by, at=at, reason="follows_the_one_before")
    return session


def _put(session: DosingSession, when: datetime, *, by: Any, at: datetime, reason: str) -> None:
    """Set a session's time; what was confirmed for the earlier day is confirmed anew."""
    if session.state != states.SCHEDULED:
        common_states.move(
            session,
            states.SCHEDULED,
            moves=states.SESSION_MOVES,
            by=by,
            at=at,
            reasons=[reason] if reason else [],
        )
    session.scheduled_at = when
    session.opened_at = session.location_confirmed_at = session.emergency_confirmed_at = None
    session.save(
        update_fields=["scheduled_at", "opened_at", "location_confirmed_at", "emergency_confirmed_at"]
    )
    session.sitter_links.filter(revoked_at__isnull=True).update(revoked_at=at)
    plan_reminders(session, at=at)
    audit.record(
        "session.moved", by=by, at=at, about=session, patient_id=session.patient_id, reason=reason,
        detail={"to": when.isoformat()},
    )  # fmt: skip


def resume_course(course: Course, *, by: Any, at: datetime) -> Course:
    """The psychiatrist lets a held course go on. Raises NotPermitted for anybody else."""
    if getattr(by, "role", "") != Role.PSYCHIATRIST or course.patient.care_team.psychiatrist_id != by.pk:
        raise NotPermitted("Only this person's psychiatrist lets the course go on.")
    with transaction.atomic():
        common_states.move(course, states.ACTIVE_COURSE, moves=states.COURSE_MOVES, by=by, at=at)
        audit.record("course.resumed", by=by, at=at, about=course, patient_id=course.patient_id)
    return course


def stop_course(course: Course, *, by: Any, at: datetime, reason: str) -> Course:
    """End a course early: sessions to come are called off and their reminders taken back."""
    with transaction.atomic():
        lock_patient(course.patient_id)
        course.refresh_from_db()
        common_states.move(
            course, states.STOPPED, moves=states.COURSE_MOVES, by=by, at=at, reasons=[reason], ended_at=at
        )
        for session in DosingSession.objects.filter(
            course=course, state__in=(states.SCHEDULED, states.PREPARING)
        ):
            common_states.move(
                session, states.ABORTED, moves=states.SESSION_MOVES, by=by, at=at, reasons=[reason]
            )
            cancel_for(session, at=at, why="course stopped")
        audit.record(
            "course.stopped", by=by, at=at, about=course, patient_id=course.patient_id, reason=reason
        )
        ask_for_count(course.order, why="The course ended", by=by, at=at)
        ask_to_revoke(course.order, by=by, at=at)
    return course


def stop_open_course(patient_id: Any, *, by: Any, at: datetime, reason: str) -> Course | None:
    """Stop the course of somebody who leaves the programme: nothing more is given. None when no course is open.

    Sessions to come are called off; a dose that is released and not taken yet is held; a watch that goes on is finished.
    """
    course = Course.objects.filter(patient=patient_id, state__in=states.COURSE_OPEN).first()
    if course is None:
        return None
    if DosingSession.objects.filter(course=course, state=states.READY).exists():
        place_hold(course.patient, reason_code=reason, at=at, by=by)
    return stop_course(course, by=by, at=at, reason=reason)


def on_not_suitable(*, note: Any, by: Any, at: datetime) -> None:
    """Hook `consult.not_suitable`: a psychiatrist has decided against treatment (HZ-12)."""
    stop_open_course(note.patient_id, by=by, at=at, reason="not_suitable")


def on_consent_withdrawn(*, patient: Any, withdrawal: Any, by: Any, at: datetime) -> None:
    """Hook `consent.withdrawn`: the patient has used their right to stop; nothing more is given."""
    stop_open_course(patient.pk, by=by, at=at, reason="consent_withdrawn")
