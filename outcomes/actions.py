"""What a finished questionnaire or session sets in motion. Answers themselves are written by measures.actions."""

from datetime import datetime
from typing import Any

from django.db import transaction

from common import audit
from measures.rules import change, relapse
from notify.actions import promise
from outcomes import access, rules
from safety.actions import place_hold, raise_alert

DETERIORATION = "X18"


def on_instrument_completed(*, response: Any, by: Any, at: datetime) -> None:
    """Compare with the baseline. Worse by the protocol's number (five points; ten on the PCL-5) tells the psychiatrist and holds the next dose."""
    if (
        response.instrument not in access.scored_instruments()
        or response.total is None
        or response.timepoint == rules.BASELINE
    ):
        return
    patient = response.patient
    baseline = access.baseline_total(patient, response.instrument)
    if baseline is None:
        return
    course = access.latest_course(patient)
    definitions = access.definitions_for(course, response.instrument)
    moved = change(baseline, response.total, definitions)
    fell_back = False
    if response.timepoint.startswith("follow_up"):
        scores = access.courses_of(access.responses_of(patient), course)[response.instrument]
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


def on_session_closed(*, session: Any, by: Any, at: datetime) -> None:
    """Promise the reminder for the questionnaires that this session opens."""
    if session.dose_at is None:
        return
    patient = session.patient
    opened = rules.windows(
        sessions={session.number: session.dose_at}, zone=patient.user.time_zone, numbers=access.timepoints()
    )
    for window in opened:
        promise(
            "questionnaire_due",
            to=patient.user,
            channel="sms" if patient.user.phone else "email",
            template="questionnaire_due",
            context={"path": "/outcomes/"},
            due_at=window.opens_at,
            expires_at=window.closes_at,
            at=at,
            dedupe_key=f"questionnaire:{session.course_id}:{window.timepoint}",
            about=session,
            patient=patient,
        )
