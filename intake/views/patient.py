"""The intake as the patient meets it: a list of what is left, one page for each step."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.guards import for_role
from common import clock, intents
from intake import access, actions, states
from intake.access.asking import asked_step
from intake.models import Intake
from intake.rules.steps import Step
from intake.rules.steps import step as step_of
from intake.views import answering, assessment
from intake.views.common import (
    LIST,
    WORDS,
    address_of,
    awaited_letters,
    minutes_left,
    next_address,
    own_intake,
    task_groups,
)
from intake.views.saying import said_in
from measures.access import scores_of
from measures.actions import is_alarming
from measures.forms import instrument_form
from measures.rules import instrument, risk_screen
from measures.wording import HELP_HEADING, HELP_LINES, HELP_WHILE_HELD


@for_role("patient")
@require_safe
def task_list(request: HttpRequest) -> HttpResponse:
    """Where the intake stands, what is left and about how long, what was said about it."""
    _, intake = own_intake(request)
    if intake is None or intake.state in (states.DECLINED, states.WITHDRAWN):
        start: dict[str, Any] = {
            "intake": intake,
            "carried": bool(assessment.facts_in(assessment.answers_in(request))),
            "intent": intents.mint(),
            "letters": _letters(intake),
        }
        return render(request, "patient/intake/begin.html", start)
    left = actions.steps_left(intake)
    word, kind = WORDS[intake.state]
    context: dict[str, Any] = {
        "intake": intake,
        "mine": intake.state in states.PATIENT_WRITES,
        "unserved": intake.state in states.IN_QUEUE and not access.is_served(intake.care_state, clock.now()),
        "groups": task_groups(intake, left, address_of),
        "left": left,
        "minutes": minutes_left(left),
        "word": word,
        "kind": kind,
        "letters": _letters(intake),
        "clearances": awaited_letters(intake),
        "intent": intents.mint(),
        "intent_withdraw": intents.mint(),
        "next_url": address_of(step_of(left[0])) if left else "",
        "updatable": [
            {"title": step_of(id).title, "href": address_of(step_of(id))}
            for id in states.UPDATABLE_STEPS
            if intake.state == states.ACCEPTED
        ],
    }
    return render(request, "patient/intake/list.html", context)


def _letters(intake: Intake | None) -> list[dict[str, Any]]:
    if intake is None:
        return []
    return [
        {"by": str(decision.by), "at": decision.at, "text": decision.letter, "kind": decision.kind}
        for decision in access.decisions_of(intake)
        if decision.letter or decision.kind == "accept"
    ]


@for_role("patient")
@require_POST
@intents.guard
def begin(request: HttpRequest) -> HttpResponse:
    """Start the intake; what the two-minute assessment asked is carried over."""
    patient, _ = own_intake(request)
    at = clock.now()
    intake = actions.start_intake(patient, by=request.user, at=at)
    facts = assessment.facts_in(assessment.answers_in(request))
    if facts:
        actions.prefill(intake, facts, by=request.user, at=at)
    response = HttpResponseRedirect(reverse(LIST))
    response.delete_cookie(assessment.COOKIE)
    return response


@for_role("patient")
@require_http_methods(["GET", "HEAD", "POST"])
@intents.guard
def step(request: HttpRequest, step_id: str) -> HttpResponse:
    """One page of questions, saved when it is sent."""
    try:
        asked = asked_step(step_id)
    except KeyError:
        raise Http404 from None
    if not asked.is_form:
        return HttpResponseRedirect(address_of(asked))
    _, intake = own_intake(request)
    if intake is None:
        return HttpResponseRedirect(reverse(LIST))
    writable = intake.state in states.PATIENT_WRITES
    if asked.instrument and not asked.questions and (writable or request.method == "POST"):
        # A safety answer sent from a tab that was left open counts, whatever became of the intake meanwhile.
        return _instrument(request, asked, intake)
    later = intake.state == states.ACCEPTED and asked.id in states.UPDATABLE_STEPS
    if request.method != "POST" and not (writable or later):
        return HttpResponseRedirect(reverse(LIST))
    return answering.questions(request, asked, intake, writable=writable or later)


def _instrument(request: HttpRequest, asked: Step, intake: Intake) -> HttpResponse:
    form = instrument_form(asked.instrument)(request.POST or None)
    at = clock.now()
    if request.method == "POST" and form.is_valid():
        recorded = actions.record_instrument(intake, asked.id, form.answers(), by=request.user, at=at)
        intake.refresh_from_db()
        if recorded.crisis:
            return _help_page(request, next_address(intake, asked.id))
        return HttpResponseRedirect(next_address(intake, asked.id))
    alarming = request.method == "POST" and is_alarming(asked.instrument, form.given(), at=at)
    if alarming:
        # Half-filled, yet it says something that must not wait for the other half (HZ-08).
        actions.record_instrument(intake, asked.id, form.given(), by=request.user, at=at, complete=False)
    context = answering.page_context(asked, intake, form, help=alarming, **_words(asked))
    response = render(request, "patient/intake/step.html", context, status=422 if form.is_bound else 200)
    if alarming:
        response.replay_url = reverse("intake:support")  # type: ignore[attr-defined]
    return response


def _words(asked: Step) -> dict[str, Any]:
    if asked.instrument == "suicide_risk":
        return {"stem": risk_screen().intro, "help_lines": HELP_LINES}
    return {"stem": instrument(asked.instrument).stem, "help_lines": HELP_LINES}


def _help_page(request: HttpRequest, go_on: str) -> HttpResponse:
    """Help in the same answer as the answer that calls for it (PR-06)."""
    context = {"heading": HELP_HEADING, "lines": HELP_LINES, "held": HELP_WHILE_HELD, "go_on": go_on}
    response = render(request, "patient/intake/support.html", context)
    response.replay_url = reverse("intake:support")  # type: ignore[attr-defined]
    return response


@for_role("patient")
@require_safe
def support(request: HttpRequest) -> HttpResponse:
    """The same help again, for whoever comes back to it."""
    context = {"heading": HELP_HEADING, "lines": HELP_LINES, "held": HELP_WHILE_HELD, "go_on": reverse(LIST)}
    return render(request, "patient/intake/support.html", context)


@for_role("patient")
@require_safe
def answers(request: HttpRequest) -> HttpResponse:
    """The patient's own answers, signatures and readings, to read."""
    patient, intake = own_intake(request)
    if intake is None:
        return HttpResponseRedirect(reverse(LIST))
    context = {
        "pages": said_in(intake),
        "medicines": access.active_medicines(patient),
        "signatures": access.signatures_of(patient),
        "readings": access.intake_readings(patient),
        "scores": scores_of(patient),
    }
    return render(request, "patient/intake/answers.html", context)


@for_role("patient")
@require_POST
@intents.guard
def send(request: HttpRequest) -> HttpResponse:
    """Hand the intake to the psychiatrists."""
    _, intake = own_intake(request)
    if intake is not None:
        actions.submit(intake, by=request.user, at=clock.now())
    return HttpResponseRedirect(reverse(LIST))


@for_role("patient")
@require_POST
@intents.guard
def take_back(request: HttpRequest) -> HttpResponse:
    """Withdraw the intake."""
    _, intake = own_intake(request)
    if intake is not None:
        actions.withdraw(intake, by=request.user, at=clock.now())
    return HttpResponseRedirect(reverse(LIST))
