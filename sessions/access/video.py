"""The video room of a dosing day: hook `room.about`. The coach is on video for the set-up and the close (protocol 8, T-30 and T+75)."""

from datetime import datetime, timedelta

from django.urls import reverse

from accounts.models import User
from sessions import states
from sessions.models import DosingSession
from video.access import Visit
from video.models import Room, Seat

ABOUT = "dosing.session"
# From before the day begins until the end of the eight hours in which somebody can be reached.
BEFORE, AFTER = timedelta(hours=2), timedelta(hours=8)
OPEN = (*states.ACTIVE, states.RELEASED)


def video_hours(session: DosingSession) -> tuple[datetime, datetime]:
    """Between when this day's room can be open."""
    return session.scheduled_at - BEFORE, session.scheduled_at + AFTER


def about_session(*, room: Room, seat: Seat, at: datetime) -> Visit | None:
    """The session of a room as its pages show it, and what forbids this seat to come in now."""
    if room.about_type != ABOUT:
        return None
    session = (
        DosingSession.objects.select_related("patient__user", "patient__care_team__coach", "sitter")
        .filter(pk=room.about_id)
        .first()
    )
    if session is None:
        return None
    clinician = seat.role == Seat.Role.CLINICIAN
    page = reverse("sessions:session", args=[session.pk])
    her = session.patient.user
    coach = coach_of(session)
    closed = [] if session.state in OPEN else [("session_not_open", "This session is not going on now.")]
    return Visit(
        title=f"Session {session.number} with {her if clinician else coach or 'your care team'}",
        starts_at=session.scheduled_at,
        ends_at=video_hours(session)[1],
        back_url=page,
        after_url=page if clinician else "",
        steps_url="" if clinician else page,
        refusals=closed,
        expected_at=None,
        phone="" if seat.role == Seat.Role.GUEST else her.phone or "",
        with_words=str(coach or "Your care team"),
        at_hand=_at_hand(session) if clinician else [],
        reach=[("sms", her)] if her.phone else [("email", her)],
        reach_url=page,
    )


def coach_of(session: DosingSession) -> User | None:
    """Who is on video on this day: the coach, else the psychiatrist; None when nobody is assigned."""
    team = getattr(session.patient, "care_team", None)
    return (team.coach or team.psychiatrist) if team is not None else None


def _at_hand(session: DosingSession) -> list[tuple[str, str]]:
    contact = f"{session.emergency_contact_name}, {session.emergency_contact_phone}".strip(", ")
    sitter = session.sitter
    return [
        (
            "Where they are now",
            session.location_address if session.location_confirmed_at else "not confirmed yet",
        ),
        ("Sitter", f"{sitter.name}, {sitter.phone}" if sitter is not None else "not named"),
        ("Their phone", session.patient.user.phone or "none on file"),
        ("Emergency contact", contact if session.emergency_confirmed_at else "not confirmed yet"),
    ]
