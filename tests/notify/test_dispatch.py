"""What is due goes once, what is not due does not, and what fails is seen."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from accounts.models import User
from common import clock
from common.encryption import lookup_digest
from notify.actions import dispatch_crisis, dispatch_due, resolve_expired
from notify.actions.dispatch import ORDINARY_LEASE
from notify.models import Heartbeat, OptOut, OutboxMessage, SandboxDelivery
from notify.tasks import dispatch_due as look_for_what_is_due
from sessions.tasks import sweep_overdue
from tests.notify.builders import a_mail, a_text

PACIFIC = ZoneInfo("America/Los_Angeles")


def test_what_is_due_is_sent_and_what_is_not_due_waits(alice: User, at: datetime) -> None:
    due = a_mail(alice, at)
    later = a_mail(alice, at, due_at=at + timedelta(seconds=1))
    counts = dispatch_due(at=at)
    assert (counts.claimed, counts.sent) == (1, 1)
    due.refresh_from_db()
    later.refresh_from_db()
    assert (due.state, due.sent_at, due.lease_until) == ("sent", at, None)
    assert due.provider_id.startswith("SB")
    assert later.state == "scheduled"
    delivery = SandboxDelivery.objects.get()
    assert (delivery.reference, delivery.to_address, delivery.subject, delivery.body) == (
        due.pk, alice.email, "Hello", "A word.",
    )  # fmt: skip


def test_a_second_dispatch_finds_nothing_left(alice: User, at: datetime) -> None:
    a_mail(alice, at)
    dispatch_due(at=at)
    assert dispatch_due(at=at).claimed == 0
    assert SandboxDelivery.objects.count() == 1


def test_a_batch_takes_the_oldest_first_and_no_more_than_its_limit(alice: User, at: datetime) -> None:
    rows = [a_mail(alice, at, due_at=at - timedelta(minutes=n)) for n in range(5)]
    assert dispatch_due(at=at, limit=2).sent == 2
    sent = set(OutboxMessage.objects.filter(state="sent").values_list("pk", flat=True))
    assert sent == {rows[4].pk, rows[3].pk}


def test_a_batch_of_any_size_costs_the_same_number_of_statements(
    alice: User, at: datetime, query_budget
) -> None:
    for _ in range(40):
        a_mail(alice, at)
    with query_budget(8):
        assert dispatch_due(at=at).sent == 40


def test_a_worker_that_comes_back_at_night_puts_reminders_off_until_morning(
    alice: User, at: datetime
) -> None:
    message = a_text(alice, at)
    night = datetime(2026, 11, 23, 22, 0, tzinfo=PACIFIC)
    assert dispatch_due(at=night).later == 1
    message.refresh_from_db()
    assert message.state == "scheduled"
    assert message.due_at == datetime(2026, 11, 24, 8, 0, tzinfo=PACIFIC)
    assert message.attempts == 0
    assert dispatch_due(at=message.due_at).sent == 1


def test_a_reminder_of_something_over_is_dropped_and_says_so(alice: User, at: datetime) -> None:
    message = a_text(alice, at, expires_at=at + timedelta(hours=1))
    assert dispatch_due(at=at + timedelta(hours=1)).dropped == 1
    message.refresh_from_db()
    assert (message.state, message.last_error) == ("dropped", "late for something that is over")
    assert not SandboxDelivery.objects.exists()


def test_a_closed_account_gets_no_more_reminders(alice: User, at: datetime) -> None:
    message = a_text(alice, at)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    dispatch_due(at=at)
    message.refresh_from_db()
    assert message.state == "dropped"


def test_a_number_that_answered_stop_gets_no_text_but_the_other_channel_still_works(
    alice: User, at: datetime
) -> None:
    """HZ-23"""
    OptOut.objects.create(number_digest=lookup_digest(alice.phone), number=alice.phone, since_at=at)
    silent = a_text(alice, at)
    with_mail = a_text(alice, at, fallbacks=["email"])
    dispatch_due(at=at)
    dispatch_due(at=at)
    silent.refresh_from_db()
    with_mail.refresh_from_db()
    assert (silent.state, with_mail.state) == ("dropped", "failed")
    assert [d.channel for d in SandboxDelivery.objects.all()] == ["email"]


def test_a_person_without_a_phone_fails_over_to_mail(other_coach: User, at: datetime) -> None:
    message = a_text(other_coach, at, fallbacks=["email"])
    dispatch_due(at=at)
    message.refresh_from_db()
    assert (message.state, message.last_error) == ("failed", "no address for sms")
    assert dispatch_due(at=at).sent == 1


def test_a_vendor_that_refuses_is_tried_again_later_and_finally_left_to_a_person(
    alice: User, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEARTHSIDE_SANDBOX_FAIL", "email")
    message = a_mail(alice, at, respect_quiet_hours=False)
    moments = []
    for _ in range(6):
        message.refresh_from_db()
        moments.append(message.due_at)
        dispatch_due(at=message.due_at)
    message.refresh_from_db()
    assert moments == sorted(set(moments))
    assert (message.state, message.attempts) == ("failed", 6)
    assert "refuse" in message.last_error


def test_one_message_that_cannot_be_worded_does_not_hold_up_the_others(alice: User, at: datetime) -> None:
    poison = a_mail(alice, at, context={"subject": "no body"})
    good = a_mail(alice, at)
    dispatch_due(at=at)
    poison.refresh_from_db()
    good.refresh_from_db()
    assert (poison.state, poison.last_error) == ("failed", "could not be worded: KeyError")
    assert good.state == "sent"


def abandoned(message: OutboxMessage, at: datetime) -> None:
    """As a sender leaves it that was killed after claiming."""
    OutboxMessage.objects.filter(pk=message.pk).update(state="sending", lease_until=at, attempts=1)


def test_after_a_crash_the_vendor_is_asked_and_a_message_it_has_is_not_sent_again(
    alice: User, at: datetime
) -> None:
    message = a_mail(alice, at)
    SandboxDelivery.objects.create(
        reference=message.pk,
        provider_id="SB1",
        channel="email",
        to_address=alice.email,
        body="A word.",
        accepted_at=at,
    )
    abandoned(message, at)
    soon = at + timedelta(seconds=1)
    assert resolve_expired(at=soon) == 1
    assert dispatch_due(at=soon).claimed == 0
    message.refresh_from_db()
    assert (message.state, message.provider_id) == ("sent", "SB1")
    assert SandboxDelivery.objects.count() == 1


def test_at_night_too_the_vendor_is_asked_before_a_reminder_is_put_off(alice: User, at: datetime) -> None:
    """PR-03: sent at 20:59, its sender killed; at 8:00 it must not go a second time."""
    message = a_text(alice, at)
    SandboxDelivery.objects.create(
        reference=message.pk,
        provider_id="SB1",
        channel="sms",
        to_address=alice.phone,
        body="A word.",
        accepted_at=at,
    )
    abandoned(message, at)
    resolve_expired(at=datetime(2026, 11, 23, 21, 4, tzinfo=PACIFIC))
    message.refresh_from_db()
    assert message.state == "sent"


def test_a_reminder_in_doubt_that_never_went_is_still_dropped_when_late(alice: User, at: datetime) -> None:
    message = a_text(alice, at, expires_at=at + timedelta(minutes=1))
    abandoned(message, at)
    late = at + timedelta(minutes=6)
    resolve_expired(at=late)
    assert dispatch_due(at=late).dropped == 1
    assert not SandboxDelivery.objects.exists()


def test_after_a_crash_a_message_the_vendor_does_not_have_is_sent(alice: User, at: datetime) -> None:
    message = a_mail(alice, at)
    abandoned(message, at)
    soon = at + timedelta(seconds=1)
    resolve_expired(at=soon)
    assert dispatch_due(at=soon).sent == 1


def test_a_message_whose_sender_still_holds_the_lease_is_left_alone(alice: User, at: datetime) -> None:
    message = a_mail(alice, at)
    abandoned(message, at)
    assert resolve_expired(at=at) == 0
    assert dispatch_due(at=at).claimed == 0


def test_the_ordinary_lane_leaves_crisis_pages_alone_and_the_other_way_round(
    alice: User, dana: User, at: datetime
) -> None:
    ordinary, crisis = a_mail(alice, at), a_mail(dana, at, lane="crisis")
    dispatch_due(at=at)
    crisis.refresh_from_db()
    assert crisis.state == "scheduled"
    assert dispatch_crisis(at=at).sent == 1
    ordinary.refresh_from_db()
    assert ordinary.state == "sent"


def test_a_page_whose_sender_died_is_sent_again_without_asking(dana: User, at: datetime) -> None:
    """PR-05: class L, at least once."""
    message = a_mail(dana, at, lane="crisis")
    abandoned(message, at)
    assert dispatch_crisis(at=at + timedelta(seconds=1)).sent == 1


def test_a_failing_channel_of_a_page_fails_over_within_a_minute(
    dana: User, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PR-05, PR-18: SMS down, then voice."""
    monkeypatch.setenv("HEARTHSIDE_SANDBOX_FAIL", "sms,voice")
    a_text(dana, at, lane="crisis", fallbacks=["voice", "email", "screen"])
    seconds = 0
    while not SandboxDelivery.objects.exists():
        dispatch_crisis(at=at + timedelta(seconds=seconds))
        seconds += 1
        assert seconds < 60
    assert SandboxDelivery.objects.get().channel == "email"


def test_a_tick_with_nothing_due_reads_one_small_index(alice: User, at: datetime) -> None:
    a_mail(alice, at, due_at=at + timedelta(days=1))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT id FROM notify_outboxmessage WHERE lane = 'ordinary' AND state = 'scheduled' AND due_at <= %s "
            "ORDER BY due_at, id LIMIT 500 FOR UPDATE SKIP LOCKED",
            [at],
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "outbox_due_ordinary" in plan and "Sort" not in plan


def test_the_gravest_page_goes_in_the_first_batch_however_many_milder_ones_wait(
    dana: User, at: datetime
) -> None:
    """HZ-24, PR-05: five hundred missed checkpoints wait since a minute, then somebody is not safe."""
    one = a_text(dana, at, lane="crisis", due_at=at - timedelta(minutes=1), priority=3)
    fields = {f.name: getattr(one, f.name) for f in OutboxMessage._meta.concrete_fields if f.name != "id"}
    OutboxMessage.objects.bulk_create(OutboxMessage(**fields) for _ in range(499))
    grave = a_text(dana, at, lane="crisis", priority=4)
    assert dispatch_crisis(at=at).sent == 8
    grave.refresh_from_db()
    assert grave.state == "sent"
    # Of equals the oldest goes first, and one that is not due yet waits whatever its severity.
    older = a_text(dana, at, lane="crisis", due_at=at - timedelta(minutes=2), priority=3)
    early = a_text(dana, at, lane="crisis", due_at=at + timedelta(seconds=1), priority=4)
    dispatch_crisis(at=at)
    older.refresh_from_db()
    early.refresh_from_db()
    assert (older.state, early.state) == ("sent", "scheduled")


def test_pages_a_dead_sender_left_go_on_in_the_midst_of_a_storm(dana: User, at: datetime) -> None:
    """HZ-24, PR-05: neither the new pages nor the abandoned ones starve the other."""
    abandoned = [a_text(dana, at, lane="crisis", priority=n) for n in (3, 3, 3, 3, 3, 4)]
    OutboxMessage.objects.filter(pk__in=[row.pk for row in abandoned]).update(
        state="sending", lease_until=at - timedelta(seconds=1), attempts=1
    )
    for _ in range(20):
        a_text(dana, at, lane="crisis", priority=4)
    assert dispatch_crisis(at=at).sent == 8
    sent = set(OutboxMessage.objects.filter(state="sent").values_list("pk", flat=True))
    assert abandoned[-1].pk in sent and len(sent & {row.pk for row in abandoned}) == 4


def test_a_page_keeps_its_place_when_it_changes_its_channel(
    dana: User, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HZ-24"""
    monkeypatch.setenv("HEARTHSIDE_SANDBOX_FAIL", "sms")
    a_text(dana, at, lane="crisis", priority=4, fallbacks=["email"])
    for n in range(10):
        dispatch_crisis(at=at + timedelta(seconds=n))
    assert OutboxMessage.objects.get(channel="email").priority == 4


def test_a_worker_whose_host_has_a_wrong_clock_goes_by_the_databases(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour ahead it sends nothing early, and takes no row that another worker has under way."""
    at = clock.database_now()
    early = a_mail(alice, at, due_at=at + timedelta(minutes=30), respect_quiet_hours=False)
    under_way = a_mail(alice, at, respect_quiet_hours=False)
    lease_until = at + ORDINARY_LEASE
    OutboxMessage.objects.filter(pk=under_way.pk).update(state="sending", attempts=1, lease_until=lease_until)
    monkeypatch.setattr(clock, "now", lambda: at + timedelta(hours=1))
    look_for_what_is_due()
    sweep_overdue()
    early.refresh_from_db(), under_way.refresh_from_db()
    assert (early.state, under_way.state, under_way.lease_until) == ("scheduled", "sending", lease_until)
    beats = Heartbeat.objects.filter(lane__in=("ordinary", "sweeps")).values_list("at", flat=True)
    assert len(beats) == 2 and all(abs(beat - at) < timedelta(minutes=1) for beat in beats)
