"""The verbs about people; the only writers of their rows."""

import secrets
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction

from accounts.authentication import digest_of
from accounts.models import CareTeam, DeviceToken, Patient, Role, User
from common import audit, hooks
from common.clock import age_years
from common.errors import Conflict, Invalid, NotPermitted


def register_patient(user: User, *, by: Any, at: datetime) -> Patient:
    """Open the chart of somebody who signed up; safe to call twice."""
    with transaction.atomic():
        patient, created = Patient.objects.get_or_create(user=user)
        if created:
            CareTeam.objects.create(patient=patient)
            audit.record("patient.registered", by=by, at=at, about=patient, patient_id=patient.pk)
    return patient


def assign_care_team(
    patient: Patient, *, by: Any, at: datetime, psychiatrist: User | None = None, coach: User | None = None
) -> CareTeam:
    """Set who cares for a patient; what is not given stays as it is. Raises Invalid for somebody of another role."""
    if psychiatrist is not None and psychiatrist.role != Role.PSYCHIATRIST:
        raise Invalid("Choose a psychiatrist.", fields={"psychiatrist": "This person is not a psychiatrist."})
    if coach is not None and coach.role != Role.COACH:
        raise Invalid("Choose a coach.", fields={"coach": "This person is not a coach."})
    with transaction.atomic():
        team, _ = CareTeam.objects.select_for_update().get_or_create(patient=patient)
        if psychiatrist is not None:
            team.psychiatrist = psychiatrist
        if coach is not None:
            team.coach = coach
        team.save()
        audit.record(
            "care_team.assigned",
            by=by,
            at=at,
            about=team,
            patient_id=patient.pk,
            detail={"psychiatrist": str(team.psychiatrist_id or ""), "coach": str(team.coach_id or "")},
        )
    return team


def open_chart(patient: Patient, *, by: Any, at: datetime, why: str = "care") -> None:
    """Leave the trace that somebody read this chart."""
    audit.record("chart.opened", by=by, at=at, about=patient, patient_id=patient.pk, reason=why)


def verify_identity(patient: Patient, *, date_of_birth: date, by: User, at: datetime) -> Patient:
    """A psychiatrist has seen the person and the document. The birth date is fixed from then on (HZ-12).

    Raises NotPermitted for other roles, Invalid for somebody under 18, Conflict when another birth date was verified before.
    """
    if by.role != Role.PSYCHIATRIST:
        raise NotPermitted("Only a psychiatrist verifies who somebody is.")
    if age_years(date_of_birth, at.date()) < 18:
        raise Invalid("This programme is for adults.", fields={"date_of_birth": "This date makes the person under 18."})
    with transaction.atomic():
        row = Patient.objects.select_for_update().get(pk=patient.pk)
        if row.identity_verified_at is not None and row.date_of_birth != date_of_birth:
            raise Conflict("Another date of birth was verified before. Ask an administrator to look into it.")
        row.date_of_birth, row.identity_verified_at, row.identity_verified_by = date_of_birth, at, by
        row.save(update_fields=["date_of_birth", "identity_verified_at", "identity_verified_by"])
        audit.record("patient.identity_verified", by=by, at=at, about=row, patient_id=row.pk)
    return row


def update_patient(patient: Patient, *, by: Any, at: datetime, **changes: Any) -> Patient:
    """Change a chart's own facts (address, contact, state, height, weight). A verified birth date stays.

    A change of state or sex re-opens eligibility through the `patient.facts_changed` hook.
    """
    allowed = {
        "date_of_birth", "sex", "state", "address", "emergency_contact_name", "emergency_contact_phone", "weight_kg", "height_cm",
    }  # fmt: skip
    unknown = set(changes) - allowed
    if unknown:
        raise Invalid(f"Not a fact of the chart: {', '.join(sorted(unknown))}.")
    with transaction.atomic():
        row = Patient.objects.select_for_update().get(pk=patient.pk)
        if row.identity_verified_at and "date_of_birth" in changes and changes["date_of_birth"] != row.date_of_birth:
            raise Conflict("Your date of birth was checked against your ID. Call us if it is wrong.")
        changed = [name for name, value in changes.items() if getattr(row, name) != value]
        for name in changed:
            setattr(row, name, changes[name])
        if changed:
            row.save(update_fields=changed)
            audit.record(
                "patient.changed", by=by, at=at, about=row, patient_id=row.pk, detail={"fields": sorted(changed)}
            )
            if {"state", "sex", "date_of_birth"} & set(changed):
                hooks.run("patient.facts_changed", patient=row, by=by, at=at)
    return row


def issue_device_token(
    user: User, *, label: str, scopes: list[str], by: Any, at: datetime, days: int = 180
) -> tuple[DeviceToken, str]:
    """A token for a device and its plain text, which is shown once and not kept."""
    plain = secrets.token_urlsafe(32)
    with transaction.atomic():
        token = DeviceToken.objects.create(
            user=user,
            label=label,
            digest=digest_of(plain),
            scopes=scopes,
            created_at=at,
            expires_at=at + timedelta(days=days),
        )
        audit.record("device_token.issued", by=by, at=at, about=token, detail={"scopes": scopes})
    return token, plain


def revoke_device_token(token: DeviceToken, *, by: Any, at: datetime) -> None:
    """The token stops working with the next request."""
    with transaction.atomic():
        DeviceToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=at)
        audit.record("device_token.revoked", by=by, at=at, about=token)
