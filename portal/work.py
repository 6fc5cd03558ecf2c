"""One person's work list: every app's lines in one order, in groups, by pages, with what a supervisor sees of others."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Min, Q
from django.http import HttpRequest

from accounts.models import STAFF_ROLES, Role, User
from common import clock, hooks
from common.work import (
    LATER,
    LIMIT,
    OVERDUE,
    SOON,
    TODAY,
    WAITING,
    WEIGHT_HIGH,
    WorkItem,
    in_order,
    label_of,
    role_of,
)
from safety.task_access import CLINICAL, one_look, stand_in

PAGE_SIZE = 25
GROUPS = (
    (OVERDUE, "Overdue"),
    (TODAY, "Due today"),
    (SOON, "The next seven days"),
    (LATER, "Later"),
    (WAITING, "Waiting for somebody else"),
)


def gather(user: User, *, at: datetime) -> list[WorkItem]:
    """Everything this person owes, in order. A fixed number of queries, however long the list is."""
    with one_look():
        found = hooks.run("work.items", user=user, at=at)
    lines = in_order(item for items in found for item in items or ())
    return discreet(lines, own=True) if user.role == Role.ADMINISTRATOR else lines


def discreet(items: Iterable[WorkItem], *, own: bool = False) -> list[WorkItem]:
    """The same lines without clinical words, for people who keep the practice running and do not treat: what kind of work it is
    and whose, not what it says about the patient. On one's `own` list an alert keeps the name that its list gives it
    (`safety.access.alert_title_for`)."""
    return [
        replace(item, title=label_of(item.kind), text="")
        if item.patient_label and not (own and item.kind == "alert.open") and role_of(item.kind) in CLINICAL
        else item
        for item in items
    ]


def group_of(item: WorkItem, at: datetime, zone: str) -> str:
    """As the line says, but what cannot wait for its day stands under today."""
    group = item.group(at, zone)
    return TODAY if group in (SOON, LATER) and item.weight >= WEIGHT_HIGH and _near(item, at) else group


def _near(item: WorkItem, at: datetime) -> bool:
    return item.due_at < at + timedelta(days=1)


def ago_words(due_at: datetime, at: datetime) -> str:
    """“2 hours late”, “in 3 days”, “now”."""
    minutes = round((due_at - at).total_seconds() / 60)
    if minutes == 0:
        return "now"
    size, word = next(
        (size, word) for size, word in ((1440, "day"), (60, "hour"), (1, "minute")) if abs(minutes) >= size
    )
    count = abs(minutes) // size
    words = f"{count} {word}{'' if count == 1 else 's'}"
    return f"in {words}" if minutes > 0 else f"{words} late"


@dataclass(frozen=True)
class Row:
    """A line as the page shows it."""

    item: WorkItem
    group: str
    ago: str
    label: str
    late: bool


@dataclass(frozen=True)
class WorkPage:
    """One page of a list: its groups, the numbers of the whole list, the kinds to choose from, where the next page begins."""

    groups: list[tuple[str, list[Row]]]
    counts: dict[str, int]
    kinds: list[tuple[str, str, int]]
    kind: str
    next_key: str
    total: int
    first: Row | None
    cut: bool = False
    begins_anew: bool = field(default=True)


def _rank(item: WorkItem, at: datetime, zone: str) -> tuple[Any, ...]:
    order = [name for name, _ in GROUPS]
    _, crisis, due_at, key = item.order()
    return (crisis, order.index(group_of(item, at, zone)), due_at, key)


def key_of(item: WorkItem) -> str:
    """The place after this line: when it is due and what it is. No name, no words."""
    return f"{item.due_at.isoformat()}~{item.key}"


def page_of(
    items: Iterable[WorkItem],
    *,
    at: datetime,
    zone: str,
    kind: str = "",
    after: str = "",
    size: int = PAGE_SIZE,
) -> WorkPage:
    """A page by key. A key whose line is done meanwhile still finds its place: the list goes on after where it stood."""
    everything = sorted(items, key=lambda item: _rank(item, at, zone))
    labels = Counter(item.kind for item in everything)
    chosen = [item for item in everything if not kind or item.kind == kind]
    rows = [
        Row(
            item,
            group_of(item, at, zone),
            ago_words(item.due_at, at),
            label_of(item.kind),
            item.overdue(at),
        )
        for item in chosen
    ]
    start = _place(chosen, after, at=at, zone=zone)
    shown = rows[start : start + size]
    more = len(rows) > start + size
    return WorkPage(
        groups=[
            (title, found) for name, title in GROUPS if (found := [row for row in shown if row.group == name])
        ],
        counts=Counter(group_of(item, at, zone) for item in everything),
        kinds=sorted(
            ((name, label_of(name), count) for name, count in labels.items()), key=lambda one: one[1]
        ),
        kind=kind if kind in labels else "",
        next_key=_token(shown[-1], at=at, zone=zone) if more and shown else "",
        total=len(chosen),
        first=rows[0] if rows else None,
        cut=any(count >= LIMIT for count in labels.values()),
        begins_anew=start == 0,
    )


def _token(row: Row, *, at: datetime, zone: str) -> str:
    crisis, group, _, _ = _rank(row.item, at, zone)
    return f"{crisis}~{group}~{key_of(row.item)}"


def _place(items: list[WorkItem], after: str, *, at: datetime, zone: str) -> int:
    """The index of the first line after the key; the beginning for a key that is none."""
    try:
        crisis, group, due, key = after.split("~", 3)
        place = (int(crisis), int(group), datetime.fromisoformat(due), key)
        if place[2].tzinfo is None:
            return 0
    except ValueError:
        return 0
    return next((index for index, item in enumerate(items) if _rank(item, at, zone) > place), len(items))


# --- what a supervisor sees ---


def stored_by_person(*, at: datetime) -> list[dict[str, Any]]:
    """Everybody who works here with how much stored work they owe, how much of it is late, and since when. One query."""
    live = Q(tasks__done_at__isnull=True, tasks__isnull=False)
    return list(
        User.objects.filter(is_active=True, role__in=STAFF_ROLES)
        .annotate(
            owed=Count("tasks", filter=live),
            late=Count("tasks", filter=live & Q(tasks__due_at__lt=at)),
            oldest_at=Min("tasks__due_at", filter=live),
        )
        .order_by(F("late").desc(), F("owed").desc(), "full_name", "pk")
        .values("pk", "full_name", "email", "role", "owed", "late", "oldest_at")
    )


def unattended(*, at: datetime) -> list[WorkItem]:
    """What has nobody of its own any more, with who stands in for it now, and stored work past its further clock."""
    supervisor = stand_in(role=Role.ADMINISTRATOR, at=at)
    people = {supervisor, *(stand_in(role=role, at=at) for role in (Role.PSYCHIATRIST, Role.COACH))}
    found: list[WorkItem] = []
    for person in sorted(people, key=lambda one: str(one.pk)):
        found += [item for item in gather(person, at=at) if item.unowned or item.escalated]
    return in_order(found)


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The administration's first page begins with the administrator's own list."""
    at = clock.now()
    page = page_of(gather(request.user, at=at), at=at, zone=request.user.time_zone, size=10)
    return context | {"work": page, "work_rows": [row for _, rows in page.groups for row in rows]}
