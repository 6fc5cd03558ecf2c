"""The psychiatrist's side: the chart and the signed decision."""

import uuid
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import visible_patient
from accounts.actions import open_chart
from accounts.guards import for_role
from accounts.step_up import require_step_up
from common import clock, intents
from common.clock import age_years, local_date
from common.errors import Invalid
from intake import access, actions, states
from intake.forms import SettleForm, decision_form
from intake.rules import Outcome
from intake.rules.steps import DATA
from intake.views.changes import reopening_of
from intake.views.patient import said_in
from intake.views.queue import OUTCOME_KIND, URGENCY
from intake.wording import SCREEN_RESULT_FOR_STAFF
from measures.rules import RiskLevel
from measures.wording import RISK_FOR_STAFF
from vitals.wording import BAND

KIND_TITLES = {
    "accept": "Accept for a consult",
    "decline": "Decline",
    "ask_more": "Ask for more",
    "clearance": "Ask a specialist",
}


def _opened(request: HttpRequest, patient_id: uuid.UUID, why: str) -> access.Chart:
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
    found = _opened(request, patient_id, "care")
    return render(request, "psychiatrist/chart.html", _chart_context(request, found))


def _chart_context(request: HttpRequest, found: access.Chart) -> dict[str, Any]:
    at = clock.now()
    patient, intake = found.patient, found.intake
    held_by_me = intake.state == states.CLAIMED and intake.claimed_by_id == request.user.pk
    mind = intake.answers.get("mind", {}).get("data", {})
    worded = {"hopes": mind.get("hopes", ""), "tried": mind.get("past_treatments", "")}
    limits = found.limits
    return {
        "chart": found,
        "patient": patient,
        "intake": intake,
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
        "amber": found.reasons(Outcome.REVIEW),
        "plain": found.reasons(Outcome.OK),
        "missing": found.unknown(),
        "before_an_order": found.before_an_order(),
        "scores": [
            {
                "name": title,
                "rows": [
                    {
                        "at": row.completed_at,
                        "timepoint": row.timepoint.replace("_", " "),
                        "total": row.total,
                        "band": row.band.replace("_", " "),
                        "item9": row.item9,
                    }
                    for row in found.of(code)
                ],
            }
            for code, title in (("phq9", "PHQ-9"), ("gad7", "GAD-7"), ("audit_c", "AUDIT-C"))
        ],
        "partial": [row for row in found.responses if row.instrument == "phq9" and row.total is None],
        "risk": [
            {"at": row.completed_at, "words": RISK_FOR_STAFF[RiskLevel(row.risk_level)]}
            for row in found.of("suicide_risk")
        ],
        "bp_points": [
            {
                "systolic_mmhg": row.systolic_mmhg,
                "diastolic_mmhg": row.diastolic_mmhg,
                "pulse_bpm": row.pulse_bpm,
                "label": row.received_at.astimezone(_zone(request)).strftime("%b %-d"),
                "when": row.received_at.astimezone(_zone(request)).strftime("%b %-d, %-I:%M %p %Z"),
                "band": BAND[row.band].staff,  # type: ignore[index]
            }
            for row in found.readings
            if not row.rejected
        ],
        "bp_limits": {
            "systolic": [
                _whole(v)
                for v in (
                    limits.systolic_low_below_mmhg,
                    limits.systolic_caution_from_mmhg,
                    limits.systolic_high_from_mmhg,
                    limits.systolic_crisis_from_mmhg,
                )
            ],
            "diastolic": [
                _whole(v)
                for v in (
                    limits.diastolic_low_below_mmhg,
                    limits.diastolic_caution_from_mmhg,
                    limits.diastolic_high_from_mmhg,
                    limits.diastolic_crisis_from_mmhg,
                )
            ],
        },
        "worded": worded,
        "pages": said_in(intake),
        "mine": held_by_me,
        "reopened": reopening_of(patient) if intake.state == states.ACCEPTED else None,
        "settle_form": SettleForm(),
        "intent": intents.mint(),
        "intent_settle": intents.mint(),
        "kinds": KIND_TITLES,
        "at": at,
    }


def _zone(request: HttpRequest) -> Any:
    return ZoneInfo(request.user.time_zone)  # type: ignore[union-attr]


def _whole(value: float) -> int:
    return int(value)


def _letter(found: access.Chart, signer: str) -> str:
    """A kind letter to begin from; the psychiatrist changes what does not fit."""
    against = [
        text.patient
        for text in found.reasons(Outcome.EXCLUDE) or found.reasons(Outcome.REVIEW)
        if text.id != "E71"
    ]
    return (
        (DATA / "decline_letter.txt")
        .read_text(encoding="utf-8")
        .format(
            name=found.patient.user.full_name or "friend",
            reasons="\n".join(f"- {reason}" for reason in against) or "- ",
            signer=signer,
        )
    )


@for_role("psychiatrist")
@require_http_methods(["GET", "HEAD", "POST"])
@intents.guard
def decide(request: HttpRequest, patient_id: uuid.UUID, kind: str) -> HttpResponse:
    """Sign a decision. The second factor is asked for before anything is typed, and again when it is signed."""
    if kind not in KIND_TITLES:
        raise Http404
    require_step_up(request)
    found = _opened(request, patient_id, f"decide:{kind}")
    letter = _letter(found, str(request.user)) if kind == "decline" else ""
    form = decision_form(
        kind, request.POST or None, found=found.evaluation.reasons, seen=found.evaluation.pk, letter=letter
    )
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            actions.decide(
                found.intake,
                kind,
                by=request.user,  # type: ignore[arg-type]
                at=clock.now(),
                reasons=data.get("reasons", ()),
                note=data["note"],
                letter=data.get("letter", ""),
                items=data.get("items", ()),
                seen=data["seen"],
                due_on=data.get("due_on"),
                question=data.get("question", ""),
            )
        except Invalid as error:
            # What was typed stays on the page, the sentence stands beside its field.
            for name, words in (error.fields or {None: error.detail}).items():
                form.add_error(name if name in form.fields else None, words)
        else:
            messages.success(
                request, f"Signed: {KIND_TITLES[kind].lower()}. {found.patient.user} has been told."
            )
            return HttpResponseRedirect(reverse("intake:queue"))
    context = {
        "form": form,
        "title": KIND_TITLES[kind],
        "kind": kind,
        "patient": found.patient,
        "intake": found.intake,
        "red": found.reasons(Outcome.EXCLUDE),
        "amber": found.reasons(Outcome.REVIEW),
        "absolute": [text.id for text in found.reasons(Outcome.EXCLUDE) if not text.may_ask_clinician],
        "intent": intents.mint(),
    }
    return render(request, "psychiatrist/chart_decide.html", context, status=422 if form.is_bound else 200)


@for_role("psychiatrist")
@require_POST
@intents.guard
def settle(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Facts changed after acceptance; the psychiatrist finds that care may go on, and signs that."""
    require_step_up(request)
    patient = visible_patient(request.user, patient_id)
    form = SettleForm(request.POST)
    note = form.cleaned_data["note"] if form.is_valid() else ""
    actions.settle(patient, note=note, by=request.user, at=clock.now())  # type: ignore[arg-type]
    return HttpResponseRedirect(reverse("intake:chart", args=[patient.pk]))
