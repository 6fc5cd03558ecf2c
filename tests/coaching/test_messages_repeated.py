"""The same words once more: a second window makes no second message, and no repetition loses an alert (HZ-29, HZ-08)."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import Patient, User
from coaching import message_actions as actions
from coaching.message_actions import Sent
from coaching.models import Message, MessageThread
from notify.models import OutboxMessage
from safety.actions import acknowledge, close
from safety.models import Alert
from tests.safety.builders import a_shift
from tests.safety.test_races import at_once

pytestmark = pytest.mark.django_db
MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)
CRISIS = "I want to kill myself"

Say = Callable[[str, dt.datetime], Sent]


@pytest.fixture
def patient(alice: User) -> Patient:
    return Patient.objects.select_related("user").get(pk=alice.pk)


def in_new_conversations(patient: Patient) -> Say:
    return lambda body, at: actions.open_thread(patient, topic="other", body=body, by=patient.user, at=at)


def in_one_conversation(patient: Patient) -> Say:
    def say(body: str, at: dt.datetime) -> Sent:
        thread = MessageThread.objects.filter(patient=patient).first()
        if thread is None:
            return actions.open_thread(patient, topic="other", body=body, by=patient.user, at=at)
        return actions.write(thread, body=body, by=patient.user, at=at)

    return say


@pytest.fixture(params=[in_new_conversations, in_one_conversation])
def say(request: Any, patient: Patient, dana: User, at: dt.datetime) -> Say:
    """The patient says something, in a new conversation each time or in the one there is."""
    a_shift(dana, at - HOUR)
    return request.param(patient)


def pages() -> Any:
    return OutboxMessage.objects.filter(kind="crisis_page")


def test_words_of_crisis_from_two_windows_are_one_message_while_nobody_has_taken_their_alert(
    say: Say, at: dt.datetime
) -> None:
    first = say(CRISIS, at)
    again = say(CRISIS, at + MINUTE)
    assert again.message.pk == first.message.pk and Message.objects.count() == 1
    assert Alert.objects.get().signs == 1
    # The second window says what the first one said.
    assert again.needs_prompt and again.triggers == first.triggers == ("X02",)


@pytest.mark.parametrize("minutes", [1, 9])
def test_words_of_crisis_said_again_after_their_alert_was_closed_call_again(
    say: Say, dana: User, cole: User, at: dt.datetime, minutes: int
) -> None:
    """HZ-29, HZ-08: closed is what was known then."""
    first = say(CRISIS, at)
    alert = acknowledge(Alert.objects.get(), by=dana, at=at)
    close(alert, by=dana, at=at, disposition="contacted_safe", note="We spoke, she is safe.")
    actions.look_done(first.thread, by=cole, at=at)
    again = at + minutes * MINUTE
    sent = say(CRISIS, again)
    assert sent.message.pk != first.message.pk and sent.triggers == ("X02",)
    new = Alert.objects.get(state="open")
    assert (new.trigger, new.severity, new.opened_at) == ("X02", 4, again)
    thread = MessageThread.objects.get(pk=sent.thread.pk)
    assert (thread.urgency, thread.alert, thread.triage_by_at) == (2, new, again + 15 * MINUTE)
    assert pages().filter(about_id=new.pk, recipient=dana).exists()


def test_words_of_crisis_said_again_are_told_to_whoever_has_taken_their_alert(
    say: Say, dana: User, at: dt.datetime
) -> None:
    """HZ-09: as any equal sign is."""
    say(CRISIS, at)
    acknowledge(Alert.objects.get(), by=dana, at=at + MINUTE)
    before = pages().count()
    say(CRISIS, at + 4 * MINUTE)
    alert = Alert.objects.get()
    assert (alert.state, alert.signs, Message.objects.count()) == ("acknowledged", 2, 2)
    assert pages().count() == before + 1 and pages().latest("created_at").recipient == dana


def test_words_of_crisis_said_again_ask_for_a_look_anew_after_somebody_had_looked(
    say: Say, cole: User, at: dt.datetime
) -> None:
    first = say(CRISIS, at)
    actions.look_done(first.thread, by=cole, at=at + MINUTE)
    sent = say(CRISIS, at + 2 * MINUTE)
    assert sent.message.pk != first.message.pk
    assert MessageThread.objects.get(pk=sent.thread.pk).urgency == 2
    assert Alert.objects.get().signs == 2


def test_another_alert_of_the_episode_that_opened_since_does_not_stand_for_what_was_said_before(
    say: Say, dana: User, patient: Patient, at: dt.datetime
) -> None:
    """HZ-08: a mild answer opened it after the grave one was closed."""
    say(CRISIS, at)
    alert = acknowledge(Alert.objects.get(), by=dana, at=at)
    close(alert, by=dana, at=at, disposition="contacted_safe", note="We spoke, she is safe.")
    say("I don't want to live anymore", at + MINUTE)
    say(CRISIS, at + 2 * MINUTE)
    live = Alert.objects.get(state="open")
    assert (live.trigger, live.severity) == ("X02", 4)


def test_a_side_effect_repeated_when_the_practice_has_closed_calls_the_person_on_call(
    say: Say, at: dt.datetime
) -> None:
    """X23: said before five and once more after it."""
    closes = at + 5 * HOUR
    assert say("I keep vomiting", closes - MINUTE).triggers == ()
    assert say("I keep vomiting", closes).triggers == ("X23",)
    assert say("I keep vomiting", closes + MINUTE).triggers == ("X23",)
    assert Message.objects.count() == 2 and Alert.objects.get().signs == 1


def test_words_that_only_ask_for_a_look_are_one_message_until_somebody_has_looked(
    say: Say, cole: User, at: dt.datetime
) -> None:
    first = say("I was throwing up all night", at)
    assert say("I was throwing up all night", at + MINUTE).message.pk == first.message.pk
    actions.look_done(first.thread, by=cole, at=at + 2 * MINUTE)
    sent = say("I was throwing up all night", at + 3 * MINUTE)
    assert sent.message.pk != first.message.pk
    assert MessageThread.objects.get(pk=sent.thread.pk).urgency == 1


def test_ordinary_words_are_one_message_for_ten_minutes(say: Say, at: dt.datetime) -> None:
    for minutes, kept in ((0, 1), (10, 1), (10 + 1 / 60, 2)):
        say("Could we begin later?", at + minutes * MINUTE)
        assert Message.objects.count() == kept


@pytest.mark.django_db(transaction=True)
def test_words_of_crisis_from_many_windows_at_one_moment_are_one_message_and_one_alert(
    patient: Patient, dana: User, at: dt.datetime
) -> None:
    """PR-09"""
    a_shift(dana, at - HOUR)
    say = in_new_conversations(patient)
    results = at_once(8, lambda n: say(CRISIS, at))
    assert not [r for r in results if isinstance(r, Exception)], results
    assert Message.objects.count() == 1 and Alert.objects.get().signs == 1
