"""HZ-11: a patient moves to another time zone in mid-course. What is to come follows her clock, once; what was due stays."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.actions import update_person
from accounts.models import User
from coaching import actions
from coaching.models import CheckIn
from notify.actions import dispatch_due, promise
from notify.models import OutboxMessage
from sessions.models import Course
from tests.coaching.builders import a_course, the_dose_was_taken

pytestmark = pytest.mark.django_db
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)
HOME, EAST, WEST = "America/Los_Angeles", "America/New_York", "Pacific/Honolulu"


@pytest.fixture
def course(alice: User, dana: User, at: dt.datetime) -> Course:
    course = a_course(alice, dana, at)
    actions.plan_course(course, by=dana, at=at)
    return course


def moves_to(person: User, zone: str, at: dt.datetime) -> None:
    update_person(
        User.objects.get(pk=person.pk),
        full_name=person.full_name,
        phone=person.phone,
        time_zone=zone,
        by=person,
        at=at,
    )


def in_zone(day: dt.date, hour: int, zone: str) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(hour), ZoneInfo(zone))


def reminders(row: CheckIn, *states: str) -> list[dt.datetime]:
    found = OutboxMessage.objects.filter(
        about_id=row.pk, kind="daily_check_in", state__in=states or ["scheduled"]
    )
    return sorted(found.values_list("due_at", flat=True))


def plan_of(course: Course) -> dict[tuple[str, object], dt.datetime]:
    rows = CheckIn.objects.filter(patient=course.patient, cancelled_at=None)
    return {(row.kind, row.day or row.session_id): row.due_at for row in rows}


@pytest.mark.parametrize("zone", [EAST, WEST, "America/Phoenix"])
def test_days_and_evening_calls_to_come_follow_her_clock_and_what_hangs_on_the_session_stays(
    course: Course, alice: User, at: dt.datetime, zone: str
) -> None:
    before = plan_of(course)
    moves_to(alice, zone, at)
    after = plan_of(course)
    assert after.keys() == before.keys()
    for row in CheckIn.objects.filter(patient=course.patient, kind="daily"):
        assert row.due_at == in_zone(row.day, 21, zone)
        assert reminders(row) == [in_zone(row.day, 17, zone)], (
            "one reminder, at five in the afternoon where she is"
        )
    for (kind, key), due_at in after.items():
        if kind == "integration":
            assert due_at.astimezone(ZoneInfo(zone)).hour == 18
        elif kind != "daily":
            assert due_at == before[(kind, key)]
    overdue = OutboxMessage.objects.filter(kind="check_in_overdue", state="scheduled").values_list(
        "about_id", flat=True
    )
    assert len(overdue) == len(set(overdue)) == 13


def test_there_and_back_is_as_before_and_the_same_zone_again_changes_nothing(
    course: Course, alice: User, at: dt.datetime
) -> None:
    def waiting() -> list[tuple[object, str, dt.datetime]]:
        rows = OutboxMessage.objects.filter(state="scheduled").order_by("kind", "due_at", "about_id")
        return list(rows.values_list("about_id", "kind", "due_at"))

    before, messages = plan_of(course), waiting()
    for zone in (EAST, EAST, WEST, HOME):
        moves_to(alice, zone, at)
    assert (plan_of(course), waiting()) == (before, messages)
    assert actions.plan_course(course, by=alice, at=at) == 0


def test_whoever_was_asked_today_is_not_asked_twice_when_she_flies_west(
    course: Course, alice: User, at: dt.datetime
) -> None:
    the_dose_was_taken(course, 1, at + 7 * DAY)
    moves_to(alice, EAST, at)
    day = (at + 8 * DAY).astimezone(ZoneInfo(EAST)).date()
    today = CheckIn.objects.get(patient=course.patient, kind="daily", day=day)
    asked_at = in_zone(day, 17, EAST)
    dispatch_due(at=asked_at)
    assert len(reminders(today, "sent")) == 1
    moves_to(alice, WEST, asked_at + HOUR)
    today.refresh_from_db()
    # Until nine in the evening where she is now; asked once.
    assert today.due_at == in_zone(day, 21, WEST)
    assert reminders(today, "scheduled") == []
    tomorrow = CheckIn.objects.get(patient=course.patient, kind="daily", day=day + DAY)
    assert reminders(tomorrow) == [in_zone(day + DAY, 17, WEST)]


def test_an_evening_that_is_over_in_the_new_zone_keeps_the_time_she_was_given(
    course: Course, alice: User, at: dt.datetime
) -> None:
    the_dose_was_taken(course, 1, at + 7 * DAY)
    day = (at + 8 * DAY).astimezone(ZoneInfo(HOME)).date()
    today = CheckIn.objects.get(patient=course.patient, kind="daily", day=day)
    now = in_zone(day, 19, HOME)  # ten in the evening in New York
    moves_to(alice, EAST, now)
    today.refresh_from_db()
    assert today.due_at == in_zone(day, 21, HOME)
    given = actions.check_in_today(course.patient, by=alice, at=now, mood=6, suicidal_thoughts=False)
    assert given.check_in.pk == today.pk


def test_an_unanswered_day_stays_unanswered_wherever_she_is(
    course: Course, alice: User, at: dt.datetime
) -> None:
    """X20 counts days that went by; a flight un-misses none of them, and asks for none again."""
    the_dose_was_taken(course, 1, at + 7 * DAY)
    now = at + 10 * DAY
    missed = CheckIn.objects.filter(patient=course.patient, kind="daily", due_at__lte=now)
    before = list(missed.order_by("day").values_list("pk", "due_at", "cancelled_at"))
    assert len(before) == 2
    for zone in (WEST, "Pacific/Guam", EAST):
        moves_to(alice, zone, now)
    rows = CheckIn.objects.filter(pk__in=[pk for pk, *_ in before]).order_by("day")
    assert list(rows.values_list("pk", "due_at", "cancelled_at")) == before


def test_somebody_without_a_course_and_staff_move_without_a_plan(
    alice: User, cole: User, at: dt.datetime
) -> None:
    for person in (alice, cole):
        moves_to(person, EAST, at)
    assert not CheckIn.objects.exists()


def test_what_waits_for_the_morning_waits_for_the_morning_of_the_new_place(
    alice: User, at: dt.datetime
) -> None:
    night = at + 14 * HOUR  # eleven in the evening in Los Angeles, two in New York
    message = promise(
        "daily_check_in", to=alice, channel="email", context={"path": "/"}, due_at=night, at=at, about=alice
    )
    day = night.astimezone(ZoneInfo(HOME)).date() + DAY
    assert message.due_at == in_zone(day, 8, HOME)
    moves_to(alice, EAST, at)
    message.refresh_from_db()
    assert message.due_at == in_zone(day, 8, EAST)
    moves_to(alice, WEST, at)
    message.refresh_from_db()
    assert message.due_at == in_zone(day, 8, WEST)


zones = st.sampled_from(
    [HOME, EAST, WEST, "America/Anchorage", "Pacific/Guam", "America/Puerto_Rico", "America/Phoenix"]
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(trips=st.lists(st.tuples(zones, st.integers(1, 40)), min_size=1, max_size=5))
def test_wherever_she_travels_no_day_is_asked_for_twice_and_none_in_the_night(
    alice: User, dana: User, at: dt.datetime, trips: list[tuple[str, int]]
) -> None:
    """HZ-11, PR-03"""
    with transaction.atomic():
        course = a_course(alice, dana, at)
        actions.plan_course(course, by=dana, at=at)
        the_dose_was_taken(course, 1, at + 7 * DAY)
        now = at + 7 * DAY + 4 * HOUR
        for zone, hours in trips:
            moves_to(alice, zone, now)
            for _ in range(hours):
                now += HOUR
                dispatch_due(at=now)
        sent = OutboxMessage.objects.filter(kind="daily_check_in", state="sent")
        assert len({row.about_id for row in sent}) == len(sent)
        waiting = OutboxMessage.objects.filter(kind="daily_check_in", state="scheduled")
        assert len({row.about_id for row in waiting}) == len(waiting)
        assert not {row.about_id for row in waiting} & {row.about_id for row in sent}
        days = CheckIn.objects.filter(patient=course.patient, kind="daily").values_list("day", flat=True)
        assert len(days) == len(set(days))
        transaction.set_rollback(True)
