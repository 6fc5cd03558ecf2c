"""The video room of a visit: opened for its two people, moved and closed with it."""

from datetime import datetime

from accounts.models import User
from common.errors import Conflict, NotPermitted
from consults.access.rooms import ABOUT, INTRODUCTION, room_hours
from consults.models import Appointment, Introduction
from video import actions as rooms
from video.access import guest_seat
from video.models import Room, Seat


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
