"""Whoever signed a decision reads it later too, when the chart is long closed to them; nobody else does."""

from datetime import timedelta

import pytest
from django.utils.html import escape

from common.models import AuditEntry
from intake import access, actions
from intake.models import Decision
from tests.intake.builders import a_claimed_intake

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("protocol_version")]
NOTE, LETTER = "Aneurysm <5 mm, seen on the report.", "Dear Bob, another way comes first."


@pytest.fixture
def bob(stranger_patient):
    """Nobody's patient yet."""
    return stranger_patient


@pytest.fixture
def declined(bob, dana, at):
    intake = a_claimed_intake(bob, dana, at, aneurysm="yes", full_name="Bob Tanaka")
    return actions.decide(
        intake, "decline", by=dana, at=at + timedelta(minutes=20), reasons=["E23", "clinical_judgement"], note=NOTE,
        letter=LETTER,
    )  # fmt: skip


def test_the_chart_closes_with_the_decision_and_the_decision_stays_readable(
    client_for, bob, dana, declined, at, clock_at
):
    """PR-02: what was signed, word for word, and nothing else of the chart."""
    with clock_at(at + timedelta(days=400)):
        client = client_for(dana)
        assert client.get(f"/chart/{bob.pk}/").status_code == 404
        listed = client.get("/decisions/").content.decode()
        assert "Bob Tanaka" in listed and "Declined" in listed and f"/decisions/{declined.pk}/" in listed
        page = client.get(f"/decisions/{declined.pk}/").content.decode()
    assert escape(NOTE) in page and LETTER in page and "E23" in page and "Clinical judgement</li>" in page
    assert "The chart is closed to you" in page and f"/chart/{bob.pk}/" not in page
    bob.patient.refresh_from_db()
    for private in (
        bob.patient.address,
        bob.patient.emergency_contact_name,
        bob.email,
        str(bob.patient.date_of_birth),
    ):
        assert not private or private not in page
    assert (
        AuditEntry.objects.filter(action="decision.read", actor=f"user:{dana.pk}", patient_id=bob.pk).count()
        == 1
    )


def test_a_decision_does_not_exist_for_anybody_who_did_not_sign_it(
    client_for, bob, declined, other_psychiatrist, cole, admin_ann, alice, at, clock_at
):
    """PR-02."""
    with clock_at(at + timedelta(days=1)):
        for person in (other_psychiatrist, cole, admin_ann, alice, bob):
            answer = client_for(person).get(f"/decisions/{declined.pk}/")
            assert answer.status_code == 404
            assert LETTER not in answer.content.decode()
        assert "Tanaka" not in client_for(other_psychiatrist).get("/decisions/").content.decode()
        assert client_for(cole).get("/decisions/").status_code == 404


def test_who_accepted_is_led_to_the_chart_that_is_theirs(client_for, alice, dana, at, clock_at):
    intake = a_claimed_intake(alice, dana, at)
    accepted = actions.decide(intake, "accept", by=dana, at=at + timedelta(minutes=20), note="")
    with clock_at(at + timedelta(days=1)):
        page = client_for(dana).get(f"/decisions/{accepted.pk}/").content.decode()
    assert f"/chart/{alice.pk}/" in page and "Accepted for a consult" in page


def test_the_list_is_paged_without_a_gap_and_costs_the_same(
    dana, declined, client_for, query_budget, at, clock_at, monkeypatch
):
    first = declined
    for days in range(1, 8):
        Decision.objects.create(
            intake=first.intake, kind="ask_more", reasons=[], items=["heart"], letter="?", evaluation=first.evaluation,
            by=dana, at=at - timedelta(days=days), signed_at=at - timedelta(days=days),
        )  # fmt: skip
    monkeypatch.setattr("intake.access.decided.DECISIONS_A_PAGE", 3)
    seen, after = [], ""
    while True:
        rows, after = access.decisions_signed_by(dana, after=after)
        seen += [row.pk for row in rows]
        if not after:
            break
    assert seen == list(Decision.objects.filter(by=dana).order_by("-signed_at").values_list("pk", flat=True))
    assert len(access.decisions_signed_by(dana, after="no key")[0]) == 3
    with clock_at(at + timedelta(days=1)):
        client = client_for(dana)
        client.get("/decisions/")
        with query_budget(9):
            assert "after=" in client.get("/decisions/").content.decode()
