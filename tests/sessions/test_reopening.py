"""What was measured and answered today stands for today, however often a session is moved, called off or opened again."""

import pytest

from sessions import actions, states
from sessions.models import DosingSession
from tests.sessions.builders import (
    CLEAR_ANSWERS,
    MINUTE,
    a_reading,
    a_sitter,
    an_opened_session,
    fresh,
    opened,
    release,
)
from tests.sessions.test_gate_database import an_unsaved_release, by_trigger

pytestmark = pytest.mark.django_db


def made_ready(session, at, *, by):
    """Questions, place, sitter and two good readings, the last one at `at`; the session is open already."""
    actions.answer_check(session, answers=CLEAR_ANSWERS, by=by, at=at - 6 * MINUTE)
    actions.confirm_place(
        fresh(session), address="12 Elm Street, San Francisco", state="CA", contact_name="Maja Lindqvist",
        contact_phone="+14155550112", by=by, at=at - 5 * MINUTE,
    )  # fmt: skip
    a_sitter(fresh(session), at - 4 * MINUTE)
    a_reading(session, at - 2 * MINUTE)
    a_reading(session, at)
    return fresh(session)


def opened_again(session, at, *, by):
    """Moved to the same day and opened once more."""
    moved = actions.reschedule_session(fresh(session), on=at.date(), by=by, at=at)
    return opened(fresh(moved), at + MINUTE, by=by)


def reasons_of(session, at, *, by):
    """What the gate says, and what the trigger alone says."""
    from common import clock

    with clock.frozen(at):
        alone = by_trigger(an_unsaved_release(fresh(session), by, at))
    result = release(fresh(session), at, by=by)
    assert (result.release is None) == bool(result.reasons)
    return {str(r) for r in result.reasons}, alone


def test_hz_01_a_high_reading_stands_for_the_day_when_the_session_is_moved_to_the_same_day(
    alice, dana, cole, at
):
    start = at - 40 * MINUTE
    session = an_opened_session(alice, dana, start)
    a_reading(session, start + MINUTE, 158, 102)
    session = opened_again(session, start + 3 * MINUTE, by=alice)
    session = made_ready(session, at, by=alice)
    said, alone = reasons_of(session, at, by=cole)
    assert "G8.bp_high_earlier" in said and "G8" in alone


def test_hz_27_an_answer_that_needs_a_clinician_is_not_undone_by_moving_the_session_to_the_same_day(
    alice, dana, cole, at
):
    start = at - 40 * MINUTE
    session = an_opened_session(alice, dana, start)
    actions.answer_check(
        session, answers={**CLEAR_ANSWERS, "alcohol_cannabis": "yes"}, by=alice, at=start + MINUTE
    )
    session = opened_again(session, start + 3 * MINUTE, by=alice)
    session = made_ready(session, at, by=alice)
    said, alone = reasons_of(session, at, by=cole)
    assert "G10.alcohol_cannabis" in said and "G10" in alone


def test_hz_27_calling_one_session_off_and_moving_the_next_to_today_undoes_nothing(alice, dana, cole, at):
    start = at - 40 * MINUTE
    first = an_opened_session(alice, dana, start)
    actions.answer_check(first, answers={**CLEAR_ANSWERS, "ill": "yes"}, by=alice, at=start + MINUTE)
    a_reading(first, start + MINUTE, 158, 102)
    actions.abort(first, reason="not_today", by=alice, at=start + 2 * MINUTE)
    second = DosingSession.objects.get(course=first.course, number=2)
    second = opened_again(second, start + 3 * MINUTE, by=alice)
    second = made_ready(second, at, by=alice)
    said, alone = reasons_of(second, at, by=cole)
    assert {"G8.bp_high_earlier", "G10.ill"} <= said and {"G8", "G10"} <= alone


def test_a_session_opened_again_on_the_same_day_without_anything_held_goes_on(alice, dana, cole, at):
    start = at - 40 * MINUTE
    session = an_opened_session(alice, dana, start)
    actions.answer_check(session, answers=CLEAR_ANSWERS, by=alice, at=start + MINUTE)
    session = opened_again(session, start + 3 * MINUTE, by=alice)
    session = made_ready(session, at, by=alice)
    assert reasons_of(session, at, by=cole) == (set(), set())
    assert fresh(session).state == states.READY


def test_questions_answered_before_the_session_was_opened_again_are_asked_again(alice, dana, cole, at):
    start = at - 40 * MINUTE
    session = an_opened_session(alice, dana, start)
    session = opened_again(made_ready(session, at - 4 * MINUTE, by=alice), at - 2 * MINUTE, by=alice)
    said, alone = reasons_of(session, at, by=cole)
    assert "G10.check_missing" in said and "G10" in alone
