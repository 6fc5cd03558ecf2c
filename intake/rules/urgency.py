"""Who is read first. Urgency orders the queue; it decides nothing."""

from __future__ import annotations

from collections.abc import Iterable

NOW, TODAY, SOON, ROUTINE = 3, 2, 1, 0

# Intent, plan or behaviour; then moderate risk or pressure out of control; then lesser risk.
_RULES = (
    (NOW, frozenset({"E19", "E20"})),
    (TODAY, frozenset({"E21", "E30"})),
    (SOON, frozenset({"E22", "E29"})),
)


def urgency_of(reasons: Iterable[str]) -> int:
    """0 to 3 from the rules that are true."""
    given = set(reasons)
    return next((level for level, rules in _RULES if rules & given), ROUTINE)
