"""Orders: which one is in force, who sees it, and everything the rules of signing look at."""

import hashlib
import json
import uuid
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThan

from accounts.access import licensed_states, patients_visible_to
from accounts.models import Patient, Role, User
from common import hooks, protocol
from common.clock import age_years, local_date
from common.errors import NotVisible
from common.notes import is_a_note
from consults.access.state_rules import rule_in
from consults.access.visits import latest_signed_note, notes_of
from consults.models import (
    AuthorityBasis,
    Fulfilment,
    Order,
    PdmpCheck,
    SecondOpinion,
    VisitNote,
)
from consults.rules.dosing import Proposal, Strength
from consults.rules.pharmacy import UNDER_WAY, may_be_heard, may_be_heard_by_the_team
from consults.rules.signing import OrderFacts
from intake.access import consent_current, current_intake, decision_facts, eligibility_stands, facts_of
from intake.actions.eligibility import result_for, thresholds_in
from intake.models import Decision, EligibilityEvaluation
from intake.rules import EligibilityResult, Outcome, Stage
from intake.wording import rule_texts
from measures.access import safety_plan_of
from safety.access import has_unresolved_crisis, holds_of
from safety.task_access import tasks_visible_to

# Diagnosis, PDMP, consent and identity, agreement: an acceptance before the consult cannot have weighed these.
DECIDED_AT_THE_CONSULT = frozenset({"E08", "E55", "E69", "E70"})


def runs(order: Order, *, at: datetime) -> bool:
    """Signed, neither revoked nor superseded, and not past its last day where the patient is."""
    return order.is_in_force and (
        order.expires_on is None or order.expires_on >= local_date(at, order.patient.user.time_zone)
    )


def is_to_call_back() -> Q:
    """Ended while the pharmacy had it, in a bottle or not, and not all of it was sent: somebody must tell the pharmacy. A condition
    on orders."""
    sent = (
        Fulfilment.objects.filter(order=OuterRef("pk"), lost_at__isnull=True)
        .order_by()
        .values("order")
        .annotate(units=Sum("count"))
        .values("units")
    )
    ended = Q(revoked_at__isnull=False) | Q(superseded_at__isnull=False)
    ordered = F("doses_total") * F("units_per_dose")
    return Q(
        ended,
        GreaterThan(ordered, Coalesce(Subquery(sent), 0)),
        pharmacy_status__in=sorted(UNDER_WAY),
    )


def has_to_be_called_back(order: Order) -> bool:
    """Is this one over, and has the pharmacy some of it still?"""
    return Order.objects.filter(is_to_call_back(), pk=order.pk).exists()


def one_to_call_back(patient_id: Any) -> bool:
    """Has the pharmacy an order of this patient that is over? Then nothing of another one leaves: it might be filled twice (HZ-19)."""
    return Order.objects.filter(is_to_call_back(), patient_id=patient_id).exists()


def units_sent(order: Order) -> int:
    """Units of this order that left in a parcel that was not given up."""
    left = Fulfilment.objects.filter(order=order, lost_at__isnull=True)
    return int(left.aggregate(n=Sum("count"))["n"] or 0)


def heard_next(order: Order, *, by: User, at: datetime) -> frozenset[str]:
    """What this person can write down next that the pharmacy says of it."""
    rule = may_be_heard if by.role == Role.PSYCHIATRIST else may_be_heard_by_the_team
    return rule(
        order.pharmacy_status,
        in_force=runs(order, at=at),
        units_sent=units_sent(order),
        units_total=order.units_total,
    )


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


def flexibility_ends_on() -> date:
    """The last day of the telemedicine flexibility, a setting because it has been extended before."""
    return date.fromisoformat(str(settings.TELEMEDICINE_FLEXIBILITY_ENDS_ON))


def basis_ends_on(order: Order) -> date | None:
    """The last day of the authority a draft rests on: by the setting, by the examination and the protocol's number, or as written."""
    if order.authority_basis == AuthorityBasis.FLEXIBILITY:
        return flexibility_ends_on()
    if order.authority_basis == AuthorityBasis.IN_PERSON:
        days = order.protocol.data["dosing"]["order"].get("in_person_valid_days")
        return None if order.examined_on is None or days is None else order.examined_on + timedelta(days=days)
    return order.authority_expires_on


def protocol_limits(data: dict[str, Any]) -> tuple[int, int]:
    """Systolic and diastolic below which a reading is "go"; an order may be tighter, never looser."""
    limits = data["bp"]["limits"]
    return int(limits["systolic_caution_from_mmhg"]), int(limits["diastolic_caution_from_mmhg"])


def proposal_of(order: Order, *, at: datetime) -> Proposal:
    """What the checks of a dose look at, for a draft or signed order."""
    patient = order.patient
    on = local_date(at, patient.user.time_zone)
    systolic, diastolic = protocol_limits(order.protocol.data)
    used = medicine_used(order)
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
        # What was taken, not what was ordered: orders that nobody took from are no ladder to a higher dose.
        previous_dose_ug=used["last_dose_ug"],
        session_dates=order.session_dates,
        sessions_covered=order.sessions_covered,
        signing_on=on,
        systolic_max_mmhg=order.systolic_max_mmhg,
        diastolic_max_mmhg=order.diastolic_max_mmhg,
        protocol_systolic_max_mmhg=systolic,
        protocol_diastolic_max_mmhg=diastolic,
        words=f"{order.directions} {order.form}",
        chart_weight_kg=patient.weight_kg,
        sessions_over=used["sessions_over"],
    )


def medicine_used(order: Order) -> dict[str, Any]:
    """What was taken of it, from the app that keeps the sessions (hook `medicine.used`)."""
    nothing: dict[str, Any] = {
        "units_taken": 0,
        "doses_released": 0,
        "last_dose_ug": None,
        "sessions_over": frozenset(),
        "care_ended": False,
    }
    return next(iter(hooks.run("medicine.used", order=order)), nothing)


# What a prescriber reads before signing. The note, the check and the state are read again when it is signed.
READ_BEFORE_SIGNING = (
    "form", "strength_ug", "concentration_ug_per_ml", "spray_volume_ul", "units_per_dose", "dose_ug", "session_dates",
    "sessions_covered", "systolic_max_mmhg", "diastolic_max_mmhg", "holds", "directions", "authority_basis",
    "authority_reference", "authority_expires_on", "examined_on", "examined_by", "examined_place", "evaluated_by_id",
    "evaluator_reason", "warning_reason",
)  # fmt: skip


def digest_of(order: Order) -> str:
    """A fingerprint of everything a draft says: whoever signs or agrees does so to exactly this (HZ-04, HZ-20)."""
    said = {name: getattr(order, name) for name in READ_BEFORE_SIGNING}
    said |= {
        "order": order.pk,
        "patient": order.patient_id,
        "protocol": order.protocol_id,
        "weight_kg": f"{order.weight_kg:.1f}",
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


def opinions_of(order: Order) -> list[SecondOpinion]:
    """What second psychiatrists said of a draft, newest first."""
    return list(
        SecondOpinion.objects.filter(order_id=order.pk).select_related("given_by").order_by("-given_at")
    )


def second_opinion(order: Order, *, at: datetime) -> SecondOpinion | None:
    """The newest opinion on exactly this draft by somebody else, if it agrees and is fresh enough."""
    newest = SecondOpinion.objects.filter(order_id=order.pk).order_by("-given_at", "-id").first()
    if (
        newest is None
        or not newest.agrees
        or newest.digest != digest_of(order)
        or newest.given_by_id == order.prescriber_id
    ):
        return None
    dosing = order.protocol.data["dosing"]
    hours = (
        dosing["dose"]
        .get("second_person", {})
        .get("valid_hours", dosing["order"]["pdmp_check_max_age_hours"])
    )
    return newest if timedelta() <= at - newest.given_at <= timedelta(hours=hours) else None


def what_the_consult_found(order: Order, check: PdmpCheck | None) -> dict[str, str]:
    """The two facts of the decision stage that only the consult knows."""
    return {
        "clinician_dx": note.diagnosis if (note := latest_signed_note(order.patient)) else "",
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
    """Rules that exclude now and lay before no psychiatrist who accepted the intake, or signed later that care may go on."""
    outcomes = thresholds_in(protocol.current(at=at)).outcomes
    found = {rule for rule in result.reasons if outcomes[rule] is Outcome.EXCLUDE}
    accepted = (
        Decision.objects.filter(intake__patient=patient, kind="accept")
        .select_related("evaluation")
        .order_by("-at")
        .first()
    )
    settled = (
        EligibilityEvaluation.objects.filter(patient=patient, cause="settled")
        .order_by("-at", "-id")
        .values_list("reasons", flat=True)
        .first()
    )
    considered = {*(accepted.evaluation.reasons if accepted else ()), *(settled or ())}
    return frozenset(found - (considered - DECIDED_AT_THE_CONSULT))


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
    on = signing_day(order, at=at)
    note = latest_signed_note(patient)
    check = latest_pdmp_check(patient)
    result = decision_stage(order, check, at=at)
    intake = current_intake(patient)
    other = orders_of(patient).filter(revoked_at__isnull=True, superseded_at__isnull=True)
    if order.supersedes_id:
        other = other.exclude(pk=order.supersedes_id)
    elsewhere = note is not None and note.location_state not in ("", patient.state)
    facts = OrderFacts(
        intake_accepted=intake is not None and intake.state == "accepted",
        eligibility_stands=eligibility_stands(patient),
        note_signed_at=note.signed_at if note else None,
        note_suitable=note.suitable if note else None,
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
        examined_on=order.examined_on,
        examined_where=bool(order.examined_by.strip() and order.examined_place.strip()),
        evaluator_unsaid=note is not None
        and note.signed_by_id != order.prescriber_id
        and not (order.evaluated_by_id == note.signed_by_id and is_a_note(order.evaluator_reason)),
        is_synthetic=patient.is_synthetic,
        another_order_in_force=other.exclude(pk=order.pk).exists(),
        held=holds_of(patient).exists() or has_unresolved_crisis(patient),
        warnings=warnings,
        warning_reason=order.warning_reason,
        on=on,
        at=at,
        sessions_on_visit=sessions_on_visit(order),
        address=patient.address,
        protocol_current=protocol.current(at=at).pk == order.protocol_id,
        second_person_agreed=second_opinion(order, at=at) is not None,
        note_reopened=note_reopened(patient),
        seen_by_video=notes_of(patient)
        .filter(
            suitable=True,
            held_by__in=("video", "in_person"),
            signed_at__gte=at - timedelta(days=order.protocol.data["dosing"]["order"]["note_max_age_days"]),
        )
        .exists(),
        safety_plan_missing=result is not None and _plan_is_missing(result, patient, at=at),
        seen_in=note.location_state if note is not None and elsewhere else "",
        seen_rule=rule_in(note.location_state, at=at) if note is not None and elsewhere else "",
    )
    return facts, result


def note_reopened(patient: Patient) -> bool:
    """Was a signed note opened again, and is not signed anew yet?"""
    return VisitNote.objects.filter(
        patient=patient, signed_at__isnull=True, kept_signatures__isnull=False
    ).exists()


def signing_day(order: Order, *, at: datetime) -> date:
    """The later of the two dates where the patient and where the prescriber is: nothing lapsed is stretched by a zone."""
    return max(
        local_date(at, order.patient.user.time_zone),
        local_date(at, order.prescriber.time_zone),
    )


def second_psychiatrists(order: Order) -> list[User]:
    """Who may be asked to look at a draft: every other psychiatrist who is here."""
    return list(
        User.objects.filter(role=Role.PSYCHIATRIST, is_active=True)
        .exclude(pk=order.prescriber_id)
        .order_by("full_name")
    )


def order_to_look_at(user: Any, order_id: uuid.UUID | str) -> Order:
    """A draft that this psychiatrist was asked to look at and has not answered yet, or NotVisible."""
    asked = tasks_visible_to(user).filter(
        kind="order.second_look", about_id=order_id, owner=user, done_at__isnull=True
    )
    row = (
        Order.objects.filter(pk=order_id, signed_at__isnull=True, patient__in=patients_visible_to(user))
        .select_related("patient__user", "prescriber", "note", "protocol")
        .first()
    )
    if row is None or user.role != Role.PSYCHIATRIST or row.prescriber_id == user.pk or not asked.exists():
        raise NotVisible("There is no such page.")
    return row


def _plan_is_missing(result: EligibilityResult, patient: Patient, *, at: datetime) -> bool:
    texts = rule_texts(protocol.current(at=at).data["eligibility"])
    return any(texts[id].safety_plan_first for id in result.reasons) and safety_plan_of(patient) is None


def drafts_of(patient: Patient, user: User) -> list[Order]:
    """A prescriber's own drafts for a patient, newest first."""
    return list(
        Order.objects.filter(patient=patient, prescriber=user, signed_at__isnull=True).order_by("-created_at")
    )
