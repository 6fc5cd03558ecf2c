"""A dosing day with patient, sitter, coach and psychiatrist, each in a browser of their own."""

import datetime as dt
import re
from collections.abc import Callable

from accounts.models import User
from notify.models import OutboxMessage
from safety.models import Alert
from sessions.models import DosingSession
from tests.journeys import steps
from tests.journeys.conftest import JourneyClock
from tests.journeys.walker import Walker
from tests.sessions.builders import a_course, a_session_in_progress, everything_arrived, first_session

Browsers = Callable[..., Walker]
ATTESTATIONS = ("adult", "sober", "present", "stays", "read_card")
NOTHING = {"fasted": "yes", "holds_followed": "yes", "safe_now": "yes"}
WELL = {"awake": "yes", "oriented": "yes", "walks_unaided": "yes", "severe_symptom": "no", "suicidal": "no"}


def sitter_link() -> str:
    """The address in the newest text to a sitter."""
    message = OutboxMessage.objects.filter(kind="sitter_link").latest("created_at")
    found = re.search(r"/s/[\w-]+/", message.context["link"])
    assert found
    return found[0]


def types_reading(walker: Walker, systolic: int, diastolic: int) -> Walker:
    steps.types_pressure(walker, systolic, diastolic, 70)
    return walker.presses("Save this reading")


def test_a_dosing_day_is_held_at_145_over_92_and_goes_after_a_rest(
    browser_of: Browsers, the_clock: JourneyClock, at: dt.datetime, alice: User, dana: User, cole: User
) -> None:
    """PR-08, HZ-01: nobody is even offered the release of a held dose; after a rest it goes, is watched and ends by rule."""
    course = a_course(alice, dana, at)
    everything_arrived(first_session(course), dana, at)
    room = f"/sessions/{first_session(course).pk}/"
    patient = browser_of("Alice", phone=True, user=alice)
    doctor, coach = browser_of("Dana", user=dana), browser_of("Cole", user=cole)
    sitter = browser_of("Sam", phone=True)

    # Given the questions, the place, and a sitter who confirms on their own phone
    patient.opens(room).sees("988", "It is today").presses("Begin the day").sees("Today's questions")
    patient.answers_no_to_everything(**NOTHING).presses("Save and go on").sees("Where you are today")
    patient.types("address", "12 Elm Street, San Francisco, CA").picks("state", "CA")
    patient.types("contact_name", "Maja Lindqvist").types("contact_phone", "(415) 555-0112").presses(
        "This is right"
    )
    patient.types("name", "Sam Sitter").types("phone", "(415) 555-0177").presses("Send the link").sees(
        "blood pressure"
    )
    sitter.opens(sitter_link()).sees("988", "911", "Hello Sam")
    for code in ATTESTATIONS:
        sitter.chooses("attested", code)
    sitter.presses("I confirm").sees("You are confirmed")

    # When the readings are 145/92
    the_clock.goes_on(minutes=6)
    types_reading(patient.opens(room), 145, 92)
    the_clock.goes_on(minutes=2)
    types_reading(patient.opens(room), 145, 92).sees("Let's wait a little")
    # Then nobody is offered a release, and the coach reads why
    coach.opens(room).sees("The dose stays locked")
    assert not coach.page.get_by_role("button", name="Release").count()

    # When she has rested and the readings are within the limits
    the_clock.goes_on(minutes=16)
    types_reading(patient.opens(room), 124, 79)
    the_clock.goes_on(minutes=2)
    types_reading(patient.opens(room), 120, 77).sees("Almost there")
    # Then the psychiatrist releases, and the patient sees the dose
    doctor.opens(room).sees("All 16 are met").presses("Release").sees("Released")
    patient.opens(room).sees("Your dose is open")
    patient.ticks("read_by_two").types("units_taken", str(course.order.units_per_dose))
    patient.page.locator("main form button").last.click()
    patient.looks().sees("You are looked after")

    # The sitter looks in at each quarter of an hour
    taken_at = first_session(course).dose_at
    assert taken_at is not None
    for minute in (15, 30, 40, 45, 60):
        the_clock.stands_at(taken_at + dt.timedelta(minutes=minute))
        sitter.opens(sitter_link())
        if sitter.page.locator("main input[name=well]").count():
            sitter.chooses("well", "yes").presses("Done")
        if minute == 40 and first_session(course).early_reading:
            types_reading(sitter, 134, 84)
    the_clock.stands_at(taken_at + dt.timedelta(minutes=61))
    patient.opens(room).sees("Welcome back").presses("I'm sitting up")
    the_clock.stands_at(taken_at + dt.timedelta(minutes=65))
    types_reading(patient.opens(room), 132, 83)
    patient.opens(f"{room}symptoms/").chooses("dissociation", "2").chooses("nausea", "1")
    patient.page.locator("main form button").first.click()
    patient.looks()
    the_clock.stands_at(taken_at + dt.timedelta(minutes=120))
    types_reading(patient.opens(room), 122, 78)

    # Too early, without the sitter's signature, it stays open; then it ends by rule
    the_clock.stands_at(taken_at + dt.timedelta(minutes=122))
    patient.opens(room).answers_no_to_everything(**WELL)
    patient.presses("Send", exact=True).sees("A little longer")
    sitter.opens(sitter_link()).presses("I sign")
    patient.opens(room).answers_no_to_everything(**WELL)
    patient.presses("Send", exact=True).sees("Now rest", "No driving")
    assert DosingSession.objects.get(pk=first_session(course).pk).state == "released"

    # The morning after
    the_clock.goes_on(hours=19)
    patient.opens(room).sees("How are you this morning?").answers_no_to_everything(slept="yes").types(
        "mood_0_10", "7"
    )
    patient.presses("Send", exact=True).sees("That is all for this session")


def test_a_red_flag_brings_the_911_page_without_any_script(
    browser_of: Browsers, the_clock: JourneyClock, at: dt.datetime, alice: User, dana: User
) -> None:
    """HZ-03, PR-06: the paths that matter most are plain forms: the sitter's phone runs no script here."""
    session = a_session_in_progress(alice, dana, at)
    the_clock.stands_at(at + dt.timedelta(minutes=20))
    sitter = browser_of("Sam without scripts", phone=True, scripts=False)
    sitter.opens(sitter_link()).sees("Please look in now", "988", "911")
    sitter.chooses("well", "no").chooses("findings", "breathing").presses("Done").sees("911", "12 Elm Street")
    assert Alert.objects.get(patient_id=alice.pk, trigger="X01").in_session
    # The patient's page asks for help with one press, without scripts as well.
    patient = browser_of("Alice without scripts", phone=True, user=alice, scripts=False)
    patient.opens(f"/sessions/{session.pk}/help/").sees("988", "911")
    patient.page.locator("main form button").first.click()
    patient.looks().sees("911")
    # And the psychiatrist takes the alert without scripts.
    doctor = browser_of("Dana without scripts", user=dana, scripts=False)
    alert = Alert.objects.get(patient_id=alice.pk, trigger="X01")
    doctor.opens(f"/alerts/{alert.pk}/").presses("I am taking this").sees("Taken by")
