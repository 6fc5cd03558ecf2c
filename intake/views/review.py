"""The psychiatrist's side: the signed decision."""

import hashlib
import uuid
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import visible_patient
from accounts.guards import for_role
from accounts.step_up import require_step_up
from common import clock, intents
from common.errors import Invalid
from intake import access, actions
from intake.forms import SettleForm, decision_form
from intake.letters import decline_letter
from intake.rules import Outcome
from intake.rules.eligibility import UNANSWERED
from intake.views.chart import opened_chart

KIND_TITLES = {
    "accept": "Accept for a consult",
    "decline": "Decline",
    "ask_more": "Ask for more",
    "clearance": "Ask a specialist",
}


def _letter(found: access.Chart, signer: str, chosen: Sequence[str] = ()) -> str:
    """A kind letter to begin from: of the reasons that were chosen, else of the rules that speak against."""
    against = [
        text.id
        for text in found.reasons(Outcome.EXCLUDE) or found.reasons(Outcome.REVIEW)
        if text.id != UNANSWERED
    ]
    return decline_letter(
        name=found.patient.user.full_name, signer=signer, reasons=chosen or against, texts=found.texts
    )


def _digest(letter: str) -> str:
    """Which wording was read: the letter is signed only in the words that were on the page."""
    return hashlib.sha256(letter.strip().replace("\r\n", "\n").encode()).hexdigest()


@for_role("psychiatrist")
@require_http_methods(["GET", "HEAD", "POST"])
@intents.guard
def decide(request: HttpRequest, patient_id: uuid.UUID, kind: str) -> HttpResponse:
    """Sign a decision. The second factor is asked for before anything is typed, and again when it is signed."""
    if kind not in KIND_TITLES:
        raise Http404
    require_step_up(request)
    found = opened_chart(request, patient_id, f"decide:{kind}")
    declines = kind == "decline"
    typed: Any = request.POST or None
    if declines and typed is not None and "compose" in typed:
        # The letter of the reasons just chosen; what was chosen and noted stays.
        typed = typed.copy()
        typed["letter"] = _letter(found, str(request.user), typed.getlist("reasons"))
    letter = _letter(found, str(request.user)) if declines else ""
    form = decision_form(kind, typed, found=found.evaluation.reasons, seen=found.evaluation.pk, letter=letter)
    composed, preview = typed is not None and "compose" in typed, ""
    if request.method == "POST" and not composed and form.is_valid():
        data = form.cleaned_data
        if declines and request.POST.get("read") != _digest(data["letter"]):
            preview = data["letter"]
    if request.method == "POST" and not composed and not preview and form.is_valid():
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
            for name, words in (error.fields or {"": error.detail}).items():
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
        "preview": preview,
        "read": _digest(preview) if preview else "",
        "intent": intents.mint(),
    }
    refused = form.is_bound and not composed and not preview
    return render(request, "psychiatrist/chart_decide.html", context, status=422 if refused else 200)


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
