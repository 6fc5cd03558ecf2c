"""The verbs of the coach's part: plan the check-ins of a course, take one, notice who has gone quiet."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction

from accounts.actions import assign_care_team
from accounts.models import CareTeam, Patient, User
from coaching import access, rules
from coaching.models import CheckIn
from common import audit
from common.errors import Conflict, Invalid, NotPermitted
from notify.access import went_out
from notify.actions import cancel_for, promise
from safety.access import trigger_of
from safety.actions import place_hold, raise_alert
from sessions.models import Course, DosingSession

SILENT = "X20"


@dataclass(frozen=True)
class Given:
    """What was kept, and what the page must show on the same response (PR-06)."""

    check_in: CheckIn
    crisis: bool
    triggers: frozenset[str] = field(default_factory=frozenset)


# --- planning ---


def on_intake_accepted(*, intake: Any, by: Any, at: datetime) -> None:
    """Hook `intake.accepted`: somebody who is accepted has a coach from then on."""
    match_coach(intake.patient, by=by, at=at)


def match_coach(patient: Patient, *, by: Any, at: datetime) -> User | None:
    """Give the coach with the smallest caseload to somebody who has none; an administrator may change it. None: no coach works here."""
    with transaction.atomic():
        if CareTeam.objects.filter(patient=patient, coach__isnull=False).exists():
            return None
        coach = access.least_busy_coach()
        if coach is not None:
            assign_care_team(patient, coach=coach, by=by, at=at)
    return coach


def on_order_signed(*, order: Any, by: Any, at: datetime) -> None:
    """A signed order has opened (or changed) a course: plan what belongs to it."""
    course = access.open_course(order.patient)
    if course is not None:
        plan_course(course, by=by, at=at)


def on_session_closed(*, session: Any, by: Any, at: datetime) -> None:
    """The dose's real time is known now; what follows it moves along."""
    plan_course(session.course, by=by, at=at)


def on_zone_changed(*, person: User, by: Any, at: datetime) -> None:
    """Hook `person.zone_changed`: nine in the evening is another instant now, for the check-ins that are still to come."""
    patient = Patient.objects.filter(pk=person.pk).select_related("user").first()
    course = access.open_course(patient) if patient is not None else None
    if course is not None:
        plan_course(course, by=by, at=at)


def plan_course(course: Course, *, by: Any, at: datetime) -> int:
    """Make the check-ins of a course equal to its sessions: new ones planned, moved ones moved, needless ones cancelled.

    Given ones stay as they are, and so does what is due already by the clock of its day: a person who travels is asked at the
    hours of the new place from the next time on, never twice for one day. Safe to call at any time; answers how many rows changed.
    """
    numbers = access.numbers_for(course)
    patient = course.patient
    zone = patient.user.time_zone
    with transaction.atomic():
        # One planner at a time per course: hooks and the sweep may meet.
        Course.objects.select_for_update().get(pk=course.pk)
        wanted: dict[tuple[Any, str], tuple[DosingSession, rules.Planned]] = {}
        for session in DosingSession.objects.filter(course=course).order_by("number"):
            if session.dose_at is None and session.state in ("aborted", "missed"):
                continue
            starts_at = session.dose_at or session.scheduled_at
            for plan in rules.planned_for(
                number=session.number, starts_at=starts_at, zone=zone, numbers=numbers
            ):
                # One daily check-in a day: where two sessions' days overlap, the later session has it.
                wanted[(plan.day or session.pk, plan.kind)] = (session, plan)
        existing = {
            (row.day if row.kind == rules.DAILY else row.session_id, row.kind): row
            for row in CheckIn.objects.filter(patient=patient)
            .exclude(kind=rules.EXTRA)
            .select_related("session")
            if row.session is not None and row.session.course_id == course.pk
        }
        changed = 0
        for key, (session, plan) in wanted.items():
            row = existing.get(key)
            if row is None:
                # What is already long over when a course is planned late would only be noise.
                if plan.due_at >= at - timedelta(days=1):
                    row = CheckIn.objects.create(
                        patient=patient,
                        session=session,
                        kind=plan.kind,
                        day=plan.day,
                        due_at=plan.due_at,
                        created_at=at,
                    )
                    _remind(row, plan, numbers, at=at)
                    changed += 1
            elif _stands(row, plan, session, at=at):
                continue
            elif row.done_at is None and (
                row.due_at != plan.due_at or row.cancelled_at or row.session_id != session.pk
            ):
                row.due_at, row.cancelled_at, row.session = plan.due_at, None, session
                row.save(update_fields=["due_at", "cancelled_at", "session"])
                cancel_for(row, at=at, why="moved")
                _remind(row, plan, numbers, at=at)
                changed += 1
        for key, row in existing.items():
            if (
                key not in wanted
                and row.done_at is None
                and row.cancelled_at is None
                and not _was_due(row, at)
            ):
                row.cancelled_at = at
                row.save(update_fields=["cancelled_at"])
                cancel_for(row, at=at, why="not needed")
                changed += 1
        if changed:
            audit.record(
                "check_ins.planned",
                by=by,
                at=at,
                about=course,
                patient_id=patient.pk,
                detail={"changed": changed},
            )
    return changed


def _was_due(row: CheckIn, at: datetime) -> bool:
    """A day after a dose that went by unanswered: it stays what it was, whatever zone the person is in now."""
    return (
        row.kind == rules.DAILY
        and row.due_at <= at
        and row.session is not None
        and row.session.dose_at is not None
    )


def _stands(row: CheckIn, plan: rules.Planned, session: DosingSession, *, at: datetime) -> bool:
    """Due by an hour of the person's own clock, and in the past by the old zone or by the new one: the old time stays."""
    by_their_clock = row.kind == rules.DAILY or (
        row.kind == rules.INTEGRATION and session.dose_at is not None
    )
    return (
        by_their_clock
        and row.cancelled_at is None
        and row.session_id == session.pk
        and (row.due_at <= at or plan.due_at <= at)
    )


def _remind(row: CheckIn, plan: rules.Planned, numbers: dict[str, Any], *, at: datetime) -> None:
    """A patient is reminded in the afternoon; a coach only of what has been left lying."""
    patient = row.patient
    stamp = f"{row.pk}:{row.due_at:%Y%m%dT%H%M}"
    if row.kind == rules.DAILY:
        if went_out(row, kind="daily_check_in"):
            return
        promise(
            "daily_check_in",
            to=patient.user,
            channel="sms" if patient.user.phone else "email",
            context={"path": "/coaching/check-in/"},
            due_at=plan.remind_at,
            expires_at=plan.due_at,
            at=at,
            dedupe_key=f"daily_check_in:{stamp}",
            about=row,
            patient=patient,
        )
        return
    team = getattr(patient, "care_team", None)
    if team is None or team.coach is None:
        return
    promise(
        "check_in_overdue",
        to=team.coach,
        channel="email",
        context={"path": "/coaching/"},
        due_at=plan.due_at + timedelta(minutes=numbers["overdue_notice_minutes"]),
        expires_at=plan.due_at + timedelta(days=3),
        at=at,
        dedupe_key=f"check_in_overdue:{stamp}",
        about=row,
        patient=patient,
    )


# --- taking ---


def give_check_in(
    check_in: CheckIn,
    *,
    by: User,
    at: datetime,
    reached: bool = True,
    mood: int | None = None,
    suicidal_thoughts: bool | None = None,
    side_effects: Iterable[str] = (),
    note: str = "",
) -> Given:
    """Keep the answers of one planned check-in, and act on them in the same transaction.

    A daily one is the patient's own, the calls are the care team's. Raises Conflict when it was given already.
    """
    codes = _clean(check_in.patient, reached, mood, suicidal_thoughts, side_effects)
    is_own = by.pk == check_in.patient_id
    if is_own != (check_in.kind in rules.BY_PATIENT):
        raise NotPermitted("This check-in is somebody else’s to give.")
    with transaction.atomic():
        row = CheckIn.objects.select_for_update().select_related("patient__user").get(pk=check_in.pk)
        if row.done_at is not None:
            raise Conflict("This check-in was already given. A new one can be added.")
        row.done_at, row.done_by, row.cancelled_at = at, by, None
        _keep(row, reached, mood, suicidal_thoughts, codes, note)
        row.save()
        return _act_on(row, codes, by=by, at=at)


def check_in_today(
    patient: Patient,
    *,
    by: User,
    at: datetime,
    mood: int,
    suicidal_thoughts: bool,
    side_effects: Iterable[str] = (),
    note: str = "",
) -> Given:
    """The patient's half minute: fills today's planned check-in, or adds one. A second one on a day never replaces the first."""
    if by.pk != patient.pk:
        raise NotPermitted("A daily check-in is the patient’s own.")
    codes = _clean(patient, True, mood, suicidal_thoughts, side_effects)
    day: date = access.local_day(patient, at)
    with transaction.atomic():
        row = CheckIn.objects.select_for_update().filter(patient=patient, kind=rules.DAILY, day=day).first()
        if row is not None and row.done_at is not None:
            row = CheckIn(patient=patient, kind=rules.EXTRA, due_at=at, created_at=at)
        elif row is None:
            row = CheckIn(patient=patient, kind=rules.DAILY, day=day, due_at=at, created_at=at)
        row.done_at, row.done_by, row.cancelled_at = at, by, None
        _keep(row, True, mood, suicidal_thoughts, codes, note)
        row.save()
        return _act_on(row, codes, by=by, at=at)


def hear_safety_answer(patient: Patient, *, by: User, at: datetime, source: Any = None) -> frozenset[str]:
    """A yes to the safety question in a form that cannot be kept as a whole: half filled, or given already.

    The crisis path fails open: people are called and doses are held, whatever becomes of the form (HZ-08).
    """
    numbers = access.numbers_for(access.open_course(patient))
    triggers = rules.triggers_of(suicidal_thoughts=True, side_effects=(), numbers=numbers)
    with transaction.atomic():
        audit.record(
            "check_in.crisis_said", by=by, at=at, about=patient, patient_id=patient.pk,
            detail={"triggers": sorted(triggers)},
        )  # fmt: skip
        _sound(patient, triggers, source=source or patient, codes=("check_in",), by=by, at=at)
    return triggers


def _sound(
    patient: Patient,
    triggers: Iterable[str],
    *,
    source: Any,
    codes: tuple[str, ...],
    by: Any,
    at: datetime,
    felt: Mapping[str, tuple[str, ...]] | None = None,
) -> None:
    """One alert for each trigger, and the hold that its row asks for."""
    for trigger in sorted(triggers):
        own = (*codes, *(felt or {}).get(trigger, ()))
        alert = raise_alert(patient=patient, trigger=trigger, source=source, at=at, by=by, detail_codes=own)
        hold = trigger_of(trigger, at=at).get("hold")
        if hold:
            place_hold(patient, reason_code=hold, at=at, by=by, alert=alert)


def _clean(
    patient: Patient,
    reached: bool,
    mood: int | None,
    suicidal_thoughts: bool | None,
    side_effects: Iterable[str],
) -> list[str]:
    if reached and (mood is None or not 0 <= mood <= 10):
        raise Invalid("Some answers need another look.", fields={"mood": "Choose a number from 0 to 10."})
    if reached and suicidal_thoughts is None:
        raise Invalid(
            "Some answers need another look.", fields={"suicidal_thoughts": "Please answer this one."}
        )
    known = access.shipped_numbers()["side_effects"]
    codes = sorted(set(side_effects))
    if not set(codes) <= set(known):
        raise Invalid("Some answers need another look.", fields={"side_effects": "Choose from the list."})
    return codes


def _keep(
    row: CheckIn, reached: bool, mood: int | None, suicidal_thoughts: bool | None, codes: list[str], note: str
) -> None:
    row.reached = reached
    row.mood = mood if reached else None
    row.suicidal_thoughts = suicidal_thoughts if reached else None
    row.side_effects = codes
    row.note = note


def _act_on(row: CheckIn, codes: list[str], *, by: User, at: datetime) -> Given:
    """Alerts, holds, audit; reminders about it are taken back."""
    patient = row.patient
    numbers = access.numbers_for(access.open_course(patient))
    triggers = rules.triggers_of(suicidal_thoughts=row.suicidal_thoughts, side_effects=codes, numbers=numbers)
    audit.record(
        "check_in.given",
        by=by,
        at=at,
        about=row,
        patient_id=patient.pk,
        detail={"kind": row.kind, "triggers": sorted(triggers), "reached": row.reached},
    )
    cancel_for(row, at=at, why="given")
    table = numbers["side_effects"]
    # Each alert names what was felt, so that another symptom of the same trigger is a new sign and not the same once more.
    felt = {
        trigger: tuple(code for code in codes if table.get(code, {}).get("trigger") == trigger)
        for trigger in triggers
    }
    _sound(patient, triggers, source=row, codes=("check_in", row.kind), felt=felt, by=by, at=at)
    return Given(row, crisis=bool(row.suicidal_thoughts), triggers=triggers)


# --- noticing ---


def sweep(*, at: datetime) -> dict[str, int]:
    """Bring plans back into step with sessions, and tell a coach of people who have gone quiet (X20). Safe to repeat."""
    planned = 0
    for course in access.out_of_step(at=at)[:200]:
        planned += plan_course(course, by="system:coaching", at=at)
    numbers = access.shipped_numbers()
    quiet = 0
    for patient in access.silent_patients(at=at, missed=numbers["missed_daily_in_a_row"])[:200]:
        tell_coach_of_silence(patient, at=at)
        quiet += 1
    return {"planned": planned, "silent": quiet}


def tell_coach_of_silence(patient: Patient, *, at: datetime) -> None:
    """One alert for one run of unanswered days; the coach calls."""
    with transaction.atomic():
        raise_alert(
            patient=patient,
            trigger=SILENT,
            source=patient,
            at=at,
            by="system:coaching",
            detail_codes=("daily_check_ins",),
        )
        audit.record("check_ins.silent", by="system:coaching", at=at, about=patient, patient_id=patient.pk)
