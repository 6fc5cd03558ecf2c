"""What a person answered, what a clinician found, and her safety plan. What comes later adds; nothing here is ever changed (HZ-27)."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models import Patient
from common.encryption import EncryptedJSONField, EncryptedTextField
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
    PCL5 = "pcl5", "PCL-5"
    SUICIDE_RISK = "suicide_risk", "Safety questions"
    BLADDER = "bladder", "Bladder questions"
    USE = "use", "Questions about use"


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

    @property
    def result_words(self) -> str:
        """What came out, for the care team: "PHQ-9 12, moderate"; "Safety questions, low risk"."""
        head = str(self.get_instrument_display()) + ("" if self.total is None else f" {self.total}")
        tail = [self.band.replace("_", " "), f"{self.risk_level} risk" if self.risk_level else ""]
        return ", ".join([head, *(one for one in tail if one)])


class CssrsResult(models.Model):
    """The result of a C-SSRS interview that a psychiatrist held and signed. Its licensed questions are not in the product.

    A wrong entry is corrected by a further one that names it; both stay to be read.
    """

    class Form(models.TextChoices):
        SCREENER = "screener", "Screener"
        FULL = "full", "Full version"

    class Behaviour(models.TextChoices):
        NONE = "none", "None, ever"
        LIFETIME = "lifetime", "Yes, more than three months ago"
        LAST_3_MONTHS = "last_3_months", "Yes, within the last three months"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="cssrs_results", db_index=False)
    assessed_on = models.DateField(help_text="The day of the interview, where the patient was.")
    form = models.CharField(max_length=12, choices=Form.choices)
    ideation_level = models.SmallIntegerField(help_text="0 to 5, the worst of the time asked about.")
    behaviour = models.CharField(max_length=16, choices=Behaviour.choices)
    intensity_total = models.SmallIntegerField(null=True, blank=True)
    note = EncryptedTextField(blank=True)
    risk_level = models.CharField(max_length=12, help_text="none, low, moderate or high, by result_version.")
    result_version = models.CharField(max_length=40)
    corrects = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="corrected_by"
    )
    signed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    signed_at = models.DateTimeField()

    class Meta:
        verbose_name = "C-SSRS result"
        constraints = [
            models.CheckConstraint(
                condition=Q(ideation_level__gte=0, ideation_level__lte=5),
                name="ideation_level_is_0_to_5",
            ),
            models.CheckConstraint(
                condition=Q(behaviour__in=["none", "lifetime", "last_3_months"]),
                name="behaviour_is_one_we_know",
            ),
            models.CheckConstraint(
                condition=Q(intensity_total__isnull=True)
                | Q(intensity_total__gte=0, intensity_total__lte=25),
                name="intensity_total_is_0_to_25",
            ),
            models.CheckConstraint(
                condition=~Q(risk_level__in=["none", "low", "moderate"])
                | (Q(ideation_level__lte=3) & ~Q(behaviour="last_3_months")),
                name="intent_or_recent_behaviour_is_never_less_than_high",
            ),
        ]
        indexes = [models.Index(fields=["patient", "-signed_at"], name="cssrs_of_a_patient")]
        triggers = [append_only("cssrs_results_stay_as_signed")]

    def __str__(self) -> str:
        return f"C-SSRS {self.get_form_display()}, level {self.ideation_level}"


class SafetyPlan(models.Model):
    """One version of a person's safety plan, in her own words. Each save is a new version; the newest is the plan."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="safety_plans", db_index=False)
    number = models.PositiveIntegerField(help_text="1, 2, 3 … for each person.")
    form_version = models.CharField(max_length=40)
    parts = EncryptedJSONField(help_text="The text of each part by its code; empty parts are left out.")
    saved_at = models.DateTimeField()
    saved_by = models.CharField(max_length=80)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["patient", "number"], name="one_plan_of_each_number"),
            models.CheckConstraint(condition=Q(number__gte=1), name="plans_count_from_one"),
        ]
        triggers = [append_only("safety_plans_stay_as_saved")]

    def __str__(self) -> str:
        return f"safety plan {self.number}"
