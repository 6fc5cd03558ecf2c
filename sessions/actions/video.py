"""The coach comes on video on a dosing day, or is asked to."""

from datetime import datetime

from accounts.models import User
from common.errors import Conflict, NotPermitted
from sessions.access.video import ABOUT, OPEN, coach_of, video_hours
from sessions.models import DosingSession
from video import actions as rooms
from video.models import Room, Seat


def open_session_room(session: DosingSession, *, by: User, at: datetime) -> Room:
    """The room of this day, with a seat for the patient, their coach, and whoever of the care team opens it.

    Raises Conflict when the session is not going on, or nobody is assigned.
    """
    coach = coach_of(session)
    if session.state not in OPEN:
        raise Conflict("This session is not going on now.", code="session_not_open")
    if coach is None:
        raise Conflict("Nobody is assigned yet. Please call us.", code="nobody_assigned")
    if by.role not in ("coach", "psychiatrist") and by.pk != session.patient_id:
        raise NotPermitted("Only the people of this session open its room.")
    hosts = {coach.pk: coach}
    seated = Seat.objects.filter(
        room__about_type=ABOUT, room__about_id=session.pk, role=Seat.Role.CLINICIAN, removed_at__isnull=True
    )
    for seat in seated.select_related("user"):
        if seat.user is not None:
            hosts[seat.user.pk] = seat.user
    if by.pk != session.patient_id:
        hosts[by.pk] = by
    opens_at, closes_at = video_hours(session)
    return rooms.open_room(
        about_type=ABOUT,
        about_id=session.pk,
        patient=session.patient,
        people=[
            (session.patient.user, Seat.Role.PATIENT),
            *((one, Seat.Role.CLINICIAN) for one in hosts.values()),
        ],
        opens_at=opens_at,
        closes_at=closes_at,
        by=by,
        at=at,
    )
