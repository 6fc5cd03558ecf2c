"""What the consults remember: hours, appointments, visit notes, PDMP checks, orders and parcels."""

import uuid
from datetime import datetime, time, timedelta
from decimal import Decimal

import pghistory
import pgtrigger
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Now
from django.db.models.lookups import Exact

from accounts.models import STATES, Patient, User
from common.encryption import EncryptedJSONField, EncryptedTextField
from common.models import ProtocolVersion, append_only
from consults.rules.dosing import UG_PER_MG, UL_PER_ML

MINUTE = timedelta(minutes=1)


class VisitType(models.TextChoices):
    CONSULT = "consult", "Consult"
    INTRO = "intro", "Introduction"
    PREP = "prep", "Preparation call"
    INTEGRATION = "integration", "Integration call"
    FOLLOW_UP = "follow_up", "Follow-up"


class AppointmentState(models.TextChoices):
    HELD = "held", "Held"
    BOOKED = "booked", "Booked"
    CANCELLED = "cancelled", "Cancelled"
    COMPLETED = "completed", "Completed"
    NO_SHOW = "no_show", "Missed"


@pghistory.track()
class Availability(models.Model):
    """Hours that a clinician offers each week, in the clinician's own zone (accounts.User.time_zone)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    clinician = models.ForeignKey(User, models.PROTECT, related_name="availability")
    weekday = models.SmallIntegerField(help_text="0 is Monday")
    starts = models.TimeField()
    ends = models.TimeField()
    visit_types = ArrayField(models.CharField(max_length=12, choices=VisitType.choices))
    effective_from = models.DateField(null=True, blank=True)
    effective_until = models.DateField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "availability"
        constraints = [
            models.CheckConstraint(
                condition=Q(weekday__gte=0, weekday__lte=6), name="availability_is_on_a_day_of_the_week"
            ),
            models.CheckConstraint(
                # Midnight at the end is the end of the day.
                condition=Q(ends__gt=F("starts")) | Q(ends=time(0)),
                name="availability_ends_after_it_starts",
            ),
            models.UniqueConstraint(
                fields=["clinician", "weekday", "starts"], name="one_availability_per_clinician_day_and_start"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.clinician} {self.weekday} {self.starts:%H:%M}-{self.ends:%H:%M}"


@pghistory.track()
class AvailabilityException(models.Model):
    """Leave, or hours offered beside the weekly ones; instants, because they happen once."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    clinician = models.ForeignKey(User, models.PROTECT, related_name="availability_exceptions")
    kind = models.CharField(max_length=8, choices=[("leave", "Leave"), ("extra", "Extra hours")])
    during = DateTimeRangeField()
    visit_types = ArrayField(
        models.CharField(max_length=12, choices=VisitType.choices), default=list, blank=True
    )
    note = EncryptedTextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["clinician"], name="exceptions_of_a_clinician")]

    def __str__(self) -> str:
        return f"{self.clinician} {self.kind}"


@pghistory.track()
class Appointment(models.Model):
    """A time that a patient and a clinician have together. PostgreSQL refuses any overlap of either's time."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="appointments")
    clinician = models.ForeignKey(User, models.PROTECT, related_name="appointments_as_clinician")
    visit_type = models.CharField(max_length=12, choices=VisitType.choices)
    during = DateTimeRangeField()
    state = models.CharField(max_length=10, choices=AppointmentState.choices, default=AppointmentState.HELD)
    hold_expires_at = models.DateTimeField(null=True, blank=True)
    state_of_care = models.CharField(
        max_length=2, help_text="Where the patient was going to be, when it was booked."
    )
    # Rises with each change, so that a calendar updates the entry it has (RFC 5545).
    sequence = models.PositiveIntegerField(default=0)
    meeting_url = models.URLField(
        max_length=300, blank=True, help_text="The clinician's own video room, until ours opens."
    )
    created_at = models.DateTimeField()
    booked_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    cancel_reason = models.CharField(max_length=40, blank=True)
    patient_arrived_at = models.DateTimeField(null=True, blank=True)
    # Kept for somebody on the waiting list: not one of the holds that choosing another time lets go.
    for_offer = models.BooleanField(default=False)
    # Two visits of one clinician at one time, on purpose: who decided it and why. Nothing else sets this.
    double_booked = models.BooleanField(default=False)
    double_booked_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    double_booked_at = models.DateTimeField(null=True, blank=True)
    double_booked_reason = EncryptedTextField(blank=True)

    class Meta:
        constraints = [
            # A deliberate double booking stands outside; a trigger refuses everything that is not one over it (migration 0003).
            ExclusionConstraint(
                name="a_clinician_is_in_one_visit_at_a_time",
                expressions=[("clinician", RangeOperators.EQUAL), ("during", RangeOperators.OVERLAPS)],
                condition=Q(state__in=["held", "booked"], double_booked=False),
            ),
            models.CheckConstraint(
                condition=Q(double_booked=False, double_booked_by__isnull=True, double_booked_reason="")
                | Q(double_booked=True, double_booked_by__isnull=False) & ~Q(double_booked_reason=""),
                name="a_double_booking_says_who_and_why",
            ),
            ExclusionConstraint(
                name="a_patient_is_in_one_visit_at_a_time",
                expressions=[("patient", RangeOperators.EQUAL), ("during", RangeOperators.OVERLAPS)],
                condition=Q(state__in=["held", "booked"]),
            ),
            models.CheckConstraint(
                condition=Q(during__isempty=False, during__lower_inf=False, during__upper_inf=False),
                name="an_appointment_has_a_start_and_an_end",
            ),
            models.CheckConstraint(
                condition=~Q(state="held") | Q(hold_expires_at__isnull=False),
                name="a_held_slot_says_when_it_is_let_go",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["held", "cancelled"]) | Q(booked_at__isnull=False),
                name="a_booked_visit_says_since_when",
            ),
            models.CheckConstraint(
                condition=Q(state_of_care__in=STATES), name="appointment_state_of_care_is_a_usps_code"
            ),
        ]
        indexes = [
            models.Index(fields=["hold_expires_at"], condition=Q(state="held"), name="holds_by_expiry"),
            models.Index(fields=["patient", "-created_at", "-id"], name="appointments_of_a_patient"),
            models.Index(fields=["clinician", "-created_at", "-id"], name="appointments_of_a_clinician"),
        ]

    def __str__(self) -> str:
        return f"{self.get_visit_type_display()} {self.starts_at:%Y-%m-%d %H:%M} UTC"

    @property
    def starts_at(self) -> datetime:
        return self.during.lower

    @property
    def ends_at(self) -> datetime:
        return self.during.upper

    @property
    def minutes(self) -> int:
        return int((self.ends_at - self.starts_at) / MINUTE)


class Diagnosis(models.TextChoices):
    DEPRESSION = "depression", "Depression"
    ANXIETY = "anxiety", "Anxiety"
    BOTH = "both", "Depression and anxiety"
    NONE = "none", "Neither"


# A signed note changes in one way only: its signature is taken off after the signed text was kept, and then nothing else with it.
REFUSE_CHANGE_OF_NOTE = """
IF NEW.signed_at IS NOT NULL OR NEW.signed_by_id IS NOT NULL OR NOT EXISTS (
    SELECT 1 FROM consults_keptsignature k
    WHERE k.note_id = OLD.id AND k.signed_at = OLD.signed_at AND k.signed_by_id = OLD.signed_by_id AND k.sealed_body = OLD.body) THEN
    RAISE EXCEPTION 'a signed note never changes: keep its signature and open it, or add to it' USING ERRCODE = 'check_violation';
END IF;
IF (to_jsonb(NEW) - 'signed_at' - 'signed_by_id' - 'version') IS DISTINCT FROM (to_jsonb(OLD) - 'signed_at' - 'signed_by_id' - 'version') THEN
    RAISE EXCEPTION 'opening a note changes nothing but its signature' USING ERRCODE = 'check_violation';
END IF;
RETURN NEW;
"""


@pghistory.track()
class VisitNote(models.Model):
    """What the psychiatrist saw and decided. A draft until signed; a signed note never changes, addenda add to it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    appointment = models.OneToOneField(Appointment, models.PROTECT, related_name="note")
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="visit_notes")
    author = models.ForeignKey(User, models.PROTECT, related_name="+")
    protocol = models.ForeignKey(ProtocolVersion, models.PROTECT, related_name="+")
    body = EncryptedJSONField(
        default=dict, help_text="history, mental_status, risk, plan, short_visit_reason"
    )
    diagnosis = models.CharField(max_length=10, choices=Diagnosis.choices, blank=True)
    suitable = models.BooleanField(
        null=True, blank=True, help_text="The psychiatrist's decision to go on, or not."
    )
    identity_confirmed = models.BooleanField(default=False)
    date_of_birth_seen = models.DateField(
        null=True, blank=True, help_text="As on the document that was shown."
    )
    location_confirmed = models.BooleanField(default=False)
    location_state = models.CharField(max_length=2, blank=True)
    duration_minutes = models.PositiveSmallIntegerField(null=True, blank=True)
    held_by = models.CharField(
        max_length=9,
        blank=True,
        choices=[
            ("video", "Live video with sound"),
            ("audio", "By phone, or sound alone"),
            ("in_person", "In person"),
        ],
    )
    version = models.PositiveIntegerField(default=1)
    saved_at = models.DateTimeField()
    signed_at = models.DateTimeField(null=True, blank=True)
    signed_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(signed_at__isnull=True, signed_by__isnull=True)
                | Q(signed_at__isnull=False, signed_by__isnull=False)
                & ~Q(diagnosis="")
                & Q(
                    suitable__isnull=False,
                    identity_confirmed=True,
                    location_confirmed=True,
                    duration_minutes__isnull=False,
                ),
                name="a_signed_note_is_complete",
            ),
            models.CheckConstraint(
                condition=~Q(diagnosis="none") | ~Q(suitable=True), name="no_diagnosis_means_not_suitable"
            ),
        ]
        indexes = [models.Index(fields=["patient", "-signed_at"], name="visit_notes_of_a_patient")]
        triggers = [
            pgtrigger.Trigger(
                name="signed_notes_never_change",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__signed_at__isnull=False),
                func=REFUSE_CHANGE_OF_NOTE,
            ),
            pgtrigger.Protect(name="notes_are_never_deleted", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"Note of {self.appointment_id}"


class VisitAddendum(models.Model):
    """Something added to a signed note; the note itself stays as it was signed."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    note = models.ForeignKey(VisitNote, models.PROTECT, related_name="addenda")
    text = EncryptedTextField()
    written_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    written_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "visit addenda"
        ordering = ["written_at"]
        triggers = [append_only("addenda_stay_as_written")]

    def __str__(self) -> str:
        return f"Addendum of {self.written_at:%Y-%m-%d}"


class KeptSignature(models.Model):
    """What was signed, as it was signed, when a note was opened again. Never edited: the earlier signature stays readable."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    note = models.ForeignKey(VisitNote, models.PROTECT, related_name="kept_signatures")
    # The note's own ciphertext, byte for byte, so that PostgreSQL itself can see that nothing was lost on the way.
    sealed_body = models.TextField()
    facts = EncryptedJSONField(help_text="The rest of the note as it was signed")
    version = models.PositiveIntegerField()
    signed_at = models.DateTimeField()
    signed_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    opened_at = models.DateTimeField()
    opened_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    reason = EncryptedTextField()

    class Meta:
        ordering = ["signed_at"]
        triggers = [append_only("kept_signatures_stay_as_kept")]

    def __str__(self) -> str:
        return f"Signature of {self.signed_at:%Y-%m-%d}"

    @property
    def body(self) -> dict[str, str]:
        """The signed words."""
        found: dict[str, str] = VisitNote._meta.get_field("body").from_db_value(self.sealed_body, None, None)  # type: ignore[attr-defined]
        return found


class PdmpCheck(models.Model):
    """A psychiatrist attests to have looked at the state's prescription monitoring programme."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="pdmp_checks")
    states = ArrayField(models.CharField(max_length=2))
    checked_at = models.DateTimeField()
    checked_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    finding = models.CharField(
        max_length=12,
        choices=[("clear", "Nothing that speaks against it"), ("discrepancy", "Something to resolve first")],
    )
    note = EncryptedTextField(blank=True)

    class Meta:
        verbose_name = "PDMP check"
        indexes = [models.Index(fields=["patient", "-checked_at"], name="pdmp_checks_of_a_patient")]
        triggers = [append_only("pdmp_checks_stay_as_written")]

    def __str__(self) -> str:
        return f"PDMP {', '.join(self.states)} {self.finding}"


class MedicineForm(models.TextChoices):
    TABLET = "sublingual_tablet", "Sublingual tablet"
    TROCHE = "troche", "Troche"
    NASAL = "nasal_spray", "Nasal spray"


class AuthorityBasis(models.TextChoices):
    FLEXIBILITY = "telemedicine_flexibility", "Telemedicine flexibility"
    IN_PERSON = "prior_in_person", "I examined this patient in person"
    REGISTRATION = "special_registration", "Special registration"
    OTHER = "other", "Other"


class PharmacyStatus(models.TextChoices):
    NOT_SENT = "not_sent", "Not handed over yet"
    HANDED_OVER = "handed_over", "Handed over to the pharmacy"
    ACCEPTED = "accepted", "Accepted by the pharmacy"
    REJECTED = "rejected", "Sent back by the pharmacy"
    DISPENSED = "dispensed", "Dispensed"
    CANCELLED = "cancelled", "Cancelled at the pharmacy"
    RETURNED = "returned", "Dispensed and not sent: the pharmacy destroyed it or took it back"
    BLOCKED = "blocked", "Stopped: something it rests on no longer holds"


def plain_number(value: Decimal) -> str:
    """Without zeros at the end and never as 1E+2: 100.000 is "100", 0.50 is "0.5"."""
    return f"{value.normalize():f}"


REFUSE_SYNTHETIC = """
IF EXISTS (SELECT 1 FROM accounts_patient p WHERE p.user_id = NEW.patient_id AND p.is_synthetic) THEN
    RAISE EXCEPTION 'a synthetic patient can never hold an order' USING ERRCODE = 'check_violation';
END IF;
RETURN NEW;
"""

REFUSE_CHANGE_OF_SIGNED = """
IF OLD.signed_at IS NOT NULL THEN
    RAISE EXCEPTION 'a signed order never changes: sign a superseding one' USING ERRCODE = 'check_violation';
END IF;
RETURN NEW;
"""

REFUSE_SECOND_ENDING = """
IF OLD.revoked_at IS NOT NULL OR OLD.superseded_at IS NOT NULL THEN
    RAISE EXCEPTION 'a revoked or superseded order stays so' USING ERRCODE = 'check_violation';
END IF;
RETURN NEW;
"""

# Written from the text of the promise, not from the Python (HZ-19): nothing is sent without a signed order in force, of this very
# patient, nor more than it is for. What came short, or left without a dose, may be sent again.
REFUSE_PARCEL = """
IF NOT EXISTS (
    SELECT 1 FROM consults_order o WHERE o.id = NEW.order_id AND o.patient_id = NEW.patient_id
      AND o.signed_at IS NOT NULL
      AND (o.revoked_at IS NULL AND o.superseded_at IS NULL OR o.pharmacy_status = 'dispensed' AND NEW.late_note <> '')) THEN
    RAISE EXCEPTION 'a parcel follows a signed order in force of the same patient' USING ERRCODE = 'check_violation';
END IF;
IF NOT EXISTS (SELECT 1 FROM consults_order o WHERE o.id = NEW.order_id AND o.pharmacy_status IN ('accepted', 'dispensed')) THEN
    RAISE EXCEPTION 'a parcel follows an order that the pharmacy has accepted' USING ERRCODE = 'check_violation';
END IF;
IF NEW.carrier = '' OR NEW.carrier_reference = '' OR NOT NEW.adult_signature THEN
    RAISE EXCEPTION 'a parcel of medicine is tracked and given to an adult who signs' USING ERRCODE = 'check_violation';
END IF;
IF NEW.count + coalesce((SELECT sum(coalesce(f.count_confirmed, f.count)) FROM consults_fulfilment f
        WHERE f.order_id = NEW.order_id AND f.lost_at IS NULL), 0)
    > (SELECT o.units_per_dose * o.doses_total FROM consults_order o WHERE o.id = NEW.order_id)
      + coalesce((SELECT sum(m.units) FROM consults_stockmove m WHERE m.order_id = NEW.order_id), 0) THEN
    RAISE EXCEPTION 'no more is sent than was ordered' USING ERRCODE = 'check_violation';
END IF;
RETURN NEW;
"""

# What may still change after an order is signed; everything else is as the prescriber signed it.
AFTER_SIGNING = [
    "revoked_at",
    "revoked_by",
    "revoke_reason",
    "superseded_at",
    "pharmacy_status",
    "external_id",
    "pharmacy_updated_at",
]


@pghistory.track()
class Order(models.Model):
    """A prescriber's order: what, how much, for which sessions. Immutable once signed; changed only by a superseding order."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="orders")
    prescriber = models.ForeignKey(User, models.PROTECT, related_name="orders_as_prescriber")
    protocol = models.ForeignKey(ProtocolVersion, models.PROTECT, related_name="+")
    note = models.ForeignKey(VisitNote, models.PROTECT, null=True, blank=True, related_name="orders")
    pdmp_check = models.ForeignKey(PdmpCheck, models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField()

    form = models.CharField(max_length=20, choices=MedicineForm.choices)
    # Solid forms: micrograms in one tablet or troche. Nasal: micrograms per mL, microlitres per spray.
    strength_ug = models.PositiveBigIntegerField(null=True, blank=True)
    concentration_ug_per_ml = models.PositiveBigIntegerField(null=True, blank=True)
    spray_volume_ul = models.PositiveBigIntegerField(null=True, blank=True)
    units_per_dose = models.PositiveSmallIntegerField(help_text="Tablets, troches or sprays in one dose")
    dose_ug = models.PositiveBigIntegerField(help_text="Micrograms in one dose: an exact whole number")
    weight_kg = models.DecimalField(
        max_digits=5, decimal_places=1, help_text="Weight the dose was checked against"
    )

    session_dates = ArrayField(models.DateField(), size=4)
    sessions_covered = ArrayField(
        models.SmallIntegerField(), size=4, help_text="Numbers of the sessions this order is for"
    )
    doses_total = models.PositiveSmallIntegerField()
    systolic_max_mmhg = models.PositiveSmallIntegerField(help_text="A dose needs a reading below this")
    diastolic_max_mmhg = models.PositiveSmallIntegerField(help_text="A dose needs a reading below this")
    holds = EncryptedJSONField(
        default=list, help_text="[{medicine, instruction}], as the prescriber set them"
    )
    directions = EncryptedTextField()

    state_of_care = models.CharField(max_length=2)
    authority_basis = models.CharField(max_length=24, choices=AuthorityBasis.choices)
    authority_reference = EncryptedTextField(
        blank=True, help_text="Date and place of the visit, or registration number"
    )
    authority_expires_on = models.DateField(null=True, blank=True)
    # The examination in person that the basis rests on, when it is that one.
    examined_on = models.DateField(null=True, blank=True)
    examined_by = EncryptedTextField(blank=True, help_text="Practice and clinician")
    examined_place = EncryptedTextField(blank=True)
    # Whose visit the order rests on; where that is not the prescriber, why the prescriber prescribes.
    evaluated_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    evaluated_at = models.DateTimeField(null=True, blank=True, help_text="When that visit began")
    evaluator_reason = EncryptedTextField(blank=True)

    warnings = models.JSONField(
        default=list, help_text="Codes of the soft checks that the prescriber went past"
    )
    warning_reason = EncryptedTextField(blank=True)
    # What the paper must carry (21 CFR 1306.05), as it was on the day of signing.
    signed_facts = EncryptedJSONField(null=True, blank=True)

    signed_at = models.DateTimeField(null=True, blank=True)
    expires_on = models.DateField(
        null=True, blank=True, help_text="The last day on which a dose may be taken under this order"
    )
    supersedes = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="superseded_by"
    )
    superseded_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    revoke_reason = EncryptedTextField(blank=True)

    # The second psychiatrist who agreed, where the dose asks for one (HZ-04).
    second_checked_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    second_checked_at = models.DateTimeField(null=True, blank=True)

    pharmacy_status = models.CharField(
        max_length=12, choices=PharmacyStatus.choices, default=PharmacyStatus.NOT_SENT
    )
    external_id = models.CharField(
        max_length=80, blank=True, help_text="Number in the pharmacy's or e-prescribing system"
    )
    pharmacy_updated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    form="nasal_spray",
                    strength_ug__isnull=True,
                    concentration_ug_per_ml__isnull=False,
                    spray_volume_ul__isnull=False,
                    concentration_ug_per_ml__gt=0,
                    spray_volume_ul__gt=0,
                )
                | Q(
                    form__in=["sublingual_tablet", "troche"],
                    strength_ug__isnull=False,
                    strength_ug__gt=0,
                    concentration_ug_per_ml__isnull=True,
                    spray_volume_ul__isnull=True,
                ),
                name="an_order_says_its_whole_strength",
            ),
            models.CheckConstraint(
                condition=(
                    Q(form="nasal_spray")
                    & Exact(
                        F("dose_ug") * Value(UL_PER_ML, output_field=models.BigIntegerField()),
                        F("concentration_ug_per_ml") * F("spray_volume_ul") * F("units_per_dose"),
                    )
                )
                | (
                    Q(form__in=["sublingual_tablet", "troche"])
                    & Exact(F("dose_ug"), F("strength_ug") * F("units_per_dose"))
                ),
                name="the_dose_is_strength_times_units",
            ),
            models.CheckConstraint(
                condition=Q(units_per_dose__gt=0, doses_total__gte=1, doses_total__lte=4, dose_ug__gt=0),
                name="an_order_is_for_one_to_four_doses",
            ),
            models.CheckConstraint(
                condition=Q(sessions_covered__len=F("doses_total"), session_dates__len=4),
                name="an_order_has_four_dates_and_one_dose_per_covered_session",
            ),
            models.CheckConstraint(
                condition=Q(signed_at__isnull=True)
                | Q(
                    note__isnull=False,
                    pdmp_check__isnull=False,
                    expires_on__isnull=False,
                    signed_facts__isnull=False,
                ),
                name="a_signed_order_rests_on_a_note_and_a_pdmp_check",
            ),
            models.CheckConstraint(
                condition=Q(revoked_at__isnull=True, revoked_by__isnull=True)
                | Q(revoked_at__isnull=False, revoked_by__isnull=False, signed_at__isnull=False),
                name="a_revoked_order_was_signed_and_says_by_whom",
            ),
            models.CheckConstraint(
                condition=Q(signed_at__isnull=True)
                | ~Q(warnings__contains=["second_person"])
                | Q(second_checked_by__isnull=False, second_checked_at__isnull=False)
                & ~Q(second_checked_by=F("prescriber")),
                name="a_large_step_has_a_second_person",
            ),
            models.CheckConstraint(
                condition=Q(signed_at__isnull=True)
                | Q(evaluated_by__isnull=True)
                | Q(evaluated_by=F("prescriber"))
                | ~Q(evaluator_reason=""),
                name="a_prescriber_who_did_not_see_the_patient_says_why",
            ),
            models.UniqueConstraint(
                fields=["patient"],
                condition=Q(signed_at__isnull=False, revoked_at__isnull=True, superseded_at__isnull=True),
                name="one_order_in_force_per_patient",
            ),
            models.CheckConstraint(
                condition=Q(state_of_care__in=STATES), name="order_state_of_care_is_a_usps_code"
            ),
        ]
        indexes = [models.Index(fields=["patient", "-signed_at"], name="orders_of_a_patient")]
        triggers = [
            pgtrigger.Trigger(
                name="synthetic_patients_hold_no_order",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.Update,
                func=REFUSE_SYNTHETIC,
            ),
            pgtrigger.Trigger(
                name="signed_orders_never_change",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange(exclude=AFTER_SIGNING),
                func=REFUSE_CHANGE_OF_SIGNED,
            ),
            pgtrigger.Trigger(
                name="an_ended_order_stays_ended",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange("revoked_at", "revoked_by", "revoke_reason", "superseded_at"),
                func=REFUSE_SECOND_ENDING,
            ),
            pgtrigger.Protect(
                name="signed_orders_are_never_deleted",
                operation=pgtrigger.Delete,
                condition=pgtrigger.Q(old__signed_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_form_display()}, {plain_number(self.dose_mg)} mg a dose"

    @property
    def dose_mg(self) -> Decimal:
        """One dose in milligrams, exactly."""
        return Decimal(self.dose_ug) / UG_PER_MG

    @property
    def strength_mg(self) -> Decimal | None:
        """Milligrams in one tablet or troche."""
        return None if self.strength_ug is None else Decimal(self.strength_ug) / UG_PER_MG

    @property
    def units_total(self) -> int:
        """Tablets, troches or sprays in the whole order."""
        return self.units_per_dose * self.doses_total

    def _units(self, count: int) -> str:
        unit = {"sublingual_tablet": "tablet", "troche": "troche", "nasal_spray": "spray"}[self.form]
        return f"{count} {unit}{'' if count == 1 else 's'}"

    @property
    def strength_words(self) -> str:
        """Such as "100 mg", or "100 mg/mL, 0.1 mL in one spray"."""
        if self.form == MedicineForm.NASAL:
            concentration = plain_number(Decimal(self.concentration_ug_per_ml or 0) / UG_PER_MG)
            return f"{concentration} mg/mL, {plain_number(Decimal(self.spray_volume_ul or 0) / UL_PER_ML)} mL in one spray"
        return f"{plain_number(self.strength_mg or Decimal(0))} mg"

    @property
    def dose_words(self) -> str:
        """Such as "2 tablets of 100 mg = 200 mg": count, strength and product, so that each can be checked."""
        if self.form == MedicineForm.NASAL:
            each = Decimal(self.dose_ug) / self.units_per_dose / UG_PER_MG
            return f"{self._units(self.units_per_dose)} of {plain_number(each)} mg = {plain_number(self.dose_mg)} mg"
        return (
            f"{self._units(self.units_per_dose)} of {self.strength_words} = {plain_number(self.dose_mg)} mg"
        )

    @property
    def quantity_words(self) -> str:
        """Such as "8 tablets for 4 doses"."""
        return f"{self._units(self.units_total)} for {self.doses_total} dose{'' if self.doses_total == 1 else 's'}"

    @property
    def is_in_force(self) -> bool:
        """Signed, and neither revoked nor superseded; says nothing about the day (consults.access.active_order does)."""
        return self.signed_at is not None and self.revoked_at is None and self.superseded_at is None


@pghistory.track()
class Fulfilment(models.Model):
    """A parcel of medicine for one order: what left, what arrived, what the patient counted."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    order = models.ForeignKey(Order, models.PROTECT, related_name="fulfilments")
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="fulfilments")
    lot = models.CharField(max_length=40)
    count = models.PositiveSmallIntegerField(help_text="Tablets, troches or sprays in the parcel")
    carrier = models.CharField(max_length=40, blank=True)
    carrier_reference = models.CharField(max_length=60, blank=True, help_text="Tracking number")
    adult_signature = models.BooleanField(
        default=False, help_text="The carrier gives it to an adult alone, who signs"
    )
    shipped_at = models.DateTimeField()
    shipped_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    delivered_at = models.DateTimeField(null=True, blank=True)
    lost_at = models.DateTimeField(null=True, blank=True, help_text="Given up: never arrived, or of no use")
    count_confirmed = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="What the patient counted"
    )
    confirmed_at = models.DateTimeField(null=True, blank=True)
    confirmed_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    recorded_at = models.DateTimeField(db_default=Now(), editable=False)
    due_at = models.DateTimeField(null=True, blank=True, help_text="When it should have arrived")
    sent_to = EncryptedTextField(blank=True, help_text="The address it was sent to")
    late_note = EncryptedTextField(
        blank=True, help_text="Written down after its order had ended: how it is known that it had left"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["order"],
                condition=Q(delivered_at__isnull=True, lost_at__isnull=True),
                name="one_open_shipment_per_order",
            ),
            models.CheckConstraint(
                condition=Q(
                    confirmed_at__isnull=True, count_confirmed__isnull=True, confirmed_by__isnull=True
                )
                | Q(
                    confirmed_at__isnull=False,
                    count_confirmed__isnull=False,
                    confirmed_by__isnull=False,
                    delivered_at__isnull=False,
                ),
                name="a_confirmed_parcel_says_count_person_and_time",
            ),
            models.CheckConstraint(
                condition=Q(delivered_at__isnull=True) | Q(delivered_at__gte=F("shipped_at")),
                name="a_parcel_arrives_after_it_left",
            ),
            models.CheckConstraint(condition=Q(count__gt=0), name="a_parcel_holds_something"),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="parcels_follow_a_signed_order",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                func=REFUSE_PARCEL,
            ),
            pgtrigger.Protect(name="parcels_are_never_deleted", operation=pgtrigger.Delete),
            pgtrigger.Protect(
                name="a_parcel_is_counted_once",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__confirmed_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"Lot {self.lot}, {self.count} units"

    @property
    def count_differs(self) -> bool:
        """The patient counted another number than was sent: an incident."""
        return self.count_confirmed is not None and self.count_confirmed != self.count


from consults.booking_models import (  # noqa: E402, F401
    CalendarSettings,
    FreedSlot,
    SlotOffer,
    StateRule,
    StatesRule,
    VisitEntry,
    WaitingListEntry,
)
from consults.introduction_models import Introduction  # noqa: E402, F401
from consults.order_models import HandOver, SecondOpinion  # noqa: E402, F401
from consults.parcel_models import (  # noqa: E402, F401
    AddressCheck,
    KitParcel,
    ParcelFound,
    ParcelLook,
    ParcelPhoto,
    ParcelProof,
    StockCount,
    StockMove,
)
