"""Lines of the work list that follow from check-ins: calls that are due, and people who have gone quiet."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Count, F, Max, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce
from django.urls import reverse

from accounts.models import Patient, Role, User
from coaching.access import OPEN
from coaching.models import CheckIn
from coaching.rules import BY_COACH, BY_PATIENT
from coaching.wording import KIND_FOR_STAFF
from common.work import LIMIT, SOON_DAYS, WorkItem, clock_of, kinds, line
from safety.access import mine_or_unowned, stands_in_for
from safety.task_access import is_own, lands
from sessions import states as session_states

PAST = datetime(1, 1, 1, tzinfo=UTC)
LOOK_BACK = timedelta(days=14)


def work_items(*, user: User, at: datetime) -> list[WorkItem]:
    """A coach's calls and the daily check-ins that nobody gave."""
    covers = stands_in_for(user, at=at)
    if user.role != Role.COACH and Role.COACH not in covers:
        return []
    return _calls(user, covers=covers, at=at) + _missed(user, covers=covers, at=at)


def _calls(user: User, *, covers: frozenset[str], at: datetime) -> list[WorkItem]:
    today = at.astimezone(ZoneInfo(user.time_zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = (
        CheckIn.objects.filter(
            OPEN,
            mine_or_unowned(user, role=Role.COACH, covers=covers),
            kind__in=BY_COACH,
            due_at__lt=today + timedelta(days=SOON_DAYS + 1),
        )
        .select_related("patient__user", "patient__care_team")
        .order_by("due_at", "id")
    )
    return [
        line(
            "check_in.due",
            key=str(row.pk),
            owner=user,
            due_at=row.due_at,
            patient=row.patient,
            title=KIND_FOR_STAFF.get(row.kind, row.get_kind_display()),
            unowned=not is_own(user, row.patient, "coach"),
            **lands(
                user,
                reverse("coaching:check_in", args=[row.pk]),
                kinds()["check_in.due"]["action"],
                row.patient_id,
            ),
        )
        for row in rows[:LIMIT]
    ]


def _missed(user: User, *, covers: frozenset[str], at: datetime) -> list[WorkItem]:
    """One line for a person who left daily check-ins unanswered since their last answer, of the last two weeks."""
    given = CheckIn.objects.filter(
        patient=OuterRef("patient"), kind__in=BY_PATIENT, done_at__isnull=False
    ).order_by("-due_at")
    called = CheckIn.objects.filter(
        patient=OuterRef("patient"), kind__in=BY_COACH, done_at__isnull=False, reached=True
    ).order_by("-done_at")
    unanswered = (
        CheckIn.objects.filter(OPEN, kind=CheckIn.Kind.DAILY, due_at__lt=at, due_at__gte=at - LOOK_BACK)
        .filter(
            Q(due_at__gt=Coalesce(Subquery(given.values("due_at")[:1]), Value(PAST))),
            # A call in which the person was reached answers what came before it.
            Q(due_at__gt=Coalesce(Subquery(called.values("done_at")[:1]), Value(PAST))),
            mine_or_unowned(user, role=Role.COACH, covers=covers),
            patient__courses__state__in=session_states.COURSE_OPEN,
        )
        .values("patient")
        .annotate(count=Count("pk", distinct=True), last_at=Max("due_at"))
        .order_by(F("last_at"), "patient")[:LIMIT]
    )
    found = {row["patient"]: row for row in unanswered}
    people = Patient.objects.filter(pk__in=list(found)).select_related("user", "care_team")
    items = []
    for patient in people:
        row = found[patient.pk]
        many = row["count"]
        items.append(
            line(
                "check_in.missed",
                key=str(patient.pk),
                owner=user,
                due_at=row["last_at"] + clock_of("check_in.missed"),
                patient=patient,
                title="A daily check-in was missed" if many == 1 else f"{many} daily check-ins were missed",
                unowned=not is_own(user, patient, "coach"),
                **lands(
                    user,
                    reverse("coaching:patient", args=[patient.pk]),
                    kinds()["check_in.missed"]["action"],
                    patient.pk,
                ),
            )
        )
    return items
