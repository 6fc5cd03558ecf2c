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
from common.errors import Conflict
from tests.video.builders import a_room, her_seat, their_seat
from video import actions, gateways
from video.models import Room

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
    assert hers["grants"] == {"identity": her_seat(room).pk.hex, "video": {"room": room.pk.hex}}
    assert theirs["grants"]["identity"] != hers["grants"]["identity"]
    assert hers["exp"] - hers.get("nbf", hers["exp"] - 900) <= 900
    assert hers["iss"] == settings.TWILIO_API_KEY and hers["sub"] == settings.TWILIO_ACCOUNT_SID
    assert str(alice.pk) not in str(hers) and alice.email not in str(hers)


def test_the_room_is_ended_there_when_the_visit_is(
    alice: User, dana: User, at: dt.datetime, twilio: type[Recorder]
) -> None:
    room = actions.prepare_carrier(a_room(alice, dana, at))
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


def test_closing_here_does_not_wait_for_the_vendor(
    alice: User, dana: User, at: dt.datetime, twilio: type[Recorder]
) -> None:
    room = actions.prepare_carrier(a_room(alice, dana, at))
    twilio.status = 500
    with pytest.raises(Conflict):
        actions.close_room(room, by=dana, at=at)
    assert Room.objects.get(pk=room.pk).closed_at == at


def test_without_keys_or_when_told_so_visits_go_browser_to_browser(
    settings: Any, twilio: type[Recorder]
) -> None:
    assert gateways.chosen() == "twilio"
    settings.VIDEO_VENDOR = "peer"
    assert gateways.chosen() == "peer"
    settings.VIDEO_VENDOR, settings.TWILIO_API_KEY = "", ""
    assert gateways.chosen() == "peer"
