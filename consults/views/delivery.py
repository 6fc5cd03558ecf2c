"""Kit and practice readings for the patient; kit, photo and lost parcels for the care team."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import patient_of, visible_patient
from accounts.guards import for_role
from common import audit, clock, files, intents
from common.errors import Invalid, NotVisible
from consults import access, actions
from consults.forms_delivery import GiveUpForm, KitForm, KitShipForm, PracticeForm
from consults.views.common import banner_of


@for_role("patient")
@require_http_methods(["GET", "HEAD", "POST"])
@intents.guard
def kit(request: HttpRequest) -> HttpResponse:
    """The kit is here: is everything in it?"""
    patient, at = patient_of(request.user), clock.now()
    row = access.open_kit(patient)
    if row is None:
        return redirect("consults:medicine")
    labels = actions.kit_contents(at=at)
    form = KitForm(
        request.POST or None,
        request.FILES or None,
        choices=[(code, labels.get(code, code)) for code in row.contents],
    )
    if request.method == "POST" and form.is_valid():
        try:
            actions.confirm_kit(
                row,
                missing=form.cleaned_data["missing"],
                photo=form.cleaned_data["photo"],
                by=request.user,
                at=at,
            )
            return redirect("consults:medicine")
        except Invalid as error:
            form.add_error("photo", error.detail)
    context = {"form": form, "kit": row, "intent": intents.mint()}
    return render(request, "patient/consults/kit.html", context, status=422 if form.errors else 200)


@for_role("patient")
@require_http_methods(["GET", "HEAD", "POST"])
@intents.guard
def practice(request: HttpRequest) -> HttpResponse:
    """A reading to get used to the cuff."""
    patient, at = patient_of(request.user), clock.now()
    form = PracticeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        outcome = actions.practice_reading(patient, by=request.user, at=at, **form.cleaned_data)
        if outcome.reading.rejected:
            form.add_error(
                None, "That cannot be right. Sit still, put the cuff on again, and measure once more."
            )
        else:
            messages.success(request, "Saved.")
            return redirect("consults:medicine")
    context = {"form": form, "intent": intents.mint()}
    return render(request, "patient/consults/practice.html", context, status=422 if form.errors else 200)


@for_role("psychiatrist", "coach")
@require_http_methods(["GET", "HEAD", "POST"])
@intents.guard
def ship_kit(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """A kit is on its way."""
    patient, at = visible_patient(request.user, patient_id), clock.now()
    form = KitShipForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        actions.ship_kit(patient, by=request.user, at=at, **form.cleaned_data)
        return redirect("consults:treatment", patient.pk)
    context = {
        "banner": banner_of(patient, at), "patient": patient, "form": form, "contents": actions.kit_contents(at=at).values(),
        "intent": intents.mint(),
    }  # fmt: skip
    return render(request, "psychiatrist/consults/ship_kit.html", context, status=422 if form.errors else 200)


@for_role("psychiatrist", "coach")
@require_http_methods(["GET", "HEAD", "POST"])
@intents.guard
def give_up(request: HttpRequest, parcel_id: uuid.UUID) -> HttpResponse:
    """A parcel of medicine is lost or of no use."""
    parcel, at = access.visible_parcel(request.user, parcel_id), clock.now()
    form = GiveUpForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        actions.give_up_parcel(parcel, why=form.cleaned_data["why"], by=request.user, at=at)
        return redirect("consults:treatment", parcel.patient_id)
    context = {
        "banner": banner_of(parcel.patient, at),
        "parcel": parcel,
        "form": form,
        "intent": intents.mint(),
    }
    return render(request, "psychiatrist/consults/give_up.html", context, status=422 if form.errors else 200)


@for_role("psychiatrist", "coach")
@require_POST
@intents.guard
def give_up_kit(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """A kit is lost: another one can be sent."""
    patient = visible_patient(request.user, patient_id)
    row = access.open_kit(patient)
    if row is not None:
        actions.give_up_parcel(row, why="lost on the way", by=request.user, at=clock.now())
    return redirect("consults:treatment", patient.pk)


@for_role("psychiatrist", "coach")
@require_GET
def photo(request: HttpRequest, parcel_id: uuid.UUID) -> HttpResponse:
    """The patient's photo of what she counted; each look leaves a trace."""
    parcel, at = access.visible_parcel(request.user, parcel_id), clock.now()
    found = access.photo_of(parcel)
    if found is None:
        raise NotVisible("There is no such page.")
    audit.record("parcel.photo_seen", by=request.user, at=at, about=found, patient_id=parcel.patient_id)
    return files.serve(found.file, name="parcel")
