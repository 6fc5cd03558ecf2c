"""What the room of a visit has to know about it: hook `room.about`."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.urls import reverse

from accounts.access import licensed_states
from common import clock
from consults import wording
from consults.access.doubt import is_gone
from consults.access.introductions import introduction_token
from consults.access.slots import visit_settings
from consults.access.waiting import entry_to
from consults.models import Appointment, Introduction, VisitType
from consults.rules.doubt import Doubt
from consults.rules.line import InLine, place_in_line
from video.access import Visit, attendance_of
from video.models import Room, Seat

ABOUT = "consults.appointment"
INTRODUCTION = "consults.introduction"
# Visits of earlier in the day that nobody has closed hold nobody up for longer than this.
FORGOTTEN_AFTER = timedelta(hours=1)


def line_of(row: Appointment | Introduction, *, at: datetime, late_minutes: int = 0) -> tuple[int, datetime]:
    """Where this visit or call stands among all of the clinician's, and when it is its turn.

    Before it are those of earlier in the day whose patient or caller has come; what the clinician has ended is over.
    """
    caller = Seat.objects.filter(
        room__about_type=INTRODUCTION, room__about_id=OuterRef("pk"), guest_kind=Seat.GuestKind.CALLER,
        waiting_since_at__isnull=False, removed_at__isnull=True,
    )  # fmt: skip
    before = _earlier(Appointment.objects.filter(patient_arrived_at__isnull=False), ABOUT, row, at=at).union(
        _earlier(Introduction.objects.filter(Exists(caller)), INTRODUCTION, row, at=at), all=True
    )
    return place_in_line(
        InLine(row.starts_at, row.ends_at),
        [InLine(during.lower, during.upper) for (during,) in before[:20]],
        at=at,
        late_minutes=late_minutes,
    )


def _earlier(rows: QuerySet[Any], about: str, mine: Appointment | Introduction, *, at: datetime) -> Any:
    ended = Room.objects.filter(about_type=about, about_id=OuterRef("pk"), closed_at__isnull=False)
    return rows.filter(
        ~Exists(ended),
        clinician=mine.clinician_id,
        state="booked",
        during__startswith__lt=mine.starts_at,
        during__endswith__gt=at - FORGOTTEN_AFTER,
    ).values_list("during")


def about_room(*, room: Room, seat: Seat, at: datetime) -> Visit | None:
    """The visit of a room as its pages show it, and what forbids this seat to come in now."""
    if room.about_type != ABOUT:
        return None
    row = (
        Appointment.objects.select_related("patient__user", "clinician", "patient__care_team")
        .filter(pk=room.about_id)
        .first()
    )
    if row is None:
        return None
    refusals: list[tuple[str, str]] = []
    if row.state == "cancelled":
        refusals.append(("visit_cancelled", "This visit was cancelled."))
    if seat.role == Seat.Role.CLINICIAN and seat.user_id != row.clinician_id:
        refusals.append(("not_your_visit", "This visit has moved to somebody else."))
    gone = is_gone(row)
    if gone:
        # Nobody waits for somebody who does not come; the visit stands on the list of whoever finds another.
        refusals.append(("clinician_gone", wording.DOUBT_FOR_PATIENT[Doubt.GONE]))
    md = row.visit_type in (VisitType.CONSULT, VisitType.FOLLOW_UP)
    today = clock.local_date(at, row.patient.user.time_zone)
    if md and not gone and row.state_of_care not in licensed_states(row.clinician, today):
        refusals.append(("not_licensed_there", wording.NOT_LICENSED_THERE))
    patient = seat.role == Seat.Role.PATIENT
    entry_url = ""
    if patient and not refusals and not has_said_who_and_where(row):
        # Each visit anew, whatever address the browser came by.
        refusals.append(("entry_needed", wording.ENTRY_NEEDED))
        entry_url = reverse("consults:join", args=[row.pk])
    place, expected_at = line_of(row, at=at, late_minutes=room.late_minutes)
    clinician = seat.role == Seat.Role.CLINICIAN
    return Visit(
        title=f"{row.get_visit_type_display()} with {row.patient.user if clinician else row.clinician}",
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        sequence=row.sequence,
        back_url=reverse("consults:visit" if clinician else "consults:appointment", args=[row.pk]),
        after_url=reverse("consults:visit", args=[row.pk]) if clinician else "",
        refusals=refusals,
        place=place,
        expected_at=expected_at,
        phone="" if seat.role == Seat.Role.GUEST else row.patient.user.phone or "",
        with_words=str(row.clinician),
        entry_url=entry_url,
        at_hand=_at_hand(row) if clinician else [],
        reach=[
            (channel, row.patient.user)
            for channel in (("sms", "email") if row.patient.user.phone else ("email",))
        ],
        reach_url=reverse("consults:appointment", args=[row.pk]),
    )


def has_said_who_and_where(row: Appointment) -> bool:
    """Has the patient come to this visit at the time it has now, and said so at the door?"""
    return row.patient_arrived_at is not None and row.patient_arrived_at >= room_hours(row)[0]


def _at_hand(row: Appointment) -> list[tuple[str, str]]:
    """Where help would have to be sent while they talk, and whom to call."""
    entry = entry_to(row)
    patient = row.patient
    elsewhere = entry is not None and entry.at_address_on_file is False
    where = entry.address_now if entry is not None and elsewhere else patient.address
    contact = f"{patient.emergency_contact_name}, {patient.emergency_contact_phone}".strip(", ")
    return [
        (
            "Where they are now",
            f"{where or 'no address'}, {row.state_of_care}"
            if has_said_who_and_where(row)
            else "not said yet",
        ),
        ("Their phone", patient.user.phone or "none on file"),
        ("Emergency contact", contact or "none on file"),
    ]


def about_introduction(*, room: Room, seat: Seat, at: datetime) -> Visit | None:
    """The introductory call of a room: its caller has no account and no chart."""
    if room.about_type != INTRODUCTION:
        return None
    row = Introduction.objects.select_related("clinician").filter(pk=room.about_id).first()
    if row is None:
        return None
    clinician = seat.role == Seat.Role.CLINICIAN
    refusals: list[tuple[str, str]] = []
    if row.state == "cancelled":
        refusals.append(("visit_cancelled", "This call was cancelled."))
    if is_gone(row):
        refusals.append(("clinician_gone", wording.DOUBT_FOR_PATIENT[Doubt.GONE]))
    elif row.state_of_care not in licensed_states(row.clinician, clock.local_date(at, row.time_zone)):
        refusals.append(("not_licensed_there", wording.NOT_LICENSED_THERE))
    if clinician and seat.user_id != row.clinician_id:
        refusals.append(("not_your_visit", "This call has moved to somebody else."))
    page = reverse("consults:introduction_call", args=[row.pk]) if clinician else ""
    place, expected_at = line_of(row, at=at, late_minutes=room.late_minutes)
    return Visit(
        title=f"Introductory call with {row.name if clinician else row.clinician}",
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        sequence=row.sequence,
        back_url=page,
        after_url=page,
        refusals=refusals,
        place=place,
        expected_at=expected_at,
        time_zone=row.time_zone,
        phone=row.phone if clinician else "",
        with_words=str(row.clinician),
        reach=[(channel, to) for channel, to in (("sms", row.phone), ("email", row.email)) if to],
        reach_url=reverse("consults:introduction_link", args=[introduction_token(row)]),
    )


def room_hours(row: Appointment | Introduction) -> tuple[datetime, datetime]:
    """From a little before the start to an hour after the end."""
    minutes = visit_settings(row.starts_at)["join_opens_minutes_before"]
    return row.starts_at - timedelta(minutes=minutes), row.ends_at + timedelta(hours=1)


def room_of(row: Appointment) -> Room | None:
    """The open room of this visit, if somebody has come."""
    return Room.objects.filter(about_type=ABOUT, about_id=row.pk, closed_at__isnull=True).first()


def minutes_together(appointment: Appointment) -> int | None:
    """How long patient and clinician were in the room together, by the room's own book; None without a room."""
    # Rooms that are closed as well: the note is signed when the visit is over.
    rooms = list(Room.objects.filter(about_type=ABOUT, about_id=appointment.pk))
    if not rooms:
        return None
    until = appointment.ends_at + timedelta(hours=1)
    return round(
        sum(
            attendance_of(one, starts_at=appointment.starts_at, ends_at=until).together_minutes
            for one in rooms
        )
    )
