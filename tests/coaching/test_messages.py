"""Secure messages: what is kept, whose it is and by when, which words ask for a look, who sees nothing (HZ-29)."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import InternalError, connection, transaction

from accounts.actions import assign_care_team
from accounts.models import CareTeam, Patient, User
from coaching import message_access as access
from coaching import message_actions as actions
from coaching.models import Message, MessageDraft, MessageFile, MessageRead, MessageThread
from common.errors import Conflict, Invalid, NotPermitted, NotVisible, StaleVersion
from common.models import AuditEntry, StoredFile
from notify.models import OutboxMessage
from safety.actions import acknowledge, close
from safety.models import Alert, SafetyHold
from safety.models_roster import PracticeHoliday, TimeAway
from sessions.models import DosingSession
from tests.common.test_files import a_pdf, a_picture
from tests.safety.builders import a_shift
from tests.sessions.builders import a_session_in_progress

pytestmark = pytest.mark.django_db
MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)
# Monday, noon in New York (the practice's zone): staffed.
WORDS = "Could we begin an hour later next week?"


@pytest.fixture
def patient(alice: User) -> Patient:
    return Patient.objects.select_related("user", "care_team__coach", "care_team__psychiatrist").get(
        pk=alice.pk
    )


def opened(patient: Patient, at: dt.datetime, *, topic: str = "session", body: str = WORDS) -> MessageThread:
    return actions.open_thread(patient, topic=topic, body=body, by=patient.user, at=at).thread


def notes_to(person: User) -> Any:
    return OutboxMessage.objects.filter(kind="secure_message", recipient=person)


# --- what is kept ---


def test_a_message_is_kept_encrypted_and_stays_as_it_was_sent(patient: Patient, at: dt.datetime) -> None:
    thread = opened(patient, at)
    message = thread.messages.get()
    assert message.body == WORDS
    with connection.cursor() as cursor:
        cursor.execute("SELECT body FROM coaching_message WHERE id = %s", [message.pk])
        assert "hour" not in cursor.fetchone()[0]
    for change in (
        lambda: Message.objects.filter(pk=message.pk).update(body="else"),
        lambda: Message.objects.filter(pk=message.pk).delete(),
        lambda: MessageThread.objects.filter(pk=thread.pk).delete(),
    ):
        with pytest.raises(Exception), transaction.atomic():  # noqa: B017
            change()
    assert Message.objects.get().body == WORDS


def test_a_message_with_files_is_one_transaction(patient: Patient, at: dt.datetime) -> None:
    good = SimpleUploadedFile("my monitor.png", a_picture())
    bad = SimpleUploadedFile("report.pdf", a_pdf()[:100])
    with pytest.raises(Invalid) as refusal:
        actions.open_thread(
            patient, topic="medicine", body="see", uploads=[good, bad], by=patient.user, at=at
        )
    assert "files" in refusal.value.fields
    assert (
        not Message.objects.exists()
        and not StoredFile.objects.exists()
        and not OutboxMessage.objects.exists()
    )
    good.seek(0)
    sent = actions.open_thread(
        patient,
        topic="medicine",
        body="see",
        uploads=[good, SimpleUploadedFile("letter.pdf", a_pdf())],
        by=patient.user,
        at=at,
    )
    assert [file.name for file in sent.message.files.all()] == ["my monitor.jpg", "letter.pdf"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM coaching_messagefile")
        assert all("monitor" not in name and "letter" not in name for (name,) in cursor.fetchall())


def test_five_files_and_an_endless_text_are_refused(patient: Patient, at: dt.datetime) -> None:
    files = [SimpleUploadedFile("a.jpg", a_picture()) for _ in range(5)]
    with pytest.raises(Invalid, match="4 files"):
        actions.open_thread(patient, topic="other", body="see", uploads=files, by=patient.user, at=at)
    with pytest.raises(Invalid, match="longer"):
        opened(patient, at, body="x" * 8001)
    assert opened(patient, at, body="x" * 8000).messages.get().body == "x" * 8000
    with pytest.raises(Invalid, match="Write"):
        opened(patient, at, body=" \n ")


def test_the_same_words_from_two_windows_are_one_message(patient: Patient, at: dt.datetime) -> None:
    first = actions.open_thread(patient, topic="session", body=WORDS, by=patient.user, at=at)
    second = actions.open_thread(patient, topic="session", body=WORDS, by=patient.user, at=at + MINUTE)
    assert second.message.pk == first.message.pk
    actions.write(first.thread, body="And Sam?", by=patient.user, at=at + MINUTE)
    again = actions.write(first.thread, body="And Sam?", by=patient.user, at=at + 2 * MINUTE)
    assert Message.objects.count() == 2 and again.message.body == "And Sam?"
    # Much later the same words are meant again.
    actions.write(first.thread, body="And Sam?", by=patient.user, at=at + HOUR)
    assert Message.objects.count() == 3


# --- whose it is, by when ---


def test_an_answer_is_promised_and_has_one_owner(
    patient: Patient, cole: User, dana: User, at: dt.datetime
) -> None:
    thread = opened(patient, at)
    assert thread.due_at == dt.datetime(2026, 11, 24, 22, 0, tzinfo=dt.UTC)  # Tuesday, 5 pm in New York
    assert access.answerer_of(thread, at=at) == cole
    assert [item.key for item in access.work_items(user=cole, at=at)] == [f"message:{thread.pk}"]
    assert access.work_items(user=dana, at=at) == []
    about_medicine = opened(patient, at, topic="medicine")
    assert access.answerer_of(about_medicine, at=at) == dana
    assert [item.due_at for item in access.work_items(user=dana, at=at)] == [about_medicine.due_at]


def test_holidays_and_weekends_are_no_working_days(
    patient: Patient, admin_ann: User, at: dt.datetime
) -> None:
    PracticeHoliday.objects.create(
        day=dt.date(2026, 11, 26), name="Thanksgiving", added_at=at, added_by=admin_ann
    )
    data = access.numbers(at=at)
    wednesday = at + dt.timedelta(days=2)
    assert access.promised_by("session", at=wednesday, data=data) == dt.datetime(
        2026, 11, 27, 22, 0, tzinfo=dt.UTC
    )
    friday_evening = dt.datetime(2026, 11, 28, 1, 0, tzinfo=dt.UTC)
    assert access.promised_by("session", at=friday_evening, data=data) == dt.datetime(
        2026, 11, 30, 22, 0, tzinfo=dt.UTC
    )
    # Four staffed hours from Wednesday 3 pm: two that day, none on the holiday, two on Friday morning.
    at_three = dt.datetime(2026, 11, 25, 20, 0, tzinfo=dt.UTC)
    assert access.promised_by("side_effect", at=at_three, data=data) == dt.datetime(
        2026, 11, 27, 16, 0, tzinfo=dt.UTC
    )
    assert not access.staffed_now(at=dt.datetime(2026, 11, 26, 17, 0, tzinfo=dt.UTC), data=data)


def test_staffed_hours_are_pinned_on_both_sides(db: None, at: dt.datetime) -> None:
    data = access.numbers(at=at)
    for hour, minute, staffed in ((13, 59, False), (14, 0, True), (21, 59, True), (22, 0, False)):
        instant = at.replace(hour=hour, minute=minute)
        assert access.staffed_now(at=instant, data=data) is staffed, instant


def test_the_first_promise_stands_until_somebody_answers(
    patient: Patient, cole: User, at: dt.datetime
) -> None:
    thread = opened(patient, at)
    due_at = thread.due_at
    actions.write(thread, body="Are you there?", by=patient.user, at=at + 20 * HOUR)
    thread.refresh_from_db()
    assert thread.due_at == due_at and thread.is_waiting
    actions.write(thread, body="Yes, ten works.", by=cole, at=at + 21 * HOUR)
    thread.refresh_from_db()
    assert (thread.state, thread.due_at, thread.waiting_since_at) == ("answered", None, None)
    actions.write(thread, body="Thanks!", by=patient.user, at=at + 22 * HOUR)
    thread.refresh_from_db()
    assert thread.is_waiting and thread.waiting_since_at == at + 22 * HOUR
    actions.no_answer_needed(thread, by=cole, at=at + 23 * HOUR)
    assert access.work_items(user=cole, at=at + 23 * HOUR) == []
    with pytest.raises(Conflict):
        actions.no_answer_needed(thread, by=cole, at=at + 23 * HOUR)


def test_somebody_who_left_or_is_away_leaves_nothing_without_an_owner(
    patient: Patient, cole: User, dana: User, other_coach: User, admin_ann: User, at: dt.datetime
) -> None:
    """PR-05"""
    other_coach.phone = "+14155550177"
    other_coach.save()
    a_shift(other_coach, at - HOUR, level=2)
    thread = opened(patient, at)
    away = TimeAway.objects.create(
        person=cole, starts_at=at, ends_at=at + 24 * HOUR, added_at=at, added_by=admin_ann
    )
    assert access.answerer_of(thread, at=at + HOUR) == other_coach
    assert access.work_items(user=cole, at=at + HOUR) == []
    [item] = access.work_items(user=other_coach, at=at + HOUR)
    assert item.owner_id == other_coach.pk
    assert access.visible_thread(other_coach, thread.pk, at=at + HOUR) == thread
    away.delete()
    User.objects.filter(pk=cole.pk).update(is_active=False)
    assert (
        access.answerer_of(access.visible_thread(patient.user, thread.pk, at=at), at=at + HOUR) == other_coach
    )
    # Nobody on call either: the longest-serving administrator gives it to somebody, and reads no word.
    from safety.models import OnCallShift

    OnCallShift.objects.all().delete()
    [item] = access.work_items(user=admin_ann, at=at + HOUR)
    assert item.patient_label is None and "hand-over" in item.url
    with pytest.raises(NotVisible):
        access.visible_thread(admin_ann, thread.pk, at=at + HOUR)
    actions.hand_over(thread, to=dana, by=admin_ann, at=at + HOUR)
    assert access.work_items(user=admin_ann, at=at + HOUR) == []
    assert [i.key for i in access.work_items(user=dana, at=at + HOUR)] == [f"message:{thread.pk}"]


def test_a_colleague_takes_it_or_is_given_it(
    patient: Patient, cole: User, dana: User, other_coach: User, at: dt.datetime
) -> None:
    thread = opened(patient, at)
    actions.take(thread, by=dana, at=at)
    assert access.work_items(user=cole, at=at) == []
    assert len(access.work_items(user=dana, at=at)) == 1
    with pytest.raises(NotVisible):
        access.visible_thread(other_coach, thread.pk, at=at)
    actions.hand_over(thread, to=other_coach, by=dana, at=at)
    seen = access.visible_thread(other_coach, thread.pk, at=at)
    assert seen.handed_over and access.answerer_of(seen, at=at) == other_coach
    assert notes_to(other_coach).count() == 1
    with pytest.raises(Invalid):
        actions.hand_over(thread, to=patient.user, by=dana, at=at)


# --- who is told ---


def test_the_note_holds_no_word_and_is_taken_back_when_read(
    patient: Patient, cole: User, at: dt.datetime
) -> None:
    from notify.actions import render_message

    thread = opened(patient, at)
    note = notes_to(cole).get()
    text = str(render_message(note.template, note.channel, note.context))
    for word in ("hour later", "session", "Alice", "Lindqvist", str(thread.pk)):
        assert word not in text.lower() and word not in text
    page = access.messages_page(thread)
    assert actions.mark_read(thread, page.rows, by=cole, at=at + MINUTE) == 1
    note.refresh_from_db()
    assert note.state == "cancelled"


def test_the_first_reading_is_kept_and_nobody_reads_their_own(
    patient: Patient, cole: User, dana: User, at: dt.datetime
) -> None:
    thread = opened(patient, at)
    for person, minutes in ((patient.user, 1), (cole, 2), (cole, 9), (dana, 5)):
        actions.mark_read(thread, access.messages_page(thread).rows, by=person, at=at + minutes * MINUTE)
    kept = dict(MessageRead.objects.values_list("person_id", "read_at"))
    assert kept == {cole.pk: at + 2 * MINUTE, dana.pk: at + 5 * MINUTE}
    assert AuditEntry.objects.filter(action="messages.read", patient_id=patient.pk).count() == 3
    with pytest.raises(InternalError), transaction.atomic():
        MessageRead.objects.update(read_at=at)


def test_unread_is_what_others_wrote_and_was_not_opened(
    patient: Patient, cole: User, at: dt.datetime
) -> None:
    thread = opened(patient, at)
    assert access.unread_threads(patient.user, at=at) == []
    assert access.unread_threads(cole, at=at) == [thread]
    actions.write(thread, body="Yes.", by=cole, at=at + MINUTE)
    assert access.unread_threads(patient.user, at=at) == [thread]
    actions.mark_read(thread, access.messages_page(thread).rows, by=patient.user, at=at + 2 * MINUTE)
    assert access.unread_threads(patient.user, at=at) == []


def test_a_long_conversation_is_paged_by_key_without_a_gap(
    patient: Patient, cole: User, at: dt.datetime
) -> None:
    thread = opened(patient, at, body="0")
    for number in range(1, 45):
        # Two each minute: the same instant must not lose one.
        actions.write(
            thread, body=str(number), by=cole if number % 2 else patient.user, at=at + (number // 2) * MINUTE
        )
    seen: list[str] = []
    key = ""
    while True:
        page = access.messages_page(thread, before=key)
        seen = [message.body for message in page.rows] + seen
        key = page.next_key
        if not key:
            break
    assert sorted(seen, key=int) == [str(number) for number in range(45)]
    assert len(access.messages_page(thread, before="nonsense").rows) == 20


# --- words that ask for a look (HZ-29) ---


@pytest.mark.parametrize(
    ("body", "trigger", "hold"),
    [
        ("I want to kill myself", "X02", "suicide_risk"),
        ("I don't want to live anymore", "X03", "suicide_risk"),
    ],
)
def test_hz_29_words_of_suicide_reach_the_on_call_and_the_message_is_kept(
    patient: Patient, dana: User, cole: User, at: dt.datetime, body: str, trigger: str, hold: str
) -> None:
    a_shift(dana, at - HOUR)
    sent = actions.open_thread(patient, topic="scheduling", body=body, by=patient.user, at=at)
    assert sent.needs_prompt and sent.found.is_crisis and sent.triggers == (trigger,)
    alert = Alert.objects.get(patient=patient)
    assert (alert.trigger, alert.detail_codes) == (trigger, ["message_needs_triage"])
    assert SafetyHold.objects.get(patient=patient).reason_code == hold
    thread = MessageThread.objects.get()
    assert (thread.urgency, thread.triage_by_at, thread.alert) == (2, at + 15 * MINUTE, alert)
    assert Message.objects.get().body == body and notes_to(cole).count() == 1
    [item] = access.work_items(user=cole, at=at)
    assert (item.kind, item.due_at) == ("message.triage", at + 15 * MINUTE)


def test_a_look_stands_first_and_only_a_person_ends_it(
    patient: Patient, stranger_patient: User, dana: User, cole: User, at: dt.datetime
) -> None:
    CareTeam.objects.filter(pk=stranger_patient.pk).update(coach=cole)
    bob = Patient.objects.get(pk=stranger_patient.pk)
    earlier = opened(bob, at - 20 * HOUR)
    urgent = opened(patient, at, topic="other", body="I was throwing up all night")
    assert access.open_threads(cole, at=at) == [urgent, earlier]
    actions.say_emergency(urgent, answer="no", by=patient.user, at=at)
    urgent.refresh_from_db()
    assert urgent.urgency == 1
    with pytest.raises(Conflict):
        actions.no_answer_needed(urgent, by=cole, at=at)
    with pytest.raises(NotPermitted):
        actions.look_done(urgent, by=patient.user, at=at)
    actions.look_done(urgent, by=cole, at=at + MINUTE)
    urgent.refresh_from_db()
    assert (urgent.urgency, urgent.triaged_by, urgent.is_waiting) == (0, cole, True)


def test_an_answer_ends_the_look_and_new_words_begin_another(
    patient: Patient, cole: User, at: dt.datetime
) -> None:
    thread = opened(patient, at, topic="other", body="I was throwing up all night")
    actions.write(thread, body="I call you now.", by=cole, at=at + MINUTE)
    thread.refresh_from_db()
    assert thread.urgency == 0 and thread.triaged_by == cole
    actions.write(thread, body="I still feel dizzy", by=patient.user, at=at + HOUR)
    thread.refresh_from_db()
    assert (thread.urgency, thread.triaged_by) == (1, None)


def test_saying_that_it_is_an_emergency_pages_at_the_gravest(
    patient: Patient, dana: User, at: dt.datetime
) -> None:
    a_shift(dana, at - HOUR)
    thread = opened(patient, at, body="I want to die")
    assert Alert.objects.get().severity == 2
    pages = OutboxMessage.objects.filter(kind="crisis_page").count()
    actions.say_emergency(thread, answer="now", by=patient.user, at=at + MINUTE)
    alert = Alert.objects.get()
    assert alert.severity == 4 and OutboxMessage.objects.filter(kind="crisis_page").count() > pages
    with pytest.raises(NotPermitted):
        actions.say_emergency(thread, answer="now", by=dana, at=at)


def test_whatever_a_patient_writes_out_of_a_session_is_looked_at_now_and_after_it_is_not(
    alice: User, dana: User, protocol_version: Any, at: dt.datetime
) -> None:
    """X07, as for a text: the conversation's promise of a working day is no help to somebody under the medicine."""
    session = a_session_in_progress(alice, dana, at)
    thread = actions.open_thread(session.patient, topic="other", body="Hello?", by=alice, at=at).thread
    actions.write(thread, body="Is it meant to feel like this?", by=alice, at=at + MINUTE)
    alert = Alert.objects.get()
    assert (alert.trigger, alert.in_session, alert.detail_codes, alert.signs) == (
        "X07",
        True,
        ["message_in_session"],
        2,
    )
    # Said again in the same words after somebody took it: they hear of it, and it is not a second window's copy.
    acknowledge(alert, by=dana, at=at + MINUTE)
    actions.write(thread, body="Is it meant to feel like this?", by=alice, at=at + 2 * MINUTE)
    assert Alert.objects.get().signs == 3
    # Words that are graver call by themselves.
    actions.write(thread, body="I want to kill myself", by=alice, at=at + 2 * MINUTE)
    assert set(Alert.objects.values_list("trigger", flat=True)) == {"X02", "X07"}
    DosingSession.objects.filter(pk=session.pk).update(state="released", released_at=at + 3 * MINUTE)
    before = set(Alert.objects.values_list("pk", "signs"))
    actions.write(thread, body="Thank you, all is well.", by=alice, at=at + 4 * MINUTE)
    assert set(Alert.objects.values_list("pk", "signs")) == before


def test_what_staff_write_sets_nothing_off(patient: Patient, cole: User, at: dt.datetime) -> None:
    thread = opened(patient, at)
    actions.write(thread, body="Do you ever want to die? Any chest pain?", by=cole, at=at)
    assert not Alert.objects.exists() and MessageThread.objects.get().urgency == 0


@pytest.mark.parametrize(("topic", "body"), [("side_effect", "It feels odd"), ("session", "I keep vomiting")])
def test_x23_a_side_effect_after_hours_reaches_the_on_call_within_15_minutes(
    patient: Patient, dana: User, at: dt.datetime, topic: str, body: str
) -> None:
    evening = at + 8 * HOUR
    a_shift(dana, at - HOUR)
    sent = actions.open_thread(patient, topic=topic, body=body, by=patient.user, at=evening)
    assert sent.after_hours and sent.needs_prompt
    alert = Alert.objects.get()
    assert (alert.trigger, alert.acknowledge_by_at) == ("X23", evening + 15 * MINUTE)
    assert OutboxMessage.objects.filter(kind="crisis_page", recipient=dana, due_at=evening).exists()
    assert not SafetyHold.objects.exists()


def test_a_side_effect_in_staffed_hours_stands_on_the_list_and_pages_nobody(
    patient: Patient, at: dt.datetime
) -> None:
    sent = actions.open_thread(patient, topic="side_effect", body="It feels odd", by=patient.user, at=at)
    assert not sent.after_hours and not Alert.objects.exists()
    assert sent.thread.due_at == at + 4 * HOUR


def test_a_graver_alert_after_hours_is_not_doubled_by_x23(
    patient: Patient, dana: User, at: dt.datetime
) -> None:
    a_shift(dana, at - HOUR)
    opened(patient, at + 8 * HOUR, topic="side_effect", body="I fainted and I have chest pain")
    assert [alert.trigger for alert in Alert.objects.all()] == ["X01"]


def test_the_on_call_sees_the_conversation_while_its_alert_lives(
    patient: Patient, other_psychiatrist: User, at: dt.datetime, clock_at: Callable[..., Any]
) -> None:
    with clock_at(at):
        a_shift(other_psychiatrist, at - HOUR)
        quiet = opened(patient, at)
        urgent = opened(patient, at, topic="other", body="I want to die")
        assert access.visible_thread(other_psychiatrist, urgent.pk, at=at) == urgent
        with pytest.raises(NotVisible):
            access.visible_thread(other_psychiatrist, quiet.pk, at=at)
        alert = acknowledge(Alert.objects.get(), by=other_psychiatrist, at=at)
        close(alert, by=other_psychiatrist, at=at, disposition="contacted_safe", note="Called. Safe.")
        with pytest.raises(NotVisible):
            access.visible_thread(other_psychiatrist, urgent.pk, at=at)


# --- who sees nothing ---


def test_nobody_else_sees_a_thread_or_a_file(
    patient: Patient,
    stranger_patient: User,
    cole: User,
    dana: User,
    other_coach: User,
    other_psychiatrist: User,
    admin_ann: User,
    at: dt.datetime,
) -> None:
    upload = SimpleUploadedFile("a.jpg", a_picture())
    sent = actions.open_thread(patient, topic="session", body="see", uploads=[upload], by=patient.user, at=at)
    file = MessageFile.objects.get()
    for person in (patient.user, cole, dana):
        assert access.visible_thread(person, sent.thread.pk, at=at) == sent.thread
        assert access.visible_file(person, file.pk, at=at) == file
    for person in (stranger_patient, other_coach, other_psychiatrist, admin_ann):
        with pytest.raises(NotVisible):
            access.visible_thread(person, sent.thread.pk, at=at)
        with pytest.raises(NotVisible):
            access.visible_file(person, file.pk, at=at)
    # Another coach from today on: the one before sees nothing any more, whatever they had taken.
    actions.take(sent.thread, by=cole, at=at)
    assign_care_team(patient, coach=other_coach, by=admin_ann, at=at)
    assert access.visible_thread(other_coach, sent.thread.pk, at=at) == sent.thread
    assert access.answerer_of(access.visible_thread(other_coach, sent.thread.pk, at=at), at=at) == other_coach
    for look in (access.visible_thread, access.visible_file):
        with pytest.raises(NotVisible):
            look(cole, sent.thread.pk if look is access.visible_thread else file.pk, at=at)
    assert access.work_items(user=cole, at=at) == []


# --- drafts ---


def test_a_draft_is_kept_by_version_and_goes_with_the_message(patient: Patient, at: dt.datetime) -> None:
    def keep(body: str, version: int) -> MessageDraft:
        return actions.keep_draft(
            patient, topic="session", body=body, version=version, by=patient.user, at=at
        )

    first = keep("I wan", 0)
    assert keep("I want", first.version).version == 2
    with pytest.raises(StaleVersion):
        keep("from an older window", first.version)
    assert access.draft_of(patient.user, patient=patient).body == "I want"  # type: ignore[union-attr]
    with connection.cursor() as cursor:
        cursor.execute("SELECT body FROM coaching_messagedraft")
        assert "want" not in cursor.fetchone()[0]
    opened(patient, at)
    assert access.draft_of(patient.user, patient=patient) is None
