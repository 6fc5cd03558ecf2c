"""From a stranger's first click to an intake that waits in the queue."""

from collections.abc import Callable
from typing import Any

from accounts.models import User
from intake.models import Intake, Screening
from safety.models import Alert
from tests.common.test_files import a_picture
from tests.journeys import steps
from tests.journeys.walker import Walker

Browsers = Callable[..., Walker]
ADDRESS = "mara@example.test"


def test_from_the_assessment_to_an_intake_that_waits_in_the_queue(
    browser_of: Browsers, dana: User, protocol_version: Any
) -> None:
    """On a phone, back and forth, and finished on another device; nobody is told that they are approved."""
    mara = browser_of("Mara", phone=True)
    # Given a visitor who finds the practice and answers ten screens
    mara.opens("/").sees("988", "911").follows("Two-minute assessment")
    steps.answers_the_assessment(mara)
    mara.is_at("/assessment/result/").sees("may be a fit", "988").does_not_see(
        "approved for you", "you are approved"
    )
    # When she goes back, looks at an answer and comes forward again, nothing is lost
    mara.goes_back().is_at("/assessment/substances/")
    assert mara.page.locator("input[name=oud_history][value=no]").is_checked()
    mara.goes_forward().is_at("/assessment/result/").sees("may be a fit")
    assert Screening.objects.count() == 1
    # And she opens an account, with the link of the mail
    steps.opens_an_account(mara, ADDRESS)
    steps.begins_the_intake(mara)
    steps.says_who_they_are(mara)
    steps.answers_health(mara)
    # Then another device goes on where the phone stopped
    desk = browser_of("Mara at her desk")
    steps.signs_in(desk, ADDRESS)
    desk.opens("/intake/").sees("Your intake", "left")
    desk.opens("/intake/mind/")
    assert desk.page.locator("[name=hopes]").input_value() == "To feel at home in my days again."
    steps.lists_medicines(desk, "sertraline")
    steps.answers_mood_and_safety(desk)
    steps.answers_alcohol_and_home(desk)
    steps.measures_twice(desk)
    steps.shows_who_she_is(desk, a_picture()).sees("photo of your ID", "encrypted")
    steps.signs_consent(desk, "Mara Lindgren")
    steps.sends_the_intake(desk)
    intake = Intake.objects.get()
    assert intake.state == "submitted"
    assert intake.care_state == "CA"
    mara.opens("/intake/").sees("We have your intake")


def test_an_answer_that_excludes_is_met_with_reasons_and_other_help(
    browser_of: Browsers, protocol_version: Any
) -> None:
    visitor = browser_of("A visitor", phone=True)
    steps.answers_the_assessment(visitor, psychosis_history="yes")
    visitor.is_at("/assessment/result/").sees("right now", "What may help instead", "988", "1-800-662-4357")
    visitor.does_not_see("may be a fit")
    visitor.presses("Forget my answers").is_at("/assessment/")
    assert not [c for c in visitor.context.cookies() if c["name"] == "assessment"]


def test_thoughts_of_ending_ones_life_bring_help_in_the_same_answer(
    browser_of: Browsers, protocol_version: Any
) -> None:
    """PR-06: before anybody has an account, too."""
    visitor = browser_of("A visitor in danger", phone=True)
    visitor.opens("/assessment/why/")
    steps.fills(visitor, main_problem="crisis", low_mood="3", worry="3")
    visitor.presses("Next").is_at("/assessment/why/").sees("988", "911", "Please do not stay alone")
    # Nothing of it was kept.
    visitor.opens("/assessment/why/")
    assert not visitor.page.locator("input[value=crisis]").is_checked()


def test_item_9_on_the_intake_shows_help_and_calls_a_person(
    browser_of: Browsers, alice: User, dana: User, protocol_version: Any
) -> None:
    """PR-06, HZ-08: help on the very page that answers, an alert in the same transaction, held until somebody clears it."""
    patient = browser_of("Alice", phone=True, user=alice)
    steps.begins_the_intake(patient)
    steps.says_who_they_are(patient)
    patient.opens("/intake/phq9/")
    steps.answers_scale(patient, "phq9", [2, 2, 2, 2, 2, 2, 2, 2, 2])
    steps.saves(patient).sees("988", "911")
    alert = Alert.objects.get(patient_id=alice.pk)
    assert alert.state == "open"
    # Her psychiatrist sees it first of all, and takes it.
    doctor = browser_of("Dana", user=dana)
    doctor.opens("/alerts/").sees("Mara Lindgren")
    doctor.opens(f"/alerts/{alert.pk}/").presses("I am taking this")
    alert.refresh_from_db()
    assert alert.acknowledged_by_id == dana.pk
