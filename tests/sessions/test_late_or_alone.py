"""Protocol 8.3: more than two sessions of a course late or without a sitter are a sign of misuse (X22)."""

import datetime as dt
from typing import Any

import pytest

from accounts.models import User
from common.models import ProtocolVersion
from safety.access import late_or_alone_allowed, refills_held
from safety.models import Alert, SafetyHold
from sessions import actions, states
from sessions.access.late_or_alone import late_or_alone
from sessions.models import Checkpoint, Course, DosingSession
from tests.sessions.builders import (
    DAY,
    MINUTE,
    a_released_dose,
    a_session_in_progress,
    fresh,
    watched_to_its_end,
)

pytestmark = pytest.mark.django_db


def others_were_alone(session: DosingSession, count: int, at: dt.datetime, *, kind: str = "sitter") -> None:
    """So many other sessions of the course have had their dose, and one awaited thing was missing in each."""
    for number in range(2, 2 + count):
        then = at - 7 * number * DAY
        DosingSession.objects.filter(course=session.course, number=number).update(
            dose_at=then, released_at=then + 2 * dt.timedelta(hours=1)
        )
        Checkpoint.objects.create(
            session=session.course.sessions.get(number=number), kind=kind, minute=15, due_at=then, ladder_step=1, cancelled_at=then
        )  # fmt: skip


def misuse() -> Any:
    return Alert.objects.filter(trigger="X22")


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [(1, True, False), (2, False, False), (2, True, True), (3, True, False), (0, True, False)],
)
def test_x22_the_third_session_without_a_sitter_is_told_to_the_psychiatrist_once(
    alice: User, dana: User, at: dt.datetime, before: int, now: bool, told: bool
) -> None:
    """X22: more than two, counted when a session ends; the fourth of a course says nothing new."""
    session = a_session_in_progress(alice, dana, at)
    others_were_alone(session, before, at)
    if now:
        actions.sweep(at=at + 20 * MINUTE)
    watched_to_its_end(session, at)
    assert misuse().exists() is told
    if told:
        alert = misuse().get()
        assert (alert.severity, alert.detail_codes, alert.in_session) == (
            2,
            ["sessions_late_or_alone"],
            False,
        )
        assert (alert.source_type, alert.source_id) == ("dosing.dosingsession", str(session.pk))
        assert alert.acknowledge_by_at == alert.opened_at + DAY
        assert SafetyHold.objects.filter(reason_code="possible_misuse", cleared_at=None).exists()
        assert refills_held(session.patient) == ["possible_misuse"]


def nothing(session: DosingSession, at: dt.datetime) -> None:
    ticked(session)
    actions.sweep(at=at + 55 * MINUTE - dt.timedelta(seconds=1))


def ticked(session: DosingSession) -> None:
    Checkpoint.objects.filter(session=session, kind="sitter").update(
        done_at=session.dose_at, next_ladder_at=None
    )


def a_look_is_missing(session: DosingSession, at: dt.datetime) -> None:
    actions.sweep(at=at + 20 * MINUTE)


def a_look_came_too_late(session: DosingSession, at: dt.datetime) -> None:
    actions.sweep(at=at + 20 * MINUTE)
    actions.sitter_check(session, findings=[], by="sitter:1", at=at + 22 * MINUTE)


def a_reading_is_missing(session: DosingSession, at: dt.datetime) -> None:
    """The one at the peak, forty minutes after the dose: a quarter of an hour later somebody is called (X19)."""
    ticked(session)
    actions.sweep(at=at + 55 * MINUTE)


def the_sitter_cannot_stay(session: DosingSession, at: dt.datetime) -> None:
    ticked(session)
    actions.sitter_check(session, findings=["sitter_cannot_stay"], by="sitter:1", at=at + 22 * MINUTE)


def the_sitter_has_gone(session: DosingSession, at: dt.datetime) -> None:
    ticked(session)
    actions.record_symptoms(
        session, other_flags=["sitter_gone"], by=session.patient.user, at=at + 22 * MINUTE
    )


def they_want_a_bath(session: DosingSession, at: dt.datetime) -> None:
    ticked(session)
    actions.sitter_check(session, findings=["in_water"], by="sitter:1", at=at + 22 * MINUTE)


@pytest.mark.parametrize(
    ("what", "counts"),
    [
        (nothing, False),
        (a_look_is_missing, True),
        (a_look_came_too_late, True),
        (a_reading_is_missing, True),
        (the_sitter_cannot_stay, True),
        (the_sitter_has_gone, True),
        (they_want_a_bath, False),  # X16 too, with the sitter beside them
    ],
)
def test_what_makes_a_session_late_or_alone(
    alice: User, dana: User, at: dt.datetime, what: Any, counts: bool
) -> None:
    session = a_session_in_progress(alice, dana, at)
    what(session, at)
    later = at + 90 * MINUTE
    assert (session.pk in late_or_alone(session.course, at=later)) is counts


@pytest.mark.parametrize(("minutes", "counts"), [(30, False), (31, True)])
def test_medicine_that_was_taken_after_its_release_had_lapsed_was_late(
    alice: User, dana: User, at: dt.datetime, minutes: int, counts: bool
) -> None:
    session = fresh(a_released_dose(alice, dana, at).session)
    units = session.course.order.units_per_dose
    actions.confirm_dose_taken(session, units_taken=units, by=alice, at=at + minutes * MINUTE, already=True)
    assert bool(late_or_alone(session.course, at=at + DAY)) is counts


def test_a_session_whose_day_had_gone_by_was_late_once_it_is_held(
    alice: User, dana: User, at: dt.datetime
) -> None:
    session = a_session_in_progress(alice, dana, at)
    course = Course.objects.get(pk=session.course_id)
    second = course.sessions.get(number=2)
    actions.sweep(at=second.scheduled_at + dt.timedelta(hours=12))
    second.refresh_from_db()
    assert second.state == states.MISSED
    assert second.pk not in late_or_alone(course, at=second.scheduled_at)
    DosingSession.objects.filter(pk=second.pk).update(dose_at=second.scheduled_at + DAY)
    assert second.pk in late_or_alone(course, at=second.scheduled_at + DAY)


def test_the_end_and_the_morning_after_say_nothing_about_late_or_alone(
    alice: User, dana: User, at: dt.datetime
) -> None:
    session = a_session_in_progress(alice, dana, at)
    Checkpoint.objects.filter(session=session, kind__in=["release", "follow_up"]).update(ladder_step=2)
    assert not late_or_alone(session.course, at=at + DAY)


def test_a_table_that_was_approved_without_the_number_takes_the_shipped_one(
    alice: User, dana: User, admin_ann: User, protocol_version: ProtocolVersion, at: dt.datetime
) -> None:
    assert late_or_alone_allowed(at=at) == 2
    whole = protocol_version.data
    for minutes, number, allowed in ((1, None, 2), (2, 0, 0)):
        incidents = {
            k: v
            for k, v in whole["escalations"]["incidents"].items()
            if k != "late_or_alone_sessions_allowed"
        }
        if number is not None:
            incidents["late_or_alone_sessions_allowed"] = number
        ProtocolVersion.objects.create(
            version=f"v{minutes}", state="approved", data={**whole, "escalations": {**whole["escalations"], "incidents": incidents}},
            proposed_by=admin_ann, proposed_at=at, approved_by=dana, approved_at=at + minutes * MINUTE, effective_from=at,
        )  # fmt: skip
        assert late_or_alone_allowed(at=at + minutes * MINUTE) == allowed
