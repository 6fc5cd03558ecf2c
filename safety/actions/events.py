"""Recording something untoward, and what a clinician makes of it."""

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.access import patients_visible_to
from accounts.models import Patient, Role, User
from common import audit
from common.errors import Invalid, NotPermitted, NotVisible
from safety.models import AdverseEvent, Alert

CAUSALITY = tuple(value for value, _ in AdverseEvent._meta.get_field("causality").choices or ())
ACTIONS = tuple(value for value, _ in AdverseEvent._meta.get_field("action_on_drug").choices or ())
OUTCOMES = tuple(value for value, _ in AdverseEvent._meta.get_field("outcome").choices or ())
OVER = ("recovered", "sequelae", "died")


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
    category: str = "effect",
    units_missing: int | None = None,
) -> AdverseEvent:
    """Write one event with who says so. Raises Invalid for a severity outside 1-5, an unknown flag or an onset to come."""
    serious = sorted(set(seriousness))
    fields = _wrong(severity, serious, causality, action_on_drug, outcome, onset_at, resolved_at, at)
    if onset_at > at:
        fields["onset_at"] = "It cannot begin in the future."
    if not kind.strip():
        fields["kind"] = "Say what happened."
    if fields:
        raise Invalid("Some fields need another look.", fields=fields)
    with transaction.atomic():
        event = AdverseEvent.objects.create(
            patient=patient, kind=kind.strip()[:60], category=category, onset_at=onset_at, severity=severity, seriousness=serious,
            description=description, session_id=session_id, alert=alert, causality=causality, action_on_drug=action_on_drug,
            outcome=outcome, resolved_at=resolved_at, reported_at=at, reported_by=audit.actor_name(by),
            units_missing=units_missing,
        )  # fmt: skip
        audit.record(
            "adverse_event.reported", by=by, at=at, about=event, patient_id=patient.pk,
            detail={"severity": severity, "serious": serious, "category": category},
        )  # fmt: skip
    return event


def record_adverse_event(*, patient: Patient, by: User, at: datetime, **what: Any) -> AdverseEvent:
    """The same, by a member of the care team of a patient they may see. Raises NotVisible for anybody else's."""
    if (
        by.role not in (Role.PSYCHIATRIST, Role.COACH)
        or not patients_visible_to(by).filter(pk=patient.pk).exists()
    ):
        raise NotVisible("There is no such page.")
    return report_adverse_event(patient=patient, by=by, at=at, **what)


def assess_adverse_event(
    event: AdverseEvent,
    *,
    severity: int,
    seriousness: Iterable[str],
    causality: str,
    action_on_drug: str,
    outcome: str,
    resolved_at: datetime | None,
    pharmacy_told: bool,
    medwatch_told: bool,
    description: str,
    by: User,
    at: datetime,
) -> AdverseEvent:
    """A psychiatrist of this patient judges it: what protocol 9 asks of each record. Earlier versions stay as history.

    Whom it was reported to is told with its time and, once said, is not taken back. Raises NotPermitted for other roles,
    NotVisible for a stranger to the patient, Invalid for values that do not fit together.
    """
    if by.role != Role.PSYCHIATRIST:
        raise NotPermitted("A psychiatrist judges an adverse event.")
    if not patients_visible_to(by).filter(pk=event.patient_id).exists():
        raise NotVisible("There is no such page.")
    serious = sorted(set(seriousness))
    with transaction.atomic():
        row = AdverseEvent.objects.select_for_update(of=("self",)).get(pk=event.pk)
        fields = _wrong(severity, serious, causality, action_on_drug, outcome, row.onset_at, resolved_at, at)
        if fields:
            raise Invalid("Some fields need another look.", fields=fields)
        row.severity, row.seriousness, row.causality = severity, serious, causality
        row.action_on_drug, row.outcome, row.resolved_at = action_on_drug, outcome, resolved_at
        row.description = description.strip()
        if pharmacy_told and row.pharmacy_told_at is None:
            row.pharmacy_told_at = at
        if medwatch_told and row.medwatch_told_at is None:
            row.medwatch_told_at = at
        row.assessed_at, row.assessed_by = at, by
        row.save()
        audit.record(
            "adverse_event.assessed", by=by, at=at, about=row, patient_id=row.patient_id,
            detail={"severity": severity, "serious": serious, "causality": causality, "outcome": outcome},
        )  # fmt: skip
    return row


def _wrong(
    severity: int,
    serious: list[str],
    causality: str,
    action_on_drug: str,
    outcome: str,
    onset_at: datetime,
    resolved_at: datetime | None,
    at: datetime,
) -> dict[str, str]:
    """What does not fit, by field."""
    fields = {}
    if not 1 <= severity <= 5:
        fields["severity"] = "Choose 1 to 5."
    if set(serious) - set(AdverseEvent.SERIOUSNESS):
        fields["seriousness"] = "Choose from the list."
    for name, value, known in (
        ("causality", causality, CAUSALITY),
        ("action_on_drug", action_on_drug, ACTIONS),
        ("outcome", outcome, OUTCOMES),
    ):
        if value not in known:
            fields[name] = "Choose from the list."
    if outcome == "died" and "death" not in serious:
        fields["seriousness"] = "A death is serious: tick it here too."
    if resolved_at is not None and not onset_at <= resolved_at <= at:
        fields["resolved_at"] = "Choose a time between its beginning and now."
    elif resolved_at is None and outcome in OVER:
        fields["resolved_at"] = "Say when it was over."
    return fields
