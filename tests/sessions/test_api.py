"""Sessions over the API."""

import pytest

from sessions.models import DoseRelease
from tests.sessions.builders import (
    MINUTE,
    a_course,
    a_released_dose,
    a_session_in_progress,
    a_session_ready_for_release,
    first_session,
)

pytestmark = pytest.mark.django_db


def address(session, part=""):
    return f"/api/v1/sessions/{session.pk}/{part}"


def test_a_session_says_where_it_stands_and_why_it_is_locked(alice, dana, cole, at, api_for, clock_at):
    session = first_session(a_course(alice, dana, at))
    with clock_at(at):
        own = api_for(alice).get(address(session)).json()
        staff = api_for(cole).get(address(session)).json()
    assert own["state"] == "scheduled" and own["next_step"]["code"] == "scheduled"
    assert {r["condition"] for r in own["gate"]} == {"G3", "G7", "G8", "G9", "G10", "G11", "G14"}
    assert {r["code"] for r in staff["gate"]} >= {"session_not_open", "reading_missing", "sitter_unconfirmed"}
    assert staff["gate"][0]["wording"] != own["gate"][0]["wording"]


def test_the_dose_is_released_once_and_taken(alice, dana, cole, at, api_for, clock_at):
    session = a_session_ready_for_release(alice, dana, at)
    with clock_at(at):
        coach = api_for(cole)
        wrong = coach.post(address(session, "dose/"), {"dose_ug": 2_000}, format="json")
        assert wrong.status_code == 409 and [r["condition"] for r in wrong.json()["gate"]] == ["G4"]
        first = coach.post(
            address(session, "dose/"), {}, format="json", headers={"Idempotency-Key": "release-0001"}
        )
        assert first.status_code == 201 and first.json()["state"] == "ready"
        again = coach.post(
            address(session, "dose/"), {}, format="json", headers={"Idempotency-Key": "release-0001"}
        )
        assert again.status_code == 201 and again["Idempotent-Replay"] == "true"
        other = coach.post(address(session, "dose/"), {}, format="json")
        assert other.status_code == 409 and "G7" in {r["condition"] for r in other.json()["gate"]}
        patient = api_for(alice)
        assert patient.post(address(session, "dose/"), {}, format="json").status_code == 403
        assert patient.post(address(session, "taken/"), {"units_taken": 0}, format="json").status_code == 400
        done = patient.post(address(session, "taken/"), {"units_taken": 2}, format="json")
        assert (
            done.status_code == 201
            and done.json()["state"] == "dosing"
            and len(done.json()["checkpoints"]) == 9
        )
        assert patient.post(address(session, "taken/"), {"units_taken": 2}, format="json").status_code == 409
    assert DoseRelease.objects.count() == 1


def test_a_refused_release_leaves_its_trace(alice, dana, other_coach, cole, at, api_for, clock_at):
    from common.models import AuditEntry

    session = a_session_ready_for_release(alice, dana, at, readings=((150, 80, 70), (150, 80, 70)))
    with clock_at(at):
        assert api_for(other_coach).post(address(session, "dose/"), {}, format="json").status_code == 404
        assert api_for(cole).post(address(session, "dose/"), {}, format="json").status_code == 409
    row = AuditEntry.objects.get(action="dose.refused")
    assert row.detail["reasons"] == ["G8.bp_caution", "G8.bp_over_order"]


def test_strangers_get_nothing(
    alice, dana, at, api_for, clock_at, stranger_patient, other_psychiatrist, admin_ann
):
    session = a_released_dose(alice, dana, at).session
    with clock_at(at):
        assert api_for(None).get(address(session)).status_code == 401
        for person in (stranger_patient, other_psychiatrist):
            answer = api_for(person).get(address(session))
            assert answer.status_code == 404 and str(alice.pk) not in answer.content.decode()
        assert api_for(admin_ann).get(address(session)).status_code == 403


def test_a_reading_posted_for_a_session_ticks_off_what_was_due(
    alice, dana, at, api_for, clock_at, stranger_patient
):
    session = a_session_in_progress(alice, dana, at)
    body = {
        "systolic_mmhg": 126, "diastolic_mmhg": 80, "pulse_bpm": 70, "source": "device", "session": str(session.pk),
        "taken_at": (at + 41 * MINUTE).isoformat(),
    }  # fmt: skip
    with clock_at(at + 41 * MINUTE):
        assert api_for(stranger_patient).post("/api/v1/readings/", body, format="json").status_code == 404
        sent = api_for(alice).post("/api/v1/readings/", body, format="json")
        assert sent.status_code == 201 and sent.json()["phase"] == "t40" and sent.json()["verdict"] == ""
        due = api_for(alice).get(address(session)).json()["checkpoints"]
    assert [c["done_at"] is not None for c in due if c["kind"] == "t40"] == [True]
