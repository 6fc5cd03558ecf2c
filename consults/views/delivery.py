"""Kit and practice readings for the patient; kit, photo and lost parcels for the care team."""

import uuid
from datetime import datetime

from django.contrib import messages
from django.db import transaction
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import patient_of, visible_patient
from accounts.actions import open_chart
from accounts.guards import for_role
from common import audit, clock, files, intents
from common.errors import Conflict, Invalid, NotVisible
from consults import access, actions
from consults.forms_delivery import (
    AddressForm,
    ArrivedForm,
    FoundForm,
    GiveUpForm,
    KitForm,
    KitShipForm,
    LookForm,
    PracticeForm,
    StockCountForm,
    StockMoveForm,
)
from consults.models import Fulfilment
from consults.views.common import banner_of
from vitals.wording import BAND


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
        elif outcome.alert is not None or outcome.reading.band in ("high", "crisis"):
            # Help in the very answer to it; a form sent twice goes back to the medicine page.
            answer = render(
                request,
                "patient/consults/practice_high.html",
                {
                    "reading": outcome.reading,
                    "word": BAND[outcome.band].patient,  # type: ignore[index]
                    "told": outcome.alert is not None,
                },
            )
            answer.replay_url = reverse("consults:medicine")  # type: ignore[attr-defined]
            return answer
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


def _about_parcel(
    request: HttpRequest, page: str, parcel: Fulfilment, form: Form, at: datetime
) -> HttpResponse:
    """One question about one parcel: whose it is, what is in it, and the form."""
    context = {
        "banner": banner_of(parcel.patient, at),
        "parcel": parcel,
        "form": form,
        "intent": intents.mint(),
    }
    return render(request, f"psychiatrist/consults/{page}.html", context, status=422 if form.errors else 200)


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
    return _about_parcel(request, "give_up", parcel, form, at)


@for_role("psychiatrist")
@require_http_methods(["GET", "HEAD", "POST"])
@intents.guard
def found(request: HttpRequest, parcel_id: uuid.UUID) -> HttpResponse:
    """A parcel of medicine that was given up is in the patient's hands after all."""
    parcel, at = access.visible_parcel(request.user, parcel_id), clock.now()
    form = FoundForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            actions.turned_up(parcel, note=form.cleaned_data["note"], by=request.user, at=at)
            return redirect("consults:treatment", parcel.patient_id)
        except (Conflict, Invalid) as error:
            form.add_error("note", error.detail)
    return _about_parcel(request, "found", parcel, form, at)


@for_role("psychiatrist", "coach")
@require_http_methods(["GET", "HEAD", "POST"])
@intents.guard
def delivered(request: HttpRequest, parcel_id: uuid.UUID) -> HttpResponse:
    """The carrier says that it arrived, and which adult signed."""
    parcel, at = access.visible_parcel(request.user, parcel_id), clock.now()
    form = ArrivedForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            actions.mark_delivered(parcel, by=request.user, at=at)
            actions.record_signature(
                parcel,
                signed_for_by=form.cleaned_data["signed_for_by"],
                adult=form.cleaned_data["adult"],
                by=request.user,
                at=at,
            )
        return redirect("consults:treatment", parcel.patient_id)
    return _about_parcel(request, "arrived", parcel, form, at)


@for_role("psychiatrist", "coach")
@require_http_methods(["GET", "HEAD", "POST"])
@intents.guard
def look(request: HttpRequest, parcel_id: uuid.UUID) -> HttpResponse:
    """What a patient without a camera for it counted, seen together on a video call."""
    parcel, at = access.visible_parcel(request.user, parcel_id), clock.now()
    form = LookForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            actions.look_together(parcel, by=request.user, at=at, **form.cleaned_data)
            return redirect("consults:treatment", parcel.patient_id)
        except Conflict as error:
            form.add_error("counted", error.detail)
        except Invalid as error:
            form.add_error("note", error.detail)
    return _about_parcel(request, "look", parcel, form, at)


@for_role("psychiatrist", "coach")
@require_http_methods(["GET", "HEAD", "POST"])
@intents.guard
def stock(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    """The ledger of a medicine: what came, what was taken, what is left; a count made together, or units that left without a dose."""
    row, at = access.visible_order(request.user, order_id), clock.now()
    if row.signed_at is None:
        raise NotVisible("There is no such page.")
    counting = request.method == "POST" and request.POST.get("what") == "count"
    moving = request.method == "POST" and not counting
    count_form = StockCountForm(request.POST if counting else None)
    move_form = StockMoveForm(request.POST if moving else None)
    if counting and count_form.is_valid():
        actions.count_stock(
            row, counted=count_form.cleaned_data["counted"], by=request.user, at=at, note="counted together"
        )
        return redirect("consults:stock", row.pk)
    if moving and move_form.is_valid():
        try:
            actions.move_stock(row, by=request.user, at=at, **move_form.cleaned_data)
            return redirect("consults:stock", row.pk)
        except Invalid as error:
            for name, sentence in (error.fields or {"units": error.detail}).items():
                move_form.add_error(name, sentence)
    if request.method == "GET":
        open_chart(row.patient, by=request.user, at=at, why="stock")
    context = {
        "banner": banner_of(row.patient, at),
        "order": row,
        "stock": access.stock_of(row, at=at),
        "moves": list(row.stock_moves.select_related("by").order_by("-at")),
        "counts": list(access.counts_of(row.patient)[:10]),
        "count_form": count_form,
        "move_form": move_form,
        "zone": request.user.time_zone,
        "mint": intents.mint,
    }
    wrong = count_form.errors or move_form.errors
    return render(request, "psychiatrist/consults/stock.html", context, status=422 if wrong else 200)


@for_role("psychiatrist", "coach")
@require_http_methods(["GET", "HEAD", "POST"])
@intents.guard
def address(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """An address that changed under a signed order is read back to the patient before a parcel goes there (HZ-19)."""
    patient, at = visible_patient(request.user, patient_id), clock.now()
    form = AddressForm(request.POST or None)
    order = access.active_order(patient, at)
    if request.method == "POST" and form.is_valid():
        actions.check_address(patient, how=form.cleaned_data["how"], by=request.user, at=at)
        return redirect("consults:treatment", patient.pk)
    context = {
        "banner": banner_of(patient, at),
        "patient": patient,
        "signed": access.address_of_order(order) if order else "",
        "form": form,
        "intent": intents.mint(),
    }
    return render(request, "psychiatrist/consults/address.html", context, status=422 if form.errors else 200)


@for_role("patient")
@require_http_methods(["GET", "HEAD", "POST"])
@intents.guard
def count_left(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    """The patient counts what is left at home. The number we expect is not shown before."""
    patient, at = patient_of(request.user), clock.now()
    order = access.orders_of(patient).filter(pk=order_id).first()
    if order is None:
        raise NotVisible("There is no such page.")
    form = StockCountForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        kept = actions.count_stock(order, counted=form.cleaned_data["counted"], by=request.user, at=at)
        if not kept.differs:
            messages.success(request, "Saved. The number is right.")
        return redirect("consults:medicine")
    context = {"order": order, "form": form, "intent": intents.mint()}
    return render(request, "patient/consults/count_left.html", context, status=422 if form.errors else 200)


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
