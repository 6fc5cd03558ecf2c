"""The one door for answers: scored, kept, acted upon."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction

from common import hooks
from common.errors import Invalid
from measures import access
from measures.actions import is_alarming, record_response
from measures.models import InstrumentResponse
from notify.models import OutboxMessage
from safety.models import Alert, SafetyHold
from tests.intake.builders import GAD7, PHQ9, SAFE

pytestmark = pytest.mark.django_db


def record(user, at, instrument="phq9", answers=PHQ9, **kwargs):
    return record_response(
        user.patient, instrument, answers, kwargs.pop("timepoint", "baseline"), by=user, at=at, **kwargs
    )


def test_a_phq9_is_scored_banded_and_kept_item_by_item(alice, at, protocol_version):
    kept = record(alice, at).response
    kept.refresh_from_db()
    assert (kept.total, kept.band, kept.item9, kept.items["phq9_1"], kept.instrument_version) == (
        16,
        "moderately_severe",
        0,
        2,
        "phq9-1",
    )


@pytest.mark.parametrize(("item9", "alarm"), [(0, False), (1, True), (2, True), (3, True)])
def test_item_nine_of_one_or_more_is_an_alarm_whatever_the_total(alice, at, protocol_version, item9, alarm):
    """HZ-08."""
    answers = {f"phq9_{n}": 0 for n in range(1, 9)} | {"phq9_9": item9}
    recorded = record(alice, at, answers=answers)
    assert (recorded.crisis, recorded.alert is not None) == (alarm, alarm)
    assert SafetyHold.objects.filter(patient=alice.patient).exists() is alarm


@pytest.mark.parametrize(
    ("answers", "level", "trigger"),
    [
        ({}, "none", None),
        ({"cssrs_q1": "yes"}, "low", "X03"),
        ({"cssrs_q2": "yes", "cssrs_q3": "no", "cssrs_q4": "no", "cssrs_q5": "no"}, "low", "X03"),
        ({"cssrs_q2": "yes", "cssrs_q3": "yes", "cssrs_q4": "no", "cssrs_q5": "no"}, "moderate", "X03"),
        ({"cssrs_q2": "yes", "cssrs_q3": "no", "cssrs_q4": "no", "cssrs_q5": "yes"}, "high", "X02"),
        ({"cssrs_q6_life": "yes", "cssrs_q6_3mo": "no"}, "moderate", "X03"),
        ({"cssrs_q6_life": "yes", "cssrs_q6_3mo": "yes"}, "high", "X02"),
        ({"cssrs_q2": "unsure"}, "moderate", "X03"),
    ],
)
def test_safety_answers_alert_by_level(alice, at, protocol_version, answers, level, trigger):
    """HZ-08."""
    recorded = record(alice, at, "suicide_risk", SAFE | answers)
    assert recorded.response.risk_level == level
    assert (recorded.alert.trigger if recorded.alert else None) == trigger


def test_help_does_not_wait_for_an_approved_protocol(alice, at):
    """The crisis path fails open: with no protocol approved it still shows help, alerts and holds."""
    recorded = record(alice, at, answers=PHQ9 | {"phq9_9": 3})
    assert recorded.crisis and Alert.objects.count() == SafetyHold.objects.count() == 1


def test_the_alert_and_its_page_are_in_the_transaction_of_the_answer(alice, at, protocol_version):
    """HZ-08: what rolls back leaves neither answer nor alarm; what commits leaves both."""
    with pytest.raises(RuntimeError), transaction.atomic():
        record(alice, at, answers=PHQ9 | {"phq9_9": 1})
        raise RuntimeError
    assert (
        not InstrumentResponse.objects.exists()
        and not Alert.objects.exists()
        and not OutboxMessage.objects.exists()
    )
    record(alice, at, answers=PHQ9 | {"phq9_9": 1})
    assert InstrumentResponse.objects.count() == Alert.objects.count() == 1


def test_a_better_answer_later_leaves_the_hold_in_place(alice, at, protocol_version):
    """HZ-27."""
    record(alice, at, answers=PHQ9 | {"phq9_9": 2})
    record(alice, at + timedelta(hours=1), answers=PHQ9)
    assert SafetyHold.objects.get(patient=alice.patient).cleared_at is None
    assert [row.item9 for row in access.responses_of(alice.patient)] == [0, 2]


def test_answers_cannot_be_changed_or_deleted_even_in_the_database(alice, at, protocol_version):
    """HZ-27."""
    record(alice, at)
    for change in (
        lambda: InstrumentResponse.objects.update(item9=0),
        lambda: InstrumentResponse.objects.all().delete(),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


@pytest.mark.parametrize(
    ("instrument", "answers"),
    [
        ("phq9", {"phq9_1": 1}),
        ("phq9", PHQ9 | {"phq9_1": 4}),
        ("phq9", PHQ9 | {"phq9_1": True}),
        ("gad7", GAD7 | {"gad7_8": 1}),
        ("suicide_risk", {"cssrs_q1": "maybe"}),
        ("suicide_risk", {}),
        ("mood", {}),
    ],
)
def test_answers_that_cannot_be_scored_are_named_and_not_kept(
    alice, at, protocol_version, instrument, answers
):
    with pytest.raises(Invalid) as refused:
        record(alice, at, instrument, answers)
    assert refused.value.fields and not InstrumentResponse.objects.exists()


def test_only_a_finished_questionnaire_runs_the_hook_and_counts_as_a_score(
    alice, at, protocol_version, monkeypatch
):
    seen = []
    monkeypatch.setitem(
        hooks._hooks, "instrument.completed", [lambda response, by, at: seen.append(response.total)]
    )
    record(alice, at, answers={"phq9_9": 1}, complete=False)
    assert access.scores_of(alice.patient) == [] and access.latest(alice.patient, "phq9") is None
    record(alice, at, timepoint="after_session_2")
    assert seen == [16] and access.latest(alice.patient, "phq9", "after_session_2").total == 16
    assert access.latest(alice.patient, "phq9", "baseline") is None


def test_what_is_alarming_in_a_half_filled_form(at):
    assert is_alarming("phq9", {"phq9_9": 1}, at=at) and not is_alarming(
        "phq9", {"phq9_9": 0, "phq9_1": 3}, at=at
    )
    assert is_alarming("suicide_risk", {"cssrs_q6_life": "yes"}, at=at)
    assert is_alarming("suicide_risk", {"cssrs_q4": "unsure"}, at=at)
    assert not is_alarming("suicide_risk", {"cssrs_q1": "no"}, at=at) and not is_alarming(
        "gad7", {"gad7_1": 3}, at=at
    )


def test_items_are_encrypted_at_rest(alice, at, protocol_version):
    from django.db import connection

    record(alice, at)
    with connection.cursor() as cursor:
        cursor.execute("SELECT items FROM measures_instrumentresponse")
        assert "phq9_1" not in cursor.fetchone()[0]
