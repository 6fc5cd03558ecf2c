"""An alert is opened with its cause, taken by one named person, made worse by worse signs, and closed by a human."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Patient, User
from common.errors import Conflict, Invalid, MoveNotAllowed, NotPermitted
from common.models import AuditEntry, StateEvent
from notify.models import OutboxMessage
from safety import access
from safety.actions import acknowledge, close, escalate_due, raise_alert
from safety.models import Alert
from tests.safety.builders import a_shift, an_alert

MINUTE = timedelta(minutes=1)


def pages(alert: Alert) -> list[tuple[str, str]]:
    rows = OutboxMessage.objects.filter(about_id=alert.pk, kind="crisis_page").order_by(
        "created_at", "recipient__email"
    )
    return [(row.recipient.full_name.split()[0], row.channel) for row in rows]


def test_alert_page_and_trail_are_written_with_the_cause_or_not_at_all(
    alice: User, dana: User, at: datetime
) -> None:
    a_shift(dana, at)
    with pytest.raises(RuntimeError), transaction.atomic():
        an_alert(alice, at)
        raise RuntimeError("the cause failed")
    assert not Alert.objects.exists() and not OutboxMessage.objects.exists()
    alert = an_alert(alice, at)
    assert pages(alert) == [("Dana", "sms")]
    assert AuditEntry.objects.filter(action="alert.raised", object_id=str(alert.pk)).count() == 1
    assert OutboxMessage.objects.get().lane == "crisis"
    assert OutboxMessage.objects.get().due_at == at


def test_an_alert_pages_even_when_no_protocol_is_approved_and_nobody_is_on_call(
    alice: User, cole: User, at: datetime
) -> None:
    """HZ-25: the crisis path fails open."""
    assert pages(an_alert(alice, at)) == [("Cole", "sms"), ("Dana", "sms")]


def test_an_unknown_trigger_still_pages(alice: User, at: datetime) -> None:
    assert pages(an_alert(alice, at, trigger="X99"))


def test_the_words_that_leave_name_neither_the_patient_nor_the_matter(
    alice: User, dana: User, at: datetime
) -> None:
    """PR-14"""
    from notify.actions import dispatch_crisis
    from notify.models import SandboxDelivery

    a_shift(dana, at)
    alert = an_alert(alice, at)
    dispatch_crisis(at=at)
    body = SandboxDelivery.objects.get().body
    assert alert.reference in body and f"/alerts/{alert.pk}/" in body
    for word in ("Alice", "Lindqvist", "suicid", "X02", "risk"):
        assert word.lower() not in body.lower()


def test_an_episode_has_one_live_alert(alice: User, at: datetime) -> None:
    first = an_alert(alice, at)
    second = an_alert(alice, at + timedelta(minutes=1))
    assert first.pk == second.pk
    assert second.signs == 2
    assert Alert.objects.count() == 1


def test_the_database_itself_refuses_a_second_live_alert_of_an_episode(alice: User, at: datetime) -> None:
    alert = an_alert(alice, at)
    alert.pk = None
    alert._state.adding = True
    with pytest.raises(IntegrityError), transaction.atomic():
        alert.save()


def test_a_worse_reading_in_an_episode_that_somebody_has_taken_pages_everybody_concerned_again(
    alice: User, dana: User, at: datetime
) -> None:
    """HZ-08, HZ-09: de-duplication never silences a worse reading."""
    a_shift(dana, at)
    alert = an_alert(alice, at, trigger="X04", severity=3, magnitude=170)
    acknowledge(alert, by=dana, at=at + timedelta(minutes=1))
    worse = an_alert(alice, at + timedelta(minutes=5), trigger="X04", severity=4, magnitude=190)
    assert worse.pk == alert.pk
    assert (worse.state, worse.severity, worse.magnitude) == ("open", 4, 190)
    assert worse.escalating_since_at == at + timedelta(minutes=5)
    assert len(pages(worse)) == 2
    assert worse.next_escalation_at == at + timedelta(minutes=10)


def test_a_larger_number_in_the_same_band_is_worse(alice: User, dana: User, at: datetime) -> None:
    a_shift(dana, at)
    alert = an_alert(alice, at, trigger="X04", severity=4, magnitude=182)
    acknowledge(alert, by=dana, at=at)
    assert (
        an_alert(alice, at + timedelta(minutes=5), trigger="X04", severity=4, magnitude=183).state == "open"
    )


def test_an_equal_sign_in_a_taken_episode_is_told_to_whoever_has_it(
    alice: User, dana: User, at: datetime
) -> None:
    a_shift(dana, at)
    alert = an_alert(alice, at, trigger="X04", severity=3, magnitude=170)
    acknowledge(alert, by=dana, at=at)
    again = an_alert(alice, at + timedelta(minutes=5), trigger="X04", severity=3, magnitude=168)
    assert again.state == "acknowledged"
    assert len(pages(again)) == 2


def test_low_risk_that_turns_high_becomes_the_graver_trigger(alice: User, at: datetime) -> None:
    an_alert(alice, at, trigger="X03")
    alert = an_alert(alice, at + timedelta(minutes=2), trigger="X02")
    assert (alert.trigger, alert.severity) == ("X02", 4)
    milder = an_alert(alice, at + timedelta(minutes=3), trigger="X03")
    assert (milder.trigger, milder.severity) == ("X02", 4)


def test_one_of_two_people_takes_it_and_the_other_is_told_who(
    alice: User, dana: User, cole: User, at: datetime
) -> None:
    alert = an_alert(alice, at)
    stale = Alert.objects.get(pk=alert.pk)
    assert acknowledge(alert, by=dana, at=at).acknowledged_by == dana
    with pytest.raises(Conflict) as refused:
        acknowledge(stale, by=cole, at=at)
    assert refused.value.code == "already_taken"
    assert "Dana Reyes" in refused.value.detail


def test_taking_it_stops_the_ladder_and_takes_waiting_pages_back(
    alice: User, dana: User, at: datetime
) -> None:
    """PR-07"""
    alert = an_alert(alice, at, trigger="X04")
    acknowledge(alert, by=dana, at=at)
    assert set(OutboxMessage.objects.filter(about_id=alert.pk).values_list("state", flat=True)) == {
        "cancelled"
    }
    assert escalate_due(at=at + timedelta(minutes=30)) == 0


def test_taken_but_not_closed_pages_the_taker_again_after_an_hour(
    alice: User, dana: User, at: datetime
) -> None:
    """PR-07: it never closes by itself, and taken is not done."""
    alert = an_alert(alice, at, trigger="X04")
    acknowledge(alert, by=dana, at=at)
    assert escalate_due(at=at + timedelta(minutes=60)) == 1
    fresh = OutboxMessage.objects.filter(about_id=alert.pk, state="scheduled")
    assert [m.recipient for m in fresh] == [dana]
    alert.refresh_from_db()
    assert alert.state == "acknowledged"


def test_a_stranger_to_the_patient_cannot_take_it(
    alice: User, other_psychiatrist: User, at: datetime
) -> None:
    alert = an_alert(alice, at, trigger="X18")
    with pytest.raises(NotPermitted):
        acknowledge(alert, by=other_psychiatrist, at=at)


def test_the_person_on_call_may_take_what_concerns_a_stranger(
    alice: User, other_psychiatrist: User, at: datetime, clock_at
) -> None:
    a_shift(other_psychiatrist, at)
    alert = an_alert(alice, at)
    with clock_at(at):
        assert acknowledge(alert, by=other_psychiatrist, at=at).acknowledged_by == other_psychiatrist


def test_closing_needs_a_disposition_a_note_and_somebody_who_took_it(
    alice: User, dana: User, at: datetime
) -> None:
    """PR-07"""
    alert = an_alert(alice, at)
    with pytest.raises(MoveNotAllowed):
        close(alert, by=dana, at=at, disposition="contacted_safe", note="Spoke with her.")
    acknowledge(alert, by=dana, at=at)
    for disposition, note, field in (
        ("", "Spoke with her.", "disposition"),
        ("contacted_safe", "  ", "note"),
        ("nonsense", "x y z", "disposition"),
    ):
        with pytest.raises(Invalid) as refused:
            close(alert, by=dana, at=at, disposition=disposition, note=note)
        assert field in refused.value.fields
    done = close(
        alert, by=dana, at=at, disposition="contacted_safe", note="Spoke with her. Safe with her sister."
    )
    assert (done.state, done.closed_by, done.next_page_at) == ("closed", dana, None)
    assert StateEvent.objects.filter(object_id=alert.pk).count() == 3


def test_an_alert_about_a_person_never_ends_as_a_drill_or_a_filled_roster(
    alice: User, dana: User, at: datetime, client_for: Any
) -> None:
    alert = an_alert(alice, at)
    acknowledge(alert, by=dana, at=at)
    for disposition in ("drill", "roster_filled", "lane_restored"):
        with pytest.raises(Invalid):
            close(alert, by=dana, at=at, disposition=disposition, note="Closed by a slip of the hand.")
    page = client_for(dana).get(f"/alerts/{alert.pk}/").content.decode()
    assert 'value="contacted_safe"' in page
    assert 'value="drill"' not in page and 'value="roster_filled"' not in page


def test_the_database_refuses_a_close_without_person_disposition_and_note(alice: User, at: datetime) -> None:
    """PR-07"""
    alert = an_alert(alice, at)
    with pytest.raises(IntegrityError), transaction.atomic():
        Alert.objects.filter(pk=alert.pk).update(state="closed", closed_at=at)


def test_a_coach_takes_a_grave_alert_but_does_not_close_it(alice: User, cole: User, at: datetime) -> None:
    alert = acknowledge(an_alert(alice, at), by=cole, at=at)
    with pytest.raises(NotPermitted):
        close(alert, by=cole, at=at, disposition="contacted_safe", note="Spoke with her.")


def test_a_new_sign_after_the_close_is_a_new_alert(alice: User, dana: User, at: datetime) -> None:
    alert = acknowledge(an_alert(alice, at), by=dana, at=at)
    close(alert, by=dana, at=at, disposition="contacted_safe", note="Spoke with her.")
    assert an_alert(alice, at + timedelta(hours=1)).pk != alert.pk


def test_an_unclosed_crisis_is_known_to_the_gate(alice: User, dana: User, at: datetime) -> None:
    assert not access.has_unresolved_crisis(alice.patient)
    alert = an_alert(alice, at, trigger="X03")
    assert access.has_unresolved_crisis(alice.patient)
    acknowledge(alert, by=dana, at=at)
    assert access.has_unresolved_crisis(alice.patient)
    close(alert, by=dana, at=at, disposition="contacted_safe", note="Spoke with her.")
    assert not access.has_unresolved_crisis(alice.patient)


def test_a_drill_says_that_it_is_one(alice: User, dana: User, at: datetime) -> None:
    """HZ-30"""
    Patient.objects.filter(pk=alice.pk).update(is_synthetic=True)
    a_shift(dana, at)
    alert = raise_alert(
        patient=Patient.objects.get(pk=alice.pk), trigger="X02", source="drill", at=at, by="system:drill"
    )
    assert alert.is_synthetic
    assert OutboxMessage.objects.get().context["drill"] is True


def test_a_mild_alert_is_mailed_to_the_care_team_in_their_day_and_rings_only_when_its_clock_is_over(
    alice: User, cole: User, dana: User, at: datetime
) -> None:
    a_shift(dana, at, hours=100)
    alert = an_alert(alice, at, trigger="X13")
    (mail,) = OutboxMessage.objects.all()
    assert (mail.kind, mail.recipient, mail.lane) == ("alert_notice", cole, "ordinary")
    # Until the next working day closes: Tuesday, 17:00 in New York.
    closes_at = at + timedelta(hours=29)
    assert alert.acknowledge_by_at == closes_at
    assert escalate_due(at=closes_at - timedelta(seconds=1)) == 0
    assert escalate_due(at=closes_at) == 1
    assert ("Dana", "sms") in pages(alert)


def test_a_sign_graded_an_emergency_is_urgent_whatever_its_usual_pace(
    alice: User, dana: User, at: datetime
) -> None:
    a_shift(dana, at)
    assert pages(an_alert(alice, at, trigger="X10", severity=4))


def test_an_administrator_does_not_take_what_only_a_clinician_can_answer(
    alice: User, dana: User, admin_ann: User, at: datetime, client_for: Any
) -> None:
    """HZ-25: everyone is paged in the end, and an administrator's "I am taking this" would silence an emergency for an hour."""
    a_shift(dana, at)
    alert = an_alert(alice, at, trigger="X01", episode="emergency", in_session=True)
    for minute in range(1, 12):
        escalate_due(at=at + minute * MINUTE)
    assert OutboxMessage.objects.filter(about_id=alert.pk, recipient=admin_ann).exists()
    with pytest.raises(NotPermitted) as refused:
        acknowledge(alert, by=admin_ann, at=at + 12 * MINUTE)
    assert refused.value.code == "clinician_needed"
    alert.refresh_from_db()
    assert alert.state == "open" and alert.next_page_at is not None
    page = client_for(admin_ann).get(f"/alerts/{alert.pk}/").content.decode()
    assert "I am taking this" not in page and "A clinician takes this" in page
    acknowledge(alert, by=dana, at=at + 13 * MINUTE)


def test_in_a_practice_without_a_clinician_an_administrator_takes_it(
    stranger_patient: User, admin_ann: User, at: datetime
) -> None:
    alert = an_alert(stranger_patient, at)
    assert acknowledge(alert, by=admin_ann, at=at).acknowledged_by == admin_ann
