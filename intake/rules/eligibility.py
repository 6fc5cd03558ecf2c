"""One evaluation: every rule that is true, the worst outcome among them, and what is still unknown.

The result is a screen result. Nothing here can make anyone eligible: only a psychiatrist decides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

from intake.rules.facts import Facts, Stage, parse_facts
from intake.rules.predicates import RULES, Practice, Predicate, Rule
from intake.rules.thresholds import Outcome, Thresholds, default_thresholds

__all__ = [
    "UNANSWERED",
    "EligibilityResult",
    "Outcome",
    "Practice",
    "Rule",
    "evaluate",
    "rules_for",
    "worst",
]

# E71: a required answer is missing or unsure. It comes last by number as well as by sense.
UNANSWERED = "E71"
# The fact that stays unknown while a medicine of the list is in no class we know.
UNREAD = "rx_classes"
# The class of a medicine that is on no list of ours: what the person typed, for a clinician to read.
UNKNOWN_CLASS = "other"


@dataclass(frozen=True, slots=True)
class EligibilityResult:
    """What the rules say, and under which version of them."""

    outcome: Outcome
    reasons: tuple[str, ...]
    missing: tuple[str, ...]
    rule_version: str


@cache
def rules_for(stage: Stage) -> tuple[Rule, ...]:
    """The rules of a stage and of the stages before it, in order of number."""
    return tuple(rule for rule in sorted(RULES, key=lambda rule: rule.id) if rule.stage.order <= stage.order)


@cache
def _compiled(stage: Stage) -> tuple[tuple[str, Predicate], ...]:
    return tuple((rule.id, rule.holds) for rule in rules_for(stage))


@lru_cache(maxsize=64)
def _practice(states: frozenset[str] | None, ptsd_pathway: bool) -> Practice:
    upper = None if states is None else frozenset(code.strip().upper() for code in states)
    return Practice(states=upper, ptsd_pathway=ptsd_pathway)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The most severe outcome; ok when there is none."""
    return max(outcomes, key=lambda outcome: outcome.severity, default=Outcome.OK)


def outcome_of(reasons: Iterable[str], thresholds: Thresholds) -> Outcome:
    """The outcome that these reported rules add up to."""
    return worst(thresholds.outcomes[reason] for reason in reasons)


def evaluate(
    facts: Facts | Mapping[str, object],
    *,
    stage: Stage | str,
    states: Collection[str] | None,
    thresholds: Thresholds | None = None,
    ptsd_pathway: bool = False,
) -> EligibilityResult:
    """Apply every rule of the stage to the facts. No rule hides another.

    `states` are the states with a licensed prescriber; None means every state. Raises FactsError when facts
    come as text and some cannot be read.
    """
    stage = Stage(stage)
    thresholds = thresholds or default_thresholds()
    if not isinstance(facts, Facts):
        facts = parse_facts(facts, stage=stage)
    practice = _practice(None if states is None else frozenset(states), ptsd_pathway)
    reasons = [id for id, holds in _compiled(stage) if holds(facts, thresholds, practice)]
    missing = facts.missing(stage)
    if missing:
        reasons.append(UNANSWERED)
    return EligibilityResult(outcome_of(reasons, thresholds), tuple(reasons), missing, thresholds.version)


def with_unread_medicine(result: EligibilityResult, thresholds: Thresholds) -> EligibilityResult:
    """The same result where a medicine on the list is known to nobody yet: its class is an answer that is missing (E71)."""
    if UNREAD in result.missing:
        return result
    reasons = tuple(dict.fromkeys((*result.reasons, UNANSWERED)))
    missing = tuple(sorted((*result.missing, UNREAD)))
    return EligibilityResult(outcome_of(reasons, thresholds), reasons, missing, result.rule_version)


def evaluate_read(
    facts: Facts, *, stage: str, states: Collection[str] | None, thresholds: Thresholds, ptsd_pathway: bool
) -> EligibilityResult:
    """What the rules say of somebody's own intake: every rule, and a medicine that nobody has read yet is missing."""
    result = evaluate(facts, stage=stage, states=states, thresholds=thresholds, ptsd_pathway=ptsd_pathway)
    if facts.rx_classes is not None and UNKNOWN_CLASS in facts.rx_classes:
        return with_unread_medicine(result, thresholds)
    return result
