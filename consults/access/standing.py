"""On what an order stands on a day: licence, law, monitoring programme and authority of its prescriber, and the patient's care."""

from datetime import datetime

from accounts.access import licensed_states
from accounts.models import Role
from consults.access.orders import (
    flexibility_ends_on,
    latest_pdmp_check,
    medicine_used,
    note_reopened,
    signing_day,
)
from consults.access.state_rules import rule_in
from consults.access.visits import latest_signed_note
from consults.models import AuthorityBasis, Fulfilment, HandOver, Order, PharmacyStatus
from consults.rules.pharmacy import UNDER_WAY
from consults.rules.signing import CareFacts, OrderGap, StandingFacts, care_gaps, standing_gaps
from intake.access import consent_current, open_question
from safety.access import has_unresolved_crisis, holds_of


def standing_facts(order: Order, *, at: datetime) -> StandingFacts:
    """What `standing_gaps` looks at for a signed order: the patient's state of today beside the one it was signed for."""
    check, on = latest_pdmp_check(order.patient), signing_day(order, at=at)
    prescriber, care, lives = order.prescriber, order.state_of_care, order.patient.state
    seen = order.note.location_state if order.note is not None else ""
    seen = "" if seen in (care, lives) else seen
    here = prescriber.is_active and prescriber.role == Role.PSYCHIATRIST
    flexible = order.authority_basis == AuthorityBasis.FLEXIBILITY
    return StandingFacts(
        pdmp_checked_at=check.checked_at if check else None,
        pdmp_finding=check.finding if check else "",
        pdmp_states=frozenset(check.states) if check else frozenset(),
        state_of_care=care,
        licensed_states=licensed_states(prescriber, on) if here else frozenset(),
        state_rule=rule_in(care, at=at),
        authority_basis=order.authority_basis,
        authority_reference=order.authority_reference,
        # The setting of today: the flexibility has been extended before, and may be cut short.
        authority_expires_on=flexibility_ends_on() if flexible else order.authority_expires_on,
        examined_on=order.examined_on,
        examined_where=bool(order.examined_by.strip() and order.examined_place.strip()),
        at=at,
        on=on,
        seen_in=seen,
        seen_rule=rule_in(seen, at=at) if seen else "",
        lives_in="" if lives == care else lives,
        lives_rule="" if lives == care else rule_in(lives, at=at),
    )


def care_facts(order: Order, *, at: datetime) -> CareFacts:
    """What `care_gaps` looks at: the patient's care as it is now."""
    patient = order.patient
    note = latest_signed_note(patient)
    return CareFacts(
        note_suitable=note is not None and bool(note.suitable),
        note_reopened=note_reopened(patient),
        consent_current=consent_current(patient, at),
        eligibility_stands=open_question(patient) is None,
        held=holds_of(patient).exists() or has_unresolved_crisis(patient),
        ended=bool(medicine_used(order).get("care_ended")),
        account_open=patient.user.is_active,
    )


def _may_not_leave(order: Order, *, fresh_check: bool, at: datetime) -> frozenset[OrderGap]:
    """One set for the order and for each parcel of it: authority and law, and the patient's own care."""
    rules = order.protocol.data["dosing"]["order"]
    return standing_gaps(standing_facts(order, at=at), rules, fresh_check=fresh_check) | care_gaps(
        care_facts(order, at=at)
    )


def no_longer_stands(order: Order, *, at: datetime) -> frozenset[OrderGap]:
    """Why a signed order cannot go to the pharmacy now; empty when everything it rests on holds on this day as well."""
    return _may_not_leave(order, fresh_check=True, at=at)


def no_parcel_for(order: Order, *, at: datetime) -> frozenset[OrderGap]:
    """Why no parcel of it may leave now. The first one rests on the look at the monitoring programme of a hand-over at which all of
    it stood; each further one, and one of an order that never left like that, needs a fresh look."""
    further = Fulfilment.objects.filter(order=order).exists()
    return _may_not_leave(order, fresh_check=further or not _stood_when_it_left(order), at=at)


def _steps(order: Order) -> list[HandOver]:
    """Oldest first. What was heard and what it was stopped for carry one instant: the stop comes after it."""
    steps = order.hand_overs.select_related("by")
    return sorted(steps, key=lambda step: (step.at, step.status == PharmacyStatus.BLOCKED))


def _stood_when_it_left(order: Order) -> bool:
    """Did it come to the pharmacy, and was nothing in the way when it did?"""
    stood, before = False, ""
    for step in _steps(order):
        if step.status == PharmacyStatus.BLOCKED:
            # A parcel that was stopped says nothing of how the order left.
            stood = stood and step.way == HandOver.Way.PARCEL
            continue
        if step.status not in UNDER_WAY:
            stood = False
        elif before not in UNDER_WAY:
            stood = True
        before = step.status
    return stood


def last_stop(order: Order) -> HandOver | None:
    """The step at which it was stopped, while nothing has left or been heard since."""
    steps = _steps(order)
    newest = steps[-1] if steps else None
    if newest is None or newest.status != PharmacyStatus.BLOCKED:
        return None
    return None if Fulfilment.objects.filter(order=order, shipped_at__gte=newest.at).exists() else newest
