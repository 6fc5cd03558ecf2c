"""Reminders are what the course says, after whatever happened to it: nothing lost, nothing doubled, nothing early."""

import datetime as dt
from typing import Any

from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from coaching.actions import plan_course
from coaching.models import CheckIn
from common.clock import local_date
from common.errors import DomainError
from notify.actions import dispatch_due
from notify.models import OutboxMessage, SandboxDelivery
from notify.rules import next_allowed
from sessions import actions, rules, states
from sessions.access.facts import timeline_for
from sessions.actions.course import REMINDERS
from sessions.models import Course, DosingSession
from tests.sessions.builders import a_course, fresh

ZONE = "America/Los_Angeles"


def wanted(course: Course, *, after: dt.datetime) -> set[tuple[Any, str, dt.datetime]]:
    """What the course asks for: each session to come, each of its reminders that is still ahead, once."""
    course.refresh_from_db()
    found = set()
    for session in DosingSession.objects.filter(course=course, state=states.SCHEDULED):
        for kind, due_at in rules.reminders_before(session.scheduled_at, timeline_for(session)):
            # What came due in the night waits for the morning, and is still ahead.
            in_the_day = next_allowed(due_at, ZONE)
            if course.state in states.COURSE_OPEN and in_the_day > after:
                found.add((session.pk, kind, in_the_day))
    return found


def waiting() -> list[tuple[Any, str, dt.datetime]]:
    return list(
        OutboxMessage.objects.filter(state="scheduled", kind__in=REMINDERS).values_list(
            "about_id", "kind", "due_at"
        )
    )


def check_in_reminders_fit(course: Course, at: dt.datetime) -> None:
    """A daily check-in that is open and ahead has its one reminder; one that is not has none."""
    rows = CheckIn.objects.filter(session__course=course, kind="daily")
    live = {
        r.pk
        for r in rows
        if r.done_at is None and r.cancelled_at is None and r.due_at > at + dt.timedelta(hours=12)
    }
    over = {r.pk for r in rows if r.cancelled_at is not None}
    reminded = list(
        OutboxMessage.objects.filter(kind="daily_check_in", state="scheduled").values_list(
            "about_id", flat=True
        )
    )
    assert live <= set(reminded) and not over & set(reminded) and len(reminded) == len(set(reminded))


def send_what_is_due(at: dt.datetime) -> None:
    while dispatch_due(at=at).claimed:
        pass


steps = st.one_of(
    st.tuples(st.just("move"), st.integers(1, 4), st.integers(0, 40)),
    st.tuples(st.just("move and back"), st.integers(1, 4), st.integers(1, 3)),
    st.tuples(st.just("call off"), st.integers(1, 4), st.just(0)),
    st.tuples(st.just("wait"), st.just(0), st.integers(1, 90)),
    st.tuples(st.just("stop"), st.just(0), st.integers(0, 1)),
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(what=st.lists(steps, min_size=1, max_size=7))
def test_after_any_sequence_the_reminders_equal_the_course(
    alice: User, dana: User, at: dt.datetime, protocol_version: Any, what: list[tuple[str, int, int]]
) -> None:
    """PR-03, HZ-11"""
    with transaction.atomic():
        course = a_course(alice, dana, at, first_in_days=5)
        now = at
        for verb, number, amount in what:
            session = DosingSession.objects.filter(course=course, number=number).first()
            day = local_date(at, ZONE) + dt.timedelta(days=amount)
            try:
                with transaction.atomic():
                    if verb == "move" and session:
                        actions.reschedule_session(fresh(session), on=day, by=alice, at=now)
                    elif verb == "move and back" and session:
                        home = local_date(session.scheduled_at, ZONE)
                        actions.reschedule_session(
                            fresh(session), on=home + dt.timedelta(days=amount), by=alice, at=now
                        )
                        actions.reschedule_session(fresh(session), on=home, by=alice, at=now)
                    elif verb == "call off" and session:
                        actions.abort(fresh(session), reason="patient_asked", by=alice, at=now)
                    elif verb == "stop" and amount:
                        actions.stop_course(course, by=dana, at=now, reason="patient_asked")
                    elif verb == "wait":
                        for _ in range(amount):  # the worker is there meanwhile
                            now += dt.timedelta(hours=1)
                            send_what_is_due(now)
            except DomainError:
                pass  # refused: then nothing has changed either
            plan_course(course, by="system:test", at=now)
            send_what_is_due(now)
            rows = waiting()
            assert len(rows) == len(set(rows))
            assert set(rows) == wanted(course, after=now)
            check_in_reminders_fit(course, now)
        # None early, none twice for the same day of the same session.
        gone = OutboxMessage.objects.filter(state="sent", kind__in=REMINDERS)
        assert all(m.sent_at >= m.wanted_at for m in gone)
        keys = [(m.about_id, m.kind, m.wanted_at) for m in gone]
        assert len(keys) == len(set(keys))
        assert SandboxDelivery.objects.filter(reference__in=[m.pk for m in gone]).count() == len(keys)
        transaction.set_rollback(True)


def test_moved_away_and_back_at_once_keeps_every_reminder(
    alice: User, dana: User, at: dt.datetime, protocol_version: Any
) -> None:
    """Two presses within one second: what was taken back is wanted again."""
    course = a_course(alice, dana, at, first_in_days=5)
    session = DosingSession.objects.get(course=course, number=1)
    home, before = local_date(session.scheduled_at, ZONE), set(waiting())
    for day in (home + dt.timedelta(days=1), home):
        actions.reschedule_session(fresh(session), on=day, by=alice, at=at)
    assert {row for row in waiting() if row[0] == session.pk} == {
        row for row in before if row[0] == session.pk
    }


def test_moved_away_and_back_in_the_night_keeps_what_waits_for_the_morning(
    alice: User, dana: User, at: dt.datetime, protocol_version: Any
) -> None:
    """HZ-11: two days before the session is the middle of the night; the reminder goes at eight, whoever moved what till then."""
    course = a_course(alice, dana, at, first_in_days=5)
    session = DosingSession.objects.get(course=course, number=1)
    night = next_allowed(session.scheduled_at - dt.timedelta(hours=48), ZONE) - dt.timedelta(hours=3)
    DosingSession.objects.filter(pk=session.pk).update(scheduled_at=night + dt.timedelta(hours=47))
    actions.course.plan_reminders(fresh(session), at=at)
    before = {row for row in waiting() if row[0] == session.pk}
    actions.course.plan_reminders(fresh(session), at=night)
    assert {row for row in waiting() if row[0] == session.pk} == before


def test_a_reminder_of_a_session_that_is_over_is_dropped_and_logged(
    alice: User, dana: User, at: dt.datetime, protocol_version: Any
) -> None:
    """The worker was away for days: no reminder of something past goes out, and each says why."""
    course = a_course(alice, dana, at, first_in_days=5)
    session = DosingSession.objects.get(course=course, number=1)
    late = session.scheduled_at + dt.timedelta(hours=1)
    send_what_is_due(late)
    rows = OutboxMessage.objects.filter(about_id=session.pk, kind__in=REMINDERS)
    assert {(m.state, m.last_error) for m in rows} == {("dropped", "late for something that is over")}
