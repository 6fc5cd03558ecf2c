"""The two-minute assessment: anonymous, one screen at a time. Answers live in one sealed cookie of the visitor's browser."""

import json
from datetime import timedelta
from typing import Any

from cryptography.exceptions import InvalidTag
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.guards import public
from common import clock
from common.encryption import decrypt, encrypt
from intake import actions
from intake.forms import step_form
from intake.rules import Outcome, Stage, facts_of
from intake.rules.steps import Step, assessment_screens
from intake.wording import ASSESSMENT, for_patient, may_ask_clinician

COOKIE = "assessment"
NO_PRESCRIBER = "E03"
KEPT_FOR = timedelta(hours=24)
TALLY = {Outcome.OK: "fit", Outcome.REVIEW: "talk", Outcome.EXCLUDE: "not_now"}
FACTS = frozenset(spec.name for spec in facts_of(Stage.ASSESSMENT))


def answers_in(request: HttpRequest) -> dict[str, Any]:
    """The visitor's answers so far; empty when there are none, or when the cookie is old or not ours."""
    try:
        kept = json.loads(decrypt(request.COOKIES.get(COOKIE, ""), context=COOKIE))
    except (InvalidTag, ValueError, KeyError, UnicodeError):
        return {}
    return kept if kept.get("until", 0) > clock.now().timestamp() else {}


def _keep(response: HttpResponse, answers: dict[str, Any]) -> HttpResponse:
    kept = {**answers, "until": (clock.now() + KEPT_FOR).timestamp()}
    response.set_cookie(
        COOKIE,
        encrypt(json.dumps(kept), context=COOKIE),
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )
    return response


def facts_in(answers: dict[str, Any]) -> dict[str, str]:
    """The facts among the answers; what only helps the conversation stays out."""
    return {name: str(value) for name, value in answers.items() if name in FACTS}


def _screen(screen_id: str) -> tuple[int, Step]:
    for index, screen in enumerate(assessment_screens()):
        if screen.id == screen_id:
            return index, screen
    raise Http404


def _address(index: int) -> str:
    screens = assessment_screens()
    if index >= len(screens):
        return reverse("intake:assessment_result")
    return reverse("intake:assessment_screen", args=[screens[index].id])


def _needs_help_now(step: Step, request: HttpRequest) -> str:
    """`crisis` or `emergency` when this page says so; empty otherwise."""
    asked = {question.name for question in step.questions}
    said = request.POST.get("main_problem", "") if "main_problem" in asked else ""
    return said if said in ("crisis", "emergency") else ""


@public
@require_safe
def start(request: HttpRequest) -> HttpResponse:
    """What this is, what is kept, and the way in."""
    return render(
        request, "public/assessment_start.html", {"first": _address(0), "begun": bool(answers_in(request))}
    )


@public
@require_http_methods(["GET", "HEAD", "POST"])
def screen(request: HttpRequest, screen_id: str) -> HttpResponse:
    """One screen. Nothing is written on the server, so the form carries no intent."""
    index, step = _screen(screen_id)
    answers = answers_in(request)
    form = step_form(step)(request.POST or None, on=clock.local_date(clock.now(), "UTC"), initial=answers)
    # Help stands in the same answer (PR-06), whatever else of the page is empty or wrong, and what was said is not kept.
    if request.method == "POST" and (urgent := _needs_help_now(step, request)):
        return render(request, f"public/assessment_{urgent}.html", {"again": _address(index)})
    if request.method == "POST" and form.is_valid():
        given = form.answers()
        answers |= given
        at = clock.now()
        young, _ = (
            actions.assess({"age_years": answers["age_years"]}, at=at)
            if "age_years" in given
            else (None, None)
        )
        if young is not None and "E01" in young.reasons:
            actions.count_screening(
                outcome="not_now", reasons=("E01",), rule_version=young.rule_version, at=at
            )
            response = HttpResponseRedirect(reverse("intake:assessment_adults"))
            response.delete_cookie(COOKIE)
            return response
        return _keep(HttpResponseRedirect(_address(index + 1)), answers)
    context = {
        "form": form,
        "screen": step,
        "now": index + 1,
        "of": len(assessment_screens()),
        "back": _address(index - 1) if index else reverse("intake:assessment"),
    }
    return render(request, "public/assessment_screen.html", context, status=422 if form.is_bound else 200)


@public
@require_safe
def result(request: HttpRequest) -> HttpResponse:
    """What the answers mean, why, and what happens next. Never "approved": only a psychiatrist decides."""
    answers = answers_in(request)
    for index, step in enumerate(assessment_screens()):
        if any(question.name not in answers for question in step.questions):
            return HttpResponseRedirect(_address(index))
    at = clock.now()
    found, data = actions.assess(facts_in(answers), at=at)
    context = {
        "outcome": TALLY[found.outcome],
        "text": ASSESSMENT[found.outcome],
        "reasons": for_patient(found.reasons, data),
        "may_ask": may_ask_clinician(found.reasons, data),
        # Where nobody is licensed, no psychiatrist could read an intake that was sent.
        "served": NO_PRESCRIBER not in found.reasons,
        "first_screen": _address(0),
        "back": _address(len(assessment_screens()) - 1),
    }
    response = render(request, "public/assessment_result.html", context)
    mark = f"{found.outcome}:{' '.join(found.reasons)}"
    if request.method == "GET" and answers.get("counted") != mark:
        actions.count_screening(
            outcome=TALLY[found.outcome], reasons=found.reasons, rule_version=found.rule_version, at=at
        )
        _keep(response, {**answers, "counted": mark})
    return response


@public
@require_safe
def adults(request: HttpRequest) -> HttpResponse:
    """For somebody under 18: help, and no offer."""
    return render(request, "public/assessment_adults.html", {})


@public
@require_POST
def clear(request: HttpRequest) -> HttpResponse:
    """Forget the answers: the cookie goes, and nothing else ever held them."""
    response = HttpResponseRedirect(reverse("intake:assessment"))
    response.delete_cookie(COOKIE)
    return response
