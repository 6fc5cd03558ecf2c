"""From the first saved step to a signed decision, through the actions."""

from datetime import timedelta

import pytest

from accounts.actions import update_patient
from common.errors import Conflict, Invalid, NotPermitted, NotVisible, StaleVersion
from common.models import AuditEntry
from intake import access, actions
from intake.models import Consent, Decision, EligibilityEvaluation
from intake.views.common import task_groups
from tests.intake.builders import (
    a_claimed_intake,
    a_draft,
    a_filled_intake,
    a_submitted_intake,
    an_accepted_intake,
    plain_answers,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("protocol_version")]


def test_a_plain_intake_is_submitted_evaluated_and_waits_in_the_queue(alice, dana, at):
    intake = a_submitted_intake(alice, at)
    found = EligibilityEvaluation.objects.get(intake=intake)
    assert (intake.state, intake.outcome, found.reasons, found.missing) == ("submitted", "ok", [], [])
    assert found.facts["bmi"] == "24.2" and found.facts["bp_systolic_mmhg"] == "118"
    rows, after = access.queue_page(access.states_today(dana, at), at=at + timedelta(minutes=6))
    assert [row["id"] for row in rows] == [intake.pk] and after is None
    assert rows[0]["full_name"] == "Alice Lindqvist"


def test_accepting_puts_the_psychiatrist_in_the_care_team(stranger_patient, dana, at):
    intake = an_accepted_intake(stranger_patient, dana, at, full_name="Bob Tanaka")
    assert intake.state == "accepted"
    intake.patient.care_team.refresh_from_db()
    assert intake.patient.care_team.psychiatrist == dana
    assert access.eligibility_stands(intake.patient)
    assert access.consent_current(intake.patient, at)


def test_an_unfinished_intake_names_the_steps_that_are_left(alice, at):
    with pytest.raises(Invalid) as refused:
        actions.submit(a_draft(alice, at), by=alice, at=at)
    assert set(refused.value.fields) == {
        "about", "heart", "body", "mind", "medicines", "phq9", "gad7", "safety", "substances", "home", "bp", "identity", "consent",
    }  # fmt: skip


def test_two_tabs_do_not_overwrite_each_other(alice, at):
    """HZ-20."""
    intake = a_draft(alice, at)
    actions.save_step(intake, "home", {"home_safe": "yes"}, version=0, by=alice, at=at)
    with pytest.raises(StaleVersion):
        actions.save_step(intake, "home", {"home_safe": "no"}, version=0, by=alice, at=at)
    intake.refresh_from_db()
    assert intake.answers["home"]["data"] == {"home_safe": "yes"}


def test_a_submitted_intake_cannot_be_changed_by_the_patient(alice, at):
    intake = a_submitted_intake(alice, at)
    with pytest.raises(Conflict):
        actions.save_step(intake, "home", {"home_safe": "no"}, version=1, by=alice, at=at)


def test_a_second_psychiatrist_cannot_take_a_claimed_intake_until_the_lease_ends(alice, dana, at):
    from tests.conftest import a_psychiatrist

    intake = a_claimed_intake(alice, dana, at)
    other = a_psychiatrist("Nora Fields", "CA")
    with pytest.raises(Conflict):
        actions.claim(intake.pk, by=other, at=at + timedelta(minutes=39))
    taken = actions.claim(intake.pk, by=other, at=at + timedelta(minutes=41))
    assert taken.claimed_by == other
    with pytest.raises(Conflict):
        actions.decide(intake, "accept", by=dana, at=at + timedelta(minutes=42))


def test_a_psychiatrist_of_another_state_sees_no_such_intake(alice, other_psychiatrist, at):
    """PR-02."""
    intake = a_submitted_intake(alice, at)
    with pytest.raises(NotVisible):
        actions.claim(intake.pk, by=other_psychiatrist, at=at)
    with pytest.raises(NotVisible):
        access.intake_visible_to(other_psychiatrist, intake.pk, at)


def test_a_licence_that_ends_today_still_counts_and_tomorrow_does_not(alice, dana, at):
    from accounts.models import Licence

    intake = a_submitted_intake(alice, at)
    Licence.objects.filter(psychiatrist=dana, state="CA").update(expires_on=at.date())
    assert "CA" in access.states_today(dana, at)
    assert "CA" not in access.states_today(dana, at + timedelta(days=1))
    with pytest.raises(NotVisible):
        actions.claim(intake.pk, by=dana, at=at + timedelta(days=1))


def test_an_absolute_rule_cannot_be_overridden(alice, dana, at):
    """HZ-12: an aneurysm excludes, whatever the note says."""
    intake = a_claimed_intake(alice, dana, at, aneurysm="yes")
    with pytest.raises(NotPermitted) as refused:
        actions.decide(intake, "accept", by=dana, at=at, note="I have looked into this at length.")
    assert "E23" in refused.value.detail


def test_a_relative_exclusion_is_accepted_only_with_a_reason(alice, dana, at):
    intake = a_claimed_intake(alice, dana, at, bp=(165, 80))
    with pytest.raises(Invalid):
        actions.decide(intake, "accept", by=dana, at=at, note="ok")
    decision = actions.decide(intake, "accept", by=dana, at=at, note="White-coat effect; home log seen.")
    assert decision.kind == "accept" and "E30" in decision.reasons


def test_declining_keeps_reasons_and_letter_and_tells_the_patient(alice, dana, at):
    from notify.models import OutboxMessage

    intake = a_claimed_intake(alice, dana, at, aneurysm="yes")
    actions.decide(
        intake, "decline", by=dana, at=at, reasons=["E23"], letter="Thank you for telling us so much."
    )
    intake.refresh_from_db()
    assert intake.state == "declined"
    assert Decision.objects.get(intake=intake).letter == "Thank you for telling us so much."
    news = OutboxMessage.objects.get(kind="intake_news")
    assert news.recipient == alice


def test_asking_for_more_opens_those_steps_and_only_those(alice, dana, at):
    intake = a_claimed_intake(alice, dana, at)
    actions.decide(intake, "ask_more", by=dana, at=at, items=["heart"], letter="Which heart medicine was it?")
    intake.refresh_from_db()
    assert intake.state == "more_info" and intake.more_info_items == ["heart"]
    with pytest.raises(Invalid) as refused:
        actions.submit(intake, by=alice, at=at)
    assert set(refused.value.fields) == {"heart"}
    answers = intake.answers["heart"]
    actions.save_step(intake, "heart", answers["data"], version=answers["version"], by=alice, at=at)
    again = actions.submit(intake, by=alice, at=at + timedelta(days=1))
    assert again.state == "submitted" and again.submitted_at == intake.submitted_at


def test_a_stale_chart_cannot_be_signed(alice, dana, at):
    """HZ-20: the facts changed after the page was opened."""
    intake = a_claimed_intake(alice, dana, at)
    seen = access.latest_evaluation(intake.patient).pk
    actions.add_medicine(intake.patient, name="Nardil", dose_text="", by=alice, at=at + timedelta(minutes=12))
    with pytest.raises(StaleVersion):
        actions.decide(intake, "accept", by=dana, at=at + timedelta(minutes=13), seen=seen)


def test_a_new_medicine_after_acceptance_reopens_eligibility_and_holds_doses(alice, dana, at):
    """HZ-12: answers changed after approval re-open the question; a psychiatrist settles it."""
    from safety.models import Alert, SafetyHold

    intake = an_accepted_intake(alice, dana, at)
    actions.add_medicine(
        intake.patient, name="theophylline", dose_text="", by=alice, at=at + timedelta(days=2)
    )
    assert not access.eligibility_stands(intake.patient)
    assert SafetyHold.objects.get(patient=intake.patient).reason_code == "eligibility_reopened"
    assert Alert.objects.get(patient=intake.patient).trigger == "X21"
    entry = AuditEntry.objects.get(action="eligibility.changed")
    assert entry.detail["added"] == ["E65"] and "E65" not in entry.detail["before"]
    actions.settle(intake.patient, note="Stopped by her pulmonologist.", by=dana, at=at + timedelta(days=3))
    assert access.eligibility_stands(intake.patient)


def test_an_antidepressant_after_acceptance_reopens_nothing(alice, dana, at):
    intake = an_accepted_intake(alice, dana, at)
    actions.add_medicine(
        intake.patient, name="Zoloft 50 mg", dose_text="daily", by=alice, at=at + timedelta(days=2)
    )
    assert access.eligibility_stands(intake.patient)


def test_the_same_text_is_signed_once(alice, at):
    intake = a_filled_intake(alice, at)
    before = Consent.objects.filter(patient=intake.patient).count()
    from intake.rules.documents import document

    text = document("treatment-consent", "CA")
    actions.sign_consent(
        intake.patient,
        text,
        sha256=text.sha256,
        signed_name="Alice Lindqvist",
        acknowledged=text.acknowledge,
        by=alice,
        at=at,
    )
    assert Consent.objects.filter(patient=intake.patient).count() == before == 2


def test_moving_to_another_state_asks_for_consent_again(alice, at):
    intake = a_filled_intake(alice, at)
    assert access.consent_current(intake.patient, at)
    entry = intake.answers["about"]
    answers = entry["data"] | {"state": "NY"}
    actions.save_step(intake, "about", answers, version=entry["version"], by=alice, at=at)
    intake.patient.refresh_from_db()
    assert not access.consent_current(intake.patient, at)


def test_every_fact_of_assessment_and_intake_can_be_answered(alice, at):
    from common import protocol
    from intake.rules import Stage, required_facts

    intake = a_filled_intake(alice, at)
    facts = access.facts_of(intake, at=at, version=protocol.current(at=at))
    assert set(required_facts(Stage.INTAKE)) <= set(facts)
    assert plain_answers("home")["home_safe"] == "yes"


def test_asked_to_measure_again_means_a_set_measured_after_the_question(alice, dana, at):
    intake = a_claimed_intake(alice, dana, at)
    later = at + timedelta(minutes=15)
    actions.decide(intake, "ask_more", by=dana, at=later, items=["bp"], letter="Please measure again.")
    intake.refresh_from_db()
    assert actions.steps_left(intake) == ["bp"]
    tasks = [task for group in task_groups(intake, ["bp"], lambda step: step.id) for task in group["tasks"]]
    assert [one["href"] for one in tasks if one["status"] == "Please look again"] == ["bp"]
    with pytest.raises(Invalid):
        actions.submit(intake, by=alice, at=at + timedelta(days=1))
    for minute in (0, 2):
        when = at + timedelta(days=1, minutes=minute)
        actions.record_intake_reading(
            intake, systolic_mmhg=118, diastolic_mmhg=76, pulse_bpm=70, by=alice, at=when
        )
    assert actions.submit(intake, by=alice, at=at + timedelta(days=2)).state == "submitted"


def test_whoever_moves_while_somebody_reads_is_at_once_in_the_queue_of_their_new_state(
    alice, dana, other_psychiatrist, at
):
    intake = a_claimed_intake(alice, dana, at)
    update_patient(intake.patient, by=alice, at=at + timedelta(minutes=12), state="TX")
    held = actions.claim(intake.pk, by=other_psychiatrist, at=at + timedelta(minutes=13))
    assert (held.care_state, held.claimed_by) == ("TX", other_psychiatrist)


def test_a_move_within_the_licences_of_whoever_reads_leaves_the_intake_with_them(alice, dana, at):
    intake = a_claimed_intake(alice, dana, at)
    update_patient(intake.patient, by=alice, at=at + timedelta(minutes=12), state="NY")
    intake.refresh_from_db()
    assert (intake.state, intake.claimed_by) == ("claimed", dana)
