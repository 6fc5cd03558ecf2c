"""People: who they are, what they may do, where they are licensed, who cares for whom."""

import uuid
from typing import Any, ClassVar

import pghistory
import pgtrigger
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower, Now

from common.encryption import EncryptedTextField
from common.phones import phone_words

STATES = [
    "AL",
    "AK",
    "AZ",
    "AR",
    "CA",
    "CO",
    "CT",
    "DE",
    "DC",
    "FL",
    "GA",
    "HI",
    "ID",
    "IL",
    "IN",
    "IA",
    "KS",
    "KY",
    "LA",
    "ME",
    "MD",
    "MA",
    "MI",
    "MN",
    "MS",
    "MO",
    "MT",
    "NE",
    "NV",
    "NH",
    "NJ",
    "NM",
    "NY",
    "NC",
    "ND",
    "OH",
    "OK",
    "OR",
    "PA",
    "RI",
    "SC",
    "SD",
    "TN",
    "TX",
    "UT",
    "VT",
    "VA",
    "WA",
    "WV",
    "WI",
    "WY",
]


class Role(models.TextChoices):
    PATIENT = "patient"
    PSYCHIATRIST = "psychiatrist"
    COACH = "coach"
    ADMINISTRATOR = "administrator"


# The languages in which every message exists (templates/messages/<code>/).
LANGUAGES = [("en", "English"), ("es", "Español")]
STAFF_ROLES = frozenset({Role.PSYCHIATRIST, Role.COACH, Role.ADMINISTRATOR})


class UserManager(BaseUserManager["User"]):
    """Creates people; e-mail addresses are kept in lower case."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(
            email, password, role=Role.ADMINISTRATOR, is_staff=True, is_superuser=True, **fields
        )

    def get_by_natural_key(self, email: str | None) -> "User":
        return self.get(email=(email or "").strip().lower())


@pghistory.track(exclude=["password", "last_login"])
class User(AbstractBaseUser, PermissionsMixin):
    """Anybody with a log-in. The role decides what they may do; it is read from the database on each request."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(max_length=254, unique=True)
    full_name = models.CharField(max_length=120, blank=True)
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.PATIENT)
    time_zone = models.CharField(max_length=60, default="America/New_York", help_text="IANA name")
    phone = models.CharField(max_length=20, blank=True, help_text="E.164, such as +15550100199")
    language = models.CharField(
        max_length=5,
        choices=LANGUAGES,
        default="en",
        db_default="en",
        help_text="In which messages are written to this person",
    )
    is_staff = models.BooleanField(default=False, help_text="May open the administrators' pages.")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [
            models.UniqueConstraint(Lower("email"), name="one_person_per_email_address"),
            models.CheckConstraint(
                condition=Q(is_staff=False) | Q(role="administrator"),
                name="only_administrators_open_the_admin",
            ),
        ]

    def __str__(self) -> str:
        return self.full_name or self.email

    @property
    def is_member_of_staff(self) -> bool:
        return self.role in STAFF_ROLES

    @property
    def phone_words(self) -> str:
        """The number as people write it, "(415) 555-0111"; with its country where that is not the United States."""
        return phone_words(self.phone)


@pghistory.track()
class Patient(models.Model):
    """What the practice must know about a person in care. Shares its key with the user: one person, one chart."""

    user = models.OneToOneField(User, models.PROTECT, primary_key=True, related_name="patient")
    date_of_birth = models.DateField(null=True, blank=True)
    sex = models.CharField(
        max_length=8, blank=True, choices=[("female", "Female"), ("male", "Male"), ("other", "Other")]
    )
    state = models.CharField(
        max_length=2, blank=True, help_text="USPS code of the state this person is in for care"
    )
    address = EncryptedTextField(blank=True, help_text="Where sessions happen and parcels go.")
    emergency_contact_name = EncryptedTextField(blank=True)
    emergency_contact_phone = EncryptedTextField(blank=True)
    weight_kg = models.DecimalField(max_digits=5, decimal_places=1, null=True, blank=True)
    height_cm = models.DecimalField(max_digits=5, decimal_places=1, null=True, blank=True)
    identity_verified_at = models.DateTimeField(null=True, blank=True)
    identity_verified_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    # Synthetic people (drills, demonstrations of the alert lane) can never hold an order (HZ-30).
    is_synthetic = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(identity_verified_at__isnull=True, identity_verified_by__isnull=True)
                | Q(
                    identity_verified_at__isnull=False,
                    identity_verified_by__isnull=False,
                    date_of_birth__isnull=False,
                ),
                name="identity_is_verified_by_somebody_at_a_time_with_a_birth_date",
            ),
            models.CheckConstraint(
                condition=Q(state="") | Q(state__in=STATES), name="patient_state_is_a_usps_code"
            ),
        ]

    def __str__(self) -> str:
        return str(self.user)

    @property
    def pk_uuid(self) -> uuid.UUID:
        return self.user_id


@pghistory.track()
class CareTeam(models.Model):
    """Who cares for a patient now. Assignment decides who may open the chart."""

    patient = models.OneToOneField(Patient, models.PROTECT, primary_key=True, related_name="care_team")
    psychiatrist = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="patients_as_psychiatrist"
    )
    coach = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="patients_as_coach")

    def __str__(self) -> str:
        return f"Care team of {self.patient}"


@pghistory.track()
class Licence(models.Model):
    """A psychiatrist's licence to practise in one state."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    psychiatrist = models.ForeignKey(User, models.PROTECT, related_name="licences")
    state = models.CharField(max_length=2)
    number = models.CharField(max_length=40)
    issued_on = models.DateField(null=True, blank=True)
    expires_on = models.DateField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["psychiatrist", "state"], name="one_licence_per_psychiatrist_and_state"
            ),
            models.CheckConstraint(condition=Q(state__in=STATES), name="licence_state_is_a_usps_code"),
        ]
        indexes = [models.Index(fields=["state", "expires_on"], name="licences_by_state")]

    def __str__(self) -> str:
        return f"{self.state} {self.number}"


@pghistory.track()
class DeaRegistration(models.Model):
    """A psychiatrist's registration to prescribe controlled drugs in one state."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    psychiatrist = models.ForeignKey(User, models.PROTECT, related_name="dea_registrations")
    state = models.CharField(max_length=2)
    number = models.CharField(max_length=9)
    expires_on = models.DateField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["psychiatrist", "state"], name="one_dea_registration_per_psychiatrist_and_state"
            ),
            models.CheckConstraint(
                condition=Q(number__regex=r"^[A-Z][A-Z9][0-9]{7}$"), name="dea_number_has_its_form"
            ),
            models.CheckConstraint(condition=Q(state__in=STATES), name="dea_state_is_a_usps_code"),
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.number}"


class DeviceToken(models.Model):
    """A device's or partner's key to the API. Only its digest is kept; scopes name what it may do."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="device_tokens")
    label = models.CharField(max_length=80)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list, help_text='Such as ["readings:write", "readings:read"]')
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.label


class RoleGrant(models.Model):
    """A staff role for somebody: one administrator asks, another one decides, and nobody decides about themself (TM-16)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.PROTECT, related_name="role_grants")
    role = models.CharField(
        max_length=16, choices=[choice for choice in Role.choices if choice[0] in STAFF_ROLES]
    )
    reason = models.CharField(max_length=200)
    requested_at = models.DateTimeField()
    requested_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    approved = models.BooleanField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(requested_by=F("user")), name="nobody_asks_for_a_role_for_themself"
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True, decided_at__isnull=True, approved__isnull=True)
                | Q(decided_by__isnull=False, decided_at__isnull=False, approved__isnull=False),
                name="a_decided_role_has_person_time_and_answer",
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("user")),
                name="nobody_decides_about_their_own_role",
            ),
            models.CheckConstraint(
                condition=~Q(approved=True) | ~Q(decided_by=F("requested_by")),
                name="a_second_person_approves_a_role",
            ),
            models.UniqueConstraint(
                fields=["user"], condition=Q(decided_at__isnull=True), name="one_open_role_request_per_person"
            ),
        ]
        triggers = [
            pgtrigger.Protect(
                name="decided_roles_stay",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__decided_at__isnull=False),
            ),
            pgtrigger.Protect(name="role_requests_are_never_deleted", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.get_role_display()} for {self.user}"


# A credential in waiting stands in a file of its own.
from accounts.credentials import CredentialRequest  # noqa: E402, F401
