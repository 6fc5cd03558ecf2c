"""Passes, messages and the book of a room, without a database."""

import base64
import datetime as dt
import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from video import rules
from video.rules import RoomFacts, SeatFacts, attendance, checked_message, refusals, relay_credentials

NINE = dt.datetime(2026, 11, 23, 17, 0, tzinfo=dt.UTC)
TEN = NINE + dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)
OPEN = RoomFacts(opens_at=NINE, closes_at=TEN, closed=False)
SEAT = SeatFacts(removed=False, is_guest=False, user_is_active=True)


def minutes(*lines: tuple[str, float]) -> list[tuple[str, dt.datetime]]:
    return [(kind, NINE + dt.timedelta(minutes=after)) for kind, after in lines]


def test_a_relay_password_is_what_coturn_computes_from_the_shared_secret() -> None:
    made = relay_credentials("shared secret", identity="seat1", expires_unix=1_800_000_000)
    assert made["username"] == "1800000000:seat1"
    expected = hmac.new(b"shared secret", b"1800000000:seat1", hashlib.sha1).digest()
    assert base64.b64decode(made["credential"]) == expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (NINE - MINUTE, {"not_open_yet"}),
        (NINE, set()),
        (TEN - dt.timedelta(seconds=1), set()),
        (TEN, {"room_closed"}),
    ],
)
def test_a_seat_is_taken_between_the_rooms_first_and_last_minute(at: dt.datetime, expected: set[str]) -> None:
    assert refusals(OPEN, SEAT, at=at) == expected


def test_a_closed_room_a_removed_seat_and_a_closed_account_are_each_named() -> None:
    assert refusals(RoomFacts(NINE, TEN, True), SEAT, at=NINE) == {"room_closed"}
    gone = SeatFacts(removed=True, is_guest=False, user_is_active=False)
    assert refusals(OPEN, gone, at=NINE) == {"removed", "account_closed"}
    assert refusals(OPEN, SeatFacts(False, True, False), at=NINE) == frozenset()


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        "hello",
        {"type": "hello", "pass": 1, "page": "x"},
        {"type": "signal", "to": "x", "data": {"description": {}, "candidate": {}}},
        {"type": "signal", "to": "x", "data": {"eval": {}}},
        {"type": "signal", "to": 5, "data": {"candidate": {}}},
        {"type": "chat", "text": "   "},
        {"type": "chat", "text": 7},
        {"type": "admit", "seat": "x"},
    ],
)
def test_a_message_of_another_shape_is_nobodys_message(raw: Any) -> None:
    assert checked_message(raw) is None


def test_who_sent_a_message_is_never_taken_from_it() -> None:
    """TM-04: a browser's word about who it is goes nowhere."""
    sent = {"type": "signal", "to": "a", "from": "somebody else", "data": {"candidate": {"candidate": "x"}}}
    assert checked_message(sent) == {"type": "signal", "to": "a", "data": {"candidate": {"candidate": "x"}}}
    assert checked_message({"type": "chat", "text": "hi", "seat": "other"}) == {"type": "chat", "text": "hi"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["type", "to", "data", "text", "pass", "page", "sound"]),
                inner | st.sampled_from(["hello", "signal", "chat", "state", "ping"]),
            )
        ),
        max_leaves=12,
    )
)
def test_no_message_whatever_its_shape_is_an_error(raw: Any) -> None:
    found = checked_message(raw)
    assert found is None or found["type"] in ("hello", "signal", "chat", "state", "ping", "bye")


def test_five_minutes_together_are_a_visit_and_a_second_less_is_not() -> None:
    patient = minutes(("waiting", -5), ("joined", 2), ("left", 30))
    assert (
        attendance(patient, minutes(("joined", 0), ("left", 7)), starts_at=NINE, ends_at=TEN).finding
        == "completed"
    )
    short = attendance(patient, minutes(("joined", 0), ("left", 6.98)), starts_at=NINE, ends_at=TEN)
    assert (short.finding, short.reasons) == ("unclear", {"patient_came", "too_short_together"})


def test_a_line_that_breaks_and_comes_back_counts_both_stretches() -> None:
    patient = minutes(("joined", 0), ("left", 3), ("joined", 4), ("left", 6))
    found = attendance(patient, minutes(("joined", 0), ("left", 50)), starts_at=NINE, ends_at=TEN)
    assert found.finding == "completed"
    assert found.together_minutes == pytest.approx(5)


def test_a_clinician_there_at_a_quarter_past_and_nobody_else_is_a_missed_visit() -> None:
    found = attendance([], minutes(("joined", 0), ("left", 15)), starts_at=NINE, ends_at=TEN)
    assert (found.finding, found.reasons) == ("no_show", {"patient_never_came"})


def test_a_clinician_who_left_before_a_quarter_past_makes_nobody_absent() -> None:
    found = attendance([], minutes(("joined", 0), ("left", 14.9)), starts_at=NINE, ends_at=TEN)
    assert (found.finding, found.reasons) == ("unclear", {"patient_not_seen", "clinician_did_not_wait"})


def test_a_patient_who_waited_in_vain_has_not_missed_her_visit() -> None:
    waited = minutes(("waiting", -3))
    assert (
        attendance(waited, minutes(("joined", 14), ("left", 40)), starts_at=NINE, ends_at=TEN).finding
        == "unclear"
    )
    assert attendance(waited, [], starts_at=NINE, ends_at=TEN).reasons == {
        "patient_came",
        "clinician_not_seen",
    }


@given(
    st.lists(
        st.tuples(st.sampled_from(["waiting", "joined", "left", "phone"]), st.integers(-15, 120)), max_size=12
    ),
    st.lists(st.tuples(st.sampled_from(["joined", "left"]), st.integers(-15, 120)), max_size=12),
)
def test_nobody_who_was_seen_is_ever_said_to_have_missed_a_visit(
    hers: list[tuple[str, int]], theirs: list[tuple[str, int]]
) -> None:
    found = attendance(minutes(*hers), minutes(*theirs), starts_at=NINE, ends_at=TEN)
    if any(kind in ("waiting", "joined") for kind, _ in hers):
        assert found.finding != "no_show"
    if found.finding == "completed":
        assert found.together_minutes >= rules.TOGETHER_MINUTES


def test_a_relays_password_ends_within_two_hours_and_does_not_fit_a_longer_one() -> None:
    """Decoded as coturn does: the end stands in the name, and the password is good for that name alone."""
    from types import SimpleNamespace

    from django.test import override_settings

    from video.gateways.peer import PeerCarrier

    seat = SimpleNamespace(pk=SimpleNamespace(hex="a" * 32))
    with override_settings(TURN_URLS=["turn:relay.example.org"], TURN_SECRET="shared"):
        given = PeerCarrier().admission(seat, now_unix=1_800_000_000)["iceServers"][0]  # type: ignore[arg-type]
    expires, identity = given["username"].split(":")
    assert int(expires) - 1_800_000_000 == rules.RELAY_SECONDS <= 2 * 60 * 60
    longer = f"{int(expires) + 3600}:{identity}"
    forged = base64.b64encode(hmac.new(b"shared", longer.encode(), hashlib.sha1).digest()).decode()
    assert given["credential"] != forged
