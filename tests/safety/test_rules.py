"""The ladder, what is worse, and the holes of a roster."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from safety.rules import CARE_TEAM, EVERYONE, FIRST, SECOND, gaps, is_worse, ladder_of, step_at

T0 = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
LADDERS = json.loads((settings.BASE_DIR / "safety/data/escalations.json").read_text())["ladders"]


def urgent(in_session: bool = False):
    return ladder_of(LADDERS["urgent"], acknowledge_minutes=5, in_session=in_session)


@pytest.mark.parametrize(
    ("seconds", "in_session", "level"),
    [
        (0, False, FIRST), (299, False, FIRST), (300, False, SECOND), (599, False, SECOND), (600, False, EVERYONE), (86_400, False, EVERYONE),
        (179, True, FIRST), (180, True, SECOND), (600, True, EVERYONE),
    ],
)  # fmt: skip
def test_next_level_at_3_minutes_in_session_and_5_otherwise_everyone_at_10(
    seconds: int, in_session: bool, level: int
) -> None:
    """PR-07"""
    assert step_at(urgent(in_session), since=T0, at=T0 + timedelta(seconds=seconds)).level == level


def test_a_page_is_repeated_after_60_seconds() -> None:
    """PR-07"""
    assert step_at(urgent(), since=T0, at=T0).next_page_at == T0 + timedelta(seconds=60)


def test_the_next_rung_is_known_from_the_start() -> None:
    assert step_at(urgent(), since=T0, at=T0).next_escalation_at == T0 + timedelta(minutes=5)
    assert step_at(urgent(), since=T0, at=T0 + timedelta(minutes=5)).next_escalation_at == T0 + timedelta(
        minutes=10
    )
    assert step_at(urgent(), since=T0, at=T0 + timedelta(minutes=10)).next_escalation_at is None


@given(
    name=st.sampled_from(sorted(LADDERS)),
    minutes=st.integers(2, 4320),
    in_session=st.booleans(),
    seconds=st.lists(st.integers(0, 10_000_000), min_size=2, max_size=2).map(sorted),
)
def test_an_untaken_alert_only_climbs_and_is_never_silent(
    name: str, minutes: int, in_session: bool, seconds: list[int]
) -> None:
    """PR-07, HZ-08"""
    ladder = ladder_of(LADDERS[name], acknowledge_minutes=minutes, in_session=in_session)
    earlier, later = (step_at(ladder, since=T0, at=T0 + timedelta(seconds=s)) for s in seconds)
    assert earlier.level <= later.level
    for step, elapsed in zip((earlier, later), seconds, strict=True):
        assert step.next_page_at > T0 + timedelta(seconds=elapsed)
        assert step.next_page_at - (T0 + timedelta(seconds=elapsed)) <= timedelta(days=3)


def test_a_routine_alert_waits_for_its_clock_before_it_rings() -> None:
    ladder = ladder_of(LADDERS["routine"], acknowledge_minutes=1440, in_session=False)
    assert step_at(ladder, since=T0, at=T0).level == CARE_TEAM
    assert step_at(ladder, since=T0, at=T0).next_page_at == T0 + timedelta(days=1)
    assert step_at(ladder, since=T0, at=T0 + timedelta(days=1)).level == FIRST


@pytest.mark.parametrize(
    ("severity", "magnitude", "codes", "worse"),
    [
        (3, 170, ["high"], False),
        (3, 171, ["high"], True),
        (4, 150, ["high"], True),
        (3, 150, ["dizzy"], True),
        (2, 100, [], False),
    ],
)
def test_worse_is_graver_larger_or_of_a_new_kind(
    severity: int, magnitude: float, codes: list[str], worse: bool
) -> None:
    assert (
        is_worse(
            severity=severity,
            magnitude=magnitude,
            codes=codes,
            known_severity=3,
            known_magnitude=170,
            known_codes=["high"],
        )
        is worse
    )


def hour(n: float) -> datetime:
    return T0 + timedelta(hours=n)


@pytest.mark.parametrize(
    ("shifts", "holes"),
    [
        ([], [(0, 72)]),
        ([(0, 72)], []),
        ([(-5, 100)], []),
        ([(0, 12), (12, 72)], []),
        ([(0, 12), (13, 72)], [(12, 13)]),
        ([(1, 2), (40, 72)], [(0, 1), (2, 40)]),
        ([(0, 71)], [(71, 72)]),
        ([(0, 50), (10, 20), (80, 90)], [(50, 72)]),
    ],
)
def test_every_hole_of_the_roster_is_found(
    shifts: list[tuple[int, int]], holes: list[tuple[int, int]]
) -> None:
    """HZ-25"""
    found = gaps([(hour(a), hour(b)) for a, b in shifts], starts_at=hour(0), ends_at=hour(72))
    assert found == [(hour(a), hour(b)) for a, b in holes]


@given(st.lists(st.tuples(st.integers(-10, 80), st.integers(1, 30)), max_size=8))
def test_a_moment_is_in_a_hole_exactly_when_no_shift_holds_it(shifts: list[tuple[int, int]]) -> None:
    """HZ-25"""
    spans = [(hour(a), hour(a + n)) for a, n in shifts]
    holes = gaps(spans, starts_at=hour(0), ends_at=hour(72))
    for n in range(72):
        moment = hour(n + 0.5)
        held = any(a <= moment < b for a, b in spans)
        assert held != any(a <= moment < b for a, b in holes)
