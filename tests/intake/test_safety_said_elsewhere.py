"""Intent is heard by the rules wherever and whenever it was said (HZ-12, HZ-27)."""

from datetime import timedelta

import pytest

from accounts.access import patient_of
from common.errors import NotPermitted, StaleVersion
from intake import access, actions
from measures.actions import record_response
from measures.actions.cssrs import record_cssrs
from measures.rules import cssrs_form, risk_screen
from safety.models import Alert, SafetyHold
from tests.intake.builders import (
    a_claimed_intake,
    a_filled_intake,
    a_submitted_intake,
    an_accepted_intake,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("protocol_version")]

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
INTENT = {question.code: "yes" for question in risk_screen().questions}


def reasons_of(patient):
    return set(access.latest_evaluation(patient).reasons)


def said(patient, by, at, answers=INTENT, **how):
    return record_response(patient, "suicide_risk", answers, "checkin", by=by, at=at, **how)


def test_intent_told_on_the_outcomes_page_stops_the_signature_of_whoever_reads(alice, dana, at):
    intake = a_claimed_intake(alice, dana, at)
    seen = access.latest_evaluation(intake.patient).pk
    said(intake.patient, alice, at + 12 * MINUTE)
    assert {"E19", "E20"} <= reasons_of(intake.patient)
    with pytest.raises(StaleVersion):
        actions.decide(intake, "accept", by=dana, at=at + 15 * MINUTE, seen=seen)
    with pytest.raises(NotPermitted):
        actions.decide(intake, "accept", by=dana, at=at + 15 * MINUTE, note="She seems well to me.")


@pytest.mark.parametrize("complete", [True, False])
def test_intent_told_in_care_reopens_and_counts_its_stable_days(alice, dana, at, complete):
    intake = an_accepted_intake(alice, dana, at)
    answers = INTENT if complete else {"cssrs_q5": "yes", "cssrs_q4": "yes", "cssrs_q6_3mo": "yes"}
    said(intake.patient, alice, at + DAY, answers, complete=complete)
    found = access.latest_evaluation(intake.patient)
    assert found.cause == "reopened" and {"E19", "E20"} <= set(found.reasons)
    assert not access.eligibility_stands(intake.patient)
    holds = SafetyHold.objects.filter(patient=intake.patient, cleared_at=None)
    assert {"suicide_risk", "eligibility_reopened"} <= {hold.reason_code for hold in holds}
    assert Alert.objects.filter(patient=intake.patient, trigger="X21").exists()
    days = {one.rule_id: (one.until - (at + DAY).date()).days for one in actions.barriers(found, at=at + DAY)}
    assert days == {"E19": 30, "E20": 90}


def test_a_danger_that_passed_leaves_the_rules_and_the_same_words_later_are_news_again(alice, dana, at):
    intake = an_accepted_intake(alice, dana, at)
    only_intent = {"cssrs_q1": "yes", "cssrs_q2": "yes", "cssrs_q3": "no", "cssrs_q4": "yes", "cssrs_q5": "no",
                   "cssrs_q6_life": "no"}  # fmt: skip
    said(intake.patient, alice, at + DAY, only_intent)
    with pytest.raises(NotPermitted):
        actions.settle(intake.patient, note="Stable, seen weekly.", by=dana, at=at + 20 * DAY)
    actions.settle(intake.patient, note="Stable, seen weekly.", by=dana, at=at + 32 * DAY)
    actions.reevaluate(intake.patient, by="system:rules", at=at + 33 * DAY)
    assert "E19" not in reasons_of(intake.patient) and access.eligibility_stands(intake.patient)
    said(intake.patient, alice, at + 40 * DAY, only_intent)
    assert "E19" in reasons_of(intake.patient) and not access.eligibility_stands(intake.patient)


def test_taking_an_intake_back_and_beginning_anew_with_no_takes_no_intent_back(alice, dana, at):
    yes = {f"cssrs_q{n}": "yes" for n in range(1, 6)}
    first = actions.submit(a_filled_intake(alice, at, **yes), by=alice, at=at + 5 * MINUTE)
    actions.withdraw(first, by=alice, at=at + 6 * MINUTE)
    again = a_claimed_intake(alice, dana, at + 10 * MINUTE)
    assert {"E19", "E21", "E22"} <= reasons_of(again.patient) and again.urgency == again.Urgency.NOW
    with pytest.raises(NotPermitted):
        actions.decide(again, "accept", by=dana, at=at + 25 * MINUTE, note="She says no to it now.")


@pytest.mark.parametrize(("days", "heard"), [(2, {"E19", "E20"}), (40, {"E20"}), (95, set())])
def test_what_an_interview_found_before_the_intake_counts_for_the_days_of_its_rule(
    alice, dana, at, days, heard
):
    form = cssrs_form()
    record_cssrs(
        patient_of(alice), assessed_on=(at - days * DAY).date(), form=next(iter(form.forms)), ideation_level=5,
        behaviour=list(form.behaviours)[-1], by=dana, at=at - days * DAY,
    )  # fmt: skip
    assert reasons_of(a_submitted_intake(alice, at).patient) & {"E19", "E20"} == heard
