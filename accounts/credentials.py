"""A licence or DEA registration in waiting: one administrator enters it, another one has looked at the document (TM-16)."""

import uuid

import pgtrigger
from django.db import models
from django.db.models import F, Q


class CredentialRequest(models.Model):
    """A licence or DEA registration to be entered, or to be given another number or date. Nothing changes until it is approved."""

    class Kind(models.TextChoices):
        LICENCE = "licence", "Licence"
        DEA = "dea", "DEA registration"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    psychiatrist = models.ForeignKey("accounts.User", models.PROTECT, related_name="credential_requests")
    state = models.CharField(max_length=2)
    number = models.CharField(max_length=40)
    issued_on = models.DateField(null=True, blank=True)
    expires_on = models.DateField()
    requested_at = models.DateTimeField()
    requested_by = models.ForeignKey("accounts.User", models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, blank=True, related_name="+")
    approved = models.BooleanField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(requested_by=F("psychiatrist")), name="nobody_enters_their_own_credential"
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True, decided_at__isnull=True, approved__isnull=True)
                | Q(decided_by__isnull=False, decided_at__isnull=False, approved__isnull=False),
                name="a_decided_credential_has_person_time_and_answer",
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("psychiatrist")),
                name="nobody_decides_about_their_own_credential",
            ),
            models.CheckConstraint(
                condition=~Q(approved=True) | ~Q(decided_by=F("requested_by")),
                name="a_second_person_approves_a_credential",
            ),
            models.UniqueConstraint(
                fields=["kind", "psychiatrist", "state"],
                condition=Q(decided_at__isnull=True),
                name="one_open_request_per_credential",
            ),
        ]
        triggers = [
            pgtrigger.Protect(
                name="decided_credentials_stay",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__decided_at__isnull=False),
            ),
            pgtrigger.Protect(name="credential_requests_are_never_deleted", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.state} {self.number} of {self.psychiatrist}"
