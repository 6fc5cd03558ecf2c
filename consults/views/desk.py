"""The care team books and moves for a patient who called: the same free times, the same rules, both zones beside each time."""

import uuid

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts.access import visible_patient
from accounts.guards import for_role
from common import clock, intents
from common.errors import NotVisible
from consults import access, actions, wording
from consults.access.doubt import doubts_of
from consults.access.slots import bookable_types
from consults.access.state_rules import booking_refusal_in
from consults.access.visits import is_accepted
from consults.models import VisitType
from consults.rules.slots import when_words, zone_words
from consults.views.common import banner_of, slot_from
from consults.views.times import KINDS, offer_times


@for_role("psychiatrist", "coach")
@require_http_methods(["GET", "POST"])
@intents.guard
def book_for(request: HttpRequest, patient_id: uuid.UUID, visit_type: str) -> HttpResponse:
    """A free time for this patient, booked at once; they get the same message as if they had chosen it."""
    patient, at = visible_patient(request.user, patient_id), clock.now()
    if visit_type not in KINDS or visit_type not in bookable_types(patient):
        raise NotVisible("There is no such page.")
    if request.method == "POST":
        clinician_id, starts_at = slot_from(request.POST.get("slot", ""))
        # Held and confirmed together: what blocks the booking leaves no hold behind.
        with transaction.atomic():
            held = actions.hold_slot(
                patient, visit_type=visit_type, clinician_id=clinician_id, starts_at=starts_at, by=request.user, at=at
            )  # fmt: skip
            row = actions.confirm_booking(held, by=request.user, at=at)
        return redirect("consults:visit", row.pk)
    refusals = [one["sentence"] for one in access.blockers(patient, visit_type, at)]
    if visit_type != VisitType.INTRO and not is_accepted(patient):
        refusals.append("The intake has not been accepted, so only an introduction can be booked.")
    gap = (
        booking_refusal_in(patient.state, at=at)
        if visit_type == VisitType.CONSULT and patient.state
        else None
    )
    if gap:
        refusals.append(wording.LAW_FOR_PATIENT[gap])
    if not patient.state:
        refusals.append("The patient's state is not known, so nobody can be offered.")
    context = offer_times(request, patient, visit_type, at) if not refusals else {}
    context |= {
        "patient": patient,
        "banner": banner_of(patient, at),
        "title": f"Book for this patient: {VisitType(visit_type).label.lower()}",
        "lead": "Choosing a time books it. The patient gets the confirmation, the calendar file and the reminders.",
        "reasons": [],
        "refusals": refusals,
        "kinds": [(kind, VisitType(kind).label) for kind in bookable_types(patient)],
        "visit_type": visit_type,
        "address": reverse("consults:book_for", args=[patient.pk, visit_type]),
        "back": reverse("consults:treatment", args=[patient.pk]),
        "zone_now": zone_words(at, patient.user.time_zone),
    }
    return render(request, "psychiatrist/consults/times.html", context)


@for_role("psychiatrist", "coach")
@require_http_methods(["GET", "POST"])
@intents.guard
def visit_move(request: HttpRequest, appointment_id: uuid.UUID) -> HttpResponse:
    """Another time, or somebody else, for a booked visit; everybody concerned hears of it."""
    row, at = access.visible_appointment(request.user, appointment_id), clock.now()
    if row.state == "held":
        raise NotVisible("There is no such page.")
    if row.state != "booked" or row.starts_at <= at:
        return redirect("consults:visit", row.pk)
    if request.method == "POST":
        clinician_id, starts_at = slot_from(request.POST.get("slot", ""))
        actions.reschedule(row, starts_at=starts_at, clinician_id=clinician_id, by=request.user, at=at)
        return redirect("consults:visit", row.pk)
    context = offer_times(request, row.patient, row.visit_type, at, moving=row)
    context |= {
        "patient": row.patient,
        "banner": banner_of(row.patient, at),
        "title": f"Another time: {row.get_visit_type_display().lower()}",
        "lead": (
            f"Now it is on {when_words(row.starts_at, request.user.time_zone)} with {row.clinician}. "
            "It stays so until you choose a time; the patient and whoever held it are told."
        ),
        "reasons": [
            wording.DOUBT[one].format(clinician=row.clinician, state=row.patient.state)
            for one in doubts_of([row], at=at).get(row.pk, [])
        ],
        "refusals": [],
        "kinds": [],
        "address": reverse("consults:visit_move", args=[row.pk]),
        "back": reverse("consults:visit", args=[row.pk]),
        "zone_now": zone_words(at, row.patient.user.time_zone),
    }
    return render(request, "psychiatrist/consults/times.html", context)
