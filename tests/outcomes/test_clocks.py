"""What the public pages promise by the calendar: questions at week 6 and months 3, 6 and 12, the bladder each month, a visit that looks back."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import Patient, User
from measures.actions import record_response
from measures.models import InstrumentResponse
from measures.rules import instrument
from notify.actions import dispatch_due
from notify.models import OutboxMessage, SandboxDelivery
from outcomes import access, actions
from portal.work import gather
from safety.models import Alert, SafetyHold
from sessions.models import Course
from tests.coaching.builders import a_course, the_dose_was_taken
from tests.consults.builders import a_signed_note, an_appointment

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
FOLLOW_UPS = ("follow_up_6w", "follow_up_12w", "follow_up_6m", "follow_up_12m")


@pytest.fixture
def course(alice: User, dana: User, at: dt.datetime) -> Course:
    """The first dose was taken at `at`."""
    course = a_course(alice, dana, at, first_in_days=1)
    the_dose_was_taken(course, 1, at)
    return course


def answer(patient: User, code: str, timepoint: str, at: dt.datetime, **yes: int) -> InstrumentResponse:
    given = {item.code: 0 for item in instrument(code).items} | yes
    row = Patient.objects.get(pk=patient.pk)
    return record_response(row, code, given, timepoint, by=patient, at=at).response


def lines(person: User, kind: str, at: dt.datetime) -> list[Any]:
    return [item for item in gather(person, at=at) if item.kind == kind]


@pytest.mark.parametrize(("timepoint", "day"), zip(FOLLOW_UPS, (42, 90, 180, 360), strict=True))
def test_at_each_follow_up_mood_bladder_and_use_are_asked(
    course: Course, at: dt.datetime, timepoint: str, day: int
) -> None:
    """Protocol 8.3: week 6 and months 3, 6 and 12 after the first dose, also when the course is over."""
    Course.objects.filter(pk=course.pk).update(state="completed")
    due = access.due_for(course.patient, at=at + day * DAY)
    assert {(one.instrument, one.timepoint) for one in due} == {
        (name, timepoint) for name in ("phq9", "gad7", "bladder", "use")
    }


def test_each_follow_up_is_reminded_of_on_its_day_and_once_more_and_not_after_the_answer(
    course: Course, alice: User, at: dt.datetime
) -> None:
    actions.on_session_closed(session=course.sessions.get(number=1), by="system:test", at=at + DAY)
    rows = OutboxMessage.objects.filter(kind="questionnaire_due", state="scheduled")
    assert {row.dedupe_key.split(":")[2] for row in rows.all()} == set(FOLLOW_UPS) and rows.count() == 8
    when = at + 41 * DAY
    for code in ("phq9", "gad7", "bladder", "use"):
        assert rows.count() == 8
        answer(alice, code, "follow_up_6w", when)
    # Week 6 is answered: neither of its reminders goes, those of the later ones stay.
    assert {row.dedupe_key.split(":")[2] for row in rows.all()} == set(FOLLOW_UPS[1:]) and rows.count() == 6


def test_a_month_after_the_last_answer_the_bladder_is_asked_about_again_while_doses_are_given(
    course: Course, alice: User, at: dt.datetime
) -> None:
    """Protocol 8.3: monthly while dosing; 27 days are not a month, 28 are."""
    assert access.due_for(course.patient, at=at + 28 * DAY - dt.timedelta(seconds=1)) == []
    (due,) = access.due_for(course.patient, at=at + 28 * DAY)
    assert (due.instrument, due.label, due.late) == ("bladder", "Once a month", False)
    assert actions.sweep(at=at + 28 * DAY) == {"reminded": 1}
    actions.sweep(at=at + 29 * DAY)
    assert OutboxMessage.objects.filter(kind="questionnaire_due").count() == 1
    dispatch_due(at=at + 29 * DAY)
    (sent,) = SandboxDelivery.objects.all()
    assert "bladder" not in (sent.subject + sent.body).lower()
    answer(alice, "bladder", "checkin", at + 30 * DAY)
    assert access.due_for(course.patient, at=at + 31 * DAY) == []
    assert actions.sweep(at=at + 57 * DAY) == {"reminded": 0} and actions.sweep(at=at + 58 * DAY) == {
        "reminded": 1
    }
    # When the course is over the follow-ups ask instead.
    Course.objects.filter(pk=course.pk).update(state="completed")
    assert actions.sweep(at=at + 90 * DAY) == {"reminded": 0}


@pytest.mark.parametrize(
    ("code", "item", "trigger"),
    [
        ("bladder", "bladder_blood", "X08"),
        ("bladder", "bladder_often", "X09"),
        ("bladder", "bladder_urgent", "X09"),
        ("bladder", "bladder_pain", "X09"),
        ("bladder", "bladder_burning", "X09"),
        ("use", "use_more", "X22"),
        ("use", "use_elsewhere", "X22"),
        ("use", "use_craving", "X22"),
    ],
)
def test_a_yes_calls_whom_the_protocol_names_and_holds_what_it_holds(
    course: Course, alice: User, at: dt.datetime, code: str, item: str, trigger: str
) -> None:
    answer(alice, code, "follow_up_6w", at + 40 * DAY)
    assert not Alert.objects.exists()
    answer(alice, code, "follow_up_12w", at + 90 * DAY, **{item: 1})
    assert Alert.objects.get().trigger == trigger
    assert SafetyHold.objects.filter(patient_id=alice.pk, cleared_at__isnull=True).exists()


def test_the_page_says_at_once_what_follows_from_a_yes(
    course: Course, alice: User, client_for: Callable[..., Client], at: dt.datetime, clock_at: Any
) -> None:
    with clock_at(at + 28 * DAY):
        browser = client_for(alice)
        assert (
            "Your bladder in the last month"
            in browser.get("/outcomes/questionnaire/bladder/").content.decode()
        )
        form = {item.code: "0" for item in instrument("bladder").items} | {"bladder_blood": "1"}
        from common.intents import mint

        page = browser.post(
            "/outcomes/questionnaire/bladder/", form | {"intent": mint()}, follow=True
        ).content.decode()
    assert "urgent care today" in page and Alert.objects.get().trigger == "X08"


def test_questions_nobody_answers_become_the_coachs_work_and_leave_it_by_being_answered(
    course: Course, alice: User, cole: User, at: dt.datetime
) -> None:
    (waiting,) = lines(cole, "questionnaire.late", at + 40 * DAY)
    assert waiting.waiting_on == "the patient" and "4 short questionnaires" in waiting.title
    (late,) = lines(cole, "questionnaire.late", at + 50 * DAY)
    assert late.overdue(at + 50 * DAY) and late.title.startswith("Week 6")
    for code in ("phq9", "gad7", "bladder", "use"):
        answer(alice, code, "follow_up_6w", at + 50 * DAY)
    assert lines(cole, "questionnaire.late", at + 50 * DAY) == []


def test_half_a_questionnaire_is_still_asked_for(course: Course, alice: User, at: dt.datetime) -> None:
    row = Patient.objects.get(pk=alice.pk)
    record_response(row, "phq9", {"phq9_9": 1}, "follow_up_6w", by=alice, at=at + 40 * DAY, complete=False)
    assert "phq9" in {one.instrument for one in access.due_for(row, at=at + 40 * DAY)}


def test_a_course_that_is_over_wants_a_visit_that_looks_back_until_one_is_noted_or_booked(
    course: Course, alice: User, dana: User, at: dt.datetime
) -> None:
    """Protocol 8.1: the outcome visit a week after the last dose."""
    assert lines(dana, "outcome.visit", at + DAY) == []
    Course.objects.filter(pk=course.pk).update(state="completed")
    (line,) = lines(dana, "outcome.visit", at + DAY)
    assert line.due_at == at + 7 * DAY
    visit = an_appointment(alice, dana, at + 6 * DAY, visit_type="follow_up", minutes=15)
    assert lines(dana, "outcome.visit", at + 5 * DAY) == []
    visit.delete()
    a_signed_note(alice, dana, at + 8 * DAY)
    assert lines(dana, "outcome.visit", at + 9 * DAY) == []
