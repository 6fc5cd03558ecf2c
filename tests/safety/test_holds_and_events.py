"""Holds stand until a psychiatrist of the patient clears them; adverse events are recorded whole."""

from datetime import datetime, timedelta

import pytest

from accounts.models import User
from common.errors import Conflict, Invalid, NotPermitted
from common.models import AuditEntry
from safety import access
from safety.actions import acknowledge, clear_hold, close, place_hold, report_adverse_event
from tests.safety.builders import an_alert


def test_a_hold_stands_once_however_often_it_is_placed(alice: User, at: datetime) -> None:
    first = place_hold(alice.patient, reason_code="suicide_risk", at=at, by=alice)
    second = place_hold(alice.patient, reason_code="suicide_risk", at=at + timedelta(minutes=1), by=alice)
    assert first.pk == second.pk
    assert access.holds_of(alice.patient).count() == 1
    assert AuditEntry.objects.filter(action="hold.placed").count() == 1


def test_a_new_alert_behind_an_old_hold_must_be_closed_too(alice: User, dana: User, at: datetime) -> None:
    place_hold(alice.patient, reason_code="suicide_risk", at=at, by=alice)
    alert = an_alert(alice, at)
    hold = place_hold(
        alice.patient, reason_code="suicide_risk", at=at + timedelta(minutes=1), by=alice, alert=alert
    )
    with pytest.raises(Conflict) as refused:
        clear_hold(hold, by=dana, at=at, note="Talked it through.")
    assert refused.value.code == "alert_open"
    acknowledge(alert, by=dana, at=at)
    close(alert, by=dana, at=at, disposition="contacted_safe", note="Spoke with her.")
    clear_hold(hold, by=dana, at=at, note="Talked it through.")
    assert not access.holds_of(alice.patient).exists()


@pytest.mark.parametrize("who", ["alice", "cole", "other_psychiatrist", "admin_ann"])
def test_nobody_but_her_psychiatrist_clears_a_hold(
    who: str, request: pytest.FixtureRequest, alice: User, at: datetime
) -> None:
    hold = place_hold(alice.patient, reason_code="blood_pressure", at=at, by="system:test")
    with pytest.raises(NotPermitted):
        clear_hold(hold, by=request.getfixturevalue(who), at=at, note="It is fine.")
    assert access.holds_of(alice.patient).exists()


def test_clearing_needs_a_reason_and_happens_once(alice: User, dana: User, at: datetime) -> None:
    hold = place_hold(alice.patient, reason_code="blood_pressure", at=at, by="system:test")
    for note in (" ", "ok.", "xxxxxxxxxxxx"):
        with pytest.raises(Invalid):
            clear_hold(hold, by=dana, at=at, note=note)
    clear_hold(hold, by=dana, at=at, note="Two readings below the limit.")
    with pytest.raises(Conflict):
        clear_hold(hold, by=dana, at=at, note="Cleared once more.")


def test_an_adverse_event_keeps_what_a_report_needs(alice: User, cole: User, at: datetime) -> None:
    event = report_adverse_event(
        patient=alice.patient, kind="fainting", onset_at=at - timedelta(hours=1), severity=3, seriousness=["hospital"],
        description="Fell in the kitchen.", by=cole, at=at,
    )  # fmt: skip
    event.refresh_from_db()
    assert (event.severity, event.seriousness, event.reported_by) == (3, ["hospital"], f"user:{cole.pk}")
    assert AuditEntry.objects.filter(action="adverse_event.reported", patient_id=alice.pk).exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"severity": 0}, "severity"),
        ({"severity": 6}, "severity"),
        ({"seriousness": ["sad"]}, "seriousness"),
        ({"kind": " "}, "kind"),
    ],
)
def test_an_adverse_event_out_of_range_is_refused(
    alice: User, at: datetime, changes: dict, field: str
) -> None:
    given = {"kind": "fainting", "onset_at": at, "severity": 3, **changes}
    with pytest.raises(Invalid) as refused:
        report_adverse_event(patient=alice.patient, by="system:test", at=at, **given)
    assert field in refused.value.fields
