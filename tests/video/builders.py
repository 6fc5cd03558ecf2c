"""A room with its two people."""

import datetime as dt
from typing import Any

from accounts.models import Patient, User
from consults import actions as consults
from tests.consults.builders import an_appointment, any_protocol
from video import access
from video.models import Room, Seat


def a_visit(patient: User, clinician: User, at: dt.datetime, **fields: Any) -> Any:
    """A booked consult that begins in five minutes; the patient has said at the door who and where she is."""
    any_protocol(at, clinician)
    fields.setdefault("patient_arrived_at", at)
    return an_appointment(patient, clinician, at + dt.timedelta(minutes=5), **fields)


def a_room(patient: User, clinician: User, at: dt.datetime) -> Room:
    """The room of such a visit, opened by the clinician; nobody is in it yet."""
    visit = a_visit(patient, clinician, at)
    return consults.open_visit_room(visit, by=clinician, at=at)


def her_seat(room: Room) -> Seat:
    return Seat.objects.select_related("room", "user").get(room=room, role="patient")


def their_seat(room: Room) -> Seat:
    return Seat.objects.select_related("room", "user").get(room=room, role="clinician")


def seat(user: User, room: Room) -> Seat:
    return access.seat_of(user, room.pk)


def patient_of(user: User) -> Patient:
    return Patient.objects.get(pk=user.pk)
