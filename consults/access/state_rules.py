"""Which rule holds in a state today: the practice's newest approved one, else the protocol version's, else unknown."""

from datetime import datetime
from typing import Any

from accounts.models import STATES
from common import protocol
from common.errors import Conflict
from consults.models import StateRule
from consults.rules.state_law import RULES, LawGap, booking_gap


def _shipped(at: datetime) -> dict[str, Any]:
    try:
        found: dict[str, Any] = protocol.current(at=at).data.get("states", {}).get("rules", {})
    except Conflict:
        return {}
    return found


def rule_in(state: str, *, at: datetime) -> str:
    """federal, in_person_first, closed or unknown. Whatever is missing or misspelled is unknown, and unknown is blocked."""
    decided = (
        StateRule.objects.filter(state=state, approved_at__lte=at).order_by("-approved_at", "-id").first()
    )
    rule = decided.rule if decided is not None else _shipped(at).get(state, {}).get("rule", "unknown")
    return rule if rule in RULES else "unknown"


def rules_of_all(at: datetime) -> dict[str, str]:
    """The rule of every state, in two queries."""
    shipped = _shipped(at)
    found = {state: shipped.get(state, {}).get("rule", "unknown") for state in STATES}
    for state, rule in (
        StateRule.objects.filter(approved_at__lte=at)
        .order_by("approved_at", "id")
        .values_list("state", "rule")
    ):
        found[state] = rule
    return found


def booking_refusal_in(state: str, *, at: datetime) -> LawGap | None:
    """What stands against booking a consult for somebody in this state."""
    return booking_gap(rule_in(state, at=at))
