"""The numbers and outcomes that people sign off, read from data and handed to the rules.

Today they come from intake/data/eligibility.json; a ProtocolVersion row carries the same document.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any


class Outcome(StrEnum):
    """A screen result. "Eligible" exists only as a psychiatrist's signed decision."""

    OK = "ok"
    REVIEW = "review"
    EXCLUDE = "exclude"

    @property
    def severity(self) -> int:
        """0, 1 or 2; the most severe wins."""
        return _SEVERITY[self]


_SEVERITY = {Outcome.OK: 0, Outcome.REVIEW: 1, Outcome.EXCLUDE: 2}

RULE_IDS = tuple(f"E{number:02d}" for number in range(1, 72))


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Every number the eligibility rules compare with, the outcome of each rule, and the version of both.

    `..._from` is inclusive, `..._below` and `..._above` are not, `..._to` is inclusive.
    """

    version: str
    outcomes: Mapping[str, Outcome]
    minimum_age_years: float
    older_adult_age_years: float
    phq9_qualifying_from: float
    gad7_qualifying_from: float
    pcl5_qualifying_from: float
    phq9_item9_positive_from: float
    cardiac_event_recent_days: float
    controlled_below_systolic_mmhg: float
    controlled_below_diastolic_mmhg: float
    raised_from_systolic_mmhg: float
    raised_below_systolic_mmhg: float
    raised_from_diastolic_mmhg: float
    raised_below_diastolic_mmhg: float
    uncontrolled_from_systolic_mmhg: float
    uncontrolled_from_diastolic_mmhg: float
    egfr_severe_below: float
    luts_symptoms_from: float
    bmi_above: float
    audit_c_high_from: float
    audit_c_positive_men_from: float
    audit_c_positive_others_from: float
    dast10_high_from: float
    dast10_moderate_from: float
    dast10_moderate_to: float


_NUMBERS = frozenset(field.name for field in fields(Thresholds)) - {"version", "outcomes"}


def thresholds_from_data(data: Mapping[str, Any]) -> Thresholds:
    """Read a rule document. Anything missing, doubled, unknown or not a number is refused."""
    numbers: dict[str, float] = {}
    outcomes: dict[str, Outcome] = {}
    for rule in data["rules"]:
        outcomes[rule["id"]] = Outcome(rule["outcome"])
        for name, value in rule["thresholds"].items():
            if name not in _NUMBERS:
                raise ValueError(f"{rule['id']} names an unknown threshold: {name}")
            if name in numbers:
                raise ValueError(f"{rule['id']} repeats the threshold {name}")
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"{rule['id']}: {name} is not a number")
            numbers[name] = value
    if tuple(rule["id"] for rule in data["rules"]) != RULE_IDS:
        raise ValueError("the rule document must list E01 to E71, each once and in order")
    if absent := sorted(_NUMBERS - set(numbers)):
        raise ValueError(f"the rule document lacks {', '.join(absent)}")
    return Thresholds(version=str(data["version"]), outcomes=MappingProxyType(outcomes), **numbers)


@cache
def default_data() -> Mapping[str, Any]:
    """The rule document that ships with the product."""
    path = Path(__file__).resolve().parent.parent / "data" / "eligibility.json"
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return MappingProxyType(document)


@cache
def default_thresholds() -> Thresholds:
    """The thresholds of the rule document that ships with the product."""
    return thresholds_from_data(default_data())
