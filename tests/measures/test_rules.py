"""Questionnaires: words and codes item by item, scores at their boundaries, risk levels, change."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from measures import wording
from measures.rules import (
    INSTRUMENTS,
    AnswersError,
    RiskLevel,
    audit_c_positive,
    change,
    change_definitions,
    definitions_from_data,
    flags_in,
    instrument,
    instrument_from_data,
    is_asked,
    load_data,
    relapse,
    response_to_item9,
    risk_facts,
    risk_screen,
    score,
    severity,
    suicide_risk,
)

PHQ9, GAD7, AUDIT_C = instrument("phq9"), instrument("gad7"), instrument("audit_c")

# The codes and words as published; public code is full of swapped ones, so they are pinned here one by one.
LOINC = {
    "phq9_1": ("44250-9", "Little interest or pleasure in doing things"),
    "phq9_2": ("44255-8", "Feeling down, depressed, or hopeless"),
    "phq9_3": ("44259-0", "Trouble falling or staying asleep, or sleeping too much"),
    "phq9_4": ("44254-1", "Feeling tired or having little energy"),
    "phq9_5": ("44251-7", "Poor appetite or overeating"),
    "phq9_6": (
        "44258-2",
        "Feeling bad about yourself — or that you are a failure or have let yourself or your family down",
    ),
    "phq9_7": (
        "44252-5",
        "Trouble concentrating on things, such as reading the newspaper or watching television",
    ),
    "phq9_8": (
        "44253-3",
        "Moving or speaking so slowly that other people could have noticed? Or the opposite — being so fidgety or "
        "restless that you have been moving around a lot more than usual",
    ),
    "phq9_9": ("44260-8", "Thoughts that you would be better off dead or of hurting yourself in some way"),
    "phq9_difficulty": (
        "69722-7",
        "If you checked off any problems, how difficult have these problems made it for you to do your work, take care "
        "of things at home, or get along with other people?",
    ),
    "gad7_1": ("69725-0", "Feeling nervous, anxious, or on edge"),
    "gad7_2": ("68509-9", "Not being able to stop or control worrying"),
    "gad7_3": ("69733-4", "Worrying too much about different things"),
    "gad7_4": ("69734-2", "Trouble relaxing"),
    "gad7_5": ("69735-9", "Being so restless that it is hard to sit still"),
    "gad7_6": ("69689-8", "Becoming easily annoyed or irritable"),
    "gad7_7": ("69736-7", "Feeling afraid, as if something awful might happen"),
    "audit_c_1": ("68518-0", "How often do you have a drink containing alcohol?"),
    "audit_c_2": ("68519-8", "How many standard drinks containing alcohol do you have on a typical day?"),
    "audit_c_3": ("68520-6", "How often do you have six or more drinks on one occasion?"),
}
# As published by the National Center for PTSD (2013).
PCL5_WORDS = {
    f"pcl5_{number}": text
    for number, text in enumerate(
        (
            "Repeated, disturbing, and unwanted memories of the stressful experience?",
            "Repeated, disturbing dreams of the stressful experience?",
            "Suddenly feeling or acting as if the stressful experience were actually happening again (as if you were "
            "actually back there reliving it)?",
            "Feeling very upset when something reminded you of the stressful experience?",
            "Having strong physical reactions when something reminded you of the stressful experience (for example, heart "
            "pounding, trouble breathing, sweating)?",
            "Avoiding memories, thoughts, or feelings related to the stressful experience?",
            "Avoiding external reminders of the stressful experience (for example, people, places, conversations, "
            "activities, objects, or situations)?",
            "Trouble remembering important parts of the stressful experience?",
            "Having strong negative beliefs about yourself, other people, or the world (for example, having thoughts such "
            "as: I am bad, there is something seriously wrong with me, no one can be trusted, the world is completely "
            "dangerous)?",
            "Blaming yourself or someone else for the stressful experience or what happened after it?",
            "Having strong negative feelings such as fear, horror, anger, guilt, or shame?",
            "Loss of interest in activities that you used to enjoy?",
            "Feeling distant or cut off from other people?",
            "Trouble experiencing positive feelings (for example, being unable to feel happiness or have loving feelings "
            "for people close to you)?",
            "Irritable behavior, angry outbursts, or acting aggressively?",
            "Taking too many risks or doing things that could cause you harm?",
            "Being “superalert” or watchful or on guard?",
            "Feeling jumpy or easily startled?",
            "Having difficulty concentrating?",
            "Trouble falling or staying asleep?",
        ),
        start=1,
    )
}


@pytest.mark.parametrize("code", list(LOINC))
def test_every_item_carries_its_published_words_and_code(code):
    of = next(one for one in map(instrument, INSTRUMENTS) if any(item.code == code for item in one.items))
    item = of.item(code)
    assert (item.loinc, item.text) == LOINC[code]


def test_no_item_is_outside_the_table_above_and_no_code_is_used_twice():
    codes = [item.code for name in INSTRUMENTS for item in instrument(name).items]
    loincs = [item.loinc for name in INSTRUMENTS for item in instrument(name).items if item.loinc]
    ours = [item.code for name in ("bladder", "use") for item in instrument(name).items]
    assert sorted(codes) == sorted([*LOINC, *PCL5_WORDS, *ours])
    assert len(set(loincs)) == len(loincs)


@pytest.mark.parametrize(
    ("of", "panel", "total", "most"),
    [(PHQ9, "44249-1", "44261-6", 27), (GAD7, "69737-5", "70274-6", 21), (AUDIT_C, "72109-2", "75626-2", 12)],
)
def test_panels_totals_and_the_highest_score(of, panel, total, most):
    assert (of.loinc_panel, of.loinc_total, of.total_max) == (panel, total, most)
    assert sum(max(item.values) for item in of.scored_items) == most
    assert of.licence_status and of.licence_text and of.version


@pytest.mark.parametrize("of", [PHQ9, GAD7])
def test_the_answers_carry_their_published_codes(of):
    for item in of.scored_items:
        assert [(a.value, a.text, a.loinc) for a in item.answers] == [
            (0, "Not at all", "LA6568-5"),
            (1, "Several days", "LA6569-3"),
            (2, "More than half the days", "LA6570-1"),
            (3, "Nearly every day", "LA6571-9"),
        ]


# --- scoring -------------------------------------------------------------------------------------------


def answers(of, value: int = 0, **changes: int) -> dict[str, int]:
    return {**{item.code: value for item in of.scored_items}, **changes}


@pytest.mark.parametrize(
    ("total", "phq9", "gad7"),
    [
        (0, "minimal", "minimal"),
        (4, "minimal", "minimal"),
        (5, "mild", "mild"),
        (9, "mild", "mild"),
        (10, "moderate", "moderate"),
        (14, "moderate", "moderate"),
        (15, "moderately_severe", "severe"),
        (19, "moderately_severe", "severe"),
        (20, "severe", "severe"),
        (21, "severe", "severe"),
        (27, "severe", None),
    ],
)
def test_totals_lie_in_their_published_bands(total, phq9, gad7):
    assert severity(PHQ9, total) == phq9
    if gad7 is not None:
        assert severity(GAD7, total) == gad7


@pytest.mark.parametrize(("of", "total"), [(PHQ9, 28), (PHQ9, -1), (GAD7, 22), (AUDIT_C, 13)])
def test_a_total_that_cannot_be_is_refused(of, total):
    with pytest.raises(ValueError, match=str(total)):
        severity(of, total)


@given(st.sampled_from([PHQ9, GAD7, AUDIT_C]), st.data())
def test_a_score_is_the_sum_of_its_items_whatever_they_are(of, data):
    given_ = {item.code: data.draw(st.sampled_from(sorted(item.values))) for item in of.scored_items}
    result = score(of, given_)
    assert result.total == sum(given_.values())
    assert result.band == severity(of, result.total)


def test_the_question_about_difficulty_is_optional_and_not_scored():
    assert score(PHQ9, answers(PHQ9, 1, phq9_difficulty=3)).total == 9
    assert score(PHQ9, answers(PHQ9, 1)).total == 9


@given(st.sampled_from([PHQ9, GAD7, AUDIT_C]), st.data())
def test_every_missing_item_is_named_and_nothing_is_prorated(of, data):
    codes = [item.code for item in of.scored_items]
    absent = data.draw(st.sets(st.sampled_from(codes), min_size=1))
    with pytest.raises(AnswersError) as refused:
        score(of, {code: 0 for code in codes if code not in absent})
    assert set(refused.value.missing) == absent
    for code in absent:
        assert code in str(refused.value)


@pytest.mark.parametrize("value", [4, -1, True, "2", 1.0, 1.5])
def test_an_answer_outside_the_choices_is_named(value):
    with pytest.raises(AnswersError) as refused:
        score(PHQ9, answers(PHQ9, 0, phq9_3=value))
    assert refused.value.invalid == ("phq9_3",)


def test_an_unknown_item_is_refused():
    with pytest.raises(AnswersError) as refused:
        score(GAD7, answers(GAD7, 0, phq9_9=3))
    assert refused.value.invalid == ("phq9_9",)


@pytest.mark.parametrize(("value", "flagged"), [(0, False), (1, True), (2, True), (3, True)])
def test_item_nine_is_flagged_from_one_upwards(value, flagged):
    """HZ-08"""
    flags = score(PHQ9, answers(PHQ9, 0, phq9_9=value)).flags
    assert [(flag.item, flag.value, flag.trigger) for flag in flags] == (
        [("phq9_9", value, "X03")] if flagged else []
    )
    assert (response_to_item9(value) is not None) is flagged


def test_item_nine_is_flagged_even_when_the_rest_is_unanswered():
    """HZ-08: help does not wait for a complete questionnaire."""
    assert [flag.item for flag in flags_in(PHQ9, {"phq9_9": 2})] == ["phq9_9"]
    assert flags_in(PHQ9, {"phq9_1": 3}) == ()


@pytest.mark.parametrize(
    ("sex", "total", "positive"),
    [("male", 3, False), ("male", 4, True), ("female", 2, False), ("female", 3, True), ("other", 3, True), (None, 3, True)],
)  # fmt: skip
def test_audit_c_is_positive_from_four_for_men_and_three_for_everybody_else(sex, total, positive):
    assert audit_c_positive(total, sex) is positive


@pytest.mark.parametrize(
    "change_it", [lambda b: b[1].update({"from": 6}), lambda b: b[1].update({"from": 4}), lambda b: b.pop()]
)
def test_bands_with_a_gap_or_an_overlap_are_refused(change_it):
    broken = copy.deepcopy(dict(load_data("phq9")))
    change_it(broken["bands"])
    with pytest.raises(ValueError, match="exactly once"):
        instrument_from_data(broken)


# --- suicide risk --------------------------------------------------------------------------------------

ALL_NO = {"cssrs_q1": "no", "cssrs_q2": "no", "cssrs_q6_life": "no"}
CODES = [question.code for question in risk_screen().questions]


@pytest.mark.parametrize(
    ("changes", "level"),
    [
        ({}, "none"),
        ({"cssrs_q1": "yes"}, "low"),
        ({"cssrs_q2": "yes", "cssrs_q3": "no", "cssrs_q4": "no", "cssrs_q5": "no"}, "low"),
        ({"cssrs_q2": "yes", "cssrs_q3": "yes", "cssrs_q4": "no", "cssrs_q5": "no"}, "moderate"),
        ({"cssrs_q2": "yes", "cssrs_q3": "no", "cssrs_q4": "yes", "cssrs_q5": "no"}, "high"),
        ({"cssrs_q2": "yes", "cssrs_q3": "no", "cssrs_q4": "no", "cssrs_q5": "yes"}, "high"),
        ({"cssrs_q6_life": "yes", "cssrs_q6_3mo": "no"}, "moderate"),
        ({"cssrs_q6_life": "yes", "cssrs_q6_3mo": "yes"}, "high"),
        ({"cssrs_q1": "yes", "cssrs_q6_life": "yes", "cssrs_q6_3mo": "yes"}, "high"),
        ({"cssrs_q2": "unsure", "cssrs_q3": "no", "cssrs_q4": "no", "cssrs_q5": "no"}, "moderate"),
        ({"cssrs_q1": ""}, "moderate"),
        ({"cssrs_q2": "yes"}, "moderate"),
        ({"cssrs_q5": "yes"}, "high"),
        ({"cssrs_q5": "unsure"}, "moderate"),
    ],
)
def test_answers_lead_to_their_risk_level(changes, level):
    """HZ-08"""
    assert suicide_risk({**ALL_NO, **changes}).level == level


yes_no = st.sampled_from(["yes", "no", "unsure", ""])


@given(st.fixed_dictionaries(dict.fromkeys(CODES, yes_no)), st.sampled_from(CODES))
def test_another_yes_never_lowers_the_level(given_, code):
    before = suicide_risk({**given_, code: "no"})
    after = suicide_risk({**given_, code: "yes"})
    assert after.level.order >= before.level.order or before.unanswered


@given(st.fixed_dictionaries(dict.fromkeys(CODES, yes_no)))
def test_any_yes_and_any_open_question_calls_for_something(given_):
    result = suicide_risk(given_)
    if "yes" in given_.values() or result.unanswered:
        assert result.level is not RiskLevel.NONE
        assert result.response.show_help and result.response.dosing_hold and result.response.trigger
    else:
        assert result.level is RiskLevel.NONE
        assert result.response.trigger is None and not result.response.dosing_hold


def test_high_risk_is_x02_and_the_rest_x03_with_the_severity_of_the_level():
    """PR-05"""
    responses = risk_screen().responses
    high = responses[RiskLevel.HIGH]
    # By when somebody has it, and has talked with the person, is the escalation table's to say (protocol 9), and nowhere else's.
    assert (high.trigger, high.severity) == ("X02", 4)
    assert [responses[level].trigger for level in (RiskLevel.MODERATE, RiskLevel.LOW)] == ["X03", "X03"]
    assert (responses[RiskLevel.MODERATE].severity, responses[RiskLevel.LOW].severity) == (3, 2)
    item9 = response_to_item9(1)
    assert item9 is not None and item9.trigger == "X03" and item9.dosing_hold


def test_follow_up_questions_are_put_after_a_yes_or_an_unsure():
    third = next(question for question in risk_screen().questions if question.code == "cssrs_q3")
    assert is_asked(third, {"cssrs_q2": "yes"}) and is_asked(third, {"cssrs_q2": "unsure"})
    assert not is_asked(third, {"cssrs_q2": "no"}) and not is_asked(third, {})


def test_questions_that_were_not_due_are_no_for_the_eligibility_rules_and_open_ones_stay_unknown():
    assert set(risk_facts(ALL_NO).values()) == {"no"}
    assert list(risk_facts(ALL_NO)) == CODES
    facts = risk_facts({**ALL_NO, "cssrs_q2": "yes", "cssrs_q3": "unsure"})
    assert (facts["cssrs_q3"], facts["cssrs_q4"], facts["cssrs_q6_3mo"]) == ("unsure", "", "no")


def test_an_answer_that_is_no_answer_is_refused():
    with pytest.raises(AnswersError):
        suicide_risk({**ALL_NO, "cssrs_q1": "maybe"})
    with pytest.raises(AnswersError):
        suicide_risk({**ALL_NO, "cssrs_q9": "no"})


def test_the_copyrighted_screener_is_not_shipped():
    """The facts keep the names of the vocabulary; the words that people read are our own."""
    text = (Path(__file__).resolve().parents[2] / "measures" / "data" / "suicide_risk.json").read_text(
        encoding="utf-8"
    )
    for phrase in (
        "Have you wished you were dead or wished you could go to sleep and not wake up",
        "Have you actually had any thoughts",
        "Have you been thinking about how you might",
        "some intention of acting on them",
        "worked out the details of how to kill yourself",
        "done anything, started to do anything, or prepared to do anything",
        "Columbia",
    ):
        assert phrase.lower() not in text.lower()
    shown = json.loads(text)
    assert "988" in shown["intro"] and "911" in shown["intro"]


# --- change --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("baseline", "follow_up", "response", "remission", "significant", "worse", "better"),
    [
        (16, 8, True, False, True, False, True),
        (16, 9, False, False, True, False, True),
        (15, 8, False, False, True, False, True),
        (15, 7, True, False, True, False, True),
        (16, 4, True, True, True, False, True),
        (16, 5, True, False, True, False, True),
        (10, 4, True, True, True, False, True),
        (9, 4, True, None, True, False, True),
        (14, 10, False, False, False, False, True),
        (15, 10, False, False, False, False, True),
        (13, 9, False, False, False, False, True),
        (14, 9, False, False, True, False, True),
        (10, 14, False, False, False, False, False),
        (10, 15, False, False, False, True, False),
        (10, 16, False, False, False, True, False),
        (12, 12, False, False, False, False, False),
        (0, 0, False, None, False, False, False),
        (1, 0, True, None, False, False, True),
    ],
)
def test_change_is_named_by_its_definitions(
    baseline, follow_up, response, remission, significant, worse, better
):
    found = change(baseline, follow_up)
    assert (
        found.response,
        found.remission,
        found.clinically_significant,
        found.deterioration,
        found.any_improvement,
    ) == (response, remission, significant, worse, better)


totals = st.integers(0, 27)


@given(totals, totals)
def test_nobody_both_improves_and_deteriorates(baseline, follow_up):
    found = change(baseline, follow_up)
    if found.response or found.clinically_significant:
        assert found.any_improvement
    assert not (found.any_improvement and found.deterioration)
    assert found.points == follow_up - baseline


@given(totals, totals, st.integers(0, 5))
def test_a_lower_score_never_loses_a_good_name(baseline, follow_up, less):
    first, lower = change(baseline, follow_up), change(baseline, max(0, follow_up - less))
    assert lower.response >= first.response
    assert lower.clinically_significant >= first.clinically_significant
    assert bool(lower.remission) >= bool(first.remission)
    assert lower.deterioration <= first.deterioration


def test_the_definitions_are_data():
    """HZ-28"""
    stricter = definitions_from_data({**load_data("outcomes"), "deterioration_rise_from": 3})
    assert change(10, 13, stricter).deterioration and not change(10, 13).deterioration
    assert change_definitions().version == load_data("outcomes")["version"]


@pytest.mark.parametrize(
    ("best", "now", "remitted", "expected"),
    [
        (3, 9, True, True),
        (3, 10, True, True),
        (3, 7, True, False),
        (6, 10, False, False),
        (6, 11, False, True),
    ],
)
def test_relapse_is_a_score_back_over_the_threshold_or_a_rise(best, now, remitted, expected):
    assert relapse(best, now, in_remission=remitted) is expected


# --- words ---------------------------------------------------------------------------------------------


def test_every_band_and_level_has_its_words():
    bands = {band.code for name in INSTRUMENTS for band in instrument(name).bands}
    assert bands == set(wording.SEVERITY_FOR_PATIENT)
    assert set(wording.RISK_FOR_STAFF) == set(RiskLevel)
    assert any("988" in line for line in wording.HELP_LINES) and any(
        "911" in line for line in wording.HELP_LINES
    )


def test_a_change_reads_as_one_line_for_staff_and_one_sentence_for_the_patient():
    assert (
        wording.change_for_staff(change(16, 4))
        == "16 to 4 (-12, -75 %): response, remission, clinically significant change, improvement beyond error"
    )
    assert wording.change_for_staff(change(0, 2)) == "0 to 2 (+2): none of the definitions met"
    assert "half or more" in wording.change_for_patient(change(16, 8))
    assert "psychiatrist" in wording.change_for_patient(change(10, 16))
    assert "same" in wording.change_for_patient(change(10, 10))
