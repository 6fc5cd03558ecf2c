"""The steps that are more than questions: medicines, blood pressure, reading and signing."""

import uuid
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from accounts.guards import for_role
from common import clock, intents
from intake import access, actions, states
from intake.forms import AddMedicineForm, ReadingForm, SignForm
from intake.models import Intake
from intake.rules.documents import DOCUMENTS, document
from intake.rules.steps import formulary
from intake.rules.steps import step as step_of
from intake.views.common import own_intake
from intake.views.patient import LIST, next_address
from vitals.wording import BAND


@for_role("patient")
@require_http_methods(["GET", "HEAD", "POST"])
@intents.guard
def medicines(request: HttpRequest) -> HttpResponse:
    """The list of medicines. Open at any time: a new medicine after the decision asks the rules again (HZ-12)."""
    patient, intake = own_intake(request)
    if intake is None:
        return HttpResponseRedirect(reverse(LIST))
    form = AddMedicineForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        actions.add_medicine(patient, by=request.user, at=clock.now(), **form.cleaned_data)
        return HttpResponseRedirect(reverse("intake:medicines"))
    rows = access.active_medicines(patient)
    context = {
        "form": form,
        "step": step_of("medicines"),
        "medicines": [{"row": row, "intent": intents.mint()} for row in rows],
        "known": [name for one in formulary() for name in (one.name, *one.brands)],
        "intent": intents.mint(),
        "intent_done": intents.mint(),
        "may_confirm": intake.state in states.PATIENT_WRITES,
        "confirmed": bool(intake.answers.get("medicines", {}).get("complete")),
    }
    return render(request, "patient/intake/medicines.html", context, status=422 if form.is_bound else 200)


@for_role("patient")
@require_POST
@intents.guard
def medicine_remove(request: HttpRequest, medicine_id: uuid.UUID) -> HttpResponse:
    """Take a medicine off the list."""
    patient, _ = own_intake(request)
    actions.end_medicine(access.own_medicine(patient, medicine_id), by=request.user, at=clock.now())
    return HttpResponseRedirect(reverse("intake:medicines"))


@for_role("patient")
@require_POST
@intents.guard
def medicines_done(request: HttpRequest) -> HttpResponse:
    """The list is complete."""
    _, intake = own_intake(request)
    if intake is None:
        return HttpResponseRedirect(reverse(LIST))
    intake = actions.confirm_medicines(intake, by=request.user, at=clock.now())
    return HttpResponseRedirect(next_address(intake, "medicines"))


@for_role("patient")
@require_http_methods(["GET", "HEAD", "POST"])
@intents.guard
def blood_pressure(request: HttpRequest) -> HttpResponse:
    """Two readings, one to two minutes apart; a third when they differ. What must not wait is answered at once."""
    patient, intake = own_intake(request)
    if intake is None:
        return HttpResponseRedirect(reverse(LIST))
    form = ReadingForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        recorded = actions.record_intake_reading(intake, by=request.user, at=clock.now(), **form.cleaned_data)
        if recorded.alert is not None:
            context = {"reading": recorded.reading, "word": BAND[recorded.band].patient}  # type: ignore[index]
            response = render(request, "patient/intake/reading_high.html", context)
            response.replay_url = reverse("intake:bp")  # type: ignore[attr-defined]
            return response
        return HttpResponseRedirect(reverse("intake:bp"))
    readings = [row for row in access.intake_readings(patient) if row.received_at >= intake.created_at]
    done = "bp" not in actions.steps_left(intake)
    good = [row for row in readings if not row.rejected]
    context = {
        "form": form,
        "step": step_of("bp"),
        "readings": [{"row": row, "word": BAND[row.band].patient} for row in readings],  # type: ignore[index]
        "done": done,
        "which": ("The first reading", "The second reading", "A third reading, because the two differ")[
            min(len(good), 2)
        ],
        "go_on": next_address(intake, "bp") if done else "",
        "intent": intents.mint(),
        "mine": intake.state in states.PATIENT_WRITES,
    }
    return render(request, "patient/intake/bp.html", context, status=422 if form.is_bound else 200)


@for_role("patient")
@require_http_methods(["GET", "HEAD"])
def consent(request: HttpRequest) -> HttpResponse:
    """The texts to read, and what has been signed."""
    patient, intake = own_intake(request)
    if intake is None:
        return HttpResponseRedirect(reverse(LIST))
    signed = access.signed_now(patient)
    context = {
        "step": step_of("consent"),
        "texts": [{"document": document(name), "signed": name in signed} for name in DOCUMENTS],
        "signatures": access.signatures_of(patient),
        "state_known": bool(patient.state),
    }
    return render(request, "patient/intake/consent.html", context)


@for_role("patient")
@require_http_methods(["GET", "HEAD", "POST"])
@intents.guard
def sign(request: HttpRequest, name: str) -> HttpResponse:
    """One text, read in full, its points ticked one by one, signed with the full name."""
    try:
        text = document(name)
    except KeyError:
        raise Http404 from None
    patient, intake = own_intake(request)
    if intake is None:
        return HttpResponseRedirect(reverse(LIST))
    form = SignForm(request.POST or None, document=text, full_name=patient.user.full_name)
    if request.method == "POST" and form.is_valid():
        actions.sign_consent(
            patient,
            text,
            sha256=request.POST.get("sha256", ""),
            signed_name=form.cleaned_data["signed_name"],
            acknowledged=[code for code in form.points if form.cleaned_data[code]],
            by=request.user,
            at=clock.now(),
            ip=request.META.get("REMOTE_ADDR", ""),
        )
        return HttpResponseRedirect(_after_signing(patient, intake))
    context: dict[str, Any] = {
        "form": form,
        "text": text,
        "signed": name in access.signed_now(patient),
        "intent": intents.mint(),
        "phone": settings.PRACTICE["phone"],
    }
    return render(request, "patient/intake/sign.html", context, status=422 if form.is_bound else 200)


def _after_signing(patient: Any, intake: Intake) -> str:
    left = [name for name in DOCUMENTS if name not in access.signed_now(patient)]
    return reverse("intake:sign", args=[left[0]]) if left else next_address(intake, "consent")
