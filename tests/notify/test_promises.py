"""A promise is a row in the caller's transaction."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, transaction

from accounts.models import User
from notify.actions import cancel_for, dispatch_crisis, dispatch_due, promise, resolve_expired, try_again
from notify.actions.callbacks import record_report
from notify.models import DeadLetter, OutboxMessage
from tests.notify.builders import a_mail, a_text


def test_a_promise_dies_with_its_cause(alice: User, at: datetime) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        a_mail(alice, at)
        raise RuntimeError("the cause failed")
    assert OutboxMessage.objects.count() == 0


def test_the_words_and_the_address_are_not_readable_in_the_table(db: None, at: datetime) -> None:
    """PR-14"""
    a_text("+14155550177", at, context={"body": "canary-in-the-body"})
    with connection.cursor() as cursor:
        cursor.execute("SELECT notify_outboxmessage::text FROM notify_outboxmessage")
        (row,) = cursor.fetchone()
    assert "canary" not in row and "4155550177" not in row


def test_the_same_dedupe_key_promises_one_message(alice: User, at: datetime) -> None:
    first = a_mail(alice, at, dedupe_key="reminder:1")
    assert a_mail(alice, at + timedelta(hours=1), dedupe_key="reminder:1").pk == first.pk
    assert OutboxMessage.objects.count() == 1


def test_a_message_without_a_text_file_is_refused_when_it_is_promised(alice: User, at: datetime) -> None:
    with pytest.raises(LookupError):
        promise("no.such.message", to=alice, channel="sms", due_at=at, at=at)


def test_a_reminder_for_the_night_is_due_at_eight_in_the_persons_own_zone(alice: User, at: datetime) -> None:
    night = datetime(2026, 11, 23, 23, 0, tzinfo=ZoneInfo("America/Los_Angeles"))
    message = a_text(alice, at, due_at=night)
    assert message.due_at == datetime(2026, 11, 24, 8, 0, tzinfo=ZoneInfo("America/Los_Angeles"))
    assert message.wanted_at == night


def test_a_crisis_page_knows_no_quiet_hours(dana: User, at: datetime) -> None:
    night = datetime(2026, 11, 23, 23, 0, tzinfo=ZoneInfo("America/Los_Angeles"))
    assert a_text(dana, night, due_at=night, lane="crisis").due_at == night


def test_what_waits_about_a_thing_is_taken_back_and_what_went_stays(
    alice: User, dana: User, at: datetime
) -> None:
    waiting = a_mail(alice, at, about=alice)
    gone = a_mail(alice, at, about=alice)
    other = a_mail(alice, at, about=dana)
    OutboxMessage.objects.filter(pk=gone.pk).update(state="sent", sent_at=at)
    assert cancel_for(alice, at=at, why="the visit moved") == 1
    states = dict(OutboxMessage.objects.values_list("pk", "state"))
    assert states == {waiting.pk: "cancelled", gone.pk: "sent", other.pk: "scheduled"}


def under_way(message: OutboxMessage, at: datetime) -> OutboxMessage:
    """Its sender has claimed it and died; the lease is over."""
    OutboxMessage.objects.filter(pk=message.pk).update(
        state="sending", attempts=1, lease_until=at - timedelta(seconds=1)
    )
    return message


def test_what_was_taken_back_under_way_is_not_sent_again_once_its_sender_is_known_to_be_dead(
    alice: User, at: datetime
) -> None:
    """A reminder of a visit that was cancelled in the meantime."""
    message = under_way(a_mail(alice, at, about=alice), at)
    assert cancel_for(alice, at=at, why="the visit was cancelled") == 0
    resolve_expired(at=at)
    assert dispatch_due(at=at).sent == 0
    message.refresh_from_db()
    assert message.state == "cancelled" and not DeadLetter.objects.exists()


def test_what_was_taken_back_after_it_went_does_not_fall_over_when_the_carrier_could_not_deliver_it(
    alice: User, at: datetime
) -> None:
    moot, wanted = (a_text(alice, at, about=alice, fallbacks=["email"]) for _ in range(2))
    for message, sid in ((moot, "SM1"), (wanted, "SM2")):
        OutboxMessage.objects.filter(pk=message.pk).update(state="sent", sent_at=at, provider_id=sid)
    OutboxMessage.objects.filter(pk=wanted.pk).update(about_type="", about_id=None)
    cancel_for(alice, at=at, why="the visit was cancelled")
    for sid in ("SM1", "SM2"):
        record_report(provider="twilio", sid=sid, status="undelivered", at=at)
    after = OutboxMessage.objects.filter(channel="email").values_list("dedupe_key", flat=True)
    assert list(after) == [f"after:{wanted.pk}"] and not DeadLetter.objects.exists()


def test_what_was_taken_back_under_way_and_wanted_again_goes(alice: User, at: datetime) -> None:
    """A session moved away and back while its reminder's sender was dead."""
    message = under_way(a_mail(alice, at, about=alice, dedupe_key="reminder:1"), at)
    cancel_for(alice, at=at, why="moved")
    assert a_mail(alice, at, about=alice, dedupe_key="reminder:1").pk == message.pk
    resolve_expired(at=at)
    assert dispatch_due(at=at).sent == 1


def test_what_was_dropped_for_being_taken_back_goes_when_it_is_wanted_again(
    alice: User, at: datetime
) -> None:
    message = under_way(a_mail(alice, at, about=alice, dedupe_key="reminder:1"), at)
    cancel_for(alice, at=at, why="moved")
    resolve_expired(at=at)
    dispatch_due(at=at)
    assert a_mail(alice, at, about=alice, dedupe_key="reminder:1").pk == message.pk
    assert dispatch_due(at=at).sent == 1


def test_what_was_taken_back_under_way_refused_and_then_wanted_again_goes(
    alice: User, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sender was alive after all, was refused, and had put it back for a later try."""
    message = a_text(alice, at, about=alice, dedupe_key="reminder:1")
    monkeypatch.setenv("HEARTHSIDE_SANDBOX_FAIL", "sms")
    dispatch_due(at=at)
    OutboxMessage.objects.filter(pk=message.pk).update(taken_back_at=at)
    monkeypatch.delenv("HEARTHSIDE_SANDBOX_FAIL")
    later = at + timedelta(hours=1)
    assert a_text(alice, later, about=alice, dedupe_key="reminder:1").pk == message.pk
    message.refresh_from_db()
    assert message.wanted_at == later
    assert dispatch_due(at=later).sent == 1


def test_what_failed_after_it_was_taken_back_goes_when_it_is_wanted_again(alice: User, at: datetime) -> None:
    """The carrier lost a reminder of a session that had moved; the session moved back."""
    message = a_text(alice, at, about=alice, dedupe_key="reminder:1")
    OutboxMessage.objects.filter(pk=message.pk).update(state="sent", sent_at=at, provider_id="SM1")
    cancel_for(alice, at=at, why="moved")
    record_report(provider="twilio", sid="SM1", status="undelivered", at=at)
    later = at + timedelta(hours=1)
    assert a_text(alice, later, about=alice, dedupe_key="reminder:1").pk == message.pk
    assert dispatch_due(at=later).sent == 1
    # What failed and was never taken back is its owner's, and is not begun anew behind their back.
    lost = a_text(alice, at, about=alice, dedupe_key="reminder:2")
    OutboxMessage.objects.filter(pk=lost.pk).update(state="failed")
    a_text(alice, later, about=alice, dedupe_key="reminder:2")
    assert dispatch_due(at=later).claimed == 0


def test_what_a_person_sends_again_goes_though_it_had_been_taken_back(
    alice: User, admin_ann: User, at: datetime
) -> None:
    message = a_text(alice, at, about=alice)
    OutboxMessage.objects.filter(pk=message.pk).update(state="failed", taken_back_at=at)
    try_again(message, by=admin_ann, at=at)
    assert dispatch_due(at=at).sent == 1


def test_a_page_of_an_alert_that_somebody_took_is_not_sent_by_the_sender_after_a_dead_one(
    alice: User, at: datetime
) -> None:
    page = under_way(a_text(alice, at, lane="crisis", about=alice, fallbacks=["email"]), at)
    cancel_for(alice, at=at, why="taken by somebody")
    assert dispatch_crisis(at=at).sent == 0
    page.refresh_from_db()
    assert page.state == "cancelled" and OutboxMessage.objects.count() == 1
