"""A psychiatrist's own decisions: the list, and each as it was signed."""

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.access import patients_visible_to
from accounts.guards import for_role
from common import audit, clock
from intake import access
from intake.forms.review import OTHER_REASONS
from intake.models import Decision
from intake.rules.steps import intake_steps
from intake.wording import rule_texts

# As it was signed, in the past tense; a label of the form is an order.
KIND_WORDS = {
    Decision.Kind.ACCEPT: ("Accepted for a consult", "ok"),
    Decision.Kind.DECLINE: ("Declined", "neutral"),
    Decision.Kind.ASK_MORE: ("Asked for more", "info"),
    Decision.Kind.ASK_CLEARANCE: ("Asked a specialist", "info"),
}


@for_role("psychiatrist")
@require_safe
def decisions(request: HttpRequest) -> HttpResponse:
    """What this psychiatrist signed, newest first: whom it was about, what, when."""
    rows, next_key = access.decisions_signed_by(request.user, after=request.GET.get("after", ""))
    base = reverse("intake:decisions")
    context = {
        "rows": [{"row": row, "word": KIND_WORDS[Decision.Kind(row.kind)]} for row in rows],
        "first_url": base if request.GET.get("after") else "",
        "next_url": f"{base}?after={next_key.replace('+', '%2B')}" if next_key else "",
    }
    return render(request, "psychiatrist/decisions.html", context)


@for_role("psychiatrist")
@require_safe
def decision(request: HttpRequest, decision_id: uuid.UUID) -> HttpResponse:
    """One decision as it was signed: reasons in the words of its protocol version, note and letter. Of the chart nothing more."""
    row = access.own_decision(request.user, decision_id)
    patient = row.intake.patient
    audit.record(
        "decision.read",
        by=request.user,
        at=clock.now(),
        about=row,
        patient_id=patient.pk,
        even_if_undone=True,
    )
    texts = rule_texts(row.evaluation.protocol.data["eligibility"])
    others = {code: words.partition(" (")[0] for code, words in OTHER_REASONS}  # without the form's own hint
    pages = {step.id: step.title for step in intake_steps()}
    context = {
        "row": row,
        "word": KIND_WORDS[Decision.Kind(row.kind)],
        "patient": patient,
        "reasons": [
            f"{code} {texts[code].criterion}. {texts[code].clinician}"
            if code in texts
            else others.get(code, code)
            for code in row.reasons
        ],
        "items": [pages.get(code, code.replace("_", " ").capitalize()) for code in row.items],
        "version": row.evaluation.rule_version,
        "chart": patients_visible_to(request.user).filter(pk=patient.pk).exists(),
    }
    return render(request, "psychiatrist/decision.html", context)
