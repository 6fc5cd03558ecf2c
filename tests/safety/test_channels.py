"""A page goes on over the next channel whatever the vendor does, and a key press takes it (PR-05, PR-07, PR-18)."""

import socket
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from django.test import Client

from accounts.models import User
from common import clock
from notify.actions import dispatch, dispatch_crisis
from notify.gateways import at_once, twilio_gateway
from notify.models import OutboxMessage
from safety.actions import escalate_due
from safety.models import Alert
from tests.safety.builders import a_shift, an_alert
from tests.twilio_server import TwilioServer, recording_twilio, signature

STATUS = "/webhooks/twilio/status/"


@pytest.fixture
def twilio(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[TwilioServer]:
    with recording_twilio() as server:
        settings.TWILIO_ACCOUNT_SID = server.account_sid
        settings.TWILIO_API_KEY, settings.TWILIO_API_SECRET = server.user, server.password
        settings.TWILIO_AUTH_TOKEN = server.auth_token
        settings.TWILIO_FROM = "+15550100199"
        settings.TWILIO_API_BASE = server.url
        monkeypatch.setattr(twilio_gateway, "TIMEOUT_S", 0.3)
        twilio_gateway._client.cache_clear()
        yield server
        twilio_gateway._client.cache_clear()


def channels(alert: Alert) -> list[tuple[str, str]]:
    rows = OutboxMessage.objects.filter(about_id=alert.pk, kind="crisis_page").order_by(
        "created_at", "due_at"
    )
    return [(row.channel, row.state) for row in rows]


@pytest.mark.parametrize("trouble", ["refuse:503:20503", "hang", "unreachable"])
def test_pr_18_with_twilio_down_the_page_goes_by_mail_within_a_minute(
    twilio: TwilioServer, settings: Any, alice: User, dana: User, at: datetime, trouble: str
) -> None:
    """PR-05, PR-18: an answer of 5xx, no answer in time, no connection: text, then call, then mail."""
    a_shift(dana, at)
    twilio.hang_s = 0.6
    if trouble == "unreachable":
        settings.TWILIO_API_BASE = "http://127.0.0.1:9"
        twilio_gateway._client.cache_clear()
    else:
        twilio.behave = trouble
    alert = an_alert(alice, at)
    for seconds in range(60):
        dispatch_crisis(at=at + timedelta(seconds=seconds))
        if ("email", "sent") in channels(alert):
            break
    assert channels(alert) == [("sms", "failed"), ("voice", "failed"), ("email", "sent")]
    assert {row.recipient for row in OutboxMessage.objects.filter(about_id=alert.pk)} == {dana}


@pytest.fixture
def swallowed(twilio: TwilioServer, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Twilio's name has four addresses, and each takes a connection and never says a word."""
    house = socket.create_server(("127.0.0.1", 0), backlog=0)
    guests = []
    for _ in range(4):
        guest = socket.socket()
        guest.setblocking(False)
        guest.connect_ex(house.getsockname())
        guests.append(guest)
    port = house.getsockname()[1]
    known = socket.getaddrinfo

    def four(host: Any, *rest: Any, **more: Any) -> Any:
        found = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        return [found] * 4 if host == "twilio.example" else known(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", four)
    settings.TWILIO_API_BASE = f"http://twilio.example:{port}"
    monkeypatch.setattr(at_once, "_lines", {})
    yield
    for one in (house, *guests):
        one.close()


def until_mailed(alert: Alert, at: datetime, *, turns: int = 60) -> float:
    """Turn after turn until the page is by mail; how many seconds passed on the wall."""
    started = clock.monotonic_s()
    for seconds in range(turns):
        dispatch_crisis(at=at + timedelta(seconds=seconds))
        if ("email", "sent") in channels(alert):
            break
    return clock.monotonic_s() - started


def test_pr_18_a_vendor_that_swallows_every_connection_does_not_keep_a_page_past_the_minute(
    swallowed: None, alice: User, dana: User, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PR-05, PR-18: the client's own limit holds for each address. A fortieth of the true times; then the true times' sum."""
    monkeypatch.setattr(twilio_gateway, "TIMEOUT_S", 10 / 40)
    twilio_gateway._client.cache_clear()
    true_s = dispatch.CRISIS_SEND_S
    monkeypatch.setattr(dispatch, "CRISIS_SEND_S", true_s / 40)
    a_shift(dana, at)
    alert = an_alert(alice, at)
    took_s = until_mailed(alert, at)
    assert channels(alert) == [("sms", "failed"), ("voice", "failed"), ("email", "sent")]
    # Four sends; without one end for each they would take 4 x 40 s / 40.
    assert 4 * true_s / 40 <= took_s < 3.0
    waits_s = 1.5 * dispatch.CRISIS_RETRY_SECONDS + 1
    assert 2 * dispatch.CRISIS_TRIES_PER_CHANNEL * true_s + 2 * waits_s < 60
    assert 10 < true_s < dispatch.CRISIS_LEASE.total_seconds() / 2


def test_threads_that_hang_use_up_their_own_channel_only_and_keep_nobody_from_ending(
    swallowed: None, alice: User, dana: User, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PR-05: with every line to a silent vendor taken, the page takes its other way at once."""
    monkeypatch.setattr(dispatch, "CRISIS_SEND_S", 0.05)
    monkeypatch.setattr(at_once, "MOST_LINES", 1)
    a_shift(dana, at)
    alert = an_alert(alice, at)
    until_mailed(alert, at)
    assert channels(alert)[-1] == ("email", "sent")
    whys = OutboxMessage.objects.filter(about_id=alert.pk, state="failed").order_by("channel")
    assert [row.last_error for row in whys] == ["every line for sms hangs", "every line for voice hangs"]
    hanging = [one for one in threading.enumerate() if "_send" in one.name]
    assert hanging and all(one.daemon for one in hanging)


def test_a_text_that_the_carrier_could_not_deliver_rings_at_once_and_the_call_that_nobody_takes_is_mailed(
    twilio: TwilioServer, settings: Any, client: Client, alice: User, dana: User, at: datetime
) -> None:
    """PR-05: reports after the vendor had said yes."""
    a_shift(dana, at)
    alert = an_alert(alice, at)
    dispatch_crisis(at=at)

    def report(name: str, status: str, sid: str) -> int:
        form = {f"{name}Sid": sid, f"{name}Status": status}
        signed = signature(twilio.auth_token, settings.SITE_URL + STATUS, form)
        return client.post(STATUS, form, headers={"X-Twilio-Signature": signed}).status_code

    assert report("Message", "undelivered", twilio.accepted[0]["sid"]) == 204
    later = OutboxMessage.objects.get(about_id=alert.pk, channel="voice").due_at
    dispatch_crisis(at=later)
    assert twilio.accepted[1]["kind"] == "Calls"
    assert report("Call", "no-answer", twilio.accepted[1]["sid"]) == 204
    assert {channel for channel, _ in channels(alert)} == {"sms", "voice", "email"}


def test_the_call_asks_for_one_key_and_only_a_signed_press_of_1_takes_it(
    twilio: TwilioServer, settings: Any, client: Client, alice: User, dana: User, at: datetime
) -> None:
    """PR-07: without a number to remember; the address is the person's own and the request is signed."""
    a_shift(dana, at)
    an_alert(alice, at)
    dispatch_crisis(at=at)
    escalate_due(at=at + timedelta(seconds=60))
    dispatch_crisis(at=at + timedelta(seconds=60))
    call = next(r for r in twilio.requests if r["path"].endswith("/Calls.json"))
    gather = ElementTree.fromstring(call["form"]["Twiml"]).find("Gather")  # noqa: S314  (our own words)
    assert gather is not None and gather.get("numDigits") == "1" and call["form"]["To"] == dana.phone
    address = gather.get("action", "")
    assert address.startswith(settings.SITE_URL)
    path, form = address.removeprefix(settings.SITE_URL), {"Digits": "1"}
    assert client.post(path, form).status_code == 403
    wrong = signature("another-token", address, form)
    assert client.post(path, form, headers={"X-Twilio-Signature": wrong}).status_code == 403
    no = {"Digits": "2"}
    client.post(path, no, headers={"X-Twilio-Signature": signature(twilio.auth_token, address, no)})
    assert Alert.objects.get().state == "open"
    signed = signature(twilio.auth_token, address, form)
    assert client.post(path, form, headers={"X-Twilio-Signature": signed}).status_code == 200
    taken = Alert.objects.get()
    assert (taken.state, taken.acknowledged_by) == ("acknowledged", dana)
