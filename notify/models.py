"""What leaves the house: the outbox and its words, what people want and do not want, what vendors told us, what got stuck."""

import datetime as dt
import uuid

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models import LANGUAGES, Patient
from common.encryption import EncryptedJSONField, EncryptedTextField


class Lane(models.TextChoices):
    CRISIS = "crisis"
    ORDINARY = "ordinary"


class Channel(models.TextChoices):
    SMS = "sms"
    VOICE = "voice"
    EMAIL = "email"
    PUSH = "push"
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
    # How often it was put up to go again to a vendor that cannot say whether it had it: once at most (class R).
    doubts = models.SmallIntegerField(default=0, db_default=0)
    # Its cause went away while it was with a sender or with the vendor: it is not sent again, nor over another channel.
    taken_back_at = models.DateTimeField(null=True, blank=True)
    # A page's severity: in a storm what is graver goes first. The ordinary lane goes by its due time alone.
    priority = models.SmallIntegerField(default=0, db_default=0)
    provider_id = models.CharField(max_length=64, blank=True)
    provider_status = models.CharField(max_length=16, blank=True)
    dedupe_key = models.CharField(max_length=160, null=True, blank=True)
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
            # Partial, and without Django's second index for LIKE: each index here is written twice for every message that goes.
            models.UniqueConstraint(
                fields=["dedupe_key"], condition=Q(dedupe_key__isnull=False), name="a_promise_is_made_once"
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
                fields=["-priority", "due_at", "id"],
                condition=Q(state="scheduled", lane="crisis"),
                name="outbox_gravest_pages_first",
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
    said = models.CharField(
        max_length=20, blank=True, help_text="The word they used, or that the carrier told us"
    )

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
        indexes = [
            models.Index(fields=["-received_at", "-id"], name="inbound_newest_first"),
            # What waits for a person stands on everybody's list, however many texts there ever were.
            models.Index(
                fields=["received_at"], condition=Q(handled_at__isnull=True), name="texts_to_be_read"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.meaning} at {self.received_at:%Y-%m-%d %H:%M}"


class Heartbeat(models.Model):
    """When a process of a lane was last well: `pager:<host>:<pid>`, `ordinary:<host>:<pid>`, `worker:celery@<host>`."""

    name = models.CharField(max_length=80, primary_key=True)
    lane = models.CharField(max_length=20)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["lane", "-at"], name="newest_heartbeat_of_a_lane")]

    def __str__(self) -> str:
        return f"{self.name} {self.at:%H:%M:%S}"


def worker_beat(worker: str) -> str:
    """The name of a worker's own beat."""
    return f"worker:{worker}"[:80]


class MessageWording(models.Model):
    """The practice's own words for one message, channel and language; without a row in force the file's words go.

    Each change is a row of its own, so who wrote what and when stays readable. A row is never rewritten, only put out of force.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    template = models.CharField(max_length=80)
    channel = models.CharField(max_length=8, choices=Channel.choices)
    language = models.CharField(max_length=5, choices=LANGUAGES)
    version = models.PositiveIntegerField()
    subject = models.CharField(max_length=200, blank=True)
    body = models.TextField(
        blank=True, help_text="Empty: from here on the words of the file are in force again"
    )
    note = models.CharField(max_length=200, blank=True, help_text="Why")
    written_at = models.DateTimeField()
    written_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    replaced_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["template", "channel", "language", "version"], name="one_wording_per_version"
            ),
            models.UniqueConstraint(
                fields=["template", "channel", "language"],
                condition=Q(replaced_at__isnull=True),
                name="one_wording_in_force",
            ),
        ]
        triggers = [
            pgtrigger.Protect(
                name="wordings_are_not_rewritten",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__body__df=pgtrigger.F("new__body"))
                | pgtrigger.Q(old__subject__df=pgtrigger.F("new__subject"))
                | pgtrigger.Q(old__written_by__df=pgtrigger.F("new__written_by"))
                | pgtrigger.Q(old__replaced_at__isnull=False),
            ),
            pgtrigger.Protect(name="wordings_are_not_deleted", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.template} by {self.channel} in {self.language}, version {self.version}"


class MessagePreference(models.Model):
    """What one person wants: their quiet hours, and which messages not to get over which channel. No row: the defaults."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="message_preference"
    )
    quiet_from = models.TimeField(default=dt.time(21, 0))
    quiet_until = models.TimeField(default=dt.time(8, 0))
    muted = models.JSONField(default=list, blank=True, help_text='Such as ["visit_tomorrow:email"]')
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            # Equal times would leave no hour in which a message may go, and a message must never be lost that way.
            models.CheckConstraint(
                condition=~Q(quiet_from=models.F("quiet_until")), name="quiet_hours_leave_some_of_the_day"
            )
        ]

    def __str__(self) -> str:
        return f"quiet from {self.quiet_from:%H:%M} until {self.quiet_until:%H:%M}"


class PushSubscription(models.Model):
    """One browser that may be told that a message waits. The address and keys are the browser's, and so encrypted."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="push_subscriptions")
    endpoint_digest = models.CharField(max_length=64, unique=True)
    endpoint = EncryptedTextField()
    p256dh = EncryptedTextField()
    auth = EncryptedTextField()
    label = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.label or "a browser"


class TaskTry(models.Model):
    """How often a background task was begun and not finished. Counted before it runs, so that even a killed worker counts."""

    key = models.CharField(max_length=160, primary_key=True)
    name = models.CharField(max_length=120)
    tries = models.PositiveIntegerField(default=0)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    last_error = models.CharField(max_length=120, blank=True)

    class Meta:
        indexes = [models.Index(fields=["last_at"], name="task_tries_by_age")]

    def __str__(self) -> str:
        return f"{self.name}, {self.tries} tries"


class DeadLetter(models.Model):
    """What no program tries any more: a message that failed for good, a task that fails each time. One named person owns it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    what = models.CharField(max_length=8, choices=[("message", "message"), ("task", "task")])
    key = models.CharField(max_length=160, help_text="The outbox message's id, or the task's name or id")
    name = models.CharField(max_length=120, help_text="The message's kind, or the task's name")
    patient = models.ForeignKey(
        Patient, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    error = models.CharField(max_length=200, blank=True)
    tries = models.PositiveIntegerField(default=0)
    opened_at = models.DateTimeField()
    last_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    outcome = models.CharField(
        max_length=8, blank=True, choices=[("again", "tried again"), ("note", "settled with a note")]
    )
    note = EncryptedTextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["what", "key"], condition=Q(settled_at__isnull=True), name="one_live_dead_letter"
            ),
            models.CheckConstraint(
                condition=Q(settled_at__isnull=True, settled_by__isnull=True, outcome="")
                | Q(settled_at__isnull=False, settled_by__isnull=False) & ~Q(outcome=""),
                name="a_settled_letter_says_who_when_and_how",
            ),
        ]
        indexes = [
            models.Index(
                fields=["owner", "opened_at"], condition=Q(settled_at__isnull=True), name="letters_of_owner"
            ),
            models.Index(fields=["-opened_at"], name="letters_newest_first"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.error}"
