"""A body that the API cannot take must not silence what it says about safety (PR-06, HZ-08)."""

import pytest

from measures.models import InstrumentResponse
from safety.models import Alert
from tests.intake.builders import GAD7, PHQ9, SAFE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("protocol_version")]
ADDRESS = "/api/v1/questionnaire-responses/"
NOT_SAFE = {**PHQ9, "phq9_9": 2}


@pytest.fixture(autouse=True)
def _now(clock_at, at):
    with clock_at(at):
        yield


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"instrument": "phq9", "timepoint": "no-such-time", "answers": NOT_SAFE}, 400),
        ({"instrument": "phq9", "timepoint": "baseline", "answers": NOT_SAFE, "total": 18}, 400),
        ({"instrument": "phq9", "timepoint": "baseline", "answers": {**NOT_SAFE, "phq9_1": None}}, 400),
        ({"instrument": "phq9", "timepoint": "baseline", "answers": {**NOT_SAFE, "phq9_1": 10**30}}, 400),
        ({"instrument": "phq9", "timepoint": "baseline", "answers": {"phq9_9": "3"}}, 400),
        ({"instrument": "gad7", "timepoint": "baseline", "answers": {**GAD7, "phq9_9": 1}}, 422),
        ({"answers": NOT_SAFE}, 400),
        ({"instrument": "suicide_risk", "timepoint": "baseline", "answers": {"cssrs_q1": "Yes"}}, 400),
        ({"instrument": "suicide_risk", "timepoint": "baseline", "answers": {"cssrs_q2": True}}, 400),
        ({"instrument": "suicide_risk", "timepoint": "no-such-time", "answers": {"cssrs_q2": "unsure"}}, 400),
        (
            {
                "instrument": "suicide_risk",
                "timepoint": "baseline",
                "answers": {"cssrs_q4": "unsure", "x": 1},
            },
            422,
        ),
        (
            {
                "instrument": "suicide_risk",
                "timepoint": "baseline",
                "answers": {"cssrs_q1": "yes", "x": "yes"},
            },
            422,
        ),
        ({"instrument": "phq9", "timepoint": "baseline", "answers": {**NOT_SAFE, "\x00": 1}}, 422),
    ],
)
def test_what_it_says_about_safety_is_answered_with_help_and_pages_somebody(api_for, alice, body, status):
    """PR-06, HZ-08."""
    answer = api_for(alice).post(ADDRESS, body, format="json")
    assert answer.status_code == status, answer.content
    assert {"988", "911"} <= set(answer.json()["help"]["call"])
    assert answer.json()["fields"]
    assert Alert.objects.filter(patient_id=alice.pk).count() == 1
    assert InstrumentResponse.objects.count() == 1


@pytest.mark.parametrize("value", [99, "often", 1.5, ["yes"]])
def test_a_safety_answer_nobody_can_read_still_gets_help(api_for, alice, value):
    """PR-06: nothing is guessed into the chart, and nobody is left with an error alone."""
    body = {"instrument": "phq9", "timepoint": "baseline", "answers": {**PHQ9, "phq9_9": value}}
    answer = api_for(alice).post(ADDRESS, body, format="json")
    assert answer.status_code in (400, 422)
    assert "988" in answer.json()["help"]["call"]
    assert InstrumentResponse.objects.count() == 0


@pytest.mark.parametrize(
    "answers",
    [
        {**PHQ9, "phq9_1": None},
        {**PHQ9, "phq9_9": "0", "x": 1},
        {**SAFE, "cssrs_q2": False, "x": "yes"},
        [],
        "yes",
        None,
    ],
)
def test_without_a_safety_answer_it_is_a_plain_error(api_for, alice, answers):
    answer = api_for(alice).post(
        ADDRESS, {"instrument": "phq9", "timepoint": "baseline", "answers": answers}, format="json"
    )
    assert answer.status_code in (400, 422)
    assert "help" not in answer.json()
    assert Alert.objects.count() == InstrumentResponse.objects.count() == 0
