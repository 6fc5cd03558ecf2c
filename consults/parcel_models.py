"""Beside the parcels of medicine: the kit, the proof of delivery, what went wrong on the way, and units that left without a dose."""

import uuid

import pghistory
import pgtrigger
from django.db import models
from django.db.models import F, Q

from accounts.models import Patient, User
from common.encryption import EncryptedTextField
from common.models import StoredFile, append_only


@pghistory.track()
class KitParcel(models.Model):
    """Cuff, eye mask, journal and emergency card: a parcel of its own, apart from the medicine."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="kit_parcels")
    contents = models.JSONField(help_text="Codes of what was packed, as the protocol lists them")
    carrier = models.CharField(max_length=40, blank=True)
    carrier_reference = models.CharField(max_length=60, blank=True, help_text="Tracking number")
    shipped_at = models.DateTimeField()
    shipped_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    due_at = models.DateTimeField(help_text="When it should have arrived")
    delivered_at = models.DateTimeField(null=True, blank=True)
    lost_at = models.DateTimeField(null=True, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    missing = models.JSONField(
        default=list, blank=True, help_text="Codes of what the patient did not find, or found broken"
    )
    photo = models.ForeignKey(StoredFile, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["patient"],
                condition=Q(confirmed_at__isnull=True, lost_at__isnull=True),
                name="one_open_kit_per_patient",
            ),
            models.CheckConstraint(
                condition=Q(confirmed_at__isnull=True) | Q(delivered_at__isnull=False, lost_at__isnull=True),
                name="a_confirmed_kit_has_arrived",
            ),
            models.CheckConstraint(
                condition=Q(delivered_at__isnull=True) | Q(delivered_at__gte=F("shipped_at")),
                name="a_kit_arrives_after_it_left",
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="kit_parcels_are_never_deleted", operation=pgtrigger.Delete),
            pgtrigger.Protect(
                name="a_kit_is_confirmed_once",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__confirmed_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"Kit of {self.patient_id}"


class ParcelProof(models.Model):
    """Which adult signed for a parcel of medicine at the door, by the carrier's record. Never edited."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    parcel = models.OneToOneField("consults.Fulfilment", models.PROTECT, related_name="proof")
    signed_for_by = EncryptedTextField(help_text="The adult who signed, as the carrier wrote it")
    adult = models.BooleanField(default=False, help_text="Eighteen or older, by the carrier's record")
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey(User, models.PROTECT, related_name="+")

    class Meta:
        triggers = [append_only("parcel_proofs_stay_as_written")]

    def __str__(self) -> str:
        return f"Signature for {self.parcel_id}"


class ParcelPhoto(models.Model):
    """The patient's photo of what she counted; for the care team alone. Never edited."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    parcel = models.OneToOneField("consults.Fulfilment", models.PROTECT, related_name="photo")
    file = models.ForeignKey(StoredFile, models.PROTECT, related_name="+")
    taken_at = models.DateTimeField()

    class Meta:
        triggers = [append_only("parcel_photos_stay_as_sent")]

    def __str__(self) -> str:
        return f"Photo of {self.parcel_id}"


class ParcelLook(models.Model):
    """In the photo's place: somebody of the care team saw what the patient counted, on a video call. Never edited."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    parcel = models.OneToOneField("consults.Fulfilment", models.PROTECT, related_name="look")
    counted = models.PositiveSmallIntegerField()
    note = EncryptedTextField(help_text="What was seen, and how")
    looked_at = models.DateTimeField()
    looked_by = models.ForeignKey(User, models.PROTECT, related_name="+")

    class Meta:
        triggers = [append_only("parcel_looks_stay_as_written")]

    def __str__(self) -> str:
        return f"Look at {self.parcel_id}"


class ParcelFound(models.Model):
    """A parcel that had been given up is in the patient's hands after all: a psychiatrist says how that is known. Never edited."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    parcel = models.ForeignKey("consults.Fulfilment", models.PROTECT, related_name="found")
    note = EncryptedTextField(help_text="Where it was, and how that is known")
    given_up_at = models.DateTimeField(help_text="When it had been given up")
    found_at = models.DateTimeField()
    found_by = models.ForeignKey(User, models.PROTECT, related_name="+")

    class Meta:
        triggers = [append_only("found_parcels_stay_as_written")]

    def __str__(self) -> str:
        return f"Found: {self.parcel_id}"


class StockMove(models.Model):
    """Units that left a patient's hands without a dose. Never edited; dispensed, taken and these leave what remains."""

    class Kind(models.TextChoices):
        LOST = "lost", "Lost or stolen"
        RETURNED = "returned", "Sent back to the pharmacy"
        DESTROYED = "destroyed", "Destroyed, with a witness"
        DAMAGED = "damaged", "Damaged"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="stock_moves")
    order = models.ForeignKey("consults.Order", models.PROTECT, related_name="stock_moves")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    units = models.PositiveSmallIntegerField()
    at = models.DateTimeField()
    by = models.ForeignKey(User, models.PROTECT, related_name="+")
    note = EncryptedTextField(blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(units__gt=0), name="a_stock_move_moves_something"),
            models.CheckConstraint(
                condition=Q(kind__in=["lost", "returned", "destroyed", "damaged"]),
                name="stock_move_kind_is_known",
            ),
        ]
        indexes = [models.Index(fields=["patient", "at"], name="stock_moves_of_a_patient")]
        triggers = [append_only("stock_moves_stay_as_written")]

    def __str__(self) -> str:
        return f"{self.units} {self.kind}"


class StockCount(models.Model):
    """Somebody counted what is left at home, beside what the ledger expects. Never edited; a difference is an incident."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="stock_counts")
    order = models.ForeignKey("consults.Order", models.PROTECT, related_name="stock_counts")
    # Below nothing where more was taken or left than ever came: a count of nothing differs from that, and is looked into.
    expected = models.SmallIntegerField(help_text="Came, less taken, less left without a dose")
    counted = models.PositiveSmallIntegerField()
    counted_at = models.DateTimeField()
    counted_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    note = EncryptedTextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["patient", "-counted_at"], name="stock_counts_of_a_patient")]
        triggers = [append_only("stock_counts_stay_as_counted")]

    def __str__(self) -> str:
        return f"{self.counted} of {self.expected}"

    @property
    def differs(self) -> bool:
        """Another number than the ledger's."""
        return self.counted != self.expected


class AddressCheck(models.Model):
    """The care team has confirmed an address with the patient, after it changed under a signed order. Never edited (HZ-19)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="address_checks")
    address = EncryptedTextField(help_text="As it was read back to the patient")
    how = EncryptedTextField(help_text="How it was confirmed, such as a call to the number on file")
    checked_at = models.DateTimeField()
    checked_by = models.ForeignKey(User, models.PROTECT, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["patient", "-checked_at"], name="address_checks_of_a_patient")]
        triggers = [append_only("address_checks_stay_as_written")]

    def __str__(self) -> str:
        return f"Address of {self.patient_id}"
