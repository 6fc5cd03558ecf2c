"""Documents and letters to specialists: the patient's pages, and the page of papers for a psychiatrist."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import patient_of, visible_patient
from accounts.actions import open_chart
from accounts.guards import for_role
from accounts.models import Role
from accounts.step_up import require_step_up
from common import clock, files, intents
from common.errors import Invalid
from intake import access, actions, states
from intake.forms.documents import DocumentForm, IdForm, LetterForm
from intake.models import ClearanceRequest, PatientDocument
from intake.paper import letter_pdf
from intake.rules.clearance import specialties
from intake.rules.documents import index
from intake.rules.steps import step as step_of
from intake.views.common import LIST, next_address, own_intake


def _row(document: PatientDocument) -> dict[str, Any]:
    """One document in finished words."""
    words, kind = ("Not read yet", "neutral")
    if document.superseded_at is not None:
        words, kind = "Replaced", "neutral"
    elif document.reviewed_at is not None:
        words, kind = "Read", "ok"
    return {
        "row": document,
        "title": document.get_kind_display(),
        "word": words,
        "kind": kind,
        "about": specialties()[document.clearance.specialty].title if document.clearance else "",
        "may_remove": document.reviewed_at is None,
        "intent": intents.mint(),
    }


@for_role("patient")
@require_http_methods(["GET", "HEAD", "POST"])
@intents.guard
def documents(request: HttpRequest) -> HttpResponse:
    """What the patient has sent, and a form for one more. Open at any time, before and during care."""
    patient = patient_of(request.user)
    at = clock.now()
    form = DocumentForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and _sent(request, form, at=at, kind=form.data.get("kind", "")):
        messages.success(
            request, "Thank you. We have it, encrypted; only psychiatrists who treat you can open it."
        )
        return HttpResponseRedirect(reverse("intake:documents"))
    context = {
        "form": form,
        "rows": [_row(one) for one in access.documents_of(patient)],
        "clearances": [_asked(one, at) for one in access.clearances_of(patient) if one.is_open],
        "intent": intents.mint(),
    }
    return render(request, "patient/intake/documents.html", context, status=422 if form.is_bound else 200)


def _sent(
    request: HttpRequest, form: Any, *, at: Any, kind: str, clearance: ClearanceRequest | None = None
) -> bool:
    """Whether the file was taken; what is wrong with it stands beside its field, and the rest of the form stays."""
    if not form.is_valid():
        return False
    try:
        actions.upload_document(
            patient_of(request.user),
            kind=kind,
            upload=form.cleaned_data["file"],
            clearance=clearance,
            by=request.user,
            at=at,  # type: ignore[arg-type]
        )
    except Invalid as error:
        for name, words in (error.fields or {"file": error.detail}).items():
            name = "file" if name == "files" else name
            form.add_error(name if name in form.fields else None, words)
        return False
    return True


@for_role("patient")
@require_http_methods(["GET", "HEAD", "POST"])
@intents.guard
def identity(request: HttpRequest) -> HttpResponse:
    """The step about who somebody is: a photo of an ID, or the ID on video at the first visit."""
    patient, intake = own_intake(request)
    if intake is None:
        return HttpResponseRedirect(reverse(LIST))
    if intake.state not in states.PATIENT_WRITES:
        return HttpResponseRedirect(reverse("intake:documents"))
    at = clock.now()
    if request.method == "POST" and request.POST.get("how") == "visit":
        actions.identity_at_visit(intake, by=request.user, at=at)
        return HttpResponseRedirect(next_address(access.current_intake(patient) or intake, "identity"))
    sent = request.method == "POST"
    form = IdForm(request.POST if sent else None, request.FILES if sent else None)
    if sent and _sent(request, form, at=at, kind=PatientDocument.Kind.ID_PHOTO):
        messages.success(request, "Thank you. We have the photo of your ID, encrypted.")
        return HttpResponseRedirect(next_address(access.current_intake(patient) or intake, "identity"))
    entry = intake.answers.get("identity", {})
    photos = [_row(one) for one in access.documents_of(patient) if one.kind == PatientDocument.Kind.ID_PHOTO]
    context = {
        "form": form,
        "step": step_of("identity"),
        "how": entry.get("data", {}).get("how", "") if entry.get("complete") else "",
        "photo": next((one for one in photos if one["row"].superseded_at is None), None),
        "go_on": next_address(intake, "identity"),
        "intent": intents.mint(),
        "intent_visit": intents.mint(),
    }
    return render(request, "patient/intake/identity.html", context, status=422 if form.is_bound else 200)


@for_role("patient", "psychiatrist")
@require_safe
def document(request: HttpRequest, document_id: uuid.UUID) -> HttpResponse:
    """The file itself. A psychiatrist's reading leaves a trace; a photo of an ID asks for the second factor."""
    found = access.document_visible_to(request.user, document_id)  # type: ignore[arg-type]
    if request.user.role == Role.PSYCHIATRIST:  # type: ignore[union-attr]
        if found.kind == PatientDocument.Kind.ID_PHOTO:
            require_step_up(request)
        actions.read_document(found, by=request.user, at=clock.now())  # type: ignore[arg-type]
    assert found.file is not None
    return files.serve(found.file, name=found.name, inline=True)


@for_role("patient")
@require_POST
@intents.guard
def document_remove(request: HttpRequest, document_id: uuid.UUID) -> HttpResponse:
    """Take it back, as long as nobody has read it."""
    found = access.document_visible_to(request.user, document_id)  # type: ignore[arg-type]
    actions.remove_document(found, by=request.user, at=clock.now())  # type: ignore[arg-type]
    messages.success(request, "Removed. Nobody had read it.")
    return HttpResponseRedirect(reverse("intake:documents"))


def _asked(one: ClearanceRequest, at: Any) -> dict[str, Any]:
    whom = specialties()[one.specialty]
    if one.answered_at is not None:
        word, kind = "Answered", "ok"
    elif one.cancelled_at is not None:
        word, kind = ("Cannot be had", "pause") if one.cancelled_by_patient else ("Closed", "neutral")
    elif access.is_overdue(one, at):
        word, kind = "Overdue", "pause"
    else:
        word, kind = "Awaited", "info"
    return {"row": one, "title": whom.title, "to": whom.to, "word": word, "kind": kind}


@for_role("patient")
@require_http_methods(["GET", "HEAD", "POST"])
@intents.guard
def clearance(request: HttpRequest, clearance_id: uuid.UUID) -> HttpResponse:
    """What a specialist is asked: the letter to take along, the day, and where the answer goes."""
    found = access.clearance_visible_to(request.user, clearance_id)  # type: ignore[arg-type]
    at = clock.now()
    form = LetterForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and _sent(
        request, form, at=at, kind=PatientDocument.Kind.SPECIALIST_LETTER, clearance=found
    ):
        messages.success(request, "Thank you. Your psychiatrist sees the answer, and goes on from there.")
        return HttpResponseRedirect(reverse("intake:clearance", args=[found.pk]))
    context = {
        "form": form,
        "asked": _asked(found, at),
        "letter": found.letter,
        "sent": [_row(one) for one in access.documents_of(found.patient) if one.clearance_id == found.pk],
        "intent": intents.mint(),
        "intent_cannot": intents.mint(),
    }
    return render(request, "patient/intake/clearance.html", context, status=422 if form.is_bound else 200)


@for_role("patient", "psychiatrist")
@require_safe
def clearance_letter(request: HttpRequest, clearance_id: uuid.UUID) -> HttpResponse:
    """The letter as a PDF to print."""
    found = access.clearance_visible_to(request.user, clearance_id)  # type: ignore[arg-type]
    if request.user.role != Role.PATIENT:  # type: ignore[union-attr]
        open_chart(found.patient, by=request.user, at=clock.now(), why="clearance")
    response = HttpResponse(letter_pdf(found), content_type="application/pdf")
    response.headers["Content-Disposition"] = f'attachment; filename="letter-{found.specialty}.pdf"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@for_role("patient")
@require_POST
@intents.guard
def clearance_cannot(request: HttpRequest, clearance_id: uuid.UUID) -> HttpResponse:
    """The patient cannot get the letter."""
    found = access.clearance_visible_to(request.user, clearance_id)  # type: ignore[arg-type]
    actions.cannot_be_answered(found, by=request.user, at=clock.now())  # type: ignore[arg-type]
    messages.success(
        request, "Thank you for saying so. Your psychiatrist decides with what there is, and writes to you."
    )
    return HttpResponseRedirect(reverse("intake:list"))


@for_role("psychiatrist")
@require_safe
def papers(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Everything on paper about one person: signatures, withdrawals, letters asked for, documents sent."""
    patient = visible_patient(request.user, patient_id)
    at = clock.now()
    open_chart(patient, by=request.user, at=at, why="papers")
    signed = access.signed_now(patient, at)
    texts = {text.document: text for text in access.texts_for(patient, at)}
    in_force = {text.sha256 for name, text in texts.items() if name in signed}
    context = {
        "patient": patient,
        "signatures": [
            {"row": one, "in_force": one.sha256 in in_force} for one in access.signatures_of(patient)
        ],
        "missing": [text.title for name, text in texts.items() if name not in signed],
        "no_text": not texts,
        "state_note": index()["state_parts"].get(patient.state, {}).get("why", ""),
        "withdrawals": access.withdrawals_of(patient),
        "withdrawn": access.withdrawn_since_signing(patient),
        "clearances": [_asked(one, at) for one in access.clearances_of(patient)],
        "rows": [_row(one) for one in access.documents_of(patient)],
    }
    return render(request, "psychiatrist/papers.html", context)
