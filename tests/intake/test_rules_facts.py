"""Reading facts: what is understood, what is unknown, and what is refused with a sentence."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.rules import (
    FACTS,
    FACTS_BY_NAME,
    Facts,
    FactsError,
    Stage,
    parse_facts,
    read_facts,
    required_facts,
)
from tests.intake.answers import CLEAR, anybody


def test_every_fact_of_the_vocabulary_has_a_typed_field_and_a_stage():
    assert [spec.name for spec in FACTS] == list(Facts.__dataclass_fields__)
    assert len({spec.name for spec in FACTS}) == len(FACTS) == 67


@pytest.mark.parametrize("stage", list(Stage))
def test_required_facts_are_those_of_the_stage_and_before_without_the_optional_two(stage):
    names = required_facts(stage)
    assert list(names) == sorted(names)
    assert "egfr" not in names and "pcl5_total" not in names
    assert ("phq9_total" in names) == (stage is not Stage.ASSESSMENT)
    assert ("pdmp" in names) == (stage is Stage.DECISION)


@pytest.mark.parametrize("spec", FACTS, ids=lambda spec: spec.name)
@pytest.mark.parametrize("unknown", ["", "  ", "unsure", "Unsure", None])
def test_an_empty_or_unsure_answer_is_unknown_for_every_fact(spec, unknown):
    assert spec.parse(unknown) is None


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("age_years", "38", 38),
        ("age_years", " 38 ", 38),
        ("age_years", 38, 38),
        ("age_years", "38.0", 38),
        ("state", "ca", "CA"),
        ("pregnant", "Yes", True),
        ("pregnant", "no", False),
        ("cardiac_event_days", "none", math.inf),
        ("cardiac_event_days", "0", 0),
        ("bp_systolic_mmhg", "139.5", 139.5),
        ("rx_classes", "none", frozenset()),
        ("rx_classes", "benzo  maoi benzo", frozenset({"benzo", "maoi"})),
        ("liver", "SEVERE", "severe"),
    ],
)
def test_readable_values_become_typed(name, text, value):
    assert FACTS_BY_NAME[name].parse(text) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("age_years", "-1"),
        ("age_years", "131"),
        ("age_years", "38.5"),
        ("age_years", "forty"),
        ("age_years", "1_8"),
        ("age_years", "1e1"),
        ("age_years", "٣٨"),
        ("age_years", "38,0"),
        ("age_years", True),
        ("age_years", [38]),
        ("age_years", float("nan")),
        ("phq9_total", "28"),
        ("phq9_item9", "4"),
        ("gad7_total", "22"),
        ("audit_c", "13"),
        ("dast10", "11"),
        ("bmi", "nan"),
        ("bmi", "inf"),
        ("bp_systolic_mmhg", "401"),
        ("state", "XX"),
        ("state", "California"),
        ("pregnant", "1"),
        ("pregnant", "maybe"),
        ("cardiac_event_days", "never"),
        ("rx_classes", "benzo unsure"),
        ("rx_classes", "aspirin"),
        ("rx_classes", "none benzo"),
        ("sex", "f"),
        ("pdmp", "ok"),
    ],
)
def test_unreadable_values_are_refused_with_a_sentence_that_names_the_field_only(name, value):
    with pytest.raises(FactsError) as refused:
        parse_facts({name: value})
    (error,) = refused.value.errors
    assert error.field == name
    assert error.sentence.startswith(f"{name} must be ")
    assert str(value) not in error.sentence.removeprefix(name).split()


def test_all_errors_are_reported_at_once_and_the_rest_is_read():
    facts, errors = read_facts({"age_years": "old", "liver": "bad", "bmi": "27", "shoe_size": "42"})
    assert facts.bmi == 27
    assert [error.field for error in errors] == ["age_years", "liver", "shoe_size"]


def test_facts_of_later_stages_are_not_read():
    facts = parse_facts({"age_years": "38", "liver": "not looked at", "pdmp": "nor this"}, stage="assessment")
    assert facts == Facts(age_years=38)


def test_missing_names_the_unknown_required_facts_in_alphabetical_order():
    facts = parse_facts({**CLEAR, "htn": "", "age_years": "unsure", "egfr": "", "pcl5_total": ""})
    assert facts.missing(Stage.INTAKE) == ("age_years", "htn")
    assert facts.missing(Stage.ASSESSMENT) == ("age_years",)


@given(anybody())
def test_whatever_the_answers_missing_is_exactly_the_unknown_required_facts(raw):
    facts = parse_facts(raw)
    for stage in Stage:
        unknown = {name for name in required_facts(stage) if raw[name] in ("", "unsure")}
        assert set(facts.missing(stage)) == unknown


@given(st.sampled_from(FACTS), st.text(max_size=12))
def test_any_text_is_read_or_refused_and_nothing_else(spec, text):
    try:
        value = spec.parse(text)
    except FactsError as error:
        assert error.errors[0].field == spec.name
    else:
        assert value is None or text.strip()
