"""What every app leans on: audit chain, state history, client intents, protocol versions, the test clock's offset."""

import functools
import json
import uuid
from typing import Any

import pgtrigger
from django.conf import settings
from django.db import connection, models
from django.db.models import F, Q

from common.encryption import EncryptedJSONField

__all__ = [
    "AuditEntry",
    "AuditHead",
    "ClientIntent",
    "ClockOffset",
    "ProtocolVersion",
    "StateEvent",
    "StoredFile",
    "append_only",
]


def append_only(name: str) -> pgtrigger.Trigger:
    """A row once written stays as it is: PostgreSQL refuses UPDATE and DELETE."""
    return pgtrigger.Protect(name=name, operation=pgtrigger.Update | pgtrigger.Delete)


class AuditHead(models.Model):
    """The newest hash of each chain. A transaction uses the chain of its own connection, so chains never deadlock."""

    shard = models.SmallIntegerField(primary_key=True)
    seq = models.BigIntegerField(default=0)
    row_hash = models.CharField(max_length=64)


class AuditEntry(models.Model):
    """Who did what, about whom and why. `seq`, `prev_hash` and `row_hash` are set by the database (0002_audit_chain)."""

    id = models.BigAutoField(primary_key=True)
    shard = models.SmallIntegerField(default=0)
    seq = models.BigIntegerField(default=0)
    at = models.DateTimeField()
    # Plain text ids: the trail outlives the rows it speaks of.
    actor = models.CharField(
        max_length=80, help_text="user:<uuid>, sitter:<uuid>, device:<uuid> or system:<name>"
    )
    action = models.CharField(max_length=80)
    object_type = models.CharField(max_length=60, blank=True)
    object_id = models.CharField(max_length=40, blank=True)
    patient_id = models.UUIDField(null=True, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    detail = models.JSONField(
        default=dict, blank=True, help_text="Codes and ids only; never a person's words."
    )
    prev_hash = models.CharField(max_length=64, blank=True)
    row_hash = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name_plural = "audit entries"
        constraints = [
            models.UniqueConstraint(fields=["shard", "seq"], name="one_audit_row_per_place_in_its_chain")
        ]
        indexes = [
            models.Index(fields=["patient_id", "-at"], name="audit_by_patient"),
            models.Index(fields=["actor", "-at"], name="audit_by_actor"),
            models.Index(fields=["-at", "-id"], name="audit_newest_first"),
        ]
        triggers = [append_only("audit_rows_stay_as_written")]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.object_type}"


class StateEvent(models.Model):
    """One move of one object from one state to the next; the only history of states, never edited."""

    id = models.BigAutoField(primary_key=True)
    object_type = models.CharField(max_length=60)
    object_id = models.UUIDField()
    source = models.CharField(max_length=40, blank=True)
    target = models.CharField(max_length=40)
    at = models.DateTimeField()
    by = models.CharField(max_length=80)
    reasons = models.JSONField(default=list, blank=True)

    class Meta:
        indexes = [models.Index(fields=["object_type", "object_id", "at"], name="state_events_of_an_object")]
        triggers = [append_only("state_events_stay_as_written")]

    def __str__(self) -> str:
        return f"{self.object_type} {self.source or '-'} -> {self.target}"


class ClientIntent(models.Model):
    """One thing a person meant to do once. A replay shows the first result; another body is refused (422)."""

    id = models.BigAutoField(primary_key=True)
    actor = models.CharField(max_length=80)
    key = models.CharField(max_length=80)
    body_hash = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    status = models.SmallIntegerField(default=0)
    result_url = models.CharField(max_length=300, blank=True)
    result = EncryptedJSONField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["actor", "key"], name="one_intent_per_actor_and_key")]
        indexes = [
            models.Index(fields=["created_at"], name="intents_by_age"),
            models.Index(
                fields=["created_at"], condition=Q(result__isnull=False), name="intents_with_an_answer"
            ),
        ]


@functools.lru_cache(maxsize=8)
def _read_document(text: str) -> Any:
    return json.loads(text)


class DocumentField(models.JSONField):
    """A large JSON document that many rows point at and nobody changes: the same text is read once in a process.

    What it answers is shared by everybody who asks; copy it before changing it.
    """

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        if isinstance(value, str) and value.startswith("{"):
            return _read_document(value)
        return super().from_db_value(value, expression, connection)  # type: ignore[misc]

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        # For the database it is a JSONField.
        return name, "django.db.models.JSONField", args, kwargs


class ProtocolVersion(models.Model):
    """Every threshold, window and text that a medical director signs off. Proposed by one person, approved by another."""

    class State(models.TextChoices):
        DRAFT = "draft"
        APPROVED = "approved"
        RETIRED = "retired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    version = models.CharField(max_length=60, unique=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.DRAFT)
    data = DocumentField(help_text="eligibility, bp, timeline, gate, escalations, outcomes, dosing")
    note = models.TextField(blank=True)
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField()
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    approved_at = models.DateTimeField(null=True, blank=True)
    effective_from = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True) | ~Q(approved_by=F("proposed_by")),
                name="a_second_person_approves_a_protocol",
            ),
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True, approved_at__isnull=True)
                | Q(approved_by__isnull=False, approved_at__isnull=False),
                name="protocol_approval_has_both_person_and_time",
            ),
            models.CheckConstraint(
                condition=Q(state="draft") | Q(approved_at__isnull=False),
                name="only_an_approved_protocol_is_used",
            ),
        ]
        triggers = [
            pgtrigger.Protect(
                name="approved_protocol_numbers_stay",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__state__in=["approved", "retired"])
                & (
                    pgtrigger.Q(old__data__df=pgtrigger.F("new__data"))
                    | pgtrigger.Q(old__version__df=pgtrigger.F("new__version"))
                ),
            ),
            pgtrigger.Protect(name="protocols_are_never_deleted", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return self.version


class ClockOffset(models.Model):
    """How far `hearthside_now()` runs ahead of the server's clock: 0 but for tests and demonstrations."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    seconds = models.FloatField(default=0)

    @classmethod
    def set_seconds(cls, seconds: float) -> None:
        """Move SQL's clock; the caller has already refused this in production."""
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO common_clockoffset (id, seconds) VALUES (1, %s) ON CONFLICT (id) DO UPDATE SET seconds = %s",
                [seconds, seconds],
            )


class StoredFile(models.Model):
    """A file somebody sent, rewritten and encrypted (common/files.py). Who may open it is decided by the row that refers to it.

    The bytes stand in PostgreSQL, not in a bucket: a message and its files are one transaction, one backup, one erasure
    (ADR 0040). A row is never changed; it is deleted only by `common.files.forget`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    media_type = models.CharField(max_length=40)
    byte_count = models.PositiveIntegerField(help_text="Of the rewritten file, before encryption.")
    sha256 = models.CharField(max_length=64, help_text="Of the rewritten file, before encryption.")
    sealed = models.BinaryField()
    stored_at = models.DateTimeField()
    stored_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(byte_count__gt=0, byte_count__lte=10 * 1024 * 1024),
                name="a_stored_file_has_1_byte_to_10_mb",
            ),
            models.CheckConstraint(
                condition=Q(media_type__in=["image/jpeg", "image/png", "application/pdf"]),
                name="a_stored_file_is_a_picture_or_a_pdf",
            ),
        ]
        triggers = [pgtrigger.Protect(name="stored_files_stay_as_stored", operation=pgtrigger.Update)]

    def __str__(self) -> str:
        return f"{self.media_type}, {self.byte_count} bytes"
