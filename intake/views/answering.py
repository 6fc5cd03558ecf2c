"""One page of questions: shown, saved answer by answer or as a whole, and never over something newer."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from accounts.forms import zone_of_state
from common import clock, intents
from common.errors import StaleVersion
from intake import actions, states
from intake.access.asking import asked_steps
from intake.forms import step_form
from intake.models import Intake
from intake.rules.answers import DERIVED
from intake.rules.merging import SCORED, Clash
from intake.rules.steps import Step
from intake.views.common import LIST, next_address
from intake.views.saying import said
from measures.rules import INSTRUMENTS, instrument

WITH_THE_PSYCHIATRIST = (
    "Your intake is with a psychiatrist now, so this was not saved. What you typed is still below: copy what matters, "
    "and call us if it should be known."
)


def page_context(asked: Step, intake: Intake, form: Any, **more: Any) -> dict[str, Any]:
    """What templates/patient/intake/step.html shows."""
    entry = intake.answers.get(asked.id, {})
    return {
        "form": form,
        "step": asked,
        "intro": asked.intro,
        "version": entry.get("version", 0),
        "answered": entry.get("at") if entry.get("complete") else "",
        "intent": intents.mint(),
        "position": [step.id for step in asked_steps()].index(asked.id) + 1,
        "of": len(asked_steps()),
        "help": False,
        "conflict": [],
        "follow_ups": 0,
        "refused": "",
        "may_save_part": intake.state in states.PATIENT_WRITES,
        "saves_itself": intake.state in states.PATIENT_WRITES,
        "stem": "",
        "licence": instrument(asked.instrument).licence_text if asked.instrument in INSTRUMENTS else "",
        **more,
    }


def questions(request: HttpRequest, asked: Step, intake: Intake, *, writable: bool) -> HttpResponse:
    """The page, or what became of the answers that were sent."""
    at = clock.now()
    on = clock.local_date(at, intake.patient.user.time_zone)
    part = "later" in request.POST and intake.state in states.PATIENT_WRITES
    form = step_form(asked, part=part)(request.POST or None, on=on, initial=initial_of(asked, intake))
    if request.method != "POST":
        more = {"follow_ups": len(_open(asked, intake, form)) if "more" in request.GET else 0}
        return render(request, "patient/intake/step.html", page_context(asked, intake, form, **more))
    if not writable:
        context = page_context(asked, intake, form, refused=WITH_THE_PSYCHIATRIST)
        return render(request, "patient/intake/step.html", context, status=409)
    if not form.is_valid():
        return render(request, "patient/intake/step.html", page_context(asked, intake, form), status=422)
    version = whole(request.POST.get("version", ""))
    shown = [q.name for q in asked.questions if q.name not in form.hidden_names]
    try:
        saved = _save(
            intake,
            asked,
            form.answers(),
            asked_names=shown,
            version=version,
            complete=not part,
            by=request.user,
            at=at,
        )
    except StaleVersion:
        intake.refresh_from_db()
        context = page_context(
            asked, intake, form, conflict=_differences(asked, intake, form.answers(), request.user)
        )
        return _stays(render(request, "patient/intake/step.html", context, status=409), request, kept=False)
    if saved.clashes:
        # What does not clash is saved; what does waits for the person's word, below what was typed.
        context = page_context(
            asked, saved.intake, form, conflict=clash_words(asked, saved.clashes, request.user)
        )
        return _stays(render(request, "patient/intake/step.html", context, status=409), request, kept=True)
    if form.follow_ups and not part:
        return HttpResponseRedirect(f"{reverse('intake:step', args=[asked.id])}?more")
    if saved.intake.state == states.ACCEPTED:
        messages.success(request, "Thank you. Your psychiatrist sees the change before your next session.")
        return HttpResponseRedirect(reverse(LIST))
    if saved.newer:
        messages.info(
            request, "Some answers were changed elsewhere while this page was open. The newer ones were kept."
        )
    return HttpResponseRedirect(reverse(LIST) if part else next_address(saved.intake, asked.id))


def _stays(response: HttpResponse, request: HttpRequest, *, kept: bool) -> HttpResponse:
    """A page that comes back after saving a part of it: the replay of the same form opens the page again."""
    if kept:
        response.replay_url = request.path  # type: ignore[attr-defined]
    return response


def _open(asked: Step, intake: Intake, form: Any) -> list[str]:
    data = intake.answers.get(asked.id, {}).get("data", {})
    return [name for name in form.shown_names if data.get(name) in (None, "", [])]


def _save(
    intake: Intake, asked: Step, answers: dict[str, Any], *, asked_names: Iterable[str], version: int, complete: bool,
    by: Any, at: datetime,
) -> actions.Saved:  # fmt: skip
    own = {question.name for question in asked.questions}
    plain = {name: value for name, value in answers.items() if name in own}
    scored = {name: value for name, value in answers.items() if name not in own and name not in DERIVED}
    if asked.instrument:
        # The scored items are shown again from here, and kept for good where every questionnaire is kept.
        plain[SCORED] = {name: str(value) for name, value in scored.items()}
    return actions.save_answers(
        intake,
        asked.id,
        plain,
        asked=asked_names,
        version=version,
        complete=complete,
        beside=scored,
        by=by,
        at=at,
    )


def initial_of(asked: Step, intake: Intake) -> dict[str, Any]:
    """What stands in the fields: the saved answers, and for the first page what the record knows."""
    data = dict(intake.answers.get(asked.id, {}).get("data", {}))
    data.update(data.pop(SCORED, {}))
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
        if not user.full_name and "time_zone" not in intake.answers.get(asked.id, {}).get("data", {}):
            # Nobody has said who they are yet, so the zone of the account is a guess: the state is a better one.
            data["time_zone"] = zone_of_state(str(data.get("state", "")))
    return data


def _differences(asked: Step, intake: Intake, typed: dict[str, Any], person: Any) -> list[dict[str, str]]:
    """Where the saved answers and the typed ones differ, for a page that fits nothing that is saved."""
    entry = intake.answers.get(asked.id, {})
    kept = entry.get("data", {})
    clashes = [
        Clash((q.name,), (kept.get(q.name),), entry.get("at", ""), (typed.get(q.name),))
        for q in asked.questions
        if kept.get(q.name) != typed.get(q.name)
    ]
    return clash_words(asked, clashes, person)


def clash_words(asked: Step, clashes: Iterable[Clash], person: Any) -> list[dict[str, str]]:
    """Per clash: the question, what is saved and since when, what was typed here."""
    by_name = {question.name: question for question in asked.questions}
    found = []
    for clash in clashes:
        for name, kept, typed in zip(clash.names, clash.kept, clash.typed, strict=True):
            if kept != typed and name in by_name:
                found.append(
                    {
                        "label": by_name[name].label,
                        "kept": said(by_name[name], kept),
                        "typed": said(by_name[name], typed),
                        "since": _time_words(clash.kept_at, person),
                    }
                )
    return found or [{"label": "The questionnaire", "kept": "other answers", "typed": "yours", "since": ""}]


def _time_words(iso: str, person: Any) -> str:
    """“ at 9:05 am PST”, in the person's own zone; empty when it is not known."""
    if not iso:
        return ""
    local = datetime.fromisoformat(iso).astimezone(ZoneInfo(person.time_zone))
    return f" at {local.strftime('%I:%M %p').lstrip('0').lower()} {local.tzname()}"


def saved_words(
    request: HttpRequest, asked: Step, saved: actions.Saved, *, version: int, at: datetime
) -> dict[str, Any]:
    """What the page hears of an answer that was kept. `version` is the one the page was made from."""
    now = saved.intake.answers.get(asked.id, {}).get("version", 0)
    return {
        "saved": True,
        "version": now,
        # Another page saved in between: this one keeps its own version, so that nothing of the other is overwritten.
        "alone": now == version + saved.written,
        "said": f"Saved{_time_words(at.isoformat(), request.user)}.",
        "intent": intents.mint(),
    }


def whole(text: str) -> int:
    """A version as it stands in a form; -1 for anything that is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else -1
