"""What is remembered beside the intake itself: who looked at a chart when, how often each rule was true, and what a draft would change."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models import Patient
from common.models import ProtocolVersion


class ChartView(models.Model):
    """Where one clinician left off in one person's chart. Nothing of the chart itself stands here, only places in its history."""

    patient = models.ForeignKey(Patient, models.CASCADE, related_name="+", db_index=False)
    viewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False)
    looked_at = models.DateTimeField(help_text="The newest look.")
    looked_event_id = models.BigIntegerField(null=True, help_text="The intake's history row of that look.")
    since_at = models.DateTimeField(
        null=True,
        help_text="The end of the look before this one; what is newer is marked. Null: the first look.",
    )
    since_event_id = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["viewer", "patient"], name="one_place_per_reader_and_chart"),
        ]

    def __str__(self) -> str:
        return f"{self.viewer_id} {self.looked_at:%Y-%m-%d}"


class RuleCount(models.Model):
    """How often one rule was true under one protocol version: of finished assessments, of intakes when they were first sent, of
    orders when they were signed. At most 72 rows a version and stage, never a scan."""

    # The row of this name counts the intakes themselves.
    ALL = "ALL"

    protocol = models.ForeignKey(ProtocolVersion, models.PROTECT, related_name="+", db_index=False)
    stage = models.CharField(
        max_length=10, default="intake", choices=[(s, s) for s in ("assessment", "intake", "decision")]
    )
    rule_id = models.CharField(max_length=4)
    hits = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["protocol", "stage", "rule_id"], name="one_count_per_version_stage_and_rule"
            ),
        ]
        verbose_name = "eligibility rule"

    def __str__(self) -> str:
        return f"{self.rule_id} {self.hits}"


class DryRun(models.Model):
    """A draft's rules laid over past intakes: asked for by a person, worked off in bounded batches, kept with the draft."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    draft = models.ForeignKey(ProtocolVersion, models.PROTECT, related_name="dry_runs")
    base = models.ForeignKey(ProtocolVersion, models.PROTECT, related_name="+")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    # Where it goes on: the evaluation read last, newest first.
    at_evaluation_at = models.DateTimeField(null=True)
    at_evaluation_id = models.UUIDField(null=True)
    looked = models.IntegerField(default=0, help_text="Intakes looked at so far")
    changed = models.IntegerField(default=0, help_text="Of these, other outcome or other rules")
    stricter = models.IntegerField(default=0, help_text="Of these, a more severe outcome")
    milder = models.IntegerField(default=0, help_text="Of these, a milder outcome")
    finished_at = models.DateTimeField(null=True)
    stopped_at_limit = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(
                fields=["asked_at"], name="dry_runs_unfinished", condition=Q(finished_at__isnull=True)
            ),
            models.Index(fields=["draft", "-asked_at"], name="dry_runs_of_a_draft"),
        ]

    def __str__(self) -> str:
        return f"{self.draft} beside {self.base}"


class DryRunCase(models.Model):
    """One past intake that the draft would have answered differently. Rule numbers only: no name, no answer."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(DryRun, models.CASCADE, related_name="cases", db_index=False)
    intake = models.ForeignKey("intake.Intake", models.PROTECT, related_name="+", db_index=False)
    sent_at = models.DateTimeField()
    decided = models.CharField(max_length=12, blank=True, help_text="What the psychiatrist decided then.")
    old_outcome = models.CharField(max_length=8)
    new_outcome = models.CharField(max_length=8)
    gained = models.JSONField(default=list)
    lost = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "intake"], name="one_case_per_run_and_intake"),
        ]

    def __str__(self) -> str:
        return f"{self.old_outcome} -> {self.new_outcome}"
