"""Conversations between a patient and the care team. What was sent stays as it was sent."""

import uuid

import pghistory
import pgtrigger
from django.db import models
from django.db.models import Q

from accounts.models import Patient, User
from common.encryption import EncryptedJSONField, EncryptedTextField
from common.models import StoredFile, append_only
from safety.models import Alert


@pghistory.track()
class MessageThread(models.Model):
    """One conversation about one thing. While it waits it has a time by which somebody of the care team answers.

    Whose it is follows from the care team of today (`message_access.answerer_of`); `taken_by` is set only when somebody took it
    or was given it by hand.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        ANSWERED = "answered"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="message_threads")
    topic = models.CharField(max_length=12)
    role = models.CharField(max_length=14, help_text="Whose work an answer is: coach or psychiatrist.")
    state = models.CharField(max_length=10, choices=State.choices)
    opened_at = models.DateTimeField()
    opened_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    last_at = models.DateTimeField()
    waiting_since_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    taken_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    taken_at = models.DateTimeField(null=True, blank=True)
    # Given to somebody outside the care team, who sees this conversation because of it.
    handed_over = models.BooleanField(default=False)
    # What words asked for a look: 0 none, 1 soon, 2 now. A person ends it.
    urgency = models.SmallIntegerField(default=0)
    triage_by_at = models.DateTimeField(null=True, blank=True)
    triaged_at = models.DateTimeField(null=True, blank=True)
    triaged_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    alert = models.ForeignKey(Alert, models.PROTECT, null=True, blank=True, related_name="message_threads")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state="waiting", waiting_since_at__isnull=False, due_at__isnull=False)
                | Q(state="answered", waiting_since_at__isnull=True, due_at__isnull=True),
                name="a_waiting_thread_has_its_time",
            ),
            models.CheckConstraint(
                condition=Q(urgency__gte=0, urgency__lte=2), name="thread_urgency_is_0_to_2"
            ),
            models.CheckConstraint(
                condition=Q(urgency=0, triage_by_at__isnull=True)
                | Q(urgency__gt=0, triage_by_at__isnull=False),
                name="an_urgent_thread_has_its_clock",
            ),
            models.CheckConstraint(
                condition=Q(handed_over=False) | Q(taken_by__isnull=False),
                name="a_handed_over_thread_has_somebody",
            ),
        ]
        indexes = [
            models.Index(fields=["patient", "-last_at", "-id"], name="threads_of_a_patient"),
            models.Index(fields=["due_at", "id"], condition=Q(state="waiting"), name="threads_waiting"),
            models.Index(fields=["triage_by_at"], condition=Q(urgency__gt=0), name="threads_to_triage"),
        ]
        triggers = [pgtrigger.Protect(name="threads_are_never_deleted", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.topic}, {self.opened_at:%Y-%m-%d}"

    @property
    def is_waiting(self) -> bool:
        return self.state == self.State.WAITING


class Message(models.Model):
    """One message, as it was sent."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    thread = models.ForeignKey(MessageThread, models.PROTECT, related_name="messages")
    author = models.ForeignKey(User, models.PROTECT, related_name="+")
    body = EncryptedTextField()
    # Which kinds of urgent words stood in it: facts about a person, so encrypted like their words.
    flags = EncryptedJSONField(null=True, blank=True)
    sent_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["thread", "-sent_at", "-id"], name="messages_of_a_thread")]
        triggers = [append_only("messages_stay_as_sent")]

    def __str__(self) -> str:
        return f"message of {self.sent_at:%Y-%m-%d %H:%M} UTC"


class MessageFile(models.Model):
    """A file that came with a message."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    message = models.ForeignKey(Message, models.PROTECT, related_name="files")
    file = models.ForeignKey(StoredFile, models.PROTECT, related_name="+")
    name = EncryptedTextField()
    position = models.SmallIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["message", "position"], name="one_file_per_place_in_a_message"),
            models.UniqueConstraint(fields=["file"], name="a_file_belongs_to_one_message"),
        ]
        ordering = ["position"]
        triggers = [append_only("message_files_stay_as_sent")]

    def __str__(self) -> str:
        return f"file {self.position} of a message"


class MessageRead(models.Model):
    """When somebody first had a message on their screen."""

    id = models.BigAutoField(primary_key=True)
    message = models.ForeignKey(Message, models.PROTECT, related_name="reads")
    person = models.ForeignKey(User, models.PROTECT, related_name="+")
    read_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["message", "person"], name="a_message_is_first_read_once")
        ]
        triggers = [append_only("first_reads_stay")]

    def __str__(self) -> str:
        return f"read {self.read_at:%Y-%m-%d %H:%M} UTC"


class MessageDraft(models.Model):
    """What somebody has written and not sent yet: one for each conversation, and one for a new one about each patient."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    author = models.ForeignKey(User, models.CASCADE, related_name="+")
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="+")
    thread = models.ForeignKey(MessageThread, models.CASCADE, null=True, blank=True, related_name="+")
    topic = models.CharField(max_length=12, blank=True)
    body = EncryptedTextField(blank=True)
    version = models.PositiveIntegerField(default=1)
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["author", "thread"], name="one_draft_per_author_and_thread"),
            models.UniqueConstraint(
                fields=["author", "patient"],
                condition=Q(thread__isnull=True),
                name="one_new_draft_per_author_and_patient",
            ),
        ]

    def __str__(self) -> str:
        return "a draft"
