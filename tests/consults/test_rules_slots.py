"""Slots across any calendar: never outside the hours, never over something taken, never an hour off on the days of a clock change."""

import itertools
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consults.rules.slots import (
    Hours,
    Span,
    instant_of,
    merged,
    slots_in,
    when_words,
    windows,
    without,
    zone_words,
)

NEW_YORK = "America/New_York"
# Two clock changes in each hemisphere, a half-hour one, a zone without any, one that changes at midnight.
ZONES = [
    NEW_YORK,
    "America/Los_Angeles",
    "America/Phoenix",
    "Australia/Lord_Howe",
    "Europe/London",
    "Africa/Cairo",
    "America/Santiago",
]
DAYS = st.dates(date(2026, 1, 1), date(2027, 12, 31))
WALL = st.times(time(0), time(23, 45)).map(
    lambda t: t.replace(minute=t.minute // 15 * 15, second=0, microsecond=0)
)


def span(starts: str, ends: str) -> Span:
    return Span(
        datetime.fromisoformat(starts).replace(tzinfo=UTC), datetime.fromisoformat(ends).replace(tzinfo=UTC)
    )


def offered_on(day: date, starts: time, ends: time, zone: str = NEW_YORK) -> list[Span]:
    from_at = datetime.combine(day, time(), tzinfo=ZoneInfo(zone)).astimezone(UTC) - timedelta(hours=12)
    found = windows([Hours(day.weekday(), starts, ends)], zone, from_at, from_at + timedelta(hours=48))
    return [one for one in found if one.starts_at.astimezone(ZoneInfo(zone)).date() == day]


def starts_of(day: date, starts: time, ends: time, minutes: int = 60) -> list[str]:
    offered = offered_on(day, starts, ends)
    far = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
    found = slots_in(offered, [], minutes=minutes, step_minutes=minutes, from_at=far[0], to_at=far[1])
    return [f"{one.starts_at.astimezone(ZoneInfo(NEW_YORK)):%H:%M %Z}" for one in found]


def test_an_ordinary_day_has_a_slot_each_hour() -> None:
    assert starts_of(date(2026, 11, 23), time(9), time(12)) == ["09:00 EST", "10:00 EST", "11:00 EST"]


def test_nine_to_five_is_nine_to_five_before_and_after_the_clocks_change() -> None:
    """HZ-11"""
    for day, zone in ((date(2026, 10, 31), "EDT"), (date(2026, 11, 2), "EST")):
        assert starts_of(day, time(9), time(11)) == [f"09:00 {zone}", f"10:00 {zone}"]


def test_the_spring_change_loses_the_hour_that_does_not_exist() -> None:
    """HZ-11: on 2026-03-08 two o'clock does not occur in New York."""
    assert starts_of(date(2026, 3, 8), time(0), time(5)) == [
        "00:00 EST",
        "01:00 EST",
        "03:00 EDT",
        "04:00 EDT",
    ]


def test_the_autumn_change_offers_the_hour_that_occurs_twice_both_times() -> None:
    """HZ-11: on 2026-11-01 one o'clock occurs twice in New York; the two are told apart by their zone."""
    assert starts_of(date(2026, 11, 1), time(0), time(3)) == [
        "00:00 EDT",
        "01:00 EDT",
        "01:00 EST",
        "02:00 EST",
    ]


def test_hours_that_begin_in_the_missing_hour_begin_at_the_change() -> None:
    assert starts_of(date(2026, 3, 8), time(2, 30), time(5)) == ["03:00 EDT", "04:00 EDT"]


def test_hours_wholly_inside_the_missing_hour_offer_nothing() -> None:
    assert starts_of(date(2026, 3, 8), time(2), time(3), minutes=30) == []


def test_hours_that_touch_on_the_wall_touch_in_utc_on_both_changes() -> None:
    """Neither a doubled nor a lost slot where one row of a timetable ends and the next begins."""
    zone = ZoneInfo(NEW_YORK)
    for day in (date(2026, 3, 8), date(2026, 11, 1)):
        walls = [time(hour, minute) for hour in range(24) for minute in (0, 30)]
        instants = [instant_of(day, wall, zone) for wall in walls]
        assert instants == sorted(instants)


@pytest.mark.parametrize("zone", ["America/New_York", "America/Santiago", "Pacific/Honolulu"])
@pytest.mark.parametrize("start", [datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 9, 4, tzinfo=UTC), datetime(2026, 10, 30, tzinfo=UTC)])  # fmt: skip
def test_hours_through_midnight_offer_the_same_starts_from_wherever_somebody_looks(
    zone: str, start: datetime
) -> None:
    """HZ-11: a search of days, in pieces, and of one instant agree, through nights on which the clocks change."""
    hours = [Hours(day, time(22, 10), time(0)) for day in range(7)] + [
        Hours(day, time(0), time(1)) for day in range(7)
    ]
    hours += [Hours(5, time(1), time(0))]

    def starts(first: datetime, last: datetime) -> list[datetime]:
        found = slots_in(
            windows(hours, zone, first, last), [], minutes=60, step_minutes=30, from_at=first, to_at=last
        )
        return [one.starts_at for one in found]

    end = start + timedelta(days=9)
    whole = starts(start, end)
    pieces = [
        starts(start + timedelta(hours=7 * n), min(start + timedelta(hours=7 * n + 7), end))
        for n in range(31)
    ]
    assert [one for piece in pieces for one in piece] == whole
    assert all(starts(one, one + timedelta(microseconds=1)) == [one] for one in whole)


def test_extra_hours_that_begin_days_before_weekly_ones_give_one_grid_from_wherever_somebody_looks() -> None:
    """Hours that begin before and end in the weekly ones, an end in the night, and a stretch of more than a week."""
    hours = [Hours(day, time(8), time(12)) for day in range(7)]
    monday = datetime(2026, 7, 6, 12, tzinfo=UTC)  # 8:00 in New York
    more = [
        Span(monday - timedelta(minutes=5), monday + timedelta(hours=1)),
        Span(monday + timedelta(days=1, hours=9), monday + timedelta(days=2, hours=1, minutes=7)),
        Span(monday + timedelta(days=3, minutes=-25), monday + timedelta(days=9)),
        Span(monday + timedelta(days=8), monday + timedelta(days=14, minutes=10)),
    ]

    def starts(first: datetime, last: datetime) -> list[datetime]:
        offered = windows(hours, NEW_YORK, first, last, more)
        found = slots_in(offered, [], minutes=20, step_minutes=20, from_at=first, to_at=last)
        return [one.starts_at for one in found]

    begin, end = monday - timedelta(days=1), monday + timedelta(days=16)
    whole = starts(begin, end)
    assert monday - timedelta(minutes=5) in whole
    assert monday not in whole
    assert (
        monday + timedelta(days=14, minutes=-5) in whole
    )  # Of the stretch that began on the fourth day, at 7:35.
    assert all(starts(one, one + timedelta(microseconds=1)) == [one] for one in whole)
    pieces = [
        starts(begin + timedelta(hours=7 * n), min(begin + timedelta(hours=7 * n + 7), end))
        for n in range(59)
    ]
    assert [one for piece in pieces for one in piece] == whole


def test_whoever_offers_every_hour_of_the_week_has_one_grid_from_wherever_somebody_looks() -> None:
    hours = [Hours(day, time(0), time(0)) for day in range(7)]
    begin, end = datetime(2026, 10, 30, tzinfo=UTC), datetime(2026, 11, 3, tzinfo=UTC)
    whole = slots_in(
        windows(hours, NEW_YORK, begin, end), [], minutes=20, step_minutes=20, from_at=begin, to_at=end
    )
    for one in whole:
        until = one.starts_at + timedelta(microseconds=1)
        offered = windows(hours, NEW_YORK, one.starts_at, until)
        assert list(slots_in(offered, [], minutes=20, step_minutes=20, from_at=one.starts_at, to_at=until)) == [one]  # fmt: skip


def test_the_instant_of_a_missing_time_is_the_change_itself() -> None:
    assert instant_of(date(2026, 3, 8), time(2, 30), ZoneInfo(NEW_YORK)) == datetime(
        2026, 3, 8, 7, 0, tzinfo=UTC
    )


@given(day=DAYS, starts=WALL, ends=WALL, zone=st.sampled_from(ZONES))
def test_every_slot_lies_inside_the_hours_as_the_clinicians_clock_shows_them(
    day: date, starts: time, ends: time, zone: str
) -> None:
    for one in offered_on(day, starts, ends, zone):
        first = one.starts_at.astimezone(ZoneInfo(zone))
        last = (one.ends_at - timedelta(seconds=1)).astimezone(ZoneInfo(zone))
        assert first.date() == last.date() == day
        assert starts <= first.time()
        assert last.time() < ends or ends == time(0)  # midnight at the end is the end of the day


@given(
    day=DAYS,
    zone=st.sampled_from(ZONES),
    cuts=st.lists(WALL, min_size=2, max_size=6, unique=True).map(sorted),
)
def test_a_day_cut_into_rows_offers_the_same_time_as_the_day_in_one_row(
    day: date, zone: str, cuts: list[time]
) -> None:
    whole = offered_on(day, cuts[0], cuts[-1], zone)
    from_at = datetime.combine(day, time(), tzinfo=UTC) - timedelta(hours=24)
    rows = [Hours(day.weekday(), a, b) for a, b in itertools.pairwise(cuts)]
    parts = [
        one
        for one in windows(rows, zone, from_at, from_at + timedelta(hours=72))
        if one.starts_at.astimezone(ZoneInfo(zone)).date() == day
    ]
    assert parts == whole


INSTANTS = st.integers(0, 400).map(
    lambda quarter: datetime(2026, 3, 6, tzinfo=UTC) + timedelta(minutes=15 * quarter)
)
SPANS = st.tuples(INSTANTS, st.integers(1, 30)).map(lambda p: Span(p[0], p[0] + timedelta(minutes=15 * p[1])))


@settings(max_examples=150)
@given(
    offered=st.lists(SPANS, max_size=6),
    taken=st.lists(SPANS, max_size=8),
    minutes=st.sampled_from([15, 20, 30, 60]),
    from_at=INSTANTS,
    hours=st.integers(1, 96),
)
def test_slots_are_inside_the_offer_clear_of_what_is_taken_and_apart_or_on_one_grid(
    offered: list[Span], taken: list[Span], minutes: int, from_at: datetime, hours: int
) -> None:
    to_at = from_at + timedelta(hours=hours)
    found = list(
        slots_in(offered, taken, minutes=minutes, step_minutes=minutes, from_at=from_at, to_at=to_at)
    )
    joined = merged(offered)
    for one in found:
        assert any(window.contains(one) for window in joined)
        assert not any(one.overlaps(busy) for busy in taken)
        assert from_at <= one.starts_at < to_at
    assert all(not earlier.overlaps(later) for earlier, later in itertools.pairwise(found))


@settings(max_examples=150)
@given(offered=st.lists(SPANS, max_size=6), taken=st.lists(SPANS, max_size=8))
def test_no_free_quarter_of_an_hour_is_lost(offered: list[Span], taken: list[Span]) -> None:
    """Every quarter that is offered and not taken is a slot, when slots are quarters."""
    everything = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    found = {
        one.starts_at
        for one in slots_in(
            offered, taken, minutes=15, step_minutes=15, from_at=everything[0], to_at=everything[1]
        )
    }
    free = without(offered, taken)
    expected = set()
    for window in free:
        at = window.starts_at
        while at < window.ends_at:
            expected.add(at)
            at += timedelta(minutes=15)
    assert found == expected


def test_what_is_taken_is_cut_out() -> None:
    day = [span("2026-11-23T09:00", "2026-11-23T12:00")]
    assert without(day, [span("2026-11-23T10:00", "2026-11-23T10:30")]) == [
        span("2026-11-23T09:00", "2026-11-23T10:00"),
        span("2026-11-23T10:30", "2026-11-23T12:00"),
    ]


@pytest.mark.parametrize(
    ("at", "zone", "words"),
    [
        (datetime(2026, 11, 1, 5, 30, tzinfo=UTC), NEW_YORK, "EDT (New York, UTC−4)"),
        (datetime(2026, 11, 1, 6, 30, tzinfo=UTC), NEW_YORK, "EST (New York, UTC−5)"),
        (datetime(2026, 7, 1, 12, tzinfo=UTC), "America/Phoenix", "MST (Phoenix, UTC−7)"),
        (datetime(2026, 7, 1, 12, tzinfo=UTC), "Asia/Kathmandu", "Kathmandu time (UTC+5:45)"),
        (datetime(2026, 7, 1, 12, tzinfo=UTC), "Asia/Kolkata", "IST (Kolkata, UTC+5:30)"),
    ],
)
def test_a_zone_is_named_with_its_offset(at: datetime, zone: str, words: str) -> None:
    assert zone_words(at, zone) == words


def test_the_two_ones_of_autumn_read_differently() -> None:
    first = when_words(datetime(2026, 11, 1, 5, 30, tzinfo=UTC), NEW_YORK)
    second = when_words(datetime(2026, 11, 1, 6, 30, tzinfo=UTC), NEW_YORK)
    assert first == "Sunday, November 1, 2026, 1:30 am EDT"
    assert second == "Sunday, November 1, 2026, 1:30 am EST"
