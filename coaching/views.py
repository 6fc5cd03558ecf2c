"""Pages: the coach's caseload and calls; the patient's half minute a day."""

import uuid
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from accounts.access import patient_of, visible_patient
from accounts.actions import open_chart
from accounts.guards import for_role
from coaching import access, actions, message_access, rules, wording
from coaching.forms import CallForm, DailyForm
from coaching.models import CheckIn
from common import clock, intents
from common.errors import Conflict, NotVisible
from notify.access import has_opted_out, opted_out_among
from safety.access import holds_of, open_alerts_for


@for_role("coach")
def caseload(request: HttpRequest) -> HttpResponse:
    """Everybody this coach cares for, most urgent first."""
    at = clock.now()
    page = access.caseload(request.user, at=at, after=request.GET.get("after", ""))
    return render(
        request,
        "coach/caseload.html",
        {
            "rows": [_row(patient, at=at, zone=request.user.time_zone) for patient in page.rows],
            "texts_stopped": opted_out_among(patient.user for patient in page.rows),
            "counts": access.caseload_counts(request.user, at=at),
            "next_url": f"{request.path}?{urlencode({'after': page.next_key})}" if page.next_key else "",
            "first_url": request.path if request.GET.get("after") else "",
            "at": at,
        },
    )


def _row(patient: Any, *, at: datetime, zone: str) -> dict[str, Any]:
    due_at = None if patient.next_due_at == access.FAR else patient.next_due_at
    urgency = rules.urgency(due_at=due_at, at=at, zone=zone)
    label, kind = wording.URGENCY[urgency]
    return {
        "patient": patient,
        "due_at": due_at,
        "late_s": (at - due_at).total_seconds() if due_at and due_at < at else 0,
        "urgency": urgency,
        "label": label,
        "kind": kind,
        "what": wording.KIND_FOR_STAFF.get(patient.next_kind, ""),
        "url": reverse("coaching:check_in", args=[patient.next_check_in_id])
        if patient.next_check_in_id
        else reverse("coaching:patient", args=[patient.pk]),
    }


@for_role("coach", "psychiatrist")
def patient_page(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """One person's calls and daily answers."""
    at = clock.now()
    patient = visible_patient(request.user, patient_id)
    open_chart(patient, by=request.user, at=at, why="check-ins")
    page = message_access.threads_page(request.user, at=at, patient=patient, limit=3)
    data = message_access.numbers(at=at)
    threads = [
        {"row": thread, "topic": message_access.topic_of(thread.topic, data=data)["label"]}
        for thread in page.rows
    ]
    return render(request, "coach/patient.html", _person(request, patient, at) | {"threads": threads})


def _person(request: HttpRequest, patient: Any, at: datetime) -> dict[str, Any]:
    given = access.given_of(patient)
    return {
        "patient": patient,
        "upcoming": [
            {
                "row": row,
                "label": wording.URGENCY[
                    rules.urgency(due_at=row.due_at, at=at, zone=request.user.time_zone)
                ],
            }
            for row in access.open_check_ins_of(patient)
        ],
        "given": given,
        "opted_out": has_opted_out(patient),
        "kinds": wording.KIND_FOR_STAFF,
        "effects": wording.SIDE_EFFECTS,
        "alerts": list(open_alerts_for(request.user).filter(patient=patient)[:10]),
        "holds": list(holds_of(patient)),
        "at": at,
    }


@for_role("coach", "psychiatrist")
@intents.guard
def check_in(request: HttpRequest, check_in_id: uuid.UUID) -> HttpResponse:
    """One planned call: what to ask, and what was answered."""
    at = clock.now()
    row = access.visible_check_in(request.user, check_in_id)
    if not row.is_by_coach:
        raise NotVisible("There is no such page.")
    patient = row.patient
    if request.method == "POST":
        form = CallForm(request.POST)
        if form.is_valid():
            try:
                given = actions.give_check_in(row, by=request.user, at=at, **form.cleaned_data)
            except Conflict:
                if not form.cleaned_data["suicidal_thoughts"]:
                    raise
                return _stay_on_the_line(request, row, at)
            if given.crisis:
                return _stay_on_the_line(request, row, at, given=given)
            # A psychiatrist calls where the patient has no coach who is here.
            return redirect("coaching:caseload" if request.user.role == "coach" else "/home/")
    else:
        form = CallForm()
        open_chart(patient, by=request.user, at=at, why="check-in")
    context = _person(request, patient, at) | {
        "check_in": row,
        "form": form,
        "intent": intents.mint(),
        "kind": wording.KIND_FOR_STAFF[row.kind],
        "minutes": wording.MINUTES[row.kind],
    }
    response = render(
        request, "coach/check_in.html", context, status=422 if request.method == "POST" else 200
    )
    if request.method == "POST" and request.POST.get("suicidal_thoughts") == "yes":
        # The form needs another look, the answer does not: people are called now, and nothing typed is lost.
        actions.hear_safety_answer(patient, by=request.user, at=at, source=row)
        response.replay_url = reverse("coaching:patient", args=[patient.pk])  # type: ignore[attr-defined]
    return response


def _stay_on_the_line(
    request: HttpRequest, row: CheckIn, at: datetime, *, given: actions.Given | None = None
) -> HttpResponse:
    """What a coach does now. Without a check-in that was kept, the safety answer alone calls people (HZ-08)."""
    if given is None:
        actions.hear_safety_answer(row.patient, by=request.user, at=at, source=row)
    response = render(
        request, "coach/check_in_crisis.html", {"patient": row.patient, "given": given, "at": at}
    )
    response.replay_url = reverse("coaching:patient", args=[row.patient_id])  # type: ignore[attr-defined]
    return response


@for_role("patient")
@intents.guard
def daily(request: HttpRequest) -> HttpResponse:
    """Half a minute: mood, safety, effects."""
    at = clock.now()
    patient = patient_of(request.user)
    today = access.daily_of(patient, access.local_day(patient, at))
    done = today is not None and today.done_at is not None
    again = request.GET.get("again") == "1" or request.method == "POST"
    if request.method == "POST":
        form = DailyForm(request.POST)
        if form.is_valid():
            given = actions.check_in_today(patient, by=request.user, at=at, **form.cleaned_data)
            if given.crisis or given.triggers:
                response = render(request, "patient/check_in_help.html", _help(given))
                # A replay shows help again, not the thanks of the day.
                response.replay_url = reverse("help")  # type: ignore[attr-defined]
                return response
            return redirect("coaching:daily")
        if request.POST.get("suicidal_thoughts") == "yes":
            # Half filled, but what was said about safety must not wait for the rest (HZ-08).
            actions.hear_safety_answer(patient, by=request.user, at=at)
            response = render(
                request,
                "patient/check_in_help.html",
                {
                    "crisis": True,
                    "sentences": [],
                    "urgent": True,
                    "emergency": False,
                    "kind_daily": CheckIn.Kind.DAILY,
                },
            )
            response.replay_url = reverse("help")  # type: ignore[attr-defined]
            return response
    else:
        form = DailyForm()
    context = {
        "done": done and not again,
        "today": today,
        "form": form,
        "intent": intents.mint(),
        "recent": [row for row in access.given_of(patient, 7) if row.kind in rules.BY_PATIENT],
    }
    return render(request, "patient/check_in.html", context, status=422 if request.method == "POST" else 200)


def _help(given: actions.Given) -> dict[str, Any]:
    """What the page says on the same response: help first, then what happens with each effect."""
    emergency = "X01" in given.triggers
    # Beside "call 911 now" nothing may stand that says it will pass.
    told = [code for code in sorted(given.triggers) if code in wording.AFTER_TRIGGER]
    if emergency:
        told = [code for code in told if code != "X13"]
    return {
        "crisis": given.crisis,
        "sentences": [wording.AFTER_TRIGGER[code] for code in told],
        "urgent": bool(given.triggers & wording.URGENT),
        "emergency": emergency,
        "kind_daily": CheckIn.Kind.DAILY,
    }
