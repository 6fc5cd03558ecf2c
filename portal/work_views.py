"""The work list: one's own, one piece of stored work, and what a supervising administrator sees of the others'."""

import uuid
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.access import colleague
from accounts.guards import for_role
from common import audit, clock, intents
from portal import work
from portal.forms import DoneForm, HandOverForm
from safety import actions
from safety.models import Task
from safety.task_access import (
    CLINICAL,
    history_of_task,
    may_finish,
    task_kind,
    task_url,
    visible_task,
    who_may_take,
)

STAFF = ("psychiatrist", "coach", "administrator")


def _list(request: HttpRequest, person: Any, *, base: str, at: Any, seen: Any = list) -> dict[str, Any]:
    page = work.page_of(
        seen(work.gather(person, at=at)),
        at=at,
        zone=request.user.time_zone,
        kind=request.GET.get("kind", ""),
        after=request.GET.get("after", ""),
    )
    following = {"after": page.next_key} | ({"kind": page.kind} if page.kind else {})
    return {
        "page": page,
        "at": at,
        "base": base,
        "next_url": f"{base}?{urlencode(following)}" if page.next_key else "",
        "first_url": "" if page.begins_anew else base + (f"?kind={page.kind}" if page.kind else ""),
    }


@for_role(*STAFF)
@require_GET
def work_list(request: HttpRequest) -> HttpResponse:
    """What is due, overdue, and what comes; each with its next action."""
    return render(
        request, "psychiatrist/work.html", _list(request, request.user, base="/work/", at=clock.now())
    )


def _task_page(
    request: HttpRequest,
    task: Task,
    *,
    done: DoneForm | None = None,
    give: HandOverForm | None = None,
    status: int = 200,
) -> HttpResponse:
    at = clock.now()
    row = task_kind(task.kind)
    own = task.owner_id == request.user.pk
    # An administrator sees that there is clinical work, whose and how late, not the words about the patient.
    clinical = task.patient_id is not None and row["role"] in CLINICAL
    target = task_url(task)
    live = task.done_at is None
    people = [person for person in who_may_take(task.kind) if person.pk != task.owner_id]
    return render(
        request,
        "psychiatrist/work_task.html",
        {
            "task": task,
            "label": row["label"],
            "action": row["action"],
            "target": target if own and target != f"/work/{task.pk}/" else "",
            "may_read": own or not clinical,
            "may_finish": live and may_finish(request.user, task),
            "may_give": live and bool(people) and (own or request.user.role == "administrator"),
            "own": own,
            "ago": work.ago_words(task.due_at, at),
            "late": live and task.due_at < at,
            "history": history_of_task(task),
            "done_form": done or DoneForm(),
            "give_form": give or HandOverForm(people=people),
            "page_has_errors": status == 422,
            "mint": intents.mint,
            "at": at,
        },
        status=status,
    )


@for_role(*STAFF)
@require_GET
def task(request: HttpRequest, task_id: uuid.UUID) -> HttpResponse:
    """One piece of stored work: what it is, whose, by when; done or handed over here."""
    found = visible_task(request.user, task_id)
    if found.patient_id is not None and found.owner_id != request.user.pk:
        audit.record("task.read", by=request.user, at=clock.now(), about=found, patient_id=found.patient_id)
    return _task_page(request, found)


@for_role(*STAFF)
@require_POST
@intents.guard
def task_done(request: HttpRequest, task_id: uuid.UUID) -> HttpResponse:
    """It is done, and this came of it."""
    found = visible_task(request.user, task_id)
    form = DoneForm(request.POST)
    if not form.is_valid():
        return _task_page(request, found, done=form, status=422)
    actions.finish_task(found, outcome=form.cleaned_data["outcome"], by=request.user, at=clock.now())
    messages.success(request, "Done. It has left the list.")
    return redirect("portal:work")


@for_role(*STAFF)
@require_POST
@intents.guard
def task_hand_over(request: HttpRequest, task_id: uuid.UUID) -> HttpResponse:
    """Somebody else owes it from now on."""
    found = visible_task(request.user, task_id)
    form = HandOverForm(
        request.POST, people=[person for person in who_may_take(found.kind) if person.pk != found.owner_id]
    )
    if not form.is_valid():
        return _task_page(request, found, give=form, status=422)
    to = form.person()
    actions.hand_over_task(found, to=to, why=form.cleaned_data["why"], by=request.user, at=clock.now())
    messages.success(request, f"Handed over to {to}.")
    return redirect("portal:work")


# --- the supervising view ---


@for_role("administrator")
@require_GET
def practice(request: HttpRequest) -> HttpResponse:
    """Everybody's stored work in numbers, and what nobody attends to."""
    at = clock.now()
    found = work.page_of(
        work.discreet(work.unattended(at=at)), at=at, zone=request.user.time_zone, size=work.PAGE_SIZE * 8
    )
    return render(
        request,
        "administrator/work_practice.html",
        {"people": work.stored_by_person(at=at), "page": found, "at": at},
    )


@for_role("administrator")
@require_GET
def person(request: HttpRequest, person_id: uuid.UUID) -> HttpResponse:
    """Another person's list, as they see it. Looking leaves a trace."""
    at = clock.now()
    found = colleague(person_id)
    audit.record("work_list.read", by=request.user, at=at, about=found)
    return render(
        request,
        "administrator/work_person.html",
        _list(request, found, base=f"/work/people/{found.pk}/", at=at, seen=work.discreet)
        | {"person": found},
    )
