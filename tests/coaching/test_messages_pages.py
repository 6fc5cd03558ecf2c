"""The pages of secure messages: one effect for one form, help on the same response, nothing for anybody else, a small budget."""

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from accounts.actions import assign_care_team
from accounts.models import Patient, User
from coaching import message_actions as actions
from coaching.models import Message, MessageDraft, MessageFile, MessageThread
from notify.models import OutboxMessage
from safety.models import Alert
from tests.coaching.builders import a_photo
from tests.common.test_files import a_pdf
from tests.safety.builders import a_shift

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]
NEW = "/messages/new/"


def intent_of(page: Any) -> str:
    found = re.search(r'name="intent" value="([^"]+)"', page.content.decode())
    assert found
    return found.group(1)


@pytest.fixture
def now(at: dt.datetime, clock_at: Callable[..., Any]) -> Any:
    with clock_at(at):
        yield at


@pytest.fixture
def patient(alice: User) -> Patient:
    return Patient.objects.select_related("user", "care_team__coach", "care_team__psychiatrist").get(
        pk=alice.pk
    )


@pytest.fixture
def thread(patient: Patient, now: dt.datetime) -> MessageThread:
    return actions.open_thread(
        patient, topic="session", body="Secret words of hers", uploads=[a_photo()], by=patient.user, at=now
    ).thread


def test_the_promise_and_the_emergency_numbers_stand_there_before_anything_is_sent(
    client_for: Browser, alice: User, now: dt.datetime
) -> None:
    page = client_for(alice).get(NEW).content.decode()
    assert "Cole Okafor answers by Tue Nov 24, 2:00 pm PST" in page
    assert "Dana Reyes answers by Mon Nov 23, 1:00 pm PST" in page
    for help_ in ("tel:911", "tel:988", "Messages are not read at once"):
        assert help_ in page


def test_a_form_sent_twice_is_one_message_with_its_file(
    client_for: Browser, alice: User, now: dt.datetime
) -> None:
    browser = client_for(alice)
    form = {"intent": intent_of(browser.get(NEW)), "topic": "session", "body": "Can we begin at ten?"}
    first = browser.post(NEW, form | {"attachments": a_photo()})
    again = browser.post(NEW, form | {"attachments": a_photo()})
    assert first.status_code == again.status_code == 302
    assert first["Location"] == again["Location"]
    assert Message.objects.count() == 1 and MessageFile.objects.count() == 1
    page = browser.get(first["Location"]).content.decode()
    assert "Can we begin at ten?" in page and "monitor.jpg" in page and "Not opened yet" in page
    assert "Cole Okafor answers by" in page


def test_two_windows_make_one_message(client_for: Browser, alice: User, now: dt.datetime) -> None:
    one, two = client_for(alice), client_for(alice)
    intents = [intent_of(browser.get(NEW)) for browser in (one, two)]
    for browser, intent in zip((one, two), intents, strict=True):
        assert browser.post(NEW, {"intent": intent, "topic": "other", "body": "Once"}).status_code == 302
    assert Message.objects.count() == 1


def test_a_refused_file_keeps_what_was_typed_and_says_why(
    client_for: Browser, alice: User, now: dt.datetime
) -> None:
    browser = client_for(alice)
    bad = SimpleUploadedFile("report.pdf", a_pdf()[:100])
    form = {
        "intent": intent_of(browser.get(NEW)),
        "topic": "other",
        "body": "A long letter",
        "attachments": bad,
    }
    page = browser.post(NEW, form)
    words = page.content.decode()
    assert page.status_code == 422
    assert (
        "A long letter" in words
        and "cannot be read to its end" in words
        and "choose your files again" in words
    )
    assert not Message.objects.exists()


def test_hz_29_help_stands_on_the_same_response_and_the_message_is_kept(
    client_for: Browser, alice: User, dana: User, cole: User, now: dt.datetime
) -> None:
    a_shift(dana, now - dt.timedelta(hours=1))
    browser = client_for(alice)
    form = {"intent": intent_of(browser.get(NEW)), "topic": "scheduling", "body": "I want to die"}
    page = browser.post(NEW, form)
    words = page.content.decode()
    assert page.status_code == 200
    for help_ in ("Is this an emergency now?", "tel:988", "sms:988", "tel:911", "Your message is sent"):
        assert help_ in words
    assert "has read" not in words and "have read" not in words
    assert Message.objects.get().body == "I want to die"
    assert Alert.objects.get().trigger == "X03"
    # A replay shows the conversation and pages nobody again.
    assert browser.post(NEW, form).status_code == 302
    assert Message.objects.count() == 1 and Alert.objects.get().signs == 1
    thread = MessageThread.objects.get()
    answer = browser.post(
        reverse("coaching:message_emergency", args=[thread.pk]), {"intent": intent_of(page), "answer": "now"}
    )
    assert answer.status_code == 200 and "Get help now" in answer.content.decode()
    assert Alert.objects.get().severity == 4
    # For the care team it stands on top, with what was found.
    staff = client_for(cole).get("/messages/").content.decode()
    assert "Look now" in staff
    thread_page = client_for(cole).get(reverse("coaching:messages", args=[thread.pk])).content.decode()
    assert "words of death or self-harm" in thread_page and "I have looked at it" in thread_page


def test_x23_after_hours_the_hours_and_the_number_are_shown(
    client_for: Browser, alice: User, dana: User, at: dt.datetime, clock_at: Callable[..., Any]
) -> None:
    evening = at + dt.timedelta(hours=8)
    a_shift(dana, at)
    with clock_at(evening):
        browser = client_for(alice)
        form = {"intent": intent_of(browser.get(NEW)), "topic": "side_effect", "body": "It feels odd"}
        words = browser.post(NEW, form).content.decode()
    assert "Monday to Friday, 9 am to 5 pm EST" in words and "(555) 010-0199" in words
    assert Alert.objects.get().trigger == "X23"


def test_reading_is_shown_as_it_was(
    client_for: Browser, alice: User, cole: User, thread: MessageThread, now: dt.datetime
) -> None:
    address = reverse("coaching:messages", args=[thread.pk])
    assert "Not opened yet" in client_for(alice).get(address).content.decode()
    # A look without the page (HEAD) is no reading.
    client_for(cole).head(address)
    assert "Not opened yet" in client_for(alice).get(address).content.decode()
    client_for(cole).get(address)
    assert "Opened by Cole Okafor, Mon Nov 23, 9:00 am PST" in client_for(alice).get(address).content.decode()


def test_an_unread_answer_stands_on_the_patients_home(
    client_for: Browser, alice: User, cole: User, thread: MessageThread, now: dt.datetime
) -> None:
    browser = client_for(alice)
    assert "A message for you" not in browser.get("/home/").content.decode()
    actions.write(thread, body="Ten is fine.", by=cole, at=now)
    assert "A message for you" in browser.get("/home/").content.decode()
    browser.get(reverse("coaching:messages", args=[thread.pk]))
    assert "A message for you" not in browser.get("/home/").content.decode()


def test_nobody_else_gets_a_byte(
    client_for: Browser,
    alice: User,
    cole: User,
    stranger_patient: User,
    other_coach: User,
    other_psychiatrist: User,
    admin_ann: User,
    client: Client,
    patient: Patient,
    thread: MessageThread,
    now: dt.datetime,
) -> None:
    """Another patient, another coach, another psychiatrist, an administrator, nobody; and the coach of yesterday."""
    file = MessageFile.objects.get()
    pages = [reverse("coaching:messages", args=[thread.pk]), reverse("coaching:message_file", args=[file.pk])]
    for page in pages:
        for person in (alice, cole):
            assert client_for(person).get(page).status_code == 200
        for person in (stranger_patient, other_coach, other_psychiatrist, admin_ann):
            answer = client_for(person).get(page)
            assert answer.status_code == 404, (person, page)
            assert b"Secret words" not in answer.content and b"JFIF" not in answer.content
        assert client.get(page).status_code == 302
    for verb in (
        "take_messages",
        "looked_at_messages",
        "no_answer_needed",
        "hand_over_messages",
        "message_draft",
    ):
        intent = "7d444840-9dc0-41d1-b245-5ffdce74fad2"
        answer = client_for(other_coach).post(
            reverse(f"coaching:{verb}", args=[thread.pk]), {"intent": intent}
        )
        assert answer.status_code == 404, verb
    for name in ("messages_of", "new_message_to"):
        assert client_for(other_coach).get(reverse(f"coaching:{name}", args=[patient.pk])).status_code == 404
    assign_care_team(patient, coach=other_coach, by=admin_ann, at=now)
    for page in pages:
        assert client_for(cole).get(page).status_code == 404
        assert client_for(other_coach).get(page).status_code == 200


def test_a_file_leaves_as_an_attachment_and_a_picture_may_be_shown(
    client_for: Browser, alice: User, thread: MessageThread, now: dt.datetime
) -> None:
    address = reverse("coaching:message_file", args=[MessageFile.objects.get().pk])
    saved = client_for(alice).get(address)
    assert saved["Content-Disposition"] == 'attachment; filename="monitor.jpg"'
    assert (
        saved["Content-Security-Policy"].startswith("sandbox")
        and saved["X-Content-Type-Options"] == "nosniff"
    )
    assert "no-store" in saved["Cache-Control"]
    assert client_for(alice).get(address + "?show=1")["Content-Disposition"].startswith("inline")


def test_what_is_typed_is_kept_on_the_server_and_shown_again(
    client_for: Browser, alice: User, now: dt.datetime
) -> None:
    browser = client_for(alice)
    page = browser.get(NEW)
    kept = browser.post(
        reverse("coaching:message_draft_new"),
        {"intent": intent_of(page), "topic": "medicine", "body": "I stopped in the mid", "version": "0"},
        headers={"accept": "application/json"},
    )
    assert kept.status_code == 200 and kept.json()["version"] == 1
    again = client_for(alice).get(NEW).content.decode()
    assert "I stopped in the mid" in again and "This is your draft" in again
    stale = browser.post(
        reverse("coaching:message_draft_new"),
        {"intent": "7d444840-9dc0-41d1-b245-5ffdce74fad2", "body": "older window", "version": "0"},
        headers={"accept": "application/json"},
    )
    assert stale.status_code == 409
    assert MessageDraft.objects.get().body == "I stopped in the mid"
    # Without a script the form's own button does the same.
    plain = {
        "intent": kept.json()["intent"],
        "body": "I stopped in the middle",
        "version": "1",
        "verb": "keep",
    }
    assert browser.post(NEW, plain | {"topic": "medicine"}).status_code == 302
    assert MessageDraft.objects.get().body == "I stopped in the middle"
    assert not Message.objects.exists()


def test_a_coach_answers_takes_and_gives(
    client_for: Browser, alice: User, cole: User, dana: User, thread: MessageThread, now: dt.datetime
) -> None:
    address = reverse("coaching:messages", args=[thread.pk])
    browser = client_for(dana)
    taken = browser.post(
        reverse("coaching:take_messages", args=[thread.pk]), {"intent": intent_of(browser.get(address))}
    )
    assert taken["Location"] == address
    assert "Dana Reyes answers by" in browser.get(address).content.decode()
    give = reverse("coaching:hand_over_messages", args=[thread.pk])
    form = {"intent": intent_of(browser.get(give)), "to": str(cole.pk)}
    assert browser.post(give, form).status_code == 302
    coach = client_for(cole)
    answer = {"intent": intent_of(coach.get(address)), "body": "Ten is fine. I call you at nine."}
    assert coach.post(address, answer)["Location"] == address
    thread.refresh_from_db()
    assert thread.state == "answered"
    assert OutboxMessage.objects.filter(kind="secure_message", recipient=alice).count() == 1
    page = client_for(alice).get(address).content.decode()
    assert "Ten is fine. I call you at nine." in page and "Cole Okafor, coach" in page


def test_the_care_team_writes_first(client_for: Browser, alice: User, cole: User, now: dt.datetime) -> None:
    browser = client_for(cole)
    address = reverse("coaching:new_message_to", args=[alice.pk])
    form = {"intent": intent_of(browser.get(address)), "topic": "scheduling", "body": "Shall we move to ten?"}
    assert browser.post(address, form).status_code == 302
    thread = MessageThread.objects.get()
    assert (thread.state, thread.opened_by) == ("answered", cole)
    assert (
        "Shall we move to ten?"
        in client_for(alice).get(reverse("coaching:messages", args=[thread.pk])).content.decode()
    )


@pytest.mark.parametrize("who", ["alice", "cole"])
def test_lists_and_conversations_cost_the_same_however_long_they_are(
    who: str,
    request: Any,
    client_for: Browser,
    patient: Patient,
    cole: User,
    thread: MessageThread,
    now: dt.datetime,
    query_budget: Any,
) -> None:
    for number in range(25):
        by = cole if number % 2 else patient.user
        actions.write(
            thread, body=f"number {number}", uploads=[a_photo()] if number < 3 else [], by=by, at=now
        )
        actions.open_thread(patient, topic="other", body=f"thread {number}", by=patient.user, at=now)
    browser = client_for(request.getfixturevalue(who))
    with query_budget(24):
        page = browser.get("/messages/")
    assert page.status_code == 200 and 'rel="next"' in page.content.decode()
    with query_budget(60):
        # The first look writes what was read and takes notes back.
        browser.get(reverse("coaching:messages", args=[thread.pk]))
    with query_budget(26):
        again = browser.get(reverse("coaching:messages", args=[thread.pk]))
    assert "Earlier messages" in again.content.decode()
    with query_budget(26):
        browser.get(NEW if who == "alice" else reverse("coaching:new_message_to", args=[patient.pk]))


def test_the_chart_names_the_latest_conversations_for_those_who_may_read_them(
    client_for: Browser,
    alice: User,
    dana: User,
    other_psychiatrist: User,
    thread: MessageThread,
    now: dt.datetime,
    protocol_version: Any,
) -> None:
    from coaching.message_access import chart_panel
    from tests.intake.builders import a_submitted_intake

    a_submitted_intake(alice, now)
    page = client_for(dana).get(reverse("intake:chart", args=[alice.pk])).content.decode()
    assert "Latest messages" in page and reverse("coaching:messages", args=[thread.pk]) in page
    assert chart_panel(patient=thread.patient, user=other_psychiatrist, at=now)["lines"] == []
