"""A promise is a row in the caller's transaction."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, transaction

from accounts.models import User
from notify.actions import cancel_for, promise
from notify.models import OutboxMessage
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
