"""What stands against a psychiatrist's decision about the next dose; empty means it may be signed. The judgement itself is theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from common.notes import is_a_note


class DecisionGap(StrEnum):
    """A decision with one of these cannot be signed."""

    PREVIOUS_NOT_OVER = "previous_not_over"
    ALREADY_RELEASED = "already_released"
    ORDER_NOT_IN_FORCE = "order_not_in_force"
    NOT_COVERED = "not_covered"
    REVIEW_MISSING = "review_missing"
    REASON_MISSING = "reason_missing"
    NOT_THE_SAME = "not_the_same"
    NOT_HIGHER = "not_higher"
    NOT_LOWER = "not_lower"
    STEP_TOO_LARGE = "step_too_large"
    HIGHER_AFTER_HIGH_PRESSURE = "higher_after_high_pressure"
    RESTART_LOWER = "restart_lower"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionFacts:
    """What the decision rests on. Doses in micrograms; `last_dose_ug` None: no dose of this course was taken."""

    kind: str
    review: str
    reason: str
    order_in_force: bool
    order_covers: bool
    order_dose_ug: int
    last_dose_ug: int | None
    previous_over: bool
    released: bool
    days_since_last: float | None
    last_bands: frozenset[str]


def decision_gaps(f: DecisionFacts, titration: Mapping[str, Any]) -> frozenset[DecisionGap]:
    """By the protocol's titration rules. A stop needs no order and may be signed at any time before the release."""
    found: set[DecisionGap] = set()
    if not is_a_note(f.review):
        found.add(DecisionGap.REVIEW_MISSING)
    if f.released:
        found.add(DecisionGap.ALREADY_RELEASED)
    if f.kind != "same" and not is_a_note(f.reason):
        found.add(DecisionGap.REASON_MISSING)
    if not f.order_in_force:
        found.add(DecisionGap.ORDER_NOT_IN_FORCE)
    if not f.previous_over:
        found.add(DecisionGap.PREVIOUS_NOT_OVER)
    if f.kind == "stop":
        return frozenset(found)
    if not f.order_covers:
        found.add(DecisionGap.NOT_COVERED)
    before, now = f.last_dose_ug, f.order_dose_ug
    if before is None:
        # The first dose is the order's own: there is nothing yet that it could be higher or lower than.
        if f.kind != "same":
            found.add(DecisionGap.NOT_THE_SAME)
        return frozenset(found)
    if f.kind == "same" and now != before:
        found.add(DecisionGap.NOT_THE_SAME)
    if f.kind == "up" and now <= before:
        found.add(DecisionGap.NOT_HIGHER)
    if f.kind == "down" and now >= before:
        found.add(DecisionGap.NOT_LOWER)
    step = now - before
    if step > 0:
        # A protocol that says nothing of titration allows no step up.
        most_ug = titration.get("up_max_mg", 0) * 1000
        most_percent = titration.get("up_max_percent", 0)
        if step > most_ug or step * 100 > before * most_percent:
            found.add(DecisionGap.STEP_TOO_LARGE)
        if f.last_bands & set(titration.get("no_up_after_bands", ())):
            found.add(DecisionGap.HIGHER_AFTER_HIGH_PRESSURE)
    restart = titration.get("restart_after_days")
    if (
        restart is not None
        and f.days_since_last is not None
        and f.days_since_last > restart
        and now >= before
    ):
        found.add(DecisionGap.RESTART_LOWER)
    return frozenset(found)


SENTENCES: dict[DecisionGap, str] = {
    DecisionGap.PREVIOUS_NOT_OVER: "The session before is still going on. Decide once its watch has ended.",
    DecisionGap.ALREADY_RELEASED: "The dose of this session was released already.",
    DecisionGap.ORDER_NOT_IN_FORCE: "The order of this course is no longer in force. Sign a new one first.",
    DecisionGap.NOT_COVERED: "The order does not cover this session. Sign an order that does first.",
    DecisionGap.REVIEW_MISSING: "Write what you saw of the last session, in a sentence.",
    DecisionGap.REASON_MISSING: "Say why the dose changes, or why it stops, in a sentence.",
    DecisionGap.NOT_THE_SAME: "The order’s dose is not the one taken last. Choose higher or lower, or change the order.",
    DecisionGap.NOT_HIGHER: "The order’s dose is not higher than the one taken last. Sign a superseding order first.",
    DecisionGap.NOT_LOWER: "The order’s dose is not lower than the one taken last. Sign a superseding order first.",
    DecisionGap.STEP_TOO_LARGE: "The step up is larger than the protocol allows at once.",
    DecisionGap.HIGHER_AFTER_HIGH_PRESSURE: "The pressure was high after the last dose: the protocol allows the same or a lower dose.",
    DecisionGap.RESTART_LOWER: "The last dose is too long ago: the protocol begins again with a lower dose.",
}
