"""What a draft of the rules would answer otherwise about facts that were answered once. Standard library only."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from intake.rules.eligibility import evaluate_read
from intake.rules.facts import Facts
from intake.rules.thresholds import Outcome, Thresholds


@dataclass(frozen=True, slots=True)
class Difference:
    """The same facts under two versions of the rules."""

    old: Outcome
    new: Outcome
    gained: tuple[str, ...]
    lost: tuple[str, ...]

    @property
    def stricter(self) -> bool:
        """Does the draft end in a more severe outcome?"""
        return self.new.severity > self.old.severity

    @property
    def milder(self) -> bool:
        """Does the draft end in a milder outcome?"""
        return self.new.severity < self.old.severity


def difference(
    facts: Facts,
    *,
    stage: str,
    states: Collection[str] | None,
    base: Thresholds,
    draft: Thresholds,
    ptsd_pathway: bool = False,
) -> Difference | None:
    """How the draft differs from the base on these facts; None when outcome and rules are the same."""
    old, new = (
        evaluate_read(facts, stage=stage, states=states, thresholds=each, ptsd_pathway=ptsd_pathway)
        for each in (base, draft)
    )
    if old.outcome is new.outcome and old.reasons == new.reasons:
        return None
    before, after = set(old.reasons), set(new.reasons)
    return Difference(old.outcome, new.outcome, tuple(sorted(after - before)), tuple(sorted(before - after)))
