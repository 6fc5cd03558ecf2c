"""What a finished questionnaire or session sets in motion. Answers themselves are written by measures.actions."""

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from common import audit
from measures.rules import change, relapse
from notify.actions import cancel_promised, promise
from outcomes import access, rules
from safety.access import trigger_of
from safety.actions import misuse_signal, place_hold, raise_alert

DETERIORATION = "X18"
REMINDER = "questionnaire_due"


def on_instrument_completed(*, response: Any, by: Any, at: datetime) -> None:
    """Compare with the baseline. Worse by the protocol's number (five points; ten on the PCL-5) tells the psychiatrist and holds the next dose."""
    _no_more_reminders(response, at=at)
    _act_on_answers(response, by=by, at=at)
    if response.instrument not in access.scored_instruments() or response.total is None:
        return
    patient = response.patient
    course = access.latest_course(patient)
    begun_at = access.begun_at(course)
    if rules.is_before(response.timepoint, response.completed_at, begun_at):
        return
    baseline = access.baseline_total(patient, response.instrument, begun_at=begun_at)
    if baseline is None:
        return
    definitions = access.definitions_for(course, response.instrument)
    moved = change(baseline, response.total, definitions)
    fell_back = False
    if response.timepoint.startswith("follow_up"):
        scores = access.courses_of(access.responses_of(patient), course, begun_at=begun_at)[
            response.instrument
        ]
        after = scores.after.get(rules.AFTER_4)
        if after is not None and after.change is not None:
            fell_back = relapse(
                after.point.total,
                response.total,
                in_remission=bool(after.change.remission),
                definitions=definitions,
            )
    if not (moved.deterioration or fell_back):
        return
    with transaction.atomic():
        alert = raise_alert(
            patient=patient,
            trigger=DETERIORATION,
            source=response,
            at=at,
            by=by,
            detail_codes=(response.instrument, "deterioration" if moved.deterioration else "relapse"),
        )
        place_hold(patient, reason_code="deterioration", at=at, by=by, alert=alert)
        audit.record(
            "outcome.deteriorated",
            by=by,
            at=at,
            about=response,
            patient_id=patient.pk,
            detail={"points": moved.points},
        )


def _act_on_answers(response: Any, *, by: Any, at: datetime) -> None:
    """A yes about the bladder or about use calls whoever the protocol's row names, and holds what it holds (X08, X09, X22)."""
    calls = access.timepoints()["calls"]
    said = [code for code, value in response.items.items() if code in calls and value == 1]
    by_trigger: dict[str, list[str]] = {}
    for code in said:
        if "trigger" in calls[code]:
            by_trigger.setdefault(calls[code]["trigger"], []).append(code)
        else:
            misuse_signal(response.patient, code=calls[code]["misuse"], source=response, by=by, at=at)
    for trigger, codes in sorted(by_trigger.items()):
        alert = raise_alert(
            patient=response.patient,
            trigger=trigger,
            source=response,
            at=at,
            by=by,
            detail_codes=tuple(codes),
        )
        hold = trigger_of(trigger, at=at).get("hold")
        if hold:
            place_hold(response.patient, reason_code=hold, at=at, by=by, alert=alert)


def _no_more_reminders(response: Any, *, at: datetime) -> None:
    """Once the last questionnaire of a time point is in, its reminder is moot."""
    patient = response.patient
    if access.due_for(patient, at=at):
        return
    course = access.latest_course(patient)
    if course is not None:
        cancel_promised(
            patient,
            kind=REMINDER,
            key_starts=f"questionnaire:{course.pk}:",
            until_at=at,
            at=at,
            why="answered",
        )


def _remind(
    patient: Any, *, about: Any, key: str, due_at: datetime, expires_at: datetime, at: datetime
) -> None:
    promise(
        REMINDER,
        to=patient.user,
        channel="sms" if patient.user.phone else "email",
        context={"path": "/outcomes/"},
        due_at=due_at,
        expires_at=expires_at,
        at=at,
        dedupe_key=key,
        about=about,
        patient=patient,
    )


def on_session_closed(*, session: Any, by: Any, at: datetime) -> None:
    """Promise the reminders for the questionnaires that this session opens: when they open, and once more before they close."""
    if session.dose_at is None:
        return
    patient = session.patient
    numbers = access.timepoints()
    zone = ZoneInfo(patient.user.time_zone)
    opened = rules.windows(
        sessions={session.number: session.dose_at}, zone=patient.user.time_zone, numbers=numbers
    )
    for window in opened:
        key = f"questionnaire:{session.course_id}:{window.timepoint}"
        first, again = (
            datetime.combine(moment.astimezone(zone).date(), time(int(numbers["remind_local_hour"])), zone)
            for moment in (window.opens_at, window.closes_at)
        )
        _remind(patient, about=session, key=key, due_at=first, expires_at=window.closes_at, at=at)
        _remind(patient, about=session, key=f"{key}:again", due_at=again, expires_at=window.closes_at, at=at)


def sweep(*, at: datetime, limit: int = 500) -> dict[str, int]:
    """The question of each month: a reminder to whoever has it due, once each month. Safe to repeat."""
    numbers = access.timepoints()["monthly"]
    reminded = 0
    for course, opens_at in access.monthly_due(at=at, limit=limit):
        _remind(
            course.patient,
            about=course,
            key=f"questionnaire:{course.pk}:monthly:{opens_at:%Y%m%d}",
            due_at=at,
            expires_at=opens_at + timedelta(days=numbers["every_days"]),
            at=at,
        )
        reminded += 1
    return {"reminded": reminded}
