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


# What the questions about safety are called as facts. One that is unsure or left open is read like a moderate answer.
_SAFETY = "cssrs_"


def urgency_of(reasons: Iterable[str], missing: Iterable[str] = ()) -> int:
    """0 to 3 from the rules that are true and the answers that are missing or unsure."""
    given = set(reasons)
    level = next((level for level, rules in _RULES if rules & given), ROUTINE)
    return max(level, TODAY) if any(name.startswith(_SAFETY) for name in missing) else level
