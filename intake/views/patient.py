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
from intake.rules.answers import age_years
from intake.rules.steps import step as step_of
from intake.views import answering, assessment, scales
from intake.views.common import (
    LIST,
    WORDS,
    address_of,
    awaited_letters,
    minutes_left,
    own_intake,
    safety_questions_left,
    task_groups,
)
from intake.views.saying import said_in
from measures.access import scores_of


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
        "minor": _is_minor(intake),
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


def _is_minor(intake: Intake) -> bool:
    """Whether the birth date that was typed is of somebody rule E01 keeps out; they read so before they go on."""
    born = intake.patient.date_of_birth
    if born is None:
        return False
    at = clock.now()
    age = age_years(born, clock.local_date(at, intake.patient.user.time_zone))
    if age < 0 or age > 130:
        return False
    found, _ = actions.assess({"age_years": age}, at=at)
    return "E01" in found.reasons


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
        return scales.questionnaire(request, asked, intake)
    later = intake.state == states.ACCEPTED and asked.id in states.UPDATABLE_STEPS
    if request.method != "POST" and not (writable or later):
        return HttpResponseRedirect(reverse(LIST))
    return answering.questions(request, asked, intake, writable=writable or later)


@for_role("patient")
@require_safe
def support(request: HttpRequest) -> HttpResponse:
    """The same help again, for whoever comes back to it."""
    _, intake = own_intake(request)
    return scales.help_page(request, reverse(LIST), ask_now=safety_questions_left(intake))


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
