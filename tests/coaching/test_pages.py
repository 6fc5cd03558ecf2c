"""The pages of the coach's part: who may open them, help on the same response, one effect for one intent."""

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from coaching import actions
from coaching.models import CheckIn
from common.models import AuditEntry
from safety.models import Alert
from sessions.models import Course
from tests.coaching.builders import a_course

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]
DAILY = "/coaching/check-in/"


@pytest.fixture
def course(alice: User, dana: User, at: dt.datetime) -> Course:
    course = a_course(alice, dana, at)
    actions.plan_course(course, by=dana, at=at)
    return course


def intent_of(page: Any) -> str:
    found = re.search(r'name="intent" value="([^"]+)"', page.content.decode())
    assert found
    return found.group(1)


def test_a_check_in_takes_three_answers_and_is_done(client_for: Browser, alice: User, course: Course) -> None:
    browser = client_for(alice)
    form = {
        "intent": intent_of(browser.get(DAILY)),
        "mood": "6",
        "suicidal_thoughts": "no",
        "side_effects": ["poor_sleep"],
        "note": "ok",
    }
    assert browser.post(DAILY, form)["Location"] == DAILY
    page = browser.get(DAILY).content.decode()
    assert "Done for today" in page and "Mood 6 of 10" in page
    # A replay of the same form is shown the same place and adds nothing.
    assert browser.post(DAILY, form)["Location"] == DAILY
    assert CheckIn.objects.filter(patient=course.patient, done_at__isnull=False).count() == 1


def test_help_stands_on_the_same_response_as_the_yes(
    client_for: Browser, alice: User, course: Course
) -> None:
    """PR-06, HZ-08."""
    browser = client_for(alice)
    form = {"intent": intent_of(browser.get(DAILY)), "mood": "1", "suicidal_thoughts": "yes"}
    response = browser.post(DAILY, form)
    page = response.content.decode()
    assert response.status_code == 200
    for help_ in ("tel:988", "sms:988", "tel:911", "Your next session waits"):
        assert help_ in page
    assert Alert.objects.filter(patient=course.patient, trigger="X03").count() == 1
    # Sent again (a nervous second tap): no second alert, no second row.
    assert browser.post(DAILY, form).status_code == 302
    assert CheckIn.objects.filter(patient=course.patient, done_at__isnull=False).count() == 1


def test_an_effect_that_needs_a_clinician_is_answered_with_what_happens(
    client_for: Browser, alice: User, course: Course
) -> None:
    browser = client_for(alice)
    form = {
        "intent": intent_of(browser.get(DAILY)),
        "mood": "5",
        "suicidal_thoughts": "no",
        "side_effects": ["blood_in_urine"],
    }
    page = browser.post(DAILY, form).content.decode()
    assert "needs a doctor" in page and "988" in page


def test_a_mild_effect_is_answered_with_what_helps_and_read_by_the_coach(
    client_for: Browser, alice: User, course: Course
) -> None:
    """X13"""
    browser = client_for(alice)
    form = {
        "intent": intent_of(browser.get(DAILY)),
        "mood": "6",
        "suicidal_thoughts": "no",
        "side_effects": ["nausea"],
    }
    assert "small sips" in browser.post(DAILY, form).content.decode()
    assert Alert.objects.get(patient=course.patient).trigger == "X13"


def test_a_forgotten_answer_is_asked_for_and_nothing_is_lost(
    client_for: Browser, alice: User, course: Course
) -> None:
    browser = client_for(alice)
    response = browser.post(
        DAILY, {"intent": intent_of(browser.get(DAILY)), "mood": "7", "note": "slept <well> & long"}
    )
    page = response.content.decode()
    assert response.status_code == 422
    assert "<title>Error: " in page and 'href="#id_suicidal_thoughts_0"' in page
    assert "slept &lt;well&gt; &amp; long" in page and re.search(r'value="7"[^>]*checked', page)
    assert not CheckIn.objects.filter(done_at__isnull=False).exists()


def test_without_an_intent_nothing_happens(client_for: Browser, alice: User, course: Course) -> None:
    assert client_for(alice).post(DAILY, {"mood": "5", "suicidal_thoughts": "no"}).status_code == 422
    assert not CheckIn.objects.filter(done_at__isnull=False).exists()


def test_the_coach_writes_a_call_and_returns_to_the_list(
    client_for: Browser, cole: User, course: Course
) -> None:
    browser = client_for(cole)
    prep = CheckIn.objects.get(patient=course.patient, kind="prep")
    address = f"/coaching/check-in/{prep.pk}/"
    form = {
        "intent": intent_of(browser.get(address)),
        "reached": "yes",
        "mood": "5",
        "suicidal_thoughts": "no",
        "note": "Room is ready.",
    }
    assert browser.post(address, form)["Location"] == "/coaching/"
    assert CheckIn.objects.get(pk=prep.pk).done_by_id == cole.pk
    assert AuditEntry.objects.filter(
        action="chart.opened", patient_id=course.patient_id, actor=f"user:{cole.pk}"
    ).exists()


def test_a_coach_must_ask_about_thoughts_of_suicide_every_time(
    client_for: Browser, cole: User, course: Course
) -> None:
    browser = client_for(cole)
    prep = CheckIn.objects.get(patient=course.patient, kind="prep")
    address = f"/coaching/check-in/{prep.pk}/"
    response = browser.post(
        address, {"intent": intent_of(browser.get(address)), "reached": "yes", "mood": "5"}
    )
    assert response.status_code == 422 and "every time" in response.content.decode()


def test_a_yes_on_the_phone_tells_the_coach_what_to_do(
    client_for: Browser, cole: User, course: Course
) -> None:
    """PR-06 for the person who holds the phone."""
    browser = client_for(cole)
    prep = CheckIn.objects.get(patient=course.patient, kind="prep")
    address = f"/coaching/check-in/{prep.pk}/"
    form = {
        "intent": intent_of(browser.get(address)),
        "reached": "yes",
        "mood": "2",
        "suicidal_thoughts": "yes",
        "note": "said so",
    }
    page = browser.post(address, form).content.decode()
    assert "Stay on the line" in page and "tel:988" in page
    assert Alert.objects.filter(patient=course.patient, trigger="X03").exists()


@pytest.mark.parametrize(
    "who", ["stranger_patient", "alice", "other_coach", "other_psychiatrist", "admin_ann"]
)
def test_a_call_does_not_exist_outside_the_care_team(
    request: Any, client_for: Browser, course: Course, who: str
) -> None:
    """PR-02: not for a psychiatrist or coach of somebody else, nor for the patient herself."""
    prep = CheckIn.objects.get(patient=course.patient, kind="prep")
    browser = client_for(request.getfixturevalue(who))
    for answer in (
        browser.get(f"/coaching/check-in/{prep.pk}/"),
        browser.post(f"/coaching/check-in/{prep.pk}/", {"mood": "1"}),
    ):
        # Without an intent the form is refused before anybody is looked for.
        assert answer.status_code in (404, 422)
        assert "Lindqvist" not in answer.content.decode() or who == "alice"
    assert browser.get(f"/coaching/check-in/{prep.pk}/").status_code == 404
    assert CheckIn.objects.get(pk=prep.pk).done_at is None


def test_the_patients_own_psychiatrist_gives_a_call_where_no_coach_does(
    client_for: Browser, dana: User, course: Course
) -> None:
    """Work is without an owner nowhere: the call is on her list, so its page is hers too, and goes back to her own home."""
    prep = CheckIn.objects.get(patient=course.patient, kind="prep")
    browser, address = client_for(dana), f"/coaching/check-in/{prep.pk}/"
    page = browser.get(address)
    assert page.status_code == 200 and "Lindqvist" in page.content.decode()
    answers = {
        "reached": "yes",
        "mood": "6",
        "suicidal_thoughts": "no",
        "note": "Ready.",
        "intent": intent_of(page),
    }
    answer = browser.post(address, answers)
    assert (answer.status_code, answer["Location"]) == (302, "/home/")
    given = CheckIn.objects.get(pk=prep.pk)
    assert given.done_at is not None and given.done_by == dana


@pytest.mark.parametrize(
    "who", ["stranger_patient", "alice", "other_coach", "other_psychiatrist", "admin_ann"]
)
def test_what_somebody_said_is_read_by_their_care_team_only(
    request: Any, client_for: Browser, course: Course, alice: User, who: str
) -> None:
    """PR-02."""
    answer = client_for(request.getfixturevalue(who)).get(f"/coaching/patient/{alice.pk}/")
    assert answer.status_code == 404


def test_the_caseload_opens_within_its_budget_for_one_and_for_ten_people(
    client_for: Browser, cole: User, dana: User, course: Course, at: dt.datetime, query_budget: Any
) -> None:
    from accounts.models import CareTeam
    from tests.conftest import a_patient

    browser = client_for(cole)
    browser.get("/coaching/")
    for index in range(9):
        person = a_patient(f"Person{index} Example")
        CareTeam.objects.filter(pk=person.pk).update(psychiatrist=dana, coach=cole)
        actions.plan_course(a_course(person, dana, at - dt.timedelta(days=index + 1)), by=dana, at=at)
    with query_budget(10):
        page = browser.get("/coaching/").content.decode()
    assert page.count("<tr>") >= 11 and "Lindqvist" in page
