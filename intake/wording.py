"""What a person reads for an eligibility result. The sentences of the rules are data and pinned with them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from intake.rules import Outcome, default_data
from intake.rules.steps import intake_steps
from measures.rules import risk_screen


@dataclass(frozen=True, slots=True)
class RuleText:
    """One rule in words: for the patient, for the clinician, and where it comes from."""

    id: str
    outcome: Outcome
    criterion: str
    patient: str
    clinician: str
    recheck: str
    source: tuple[str, ...]
    may_ask_clinician: bool
    crisis: bool
    # An absolute rule about a danger that passes: so many days without a sign, then a psychiatrist may look again.
    reassess_after_days: int | None = None
    # While it is true, nothing is prescribed before the person has written a safety plan.
    safety_plan_first: bool = False

    @property
    def is_absolute(self) -> bool:
        """Excludes, and nobody signs against it."""
        return self.outcome is Outcome.EXCLUDE and not self.may_ask_clinician


@cache
def _shipped(name: str) -> Mapping[str, Any]:
    return {row["id"]: row[name] for row in default_data()["rules"] if name in row}


def rule_texts(data: Mapping[str, Any] | None = None) -> dict[str, RuleText]:
    """All rules in words, by id. `data` is the eligibility part of a protocol version; default: as shipped."""
    document = default_data() if data is None else data
    return {
        row["id"]: RuleText(
            id=row["id"],
            outcome=Outcome(row["outcome"]),
            criterion=row["criterion"],
            patient=row["patient"],
            clinician=row["clinician"],
            recheck=row["recheck"] or "",
            source=tuple(row["source"]),
            may_ask_clinician=row["patient_may_ask_clinician"],
            crisis=row["crisis"],
            # A protocol version from before these takes the ones that ship.
            reassess_after_days=row.get(
                "reassess_after_days", _shipped("reassess_after_days").get(row["id"])
            ),
            safety_plan_first=row.get(
                "safety_plan_first", _shipped("safety_plan_first").get(row["id"], False)
            ),
        )
        for row in document["rules"]
    }


def for_patient(reasons: Iterable[str], data: Mapping[str, Any] | None = None) -> list[str]:
    """The patient's sentences for these rules, in their order."""
    texts = rule_texts(data)
    return [texts[reason].patient for reason in reasons]


def for_clinician(reasons: Iterable[str], data: Mapping[str, Any] | None = None) -> list[str]:
    """The clinician's sentences for these rules, in their order."""
    texts = rule_texts(data)
    return [texts[reason].clinician for reason in reasons]


def may_ask_clinician(reasons: Iterable[str], data: Mapping[str, Any] | None = None) -> bool:
    """Whether an excluded person may still ask a clinician to look: not where a rule is absolute."""
    texts = rule_texts(data)
    return all(texts[reason].may_ask_clinician for reason in reasons)


def needs_crisis_help(reasons: Iterable[str], data: Mapping[str, Any] | None = None) -> bool:
    """Whether one of these rules shows help at once."""
    texts = rule_texts(data)
    return any(texts[reason].crisis for reason in reasons)


@dataclass(frozen=True, slots=True)
class OutcomeText:
    """The answer of the two-minute assessment. It never says "approved": only a psychiatrist decides."""

    heading: str
    text: str


ASSESSMENT: Mapping[Outcome, OutcomeText] = {
    Outcome.OK: OutcomeText(
        "This may be a fit",
        "Nothing in your answers speaks against taking the next step. A psychiatrist looks at your full history "
        "before anything is decided.",
    ),
    Outcome.REVIEW: OutcomeText(
        "Let's talk to a person",
        "Some of your answers need a closer look by someone who can ask you more. That is common, and not a no.",
    ),
    Outcome.EXCLUDE: OutcomeText(
        "Not right now",
        "From your answers, treatment at home would not be safe or right for you at the moment. Here is why, and "
        "what may help instead.",
    ),
}

SCREEN_RESULT_FOR_STAFF: Mapping[Outcome, str] = {
    Outcome.OK: "No rule against; your decision",
    Outcome.REVIEW: "Needs review",
    Outcome.EXCLUDE: "Rules exclude",
}


@cache
def _names() -> Mapping[str, Mapping[str, str]]:
    return json.loads((Path(__file__).parent / "data" / "names.json").read_text(encoding="utf-8"))


def fact_name(fact: str) -> str:
    """What a fact of the rules is called in a list that staff read."""
    return _names()["facts"].get(fact, fact.replace("_", " "))


def number_name(threshold: str) -> str:
    """What a number of the rules is called."""
    return _names()["numbers"].get(threshold, threshold.replace("_", " "))


_FACTS_IN_WORDS: Mapping[str, str] = {
    "rx_classes": "Classes of the medicines on the list",
    "medicines": "Medicines on the list",
    "age_years": "Age in years",
    "bmi": "Body mass index (kg/m²)",
    "state": "State of care",
    "cardiac_event_days": "Days since the last heart attack, stroke or heart surgery",
    "luts_score": "Signs of bladder trouble (count)",
    "bp_systolic_mmhg": "Systolic pressure at intake (mmHg)",
    "bp_diastolic_mmhg": "Diastolic pressure at intake (mmHg)",
    "phq9_total": "PHQ-9 total",
    "phq9_item9": "PHQ-9 item 9",
    "gad7_total": "GAD-7 total",
    "pcl5_total": "PCL-5 total",
    "audit_c": "AUDIT-C total",
}


def question_words(fact: str) -> str:
    """The question that a fact answers, as it was asked; the fact's own name where it is counted, not asked."""
    if fact in _FACTS_IN_WORDS:
        return _FACTS_IN_WORDS[fact]
    for asked in risk_screen().questions:
        if asked.code == fact:
            return asked.text
    for step in intake_steps():
        for question in step.questions:
            if question.name == fact:
                return question.label
    return fact.replace("_", " ")


def answer_words(fact: str, value: str) -> str:
    """An answer as the person gave it; “not known” for an empty one."""
    if not value:
        return "not known"
    for step in intake_steps():
        for question in step.questions:
            if question.name == fact:
                return dict(question.choices).get(value, value)
    return value.replace("_", " ")
