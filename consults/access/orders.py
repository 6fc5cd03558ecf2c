"""Orders: which one is in force, who sees it, and everything the rules of signing look at."""

import uuid
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db.models import QuerySet, Sum

from accounts.access import licensed_states, patients_visible_to
from accounts.models import Patient, Role, User
from common import protocol
from common.clock import age_years, local_date
from common.errors import NotVisible
from consults.access.state_rules import rule_in
from consults.models import Fulfilment, KitParcel, Order, ParcelPhoto, PdmpCheck, StockMove
from consults.rules.dosing import Proposal, Strength
from consults.rules.signing import OrderFacts
from intake.access import consent_current, current_intake, decision_facts, eligibility_stands, facts_of
from intake.actions.eligibility import result_for, thresholds_in
from intake.models import Decision
from intake.rules import EligibilityResult, Outcome, Stage
from safety.access import has_unresolved_crisis, holds_of
from vitals.models import Reading

# Diagnosis, PDMP, consent and identity, agreement: an acceptance before the consult cannot have weighed these.
DECIDED_AT_THE_CONSULT = frozenset({"E08", "E55", "E69", "E70"})


def orders_of(patient: Patient) -> QuerySet[Order]:
    """Signed orders, newest first."""
    return (
        Order.objects.filter(patient=patient, signed_at__isnull=False)
        .select_related("prescriber", "revoked_by", "patient__user")
        .order_by("-signed_at")
    )


def active_order(patient: Patient, at: datetime) -> Order | None:
    """The signed order that is neither revoked, superseded nor past its last day, in the patient's own zone."""
    return (
        orders_of(patient)
        .filter(
            revoked_at__isnull=True,
            superseded_at__isnull=True,
            signed_at__lte=at,
            expires_on__gte=local_date(at, patient.user.time_zone),
        )
        .first()
    )


def visible_order(user: Any, order_id: uuid.UUID | str) -> Order:
    """That order, or NotVisible. A patient sees signed ones; a draft is its prescriber's alone."""
    row = (
        Order.objects.filter(pk=order_id, patient__in=patients_visible_to(user))
        .select_related("patient__user", "prescriber", "note", "pdmp_check", "supersedes", "protocol")
        .first()
    )
    if row is None or (row.signed_at is None and row.prescriber_id != user.pk):
        raise NotVisible("There is no such page.")
    return row


def latest_pdmp_check(patient: Patient) -> PdmpCheck | None:
    return (
        PdmpCheck.objects.filter(patient=patient).select_related("checked_by").order_by("-checked_at").first()
    )


def fulfilments_of(patient: Patient) -> QuerySet[Fulfilment]:
    """Parcels of a patient, newest first."""
    return (
        Fulfilment.objects.filter(patient=patient)
        .select_related("order", "shipped_by", "photo")
        .order_by("-shipped_at")
    )


def medicine_delivered(order: Order) -> bool:
    """Has a parcel of this order arrived, and did the patient count what was sent?"""
    return any(
        not parcel.count_differs
        for parcel in Fulfilment.objects.filter(
            order=order, delivered_at__isnull=False, confirmed_at__isnull=False
        )
    )


def _same_product(order: Order) -> dict[str, Any]:
    return {
        "order__form": order.form,
        "order__strength_ug": order.strength_ug,
        "order__concentration_ug_per_ml": order.concentration_ug_per_ml,
        "order__spray_volume_ul": order.spray_volume_ul,
        "patient_id": order.patient_id,
    }


def units_at_home(order: Order, *, at: datetime) -> int:
    """Units of this product that the patient counted in, less what left without a dose; what was taken is the caller's to subtract."""
    same = _same_product(order)
    came = (
        Fulfilment.objects.filter(**same, confirmed_at__lte=at).aggregate(n=Sum("count_confirmed"))["n"] or 0
    )
    left = StockMove.objects.filter(**same).aggregate(n=Sum("units"))["n"] or 0
    return came - left


def kit_received(patient: Patient, *, at: datetime) -> bool:
    """Has a kit arrived with everything in it, by the patient's own word?"""
    return KitParcel.objects.filter(patient=patient, confirmed_at__lte=at, missing=[]).exists()


def open_kit(patient: Patient) -> KitParcel | None:
    """The kit on its way that the patient has not confirmed yet."""
    return KitParcel.objects.filter(patient=patient, confirmed_at__isnull=True, lost_at__isnull=True).first()


def kits_of(patient: Patient) -> list[KitParcel]:
    """Kits of a patient, newest first."""
    return list(KitParcel.objects.filter(patient=patient).order_by("-shipped_at"))


def photo_of(parcel: Fulfilment) -> ParcelPhoto | None:
    """The patient's photo of what she counted."""
    return ParcelPhoto.objects.filter(parcel=parcel).select_related("file").first()


def practice_days(patient: Patient) -> int:
    """On how many days she has practised with her cuff, in her own zone."""
    taken = Reading.objects.filter(patient=patient, phase=Reading.Phase.PRACTICE, rejected=False)
    return len(
        {local_date(when, patient.user.time_zone) for when in taken.values_list("received_at", flat=True)}
    )


def may_ship(user: Any) -> bool:
    """Parcels are recorded by the care team."""
    return user.role in (Role.PSYCHIATRIST, Role.COACH)


def flexibility_ends_on() -> date:
    """The last day of the telemedicine flexibility, a setting because it has been extended before."""
    return date.fromisoformat(str(settings.TELEMEDICINE_FLEXIBILITY_ENDS_ON))


def protocol_limits(data: dict[str, Any]) -> tuple[int, int]:
    """Systolic and diastolic below which a reading is "go"; an order may be tighter, never looser."""
    limits = data["bp"]["limits"]
    return int(limits["systolic_caution_from_mmhg"]), int(limits["diastolic_caution_from_mmhg"])


def proposal_of(order: Order, *, at: datetime) -> Proposal:
    """What the checks of a dose look at, for a draft or signed order."""
    patient = order.patient
    on = local_date(at, patient.user.time_zone)
    systolic, diastolic = protocol_limits(order.protocol.data)
    previous = (
        orders_of(patient).exclude(pk=order.pk).filter(revoked_at__isnull=True, form=order.form).first()
    )
    return Proposal(
        strength=Strength(
            form=order.form,
            units_per_dose=order.units_per_dose,
            strength_ug=order.strength_ug,
            concentration_ug_per_ml=order.concentration_ug_per_ml,
            spray_volume_ul=order.spray_volume_ul,
        ),
        age_years=age_years(patient.date_of_birth, on) if patient.date_of_birth else None,
        weight_kg=order.weight_kg,
        previous_dose_ug=previous.dose_ug if previous else None,
        session_dates=order.session_dates,
        sessions_covered=order.sessions_covered,
        signing_on=on,
        systolic_max_mmhg=order.systolic_max_mmhg,
        diastolic_max_mmhg=order.diastolic_max_mmhg,
        protocol_systolic_max_mmhg=systolic,
        protocol_diastolic_max_mmhg=diastolic,
        words=f"{order.directions} {order.form}",
    )


def what_the_consult_found(order: Order, check: PdmpCheck | None) -> dict[str, str]:
    """The two facts of the decision stage that only the consult knows."""
    return {
        "clinician_dx": order.note.diagnosis if order.note else "",
        "pdmp": check.finding if check else "not_checked",
    }


def decision_stage(order: Order, check: PdmpCheck | None, *, at: datetime) -> EligibilityResult | None:
    """All 71 rules with what only the consult could know: diagnosis, PDMP, consent, identity. None without an intake."""
    intake = current_intake(order.patient)
    if intake is None:
        return None
    version = protocol.current(at=at)
    facts = (
        facts_of(intake, at=at, version=version)
        | decision_facts(order.patient)
        | what_the_consult_found(order, check)
    )
    return result_for(facts, stage=Stage.DECISION, version=version, at=at)


def excluding(result: EligibilityResult, patient: Patient, *, at: datetime) -> frozenset[str]:
    """Rules that exclude now and did not lie before the psychiatrist who accepted the intake, giving reasons."""
    outcomes = thresholds_in(protocol.current(at=at)).outcomes
    found = {rule for rule in result.reasons if outcomes[rule] is Outcome.EXCLUDE}
    accepted = (
        Decision.objects.filter(intake__patient=patient, kind="accept")
        .select_related("evaluation")
        .order_by("-at")
        .first()
    )
    considered = set(accepted.evaluation.reasons) - DECIDED_AT_THE_CONSULT if accepted else set()
    return frozenset(found - considered)


def sessions_on_visit(order: Order) -> int:
    """How many session days the orders are for that rest on the same visit as this one, itself among them.

    A day counts once; of an order that another one ended, only the days before that.
    """
    if order.note_id is None:
        return 0
    same = (
        orders_of(order.patient).filter(note_id=order.note_id, revoked_at__isnull=True).exclude(pk=order.pk)
    )
    days = {order.session_dates[n - 1] for n in order.sessions_covered if n <= len(order.session_dates)}
    for dates, covered, ended_at in same.values_list("session_dates", "sessions_covered", "superseded_at"):
        last = date.max if ended_at is None else ended_at.date()
        days |= {dates[n - 1] for n in covered if n <= len(dates) and dates[n - 1] <= last}
    return len(days)


def order_facts(
    order: Order, *, at: datetime, warnings: frozenset[str]
) -> tuple[OrderFacts, EligibilityResult | None]:
    """What the rules of signing look at, and what the eligibility rules said on the way."""
    patient = order.patient
    on = local_date(at, patient.user.time_zone)
    check = latest_pdmp_check(patient)
    result = decision_stage(order, check, at=at)
    intake = current_intake(patient)
    other = orders_of(patient).filter(revoked_at__isnull=True, superseded_at__isnull=True)
    if order.supersedes_id:
        other = other.exclude(pk=order.supersedes_id)
    facts = OrderFacts(
        intake_accepted=intake is not None and intake.state == "accepted",
        eligibility_stands=eligibility_stands(patient),
        note_signed_at=order.note.signed_at if order.note else None,
        note_suitable=order.note.suitable if order.note else None,
        consent_current=consent_current(patient, at),
        excluded_by=excluding(result, patient, at=at) if result else frozenset(),
        identity_verified=patient.identity_verified_at is not None,
        pdmp_checked_at=check.checked_at if check else None,
        pdmp_finding=check.finding if check else "",
        pdmp_states=frozenset(check.states) if check else frozenset(),
        state_of_care=patient.state,
        licensed_states=licensed_states(order.prescriber, on),
        state_rule=rule_in(patient.state, at=at),
        authority_basis=order.authority_basis,
        authority_reference=order.authority_reference,
        authority_expires_on=order.authority_expires_on,
        is_synthetic=patient.is_synthetic,
        another_order_in_force=other.exclude(pk=order.pk).exists(),
        held=holds_of(patient).exists() or has_unresolved_crisis(patient),
        warnings=warnings,
        warning_reason=order.warning_reason,
        signing_on=on,
        signing_at=at,
        sessions_on_visit=sessions_on_visit(order),
    )
    return facts, result


def drafts_of(patient: Patient, user: User) -> list[Order]:
    """A prescriber's own drafts for a patient, newest first."""
    return list(
        Order.objects.filter(patient=patient, prescriber=user, signed_at__isnull=True).order_by("-created_at")
    )


def visible_parcel(user: Any, parcel_id: uuid.UUID | str) -> Fulfilment:
    """That parcel, or NotVisible."""
    row = (
        Fulfilment.objects.filter(pk=parcel_id, patient__in=patients_visible_to(user))
        .select_related("order", "patient__user")
        .first()
    )
    if row is None:
        raise NotVisible("There is no such page.")
    return row
