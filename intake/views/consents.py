"""Reading and signing, reading again what was signed, and the right to stop."""

import uuid
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts.actions import open_chart
from accounts.guards import for_role
from accounts.models import Role
from common import clock, intents
from common.errors import Invalid
from intake import access, actions
from intake.forms import SignForm
from intake.forms.consents import StopForm
from intake.models import Intake
from intake.paper import consent_pdf
from intake.rules.devices import device_note
from intake.rules.documents import DOCUMENTS, blocks_of
from intake.rules.steps import step as step_of
from intake.views.common import LIST, next_address, own_intake


@for_role("patient")
@require_safe
def consent(request: HttpRequest) -> HttpResponse:
    """The texts to read, and what has been signed."""
    patient, intake = own_intake(request)
    if intake is None:
        return HttpResponseRedirect(reverse(LIST))
    at = clock.now()
    signed = access.signed_now(patient, at)
    texts = access.texts_for(patient, at)
    signatures = access.signatures_of(patient)
    context = {
        "step": step_of("consent"),
        "texts": [{"document": text, "signed": text.document in signed} for text in texts],
        "signatures": signatures,
        "in_force": {text.sha256 for text in texts if text.document in signed},
        "renewed": bool(signatures) and len(signed) < len(DOCUMENTS),
        "withdrawn": access.withdrawn_since_signing(patient),
        "state": patient.state,
        "phone": settings.PRACTICE["phone"],
    }
    return render(request, "patient/intake/consent.html", context)


@for_role("patient")
@require_http_methods(["GET", "HEAD", "POST"])
@intents.guard
def sign(request: HttpRequest, name: str) -> HttpResponse:
    """One text, read in full, its points ticked where they stand, signed with the full name."""
    if name not in DOCUMENTS:
        raise Http404
    patient, intake = own_intake(request)
    if intake is None:
        return HttpResponseRedirect(reverse(LIST))
    at = clock.now()
    text = next((one for one in access.texts_for(patient, at) if one.document == name), None)
    if text is None:
        # No state, or one we have no text for: the list says so.
        return HttpResponseRedirect(reverse("intake:consent"))
    form = SignForm(request.POST or None, document=text, full_name=patient.user.full_name)
    if request.method == "POST" and form.is_valid():
        actions.sign_consent(
            patient,
            text,
            sha256=request.POST.get("sha256", ""),
            signed_name=form.cleaned_data["signed_name"],
            acknowledged=[code for code in form.points if form.cleaned_data[code]],
            by=request.user,
            at=at,
            device=device_note(request.headers.get("User-Agent", "")),
        )
        return HttpResponseRedirect(_after_signing(patient, intake))
    context: dict[str, Any] = {
        "form": form,
        "text": text,
        "signed": name in access.signed_now(patient, at),
        "intent": intents.mint(),
        "phone": settings.PRACTICE["phone"],
    }
    return render(request, "patient/intake/sign.html", context, status=422 if form.is_bound else 200)


def _after_signing(patient: Any, intake: Intake) -> str:
    left = [name for name in DOCUMENTS if name not in access.signed_now(patient)]
    return reverse("intake:sign", args=[left[0]]) if left else next_address(intake, "consent")


def _signature(request: HttpRequest, consent_id: uuid.UUID) -> Any:
    """The signature behind an address; when staff read it, that leaves a trace (PR-12)."""
    found = access.signature_visible_to(request.user, consent_id)  # type: ignore[arg-type]
    if request.user.role != Role.PATIENT:  # type: ignore[union-attr]
        open_chart(found.patient, by=request.user, at=clock.now(), why="consent")
    return found


@for_role("patient", "psychiatrist")
@require_safe
def signed(request: HttpRequest, consent_id: uuid.UUID) -> HttpResponse:
    """What was signed, word for word, whatever the wording is today."""
    found = _signature(request, consent_id)
    mine = request.user.role == Role.PATIENT  # type: ignore[union-attr]
    context = {
        "signature": found,
        "blocks": blocks_of(found.text.body),
        "mine": mine,
        "layout": "components/layout_patient.html" if mine else "components/layout_staff.html",
        "back": reverse("intake:consent") if mine else reverse("intake:papers", args=[found.patient_id]),
    }
    return render(request, "patient/intake/signed.html", context)


@for_role("patient", "psychiatrist")
@require_safe
def signed_pdf(request: HttpRequest, consent_id: uuid.UUID) -> HttpResponse:
    """The same as a PDF, made from the stored text each time."""
    found = _signature(request, consent_id)
    response = HttpResponse(consent_pdf(found), content_type="application/pdf")
    response.headers["Content-Disposition"] = f'attachment; filename="{found.document}-{found.version}.pdf"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@for_role("patient")
@require_http_methods(["GET", "HEAD", "POST"])
@intents.guard
def right_to_stop(request: HttpRequest) -> HttpResponse:
    """Stopping, in plain words: what happens to sessions, medicine, money and records, and one button."""
    patient, intake = own_intake(request)
    at = clock.now()
    form = StopForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            actions.withdraw_consent(
                patient,
                what=form.cleaned_data["what"],
                note=form.cleaned_data["note"],
                by=request.user,
                at=at,  # type: ignore[arg-type]
            )
        except Invalid as error:
            form.add_error("what", error.detail)
        else:
            return HttpResponseRedirect(reverse("intake:right_to_stop"))
    context = {
        "form": form,
        "withdrawn": access.withdrawn_since_signing(patient),
        "signed": bool(access.signatures_of(patient)),
        "intake": intake,
        "intent": intents.mint(),
    }
    return render(request, "patient/intake/right_to_stop.html", context, status=422 if form.is_bound else 200)
