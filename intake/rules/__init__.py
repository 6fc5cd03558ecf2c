"""What follows from a person's answers: typed facts, 71 predicates, one result. Standard library only."""

from intake.rules.eligibility import (
    EligibilityResult,
    Outcome,
    Practice,
    Rule,
    evaluate,
    rules_for,
    worst,
)
from intake.rules.facts import (
    FACTS,
    FACTS_BY_NAME,
    Facts,
    FactsError,
    FactSpec,
    FieldError,
    Stage,
    facts_of,
    parse_facts,
    read_facts,
    required_facts,
)
from intake.rules.thresholds import Thresholds, default_data, default_thresholds, thresholds_from_data

__all__ = [
    "FACTS",
    "FACTS_BY_NAME",
    "EligibilityResult",
    "FactSpec",
    "Facts",
    "FactsError",
    "FieldError",
    "Outcome",
    "Practice",
    "Rule",
    "Stage",
    "Thresholds",
    "default_data",
    "default_thresholds",
    "evaluate",
    "facts_of",
    "parse_facts",
    "read_facts",
    "required_facts",
    "rules_for",
    "thresholds_from_data",
    "worst",
]
