"""Holding a patient's dosing and letting it go on."""

from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.access import patients_visible_to
from accounts.models import Patient, Role, User
from common import audit
from common.errors import Conflict, Invalid, NotPermitted
from common.notes import is_a_note
from safety.models import Alert, SafetyHold


def place_hold(
    patient: Patient, *, reason_code: str, at: datetime, by: Any, alert: Alert | None = None
) -> SafetyHold:
    """From now on no dose is released. A second hold for the same reason is the first one, with the newer alert."""
    with transaction.atomic():
        # The unique index decides between two who place it at once.
        SafetyHold.objects.bulk_create(
            [
                SafetyHold(
                    patient=patient,
                    reason_code=reason_code,
                    alert=alert,
                    placed_at=at,
                    placed_by=audit.actor_name(by),
                )
            ],
            ignore_conflicts=True,
        )
        hold = SafetyHold.objects.select_for_update(of=("self",)).get(
            patient=patient, reason_code=reason_code, cleared_at__isnull=True
        )
        if hold.placed_at == at and hold.alert_id == (alert.pk if alert else None):
            audit.record("hold.placed", by=by, at=at, about=hold, patient_id=patient.pk, reason=reason_code)
        elif alert is not None and hold.alert_id != alert.pk:
            hold.alert = alert
            hold.save(update_fields=["alert"])
            audit.record("hold.renewed", by=by, at=at, about=hold, patient_id=patient.pk, reason=reason_code)
    return hold


def clear_hold(hold: SafetyHold, *, by: User, at: datetime, note: str) -> SafetyHold:
    """A psychiatrist of this patient lets the course go on, saying why.

    Raises NotPermitted for anybody else, Invalid without a note, Conflict when it is cleared already or when the alert
    behind it is not closed yet.
    """
    if by.role != Role.PSYCHIATRIST or not patients_visible_to(by).filter(pk=hold.patient_id).exists():
        raise NotPermitted("Only a psychiatrist who cares for this person clears a hold.")
    if not is_a_note(note):
        raise Invalid("Say why it is safe to go on.", fields={"note": "Write a sentence."})
    with transaction.atomic():
        current = SafetyHold.objects.select_for_update(of=("self",)).select_related("alert").get(pk=hold.pk)
        if current.cleared_at is not None:
            raise Conflict("This hold is already cleared.")
        if current.alert is not None and current.alert.is_live:
            raise Conflict("The alert behind this hold is not closed yet. Close it first.", code="alert_open")
        current.cleared_at, current.cleared_by, current.note = at, by, note.strip()
        current.save(update_fields=["cleared_at", "cleared_by", "note"])
        audit.record(
            "hold.cleared",
            by=by,
            at=at,
            about=current,
            patient_id=current.patient_id,
            reason=current.reason_code,
        )
    return current
