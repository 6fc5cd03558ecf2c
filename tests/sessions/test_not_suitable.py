"""HZ-12: once a psychiatrist has decided against treatment, no dose is given, however far the course has come."""

import pytest

from common import clock
from common.errors import Conflict
from consults.actions import sign_note
from sessions import actions, states
from sessions.models import DosingSession
from tests.consults.builders import a_signed_note
from tests.sessions.builders import (
    DAY,
    MINUTE,
    a_released_dose,
    a_session_in_progress,
    a_session_ready_for_release,
    fresh,
    release,
)

pytestmark = pytest.mark.django_db


def decided_against(user, psychiatrist, at):
    """A follow-up visit whose note says: not suitable; signed through the action."""
    note = a_signed_note(
        user, psychiatrist, at - DAY, diagnosis="none", suitable=False, signed_at=None, signed_by=None
    )
    with clock.frozen(at):
        return sign_note(note, by=psychiatrist, at=at)


def test_hz_12_a_note_against_treatment_locks_the_dose_and_stops_the_course(alice, dana, at):
    session = a_session_ready_for_release(alice, dana, at)
    decided_against(alice, dana, at)
    result = release(fresh(session), at, by=dana)
    assert result.release is None and "G1.patient_inactive" in {str(r) for r in result.reasons}
    assert fresh(session).course.state == states.STOPPED
    left = DosingSession.objects.filter(course=session.course).values_list("state", flat=True)
    assert set(left) == {states.ABORTED}


def test_hz_12_a_dose_that_was_released_is_not_taken_after_a_note_against_treatment(alice, dana, at):
    session = fresh(a_released_dose(alice, dana, at).session)
    decided_against(alice, dana, at + MINUTE)
    with pytest.raises(Conflict) as error:
        actions.confirm_dose_taken(fresh(session), units_taken=2, by=alice, at=at + 2 * MINUTE)
    assert error.value.code == "held_since_release"


def test_hz_10_a_watch_that_goes_on_is_finished_after_a_note_against_treatment(alice, dana, at):
    session = a_session_in_progress(alice, dana, at)
    decided_against(alice, dana, at + MINUTE)
    assert fresh(session).state == states.DOSING
    assert session.checkpoints.filter(done_at=None, cancelled_at=None).exists()
