"""Stored work: opened for one named person, finished with what came of it, handed over with a reason, never lost."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, transaction

from accounts.models import Patient, Role, User
from common import audit
from common.errors import Conflict, Invalid, NotPermitted
from safety.models import Task, TaskHandOver
from safety.task_access import may_finish, may_take, owner_for, task_due, task_kind

LEFT = "left_the_practice"


def open_task(
    *,
    kind: str,
    owner: User,
    due_at: datetime | None = None,
    patient: Patient | None = None,
    about_type: str = "",
    about_id: uuid.UUID | None = None,
    detail: str = "",
    by: Any,
    at: datetime,
) -> Task:
    """Give somebody a piece of work. The second call about the same living (kind, about_type, about_id) answers the first task.

    Without `about_type` each call is a task of its own. `due_at` defaults to the kind's clock in the owner's zone. An owner who
    is no longer here is replaced by `owner_for`. Raises LookupError for a kind that is not in the data.
    """
    row = task_kind(kind)
    if not (owner.is_active and may_take(owner, kind)):
        owner = owner_for(role=row["role"], patient=patient, at=at)
    due_at = due_at or task_due(kind, at=at, zone=owner.time_zone)
    for attempt in (1, 2):
        task = Task(
            kind=kind,
            owner=owner,
            patient=patient,
            about_type=about_type,
            about_id=about_id,
            detail=detail,
            due_at=due_at,
            escalates_at=due_at + timedelta(hours=row["escalate_hours"]),
            opened_at=at,
            opened_by=audit.actor_name(by),
        )
        try:
            with transaction.atomic():
                # The unique index decides between two who open it at once; the trigger refuses an owner who just left.
                Task.objects.bulk_create([task], ignore_conflicts=True)
                found = (
                    Task.objects.filter(pk=task.pk).first()
                    if not about_type
                    else Task.objects.filter(
                        kind=kind, about_type=about_type, about_id=about_id, done_at__isnull=True
                    ).first()
                )
        except DatabaseError:
            if attempt == 2 or User.objects.filter(pk=owner.pk, is_active=True).exists():
                raise
            owner = owner_for(role=row["role"], patient=patient, at=at)
            continue
        if found is not None:
            break
    if found is None:
        raise Conflict("This work was finished in the same moment. Look at the list again.")
    if found.pk == task.pk:
        with transaction.atomic():
            audit.record(
                "task.opened", by=by, at=at, about=found, patient_id=found.patient_id,
                detail={"kind": kind, "owner": str(found.owner_id)},
            )  # fmt: skip
    return found


def _end(task: Task, *, outcome: str, by: Any, at: datetime, action: str) -> bool:
    changed = Task.objects.filter(pk=task.pk, done_at__isnull=True).update(
        done_at=at, done_by=audit.actor_name(by), outcome=outcome
    )
    if changed:
        audit.record(action, by=by, at=at, about=task, patient_id=task.patient_id, detail={"kind": task.kind})
    return bool(changed)


def finish_task(task: Task, *, outcome: str, by: User, at: datetime) -> Task:
    """It is done, and this came of it. One of two who finish it wins; the other is told who did (Conflict).

    Raises Invalid without a word about the outcome, NotPermitted for somebody whose work it is not.
    """
    if len(outcome.strip()) < 3:
        raise Invalid("Say what came of it.", fields={"outcome": "Write a sentence."})
    with transaction.atomic():
        current = Task.objects.select_for_update(of=("self",)).get(pk=task.pk)
        if not may_finish(by, current):
            raise NotPermitted("Only the person this work belongs to finishes it.")
        if not _end(current, outcome=outcome.strip(), by=by, at=at, action="task.done"):
            raise Conflict(f"{done_by_words(current)} has already finished this.", code="already_done")
        current.refresh_from_db()
    return current


def hand_over_task(task: Task, *, to: User, why: str, by: User, at: datetime) -> Task:
    """Somebody else owes it from now on; the reason and both people are kept. The time it is due stays as it is.

    The owner hands over their own, an administrator anybody's. Raises Invalid for somebody who may not do this kind of work.
    """
    fields = {}
    if len(why.strip()) < 3:
        fields["why"] = "Write a sentence."
    if not may_take(to, task.kind):
        fields["to"] = "Choose somebody who may do this work and is here."
    if fields:
        raise Invalid("This cannot be handed over like that.", fields=fields)
    with transaction.atomic():
        current = Task.objects.select_for_update(of=("self",)).select_related("owner").get(pk=task.pk)
        if by.pk != current.owner_id and by.role != Role.ADMINISTRATOR:
            raise NotPermitted("This work is no longer yours to hand over.")
        if current.done_at is not None:
            raise Conflict(f"{done_by_words(current)} has already finished this.", code="already_done")
        if to.pk == current.owner_id:
            raise Conflict(f"{to} already has this.", code="already_theirs")
        _move(current, to, why=why.strip(), by=by, at=at)
    return current


def _move(task: Task, to: User, *, why: str, by: Any, at: datetime) -> None:
    before = task.owner_id
    task.owner = to
    task.save(update_fields=["owner"])
    TaskHandOver.objects.create(
        task=task, from_owner_id=before, to_owner=to, why=why, at=at, by=audit.actor_name(by)
    )
    audit.record(
        "task.handed_over", by=by, at=at, about=task, patient_id=task.patient_id,
        detail={"kind": task.kind, "from": str(before), "to": str(to.pk)},
    )  # fmt: skip


def settle_tasks_about(
    *, kind: str, about_type: str, about_id: uuid.UUID | None, outcome: str, by: Any, at: datetime
) -> int:
    """The work was done where it is done, so its task is too. Answers how many were live (0 or 1); safe to call again."""
    with transaction.atomic():
        live = Task.objects.select_for_update(of=("self",)).filter(
            kind=kind, about_type=about_type, about_id=about_id, done_at__isnull=True
        )
        return sum(
            _end(task, outcome=outcome.strip() or "Done", by=by, at=at, action="task.settled")
            for task in live
        )


def person_left(*, user: User, by: Any, at: datetime) -> None:
    """An account closes or changes its role (hook `person.left`): what it owed goes to somebody else in the same transaction.

    Its patients are an administrator's to give to somebody new, as one task about that person.
    """
    for task in (
        Task.objects.select_for_update(of=("self",))
        .filter(owner=user, done_at__isnull=True)
        .select_related("patient")
        .order_by("pk")
    ):
        if user.is_active and may_take(user, task.kind):
            continue
        to = owner_for(role=task_kind(task.kind)["role"], patient=task.patient, at=at)
        _move(task, to, why=LEFT, by=by, at=at)
    left_as = {
        Role.PSYCHIATRIST: user.patients_as_psychiatrist.exists(),
        Role.COACH: user.patients_as_coach.exists(),
    }
    if any(had for role, had in left_as.items() if not (user.is_active and user.role == role)):
        owner = owner_for(role=Role.ADMINISTRATOR, at=at)
        open_task(
            kind="care_team.reassign", owner=owner, about_type="accounts.user", about_id=user.pk, by=by, at=at
        )


def done_by_words(task: Task) -> str:
    """The name of who finished a task, or that the practice's own rules did."""
    actor = Task.objects.filter(pk=task.pk).values_list("done_by", flat=True).first() or ""
    person = (
        User.objects.filter(pk=actor.removeprefix("user:")).first() if actor.startswith("user:") else None
    )
    return str(person) if person is not None else "Somebody"
