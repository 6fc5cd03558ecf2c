"""The video room of a visit: opened for its two people, closed with it, and what its book says when nobody has said anything."""

from datetime import datetime, timedelta

from django.db import transaction

from accounts.models import User
from common import audit, states
from common.errors import Conflict, MoveNotAllowed, NotPermitted
from consults.access.rooms import ABOUT, room_hours
from consults.models import Appointment
from consults.states import APPOINTMENT_MOVES
from notify.actions import cancel_for
from video import actions as rooms
from video.access import attendance_of
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


def close_by_attendance(*, at: datetime, limit: int = 100) -> dict[str, int]:
    """Visits that are over and of which nobody has said anything: completed or missed where the book is clear.

    A person's word is never touched: only visits still booked are looked at, by compare-and-set. What is unclear stays booked
    and waits for the clinician.
    """
    due = Appointment.objects.filter(
        state="booked", during__endswith__lt=at - GRACE, during__endswith__gt=at - BOOK_IS_ASKED_FOR
    ).order_by("during")[:limit]
    rows = {row.pk: row for row in due}
    counts = {"completed": 0, "no_show": 0, "unclear": 0}
    for room in Room.objects.filter(about_type=ABOUT, about_id__in=list(rows)):
        row = rows[room.about_id]
        found = attendance_of(room, starts_at=row.starts_at, ends_at=row.ends_at + timedelta(hours=1))
        counts[found.finding] += 1
        if found.finding == "unclear":
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
        except MoveNotAllowed:
            continue  # Somebody said it a moment ago, and that stands.
    return counts
