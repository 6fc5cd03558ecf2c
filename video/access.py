"""Who sits where, who may come in, and what upper apps know about the visit of a room."""

import hashlib
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.core import signing
from django.db.models import QuerySet

from accounts.models import User
from common import hooks
from common.errors import Conflict, NotVisible
from video import rules, wording
from video.models import Room, Seat, SeatEvent

SALT = "video.pass"


@dataclass(frozen=True)
class Visit:
    """What the app that opened the room says about its visit (hook `room.about`)."""

    title: str
    starts_at: datetime
    ends_at: datetime
    back_url: str
    # Codes and sentences of what forbids this seat to come in now: a lapsed licence, a cancelled visit.
    refusals: list[tuple[str, str]] = field(default_factory=list)
    # The waiting room: how many are before her, and when it is her turn as things stand.
    place: int = 1
    expected_at: datetime | None = None
    after_url: str = ""
    phone: str = ""
    # Who is expected on the other side, as the waiting room says it.
    with_words: str = "Your care team"


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def seat_of(user: Any, room_id: uuid.UUID | str) -> Seat:
    """The place of this person in that room, or NotVisible."""
    seat = (
        Seat.objects.filter(room_id=room_id, user_id=user.pk, removed_at__isnull=True)
        .select_related("room", "user")
        .first()
        if user is not None and user.is_authenticated
        else None
    )
    if seat is None:
        raise NotVisible("There is no such page.")
    return seat


def guest_seat(token: str, *, at: datetime) -> Seat:
    """The place behind a guest's link, or NotVisible: wrong, ended and over look the same."""
    seat = (
        Seat.objects.filter(token_digest=digest(token), removed_at__isnull=True)
        .select_related("room", "user")
        .first()
    )
    if seat is None or seat.room.closed_at is not None or at >= seat.room.closes_at:
        raise NotVisible("There is no such page.")
    return seat


def visit_of(seat: Seat, *, at: datetime) -> Visit:
    """What the visit is, from whoever opened the room. Raises NotVisible when nobody knows it any more."""
    for answer in hooks.run("room.about", room=seat.room, seat=seat, at=at):
        if answer is not None:
            visit: Visit = answer
            return visit
    raise NotVisible("There is no such page.")


def refusals(seat: Seat, *, at: datetime, visit: Visit | None = None) -> list[tuple[str, str]]:
    """Why this seat may not be taken now, as codes and sentences; empty means it may."""
    room = seat.room
    codes = rules.refusals(
        rules.RoomFacts(room.opens_at, room.closes_at, room.closed_at is not None),
        rules.SeatFacts(
            removed=seat.removed_at is not None,
            is_guest=seat.role == Seat.Role.GUEST,
            user_is_active=seat.user is not None and seat.user.is_active,
        ),
        at=at,
    )
    found = [(code, wording.refusal(code)) for code in sorted(codes)]
    return found or list((visit or visit_of(seat, at=at)).refusals)


def may_come_in(seat: Seat, *, at: datetime, visit: Visit | None = None) -> None:
    """Raises Conflict with the first reason against it."""
    for code, sentence in refusals(seat, at=at, visit=visit):
        raise Conflict(sentence, code=code)


def pass_for(seat: Seat) -> str:
    """What a browser shows at the WebSocket: this seat of this room, for a quarter of an hour. Bound to nothing that can be guessed."""
    return signing.dumps({"seat": seat.pk.hex, "room": seat.room_id.hex}, salt=SALT)


def seat_of_pass(text: str) -> Seat:
    """The seat a pass names. Raises Conflict (pass_over, no_seat)."""
    try:
        named = signing.loads(text, salt=SALT, max_age=rules.PASS_SECONDS)
    except signing.SignatureExpired:
        raise Conflict(wording.refusal("pass_over"), code="pass_over") from None
    except signing.BadSignature:
        raise Conflict(wording.refusal("no_seat"), code="no_seat") from None
    seat = Seat.objects.filter(pk=named["seat"], room_id=named["room"]).select_related("room", "user").first()
    if seat is None:
        raise Conflict(wording.refusal("no_seat"), code="no_seat")
    return seat


def display_name(seat: Seat, *, to: Seat) -> str:
    """What the others read under a picture. A guest reads no family name of a patient."""
    if seat.role == Seat.Role.GUEST:
        return f"{seat.guest_name} ({seat.get_guest_kind_display().lower()})"
    person: User | None = seat.user
    if person is None:
        return seat.get_role_display()
    if to.role == Seat.Role.GUEST and seat.role == Seat.Role.PATIENT:
        return person.full_name.split(" ")[0]
    return str(person)


def seats_of(room: Room) -> QuerySet[Seat]:
    """Everybody with a place there, in the order they were given one."""
    return room.seats.filter(removed_at__isnull=True).select_related("user").order_by("created_at", "id")


def waiting_in(room: Room, *, at: datetime) -> list[Seat]:
    """Who waits to be let in and was heard of lately."""
    return [seat for seat in seats_of(room) if seat.waiting_since_at is not None and seat.admitted_at is None]


def connected_in(room: Room, *, at: datetime) -> list[Seat]:
    """Who is let in and connected now."""
    lately = at - timedelta(seconds=rules.SILENT_SECONDS)
    return [
        seat
        for seat in seats_of(room)
        if seat.admitted_at and seat.connection and seat.seen_at and seat.seen_at >= lately
    ]


def rooms_waiting_for(user: User, *, at: datetime) -> QuerySet[Seat]:
    """Patients who sit in a waiting room of this clinician now."""
    return (
        Seat.objects.filter(
            room__seats__user=user,
            room__seats__role=Seat.Role.CLINICIAN,
            room__closed_at__isnull=True,
            room__closes_at__gt=at,
            role=Seat.Role.PATIENT,
            waiting_since_at__isnull=False,
            admitted_at__isnull=True,
        )
        .select_related("room", "user")
        .order_by("waiting_since_at")
    )


def book_of(room: Room, role: str) -> list[tuple[str, datetime]]:
    """The lines about everybody of that role."""
    return list(
        SeatEvent.objects.filter(seat__room=room, seat__role=role)
        .order_by("at", "id")
        .values_list("kind", "at")
    )


def attendance_of(room: Room, *, starts_at: datetime, ends_at: datetime) -> rules.Attendance:
    """What the book says about whether the visit took place; no word of a person is in it."""
    return rules.attendance(
        book_of(room, Seat.Role.PATIENT),
        book_of(room, Seat.Role.CLINICIAN),
        starts_at=starts_at,
        ends_at=ends_at,
    )
