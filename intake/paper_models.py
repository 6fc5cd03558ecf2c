"""Papers of an intake: what somebody sent in, what a specialist is asked, and the end of a consent."""

import uuid

import pghistory
from django.db import models
from django.db.models import F, Q

from accounts.models import Patient, User
from common.encryption import EncryptedTextField
from common.models import ProtocolVersion, StoredFile, append_only


class ConsentWithdrawal(models.Model):
    """Somebody used their right to stop. Every signature before it is no longer in force; each stays readable."""

    class What(models.TextChoices):
        CONSENT = "consent"
        TREATMENT = "treatment"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="consent_withdrawals")
    what = models.CharField(max_length=12, choices=What.choices)
    note = EncryptedTextField(blank=True, help_text="Why, if they wished to say so.")
    by = models.ForeignKey(User, models.PROTECT, related_name="+")
    withdrawn_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(what__in=["consent", "treatment"]), name="what_was_withdrawn_is_known"
            ),
        ]
        indexes = [models.Index(fields=["patient", "-withdrawn_at"], name="withdrawals_of_a_patient")]
        triggers = [append_only("withdrawals_stay_as_given")]

    def __str__(self) -> str:
        return f"{self.what} withdrawn {self.withdrawn_at:%Y-%m-%d}"


@pghistory.track()
class ClearanceRequest(models.Model):
    """A psychiatrist asks a specialist, through the patient, whether something stands against treatment."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="clearance_requests")
    intake = models.ForeignKey("intake.Intake", models.PROTECT, related_name="clearance_requests")
    decision = models.ForeignKey("intake.Decision", models.PROTECT, related_name="+")
    specialty = models.CharField(max_length=20, help_text="Key in intake/data/clearance.json")
    rules = models.JSONField(default=list, help_text="Rule numbers that made the question.")
    letter = EncryptedTextField(help_text="The letter exactly as it was when it was signed.")
    protocol = models.ForeignKey(ProtocolVersion, models.PROTECT, related_name="+")
    asked_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    due_on = models.DateField()
    answered_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    cancelled_by_patient = models.BooleanField(
        default=True, help_text="They cannot get it; otherwise the practice goes on without."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["intake", "specialty"],
                condition=Q(answered_at__isnull=True, cancelled_at__isnull=True),
                name="one_open_question_per_specialty",
            ),
            models.CheckConstraint(
                condition=Q(answered_at__isnull=True) | Q(cancelled_at__isnull=True),
                name="a_clearance_is_answered_or_cancelled",
            ),
        ]
        indexes = [
            models.Index(fields=["patient", "-asked_at"], name="clearances_of_a_patient"),
            models.Index(
                fields=["due_on"],
                name="clearances_awaited",
                condition=Q(answered_at__isnull=True, cancelled_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"Clearance by {self.specialty}"

    @property
    def is_open(self) -> bool:
        """Still waiting for the specialist's answer."""
        return self.answered_at is None and self.cancelled_at is None


@pghistory.track()
class PatientDocument(models.Model):
    """One file a patient sent: rewritten, encrypted, and for the people who treat them only."""

    class Kind(models.TextChoices):
        ID_PHOTO = "id_photo", "Photo of your ID"
        SPECIALIST_LETTER = "specialist_letter", "Letter from a specialist"
        RESULT = "result", "Test result"
        OTHER = "other", "Something else"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="documents")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    clearance = models.ForeignKey(
        ClearanceRequest, models.PROTECT, null=True, blank=True, related_name="documents"
    )
    file = models.ForeignKey(StoredFile, models.PROTECT, null=True, blank=True, related_name="+")
    name = EncryptedTextField(help_text="The file's name as it was sent.")
    uploaded_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    uploaded_at = models.DateTimeField()
    reviewed_at = models.DateTimeField(null=True, blank=True, help_text="First opened by a psychiatrist.")
    reviewed_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    superseded_at = models.DateTimeField(null=True, blank=True)
    superseded_by = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="+")
    removed_at = models.DateTimeField(
        null=True, blank=True, help_text="Taken back before anybody had read it."
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["id_photo", "specialist_letter", "result", "other"]),
                name="document_kind_is_known",
            ),
            # What a psychiatrist has seen is part of the record: PostgreSQL refuses to lose it.
            models.CheckConstraint(
                condition=Q(reviewed_at__isnull=True) | Q(removed_at__isnull=True, file__isnull=False),
                name="a_document_that_was_read_stays",
            ),
            models.CheckConstraint(
                condition=Q(removed_at__isnull=True, file__isnull=False)
                | Q(removed_at__isnull=False, file__isnull=True),
                name="a_document_has_its_file_until_it_is_removed",
            ),
            models.CheckConstraint(
                condition=Q(superseded_by__isnull=True) | ~Q(superseded_by=F("id")),
                name="a_document_does_not_supersede_itself",
            ),
            models.UniqueConstraint(
                fields=["patient"],
                condition=Q(kind="id_photo", superseded_at__isnull=True, removed_at__isnull=True),
                name="one_id_photo_at_a_time",
            ),
        ]
        indexes = [models.Index(fields=["patient", "-uploaded_at"], name="documents_of_a_patient")]

    def __str__(self) -> str:
        return self.get_kind_display()
