"""Answers for tests of the eligibility rules: a person every rule clears, and strategies for any person at all."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from intake.rules import FACTS, FACTS_BY_NAME
from intake.rules.facts import RX_CLASSES, FactSpec

# A person to whom every rule answers "no": the starting point of the examples.
CLEAR: dict[str, str] = {
    **{name: "no" for name, spec in FACTS_BY_NAME.items() if spec.choices == ("yes", "no")},
    "age_years": "38",
    "state": "CA",
    "has_internet_video": "yes",
    "monitor_available": "yes",
    "home_safe": "yes",
    "phq9_total": "16",
    "phq9_item9": "0",
    "gad7_total": "12",
    "pcl5_total": "",
    "contraception": "yes",
    "cardiac_event_days": "none",
    "bp_systolic_mmhg": "118",
    "bp_diastolic_mmhg": "76",
    "glaucoma": "none",
    "seizures": "none",
    "hyperthyroid": "none",
    "liver": "none",
    "egfr": "95",
    "kidney": "none",
    "cystitis": "none",
    "luts_score": "0",
    "resp": "none",
    "bmi": "27",
    "sex": "female",
    "audit_c": "1",
    "dast10": "0",
    "rx_classes": "none",
    "clinician_dx": "both",
    "pdmp": "clear",
    "consent_signed": "yes",
    "id_verified": "yes",
    "agreement_signed": "yes",
}
STATES = ("CA", "NY", "TX")

# Numbers around every threshold, and the ends of what can be entered.
NUMBERS: dict[str, list[str]] = {
    "age_years": ["0", "17", "18", "19", "64", "65", "66", "130"],
    "phq9_total": ["0", "9", "10", "11", "27"],
    "phq9_item9": ["0", "1", "3"],
    "gad7_total": ["0", "9", "10", "21"],
    "pcl5_total": ["0", "32", "33", "80"],
    "cardiac_event_days": ["none", "0", "179", "180", "181", "9999"],
    "bp_systolic_mmhg": ["60", "118", "139", "139.5", "140", "159", "159.5", "160", "161", "300"],
    "bp_diastolic_mmhg": ["30", "76", "89", "89.5", "90", "99", "99.5", "100", "101", "200"],
    "egfr": ["0", "29", "29.9", "30", "31", "95"],
    "luts_score": ["0", "0.5", "1", "5"],
    "bmi": ["18", "39.9", "40", "40.1", "55"],
    "audit_c": ["0", "2", "3", "4", "5", "7", "8", "12"],
    "dast10": ["0", "2", "3", "5", "6", "10"],
}


def _known(spec: FactSpec) -> st.SearchStrategy[str]:
    if spec.name == "rx_classes":
        some = st.lists(st.sampled_from(RX_CLASSES), min_size=1, max_size=4, unique=True).map(" ".join)
        return st.one_of(st.just("none"), some)
    if spec.name == "state":
        return st.sampled_from(["CA", "NY", "TX", "FL", "PR"])
    return st.sampled_from(NUMBERS.get(spec.name) or list(spec.choices))


def value_of(spec: FactSpec) -> st.SearchStrategy[str]:
    """Any readable value of a fact, unknown included."""
    return st.one_of(_known(spec), st.sampled_from(["", "unsure"]))


def anybody() -> st.SearchStrategy[dict[str, Any]]:
    """Any answers at all."""
    return st.fixed_dictionaries({spec.name: value_of(spec) for spec in FACTS})


def somebody() -> st.SearchStrategy[dict[str, Any]]:
    """Mostly clear answers with a few that are not: closer to people, and nearer to the edges of outcomes."""
    changes = st.lists(st.sampled_from(FACTS), max_size=6, unique=True).flatmap(
        lambda specs: st.fixed_dictionaries({spec.name: value_of(spec) for spec in specs})
    )
    return changes.map(lambda changed: {**CLEAR, **changed})
