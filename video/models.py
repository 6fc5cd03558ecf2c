"""Rooms, the seats in them and the book of who came and went. No sound, picture or word of a visit is ever stored."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from accounts.models import Patient
from common.encryption import EncryptedTextField
from common.models import append_only
from video.states import SEAT_EVENTS


class Room(models.Model):
    """A place for one visit. What the visit is, only the app that opened it knows."""

    class Vendor(models.TextChoices):
        PEER = "peer", "Browser to browser"
        TWILIO = "twilio", "Twilio Video"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    about_type = models.CharField(max_length=60)
    about_id = models.UUIDField()
    # None: somebody without an account, at an introductory call.
    patient = models.ForeignKey(
        Patient, models.PROTECT, related_name="+", db_index=False, null=True, blank=True
    )
    vendor = models.CharField(max_length=8, choices=Vendor.choices, default=Vendor.PEER)
    vendor_room = models.CharField(max_length=64, blank=True)
    opens_at = models.DateTimeField()
    closes_at = models.DateTimeField()
    late_minutes = models.PositiveSmallIntegerField(default=0)
    late_said_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    # When the vendor ended it too; None while that is still to be done.
    vendor_closed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["about_type", "about_id"], name="one_room_for_one_visit"),
            models.CheckConstraint(
                condition=Q(closes_at__gt=F("opens_at")), name="a_room_closes_after_it_opens"
            ),
        ]
        indexes = [
            models.Index(fields=["closes_at"], condition=Q(closed_at__isnull=True), name="rooms_still_open"),
            models.Index(
                fields=["closed_at"],
                condition=Q(closed_at__isnull=False, vendor_closed_at__isnull=True) & ~Q(vendor_room=""),
                name="rooms_to_end_at_the_vendor",
            ),
        ]

    def __str__(self) -> str:
        return f"room {self.id.hex[:8]}"


class Seat(models.Model):
    """One person's place in one room. Its id is what the others' browsers know them by: it says nothing about who they are."""

    class Role(models.TextChoices):
        PATIENT = "patient", "Patient"
        CLINICIAN = "clinician", "Clinician"
        GUEST = "guest", "Guest"

    class GuestKind(models.TextChoices):
        INTERPRETER = "interpreter", "Interpreter"
        FAMILY = "family", "Family or friend"
        COLLEAGUE = "colleague", "Colleague"
        CALLER = "caller", "Introductory call"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    room = models.ForeignKey(Room, models.PROTECT, related_name="seats")
    role = models.CharField(max_length=10, choices=Role.choices)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    guest_kind = models.CharField(max_length=12, choices=GuestKind.choices, blank=True)
    guest_name = EncryptedTextField(blank=True)
    # Of the secret in a guest's link; the secret itself is shown once and kept nowhere.
    token_digest = models.CharField(max_length=64, null=True, blank=True, unique=True)
    # Of the secret that the guest's browser was given when it came in: the link alone does not take a place that is taken.
    browser_digest = models.CharField(max_length=64, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField()
    waiting_since_at = models.DateTimeField(null=True, blank=True)
    admitted_at = models.DateTimeField(null=True, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)
    phone_asked_at = models.DateTimeField(null=True, blank=True)
    # The one connection that speaks for this seat: a newer one takes its place.
    connection = models.CharField(max_length=120, blank=True)
    page = models.CharField(max_length=40, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["room", "user"],
                condition=Q(user__isnull=False),
                name="one_seat_for_one_person_in_a_room",
            ),
            models.CheckConstraint(
                condition=Q(role="guest", user__isnull=True, token_digest__isnull=False)
                | (~Q(role="guest") & Q(user__isnull=False, token_digest__isnull=True)),
                name="a_seat_is_a_persons_or_a_guests",
            ),
            models.CheckConstraint(
                condition=Q(connection="") | Q(admitted_at__isnull=False) | Q(waiting_since_at__isnull=False),
                name="a_connected_seat_waits_or_is_let_in",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} of {self.room_id.hex[:8]}"


class SeatEvent(models.Model):
    """One line of a room's book: who came, was let in, was connected, left."""

    id = models.BigAutoField(primary_key=True)
    seat = models.ForeignKey(Seat, models.PROTECT, related_name="events")
    kind = models.CharField(max_length=10, choices=[(k, k) for k in SEAT_EVENTS])
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["seat", "at"], name="book_of_a_seat")]
        triggers = [append_only("lines_of_the_book_stay_as_written")]

    def __str__(self) -> str:
        return f"{self.kind} {self.at:%H:%M:%S}"
