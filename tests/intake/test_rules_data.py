"""The rule document: complete, refused when broken, and worded for people."""

from __future__ import annotations

import copy
import json
from collections import Counter
from pathlib import Path

import pytest

from intake.rules import (
    Outcome,
    Stage,
    default_data,
    default_thresholds,
    evaluate,
    rules_for,
    thresholds_from_data,
)
from intake.wording import (
    ASSESSMENT,
    for_clinician,
    for_patient,
    may_ask_clinician,
    needs_crisis_help,
    rule_texts,
)
from tests.intake.answers import CLEAR, STATES

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "clinical" / "eligibility_rules.json"


def document() -> dict:
    return copy.deepcopy(dict(default_data()))


def test_71_rules_of_which_35_exclude_35_review_and_one_informs():
    outcomes = Counter(default_thresholds().outcomes.values())
    assert outcomes == {Outcome.EXCLUDE: 35, Outcome.REVIEW: 35, Outcome.OK: 1}
    assert len(default_thresholds().outcomes) == 71


def test_the_phase_of_every_rule_in_the_document_is_the_stage_of_its_predicate():
    stage_of = {"P": Stage.ASSESSMENT, "F": Stage.INTAKE, "C": Stage.DECISION}
    phases = {row["id"]: stage_of[row["phase"]] for row in default_data()["rules"]}
    assert {rule.id: rule.stage for rule in rules_for(Stage.DECISION)} == {
        id: stage for id, stage in phases.items() if id != "E71"
    }


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference rules are not on this machine")
def test_ids_phases_and_outcomes_equal_the_reference_and_sentences_are_our_own():
    reference = {row["id"]: row for row in json.loads(REFERENCE.read_text())["eligibility"]}
    for row in default_data()["rules"]:
        theirs = reference[row["id"]]
        assert (row["phase"], row["outcome"]) == (theirs["phase"], theirs["outcome"]), row["id"]
        assert theirs["reason"] not in (row["patient"], row["clinician"])
        for number in row["thresholds"].values():
            assert str(number) in theirs["test"], row["id"]


def test_a_changed_threshold_changes_the_result_and_the_version_travels_with_it():
    """HZ-28: the numbers are data, and every result names the version it was made under."""
    changed = document()
    changed["version"] = "stricter"
    changed["rules"][1]["thresholds"]["older_adult_age_years"] = 38
    thresholds = thresholds_from_data(changed)
    result = evaluate(CLEAR, stage="intake", states=STATES, thresholds=thresholds)
    assert (result.reasons, result.rule_version) == (("E02",), "stricter")
    assert evaluate(CLEAR, stage="intake", states=STATES).reasons == ()


def test_a_changed_outcome_changes_the_result():
    changed = document()
    changed["rules"][64]["outcome"] = "review"
    person = {**CLEAR, "rx_classes": "theophylline"}
    assert evaluate(person, stage="intake", states=STATES).outcome is Outcome.EXCLUDE
    softer = thresholds_from_data(changed)
    assert evaluate(person, stage="intake", states=STATES, thresholds=softer).outcome is Outcome.REVIEW


@pytest.mark.parametrize(
    ("break_it", "sentence"),
    [
        (lambda d: d["rules"].pop(), "E01 to E71"),
        (lambda d: d["rules"].insert(0, d["rules"][3]), "E01 to E71"),
        (lambda d: d["rules"][0]["thresholds"].clear(), "lacks minimum_age_years"),
        (lambda d: d["rules"][0]["thresholds"].update(shoe_size=1), "unknown threshold"),
        (lambda d: d["rules"][0]["thresholds"].update(bmi_above=1), "repeats|bmi_above"),
        (lambda d: d["rules"][0]["thresholds"].update(minimum_age_years="18"), "not a number"),
        (lambda d: d["rules"][0]["thresholds"].update(minimum_age_years=True), "not a number"),
        (lambda d: d["rules"][0].update(outcome="maybe"), "maybe"),
    ],
)
def test_a_broken_rule_document_is_refused_with_a_reason(break_it, sentence):
    broken = document()
    break_it(broken)
    with pytest.raises(ValueError, match=sentence):
        thresholds_from_data(broken)


def test_every_rule_is_worded_for_the_patient_and_for_the_clinician():
    texts = rule_texts()
    assert list(texts) == [f"E{number:02d}" for number in range(1, 72)]
    for text in texts.values():
        assert text.patient.endswith(".") and text.clinician.endswith("."), text.id
        assert text.patient != text.clinician
        assert text.source and text.criterion
    assert len({text.patient for text in texts.values()}) == 71


def test_no_sentence_promises_approves_or_tells_anyone_to_stop_a_medicine():
    sentences = [text.patient for text in rule_texts().values()]
    sentences += [text.heading + " " + text.text for text in ASSESSMENT.values()]
    for sentence in sentences:
        lowered = sentence.lower()
        assert "approved" not in lowered and "eligible" not in lowered, sentence
        assert "stop taking" not in lowered and "skip your" not in lowered, sentence
    assert "do not stop" in rule_texts()["E58"].patient


@pytest.mark.parametrize("rule", ["E01", "E09", "E10", "E19", "E20", "E23", "E24", "E25"])
def test_absolute_rules_leave_no_appeal(rule):
    assert not may_ask_clinician([rule, "E05"])


def test_every_other_rule_leaves_an_appeal():
    absolute = {id for id, text in rule_texts().items() if not text.may_ask_clinician}
    assert absolute == {"E01", "E09", "E10", "E19", "E20", "E23", "E24", "E25"}


def test_imminent_risk_rules_show_help_in_their_own_sentence():
    """PR-06"""
    assert needs_crisis_help(["E22", "E19"]) and needs_crisis_help(["E20"])
    assert not needs_crisis_help(["E22"])
    for sentence in for_patient(["E19", "E20"]):
        assert "988" in sentence and "911" in sentence
    assert all("988" in sentence for sentence in for_patient(["E21", "E22"]))


def test_sentences_come_in_the_order_of_the_reasons():
    assert for_clinician(["E02", "E66"]) == [rule_texts()["E02"].clinician, rule_texts()["E66"].clinician]
