"""What was asked for, what was paid, what went back. Whole cents; never a word about anybody's condition."""

import uuid

import pghistory
import pgtrigger
from django.db import models
from django.db.models import F, Q

from accounts.models import Patient
from common.encryption import EncryptedJSONField
from intake.models import Intake


class InvoiceNumber(models.Model):
    """The next receipt number; one row."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    last = models.PositiveIntegerField(default=1000)

    def __str__(self) -> str:
        return str(self.last)


@pghistory.track()
class Invoice(models.Model):
    """One programme at one price. The lines are copied from the price list of that day and stay."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.CharField(max_length=20, unique=True)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="invoices")
    intake = models.ForeignKey(Intake, models.PROTECT, related_name="+")
    price_version = models.CharField(max_length=60)
    lines = models.JSONField(help_text="[{code, text, amount_cents}]")
    total_cents = models.PositiveIntegerField()
    refunded_cents = models.PositiveIntegerField(default=0)
    currency = models.CharField(max_length=3, default="usd")
    state = models.CharField(
        max_length=16,
        choices=[
            ("open", "To pay"),
            ("paid", "Paid"),
            ("partly_refunded", "Partly refunded"),
            ("refunded", "Refunded"),
            ("void", "Cancelled"),
        ],
        default="open",
    )
    created_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(total_cents__gt=0), name="an_invoice_asks_for_something"),
            models.CheckConstraint(
                condition=Q(refunded_cents__lte=F("total_cents")), name="no_more_goes_back_than_was_asked"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "void"], paid_at__isnull=True)
                | Q(state__in=["paid", "partly_refunded", "refunded"], paid_at__isnull=False),
                name="a_paid_invoice_says_since_when",
            ),
            models.UniqueConstraint(
                fields=["intake"], condition=~Q(state="void"), name="one_invoice_per_intake"
            ),
        ]
        indexes = [models.Index(fields=["patient", "-created_at"], name="invoices_of_a_patient")]
        triggers = [pgtrigger.Protect(name="invoices_are_never_deleted", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return self.number

    @property
    def kept_cents(self) -> int:
        """What the practice keeps today."""
        return self.total_cents - self.refunded_cents


@pghistory.track()
class Payment(models.Model):
    """One attempt to pay an invoice. The gateway sees our id as its idempotency key: a double click is one charge."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="payments")
    attempt = models.PositiveSmallIntegerField()
    provider = models.CharField(max_length=12, choices=[("sandbox", "Sandbox"), ("stripe", "Stripe")])
    state = models.CharField(
        max_length=12,
        choices=[("pending", "Waiting"), ("succeeded", "Paid"), ("failed", "Failed"), ("expired", "Expired")],
        default="pending",
    )
    amount_cents = models.PositiveIntegerField()
    checkout_id = models.CharField(max_length=120, blank=True)
    checkout_url = models.URLField(max_length=2000, blank=True)
    provider_payment_id = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["invoice", "attempt"], name="one_payment_per_invoice_and_attempt"
            ),
            models.UniqueConstraint(
                fields=["invoice"], condition=Q(state="pending"), name="one_waiting_payment_per_invoice"
            ),
            models.UniqueConstraint(
                fields=["provider", "checkout_id"],
                condition=~Q(checkout_id=""),
                name="one_payment_per_checkout",
            ),
            models.UniqueConstraint(
                fields=["provider", "provider_payment_id"],
                condition=~Q(provider_payment_id=""),
                name="one_payment_per_charge",
            ),
            models.CheckConstraint(condition=Q(amount_cents__gt=0), name="a_payment_pays_something"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.state} {self.amount_cents}"

    @property
    def idempotency_key(self) -> str:
        """The same for the same attempt, so that a retry after a crash is the same checkout."""
        return f"hearthside-pay-{self.invoice_id}-{self.attempt}"


@pghistory.track()
class Refund(models.Model):
    """Money on its way back. Written in the cause's own transaction; sent by whoever finds it due."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="refunds")
    amount_cents = models.PositiveIntegerField()
    reason = models.CharField(
        max_length=20,
        choices=[
            ("not_suitable", "The programme was not right for you"),
            ("asked", "You asked for it"),
            ("paid_twice", "Paid twice"),
            ("by_us", "We could not go on"),
        ],
    )
    state = models.CharField(
        max_length=12,
        choices=[("pending", "On its way"), ("succeeded", "Sent"), ("failed", "Failed")],
        default="pending",
    )
    requested_by = models.CharField(max_length=80)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    settled_at = models.DateTimeField(null=True, blank=True)
    provider_refund_id = models.CharField(max_length=120, blank=True)
    last_error = models.CharField(max_length=80, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount_cents__gt=0), name="a_refund_returns_something"),
            models.UniqueConstraint(
                fields=["payment", "reason"],
                condition=~Q(state="failed"),
                name="one_refund_per_payment_and_reason",
            ),
        ]
        indexes = [models.Index(fields=["due_at"], condition=Q(state="pending"), name="refunds_due")]

    def __str__(self) -> str:
        return f"{self.state} {self.amount_cents}"

    @property
    def idempotency_key(self) -> str:
        return f"hearthside-refund-{self.pk}"


class WebhookEvent(models.Model):
    """What a payment provider told us, once each, as it came; worked off from here."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = models.CharField(max_length=12)
    event_id = models.CharField(max_length=120)
    kind = models.CharField(max_length=80)
    payload = EncryptedJSONField()
    received_at = models.DateTimeField()
    processed_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=80, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "event_id"], name="one_row_per_provider_and_event"),
        ]
        indexes = [
            models.Index(
                fields=["received_at"], condition=Q(processed_at__isnull=True), name="events_to_work_off"
            )
        ]
        triggers = [pgtrigger.Protect(name="webhook_events_are_never_deleted", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.provider} {self.kind}"
