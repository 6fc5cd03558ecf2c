"""What a psychiatrist has to have done, or has weighed already, before an order is signed."""

from datetime import timedelta

import pytest

from common import hooks
from intake.actions import add_medicine, settle
from measures.actions import save_safety_plan
from safety.actions import acknowledge, clear_hold, close
from safety.models import Alert, SafetyHold
from tests.consults.builders import a_pdmp_check, a_signed_note, a_verified_identity
from tests.consults.test_orders import drafted, refusal, signed
from tests.intake.builders import an_accepted_intake

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("protocol_version")]
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    monkeypatch.setitem(hooks._hooks, "order.signed", [])


def seen(alice, dana, at, **answers):
    """Accepted, seen yesterday, whatever alarmed closed and cleared."""
    intake = an_accepted_intake(alice, dana, at - 5 * DAY, **answers)
    a_verified_identity(alice, dana, at - DAY)
    a_signed_note(alice, dana, at - DAY)
    a_pdmp_check(alice, dana, at - HOUR)
    _all_clear(dana, at - HOUR)
    return intake.patient


def _all_clear(dana, at):
    for alert in Alert.objects.exclude(state="closed"):
        acknowledge(alert, by=dana, at=at)
        close(alert, by=dana, at=at, disposition="contacted_safe", note="We talked at length.")
    for hold in SafetyHold.objects.filter(cleared_at=None):
        clear_hold(hold, by=dana, at=at, note="Safe to go on, plan read.")


def test_after_moderate_risk_nothing_is_ordered_before_there_is_a_safety_plan(alice, dana, at):
    """HZ-08: E21. The hold is cleared and the alert closed; the plan comes first all the same."""
    patient = seen(
        alice, dana, at, cssrs_q1="yes", cssrs_q2="yes", cssrs_q3="yes", cssrs_q4="no", cssrs_q5="no"
    )
    assert "no safety plan is written yet" in refusal(patient, dana, at)
    save_safety_plan(patient, {"signs": "I stop sleeping"}, base=0, by=alice, at=at)
    assert signed(drafted(patient, dana, at), by=dana, at=at).signed_at == at


def test_without_such_a_rule_no_plan_is_asked_for(alice, dana, at):
    patient = seen(alice, dana, at)
    assert signed(drafted(patient, dana, at), by=dana, at=at).signed_at == at


def test_an_exclusion_that_a_psychiatrist_settled_does_not_stand_against_the_next_order(alice, dana, at):
    """HZ-12: told in care (E65), it stops the order until it is settled with a note; then the note has weighed it."""
    patient = seen(alice, dana, at)
    add_medicine(patient, name="Theophylline", dose_text="", by=alice, at=at - HOUR)
    _all_clear(dana, at - HOUR)
    assert "Settle it in the chart first" in refusal(patient, dana, at)
    settle(patient, note="Ended by her lung doctor last week.", by=dana, at=at)
    assert signed(drafted(patient, dana, at), by=dana, at=at).signed_at == at
