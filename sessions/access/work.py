"""Lines of the work list that follow from courses and sessions."""

import functools
import json
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Case, DateTimeField, Exists, F, Min, OuterRef, Q, Subquery, When
from django.urls import reverse

from accounts.models import Patient, Role, User
from common.clock import local_date
from common.models import StateEvent
from common.work import LIMIT, SOON_DAYS, WorkItem, clock_of, kinds, line
from safety.access import mine_or_unowned, stands_in_for
from safety.task_access import is_own, lands
from sessions import states
from sessions.models import Checkpoint, Course, DoseDecision, DosingSession, SafetyCheck
from vitals.models import Reading

# A dose is decided after each one before the next (protocol 8.1); only a signed decision settles it.
REVIEWED_DOSES = (1, 2, 3)
WAITS_A_DAY = timedelta(days=1)


@functools.lru_cache(maxsize=1)
def _data() -> dict[str, Any]:
    return json.loads((settings.BASE_DIR / "sessions" / "data" / "work.json").read_text())


@functools.lru_cache(maxsize=1)
def _gap_days() -> list[int]:
    """The protocol's limits of a gap between doses as they ship, the longest first."""
    data = json.loads((settings.BASE_DIR / "sessions" / "data" / "timeline.json").read_text())
    names = ("gap_restart_after_days", "gap_review_after_days", "gap_clinician_confirms_after_days")
    return [data[name] for name in names]


def work_items(*, user: User, at: datetime) -> list[WorkItem]:
    """A coach covers the dosing days; a psychiatrist clears, reviews, renews and lets go on."""
    covers = stands_in_for(user, at=at)
    items: list[WorkItem] = []
    if user.role == Role.COACH or Role.COACH in covers:
        items += _sessions(user, covers=covers, at=at)
        items += _practice(user, covers=covers, at=at)
    if user.role == Role.PSYCHIATRIST or Role.PSYCHIATRIST in covers:
        items += _answers(user, covers=covers)
        items += _held(user, covers=covers)
        items += _reviews(user, covers=covers, at=at)
        items += _orders(user, covers=covers, at=at)
    return items


def _line(
    kind: str, user: User, patient: Patient, *, role: str, key: Any, due_at: datetime, url: str, **also: Any
) -> WorkItem:
    return line(
        kind,
        key=str(key),
        owner=user,
        due_at=due_at,
        patient=patient,
        unowned=not is_own(user, patient, role),
        **lands(user, url, kinds()[kind]["action"], patient.pk),
        **also,
    )


def _sessions(user: User, *, covers: frozenset[str], at: datetime) -> list[WorkItem]:
    """Each session that is going on, coming within a week, missed, or in its morning after: one line, due with its next point."""
    today = at.astimezone(ZoneInfo(user.time_zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    open_course = Q(course__state__in=states.COURSE_OPEN)
    wanted = (
        Q(state__in=[*states.ACTIVE, states.RELEASED])
        | Q(state=states.MISSED) & open_course
        | Q(state=states.SCHEDULED, scheduled_at__lt=today + timedelta(days=SOON_DAYS + 1)) & open_course
    )
    rows = (
        DosingSession.objects.filter(wanted, mine_or_unowned(user, role=Role.COACH, covers=covers))
        .annotate(
            next_point_at=Subquery(
                Checkpoint.objects.filter(
                    session=OuterRef("pk"), done_at__isnull=True, cancelled_at__isnull=True
                )
                .order_by()
                .values("session")
                .annotate(first=Min("due_at"))
                .values("first")
            )
        )
        .select_related("patient__user", "patient__care_team")
        .order_by("scheduled_at", "id")
    )
    items = []
    for session in rows[:LIMIT]:
        due_at, waiting = session.scheduled_at, ""
        title = f"Session {session.number}"
        if session.state == states.PREPARING:
            kind, title = "session.release", f"{title}: {kinds()['session.release']['title'].lower()}"
        elif session.state in states.ACTIVE:
            kind, title = "session.live", f"{title} is going on"
            due_at = session.next_point_at or session.dose_at or session.scheduled_at
        elif session.state == states.RELEASED:
            kind, title = "session.follow_up", f"{title}: the morning after"
            due_at = session.next_point_at or (session.released_at or session.scheduled_at) + WAITS_A_DAY
            waiting = "the patient" if due_at >= at else ""
        elif session.state == states.MISSED:
            kind, title = "session.missed", f"{title} was missed: find a new day"
            due_at = session.scheduled_at + clock_of(kind)
        else:
            kind = "session.coming"
        items.append(
            _line(
                kind,
                user,
                session.patient,
                role="coach",
                key=session.pk,
                due_at=due_at,
                title=title,
                waiting_on=waiting,
                url=reverse("sessions:session", args=[session.pk]),
            )
        )
    return items


def _practice(user: User, *, covers: frozenset[str], at: datetime) -> list[WorkItem]:
    """First sessions within a week whose patient has not practised on two days: hers to do, the coach's two days before (G14)."""
    rows = list(
        DosingSession.objects.filter(
            mine_or_unowned(user, role=Role.COACH, covers=covers),
            number=1,
            state=states.SCHEDULED,
            course__state__in=states.COURSE_OPEN,
            scheduled_at__gt=at,
            scheduled_at__lt=at + timedelta(days=SOON_DAYS),
        )
        .select_related("patient__user", "patient__care_team", "course__protocol")
        .order_by("scheduled_at", "id")[:LIMIT]
    )
    zones = {row.patient_id: row.patient.user.time_zone for row in rows}
    days: dict[Any, set[Any]] = {patient_id: set() for patient_id in zones}
    for patient_id, when in Reading.objects.filter(
        patient__in=list(zones), phase=Reading.Phase.PRACTICE, rejected=False, received_at__lte=at
    ).values_list("patient", "received_at"):
        days[patient_id].add(local_date(when, zones[patient_id]))
    items = []
    for session in rows:
        wanted = session.course.protocol.data["gate"].get("practice_days_min", 0)
        if len(days[session.patient_id]) >= wanted:
            continue
        due_at = session.scheduled_at - clock_of("practice.missing")
        items.append(
            _line(
                "practice.missing",
                user,
                session.patient,
                role="coach",
                key=session.pk,
                due_at=due_at,
                title=f"Practised on {len(days[session.patient_id])} of {wanted} days before session 1",
                waiting_on="the patient" if due_at >= at else "",
                url=reverse("consults:treatment", args=[session.patient_id]),
            )
        )
    return items


def _answers(user: User, *, covers: frozenset[str]) -> list[WorkItem]:
    """Answers of the day that hold the dose until a psychiatrist clears them."""
    rows = (
        SafetyCheck.objects.filter(
            mine_or_unowned(user, role=Role.PSYCHIATRIST, covers=covers, path="session__patient__care_team"),
            session__state=states.PREPARING,
            cleared_at__isnull=True,
        )
        .exclude(positive=[])
        .select_related("session__patient__user", "session__patient__care_team")
        .order_by("answered_at", "id")
    )
    found: dict[Any, SafetyCheck] = {}
    for check in rows[:LIMIT]:
        found.setdefault(check.session_id, check)
    return [
        _line(
            "session.clear",
            user,
            check.session.patient,
            role="psychiatrist",
            key=check.session_id,
            due_at=check.session.scheduled_at,
            url=reverse("sessions:session", args=[check.session_id]),
        )
        for check in found.values()
    ]


def _held(user: User, *, covers: frozenset[str]) -> list[WorkItem]:
    since = StateEvent.objects.filter(
        object_type="dosing.course", object_id=OuterRef("pk"), target=states.ON_HOLD
    ).order_by("-id")
    session = DosingSession.objects.filter(course=OuterRef("pk")).exclude(state__in=states.OVER)
    rows = (
        Course.objects.filter(
            mine_or_unowned(user, role=Role.PSYCHIATRIST, covers=covers), state=states.ON_HOLD
        )
        .annotate(
            held_at=Subquery(since.values("at")[:1]),
            session_id=Subquery(session.order_by("number").values("pk")[:1]),
        )
        .select_related("patient__user", "patient__care_team")
        .order_by("started_at", "id")
    )
    return [
        _line(
            "course.held",
            user,
            course.patient,
            role="psychiatrist",
            key=course.pk,
            due_at=(course.held_at or course.started_at) + clock_of("course.held"),
            url=reverse("sessions:session", args=[course.session_id])
            if course.session_id
            else reverse("consults:treatment", args=[course.patient_id]),
        )
        for course in rows[:LIMIT]
    ]


def _reviews(user: User, *, covers: frozenset[str], at: datetime) -> list[WorkItem]:
    """Doses a day old or more about whose next one nobody has decided since, or not since the gap grew past the protocol's 10, 14 or
    28 days (the shipped figures, for the list alone: the gate reads those of the course); due before the next session."""
    later = DosingSession.objects.filter(
        course=OuterRef("course"), number__gt=OuterRef("number"), dose_at__isnull=False
    )
    coming = DosingSession.objects.filter(
        course=OuterRef("course"), number__gt=OuterRef("number"), state=states.SCHEDULED
    ).order_by("number")
    grown = [
        When(dose_at__lt=at - timedelta(days=days), then=F("dose_at") + timedelta(days=days))
        for days in _gap_days()
    ]
    decided = DoseDecision.objects.filter(
        patient=OuterRef("patient"), decided_at__gt=OuterRef("counts_from_at")
    )
    rows = (
        DosingSession.objects.annotate(
            counts_from_at=Case(*grown, default=F("dose_at"), output_field=DateTimeField())
        )
        .filter(
            mine_or_unowned(user, role=Role.PSYCHIATRIST, covers=covers),
            ~Exists(later),
            ~Exists(decided),
            course__state__in=states.COURSE_OPEN,
            number__in=REVIEWED_DOSES,
            dose_at__lt=at - WAITS_A_DAY,
        )
        .annotate(
            next_at=Subquery(coming.values("scheduled_at")[:1]), next_id=Subquery(coming.values("pk")[:1])
        )
        .select_related("patient__user", "patient__care_team")
        .order_by("dose_at", "id")
    )
    items = []
    for session in rows[:LIMIT]:
        dose_at = session.dose_at or session.scheduled_at
        items.append(
            _line(
                "dose.review",
                user,
                session.patient,
                role="psychiatrist",
                key=session.pk,
                due_at=session.next_at - WAITS_A_DAY
                if session.next_at
                else dose_at + clock_of("dose.review"),
                title=f"Review dose {session.number} before the next one",
                url=reverse("sessions:decide", args=[session.next_id])
                if session.next_id
                else f"/outcomes/{session.patient_id}/",
            )
        )
    return items


def _orders(user: User, *, covers: frozenset[str], at: datetime) -> list[WorkItem]:
    """Orders that end soon, or have ended, under a course that still has sessions to come."""
    to_come = DosingSession.objects.filter(
        course=OuterRef("pk"), state__in=[states.SCHEDULED, states.PREPARING, states.MISSED]
    )
    until = local_date(at, user.time_zone) + timedelta(days=_data()["order_expiring_days"])
    rows = (
        Course.objects.filter(
            Exists(to_come.filter(scheduled_at__date__gt=OuterRef("order__expires_on")))
            | Exists(to_come) & Q(order__expires_on__lt=local_date(at, user.time_zone)),
            mine_or_unowned(user, role=Role.PSYCHIATRIST, covers=covers),
            state__in=states.COURSE_OPEN,
            order__expires_on__lte=until,
        )
        .select_related("patient__user", "patient__care_team", "order")
        .order_by("order__expires_on", "id")
    )
    items = []
    for course in rows[:LIMIT]:
        last_day = course.order.expires_on
        zone = ZoneInfo(course.patient.user.time_zone)
        items.append(
            _line(
                "order.expiring",
                user,
                course.patient,
                role="psychiatrist",
                key=course.order_id,
                due_at=datetime.combine(last_day, time(23, 59), zone) if last_day else at,
                url=reverse("consults:treatment", args=[course.patient_id]),
            )
        )
    return items
