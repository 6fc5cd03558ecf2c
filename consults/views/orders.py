"""The order, from draft to pharmacy."""

import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import visible_patient
from accounts.actions import open_chart
from accounts.guards import for_role
from accounts.models import Patient
from accounts.step_up import require_step_up
from common import clock, intents, protocol
from common.clock import local_date
from common.errors import Conflict, Invalid, NotVisible
from consults import access, actions, wording
from consults.forms_delivery import LateParcelForm, ParcelForm
from consults.forms_orders import OpinionForm, OrderForm, PharmacyForm, RevokeForm, SecondPersonForm, WayForm
from consults.gateways.pharmacy import pharmacy_gateway
from consults.models import AuthorityBasis, Order, PharmacyStatus, plain_number
from consults.rules.dosing import UG_PER_MG, UL_PER_ML, hard_stops, soft_warnings
from consults.rules.pharmacy import TAKEN
from consults.rules.signing import OrderGap, order_gaps
from consults.views.common import banner_of
from intake.access import active_medicines


def _new_initial(patient: Patient, at: Any) -> dict[str, Any]:
    """Four weekly dates, the protocol's limits, the weight on the chart; never a dose: that is the prescriber's."""
    version = protocol.current(at=at)
    order = version.data["dosing"]["order"]
    systolic, diastolic = access.protocol_limits(version.data)
    first = local_date(at, patient.user.time_zone) + timedelta(days=order["usual_interval_days"])
    return {
        "weight_kg": patient.weight_kg,
        **{
            f"session_{n}": first + timedelta(days=order["usual_interval_days"] * (n - 1))
            for n in (1, 2, 3, 4)
        },
        "sessions_covered": [str(n) for n in range(1, order["usual_sessions_per_order"] + 1)],
        "systolic_max_mmhg": systolic,
        "diastolic_max_mmhg": diastolic,
        "authority_basis": AuthorityBasis.FLEXIBILITY,
    }


def _initial_of(row: Order) -> dict[str, Any]:
    return {
        "form": row.form,
        "strength_mg": row.strength_mg,
        "concentration_mg_per_ml": None
        if row.concentration_ug_per_ml is None
        else row.concentration_ug_per_ml / UG_PER_MG,
        "spray_volume_ml": None if row.spray_volume_ul is None else row.spray_volume_ul / UL_PER_ML,
        "units_per_dose": row.units_per_dose,
        "weight_kg": row.weight_kg,
        **{f"session_{n}": row.session_dates[n - 1] for n in (1, 2, 3, 4)},
        "sessions_covered": [str(n) for n in row.sessions_covered],
        "systolic_max_mmhg": row.systolic_max_mmhg,
        "diastolic_max_mmhg": row.diastolic_max_mmhg,
        "directions": row.directions,
        "authority_basis": row.authority_basis,
        "authority_reference": row.authority_reference,
        "authority_expires_on": row.authority_expires_on,
        "examined_on": row.examined_on,
        "examined_by": row.examined_by,
        "examined_place": row.examined_place,
        "evaluator_reason": row.evaluator_reason,
        "warning_reason": row.warning_reason,
    }


def _seen_by_another(patient: Patient, request: HttpRequest) -> bool:
    note = access.latest_signed_note(patient)
    return note is not None and note.signed_by_id != request.user.pk


def _page(
    request: HttpRequest, patient: Patient, form: OrderForm, row: Order | None, at: Any
) -> HttpResponse:
    dosing = protocol.current(at=at).data["dosing"]
    context = {
        "banner": banner_of(patient, at),
        "patient": patient,
        "form": form,
        "order": row,
        "limits": dosing["dose"],
        "rules": dosing["order"],
        "flexibility_ends_on": access.flexibility_ends_on(),
        "note": access.latest_signed_note(patient),
        "intent": intents.mint(),
    }
    return render(
        request, "psychiatrist/consults/order_form.html", context, status=422 if form.errors else 200
    )


def _for_this_patient(request: HttpRequest, patient: Patient) -> None:
    """The form names whom it was opened for; sent anywhere else, nothing of it is kept and nothing of it is shown (HZ-05)."""
    if request.method == "POST" and request.POST.get("patient") != str(patient.pk):
        raise Conflict(
            "This order form was opened for somebody else, so nothing of it was kept. Open the form from this patient's page.",
            code="other_patient",
        )


@for_role("psychiatrist")
@require_http_methods(["GET", "POST"])
@intents.guard
def new(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """A new draft."""
    patient, at = visible_patient(request.user, patient_id), clock.now()
    _for_this_patient(request, patient)
    medicines = active_medicines(patient)
    form = OrderForm(
        request.POST or None,
        initial=_new_initial(patient, at),
        medicines=medicines,
        seen_by_another=_seen_by_another(patient, request),
    )
    if request.method == "POST" and form.is_valid():
        try:
            row = actions.save_draft(patient, fields=form.values(), by=request.user, at=at)
            return redirect("consults:order_review", row.pk)
        except Invalid as error:
            form.add_error(None, error.detail)
    return _page(request, patient, form, None, at)


def _draft(request: HttpRequest, order_id: uuid.UUID) -> Order:
    row = access.visible_order(request.user, order_id)
    if row.prescriber_id != request.user.pk:
        raise NotVisible("There is no such page.")
    return row


@for_role("psychiatrist")
@require_http_methods(["GET", "POST"])
@intents.guard
def edit(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    """Change a draft."""
    row, at = _draft(request, order_id), clock.now()
    if row.signed_at is not None:
        return redirect("consults:order", row.pk)
    _for_this_patient(request, row.patient)
    medicines = active_medicines(row.patient)
    holds = {hold["medicine"]: hold["instruction"] for hold in row.holds}
    initial = _initial_of(row) | {
        f"hold_{medicine.pk}": holds.get(medicine.name, medicine.hold_instruction) for medicine in medicines
    }
    form = OrderForm(
        request.POST or None,
        initial=initial,
        medicines=medicines,
        seen_by_another=_seen_by_another(row.patient, request),
    )
    if request.method == "POST" and form.is_valid():
        try:
            actions.save_draft(row.patient, fields=form.values(), by=request.user, at=at, draft=row)
            return redirect("consults:order_review", row.pk)
        except Invalid as error:
            form.add_error(None, error.detail)
    return _page(request, row.patient, form, row, at)


@for_role("psychiatrist")
@require_http_methods(["GET", "POST"])
@intents.guard
def review(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    """The whole order as it will be signed, every check, and the signature."""
    row, at = _draft(request, order_id), clock.now()
    if row.signed_at is not None:
        return redirect("consults:order", row.pk)
    if request.method == "POST":
        require_step_up(request)
        actions.sign_order(row, seen=request.POST.get("seen", ""), by=request.user, at=at)
        return redirect("consults:order", row.pk)
    dosing = row.protocol.data["dosing"]
    proposal = access.proposal_of(row, at=at)
    stops, warnings = hard_stops(proposal, dosing), soft_warnings(proposal, dosing)
    facts, result = access.order_facts(row, at=at, warnings=frozenset(map(str, warnings)))
    gaps = order_gaps(facts, dosing["order"])
    context = {
        "banner": banner_of(row.patient, at),
        "order": row,
        "stops": wording.sentences(frozenset(map(str, gaps)), wording.ORDER_GAPS)
        + wording.sentences(frozenset(map(str, stops)), wording.HARD),
        "warnings": wording.sentences(frozenset(map(str, warnings)), wording.SOFT),
        "eligibility": str(result.outcome) if result else "",
        "eligibility_rules": ", ".join(result.reasons) if result else "",
        "mg_per_kg": round(row.dose_mg / row.weight_kg, 2),
        "before": None
        if proposal.previous_dose_ug is None
        else plain_number(Decimal(proposal.previous_dose_ug) / UG_PER_MG),
        "seen": access.digest_of(row),
        "opinions": [(one, one.digest == access.digest_of(row)) for one in access.opinions_of(row)],
        "second_form": SecondPersonForm(people=access.second_psychiatrists(row))
        if OrderGap.SECOND_PERSON_MISSING in gaps
        else None,
        "ask_intent": intents.mint(),
        "check": access.latest_pdmp_check(row.patient),
        "note": access.latest_signed_note(row.patient),
        "zone": request.user.time_zone,
        "intent": intents.mint(),
        "discard_intent": intents.mint(),
    }
    return render(request, "psychiatrist/consults/order_review.html", context)


@for_role("psychiatrist")
@require_POST
@intents.guard
def ask_second(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    """Ask a colleague to look at a draft."""
    row = _draft(request, order_id)
    form = SecondPersonForm(request.POST, people=access.second_psychiatrists(row))
    if not form.is_valid():
        raise Invalid("Choose the colleague you ask.", fields={"whom": "Choose one."})
    actions.ask_second_person(row, whom=form.person(), by=request.user, at=clock.now())
    messages.success(request, "Asked. It is on their list.")
    return redirect("consults:order_review", row.pk)


@for_role("psychiatrist")
@require_http_methods(["GET", "POST"])
@intents.guard
def second(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    """A colleague's draft, for a second look at the dose: agree, or say why not."""
    row, at = access.order_to_look_at(request.user, order_id), clock.now()
    require_step_up(request)
    form = OpinionForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            actions.give_second_opinion(
                row,
                seen=request.POST.get("seen", ""),
                agrees=form.cleaned_data["agrees"] == "yes",
                words=form.cleaned_data["words"],
                by=request.user,
                at=at,
            )
            messages.success(request, "Kept. The prescriber sees it.")
            return redirect("portal:work")
        except Invalid as error:
            form.add_error("words", error.detail)
    if request.method == "GET":
        open_chart(row.patient, by=request.user, at=at, why="second_look")
    proposal = access.proposal_of(row, at=at)
    warnings = soft_warnings(proposal, row.protocol.data["dosing"])
    context = {
        "banner": banner_of(row.patient, at),
        "order": row,
        "mg_per_kg": round(row.dose_mg / row.weight_kg, 2),
        "before": None
        if proposal.previous_dose_ug is None
        else plain_number(Decimal(proposal.previous_dose_ug) / UG_PER_MG),
        "warnings": wording.sentences(frozenset(map(str, warnings)), wording.SOFT),
        "medicines": active_medicines(row.patient),
        "form": form,
        "seen": access.digest_of(row),
        "zone": request.user.time_zone,
        "intent": intents.mint(),
    }
    return render(
        request, "psychiatrist/consults/order_second.html", context, status=422 if form.errors else 200
    )


@for_role("psychiatrist")
@require_POST
@intents.guard
def discard(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    """Throw a draft away."""
    row = _draft(request, order_id)
    patient_id = row.patient_id
    actions.discard_draft(row, by=request.user, at=clock.now())
    return redirect("consults:treatment", patient_id)


@for_role("psychiatrist")
@require_POST
@intents.guard
def supersede(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    """A new draft that will end this order when it is signed."""
    row = access.visible_order(request.user, order_id)
    draft = actions.supersede(row, by=request.user, at=clock.now())
    return redirect("consults:order_edit", draft.pk)


@for_role("psychiatrist")
@require_http_methods(["GET", "POST"])
@intents.guard
def revoke(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    """End an order now."""
    row, at = access.visible_order(request.user, order_id), clock.now()
    if not row.is_in_force:
        return redirect("consults:order", row.pk)
    require_step_up(request)
    form = RevokeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        actions.revoke(row, reason=form.cleaned_data["reason"], by=request.user, at=at)
        return redirect("consults:treatment", row.patient_id)
    context = {"banner": banner_of(row.patient, at), "order": row, "form": form, "intent": intents.mint()}
    return render(request, "psychiatrist/consults/revoke.html", context, status=422 if form.errors else 200)


def _say_stopped(request: HttpRequest, error: Conflict) -> None:
    """What no longer holds was kept with the refusal, so the answer leads on and undoes nothing; any other refusal is raised."""
    if error.code != actions.DOES_NOT_STAND:
        raise error
    messages.error(request, error.detail)


@for_role("psychiatrist", "coach")
@require_http_methods(["GET", "POST"])
@intents.guard
def pharmacy(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    """How far the pharmacy is with it. A coach writes down what was heard, and hands nothing over."""
    row, at = access.visible_order(request.user, order_id), clock.now()
    md = request.user.role == "psychiatrist"
    sending = request.method == "POST" and request.POST.get("what") == "send"
    if sending and not md:
        raise NotVisible("There is no such page.")
    way_form = WayForm(request.POST if sending else None)
    heard = access.heard_next(row, by=request.user, at=at)
    form = PharmacyForm(
        request.POST if request.method == "POST" and not sending else None,
        heard=heard,
        initial={"status": row.pharmacy_status, "external_id": row.external_id},
    )
    if sending and way_form.is_valid():
        try:
            actions.send_to_pharmacy(row, way=way_form.cleaned_data["way"], by=request.user, at=at)
        except Conflict as error:
            _say_stopped(request, error)
        return redirect("consults:order_pharmacy", row.pk)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            actions.hand_over(
                row, status=data["status"], external_id=data["external_id"], by=request.user, at=at
            )
        except Conflict as error:
            _say_stopped(request, error)
            return redirect("consults:order_pharmacy", row.pk)
        return redirect("consults:treatment", row.patient_id)
    may_send = md and access.runs(row, at=at) and row.pharmacy_status in ("not_sent", "rejected", "blocked")
    gaps = access.no_longer_stands(row, at=at) if may_send else frozenset()
    context = {
        "banner": banner_of(row.patient, at),
        "order": row,
        "form": form,
        "way_form": way_form,
        "may_hear": bool(heard),
        "connected": pharmacy_gateway().connected,
        "md": md,
        "call_back": access.has_to_be_called_back(row),
        "late": access.may_be_recorded_late(row, at=at),
        "may_send": may_send and not gaps,
        "stops": wording.sentences(frozenset(map(str, gaps)), wording.STOPPED),
        "check_again": bool(
            gaps & {OrderGap.PDMP_NOT_CHECKED, OrderGap.PDMP_TOO_OLD, OrderGap.PDMP_DISCREPANCY}
        ),
        "steps": [
            (step, wording.sentences(frozenset(step.reasons), wording.STOPPED))
            for step in row.hand_overs.select_related("by").order_by("-at", "-id")
        ],
        "statuses": dict(PharmacyStatus.choices),
        "zone": request.user.time_zone,
        "mint": intents.mint,
    }
    wrong = form.errors or way_form.errors
    return render(request, "psychiatrist/consults/pharmacy.html", context, status=422 if wrong else 200)


@for_role("psychiatrist", "coach")
@require_http_methods(["GET", "POST"])
@intents.guard
def ship(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    """A parcel of this order is on its way; or, of one that is over, had left before anybody wrote it down."""
    row, at = access.visible_order(request.user, order_id), clock.now()
    late = access.may_be_recorded_late(row, at=at)
    form = (
        LateParcelForm(request.POST or None)
        if late
        else ParcelForm(request.POST or None, initial={"count": access.units_to_send(row, at=at) or None})
    )
    if request.method == "POST" and form.is_valid():
        try:
            (actions.record_late_parcel if late else actions.ship)(
                row, by=request.user, at=at, **form.cleaned_data
            )
            return redirect("consults:treatment", row.patient_id)
        except Invalid as error:
            for name, sentence in (error.fields or {"__all__": error.detail}).items():
                form.add_error(name, sentence)
        except Conflict as error:
            if error.code == actions.DOES_NOT_STAND:
                _say_stopped(request, error)
                return redirect("consults:treatment", row.patient_id)
            form.add_error(None, error.detail)
    gaps = frozenset() if late else access.no_parcel_for(row, at=at)
    context = {
        "banner": banner_of(row.patient, at),
        "order": row,
        "form": form,
        "late": late,
        "stops": wording.sentences(frozenset(map(str, gaps)), wording.STOPPED),
        "taken": row.pharmacy_status in TAKEN,
        "left": access.units_to_send(row, at=at),
        "address_changed": not late and access.address_changed(row),
        "intent": intents.mint(),
    }
    return render(request, "psychiatrist/consults/ship.html", context, status=422 if form.errors else 200)
