"""Whose a piece of work is when its natural owner is not here, and who may see, do and hand over a stored task."""

import contextlib
import functools
import json
import uuid
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Case, DateTimeField, Exists, Func, OuterRef, Q, QuerySet, When
from django.urls import NoReverseMatch, reverse

from accounts.models import STAFF_ROLES, CareTeam, Patient, Role, User
from common.errors import Conflict, NotVisible
from common.work import LIMIT, WorkItem, next_working_day
from safety.models import OnCallShift, Task, TaskHandOver


class SqlNow(Func):
    """This instant by the database's clock, which the test clock moves too."""

    function = "hearthside_now"
    template = "%(function)s()"
    output_field = DateTimeField()


CLINICAL = (Role.PSYCHIATRIST, Role.COACH)


@functools.lru_cache(maxsize=1)
def task_data() -> dict[str, Any]:
    """Kinds of tasks and the digest's hours, as shipped (`safety/data/tasks.json`)."""
    return json.loads((settings.BASE_DIR / "safety" / "data" / "tasks.json").read_text())


@functools.lru_cache(maxsize=256)
def task_kind(kind: str) -> dict[str, Any]:
    """The row of one kind. Raises LookupError for a name that is not in the data."""
    for row in task_data()["kinds"]:
        if row["kind"] == kind:
            return row
    raise LookupError(f"no such kind of task: {kind}")


def task_due(kind: str, *, at: datetime, zone: str) -> datetime:
    """The usual time of this kind when it is opened at `at`, by its clock in the data."""
    row = task_kind(kind)
    if "clock_working_days" in row:
        return next_working_day(at, zone, days=row["clock_working_days"])
    return at + timedelta(hours=row["clock_hours"])


# --- whose it is ---


_looked: ContextVar[dict[Any, Any] | None] = ContextVar("looked", default=None)


@contextlib.contextmanager
def one_look() -> Iterator[None]:
    """While a list is gathered, who is on call and who serves longest is asked once, not by each app."""
    token = _looked.set({})
    try:
        yield
    finally:
        _looked.reset(token)


def _once(name: str, at: datetime, ask: Any) -> Any:
    known = _looked.get()
    if known is None:
        return ask()
    if (name, at) not in known:
        known[name, at] = ask()
    return known[name, at]


def _people_on_call(at: datetime) -> list[User]:
    shifts = (
        OnCallShift.objects.filter(
            removed_at__isnull=True, starts_at__lte=at, ends_at__gt=at, person__is_active=True
        )
        .select_related("person")
        .order_by("level", "starts_at")
    )
    return [shift.person for shift in shifts]


def _longest_serving(at: datetime) -> User | None:
    staff = User.objects.filter(is_active=True, role__in=STAFF_ROLES)
    return staff.order_by(Case(When(role=Role.ADMINISTRATOR, then=0), default=1), "created_at", "pk").first()


def _on_call(role: str, at: datetime) -> User | None:
    """Who is on call for this role's work: a psychiatrist for a psychiatrist's, a coach before a psychiatrist for a coach's."""
    if role not in CLINICAL:
        return None
    people = _once("on call", at, lambda: _people_on_call(at))
    able = [person for person in people if person.role == role]
    if role == Role.COACH:
        able += [person for person in people if person.role == Role.PSYCHIATRIST]
    return able[0] if able else None


def stand_in(*, role: str, at: datetime) -> User:
    """Who does this role's work when nobody of the patient's own is here: who is on call, else the longest-serving administrator.

    Raises Conflict only when the practice has no active member of staff at all.
    """
    found = _on_call(role, at) or _once("longest serving", at, lambda: _longest_serving(at))
    if found is None:
        raise Conflict("Nobody works here any more, so nobody can be given this.", code="nobody_is_here")
    return found


def owner_for(*, role: str, patient: Patient | None = None, at: datetime) -> User:
    """The patient's own psychiatrist or coach, else who is on call, else the longest-serving active administrator."""
    if patient is not None and role in CLINICAL:
        team = CareTeam.objects.filter(pk=patient.pk).select_related("psychiatrist", "coach").first()
        own = getattr(team, role, None) if team is not None else None
        if own is not None and own.is_active and own.role == role:
            return own
    return stand_in(role=role, at=at)


def stands_in_for(user: User, *, at: datetime) -> frozenset[str]:
    """The roles whose work comes to this person when a patient has nobody of that role here. Empty for most people."""
    if not user.is_active or user.role not in STAFF_ROLES:
        return frozenset()
    return frozenset(str(role) for role in STAFF_ROLES if stand_in(role=role, at=at).pk == user.pk)


def absent(role: str, path: str = "patient__care_team") -> Q:
    """The condition that nobody active of this role cares for the patient at `path`; with `stands_in_for` nothing is unowned."""
    return (
        Q(**{f"{path}__isnull": True})
        | Q(**{f"{path}__{role}__isnull": True})
        | Q(**{f"{path}__{role}__is_active": False})
        | ~Q(**{f"{path}__{role}__role": role})
    )


def mine_or_unowned(user: User, *, role: str, covers: frozenset[str], path: str = "patient__care_team") -> Q:
    """Rows whose work is this person's: their own patients', and with `covers` those that nobody of the role cares for."""
    own = Q(**{f"{path}__{role}": user}) if user.role == role else Q(pk__in=[])
    return own | absent(role, path) if role in covers else own


def is_own(user: User, patient: Patient, role: str) -> bool:
    """Is this person the patient's own psychiatrist or coach? Else the work came to them because nobody of that role is here."""
    team = getattr(patient, "care_team", None)
    return team is not None and getattr(team, f"{role}_id") == user.pk


def lands(user: User, url: str, action: str, patient_id: Any) -> dict[str, str]:
    """Where a line about a patient leads: an administrator cannot do clinical work, and finds somebody who can."""
    if user.role != Role.ADMINISTRATOR:
        return {"url": url, "action": action}
    return {
        "url": reverse("admin:accounts_careteam_change", args=[patient_id]),
        "action": "Find somebody for this",
    }


def patients_of_tasks(*, user: Any) -> Q | None:
    """Whoever owes work about a patient sees that chart while they owe it, and whoever is on call the charts of patients whose
    own people are gone (hook `patient.visible`)."""
    role = getattr(user, "role", "")
    if role not in CLINICAL:
        return None
    live = Task.objects.filter(patient=OuterRef("pk"), owner_id=user.pk, done_at__isnull=True)
    on_call = OnCallShift.objects.filter(
        person_id=user.pk, removed_at__isnull=True, starts_at__lte=SqlNow(), ends_at__gt=SqlNow()
    )
    left = Q(care_team__coach__is_active=False)
    if role == Role.PSYCHIATRIST:
        left |= Q(care_team__psychiatrist__is_active=False)
        left |= Q(care_team__psychiatrist__isnull=False, care_team__coach__isnull=True)
    return Q(Exists(live)) | (left & Q(Exists(on_call)))


# --- who may see and do it ---


def tasks_visible_to(user: Any) -> QuerySet[Task]:
    """Administrators see every task (not its words about a patient), others those they own or owned up to the end."""
    if not user.is_authenticated or not user.is_active or user.role not in STAFF_ROLES:
        return Task.objects.none()
    rows = Task.objects.select_related("owner", "patient__user")
    return rows if user.role == Role.ADMINISTRATOR else rows.filter(owner_id=user.pk)


def visible_task(user: Any, task_id: uuid.UUID | str) -> Task:
    """That task, or NotVisible."""
    task = tasks_visible_to(user).filter(pk=task_id).first()  # type: ignore[misc]
    if task is None:
        raise NotVisible("There is no such work.")
    return task


def may_take(person: User, kind: str) -> bool:
    """May work of this kind be given to this person? A coach's also to a psychiatrist; anything to an administrator at the worst."""
    role = task_kind(kind)["role"]
    if not person.is_active:
        return False
    return person.role in (
        role,
        Role.ADMINISTRATOR,
        Role.PSYCHIATRIST if role == Role.COACH else role,
    )


def may_finish(person: User, task: Task) -> bool:
    """Its owner; an administrator as well, unless it is clinical work about a patient."""
    if not person.is_active or person.role not in STAFF_ROLES:
        return False
    if task.owner_id == person.pk:
        return True
    clinical = task.patient_id is not None and task_kind(task.kind)["role"] in CLINICAL
    return person.role == Role.ADMINISTRATOR and not clinical


def who_may_take(kind: str) -> list[User]:
    """Active staff to whom work of this kind may be handed, those of its own role first."""
    role = task_kind(kind)["role"]
    people = User.objects.filter(is_active=True, role__in=STAFF_ROLES).order_by("full_name", "pk")
    return sorted((p for p in people if may_take(p, kind)), key=lambda p: p.role != role)


def history_of_task(task: Task) -> list[TaskHandOver]:
    """From whom to whom it went, in order."""
    return list(task.hand_overs.select_related("from_owner", "to_owner").order_by("id"))


# --- as lines of the list ---


def task_url(task: Task) -> str:
    """Where a task is done: the page its kind names, else its own."""
    row = task_kind(task.kind)
    values = {"patient": task.patient_id, "about": task.about_id, "task": task.pk}
    wanted = [values[name] for name in row.get("route_args", [])]
    if row.get("route") and None not in wanted:
        try:
            return reverse(row["route"], args=wanted)
        except NoReverseMatch:
            pass
    return f"/work/{task.pk}/"


def _line(task: Task, *, escalated: bool) -> WorkItem:
    row = task_kind(task.kind)
    name = str(task.owner)
    return WorkItem(
        key=f"task:{task.pk}",
        kind=task.kind,
        title=row["label"],
        text=f"Overdue, with {name}" if escalated else "",
        url=f"/work/{task.pk}/" if escalated else task_url(task),
        action="See it" if escalated else row.get("action", "Open it"),
        due_at=task.due_at,
        owner_id=task.owner_id,
        owner_name=name,
        patient_label=str(task.patient) if task.patient is not None else None,
        weight=row.get("weight", 0),
        task_id=task.pk,
        escalated=escalated,
    )


def task_items(*, user: User, at: datetime) -> list[WorkItem]:
    """Live tasks this person owns and, for the supervising administrator, those of others past their further clock."""
    rows = Task.objects.filter(done_at__isnull=True).select_related("owner", "patient__user")
    items = [
        _line(task, escalated=False)
        for task in rows.filter(owner_id=user.pk).order_by("due_at", "id")[:LIMIT]
    ]
    if user.role == Role.ADMINISTRATOR:
        late = rows.filter(escalates_at__lte=at).exclude(owner_id=user.pk).order_by("escalates_at", "id")
        items += [_line(task, escalated=True) for task in late[:LIMIT]]
    return items
