"""Check-ins over the API: the pages' actions with the pages' permissions."""

import datetime as dt
from typing import Any

import pytest

from accounts.models import User
from coaching import actions
from coaching.models import CheckIn
from sessions.models import Course
from tests.coaching.builders import a_course

pytestmark = pytest.mark.django_db
URL = "/api/v1/check-ins/"


@pytest.fixture
def course(alice: User, dana: User, at: dt.datetime) -> Course:
    course = a_course(alice, dana, at)
    actions.plan_course(course, by=dana, at=at)
    return course


def test_a_patient_gives_todays_check_in_once_whatever_is_replayed(
    api_for: Any, alice: User, course: Course
) -> None:
    api = api_for(alice)
    body = {"mood": 4, "suicidal_thoughts": False, "side_effects": ["nausea"], "note": "tired"}
    first = api.post(URL, body, format="json", headers={"Idempotency-Key": "today-0001"})
    again = api.post(URL, body, format="json", headers={"Idempotency-Key": "today-0001"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json() and again["Idempotent-Replay"] == "true"
    assert first.json()["crisis"] is False
    assert CheckIn.objects.filter(patient=course.patient, done_at__isnull=False).count() == 1


def test_a_yes_comes_back_as_crisis(api_for: Any, alice: User, course: Course) -> None:
    answer = api_for(alice).post(URL, {"mood": 1, "suicidal_thoughts": True}, format="json")
    assert answer.json()["crisis"] is True and answer.json()["triggers"] == ["X03"]
    assert {"988", "911"} <= set(answer.json()["help"]["call"]) and answer.json()["help"]["safety_plan"]


def test_pr_06_chest_pain_comes_back_with_whom_to_call(api_for: Any, alice: User, course: Course) -> None:
    """PR-06, X01"""
    body = {"mood": 5, "suicidal_thoughts": False, "side_effects": ["chest_pain"]}
    answer = api_for(alice).post(URL, body, format="json").json()
    assert answer["triggers"] == ["X01"] and "911" in answer["help"]["call"]


@pytest.mark.parametrize(
    "body",
    [{}, {"mood": 11, "suicidal_thoughts": False}, {"mood": 5}, {"mood": 5, "suicidal_thoughts": False, "mod": 1},
     {"mood": 5, "suicidal_thoughts": False, "side_effects": ["x"]}, {"mood": "many", "suicidal_thoughts": False}],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_the_field(
    api_for: Any, alice: User, course: Course, body: dict[str, Any]
) -> None:
    answer = api_for(alice).post(URL, body, format="json")
    assert answer.status_code == 400 and answer.json()["code"] == "invalid" and answer.json()["fields"]


def test_a_list_holds_ones_own_rows_and_a_coachs_those_they_care_for(
    api_for: Any, alice: User, cole: User, stranger_patient: User, other_coach: User, course: Course
) -> None:
    """PR-02."""
    assert len(api_for(alice).get(URL, {"page_size": 200}).json()["results"]) == 37
    assert len(api_for(cole).get(URL, {"patient": str(alice.pk), "page_size": 5}).json()["results"]) == 5
    assert api_for(stranger_patient).get(URL).json()["results"] == []
    assert api_for(other_coach).get(URL).json()["results"] == []
    assert api_for(other_coach).get(URL, {"patient": str(alice.pk)}).status_code == 404
    assert api_for(cole).get(URL, {"patient": "nonsense"}).status_code == 400
    assert api_for(None).get(URL).status_code in (401, 403)


def test_a_coach_writes_down_a_call_and_nobody_else_can(
    api_for: Any, alice: User, cole: User, dana: User, other_coach: User, course: Course
) -> None:
    prep = CheckIn.objects.get(patient=course.patient, kind="prep")
    body = {"mood": 5, "suicidal_thoughts": False, "note": "ready"}
    assert api_for(other_coach).post(f"{URL}{prep.pk}/", body, format="json").status_code == 404
    assert api_for(alice).post(f"{URL}{prep.pk}/", body, format="json").status_code == 403
    assert api_for(dana).post(f"{URL}{prep.pk}/", body, format="json").status_code == 403
    assert api_for(cole).post(f"{URL}{prep.pk}/", body, format="json").status_code == 201
    assert api_for(cole).post(f"{URL}{prep.pk}/", body, format="json").status_code == 409
    assert api_for(dana).get(f"{URL}{prep.pk}/").json()["note"] == "ready"
