"""Every one of the 71 rules is true of somebody, false of somebody and unknown of somebody; each number is a boundary. HZ-12.

The people are made from the rule data and the facts each rule declares, so that a rule without all three fails here.
"""

import copy
import itertools

import pytest

from intake.rules import (
    FACTS,
    FACTS_BY_NAME,
    Outcome,
    Stage,
    default_data,
    default_thresholds,
    evaluate,
    read_facts,
    rules_for,
    thresholds_from_data,
)
from intake.rules.predicates import Practice
from tests.intake.answers import CLEAR, STATES

RULES = {rule.id: rule for rule in rules_for(Stage.DECISION)}
DATA = {row["id"]: row for row in default_data()["rules"]}
OPEN = Practice(states=frozenset(STATES), ptsd_pathway=True)
THRESHOLDS = default_thresholds()
# A number close to each threshold of the rule, on both sides; and something plain.
MEDICINES = ("maoi", "stimulant", "benzo", "opioid", "cns_depressant", "lamotrigine", "naltrexone", "cyp_inhibitor", "cyp_inducer", "theophylline", "antidepressant")  # fmt: skip
ELSEWHERE = "WY"


def values_of(rule_id: str, fact: str) -> list[str]:
    """Answers worth trying for a fact of this rule; the last one is no answer."""
    spec = FACTS_BY_NAME[fact]
    if fact == "state":
        return [sorted(STATES)[0], ELSEWHERE, ""]
    if fact == "rx_classes":
        return ["none", *MEDICINES, ""]
    if spec.choices:
        return [*spec.choices, ""]
    numbers = {0.0, 1.0}
    for number in DATA[rule_id]["thresholds"].values():
        numbers |= {number - 1, float(number), number + 1}
    texts = [f"{number:g}" for number in sorted(numbers) if number >= 0]
    # Only what a person can really have: a score of a questionnaire ends where the questionnaire does.
    return [text for text in texts if not read_facts({fact: text}, stage=Stage.DECISION)[1]] + [""]


def people(rule_id: str):
    """Every combination of answers to what the rule reads, everything else clear."""
    facts = RULES[rule_id].facts
    for values in itertools.product(*(values_of(rule_id, fact) for fact in facts)):
        yield dict(zip(facts, values, strict=True))


def truth(rule_id: str, person: dict[str, str], thresholds=THRESHOLDS):
    typed, _ = read_facts({**CLEAR, **person}, stage=Stage.DECISION)
    return RULES[rule_id].holds(typed, thresholds, OPEN)


def found_of(rule_id: str) -> dict[object, dict[str, str]]:
    found: dict[object, dict[str, str]] = {}
    for person in people(rule_id):
        found.setdefault(truth(rule_id, person), person)
        if len(found) == 3:
            break
    return found


def test_the_rules_of_the_data_and_of_the_code_are_the_same():
    assert set(DATA) == set(RULES) | {"E71"}


@pytest.mark.parametrize("rule_id", sorted(RULES))
def test_it_is_true_false_and_unknown_of_somebody(rule_id):
    assert set(found_of(rule_id)) == {True, False, None}, rule_id


@pytest.mark.parametrize("rule_id", sorted(RULES))
def test_true_is_reported_with_its_severity_false_is_not_and_unknown_means_review(rule_id):
    found = found_of(rule_id)
    for value, person in found.items():
        result = evaluate({**CLEAR, **person}, stage="decision", states=STATES, ptsd_pathway=True)
        assert (rule_id in result.reasons) is (value is True), (value, person)
        if value is True:
            assert result.outcome.severity >= Outcome(DATA[rule_id]["outcome"]).severity
        if value is None and any(
            FACTS_BY_NAME[name].required for name in RULES[rule_id].facts if not person[name]
        ):
            assert "E71" in result.reasons and result.outcome is not Outcome.OK


@pytest.mark.parametrize("rule_id", sorted(DATA))
def test_every_reason_has_words_for_the_patient_and_the_clinician_and_a_source(rule_id):
    row = DATA[rule_id]
    assert row["patient"].strip() and row["clinician"].strip() and row["source"] and row["criterion"]


@pytest.mark.parametrize("spec", [spec for spec in FACTS if spec.required], ids=lambda spec: spec.name)
def test_e71_is_true_for_each_required_fact_that_nobody_answered_and_false_otherwise(spec):
    assert "E71" not in evaluate(CLEAR, stage="decision", states=STATES).reasons
    for silence in ("", "unsure"):
        result = evaluate({**CLEAR, spec.name: silence}, stage="decision", states=STATES)
        assert "E71" in result.reasons and spec.name in result.missing


NUMBERS = [(row["id"], name) for row in DATA.values() for name in row["thresholds"]]


def moved(rule_id: str, name: str, by: float):
    """The thresholds of a draft in which one number of one rule is another."""
    document = copy.deepcopy(dict(default_data()))
    rule = next(row for row in document["rules"] if row["id"] == rule_id)
    rule["thresholds"][name] += by
    return thresholds_from_data(document)


@pytest.mark.parametrize("by", [1, -1])
@pytest.mark.parametrize(("rule_id", "name"), NUMBERS, ids=[f"{rule}-{name}" for rule, name in NUMBERS])
def test_a_number_of_a_draft_moves_exactly_its_own_boundary(rule_id, name, by):
    """What answers differently lies at that number and nowhere else, and no other rule answers differently."""
    draft = moved(rule_id, name, by)
    number = DATA[rule_id]["thresholds"][name]
    differing = []
    for person in people(rule_id):
        before, after = truth(rule_id, person), truth(rule_id, person, draft)
        if before is not after:
            differing.append(person)
        for other in RULES:
            if other != rule_id and set(RULES[other].facts) & set(RULES[rule_id].facts):
                assert truth(other, person) is truth(other, person, draft), (other, person)
    assert differing, f"nothing turns at {name}"
    for person in differing:
        near = [float(value) for value in person.values() if value.replace(".", "").isdigit()]
        assert any(min(number, number + by) <= value <= max(number, number + by) for value in near), person


# Decision tables: what several rules add up to. The most severe wins, every reason is carried, unknown is never ok.
TABLE = [
    ({}, "ok", ()),
    ({"rx_classes": "antidepressant"}, "ok", ("E66",)),
    ({"age_years": "65"}, "review", ("E02",)),
    ({"age_years": "65", "rx_classes": "antidepressant"}, "review", ("E02", "E66")),
    ({"age_years": "17"}, "exclude", ("E01",)),
    ({"aneurysm": "yes", "age_years": "65"}, "exclude", ("E02", "E23")),
    ({"aneurysm": "", "age_years": "38"}, "review", ("E71",)),
    ({"aneurysm": "unsure", "avm": "yes"}, "exclude", ("E24", "E71")),
    ({"bp_systolic_mmhg": "139", "bp_diastolic_mmhg": "89"}, "ok", ()),
    ({"bp_systolic_mmhg": "140", "bp_diastolic_mmhg": "89"}, "review", ("E29",)),
    ({"bp_systolic_mmhg": "139", "bp_diastolic_mmhg": "90"}, "review", ("E29",)),
    ({"bp_systolic_mmhg": "159", "bp_diastolic_mmhg": "99"}, "review", ("E29",)),
    ({"bp_systolic_mmhg": "160", "bp_diastolic_mmhg": "80"}, "exclude", ("E30",)),
    ({"bp_systolic_mmhg": "150", "bp_diastolic_mmhg": "100"}, "exclude", ("E29", "E30")),
    ({"htn": "yes", "bp_systolic_mmhg": "139", "bp_diastolic_mmhg": "89"}, "review", ("E28",)),
    ({"htn": "yes", "bp_systolic_mmhg": "140", "bp_diastolic_mmhg": "89"}, "review", ("E29",)),
    ({"cssrs_q4": "yes", "rx_classes": "benzo"}, "exclude", ("E19", "E58")),
    ({"cssrs_q6_life": "yes", "cssrs_q6_3mo": "no"}, "review", ("E21",)),
    ({"cssrs_q6_life": "yes", "cssrs_q6_3mo": "yes"}, "exclude", ("E20",)),
    ({"audit_c": "3", "sex": "female"}, "review", ("E51",)),
    ({"audit_c": "3", "sex": "male"}, "ok", ()),
    ({"audit_c": "8", "sex": "male"}, "exclude", ("E50", "E51")),
    ({"phq9_total": "9", "gad7_total": "9"}, "exclude", ("E07",)),
    ({"phq9_total": "9", "gad7_total": "10"}, "ok", ()),
]  # fmt: skip


@pytest.mark.parametrize(("answers", "outcome", "reasons"), TABLE)
def test_the_decision_table(answers, outcome, reasons):
    result = evaluate({**CLEAR, **answers}, stage="decision", states=STATES)
    assert (str(result.outcome), result.reasons) == (outcome, reasons)
