"""One questionnaire of the intake: kept as a draft answer by answer, scored when it is sent whole, heard at once where it must be."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse

from common import clock
from common.errors import StaleVersion
from intake import actions, states
from intake.models import Intake
from intake.rules.merging import SCORED
from intake.rules.steps import Step
from intake.views import answering
from intake.views.common import LIST, next_address, safety_questions_left
from measures.actions import is_alarming
from measures.forms import instrument_form
from measures.rules import instrument, risk_screen
from measures.wording import HELP_HEADING, HELP_LINES, HELP_WHILE_HELD

ELSEWHERE = (
    "Some of these questions were answered otherwise on another page of yours, so this was not put aside. What stands here stays: "
    "press “Save and go on” to send it."
)


def questionnaire(request: HttpRequest, asked: Step, intake: Intake) -> HttpResponse:
    """The page of a questionnaire, or what became of the answers that were sent."""
    at = clock.now()
    form = instrument_form(asked.instrument)(request.POST or None, initial=_draft_of(asked, intake))
    later = "later" in request.POST and intake.state in states.PATIENT_WRITES
    if request.method == "POST" and form.is_valid() and not later:
        recorded = actions.record_instrument(intake, asked.id, form.answers(), by=request.user, at=at)
        intake.refresh_from_db()
        if recorded.crisis:
            return help_page(
                request, next_address(intake, asked.id), ask_now=safety_questions_left(intake, page=asked.id)
            )
        return HttpResponseRedirect(next_address(intake, asked.id))
    given = form.given() if request.method == "POST" else {}
    alarming = is_alarming(asked.instrument, given, at=at)
    kept = _keep_draft(request, asked, intake, given, at=at) if given else True
    if alarming:
        # Half-filled, yet it says something that must not wait for the other half (HZ-08).
        actions.record_instrument(intake, asked.id, given, by=request.user, at=at, complete=False)
    if later and not alarming and kept:
        return HttpResponseRedirect(reverse(LIST))
    if later and alarming:
        return help_page(request, reverse(LIST), ask_now=safety_questions_left(intake, page=asked.id))
    refused = ELSEWHERE if later and not kept else ""
    ask_now = safety_questions_left(intake, page=asked.id) if alarming else ""
    context = answering.page_context(
        asked, intake, form, help=alarming, refused=refused, ask_now=ask_now, **_words(asked)
    )
    status = 409 if refused else 422 if form.is_bound else 200
    response = render(request, "patient/intake/step.html", context, status=status)
    if alarming:
        response.replay_url = reverse("intake:support")  # type: ignore[attr-defined]
    elif given and kept:
        # What was put aside stays put aside: only a page that changed nothing is undone.
        response.replay_url = request.path  # type: ignore[attr-defined]
    return response


def answer(request: HttpRequest, asked: Step, intake: Intake) -> HttpResponse:
    """One answer of a questionnaire, kept as soon as it is given; one that must be heard is heard, and help comes back with it."""
    at = clock.now()
    name = request.POST.get("answered", "")
    form = instrument_form(asked.instrument)(request.POST)
    if name not in form.fields:
        raise Http404
    form.is_valid()
    given = form.given()
    if name not in given:
        wrong = " ".join(str(message) for message in form.errors.get(name, ["Choose one of the answers."]))
        return JsonResponse({"saved": False, "said": wrong}, status=422)
    said: dict[str, Any] = {"saved": False, "said": answering.WITH_THE_PSYCHIATRIST}
    status, fresh = 409, [name]
    if intake.state in states.PATIENT_WRITES:
        # All that stands on the page, so that nothing waits for a request of its own when the browser stops.
        said, status, changed = _kept(request, asked, intake, given, at=at)
        fresh += [one for one in changed if one in given]
    alarming = is_alarming(asked.instrument, {one: given[one] for one in fresh}, at=at)
    if alarming:
        actions.record_instrument(
            intake, asked.id, given, by=request.user, at=at, complete=False, still_answering=True
        )
        words = {
            "heading": HELP_HEADING,
            "lines": HELP_LINES,
            "ask_now": safety_questions_left(intake, page=asked.id),
        }
        said["help"] = render_to_string("patient/intake/_help_here.html", words, request=request)
        said["plan"] = render_to_string("components/safety_plan_here.html", {}, request=request)
    response = JsonResponse(said, status=status)
    response.replay_url = (  # type: ignore[attr-defined]
        reverse("intake:support") if alarming else reverse("intake:step", args=[asked.id])
    )
    return response


def _kept(
    request: HttpRequest, asked: Step, intake: Intake, given: dict[str, Any], *, at: Any
) -> tuple[dict[str, Any], int, list[str]]:
    """What the page hears, the status, and the items that are different now."""
    version = answering.whole(request.POST.get("version", ""))
    try:
        saved = _save(intake, asked, given, version=version, by=request.user, at=at)
    except StaleVersion as error:
        return {"saved": False, "said": error.detail}, 409, []
    changed = [name.partition(".")[2] for name in saved.changed]
    if saved.clashes:
        words = (
            "This question was answered otherwise on another page of yours. Press “Save and go on”: what stands here is sent, "
            "and the answers of both pages are heard."
        )
        return {"saved": False, "said": words}, 409, changed
    return answering.saved_words(request, asked, saved, version=version, at=at), 200, changed


def _save(
    intake: Intake, asked: Step, given: dict[str, Any], *, version: int, by: Any, at: Any
) -> actions.Saved:
    draft = {SCORED: {name: str(value) for name, value in given.items()}}
    return actions.save_answers(
        intake, asked.id, draft, asked=(), version=version, complete=None, by=by, at=at
    )


def _keep_draft(request: HttpRequest, asked: Step, intake: Intake, given: dict[str, Any], *, at: Any) -> bool:
    """What a page that is not finished holds. An answer that clashes with another page's stays as it is here, to be sent."""
    if intake.state not in states.PATIENT_WRITES:
        return False
    version = answering.whole(request.POST.get("version", ""))
    try:
        saved = _save(intake, asked, given, version=version, by=request.user, at=at)
    except StaleVersion:
        return False
    intake.refresh_from_db()
    return not saved.clashes


def _draft_of(asked: Step, intake: Intake) -> dict[str, Any]:
    draft: dict[str, Any] = intake.answers.get(asked.id, {}).get("data", {}).get(SCORED, {})
    return draft


def _words(asked: Step) -> dict[str, Any]:
    if asked.instrument == "suicide_risk":
        return {"stem": risk_screen().intro, "licence": "", "help_lines": HELP_LINES}
    of = instrument(asked.instrument)
    return {"stem": of.stem, "licence": of.licence_text, "help_lines": HELP_LINES}


def help_page(request: HttpRequest, go_on: str, *, ask_now: str = "") -> HttpResponse:
    """Help in the same answer as the answer that calls for it (PR-06); `ask_now` is where the safety questions are, if they are due."""
    context = {
        "heading": HELP_HEADING, "lines": HELP_LINES, "held": HELP_WHILE_HELD, "go_on": go_on, "ask_now": ask_now,
    }  # fmt: skip
    response = render(request, "patient/intake/support.html", context)
    response.replay_url = reverse("intake:support")  # type: ignore[attr-defined]
    return response
