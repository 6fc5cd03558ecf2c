"""The free introductory call of somebody without an account: a name, a way to reach them, a time. Nothing about their health."""

import uuid
from datetime import datetime

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import Q

from accounts.models import STATES, User
from common.encryption import EncryptedTextField


class Introduction(models.Model):
    """One call of twenty minutes. Takes a clinician's time as an appointment does: PostgreSQL refuses an overlap of either kind.

    No row history: after the call the name and the way to reach them are emptied, and nothing may keep a copy.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    clinician = models.ForeignKey(User, models.PROTECT, related_name="introductions")
    during = DateTimeRangeField()
    state = models.CharField(
        max_length=10, default="booked", help_text="booked, cancelled, completed, no_show"
    )
    state_of_care = models.CharField(max_length=2, help_text="The state they are in; decides who may call.")
    time_zone = models.CharField(max_length=64)
    name = EncryptedTextField(blank=True)
    email = EncryptedTextField(blank=True)
    phone = EncryptedTextField(blank=True)
    contact_digest = models.CharField(
        max_length=64, help_text="Keyed digest of phone or e-mail, to count calls."
    )
    # Emptied within a day or two: only so that one address cannot take every time there is.
    address_digest = models.CharField(
        max_length=64, blank=True, help_text="Keyed digest of the network address, to count calls of a day."
    )
    # Rises with each change, so that a calendar updates the entry it has (RFC 5545).
    sequence = models.PositiveIntegerField(default=0)
    meeting_url = models.URLField(max_length=300, blank=True)
    created_at = models.DateTimeField()
    cancelled_at = models.DateTimeField(null=True, blank=True)
    forgotten_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="a_clinician_is_in_one_introduction_at_a_time",
                expressions=[("clinician", RangeOperators.EQUAL), ("during", RangeOperators.OVERLAPS)],
                condition=Q(state="booked"),
            ),
            models.CheckConstraint(
                condition=Q(during__isempty=False, during__lower_inf=False, during__upper_inf=False),
                name="an_introduction_has_a_start_and_an_end",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["booked", "cancelled", "completed", "no_show"]),
                name="introduction_state_is_known",
            ),
            models.CheckConstraint(
                condition=Q(state_of_care__in=STATES), name="introduction_state_of_care_is_a_usps_code"
            ),
            models.CheckConstraint(
                condition=Q(forgotten_at__isnull=False) | ~Q(name="") & (~Q(email="") | ~Q(phone="")),
                name="a_caller_can_be_reached_until_forgotten",
            ),
        ]
        indexes = [
            models.Index(
                fields=["contact_digest"], condition=Q(state="booked"), name="introductions_by_contact"
            ),
            models.Index(
                fields=["address_digest", "created_at"],
                condition=~Q(address_digest=""),
                name="introductions_by_address",
            ),
        ]

    def __str__(self) -> str:
        return f"Introduction {self.starts_at:%Y-%m-%d %H:%M} UTC"

    @property
    def starts_at(self) -> datetime:
        return self.during.lower

    @property
    def ends_at(self) -> datetime:
        return self.during.upper
