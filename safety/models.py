"""Alerts, holds, adverse events and who is on call."""

import uuid
from datetime import UTC, datetime, timedelta

import pghistory
from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q

from accounts.models import Patient
from common.encryption import EncryptedTextField
from common.models import append_only
from safety.states import DISPOSITIONS

LIVE_STATES = ("open", "acknowledged")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


# P02 the daily drill, P05 urgent words from a number that nobody knows: nobody's patient, and all the same for the person on call.
CALLS_WHOEVER_IS_ON_CALL = ("P02", "P05")


class Alert(models.Model):
    """Somebody must look now. Opened in the transaction of its cause; closed only by a person."""

    class State(models.TextChoices):
        OPEN = "open"
        ACKNOWLEDGED = "acknowledged"
        CLOSED = "closed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(
        Patient,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="alerts",
        help_text="Empty for the practice's own (P01)",
    )
    trigger = models.CharField(max_length=8)
    severity = models.SmallIntegerField()
    episode_key = models.CharField(max_length=80)
    detail_codes = models.JSONField(default=list, blank=True)
    # The worst measured sign so far in this episode, for instance the systolic pressure; worse means a fresh page.
    magnitude = models.FloatField(default=0)
    # Each number of a sign by its name, the worst so far; larger is worse, so a pressure that falls counts downwards.
    measures = models.JSONField(default=dict, blank=True)
    signs = models.SmallIntegerField(default=1, help_text="How many signs this episode has gathered")
    source_type = models.CharField(max_length=60, blank=True)
    source_id = models.CharField(max_length=40, blank=True)
    in_session = models.BooleanField(default=False)
    is_synthetic = models.BooleanField(default=False)
    state = models.CharField(max_length=14, choices=State.choices, default=State.OPEN)
    level = models.SmallIntegerField(default=1, help_text="1 first on call, 2 second on call, 3 everyone")
    pages = models.SmallIntegerField(default=0, help_text="Rounds of pages sent")
    opened_at = models.DateTimeField()
    # Since when nobody has taken it: the opening, or the moment it opened again. Its rungs are counted from here.
    escalating_since_at = models.DateTimeField()
    # When it last got worse while nobody had taken it: that calls afresh, and puts off no rung.
    got_worse_at = models.DateTimeField(null=True, blank=True)
    acknowledge_by_at = models.DateTimeField()
    next_page_at = models.DateTimeField(null=True, blank=True)
    next_escalation_at = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    # Where the protocol wants a talk within so many minutes (X02): by when, and who had it.
    contact_by_at = models.DateTimeField(null=True, blank=True)
    reached_at = models.DateTimeField(null=True, blank=True)
    reached_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    disposition = models.CharField(
        max_length=30, blank=True, choices=[(d, d.replace("_", " ")) for d in DISPOSITIONS]
    )
    note = EncryptedTextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "episode_key"],
                condition=Q(state__in=LIVE_STATES),
                name="one_live_alert_per_patient_and_episode",
            ),
            models.UniqueConstraint(
                fields=["episode_key"],
                condition=Q(state__in=LIVE_STATES, patient__isnull=True),
                name="one_live_alert_of_the_practice_per_episode",
            ),
            models.CheckConstraint(
                condition=Q(severity__gte=1, severity__lte=4), name="alert_severity_is_1_to_4"
            ),
            models.CheckConstraint(
                condition=Q(patient__isnull=False) | Q(trigger__startswith="P"),
                name="only_the_practices_own_alerts_lack_a_patient",
            ),
            models.CheckConstraint(
                condition=~Q(state="acknowledged")
                | Q(acknowledged_by__isnull=False, acknowledged_at__isnull=False),
                name="an_acknowledged_alert_names_the_person",
            ),
            models.CheckConstraint(
                condition=Q(reached_at__isnull=True, reached_by__isnull=True)
                | Q(reached_at__isnull=False, reached_by__isnull=False),
                name="a_contact_names_the_person_who_had_it",
            ),
            models.CheckConstraint(
                condition=~Q(state="closed")
                | (Q(closed_by__isnull=False, closed_at__isnull=False) & ~Q(disposition="") & ~Q(note="")),
                name="a_closed_alert_has_person_disposition_and_note",
            ),
        ]
        indexes = [
            models.Index(fields=["next_page_at"], condition=Q(state__in=LIVE_STATES), name="alerts_to_page"),
            models.Index(fields=["next_escalation_at"], condition=Q(state="open"), name="alerts_to_escalate"),
            models.Index(fields=["-opened_at", "-id"], name="alerts_newest_first"),
        ]

    def __str__(self) -> str:
        return f"{self.trigger} {self.state}"

    @property
    def is_live(self) -> bool:
        return self.state in LIVE_STATES

    @property
    def is_the_practices(self) -> bool:
        """About the practice itself (a hole in the roster, a silent lane), so the administrators' to see to. A drill and a
        stranger's urgent words are for the person on call."""
        return self.patient_id is None and self.trigger not in CALLS_WHOEVER_IS_ON_CALL

    @property
    def round_key(self) -> int:
        """Names the present round of escalation: another one when it got worse or opened again. A call carries it, so that the
        key pressed on an earlier call takes nothing that got worse since."""
        began_at = max(self.escalating_since_at, self.got_worse_at or self.escalating_since_at)
        return (began_at - EPOCH) // timedelta(microseconds=1)

    @property
    def waits_for_contact(self) -> bool:
        """Nobody has talked with the person yet, though the protocol wants it by a time."""
        return self.is_live and self.contact_by_at is not None and self.reached_at is None

    @property
    def reference(self) -> str:
        """The short name a page carries, the same in every notice about this alert."""
        return self.id.hex[:6].upper()


@pghistory.track()
class SafetyHold(models.Model):
    """While one of these is uncleared, no dose is released. Only a psychiatrist clears it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="safety_holds")
    reason_code = models.CharField(max_length=40)
    alert = models.ForeignKey(Alert, models.PROTECT, null=True, blank=True, related_name="holds")
    placed_at = models.DateTimeField()
    placed_by = models.CharField(max_length=80)
    cleared_at = models.DateTimeField(null=True, blank=True)
    cleared_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    note = EncryptedTextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "reason_code"],
                condition=Q(cleared_at__isnull=True),
                name="one_uncleared_hold_per_reason",
            ),
            models.CheckConstraint(
                condition=Q(cleared_at__isnull=True, cleared_by__isnull=True)
                | (Q(cleared_at__isnull=False, cleared_by__isnull=False) & ~Q(note="")),
                name="a_cleared_hold_has_person_time_and_note",
            ),
        ]

    def __str__(self) -> str:
        return f"hold: {self.reason_code}"


@pghistory.track()
class AdverseEvent(models.Model):
    """Something untoward, whether or not the medicine caused it, recorded so that rates can be shown honestly."""

    SERIOUSNESS = ("death", "life_threatening", "hospital", "disability", "other_important")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="adverse_events")
    session_id = models.UUIDField(null=True, blank=True)
    alert = models.ForeignKey(Alert, models.PROTECT, null=True, blank=True, related_name="adverse_events")
    # effect: of the treatment; incident: with the medicine itself (X15); misuse: a sign of it (X22). Rates count effects.
    category = models.CharField(
        max_length=10,
        default="effect",
        db_default="effect",
        choices=[("effect", "Side effect"), ("incident", "Incident"), ("misuse", "Sign of misuse")],
    )
    kind = models.CharField(max_length=60)
    units_missing = models.PositiveSmallIntegerField(null=True, blank=True)
    onset_at = models.DateTimeField()
    severity = models.SmallIntegerField()
    seriousness = models.JSONField(default=list, blank=True)
    causality = models.CharField(
        max_length=12,
        default="unassessed",
        choices=[(c, c) for c in ("unassessed", "unrelated", "possible", "probable", "definite")],
    )
    action_on_drug = models.CharField(
        max_length=12, default="none", choices=[(c, c) for c in ("none", "delayed", "reduced", "stopped")]
    )
    outcome = models.CharField(
        max_length=12,
        default="ongoing",
        choices=[(c, c) for c in ("ongoing", "recovered", "sequelae", "died", "unknown")],
    )
    resolved_at = models.DateTimeField(null=True, blank=True)
    description = EncryptedTextField(blank=True)
    reported_at = models.DateTimeField()
    reported_by = models.CharField(max_length=80)
    pharmacy_told_at = models.DateTimeField(null=True, blank=True)
    medwatch_told_at = models.DateTimeField(null=True, blank=True)
    assessed_at = models.DateTimeField(null=True, blank=True)
    assessed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(resolved_at__isnull=True) | Q(resolved_at__gte=F("onset_at")),
                name="an_adverse_event_ends_after_it_began",
            ),
            models.CheckConstraint(
                condition=Q(assessed_at__isnull=True, assessed_by__isnull=True)
                | Q(assessed_at__isnull=False, assessed_by__isnull=False),
                name="an_assessed_adverse_event_names_the_person",
            ),
            models.CheckConstraint(
                condition=Q(severity__gte=1, severity__lte=5), name="adverse_event_severity_is_1_to_5"
            ),
        ]
        indexes = [
            models.Index(fields=["patient", "-onset_at"], name="adverse_events_of_patient"),
            models.Index(fields=["-reported_at", "-id"], name="adverse_events_newest_first"),
        ]

    def __str__(self) -> str:
        return self.kind


class TsTzRange(Func):
    function = "TSTZRANGE"
    output_field = DateTimeRangeField()


@pghistory.track()
class OnCallShift(models.Model):
    """Who answers a page at this level, from when to when. Two people cannot hold one level at one time."""

    LEVELS = [(1, "first on call"), (2, "second on call")]

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="on_call_shifts")
    level = models.SmallIntegerField(choices=LEVELS)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    removed_at = models.DateTimeField(null=True, blank=True)
    zone = models.CharField(
        max_length=60, default="", blank=True, db_default="", help_text="The zone in which it was typed"
    )
    holiday_confirmed = models.BooleanField(
        default=False, db_default=False, help_text="It touches a holiday, and that is meant"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="a_shift_ends_after_it_starts"
            ),
            models.CheckConstraint(condition=Q(level__in=[1, 2]), name="a_shift_is_level_1_or_2"),
            ExclusionConstraint(
                name="one_person_per_on_call_level_at_a_time",
                expressions=[
                    ("level", RangeOperators.EQUAL),
                    (TsTzRange("starts_at", "ends_at"), RangeOperators.OVERLAPS),
                ],
                condition=Q(removed_at__isnull=True),
            ),
        ]
        indexes = [
            models.Index(
                fields=["level", "starts_at"], condition=Q(removed_at__isnull=True), name="shifts_by_start"
            )
        ]

    def __str__(self) -> str:
        return f"level {self.level}: {self.person}"


@pghistory.track()
class Task(models.Model):
    """One piece of work that one named person owes by a time. It leaves their list only by being done or handed over.

    Kinds are data (`safety/data/tasks.json`). A task never belongs to somebody who is not here: PostgreSQL refuses an
    inactive owner and refuses to close an account that still owns live tasks (migration `a_task_has_an_owner_who_is_here`).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=60)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="tasks", db_index=False)
    patient = models.ForeignKey(Patient, models.PROTECT, null=True, blank=True, related_name="tasks")
    about_type = models.CharField(max_length=60, blank=True, help_text="Such as consults.order")
    about_id = models.UUIDField(null=True, blank=True)
    detail = EncryptedTextField(blank=True)
    due_at = models.DateTimeField()
    # From here on it also stands on the list of whoever supervises.
    escalates_at = models.DateTimeField()
    opened_at = models.DateTimeField()
    opened_by = models.CharField(max_length=80)
    done_at = models.DateTimeField(null=True, blank=True)
    done_by = models.CharField(max_length=80, blank=True, help_text="user:<uuid>, or what settled it")
    outcome = EncryptedTextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "about_type", "about_id"],
                condition=Q(done_at__isnull=True) & ~Q(about_type=""),
                nulls_distinct=False,
                name="one_live_task_per_kind_and_thing",
            ),
            models.CheckConstraint(
                condition=Q(done_at__isnull=True, done_by="", outcome="")
                | (Q(done_at__isnull=False) & ~Q(done_by="") & ~Q(outcome="")),
                name="a_done_task_has_outcome_person_and_time",
            ),
            models.CheckConstraint(
                condition=Q(escalates_at__gte=F("due_at")), name="a_task_escalates_after_it_is_due"
            ),
        ]
        indexes = [
            models.Index(
                fields=["owner", "due_at", "id"],
                condition=Q(done_at__isnull=True),
                name="live_tasks_of_owner",
            ),
            models.Index(
                fields=["escalates_at"], condition=Q(done_at__isnull=True), name="live_tasks_to_escalate"
            ),
        ]

    def __str__(self) -> str:
        return self.kind


class TaskHandOver(models.Model):
    """A task went from one person to another, and why; never edited."""

    id = models.BigAutoField(primary_key=True)
    task = models.ForeignKey(Task, models.PROTECT, related_name="hand_overs")
    from_owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    to_owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    why = EncryptedTextField()
    at = models.DateTimeField()
    by = models.CharField(max_length=80)

    class Meta:
        triggers = [append_only("hand_overs_stay_as_written")]

    def __str__(self) -> str:
        return f"{self.from_owner} to {self.to_owner}"


# What moves or blocks a shift stands in a file of its own.
from safety.models_roster import PracticeHoliday, ShiftHandover, TimeAway  # noqa: E402, F401
