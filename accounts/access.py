"""Who may see whom. Querysets already know who is asking; what is not visible does not exist (404)."""

import uuid
from datetime import date
from typing import Any

from django.core import signing
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import STAFF_ROLES, DeaRegistration, Licence, Patient, Role, User
from common import hooks
from common.encryption import lookup_digest
from common.errors import NotVisible

INVITATION_SECONDS = 72 * 3600


def patients_visible_to(user: Any) -> QuerySet[Patient]:
    """A patient sees herself, a clinician the patients assigned to them, an administrator none.

    `patient.visible` lets a higher app widen this for its own reason (intake: the psychiatrist who holds the claim).
    """
    if not user.is_authenticated:
        return Patient.objects.none()
    if user.role == Role.PATIENT:
        return Patient.objects.filter(pk=user.pk)
    condition = Q(pk__in=[])
    if user.role == Role.PSYCHIATRIST:
        condition = Q(care_team__psychiatrist=user)
    elif user.role == Role.COACH:
        condition = Q(care_team__coach=user)
    for widened in hooks.run("patient.visible", user=user):
        if widened is not None:
            condition |= widened
    return Patient.objects.filter(condition)


def visible_patient(user: Any, patient_id: uuid.UUID | str) -> Patient:
    """That patient, with user and care team, or NotVisible."""
    patient = (
        patients_visible_to(user)
        .filter(pk=patient_id)  # type: ignore[misc]
        .select_related("user", "care_team__psychiatrist", "care_team__coach")
        .first()
    )
    if patient is None:
        raise NotVisible("There is no such page.")
    return patient


def _licensed(on: date) -> QuerySet[Licence]:
    """Licences in force on a day whose holder also has a DEA registration in the same state on that day."""
    registered = DeaRegistration.objects.filter(
        psychiatrist=OuterRef("psychiatrist"), state=OuterRef("state"), expires_on__gte=on
    )
    return (
        Licence.objects.filter(
            expires_on__gte=on, psychiatrist__is_active=True, psychiatrist__role=Role.PSYCHIATRIST
        )
        .exclude(issued_on__gt=on)
        .filter(Exists(registered))
    )


def licensed_states(psychiatrist: User, on: date) -> frozenset[str]:
    """States in which this psychiatrist may prescribe a controlled drug on that day (licence and DEA, both in force)."""
    return frozenset(_licensed(on).filter(psychiatrist=psychiatrist).values_list("state", flat=True))


def states_with_prescriber(on: date) -> frozenset[str]:
    """States in which the practice has anybody who may prescribe on that day."""
    return frozenset(_licensed(on).values_list("state", flat=True).distinct())


def psychiatrists_licensed_in(state: str, on: date) -> QuerySet[User]:
    """Active psychiatrists who may prescribe in `state` on that day."""
    return User.objects.filter(pk__in=_licensed(on).filter(state=state).values("psychiatrist"))


def patient_of(user: Any) -> Patient:
    """The chart of the patient who is logged in; made at sign-up. NotVisible for anybody else."""
    patient = Patient.objects.filter(pk=user.pk).select_related("user").first()
    if patient is None or user.role != Role.PATIENT:
        raise NotVisible("There is no such page.")
    return patient


def ways_to_log_in(user: User) -> dict[str, Any]:
    """Which second factors this person has."""
    from allauth.mfa.models import Authenticator

    kinds = list(Authenticator.objects.filter(user=user).values_list("type", flat=True))
    return {
        "totp": Authenticator.Type.TOTP in kinds,
        "passkeys": kinds.count(Authenticator.Type.WEBAUTHN),
        "recovery": Authenticator.Type.RECOVERY_CODES in kinds,
    }


def invitation_token(user: User) -> str:
    """What an invitation's link carries: who, and a digest of the password they have now, so that it works once."""
    return signing.dumps([str(user.pk), lookup_digest(user.password)[:20]], salt="accounts.invitation")


def invited(token: str) -> User:
    """The person a live invitation is for. NotVisible when it is old, used or made up."""
    try:
        pk, stamp = signing.loads(token, salt="accounts.invitation", max_age=INVITATION_SECONDS)
    except (signing.BadSignature, ValueError) as error:
        raise NotVisible("There is no such page.") from error
    user = User.objects.filter(pk=pk, is_active=True).first()
    if user is None or lookup_digest(user.password)[:20] != stamp:
        raise NotVisible("There is no such page.")
    return user


def licence_holders(on: date) -> list[tuple[str, User]]:
    """Who may prescribe in which state on a day: (state, psychiatrist), the longest-serving first. One query."""
    rows = (
        _licensed(on).select_related("psychiatrist").order_by("psychiatrist__created_at", "psychiatrist_id")
    )
    return [(row.state, row.psychiatrist) for row in rows]


def colleague(person_id: uuid.UUID) -> User:
    """Somebody who works here, or NotVisible."""
    found = User.objects.filter(pk=person_id, is_active=True, role__in=STAFF_ROLES).first()
    if found is None:
        raise NotVisible("There is no such page.")
    return found
