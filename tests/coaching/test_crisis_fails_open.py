"""PR-06, HZ-08: a yes to the safety question brings help and a person, also from a form that is half filled, late or sent again."""

import datetime as dt
import uuid
from typing import Any

import pytest

from accounts.models import User
from coaching import actions
from coaching.models import CheckIn
from safety.models import Alert, SafetyHold
from sessions.models import Course
from tests.coaching.builders import a_course
from tests.coaching.test_pages import DAILY

pytestmark = pytest.mark.django_db


@pytest.fixture
def course(alice: User, dana: User, at: dt.datetime) -> Course:
    course = a_course(alice, dana, at)
    actions.plan_course(course, by=dana, at=at)
    return course


def somebody_is_called() -> None:
    assert Alert.objects.get().trigger == "X03"
    assert SafetyHold.objects.filter(cleared_at__isnull=True).exists()


def test_hz_08_half_a_daily_check_in_with_a_yes_is_heard(
    client_for: Any, alice: User, course: Course
) -> None:
    answer = client_for(alice).post(DAILY, {"intent": str(uuid.uuid4()), "suicidal_thoughts": "yes"})
    assert answer.status_code == 200 and "988" in answer.content.decode()
    somebody_is_called()


def test_pr_06_a_check_in_sent_again_shows_help_again(client_for: Any, alice: User, course: Course) -> None:
    form = {"intent": str(uuid.uuid4()), "mood": "1", "suicidal_thoughts": "yes"}
    browser = client_for(alice)
    browser.post(DAILY, form)
    again = browser.post(DAILY, form, follow=True)
    assert again.status_code == 200 and 'href="tel:988"' in again.content.decode()
    assert "Done for today" not in again.content.decode() and Alert.objects.get().signs == 1


def test_hz_08_half_a_check_in_over_the_api_is_refused_and_heard(
    api_for: Any, alice: User, course: Course
) -> None:
    answer = api_for(alice).post("/api/v1/check-ins/", {"suicidal_thoughts": True}, format="json")
    assert answer.status_code == 400 and answer.json()["crisis"] is True and "mood" in answer.json()["fields"]
    somebody_is_called()


def test_hz_08_a_coachs_form_that_lacks_the_mood_still_pages(
    client_for: Any, cole: User, course: Course
) -> None:
    row = CheckIn.objects.filter(patient=course.patient, done_at=None).exclude(kind="daily").first()
    assert row is not None
    answer = client_for(cole).post(
        f"/coaching/check-in/{row.pk}/",
        {"intent": str(uuid.uuid4()), "reached": "yes", "suicidal_thoughts": "yes", "note": "We talked."},
    )
    assert answer.status_code == 422 and "We talked." in answer.content.decode()
    somebody_is_called()


def test_hz_08_a_call_that_somebody_else_wrote_down_meanwhile_still_pages(
    client_for: Any, cole: User, course: Course, at: dt.datetime
) -> None:
    row = CheckIn.objects.filter(patient=course.patient, done_at=None).exclude(kind="daily").first()
    assert row is not None
    form = {"reached": "yes", "mood": "5", "suicidal_thoughts": "no", "note": "All well."}
    browser, address = client_for(cole), f"/coaching/check-in/{row.pk}/"
    assert browser.post(address, {**form, "intent": str(uuid.uuid4())}).status_code == 302
    answer = browser.post(address, {**form, "intent": str(uuid.uuid4()), "suicidal_thoughts": "yes"})
    assert answer.status_code == 200 and "Stay on the line" in answer.content.decode()
    somebody_is_called()
