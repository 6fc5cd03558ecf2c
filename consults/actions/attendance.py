"""What the book of a room says of a visit when nobody has said anything: held, missed, or for a person to say."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import transaction

from common import audit, states
from common.errors import MoveNotAllowed
from consults.access.rooms import ABOUT, INTRODUCTION
from consults.access.waiting import nobody_knows_who, seen_at_the_door
from consults.actions.missed import after_a_missed_visit
from consults.models import Appointment, Introduction
from consults.states import APPOINTMENT_MOVES
from notify.actions import cancel_for
from video.access import attendance_of
from video.models import Room
from video.rules import Attendance

Row = TypeVar("Row", Appointment, Introduction)
BY = "system:attendance"
# So long after the end the clinician has had the time to say it; then the book speaks where it is clear.
GRACE = timedelta(minutes=30)
# What stays booked for longer than this waits on the clinician's list, and the book is asked no more.
BOOK_IS_ASKED_FOR = timedelta(days=2)


def close_by_attendance(*, at: datetime, limit: int = 100) -> dict[str, int]:
    """Visits and introductory calls that are over and of which nobody has said anything: completed or missed where the book is clear.

    A person's word is never touched: only what is still booked is looked at, by compare-and-set. What is unclear stays booked
    and waits for the clinician.
    """
    counts = {"completed": 0, "no_show": 0, "unclear": 0}
    over: dict[str, Any] = {
        "state": "booked",
        "during__endswith__lt": at - GRACE,
        "during__endswith__gt": at - BOOK_IS_ASKED_FOR,
    }
    visits = Appointment.objects.filter(**over).select_related("patient__user", "clinician")
    for visit, found in _with_their_books(ABOUT, visits.order_by("during")[:limit]):
        counts[_visit(visit, found, at=at)] += 1
    calls = Introduction.objects.filter(**over)
    for call, found in _with_their_books(INTRODUCTION, calls.order_by("during")[:limit]):
        counts[_call(call, found, at=at)] += 1
    return counts


def _with_their_books(about_type: str, rows: Iterable[Row]) -> Iterator[tuple[Row, Attendance]]:
    by_key = {row.pk: row for row in rows}
    for room in Room.objects.filter(about_type=about_type, about_id__in=list(by_key)):
        row = by_key[room.about_id]
        yield row, attendance_of(room, starts_at=row.starts_at, ends_at=row.ends_at + timedelta(hours=1))


def _visit(row: Appointment, found: Attendance, *, at: datetime) -> str:
    """The book knows only the room. Whoever said that they are here and saw no room, or was sent away at the door, came."""
    if found.finding == "no_show" and seen_at_the_door(row):
        return "unclear"
    if found.finding == "unclear" or (found.finding == "completed" and nobody_knows_who(row)):
        return "unclear"
    try:
        with transaction.atomic():
            states.move(row, found.finding, moves=APPOINTMENT_MOVES, by=BY, at=at, reasons=found.reasons)
            audit.record(
                "visit.completed" if found.finding == "completed" else "visit.missed",
                by=BY,
                at=at,
                about=row,
                patient_id=row.patient_id,
                detail={"together_minutes": round(found.together_minutes, 1)},
            )
            cancel_for(row, at=at, why="the visit is over")
            after_a_missed_visit(row, by=BY, at=at)
    except MoveNotAllowed:
        return "unclear"  # Somebody said it a moment ago, and that stands.
    return found.finding


def _call(row: Introduction, found: Attendance, *, at: datetime) -> str:
    """A caller who was given another room leaves nothing in the book of ours, so there it cannot say that nobody came."""
    if found.finding == "unclear" or (found.finding == "no_show" and row.meeting_url):
        return "unclear"
    with transaction.atomic():
        if not Introduction.objects.filter(pk=row.pk, state="booked").update(state=found.finding):
            return "unclear"
        audit.record(
            "introduction.closed",
            by=BY,
            at=at,
            about=row,
            detail={"state": found.finding, "together_minutes": round(found.together_minutes, 1)},
        )
        cancel_for(row, at=at, why="the call is over")
    return found.finding
