"""X15 and X22: medicine lost, stolen or taken by somebody else, and signs of misuse (protocol 9 and 8.3; HZ-19, PR-06)."""

import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse

from accounts.models import Patient, User
from common.errors import Conflict, Invalid, NotVisible
from consults.actions import confirm_count, ship
from notify.models import OutboxMessage
from safety.access import incident_kinds, refills_held
from safety.actions import acknowledge, close, misuse_signal, report_incident
from safety.models import AdverseEvent, Alert, SafetyHold
from tests.consults.builders import TRACKED, a_delivered_parcel, a_signed_order, dispensed
from tests.safety.builders import a_shift


def person(user: User) -> Patient:
    return Patient.objects.get(pk=user.pk)


def paged(alert: Alert) -> set[str]:
    return {m.recipient.full_name.split()[0] for m in OutboxMessage.objects.filter(about_id=alert.pk)}


def test_x15_a_report_is_kept_calls_clinician_and_compliance_and_holds_dose_and_parcel(
    alice: User, dana: User, other_psychiatrist: User, admin_ann: User, at: datetime
) -> None:
    """X15: within the hour, so the pages leave at once."""
    a_shift(other_psychiatrist, at)
    told = report_incident(
        patient=person(alice), kind="stolen", units_missing=3, description="From the car.", by=alice, at=at
    )
    event, alert = told.event, told.alert
    assert (event.category, event.kind, event.units_missing, event.alert) == ("incident", "stolen", 3, alert)
    assert (alert.trigger, alert.severity) == ("X15", 3)
    assert alert.acknowledge_by_at - at == timedelta(hours=1)
    assert paged(alert) == {"Priya", "Dana", "Ann"}
    assert all(m.due_at == at and m.lane == "crisis" for m in OutboxMessage.objects.filter(about_id=alert.pk))
    assert SafetyHold.objects.get().reason_code == "diversion"
    assert refills_held(person(alice)) == ["diversion"]


def test_no_parcel_leaves_while_a_report_is_open(alice: User, dana: User, at: datetime) -> None:
    """HZ-19"""
    order = dispensed(a_signed_order(alice, dana, at))
    report_incident(patient=person(alice), kind="lost", by=alice, at=at)
    with pytest.raises(Conflict) as refused:
        ship(order, lot="L1", count=1, **TRACKED, adult_signature=True, by=dana, at=at)
    assert refused.value.code == "refills_held"
    SafetyHold.objects.update(cleared_at=at, cleared_by=dana, note="Found again.")
    # The hold is gone, and its alert is not: it stands as any open crisis does.
    with pytest.raises(Conflict):
        ship(order, lot="L1", count=1, **TRACKED, adult_signature=True, by=dana, at=at)
    for alert in Alert.objects.filter(patient_id=alice.pk):
        acknowledge(alert, by=dana, at=at)
        close(
            alert, by=dana, at=at, disposition="clinical_review_done", note="Found again, counted together."
        )
    assert ship(order, lot="L1", count=1, **TRACKED, adult_signature=True, by=dana, at=at).pk


def test_every_kind_names_a_known_trigger_and_hold(db: None, at: datetime) -> None:
    from safety.access import trigger_of

    kinds = incident_kinds(at=at)["kinds"]
    assert len({kind["id"] for kind in kinds}) == len(kinds) >= 11
    for kind in kinds:
        trigger = trigger_of(kind["trigger"], at=at)
        assert trigger["wired"] and trigger["hold"] and trigger["holds_refills"]
        assert kind["category"] in ("incident", "misuse") and 1 <= kind["severity"] <= 5
        assert kind["category"] == "incident" or kind["by"] == ["staff"]


def test_a_second_loss_within_a_year_is_a_sign_of_misuse(alice: User, dana: User, at: datetime) -> None:
    """X22"""
    report_incident(patient=person(alice), kind="lost", by=alice, at=at)
    assert not Alert.objects.filter(trigger="X22").exists()
    report_incident(patient=person(alice), kind="stolen", by=alice, at=at + timedelta(days=365))
    alert = Alert.objects.get(trigger="X22")
    assert alert.detail_codes == ["lost_again"]
    assert set(refills_held(person(alice))) == {"diversion", "possible_misuse"}


def test_a_loss_more_than_a_year_ago_is_no_sign(alice: User, dana: User, at: datetime) -> None:
    report_incident(patient=person(alice), kind="lost", by=alice, at=at)
    report_incident(patient=person(alice), kind="lost", by=alice, at=at + timedelta(days=365, seconds=1))
    assert not Alert.objects.filter(trigger="X22").exists()


def test_an_exposure_is_no_loss(alice: User, dana: User, at: datetime) -> None:
    for _ in range(2):
        told = report_incident(patient=person(alice), kind="child_exposed", by=alice, at=at)
    assert told.exposure and not Alert.objects.filter(trigger="X22").exists()


def test_x22_a_count_that_differs_calls_the_psychiatrist_and_holds_the_next_parcel(
    alice: User, dana: User, at: datetime
) -> None:
    """X22, HZ-19"""
    parcel = a_delivered_parcel(
        a_signed_order(alice, dana, at), dana, at, count_confirmed=None, confirmed_at=None, confirmed_by=None
    )
    confirm_count(parcel, count=parcel.count - 1, by=alice, at=at)
    alert = Alert.objects.get(trigger="X22")
    assert (alert.source_type, alert.detail_codes) == ("consults.fulfilment", ["parcel_count_differs"])
    assert paged(alert) == {"Dana"}
    assert "possible_misuse" in refills_held(person(alice))


def test_x22_what_a_coach_hears_is_reported_and_told_to_the_psychiatrist(
    alice: User, dana: User, cole: User, at: datetime
) -> None:
    """X22"""
    told = report_incident(patient=person(alice), kind="early_refill", by=cole, at=at)
    assert (told.event.category, told.alert.trigger) == ("misuse", "X22")
    assert {m.kind for m in OutboxMessage.objects.filter(about_id=told.alert.pk)} == {"alert_notice"}
    again = misuse_signal(person(alice), code="lost_again", source="test", by="system:test", at=at)
    assert again.pk == told.alert.pk and again.signs == 2


def test_who_may_report_what(alice: User, cole: User, other_coach: User, at: datetime) -> None:
    with pytest.raises(Invalid):
        report_incident(patient=person(alice), kind="extra_use", by=alice, at=at)
    with pytest.raises(Invalid):
        report_incident(patient=person(alice), kind="extra_use", by="sitter:1", at=at)
    with pytest.raises(NotVisible):
        report_incident(patient=person(alice), kind="lost", by=other_coach, at=at)
    assert not AdverseEvent.objects.exists() and not Alert.objects.exists()


# --- pages ---


def sent(**values: Any) -> dict[str, Any]:
    return {"intent": str(uuid.uuid4()), **values}


def test_pr_06_the_answer_to_an_exposure_names_poison_control_and_911(
    client_for: Any, alice: User, at: datetime
) -> None:
    """PR-06, X15"""
    client = client_for(alice)
    address = reverse("safety:report_medicine")
    assert "1-800-222-1222" in client.get(address).content.decode()
    form = sent(kind="child_exposed")
    page = client.post(address, form).content.decode()
    assert "1-800-222-1222" in page and "tel:911" in page and "within the hour" in page
    assert set(Alert.objects.values_list("trigger", flat=True)) == {"X14", "X15"}
    # Sent twice: help again, one report.
    again = client.post(address, form, follow=True).content.decode()
    assert "1-800-222-1222" in again and AdverseEvent.objects.count() == 1


def test_a_report_is_heard_though_the_rest_of_the_form_is_wrong(client_for: Any, alice: User) -> None:
    """HZ-08: the crisis path fails open."""
    given = sent(kind="other_exposed", units_missing="many", happened_at="yesterday", description="A guest.")
    answer = client_for(alice).post(reverse("safety:report_medicine"), given)
    assert answer.status_code == 200
    assert AdverseEvent.objects.get().description == "A guest."


def test_without_a_kind_the_form_asks_again_and_keeps_the_words(client_for: Any, alice: User) -> None:
    answer = client_for(alice).post(reverse("safety:report_medicine"), sent(description="Keep this"))
    assert answer.status_code == 422 and "Keep this" in answer.content.decode()
    assert not AdverseEvent.objects.exists()


def test_a_coach_reports_and_lands_on_the_record(client_for: Any, alice: User, cole: User) -> None:
    client = client_for(cole)
    address = reverse("safety:report_incident", args=[alice.pk])
    assert "Asks for the next parcel early" in client.get(address).content.decode()
    answer = client.post(address, sent(kind="dose_request", description="Third time."), follow=True)
    assert answer.status_code == 200 and "Third time." in answer.content.decode()
    assert client_for(cole).get(reverse("safety:events")).status_code == 200


def test_an_administrator_reads_an_incident_and_not_a_clinical_description(
    client_for: Any, alice: User, cole: User, admin_ann: User, at: datetime
) -> None:
    from safety.actions import report_adverse_event

    incident = report_incident(
        patient=person(alice), kind="stolen", description="From the car.", by=alice, at=at
    )
    effect = report_adverse_event(
        patient=person(alice),
        kind="nausea",
        onset_at=at,
        severity=1,
        by=cole,
        at=at,
        description="Felt sick.",
    )
    client = client_for(admin_ann)
    assert "From the car." in client.get(reverse("safety:event", args=[incident.event.pk])).content.decode()
    page = client.get(reverse("safety:event", args=[effect.pk])).content.decode()
    assert "Felt sick." not in page and "nausea" not in page
    assert "nausea" not in client.get(reverse("safety:events")).content.decode()
