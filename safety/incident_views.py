"""Pages about what went wrong: a report about the medicine, adverse events with what a psychiatrist makes of them, their rate."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from accounts.access import visible_patient
from accounts.guards import for_role
from common import audit, clock, intents
from common.errors import Invalid
from safety import access, actions, event_access
from safety.incident_forms import (
    ACTION_CHOICES,
    CAUSALITY_CHOICES,
    OUTCOME_CHOICES,
    SERIOUS_WORDS,
    AssessForm,
    EventForm,
    IncidentForm,
)
from safety.models import AdverseEvent

CARE_TEAM = ("psychiatrist", "coach")
STAFF = (*CARE_TEAM, "administrator")
RATE_DAYS = 365


def _refused(form: Any, refused: Invalid) -> None:
    for name, words in (refused.fields or {"": refused.detail}).items():
        form.add_error(name if name in form.fields else None, words)


def _said(request: HttpRequest, kinds: list[tuple[str, str]]) -> str:
    """The kind that stands in what was sent, whatever else of the form is missing or wrong: it is heard all the same."""
    kind = request.POST.get("kind", "")
    return kind if kind in dict(kinds) else ""


def _heard(form: IncidentForm) -> dict[str, Any]:
    """What of the rest of the form can be used."""
    form.is_valid()
    given = getattr(form, "cleaned_data", {})
    return {name: given.get(name) for name in ("happened_at", "units_missing")} | {
        "description": given.get("description") or form.data.get("description", "")[:4000]
    }


@for_role("patient")
@require_http_methods(["GET", "POST"])
@intents.guard
def report_medicine(request: HttpRequest) -> HttpResponse:
    """A patient says that medicine is gone, or that somebody else took it. Help stands in the very answer (PR-06)."""
    at = clock.now()
    kinds = event_access.kinds_for("patient", at=at)
    form = IncidentForm(
        request.POST if request.method == "POST" else None, zone=request.user.time_zone, kinds=kinds
    )
    poison = access.incident_kinds(at=at)["poison_control"]
    if request.method == "POST":
        kind = _said(request, kinds)
        if kind:
            patient = visible_patient(request.user, request.user.pk)
            told = actions.report_incident(patient=patient, kind=kind, by=request.user, at=at, **_heard(form))
            response = render(
                request, "patient/medicine_reported.html", {"exposure": told.exposure, "poison": poison}
            )
            response.replay_url = reverse("safety:medicine_reported")  # type: ignore[attr-defined]
            return response
        form.is_valid()
    return render(
        request,
        "patient/medicine_report.html",
        {"form": form, "poison": poison, "intent": intents.mint()},
        status=422 if form.errors else 200,
    )


@for_role("patient")
@require_GET
def medicine_reported(request: HttpRequest) -> HttpResponse:
    """The same help once more, for a form that was sent twice."""
    poison = access.incident_kinds(at=clock.now())["poison_control"]
    return render(request, "patient/medicine_reported.html", {"exposure": True, "poison": poison})


@for_role(*CARE_TEAM)
@require_http_methods(["GET", "POST"])
@intents.guard
def report_incident(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """The care team reports a loss, an exposure or a sign of misuse."""
    at = clock.now()
    patient = visible_patient(request.user, patient_id)
    form = IncidentForm(
        request.POST if request.method == "POST" else None,
        zone=request.user.time_zone,
        kinds=event_access.kinds_for("staff", at=at),
    )
    if request.method == "POST" and form.is_valid():
        told = actions.report_incident(patient=patient, by=request.user, at=at, **form.cleaned_data)
        messages.success(
            request, "It is reported. People are told, and no parcel leaves until a psychiatrist clears it."
        )
        return redirect("safety:event", told.event.pk)
    return render(
        request,
        "coach/incident.html",
        {
            "patient": patient, "form": form, "intent": intents.mint(), "poison": access.incident_kinds(at=at)["poison_control"],
        },
        status=422 if form.errors else 200,
    )  # fmt: skip


@for_role(*CARE_TEAM)
@require_http_methods(["GET", "POST"])
@intents.guard
def new_event(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """The care team writes an adverse event down."""
    at = clock.now()
    patient = visible_patient(request.user, patient_id)
    form = EventForm(request.POST if request.method == "POST" else None, zone=request.user.time_zone)
    if request.method == "POST" and form.is_valid():
        try:
            event = actions.record_adverse_event(patient=patient, by=request.user, at=at, **form.cleaned_data)
        except Invalid as refused:
            _refused(form, refused)
        else:
            messages.success(request, "The event is recorded.")
            return redirect("safety:event", event.pk)
    return render(
        request,
        "psychiatrist/event_new.html",
        {"patient": patient, "form": form, "intent": intents.mint()},
        status=422 if form.errors else 200,
    )


@for_role(*STAFF)
@require_GET
def events(request: HttpRequest) -> HttpResponse:
    """Adverse events, newest first, with the practice's rate against sessions and people."""
    at = clock.now()
    category = request.GET.get("category", "")
    rows, older = event_access.events_page(
        request.user, category=category, before=request.GET.get("before", "")
    )
    kinds = event_access.kind_words(at=at)
    return render(
        request,
        "psychiatrist/events.html",
        {
            "rows": [{"event": row, "words": kinds.get(row.kind, row.kind)} for row in rows],
            "older": older,
            "category": category if category in dict(event_access.CATEGORIES) else "",
            "categories": event_access.CATEGORIES,
            "rates": event_access.rates(since=at - timedelta(days=RATE_DAYS), until=at),
            "days": RATE_DAYS,
            "causality": dict(CAUSALITY_CHOICES),
            "outcomes": dict(OUTCOME_CHOICES),
        },
    )


def _initial(event: AdverseEvent) -> dict[str, Any]:
    names = (
        "severity",
        "seriousness",
        "causality",
        "action_on_drug",
        "outcome",
        "description",
        "resolved_at",
    )
    return {name: getattr(event, name) for name in names} | {
        "pharmacy_told": event.pharmacy_told_at is not None,
        "medwatch_told": event.medwatch_told_at is not None,
    }


def _event_page(request: HttpRequest, event: AdverseEvent, form: AssessForm, at: datetime) -> HttpResponse:
    return render(
        request,
        "psychiatrist/event.html",
        {
            "event": event,
            "words": event_access.kind_words(at=at).get(event.kind, event.kind),
            "may_read": event_access.may_read_words(request.user, event),
            "may_assess": request.user.role == "psychiatrist",
            "serious": [SERIOUS_WORDS[code] for code in event.seriousness],
            "causality": dict(CAUSALITY_CHOICES)[event.causality],
            "action": dict(ACTION_CHOICES)[event.action_on_drug],
            "outcome": dict(OUTCOME_CHOICES)[event.outcome],
            "reporter": access.person_words(event.reported_by),
            "form": form,
            "intent": intents.mint(),
        },
        status=422 if form.errors else 200,
    )


@for_role(*STAFF)
@require_http_methods(["GET", "POST"])
@intents.guard
def event(request: HttpRequest, event_id: uuid.UUID) -> HttpResponse:
    """One event; a psychiatrist judges it here."""
    at = clock.now()
    found = event_access.visible_event(request.user, event_id)
    zone = request.user.time_zone
    if request.method != "POST":
        audit.record(
            "adverse_event.opened", by=request.user, at=at, about=found, patient_id=found.patient_id
        )  # fmt: skip
        return _event_page(request, found, AssessForm(zone=zone, initial=_initial(found)), at)
    form = AssessForm(request.POST, zone=zone)
    if form.is_valid():
        try:
            actions.assess_adverse_event(found, by=request.user, at=at, **form.cleaned_data)
        except Invalid as refused:
            _refused(form, refused)
        else:
            messages.success(request, "Your judgement is recorded. Earlier versions stay.")
            return redirect("safety:event", found.pk)
    return _event_page(request, found, form, at)
