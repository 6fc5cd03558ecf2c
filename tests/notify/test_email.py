"""What goes over the wire to a mail server, and how its answers are read."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from accounts.models import User
from notify import gateways
from notify.actions import dispatch_due, resolve_expired, try_again
from notify.gateways import email_gateway
from notify.gateways.email_gateway import connection_settings
from notify.models import DeadLetter, OutboxMessage
from notify.rules import RETRY_SECONDS
from tests.notify.builders import a_mail


class _Session(socketserver.StreamRequestHandler):
    """As much SMTP as Django speaks."""

    server: "_Server"

    def handle(self) -> None:
        if self.server.behave == "hang-up":
            return
        self.say("220 ready")
        data: list[str] | None = None
        for raw in self.rfile:
            line = raw.decode().rstrip("\r\n")
            if data is not None:
                if line == ".":
                    self.server.mails.append("\n".join(data))
                    data = None
                    if self.server.behave == "vanish":
                        return
                    self.say("250 taken")
                else:
                    data.append(line)
                continue
            verb = line.split(" ")[0].upper()
            if verb == "EHLO":
                self.say("250 hello")
            elif verb == "RCPT" and self.server.behave == "no-such-box":
                self.say("550 no such box")
            elif verb == "DATA":
                self.say("354 go on")
                data = []
            elif verb == "QUIT":
                if self.server.behave == "no-good-bye":
                    self.rfile.read()  # until the other side has had enough
                    return
                self.say("221 bye")
                return
            else:
                self.server.commands.append(line)
                self.say("250 ok")

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    mails: list[str]
    commands: list[str]
    behave = "well"


@pytest.fixture
def mail_server(settings: Any) -> Iterator[_Server]:
    with _Server(("127.0.0.1", 0), _Session) as server:
        server.mails, server.commands = [], []
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        settings.EMAIL_URL = f"smtp://127.0.0.1:{server.server_address[1]}?tls=0"
        yield server
        server.shutdown()


def test_without_an_address_the_sandbox_serves(settings: Any) -> None:
    settings.EMAIL_URL = ""
    assert gateways.for_channel("email").name == "sandbox"


def test_a_mail_goes_to_one_person_in_plain_text_with_our_reference(
    mail_server: _Server, alice: User, at: datetime
) -> None:
    message = a_mail(alice, at, context={"subject": "Your visit", "body": "Tomorrow at nine.\nSee you."})
    assert dispatch_due(at=at).sent == 1
    (mail,) = mail_server.mails
    head, _, body = mail.partition("\n\n")
    assert f"To: {alice.email}" in head
    assert "Subject: Your visit" in head
    assert f"Message-ID: <{message.pk}@" in head
    assert 'Content-Type: text/plain; charset="utf-8"' in head
    assert body.strip() == "Tomorrow at nine.\nSee you."
    message.refresh_from_db()
    assert str(message.pk) in message.provider_id


def test_a_box_that_does_not_exist_is_not_tried_again(
    mail_server: _Server, alice: User, at: datetime
) -> None:
    mail_server.behave = "no-such-box"
    message = a_mail(alice, at)
    dispatch_due(at=at)
    message.refresh_from_db()
    assert (message.state, message.last_error) == ("failed", "the address was refused")


def test_a_server_that_vanishes_after_the_mail_leaves_it_in_doubt(
    mail_server: _Server, alice: User, at: datetime
) -> None:
    """PR-03"""
    mail_server.behave = "vanish"
    a_mail(alice, at)
    assert dispatch_due(at=at).in_doubt == 1


def test_a_server_that_is_not_there_is_tried_again_later(alice: User, at: datetime, settings: Any) -> None:
    settings.EMAIL_URL = "smtp://127.0.0.1:9?tls=0"
    message = a_mail(alice, at)
    dispatch_due(at=at)
    message.refresh_from_db()
    assert message.state == "scheduled" and message.due_at > at


def a_full_house() -> tuple[socket.socket, list[socket.socket], int]:
    """A port that takes no connection and refuses none."""
    house = socket.create_server(("127.0.0.1", 0), backlog=0)
    guests = []
    for _ in range(4):
        guest = socket.socket()
        guest.setblocking(False)
        guest.connect_ex(house.getsockname())
        guests.append(guest)
    return house, guests, house.getsockname()[1]


@pytest.mark.parametrize("trouble", ["hang-up", "no connection", "no answer", "no TLS"])
def test_a_mail_server_that_cannot_be_reached_is_tried_for_hours_and_then_the_other_way_is_taken(
    mail_server: _Server, alice: User, cole: User, at: datetime, settings: Any, trouble: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """PR-03: nothing was handed over, so nothing is in doubt: an outage of the mail server is no heap of dead letters."""
    monkeypatch.setattr(email_gateway, "TIMEOUT_S", 0.05)
    connection_settings.cache_clear()
    house, guests, full = a_full_house()
    silent = socket.create_server(("127.0.0.1", 0))
    if trouble == "hang-up":
        mail_server.behave = "hang-up"
    elif trouble == "no connection":
        settings.EMAIL_URL = f"smtp://127.0.0.1:{full}?tls=0"
    elif trouble == "no answer":
        settings.EMAIL_URL = f"smtp://127.0.0.1:{silent.getsockname()[1]}?tls=0"
    else:
        settings.EMAIL_URL = settings.EMAIL_URL.removesuffix("?tls=0")
    message = a_mail(alice, at, patient=alice.patient, fallbacks=["sms"], respect_quiet_hours=False)
    moment = at
    for wait in RETRY_SECONDS:
        assert dispatch_due(at=moment).later == 1
        message.refresh_from_db()
        assert (message.state, message.doubts) == ("scheduled", 0) and "no connection" in message.last_error
        assert wait <= (message.due_at - moment).total_seconds() <= wait * 1.25
        moment = message.due_at
    assert dispatch_due(at=moment).failed == 1
    assert OutboxMessage.objects.get(channel="sms").dedupe_key == f"after:{message.pk}"
    assert mail_server.mails == [] and not DeadLetter.objects.exists()
    for one in (house, silent, *guests):
        one.close()
    connection_settings.cache_clear()


def test_a_mail_that_was_taken_is_sent_however_the_server_says_good_bye(
    mail_server: _Server, alice: User, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email_gateway, "TIMEOUT_S", 0.2)
    connection_settings.cache_clear()
    mail_server.behave = "no-good-bye"
    a_mail(alice, at)
    assert dispatch_due(at=at).sent == 1
    connection_settings.cache_clear()


def test_a_mail_vendor_that_cannot_be_reached_is_tried_again_later(
    alice: User, at: datetime, settings: Any
) -> None:
    settings.EMAIL_URL = "anymail+postmark://abc"
    settings.ANYMAIL = {"POSTMARK_API_URL": "http://127.0.0.1:9/"}
    a_mail(alice, at)
    assert dispatch_due(at=at).later == 1


@pytest.mark.parametrize(
    ("url", "backend", "expected"),
    [
        ("anymail+postmark://abc", "anymail.backends.postmark.EmailBackend", {"server_token": "abc"}),
        (
            "anymail+mailgun://key@mg.example.org",
            "anymail.backends.mailgun.EmailBackend",
            {"api_key": "key", "sender_domain": "mg.example.org"},
        ),
        (
            "smtps://u%40x:p%2Fw@mail.example:465",
            "django.core.mail.backends.smtp.EmailBackend",
            {"username": "u@x", "password": "p/w"},
        ),
    ],
)
def test_the_address_names_the_vendor_and_its_key(url: str, backend: str, expected: dict[str, str]) -> None:
    found, arguments = connection_settings(url)
    assert found == backend
    assert expected.items() <= dict(arguments).items()


def test_a_vendors_own_backend_takes_the_key(settings: Any) -> None:
    """django-anymail is really asked, so that a renamed argument fails here and not at night."""
    from django.core.mail import get_connection

    backend, arguments = connection_settings("anymail+postmark://abc")
    assert get_connection(backend, **dict(arguments)).server_token == "abc"


@pytest.mark.parametrize("killed", [False, True])
def test_a_mail_that_is_in_doubt_again_goes_twice_and_then_is_a_persons_work(
    mail_server: _Server, alice: User, cole: User, at: datetime, killed: bool
) -> None:
    """PR-03, class R: at most one extra copy, whether the server's answer was missing or the sender died before it wrote."""
    mail_server.behave = "vanish"
    # A further channel is no way round it: that would be the third copy.
    message = a_mail(alice, at, patient=alice.patient, fallbacks=["sms"], respect_quiet_hours=False)
    moment = at
    for _ in range(6):
        assert dispatch_due(at=moment).claimed <= 1
        message.refresh_from_db()
        if message.state != "sending":
            break
        if killed:
            # As a sender leaves it that was killed before it wrote down what it knew: no word of doubt.
            OutboxMessage.objects.filter(pk=message.pk, last_error="in doubt").update(last_error="")
        moment = message.lease_until + timedelta(seconds=1)
        assert resolve_expired(at=moment) == 1
    assert len(mail_server.mails) == 2
    assert (message.state, message.attempts) == ("failed", 2) and "twice in doubt" in message.last_error
    letter = DeadLetter.objects.get()
    assert (letter.key, letter.owner, letter.tries) == (str(message.pk), cole, 2)
    tomorrow = at + timedelta(days=1)
    assert (resolve_expired(at=tomorrow), dispatch_due(at=tomorrow).claimed) == (0, 0)
    assert len(mail_server.mails) == 2
    # A person who sends it again after all begins anew: the next doubt is a first one.
    try_again(message, by=cole, at=tomorrow)
    assert dispatch_due(at=tomorrow).in_doubt == 1
    message.refresh_from_db()
    assert (message.state, message.doubts) == ("sending", 0)


def test_a_sender_that_dies_over_the_second_copy_leaves_it_to_a_person(
    mail_server: _Server, alice: User, cole: User, at: datetime
) -> None:
    """PR-03, class R: nobody knows whether the second copy left, so no third goes."""
    message = a_mail(alice, at, patient=alice.patient)
    OutboxMessage.objects.filter(pk=message.pk).update(state="sending", lease_until=at, attempts=1)
    moment = at + timedelta(seconds=1)
    assert resolve_expired(at=moment) == 1
    OutboxMessage.objects.filter(pk=message.pk, state="scheduled").update(
        state="sending", lease_until=moment, attempts=2
    )
    assert resolve_expired(at=moment + timedelta(seconds=1)) == 1
    message.refresh_from_db()
    assert message.state == "failed" and DeadLetter.objects.get().owner == cole
    assert mail_server.mails == []


def test_a_doubt_is_remembered_through_refusals_and_a_night(
    mail_server: _Server, alice: User, at: datetime, settings: Any
) -> None:
    """PR-03, class R: what certainly did not go between two doubts makes no room for a third copy."""
    mail_server.behave = "vanish"
    url, message = settings.EMAIL_URL, a_mail(alice, at)
    dispatch_due(at=at)
    message.refresh_from_db()
    resolve_expired(at=message.lease_until + timedelta(seconds=1))
    night = at.replace(hour=7)  # 23:00 the evening before, by her clock
    message.refresh_from_db()
    assert dispatch_due(at=night + timedelta(days=1)).later == 1
    message.refresh_from_db()
    settings.EMAIL_URL = "smtp://127.0.0.1:9?tls=0"
    assert dispatch_due(at=message.due_at).later == 1
    message.refresh_from_db()
    settings.EMAIL_URL = url
    assert dispatch_due(at=message.due_at).failed == 1
    assert len(mail_server.mails) == 2
