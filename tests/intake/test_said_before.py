"""What an earlier intake said that would exclude, and this one does not say, is asked about before anybody is accepted (HZ-12)."""

import re
import uuid
from datetime import timedelta

import pytest

from common.errors import Invalid
from intake import access, actions
from intake.models import Decision
from tests.intake.builders import a_claimed_intake, a_filled_intake, a_submitted_intake

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("protocol_version")]

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
HEADING = "Said in an earlier intake, and not in this one"


def taken_back_and_begun_anew(user, psychiatrist, at, *, now_says="no"):
    """Sent with an opioid use disorder, taken back by the patient, sent again next day."""
    actions.withdraw(a_submitted_intake(user, at, oud_history="yes"), by=user, at=at + 6 * MINUTE)
    return a_claimed_intake(user, psychiatrist, at + DAY, oud_history=now_says)


def test_a_yes_that_became_a_no_stands_red_on_the_chart_with_its_day(alice, dana, at):
    intake = taken_back_and_begun_anew(alice, dana, at)
    chart = access.chart_of(intake.patient)
    assert "E48" not in chart.evaluation.reasons
    assert [(rule.id, sent_at) for rule, sent_at in chart.said_before_in_words()] == [
        ("E48", at + 5 * MINUTE)
    ]


def test_what_is_said_again_stands_with_the_rules_and_not_twice(alice, dana, at):
    chart = access.chart_of(taken_back_and_begun_anew(alice, dana, at, now_says="yes").patient)
    assert "E48" in chart.evaluation.reasons and not chart.said_before


def test_what_was_never_sent_or_only_needs_a_look_is_not_held_against_anybody(alice, dana, at):
    actions.withdraw(a_filled_intake(alice, at, oud_history="yes"), by=alice, at=at + 6 * MINUTE)
    actions.withdraw(a_submitted_intake(alice, at + DAY, thyroid_treated="yes"), by=alice, at=at + 2 * DAY)
    intake = a_claimed_intake(alice, dana, at + 3 * DAY)
    assert not access.chart_of(intake.patient).said_before
    actions.decide(intake, "accept", by=dana, at=at + 3 * DAY + 20 * MINUTE, note="")


def test_nobody_is_charged_with_what_another_person_said(alice, stranger_patient, dana, at):
    actions.withdraw(
        a_submitted_intake(stranger_patient, at, oud_history="yes"), by=stranger_patient, at=at + 6 * MINUTE
    )
    intake = a_claimed_intake(alice, dana, at + DAY)
    assert not access.chart_of(intake.patient).said_before
    actions.decide(intake, "accept", by=dana, at=at + DAY + 20 * MINUTE, note="")


def test_accepting_then_needs_a_note_of_what_has_changed(alice, dana, at):
    intake = taken_back_and_begun_anew(alice, dana, at)
    for note in ("", "ok", "   .   .   "):
        with pytest.raises(Invalid, match="E48 would have excluded by an earlier intake"):
            actions.decide(intake, "accept", by=dana, at=at + DAY + 20 * MINUTE, note=note)
    assert not Decision.objects.exists()
    actions.decide(
        intake,
        "accept",
        by=dana,
        at=at + DAY + 20 * MINUTE,
        note="He had ticked the wrong row, asked by phone.",
    )
    assert Decision.objects.get().kind == "accept"


def test_a_declined_intake_is_heard_in_the_next_one(alice, dana, at):
    first = a_claimed_intake(alice, dana, at, oud_history="yes")
    actions.decide(
        first, "decline", by=dana, at=at + 20 * MINUTE, reasons=["E48"], note="As answered.",
        letter="Dear Alice, ketamine at home is not a safe choice for you.",
    )  # fmt: skip
    again = a_claimed_intake(alice, dana, at + 40 * DAY)
    assert list(access.chart_of(again.patient).said_before) == ["E48"]


def test_the_pages_say_it_and_keep_what_was_typed(client_for, alice, dana, at, clock_at, query_budget):
    intake = taken_back_and_begun_anew(alice, dana, at)
    client = client_for(dana)
    with clock_at(at + DAY + 15 * MINUTE):
        address = f"/chart/{intake.patient_id}/"
        client.get(address)
        with query_budget(12):
            chart = client.get(address).content.decode()
        assert HEADING in chart and "E48" in chart and "No rule speaks against" not in chart
        page = client.get(f"{address}decide/accept/").content.decode()
        assert HEADING in page and "E48" in page
        seen = re.search(r'name="seen" value="([0-9a-f-]+)"', page)[1]
        form = {"intent": str(uuid.uuid4()), "seen": seen, "note": "ok"}
        refused = client.post(f"{address}decide/accept/", form)
    assert (
        refused.status_code == 422
        and "Write what has changed since the earlier intake." in refused.content.decode()
    )
    assert not Decision.objects.exists()
