"""What is remembered from a stranger's first click to a psychiatrist's decision."""

import uuid

import pghistory
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Case, F, Q, When

from accounts.models import STATES, Patient, User
from common.encryption import EncryptedJSONField, EncryptedTextField
from common.models import ProtocolVersion, append_only
from intake import states
from intake.guards import settles_nothing_absolute, signed_by_whom_it_is_for


class Screening(models.Model):
    """One finished two-minute assessment, as a tally: outcome, rules, day. Nothing that says who answered, or what."""

    id = models.BigAutoField(primary_key=True)
    on = models.DateField(help_text="The day, without the hour, so that it cannot be matched with a visit.")
    outcome = models.CharField(max_length=8, help_text="fit, not_now or talk")
    reasons = models.JSONField(default=list, help_text="Rule numbers only.")
    rule_version = models.CharField(max_length=60)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome__in=["fit", "not_now", "talk"]), name="screening_outcome_is_known"
            ),
        ]
        indexes = [models.Index(fields=["on", "outcome"], name="screenings_by_day")]
        triggers = [append_only("screenings_stay_as_counted")]

    def __str__(self) -> str:
        return f"{self.on} {self.outcome}"


@pghistory.track()
class Intake(models.Model):
    """One person's way from first answer to decision. Answers live by step, each step with its own version."""

    class Urgency(models.IntegerChoices):
        ROUTINE = 0
        SOON = 1
        TODAY = 2
        NOW = 3

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="intakes")
    state = models.CharField(max_length=12, default=states.DRAFT)
    care_state = models.CharField(
        max_length=2, blank=True, help_text="USPS code; decides which psychiatrists see it."
    )
    answers = EncryptedJSONField(default=dict, help_text='{step: {"version": 3, "data": {…}, "at": "…"}}')
    # What the queue shows, set on submission from the evaluation so that a page of 25 rows needs no second look-up.
    urgency = models.SmallIntegerField(choices=Urgency.choices, default=Urgency.ROUTINE)
    outcome = models.CharField(max_length=8, blank=True)
    reasons = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True, blank=True)
    claimed_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    claimed_at = models.DateTimeField(null=True, blank=True)
    claim_expires_at = models.DateTimeField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    more_info_items = models.JSONField(
        default=list, blank=True, help_text="Steps the psychiatrist asked to see again."
    )
    more_info_due_on = models.DateField(null=True, blank=True)
    protocol = models.ForeignKey(ProtocolVersion, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["patient"],
                condition=Q(state__in=list(states.OPEN)),
                name="one_open_intake_per_patient",
            ),
            models.CheckConstraint(
                condition=Q(
                    state__in=[
                        "draft",
                        "submitted",
                        "claimed",
                        "more_info",
                        "accepted",
                        "declined",
                        "withdrawn",
                    ]
                ),
                name="intake_state_is_known",
            ),
            models.CheckConstraint(
                condition=~Q(state="claimed") | Q(claimed_by__isnull=False, claim_expires_at__isnull=False),
                name="a_claim_has_a_person_and_an_end",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=list(states.IN_QUEUE))
                | Q(submitted_at__isnull=False, care_state__in=STATES),
                name="what_waits_in_the_queue_has_a_time_and_a_state",
            ),
            models.CheckConstraint(condition=Q(urgency__gte=0, urgency__lte=3), name="urgency_is_0_to_3"),
        ]
        indexes = [
            # One descent per licensed state, whatever the length of the queue.
            models.Index(
                F("care_state"),
                # Negated, so that “most urgent, then oldest” is one ascending row comparison from page to page.
                F("urgency") * -1,
                F("submitted_at"),
                F("id"),
                name="intakes_waiting",
                condition=Q(state__in=list(states.IN_QUEUE)),
            ),
            models.Index(fields=["patient", "-created_at"], name="intakes_of_a_patient"),
            models.Index(fields=["claimed_by"], name="intakes_held", condition=Q(state="claimed")),
        ]

    def __str__(self) -> str:
        return f"Intake of {self.patient_id}"


class EligibilityEvaluation(models.Model):
    """What the rules said of these facts under this version of them. Evidence for a decision, never a decision."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    intake = models.ForeignKey(Intake, models.PROTECT, related_name="evaluations")
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="evaluations")
    at = models.DateTimeField()
    stage = models.CharField(max_length=12)
    cause = models.CharField(max_length=20, help_text="submit, decide, order, settled or change")
    outcome = models.CharField(max_length=8)
    reasons = models.JSONField(default=list)
    missing = models.JSONField(default=list)
    rule_version = models.CharField(max_length=60)
    protocol = models.ForeignKey(ProtocolVersion, models.PROTECT, related_name="+")
    facts = EncryptedJSONField()
    # What the person changed, and who typed it: the reasons above are the rules it woke (HZ-12).
    changes = EncryptedJSONField(default=list, help_text="[[fact, old answer, new answer], …]")
    changed_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    # Who and when are a pair. PostgreSQL keeps it, so that it can never say another time than the row itself.
    changed_at = models.GeneratedField(
        expression=Case(When(changed_by__isnull=False, then=F("at"))),
        output_field=models.DateTimeField(null=True),
        db_persist=True,
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome__in=["ok", "review", "exclude"]), name="evaluation_outcome_is_known"
            ),
        ]
        indexes = [
            models.Index(fields=["patient", "-at"], name="evaluations_of_a_patient"),
            models.Index(fields=["intake", "-at"], name="evaluations_of_an_intake"),
            # What a dry run of a draft walks along, newest first.
            models.Index(
                fields=["-at", "-id"], name="evaluations_judged", condition=Q(cause__in=["submit", "order"])
            ),
        ]
        triggers = [append_only("evaluations_stay_as_found"), settles_nothing_absolute()]

    def __str__(self) -> str:
        return f"{self.outcome} {' '.join(self.reasons)}"


class Decision(models.Model):
    """A psychiatrist's signed decision on an intake."""

    class Kind(models.TextChoices):
        ACCEPT = "accept"
        DECLINE = "decline"
        ASK_MORE = "ask_more"
        ASK_CLEARANCE = "clearance"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    intake = models.ForeignKey(Intake, models.PROTECT, related_name="decisions")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    reasons = models.JSONField(default=list, blank=True, help_text="Rule numbers and reason codes.")
    items = models.JSONField(default=list, blank=True, help_text="Steps asked to be looked at again.")
    note = EncryptedTextField(blank=True, help_text="For the chart.")
    letter = EncryptedTextField(blank=True, help_text="What the patient reads.")
    evaluation = models.ForeignKey(EligibilityEvaluation, models.PROTECT, related_name="+")
    by = models.ForeignKey(User, models.PROTECT, related_name="+")
    at = models.DateTimeField()
    signed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["accept", "decline", "ask_more", "clearance"]),
                name="decision_kind_is_known",
            ),
            models.UniqueConstraint(
                fields=["intake"],
                condition=Q(kind__in=["accept", "decline"]),
                name="one_final_decision_per_intake",
            ),
        ]
        indexes = [models.Index(fields=["intake", "-at"], name="decisions_of_an_intake")]
        triggers = [append_only("decisions_stay_as_signed"), signed_by_whom_it_is_for()]

    def __str__(self) -> str:
        return f"{self.kind} {self.at:%Y-%m-%d}"


class ConsentText(models.Model):
    """The exact words people sign, kept by their hash. A new wording is a new row, and so is each state's."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    document = models.CharField(max_length=40)
    version = models.CharField(max_length=40)
    care_state = models.CharField(max_length=2, blank=True, help_text="The state the wording is for.")
    sha256 = models.CharField(max_length=64, unique=True)
    body = models.TextField()
    first_seen_at = models.DateTimeField()

    class Meta:
        triggers = [append_only("consent_texts_stay_as_written")]

    def __str__(self) -> str:
        return f"{self.document} {self.version}"


class Consent(models.Model):
    """One signature under one text: who, when, how, and the hash of what was read."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="consents")
    document = models.CharField(max_length=40, help_text="treatment-consent or safety-agreement")
    version = models.CharField(max_length=40)
    sha256 = models.CharField(max_length=64)
    text = models.ForeignKey(ConsentText, models.PROTECT, related_name="+")
    care_state = models.CharField(max_length=2, blank=True)
    signed_name = EncryptedTextField()
    acknowledged = models.JSONField(default=list, help_text="Codes of the points ticked one by one.")
    signed_at = models.DateTimeField()
    method = models.CharField(max_length=20, default="typed-name")
    device = models.CharField(max_length=60, blank=True, help_text="Kind of device and browser; no address.")
    # A signature is in force as long as nothing was withdrawn after it: counted, because two clocks may agree too well.
    withdrawals_before = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "sha256", "care_state", "withdrawals_before"],
                name="one_signature_per_person_text_and_state",
            ),
        ]
        indexes = [models.Index(fields=["patient", "document", "-signed_at"], name="consents_of_a_patient")]
        triggers = [append_only("signatures_stay_as_given")]

    def __str__(self) -> str:
        return f"{self.document} {self.version}"


@pghistory.track()
class Medicine(models.Model):
    """One medicine a person takes, by the classes that the rules and the session holds look at."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="medicines")
    name = EncryptedTextField()
    rx_class = models.CharField(
        max_length=16, help_text="The class that matters most; `other` when we do not know it."
    )
    rx_classes = ArrayField(
        models.CharField(max_length=16), default=list, help_text="Every class it belongs to."
    )
    rxnorm = models.CharField(max_length=12, blank=True, help_text="RxNorm ingredient code, where certain.")
    dose_text = EncryptedTextField(blank=True)
    # Written by the prescriber for this person; the product itself never tells anyone to stop a medicine.
    hold_instruction = EncryptedTextField(blank=True)
    started_at = models.DateTimeField(help_text="When it was put on the list.")
    ended_at = models.DateTimeField(null=True, blank=True, help_text="When it was taken off the list.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=F("started_at")),
                name="a_medicine_ends_after_it_starts",
            ),
        ]
        indexes = [
            models.Index(
                fields=["patient", "started_at"],
                name="medicines_taken_now",
                condition=Q(ended_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return self.rx_class


# By a name of its own, so that the description of the API can name the choice.
DECISION_KINDS = Decision.Kind.choices

from intake.paper_models import ClearanceRequest, ConsentWithdrawal, PatientDocument  # noqa: E402, F401
from intake.review_models import ChartView, DryRun, DryRunCase, RuleCount  # noqa: E402, F401
