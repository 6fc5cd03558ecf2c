"""The intake's API: the same actions, the same permissions, every answer documented."""

import uuid
from datetime import timedelta

import pytest

from intake import access
from intake.models import Decision, Intake
from tests.intake.builders import a_submitted_intake

pytestmark = [pytest.mark.django_db]

CLEAR = {
    "age_years": 38, "state": "CA", "has_internet_video": "yes", "monitor_available": "yes", "home_safe": "yes",
    "ketamine_allergy": "no", "pregnant": "no", "breastfeeding": "no", "psychosis_history": "no", "mania_history": "no",
    "aneurysm": "no", "avm": "no", "ich_history": "no", "sud_current": "no", "oud_history": "no",
}  # fmt: skip


def assess(api, **changes):
    return api.post("/api/v1/assessment/", {"facts": {**CLEAR, **changes}}, format="json")


@pytest.mark.parametrize(
    ("changes", "outcome", "rules", "missing"),
    [
        ({}, "ok", [], []),
        ({"age_years": 17}, "exclude", ["E01"], []),
        ({"age_years": 65}, "review", ["E02"], []),
        ({"state": "FL", "avm": "yes"}, "exclude", ["E03", "E24"], []),
        ({"pregnant": "unsure", "avm": None}, "review", ["E71"], ["avm", "pregnant"]),
    ],
)
def test_the_assessment_answers_anybody(api_for, dana, changes, outcome, rules, missing):
    body = assess(api_for(None), **changes).json()
    assert (body["outcome"], [one["rule"] for one in body["reasons"]], body["missing"]) == (
        outcome,
        rules,
        missing,
    )
    assert body["rule_version"] and all(one["wording"] for one in body["reasons"])


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({"age_years": "abc"}, 422),
        ({"age_years": 10**400}, 422),
        ({"age_years": 1e308}, 422),
        ({"state": "\x00"}, 422),
        ({"nonsense": "yes"}, 422),
        ({"\x00": "yes"}, 422),
        ({"age_years": [1]}, 400),
        ({"age_years": True}, 400),
        ({"state": "🦊" * 5000}, 400),
    ],
)
def test_facts_that_cannot_be_read_are_named(api_for, facts, status):
    response = api_for(None).post("/api/v1/assessment/", {"facts": facts}, format="json")
    assert response.status_code == status, response.content
    assert set(response.json()) == {"code", "detail", "fields"} and response.json()["fields"]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "null",
        "{",
        '"x"',
        '{"facts": null}',
        '{"facts": [], "more": 1}',
        '{"facts": 1' + "0" * 5000 + "}",
    ],
)
def test_a_body_of_another_shape_is_refused(client, body):
    assert client.post("/api/v1/assessment/", body, content_type="application/json").status_code == 400


def test_the_queue_is_for_psychiatrists(api_for, alice, cole, admin_ann, dana):
    """PR-02."""
    assert api_for(None).get("/api/v1/intakes/").status_code == 401
    for user in (alice, cole, admin_ann):
        assert api_for(user).get("/api/v1/intakes/").status_code == 403
    assert api_for(dana).get("/api/v1/intakes/").json() == {"next": None, "count": "0", "results": []}


@pytest.fixture
def waiting(alice, at, protocol_version, clock_at):
    with clock_at(at + timedelta(minutes=10)):
        yield a_submitted_intake(alice, at)


def test_queue_claim_and_decide_over_the_api(api_for, dana, waiting):
    api = api_for(dana)
    row = api.get("/api/v1/intakes/").json()["results"][0]
    assert (row["id"], row["full_name"], row["outcome"]) == (str(waiting.pk), "Alice Lindqvist", "ok")
    claimed = api.post(f"/api/v1/intakes/{waiting.pk}/claim/", format="json")
    assert claimed.status_code == 200 and claimed.json()["state"] == "claimed"
    body = {"kind": "accept", "seen": claimed.json()["evaluation"]}
    address = f"/api/v1/intakes/{waiting.pk}/decide/"
    assert api.post(address, {"kind": "accept"}, format="json").json()["fields"].keys() == {"seen"}
    decided = api.post(address, body, format="json")
    assert decided.status_code == 201, decided.content
    assert api.post(address, body, format="json").status_code == 409
    assert Decision.objects.count() == 1


def test_a_replay_with_the_same_key_decides_once_and_another_body_is_refused(api_for, dana, waiting):
    """PR-09."""
    api = api_for(dana)
    seen = api.post(f"/api/v1/intakes/{waiting.pk}/claim/", format="json").json()["evaluation"]
    address, key = f"/api/v1/intakes/{waiting.pk}/decide/", "decide-once-1"
    body = {"kind": "accept", "seen": seen}
    first = api.post(address, body, format="json", HTTP_IDEMPOTENCY_KEY=key)
    again = api.post(address, body, format="json", HTTP_IDEMPOTENCY_KEY=key)
    other = api.post(address, body | {"kind": "decline"}, format="json", HTTP_IDEMPOTENCY_KEY=key)
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert first.json() == again.json() and again["Idempotent-Replay"] == "true"
    assert Decision.objects.count() == 1


def test_another_states_psychiatrist_gets_404(api_for, other_psychiatrist, waiting):
    """PR-02."""
    api = api_for(other_psychiatrist)
    assert api.get("/api/v1/intakes/").json()["results"] == []
    for verb in ("claim", "decide"):
        response = api.post(
            f"/api/v1/intakes/{waiting.pk}/{verb}/",
            {"kind": "accept"} if verb == "decide" else {},
            format="json",
        )
        assert response.status_code == 404 and "Lindqvist" not in response.content.decode()


def test_deciding_without_a_fresh_second_factor_is_refused(api_for, dana, waiting):
    """PR-11."""
    from accounts.step_up import METHODS_KEY

    api = api_for(dana)
    api.post(f"/api/v1/intakes/{waiting.pk}/claim/", format="json")
    session = api.session
    session[METHODS_KEY] = [{**session[METHODS_KEY][0], "at": session[METHODS_KEY][0]["at"] - 301}]
    session.save()
    body = {"kind": "accept", "seen": str(access.latest_evaluation(waiting.patient).pk)}
    response = api.post(f"/api/v1/intakes/{waiting.pk}/decide/", body, format="json")
    assert (response.status_code, response.json()["code"]) == (403, "step_up_needed")


@pytest.mark.parametrize("kind", ["ask_more", "clearance"])
def test_asking_over_the_api_takes_its_day_and_its_question(api_for, dana, waiting, kind):
    api = api_for(dana)
    seen = api.post(f"/api/v1/intakes/{waiting.pk}/claim/", format="json").json()["evaluation"]
    body = {
        "kind": kind, "seen": seen, "items": ["heart"] if kind == "ask_more" else ["cardiology"],
        "letter": "When was it?", "due_on": "2026-12-24", "question": "Is QTc <450 ms?",
    }  # fmt: skip
    assert api.post(f"/api/v1/intakes/{waiting.pk}/decide/", body, format="json").status_code == 201
    waiting.refresh_from_db()
    assert str(waiting.more_info_due_on) == "2026-12-24"
    assert [found.letter.count("QTc <450 ms") for found in waiting.clearance_requests.all()] == (
        [1] if kind == "clearance" else []
    )


def test_a_chart_that_changed_is_not_decided_over_the_api(api_for, dana, alice, waiting):
    """HZ-20."""
    from intake import actions

    api = api_for(dana)
    seen = api.post(f"/api/v1/intakes/{waiting.pk}/claim/", format="json").json()["evaluation"]
    later = waiting.submitted_at + timedelta(minutes=6)
    actions.add_medicine(waiting.patient, name="Nardil", dose_text="", by=alice, at=later)
    answer = api.post(
        f"/api/v1/intakes/{waiting.pk}/decide/", {"kind": "accept", "seen": seen}, format="json"
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "stale_version")
    assert not Decision.objects.exists()


def test_a_device_token_cannot_decide(dana, waiting, at):
    from rest_framework.test import APIClient

    from accounts.actions import issue_device_token

    _, plain = issue_device_token(dana, label="x", scopes=["readings:write"], by=dana, at=at)
    api = APIClient(HTTP_AUTHORIZATION=f"Token {plain}")
    assert (
        api.post(f"/api/v1/intakes/{waiting.pk}/decide/", {"kind": "accept"}, format="json").status_code
        == 403
    )


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("?cursor=x", 422),
        ("?cursor=%00", 422),
        ("?page_size=0", 400),
        ("?page_size=9999999999999", 400),
        ("?page_size=%F0%9F%A6%8A", 400),
    ],
)
def test_a_bad_page_is_a_clear_answer(api_for, dana, address, status):
    assert api_for(dana).get(f"/api/v1/intakes/{address}").status_code == status


def test_pages_of_the_api_follow_each_other(api_for, dana, at, protocol_version, clock_at):
    from tests.conftest import a_patient

    for number in range(7):
        user = a_patient(f"P{number} Person")
        Intake.objects.create(
            patient=user.patient,
            state="submitted",
            care_state="CA",
            urgency=number % 3,
            outcome="ok",
            created_at=at,
            submitted_at=at,
        )
    with clock_at(at):
        api, address, seen = api_for(dana), "/api/v1/intakes/?page_size=3", []
        while address:
            body = api.get(address).json()
            seen += [(row["urgency"], row["id"]) for row in body["results"]]
            address = body["next"]
    assert len(set(seen)) == 7 and [u for u, _ in seen] == sorted((u for u, _ in seen), reverse=True)


def test_an_unknown_intake_does_not_exist(api_for, dana):
    assert api_for(dana).post(f"/api/v1/intakes/{uuid.uuid4()}/claim/", format="json").status_code == 404
    assert api_for(dana).post("/api/v1/intakes/not-an-id/claim/", format="json").status_code == 404
