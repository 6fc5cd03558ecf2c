"""The video room of a visit: opened for its two people, closed with it, and what its book says when nobody has said anything."""

from datetime import datetime, timedelta

from django.db import transaction

from accounts.models import User
from common import audit, states
from common.errors import Conflict, MoveNotAllowed, NotPermitted
from consults.access.rooms import ABOUT, INTRODUCTION, room_hours
from consults.access.waiting import nobody_knows_who
from consults.actions.missed import after_a_missed_visit
from consults.models import Appointment, Introduction
from consults.states import APPOINTMENT_MOVES
from notify.actions import cancel_for
from video import actions as rooms
from video.access import attendance_of, guest_seat
from video.models import Room, Seat

# So long after the end the clinician has had the time to say it; then the book speaks where it is clear.
GRACE = timedelta(minutes=30)
# What stays booked for longer than this waits on the clinician's list, and the book is asked no more.
BOOK_IS_ASKED_FOR = timedelta(days=2)


def open_visit_room(appointment: Appointment, *, by: User, at: datetime) -> Room:
    """The room of this visit with a seat for its patient and its clinician. Raises Conflict when the visit is not booked."""
    if by.pk not in (appointment.patient_id, appointment.clinician_id):
        raise NotPermitted("Only the people of this visit open its room.")
    if appointment.state not in ("booked", "completed", "no_show"):
        raise Conflict("This visit is not booked.", code="not_booked")
    opens_at, closes_at = room_hours(appointment)
    return rooms.open_room(
        about_type=ABOUT,
        about_id=appointment.pk,
        patient=appointment.patient,
        people=[
            (appointment.patient.user, Seat.Role.PATIENT),
            (appointment.clinician, Seat.Role.CLINICIAN),
        ],
        opens_at=opens_at,
        closes_at=closes_at,
        by=by,
        at=at,
    )


def open_introduction_room(row: Introduction, *, by: User | str, at: datetime) -> Room:
    """The room of an introductory call, with a seat for its clinician. Raises Conflict when the call is not booked."""
    if isinstance(by, User) and by.pk != row.clinician_id:
        raise NotPermitted("Only the clinician of this call opens its room.")
    if row.state == "cancelled":
        raise Conflict("This call is not booked.", code="not_booked")
    opens_at, closes_at = room_hours(row)
    return rooms.open_room(
        about_type=INTRODUCTION,
        about_id=row.pk,
        patient=None,
        people=[(row.clinician, Seat.Role.CLINICIAN)],
        opens_at=opens_at,
        closes_at=closes_at,
        by=by,
        at=at,
    )


def caller_comes(room: Room, *, name: str, at: datetime) -> tuple[str, str]:
    """The caller comes in from the browser that showed the call's link: the secret of the seat, and the browser's own."""
    secret = rooms.seat_for_caller(room, name=name, at=at)
    _, browser = rooms.come_by_link(guest_seat(secret, at=at), at=at)
    return secret, browser


def follow_visit(row: Appointment | Introduction, *, at: datetime) -> None:
    """Its room, if it has one, moves with a moved visit and ends with a cancelled one."""
    about = ABOUT if isinstance(row, Appointment) else INTRODUCTION
    room = Room.objects.filter(about_type=about, about_id=row.pk).first()
    if room is None:
        return
    if row.state == "cancelled":
        rooms.close_room(room, by="system:cancelled", at=at)
    else:
        opens_at, closes_at = room_hours(row)
        rooms.move_room(room, opens_at=opens_at, closes_at=closes_at, at=at)


def say_late(appointment: Appointment, *, minutes: int, by: User, at: datetime) -> Room:
    """The clinician runs late, said from the visit's page: nobody has to sit in the room for it."""
    return rooms.say_late(open_visit_room(appointment, by=by, at=at), minutes=minutes, by=by, at=at)


def close_by_attendance(*, at: datetime, limit: int = 100) -> dict[str, int]:
    """Visits that are over and of which nobody has said anything: completed or missed where the book is clear.

    A person's word is never touched: only visits still booked are looked at, by compare-and-set. What is unclear stays booked
    and waits for the clinician.
    """
    due = (
        Appointment.objects.filter(
            state="booked", during__endswith__lt=at - GRACE, during__endswith__gt=at - BOOK_IS_ASKED_FOR
        )
        .select_related("patient__user", "clinician")
        .order_by("during")[:limit]
    )
    rows = {row.pk: row for row in due}
    counts = {"completed": 0, "no_show": 0, "unclear": 0}
    for room in Room.objects.filter(about_type=ABOUT, about_id__in=list(rows)):
        row = rows[room.about_id]
        found = attendance_of(room, starts_at=row.starts_at, ends_at=row.ends_at + timedelta(hours=1))
        counts[found.finding] += 1
        if found.finding == "unclear" or (found.finding == "completed" and nobody_knows_who(row)):
            continue
        try:
            with transaction.atomic():
                states.move(
                    row,
                    found.finding,
                    moves=APPOINTMENT_MOVES,
                    by="system:attendance",
                    at=at,
                    reasons=found.reasons,
                )
                audit.record(
                    "visit.completed" if found.finding == "completed" else "visit.missed",
                    by="system:attendance",
                    at=at,
                    about=row,
                    patient_id=row.patient_id,
                    detail={"together_minutes": round(found.together_minutes, 1)},
                )
                cancel_for(row, at=at, why="the visit is over")
                after_a_missed_visit(row, by="system:attendance", at=at)
        except MoveNotAllowed:
            continue  # Somebody said it a moment ago, and that stands.
    return counts
