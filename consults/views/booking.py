"""The patient's visits: what is booked, free times, hold, confirm, move, cancel, join, and the calendar file."""

import uuid
from datetime import timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import patient_of
from accounts.guards import for_role
from common import clock, intents
from common.errors import NotVisible
from consults import access, actions, wording
from consults.access.doubt import doubts_of
from consults.access.slots import visit_settings
from consults.access.state_rules import booking_refusal_in
from consults.access.visits import can_join, is_accepted
from consults.access.waiting import entry_to, offer_of_hold, waiting_entry
from consults.forms_booking import EntryForm
from consults.gateways.calendar import invitation, method_of
from consults.models import Appointment, VisitType
from consults.rules.slots import offset_change_words
from consults.views.common import slot_from, visit_row
from consults.views.times import KINDS, offer_times


@for_role("patient")
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """What is booked, and what can be booked."""
    patient, at = patient_of(request.user), clock.now()
    zone = patient.user.time_zone
    accepted = is_accepted(patient)
    rows = [visit_row(row, zone) for row in access.appointments_of(patient)[:50]]
    kinds = [
        {"type": kind, "title": KINDS[VisitType(kind)][0], "text": KINDS[VisitType(kind)][1]}
        for kind in access.bookable_types(patient)
        if accepted or kind == VisitType.INTRO
    ]
    context = {
        "coming": sorted(
            [v for v in rows if v["row"].state == "booked" and v["row"].ends_at > at],
            key=lambda v: v["row"].starts_at,
        ),
        "past": [v for v in rows if v["row"].state not in ("held", "booked") or v["row"].ends_at <= at],
        "held": [v for v in rows if v["row"].state == "held" and v["row"].hold_expires_at > at],
        "kinds": kinds,
        "accepted": accepted,
    }
    return render(request, "patient/consults/home.html", context)


@for_role("patient")
@require_http_methods(["GET", "POST"])
@intents.guard
def book(request: HttpRequest, visit_type: str) -> HttpResponse:
    """Free times; choosing one keeps it for ten minutes."""
    patient, at = patient_of(request.user), clock.now()
    if visit_type not in KINDS:
        raise NotVisible("There is no such page.")
    if request.method == "POST":
        clinician_id, starts_at = slot_from(request.POST.get("slot", ""))
        row = actions.hold_slot(
            patient,
            visit_type=visit_type,
            clinician_id=clinician_id,
            starts_at=starts_at,
            by=request.user,
            at=at,
        )
        return redirect("consults:confirm", row.pk)
    title, text = KINDS[VisitType(visit_type)]
    if visit_type != VisitType.INTRO and not is_accepted(patient):
        return redirect("consults:home")
    if not patient.state:
        return render(request, "patient/consults/state_needed.html", {"title": title})
    gap = booking_refusal_in(patient.state, at=at) if visit_type == VisitType.CONSULT else None
    if gap:
        context = {"title": title, "sentence": wording.LAW_FOR_PATIENT[gap]}
        return render(request, "patient/consults/state_closed.html", context)
    context = offer_times(request, patient, visit_type, at)
    context |= {"title": title, "text": text, "address": reverse("consults:book", args=[visit_type])}
    return render(request, "patient/consults/times.html", context)


def _own(request: HttpRequest, appointment_id: uuid.UUID) -> Appointment:
    return access.visible_appointment(request.user, appointment_id)


@for_role("patient")
@require_http_methods(["GET", "POST"])
@intents.guard
def confirm(request: HttpRequest, appointment_id: uuid.UUID) -> HttpResponse:
    """The time that is kept, what stands in the way if anything, and the button that books it."""
    row, at = _own(request, appointment_id), clock.now()
    kept = offer_of_hold(row)
    if kept is not None:
        return redirect("consults:offer", kept.pk)
    if request.method == "POST":
        actions.confirm_booking(row, by=request.user, at=at)
        return redirect("consults:appointment", row.pk)
    if row.state != "held":
        return redirect("consults:appointment", row.pk)
    if row.hold_expires_at is None or row.hold_expires_at <= at:
        return render(
            request,
            "patient/consults/hold_over.html",
            {"again": reverse("consults:book", args=[row.visit_type])},
        )
    context = {
        "visit": visit_row(row, row.patient.user.time_zone),
        "text": KINDS[VisitType(row.visit_type)][1],
        "blockers": access.blockers(row.patient, row.visit_type, at),
        "clocks": offset_change_words(at, row.starts_at, row.patient.user.time_zone),
        "held_until": row.hold_expires_at,
        "intent": intents.mint(),
        "cancel_intent": intents.mint(),
    }
    return render(request, "patient/consults/confirm.html", context)


@for_role("patient", "psychiatrist", "coach")
@require_GET
def appointment(request: HttpRequest, appointment_id: uuid.UUID) -> HttpResponse:
    """One visit: when, with whom, how it happens, and what can be done about it."""
    row, at = _own(request, appointment_id), clock.now()
    if request.user.role != "patient":
        return redirect("consults:visit", row.pk)
    if row.state == "held":
        return redirect("consults:confirm", row.pk)
    rules = visit_settings(at)
    context = {
        "visit": visit_row(row, row.patient.user.time_zone),
        "text": KINDS[VisitType(row.visit_type)][1],
        "can_join": can_join(row, at, rules["join_opens_minutes_before"]),
        "opens_minutes": rules["join_opens_minutes_before"],
        "can_change": row.state == "booked" and row.starts_at > at,
        "clocks": offset_change_words(at, row.starts_at, row.patient.user.time_zone),
        "doubts": [wording.DOUBT_FOR_PATIENT[one] for one in doubts_of([row], at=at).get(row.pk, [])[:1]],
        "waits": waiting_entry(row.patient, row.visit_type) is not None,
        "mint": intents.mint,
    }
    return render(request, "patient/consults/appointment.html", context)


@for_role("patient")
@require_http_methods(["GET", "POST"])
@intents.guard
def move(request: HttpRequest, appointment_id: uuid.UUID) -> HttpResponse:
    """Another time for a booked visit."""
    row, at = _own(request, appointment_id), clock.now()
    if row.state != "booked" or row.starts_at <= at:
        return redirect("consults:appointment", row.pk)
    if request.method == "POST":
        clinician_id, starts_at = slot_from(request.POST.get("slot", ""))
        actions.reschedule(row, starts_at=starts_at, clinician_id=clinician_id, by=request.user, at=at)
        return redirect("consults:appointment", row.pk)
    context = offer_times(request, row.patient, row.visit_type, at, moving=row)
    context |= {
        "title": "Choose another time",
        "text": f"Now it is on {visit_row(row, row.patient.user.time_zone)['when']}. It stays yours until you choose.",
        "address": reverse("consults:move", args=[row.pk]),
    }
    return render(request, "patient/consults/times.html", context)


@for_role("patient", "psychiatrist", "coach")
@require_http_methods(["GET", "POST"])
@intents.guard
def cancel(request: HttpRequest, appointment_id: uuid.UUID) -> HttpResponse:
    """Ask once, then give the time back."""
    row, at = _own(request, appointment_id), clock.now()
    if request.method == "POST":
        actions.cancel(row, by=request.user, at=at)
        return redirect("consults:home" if request.user.role == "patient" else "consults:calendar")
    folder = "patient" if request.user.role == "patient" else "psychiatrist"
    context = {
        "visit": visit_row(row, request.user.time_zone),
        "intent": intents.mint(),
        "who": str(row.patient),
    }
    return render(request, f"{folder}/consults/cancel.html", context)


@for_role("patient")
@require_http_methods(["GET", "POST"])
@intents.guard
def join(request: HttpRequest, appointment_id: uuid.UUID) -> HttpResponse:
    """Where she is, then how the visit happens. The psychiatrist's licence there is checked before the door opens."""
    row, at = _own(request, appointment_id), clock.now()
    rules = visit_settings(at)
    open_now = can_join(row, at, rules["join_opens_minutes_before"])
    entry = entry_to(row)
    tries = entry.tries if entry and not entry.confirmed_at else 0
    form = EntryForm(request.POST or None, initial={"state_now": row.patient.state})
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        came = actions.come_in(
            row,
            state_now=data["state_now"],
            date_of_birth=data.get("date_of_birth"),
            at_address_on_file=data["at_address"] == "yes",
            address_now=data["address_now"],
            by=request.user,
            at=at,
        )
        if came.turned_away_at is not None or row.meeting_url:
            return redirect("consults:join", row.pk)
        return redirect("video:room", actions.open_visit_room(row, by=request.user, at=at).pk)
    context = {
        "visit": visit_row(row, row.patient.user.time_zone),
        "open_now": open_now,
        "opens_at": row.starts_at - timedelta(minutes=rules["join_opens_minutes_before"]),
        "arrived": row.patient_arrived_at is not None,
        "room": access.room_of(row),
        "form": form,
        "address_on_file": row.patient.address,
        "turned_away": wording.TURNED_AWAY_FOR_PATIENT.get(entry.turned_away_why, "") if entry else "",
        "call_us": wording.BIRTH_DATE_CALL_US if tries >= actions.birth_date_tries(at) else "",
        "intent": intents.mint(),
        "phone": row.patient.user.phone,
    }
    return render(request, "patient/consults/join.html", context, status=422 if form.errors else 200)


@for_role("patient", "psychiatrist", "coach")
@require_POST
@intents.guard
def guests(request: HttpRequest, appointment_id: uuid.UUID) -> HttpResponse:
    """To the guests of this visit, days before it or during it."""
    row = _own(request, appointment_id)
    return redirect("video:guests", actions.open_visit_room(row, by=request.user, at=clock.now()).pk)


@for_role("patient", "psychiatrist", "coach")
@require_GET
def invite(request: HttpRequest, appointment_id: uuid.UUID) -> HttpResponse:
    """The visit as a calendar file; sent again after a change, it updates the entry in place."""
    row = _own(request, appointment_id)
    if row.booked_at is None:
        raise NotVisible("There is no such page.")
    # Whoever else of the care team asks for the file gets it as the clinician has it.
    reader = row.patient.user if request.user.pk == row.patient_id else row.clinician
    method = method_of(row, reader)
    response = HttpResponse(
        invitation(row, at=clock.now(), reader=reader),
        content_type=f"text/calendar; charset=utf-8; method={method}",
    )
    response["Content-Disposition"] = 'attachment; filename="appointment.ics"'
    return response
