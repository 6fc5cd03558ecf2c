"""Pressure, pulse and oxygen at their boundaries, before the dose, after it, and at the close. HZ-01."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitals import wording
from vitals.rules import (
    NO_DOSE_REASONS,
    AverageRule,
    Band,
    EarlyReadingReason,
    HoldReason,
    Measurement,
    PostDoseFlag,
    ProgrammeHoldReason,
    PulseBand,
    ReleaseFacts,
    ReleaseReason,
    Spo2Band,
    Verdict,
    average,
    band,
    default_data,
    default_limits,
    early_reading_reasons,
    hold_reasons,
    limits_from_data,
    next_steps,
    on_call_is_due,
    post_dose_flags,
    pre_dose_reasons,
    programme_hold_reasons,
    pulse_band,
    releasable_by_clinician,
    release_reasons,
    sets_of,
    spo2_band,
    verdict,
)

LIMITS = default_limits()
NOW = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)


def reading(
    systolic: float, diastolic: float, minutes_ago: float, pulse: float | None = 72, spo2: float | None = None
):
    return Measurement(
        systolic_mmhg=systolic,
        diastolic_mmhg=diastolic,
        taken_at=NOW - timedelta(minutes=minutes_ago),
        pulse_bpm=pulse,
        spo2_pct=spo2,
    )


def before_dose(*readings: Measurement, **more: Any) -> frozenset[HoldReason]:
    return pre_dose_reasons(readings, LIMITS, at=NOW, **more)


# --- bands ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("systolic", "diastolic", "expected"),
    [
        # the reference vectors
        (139, 89, "go"),
        (140, 80, "caution"),
        (120, 90, "caution"),
        (159, 99, "caution"),
        (160, 80, "high"),
        (120, 100, "high"),
        (179, 119, "high"),
        (180, 80, "crisis"),
        (150, 45, "low"),
        (165, 48, "high"),
        (89, 60, "low"),
        (120, 120, "implausible"),
        # every edge from both sides
        (139.5, 89.5, "go"),
        (141, 80, "caution"),
        (120, 91, "caution"),
        (120, 99.5, "caution"),
        (161, 80, "high"),
        (120, 101, "high"),
        (179.5, 80, "high"),
        (181, 80, "crisis"),
        (150, 119.5, "high"),
        (150, 120, "crisis"),
        (90, 50, "go"),
        (90, 49, "low"),
        (89.5, 50, "low"),
        (60, 40, "low"),
        (59, 40, "implausible"),
        (260, 100, "crisis"),
        (261, 100, "implausible"),
        (100, 30, "low"),
        (100, 29, "implausible"),
        (200, 160, "crisis"),
        (200, 161, "implausible"),
        (100, 90, "caution"),
        (100, 91, "implausible"),
    ],
)
def test_a_pressure_lies_in_its_band(systolic, diastolic, expected):
    assert band(systolic, diastolic, LIMITS) == expected


def test_a_reading_of_140_over_80_is_held():
    assert hold_reasons(140, 80, 70, LIMITS) == {HoldReason.BP_CAUTION}
    assert hold_reasons(139, 80, 70, LIMITS) == frozenset()


def reference_band(s: float, d: float) -> str:
    """The protocol's own function, written out: the oracle for the data-driven one."""
    if s < 60 or s > 260 or d < 30 or d > 160 or s - d < 10:
        return "implausible"
    if s >= 180 or d >= 120:
        return "crisis"
    if s >= 160 or d >= 100:
        return "high"
    if s < 90 or d < 50:
        return "low"
    if s >= 140 or d >= 90:
        return "caution"
    return "go"


def test_the_band_equals_the_protocol_for_every_whole_pressure_there_is():
    different = [
        (s, d) for s in range(40, 280) for d in range(20, 180) if band(s, d, LIMITS) != reference_band(s, d)
    ]
    assert different == []


RANK = {Band.GO: 0, Band.CAUTION: 1, Band.HIGH: 2, Band.CRISIS: 3}
plausible = st.tuples(st.integers(90, 250), st.integers(50, 150)).filter(lambda p: p[0] - p[1] >= 10)


@given(plausible, st.integers(0, 10))
def test_a_higher_pressure_never_lies_in_a_milder_band(pressure, more):
    systolic, diastolic = pressure
    assert RANK[band(systolic + more, diastolic, LIMITS)] >= RANK[band(systolic, diastolic, LIMITS)]


@pytest.mark.parametrize(
    ("pulse", "expected"),
    [
        (39, PulseBand.NO_DOSE),
        (40, PulseBand.CAUTION),
        (49, PulseBand.CAUTION),
        (50, PulseBand.OK),
        (100, PulseBand.OK),
        (101, PulseBand.CAUTION),
        (120, PulseBand.CAUTION),
        (121, PulseBand.NO_DOSE),
    ],
)
def test_a_pulse_lies_in_its_band(pulse, expected):
    assert pulse_band(pulse, LIMITS) is expected


@pytest.mark.parametrize(
    ("spo2", "expected"),
    [
        (91, Spo2Band.NO_DOSE),
        (92, Spo2Band.CAUTION),
        (94, Spo2Band.CAUTION),
        (95, Spo2Band.OK),
        (100, Spo2Band.OK),
    ],
)
def test_an_oxygen_saturation_lies_in_its_band(spo2, expected):
    assert spo2_band(spo2, LIMITS) is expected


# --- averaging -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "third", "rule", "mean"),
    [
        ((120, 80), (122, 84), None, "mean_1_2", (121, 82)),
        ((120, 80), (130, 80), None, "mean_1_2", (125, 80)),
        ((120, 80), (130, 80), (200, 110), "mean_1_2", (125, 80)),
        ((120, 80), (131, 80), (141, 90), "mean_2_3", (136, 85)),
        ((131, 80), (120, 80), (122, 82), "mean_2_3", (121, 81)),
        ((120, 80), (131, 80), None, "third_missing", None),
        ((120, 80), None, (120, 80), "incomplete", None),
        (None, (120, 80), (120, 80), "incomplete", None),
        (None, None, None, "incomplete", None),
        # only the systolic decides about a third reading
        ((120, 60), (120, 90), None, "mean_1_2", (120, 75)),
    ],
)
def test_two_readings_are_averaged_and_a_third_is_asked_for_when_they_differ(
    first, second, third, rule, mean
):
    found = average(first, second, third, LIMITS)
    assert found.rule == rule
    assert (found.systolic_mmhg, found.diastolic_mmhg) == (mean or (None, None))


def test_readings_fall_into_sets_by_time_and_a_third_joins_only_when_needed():
    readings = [
        reading(120, 80, 30),
        reading(121, 80, 28),
        reading(130, 80, 27),
        reading(145, 80, 25),
        reading(144, 80, 24),
    ]
    assert [len(one) for one in sets_of(readings, LIMITS)] == [2, 3]


def test_a_reading_that_cannot_be_right_is_never_averaged():
    readings = [reading(120, 80, 5), reading(120, 119, 4), reading(122, 80, 3)]
    assert [len(one) for one in sets_of(readings, LIMITS)] == [2]


# --- before the dose -----------------------------------------------------------------------------------


def test_two_good_readings_a_minute_apart_clear_the_dose():
    assert before_dose(reading(122, 78, 4), reading(118, 76, 3)) == frozenset()
    assert verdict(frozenset()) is Verdict.GO


def test_without_a_reading_the_dose_is_held():
    assert before_dose() == {HoldReason.READING_MISSING}


def test_one_reading_is_not_enough():
    """HZ-03"""
    assert before_dose(reading(118, 76, 3)) == {HoldReason.SECOND_READING_MISSING}


def test_two_readings_more_than_ten_apart_need_a_third():
    pair = reading(110, 76, 5), reading(121, 76, 4)
    assert before_dose(*pair) == {HoldReason.THIRD_READING_MISSING}
    assert before_dose(*pair, reading(119, 76, 3)) == frozenset()


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(30, {HoldReason.READINGS_TOO_CLOSE}), (59, {HoldReason.READINGS_TOO_CLOSE}), (60, set()), (300, set())],
)
def test_readings_of_a_set_lie_at_least_a_minute_apart(seconds, expected):
    """HZ-03"""
    assert before_dose(reading(118, 76, 2 + seconds / 60), reading(118, 76, 2)) == expected


def test_readings_too_far_apart_are_no_set():
    assert before_dose(reading(118, 76, 8), reading(118, 76, 2)) == {HoldReason.SECOND_READING_MISSING}


@pytest.mark.parametrize(
    ("minutes", "expected"), [(29, set()), (30, set()), (30.1, {HoldReason.READING_TOO_OLD})]
)
def test_a_set_is_valid_for_thirty_minutes_from_its_first_reading(minutes, expected):
    """HZ-02"""
    assert before_dose(reading(118, 76, minutes), reading(118, 76, minutes - 1)) == expected


def test_a_reading_from_the_future_is_held():
    """HZ-02"""
    assert HoldReason.READING_IN_FUTURE in before_dose(reading(118, 76, 1), reading(118, 76, -0.5))


@pytest.mark.parametrize(
    ("pressure", "reason"),
    [
        ((140, 80), HoldReason.BP_CAUTION),
        ((120, 90), HoldReason.BP_CAUTION),
        ((160, 80), HoldReason.BP_HIGH),
        ((120, 100), HoldReason.BP_HIGH),
        ((88, 60), HoldReason.BP_LOW),
    ],
)
def test_the_averaged_pressure_is_held_by_its_band(pressure, reason):
    assert before_dose(reading(*pressure, 4), reading(*pressure, 3)) == {reason}


def test_a_crisis_reading_means_no_dose_today_even_after_a_good_recheck():
    crisis = reading(182, 90, 20), reading(184, 90, 19)
    assert before_dose(*crisis) == {HoldReason.BP_CRISIS, HoldReason.BP_CRISIS_EARLIER}
    later = before_dose(*crisis, reading(120, 76, 4), reading(120, 76, 3), clinician_released=True)
    assert later == {HoldReason.BP_CRISIS_EARLIER}
    assert verdict(later) is Verdict.NO_DOSE


def test_after_a_high_set_only_two_low_readings_and_a_clinician_together_clear_the_dose():
    high = reading(164, 90, 25), reading(166, 90, 24)
    good = reading(138, 84, 4), reading(136, 82, 3)
    one_raised = reading(141, 84, 4), reading(136, 82, 3)
    assert before_dose(*high, *good) == {HoldReason.BP_HIGH_EARLIER}
    assert before_dose(*high, *good, clinician_released=True) == frozenset()
    assert before_dose(*high, *one_raised, clinician_released=True) == {HoldReason.BP_HIGH_EARLIER}
    assert before_dose(*high, clinician_released=True) == {HoldReason.BP_HIGH}


def test_a_clinician_can_release_caution_and_nothing_worse():
    """HZ-01: a release never clears a high, crisis, low or stale reading."""
    caution = reading(150, 92, 4, pulse=104), reading(148, 92, 3, pulse=104)
    assert before_dose(*caution) == {HoldReason.BP_CAUTION, HoldReason.PULSE_CAUTION}
    assert before_dose(*caution, clinician_released=True) == frozenset()
    assert releasable_by_clinician({HoldReason.BP_CAUTION})
    assert not releasable_by_clinician(frozenset())
    for reason in set(HoldReason) - {HoldReason.BP_CAUTION, HoldReason.PULSE_CAUTION}:
        assert not releasable_by_clinician({HoldReason.BP_CAUTION, reason}), reason


def test_the_worst_pulse_of_the_set_decides_and_a_missing_one_holds():
    assert before_dose(reading(118, 76, 4, pulse=121), reading(118, 76, 3, pulse=80)) == {
        HoldReason.PULSE_NO_DOSE
    }
    assert before_dose(reading(118, 76, 4, pulse=None), reading(118, 76, 3, pulse=None)) == {
        HoldReason.PULSE_MISSING
    }


def test_oxygen_counts_when_measured_and_is_required_when_an_oximeter_was_shipped():
    low = reading(118, 76, 4, spo2=91), reading(118, 76, 3, spo2=98)
    assert before_dose(*low) == {HoldReason.SPO2_NO_DOSE}
    none = reading(118, 76, 4), reading(118, 76, 3)
    assert before_dose(*none, oximeter_shipped=True) == {HoldReason.SPO2_MISSING}


def test_an_implausible_last_entry_holds_although_the_set_before_it_was_good():
    good = reading(118, 76, 4), reading(118, 76, 3)
    assert before_dose(*good, reading(118, 117, 2)) == {HoldReason.BP_IMPLAUSIBLE}


def test_an_order_can_be_stricter_than_the_protocol_but_never_wider():
    pair = reading(132, 84, 4), reading(130, 84, 3)
    assert before_dose(*pair, order_systolic_max_mmhg=130) == {HoldReason.BP_OVER_ORDER}
    assert before_dose(*pair, order_diastolic_max_mmhg=84) == frozenset()
    wide = before_dose(reading(150, 84, 4), reading(150, 84, 3), order_systolic_max_mmhg=170)
    assert wide == {HoldReason.BP_CAUTION}


readings_lists = st.lists(
    st.builds(
        reading,
        st.integers(40, 280),
        st.integers(20, 180),
        st.integers(-1, 60),
        st.one_of(st.none(), st.integers(30, 150)),
        st.one_of(st.none(), st.integers(85, 100)),
    ),
    max_size=6,
)


@given(readings_lists, st.booleans())
def test_whatever_was_measured_a_clear_dose_rests_on_two_fresh_readings_in_range(readings, released):
    """HZ-01, HZ-02: nothing but a complete, fresh set below the high band can be clear."""
    reasons = pre_dose_reasons(readings, LIMITS, at=NOW, clinician_released=released)
    if reasons:
        return
    last = sets_of(readings, LIMITS)[-1]
    assert len(last) >= 2
    assert all(timedelta(0) <= NOW - one.taken_at <= timedelta(minutes=30) for one in last)
    worst = {band(*one.pressure, LIMITS) for one in readings}
    assert Band.CRISIS not in worst
    mean = average(*[one.pressure for one in last], *[None] * (3 - len(last)), LIMITS)
    allowed = {Band.GO, Band.CAUTION} if released else {Band.GO}
    assert band(mean.systolic_mmhg, mean.diastolic_mmhg, LIMITS) in allowed


@given(readings_lists)
def test_a_release_never_adds_a_reason_and_removes_only_what_it_may(readings):
    without = pre_dose_reasons(readings, LIMITS, at=NOW)
    with_release = pre_dose_reasons(readings, LIMITS, at=NOW, clinician_released=True)
    may = {HoldReason.BP_CAUTION, HoldReason.PULSE_CAUTION, HoldReason.BP_HIGH_EARLIER}
    assert with_release <= without
    assert without - with_release <= may


@given(st.frozensets(st.sampled_from(list(HoldReason))))
def test_the_verdict_is_the_most_severe_meaning_of_the_reasons(reasons):
    expected = Verdict.NO_DOSE if reasons & NO_DOSE_REASONS else Verdict.HOLD if reasons else Verdict.GO
    assert verdict(reasons) is expected


# --- after the dose ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pressure", "expected"),
    [
        ((139, 89), set()),
        ((140, 80), {"elevated"}),
        ((160, 80), {"high", "large_rise"}),
        ((180, 80), {"crisis", "large_rise"}),
        ((89, 60), {"low"}),
        ((120, 119), {"implausible"}),
        ((159, 80), {"elevated"}),
        ((119, 96), {"elevated", "large_rise"}),
        ((130, 95), {"elevated"}),
    ],
)
def test_readings_after_the_dose_are_flagged_by_band_and_by_rise(pressure, expected):
    before = (119, 70)
    assert post_dose_flags(*pressure, LIMITS, before=before) == expected


def test_the_rise_is_large_above_40_systolic_or_25_diastolic():
    def flagged(systolic: float, diastolic: float) -> bool:
        return PostDoseFlag.LARGE_RISE in post_dose_flags(systolic, diastolic, LIMITS, before=(100, 60))

    assert [flagged(systolic, 60) for systolic in (139, 140, 141)] == [False, False, True]
    assert [flagged(100, diastolic) for diastolic in (84, 85, 86)] == [False, False, True]
    assert PostDoseFlag.LARGE_RISE not in post_dose_flags(150, 70, LIMITS, before=None)


def test_a_red_flag_symptom_counts_at_any_pressure():
    flags = post_dose_flags(118, 76, LIMITS, before=(118, 76), red_flag_symptom=True)
    assert flags == {PostDoseFlag.RED_FLAG_SYMPTOM}


def test_every_reason_for_an_early_reading_counts_alone():
    plain = {
        "nasal": False,
        "session_number": 2,
        "dose_increased": False,
        "age_years": 64,
        "hypertension": False,
        "stimulant_or_maoi": False,
        "caution_released": False,
    }
    assert early_reading_reasons(LIMITS, **plain) == frozenset()
    for change, reason in [
        ({"nasal": True}, EarlyReadingReason.NASAL),
        ({"session_number": 1}, EarlyReadingReason.FIRST_SESSION),
        ({"dose_increased": True}, EarlyReadingReason.DOSE_INCREASED),
        ({"age_years": 65}, EarlyReadingReason.OLDER_ADULT),
        ({"hypertension": True}, EarlyReadingReason.HYPERTENSION),
        ({"stimulant_or_maoi": True}, EarlyReadingReason.STIMULANT_OR_MAOI),
        ({"caution_released": True}, EarlyReadingReason.CAUTION_RELEASED),
    ]:
        assert early_reading_reasons(LIMITS, **{**plain, **change}) == {reason}


# --- closing -------------------------------------------------------------------------------------------


def closing(**changes: Any) -> frozenset[ReleaseReason]:
    facts: dict[str, Any] = {
        "minutes_since_dose": 120,
        "last": reading(128, 80, 1, pulse=84),
        "previous": reading(134, 84, 56, pulse=88),
        "awake": True,
        "oriented": True,
        "walks_unaided": True,
        "minutes_since_vomiting": None,
        "severe_symptom": False,
        "suicide_answer": False,
        "sitter_signed": True,
    }
    return release_reasons(ReleaseFacts(**{**facts, **changes}), LIMITS)


def test_a_session_with_everything_in_place_may_be_closed():
    assert closing() == frozenset()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"minutes_since_dose": 119}, "too_early"),
        ({"minutes_since_dose": 119.9}, "too_early"),
        ({"last": None}, "reading_missing"),
        ({"previous": None}, "reading_missing"),
        ({"last": reading(160, 80, 1), "previous": reading(165, 90, 50)}, "pressure_high"),
        ({"last": reading(130, 100, 1), "previous": reading(135, 105, 50)}, "pressure_high"),
        ({"last": reading(89, 60, 1)}, "pressure_low"),
        ({"last": reading(135, 80, 1)}, "pressure_rising"),
        ({"last": reading(128, 85, 1)}, "pressure_rising"),
        ({"last": reading(128, 80, 1, pulse=110)}, "pulse_high"),
        ({"last": reading(128, 80, 1, pulse=None)}, "pulse_missing"),
        ({"awake": False}, "not_awake"),
        ({"awake": None}, "not_awake"),
        ({"oriented": None}, "not_oriented"),
        ({"walks_unaided": False}, "not_walking"),
        ({"minutes_since_vomiting": 29}, "vomiting"),
        ({"severe_symptom": True}, "severe_symptom"),
        ({"severe_symptom": None}, "severe_symptom"),
        ({"suicide_answer": None}, "suicide_question_open"),
        ({"suicide_answer": True}, "suicide_answer_positive"),
        ({"sitter_signed": False}, "sitter_not_signed"),
    ],
)
def test_each_condition_alone_keeps_the_session_open(changes, reason):
    assert closing(**changes) == {reason}


@pytest.mark.parametrize(
    "changes",
    [
        {"minutes_since_dose": 121},
        {"last": reading(159, 80, 1), "previous": reading(159, 80, 50)},
        {"last": reading(130, 99, 1), "previous": reading(130, 99, 50)},
        {"last": reading(134, 84, 1, pulse=109)},
        {"minutes_since_vomiting": 30},
    ],
)
def test_the_last_value_on_the_safe_side_lets_the_session_close(changes):
    assert closing(**changes) == frozenset()


def test_after_three_hours_an_open_session_goes_to_the_person_on_call():
    stuck = closing(sitter_signed=False)
    assert [on_call_is_due(stuck, minutes, LIMITS) for minutes in (179, 180, 181)] == [False, True, True]
    assert not on_call_is_due(frozenset(), 300, LIMITS)


@pytest.mark.parametrize(
    ("high", "crisis", "symptomatic", "expected"),
    [
        (0, 0, False, set()),
        (1, 0, False, set()),
        (2, 0, False, {ProgrammeHoldReason.HIGH_AGAIN}),
        (0, 1, False, {ProgrammeHoldReason.CRISIS}),
        (0, 0, True, {ProgrammeHoldReason.SYMPTOMATIC}),
        (3, 1, True, set(ProgrammeHoldReason)),
    ],
)
def test_repeated_high_one_crisis_or_a_symptom_hold_the_course(high, crisis, symptomatic, expected):
    found = programme_hold_reasons(
        high_sessions=high, crisis_sessions=crisis, symptomatic=symptomatic, limits=LIMITS
    )
    assert found == expected


# --- data and words ------------------------------------------------------------------------------------


def test_next_steps_come_from_the_protocol():
    (step,) = next_steps({HoldReason.BP_CRISIS}, default_data())
    assert (step.id, step.recheck_minutes, step.page, step.programme_hold) == ("PRE-5", 5, True, True)
    (step,) = next_steps({PostDoseFlag.CRISIS}, default_data())
    assert (step.id, step.recheck_minutes, step.within_minutes) == ("POST-5", 5, 5)
    assert [s.id for s in next_steps({HoldReason.PULSE_CAUTION, HoldReason.BP_CAUTION}, default_data())] == [
        "PRE-3",
        "HR-C",
    ]
    assert next_steps(frozenset(), default_data()) == ()


def test_what_the_protocol_lets_a_clinician_release_is_what_the_rules_do():
    for row in default_data()["pre_dose"]:
        reason = HoldReason(row["reason"])
        assert row["clinician_may_release"] is releasable_by_clinician({reason}), row["id"]
        assert (row["dose"] == "no_dose") is (verdict({reason}) is Verdict.NO_DOSE), row["id"]


def test_limits_are_data_and_a_changed_one_changes_the_band():
    """HZ-28"""
    changed = copy.deepcopy(dict(default_data()))
    changed["limits"]["systolic_caution_from_mmhg"] = 130
    assert band(135, 80, limits_from_data(changed)) is Band.CAUTION
    assert band(135, 80, LIMITS) is Band.GO


@pytest.mark.parametrize(
    "break_it",
    [
        lambda limits: limits.pop("systolic_high_from_mmhg"),
        lambda limits: limits.update(shoe_size=1),
        lambda limits: limits.update(systolic_high_from_mmhg="160"),
        lambda limits: limits.update(systolic_high_from_mmhg=True),
    ],
)
def test_broken_limits_are_refused(break_it):
    broken = copy.deepcopy(dict(default_data()))
    break_it(broken["limits"])
    with pytest.raises(ValueError, match="limit"):
        limits_from_data(broken)


@pytest.mark.parametrize(
    ("words", "reasons"),
    [
        (wording.HOLD, HoldReason),
        (wording.POST_DOSE, PostDoseFlag),
        (wording.RELEASE, ReleaseReason),
        (wording.BAND, Band),
        (wording.VERDICT, Verdict),
        (wording.EARLY_READING, EarlyReadingReason),
        (wording.PROGRAMME_HOLD, ProgrammeHoldReason),
    ],
)
def test_every_reason_has_its_words(words, reasons):
    assert set(words) == set(reasons)


def test_everyone_who_looks_has_a_name():
    rows = [*default_data()["pre_dose"], *default_data()["post_dose"]]
    assert {row["who"] for row in rows} <= set(wording.WHO)


def test_the_averaging_rules_are_the_ones_the_survey_uses():
    assert {str(rule) for rule in AverageRule} == {"mean_1_2", "mean_2_3", "third_missing", "incomplete"}
