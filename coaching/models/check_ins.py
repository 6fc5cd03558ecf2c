"""What is remembered of each call and each daily answer."""

import uuid

import pghistory
import pgtrigger
from django.db import models
from django.db.models import Q

from accounts.models import Patient, User
from common.encryption import EncryptedJSONField, EncryptedTextField


@pghistory.track(exclude=["note", "side_effects"])
class CheckIn(models.Model):
    """One planned or given check-in. Once given it stays as it was given: a later answer adds, it never clears (HZ-27)."""

    class Kind(models.TextChoices):
        PREP = "prep", "Preparation call"
        PRE_SESSION = "pre_session", "Before the session"
        POST_SESSION = "post_session", "After the session"
        INTEGRATION = "integration", "Integration call"
        DAILY = "daily", "Daily check-in"
        EXTRA = "extra", "Extra check-in"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="check_ins")
    session = models.ForeignKey(
        "dosing.DosingSession", models.PROTECT, null=True, blank=True, related_name="check_ins"
    )
    kind = models.CharField(max_length=12, choices=Kind.choices)
    day = models.DateField(
        null=True, blank=True, help_text="The patient's own calendar day, for daily check-ins."
    )
    due_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, blank=True)
    done_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    cancelled_at = models.DateTimeField(null=True, blank=True)
    reached = models.BooleanField(
        default=True, help_text="False: the coach called and could not reach the person."
    )
    mood = models.SmallIntegerField(null=True, blank=True, help_text="0 (worst) to 10 (best)")
    suicidal_thoughts = models.BooleanField(null=True, blank=True)
    side_effects = EncryptedJSONField(null=True, blank=True)
    note = EncryptedTextField(blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "day"],
                condition=Q(kind="daily"),
                name="one_daily_check_in_per_patient_and_day",
            ),
            models.UniqueConstraint(
                fields=["session", "kind"],
                condition=Q(kind__in=["prep", "pre_session", "post_session", "integration"]),
                name="one_check_in_of_a_kind_per_session",
            ),
            models.CheckConstraint(
                condition=Q(done_at__isnull=True, done_by__isnull=True)
                | Q(done_at__isnull=False, done_by__isnull=False),
                name="a_check_in_is_done_by_somebody_at_a_time",
            ),
            models.CheckConstraint(
                condition=Q(mood__isnull=True) | Q(mood__gte=0, mood__lte=10), name="mood_is_between_0_and_10"
            ),
            models.CheckConstraint(
                condition=Q(done_at__isnull=True)
                | Q(reached=False)
                | Q(mood__isnull=False, suicidal_thoughts__isnull=False),
                name="a_done_check_in_has_its_answers",
            ),
            models.CheckConstraint(
                condition=~Q(kind="daily") | Q(day__isnull=False), name="a_daily_check_in_belongs_to_a_day"
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=Q(done_at__isnull=True, cancelled_at__isnull=True),
                name="check_ins_open_by_due_time",
            ),
            models.Index(fields=["patient", "-due_at"], name="check_ins_of_a_patient"),
        ]
        triggers = [
            pgtrigger.Protect(
                name="given_answers_stay",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__done_at__isnull=False),
            ),
            pgtrigger.Protect(name="check_ins_are_never_deleted", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} due {self.due_at:%Y-%m-%d %H:%M} UTC"

    @property
    def is_by_coach(self) -> bool:
        return self.kind not in (self.Kind.DAILY, self.Kind.EXTRA)


# By a name of its own, so that the description of the API can name the choice.
CHECK_IN_KINDS = CheckIn.Kind.choices
