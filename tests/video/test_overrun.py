"""A visit that lasts longer than anything that was handed out at its start goes on: passes, relay passwords, log-ins and the room's hours."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import DeaRegistration, User
from common import clock
from common.errors import Conflict
from sessions import actions as sessions
from tests.sessions.builders import an_opened_session, fresh
from tests.video.builders import a_room, her_seat, their_seat
from video import access, actions, rules
from video.models import Room, Seat

pytestmark = pytest.mark.django_db
MINUTE = dt.timedelta(minutes=1)


def both_in(room: Room, at: dt.datetime) -> tuple[Seat, Seat]:
    """Patient and clinician let in and connected."""
    hers, theirs = her_seat(room), their_seat(room)
    actions.take_seat(theirs, connection="theirs", page="b", at=at)
    actions.take_seat(hers, connection="hers", page="a", at=at)
    host = theirs.user
    assert host is not None
    actions.admit(her_seat(room), by=host, at=at)
    return her_seat(room), their_seat(room)


def both_live(hers: Seat, theirs: Seat, at: dt.datetime) -> None:
    """What their lines note every few seconds."""
    assert actions.still_there(hers.pk, connection="hers", at=at)
    assert actions.still_there(theirs.pk, connection="theirs", at=at)


@pytest.fixture
def hours_pass(monkeypatch: Any) -> Callable[[float], None]:
    """Moves the machine's clock, by which passes, relay passwords and log-ins end."""
    begun = clock.wall_time_s()
    return lambda minutes: monkeypatch.setattr("time.time", lambda: begun + 60 * minutes)


def test_a_visit_of_three_hours_outlives_every_pass_password_and_last_minute(
    alice: User, dana: User, at: dt.datetime, clock_at: Any, client_for: Any, settings: Any, hours_pass: Any
) -> None:
    settings.TURN_URLS, settings.TURN_SECRET = ["turn:relay.example.org"], "shared"
    room = a_room(alice, dana, at)
    hers, theirs = both_in(room, at)
    browsers = [client_for(alice), client_for(dana)]
    first: dict[str, Any] = {}
    for minutes in range(0, 190, 10):
        hours_pass(minutes)
        now = at + minutes * MINUTE
        # The sweep looks each minute; here it looks as the last ones before the next pass do.
        for moment in (now - 5 * MINUTE, now):
            both_live(hers, theirs, moment)
            actions.close_rooms_over(at=moment)
        with clock_at(now):
            answers = [one.get(f"/video/{room.pk}/pass/") for one in browsers]
        assert [one.status_code for one in answers] == [200, 200], minutes
        given = answers[0].json()
        first = first or given
        assert access.seat_of_pass(given["pass"]) == hers
        ends_s = int(given["media"]["iceServers"][0]["username"].split(":")[0])
        assert ends_s - clock.wall_time_s() == pytest.approx(rules.RELAY_SECONDS, abs=2)
    # What was handed out at the start would not have carried them here.
    assert int(first["media"]["iceServers"][0]["username"].split(":")[0]) < clock.wall_time_s()
    with pytest.raises(Conflict) as refused:
        access.seat_of_pass(first["pass"])
    assert refused.value.code == "pass_over"
    kept = Room.objects.get(pk=room.pk)
    assert kept.closed_at is None and kept.closes_at > room.closes_at
    # Opening the page of the visit meanwhile begins nothing anew.
    with clock_at(now):
        assert "visit-mic" in browsers[1].get(f"/video/{room.pk}/").content.decode()
    assert their_seat(room).admitted_at is not None and her_seat(room).connection == "hers"


@pytest.mark.parametrize("left", ["hers", "theirs"])
def test_a_room_in_which_one_sits_alone_ends_at_its_last_minute(
    left: str, alice: User, dana: User, at: dt.datetime
) -> None:
    room = a_room(alice, dana, at)
    hers, theirs = both_in(room, at)
    last = room.closes_at
    both_live(hers, theirs, last - MINUTE)
    actions.leave_seat({"hers": hers, "theirs": theirs}[left].pk, connection=left, at=last - MINUTE)
    assert actions.close_rooms_over(at=last - MINUTE) == 0
    assert actions.close_rooms_over(at=last) == 1
    assert Room.objects.get(pk=room.pk).closed_at == last


def test_two_pages_that_were_forgotten_are_no_visit(alice: User, dana: User, at: dt.datetime) -> None:
    room = a_room(alice, dana, at)
    hers, theirs = both_in(room, at)
    late = room.opens_at + dt.timedelta(hours=rules.ROOM_HOURS_MAX)
    both_live(hers, theirs, late)
    assert actions.close_rooms_over(at=late) == 1


def test_a_registration_that_ends_meanwhile_ends_no_visit_and_opens_none(
    alice: User, dana: User, at: dt.datetime
) -> None:
    """It is asked at the door; who is in talks to the end, and nothing can be signed."""
    room = a_room(alice, dana, at)
    hers, theirs = both_in(room, at)
    DeaRegistration.objects.filter(psychiatrist=dana).update(expires_on=at.date() - dt.timedelta(days=1))
    both_live(hers, theirs, at + MINUTE)
    assert access.refusals(her_seat(room), at=at + 2 * MINUTE) == []
    # A cut of twenty seconds is no new visit.
    actions.leave_seat(hers.pk, connection="hers", at=at + 2 * MINUTE)
    assert actions.take_seat(
        her_seat(room), connection="again", page="c", at=at + 2 * MINUTE + dt.timedelta(seconds=20)
    )
    # Whoever comes later comes to the door.
    actions.leave_seat(hers.pk, connection="again", at=at + 3 * MINUTE)
    assert [code for code, _ in access.refusals(her_seat(room), at=at + 9 * MINUTE)] == ["not_licensed_there"]


def test_a_dosing_day_that_is_called_off_cuts_nobody_off(
    alice: User, dana: User, cole: User, at: dt.datetime, clock_at: Any, client_for: Any
) -> None:
    session = an_opened_session(alice, dana, at)
    room = sessions.open_session_room(session, by=cole, at=at)
    both_in(room, at)
    sessions.abort(fresh(session), reason="changed_mind", by=alice, at=at + MINUTE)
    with clock_at(at + MINUTE):
        assert client_for(alice).get(f"/video/{room.pk}/pass/").status_code == 200
