"""Recording something untoward."""

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.models import Patient
from common import audit
from common.errors import Invalid
from safety.models import AdverseEvent, Alert


def report_adverse_event(
    *,
    patient: Patient,
    kind: str,
    onset_at: datetime,
    severity: int,
    by: Any,
    at: datetime,
    seriousness: Iterable[str] = (),
    description: str = "",
    session_id: uuid.UUID | None = None,
    alert: Alert | None = None,
    causality: str = "unassessed",
    action_on_drug: str = "none",
    outcome: str = "ongoing",
    resolved_at: datetime | None = None,
) -> AdverseEvent:
    """Write one event with who says so. Raises Invalid for a severity outside 1-5, an unknown flag or an onset to come."""
    serious = sorted(set(seriousness))
    fields = {}
    if not 1 <= severity <= 5:
        fields["severity"] = "Choose 1 to 5."
    if set(serious) - set(AdverseEvent.SERIOUSNESS):
        fields["seriousness"] = "Choose from the list."
    if onset_at > at:
        fields["onset_at"] = "It cannot begin in the future."
    if not kind.strip():
        fields["kind"] = "Say what happened."
    if fields:
        raise Invalid("Some fields need another look.", fields=fields)
    with transaction.atomic():
        event = AdverseEvent.objects.create(
            patient=patient, kind=kind.strip()[:60], onset_at=onset_at, severity=severity, seriousness=serious,
            description=description, session_id=session_id, alert=alert, causality=causality, action_on_drug=action_on_drug,
            outcome=outcome, resolved_at=resolved_at, reported_at=at, reported_by=audit.actor_name(by),
        )  # fmt: skip
        audit.record(
            "adverse_event.reported", by=by, at=at, about=event, patient_id=patient.pk,
            detail={"severity": severity, "serious": serious},
        )  # fmt: skip
    return event
