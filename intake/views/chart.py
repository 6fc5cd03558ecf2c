"""The chart: one page, what a psychiatrist wants first on top, everything else one key away, what is new since the last look marked."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.access import visible_patient
from accounts.actions import open_chart
from accounts.guards import for_role
from accounts.models import Patient
from common import clock, hooks, intents
from common.clock import age_years, local_date
from intake import access, actions, states
from intake.forms import SettleForm
from intake.models import Intake
from intake.rules import Outcome
from intake.rules.review import read_by
from intake.rules.steps import intake_steps
from intake.views.changes import described
from intake.views.queue import OUTCOME_KIND, URGENCY, span_words
from intake.views.saying import said, said_in
from intake.wording import SCREEN_RESULT_FOR_STAFF, fact_name
from measures.rules import OF_PTSD_PATHWAY, RiskLevel, cluster_counts, instrument
from measures.wording import RISK_FOR_STAFF, time_of
from vitals.wording import BAND

# The sections in their order on the page: key, anchor, name. A key is one letter and never one of j, k, / or ?.
SECTIONS = (
    ("c", "new", "Changes"),
    ("w", "why", "Why here"),
    ("r", "rules", "Reasons"),
    ("m", "medicines", "Medicines"),
    ("s", "scores", "Scores"),
    ("b", "pressure", "Blood pressure"),
    ("e", "everything", "Everything else"),
)
INSTRUMENTS = (("phq9", "PHQ-9"), ("gad7", "GAD-7"), ("pcl5", "PCL-5"), ("audit_c", "AUDIT-C"))
# Asked during the course only, so that they stand here once there is an answer.
DURING_THE_COURSE = (("bladder", "Bladder questions"), ("use", "Questions about use"))


def opened_chart(request: HttpRequest, patient_id: uuid.UUID, why: str) -> access.Chart:
    """The chart, and the trace that it was read (PR-12)."""
    patient = visible_patient(request.user, patient_id)
    found = access.chart_of(patient)
    if found is None:
        raise Http404
    open_chart(patient, by=request.user, at=clock.now(), why=why)
    return found


@for_role("psychiatrist")
@require_safe
def chart(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """One page: why this person is here, what speaks against, scores, medicines, pressure, then everything else."""
    return chart_page(request, patient_id)


def chart_page(
    request: HttpRequest,
    patient_id: uuid.UUID,
    *,
    typed: SettleForm | None = None,
    unproven: bool = False,
    stale: bool = False,
    status: int = 200,
) -> HttpResponse:
    """The chart; with the note that somebody typed and that was not signed: `unproven` for want of a second factor, `stale`
    because something changed since they opened the page."""
    found = opened_chart(request, patient_id, "care")
    at = clock.now()
    intake = found.intake
    mine = intake.state == states.CLAIMED and intake.claimed_by_id == request.user.pk
    look = actions.remember_look(found.patient, intake, by=request.user, at=at)  # type: ignore[arg-type]
    context = {
        **_chart_context(request, found, look.since_at, at),
        "mine": mine,
        "new_rules": _new_rules(found, look.reasons_then),
        "since_at": look.since_at,
        "news": [
            {"who": _who(one.actor, found.patient), "words": one.words, "at": one.at} for one in look.news
        ],
        "changed": _changed_words(intake, look.answers_then),
        "settle_form": typed or SettleForm(),
        "settle_seen": found.evaluation.pk,
        "settle_stale": stale,
        "unproven": unproven,
        "prove_url": f"{reverse('mfa_reauthenticate')}?{urlencode({'next': reverse('intake:chart', args=[patient_id])})}",
    }
    return render(request, "psychiatrist/chart.html", context, status=status)


def _new_rules(found: access.Chart, then: frozenset[str] | None) -> frozenset[str]:
    """Rules that are true and were not at the reader's last look; none at the first."""
    return frozenset() if then is None else frozenset(found.evaluation.reasons) - then


def _changed_words(intake: Intake, then: Mapping[str, Any] | None) -> list[dict[str, str]]:
    """Answers that differ, in the words of their questions."""
    questions = {(step.id, question.name): question for step in intake_steps() for question in step.questions}
    return [
        {"question": question.label, "old": said(question, one.old), "new": said(question, one.new)}
        for one in access.changed_answers(intake, then)
        if (question := questions.get((one.step, one.name))) is not None
    ]


def _who(actor: str, patient: Patient) -> str:
    """Whose act it was, without another look-up: the people around this person are known to the page."""
    kind, _, id = actor.partition(":")
    if kind != "user":
        return {"sitter": "The sitter", "device": "The cuff"}.get(kind, "The system")
    if id == str(patient.pk):
        return str(patient.user)
    team = getattr(patient, "care_team", None)
    people = [person for person in (team.psychiatrist, team.coach) if person] if team is not None else []
    return next((str(person) for person in people if str(person.pk) == id), "A colleague")


def _chart_context(
    request: HttpRequest, found: access.Chart, since_at: datetime | None, at: datetime
) -> dict[str, Any]:
    patient, intake = found.patient, found.intake
    mind = intake.answers.get("mind", {}).get("data", {})
    worded = {"hopes": mind.get("hopes", ""), "tried": mind.get("past_treatments", "")}
    limits = found.limits
    me = f"user:{request.user.pk}"
    zone = ZoneInfo(request.user.time_zone)  # type: ignore[union-attr]

    def new(when: datetime, by: str = "") -> bool:
        return since_at is not None and when > since_at and by != me

    due_at = read_by(intake.submitted_at, intake.urgency) if intake.submitted_at else None
    waits = due_at is not None and intake.state in states.IN_QUEUE
    return {
        "chart": found,
        "patient": patient,
        "intake": intake,
        "sections": SECTIONS,
        "panels": [
            panel
            for panel in hooks.run("chart.panels", patient=patient, user=request.user, at=at)
            if panel["lines"]
        ],
        "clock": (
            f"{span_words(at - due_at)} late" if at > due_at else f"{span_words(due_at - at)} left to decide"
        )
        if waits and due_at
        else "",
        "late": bool(waits and due_at and at > due_at),
        "person": {
            "name": str(patient.user),
            "born": patient.date_of_birth.isoformat() if patient.date_of_birth else "not given",
            "age": age_years(patient.date_of_birth, local_date(at, patient.user.time_zone))
            if patient.date_of_birth
            else "",
        },
        "urgency": URGENCY[intake.urgency],
        "result": SCREEN_RESULT_FOR_STAFF[found.result()],
        "result_kind": OUTCOME_KIND[found.result()],
        "red": found.reasons(Outcome.EXCLUDE),
        "said_before": found.said_before_in_words(),
        "amber": found.reasons(Outcome.REVIEW),
        "plain": found.reasons(Outcome.OK),
        "missing": [fact_name(name) for name in found.unknown()],
        "before_an_order": found.before_an_order(),
        "medicines": [{"row": row, "new": new(row.started_at)} for row in found.medicines],
        "scores": [
            {
                "name": title,
                "rows": [
                    {
                        "at": row.completed_at,
                        "timepoint": time_of(row.timepoint),
                        "total": row.total,
                        "band": row.band.replace("_", " "),
                        "item9": row.item9,
                        "clusters": [
                            f"{one.cluster.code} {one.endorsed} of {len(one.cluster.items)}{' (met)' if one.is_met else ''}"
                            for one in cluster_counts(instrument(code), row.items)
                        ],
                        "new": new(row.completed_at, row.recorded_by),
                    }
                    for row in found.of(code)
                ],
            }
            for code, title in INSTRUMENTS
            if code not in OF_PTSD_PATHWAY or settings.PTSD_PATHWAY or found.of(code)
        ],
        "asked_since": [
            {
                "name": title,
                "rows": [
                    {
                        "at": row.completed_at,
                        "timepoint": time_of(row.timepoint),
                        "said": [item.text for item in instrument(code).items if row.items.get(item.code)],
                        "new": new(row.completed_at, row.recorded_by),
                    }
                    for row in found.of(code)
                ],
            }
            for code, title in DURING_THE_COURSE
            if found.of(code)
        ],
        "partial": [row for row in found.responses if row.instrument == "phq9" and row.total is None],
        "risk": [
            {
                "at": row.completed_at,
                "words": RISK_FOR_STAFF[RiskLevel(row.risk_level)],
                "new": new(row.completed_at, row.recorded_by),
            }
            for row in found.of("suicide_risk")
        ],
        "findings": [
            {"row": one, "words": RISK_FOR_STAFF[RiskLevel(one.risk_level)], "new": new(one.signed_at)}
            for one in found.findings
        ],
        "new_readings": sum(
            new(row.received_at, row.entered_by) for row in found.readings if not row.rejected
        ),
        "bp_points": [
            {
                "systolic_mmhg": row.systolic_mmhg,
                "diastolic_mmhg": row.diastolic_mmhg,
                "pulse_bpm": row.pulse_bpm,
                "label": row.received_at.astimezone(zone).strftime("%b %-d"),
                "when": row.received_at.astimezone(zone).strftime("%b %-d, %-I:%M %p %Z")
                + (" (new)" if new(row.received_at, row.entered_by) else ""),
                "band": BAND[row.band].staff,  # type: ignore[index]
            }
            for row in found.readings
            if not row.rejected
        ],
        "bp_limits": {
            "systolic": [
                int(limits.systolic_low_below_mmhg),
                int(limits.systolic_caution_from_mmhg),
                int(limits.systolic_high_from_mmhg),
                int(limits.systolic_crisis_from_mmhg),
            ],
            "diastolic": [
                int(limits.diastolic_low_below_mmhg),
                int(limits.diastolic_caution_from_mmhg),
                int(limits.diastolic_high_from_mmhg),
                int(limits.diastolic_crisis_from_mmhg),
            ],
        },
        "worded": worded,
        "pages": said_in(intake),
        "reopened": described(found.reopened)
        if found.reopened is not None and intake.state == states.ACCEPTED
        else None,
        "barriers": actions.barriers(found.evaluation, at=at) if intake.state == states.ACCEPTED else [],
        "intent": intents.mint(),
        "intent_settle": intents.mint(),
        "at": at,
    }
