"""What happens next, by the protocol document: who looks, how soon, and when to measure again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from vitals.rules.after_dose import PostDoseFlag
from vitals.rules.before_dose import HoldReason


@dataclass(frozen=True, slots=True)
class NextStep:
    """What happens next for one reason or flag: who looks, how soon, and when to measure again."""

    id: str
    reason: str
    who: str
    within_minutes: int | None
    recheck_minutes: int | None
    page: bool
    programme_hold: bool
    review_before_next_session: bool
    clinician_may_release: bool


def next_steps(
    reasons: Iterable[HoldReason] | Iterable[PostDoseFlag], data: Mapping[str, Any]
) -> tuple[NextStep, ...]:
    """The protocol's steps for these reasons or flags, in its order; reasons without a step of their own have none."""
    found = {str(reason) for reason in reasons}
    after = any(isinstance(reason, PostDoseFlag) for reason in reasons)
    rows = data["post_dose"] if after else data["pre_dose"]
    key = "flag" if after else "reason"
    return tuple(
        NextStep(
            id=row["id"],
            reason=row[key],
            who=row["who"],
            within_minutes=row["within_minutes"],
            recheck_minutes=row.get("recheck_minutes"),
            page=row["page"],
            programme_hold=row["programme_hold"],
            review_before_next_session=row.get("review_before_next_session", False),
            clinician_may_release=row.get("clinician_may_release", False),
        )
        for row in rows
        if row[key] in found
    )
