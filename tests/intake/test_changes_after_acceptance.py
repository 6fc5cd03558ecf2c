"""What a person tells us after acceptance asks the rules again, and can hold every dose (HZ-12)."""

import uuid
from datetime import timedelta

import pytest

from accounts.actions import update_patient
from accounts.models import Patient
from intake import access, actions
from intake.models import EligibilityEvaluation, Intake
from safety.models import Alert, SafetyHold
from tests.intake.builders import a_submitted_intake, an_accepted_intake, plain_answers

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("protocol_version")]


@pytest.fixture
def accepted(alice, dana, at, clock_at):
    intake = an_accepted_intake(alice, dana, at)
    with clock_at(at + timedelta(days=2)):
        yield intake


def send(client, step, **changes):
    version = Intake.objects.get().answers[step]["version"]
    return client.post(
        f"/intake/{step}/",
        {"intent": str(uuid.uuid4()), "version": version, **plain_answers(step, **changes)},
    )


@pytest.mark.parametrize(
    ("step", "changes", "rule"),
    [
        ("body", {"pregnant": "yes"}, "E10"),
        ("heart", {"aneurysm": "yes"}, "E23"),
        ("mind", {"psychosis_history": "yes"}, "E13"),
        ("home", {"monitor_available": "no"}, "E05"),
        ("heart", {"htn": "unsure"}, "E71"),
    ],
)
def test_a_change_that_speaks_against_reopens_holds_and_alerts(
    client_for, alice, accepted, step, changes, rule
):
    """HZ-12: pregnancy, a diagnosis, a lost sitter reported later are never just filed."""
    client = client_for(alice)
    assert client.get(f"/intake/{step}/").status_code == 200
    assert send(client, step, **changes)["Location"] == "/intake/"
    found = EligibilityEvaluation.objects.latest("at")
    assert (found.cause, rule in found.reasons) == ("reopened", True)
    assert not access.eligibility_stands(accepted.patient)
    assert SafetyHold.objects.filter(
        patient=accepted.patient, reason_code="eligibility_reopened", cleared_at=None
    ).exists()
    assert Alert.objects.filter(patient=accepted.patient, trigger="X21").exists()


def test_taking_the_change_back_does_not_lift_what_it_set_in_motion(client_for, alice, dana, accepted, at):
    """HZ-27 in spirit: only a psychiatrist settles it."""
    client = client_for(alice)
    send(client, "body", pregnant="yes")
    send(client, "body")
    assert not access.eligibility_stands(accepted.patient)
    actions.settle(accepted.patient, note="Test negative, seen on video.", by=dana, at=at + timedelta(days=3))
    assert access.eligibility_stands(accepted.patient)


def test_the_same_answers_again_change_nothing(client_for, alice, accepted):
    before = EligibilityEvaluation.objects.count()
    assert send(client_for(alice), "body").status_code == 302
    assert EligibilityEvaluation.objects.count() == before
    assert access.eligibility_stands(accepted.patient)


def test_moving_to_a_state_without_a_prescriber_reopens(alice, accepted, at):
    update_patient(Patient.objects.get(pk=alice.pk), by=alice, at=at + timedelta(days=2), state="FL")
    found = EligibilityEvaluation.objects.latest("at")
    assert found.cause == "reopened" and "E03" in found.reasons
    accepted.refresh_from_db()
    assert accepted.care_state == "FL"


@pytest.mark.parametrize("step", ["about", "substances"])
def test_other_pages_stay_closed_after_acceptance(client_for, alice, accepted, step):
    client = client_for(alice)
    assert client.get(f"/intake/{step}/")["Location"] == "/intake/"
    before = Intake.objects.get().answers
    send(client, step)
    assert Intake.objects.get().answers == before


def test_while_a_psychiatrist_reads_nothing_is_changed_under_their_eyes(client_for, alice, at, clock_at):
    a_submitted_intake(alice, at)
    with clock_at(at + timedelta(hours=1)):
        send(client_for(alice), "body", pregnant="yes")
    assert Intake.objects.get().answers["body"]["data"]["pregnant"] == "no"


def test_a_strangers_psychiatrist_cannot_settle(other_psychiatrist, client_for, alice, accepted):
    from common.errors import NotPermitted

    send(client_for(alice), "body", pregnant="yes")
    with pytest.raises(NotPermitted):
        actions.settle(
            accepted.patient, note="fine", by=other_psychiatrist, at=accepted.created_at + timedelta(days=3)
        )
