"""Answers that say it elsewhere, lists nobody confirmed, readings measured until they fit: the rules hear of all of them."""

from datetime import date, timedelta

import pytest

from common.errors import Invalid
from intake import access, actions
from intake.access import latest_evaluation
from intake.rules.answers import facts_from
from intake.rules.steps import step
from tests.intake.builders import (
    a_claimed_intake,
    a_filled_intake,
    a_submitted_intake,
    plain_answers,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("protocol_version")]
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


# --- medicines ----------------------------------------------------------------------------------------------------------


def asked_about_medicines(alice, dana, at, *names):
    """The psychiatrist asked for more about the list, and nobody answered in time."""
    intake = a_claimed_intake(alice, dana, at, medicines=names)
    actions.decide(
        intake, "ask_more", by=dana, at=at + 15 * MINUTE, letter="How much of each?", items=["medicines"]
    )
    return actions.claim(intake.pk, by=dana, at=at + 20 * DAY)


def test_a_list_nobody_confirmed_again_still_counts_and_its_rest_is_unread(alice, dana, at):
    """HZ-12: a question left unanswered hides no medicine, and no signature passes without a word about it."""
    intake = asked_about_medicines(alice, dana, at, "theophylline")
    found = latest_evaluation(intake.patient)
    assert found.outcome == "exclude" and {"E65", "E71"} <= set(found.reasons)
    assert "rx_classes" in found.missing
    with pytest.raises(Invalid):
        actions.decide(intake, "accept", by=dana, at=at + 20 * DAY + MINUTE, note="", seen=found.pk)


def test_a_medicine_added_in_care_wakes_the_rules_though_the_list_was_never_confirmed_again(alice, dana, at):
    """HZ-12."""
    intake = asked_about_medicines(alice, dana, at, "sertraline")
    actions.decide(intake, "accept", by=dana, at=at + 20 * DAY + MINUTE, note="Doses were told by telephone.")
    assert access.eligibility_stands(intake.patient)
    actions.add_medicine(intake.patient, name="Nardil", dose_text="", by=alice, at=at + 21 * DAY)
    assert "E56" in latest_evaluation(intake.patient).reasons
    assert not access.eligibility_stands(intake.patient)


# --- answers that another question already gave -------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "reasons"), [(200, ["E27"]), (180, ["E26", "E27"]), (None, ["E27", "E71"])])
def test_a_heart_attack_or_stroke_long_ago_is_a_heart_disease_to_look_at(alice, at, days, reasons):
    when = {} if days is None else {"cardiac_event_on": (at - days * DAY).date().isoformat()}
    intake = a_submitted_intake(alice, at, cardiac_event="yes", cardiac_history="no", **when)
    assert intake.reasons == reasons


def test_an_overactive_thyroid_that_is_treated_is_a_treated_thyroid(alice, at):
    intake = a_submitted_intake(alice, at, hyperthyroid="controlled", thyroid_treated="no")
    assert (intake.outcome, intake.reasons) == ("review", ["E38"])


def test_ketamine_without_a_prescription_is_asked_for_as_the_rule_says_ever():
    (label,) = [q.label for q in step("substances").questions if q.name == "ketamine_misuse"]
    assert "ever" in label and "twice" not in label


# --- a question that came after the page was answered -------------------------------------------------------------------


def from_before_the_kidney_question(alice, at, **kept):
    intake = a_filled_intake(alice, at)
    data = intake.answers["body"]["data"]
    intake.answers["body"]["data"] = {k: v for k, v in data.items() if k not in ("kidney", "egfr")} | kept
    intake.save(update_fields=["answers"])
    return intake


def test_an_intake_from_before_a_question_is_asked_it_before_it_is_sent(alice, at):
    intake = from_before_the_kidney_question(alice, at)
    assert actions.steps_left(intake) == ["body"]
    with pytest.raises(Invalid):
        actions.submit(intake, by=alice, at=at + 5 * MINUTE)
    entry = intake.answers["body"]
    intake = actions.save_step(
        intake, "body", {**entry["data"], "kidney": "none"}, version=entry["version"], by=alice, at=at
    )
    assert actions.submit(intake, by=alice, at=at + 5 * MINUTE).outcome == "ok"


@pytest.mark.parametrize(
    ("kept", "kidney"), [({}, "unknown"), ({"kidney": "none"}, "none"), ({"kidney": "severe"}, "severe")]
)
def test_kidneys_nobody_was_asked_about_are_unknown(kept, kidney):
    body = {k: v for k, v in plain_answers("body").items() if k not in ("kidney", "egfr")} | kept
    assert facts_from({"body": body}, on=date(2026, 11, 29))["kidney"] == kidney


def test_without_any_answer_about_the_body_nothing_is_said_of_kidneys():
    assert "kidney" not in facts_from({"home": {"home_safe": "yes"}}, on=date(2026, 11, 29))


# --- blood pressure -----------------------------------------------------------------------------------------------------


def measure(intake, by, *readings):
    for at, systolic, diastolic in readings:
        actions.record_intake_reading(
            intake, systolic_mmhg=systolic, diastolic_mmhg=diastolic, pulse_bpm=70, by=by, at=at
        )


@pytest.mark.parametrize(("first", "reason"), [((170, 105), "E30"), ((150, 84), "E29"), ((124, 94), "E29")])
def test_measuring_again_until_it_fits_leaves_the_worst_set_in_force(alice, at, first, reason):
    intake = a_filled_intake(alice, at, bp=first)
    measure(intake, alice, (at + 4 * MINUTE, 128, 80), (at + 6 * MINUTE, 126, 80))
    assert actions.submit(intake, by=alice, at=at + 20 * MINUTE).reasons == [reason]


def test_the_worst_of_either_pressure_counts_over_all_sets(alice, at):
    intake = a_filled_intake(alice, at, bp=(138, 104))
    measure(intake, alice, (at + 4 * MINUTE, 158, 80), (at + 6 * MINUTE, 158, 80))
    actions.submit(intake, by=alice, at=at + 20 * MINUTE)
    facts = latest_evaluation(intake.patient).facts
    assert (facts["bp_systolic_mmhg"], facts["bp_diastolic_mmhg"]) == ("158", "104")


def test_a_pressure_the_psychiatrist_asked_for_anew_is_judged_anew_by_its_own_worst_set(alice, dana, at):
    intake = a_claimed_intake(alice, dana, at, bp=(170, 105))
    actions.decide(
        intake, "ask_more", by=dana, at=at + 15 * MINUTE, letter="After your doctor’s visit.", items=["bp"]
    )
    later = at + 9 * DAY
    measure(intake, alice, (later, 128, 80))
    intake.refresh_from_db()
    version = latest_evaluation(intake.patient).protocol
    # One reading is no set: what was there before stands.
    assert access.facts_of(intake, at=later, version=version)["bp_systolic_mmhg"] == "170"
    measure(intake, alice, (later + 2 * MINUTE, 126, 80))
    measure(intake, alice, (later + 30 * MINUTE, 142, 82), (later + 32 * MINUTE, 142, 82))
    assert actions.submit(intake, by=alice, at=later + 40 * MINUTE).reasons == ["E29"]
