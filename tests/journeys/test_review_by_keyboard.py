"""A review by keyboard in a real browser: claimed, read, asked, answered, accepted; and the same chart without a script."""

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

from accounts.models import User
from intake import actions
from intake.models import Decision, Intake
from tests.conftest import PASSWORD
from tests.intake.builders import a_submitted_intake
from tests.journeys import steps
from tests.journeys.conftest import JourneyClock
from tests.journeys.walker import Walker

Browsers = Callable[..., Walker]


def presses_key(walker: Walker, key: str) -> Walker:
    walker.page.keyboard.press(key)
    return walker


def focused(walker: Walker) -> str:
    return str(walker.page.evaluate("document.activeElement.id || document.activeElement.tagName"))


def test_a_review_by_keyboard_with_a_question_in_between(
    browser_of: Browsers,
    the_clock: JourneyClock,
    at: dt.datetime,
    alice: User,
    dana: User,
    protocol_version: Any,
    with_authenticator: Callable[[User], str],
) -> None:
    """PR-09, PR-11: taken, read by keys, asked, answered, marked, accepted."""
    a_submitted_intake(alice, at - dt.timedelta(hours=20), medicines=("sertraline",), glaucoma="controlled")
    doctor, patient = browser_of("Dana"), browser_of("Alice", phone=True, user=alice)
    steps.signs_in_with_authenticator(doctor, dana.email, PASSWORD, with_authenticator(dana))
    doctor.opens("/queue/").sees("Alice Lindqvist", "left").presses("Take the next in line")
    doctor.is_at("/chart/").sees("Why here", "sertraline", "E34")

    # Every section by its key, in order by j and k, the list of keys by ?
    for key, anchor in (("r", "rules"), ("m", "medicines"), ("s", "scores"), ("b", "pressure"), ("w", "why")):
        assert focused(presses_key(doctor, key)) == anchor, key
    assert [focused(presses_key(doctor, key)) for key in ("j", "j", "k")] == ["rules", "medicines", "rules"]
    assert not doctor.page.locator("#keys[open]").count()
    presses_key(doctor, "?")
    assert doctor.page.locator("#keys[open]").count() == 1
    doctor.looks()
    presses_key(doctor, "1")
    assert doctor.page.locator("#everything > details[open]").count() == 1

    # The question, by its key; in the field the same letters are only letters
    presses_key(doctor, "q").page.wait_for_url(re.compile("/decide/ask_more/"))
    doctor.looks().chooses("items", "body").types("letter", "Which eye doctor cares for you? d a q j")
    doctor.presses("Sign").sees("Signed")
    assert Intake.objects.get().state == "more_info"
    patient.opens("/intake/").sees("Which eye doctor", "Please look again")
    the_clock.goes_on(hours=2)
    intake = Intake.objects.get()
    body = intake.answers["body"]
    actions.save_step(
        intake, "body", {**body["data"], "glaucoma": "none"}, version=body["version"], by=alice, at=at + dt.timedelta(hours=2),
    )  # fmt: skip
    patient.opens("/intake/").presses("Send to a psychiatrist")
    assert Intake.objects.get().state == "submitted"

    # Back in the queue, marked; what changed stands on top of the chart; accepted by key
    doctor.opens("/queue/").sees("answered again").follows("Alice Lindqvist").presses(
        "Take it and open the chart"
    )
    doctor.sees("Since you last looked", "sent the intake").looks()
    presses_key(doctor, "a").page.wait_for_url(re.compile("/decide/accept/"))
    doctor.types("note", "Glaucoma was a misunderstanding.").presses("Sign").sees("Signed")
    assert [one.kind for one in Decision.objects.order_by("at")] == ["ask_more", "accept"]


def test_the_chart_without_a_script_is_the_same_chart(
    browser_of: Browsers,
    the_clock: JourneyClock,
    at: dt.datetime,
    alice: User,
    dana: User,
    protocol_version: Any,
) -> None:
    intake = a_submitted_intake(alice, at - dt.timedelta(hours=1))
    actions.claim(intake.pk, by=dana, at=at)
    doctor = browser_of("Dana", user=dana, scripts=False)
    doctor.opens(f"/chart/{intake.patient_id}/").sees("Why here", "Scores", "Everything else")
    doctor.page.locator('a[href="#scores"]').click()
    assert doctor.page.url.endswith("#scores")
    doctor.follows("Decline").sees("Reasons", "Letter to the patient")
