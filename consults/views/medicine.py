"""The patient's orders and parcels, and the order as a document for both sides."""

import uuid

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from accounts.access import patient_of
from accounts.actions import open_chart
from accounts.guards import for_role
from common import clock, intents
from common.errors import Invalid, NotVisible
from consults import access, actions
from consults.forms import CountForm
from consults.paper import order_pdf


@for_role("patient")
@require_GET
def medicine(request: HttpRequest) -> HttpResponse:
    """What was ordered for her, where the parcel is, and what she counted."""
    patient, at = patient_of(request.user), clock.now()
    context = {
        "order": access.active_order(patient, at),
        "orders": list(access.orders_of(patient)),
        "parcels": list(access.fulfilments_of(patient)),
        "kit": access.open_kit(patient),
        "practice_days": access.practice_days(patient),
        "stocks": access.stocks_of(patient, at=at),
        "last_count": access.counts_of(patient).first(),
    }
    return render(request, "patient/consults/medicine.html", context)


@for_role("patient")
@require_http_methods(["GET", "POST"])
@intents.guard
def count(request: HttpRequest, parcel_id: uuid.UUID) -> HttpResponse:
    """The parcel is here, and this many are in it."""
    patient, at = patient_of(request.user), clock.now()
    parcel = access.fulfilments_of(patient).filter(pk=parcel_id).first()
    if parcel is None:
        raise NotVisible("There is no such page.")
    form = CountForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                actions.confirm_count(
                    parcel,
                    count=form.cleaned_data["count"],
                    damaged=form.cleaned_data["damaged"] or 0,
                    without_photo=form.cleaned_data["photo"] is None,
                    by=request.user,
                    at=at,
                )
                if form.cleaned_data["photo"] is not None:
                    actions.add_photo(parcel, upload=form.cleaned_data["photo"], by=request.user, at=at)
            return redirect("consults:medicine")
        except Invalid as error:
            form.add_error("damaged" if "damaged" in error.fields else "photo", error.detail)
    context = {"parcel": parcel, "form": form, "intent": intents.mint()}
    return render(request, "patient/consults/count.html", context, status=422 if form.errors else 200)


@for_role("patient", "psychiatrist", "coach")
@require_GET
def pdf(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    """The same as PDF."""
    row, at = access.visible_order(request.user, order_id), clock.now()
    if row.signed_at is None:
        raise NotVisible("There is no such page.")
    if request.user.role != "patient":
        open_chart(row.patient, by=request.user, at=at, why="order")
    response = HttpResponse(order_pdf(row), content_type="application/pdf")
    response.headers["Content-Disposition"] = 'attachment; filename="order.pdf"'
    return response


@for_role("patient", "psychiatrist", "coach")
@require_GET
def order(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    """The order as a document that prints. It says that Hearthside itself sends no controlled prescription."""
    row, at = access.visible_order(request.user, order_id), clock.now()
    if row.signed_at is None:
        return redirect("consults:order_review", row.pk)
    staff = request.user.role != "patient"
    if staff:
        open_chart(row.patient, by=request.user, at=at, why="order")
    context = {
        "order": row,
        "in_force": row.is_in_force,
        "staff": staff,
        "patient_zone": row.patient.user.time_zone,
    }
    folder = "psychiatrist" if staff else "patient"
    return render(request, f"{folder}/consults/order.html", context)
