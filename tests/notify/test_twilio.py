"""What goes over the wire to Twilio, and what its calls back may do."""

import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from twilio.request_validator import RequestValidator

from accounts.models import User
from common.logs import AllowListFormatter
from notify import access, gateways
from notify.actions import dispatch, dispatch_crisis, dispatch_due, resolve_expired
from notify.actions.callbacks import record_report
from notify.gateways import twilio_gateway
from notify.models import DeadLetter, InboundText, OptOut, OutboxMessage, ProviderEvent
from tests.notify.builders import a_text
from tests.twilio_server import TwilioServer, recording_twilio

TOKEN = TwilioServer.auth_token


@pytest.fixture
def twilio(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[TwilioServer]:
    with recording_twilio() as server:
        settings.TWILIO_ACCOUNT_SID = server.account_sid
        settings.TWILIO_API_KEY, settings.TWILIO_API_SECRET = server.user, server.password
        settings.TWILIO_AUTH_TOKEN = TOKEN
        settings.TWILIO_FROM = "+15550100199"
        settings.TWILIO_API_BASE = server.url
        monkeypatch.setattr(twilio_gateway, "TIMEOUT_S", 0.5)
        twilio_gateway._client.cache_clear()
        yield server
        twilio_gateway._client.cache_clear()
        assert server.problems == []


def test_without_keys_the_sandbox_serves(settings: Any) -> None:
    assert gateways.for_channel("sms").name == "sandbox"


def test_a_text_goes_with_the_account_the_key_and_the_report_address(
    twilio: TwilioServer, alice: User, at: datetime, settings: Any
) -> None:
    message = a_text(alice, at)
    assert dispatch_due(at=at).sent == 1
    (request,) = twilio.requests
    assert request["path"] == f"/2010-04-01/Accounts/{twilio.account_sid}/Messages.json"
    assert request["form"] == {
        "To": alice.phone,
        "From": "+15550100199",
        "Body": "A word.",
        "StatusCallback": f"{settings.SITE_URL}/webhooks/twilio/status/",
    }
    message.refresh_from_db()
    assert message.provider_id == twilio.accepted[0]["sid"]


def test_a_messaging_service_sends_in_place_of_a_number(
    twilio: TwilioServer, alice: User, at: datetime, settings: Any
) -> None:
    settings.TWILIO_FROM = "MG" + "c" * 32
    a_text(alice, at)
    dispatch_due(at=at)
    form = twilio.requests[0]["form"]
    assert form["MessagingServiceSid"] == settings.TWILIO_FROM and "From" not in form


def test_a_page_by_voice_asks_for_a_key_and_escapes_its_words(
    twilio: TwilioServer, dana: User, at: datetime
) -> None:
    a_text(
        dana, at, channel="voice", lane="crisis",
        context={"body": "A & B <c>", "answer_url": "https://care.example/webhooks/twilio/answer/1/2/"},
    )  # fmt: skip
    assert dispatch_crisis(at=at).sent == 1
    (call,) = twilio.accepted
    assert call["kind"] == "Calls"
    assert "<Gather numDigits='1'" in call["form"]["Twiml"]
    assert 'action="https://care.example/webhooks/twilio/answer/1/2/"' in call["form"]["Twiml"]
    assert "A &amp; B &lt;c&gt;" in call["form"]["Twiml"]


def test_a_number_that_does_not_exist_is_not_tried_again(
    twilio: TwilioServer, alice: User, at: datetime
) -> None:
    twilio.behave = "refuse:400:21211"
    message = a_text(alice, at)
    dispatch_due(at=at)
    message.refresh_from_db()
    assert (message.state, message.attempts) == ("failed", 1)


def test_too_many_requests_are_tried_again_later(twilio: TwilioServer, alice: User, at: datetime) -> None:
    twilio.behave = "refuse:429:20429"
    message = a_text(alice, at)
    dispatch_due(at=at)
    message.refresh_from_db()
    assert message.state == "scheduled" and message.due_at > at
    twilio.behave = "well"
    assert dispatch_due(at=message.due_at).sent == 1


@pytest.mark.parametrize(("behave", "sent"), [("accept-then-hang", 1), ("hang", 0)])
def test_when_no_answer_comes_twilio_is_asked_before_anything_goes_again(
    twilio: TwilioServer, alice: User, at: datetime, behave: str, sent: int
) -> None:
    """PR-03, class R: at most one, and never none."""
    twilio.behave = behave
    message = a_text(alice, at)
    assert dispatch_due(at=at).in_doubt == 1
    message.refresh_from_db()
    assert message.state == "sending"
    twilio.behave = "well"
    later = message.lease_until + timedelta(seconds=1)
    assert resolve_expired(at=later) == 1
    assert dispatch_due(at=later).sent == 1 - sent
    message.refresh_from_db()
    assert message.state == "sent"
    assert len(twilio.messages_to(alice.phone)) == 1
    assert message.provider_id == twilio.accepted[0]["sid"]


def test_while_twilio_is_slow_the_rest_of_what_is_in_doubt_waits_for_the_next_tick(
    twilio: TwilioServer, alice: User, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PR-03: not asked about is still in doubt, and is never sent again for that."""
    twilio.behave = "accept-then-hang"
    message = a_text(alice, at)
    dispatch_due(at=at)
    twilio.behave = "well"
    message.refresh_from_db()
    later = message.lease_until + timedelta(seconds=1)
    with monkeypatch.context() as slow:
        slow.setattr(dispatch, "SLOW_SEND_BUDGET_S", -1.0)
        assert resolve_expired(at=later) == 1
    message.refresh_from_db()
    assert (message.state, dispatch_due(at=later).claimed) == ("sending", 0)
    assert resolve_expired(at=message.lease_until + timedelta(seconds=1)) == 1
    message.refresh_from_db()
    assert message.state == "sent" and len(twilio.messages_to(alice.phone)) == 1


def test_a_text_that_still_waits_in_twilios_queue_is_found_and_an_old_one_of_the_same_words_is_not(
    twilio: TwilioServer, alice: User, at: datetime
) -> None:
    """PR-03, class R: what is queued has no date of sending yet, and would not be listed by one."""
    twilio.now = lambda: at
    a_text(alice, at)
    assert dispatch_due(at=at).sent == 1
    OutboxMessage.objects.all().delete()
    later = at + timedelta(hours=2)
    for behave, there in (("hang", 1), ("accept-then-hang", 2)):
        twilio.now = lambda: later
        twilio.behave = behave
        message = a_text(alice, later)
        dispatch_due(at=later)
        twilio.behave = "well"
        message.refresh_from_db()
        resolve_expired(at=message.lease_until + timedelta(seconds=1))
        message.refresh_from_db()
        assert [m["resource"]["date_sent"] for m in twilio.accepted] == [None] * there
        assert message.state == ("sent" if behave == "accept-then-hang" else "scheduled")
        OutboxMessage.objects.filter(state="scheduled").delete()


def test_another_text_with_the_same_words_does_not_answer_for_one_that_never_went(
    twilio: TwilioServer, alice: User, at: datetime
) -> None:
    """PR-03, class R, never none: two reminders of one wording, one sent, the other's sender dead before it sent."""
    first = a_text(alice, at)
    assert dispatch_due(at=at).sent == 1
    twilio.behave = "hang"
    second = a_text(alice, at)
    dispatch_due(at=at)
    twilio.behave = "well"
    second.refresh_from_db()
    later = second.lease_until + timedelta(seconds=1)
    assert resolve_expired(at=later) == 1
    assert dispatch_due(at=later).sent == 1
    first.refresh_from_db(), second.refresh_from_db()
    assert len(twilio.messages_to(alice.phone)) == 2
    assert first.provider_id != second.provider_id


def test_a_text_in_doubt_is_found_however_many_went_to_that_number_since(
    twilio: TwilioServer, alice: User, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PR-03, class R, at most one: Twilio answers a page at a time, newest first."""
    monkeypatch.setattr(twilio_gateway, "PAGE", 10)
    twilio.behave = "accept-then-hang"
    message = a_text(alice, at)
    dispatch_due(at=at)
    twilio.behave = "well"
    for n in range(25):
        a_text(alice, at, context={"body": f"Another text, the {n}th."})
    assert dispatch_due(at=at).sent == 25
    message.refresh_from_db()
    assert resolve_expired(at=message.lease_until + timedelta(seconds=1)) == 1
    message.refresh_from_db()
    assert (message.state, message.provider_id) == ("sent", twilio.accepted[0]["sid"])
    assert len(twilio.messages_to(alice.phone)) == 26


def test_while_twilio_cannot_be_asked_nothing_is_sent(
    twilio: TwilioServer, alice: User, at: datetime, settings: Any
) -> None:
    twilio.behave = "accept-then-hang"
    message = a_text(alice, at)
    dispatch_due(at=at)
    settings.TWILIO_API_BASE = "http://127.0.0.1:9"
    later = at + timedelta(minutes=2)
    resolve_expired(at=later)
    assert dispatch_due(at=later).claimed == 0
    message.refresh_from_db()
    assert message.state == "sending"


@pytest.mark.parametrize("ways", [["email"], []])
@pytest.mark.parametrize("known_by", ["the vendor", "a report that came first"])
def test_a_text_in_doubt_that_the_carrier_did_not_deliver_goes_its_other_way_or_to_a_person(
    twilio: TwilioServer, alice: User, cole: User, at: datetime, known_by: str, ways: list[str]
) -> None:
    """PR-03: found is not delivered, whoever says so, and however early."""
    twilio.behave = "accept-then-hang"
    message = a_text(alice, at, patient=alice.patient, fallbacks=ways)
    assert dispatch_due(at=at).in_doubt == 1
    twilio.behave = "well"
    (taken,) = twilio.accepted
    if known_by == "the vendor":
        taken["resource"]["status"] = "undelivered"
    else:
        soon = at + timedelta(seconds=20)
        assert record_report(provider="twilio", sid=taken["sid"], status="undelivered", at=soon)
    message.refresh_from_db()
    later = message.lease_until + timedelta(seconds=1)
    assert resolve_expired(at=later) == 1
    message.refresh_from_db()
    assert (message.state, message.provider_status, message.provider_id) == (
        "failed", "undelivered", taken["sid"],
    )  # fmt: skip
    # The report that comes after all is no second mail and no second letter.
    record_report(provider="twilio", sid=taken["sid"], status="failed", at=later)
    assert OutboxMessage.objects.filter(channel="email").count() == len(ways)
    assert [letter.owner for letter in DeadLetter.objects.all()] == ([] if ways else [cole])
    assert dispatch_due(at=later).sent == len(ways) and len(twilio.accepted) == 1


@pytest.mark.parametrize("behave", ["refuse:401:20003", "nonsense"])
@pytest.mark.parametrize("ends", [timedelta(minutes=20), None])
def test_a_vendor_that_never_says_what_it_took_is_asked_for_a_while_and_then_a_person_has_the_text(
    twilio: TwilioServer, alice: User, cole: User, at: datetime, behave: str, ends: timedelta | None
) -> None:
    """PR-03: neither in doubt for ever nor sent again blindly, over this channel or another."""
    twilio.behave = "hang"
    rows = [
        a_text(alice, at, patient=alice.patient, fallbacks=["email"], expires_at=ends and at + ends,
               context={"body": f"Word {n}."})
        for n in range(2)
    ]  # fmt: skip
    assert dispatch_due(at=at).in_doubt == 2
    twilio.behave = behave
    last = at + (ends or dispatch.ASKED_FOR_AT_MOST)
    before = last - timedelta(minutes=1)
    # The first of them does not keep the second from being asked about.
    assert resolve_expired(at=before) == 2
    for row in rows:
        row.refresh_from_db()
        assert (row.state, row.last_error, row.lease_until > before) == ("sending", "in doubt", True)
    assert not DeadLetter.objects.exists()
    assert resolve_expired(at=last) == 2
    for row in rows:
        row.refresh_from_db()
        assert row.state == "failed" and "may have arrived" in row.last_error
    assert [(x.owner, x.error) for x in DeadLetter.objects.all()] == [(cole, dispatch.NEVER_KNOWN)] * 2
    assert dispatch_due(at=last + timedelta(hours=1)).claimed == 0
    assert not OutboxMessage.objects.filter(channel="email").exists()


def test_of_two_texts_of_one_wording_in_doubt_together_only_the_one_that_went_counts_as_sent(
    twilio: TwilioServer, alice: User, at: datetime
) -> None:
    """PR-03, class R, never none: one sender died between the two."""
    pair = [a_text(alice, at) for _ in range(2)]
    twilio.behave = "accept-then-hang"
    assert dispatch_due(at=at, limit=1).in_doubt == 1
    OutboxMessage.objects.update(state="sending", lease_until=at)
    twilio.behave = "well"
    later = at + timedelta(seconds=1)
    assert resolve_expired(at=later) == 2
    assert dispatch_due(at=later).sent == 1
    for message in pair:
        message.refresh_from_db()
    assert {m.provider_id for m in pair} == {m["sid"] for m in twilio.messages_to(alice.phone)}
    assert len(twilio.accepted) == 2


def test_pr_14_neither_a_text_nor_the_question_after_it_leaves_a_number_in_the_log(
    twilio: TwilioServer, alice: User, dana: User, at: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    twilio.behave = "accept-then-hang"
    message = a_text(alice, at)
    a_text(dana, at, channel="voice", lane="crisis")
    assert (dispatch_due(at=at).in_doubt, dispatch_crisis(at=at).later) == (1, 1)
    twilio.behave = "well"
    message.refresh_from_db()
    assert resolve_expired(at=message.lease_until + timedelta(seconds=1)) == 1
    assert "GET" in [request["method"] for request in twilio.requests]
    lines = [AllowListFormatter().format(record) for record in caplog.records]
    for number in (alice.phone, dana.phone, "+15550100199"):
        assert [line for line in lines if number[-10:] in line] == []


def signed(client: Client, settings: Any, path: str, form: dict[str, str], token: str = TOKEN) -> Any:
    signature = RequestValidator(token).compute_signature(settings.SITE_URL + path, form)
    return client.post(path, form, headers={"X-Twilio-Signature": signature})


STATUS = "/webhooks/twilio/status/"
INBOUND = "/webhooks/twilio/inbound/"


@pytest.fixture
def sent_text(twilio: TwilioServer, alice: User, at: datetime) -> OutboxMessage:
    message = a_text(alice, at)
    dispatch_due(at=at)
    message.refresh_from_db()
    return message


def test_a_report_moves_a_message_forward_only(
    sent_text: OutboxMessage, client: Client, settings: Any
) -> None:
    for status, known in (
        ("sent", "sent"),
        ("delivered", "delivered"),
        ("sending", "delivered"),
        ("sent", "delivered"),
    ):
        answer = signed(
            client, settings, STATUS, {"MessageSid": sent_text.provider_id, "MessageStatus": status}
        )
        assert answer.status_code == 204
        sent_text.refresh_from_db()
        assert sent_text.provider_status == known
    # The repeated "sent" is one row.
    assert ProviderEvent.objects.count() == 3


@pytest.mark.parametrize("signature", ["", "nonsense"])
def test_a_report_with_a_wrong_signature_changes_nothing(
    sent_text: OutboxMessage, client: Client, settings: Any, signature: str
) -> None:
    """TM-03"""
    form = {"MessageSid": sent_text.provider_id, "MessageStatus": "delivered"}
    assert client.post(STATUS, form, headers={"X-Twilio-Signature": signature}).status_code == 403
    assert signed(client, settings, STATUS, form, token="another-token").status_code == 403
    assert not ProviderEvent.objects.exists()


def test_a_signature_of_other_words_does_not_fit(
    sent_text: OutboxMessage, client: Client, settings: Any
) -> None:
    """TM-03"""
    signature = RequestValidator(TOKEN).compute_signature(
        settings.SITE_URL + STATUS, {"MessageSid": "a", "MessageStatus": "sent"}
    )
    form = {"MessageSid": sent_text.provider_id, "MessageStatus": "delivered"}
    assert client.post(STATUS, form, headers={"X-Twilio-Signature": signature}).status_code == 403


def test_without_a_token_nobody_is_believed(client: Client, settings: Any, db: None) -> None:
    settings.TWILIO_AUTH_TOKEN = ""
    assert (
        signed(client, settings, STATUS, {"MessageSid": "x", "MessageStatus": "sent"}, token="").status_code
        == 403
    )


def test_a_page_that_the_carrier_could_not_deliver_rings_instead(
    twilio: TwilioServer, dana: User, client: Client, settings: Any, at: datetime
) -> None:
    """PR-05"""
    message = a_text(dana, at, lane="crisis", fallbacks=["voice"])
    dispatch_crisis(at=at)
    message.refresh_from_db()
    for _ in range(2):
        signed(client, settings, STATUS, {"MessageSid": message.provider_id, "MessageStatus": "undelivered"})
    assert OutboxMessage.objects.filter(channel="voice", lane="crisis").count() == 1


def text(client: Client, settings: Any, body: str, number: str, sid: str, **more: str) -> Any:
    return signed(client, settings, INBOUND, {"MessageSid": sid, "From": number, "Body": body, **more})


def test_stop_and_start_are_honoured_and_shown_to_the_care_team(
    client: Client, settings: Any, alice: User, at: datetime
) -> None:
    """HZ-23"""
    settings.TWILIO_AUTH_TOKEN = TOKEN
    assert text(client, settings, "Stop", alice.phone, "SM1").status_code == 200
    assert access.has_opted_out(alice.patient)
    message = a_text(alice, at)
    dispatch_due(at=at)
    message.refresh_from_db()
    assert message.state == "dropped"
    text(client, settings, "START", alice.phone, "SM2")
    assert not access.has_opted_out(alice.patient)


def test_cancel_is_only_ever_read_by_a_person(
    client: Client, settings: Any, alice: User, dana: User, client_for: Any
) -> None:
    """HZ-23"""
    settings.TWILIO_AUTH_TOKEN = TOKEN
    text(client, settings, "CANCEL", alice.phone, "SM1")
    reply = InboundText.objects.get()
    assert (reply.meaning, reply.sender, reply.handled_at) == ("triage", alice, None)
    assert not OptOut.objects.exists()
    assert "CANCEL" in client_for(dana).get("/outbox/replies/").content.decode()


def test_what_the_carrier_has_already_done_is_mirrored(client: Client, settings: Any, alice: User) -> None:
    settings.TWILIO_AUTH_TOKEN = TOKEN
    text(client, settings, "arret", alice.phone, "SM1", OptOutType="STOP")
    assert access.has_opted_out(alice.patient)


def test_help_names_988_and_911(client: Client, settings: Any, alice: User) -> None:
    settings.TWILIO_AUTH_TOKEN = TOKEN
    answer = text(client, settings, "help", alice.phone, "SM1").content.decode()
    assert "988" in answer and "911" in answer


def test_a_replayed_text_is_kept_once(client: Client, settings: Any, alice: User) -> None:
    settings.TWILIO_AUTH_TOKEN = TOKEN
    text(client, settings, "hello", alice.phone, "SM1")
    assert text(client, settings, "hello", alice.phone, "SM1").status_code == 200
    assert InboundText.objects.count() == 1


def test_a_call_that_is_too_large_is_refused_unread(client: Client, settings: Any, db: None) -> None:
    settings.TWILIO_AUTH_TOKEN = TOKEN
    assert client.post(INBOUND, {"Body": "x" * 300_000}).status_code == 413


@pytest.mark.parametrize("word", ["STOPALL", "unsubscribe", "End", "QUIT", "revoke", "OptOut", "alto"])
@pytest.mark.parametrize("number", ["+14155550111", "+1 (415) 555-0111", "415-555-0111", "4155550111"])
def test_each_word_for_stop_from_a_number_however_written_is_one_opt_out(
    client: Client, settings: Any, alice: User, word: str, number: str
) -> None:
    """HZ-23"""
    settings.TWILIO_AUTH_TOKEN = TOKEN
    text(client, settings, word, number, "SM1")
    text(client, settings, "STOP", alice.phone, "SM2")
    row = OptOut.objects.get()
    assert access.has_opted_out(alice.patient) and row.said.lower() == word.lower()


def test_cancel_that_the_carrier_took_for_stop_is_shown_and_still_asked_about(
    client: Client, settings: Any, alice: User, dana: User, client_for: Any
) -> None:
    """HZ-23: texts cannot arrive any more, and no visit was cancelled."""
    settings.TWILIO_AUTH_TOKEN = TOKEN
    text(client, settings, "CANCEL", alice.phone, "SM1", OptOutType="STOP")
    assert InboundText.objects.get().meaning == "triage" and access.has_opted_out(alice.patient)
    page = client_for(dana).get("/outbox/replies/").content.decode()
    assert "ask what they meant, the appointment or the messages" in page


def test_a_number_that_the_carrier_blocks_counts_as_stopped_here_too(
    twilio: TwilioServer, alice: User, at: datetime
) -> None:
    """HZ-23: Twilio heard a CANCEL that it never told us about."""
    twilio.behave = "refuse:400:21610"
    message = a_text(alice, at, fallbacks=["email"])
    dispatch_due(at=at)
    message.refresh_from_db()
    assert message.state == "failed" and OptOut.objects.get().said == "carrier"
    assert dispatch_due(at=at).sent == 1  # by mail
    twilio.behave = "well"
    a_text(alice, at)
    dispatch_due(at=at)
    assert twilio.messages_to(alice.phone) == []


def test_the_first_day_of_an_opt_out_stays(
    client: Client, settings: Any, alice: User, at: datetime, clock_at: Any
) -> None:
    settings.TWILIO_AUTH_TOKEN = TOKEN
    for days in (0, 3):
        with clock_at(at + timedelta(days=days)):
            text(client, settings, "STOP", alice.phone, f"SM{days}")
    assert OptOut.objects.get().since_at == at


@pytest.mark.parametrize(
    "order", list(itertools.permutations(["sent", "delivered", "undelivered", "queued"]))
)
def test_reports_in_any_order_and_twice_over_have_one_effect(
    sent_text: OutboxMessage, client: Client, settings: Any, alice: User, order: tuple[str, ...]
) -> None:
    """PR-03: duplicated, reordered, late."""
    for status in (*order, *reversed(order)):
        signed(client, settings, STATUS, {"MessageSid": sent_text.provider_id, "MessageStatus": status})
    sent_text.refresh_from_db()
    # Of two ends the first one told counts; it is never taken back.
    first_end = min((order.index(s), s) for s in ("delivered", "undelivered"))[1]
    assert sent_text.provider_status == first_end
    assert sent_text.state == ("failed" if first_end == "undelivered" else "sent")
    assert ProviderEvent.objects.count() == 4
    assert OutboxMessage.objects.count() == 1
