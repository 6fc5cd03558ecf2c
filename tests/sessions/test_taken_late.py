"""HZ-02, HZ-08, HZ-10: between the release and the dose something can happen; and what was taken is watched, whatever happened."""

import pytest
from django.db import connection

from accounts.models import CareTeam
from common.errors import Conflict
from safety.actions import place_hold, raise_alert
from safety.models import Alert
from sessions import actions, states
from sessions.models import Checkpoint
from tests.sessions.builders import MINUTE, a_released_dose, a_session_in_progress, fresh
from tests.sessions.test_pages import page, send, words

pytestmark = pytest.mark.django_db


def test_hz_08_a_crisis_after_the_release_locks_the_dose_again(alice, dana, at, client_for, clock_at):
    session = fresh(a_released_dose(alice, dana, at).session)
    raise_alert(patient=session.patient, trigger="X03", source=None, at=at + MINUTE, by=alice)
    with pytest.raises(Conflict) as error:
        actions.confirm_dose_taken(session, units_taken=2, by=alice, at=at + 2 * MINUTE)
    assert error.value.code == "held_since_release" and fresh(session).state == states.READY
    with clock_at(at + 2 * MINUTE):
        text = words(page(client_for(alice), f"/sessions/{session.pk}/"))
    assert "Please don't take it now" in text and "988" in text and "Your dose is open" not in text


def test_hz_12_a_hold_after_the_release_locks_the_dose_again(alice, dana, at):
    session = fresh(a_released_dose(alice, dana, at).session)
    place_hold(session.patient, reason_code="eligibility", at=at + MINUTE, by="system:test")
    with pytest.raises(Conflict):
        actions.confirm_dose_taken(session, units_taken=2, by=alice, at=at + 2 * MINUTE)


def test_hz_10_a_dose_that_was_taken_after_its_release_had_lapsed_is_watched_and_calls_somebody(
    alice, dana, at, client_for, clock_at
):
    session = fresh(a_released_dose(alice, dana, at).session)
    form = {"units_taken": "2", "read_by_two": "on"}
    with clock_at(at + 31 * MINUTE):
        patient = client_for(alice)
        refused = send(patient, f"/sessions/{session.pk}/taken/", **form)
        assert refused.status_code == 409 and "I have already taken it" in words(refused.content.decode())
        assert send(patient, f"/sessions/{session.pk}/taken/", **form, already="yes").status_code == 302
    assert fresh(session).state == states.DOSING and Checkpoint.objects.filter(session=session).exists()
    alert = Alert.objects.get()
    assert alert.trigger == "X14" and "taken_after_release_too_old" in alert.detail_codes


def test_hz_10_a_late_row_that_cannot_be_worked_off_holds_up_nobody_and_still_calls(
    alice, stranger_patient, dana, at
):
    poisoned = a_session_in_progress(alice, dana, at)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE dosing_sitter SET phone = 'nonsense' WHERE id = %s", [poisoned.sitter_id])
    CareTeam.objects.filter(patient=stranger_patient.patient).update(psychiatrist=dana)
    behind = a_session_in_progress(stranger_patient, dana, at + MINUTE, on_call=False)
    done = actions.sweep(at=at + 30 * MINUTE)
    assert done["poisoned"] and Alert.objects.filter(patient=poisoned.patient, trigger="X19").exists()
    assert Alert.objects.filter(patient=behind.patient, trigger="X16").exists()
    left = Checkpoint.objects.filter(next_ladder_at__lte=at + 30 * MINUTE, done_at=None, cancelled_at=None)
    assert not left.exists()
