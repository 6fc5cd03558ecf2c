"""A conversation between Alice and Cole, in two browsers: a draft that survives, a file, a note without content, an answer, a reading."""

import datetime as dt
import io
from collections.abc import Callable
from typing import Any

from PIL import Image

from accounts.models import User
from coaching.models import Message, MessageDraft, MessageThread
from notify.actions import dispatch_due
from notify.models import OutboxMessage
from tests.journeys.conftest import JourneyClock
from tests.journeys.walker import Walker
from tests.safety.builders import a_shift

Browsers = Callable[..., Walker]
WORDS = "My cuff shows two numbers, see the photo. Which one do you need?"


def a_photo_with_a_place() -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "A phone of Alice"
    out = io.BytesIO()
    Image.new("RGB", (640, 480), (90, 120, 160)).save(out, "JPEG", exif=exif.tobytes())
    return out.getvalue()


def test_alice_writes_cole_answers_and_nobody_reads_it_on_the_way(
    browser_of: Browsers, the_clock: JourneyClock, at: dt.datetime, alice: User, dana: User, cole: User
) -> None:
    a_shift(dana, at - dt.timedelta(hours=1))
    patient = browser_of("Alice", user=alice, phone=True)
    patient.opens("/messages/").sees("No messages yet").follows("Write a message").is_at("/messages/new/")
    patient.sees("Cole Okafor answers by Tue Nov 24, 2:00 pm PST", "Messages are not read at once")
    patient.chooses("topic", "session").types("body", WORDS)
    # The phone dies in the middle; the words are on the server.
    patient.page.locator("#kept", has_text="Draft, kept at").wait_for()
    assert MessageDraft.objects.get().body == WORDS
    patient.page.close()
    patient = browser_of("Alice", user=alice, phone=True)
    patient.opens("/messages/new/").sees("This is your draft")
    assert patient.page.input_value("[name=body]") == WORDS
    patient.page.set_input_files(
        "[name=attachments]",
        [{"name": "cuff.jpg", "mimeType": "image/jpeg", "buffer": a_photo_with_a_place()}],
    )
    patient.presses("Send").is_at("/messages/").sees(
        WORDS, "cuff.jpg", "Not opened yet", "Cole Okafor answers by"
    )
    assert (
        patient.page.locator("img.bubble__picture").evaluate(
            "one => one.decode().then(() => one.naturalWidth)"
        )
        == 640
    )
    assert Message.objects.count() == 1 and not MessageDraft.objects.exists()
    thread = MessageThread.objects.get()
    # Pressed again after going back: still one.
    patient.goes_back()
    patient.page.wait_for_load_state("load")

    # Cole is told, without a word of it.
    dispatch_due(at=at + dt.timedelta(minutes=1))
    note = OutboxMessage.objects.get(kind="secure_message", recipient=cole)
    assert note.state == "sent" and str(note.context).find("cuff") == -1

    coach = browser_of("Cole", user=cole)
    coach.opens("/messages/").sees("Alice Lindqvist", "A session", "Waiting").follows("Alice Lindqvist")
    coach.sees(WORDS, "cuff.jpg", "Cole Okafor answers by")
    coach.types("body", "The upper and the lower one, please: 128 over 82.").presses("Send").sees("Answered")

    patient.opens("/home/").sees("A message for you").follows("Read it")
    patient.sees("128 over 82", "Opened by Cole Okafor", "Answered")
    coach.opens(f"/messages/{thread.pk}/").sees("Opened by Alice Lindqvist")


def test_hz_29_words_of_despair_bring_help_at_once_and_stand_on_top_for_the_team(
    browser_of: Browsers, the_clock: JourneyClock, at: dt.datetime, alice: User, dana: User, cole: User
) -> None:
    a_shift(dana, at - dt.timedelta(hours=1))
    patient = browser_of("Alice", user=alice, phone=True)
    patient.opens("/messages/new/").chooses("topic", "other").types("body", "I dont want to live anymore")
    patient.presses("Send").sees("Is this an emergency now?", "Call 988", "Call 911", "Your message is sent")
    patient.does_not_see("has read", "have read")
    coach = browser_of("Cole", user=cole)
    coach.opens("/messages/").sees("Look now").follows("Alice Lindqvist", exact=True).sees(
        "words of death or self-harm"
    )
    coach.presses("I have looked at it").sees("looked at what it asked for", "Waiting")
    patient.presses("Yes, this is an emergency now").sees("Get help now", "Call 988")
    coach.opens("/messages/").sees("Look now")


def test_it_works_without_scripts(
    browser_of: Browsers, the_clock: JourneyClock, at: dt.datetime, alice: User, cole: User
) -> None:
    patient: Any = browser_of("Alice", user=alice, phone=True, scripts=False)
    patient.opens("/messages/new/").chooses("topic", "billing").types("body", "Where is my receipt?")
    patient.presses("Keep as a draft").sees("This is your draft")
    patient.presses("Send").sees("Where is my receipt?", "Not opened yet")
    coach = browser_of("Cole", user=cole, scripts=False)
    coach.opens("/messages/").follows("Alice Lindqvist").presses("No answer is needed").sees("Answered")
