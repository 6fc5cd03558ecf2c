"""What goes to Twilio Video over the wire, and what is in its tokens."""

import datetime as dt
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest

from accounts.models import User
from common import clock
from tests.video.builders import a_room, her_seat, their_seat
from video import actions, gateways
from video.models import Room, Seat
from video.rules import GUEST_TOKEN_SECONDS

pytestmark = pytest.mark.django_db


class Recorder(BaseHTTPRequestHandler):
    asked: list[dict[str, Any]] = []
    status = 201

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        self.asked.append(
            {
                "path": self.path,
                "auth": self.headers["Authorization"],
                "form": {k: v[0] for k, v in parse_qs(body).items()},
            }
        )
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(
            b'{"sid": "RM00000000000000000000000000000001", "status": "in-progress", "code": 20500, "message": "x"}'
        )

    def log_message(self, *words: Any) -> None:
        """Quiet."""


@pytest.fixture
def twilio(settings: Any) -> Iterator[type[Recorder]]:
    Recorder.asked, Recorder.status = [], 201
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.TWILIO_ACCOUNT_SID, settings.TWILIO_API_KEY = "AC" + "1" * 32, "SK" + "2" * 32
    settings.TWILIO_API_SECRET, settings.TWILIO_API_BASE = "s" * 32, f"http://127.0.0.1:{server.server_port}"
    yield Recorder
    server.shutdown()
    server.server_close()


def test_a_room_is_made_once_without_recording_and_without_a_name_of_anybody(
    alice: User, dana: User, at: dt.datetime, twilio: type[Recorder]
) -> None:
    room = actions.prepare_carrier(a_room(alice, dana, at))
    actions.prepare_carrier(Room.objects.get(pk=room.pk))
    (asked,) = twilio.asked
    assert asked["path"] == "/v1/Rooms" and asked["auth"].startswith("Basic ")
    assert asked["form"]["UniqueName"] == room.pk.hex
    assert asked["form"]["RecordParticipantsOnConnect"] == "false"
    assert "Lindqvist" not in str(asked) and "Reyes" not in str(asked)


def test_a_token_is_for_one_seat_of_one_room_for_fifteen_minutes(
    alice: User, dana: User, at: dt.datetime, twilio: type[Recorder], settings: Any
) -> None:
    """TM-04: decoded with the secret, as Twilio does."""
    room = actions.prepare_carrier(a_room(alice, dana, at))
    tokens = [
        gateways.of_room(room.vendor).admission(seat, now_unix=0)["token"]
        for seat in (her_seat(room), their_seat(room))
    ]
    hers, theirs = (jwt.decode(one, settings.TWILIO_API_SECRET, algorithms=["HS256"]) for one in tokens)
    # Twilio's own id of this one room: a name could begin another room, under the account's defaults, once this one has ended.
    assert hers["grants"] == {
        "identity": her_seat(room).pk.hex,
        "video": {"room": "RM00000000000000000000000000000001"},
    }
    assert theirs["grants"]["identity"] != hers["grants"]["identity"]
    assert 890 <= hers["exp"] - clock.wall_time_s() <= 901
    assert hers["iss"] == settings.TWILIO_API_KEY and hers["sub"] == settings.TWILIO_ACCOUNT_SID
    assert str(alice.pk) not in str(hers) and alice.email not in str(hers)


def test_a_guest_is_shown_out_there_too_and_has_no_token_to_come_back_with(
    alice: User, dana: User, at: dt.datetime, twilio: type[Recorder], settings: Any,
    django_capture_on_commit_callbacks: Any,
) -> None:  # fmt: skip
    """TM-04: a browser that is not so kind as to leave is disconnected."""
    room = actions.prepare_carrier(a_room(alice, dana, at))
    guest, _ = actions.invite_guest(room, kind="family", name="Sam", by=dana, at=at)
    guest = Seat.objects.select_related("room").get(pk=guest.pk)
    token = gateways.of_room(room.vendor).admission(guest, now_unix=0)["token"]
    given = jwt.decode(token, settings.TWILIO_API_SECRET, algorithms=["HS256"])
    assert given["exp"] <= clock.wall_time_s() + GUEST_TOKEN_SECONDS + 1
    with django_capture_on_commit_callbacks(execute=True):
        actions.remove(guest, by=alice, at=at)
    assert (
        twilio.asked[-1]["path"]
        == f"/v1/Rooms/RM00000000000000000000000000000001/Participants/{guest.pk.hex}"
    )
    assert twilio.asked[-1]["form"] == {"Status": "disconnected"}


def test_a_room_there_lasts_no_longer_than_the_visit_and_is_made_when_somebody_is_let_in(
    alice: User, dana: User, at: dt.datetime, twilio: type[Recorder], clock_at: Any, client_for: Any
) -> None:
    room = a_room(alice, dana, at)
    with clock_at(at):
        hers = client_for(alice)
        hers.get(f"/video/{room.pk}/")
        assert hers.get(f"/video/{room.pk}/pass/").json()["media"] is None and not twilio.asked
        actions.admit(her_seat(room), by=dana, at=at)
        assert hers.get(f"/video/{room.pk}/pass/").json()["media"]["kind"] == "twilio"
        page = hers.get(f"/video/{room.pk}/")["Content-Security-Policy"]
        assert (
            "https://sdk.twilio.com" in page and "twilio" not in hers.get("/home/")["Content-Security-Policy"]
        )
    (asked,) = twilio.asked
    lasts_s = (room.closes_at - room.opens_at).total_seconds()
    assert int(asked["form"]["MaxParticipantDuration"]) == lasts_s


def test_the_room_is_ended_there_when_the_visit_is(
    alice: User, dana: User, at: dt.datetime, twilio: type[Recorder], django_capture_on_commit_callbacks: Any
) -> None:
    room = actions.prepare_carrier(a_room(alice, dana, at))
    with django_capture_on_commit_callbacks(execute=True):
        actions.close_room(room, by=dana, at=at)
    assert twilio.asked[-1]["path"] == "/v1/Rooms/RM00000000000000000000000000000001"
    assert twilio.asked[-1]["form"] == {"Status": "completed"}


def test_a_vendor_that_does_not_answer_leaves_the_visit_to_the_browsers(
    alice: User, dana: User, at: dt.datetime, twilio: type[Recorder]
) -> None:
    twilio.status = 503
    room = actions.prepare_carrier(a_room(alice, dana, at))
    assert Room.objects.get(pk=room.pk).vendor == "peer"
    assert gateways.of_room(room.vendor).admission(her_seat(room), now_unix=0)["kind"] == "peer"


def test_closing_here_does_not_wait_for_the_vendor_and_the_sweep_asks_it_again(
    alice: User, dana: User, at: dt.datetime, twilio: type[Recorder], django_capture_on_commit_callbacks: Any
) -> None:
    room = actions.prepare_carrier(a_room(alice, dana, at))
    twilio.status = 500
    with django_capture_on_commit_callbacks(execute=True):
        actions.close_room(room, by=dana, at=at)
    room = Room.objects.get(pk=room.pk)
    assert (room.closed_at, room.vendor_closed_at) == (at, None)
    twilio.status = 200
    later = at + dt.timedelta(minutes=1)
    actions.close_rooms_over(at=later)
    assert twilio.asked[-1]["form"] == {"Status": "completed"}
    assert Room.objects.get(pk=room.pk).vendor_closed_at == later
    many = len(twilio.asked)
    actions.close_rooms_over(at=later)
    assert len(twilio.asked) == many, "once is enough"


def test_without_keys_or_when_told_so_visits_go_browser_to_browser(
    settings: Any, twilio: type[Recorder]
) -> None:
    assert gateways.chosen() == "twilio"
    settings.VIDEO_VENDOR = "peer"
    assert gateways.chosen() == "peer"
    settings.VIDEO_VENDOR, settings.TWILIO_API_KEY = "", ""
    assert gateways.chosen() == "peer"
