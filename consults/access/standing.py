"""On what an order stands on a day: licence, law, monitoring programme and authority of its prescriber, as they are then."""

from datetime import datetime

from accounts.access import licensed_states
from accounts.models import Role
from consults.access.orders import flexibility_ends_on, latest_pdmp_check, signing_day
from consults.access.state_rules import rule_in
from consults.models import AuthorityBasis, Fulfilment, HandOver, Order, PharmacyStatus
from consults.rules.signing import OrderGap, StandingFacts, standing_gaps


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


def no_longer_stands(order: Order, *, at: datetime) -> frozenset[OrderGap]:
    """Why a signed order cannot go to the pharmacy now; empty when everything it rests on holds on this day as well."""
    return standing_gaps(standing_facts(order, at=at), order.protocol.data["dosing"]["order"])


def no_parcel_for(order: Order, *, at: datetime) -> frozenset[OrderGap]:
    """Why no parcel of it may leave now. A further one needs a fresh look at the monitoring programme, as the hand-over did."""
    further = Fulfilment.objects.filter(order=order).exists()
    return standing_gaps(
        standing_facts(order, at=at), order.protocol.data["dosing"]["order"], fresh_check=further
    )


def last_stop(order: Order) -> HandOver | None:
    """The step at which it was stopped, while nothing has left or been heard since."""
    newest = order.hand_overs.select_related("by").order_by("-at", "-id").first()
    if newest is None or newest.status != PharmacyStatus.BLOCKED:
        return None
    return None if Fulfilment.objects.filter(order=order, shipped_at__gte=newest.at).exists() else newest
