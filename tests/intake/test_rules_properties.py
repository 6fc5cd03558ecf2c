"""What must hold of every evaluation, whoever the person is. HZ-12."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from intake.rules import (
    FACTS,
    FACTS_BY_NAME,
    Facts,
    Outcome,
    Practice,
    Stage,
    default_thresholds,
    evaluate,
    parse_facts,
    rules_for,
)
from tests.intake.answers import CLEAR, STATES, anybody, somebody, value_of

people = st.one_of(anybody(), somebody())
stages = st.sampled_from(list(Stage))
_PRACTICE = Practice()
OUTCOMES = default_thresholds().outcomes


def severity_of(rule_id: str) -> int:
    return OUTCOMES[rule_id].severity


@given(people, stages, st.booleans())
def test_the_outcome_is_the_most_severe_of_the_reported_rules(person, stage, ptsd):
    result = evaluate(person, stage=stage, states=STATES, ptsd_pathway=ptsd)
    assert result.outcome.severity == max(map(severity_of, result.reasons), default=0)
    assert result.rule_version == default_thresholds().version


@given(people, stages)
def test_rules_are_reported_once_and_in_order_of_number(person, stage):
    reasons = evaluate(person, stage=stage, states=STATES).reasons
    assert list(reasons) == sorted(set(reasons))


@given(people, stages)
def test_e71_is_reported_exactly_when_something_required_is_missing(person, stage):
    result = evaluate(person, stage=stage, states=STATES)
    assert ("E71" in result.reasons) == bool(result.missing)
    assert list(result.missing) == sorted(set(result.missing))
    if result.missing:
        assert result.outcome is not Outcome.OK


@given(people, stages)
def test_no_rule_hides_another(person, stage):
    """Each rule gives the same answer when it is the only one with something to read."""
    reported = set(evaluate(person, stage=stage, states=STATES).reasons) - {"E71"}
    alone = set()
    for rule in rules_for(stage):
        only = {name: person[name] for name in rule.facts}
        if rule.id in evaluate(only, stage=stage, states=STATES).reasons:
            alone.add(rule.id)
    assert reported == alone


@given(people, stages, st.data())
def test_making_a_required_fact_unknown_never_turns_a_review_or_an_exclusion_into_ok(person, stage, data):
    before = evaluate(person, stage=stage, states=STATES)
    names = [spec.name for spec in FACTS if spec.required and spec.stage.order <= stage.order]
    name = data.draw(st.sampled_from(names))
    after = evaluate({**person, name: data.draw(st.sampled_from(["", "unsure"]))}, stage=stage, states=STATES)
    assert name in after.missing
    assert after.outcome is not Outcome.OK
    # Nothing that does not read this fact changes, and nothing new is reported but E71: ignorance proves nothing.
    touched = {rule.id for rule in rules_for(stage) if name in rule.facts}
    assert set(after.reasons) - touched - {"E71"} == set(before.reasons) - touched - {"E71"}
    assert set(after.reasons) <= set(before.reasons) | {"E71"}


@given(people)
def test_an_absent_ptsd_score_never_qualifies_anyone(person):
    without = evaluate({**person, "pcl5_total": ""}, stage="intake", states=STATES, ptsd_pathway=True)
    with_any = evaluate(person, stage="intake", states=STATES, ptsd_pathway=True)
    assert without.outcome.severity >= with_any.outcome.severity


def test_a_kidney_test_that_nobody_made_clears_only_who_says_that_their_kidneys_are_well():
    """eGFR is not required, because most people do not know theirs: the intake asks in words beside it."""
    measured = evaluate({**CLEAR, "egfr": "29"}, stage="intake", states=STATES)
    unmeasured = evaluate({**CLEAR, "egfr": ""}, stage="intake", states=STATES)
    assert (measured.outcome, measured.reasons) == (Outcome.REVIEW, ("E41",))
    assert unmeasured.outcome is Outcome.OK
    for said in ("severe", "unknown"):
        asked = evaluate({**CLEAR, "egfr": "", "kidney": said}, stage="intake", states=STATES)
        assert (asked.outcome, asked.reasons) == (Outcome.REVIEW, ("E41",)), said
    assert [spec.name for spec in FACTS if not spec.required] == ["pcl5_total", "egfr", "kidney"]


@given(people, st.data())
def test_a_worse_answer_never_makes_the_outcome_milder(person, data):
    """Most severe wins: whatever else is true, answering a yes-or-no danger with yes cannot lower the outcome."""
    dangers = [
        rule.facts[0]
        for rule in rules_for(Stage.DECISION)
        if len(rule.facts) == 1
        and FACTS_BY_NAME[rule.facts[0]].choices == ("yes", "no")
        and rule.holds(Facts(**{rule.facts[0]: True}), default_thresholds(), _PRACTICE)
    ]
    fact = data.draw(st.sampled_from(sorted(set(dangers))))
    # E21 asks for behaviour that is *not* recent, so a recent attempt may replace it; E20 then excludes.
    no = evaluate({**person, fact: "no"}, stage="decision", states=STATES)
    yes = evaluate({**person, fact: "yes"}, stage="decision", states=STATES)
    assert yes.outcome.severity >= no.outcome.severity


@given(people, stages)
def test_a_later_stage_reports_everything_an_earlier_one_did(person, stage):
    earlier = evaluate(person, stage=stage, states=STATES)
    final = evaluate(person, stage="decision", states=STATES)
    assert set(earlier.reasons) <= set(final.reasons)
    assert set(earlier.missing) <= set(final.missing)


@given(somebody(), st.sampled_from(FACTS), st.data())
def test_a_fact_no_reported_rule_reads_can_change_without_changing_them(person, spec, data):
    before = evaluate(person, stage="decision", states=STATES)
    after = evaluate({**person, spec.name: data.draw(value_of(spec))}, stage="decision", states=STATES)
    readers = {rule.id for rule in rules_for(Stage.DECISION) if spec.name in rule.facts} | {"E71"}
    assert set(before.reasons) ^ set(after.reasons) <= readers


@given(people, stages)
def test_text_and_typed_facts_are_evaluated_alike(person, stage):
    typed = parse_facts(person, stage=stage)
    assert evaluate(person, stage=stage, states=STATES) == evaluate(typed, stage=stage, states=STATES)


@given(somebody())
def test_states_are_compared_whatever_their_case_and_none_means_all(person):
    assert evaluate(person, stage="intake", states=["ca", "ny", "tx"]) == evaluate(
        person, stage="intake", states=STATES
    )
    assert "E03" not in evaluate(person, stage="intake", states=None).reasons


def test_the_assessment_reads_sixteen_rules_and_the_decision_all_of_them():
    counted = [len(rules_for(stage)) for stage in Stage]
    assert counted == [16, 66, 70]
    assert [rule.id for rule in rules_for(Stage.DECISION)] == [f"E{number:02d}" for number in range(1, 71)]
    assert all(name in FACTS_BY_NAME for rule in rules_for(Stage.DECISION) for name in rule.facts)
