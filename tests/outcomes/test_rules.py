"""Change is named by definition, windows open by the sessions that happened, and no percentage lacks its denominator."""

from datetime import UTC, datetime

import pytest

from measures.rules import change, change_definitions
from outcomes import rules, wording

DEFINITIONS = change_definitions()
NUMBERS = {
    "timepoints": [
        {"code": "baseline", "label": "Before"},
        {
            "code": "after_session_2",
            "label": "After 2",
            "after_session": 2,
            "opens_days": 2,
            "closes_days": 6,
        },
        {
            "code": "after_session_4",
            "label": "After 4",
            "after_session": 4,
            "opens_days": 2,
            "closes_days": 6,
        },
    ]
}
LA = "America/Los_Angeles"


def at(day: int, hour: int = 12, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def test_a_window_opens_two_days_after_the_second_session_and_closes_after_six() -> None:
    # 03:00 UTC on the 18th is still the 17th in Los Angeles.
    (window,) = rules.windows(sessions={1: at(10), 2: at(18, 3)}, zone=LA, numbers=NUMBERS)
    assert window.timepoint == "after_session_2"
    assert window.opens_at == datetime(2026, 11, 19, 14, 0, tzinfo=UTC)
    assert window.closes_at == datetime(2026, 11, 24, 7, 59, tzinfo=UTC)


def test_nothing_is_due_before_a_window_opens_and_both_instruments_when_it_does() -> None:
    open_windows = rules.windows(sessions={2: at(17)}, zone=LA, numbers=NUMBERS)
    ask = {"open_windows": open_windows, "instruments": ("phq9", "gad7")}
    assert rules.due(**ask, answered=frozenset(), at=datetime(2026, 11, 19, 13, 59, tzinfo=UTC)) == []
    both = rules.due(**ask, answered=frozenset(), at=datetime(2026, 11, 19, 14, 0, tzinfo=UTC))
    assert [(d.instrument, d.late) for d in both] == [("phq9", False), ("gad7", False)]
    one = rules.due(**ask, answered=frozenset({("phq9", "after_session_2")}), at=at(20))
    assert [d.instrument for d in one] == ["gad7"]


def test_an_unanswered_window_stays_due_and_is_called_late_until_the_next_opens() -> None:
    first = rules.windows(sessions={2: at(1)}, zone=LA, numbers=NUMBERS)
    assert {
        d.late for d in rules.due(open_windows=first, answered=frozenset(), instruments=("phq9",), at=at(12))
    } == {True}
    both = rules.windows(sessions={2: at(1), 4: at(15)}, zone=LA, numbers=NUMBERS)
    after = rules.due(open_windows=both, answered=frozenset(), instruments=("phq9",), at=at(18))
    assert [d.timepoint for d in after] == ["after_session_4"]


@pytest.mark.parametrize(
    ("follow_up", "response", "remission", "significant", "worse"),
    [
        (9, True, False, True, False),
        (10, False, False, False, False),
        (4, True, True, True, False),
        (5, True, False, True, False),
        (22, False, False, False, False),
        (23, False, False, False, True),
    ],
)
def test_one_course_is_named_by_its_definitions(
    follow_up: int, response: bool, remission: bool, significant: bool, worse: bool
) -> None:
    points = [rules.Point("baseline", 18, at(1)), rules.Point("after_session_4", follow_up, at(28))]
    course = rules.course_of("phq9", points, DEFINITIONS)
    moved = course.after["after_session_4"].change
    assert moved is not None
    assert (moved.response, moved.remission, moved.clinically_significant, moved.deterioration) == (
        response,
        remission,
        significant,
        worse,
    )
    assert [code for code, value, _ in wording.words(moved) if value == "Yes"] == [
        code for code in wording.TITLES if getattr(moved, code)
    ]


def test_without_a_baseline_nothing_is_compared() -> None:
    course = rules.course_of("phq9", [rules.Point("after_session_2", 4, at(20))], DEFINITIONS)
    assert course.baseline is None
    assert course.after["after_session_2"].change is None


def test_the_newest_answer_of_a_time_point_counts_and_all_are_drawn() -> None:
    course = rules.course_of(
        "phq9", [rules.Point("baseline", 20, at(1)), rules.Point("baseline", 16, at(3))], DEFINITIONS
    )
    assert course.baseline is not None and course.baseline.total == 16
    assert len(course.points) == 2


def test_a_group_counts_people_with_both_points_and_remission_only_where_it_applies() -> None:
    scores = {
        "a": {"baseline": 20, "after_session_2": 12, "after_session_4": 4},
        "b": {"baseline": 16, "after_session_2": 8},
        "c": {"baseline": 8, "after_session_4": 3},
        "d": {"after_session_4": 2},
    }
    found = rules.group("phq9", "after_session_4", scores, n_eligible=6, definitions=DEFINITIONS)
    assert (found.n_eligible, found.n_baseline, found.n_at_point, found.n_both) == (6, 3, 3, 2)
    assert (found.response.count, found.response.of) == (2, 2)
    assert (found.remission.count, found.remission.of) == (1, 1)
    # b's score after session two stands in for the one that is missing: 16 -> 8 is a response too.
    assert found.carried_forward["response"] == rules.Share(3, 3)
    assert found.carried_forward["remission"] == rules.Share(1, 2)


def test_an_empty_group_has_no_percentage() -> None:
    found = rules.group("gad7", "after_session_2", {}, n_eligible=0, definitions=DEFINITIONS)
    assert found.response.percent is None
    assert found.mean_change is None and found.effect_size is None


def test_the_effect_size_is_mean_drop_over_spread_of_the_baseline() -> None:
    assert rules.effect_size([change(20, 10), change(10, 8)]) == pytest.approx(0.85)
    assert rules.effect_size([change(20, 10)]) is None
    assert rules.effect_size([change(20, 10), change(20, 8)]) is None


def test_every_definition_is_written_with_the_numbers_in_force() -> None:
    texts = wording.definitions(DEFINITIONS)
    assert set(texts) == set(rules.NAMES) == set(wording.TITLES)
    assert "50%" in texts["response"] and "below 5" in texts["remission"]
