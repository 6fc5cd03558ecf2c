"""What happens to the medicine: taken wrongly (X14), exposed, lost, stolen (X15), and signs of misuse (X22).

Each is kept as an adverse event of its category, calls a clinician and compliance on the protocol's clock, and holds the
next parcel. Protocol 9 and 8.3; the kinds are data (`incidents` of the escalation table).
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import models, transaction

from accounts.models import Patient, User
from common import audit
from common.errors import Invalid, NotVisible
from safety.access import incident_kinds, trigger_of
from safety.actions.alerts import raise_alert
from safety.actions.events import report_adverse_event
from safety.actions.holds import place_hold
from safety.models import AdverseEvent, Alert

MISUSE = "X22"


@dataclass(frozen=True)
class Reported:
    """What was kept, whom it called, and whether the answer must show the poison-control number."""

    event: AdverseEvent
    alert: Alert
    exposure: bool


def report_incident(
    *,
    patient: Patient,
    kind: str,
    by: Any,
    at: datetime,
    happened_at: datetime | None = None,
    description: str = "",
    units_missing: int | None = None,
    in_session: bool = False,
    session_id: uuid.UUID | None = None,
) -> Reported:
    """Keep the report, call people and hold the next parcel, in one transaction.

    Only `kind` is needed: nobody must fill in a form before somebody hears that a child took a tablet. Patients and sitters
    report about the medicine, the care team also signs of misuse. Raises Invalid for an unknown kind, NotVisible for a
    stranger to this patient.
    """
    who = _reporter(patient, by)
    rows = {row["id"]: row for row in incident_kinds(at=at)["kinds"] if who in row["by"]}
    if kind not in rows:
        raise Invalid("Say what happened.", fields={"kind": "Choose from the list."})
    row = rows[kind]
    when = min(happened_at or at, at)
    with transaction.atomic():
        # Two reports at once see each other, so that a second loss is never missed.
        Patient.objects.select_for_update(of=("self",), no_key=True).get(pk=patient.pk)
        lost_before = row["lost"] and _lost_before(patient, at=at)
        event = report_adverse_event(
            patient=patient, kind=kind, category=row["category"], onset_at=when, severity=row["severity"], by=by, at=at,
            description=description.strip(), units_missing=units_missing, session_id=session_id,
        )  # fmt: skip
        alert = _sound(
            patient, row["trigger"], source=event, code=kind, in_session=in_session, by=by, at=at, severity=row.get("alert_severity")
        )  # fmt: skip
        if row.get("also"):
            # Somebody else took it: the ten minutes of X14 as well as compliance's hour of X15.
            _sound(patient, row["also"], source=event, code=kind, in_session=in_session, by=by, at=at)
        AdverseEvent.objects.filter(pk=event.pk).update(alert=alert)
        event.alert = alert
        audit.record(
            "incident.reported", by=by, at=at, about=event, patient_id=patient.pk, detail={"kind": kind}
        )  # fmt: skip
        if lost_before:
            misuse_signal(patient, code="lost_again", source=event, by=by, at=at)
    return Reported(event, alert, row["exposure"])


def misuse_signal(
    patient: Patient, *, code: str, source: models.Model | str | None, by: Any, at: datetime
) -> Alert:
    """A sign of misuse that the software itself has seen (protocol 8.3): a count that differs, medicine lost again."""
    return _sound(patient, MISUSE, source=source, code=code, in_session=False, by=by, at=at)


def _reporter(patient: Patient, by: Any) -> str:
    """patient, sitter or staff. A member of staff reports about people they may see."""
    from accounts.access import patients_visible_to

    if isinstance(by, User):
        if by.pk == patient.pk:
            return "patient"
        if by.is_member_of_staff and patients_visible_to(by).filter(pk=patient.pk).exists():
            return "staff"
        raise NotVisible("There is no such page.")
    return "sitter"


def _lost_before(patient: Patient, *, at: datetime) -> bool:
    data = incident_kinds(at=at)
    lost = [row["id"] for row in data["kinds"] if row["lost"]]
    since = at - timedelta(days=data["lost_again_days"])
    return AdverseEvent.objects.filter(
        patient=patient, category="incident", kind__in=lost, reported_at__gte=since
    ).exists()


def _sound(
    patient: Patient,
    trigger: str,
    *,
    source: Any,
    code: str,
    in_session: bool,
    by: Any,
    at: datetime,
    severity: int | None = None,
) -> Alert:
    alert = raise_alert(
        patient=patient, trigger=trigger, source=source, at=at, by=by, detail_codes=(code,), in_session=in_session, severity=severity
    )  # fmt: skip
    hold = trigger_of(trigger, at=at).get("hold")
    if hold:
        place_hold(patient, reason_code=hold, at=at, by=by, alert=alert)
    return alert
