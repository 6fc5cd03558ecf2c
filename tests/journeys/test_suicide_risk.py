"""A crisis answer, help on that very page, a plan written there, and the long way back to a dose."""

import datetime as dt
from collections.abc import Callable

import pytest

from accounts.models import User
from measures.models import CssrsResult, SafetyPlan
from safety.models import Alert, SafetyHold
from sessions.models import DoseRelease
from tests.journeys.conftest import JourneyClock
from tests.journeys.walker import Walker
from tests.sessions.builders import a_session_ready_for_release

Browsers = Callable[..., Walker]


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_from_a_crisis_answer_to_help_a_plan_and_a_cleared_hold(
    browser_of: Browsers, the_clock: JourneyClock, at: dt.datetime, alice: User, dana: User, scripts: bool
) -> None:
    """PR-06, HZ-08, HZ-09: help in the same answer; no dose until the psychiatrist has found out, closed and cleared, with a note."""
    session = a_session_ready_for_release(alice, dana, at)
    room = f"/sessions/{session.pk}/"
    patient = browser_of("Alice", phone=True, user=alice, scripts=scripts)
    doctor = browser_of("Dana", user=dana)
    doctor.opens(room)
    assert doctor.page.get_by_role("button", name="Release").count()

    # She says it at the daily check-in: help and the form stand in the answer
    patient.opens("/coaching/check-in/").answers_no_to_everything(suicidal_thoughts="yes", mood="3")
    patient.page.locator("main form button.button").first.click()
    patient.looks().sees("Call 988", "Call 911", "Your safety plan", "Making my home safer")
    patient.types("signs", "I stop answering my phone").types("ask", "Maja, 415 555 0112")
    patient.presses("Save my plan").is_at("/safety-plan/").sees("is saved", "Maja, 415 555 0112")
    patient.types("surroundings", "Maja keeps the pills").presses("Save my plan").sees("Maja keeps the pills")
    assert [plan.number for plan in SafetyPlan.objects.order_by("number")] == [1, 2]
    patient.opens("/home/").follows("Your safety plan").sees("I stop answering my phone")

    # No release is possible meanwhile
    doctor.opens(room)
    assert not doctor.page.get_by_role("button", name="Release").count()

    # The psychiatrist reads the plan and signs what the interview showed; that alone frees nothing
    doctor.opens(f"/chart/{alice.pk}/").follows("Enter a C-SSRS result").is_at("/c-ssrs/")
    doctor.chooses("form", "full").chooses("ideation_level", "1").chooses("behaviour", "none")
    doctor.types("note", "Passive thoughts, no plan.").presses("Sign this result").sees("Signed", "level 1")
    doctor.opens(f"/chart/{alice.pk}/").sees("C-SSRS level 1")
    doctor.page.locator("main a[href^='/safety-plan/']").first.click()
    doctor.looks().sees("Maja keeps the pills", "Version 1")
    assert SafetyHold.objects.get(reason_code="suicide_risk").cleared_at is None
    assert CssrsResult.objects.get().signed_by_id == dana.pk

    # Taken, closed with what came of it, and only then cleared, with a note
    alert = Alert.objects.get(episode_key="suicide_risk")
    doctor.opens(f"/alerts/{alert.pk}/").presses("I am taking this").picks(
        "disposition", "contacted_plan_made"
    )
    doctor.types("note", "We talked for half an hour and read the plan.").presses("Close the alert")
    doctor.types("note", "Thoughts are passive, plan written, Maja stays.").presses("Clear the hold").sees(
        "cleared"
    )
    hold = SafetyHold.objects.get(reason_code="suicide_risk")
    assert hold.cleared_by_id == dana.pk and hold.note
    assert not DoseRelease.objects.exists()
