"""What is remembered of a course and its four sessions. The database itself refuses a second dose and a dose without its gate."""

import hashlib
import uuid

import pghistory
import pgtrigger
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Q

from accounts.models import STATES, Patient, User
from common.encryption import EncryptedJSONField, EncryptedTextField
from common.models import ProtocolVersion, append_only
from sessions import states
from vitals.models import Reading

NEEDS_RELEASE_SQL = ", ".join(f"'{state}'" for state in states.NEEDS_RELEASE)
# The day of a session opens with medicine and kit counted at home and the cuff practised (G14), whoever opens it and however.
REFUSE_OPENING = """
IF TG_OP = 'UPDATE' THEN
    IF OLD.state = NEW.state THEN
        RETURN NEW;
    END IF;
END IF;
missing := dosing_opening_failures(NEW);
IF (cardinality(missing) = 0) IS NOT TRUE THEN
    RAISE EXCEPTION 'opening_guard: %', array_to_string(missing, ',') USING ERRCODE = 'check_violation';
END IF;
RETURN NEW;
"""


@pghistory.track()
class Course(models.Model):
    """Four weekly sessions under one programme. The protocol is pinned at its start (HZ-28)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="courses")
    order = models.ForeignKey(
        "consults.Order", models.PROTECT, related_name="courses", help_text="The order in force now"
    )
    protocol = models.ForeignKey(ProtocolVersion, models.PROTECT, related_name="+")
    state = models.CharField(max_length=12, default=states.ACTIVE_COURSE)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["patient"],
                condition=Q(state__in=states.COURSE_OPEN),
                name="one_open_course_per_patient",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["active", "on_hold", "completed", "stopped"]),
                name="course_state_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"Course of {self.patient_id}"


class CourseStop(models.Model):
    """Why a psychiatrist ended a course early: the code, and their own words for the chart."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    course = models.OneToOneField(Course, models.PROTECT, related_name="stop")
    reason = models.CharField(max_length=40)
    note = EncryptedTextField()
    words = EncryptedTextField(blank=True, help_text="What the patient reads.")
    by = models.ForeignKey(User, models.PROTECT, related_name="+")
    stopped_at = models.DateTimeField()

    class Meta:
        triggers = [append_only("course_stops_stay_as_signed")]

    def __str__(self) -> str:
        return f"{self.reason} {self.stopped_at:%Y-%m-%d}"


@pghistory.track()
class Sitter(models.Model):
    """The adult who stays with a patient during sessions. No account: a link to their own phone."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="sitters")
    name = EncryptedTextField()
    phone = EncryptedTextField(help_text="E.164")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"Sitter {self.pk}"


@pghistory.track()
class DosingSession(models.Model):
    """One of the four sessions, from its date in the order to the day after."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    course = models.ForeignKey(Course, models.PROTECT, related_name="sessions")
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="dosing_sessions")
    number = models.PositiveSmallIntegerField()
    scheduled_at = models.DateTimeField()
    state = models.CharField(max_length=12, default=states.SCHEDULED)
    opened_at = models.DateTimeField(null=True, blank=True)
    # Confirmed anew each session (HZ-14): where an ambulance would go, and whom to call.
    location_address = EncryptedTextField(blank=True)
    location_state = models.CharField(max_length=2, blank=True)
    location_confirmed_at = models.DateTimeField(null=True, blank=True)
    emergency_contact_name = EncryptedTextField(blank=True)
    emergency_contact_phone = EncryptedTextField(blank=True)
    emergency_confirmed_at = models.DateTimeField(null=True, blank=True)
    sitter = models.ForeignKey(Sitter, models.PROTECT, null=True, blank=True, related_name="sessions")
    early_reading = models.BooleanField(
        default=False, help_text="A reading at the expected peak is needed as well."
    )
    dose_at = models.DateTimeField(null=True, blank=True, help_text="When the medicine was placed")
    music_ended_at = models.DateTimeField(null=True, blank=True)
    stopped_at = models.DateTimeField(null=True, blank=True, help_text="Stopped early")
    stopped_by = models.CharField(max_length=80, blank=True)
    stopped_reason = models.CharField(max_length=40, blank=True)
    stopped_note = EncryptedTextField(blank=True)
    sitter_signed_at = models.DateTimeField(null=True, blank=True)
    released_at = models.DateTimeField(null=True, blank=True, help_text="When the watch ended by rule")
    closed_at = models.DateTimeField(null=True, blank=True)
    slept_at = models.DateTimeField(
        null=True, blank=True, help_text="When the person said they had slept: driving unlocks."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["course", "number"], name="one_session_per_number_and_course"),
            models.UniqueConstraint(
                fields=["patient"],
                condition=Q(state__in=states.ACTIVE),
                name="one_active_session_per_patient",
            ),
            models.CheckConstraint(condition=Q(number__range=(1, 4)), name="a_course_has_four_sessions"),
            models.CheckConstraint(
                condition=Q(state__in=sorted({target for _, target in states.SESSION_MOVES})),
                name="session_state_is_known",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["dosing", "observing", "released", "closed"])
                | Q(dose_at__isnull=False),
                name="a_session_after_the_dose_says_when_it_was_taken",
            ),
            models.CheckConstraint(
                condition=Q(location_state="") | Q(location_state__in=STATES),
                name="session_state_is_a_usps_code",
            ),
        ]
        indexes = [
            models.Index(fields=["scheduled_at"], condition=Q(state="scheduled"), name="sessions_to_come"),
            models.Index(fields=["patient", "-scheduled_at"], name="sessions_of_a_patient"),
            models.Index(
                fields=["scheduled_at"], condition=Q(state__in=states.ACTIVE), name="sessions_going_on"
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="no_dose_without_a_release",
                operation=pgtrigger.Insert | pgtrigger.Update,
                when=pgtrigger.Before,
                func=f"""
                    IF NEW.state IN ({NEEDS_RELEASE_SQL}) AND NOT EXISTS (
                        SELECT 1 FROM dosing_doserelease r WHERE r.session_id = NEW.id
                    ) THEN
                        RAISE EXCEPTION 'no dose was released for this session' USING ERRCODE = 'check_violation';
                    END IF;
                    RETURN NEW;
                """,  # noqa: S608  (the states' own names)
            ),
            pgtrigger.Trigger(
                name="no_opening_before_all_is_at_home",
                operation=pgtrigger.Insert | pgtrigger.Update,
                when=pgtrigger.Before,
                condition=pgtrigger.Q(new__state=states.PREPARING),
                declare=[("missing", "text[]")],
                func=REFUSE_OPENING,
            ),
        ]

    def __str__(self) -> str:
        return f"Session {self.number}"


def token_digest(plain: str) -> str:
    """What is kept of a sitter's link: 256 random bits need no salt."""
    return hashlib.sha256(plain.encode()).hexdigest()


class SitterLink(models.Model):
    """One sitter's way into one session. Only the digest is kept; it ends by itself."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.ForeignKey(DosingSession, models.PROTECT, related_name="sitter_links")
    sitter = models.ForeignKey(Sitter, models.PROTECT, related_name="links")
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True, blank=True)
    # What was attested on the sitter's own phone: adult, sober, with the patient, stays to the end, has read the card.
    attested = models.JSONField(default=list, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["session"],
                condition=Q(revoked_at__isnull=True),
                name="one_sitter_link_at_a_time_per_session",
            ),
        ]

    def __str__(self) -> str:
        return f"Link of {self.sitter_id}"


class SafetyCheck(models.Model):
    """The day's questions and answers. Never edited; a later answer adds and never clears (HZ-27)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.ForeignKey(DosingSession, models.PROTECT, related_name="safety_checks")
    answers = EncryptedJSONField()
    positive = models.JSONField(default=list, help_text="Codes of the answers that hold the dose")
    answered_at = models.DateTimeField()
    answered_by = models.CharField(max_length=80)
    cleared_at = models.DateTimeField(null=True, blank=True)
    cleared_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    cleared_note = EncryptedTextField(blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(cleared_at__isnull=True, cleared_by__isnull=True)
                | Q(cleared_by__isnull=False, cleared_at__gt=F("answered_at")),
                name="a_check_is_cleared_by_a_person_after_it_was_answered",
            ),
        ]
        indexes = [models.Index(fields=["session", "-answered_at"], name="checks_of_a_session")]
        triggers = [
            pgtrigger.Protect(name="checks_are_never_deleted", operation=pgtrigger.Delete),
            pgtrigger.Protect(
                name="answers_stay_as_given",
                operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange(exclude=["cleared_at", "cleared_by", "cleared_note"]),
            ),
            pgtrigger.Protect(
                name="a_check_is_cleared_once",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__cleared_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"Check of {self.session_id}"


class DoseRelease(models.Model):
    """The one row that lets a dose be taken. `release_guard` (a trigger) repeats the gate in SQL before it is written."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.OneToOneField(DosingSession, models.PROTECT, related_name="release")
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="dose_releases")
    order = models.ForeignKey("consults.Order", models.PROTECT, related_name="dose_releases")
    protocol = models.ForeignKey(ProtocolVersion, models.PROTECT, related_name="+")
    reading_1 = models.OneToOneField(Reading, models.PROTECT, related_name="+")
    reading_2 = models.OneToOneField(Reading, models.PROTECT, related_name="+")
    safety_check = models.ForeignKey(SafetyCheck, models.PROTECT, related_name="+")
    sitter_link = models.ForeignKey(SitterLink, models.PROTECT, related_name="+")
    dose_ug = models.PositiveIntegerField(help_text="Copied from the signed order; the trigger compares")
    released_at = models.DateTimeField()
    released_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    stepped_up_at = models.DateTimeField(help_text="When the releasing person last gave a second factor")
    # From the release until the next dose may be given; no two of one patient overlap (HZ-06).
    keeps_others_away = DateTimeRangeField()
    caution_released = models.BooleanField(
        default=False, help_text="A psychiatrist released a reading in the caution band."
    )
    caution_reason = EncryptedTextField(blank=True)
    plan_t40 = models.BooleanField(default=False, help_text="The plan includes a reading at the peak.")
    gate = models.JSONField(help_text="What the gate read: codes, ids, numbers and times (TM-08)")

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="two_doses_of_one_patient_keep_their_distance",
                expressions=[
                    ("patient", RangeOperators.EQUAL),
                    ("keeps_others_away", RangeOperators.OVERLAPS),
                ],
            ),
            models.CheckConstraint(
                condition=~Q(reading_1=F("reading_2")), name="a_release_rests_on_two_readings"
            ),
            models.CheckConstraint(condition=Q(dose_ug__gt=0), name="a_released_dose_is_more_than_nothing"),
            models.CheckConstraint(
                condition=Q(caution_released=False) | (~Q(caution_reason="") & Q(plan_t40=True)),
                name="a_caution_release_has_a_reason_and_a_plan",
            ),
        ]
        indexes = [models.Index(fields=["order"], name="releases_of_an_order")]
        triggers = [append_only("releases_stay_as_written")]

    def __str__(self) -> str:
        return f"Release of {self.session_id}"


class Checkpoint(models.Model):
    """Something that must happen by a time: a reading, a sitter's look, the morning after. A row, so that nobody's timer is needed (HZ-10)."""

    class Kind(models.TextChoices):
        SITTER = "sitter", "Sitter's check"
        T40 = "t40", "Reading at the peak"
        T65 = "t65", "Reading after the music"
        T120 = "t120", "Reading at two hours"
        RECHECK = "recheck", "Another reading"
        RELEASE = "release", "The end of the watch"
        FOLLOW_UP = "follow_up", "The day after"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.ForeignKey(DosingSession, models.PROTECT, related_name="checkpoints")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    minute = models.PositiveIntegerField(help_text="Minutes after the dose")
    due_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, blank=True)
    done_by = models.CharField(max_length=80, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    reading = models.ForeignKey(Reading, models.PROTECT, null=True, blank=True, related_name="+")
    findings = models.JSONField(default=list, blank=True, help_text="Codes of what the sitter saw")
    # How far the ladder of a missing one has gone, and when its next step is.
    ladder_step = models.PositiveSmallIntegerField(default=0)
    next_ladder_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["due_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["session", "kind", "minute"], name="one_checkpoint_per_kind_and_minute"
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_ladder_at"],
                condition=Q(done_at__isnull=True, cancelled_at__isnull=True),
                name="checkpoints_not_done",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} T+{self.minute}"


class SymptomReport(models.Model):
    """How somebody is, as they or their sitter say. Never edited."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.ForeignKey(DosingSession, models.PROTECT, related_name="symptom_reports")
    reported_at = models.DateTimeField()
    reported_by = models.CharField(max_length=80)
    red_flags = models.JSONField(default=list, blank=True)
    other_flags = models.JSONField(
        default=list, blank=True, help_text="Codes that are followed up without calling 911"
    )
    dissociation = models.PositiveSmallIntegerField(null=True, blank=True)
    nausea = models.PositiveSmallIntegerField(null=True, blank=True)
    sedation = models.PositiveSmallIntegerField(null=True, blank=True)
    vomited = models.BooleanField(default=False)
    note = EncryptedTextField(blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=(Q(dissociation__isnull=True) | Q(dissociation__lte=4))
                & (Q(nausea__isnull=True) | Q(nausea__lte=4))
                & (Q(sedation__isnull=True) | Q(sedation__lte=4)),
                name="symptoms_are_rated_0_to_4",
            ),
        ]
        indexes = [models.Index(fields=["session", "-reported_at"], name="symptoms_of_a_session")]
        triggers = [append_only("symptom_reports_stay_as_given")]

    def __str__(self) -> str:
        return f"Symptoms of {self.session_id}"


class ReleaseCheck(models.Model):
    """The answers at the end of a session, and what the rule said to them. Never edited."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.ForeignKey(DosingSession, models.PROTECT, related_name="release_checks")
    answered_at = models.DateTimeField()
    answered_by = models.CharField(max_length=80)
    answers = EncryptedJSONField()
    reasons = models.JSONField(
        default=list, help_text="Why the session could not be closed yet; empty: it could"
    )

    class Meta:
        triggers = [append_only("release_checks_stay_as_given")]

    def __str__(self) -> str:
        return f"Release check of {self.session_id}"


class JournalEntry(models.Model):
    """A patient's own words. Private; each entry is shared on its own, and can be taken back."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="journal_entries")
    session = models.ForeignKey(
        DosingSession, models.PROTECT, null=True, blank=True, related_name="journal_entries"
    )
    body = EncryptedTextField()
    written_at = models.DateTimeField()
    changed_at = models.DateTimeField(null=True, blank=True)
    shared_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "journal entries"
        indexes = [models.Index(fields=["patient", "-written_at"], name="journal_of_a_patient")]

    def __str__(self) -> str:
        return f"Entry of {self.written_at:%Y-%m-%d}"


class DoseCount(models.Model):
    """How many units were taken and how many are left, counted by the person holding them. Never edited."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.ForeignKey(DosingSession, models.PROTECT, related_name="dose_counts")
    units_ordered = models.PositiveSmallIntegerField()
    units_taken = models.PositiveSmallIntegerField()
    units_left = models.PositiveSmallIntegerField(null=True, blank=True)
    lot = models.CharField(max_length=40, blank=True)
    counted_at = models.DateTimeField()
    counted_by = models.CharField(max_length=80)

    class Meta:
        triggers = [append_only("dose_counts_stay_as_counted")]

    def __str__(self) -> str:
        return f"{self.units_taken} of {self.units_ordered}"


class FollowUp(models.Model):
    """The morning after: sleep, mood, effects, safety. Never edited."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.OneToOneField(DosingSession, models.PROTECT, related_name="follow_up")
    answered_at = models.DateTimeField()
    answered_by = models.CharField(max_length=80)
    slept = models.BooleanField()
    mood_0_10 = models.PositiveSmallIntegerField()
    effects = models.JSONField(default=list, blank=True)
    suicidal_thoughts = models.BooleanField()
    note = EncryptedTextField(blank=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(mood_0_10__lte=10), name="mood_is_0_to_10")]
        triggers = [append_only("follow_ups_stay_as_given")]

    def __str__(self) -> str:
        return f"Follow-up of {self.session_id}"


from sessions.decision_models import DoseDecision  # noqa: E402, F401
