"""What booking remembers beside hours and appointments: a clinician's own settings, the waiting list, who came in from where, state rules."""

import uuid

import pghistory
import pgtrigger
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField
from django.db import models
from django.db.models import F, Q

from accounts.models import STATES, Patient, User
from common.encryption import EncryptedTextField


@pghistory.track(exclude=["feed_digest"])
class CalendarSettings(models.Model):
    """A clinician's own wishes for their calendar: free minutes between visits, and the feed for the calendar they use."""

    class Shows(models.TextChoices):
        NOTHING = "nothing", "“Visit” and nothing more"
        INITIALS = "initials", "The initials of the patient"

    clinician = models.OneToOneField(User, models.CASCADE, primary_key=True, related_name="calendar_settings")
    gap_minutes = models.PositiveSmallIntegerField(
        default=0, help_text="At least so many free minutes between two visits."
    )
    # Between the shortest and the usual length of the protocol; empty: the usual one.
    consult_minutes = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="How long a consult takes; empty is the protocol's length."
    )
    # Of the secret in the feed's address; the secret itself is shown once and kept nowhere.
    feed_digest = models.CharField(max_length=64, null=True, blank=True, unique=True)
    feed_made_at = models.DateTimeField(null=True, blank=True)
    feed_shows = models.CharField(max_length=8, choices=Shows.choices, default=Shows.NOTHING)

    class Meta:
        verbose_name_plural = "calendar settings"
        constraints = [
            models.CheckConstraint(condition=Q(gap_minutes__lte=120), name="a_gap_is_at_most_two_hours"),
            models.CheckConstraint(
                condition=Q(consult_minutes__isnull=True)
                | Q(consult_minutes__gte=30, consult_minutes__lte=60),
                name="a_consult_takes_half_an_hour_to_an_hour",
            ),
        ]

    def __str__(self) -> str:
        return f"Calendar of {self.clinician}"


@pghistory.track()
class VisitEntry(models.Model):
    """What the patient said when she came to a visit: who she is, and where somebody could be sent in an emergency."""

    appointment = models.OneToOneField(
        "consults.Appointment", models.PROTECT, primary_key=True, related_name="entry"
    )
    # Dates of birth that did not match; past the limit only a call helps.
    tries = models.PositiveSmallIntegerField(default=0)
    matched_at = models.DateTimeField(null=True, blank=True)
    # Came and was not let in: whoever was sent away at the door has not missed the visit. Emptied when they are let in.
    turned_away_at = models.DateTimeField(null=True, blank=True)
    turned_away_why = models.CharField(max_length=40, blank=True, help_text="The code of what stood against.")
    # With nothing on file to compare: what she said, and the clinician who found out who she is.
    birth_date_said = EncryptedTextField(blank=True)
    identified_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    identified_at = models.DateTimeField(null=True, blank=True)
    identified_how = EncryptedTextField(blank=True)
    state = models.CharField(max_length=2, blank=True)
    at_address_on_file = models.BooleanField(null=True, blank=True)
    address_now = EncryptedTextField(
        blank=True, help_text="Where she is, when that is not the address on file."
    )
    confirmed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "visit entries"
        constraints = [
            models.CheckConstraint(
                condition=Q(confirmed_at__isnull=True)
                | (Q(matched_at__isnull=False) | Q(identified_by__isnull=False) & ~Q(identified_how=""))
                & Q(at_address_on_file__isnull=False, state__in=STATES),
                name="whoever_came_in_said_who_and_where",
            ),
            models.CheckConstraint(
                condition=~Q(at_address_on_file=False) | ~Q(address_now=""),
                name="somebody_elsewhere_said_where",
            ),
            models.CheckConstraint(
                condition=Q(turned_away_at__isnull=True, turned_away_why="")
                | Q(turned_away_at__isnull=False) & ~Q(turned_away_why=""),
                name="whoever_was_turned_away_was_told_why",
            ),
        ]

    def __str__(self) -> str:
        return f"Entry to {self.appointment_id}"


@pghistory.track()
class WaitingListEntry(models.Model):
    """A patient who would like an earlier time; first come, first offered."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        DONE = "done", "Took a time"
        LEFT = "left", "No longer waiting"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="waiting_list")
    visit_type = models.CharField(max_length=12)
    # The visit that would be brought forward; none: any free time is welcome.
    appointment = models.ForeignKey(
        "consults.Appointment", models.PROTECT, null=True, blank=True, related_name="waiting_list"
    )
    weekdays = ArrayField(models.SmallIntegerField(), size=7, help_text="0 is Monday, where the patient is.")
    from_time = models.TimeField(help_text="Earliest start that suits, where the patient is.")
    until_time = models.TimeField(help_text="Latest start that suits, where the patient is.")
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "waiting list"
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "visit_type"],
                condition=Q(state="waiting"),
                name="a_patient_waits_once_for_a_kind_of_visit",
            ),
            models.CheckConstraint(
                condition=Q(until_time__gte=F("from_time")), name="waiting_hours_end_after_they_begin"
            ),
            models.CheckConstraint(
                condition=Q(state="waiting", ended_at__isnull=True)
                | ~Q(state="waiting") & Q(ended_at__isnull=False),
                name="a_wait_that_ended_says_when",
            ),
        ]
        indexes = [
            models.Index(
                fields=["visit_type", "created_at", "id"],
                condition=Q(state="waiting"),
                name="who_waits_by_kind",
            )
        ]

    def __str__(self) -> str:
        return f"{self.visit_type}, since {self.created_at:%Y-%m-%d}"


class FreedSlot(models.Model):
    """A time that somebody gave back and that has not yet found whoever waits for one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    clinician = models.ForeignKey(User, models.PROTECT, related_name="+")
    visit_type = models.CharField(max_length=12)
    during = DateTimeRangeField()
    freed_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["clinician", "visit_type", "during"],
                condition=Q(settled_at__isnull=True),
                name="a_freed_time_goes_round_once_at_a_time",
            )
        ]
        indexes = [
            models.Index(fields=["freed_at"], condition=Q(settled_at__isnull=True), name="freed_times_open")
        ]

    def __str__(self) -> str:
        return f"Freed {self.during.lower:%Y-%m-%d %H:%M} UTC"


@pghistory.track()
class SlotOffer(models.Model):
    """A freed time, kept for one person on the waiting list until she takes it, passes, or the time is over."""

    class State(models.TextChoices):
        OFFERED = "offered", "Kept for you"
        TAKEN = "taken", "Taken"
        PASSED = "passed", "Passed on"
        OVER = "over", "Not answered in time"
        GONE = "gone", "No longer free"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    entry = models.ForeignKey(WaitingListEntry, models.PROTECT, related_name="offers")
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="slot_offers")
    freed = models.ForeignKey(FreedSlot, models.PROTECT, related_name="offers")
    # The hold that keeps the time: one person's at a time, by the same constraints as every visit.
    hold = models.OneToOneField("consults.Appointment", models.PROTECT, related_name="offer")
    clinician = models.ForeignKey(User, models.PROTECT, related_name="+")
    starts_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.OFFERED)
    offered_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "clinician", "starts_at"], name="nobody_is_offered_one_time_twice"
            ),
            models.UniqueConstraint(
                fields=["patient"], condition=Q(state="offered"), name="a_patient_has_one_offer_at_a_time"
            ),
            models.UniqueConstraint(
                fields=["freed"],
                condition=Q(state="offered"),
                name="a_freed_time_is_offered_to_one_at_a_time",
            ),
        ]
        indexes = [models.Index(fields=["expires_at"], condition=Q(state="offered"), name="offers_by_expiry")]

    def __str__(self) -> str:
        return f"Offer of {self.starts_at:%Y-%m-%d %H:%M} UTC"


class StatesRule(models.TextChoices):
    FEDERAL = "federal", "Federal rules suffice"
    IN_PERSON = "in_person_first", "Needs an examination in person before a controlled substance"
    CLOSED = "closed", "No controlled substance by telehealth"
    UNKNOWN = "unknown", "Not known: blocked"


@pghistory.track()
class StateRule(models.Model):
    """What one state allows, where the practice has decided otherwise than the protocol version. Two people, and never changed after."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    state = models.CharField(max_length=2, choices=[(code, code) for code in STATES])
    rule = models.CharField(max_length=16, choices=StatesRule.choices, default=StatesRule.UNKNOWN)
    reason = models.CharField(max_length=300, help_text="What it rests on: statute, letter of counsel, date.")
    proposed_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField()
    approved_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    approved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=STATES), name="state_rule_is_of_a_usps_code"),
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True) | ~Q(approved_by=F("proposed_by")),
                name="a_second_person_approves_a_state_rule",
            ),
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True, approved_at__isnull=True)
                | Q(approved_by__isnull=False, approved_at__isnull=False),
                name="state_rule_approval_has_person_and_time",
            ),
        ]
        indexes = [models.Index(fields=["state", "-approved_at"], name="state_rules_in_force")]
        triggers = [
            pgtrigger.Protect(
                name="approved_state_rules_stay",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__approved_at__isnull=False),
            ),
            pgtrigger.Protect(name="state_rules_are_never_deleted", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.state}: {self.get_rule_display()}"
