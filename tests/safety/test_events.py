"""What protocol 9 asks of each adverse event is kept, judged by a psychiatrist, and shown as a rate with its denominators."""

import random
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse

from accounts.models import Patient, User
from common.errors import Invalid, NotPermitted, NotVisible
from notify.models import OutboxMessage
from safety.actions import acknowledge, assess_adverse_event, record_adverse_event, report_adverse_event
from safety.event_access import rates
from safety.models import AdverseEvent, Alert
from tests.safety.builders import a_shift, an_alert

HOUR = timedelta(hours=1)


def an_event(alice: User, cole: User, at: datetime, **changes: Any) -> AdverseEvent:
    given = {"kind": "fainted", "onset_at": at - HOUR, "severity": 3, "description": "On standing up."}
    return record_adverse_event(patient=Patient.objects.get(pk=alice.pk), by=cole, at=at, **(given | changes))


JUDGED: dict[str, Any] = {
    "severity": 3, "seriousness": ["hospital"], "causality": "probable", "action_on_drug": "delayed", "outcome": "recovered",
    "pharmacy_told": True, "medwatch_told": False, "description": "Seen in the ED, sent home.",
}  # fmt: skip


def test_a_psychiatrist_judges_an_event_and_every_field_of_protocol_9_is_kept(
    alice: User, dana: User, cole: User, at: datetime
) -> None:
    event = an_event(alice, cole, at)
    row = assess_adverse_event(event, by=dana, at=at, resolved_at=at, **JUDGED)
    row.refresh_from_db()
    assert (row.onset_at, row.seriousness, row.severity) == (at - HOUR, ["hospital"], 3)
    assert (row.causality, row.action_on_drug, row.outcome) == ("probable", "delayed", "recovered")
    assert (row.resolved_at, row.reported_by) == (at, f"user:{cole.pk}")
    assert (row.pharmacy_told_at, row.medwatch_told_at, row.assessed_by) == (at, None, dana)
    # What was once told is not untold.
    again = assess_adverse_event(
        row, by=dana, at=at + HOUR, resolved_at=at, **{**JUDGED, "pharmacy_told": False}
    )
    assert again.pharmacy_told_at == at


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"severity": 0}, "severity"),
        ({"severity": 6}, "severity"),
        ({"causality": "maybe"}, "causality"),
        ({"action_on_drug": "doubled"}, "action_on_drug"),
        ({"outcome": "fine"}, "outcome"),
        ({"resolved_at": None}, "resolved_at"),
        ({"resolved_at": -2}, "resolved_at"),
        ({"resolved_at": 1}, "resolved_at"),
        ({"outcome": "died", "seriousness": []}, "seriousness"),
    ],
)
def test_a_judgement_whose_parts_do_not_fit_is_refused(
    alice: User, dana: User, cole: User, at: datetime, changes: dict[str, Any], field: str
) -> None:
    event = an_event(alice, cole, at)
    hours = changes.get("resolved_at", 0)
    resolved_at = None if hours is None else at + hours * HOUR
    with pytest.raises(Invalid) as refused:
        assess_adverse_event(event, by=dana, at=at, **{**JUDGED, **changes, "resolved_at": resolved_at})
    assert field in refused.value.fields


def test_only_her_care_team_records_and_only_her_psychiatrist_judges(
    alice: User, cole: User, other_coach: User, other_psychiatrist: User, admin_ann: User, at: datetime
) -> None:
    for stranger in (other_coach, other_psychiatrist, admin_ann, alice):
        with pytest.raises(NotVisible):
            an_event(alice, stranger, at)
    event = an_event(alice, cole, at)
    with pytest.raises(NotPermitted):
        assess_adverse_event(event, by=cole, at=at, resolved_at=at, **JUDGED)
    with pytest.raises(NotVisible):
        assess_adverse_event(event, by=other_psychiatrist, at=at, resolved_at=at, **JUDGED)


def test_the_rate_stands_beside_sessions_and_people_and_leaves_synthetic_people_out(
    alice: User, cole: User, stranger_patient: User, at: datetime
) -> None:
    """HZ-30"""
    an_event(alice, cole, at)
    an_event(alice, cole, at, severity=1, seriousness=["other_important"])
    Patient.objects.filter(pk=stranger_patient.pk).update(is_synthetic=True)
    report_adverse_event(
        patient=Patient.objects.get(pk=stranger_patient.pk), kind="x", onset_at=at, severity=5, by="system:drill", at=at
    )  # fmt: skip
    found = rates(since=at - 24 * HOUR, until=at + HOUR)
    assert {line["label"]: (line["count"], line["people"]) for line in found["lines"]} == {
        "All side effects": (2, 1), "Severe (3 or more)": (1, 1), "Serious": (1, 1), "Incidents with the medicine": (0, 0),
    }  # fmt: skip
    assert (found["sessions"], found["lines"][0]["per_100"]) == (0, None)


def test_the_pages_record_judge_and_list(
    client_for: Any, alice: User, dana: User, cole: User, at: datetime
) -> None:
    coach, doctor = client_for(cole), client_for(dana)
    form = {
        "kind": "fainted", "onset_at": "2026-11-20T10:00", "severity": "3", "description": "On standing up.",
        "intent": str(uuid.uuid4()),
    }  # fmt: skip
    assert coach.get(reverse("safety:new_event", args=[alice.pk])).status_code == 200
    assert coach.post(reverse("safety:new_event", args=[alice.pk]), form).status_code == 302
    event = AdverseEvent.objects.get()
    address = reverse("safety:event", args=[event.pk])
    assert "Judge it" not in coach.get(address).content.decode()
    assert "Judge it" in doctor.get(address).content.decode()
    judged = {
        **{k: v for k, v in JUDGED.items() if not isinstance(v, bool)}, "pharmacy_told": "on",
        "resolved_at": "2026-11-20T09:00", "intent": str(uuid.uuid4()),
    }  # fmt: skip
    refused = doctor.post(address, judged)
    assert refused.status_code == 422 and "between its beginning and now" in refused.content.decode()
    assert (
        doctor.post(
            address, {**judged, "resolved_at": "2026-11-20T12:00", "intent": str(uuid.uuid4())}
        ).status_code
        == 302
    )
    assert "Probable" in doctor.get(reverse("safety:events")).content.decode()


def test_the_list_costs_the_same_for_many_as_for_few(
    client_for: Any, alice: User, cole: User, admin_ann: User, at: datetime, query_budget: Any
) -> None:
    for n in range(24):
        an_event(alice, cole, at, onset_at=at - n * HOUR)
    client = client_for(admin_ann)
    client.get(reverse("safety:events"))
    with query_budget(9):
        client.get(reverse("safety:events"))


@pytest.mark.parametrize("seed", range(12))
def test_hz_09_whatever_the_order_each_strictly_worse_sign_pages_again(
    alice: User, dana: User, at: datetime, seed: int
) -> None:
    """HZ-08, HZ-09: graver, larger, or of a new kind at least as grave; taken by somebody in between or not."""
    dice = random.Random(seed)
    a_shift(dana, at)
    known: tuple[int, float, set[str]] = (0, 0.0, set())
    for n in range(14):
        when = at + timedelta(minutes=n)
        severity, magnitude = dice.choice([3, 3, 4]), float(dice.randrange(150, 200, 10))
        codes = {dice.choice(["high", "crisis", "with_symptoms"])}
        before = Alert.objects.first().pages if n else 0
        worse = (
            severity > known[0] or magnitude > known[1] or (bool(codes - known[2]) and severity >= known[0])
        )
        alert = an_alert(
            alice, when, trigger="X04", severity=severity, magnitude=magnitude, detail_codes=sorted(codes)
        )
        alert.refresh_from_db()
        assert Alert.objects.count() == 1
        if worse:
            assert alert.pages > before and alert.state == "open", (n, severity, magnitude, codes, known)
            assert OutboxMessage.objects.filter(about_id=alert.pk, created_at=when, lane="crisis").exists()
        known = (max(known[0], severity), max(known[1], magnitude), known[2] | codes)
        if dice.random() < 0.4 and alert.state == "open":
            acknowledge(alert, by=dana, at=when)
