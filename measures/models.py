"""What a person answered, item by item, and what it added up to. A later answer adds; nothing here is ever changed (HZ-27)."""

import uuid

from django.db import models
from django.db.models import Q

from accounts.models import Patient
from common.encryption import EncryptedJSONField
from common.models import append_only

# When a questionnaire is asked: along the course, and afterwards.
TIMEPOINTS = (
    "baseline",
    "checkin",
    "after_session_1",
    "after_session_2",
    "after_session_3",
    "after_session_4",
    "follow_up_6w",
    "follow_up_12w",
    "follow_up_6m",
    "follow_up_12m",
    "other",
)


class Instrument(models.TextChoices):
    PHQ9 = "phq9", "PHQ-9"
    GAD7 = "gad7", "GAD-7"
    AUDIT_C = "audit_c", "AUDIT-C"
    SUICIDE_RISK = "suicide_risk", "Safety questions"


class InstrumentResponse(models.Model):
    """One completed questionnaire. Items are encrypted; total, band and risk are kept beside them for lists and trends."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="responses")
    instrument = models.CharField(max_length=16, choices=Instrument.choices)
    instrument_version = models.CharField(max_length=40)
    timepoint = models.CharField(
        max_length=40, help_text="baseline, after_session_2, after_session_4, checkin, follow_up_6w …"
    )
    items = EncryptedJSONField(help_text="Answer of each item by its code.")
    total = models.SmallIntegerField(null=True, blank=True)
    band = models.CharField(max_length=24, blank=True)
    item9 = models.SmallIntegerField(null=True, blank=True, help_text="PHQ-9 item 9, where this is a PHQ-9.")
    risk_level = models.CharField(
        max_length=12, blank=True, help_text="none, low, moderate or high, where risk was asked about."
    )
    completed_at = models.DateTimeField()
    recorded_by = models.CharField(max_length=80, help_text="user:<uuid>, sitter:<uuid> or system:<name>")
    session_id = models.UUIDField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(instrument__in=[choice.value for choice in Instrument]),
                name="instrument_is_one_we_know",
            ),
            models.CheckConstraint(
                condition=Q(item9__isnull=True) | Q(instrument="phq9", item9__gte=0, item9__lte=3),
                name="item_nine_belongs_to_the_phq9_and_is_0_to_3",
            ),
        ]
        indexes = [
            models.Index(fields=["patient", "-completed_at", "-id"], name="responses_of_a_patient"),
            models.Index(fields=["patient", "instrument", "-completed_at"], name="responses_by_instrument"),
        ]
        triggers = [append_only("answers_stay_as_given")]

    def __str__(self) -> str:
        return f"{self.get_instrument_display()} {self.timepoint}"
