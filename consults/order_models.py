"""Beside an order: what a second psychiatrist said of it, and its way to the pharmacy."""

import uuid

from django.db import models

from accounts.models import Patient, User
from common.encryption import EncryptedTextField
from common.models import append_only


class SecondOpinion(models.Model):
    """A second psychiatrist has looked at a draft and agrees, or does not. It holds for exactly what was read; never edited."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # No foreign key: a draft may be thrown away, what was said of it stays.
    order_id = models.UUIDField(db_index=True)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="+")
    digest = models.CharField(max_length=64, help_text="sha256 of the draft that was read")
    agrees = models.BooleanField()
    words = EncryptedTextField(blank=True, help_text="Why not, or what to watch")
    given_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    given_at = models.DateTimeField()

    class Meta:
        triggers = [append_only("second_opinions_stay_as_given")]

    def __str__(self) -> str:
        return f"{'Agrees' if self.agrees else 'Does not agree'}: {self.order_id}"


class HandOver(models.Model):
    """One step of an order on its way to the pharmacy: how it left, the other side's number, how far it is. Never edited."""

    class Way(models.TextChoices):
        PRINT = "print", "Printed, to be signed by hand"
        FAX = "fax", "Faxed to the pharmacy"
        VENDOR = "vendor", "Handed to the e-prescribing system, to be signed there"
        HEARD = "heard", "Heard from the pharmacy or the vendor"
        PARCEL = "parcel", "A parcel of it"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    order = models.ForeignKey("consults.Order", models.PROTECT, related_name="hand_overs")
    way = models.CharField(max_length=6, choices=Way.choices)
    gateway = models.CharField(max_length=40, blank=True)
    external_id = models.CharField(max_length=80, blank=True)
    status = models.CharField(max_length=12)
    document_sha256 = models.CharField(max_length=64, blank=True)
    reasons = models.JSONField(
        default=list, blank=True, help_text="Codes of what no longer held, when it was stopped"
    )
    at = models.DateTimeField()
    by = models.ForeignKey(User, models.PROTECT, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["order", "-at"], name="hand_overs_of_an_order")]
        triggers = [append_only("hand_overs_stay_as_written")]

    def __str__(self) -> str:
        return f"{self.get_way_display()}: {self.status}"
