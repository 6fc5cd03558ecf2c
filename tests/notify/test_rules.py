"""When a message may go, when to try again, what a reply means."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.rules import (
    STATUS_RANK,
    is_cancel,
    is_quiet,
    moves_forward,
    next_allowed,
    reply_means,
    retry_after_seconds,
)

EASTERN = "America/New_York"


def local(*parts: int, zone: str = EASTERN) -> datetime:
    return datetime(*parts, tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("hour", "minute", "quiet"),
    [
        (7, 59, True),
        (8, 0, False),
        (8, 1, False),
        (20, 59, False),
        (21, 0, True),
        (21, 1, True),
        (0, 0, True),
    ],
)
def test_quiet_hours_begin_at_21_and_end_at_8(hour: int, minute: int, quiet: bool) -> None:
    assert is_quiet(local(2026, 11, 23, hour, minute), EASTERN) is quiet


def test_a_message_of_the_evening_waits_for_the_next_morning() -> None:
    assert next_allowed(local(2026, 11, 23, 22, 30), EASTERN) == local(2026, 11, 24, 8)


def test_a_message_of_the_small_hours_waits_for_the_same_morning() -> None:
    assert next_allowed(local(2026, 11, 23, 3, 0), EASTERN) == local(2026, 11, 23, 8)


@pytest.mark.parametrize("day", [(2026, 3, 7), (2026, 3, 8), (2026, 10, 31), (2026, 11, 1)])
def test_eight_o_clock_is_eight_o_clock_on_the_days_the_clocks_change(day: tuple[int, int, int]) -> None:
    """HZ-11"""
    allowed = next_allowed(local(*day, 22, 0), EASTERN).astimezone(ZoneInfo(EASTERN))
    assert (allowed.hour, allowed.minute) == (8, 0)
    assert allowed.date() == datetime(*day).date() + timedelta(days=1)


@given(
    at=st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),
    zone=st.sampled_from(
        [EASTERN, "America/Los_Angeles", "America/Phoenix", "Pacific/Honolulu", "America/St_Johns", "no/zone"]
    ),
)
def test_quiet_hours_only_ever_move_a_message_later_and_by_less_than_a_day(at: datetime, zone: str) -> None:
    allowed = next_allowed(at, zone)
    assert timedelta(0) <= allowed - at < timedelta(hours=12)
    assert not is_quiet(allowed, zone)
    assert next_allowed(allowed, zone) == allowed


def test_tries_are_further_and_further_apart_and_then_end_with_a_person() -> None:
    waits = [retry_after_seconds(n, 0.0) for n in range(1, 7)]
    assert waits[:5] == sorted(waits[:5])
    assert waits[5] is None


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("STOP", "stop"), (" stop. ", "stop"), ("Stop all", "stop"), ("UNSUBSCRIBE", "stop"), ("Quit!", "stop"), ("opt-out", "stop"),
        ("STOPALL", "stop"), ("END", "stop"), ("REVOKE", "stop"), ("OPTOUT", "stop"), ("Parar", "stop"), ("ALTO.", "stop"),
        ("START", "start"), ("unstop", "start"), ("HELP", "help"), ("info", "help"), ("ayuda", "help"),
        ("YES", "triage"), ("sí", "triage"), ("cancelar", "triage"), ("STOP PLEASE", "triage"),
        ("CANCEL", "triage"), ("cancel", "triage"), ("please stop texting me", "triage"), ("I want to die", "triage"), ("", "triage"),
    ],
)  # fmt: skip
def test_only_a_reply_that_is_nothing_but_the_word_acts_by_itself(text: str, meaning: str) -> None:
    """HZ-23: CANCEL may mean the visit, so a person reads it."""
    assert reply_means(text) == meaning


def test_reports_move_a_message_forward_and_never_back() -> None:
    assert moves_forward("", "queued")
    assert moves_forward("sent", "delivered")
    assert not moves_forward("delivered", "sent")
    assert not moves_forward("delivered", "delivered")
    assert not moves_forward("delivered", "undelivered")
    assert not moves_forward("sent", "something-new")


def test_yes_starts_texts_only_for_somebody_who_had_stopped_them() -> None:
    assert (
        reply_means("Yes!", has_stopped=True) == "start" and reply_means("yes", has_stopped=False) == "triage"
    )
    assert reply_means("Sí", has_stopped=True) == "start"


def test_cancel_is_known_as_the_word_that_needs_a_question() -> None:
    assert is_cancel(" Cancel. ") and is_cancel("CANCELAR")
    assert not is_cancel("cancel my visit") and not is_cancel("stop")


reports = st.lists(st.sampled_from([*STATUS_RANK, "something-new"]), max_size=12)


@given(reports)
def test_whatever_the_order_and_repetition_a_message_ends_as_far_as_it_came(came: list[str]) -> None:
    """Duplicated, reordered and late reports: the same end, never a step back."""
    status, ranks = "", [0]
    for report in came:
        if moves_forward(status, report):
            status = report
        ranks.append(STATUS_RANK.get(status, 0))
    assert ranks == sorted(ranks)
    assert STATUS_RANK.get(status, 0) == max((STATUS_RANK.get(r, 0) for r in came), default=0)
    again = status
    for report in came:
        assert not moves_forward(again, report)
