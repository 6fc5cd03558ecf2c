"""The psychiatrist's side: the signed decision."""

import functools
import hashlib
import uuid
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import visible_patient
from accounts.guards import for_role
from accounts.step_up import is_fresh, require_step_up
from common import clock, intents
from common.errors import Conflict, Invalid, NotPermitted, NotVisible
from intake import access, actions, states
from intake.forms import SettleForm, decision_form
from intake.letters import decline_letter
from intake.rules import Outcome
from intake.rules.eligibility import UNANSWERED
from intake.views.chart import chart_page, opened_chart

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


def _changed_since(found: access.Chart, seen: str) -> dict[str, list[str]] | None:
    """The rules that are true now and were not in the evaluation that was on the page, and the other way round; None when it is the same."""
    try:
        before = uuid.UUID(seen)
    except ValueError:
        return None
    if before == found.evaluation.pk:
        return None
    old, new = access.reasons_of(before, found.patient), list(found.evaluation.reasons)
    words = {id: f"{id} {text.criterion}" for id, text in found.texts.items()}
    return {
        "gained": [words[id] for id in new if id in words and id not in old],
        "lost": [words[id] for id in old if id in words and id not in new],
    }


# What somebody has typed on the page, by the name of its field.
TYPED = {"letter": "Letter", "question": "Question to the specialist", "note": "Note"}


def _typed(request: HttpRequest) -> list[tuple[str, str]]:
    return [(words, text) for name, words in TYPED.items() if (text := request.POST.get(name, "").strip())]


def _lost(
    request: HttpRequest, typed: list[tuple[str, str]], patient_id: uuid.UUID | None = None
) -> HttpResponse:
    """The claim is gone: nothing was signed, and the words that were typed are given back. Nothing of the record stands here."""
    context = {"typed": typed, "patient_id": patient_id}
    return render(
        request, "psychiatrist/decide_lost.html", context, status=404 if patient_id is None else 409
    )


def _digest(letter: str) -> str:
    """Which wording was read: the letter is signed only in the words that were on the page."""
    return hashlib.sha256(letter.strip().replace("\r\n", "\n").encode()).hexdigest()


def _in_hand(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Around the guarded view, so that it stays whatever becomes of the form: the lease goes on and the rules are asked once more.

    Whoever writes a letter for longer than the lease, or past a new version of the rules, loses neither letter nor safety.
    """

    @functools.wraps(view)
    def taken_up(request: HttpRequest, patient_id: uuid.UUID, kind: str) -> HttpResponse:
        actions.take_up(patient_id, by=request.user, at=clock.now())  # type: ignore[arg-type]
        return view(request, patient_id, kind)

    return taken_up


@for_role("psychiatrist")
@require_http_methods(["GET", "HEAD", "POST"])
@_in_hand
@intents.guard
def decide(request: HttpRequest, patient_id: uuid.UUID, kind: str) -> HttpResponse:
    """Sign a decision. The second factor is asked for before anything is typed, and again when it is signed.

    What was typed never gets lost: a chart that changed, a claim that is gone, a second factor that has grown old are said
    beside it.
    """
    if kind not in KIND_TITLES:
        raise Http404
    if request.method != "POST":
        require_step_up(request)
    try:
        found = opened_chart(request, patient_id, f"decide:{kind}")
    except NotVisible:
        if request.method == "POST" and (typed_before := _typed(request)):
            return _lost(request, typed_before)
        raise
    intake = found.intake
    if intake.state != states.CLAIMED or intake.claimed_by_id != request.user.pk:
        if request.method == "POST":
            return _lost(request, _typed(request), patient_id)
        messages.info(request, "This intake is not in your hands, so there is nothing to decide here.")
        return HttpResponseRedirect(reverse("intake:chart", args=[patient_id]))
    declines = kind == "decline"
    typed: Any = request.POST or None
    if declines and typed is not None and "compose" in typed:
        # The letter of the reasons just chosen; what was chosen and noted stays.
        typed = typed.copy()
        typed["letter"] = _letter(found, str(request.user), typed.getlist("reasons"))
    letter = _letter(found, str(request.user)) if declines else ""
    newest = found.evaluation.pk
    form = decision_form(kind, typed, found=found.evaluation.reasons, seen=newest, letter=letter)
    composed, preview = typed is not None and "compose" in typed, ""
    signing = request.method == "POST" and not composed and form.is_valid()
    changed = _changed_since(found, (request.POST or request.GET).get("seen", ""))
    # A form made from an older chart is not signed; it comes back with what was typed, made from the newest one (HZ-20).
    stale = signing and form.cleaned_data["seen"] != newest
    unproven = signing and not stale and not is_fresh(request)
    refusal = 422
    if signing and not stale and not unproven:
        data = form.cleaned_data
        if declines and request.POST.get("read") != _digest(data["letter"]):
            preview = data["letter"]
        else:
            try:
                actions.decide(
                    intake,
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
            except (Invalid, NotPermitted) as error:
                # What was typed stays on the page, the sentence stands beside its field.
                refusal = error.status
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
        "intake": intake,
        "red": found.reasons(Outcome.EXCLUDE),
        "said_before": found.said_before_in_words(),
        "amber": found.reasons(Outcome.REVIEW),
        "absolute": [text.id for text in found.reasons(Outcome.EXCLUDE) if text.is_absolute],
        "preview": preview,
        "read": _digest(preview) if preview else "",
        "changed": changed,
        "unproven": unproven,
        "prove_url": f"{reverse('mfa_reauthenticate')}?{urlencode({'next': reverse('intake:chart', args=[patient_id])})}",
        "intent": intents.mint(),
    }
    if stale or (form.is_bound and not composed and "seen" in form.errors):
        # The next press signs what stands here now.
        again = request.POST.copy()
        again["seen"] = str(newest)
        form.data = again
    refused = form.is_bound and not composed and not preview
    status = 409 if stale else 403 if unproven else refusal if refused else 200
    return render(request, "psychiatrist/chart_decide.html", context, status=status)


@for_role("psychiatrist")
@require_POST
@intents.guard
def settle(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Facts changed after acceptance; the psychiatrist finds that care may go on, and signs that.

    The note comes back with the page when it is too short, when the second factor has grown old, and when something else
    changed since the page was opened: then it is read first, and signed with the next press. It comes back, too, to be copied,
    when an absolute rule has become true or a colleague has settled it meanwhile, though nothing can be signed then.
    """
    patient = visible_patient(request.user, patient_id)
    form = SettleForm(request.POST)
    if not form.is_valid():
        return chart_page(request, patient_id, typed=form, status=422)
    if not is_fresh(request):
        return chart_page(request, patient_id, typed=form, unproven=True, status=403)
    try:
        actions.settle(
            patient,
            note=form.cleaned_data["note"],
            seen=form.cleaned_data["seen"],
            by=request.user,  # type: ignore[arg-type]
            at=clock.now(),
        )
    except Invalid as error:
        form.add_error("note", error.detail)
        return chart_page(request, patient_id, typed=form, status=422)
    except NotPermitted as error:
        if error.code != "absolute_rule":
            raise
        return chart_page(request, patient_id, typed=form, status=409)
    except Conflict as error:
        return chart_page(request, patient_id, typed=form, stale=error.code == "chart_changed", status=409)
    return HttpResponseRedirect(reverse("intake:chart", args=[patient.pk]))
