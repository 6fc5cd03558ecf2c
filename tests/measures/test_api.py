"""Questionnaires over the API."""

import pytest

from measures.models import InstrumentResponse
from safety.models import Alert
from tests.intake.builders import GAD7, PHQ9, SAFE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("protocol_version")]
ADDRESS = "/api/v1/questionnaire-responses/"


@pytest.fixture(autouse=True)
def _now(clock_at, at):
    with clock_at(at):
        yield


def send(api, **body):
    return api.post(ADDRESS, {"timepoint": "baseline", **body}, format="json")


def test_a_questionnaire_is_scored_and_listed(api_for, alice):
    api = api_for(alice)
    made = send(api, instrument="phq9", answers=PHQ9)
    assert made.status_code == 201, made.content
    assert (made.json()["total"], made.json()["band"], made.json()["help"]) == (16, "moderately_severe", None)
    send(api, instrument="gad7", answers=GAD7)
    assert {row["instrument"] for row in api.get(ADDRESS).json()["results"]} == {"gad7", "phq9"}


@pytest.mark.parametrize(
    ("instrument", "answers"),
    [("phq9", {**PHQ9, "phq9_9": 1}), ("suicide_risk", {**SAFE, "cssrs_q1": "yes"})],
)
def test_a_positive_safety_answer_carries_help_in_the_same_answer(api_for, alice, instrument, answers):
    """PR-06 and HZ-08."""
    body = send(api_for(alice), instrument=instrument, answers=answers).json()
    assert "988" in body["help"]["call"] and "911" in body["help"]["call"]
    assert Alert.objects.filter(patient_id=alice.pk).count() == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"instrument": "phq9", "answers": {"phq9_1": 1}}, 422),
        ({"instrument": "phq9", "answers": {**PHQ9, "phq9_1": 4}}, 422),
        ({"instrument": "phq9", "answers": {**PHQ9, "\x00": 1}}, 422),
        ({"instrument": "phq9", "answers": {**PHQ9, "phq9_1": "yes"}}, 422),
        ({"instrument": "suicide_risk", "answers": {}}, 422),
        ({"instrument": "suicide_risk", "answers": {"cssrs_q1": 1}}, 422),
        ({"instrument": "phq9", "answers": {**PHQ9, "phq9_1": 10**30}}, 400),
        ({"instrument": "phq9", "answers": {**PHQ9, "phq9_1": None}}, 400),
        ({"instrument": "nothing", "answers": {}}, 400),
        ({"instrument": "phq9", "answers": []}, 400),
        ({"instrument": "phq9", "answers": PHQ9, "timepoint": "\x00"}, 400),
        ({"instrument": "phq9", "answers": PHQ9, "session": "x"}, 400),
        ({"instrument": "phq9", "answers": PHQ9, "total": 3}, 400),
    ],
)
def test_bad_answers_are_named_and_nothing_is_kept(api_for, alice, body, status):
    response = send(api_for(alice), **body)
    assert response.status_code == status, response.content
    assert InstrumentResponse.objects.count() == 0


def test_staff_read_answers_of_their_patients_and_leave_a_trace(
    api_for, alice, dana, cole, other_psychiatrist, stranger_patient
):
    """PR-02 and PR-12."""
    from common.models import AuditEntry

    send(api_for(alice), instrument="gad7", answers=GAD7)
    for user in (dana, cole):
        assert len(api_for(user).get(ADDRESS, {"patient": alice.pk}).json()["results"]) == 1
    assert AuditEntry.objects.filter(action="chart.opened", patient_id=alice.pk).count() == 2
    for user in (other_psychiatrist, stranger_patient):
        assert api_for(user).get(ADDRESS, {"patient": alice.pk}).status_code == 404
    assert api_for(dana).get(ADDRESS).status_code == 404
    assert api_for(dana).get(ADDRESS, {"patient": "x\x00"}).status_code == 400
    assert api_for(dana).post(ADDRESS, {}, format="json").status_code == 403


def test_a_replay_is_kept_once(api_for, alice):
    """PR-09."""
    api = api_for(alice)
    body = {"instrument": "phq9", "timepoint": "baseline", "answers": {**PHQ9, "phq9_9": 2}}
    answers = [api.post(ADDRESS, body, format="json", HTTP_IDEMPOTENCY_KEY="phq9-once") for _ in range(3)]
    assert {answer.status_code for answer in answers} == {201}
    assert InstrumentResponse.objects.count() == 1


@pytest.mark.parametrize(
    ("instrument", "answers"), [("phq9", {"phq9_9": 2}), ("phq9", {**PHQ9, "phq9_9": 1, "phq9_1": 4})]
)
def test_hz_08_a_safety_answer_in_a_form_that_is_refused_is_heard(api_for, alice, instrument, answers):
    """PR-06: the refusal itself carries help, and somebody is called."""
    answer = send(api_for(alice), instrument=instrument, answers=answers)
    assert answer.status_code == 422 and "988" in answer.json()["help"]["call"] and answer.json()["fields"]
    assert Alert.objects.filter(patient_id=alice.pk).count() == 1
