"""Who may see which check-ins, and what a coach's day looks like: one query a page, however many people are cared for."""

import functools
import json
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce

from accounts.access import patients_visible_to
from accounts.models import Patient, Role, User
from coaching import wording
from coaching.models import CheckIn
from coaching.rules import BY_COACH, BY_PATIENT
from common.errors import NotVisible
from safety.models import LIVE_STATES, Alert
from sessions import states as session_states
from sessions.models import Course, DosingSession

FAR = datetime(9999, 1, 1, tzinfo=UTC)
OPEN = Q(done_at__isnull=True, cancelled_at__isnull=True)


@functools.cache
def shipped_numbers() -> dict[str, Any]:
    """The numbers that ship with the product."""
    data: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "check_ins.json").read_text())
    return data


def numbers_for(course: Course | None) -> dict[str, Any]:
    """The numbers of the protocol this course was enrolled under."""
    data = course.protocol.data.get("check_ins") if course is not None else None
    return data or shipped_numbers()


def least_busy_coach() -> User | None:
    """The coach who works here and has the fewest people to look after."""
    return (
        User.objects.filter(role=Role.COACH, is_active=True)
        .annotate(caseload=Count("patients_as_coach"))
        .order_by("caseload", "created_at", "pk")
        .first()
    )


def open_course(patient: Patient) -> Course | None:
    """The course this person is in now."""
    return (
        Course.objects.filter(patient=patient, state__in=session_states.COURSE_OPEN)
        .select_related("protocol")
        .first()
    )


def check_ins_visible_to(user: Any, patient_id: uuid.UUID | None = None) -> QuerySet[CheckIn]:
    """A patient's own check-ins, or those of the patients this clinician cares for; newest due first."""
    rows = CheckIn.objects.filter(patient__in=patients_visible_to(user))
    if patient_id is not None:
        rows = rows.filter(patient_id=patient_id)
    return rows.order_by("-due_at", "-id")


def no_check_ins() -> QuerySet[CheckIn]:
    """Nothing; for drawing the API's description."""
    return CheckIn.objects.none()


def visible_check_in(user: Any, check_in_id: uuid.UUID | str) -> CheckIn:
    """That check-in with its patient and session, or NotVisible."""
    row = (
        check_ins_visible_to(user)
        .filter(pk=check_in_id)
        .select_related("patient__user", "patient__care_team", "session")
        .first()
    )
    if row is None:
        raise NotVisible("There is no such page.")
    return row


def local_day(patient: Patient, at: datetime) -> date:
    """The calendar day it is for this person."""
    return at.astimezone(ZoneInfo(patient.user.time_zone)).date()


def daily_of(patient: Patient, day: date) -> CheckIn | None:
    """That day's check-in, planned or given."""
    return CheckIn.objects.filter(patient=patient, kind=CheckIn.Kind.DAILY, day=day).first()


def open_check_ins_of(patient: Patient) -> list[CheckIn]:
    """What is still to come or overdue for one person, soonest first; daily ones only up to tomorrow's."""
    return list(
        CheckIn.objects.filter(OPEN, patient=patient, kind__in=BY_COACH)
        .select_related("session")
        .order_by("due_at")[:20]
    )


def given_of(patient: Patient, limit: int = 30) -> list[CheckIn]:
    """The newest given check-ins of one person."""
    return list(
        CheckIn.objects.filter(patient=patient, done_at__isnull=False)
        .select_related("done_by")
        .order_by("-done_at")[:limit]
    )


def noticed(*, patient: Patient, limit: int) -> list[dict[str, Any]]:
    """Hook `course.noticed`: side effects told at check-ins, the newest first, each with the row of the protocol it met."""
    table = shipped_numbers()["side_effects"]
    rows = (
        CheckIn.objects.filter(patient=patient, done_at__isnull=False, side_effects__isnull=False)
        .select_related("session")
        .order_by("-done_at")
    )
    return [
        {
            "at": row.done_at,
            "actor": f"user:{row.done_by_id}",
            "where": wording.KIND_FOR_STAFF[row.kind]
            + (f", session {row.session.number}" if row.session is not None else ""),
            "words": tuple(wording.SIDE_EFFECTS.get(code, code) for code in row.side_effects),
            "codes": tuple(sorted({table[code]["trigger"] for code in row.side_effects if code in table})),
            "note": row.note,
        }
        for row in rows[: 3 * limit]
        if row.side_effects
    ][:limit]


@dataclass(frozen=True)
class Page:
    """One page of a caseload and the key of the next one ("" at the end)."""

    rows: list[Any]
    next_key: str


def _caseload(coach: User, at: datetime) -> QuerySet[Patient]:
    theirs = CheckIn.objects.filter(OPEN, patient=OuterRef("pk"), kind__in=BY_COACH).order_by("due_at")
    given = CheckIn.objects.filter(
        patient=OuterRef("pk"), done_at__isnull=False, mood__isnull=False
    ).order_by("-done_at")
    sessions = DosingSession.objects.filter(patient=OuterRef("pk")).exclude(state__in=session_states.OVER)
    alerts = Alert.objects.filter(patient=OuterRef("pk"), state__in=LIVE_STATES)
    count = alerts.order_by().values("patient").annotate(n=Count("pk")).values("n")
    late = theirs.filter(due_at__lt=at).order_by().values("patient").annotate(n=Count("pk")).values("n")
    return (
        patients_visible_to(coach)
        .filter(Exists(Course.objects.filter(patient=OuterRef("pk"))))
        .select_related("user")
        .annotate(
            open_alerts=Coalesce(Subquery(count), Value(0)),
            # A number, because NOT EXISTS(...) > true does not mean what it says.
            calm=Case(When(Exists(alerts), then=Value(0)), default=Value(1)),
            next_due_at=Coalesce(Subquery(theirs.values("due_at")[:1]), Value(FAR)),
            next_kind=Subquery(theirs.values("kind")[:1]),
            next_check_in_id=Subquery(theirs.values("pk")[:1]),
            overdue=Coalesce(Subquery(late), Value(0)),
            last_mood=Subquery(given.values("mood")[:1]),
            last_given_at=Subquery(given.values("done_at")[:1]),
            next_session_at=Subquery(sessions.order_by("scheduled_at").values("scheduled_at")[:1]),
            next_session_number=Subquery(sessions.order_by("scheduled_at").values("number")[:1]),
            next_session_state=Subquery(sessions.order_by("scheduled_at").values("state")[:1]),
        )
    )


def caseload(coach: User, *, at: datetime, after: str = "", limit: int = 25) -> Page:
    """The coach's people, most urgent first: those with a live alert, then by what is due soonest."""
    rows = _caseload(coach, at).order_by("calm", "next_due_at", "pk")
    key = _read_key(after)
    if key is not None:
        calm, due_at, pk = key
        rows = rows.filter(
            Q(calm__gt=calm)
            | Q(calm=calm, next_due_at__gt=due_at)
            | Q(calm=calm, next_due_at=due_at, pk__gt=pk)
        )
    found: list[Any] = list(rows[: limit + 1])
    last: Any = found[limit - 1] if len(found) > limit else None
    next_key = f"{last.calm}~{last.next_due_at.isoformat()}~{last.pk}" if last is not None else ""
    return Page(found[:limit], next_key)


def _read_key(text: str) -> tuple[int, datetime, uuid.UUID] | None:
    try:
        calm, due_at, pk = text.split("~")
        return int(calm), datetime.fromisoformat(due_at), uuid.UUID(pk)
    except ValueError:
        return None


def caseload_counts(coach: User, *, at: datetime) -> dict[str, int]:
    """How many calls are overdue and due today, and how many people have a live alert: the numbers above the list."""
    midnight = at.astimezone(ZoneInfo(coach.time_zone)).replace(
        hour=0, minute=0, second=0, microsecond=0
    ) + timedelta(days=1)
    theirs = patients_visible_to(coach)
    found = CheckIn.objects.filter(OPEN, kind__in=BY_COACH, patient__in=theirs).aggregate(
        overdue=Count("pk", filter=Q(due_at__lt=at)),
        today=Count("pk", filter=Q(due_at__gte=at, due_at__lt=midnight)),
    )
    found["alerts"] = (
        Alert.objects.filter(patient__in=theirs, state__in=LIVE_STATES).values("patient").distinct().count()
    )
    return found


def out_of_step(*, at: datetime) -> QuerySet[Course]:
    """Courses whose check-ins no longer fit their sessions: moved, missed or ended ones; and what a stopped course left behind."""
    pre = CheckIn.objects.filter(
        session=OuterRef("pk"), kind=CheckIn.Kind.PRE_SESSION, cancelled_at__isnull=True
    )
    post = CheckIn.objects.filter(OPEN, session=OuterRef("pk"), kind=CheckIn.Kind.POST_SESSION)
    any_open = CheckIn.objects.filter(OPEN, session=OuterRef("pk"))
    given_up = [session_states.ABORTED, session_states.MISSED]
    numbers = shipped_numbers()
    before = timedelta(minutes=numbers["pre_session"]["due_minutes_before"])
    after = timedelta(minutes=numbers["post_session"]["due_minutes_after"])
    wrong = (
        (Q(dose_at__isnull=True, scheduled_at__gt=at) & ~Q(state__in=given_up) & ~Exists(pre))
        | (
            Q(dose_at__isnull=True)
            & Exists(pre.filter(done_at__isnull=True).exclude(due_at=OuterRef("scheduled_at") - before))
        )
        | (Q(dose_at__isnull=False) & Exists(post.exclude(due_at=OuterRef("dose_at") + after)))
    )
    left_behind = Q(state__in=given_up, dose_at__isnull=True) & Exists(any_open)
    sessions = DosingSession.objects.filter(course=OuterRef("pk"))
    return Course.objects.filter(
        Q(Exists(sessions.filter(wrong)), state__in=session_states.COURSE_OPEN)
        # Whoever has stopped is not asked every day about sessions that will never be.
        | Q(Exists(sessions.filter(left_behind)))
    ).select_related("protocol", "patient__user")


def silent_patients(*, at: datetime, missed: int, days: int = 14) -> QuerySet[Patient]:
    """People in a course who left at least `missed` daily check-ins unanswered since their last answer and their last such alert."""
    last_given = CheckIn.objects.filter(
        patient=OuterRef("patient"), kind__in=BY_PATIENT, done_at__isnull=False
    ).order_by("-due_at")
    last_alert = Alert.objects.filter(patient=OuterRef("patient"), trigger="X20").order_by("-opened_at")
    past = datetime(1, 1, 1, tzinfo=UTC)
    unanswered = (
        CheckIn.objects.filter(
            OPEN, kind=CheckIn.Kind.DAILY, due_at__lt=at, due_at__gte=at - timedelta(days=days)
        )
        .annotate(
            answered_until=Coalesce(Subquery(last_given.values("due_at")[:1]), Value(past)),
            alerted_at=Coalesce(Subquery(last_alert.values("opened_at")[:1]), Value(past)),
        )
        .filter(due_at__gt=F("answered_until"))
        .filter(due_at__gt=F("alerted_at"))
        .values("patient")
        .annotate(n=Count("pk"))
        .filter(n__gte=missed)
    )
    return (
        Patient.objects.filter(
            pk__in=unanswered.values("patient"), courses__state__in=session_states.COURSE_OPEN
        )
        .select_related("user")
        .order_by("pk")
    )
