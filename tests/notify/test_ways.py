"""A message finds another way when its own is closed, and what finds none and must arrive is somebody's work."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from accounts.models import User
from notify.access import catalogue
from notify.actions import dispatch_due, promise
from notify.actions.callbacks import opt_out
from notify.actions.wishes import set_wishes
from notify.actions.words import sample_for
from notify.models import DeadLetter, OutboxMessage, SandboxDelivery
from notify.rules import QUIET_FROM, QUIET_UNTIL
from notify.work import work_items

CONTEXT = {
    "when_words": "soon",
    "when": "soon",
    "link": "https://care.example/x",
    "path": "/x/",
    "first_name": "Alice",
}
WITH_ANOTHER_WAY = [
    kind["kind"]
    for kind in catalogue()
    if "patient" in kind["audience"]
    and kind["lane"] == "ordinary"
    and {"sms", "email"} <= set(kind["channels"])
]


def a_promise(kind: str, to: Any, at: datetime, channel: str = "sms", **more: Any) -> OutboxMessage:
    return promise(kind, to=to, channel=channel, context=sample_for(kind), due_at=at, at=at, **more)


@pytest.mark.parametrize("kind", WITH_ANOTHER_WAY)
def test_hz_23_whoever_stopped_texts_is_reminded_by_mail_of_everything(
    alice: User, at: datetime, kind: str
) -> None:
    """HZ-23: a STOP never silences a reminder that has another way."""
    opt_out(alice.phone, said="STOP", at=at)
    a_promise(kind, alice, at)
    dispatch_due(at=at)
    dispatch_due(at=at)
    assert [d.channel for d in SandboxDelivery.objects.all()] == ["email"]


def test_a_text_turned_off_goes_by_mail_unless_that_is_turned_off_too(alice: User, at: datetime) -> None:
    quiet = {"quiet_from": QUIET_FROM, "quiet_until": QUIET_UNTIL, "by": alice, "at": at}
    set_wishes(alice, muted=["questionnaire_due:sms"], **quiet)
    a_promise("questionnaire_due", alice, at)
    dispatch_due(at=at)
    dispatch_due(at=at)
    assert [d.channel for d in SandboxDelivery.objects.all()] == ["email"]
    set_wishes(alice, muted=["questionnaire_due:sms", "questionnaire_due:email"], **quiet)
    a_promise("questionnaire_due", alice, at)
    for _ in range(3):
        dispatch_due(at=at)
    assert SandboxDelivery.objects.count() == 1 and not DeadLetter.objects.exists()


@pytest.mark.parametrize("kind", ["sitter_link", "sitter_check_late", "reading_late_sitter", "visit_guest"])
def test_hz_07_a_sitter_who_stopped_texts_is_somebodys_work(
    alice: User, cole: User, at: datetime, kind: str
) -> None:
    """HZ-07, HZ-23: the link to the page on which a sitter attests has no other way; a person rings."""
    opt_out("+14155550177", said="STOP", at=at)
    row = a_promise(kind, "+14155550177", at, patient=alice.patient, respect_quiet_hours=False)
    dispatch_due(at=at)
    row.refresh_from_db()
    letter = DeadLetter.objects.get()
    assert (row.state, letter.owner, letter.error) == ("failed", cole, "this number answered STOP")
    assert [item.kind for item in work_items(user=cole, at=at)] == ["message.stuck"]


def test_in_a_practice_without_administrators_what_got_stuck_still_has_an_owner(
    dana: User, at: datetime
) -> None:
    opt_out("+14155550177", said="STOP", at=at)
    a_promise("visit_guest", "+14155550177", at, respect_quiet_hours=False)
    dispatch_due(at=at)
    assert DeadLetter.objects.get().owner == dana


def test_what_is_late_for_something_over_is_dropped_whatever_kind_it_is_and_says_so(
    alice: User, at: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [
        a_promise(kind, alice, at - timedelta(hours=2), expires_at=at - timedelta(minutes=1))
        for kind in WITH_ANOTHER_WAY
    ]
    with caplog.at_level("INFO", logger="notify"):
        dispatch_due(at=at)
    assert SandboxDelivery.objects.count() == 0
    assert sum("late for something that is over" in record.getMessage() for record in caplog.records) == len(
        rows
    )
    for row in rows:
        row.refresh_from_db()
        assert (row.state, row.last_error) == ("dropped", "late for something that is over")


def test_what_goes_both_ways_by_itself_is_not_mailed_twice(alice: User, at: datetime) -> None:
    """A text and a mail of one cause, promised together: the stopped text is no second mail."""
    opt_out(alice.phone, said="STOP", at=at)
    for channel in ("sms", "email"):
        a_promise("visit_offered", alice, at, channel, about=alice)
    for _ in range(3):
        dispatch_due(at=at)
    assert [d.channel for d in SandboxDelivery.objects.all()] == ["email"]
