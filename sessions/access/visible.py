"""Querysets of sessions, links and journals, by who is asking."""

import uuid
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from accounts.access import patients_visible_to
from accounts.models import Patient
from common.clock import local_date
from common.errors import NotVisible
from sessions import rules, states
from sessions.models import (
    Checkpoint,
    Course,
    CourseStop,
    DosingSession,
    JournalEntry,
    SitterLink,
    token_digest,
)

PEOPLE = (
    "patient__user",
    "patient__care_team__psychiatrist",
    "patient__care_team__coach",
    "course__order",
    "course__protocol",
    "sitter",
)


def sessions_visible_to(user: Any) -> QuerySet[DosingSession]:
    """A patient's own sessions, a clinician's patients' sessions, nobody else's."""
    return DosingSession.objects.filter(patient__in=patients_visible_to(user)).select_related(*PEOPLE)


def visible_session(user: Any, session_id: uuid.UUID | str) -> DosingSession:
    """That session with its people, order and protocol, or NotVisible."""
    session = sessions_visible_to(user).filter(pk=session_id).first()
    if session is None:
        raise NotVisible("There is no such page.")
    return session


def course_of(patient: Patient) -> Course | None:
    """The course that is open, else the newest one."""
    courses = Course.objects.filter(patient=patient).select_related("order", "protocol")
    return courses.filter(state__in=states.COURSE_OPEN).first() or courses.order_by("-started_at").first()


def sessions_of(course: Course) -> list[DosingSession]:
    """The sessions of a course in their order."""
    return list(DosingSession.objects.filter(course=course).select_related(*PEOPLE).order_by("number"))


def active_session(patient: Patient) -> DosingSession | None:
    """The session going on now, if any; the database allows one."""
    return (
        DosingSession.objects.filter(patient=patient, state__in=states.ACTIVE).select_related(*PEOPLE).first()
    )


def under_the_medicine(patient: Patient) -> bool:
    """Is a dose taken and the session not yet over? Then whatever comes from patient or sitter is looked at now."""
    return DosingSession.objects.filter(patient=patient, state__in=(states.DOSING, states.OBSERVING)).exists()


def patient_beside(phone: str) -> Patient | None:
    """Whom somebody with this number sits with in a session that goes on now; None for every other number."""
    links = SitterLink.objects.filter(
        revoked_at__isnull=True, session__state__in=(*states.ACTIVE, states.RELEASED)
    )
    # The number is encrypted, so it is compared here: no more rows than sessions going on at once.
    rows = links.select_related("sitter", "session__patient__user").order_by("-session__scheduled_at")
    return next((row.session.patient for row in rows if phone and row.sitter.phone == phone), None)


def next_session(patient: Patient) -> DosingSession | None:
    """The session going on now, else one to follow up, else the next to come."""
    sessions = DosingSession.objects.filter(
        patient=patient, course__state__in=states.COURSE_OPEN
    ).select_related(*PEOPLE)
    return (
        sessions.filter(state__in=states.ACTIVE).first()
        or sessions.filter(state=states.RELEASED).order_by("-scheduled_at").first()
        or sessions.filter(state=states.SCHEDULED).order_by("number").first()
    )


def sessions_for_staff(user: Any, *, at: datetime, zone: str) -> dict[str, list[DosingSession]]:
    """A clinician's board: going on now, today, coming, and to be followed up. Two queries."""
    seen = sessions_visible_to(user).prefetch_related("checkpoints", "sitter_links")
    live = list(seen.filter(state__in=(*states.ACTIVE, states.RELEASED)).order_by("scheduled_at"))
    coming = list(
        seen.filter(state=states.SCHEDULED, course__state__in=states.COURSE_OPEN).order_by("scheduled_at")[
            :60
        ]
    )
    today = local_date(at, zone)
    return {
        "now": [s for s in live if s.state in states.ACTIVE],
        "follow_up": [s for s in live if s.state == states.RELEASED],
        "today": [s for s in coming if local_date(s.scheduled_at, zone) <= today],
        "coming": [s for s in coming if local_date(s.scheduled_at, zone) > today],
    }


def link_by_token(token: str, *, at: datetime) -> SitterLink:
    """The sitter's link behind a secret, while it is valid; NotVisible for anything else, whatever the reason."""
    link = (
        SitterLink.objects.select_related("sitter", *(f"session__{name}" for name in PEOPLE))
        .filter(digest=token_digest(token), revoked_at__isnull=True, expires_at__gt=at)
        .first()
    )
    if link is None:
        raise NotVisible("This link is not valid any more. Ask for a new one.")
    return link


def live_link(session: DosingSession) -> SitterLink | None:
    """The sitter's link of a session that was not replaced."""
    return (
        SitterLink.objects.filter(session=session, revoked_at__isnull=True).select_related("sitter").first()
    )


def checkpoints_of(session: DosingSession) -> list[Checkpoint]:
    """What is due in this session, in order; cancelled ones left out."""
    return list(
        Checkpoint.objects.filter(session=session, cancelled_at__isnull=True)
        .select_related("reading")
        .order_by("due_at", "kind")
    )


def journal_of(patient: Patient) -> QuerySet[JournalEntry]:
    """A patient's own journal, newest first. Only for the patient."""
    return (
        JournalEntry.objects.filter(patient=patient).select_related("session").order_by("-written_at", "-id")
    )


def shared_journal_of(user: Any, patient: Patient) -> QuerySet[JournalEntry]:
    """The entries a patient shared, for the care team."""
    return (
        JournalEntry.objects.filter(
            Q(patient=patient) & Q(patient__in=patients_visible_to(user)), shared_at__isnull=False
        )
        .select_related("session")
        .order_by("-written_at")
    )


def driving_allowed(patient: Patient, *, at: datetime) -> bool:
    """Driving waits for the next day after sleep."""
    last = DosingSession.objects.filter(patient=patient, dose_at__isnull=False).order_by("-dose_at").first()
    if last is None or last.dose_at is None:
        return True
    zone = patient.user.time_zone
    return rules.driving_unlocked(
        dose_at=last.dose_at,
        slept=last.slept_at is not None,
        local_day_of_dose=local_date(last.dose_at, zone).toordinal(),
        local_day_now=local_date(at, zone).toordinal(),
    )


def stop_of(course: Course | None) -> CourseStop | None:
    """Why a psychiatrist ended this course early, if one did."""
    if course is None or course.state != states.STOPPED:
        return None
    return CourseStop.objects.filter(course=course).select_related("by").first()
