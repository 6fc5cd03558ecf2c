"""Lines of the work list that follow from intakes: in one's hands, come back, waiting in the queue, without a care team."""

from collections import defaultdict
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import F, OuterRef, Q, Subquery
from django.urls import reverse

from accounts.access import licence_holders
from accounts.models import CareTeam, Role, User
from common.clock import local_date
from common.work import LIMIT, WEIGHT_HIGH, WorkItem, kinds, line, next_working_day
from intake import states
from intake.access.queue import is_overdue_answer
from intake.models import Decision, Intake
from safety.access import on_call_now, stands_in_for

ASKED = ("ask_more", "clearance")


def work_items(*, user: User, at: datetime) -> list[WorkItem]:
    """A psychiatrist's intakes, and for the supervising administrator the people whose care team has a hole."""
    items: list[WorkItem] = []
    covers = stands_in_for(user, at=at)
    if user.role == Role.PSYCHIATRIST:
        items += _own(user, at=at)
        items += _queue(user, at=at)
    if user.role == Role.PSYCHIATRIST or Role.PSYCHIATRIST in covers:
        items += _asked(user, covers=covers, at=at)
    if Role.ADMINISTRATOR in covers:
        items += _teams(user)
    return items


def _days(kind: str) -> int:
    return int(kinds()[kind]["clock_working_days"])


def _own(user: User, *, at: datetime) -> list[WorkItem]:
    rows = (
        Intake.objects.filter(claimed_by=user, state=states.CLAIMED, claim_expires_at__gt=at)
        .select_related("patient__user")
        .order_by("claim_expires_at", "id")
    )
    return [
        line(
            "intake.claimed",
            key=str(intake.pk),
            owner=user,
            url=reverse("intake:chart", args=[intake.patient_id]),
            due_at=intake.claim_expires_at or at,
            patient=intake.patient,
        )
        for intake in rows[:LIMIT]
    ]


def _asked(user: User, *, covers: frozenset[str], at: datetime) -> list[WorkItem]:
    """What this psychiatrist asked: waiting for the patient, then come back. Whose asker is gone is the stand-in's.

    An answer that came back stays everybody's to take from the queue; it is on this list so that the asker sees it first.
    """
    asked = Decision.objects.filter(intake=OuterRef("pk"), kind__in=ASKED).order_by("-at")
    waiting = Q(state=states.SUBMITTED) | Q(state=states.CLAIMED, claim_expires_at__lte=at)
    mine = Q(asker=user.pk)
    if Role.PSYCHIATRIST in covers:
        mine |= Q(asker_here=False)
    rows = (
        Intake.objects.filter(waiting | Q(state=states.MORE_INFO))
        .annotate(
            asker=Subquery(asked.values("by")[:1]),
            asker_here=Subquery(asked.values("by__is_active")[:1]),
            asked_at=Subquery(asked.values("at")[:1]),
        )
        .filter(mine, asker__isnull=False)
        .select_related("patient__user")
        .order_by(F("asked_at"), "id")
    )
    items = []
    for intake in rows[:LIMIT]:
        back = intake.state != states.MORE_INFO
        kind = "intake.returned" if back else "intake.asked"
        due_at = next_working_day(intake.asked_at, user.time_zone, days=_days("intake.returned"))
        if not back and intake.more_info_due_on:
            day = datetime.combine(intake.more_info_due_on, datetime.min.time(), at.tzinfo)
            due_at = next_working_day(day, user.time_zone, days=1)
        late = is_overdue_answer(intake, at)
        items.append(
            line(
                kind,
                key=str(intake.pk),
                owner=user,
                url=reverse("intake:take", args=[intake.pk]) if back or late else reverse("intake:queue"),
                due_at=due_at,
                patient=intake.patient,
                # Once the time for an answer has passed it is the practice's move: ask again, or close it.
                title="No answer to your question: ask again" if late else "",
                waiting_on="" if back or late else "the patient",
                unowned=intake.asker != user.pk,
            )
        )
    return items


def keepers(*, at: datetime) -> dict[str, User]:
    """By state, the one psychiatrist who answers for its queue today: who is first on call if licensed there, else the
    longest-serving one who is. Everybody licensed may take; this one sees that somebody does."""
    first = on_call_now(at=at)
    found: dict[str, User] = {}
    for state, person in licence_holders(local_date(at, "America/New_York")):
        if first is not None and person.pk == first.pk:
            found[state] = person
        found.setdefault(state, person)
    return found


# The most urgent and oldest of each state, and how many wait, counted to 99: one index descent per state.
_WAITING_SQL = """
SELECT s.code, w.submitted_at, w.urgency, (
    SELECT count(*) FROM (
        SELECT 1 FROM intake_intake i WHERE i.care_state = s.code AND i.state IN ('submitted', 'claimed')
          AND (i.state = 'submitted' OR i.claim_expires_at <= %(at)s) LIMIT 100
    ) counted)
FROM unnest(%(codes)s::text[]) AS s(code)
CROSS JOIN LATERAL (
    SELECT i.submitted_at, i.urgency FROM intake_intake i
    WHERE i.care_state = s.code AND i.state IN ('submitted', 'claimed')
      AND (i.state = 'submitted' OR i.claim_expires_at <= %(at)s)
    ORDER BY (i.urgency * -1), i.submitted_at, i.id LIMIT 1
) w
"""


def _queue(user: User, *, at: datetime) -> list[WorkItem]:
    codes = [state for state, keeper in keepers(at=at).items() if keeper.pk == user.pk]
    if not codes:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_WAITING_SQL, {"codes": sorted(codes), "at": at})
        rows = cursor.fetchall()
    items = []
    for code, submitted_at, urgency, count in rows:
        number = "99+" if count > 99 else str(count)
        items.append(
            line(
                "intake.waiting",
                key=code,
                owner=user,
                url=reverse("intake:queue"),
                due_at=next_working_day(submitted_at, user.time_zone, days=_days("intake.waiting")),
                title=f"{code}: {number} {'intake waits' if count == 1 else 'intakes wait'} for a decision",
                text="The first one is urgent" if urgency >= 2 else "",
                weight=WEIGHT_HIGH if urgency >= 2 else 0,
            )
        )
    return items


def _teams(user: User) -> list[WorkItem]:
    """People accepted into care whose psychiatrist or coach is not named or not here any more."""
    accepted = (
        Intake.objects.filter(state=states.ACCEPTED, patient=OuterRef("patient"))
        .order_by("-decided_at")
        .values("decided_at")
    )
    gone = (
        Q(psychiatrist__isnull=True)
        | Q(coach__isnull=True)
        | Q(psychiatrist__is_active=False)
        | Q(coach__is_active=False)
    )
    rows = (
        CareTeam.objects.filter(gone, patient__user__is_active=True)
        .annotate(accepted_at=Subquery(accepted[:1]))
        .filter(accepted_at__isnull=False)
        .select_related("patient__user", "psychiatrist", "coach")
        .order_by("accepted_at", "pk")
    )
    items = []
    for team in rows[:LIMIT]:
        here: dict[str, Any] = defaultdict(bool)
        for role in ("psychiatrist", "coach"):
            person = getattr(team, role)
            here[role] = person is not None and person.is_active
        items.append(
            line(
                "care_team.missing",
                key=str(team.pk),
                owner=user,
                url=reverse("admin:accounts_careteam_change", args=[team.pk]),
                due_at=next_working_day(team.accepted_at, user.time_zone, days=_days("care_team.missing")),
                patient=team.patient,
                title="No " + " and no ".join(role for role in ("psychiatrist", "coach") if not here[role]),
            )
        )
    return items
