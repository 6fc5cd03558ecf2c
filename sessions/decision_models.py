"""A psychiatrist's signed decision about the dose of one session. Never edited: a later decision of the same session counts instead."""

import uuid

import pgtrigger
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import Patient, User
from common.encryption import EncryptedTextField
from common.models import append_only

# Written from the text of the promise, not from the Python, as the release guard is: software only blocks (HZ-04).
REFUSE_DECISION = """
IF NOT EXISTS (
    SELECT 1 FROM accounts_user u JOIN accounts_careteam t ON t.psychiatrist_id = u.id
    WHERE u.id = NEW.decided_by_id AND u.role = 'psychiatrist' AND u.is_active AND t.patient_id = NEW.patient_id) THEN
    RAISE EXCEPTION 'only this person''s psychiatrist decides about a dose' USING ERRCODE = 'check_violation';
END IF;
IF NOT EXISTS (
    SELECT 1 FROM dosing_dosingsession s JOIN consults_order o ON o.id = NEW.order_id
    WHERE s.id = NEW.session_id AND s.patient_id = NEW.patient_id AND o.patient_id = NEW.patient_id
      AND o.signed_at IS NOT NULL AND o.revoked_at IS NULL AND o.superseded_at IS NULL
      AND (NEW.kind = 'stop' OR (s.number = ANY (o.sessions_covered) AND o.dose_ug = NEW.dose_ug))) THEN
    RAISE EXCEPTION 'a decision names the dose of the order in force' USING ERRCODE = 'check_violation';
END IF;
IF EXISTS (
    SELECT 1 FROM dosing_dosingsession s JOIN dosing_dosingsession x ON x.course_id = s.course_id AND x.id <> s.id
    WHERE s.id = NEW.session_id AND x.state IN ('ready', 'dosing', 'observing')) THEN
    RAISE EXCEPTION 'a dose is decided after the session before it is over' USING ERRCODE = 'check_violation';
END IF;
IF abs(extract(epoch FROM NEW.decided_at - NEW.stepped_up_at)) > 300 THEN
    RAISE EXCEPTION 'a decision is signed with a fresh second factor' USING ERRCODE = 'check_violation';
END IF;
RETURN NEW;
"""


class DoseDecision(models.Model):
    """Same, up, down or stop, after the last session was looked at. Without it no dose after the first is released (G13)."""

    class Kind(models.TextChoices):
        SAME = "same", "The same dose"
        UP = "up", "A higher dose"
        DOWN = "down", "A lower dose"
        STOP = "stop", "Stop: no further dose"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.ForeignKey(
        "dosing.DosingSession", models.PROTECT, related_name="dose_decisions", help_text="The session to come"
    )
    previous = models.ForeignKey(
        "dosing.DosingSession",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="The session looked at",
    )
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="dose_decisions")
    order = models.ForeignKey("consults.Order", models.PROTECT, related_name="dose_decisions")
    kind = models.CharField(max_length=4, choices=Kind.choices)
    dose_ug = models.PositiveBigIntegerField(null=True, blank=True, help_text="Micrograms; none when stopped")
    review = EncryptedTextField(help_text="What the psychiatrist saw of the last session")
    reason = EncryptedTextField(blank=True, help_text="Why another dose than before")
    decided_at = models.DateTimeField()
    decided_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    stepped_up_at = models.DateTimeField(help_text="When the psychiatrist last gave a second factor")
    recorded_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="stop", dose_ug__isnull=True)
                | Q(kind__in=["same", "up", "down"], dose_ug__isnull=False, dose_ug__gt=0),
                name="a_decision_names_a_dose_or_stops",
            ),
            models.CheckConstraint(condition=~Q(review=""), name="a_decision_says_what_was_seen"),
            models.CheckConstraint(
                condition=Q(kind="same") | ~Q(reason=""), name="another_dose_than_before_has_a_reason"
            ),
        ]
        indexes = [
            models.Index(fields=["session", "-decided_at"], name="decisions_of_a_session"),
            models.Index(fields=["patient", "-decided_at"], name="decisions_of_a_patient"),
        ]
        triggers = [
            append_only("decisions_stay_as_signed"),
            pgtrigger.Trigger(
                name="only_a_psychiatrist_decides_a_dose",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                func=REFUSE_DECISION,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} for {self.session_id}"
