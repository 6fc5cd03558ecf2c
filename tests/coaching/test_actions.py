"""Planning, giving and noticing, on the real database."""

import datetime as dt

import pytest
from django.db import DatabaseError, transaction

from accounts.models import CareTeam, Patient, User
from coaching import access, actions
from coaching.models import CheckIn
from common.errors import Conflict, Invalid, NotPermitted
from notify.models import OutboxMessage
from safety.models import Alert, SafetyHold
from sessions.models import Course, DosingSession
from tests.coaching.builders import a_course, the_dose_was_taken

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture
def course(alice: User, dana: User, at: dt.datetime) -> Course:
    course = a_course(alice, dana, at)
    actions.plan_course(course, by=dana, at=at)
    return course


def kinds(course: Course) -> dict[str, int]:
    rows = CheckIn.objects.filter(patient=course.patient, cancelled_at__isnull=True)
    return {
        kind: rows.filter(kind=kind).count()
        for kind in CheckIn.Kind.values
        if rows.filter(kind=kind).exists()
    }


def test_a_course_has_calls_around_each_session_and_a_daily_check_in_between(course: Course) -> None:
    assert kinds(course) == {"prep": 1, "pre_session": 4, "post_session": 4, "integration": 4, "daily": 24}


def test_planning_twice_changes_nothing(course: Course, dana: User, at: dt.datetime) -> None:
    assert actions.plan_course(course, by=dana, at=at) == 0
    assert OutboxMessage.objects.filter(kind="daily_check_in").count() == 24


def test_a_session_that_moves_takes_its_check_ins_and_reminders_along(
    course: Course, at: dt.datetime
) -> None:
    second = DosingSession.objects.get(course=course, number=2)
    DosingSession.objects.filter(pk=second.pk).update(scheduled_at=second.scheduled_at + DAY)
    # Three calls move; of the six days the first falls away and one is added.
    assert actions.sweep(at=at)["planned"] == 5
    pre = CheckIn.objects.get(session=second, kind="pre_session")
    assert pre.due_at == second.scheduled_at + DAY - dt.timedelta(minutes=30)
    waiting = OutboxMessage.objects.filter(about_id=pre.pk, state="scheduled")
    assert [m.wanted_at for m in waiting] == [pre.due_at + dt.timedelta(hours=2)]
    assert access.out_of_step(at=at).count() == 0


def test_a_missed_session_needs_no_calls(course: Course, at: dt.datetime) -> None:
    DosingSession.objects.filter(course=course, number=4).update(state="missed")
    actions.sweep(at=at)
    assert kinds(course)["pre_session"] == 3
    assert access.out_of_step(at=at).count() == 0


def test_what_follows_a_session_counts_from_the_real_dose(course: Course, at: dt.datetime) -> None:
    taken_at = at + 7 * DAY + dt.timedelta(hours=1)
    session = the_dose_was_taken(course, 1, taken_at)
    actions.on_session_closed(session=session, by="system:test", at=taken_at)
    post = CheckIn.objects.get(session=session, kind="post_session")
    assert post.due_at == taken_at + dt.timedelta(minutes=105)


def test_a_daily_check_in_fills_the_planned_row_and_takes_its_reminder_back(
    course: Course, alice: User, at: dt.datetime
) -> None:
    day = at + 8 * DAY
    planned = CheckIn.objects.get(
        patient=course.patient, kind="daily", day=access.local_day(course.patient, day)
    )
    given = actions.check_in_today(course.patient, by=alice, at=day, mood=6, suicidal_thoughts=False)
    assert given.check_in.pk == planned.pk
    assert not given.crisis and not given.triggers
    assert set(OutboxMessage.objects.filter(about_id=planned.pk).values_list("state", flat=True)) == {
        "cancelled"
    }


def test_a_second_answer_on_a_day_adds_and_never_clears(course: Course, alice: User, at: dt.datetime) -> None:
    """HZ-27: regret does not edit what was said."""
    first = actions.check_in_today(course.patient, by=alice, at=at, mood=2, suicidal_thoughts=True).check_in
    second = actions.check_in_today(course.patient, by=alice, at=at, mood=8, suicidal_thoughts=False).check_in
    assert second.kind == "extra" and second.pk != first.pk
    assert Alert.objects.filter(patient=course.patient, state="open").exists()
    for change in ({"mood": 9}, {"suicidal_thoughts": False}):
        with pytest.raises(DatabaseError), transaction.atomic():
            CheckIn.objects.filter(pk=first.pk).update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        CheckIn.objects.filter(pk=first.pk).delete()


def test_a_yes_to_thoughts_of_suicide_alerts_and_holds_in_the_same_transaction(
    course: Course, alice: User, at: dt.datetime
) -> None:
    """HZ-08, PR-06."""
    given = actions.check_in_today(course.patient, by=alice, at=at, mood=3, suicidal_thoughts=True)
    assert given.crisis
    alert = Alert.objects.get(patient=course.patient)
    assert (alert.trigger, alert.source_id) == ("X03", str(given.check_in.pk))
    assert SafetyHold.objects.get(patient=course.patient).reason_code == "suicide_risk"
    assert OutboxMessage.objects.filter(about_id=alert.pk).exists()


@pytest.mark.parametrize(
    ("effect", "trigger", "hold"), [("blood_in_urine", "X08", "urinary_blood"), ("fainting", "X12", None)]
)
def test_an_effect_that_needs_a_clinician_tells_one(
    course: Course, alice: User, at: dt.datetime, effect: str, trigger: str, hold: str | None
) -> None:
    actions.check_in_today(
        course.patient, by=alice, at=at, mood=5, suicidal_thoughts=False, side_effects=[effect]
    )
    assert Alert.objects.get(patient=course.patient).trigger == trigger
    assert list(SafetyHold.objects.values_list("reason_code", flat=True)) == ([hold] if hold else [])


def test_the_coach_gives_a_call_once(course: Course, cole: User, at: dt.datetime) -> None:
    prep = CheckIn.objects.get(patient=course.patient, kind="prep")
    actions.give_check_in(
        prep, by=cole, at=at, mood=5, suicidal_thoughts=False, note="Set-up talked through. BP <130 & calm."
    )
    assert CheckIn.objects.get(pk=prep.pk).note == "Set-up talked through. BP <130 & calm."
    with pytest.raises(Conflict):
        actions.give_check_in(prep, by=cole, at=at, mood=9, suicidal_thoughts=False)


def test_a_patient_cannot_give_the_coachs_call_nor_the_coach_the_patients_day(
    course: Course, alice: User, cole: User, at: dt.datetime
) -> None:
    prep = CheckIn.objects.get(patient=course.patient, kind="prep")
    daily = CheckIn.objects.filter(patient=course.patient, kind="daily").first()
    assert daily is not None
    with pytest.raises(NotPermitted):
        actions.give_check_in(prep, by=alice, at=at, mood=5, suicidal_thoughts=False)
    with pytest.raises(NotPermitted):
        actions.give_check_in(daily, by=cole, at=at, mood=5, suicidal_thoughts=False)
    with pytest.raises(NotPermitted):
        actions.check_in_today(course.patient, by=cole, at=at, mood=5, suicidal_thoughts=False)


@pytest.mark.parametrize("mood", [-1, 11, None])
def test_a_mood_outside_0_to_10_is_refused(
    course: Course, alice: User, at: dt.datetime, mood: int | None
) -> None:
    with pytest.raises(Invalid) as caught:
        actions.check_in_today(course.patient, by=alice, at=at, mood=mood, suicidal_thoughts=False)  # type: ignore[arg-type]
    assert "mood" in caught.value.fields


def test_somebody_not_reached_needs_no_mood(course: Course, cole: User, at: dt.datetime) -> None:
    prep = CheckIn.objects.get(patient=course.patient, kind="prep")
    given = actions.give_check_in(prep, by=cole, at=at, reached=False, note="Rang at 9:00 and 9:30.")
    assert given.check_in.mood is None and not given.crisis


def test_three_unanswered_days_tell_the_coach_once_and_a_fourth_does_not_repeat_it(
    course: Course, at: dt.datetime
) -> None:
    """X20."""
    evenings = sorted(
        CheckIn.objects.filter(patient=course.patient, kind="daily").values_list("due_at", flat=True)
    )
    second, third, fourth = (due + dt.timedelta(minutes=1) for due in evenings[1:4])
    assert actions.sweep(at=second)["silent"] == 0
    assert actions.sweep(at=third)["silent"] == 1
    alert = Alert.objects.get(patient=course.patient, trigger="X20")
    assert actions.sweep(at=third)["silent"] == 0
    Alert.objects.filter(pk=alert.pk).update(
        state="closed",
        closed_at=third,
        closed_by=course.order.prescriber,
        disposition="contacted_safe",
        note="ok then",
    )
    assert actions.sweep(at=fourth)["silent"] == 0
    assert Alert.objects.filter(trigger="X20").count() == 1


def test_an_answer_ends_the_silence(course: Course, alice: User, at: dt.datetime) -> None:
    days = list(CheckIn.objects.filter(patient=course.patient, kind="daily").order_by("due_at")[:3])
    actions.give_check_in(days[1], by=alice, at=days[1].due_at, mood=5, suicidal_thoughts=False)
    assert actions.sweep(at=days[2].due_at + dt.timedelta(minutes=1))["silent"] == 0


def test_the_caseload_puts_alerts_first_then_what_is_due_soonest(
    course: Course,
    alice: User,
    dana: User,
    cole: User,
    stranger_patient: User,
    other_coach: User,
    at: dt.datetime,
) -> None:
    CareTeam.objects.filter(pk=stranger_patient.pk).update(psychiatrist=dana, coach=cole)
    sooner = a_course(stranger_patient, dana, at - DAY, first_in_days=4)
    actions.plan_course(sooner, by=dana, at=at)
    assert [p.pk for p in access.caseload(cole, at=at).rows] == [stranger_patient.pk, alice.pk]
    actions.check_in_today(course.patient, by=alice, at=at, mood=1, suicidal_thoughts=True)
    rows = access.caseload(cole, at=at).rows
    assert [p.pk for p in rows] == [alice.pk, stranger_patient.pk]
    assert (rows[0].open_alerts, rows[0].last_mood, rows[0].next_session_number) == (1, 1, 1)
    assert access.caseload(other_coach, at=at).rows == []


def test_pages_of_the_caseload_meet_without_gap_or_repeat(
    course: Course, alice: User, dana: User, cole: User, stranger_patient: User, at: dt.datetime
) -> None:
    CareTeam.objects.filter(pk=stranger_patient.pk).update(coach=cole)
    actions.plan_course(a_course(stranger_patient, dana, at, first_in_days=9), by=dana, at=at)
    first = access.caseload(cole, at=at, limit=1)
    second = access.caseload(cole, at=at, after=first.next_key, limit=1)
    assert [p.pk for p in first.rows + second.rows] == [alice.pk, stranger_patient.pk]
    assert second.next_key == ""
    assert len(access.caseload(cole, at=at, after="nonsense").rows) == 2


def test_somebody_who_is_accepted_gets_the_coach_with_the_smallest_caseload(
    alice: User, stranger_patient: User, dana: User, cole: User, other_coach: User, at: dt.datetime
) -> None:
    bob = Patient.objects.get(pk=stranger_patient.pk)
    assert actions.match_coach(bob, by=dana, at=at) == other_coach  # Cole has Alice
    assert CareTeam.objects.get(patient=bob).coach == other_coach


def test_a_coach_who_was_chosen_stays(
    alice: User, dana: User, cole: User, other_coach: User, at: dt.datetime
) -> None:
    assert actions.match_coach(Patient.objects.get(pk=alice.pk), by=dana, at=at) is None
    assert CareTeam.objects.get(patient_id=alice.pk).coach == cole


def test_a_coach_who_left_is_given_nobody(
    stranger_patient: User, dana: User, cole: User, at: dt.datetime
) -> None:
    User.objects.filter(pk=cole.pk).update(is_active=False)
    assert actions.match_coach(Patient.objects.get(pk=stranger_patient.pk), by=dana, at=at) is None
