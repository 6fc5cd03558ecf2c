"""A text to the practice's number: STOP and HELP act, words of crisis call somebody, and a person reads all of it (HZ-29)."""

import datetime as dt
import uuid
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from accounts.models import User
from coaching import text_actions
from common.work import LIMIT
from notify.actions.callbacks import receive_text
from notify.actions.letters import bury_messages
from notify.models import DeadLetter, InboundText, OutboxMessage
from notify.work import work_items as of_messages
from safety.access import escalations
from safety.actions import add_time_away
from safety.models import Alert, SafetyHold
from safety.work import work_items
from tests.notify.builders import a_letter, a_mail
from tests.safety.builders import a_shift
from tests.sessions.builders import a_session_in_progress

STRANGER = "+14155550123"


def says(number: str, body: str, at: dt.datetime, sid: str = "SM1") -> str:
    return receive_text(sid=sid, from_number=number, body=body, vendor_opt_out="", at=at)


@pytest.mark.parametrize(
    ("body", "trigger", "severity", "hold"),
    [
        ("I am going to kill myself", "X02", 4, "suicide_risk"),
        ("i want to die", "X03", 2, "suicide_risk"),
        ("cant breathe", "X01", 4, "emergency_symptom"),
        ("I am pregnant", "X17", 3, "pregnancy"),
    ],
)
def test_urgent_words_of_a_patient_page_the_person_on_call_and_hold_the_dose(
    alice: User, dana: User, at: dt.datetime, body: str, trigger: str, severity: int, hold: str
) -> None:
    a_shift(dana, at)
    assert says(alice.phone, body, at) == "urgent"
    alert = Alert.objects.get()
    assert (alert.trigger, alert.severity, alert.patient_id) == (trigger, severity, alice.pk)
    page = OutboxMessage.objects.filter(about_id=alert.pk, recipient=dana).get()
    assert (page.lane, page.created_at) == ("crisis", at)
    assert SafetyHold.objects.filter(patient_id=alice.pk, reason_code=hold).exists()
    text = InboundText.objects.get()
    assert text.handled_at is None, "a person reads it all the same"


@pytest.mark.parametrize("body", ["Can I move my session?", "stop", "Running ten minutes late", ""])
def test_other_words_page_nobody(alice: User, dana: User, at: dt.datetime, body: str) -> None:
    a_shift(dana, at)
    assert says(alice.phone, body, at) != "urgent"
    assert not Alert.objects.exists()


def test_the_words_of_a_sitter_are_about_whom_they_sit_with(
    alice: User, dana: User, protocol_version: Any, at: dt.datetime
) -> None:
    session = a_session_in_progress(alice, dana, at)
    assert session.sitter is not None
    assert says(session.sitter.phone, "she is unconscious, cant wake up", at) == "urgent"
    alert = Alert.objects.get(trigger="X01")
    assert (alert.patient_id, alert.severity, alert.in_session) == (alice.pk, 4, True)


@pytest.mark.parametrize(
    "body",
    [
        "HELP",
        "help me please",
        "call 911",
        "he left the house",
        "ayuda",
        "she is throwing up and very confused",
    ],
)
def test_whatever_comes_out_of_a_session_is_looked_at_now(
    alice: User, dana: User, protocol_version: Any, at: dt.datetime, body: str
) -> None:
    """Even the word that elsewhere only asks for our number."""
    session = a_session_in_progress(alice, dana, at)
    for number, phone in enumerate((alice.phone, session.sitter.phone)):
        assert says(phone, body, at, sid=f"SM{number}") == "urgent"
    alert = Alert.objects.get()
    assert (alert.trigger, alert.patient_id, alert.in_session, alert.signs) == ("X07", alice.pk, True, 2)
    assert OutboxMessage.objects.filter(about_id=alert.pk, lane="crisis").exists()
    assert not InboundText.objects.filter(handled_at__isnull=False).exists()


# The practice is staffed from nine to five; noon in New York is `at`.
@pytest.mark.parametrize(
    ("minutes", "called"), [(-181, True), (-180, False), (299, False), (300, True), (8 * 60, True)]
)
@pytest.mark.parametrize("body", ["I keep vomiting", "no rash any more but dizzy"])
def test_x23_a_side_effect_texted_after_hours_reaches_the_person_on_call(
    alice: User, dana: User, at: dt.datetime, body: str, minutes: int, called: bool
) -> None:
    """As in a secure message: by the same words and the same hours; at work the care team reads it from its list."""
    when = at + dt.timedelta(minutes=minutes)
    a_shift(dana, at - dt.timedelta(hours=4), hours=48)
    assert says(alice.phone, body, when) == ("urgent" if called else "triage")
    assert InboundText.objects.get().handled_at is None
    assert Alert.objects.exists() is called
    if called:
        alert = Alert.objects.get()
        assert (alert.trigger, alert.detail_codes, alert.in_session) == ("X23", ["text_needs_triage"], False)
        assert alert.acknowledge_by_at == when + dt.timedelta(minutes=15)
        assert OutboxMessage.objects.filter(about_id=alert.pk, recipient=dana, lane="crisis").exists()
        assert not SafetyHold.objects.exists()


def test_graver_words_of_a_text_at_night_are_not_doubled_by_x23(
    alice: User, dana: User, at: dt.datetime
) -> None:
    night = at + dt.timedelta(hours=8)
    a_shift(dana, at)
    says(alice.phone, "I keep vomiting and I have chest pain", night)
    assert [alert.trigger for alert in Alert.objects.all()] == ["X01"]


def test_a_side_effect_told_out_of_a_session_at_night_is_looked_at_as_any_text_of_a_session(
    alice: User, dana: User, protocol_version: Any, at: dt.datetime
) -> None:
    """X07 within five minutes, not X23 within fifteen."""
    evening = at + dt.timedelta(hours=6)
    a_session_in_progress(alice, dana, evening)
    says(alice.phone, "I keep vomiting", evening + dt.timedelta(minutes=20))
    alert = Alert.objects.get()
    assert (alert.trigger, alert.in_session, alert.detail_codes) == ("X07", True, ["text_in_session"])


def test_help_outside_a_session_only_asks_for_our_number(alice: User, dana: User, at: dt.datetime) -> None:
    a_shift(dana, at)
    assert says(alice.phone, "HELP", at) == "help"
    assert not Alert.objects.exists()


def test_stop_is_no_word_of_a_session(
    alice: User, dana: User, protocol_version: Any, at: dt.datetime
) -> None:
    a_session_in_progress(alice, dana, at)
    assert says(alice.phone, "STOP", at) == "stop"
    assert not Alert.objects.exists()


def test_a_sitter_who_is_a_patient_too_speaks_of_whom_they_sit_with(
    alice: User, stranger_patient: User, dana: User, protocol_version: Any, at: dt.datetime
) -> None:
    session = a_session_in_progress(alice, dana, at)
    User.objects.filter(pk=stranger_patient.pk).update(phone=session.sitter.phone)
    assert says(session.sitter.phone, "she is unconscious", at) == "urgent"
    assert Alert.objects.get().patient_id == alice.pk


def test_two_patients_of_one_telephone_are_both_looked_at(
    alice: User, stranger_patient: User, dana: User, at: dt.datetime
) -> None:
    """Nobody can say who of them wrote, so neither is passed over."""
    a_shift(dana, at)
    User.objects.filter(pk=stranger_patient.pk).update(phone=alice.phone)
    assert says(alice.phone, "I am going to kill myself", at) == "urgent"
    alerts = Alert.objects.all()
    assert {alert.patient_id for alert in alerts} == {alice.pk, stranger_patient.pk}
    assert all("number_shared" in alert.detail_codes for alert in alerts)


def test_from_a_number_nobody_knows_the_person_on_call_is_paged_and_reads_the_text_on_the_alert(
    dana: User, admin_ann: User, at: dt.datetime, client_for: Any
) -> None:
    a_shift(dana, at)
    assert says(STRANGER, "I want to kill myself", at) == "urgent"
    alert = Alert.objects.get()
    assert (alert.trigger, alert.patient, alert.is_the_practices) == ("P05", None, False)
    assert set(OutboxMessage.objects.values_list("recipient", flat=True)) == {dana.pk}
    page = client_for(dana).get(f"/alerts/{alert.pk}/").content.decode()
    assert "I want to kill myself" in page and f"tel:{STRANGER}" in page
    assert "Nobody we know" in page and "words that sound like: suicide now" in page
    assert str(alert.pk) in {line.key.split(":")[-1] for line in work_items(user=dana, at=at)}


def test_a_second_stranger_is_another_alert_and_the_same_one_again_is_not(
    dana: User, at: dt.datetime
) -> None:
    a_shift(dana, at)
    for number, (phone, alerts) in enumerate(((STRANGER, 1), ("+14155550124", 2), (STRANGER, 2))):
        says(phone, "I want to kill myself", at, sid=f"SM{number}")
        assert Alert.objects.count() == alerts
    assert sorted(Alert.objects.values_list("signs", flat=True)) == [1, 2]


def test_a_text_that_comes_twice_sounds_once(alice: User, dana: User, at: dt.datetime) -> None:
    a_shift(dana, at)
    for _ in range(2):
        says(alice.phone, "I want to kill myself", at)
    assert Alert.objects.get().signs == 1 and InboundText.objects.count() == 1


def test_what_a_colleague_texts_pages_nobody(dana: User, at: dt.datetime) -> None:
    a_shift(dana, at)
    assert says(dana.phone, "She said she wants to die", at) == "triage"
    assert not Alert.objects.exists()


def test_when_the_words_cannot_be_looked_at_the_text_is_kept_for_a_person(
    alice: User, at: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: Any) -> Any:
        raise LookupError("a damaged word list")

    monkeypatch.setattr(text_actions, "numbers", broken)
    assert says(alice.phone, "I want to die", at) == "triage"
    assert InboundText.objects.get().body == "I want to die"


def test_trouble_that_passes_does_not_keep_a_page_from_going(
    alice: User, dana: User, at: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that somebody held for a moment: the words are looked at once more, and sound once."""
    a_shift(dana, at)
    whole, met = text_actions.numbers, []

    def at_first_broken(**asked: Any) -> Any:
        met.append(asked)
        if len(met) == 1:
            raise OperationalError("canceling statement due to lock timeout")
        return whole(**asked)

    monkeypatch.setattr(text_actions, "numbers", at_first_broken)
    assert says(alice.phone, "I want to kill myself", at) == "urgent"
    assert Alert.objects.get().signs == 1 and InboundText.objects.count() == 1


def test_the_answer_names_988_and_911_and_that_nobody_reads_at_once(
    alice: User, dana: User, at: dt.datetime, client: Client, settings: Any
) -> None:
    from twilio.request_validator import RequestValidator

    settings.TWILIO_AUTH_TOKEN = "the-account-token"
    a_shift(dana, at)
    form = {"MessageSid": "SM9", "From": alice.phone, "Body": "I want to kill myself"}
    path = "/webhooks/twilio/inbound/"
    signed = RequestValidator(settings.TWILIO_AUTH_TOKEN).compute_signature(settings.SITE_URL + path, form)
    answer = client.post(path, form, HTTP_X_TWILIO_SIGNATURE=signed)
    words = answer.content.decode()
    assert answer.status_code == 200 and words.count("<Message>") == 1
    assert all(part in words for part in ("988", "911", "not read at once"))


@pytest.mark.parametrize("body", ["Can I move my session?", "I want to kill myself"])
def test_no_text_that_waits_for_a_person_is_met_with_silence_sent_once_or_twice(
    alice: User, dana: User, at: dt.datetime, client: Client, settings: Any, body: str
) -> None:
    from twilio.request_validator import RequestValidator

    settings.TWILIO_AUTH_TOKEN = "the-account-token"
    a_shift(dana, at)
    form = {"MessageSid": "SM9", "From": alice.phone, "Body": body}
    path = "/webhooks/twilio/inbound/"
    signed = RequestValidator(settings.TWILIO_AUTH_TOKEN).compute_signature(settings.SITE_URL + path, form)
    for _ in range(2):
        words = client.post(path, form, HTTP_X_TWILIO_SIGNATURE=signed).content.decode()
        assert "988" in words and "911" in words and "at once" in words
    assert InboundText.objects.count() == 1


def test_every_trigger_that_words_may_set_off_names_the_text_as_a_source(db: None, at: dt.datetime) -> None:
    rows = {row["id"]: row for row in escalations(at=at)["triggers"]}
    by_words = {row["trigger"] for row in text_actions.numbers(at=at)["words"]} - {""}
    named = {name for name, row in rows.items() if "text message" in row["sources"]}
    assert named == by_words | {"P05", "X07", text_actions.numbers(at=at)["after_hours_trigger"]}


# --- whose it is to read ---


def to_read(user: User, at: dt.datetime) -> list[str]:
    return [line.kind for line in of_messages(user=user, at=at)]


def test_a_text_to_a_coach_who_is_away_is_read_by_whoever_stands_in(
    alice: User, cole: User, other_coach: User, dana: User, admin_ann: User, client_for: Any, clock_at: Any,
    at: dt.datetime,
) -> None:  # fmt: skip
    """PR-05: it waits on nobody's list who is not here, and whoever has the line can open it."""
    day = dt.timedelta(days=1)
    add_time_away(person=cole, starts_at=at - day, ends_at=at + 14 * day, by=cole, at=at - 2 * day)
    a_shift(dana, at, hours=24 * 14)
    says(alice.phone, "I feel so low since yesterday, please call me", at)
    text = InboundText.objects.get()
    read = f"/outbox/replies/{text.pk}/handled/"
    with clock_at(at + day):
        people = {person: to_read(person, at + day) for person in (dana, cole, other_coach, admin_ann)}
        assert people == {dana: ["reply.read"], cole: [], other_coach: [], admin_ann: []}
        assert "low since yesterday" in client_for(dana).get("/outbox/replies/").content.decode()
        assert client_for(other_coach).post(read, {"intent": str(uuid.uuid4())}).status_code == 404
        # Back again, it is the coach's own; and of one who is gone for good it is the stand-in's.
    assert to_read(cole, at + 15 * day) == ["reply.read"]
    User.objects.filter(pk=cole.pk).update(is_active=False)
    assert to_read(dana, at + 13 * day) == ["reply.read"]
    # Nobody on call: the longest-serving administrator.
    assert (to_read(dana, at + 15 * day), to_read(admin_ann, at + 15 * day)) == ([], ["reply.read"])


def test_a_stuck_message_of_a_coach_who_is_away_is_the_stand_ins_meanwhile(
    alice: User,
    cole: User,
    other_coach: User,
    admin_ann: User,
    client_for: Any,
    clock_at: Any,
    at: dt.datetime,
) -> None:
    """PR-05: one that was theirs before they went, and one that failed since."""
    hour = dt.timedelta(hours=1)
    before = a_letter(cole, alice, at)
    add_time_away(person=cole, starts_at=at + hour, ends_at=at + 9 * hour, by=cole, at=at)
    other_coach.phone = "+14155550177"
    other_coach.save()
    a_shift(other_coach, at, hours=24, level=2)
    since = a_mail(alice, at, patient=alice.patient)
    assert (to_read(cole, at), to_read(other_coach, at)) == (["message.stuck"], [])
    with clock_at(at + 2 * hour):
        bury_messages([(since, "the address was refused")], at=at + 2 * hour)
        assert (to_read(cole, at + 2 * hour), to_read(other_coach, at + 2 * hour)) == (
            [],
            ["message.stuck"] * 2,
        )
        form = {"intent": str(uuid.uuid4()), "note": "I rang her."}
        assert client_for(other_coach).post(f"/outbox/stuck/{before.pk}/settle/", form).status_code == 302
    assert DeadLetter.objects.get(key=str(since.pk)).owner == other_coach


def test_an_administrators_own_texts_are_found_behind_any_number_of_others(
    alice: User, cole: User, admin_ann: User, at: dt.datetime
) -> None:
    """PR-05"""
    InboundText.objects.bulk_create(
        InboundText(
            sid=f"S{n}", from_number=alice.phone, sender=alice, body="hello", meaning="triage", received_at=at
        )
        for n in range(LIMIT + 1)
    )
    says(STRANGER, "who are you", at + dt.timedelta(minutes=1))
    assert to_read(admin_ann, at + dt.timedelta(hours=1)) == ["reply.read"]
    assert len(to_read(cole, at + dt.timedelta(hours=1))) == LIMIT
