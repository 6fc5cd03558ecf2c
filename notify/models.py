"""What leaves the house: the outbox, what vendors told us about it, who asked not to be texted, and who is alive."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models import Patient
from common.encryption import EncryptedJSONField, EncryptedTextField


class Lane(models.TextChoices):
    CRISIS = "crisis"
    ORDINARY = "ordinary"


class Channel(models.TextChoices):
    SMS = "sms"
    VOICE = "voice"
    EMAIL = "email"
    SCREEN = "screen"


class State(models.TextChoices):
    SCHEDULED = "scheduled"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DROPPED = "dropped"


class OutboxMessage(models.Model):
    """One message to one person over one channel, written in the transaction of its cause.

    Hot table: no row history, few indexes, no foreign key that a dispatch would have to check.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    lane = models.CharField(max_length=10, choices=Lane.choices, default=Lane.ORDINARY)
    kind = models.CharField(max_length=60)
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    to_address = EncryptedTextField(
        blank=True, help_text="Only for people without an account; others are looked up when it goes."
    )
    channel = models.CharField(max_length=8, choices=Channel.choices)
    fallbacks = models.JSONField(
        default=list, blank=True, help_text="Channels to try when this one fails, in order"
    )
    template = models.CharField(max_length=80)
    context = EncryptedJSONField(default=dict)
    wanted_at = models.DateTimeField(
        help_text="When its cause wanted it; `due_at` may be later for the night's sake"
    )
    due_at = models.DateTimeField()
    expires_at = models.DateTimeField(
        null=True, blank=True, help_text="Later than this it would be about something over"
    )
    respect_quiet_hours = models.BooleanField(default=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.SCHEDULED)
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.SmallIntegerField(default=0)
    provider_id = models.CharField(max_length=64, blank=True)
    provider_status = models.CharField(max_length=16, blank=True)
    dedupe_key = models.CharField(max_length=160, null=True, blank=True, unique=True)
    about_type = models.CharField(max_length=60, blank=True)
    about_id = models.UUIDField(null=True, blank=True)
    patient = models.ForeignKey(
        Patient, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="sending") | Q(lease_until__isnull=False),
                name="a_message_being_sent_has_a_lease",
            ),
            models.CheckConstraint(
                condition=~Q(state="sent") | Q(sent_at__isnull=False), name="a_sent_message_says_when"
            ),
        ]
        indexes = [
            # Each lane finds what is due in a small index of its own, so a million rows waiting cost a page nothing.
            models.Index(
                fields=["due_at", "id"],
                condition=Q(state="scheduled", lane="ordinary"),
                name="outbox_due_ordinary",
            ),
            models.Index(
                fields=["due_at", "id"],
                condition=Q(state="scheduled", lane="crisis"),
                name="outbox_due_crisis",
            ),
            models.Index(fields=["lease_until"], condition=Q(state="sending"), name="outbox_in_flight"),
            models.Index(fields=["about_type", "about_id"], condition=~Q(about_type=""), name="outbox_about"),
            models.Index(fields=["provider_id"], condition=~Q(provider_id=""), name="outbox_by_vendor_id"),
            models.Index(
                fields=["patient", "-created_at"],
                condition=Q(patient__isnull=False),
                name="outbox_of_patient",
            ),
            models.Index(fields=["-created_at", "-id"], name="outbox_newest_first"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} by {self.channel}"


class SandboxDelivery(models.Model):
    """What the sandbox vendor accepted: its own books, not ours. Counting here shows whether anything went twice."""

    id = models.BigAutoField(primary_key=True)
    reference = models.UUIDField(help_text="The outbox message it was asked to send")
    provider_id = models.CharField(max_length=40)
    channel = models.CharField(max_length=8)
    to_address = EncryptedTextField()
    subject = EncryptedTextField(blank=True)
    body = EncryptedTextField()
    accepted_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "sandbox deliveries"
        indexes = [models.Index(fields=["reference"], name="sandbox_by_reference")]

    def __str__(self) -> str:
        return self.provider_id


class ProviderEvent(models.Model):
    """One report of a vendor about one message, kept once however often it is sent."""

    id = models.BigAutoField(primary_key=True)
    provider = models.CharField(max_length=20)
    sid = models.CharField(max_length=64)
    status = models.CharField(max_length=20)
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "sid", "status"], name="one_report_per_message_and_status"
            )
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.status}"


class OptOut(models.Model):
    """A number that answered STOP. Shown to the care team; texts to it go another way or nowhere."""

    id = models.BigAutoField(primary_key=True)
    number_digest = models.CharField(max_length=64, unique=True)
    number = EncryptedTextField()
    since_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"opted out {self.since_at:%Y-%m-%d}"


class InboundText(models.Model):
    """A text somebody sent us. Free text is never acted on by a program: it waits here until a person has read it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    sid = models.CharField(max_length=64, unique=True)
    from_number = EncryptedTextField()
    sender = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    body = EncryptedTextField(blank=True)
    meaning = models.CharField(max_length=8, choices=[(m, m) for m in ("stop", "start", "help", "triage")])
    received_at = models.DateTimeField()
    handled_at = models.DateTimeField(null=True, blank=True)
    handled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        indexes = [models.Index(fields=["-received_at", "-id"], name="inbound_newest_first")]

    def __str__(self) -> str:
        return f"{self.meaning} at {self.received_at:%Y-%m-%d %H:%M}"


class Heartbeat(models.Model):
    """When a process of a lane was last well: `pager:<host>:<pid>`, `ordinary:<host>:<pid>`."""

    name = models.CharField(max_length=80, primary_key=True)
    lane = models.CharField(max_length=20)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["lane", "-at"], name="newest_heartbeat_of_a_lane")]

    def __str__(self) -> str:
        return f"{self.name} {self.at:%H:%M:%S}"
