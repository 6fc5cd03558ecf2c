"""What moves or blocks a shift: a hand-over to somebody else, a holiday of the practice, a person's time away."""

import uuid

import pghistory
from django.conf import settings
from django.db import models
from django.db.models import F, Q

from common.encryption import EncryptedTextField


@pghistory.track()
class ShiftHandover(models.Model):
    """A shift, or the rest of it, offered to one named colleague; it moves when that person accepts."""

    class State(models.TextChoices):
        OFFERED = "offered"
        ACCEPTED = "accepted"
        DECLINED = "declined"
        WITHDRAWN = "withdrawn"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    shift = models.ForeignKey("safety.OnCallShift", models.PROTECT, related_name="handovers")
    giver = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    taker = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    note = EncryptedTextField(blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OFFERED)
    offered_at = models.DateTimeField()
    offered_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    # Alerts that the giver holds change hands when the taker's time begins, which may be later than the acceptance.
    alerts_moved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="a_handover_ends_after_it_starts"
            ),
            models.CheckConstraint(condition=~Q(giver=F("taker")), name="a_handover_is_to_somebody_else"),
            models.CheckConstraint(
                condition=Q(state="offered", decided_at__isnull=True, decided_by__isnull=True)
                | (~Q(state="offered") & Q(decided_at__isnull=False, decided_by__isnull=False)),
                name="a_decided_handover_has_person_and_time",
            ),
            models.UniqueConstraint(
                fields=["shift"], condition=Q(state="offered"), name="one_open_handover_per_shift"
            ),
        ]
        indexes = [
            models.Index(
                fields=["starts_at"],
                condition=Q(state="accepted", alerts_moved_at__isnull=True),
                name="handovers_to_carry_out",
            )
        ]

    def __str__(self) -> str:
        return f"{self.giver} to {self.taker}"


@pghistory.track()
class PracticeHoliday(models.Model):
    """A day on which the practice rests. A shift on it must be confirmed as meant, and is marked on the roster."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    day = models.DateField()
    name = models.CharField(max_length=60)
    added_at = models.DateTimeField()
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["day"], condition=Q(removed_at__isnull=True), name="one_holiday_per_day"
            )
        ]
        indexes = [models.Index(fields=["day"], condition=Q(removed_at__isnull=True), name="holidays_by_day")]

    def __str__(self) -> str:
        return f"{self.name}, {self.day}"


@pghistory.track()
class TimeAway(models.Model):
    """When a member of staff is not to be put on call. A shift in it is refused."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="times_away")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    added_at = models.DateTimeField()
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="time_away_ends_after_it_starts"
            )
        ]
        indexes = [
            models.Index(
                fields=["person", "starts_at"],
                condition=Q(removed_at__isnull=True),
                name="times_away_by_start",
            )
        ]

    def __str__(self) -> str:
        return f"{self.person} away"
