"""An earlier time: asking for one, and answering when one is kept for you."""

import uuid
from datetime import time

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts.access import patient_of
from accounts.guards import for_role
from common import clock, intents
from common.errors import NotVisible
from consults import access, actions
from consults.access.waiting import visible_offer, waiting_entry
from consults.forms_booking import WaitingForm
from consults.models import VisitType
from consults.rules.slots import when_words
from consults.views.common import visit_row
from consults.views.times import KINDS


@for_role("patient")
@require_http_methods(["GET", "POST"])
@intents.guard
def waiting(request: HttpRequest, visit_type: str) -> HttpResponse:
    """Ask for an earlier time of this kind, change the wishes, or stop waiting."""
    patient, at = patient_of(request.user), clock.now()
    if visit_type not in KINDS or visit_type not in access.bookable_types(patient):
        raise NotVisible("There is no such page.")
    entry = waiting_entry(patient, visit_type)
    if request.method == "POST" and request.POST.get("leave") and entry is not None:
        actions.leave_waiting_list(entry, by=request.user, at=at)
        return redirect("consults:home")
    initial = {
        "weekdays": entry.weekdays if entry else [0, 1, 2, 3, 4],
        "from_time": entry.from_time if entry else time(9),
        "until_time": entry.until_time if entry else time(17),
    }
    form = WaitingForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        actions.join_waiting_list(patient, visit_type=visit_type, by=request.user, at=at, **form.cleaned_data)
        return redirect("consults:waiting", visit_type)
    context = {
        "title": KINDS[VisitType(visit_type)][0],
        "form": form,
        "entry": entry,
        "address": reverse("consults:waiting", args=[visit_type]),
        "visit_type": visit_type,
        "intent": intents.mint(),
        "leave_intent": intents.mint(),
    }
    return render(request, "patient/consults/waiting.html", context, status=422 if form.errors else 200)


@for_role("patient")
@require_http_methods(["GET", "POST"])
@intents.guard
def offer(request: HttpRequest, offer_id: uuid.UUID) -> HttpResponse:
    """A time that is kept for her: take it, or pass it on."""
    patient, at = patient_of(request.user), clock.now()
    row = visible_offer(patient, offer_id)
    if request.method == "POST":
        if request.POST.get("answer") == "pass":
            actions.pass_offer(row, by=request.user, at=at)
            return redirect("consults:home")
        visit = actions.take_offer(row, by=request.user, at=at)
        return redirect("consults:appointment", visit.pk)
    zone = patient.user.time_zone
    booked = row.entry.appointment
    moves = booked is not None and booked.state == "booked" and booked.starts_at > at
    context = {
        "visit": visit_row(row.hold, zone),
        "open": row.state == "offered" and row.expires_at > at and row.hold.state == "held",
        "taken": row.state == "taken",
        "until": row.expires_at,
        "instead_of": when_words(booked.starts_at, zone) if moves and booked else "",
        "blockers": access.blockers(patient, row.hold.visit_type, at) if not moves else [],
        "intent": intents.mint(),
        "pass_intent": intents.mint(),
    }
    return render(request, "patient/consults/offer.html", context)
