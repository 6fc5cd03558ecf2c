"""The verbs about people; the only writers of their rows."""

import re
import secrets
from datetime import date, datetime, timedelta
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.mail import send_mail
from django.db import IntegrityError, transaction
from django.template.loader import render_to_string
from django.urls import reverse

from accounts.access import invitation_token
from accounts.authentication import digest_of
from accounts.models import (
    STAFF_ROLES,
    STATES,
    CareTeam,
    CredentialRequest,
    DeaRegistration,
    DeviceToken,
    Licence,
    Patient,
    Role,
    RoleGrant,
    User,
)
from common import audit, hooks
from common.clock import age_years
from common.errors import Conflict, Invalid, NotPermitted

# The form of a DEA number; the database holds the same.
DEA_NUMBER = re.compile(r"[A-Z][A-Z9][0-9]{7}")


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
    audit.record(
        "chart.opened",
        by=by,
        at=at,
        about=patient,
        patient_id=patient.pk,
        reason=why,
        even_if_undone=True,
    )


def verify_identity(patient: Patient, *, date_of_birth: date, by: User, at: datetime) -> Patient:
    """A psychiatrist has seen the person and the document. The birth date is fixed from then on (HZ-12).

    Raises NotPermitted for other roles, Invalid for somebody under 18, Conflict when another birth date was verified before.
    """
    if by.role != Role.PSYCHIATRIST:
        raise NotPermitted("Only a psychiatrist verifies who somebody is.")
    if age_years(date_of_birth, at.date()) < 18:
        raise Invalid(
            "This programme is for adults.", fields={"date_of_birth": "This date makes the person under 18."}
        )
    with transaction.atomic():
        row = Patient.objects.select_for_update().get(pk=patient.pk)
        if row.identity_verified_at is not None and row.date_of_birth != date_of_birth:
            raise Conflict("Another date of birth was verified before. Ask an administrator to look into it.")
        corrected = row.date_of_birth != date_of_birth
        row.date_of_birth, row.identity_verified_at, row.identity_verified_by = date_of_birth, at, by
        row.save(update_fields=["date_of_birth", "identity_verified_at", "identity_verified_by"])
        audit.record("patient.identity_verified", by=by, at=at, about=row, patient_id=row.pk)
        if corrected:
            hooks.run("patient.facts_changed", patient=row, by=by, at=at)
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
        if (
            row.identity_verified_at
            and "date_of_birth" in changes
            and changes["date_of_birth"] != row.date_of_birth
        ):
            raise Conflict("Your date of birth was checked against your ID. Call us if it is wrong.")
        changed = [name for name, value in changes.items() if getattr(row, name) != value]
        for name in changed:
            setattr(row, name, changes[name])
        if changed:
            row.save(update_fields=changed)
            audit.record(
                "patient.changed",
                by=by,
                at=at,
                about=row,
                patient_id=row.pk,
                detail={"fields": sorted(changed)},
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


def update_person(
    user: User, *, full_name: str, time_zone: str, phone: str, language: str = "", by: Any, at: datetime
) -> User:
    """Change what a person may change about themself: name, zone, phone, and the language of messages ("" leaves it).

    The zone decides when messages are for daytime: what waits, and what is planned by the person's own clock, moves with it.
    """
    changes = {"full_name": full_name, "time_zone": time_zone, "phone": phone}
    if language:
        changes["language"] = language
    with transaction.atomic():
        row = User.objects.select_for_update().get(pk=user.pk)
        changed = [name for name, value in changes.items() if getattr(row, name) != value]
        if "phone" in changed and not phone and row.is_member_of_staff:
            # Without a number a page cannot ring: whoever is on call keeps one (HZ-25).
            hooks.run(
                "duty.ends",
                person=row,
                active_after=row.is_active,
                role_after=row.role,
                phone_after=phone,
                by=by,
                at=at,
            )
        for name in changed:
            setattr(row, name, changes[name])
        if changed:
            row.save(update_fields=changed)
            patient_id = row.pk if row.role == Role.PATIENT else None
            audit.record(
                "person.changed",
                by=by,
                at=at,
                about=row,
                patient_id=patient_id,
                detail={"fields": sorted(changed)},
            )
        if "time_zone" in changed:
            hooks.run("person.zone_changed", person=row, by=by, at=at)
    return row


# --- staff: one administrator asks, another decides (TM-16) ---


def _administrator(by: User) -> None:
    if by.role != Role.ADMINISTRATOR:
        raise NotPermitted("Only an administrator does this.")


def propose_role(user: User, *, role: str, reason: str, by: User, at: datetime) -> RoleGrant:
    """Ask that somebody hold a staff role. Nothing changes until another administrator approves.

    Raises NotPermitted for oneself, Conflict when a request is open or the person is a patient with a chart.
    """
    _administrator(by)
    if role not in STAFF_ROLES:
        raise Invalid("Choose a staff role.", fields={"role": "Choose psychiatrist, coach or administrator."})
    if user.pk == by.pk:
        raise NotPermitted(
            "Nobody gives a role to themself. Ask another administrator.", code="second_person_needed"
        )
    with transaction.atomic():
        row = User.objects.select_for_update().get(pk=user.pk)
        if Patient.objects.filter(pk=row.pk).exists():
            raise Conflict("This person is a patient here. Staff work under an account of their own.")
        if row.role_grants.filter(decided_at__isnull=True).exists():
            raise Conflict("A request for this person is already waiting for a second administrator.")
        grant = RoleGrant.objects.create(user=row, role=role, reason=reason, requested_by=by, requested_at=at)
        audit.record(
            "role.requested",
            by=by,
            at=at,
            about=grant,
            reason=reason,
            detail={"user": str(row.pk), "role": role},
        )
    return grant


def invite_staff(
    *, email: str, full_name: str, role: str, time_zone: str, phone: str, reason: str, by: User, at: datetime
) -> RoleGrant:
    """Open an account for a member of staff. It is asleep until a second administrator approves; the invitation goes then."""
    _administrator(by)
    address = email.strip().lower()
    with transaction.atomic():
        if User.objects.filter(email=address).exists():
            raise Conflict(
                "Somebody has an account with this address. Ask for a role for that account instead."
            )
        user = User.objects.create_user(
            address, None, full_name=full_name, time_zone=time_zone, phone=phone, is_active=False
        )
        EmailAddress.objects.create(user=user, email=address, verified=False, primary=True)
        audit.record("staff.account_opened", by=by, at=at, about=user)
        return propose_role(user, role=role, reason=reason, by=by, at=at)


def decide_role(grant: RoleGrant, *, approve: bool, by: User, at: datetime) -> RoleGrant:
    """Approve or refuse a role, as somebody other than who asked and whom it is for. Somebody new is then invited by mail."""
    _administrator(by)
    if by.pk in (grant.requested_by_id, grant.user_id):
        raise NotPermitted("Another administrator must decide this.", code="second_person_needed")
    with transaction.atomic():
        changed = RoleGrant.objects.filter(pk=grant.pk, decided_at__isnull=True).update(
            approved=approve, decided_by=by, decided_at=at
        )
        if not changed:
            raise Conflict("This was decided a moment ago.")
        grant.refresh_from_db()
        audit.record(
            "role.approved" if approve else "role.refused",
            by=by, at=at, about=grant, detail={"user": str(grant.user_id), "role": grant.role},
        )  # fmt: skip
        if approve:
            user = User.objects.select_for_update().get(pk=grant.user_id)
            # Somebody on call whose new role cannot hold the shift hands it over first (HZ-25).
            hooks.run("duty.ends", person=user, active_after=True, role_after=grant.role, by=by, at=at)
            user.role, user.is_active = grant.role, True
            user.is_staff = user.is_superuser = grant.role == Role.ADMINISTRATOR
            user.save(update_fields=["role", "is_active", "is_staff", "is_superuser"])
            # What the former role owed and the new one may not do goes to somebody else.
            hooks.run("person.left", user=user, by=by, at=at)
            if not user.has_usable_password():
                send_invitation(user, by=by, at=at)
    return grant


def send_invitation(user: User, *, by: Any, at: datetime) -> None:
    """Mail a new member of staff the way in: 72 hours, once. The mail goes into the outbox with this transaction."""
    link = settings.SITE_URL + reverse("accounts:invitation", args=[invitation_token(user)])
    words = {"name": user.full_name, "link": link, "practice": settings.PRACTICE["name"]}
    with transaction.atomic():
        send_mail(
            subject=f"Your {settings.PRACTICE['name']} account",
            message=render_to_string(f"messages/{user.language}/staff_invitation.email.txt", words),
            from_email=None,
            recipient_list=[user.email],
        )
        audit.record("staff.invited", by=by, at=at, about=user)


def accept_invitation(user: User, *, at: datetime) -> None:
    """The link came back from the address it was sent to, so the address is theirs."""
    with transaction.atomic():
        EmailAddress.objects.filter(user=user, email=user.email).update(verified=True)
        audit.record("staff.invitation_opened", by=user, at=at, about=user)


def propose_credential(
    *,
    kind: str,
    psychiatrist: User,
    state: str,
    number: str,
    expires_on: date,
    by: User,
    at: datetime,
    issued_on: date | None = None,
) -> CredentialRequest:
    """Enter a licence or DEA registration, or another number or date of one. It counts when another administrator approves.

    Raises Invalid for somebody who is no psychiatrist, a state or number that has not its form, Conflict while one waits.
    """
    _administrator(by)
    fields = {}
    if psychiatrist.role != Role.PSYCHIATRIST or psychiatrist.pk == by.pk:
        fields["psychiatrist"] = "Choose a psychiatrist."
    if state not in STATES:
        fields["state"] = "Choose a state."
    if kind not in CredentialRequest.Kind.values:
        fields["kind"] = "Choose licence or DEA registration."
    number = number.strip().upper() if kind == "dea" else number.strip()
    if not number or (kind == "dea" and not DEA_NUMBER.fullmatch(number)):
        fields["number"] = (
            "A DEA number is two letters and seven figures." if kind == "dea" else "Enter the number."
        )
    if issued_on is not None and issued_on > expires_on:
        fields["expires_on"] = "It ends after it was issued."
    if fields:
        raise Invalid("Some fields need another look.", fields=fields)
    try:
        with transaction.atomic():
            row = CredentialRequest.objects.create(
                kind=kind, psychiatrist=psychiatrist, state=state, number=number, issued_on=issued_on, expires_on=expires_on,
                requested_at=at, requested_by=by,
            )  # fmt: skip
            audit.record(
                "credential.requested", by=by, at=at, about=row, detail={"user": str(psychiatrist.pk), "kind": kind}
            )  # fmt: skip
    except IntegrityError:
        raise Conflict("This one is waiting for a second administrator already.") from None
    return row


def decide_credential(
    request: CredentialRequest, *, approve: bool, by: User, at: datetime
) -> CredentialRequest:
    """Approve or refuse it, as somebody other than who entered it and whom it is of (TM-16). Approved, it is in force at once.

    A date that would leave the first on call without a licence before their shift ends is refused: Conflict, code `on_call`.
    """
    _administrator(by)
    if by.pk in (request.requested_by_id, request.psychiatrist_id):
        raise NotPermitted("Another administrator must decide this.", code="second_person_needed")
    with transaction.atomic():
        changed = CredentialRequest.objects.filter(pk=request.pk, decided_at__isnull=True).update(
            approved=approve, decided_by=by, decided_at=at
        )
        if not changed:
            raise Conflict("This was decided a moment ago.")
        row = CredentialRequest.objects.select_related("psychiatrist").get(pk=request.pk)
        audit.record(
            "credential.approved" if approve else "credential.refused",
            by=by, at=at, about=row, detail={"user": str(row.psychiatrist_id), "kind": row.kind},
        )  # fmt: skip
        if approve and row.kind == "licence":
            others = Licence.objects.filter(psychiatrist=row.psychiatrist).exclude(state=row.state)
            hooks.run(
                "duty.ends", person=row.psychiatrist, active_after=row.psychiatrist.is_active, by=by, at=at,
                role_after=row.psychiatrist.role,
                licensed_until=max([row.expires_on, *others.values_list("expires_on", flat=True)]),
            )  # fmt: skip
            Licence.objects.update_or_create(
                psychiatrist=row.psychiatrist,
                state=row.state,
                defaults={"number": row.number, "issued_on": row.issued_on, "expires_on": row.expires_on},
            )
        elif approve:
            DeaRegistration.objects.update_or_create(
                psychiatrist=row.psychiatrist,
                state=row.state,
                defaults={"number": row.number, "expires_on": row.expires_on},
            )
    return row


def set_active(
    user: User, *, active: bool, by: User, at: datetime, reason: str = "", successor: User | None = None
) -> User:
    """Close or reopen an account. Effective with the person's next request (PR-10).

    Somebody on call is not closed without a `successor`, who takes their shifts and alerts in the same transaction: Conflict
    with the code `on_call` otherwise (HZ-25).
    """
    _administrator(by)
    if user.pk == by.pk:
        raise NotPermitted("Nobody closes or opens their own account.", code="second_person_needed")
    with transaction.atomic():
        row = User.objects.select_for_update().get(pk=user.pk)
        if (
            active
            and row.role_grants.filter(decided_at__isnull=True).exists()
            and not row.has_usable_password()
        ):
            raise Conflict("This account opens when a second administrator has approved the role.")
        if not active:
            hooks.run(
                "duty.ends",
                person=row,
                active_after=False,
                role_after=row.role,
                successor=successor,
                by=by,
                at=at,
            )
        row.is_active = active
        row.save(update_fields=["is_active"])
        audit.record("account.opened" if active else "account.closed", by=by, at=at, about=row, reason=reason)
        if not active:
            hooks.run("person.left", user=row, by=by, at=at)
    return row
