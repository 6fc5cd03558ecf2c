"""The ladder, what is worse, and the holes of a roster."""

import json
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from safety.rules import (
    CARE_TEAM,
    EVERYONE,
    FIRST,
    SECOND,
    Ladder,
    end_of_next_working_day,
    gaps,
    is_worse,
    ladder_of,
    origin_of,
    step_at,
)

T0 = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
LADDERS = json.loads((settings.BASE_DIR / "safety/data/escalations.json").read_text())["ladders"]


def urgent(in_session: bool = False, severity: int = 4):
    return ladder_of(LADDERS["urgent"], acknowledge_minutes=5, in_session=in_session, severity=severity)


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
    severity=st.integers(1, 4),
    extra_s=st.integers(-86_400, 5 * 86_400),
    seconds=st.lists(st.integers(0, 10_000_000), min_size=2, max_size=2).map(sorted),
)
def test_an_untaken_alert_only_climbs_and_is_never_silent(
    name: str, minutes: int, in_session: bool, severity: int, extra_s: int, seconds: list[int]
) -> None:
    """PR-07, HZ-08"""
    ladder = ladder_of(
        LADDERS[name], acknowledge_minutes=minutes, in_session=in_session, severity=severity, extra_s=extra_s
    )
    earlier, later = (step_at(ladder, since=T0, at=T0 + timedelta(seconds=s)) for s in seconds)
    assert earlier.level <= later.level
    for step, elapsed in zip((earlier, later), seconds, strict=True):
        assert step.next_page_at > T0 + timedelta(seconds=elapsed)
        assert step.next_page_at - (T0 + timedelta(seconds=elapsed)) <= timedelta(
            days=3, seconds=max(extra_s, 0)
        )


def test_a_routine_alert_waits_for_its_clock_before_it_rings() -> None:
    ladder = ladder_of(LADDERS["routine"], acknowledge_minutes=1440, in_session=False, severity=1)
    assert step_at(ladder, since=T0, at=T0).level == CARE_TEAM
    assert step_at(ladder, since=T0, at=T0).next_page_at == T0 + timedelta(days=1)
    assert step_at(ladder, since=T0, at=T0 + timedelta(days=1)).level == FIRST


def rounds_after_everyone(*, severity: int, in_session: bool = False, hours: float = 4) -> list[float]:
    """The minutes between the rounds that call everyone, when a pager looks each second."""
    ladder, at = urgent(in_session, severity), T0 + timedelta(minutes=10)
    waits = []
    while at < T0 + timedelta(hours=hours):
        then = step_at(ladder, since=T0, at=at).next_page_at
        waits.append((then - at) / timedelta(minutes=1))
        at = then + timedelta(seconds=1)
    return waits


@pytest.mark.parametrize("severity", [1, 2, 3])
def test_once_everyone_was_paged_rounds_come_after_5_10_20_and_30_minutes_and_never_stop(
    severity: int,
) -> None:
    """HZ-09: a phone that rings each five minutes for an hour is a phone that is put away."""
    assert rounds_after_everyone(severity=severity)[:5] == [5, 10, 20, 30, 30]
    assert set(rounds_after_everyone(severity=severity, hours=48)[4:]) == {30}


@pytest.mark.parametrize(("severity", "in_session"), [(4, False), (4, True), (3, True), (2, True)])
def test_in_an_emergency_or_a_session_everyone_is_paged_each_five_minutes(
    severity: int, in_session: bool
) -> None:
    """PR-07, HZ-08"""
    assert set(rounds_after_everyone(severity=severity, in_session=in_session)) == {5}


def test_no_table_slows_the_pages_of_an_emergency() -> None:
    """PR-07"""
    data = LADDERS["urgent"] | {"repage_everyone_backoff": {"below_severity": 9, "seconds": [300, 6000]}}
    ladder = ladder_of(data, acknowledge_minutes=5, in_session=False, severity=4)
    assert ladder.wait_after_everyone_s(86_400) == 300


@pytest.mark.parametrize("severity", [2, 3, 4])
def test_whatever_the_severity_the_way_to_everyone_is_the_promised_one(severity: int) -> None:
    """PR-07: what waits longer is only what comes after everyone was paged."""
    ladder = urgent(severity=severity)
    assert (ladder.first_page_s, ladder.repage_s, ladder.next_level_s, ladder.everyone_s) == (0, 60, 300, 600)


def test_a_table_that_was_approved_without_a_backoff_pages_as_it_did() -> None:
    data = {name: value for name, value in LADDERS["urgent"].items() if name != "repage_everyone_backoff"}
    ladder = ladder_of(data, acknowledge_minutes=5, in_session=False, severity=2)
    assert ladder.wait_after_everyone_s(86_400) == 300


# --- the next working day ---

NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("raised", "holidays", "by"),
    [
        ("2026-11-23T09:00", [], "2026-11-24T17:00"),  # Monday
        ("2026-11-23T23:59", [], "2026-11-24T17:00"),
        ("2026-11-24T00:00", [], "2026-11-25T17:00"),
        ("2026-11-27T16:00", [], "2026-11-30T17:00"),  # Friday
        ("2026-11-28T10:00", [], "2026-11-30T17:00"),  # Saturday
        ("2026-11-29T10:00", [], "2026-11-30T17:00"),  # Sunday
        ("2026-11-25T10:00", ["2026-11-26", "2026-11-27"], "2026-11-30T17:00"),  # before Thanksgiving
        ("2026-12-24T10:00", ["2026-12-25"], "2026-12-28T17:00"),
        ("2027-03-12T10:00", [], "2027-03-15T17:00"),  # the clocks go forward in between
        ("2026-10-30T10:00", [], "2026-11-02T17:00"),  # and back
    ],
)  # fmt: skip
def test_the_next_working_day_ends_when_the_practice_closes_on_it(
    raised: str, holidays: list[str], by: str
) -> None:
    """HZ-11"""
    found = end_of_next_working_day(
        datetime.fromisoformat(raised).replace(tzinfo=NEW_YORK),
        zone=NEW_YORK,
        weekdays=[0, 1, 2, 3, 4],
        until_hour=17,
        holidays={date.fromisoformat(day) for day in holidays},
    )
    assert found == datetime.fromisoformat(by).replace(tzinfo=NEW_YORK)


def test_a_calendar_without_any_working_day_still_gives_a_clock_that_ends() -> None:
    found = end_of_next_working_day(T0, zone=NEW_YORK, weekdays=[], until_hour=17, holidays=())
    assert found - T0 < timedelta(days=15)


def test_a_clock_that_ends_later_moves_the_rungs_and_not_the_pace_between_them() -> None:
    friday = ladder_of(
        LADDERS["routine"], acknowledge_minutes=1440, in_session=False, severity=1, extra_s=2 * 86_400
    )
    usual = ladder_of(LADDERS["routine"], acknowledge_minutes=1440, in_session=False, severity=1)
    assert friday.first_page_s - usual.first_page_s == 2 * 86_400
    assert friday.everyone_s - friday.first_page_s == usual.everyone_s - usual.first_page_s
    assert friday.repage_s == usual.repage_s


def ladder(name: str, minutes: int, *, in_session: bool = False, severity: int = 3) -> Ladder:
    return ladder_of(LADDERS[name], acknowledge_minutes=minutes, in_session=in_session, severity=severity)


@given(
    old=st.sampled_from(sorted(LADDERS)),
    new=st.sampled_from(sorted(LADDERS)),
    clocks=st.tuples(st.integers(2, 4320), st.integers(2, 4320)),
    in_session=st.tuples(st.booleans(), st.booleans()),
    worse_s=st.integers(0, 1_000_000),
    looked_s=st.integers(0, 1_000_000),
)
def test_getting_worse_puts_off_no_rung(
    old: str, new: str, clocks: tuple[int, int], in_session: tuple[bool, bool], worse_s: int, looked_s: int
) -> None:
    """PR-07, HZ-08: whatever ladder it was on and is on now, and however long nobody had taken it."""
    before = ladder(old, clocks[0], in_session=in_session[0])
    after = ladder(new, clocks[1], in_session=in_session[1])
    at = T0 + timedelta(seconds=worse_s)
    called = step_at(before, since=T0, at=at).level > CARE_TEAM
    origin = origin_of(after, old=before, since=T0, at=at, called=called)
    later = at + timedelta(seconds=looked_s)
    as_it_was = step_at(before, since=T0, at=later)
    step = step_at(after, since=origin, at=later, worse_at=at)
    assert step.level >= as_it_was.level
    # And it is no slower than if it had opened then.
    assert step.level >= step_at(after, since=at, at=later).level
    assert step.next_page_at <= step_at(after, since=at, at=later).next_page_at


@pytest.mark.parametrize(
    ("old", "new", "worse_min", "called", "origin_min"),
    [
        (("urgent", 5), ("urgent", 5), 4, True, 0),
        (("soon", 240), ("urgent", 240), 120, True, 0),
        # Nobody was called yet: what is worse begins the quicker ladder, and those of the slower one are no later for it.
        (("routine", 2880), ("soon", 480), 47 * 60, False, 47 * 60),
        (("routine", 1440), ("soon", 1440), 23 * 60, False, 0),
        (("routine", 1440), ("urgent", 1440), 60, False, 60),
        (("routine", 1440), ("routine", 1440), 60, False, 0),
    ],
)
def test_an_alert_that_gets_worse_climbs_from_when_nobody_had_taken_it(
    old: tuple[str, int], new: tuple[str, int], worse_min: int, called: bool, origin_min: int
) -> None:
    """PR-07"""
    at = T0 + timedelta(minutes=worse_min)
    found = origin_of(ladder(*new), old=ladder(*old), since=T0, at=at, called=called)
    assert (found - T0) / timedelta(minutes=1) == origin_min


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
