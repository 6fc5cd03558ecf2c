"""The intake as the patient meets it: a list of what is left, one page for each step."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.guards import for_role
from common import clock, intents
from common.errors import StaleVersion
from intake import access, actions, states
from intake.forms import step_form
from intake.models import Intake
from intake.rules.steps import Question, Step, intake_steps
from intake.rules.steps import step as step_of
from intake.views import assessment
from intake.views.common import WORDS, minutes_left, own_intake, task_groups
from measures.access import scores_of
from measures.actions import is_alarming
from measures.forms import instrument_form
from measures.rules import instrument, risk_screen
from measures.wording import HELP_HEADING, HELP_LINES, HELP_WHILE_HELD

LIST = "intake:list"


def address_of(step: Step) -> str:
    """Where a step is answered."""
    names = {"medicines": "intake:medicines", "bp": "intake:bp", "consent": "intake:consent"}
    return reverse(names[step.id]) if step.id in names else reverse("intake:step", args=[step.id])


def next_address(intake: Intake, after: str) -> str:
    """The next step that is not finished, or the list when none is."""
    left = actions.steps_left(intake)
    order = [step.id for step in intake_steps()]
    later = order[order.index(after) + 1 :] + order[: order.index(after)]
    coming = next((id for id in later if id in left), None)
    return address_of(step_of(coming)) if coming else reverse(LIST)


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
        "groups": task_groups(intake, left, address_of),
        "left": left,
        "minutes": minutes_left(left),
        "word": word,
        "kind": kind,
        "letters": _letters(intake),
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
        asked = step_of(step_id)
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
    return _questions(request, asked, intake) if writable or later else HttpResponseRedirect(reverse(LIST))


def _context(asked: Step, intake: Intake, form: Any, **more: Any) -> dict[str, Any]:
    entry = intake.answers.get(asked.id, {})
    return {
        "form": form,
        "step": asked,
        "intro": asked.intro,
        "version": entry.get("version", 0),
        "answered": entry.get("at") if entry.get("complete") else "",
        "intent": intents.mint(),
        "position": [step.id for step in intake_steps()].index(asked.id) + 1,
        "of": len(intake_steps()),
        "help": False,
        "conflict": [],
        "may_save_part": not asked.instrument and intake.state in states.PATIENT_WRITES,
        "stem": "",
        **more,
    }


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
    context = _context(asked, intake, form, help=alarming, **_words(asked))
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


def _questions(request: HttpRequest, asked: Step, intake: Intake) -> HttpResponse:
    at = clock.now()
    on = clock.local_date(at, intake.patient.user.time_zone)
    part = "later" in request.POST and intake.state in states.PATIENT_WRITES
    kept = intake.answers.get(asked.id, {})
    form = step_form(asked, part=part)(request.POST or None, on=on, initial=_initial(asked, intake))
    if request.method != "POST":
        return render(request, "patient/intake/step.html", _context(asked, intake, form))
    if not form.is_valid():
        return render(request, "patient/intake/step.html", _context(asked, intake, form), status=422)
    answers = form.answers()
    version = _whole(request.POST.get("version", ""))
    try:
        intake = _save(intake, asked, answers, version=version, complete=not part, by=request.user, at=at)
    except StaleVersion:
        intake.refresh_from_db()
        kept = intake.answers.get(asked.id, {})
        context = _context(asked, intake, form, conflict=_differences(asked, kept.get("data", {}), answers))
        return render(request, "patient/intake/step.html", context, status=409)
    if intake.state == states.ACCEPTED:
        messages.success(request, "Thank you. Your psychiatrist sees the change before your next session.")
        return HttpResponseRedirect(reverse(LIST))
    return HttpResponseRedirect(reverse(LIST) if part else next_address(intake, asked.id))


def _save(
    intake: Intake, asked: Step, answers: dict[str, Any], *, version: int, complete: bool, by: Any, at: Any
) -> Intake:
    own = {question.name for question in asked.questions} | {"weight_kg", "height_cm_total"}
    plain = {name: value for name, value in answers.items() if name in own}
    scored = {name: value for name, value in answers.items() if name not in own}
    if asked.instrument:
        # The scored items are shown again from here, and kept for good where every questionnaire is kept.
        plain["scored"] = {name: str(value) for name, value in scored.items()}
    saved = actions.save_step(intake, asked.id, plain, version=version, complete=complete, by=by, at=at)
    if asked.instrument and complete:
        actions.record_beside(saved, asked.instrument, scored, by=by, at=at)
    return saved


def _initial(asked: Step, intake: Intake) -> dict[str, Any]:
    data = dict(intake.answers.get(asked.id, {}).get("data", {}))
    data.update(data.pop("scored", {}))
    if asked.id == "about":
        user, patient = intake.patient.user, intake.patient
        known = {
            "full_name": user.full_name,
            "time_zone": user.time_zone,
            "phone": user.phone,
            "date_of_birth": patient.date_of_birth,
            "sex": patient.sex,
            "state": patient.state,
            "address": patient.address,
            "emergency_contact_name": patient.emergency_contact_name,
            "emergency_contact_phone": patient.emergency_contact_phone,
            "weight_unit": "lb",
        }
        data = {**{name: value for name, value in known.items() if value}, **data}
    return data


def _differences(asked: Step, kept: dict[str, Any], typed: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(question, as saved, as typed) where the two tabs differ."""
    return [
        (question.label, _said(question, kept.get(question.name)), _said(question, typed.get(question.name)))
        for question in asked.questions
        if kept.get(question.name) != typed.get(question.name)
    ]


CHOICE_WORDS = {"yes": "Yes", "no": "No", "unsure": "Not sure"}


def _said(question: Question, value: Any) -> str:
    if value in (None, "", []):
        return "not answered"
    words: dict[str, str] = {**dict(question.choices), **CHOICE_WORDS}
    if isinstance(value, list):
        return ", ".join(words.get(one, str(one)) for one in value)
    return words.get(value, str(value)) + (f" {question.unit}" if question.unit else "")


def said_in(intake: Intake) -> list[dict[str, Any]]:
    """Every answer in words, by step, for reading."""
    pages = []
    for one in intake_steps():
        data = intake.answers.get(one.id, {}).get("data", {})
        pairs = [(question.label, _said(question, data.get(question.name))) for question in one.questions]
        if pairs and data:
            pages.append({"id": one.id, "title": one.title, "pairs": pairs})
    return pages


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


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else -1
