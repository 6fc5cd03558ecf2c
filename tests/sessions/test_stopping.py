"""A psychiatrist ends a course: with a reason, once, and in words for the patient."""

import uuid

import pytest

from common.errors import Conflict, Invalid, NotPermitted
from notify.models import OutboxMessage
from sessions import actions
from sessions.models import Course, CourseStop, DosingSession
from tests.sessions.builders import a_course, first_session

pytestmark = pytest.mark.django_db
GOOD = {
    "reason": "not_helping",
    "note": "No change after two sessions.",
    "words": "Let us talk about what comes next.",
}


def test_ending_a_course_calls_off_what_is_to_come_and_keeps_why(client_for, alice, dana, at, clock_at):
    course = a_course(alice, dana, at)
    address = f"/sessions/{first_session(course).pk}/stop-course/"
    with clock_at(at):
        browser = client_for(dana)
        assert "Sign and end the course" in browser.get(address).content.decode()
        wrong = browser.post(address, {"intent": str(uuid.uuid4()), **GOOD, "words": "no"})
        assert wrong.status_code == 422 and "No change after two sessions." in wrong.content.decode()
        intent = str(uuid.uuid4())
        for _ in range(2):
            assert browser.post(address, {"intent": intent, **GOOD}).status_code == 302
        assert "has ended already" in browser.get(address).content.decode()
        page = client_for(alice).get("/sessions/").content.decode()
    assert Course.objects.get().state == "stopped"
    assert set(DosingSession.objects.values_list("state", flat=True)) == {"aborted"}
    kept = CourseStop.objects.get()
    assert (kept.reason, kept.note, kept.by_id) == ("not_helping", GOOD["note"], dana.pk)
    assert GOOD["words"] in page and GOOD["note"] not in page
    assert OutboxMessage.objects.filter(kind="course_news", recipient=alice).count() == 1


def test_it_asks_for_a_fresh_second_factor_and_for_this_persons_psychiatrist(
    client_for, alice, dana, cole, other_psychiatrist, at, clock_at
):
    """PR-11, PR-02."""
    course = a_course(alice, dana, at)
    address = f"/sessions/{first_session(course).pk}/stop-course/"
    with clock_at(at):
        for person in (cole, alice, other_psychiatrist):
            assert client_for(person).get(address).status_code == 404, person
        browser = client_for(dana)
        session = browser.session
        for one in session["account_authentication_methods"]:
            one["at"] -= 600
        session.save()
        answer = browser.post(address, {"intent": str(uuid.uuid4()), **GOOD})
        assert answer.status_code == 302 and "/accounts/" in answer["Location"]
    for by in (cole, other_psychiatrist):
        with pytest.raises(NotPermitted):
            actions.stop_by_psychiatrist(course, **GOOD, by=by, at=at)
    assert Course.objects.get().state == "active"


@pytest.mark.parametrize("field", ["reason", "note", "words"])
def test_each_part_is_needed(alice, dana, at, field):
    course = a_course(alice, dana, at)
    with pytest.raises(Invalid) as refused:
        actions.stop_by_psychiatrist(course, **{**GOOD, field: ""}, by=dana, at=at)
    assert set(refused.value.fields) == {field}


def test_a_course_ends_once(alice, dana, at):
    course = a_course(alice, dana, at)
    actions.stop_by_psychiatrist(course, **GOOD, by=dana, at=at)
    with pytest.raises(Conflict):
        actions.stop_by_psychiatrist(course, **GOOD, by=dana, at=at)
