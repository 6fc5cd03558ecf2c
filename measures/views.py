"""The safety plan, for her and for those who care for her; and the page on which a psychiatrist signs a C-SSRS result."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import patient_of, visible_patient
from accounts.actions import open_chart
from accounts.guards import for_role
from accounts.step_up import require_step_up
from common import clock, intents
from common.errors import Invalid
from measures import access, actions
from measures.forms import CssrsForm, SafetyPlanForm
from measures.plan_page import form_of, parts_of, saved_words
from measures.rules import RiskLevel, cssrs_form
from measures.wording import RISK_FOR_STAFF

# What fits on one page.
VERSIONS, RESULTS = 20, 40
RISK_KIND = {"high": "act", "moderate": "pause", "low": "pause", "none": "ok"}


@for_role("patient")
@require_http_methods(["GET", "HEAD", "POST"])
@intents.guard
def safety_plan(request: HttpRequest) -> HttpResponse:
    """Her plan to read, and the form to write it in, as often and as little as she likes. The numbers stand first."""
    at = clock.now()
    patient = patient_of(request.user)
    form: Any = None
    if request.method == "POST":
        form = SafetyPlanForm(request.POST)
        if form.is_valid():
            plan = actions.save_safety_plan(
                patient, form.typed(), base=form.cleaned_data["base"] or 0, by=request.user, at=at
            )  # type: ignore[arg-type]
            messages.success(request, saved_words(plan, at) if plan else "There is nothing to save yet.")
            return redirect("measures:safety_plan")
    plan = access.safety_plan_of(patient)
    context = {
        "plan": plan,
        "parts": parts_of(plan),
        "form": form if form is not None else form_of(plan),
        "intent": intents.mint(),
    }
    return render(request, "patient/safety_plan.html", context, status=422 if form is not None else 200)


@for_role("psychiatrist", "coach")
@require_safe
def safety_plan_of(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Somebody's plan and its earlier versions, for those who care for them. Nobody but the person writes it."""
    patient = visible_patient(request.user, patient_id)
    open_chart(patient, by=request.user, at=clock.now(), why="safety plan")
    versions = access.safety_plans_of(patient, VERSIONS)
    context = {
        "patient": patient,
        "plan": versions[0] if versions else None,
        "parts": parts_of(versions[0] if versions else None),
        "earlier": [{"row": row, "parts": parts_of(row)} for row in versions[1:]],
    }
    return render(request, "psychiatrist/safety_plan.html", context)


@for_role("psychiatrist")
@require_http_methods(["GET", "HEAD", "POST"])
@intents.guard
def cssrs(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Sign a result, and read those that were signed. A correction is a further entry that names the one it corrects."""
    require_step_up(request)
    at = clock.now()
    patient = visible_patient(request.user, patient_id)
    corrected = access.own_cssrs(patient, _uuid(request.GET.get("corrects")))
    form = CssrsForm(
        request.POST or None,
        initial={
            "assessed_on": clock.local_date(at, patient.user.time_zone).isoformat(),
            "corrects": corrected.pk if corrected else None,
        },
    )
    if request.method == "POST" and form.is_valid():
        data = dict(form.cleaned_data)
        data["corrects"] = access.own_cssrs(patient, data["corrects"])
        try:
            row = actions.record_cssrs(patient, **data, by=request.user, at=at)  # type: ignore[arg-type]
        except Invalid as error:
            for name, words in error.fields.items():
                form.add_error(name if name in form.fields else None, words)
        else:
            messages.success(request, f"Signed. {RISK_FOR_STAFF[RiskLevel(row.risk_level)]}.")
            return redirect("measures:cssrs", patient.pk)
    if request.method != "POST":
        open_chart(patient, by=request.user, at=at, why="c-ssrs")  # type: ignore[arg-type]
    context = {
        "patient": patient,
        "form": form,
        "corrected": corrected,
        "licence": cssrs_form().licence_text,
        "results": [
            {
                "row": row,
                "words": RISK_FOR_STAFF[RiskLevel(row.risk_level)],
                "kind": "neutral" if hasattr(row, "corrected_by") else RISK_KIND[row.risk_level],
            }
            for row in access.cssrs_of(patient)[:RESULTS]
        ],
        "intent": intents.mint(),
    }
    return render(request, "psychiatrist/cssrs.html", context, status=422 if form.is_bound else 200)


def _uuid(text: str | None) -> uuid.UUID | None:
    try:
        return uuid.UUID(text) if text else None
    except ValueError:
        return None
