"""Every eligibility rule at its boundaries: true, false and unknown. HZ-12."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from intake.rules import FACTS_BY_NAME, Facts, Practice, Stage, default_thresholds, parse_facts, rules_for
from tests.intake.answers import CLEAR, STATES

RULES = {rule.id: rule for rule in rules_for(Stage.DECISION)}
PRACTICE = Practice(states=frozenset(STATES))


def holds(rule_id: str, practice: Practice = PRACTICE, **changes: str) -> bool | None:
    """What one rule says of a clear person with these answers changed."""
    return RULES[rule_id].holds(parse_facts({**CLEAR, **changes}), default_thresholds(), practice)


def _plain() -> Iterator[tuple[str, str, str, list[str]]]:
    """Rules over one fact: the answer that makes them true, and answers that make them false."""
    for rule, fact in {
        "E09": "ketamine_allergy", "E10": "pregnant", "E11": "breastfeeding", "E13": "psychosis_history",
        "E14": "fhx_psychosis", "E15": "mania_history", "E17": "dissociative_disorder", "E18": "severe_pd",
        "E20": "cssrs_q6_3mo", "E23": "aneurysm", "E24": "avm", "E25": "ich_history", "E32": "raised_icp",
        "E38": "thyroid_treated", "E47": "sud_current", "E48": "oud_history", "E49": "ketamine_misuse",
        "E54": "cannabis_daily", "E67": "porphyria", "E68": "other_neuromod",
    }.items():  # fmt: skip
        yield rule, fact, "yes", ["no"]
    for rule, fact in {
        "E04": "has_internet_video", "E05": "monitor_available", "E06": "home_safe", "E70": "agreement_signed",
    }.items():  # fmt: skip
        yield rule, fact, "no", ["yes"]
    yield "E08", "clinician_dx", "none", ["depression", "anxiety", "both"]
    yield "E33", "glaucoma", "angle_closure", ["none", "controlled"]
    yield "E33", "glaucoma", "uncontrolled", ["none", "controlled"]
    yield "E34", "glaucoma", "controlled", ["none", "uncontrolled", "angle_closure"]
    yield "E35", "seizures", "uncontrolled", ["none", "controlled"]
    yield "E36", "seizures", "controlled", ["none", "uncontrolled"]
    yield "E37", "hyperthyroid", "uncontrolled", ["none", "controlled"]
    yield "E39", "liver", "severe", ["none", "moderate"]
    yield "E40", "liver", "moderate", ["none", "severe"]
    yield "E42", "cystitis", "active", ["none", "past"]
    yield "E44", "resp", "severe", ["none", "mild_mod"]
    yield "E45", "resp", "mild_mod", ["none", "severe"]
    yield "E55", "pdmp", "not_checked", ["clear"]
    yield "E55", "pdmp", "discrepancy", ["clear"]
    medicines = {
        "E56": "maoi", "E57": "stimulant", "E58": "benzo", "E59": "opioid", "E60": "cns_depressant",
        "E61": "lamotrigine", "E62": "naltrexone", "E63": "cyp_inhibitor", "E64": "cyp_inducer",
        "E65": "theophylline", "E66": "antidepressant",
    }  # fmt: skip
    for rule, name in medicines.items():
        others = " ".join(other for other in medicines.values() if other != name)
        yield rule, "rx_classes", name, ["none", "other", others]
        yield rule, "rx_classes", f"other {name}", []


@pytest.mark.parametrize(("rule", "fact", "true", "false"), list(_plain()))
def test_rules_over_one_answer_are_true_false_and_unknown(rule, fact, true, false):
    assert holds(rule, **{fact: true}) is True
    for answer in false:
        assert holds(rule, **{fact: answer}) is False
    assert holds(rule, **{fact: ""}) is None
    assert holds(rule, **{fact: "unsure"}) is None


@pytest.mark.parametrize(
    ("rule", "fact", "values"),
    [
        ("E01", "age_years", {"17": True, "18": False, "19": False, "": None}),
        ("E02", "age_years", {"64": False, "65": True, "66": True, "": None}),
        ("E41", "egfr", {"29": True, "29.9": True, "30": False, "31": False, "": None}),
        ("E46", "bmi", {"39.9": False, "40": False, "40.1": True, "": None}),
        ("E50", "audit_c", {"7": False, "8": True, "9": True, "": None}),
        ("E52", "dast10", {"5": False, "6": True, "7": True, "": None}),
    ],
)
def test_rules_over_one_number_turn_at_their_threshold(rule, fact, values):
    for value, expected in values.items():
        assert holds(rule, **{"kidney": "", fact: value}) is expected, value


@pytest.mark.parametrize(
    ("egfr", "kidney", "expected"),
    [
        ("29", "none", True), ("30", "none", False), ("95", "severe", True), ("95", "unknown", False), ("29", "unknown", True),
        ("", "severe", True), ("", "unknown", True), ("", "none", False), ("", "", None),
    ],
)  # fmt: skip
def test_e41_is_the_laboratorys_number_or_the_persons_own_word(egfr, kidney, expected):
    """A measured number answers for somebody who is not sure; it never answers for somebody who says that it is severe."""
    assert holds("E41", egfr=egfr, kidney=kidney) is expected


@pytest.mark.parametrize(
    ("state", "states", "expected"),
    [
        ("CA", {"CA"}, True),
        ("FL", {"CA"}, False),
        ("FL", None, True),
        ("FL", set(), False),
        ("", {"CA"}, None),
    ],
)
def test_e03_a_state_without_a_prescriber_is_excluded(state, states, expected):
    practice = Practice(states=None if states is None else frozenset(states))
    found = holds("E03", practice, state=state)
    assert found is (None if expected is None else not expected)


@pytest.mark.parametrize(
    ("phq9", "gad7", "expected"),
    [
        ("9", "9", True),
        ("10", "9", False),
        ("9", "10", False),
        ("10", "10", False),
        ("9", "", None),
        ("", "9", None),
        ("10", "", False),
        ("", "10", False),
        ("", "", None),
    ],
)
def test_e07_needs_both_scores_below_the_qualifying_level(phq9, gad7, expected):
    assert holds("E07", phq9_total=phq9, gad7_total=gad7) is expected
    # Without the pathway the third score is not looked at.
    assert holds("E07", phq9_total=phq9, gad7_total=gad7, pcl5_total="80") is expected


@pytest.mark.parametrize(
    ("phq9", "gad7", "pcl5", "expected"),
    [
        ("9", "9", "32", True),
        ("9", "9", "33", False),
        ("9", "9", "34", False),
        ("9", "9", "", True),
        ("10", "9", "0", False),
        ("", "9", "33", False),
        ("", "9", "32", None),
    ],
)
def test_e07_with_the_ptsd_pathway_a_third_score_can_qualify_and_an_absent_one_cannot(
    phq9, gad7, pcl5, expected
):
    practice = Practice(ptsd_pathway=True)
    assert holds("E07", practice, phq9_total=phq9, gad7_total=gad7, pcl5_total=pcl5) is expected


@pytest.mark.parametrize(
    ("possible", "contraception", "expected"),
    [
        ("yes", "no", True),
        ("yes", "yes", False),
        ("no", "no", False),
        ("no", "", False),
        ("", "yes", False),
        ("yes", "unsure", None),
        ("", "no", None),
    ],
)
def test_e12_needs_a_possible_pregnancy_and_no_contraception(possible, contraception, expected):
    assert holds("E12", pregnancy_possible=possible, contraception=contraception) is expected


@pytest.mark.parametrize(
    ("rule", "first", "second"),
    [
        ("E16", "mania_screen_positive", "bipolar2"),
        ("E19", "cssrs_q4", "cssrs_q5"),
        ("E31", "hyp_enceph", "pheo"),
    ],
)
def test_rules_over_an_or_are_true_when_one_side_is_even_if_the_other_is_unknown(rule, first, second):
    for a, b, expected in [
        ("yes", "no", True),
        ("no", "yes", True),
        ("yes", "", True),
        ("unsure", "yes", True),
        ("no", "no", False),
        ("no", "", None),
        ("", "no", None),
    ]:
        assert holds(rule, **{first: a, second: b}) is expected, (a, b)


@pytest.mark.parametrize(
    ("q3", "life", "recent", "expected"),
    [
        ("yes", "no", "no", True),
        ("yes", "", "", True),
        ("no", "yes", "no", True),
        ("no", "yes", "yes", False),
        ("no", "no", "no", False),
        ("no", "yes", "", None),
        ("no", "", "no", None),
        ("no", "no", "", False),
        ("", "no", "no", None),
    ],
)
def test_e21_a_method_or_behaviour_longer_ago_than_three_months(q3, life, recent, expected):
    assert holds("E21", cssrs_q3=q3, cssrs_q6_life=life, cssrs_q6_3mo=recent) is expected


@pytest.mark.parametrize(
    ("q1", "q2", "item9", "expected"),
    [
        ("yes", "", "", True),
        ("", "yes", "", True),
        ("", "", "1", True),
        ("no", "no", "3", True),
        ("no", "no", "0", False),
        ("", "no", "0", None),
        ("no", "no", "", None),
    ],
)
def test_e22_a_wish_a_thought_or_a_positive_ninth_item(q1, q2, item9, expected):
    """HZ-08"""
    assert holds("E22", cssrs_q1=q1, cssrs_q2=q2, phq9_item9=item9) is expected


@pytest.mark.parametrize(
    ("days", "unstable", "expected"),
    [
        ("0", "no", True),
        ("179", "no", True),
        ("180", "no", True),
        ("181", "no", False),
        ("none", "no", False),
        ("none", "yes", True),
        ("", "yes", True),
        ("180", "", True),
        ("181", "", None),
        ("", "no", None),
    ],
)
def test_e26_an_event_within_180_days_or_an_unstable_heart(days, unstable, expected):
    assert holds("E26", cardiac_event_days=days, cardiac_unstable=unstable) is expected


@pytest.mark.parametrize(
    ("history", "unstable", "expected"),
    [("yes", "no", True), ("yes", "yes", False), ("no", "no", False), ("yes", "", None), ("", "no", None), ("no", "", False)],
)  # fmt: skip
def test_e27_heart_disease_counts_as_stable_only_when_known_to_be(history, unstable, expected):
    assert holds("E27", cardiac_history=history, cardiac_unstable=unstable) is expected


@pytest.mark.parametrize(
    ("htn", "systolic", "diastolic", "expected"),
    [
        ("yes", "139", "89", True),
        ("yes", "139.5", "89.5", True),
        ("yes", "140", "89", False),
        ("yes", "139", "90", False),
        ("no", "118", "76", False),
        ("", "118", "76", None),
        ("yes", "", "76", None),
        ("yes", "", "90", False),
        ("no", "", "", False),
    ],
)
def test_e28_treated_hypertension_is_controlled_below_140_over_90(htn, systolic, diastolic, expected):
    assert holds("E28", htn=htn, bp_systolic_mmhg=systolic, bp_diastolic_mmhg=diastolic) is expected


@pytest.mark.parametrize(
    ("systolic", "diastolic", "raised", "uncontrolled"),
    [
        ("139", "89", False, False),
        ("139.5", "89.5", False, False),
        ("140", "76", True, False),
        ("141", "76", True, False),
        ("118", "90", True, False),
        ("159.5", "99.5", True, False),
        ("160", "76", False, True),
        ("161", "76", False, True),
        ("118", "100", False, True),
        ("165", "95", True, True),
        ("145", "105", True, True),
        ("160", "", None, True),
        ("", "100", None, True),
        ("140", "", True, None),
        ("118", "", None, None),
        ("", "", None, None),
    ],
)
def test_e29_and_e30_each_number_counts_alone_and_neither_rule_hides_the_other(
    systolic, diastolic, raised, uncontrolled
):
    pressure = {"bp_systolic_mmhg": systolic, "bp_diastolic_mmhg": diastolic}
    assert holds("E29", **pressure) is raised
    assert holds("E30", **pressure) is uncontrolled


@pytest.mark.parametrize(
    ("luts", "cystitis", "expected"),
    [
        ("0", "none", False),
        ("1", "none", True),
        ("0.5", "none", False),
        ("0", "past", True),
        ("", "past", True),
        ("1", "", True),
        ("0", "", None),
        ("", "none", None),
        ("0", "active", False),
    ],
)
def test_e43_bladder_symptoms_or_cystitis_in_the_past(luts, cystitis, expected):
    assert holds("E43", luts_score=luts, cystitis=cystitis) is expected


@pytest.mark.parametrize(
    ("sex", "score", "expected"),
    [
        ("male", "3", False),
        ("male", "4", True),
        ("male", "5", True),
        ("female", "2", False),
        ("female", "3", True),
        ("other", "2", False),
        ("other", "3", True),
        ("", "2", False),
        ("", "3", None),
        ("", "4", True),
        ("male", "", None),
        ("", "", None),
    ],
)
def test_e51_has_a_cut_off_for_men_and_a_lower_one_for_everybody_else(sex, score, expected):
    assert holds("E51", sex=sex, audit_c=score) is expected


@pytest.mark.parametrize(
    ("score", "past", "expected"),
    [
        ("2", "no", False),
        ("3", "no", True),
        ("5", "no", True),
        ("6", "no", False),
        ("6", "yes", True),
        ("", "yes", True),
        ("3", "", True),
        ("2", "", None),
        ("", "no", None),
    ],
)
def test_e53_a_moderate_score_or_a_past_disorder(score, past, expected):
    assert holds("E53", dast10=score, sud_past=past) is expected


@pytest.mark.parametrize(
    ("consent", "identity", "expected"),
    [("no", "yes", True), ("yes", "no", True), ("", "no", True), ("yes", "yes", False), ("yes", "", None), ("", "yes", None)],
)  # fmt: skip
def test_e69_needs_both_consent_and_identity(consent, identity, expected):
    assert holds("E69", consent_signed=consent, id_verified=identity) is expected


def test_no_rule_is_true_of_a_clear_person_and_none_of_a_person_nothing_is_known_about():
    for rule in RULES.values():
        assert holds(rule.id) is False, rule.id
        assert rule.holds(Facts(), default_thresholds(), PRACTICE) is None, rule.id


class _Watched:
    """Facts that remember which of them were read."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self.read: set[str] = set()

    def __getattr__(self, name: str):
        self.read.add(name)
        return getattr(self._facts, name)


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_every_rule_reads_the_facts_it_declares_and_no_other(rule):
    read = set()
    for practice in (PRACTICE, Practice(ptsd_pathway=True)):
        for answers in (CLEAR, {}, {**CLEAR, "phq9_total": "1", "gad7_total": "1", "pcl5_total": "1"}):
            watched = _Watched(parse_facts(answers))
            rule.holds(watched, default_thresholds(), practice)
            read |= watched.read
    assert read == set(rule.facts)
    # A rule belongs to the latest stage among its facts: earlier, something it reads would not exist yet.
    assert rule.stage.order == max(FACTS_BY_NAME[name].stage.order for name in rule.facts)
