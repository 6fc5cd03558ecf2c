"""The steps that are more than questions: medicines and blood pressure."""

import uuid

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from accounts.guards import for_role
from common import clock, intents
from intake import access, actions, states
from intake.access.formulary import Match, meant, search_medicines
from intake.forms import AddMedicineForm, ReadingForm
from intake.rules.steps import known_medicine
from intake.rules.steps import step as step_of
from intake.views.common import LIST, next_address, own_intake
from vitals.wording import BAND


@for_role("patient")
@require_http_methods(["GET", "HEAD", "POST"])
@intents.guard
def medicines(request: HttpRequest) -> HttpResponse:
    """The list of medicines. Open at any time: a new medicine after the decision asks the rules again (HZ-12)."""
    patient, intake = own_intake(request)
    if intake is None:
        return HttpResponseRedirect(reverse(LIST))
    asked = request.GET.get("q", "").strip()[:200]
    sent = request.POST.copy()
    if instead := sent.get("instead", ""):
        sent["name"] = instead
    form = AddMedicineForm(sent or None, initial={"name": request.GET.get("pick", "")[:200]})
    close: list[Match] = []
    if request.method == "POST" and form.is_valid():
        name = form.cleaned_data["name"]
        # A word we do not know is asked about once: a typing slip must not hide a class that matters (HZ-12).
        if known_medicine(name) is None and request.POST.get("as_typed") != name:
            close = meant(name)
        if not close:
            actions.add_medicine(patient, by=request.user, at=clock.now(), **form.cleaned_data)
            return HttpResponseRedirect(reverse("intake:medicines"))
    rows = access.active_medicines(patient)
    context = {
        "form": form,
        "step": step_of("medicines"),
        "medicines": [{"row": row, "intent": intents.mint()} for row in rows],
        "q": asked,
        "found": search_medicines(asked) if asked else [],
        "close": close,
        "typed": form.cleaned_data["name"] if close else "",
        "intent": intents.mint(),
        "intent_done": intents.mint(),
        "may_confirm": intake.state in states.PATIENT_WRITES,
        "confirmed": bool(intake.answers.get("medicines", {}).get("complete")),
    }
    return render(request, "patient/intake/medicines.html", context, status=422 if form.is_bound else 200)


@for_role("patient")
@require_POST
@intents.guard
def medicine_remove(request: HttpRequest, medicine_id: uuid.UUID) -> HttpResponse:
    """Take a medicine off the list."""
    patient, _ = own_intake(request)
    actions.end_medicine(access.own_medicine(patient, medicine_id), by=request.user, at=clock.now())
    return HttpResponseRedirect(reverse("intake:medicines"))


@for_role("patient")
@require_POST
@intents.guard
def medicines_done(request: HttpRequest) -> HttpResponse:
    """The list is complete."""
    _, intake = own_intake(request)
    if intake is None:
        return HttpResponseRedirect(reverse(LIST))
    intake = actions.confirm_medicines(intake, by=request.user, at=clock.now())
    return HttpResponseRedirect(next_address(intake, "medicines"))


@for_role("patient")
@require_http_methods(["GET", "HEAD", "POST"])
@intents.guard
def blood_pressure(request: HttpRequest) -> HttpResponse:
    """Two readings, one to two minutes apart; a third when they differ. What must not wait is answered at once."""
    patient, intake = own_intake(request)
    if intake is None:
        return HttpResponseRedirect(reverse(LIST))
    form = ReadingForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        recorded = actions.record_intake_reading(intake, by=request.user, at=clock.now(), **form.cleaned_data)
        if recorded.alert is not None:
            context = {"reading": recorded.reading, "word": BAND[recorded.band].patient}  # type: ignore[index]
            response = render(request, "patient/intake/reading_high.html", context)
            response.replay_url = reverse("intake:bp")  # type: ignore[attr-defined]
            return response
        return HttpResponseRedirect(reverse("intake:bp"))
    readings = [row for row in access.intake_readings(patient) if row.received_at >= intake.created_at]
    done = "bp" not in actions.steps_left(intake)
    good = [row for row in readings if not row.rejected]
    context = {
        "form": form,
        "step": step_of("bp"),
        "readings": [{"row": row, "word": BAND[row.band].patient} for row in readings],  # type: ignore[index]
        "done": done,
        "which": ("The first reading", "The second reading", "A third reading, because the two differ")[
            min(len(good), 2)
        ],
        "go_on": next_address(intake, "bp") if done else "",
        "intent": intents.mint(),
        "mine": intake.state in states.PATIENT_WRITES,
    }
    return render(request, "patient/intake/bp.html", context, status=422 if form.is_bound else 200)
