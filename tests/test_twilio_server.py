"""The recording Twilio says no where the real one would; otherwise what the other tests show about sending would be worth little."""

import datetime as dt
import json
import os
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from tests.twilio_server import TwilioServer, environment, recording_twilio, signature, wall_clock

FROM, TO = "+15005550006", "+14155550111"


class ThereInstead(TwilioHttpClient):
    """Twilio's own client, sent to the recording server."""

    def __init__(self, base: str) -> None:
        super().__init__(timeout=5)
        self.base = base

    def request(self, method: str, url: str, *args: object, **kwargs: object) -> object:
        return super().request(method, url.replace("https://api.twilio.com", self.base), *args, **kwargs)  # type: ignore[arg-type]


def client(server: TwilioServer, password: str | None = None) -> Client:
    return Client(
        server.user, password or server.password, server.account_sid, http_client=ThereInstead(server.url)
    )


@pytest.fixture
def twilio(tmp_path: Path) -> Iterator[TwilioServer]:
    with recording_twilio(journal=tmp_path / "journal", now=wall_clock) as server:
        yield server


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"to": "4155550111"}, 21211),
        ({"to": "+0155550111"}, 21211),
        ({"from_": "Hearthside!"}, 21212),
        ({"from_": None}, 21603),
        ({"from_": TO}, 21266),
        ({"body": ""}, 21602),
        ({"body": "x" * 1601}, 21617),
        ({"status_callback": "/webhooks/twilio/status/"}, 21609),
        ({"from_": None, "messaging_service_sid": "MGshort"}, 21703),
    ],
)
def test_a_text_the_real_one_would_not_take_is_refused(twilio: TwilioServer, wrong: dict, code: int) -> None:
    given = {"to": TO, "from_": FROM, "body": "A word.", **wrong}
    with pytest.raises(TwilioRestException) as refused:
        client(twilio).messages.create(**{name: value for name, value in given.items() if value is not None})
    assert (refused.value.status, refused.value.code) == (400, code)
    assert twilio.accepted == []


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"twiml": "<Response><Say>A & B</Say></Response>"}, 12100),
        ({"twiml": "<Say>hello</Say>"}, 12100),
        ({"twiml": "<Response>" + "<Pause/>" * 600 + "</Response>"}, 21624),
        ({"twiml": "<Response><Gather action='/answer/'><Say>x</Say></Gather></Response>"}, 13325),
        ({"twiml": None}, 21205),
        ({"timeout": 601}, 21222),
    ],
)
def test_a_call_the_real_one_would_not_make_is_refused(twilio: TwilioServer, wrong: dict, code: int) -> None:
    given = {"to": TO, "from_": FROM, "twiml": "<Response><Say>Hello</Say></Response>", **wrong}
    with pytest.raises(TwilioRestException) as refused:
        client(twilio).calls.create(**{name: value for name, value in given.items() if value is not None})
    assert refused.value.code == code
    assert twilio.accepted == []


def test_1600_characters_and_no_more_are_one_text(twilio: TwilioServer) -> None:
    assert client(twilio).messages.create(to=TO, from_=FROM, body="x" * 1600).sid.startswith("SM")


def test_a_wrong_log_in_is_401_and_a_number_that_said_stop_21610(twilio: TwilioServer) -> None:
    with pytest.raises(TwilioRestException) as refused:
        client(twilio, "wrong").messages.create(to=TO, from_=FROM, body="A word.")
    assert refused.value.status == 401 and twilio.problems == ["wrong or missing Authorization"]
    twilio.stopped.add(TO)
    with pytest.raises(TwilioRestException) as refused:
        client(twilio).messages.create(to=TO, from_=FROM, body="A word.")
    assert refused.value.code == 21610


def test_what_it_took_is_listed_by_number_and_time_and_stands_in_the_journal(
    twilio: TwilioServer, tmp_path: Path
) -> None:
    made = client(twilio).messages.create(to=TO, from_=FROM, body="A word.")
    client(twilio).messages.create(to="+14155550199", from_=FROM, body="Another.")
    second = dt.timedelta(seconds=2)
    now = wall_clock()
    listed = client(twilio).messages.list
    assert [m.sid for m in listed(to=TO)] == [made.sid]
    assert listed(to=TO, date_sent_after=now - second) == [], "it waits in the queue: not sent yet"
    twilio.report(twilio.accepted[0] | {"form": {"StatusCallback": "http://127.0.0.1:9/"}}, ("sent",))
    assert [m.sid for m in listed(to=TO, date_sent_after=now - second)] == [made.sid]
    assert listed(to=TO, date_sent_after=now + second) == []
    lines = [json.loads(line) for line in (tmp_path / "journal").read_text().splitlines()]
    taken = [line for line in lines if line["what"] == "accepted"]
    assert [(line["what"], line["channel"], line["to"]) for line in taken] == [
        ("accepted", "sms", TO),
        ("accepted", "sms", "+14155550199"),
    ]


def test_its_signature_is_twilios() -> None:
    """Made here by the public description, checked with Twilio's own validator."""
    form = {"MessageSid": "SM1", "MessageStatus": "delivered", "Body": "ä & 1"}
    url = "https://care.example/webhooks/twilio/status/?x=1"
    good = signature("the-account-token", url, form)
    assert RequestValidator("the-account-token").validate(url, form, good)
    assert not RequestValidator("another-token").validate(url, form, good)


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        ("in-order", ["queued", "sent", "delivered"]),
        ("doubled", ["queued", "queued", "sent", "sent", "delivered", "delivered"]),
    ],
)
def test_it_reports_how_far_a_text_has_come(tmp_path: Path, reports: str, expected: list[str]) -> None:
    got: list[str] = []
    done = threading.Event()

    class Practice(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            right = signature(TwilioServer.auth_token, f"http://127.0.0.1:{port}/status/", form)
            got.append(form["MessageStatus"] if self.headers["X-Twilio-Signature"] == right else "forged")
            self.send_response(204)
            self.end_headers()
            if len(got) == len(expected):
                done.set()

        def log_message(self, *args: object) -> None:
            pass

    practice = HTTPServer(("127.0.0.1", 0), Practice)
    port = practice.server_port
    threading.Thread(target=practice.serve_forever, daemon=True).start()
    with recording_twilio(reports=reports) as server:
        to_there = f"http://127.0.0.1:{port}/status/"
        client(server).messages.create(to=TO, from_=FROM, body="A word.", status_callback=to_there)
        assert done.wait(10)
    practice.shutdown()
    assert got == expected


def test_started_by_hand_it_prints_the_settings_of_a_practice(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.twilio_server", "--port", str(port), "--reports", "none"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert child.stdout is not None
        said = "".join(child.stdout.readline() for _ in range(3))
    finally:
        child.terminate()
        child.wait(timeout=10)
    assert f"TWILIO_API_BASE=http://127.0.0.1:{port}" in said
    assert all(f"{name}=" in said for name in environment(TwilioServer()))
