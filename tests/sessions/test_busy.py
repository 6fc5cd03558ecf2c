"""A visit and a session never have one person's time at once, whichever was there first."""

import datetime as dt
import threading
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Patient, User
from common.errors import Invalid, SlotTaken
from consults import actions as visits
from consults.access import open_slots
from consults.models import Appointment
from sessions import actions, states
from sessions.access.facts import timeline_for
from sessions.models import DosingSession
from tests.consults.builders import an_appointment, weekly_hours
from tests.sessions.builders import a_course, a_session_in_progress, first_session, fresh

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("protocol_version")]
MINUTE, DAY = dt.timedelta(minutes=1), dt.timedelta(days=1)


def coming(alice: User, dana: User, at: dt.datetime) -> tuple[DosingSession, dt.timedelta]:
    """A session in three days, and how long it takes."""
    weekly_hours(dana, ends=dt.time(22))
    session = first_session(a_course(alice, dana, at, first_in_days=3))
    return session, timeline_for(session).watch_until_minutes * MINUTE


def hold(alice: User, dana: User, starts_at: dt.datetime, at: dt.datetime) -> Appointment:
    return visits.hold_slot(
        Patient.objects.get(pk=alice.pk),
        visit_type="follow_up",
        clinician_id=dana.pk,
        starts_at=starts_at,
        by=alice,
        at=at,
    )


def test_no_time_that_touches_a_session_is_offered_to_her_and_all_others_are(
    alice: User, dana: User, at: dt.datetime
) -> None:
    session, length = coming(alice, dana, at)
    begin, end = session.scheduled_at, session.scheduled_at + length
    day = begin.replace(hour=8) - 8 * 60 * MINUTE
    offered = open_slots("follow_up", Patient.objects.get(pk=alice.pk), day, day + 2 * DAY, at=at)
    assert offered
    assert not [one for one in offered if one.starts_at < end and begin < one.ends_at]
    # What ends as the session begins, and what begins as its watch ends, stays free.
    assert begin in {one.ends_at for one in offered}
    assert end in {one.starts_at for one in offered}


def test_a_visit_is_not_held_in_the_middle_of_a_session(alice: User, dana: User, at: dt.datetime) -> None:
    session, length = coming(alice, dana, at)
    with pytest.raises(SlotTaken):
        hold(alice, dana, session.scheduled_at + length / 2, at)
    assert hold(alice, dana, session.scheduled_at + length, at).state == "held"


def test_a_double_booking_on_purpose_does_not_go_over_a_session(
    alice: User, dana: User, at: dt.datetime
) -> None:
    session, length = coming(alice, dana, at)
    how = {"visit_type": "follow_up", "reason": "She asked for it", "by": dana, "at": at}
    with pytest.raises(SlotTaken, match="session at home"):
        visits.double_book(
            Patient.objects.get(pk=alice.pk), starts_at=session.scheduled_at + length - MINUTE, **how
        )
    assert (
        visits.double_book(
            Patient.objects.get(pk=alice.pk), starts_at=session.scheduled_at + length, **how
        ).state
        == "booked"
    )


def test_a_visit_is_not_moved_into_a_session(alice: User, dana: User, at: dt.datetime) -> None:
    session, _ = coming(alice, dana, at)
    booked = visits.confirm_booking(hold(alice, dana, at + DAY, at), by=alice, at=at)
    with pytest.raises(SlotTaken):
        visits.reschedule(booked, starts_at=session.scheduled_at, clinician_id=None, by=alice, at=at)


def test_a_session_is_not_moved_over_a_visit(alice: User, dana: User, at: dt.datetime) -> None:
    session, length = coming(alice, dana, at)
    there = session.scheduled_at + 2 * DAY
    visit = an_appointment(alice, dana, there + length - MINUTE, minutes=15, visit_type="follow_up")
    with pytest.raises(Invalid, match="Session 1 would fall on a visit") as refused:
        actions.reschedule_session(session, on=there.date(), by=alice, at=at)
    assert "on" in refused.value.fields
    assert fresh(session).scheduled_at == session.scheduled_at
    visits.cancel(visit, by=alice, at=at)
    assert actions.reschedule_session(fresh(session), on=there.date(), by=alice, at=at).scheduled_at == there


def test_a_visit_that_begins_as_the_watch_ends_is_not_in_the_way(
    alice: User, dana: User, at: dt.datetime
) -> None:
    session, length = coming(alice, dana, at)
    there = session.scheduled_at + 2 * DAY
    an_appointment(alice, dana, there + length, minutes=15, visit_type="follow_up")
    assert actions.reschedule_session(session, on=there.date(), by=alice, at=at).scheduled_at == there


def test_the_sessions_that_follow_are_not_pushed_over_a_visit(
    alice: User, dana: User, at: dt.datetime
) -> None:
    session, _ = coming(alice, dana, at)
    on = session.scheduled_at + 5 * DAY
    an_appointment(alice, dana, on + 7 * DAY, minutes=15, visit_type="follow_up")
    with pytest.raises(Invalid, match="Session 2 would fall on a visit"):
        actions.reschedule_session(session, on=on.date(), by=alice, at=at)
    assert fresh(session).scheduled_at == session.scheduled_at


def test_an_order_is_not_turned_into_sessions_over_a_visit(alice: User, dana: User, at: dt.datetime) -> None:
    with_visit = at.replace(hour=18)
    an_appointment(alice, dana, with_visit, minutes=240, visit_type="follow_up")
    with pytest.raises(Invalid, match="Session 1 would fall on a visit"):
        a_course(alice, dana, at)
    assert not DosingSession.objects.exists()


def test_a_session_that_began_late_has_her_time_until_its_own_watch_ends(
    alice: User, dana: User, at: dt.datetime
) -> None:
    weekly_hours(dana, ends=dt.time(22))
    session = a_session_in_progress(alice, dana, at)
    assert session.dose_at is not None
    assert session.state in states.WATCHED
    end = session.dose_at + timeline_for(session).watch_until_minutes * MINUTE
    offered = open_slots("follow_up", Patient.objects.get(pk=alice.pk), at, at + DAY, at=at)
    assert offered
    assert min(one.starts_at for one in offered) >= end


def test_sessions_of_a_course_that_was_stopped_are_in_nobodys_way(
    alice: User, dana: User, at: dt.datetime
) -> None:
    session, _ = coming(alice, dana, at)
    actions.stop_course(session.course, by=dana, at=at, reason="not_helping")
    assert hold(alice, dana, session.scheduled_at, at).state == "held"


def test_whoever_moves_a_session_and_whoever_signs_an_order_lock_in_one_order(
    alice: User, dana: User, at: dt.datetime
) -> None:
    """The person, then their times: two that did it the other way round would wait for each other."""
    with CaptureQueriesContext(connection) as signing:
        session, _ = coming(alice, dana, at)
    with CaptureQueriesContext(connection) as moving:
        actions.reschedule_session(session, on=(session.scheduled_at + DAY).date(), by=alice, at=at)
    for seen in (signing, moving):
        asked = [query["sql"] for query in seen]
        times = next(i for i, sql in enumerate(asked) if "pg_advisory_xact_lock" in sql)
        person = [i for i, sql in enumerate(asked) if "accounts_patient" in sql and "NO KEY UPDATE" in sql]
        assert any(i < times for i in person)


@pytest.mark.django_db(transaction=True)
def test_a_booking_and_a_move_at_the_same_moment_are_one_of_the_two(
    alice: User, dana: User, at: dt.datetime
) -> None:
    session, _ = coming(alice, dana, at)
    there = session.scheduled_at + 2 * DAY
    gate, said = threading.Barrier(2), {}

    def does(name: str, work: Any) -> None:
        gate.wait()
        try:
            work()
            said[name] = "done"
        except (SlotTaken, Invalid):
            said[name] = "refused"
        finally:
            connection.close()

    threads = [
        threading.Thread(target=does, args=("visit", lambda: hold(alice, dana, there, at))),
        threading.Thread(
            target=does,
            args=(
                "session",
                lambda: actions.reschedule_session(session, on=there.date(), by=alice, at=at),
            ),
        ),
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(said.values()) == ["done", "refused"]
