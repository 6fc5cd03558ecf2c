"""The eligibility rules on worked examples: a few of our own, and the reference table where it is at hand."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from intake.rules import FACTS_BY_NAME, evaluate
from tests.intake.answers import CLEAR, STATES

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "clinical" / "eligibility_examples.csv"


@pytest.mark.parametrize(
    ("stage", "changes", "outcome", "reasons", "missing"),
    [
        ("decision", {}, "ok", "", ""),
        ("decision", {"rx_classes": "antidepressant"}, "ok", "E66", ""),
        ("decision", {"age_years": "17", "state": "FL"}, "exclude", "E01 E03", ""),
        ("decision", {"consent_signed": "no", "pdmp": "not_checked"}, "exclude", "E55 E69", ""),
        ("intake", {"consent_signed": "no", "pdmp": ""}, "ok", "", ""),
        ("intake", {"cssrs_q4": "yes", "cssrs_q5": ""}, "exclude", "E19 E71", "cssrs_q5"),
        ("intake", {"bp_systolic_mmhg": "165", "bp_diastolic_mmhg": "95"}, "exclude", "E29 E30", ""),
        ("intake", {"liver": "", "htn": "unsure", "egfr": ""}, "review", "E71", "htn liver"),
        ("intake", {"rx_classes": "cns_depressant maoi antidepressant"}, "review", "E56 E60 E66", ""),
        ("assessment", {"liver": "severe", "home_safe": "no"}, "review", "E06", ""),
        ("assessment", {"avm": "unsure", "liver": "severe"}, "review", "E71", "avm"),
    ],
)
def test_worked_examples_of_our_own(stage, changes, outcome, reasons, missing):
    result = evaluate({**CLEAR, **changes}, stage=stage, states=STATES)
    assert (result.outcome, " ".join(result.reasons), " ".join(result.missing)) == (outcome, reasons, missing)


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference table is not on this machine")
def test_every_row_of_the_reference_examples_is_equal():
    """HZ-12: outcome, reasons and missing facts of all worked examples."""
    different = []
    with REFERENCE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        facts = {name: row[name] for name in FACTS_BY_NAME if name in row}
        result = evaluate(facts, stage=row["stage"], states=row["states"].split())
        found = (result.outcome, " ".join(result.reasons), " ".join(result.missing))
        expected = (row["expected_outcome"], row["expected_reasons"], row["expected_missing"])
        if found != expected:
            different.append((row["id"], found, expected))
    assert len(rows) > 100
    assert different == []
