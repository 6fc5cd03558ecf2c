"""Who sits where, who may come in, and what upper apps know about the visit of a room."""

import hashlib
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core import signing
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.urls import reverse

from accounts.models import User
from common import hooks
from common.errors import Conflict, NotVisible
from video import rules, wording
from video.models import Room, Seat, SeatEvent

SALT = "video.pass"
MOST_WAITING = 5


@dataclass(frozen=True)
class Visit:
    """What the app that opened the room says about its visit (hook `room.about`)."""

    title: str
    starts_at: datetime
    ends_at: datetime
    back_url: str
    # Rises whenever the visit is moved: whoever came to the former time has not come to this one.
    sequence: int = 0
    # Codes and sentences of what forbids this seat to come in now: a lapsed licence, a cancelled visit.
    refusals: list[tuple[str, str]] = field(default_factory=list)
    # The waiting room: how many are before her, and when it is her turn as things stand.
    place: int = 1
    expected_at: datetime | None = None
    after_url: str = ""
    phone: str = ""
    # Who is expected on the other side, as the waiting room says it.
    with_words: str = "Your care team"
    # Where somebody who has not said who and where they are does so; empty when nothing of it is missing.
    entry_url: str = ""
    # Where whoever has no account is, when it is known; "" means that nobody has said it.
    time_zone: str = ""
    # What the clinician needs at hand while they talk: where help would have to be sent, whom to call.
    at_hand: list[tuple[str, str]] = field(default_factory=list)
    # Ways to reach who is expected, for the news that it begins later: (channel, person or address).
    reach: list[tuple[str, User | str]] = field(default_factory=list)
    reach_url: str = ""
    # Where what has to be done meanwhile goes on, in another tab: the steps of a dosing day.
    steps_url: str = ""


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


def browser_may_sit(seat: Seat, browser: str) -> bool:
    """Is this the browser that came in with the guest's link? A forwarded link takes nobody's place."""
    return bool(seat.browser_digest) and secrets.compare_digest(seat.browser_digest, digest(browser))


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
    theirs = (visit or visit_of(seat, at=at)).refusals
    if is_in_the_visit(seat, at=at):
        theirs = [one for one in theirs if one[0] not in rules.ONLY_AT_THE_DOOR]
    # That it was cancelled says more than that it is over.
    return [one for one in theirs if one[0] == "visit_cancelled"] or found or list(theirs)


def may_come_in(seat: Seat, *, at: datetime, visit: Visit | None = None) -> None:
    """Raises Conflict with the first reason against it."""
    for code, sentence in refusals(seat, at=at, visit=visit):
        raise Conflict(sentence, code=code)


def pass_for(seat: Seat) -> str:
    """What a browser shows at the WebSocket: this seat of this room, for a quarter of an hour. Bound to nothing that can be guessed."""
    named = {"seat": seat.pk.hex, "room": seat.room_id.hex, "browser": seat.browser_digest[:16]}
    return signing.dumps(named, salt=SALT)


def seat_of_pass(text: str) -> Seat:
    """The seat a pass names. Raises Conflict (pass_over, no_seat)."""
    try:
        named = signing.loads(text, salt=SALT, max_age=rules.PASS_SECONDS)
    except signing.SignatureExpired:
        raise Conflict(wording.refusal("pass_over"), code="pass_over") from None
    except signing.BadSignature:
        raise Conflict(wording.refusal("no_seat"), code="no_seat") from None
    seat = Seat.objects.filter(pk=named["seat"], room_id=named["room"]).select_related("room", "user").first()
    if seat is None or named["browser"] != seat.browser_digest[:16]:
        raise Conflict(wording.refusal("no_seat"), code="no_seat")
    return seat


def zone_of(seat: Seat, visit: Visit) -> str:
    """Where the reader of this seat's pages is: as they said it, or else where the practice is."""
    if seat.user is not None:
        return str(seat.user.time_zone)
    known = visit.time_zone if seat.guest_kind == Seat.GuestKind.CALLER else ""
    return known or str(settings.PRACTICE["time_zone"])


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


def waiting_in(room: Room) -> list[Seat]:
    """Who has come and was not let in yet, there or gone again meanwhile (`still_here`)."""
    return [seat for seat in seats_of(room) if seat.waiting_since_at is not None and seat.admitted_at is None]


def still_here(seat: Seat, *, at: datetime) -> bool:
    """Was the page of somebody who waits heard of lately? Before it was ever heard of, it counts from when they came."""
    last = max((one for one in (seat.seen_at, seat.waiting_since_at) if one is not None), default=None)
    return last is not None and last >= at - timedelta(seconds=rules.AWAY_SECONDS)


def connected_in(room: Room, *, at: datetime) -> list[Seat]:
    """Who is let in and connected now."""
    lately = at - timedelta(seconds=rules.SILENT_SECONDS)
    return [
        seat
        for seat in seats_of(room)
        if seat.admitted_at and seat.connection and seat.seen_at and seat.seen_at >= lately
    ]


def is_in_the_visit(seat: Seat, *, at: datetime) -> bool:
    """Let in, and heard of lately: connected, or cut off a moment ago."""
    lately = at - timedelta(seconds=rules.STAYS_SECONDS)
    return seat.admitted_at is not None and seat.seen_at is not None and seat.seen_at >= lately


def they_still_talk(room: Room, *, at: datetime) -> bool:
    """A clinician and somebody else are connected now."""
    there = connected_in(room, at=at)
    return len(there) > 1 and any(seat.role == Seat.Role.CLINICIAN for seat in there)


def waiting_for(user: User, *, at: datetime) -> QuerySet[Seat]:
    """Everybody who sits in a waiting room of this clinician now, or has asked there to be called; the longest wait first."""
    return (
        Seat.objects.filter(
            Q(admitted_at__isnull=True) | Q(phone_asked_at__isnull=False),
            Exists(
                Seat.objects.filter(
                    room=OuterRef("room"),
                    user=user,
                    role=Seat.Role.CLINICIAN,
                    removed_at__isnull=True,
                )
            ),
            room__closed_at__isnull=True,
            room__opens_at__lte=at,
            room__closes_at__gt=at,
            waiting_since_at__isnull=False,
            removed_at__isnull=True,
        )
        .exclude(role=Seat.Role.CLINICIAN)
        .select_related("room", "user")
        .order_by("waiting_since_at", "id")
    )


def waiting_in_vain(*, at: datetime, limit: int = 100) -> list[tuple[Seat, Visit]]:
    """Who still waits ten minutes after their turn as the waiting room told it, while no clinician is in the room."""
    found = []
    long_ago = at - timedelta(minutes=rules.IN_VAIN_MINUTES)
    rows = (
        Seat.objects.filter(
            Q(role=Seat.Role.PATIENT) | Q(guest_kind=Seat.GuestKind.CALLER),
            waiting_since_at__lte=long_ago,
            admitted_at__isnull=True,
            removed_at__isnull=True,
            room__closed_at__isnull=True,
            room__closes_at__gt=at,
        )
        .select_related("room__patient__user", "user")
        .order_by("waiting_since_at", "id")
    )
    for seat in rows[:limit]:
        hosts = [one for one in connected_in(seat.room, at=at) if one.role == Seat.Role.CLINICIAN]
        if hosts or not still_here(seat, at=at):
            continue
        visit = visit_of(seat, at=at)
        turn = visit.starts_at + timedelta(minutes=seat.room.late_minutes)
        if max(turn, seat.waiting_since_at or turn) <= long_ago and not visit.refusals:
            found.append((seat, visit))
    return found


def waiting_lines(user: User, *, at: datetime, but: str = "") -> list[dict[str, Any]]:
    """Each person who waits: their name, since when, whether they are still there, and the room to open.

    `but`: the room whose page this is shows its own people itself.
    """
    return [
        {
            "name": display_name(seat, to=seat),
            "since": seat.waiting_since_at,
            "here": still_here(seat, at=at),
            "phone": seat.phone_asked_at is not None,
            "waits": seat.admitted_at is None,
            "url": reverse("video:room", args=[seat.room_id]),
        }
        for seat in waiting_for(user, at=at)[:MOST_WAITING]
        if str(seat.room_id) != but
    ]


# Whose visit it is: the patient, or somebody without an account who has booked a call.
WHO_COMES = Q(seat__role=Seat.Role.PATIENT) | Q(seat__guest_kind=Seat.GuestKind.CALLER)
WHO_HOLDS_IT = Q(seat__role=Seat.Role.CLINICIAN)


def book_of(room: Room, whose: Q) -> list[tuple[str, datetime]]:
    """The lines about these seats."""
    return list(
        SeatEvent.objects.filter(whose, seat__room=room).order_by("at", "id").values_list("kind", "at")
    )


def attendance_of(room: Room, *, starts_at: datetime, ends_at: datetime) -> rules.Attendance:
    """What the book says about whether the visit took place; no word of a person is in it."""
    return rules.attendance(
        book_of(room, WHO_COMES),
        book_of(room, WHO_HOLDS_IT),
        starts_at=starts_at,
        ends_at=ends_at,
    )
