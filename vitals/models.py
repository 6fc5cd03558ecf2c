"""Readings of blood pressure and pulse: what was measured, when it says it was, and when the server had it."""

import uuid

import pgtrigger
from django.db import models
from django.db.models import Q

from accounts.models import Patient
from common.models import ProtocolVersion


class Reading(models.Model):
    """One cuff reading. Never edited and never deleted; one that cannot be right is kept as rejected.

    `taken_at` is what the person or device claims, `received_at` what the server saw: only the second is trusted (HZ-02).
    """

    class Phase(models.TextChoices):
        INTAKE = "intake"
        PRACTICE = "practice"
        PRE = "pre", "Before the dose"
        T40 = "t40", "At the peak"
        T65 = "t65", "After the music"
        T120 = "t120", "At two hours"
        EXTRA = "extra", "Extra"

    class Source(models.TextChoices):
        PATIENT = "patient"
        SITTER = "sitter"
        DEVICE = "device"
        CLINICIAN = "clinician"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="readings")
    # The session is an upper app's row, so this is its id; the release trigger compares it (HZ-02).
    session_id = models.UUIDField(null=True, blank=True)
    phase = models.CharField(max_length=10, choices=Phase.choices, default=Phase.EXTRA)
    systolic_mmhg = models.SmallIntegerField()
    diastolic_mmhg = models.SmallIntegerField()
    pulse_bpm = models.SmallIntegerField()
    spo2_pct = models.SmallIntegerField(null=True, blank=True)
    taken_at = models.DateTimeField(help_text="As claimed by the person or the device")
    received_at = models.DateTimeField(help_text="By the server's clock")
    source = models.CharField(max_length=10, choices=Source.choices)
    entered_by = models.CharField(max_length=80, help_text="user:<uuid>, sitter:<uuid> or device:<uuid>")
    device_id = models.CharField(max_length=80, blank=True)
    band = models.CharField(max_length=16)
    rejected = models.BooleanField(default=False)
    rejected_reason = models.CharField(max_length=40, blank=True)
    protocol = models.ForeignKey(ProtocolVersion, models.PROTECT, related_name="+")
    # Set once, by the database, when a dose is released on this reading: one reading is usable once (HZ-02).
    used_by_release_id = models.UUIDField(null=True, blank=True, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(rejected=True)
                | Q(
                    systolic_mmhg__range=(40, 300),
                    diastolic_mmhg__range=(20, 200),
                    systolic_mmhg__gt=models.F("diastolic_mmhg"),
                ),
                name="an_accepted_pressure_is_one_a_person_can_have",
            ),
            models.CheckConstraint(
                condition=Q(
                    systolic_mmhg__range=(0, 999), diastolic_mmhg__range=(0, 999), pulse_bpm__range=(0, 999)
                ),
                name="even_a_rejected_reading_has_three_digits_at_most",
            ),
            models.CheckConstraint(
                condition=Q(rejected=True) | Q(pulse_bpm__range=(20, 250)),
                name="an_accepted_pulse_is_one_a_person_can_have",
            ),
            models.CheckConstraint(
                condition=Q(spo2_pct__isnull=True) | Q(spo2_pct__range=(0, 100)),
                name="oxygen_saturation_is_a_percentage",
            ),
            models.CheckConstraint(
                condition=Q(rejected=False, rejected_reason="") | Q(rejected=True) & ~Q(rejected_reason=""),
                name="a_rejected_reading_says_why",
            ),
            models.CheckConstraint(
                condition=Q(rejected=False) | Q(used_by_release_id__isnull=True),
                name="a_rejected_reading_releases_nothing",
            ),
        ]
        indexes = [
            models.Index(fields=["patient", "-received_at", "-id"], name="readings_of_a_patient"),
            models.Index(
                fields=["session_id", "received_at"],
                condition=Q(session_id__isnull=False),
                name="readings_of_a_session",
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="readings_are_never_deleted", operation=pgtrigger.Delete),
            pgtrigger.Trigger(
                name="readings_stay_as_written",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                # The one thing that may change, and once: which release used it.
                func="""
                    IF OLD.used_by_release_id IS NOT NULL
                       OR (to_jsonb(OLD) - 'used_by_release_id') IS DISTINCT FROM (to_jsonb(NEW) - 'used_by_release_id') THEN
                        RAISE EXCEPTION 'a reading stays as it was written';
                    END IF;
                    RETURN NEW;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.systolic_mmhg}/{self.diastolic_mmhg} mmHg, pulse {self.pulse_bpm}"
