"""Pages of secure messages. One address for everybody; what is shown follows from who asks."""

import uuid
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.contrib import messages as notices
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from accounts.access import patient_of
from accounts.guards import for_role
from coaching import message_access as access
from coaching import message_actions as actions
from coaching import wording
from coaching.message_forms import DraftForm, GiveForm, MessageForm, NewMessageForm
from coaching.models import MessageDraft, MessageThread
from common import clock, intents
from common.errors import Invalid, NotVisible
from common.files import serve, size_words

EVERYBODY = ("patient", "coach", "psychiatrist")
STAFF = ("coach", "psychiatrist")


@for_role(*EVERYBODY)
@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    """A patient's conversations; for the care team what waits, then everything, newest first."""
    at = clock.now()
    data = access.numbers(at=at)
    page = access.threads_page(request.user, at=at, after=request.GET.get("after", ""))
    answerers = access.Answerers(at)
    if request.user.role == "patient":
        context: dict[str, Any] = {"threads": _rows(page.rows, answerers, data, at)}
        context |= _pager(request, page)
        return render(request, "patient/messages/list.html", context)
    first = not request.GET.get("after")
    waiting = access.open_threads(request.user, at=at) if first else []
    context = {
        "waiting": _rows(waiting, answerers, data, at),
        "threads": _rows(page.rows, answerers, data, at),
        "person": None,
        "at": at,
    } | _pager(request, page)
    return render(request, "coach/messages/list.html", context)


@for_role(*STAFF)
@require_safe
def of_patient(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """One patient's conversations, for the care team."""
    at = clock.now()
    patient = access.patient_written_to(request.user, patient_id)
    page = access.threads_page(request.user, at=at, patient=patient, after=request.GET.get("after", ""))
    context = {
        "waiting": [],
        "threads": _rows(page.rows, access.Answerers(at), access.numbers(at=at), at),
        "person": patient,
        "at": at,
    } | _pager(request, page)
    return render(request, "coach/messages/list.html", context)


def _pager(request: HttpRequest, page: access.Page) -> dict[str, str]:
    return {
        "next_url": f"{request.path}?{urlencode({'after': page.next_key})}" if page.next_key else "",
        "first_url": request.path if request.GET.get("after") else "",
    }


def _rows(
    threads: list[Any], answerers: access.Answerers, data: dict[str, Any], at: datetime
) -> list[dict[str, Any]]:
    return [
        {
            "thread": thread,
            "topic": access.topic_of(thread.topic, data=data)["label"],
            "unread": getattr(thread, "unread", False),
            "answerer": answerers.of(thread) if thread.is_waiting or thread.urgency else None,
            "late": thread.is_waiting and thread.due_at < at,
        }
        for thread in threads
    ]


# --- writing ---


@for_role("patient")
@intents.guard
def new(request: HttpRequest) -> HttpResponse:
    """A patient begins a conversation."""
    return _new(request, patient_of(request.user))


@for_role(*STAFF)
@intents.guard
def new_to(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Somebody of the care team begins one."""
    return _new(request, access.patient_written_to(request.user, patient_id))


def _new(request: HttpRequest, patient: Any) -> HttpResponse:
    at = clock.now()
    data = access.numbers(at=at)
    draft = access.draft_of(request.user, patient=patient)
    if request.method == "POST":
        form = NewMessageForm(request.POST, request.FILES, numbers=data)
        if request.POST.get("verb") == "keep":
            _keep(request, patient, None, at)
            return redirect(request.path)
        if form.is_valid():
            try:
                sent = actions.open_thread(
                    patient,
                    topic=form.cleaned_data["topic"],
                    body=form.cleaned_data["body"],
                    uploads=form.cleaned_data["attachments"],
                    by=request.user,
                    at=at,
                )
            except Invalid as refusal:
                _say(form, refusal)
            else:
                return _after(request, sent, data, at)
    else:
        initial = {"topic": draft.topic, "body": draft.body} if draft is not None else {}
        form = NewMessageForm(
            initial=initial | {"version": draft.version if draft is not None else 0}, numbers=data
        )
    is_patient = request.user.pk == patient.pk
    if is_patient:
        form.fields["topic"].choice_hints = _promises(patient, data, at)  # type: ignore[attr-defined]
    context = _writing(request, form, draft, data, at) | {
        "patient": patient,
        "draft_url": reverse("coaching:message_draft_new")
        if is_patient
        else reverse("coaching:message_draft_to", args=[patient.pk]),
    }
    template = "patient/messages/new.html" if is_patient else "coach/messages/new.html"
    return render(request, template, context, status=422 if form.errors else 200)


def _promises(patient: Any, data: dict[str, Any], at: datetime) -> dict[str, str]:
    """Before anything is sent: who answers about what, and by when, on the patient's own clock."""
    answerers, zone = access.Answerers(at), ZoneInfo(patient.user.time_zone)
    team = getattr(patient, "care_team", None)
    hints = {}
    for row in data["topics"]:
        by = access.promised_by(row["code"], at=at, data=data).astimezone(zone)
        clock_words = f"{by:%I:%M %p}".lstrip("0").lower()
        who = answerers.for_role(row["role"], team)
        said = f"{who} answers by {by:%a %b} {by.day}, {clock_words} {by.tzname()}"
        hints[row["code"]] = f"{row['hint'].capitalize()}. {said}" if row["hint"] else said
    return hints


def _writing(
    request: HttpRequest, form: MessageForm, draft: MessageDraft | None, data: dict[str, Any], at: datetime
) -> dict[str, Any]:
    return {
        "form": form,
        "intent": intents.mint(),
        "draft": draft,
        "staffed_words": access.staffed_words(data, at=at),
        "mint": intents.mint,
        "lost_files": bool(request.FILES) and bool(form.errors),
    }


def _say(form: MessageForm, refusal: Invalid) -> None:
    for name, sentence in refusal.fields.items():
        field = "attachments" if name == "files" else name
        form.add_error(field if field in form.fields else None, sentence)
    if not refusal.fields:
        form.add_error(None, refusal.detail)


@for_role(*EVERYBODY)
@intents.guard
def thread(request: HttpRequest, thread_id: uuid.UUID) -> HttpResponse:
    """One conversation, and the next message of it."""
    at = clock.now()
    data = access.numbers(at=at)
    row = access.visible_thread(request.user, thread_id, at=at)
    draft = access.draft_of(request.user, patient=row.patient, thread=row)
    if request.method == "POST":
        if request.POST.get("verb") == "keep":
            _keep(request, row.patient, row, at)
            return redirect(request.path)
        form = MessageForm(request.POST, request.FILES, numbers=data)
        if form.is_valid():
            try:
                sent = actions.write(
                    row,
                    body=form.cleaned_data["body"],
                    uploads=form.cleaned_data["attachments"],
                    by=request.user,
                    at=at,
                )
            except Invalid as refusal:
                _say(form, refusal)
            else:
                return _after(request, sent, data, at)
    else:
        form = MessageForm(
            initial={
                "body": draft.body if draft is not None else "",
                "version": draft.version if draft is not None else 0,
            },
            numbers=data,
        )
    page = access.messages_page(row, before=request.GET.get("before", ""))
    if request.method == "GET":
        actions.mark_read(row, page.rows, by=request.user, at=at)
    context = _thread_context(request, row, page, data, at) | _writing(request, form, draft, data, at)
    context["draft_url"] = reverse("coaching:message_draft", args=[row.pk])
    template = (
        "patient/messages/thread.html" if request.user.role == "patient" else "coach/messages/thread.html"
    )
    return render(request, template, context, status=422 if form.errors else 200)


def _thread_context(
    request: HttpRequest, row: MessageThread, page: access.Page, data: dict[str, Any], at: datetime
) -> dict[str, Any]:
    is_staff = request.user.role != "patient"
    return {
        "thread": row,
        "topic": access.topic_of(row.topic, data=data)["label"],
        "patient": row.patient,
        "messages": [
            {
                "row": message,
                "mine": message.author_id == request.user.pk,
                "by_patient": message.author_id == row.patient_id,
                # Whoever wrote it sees by whom it was opened; a patient is not shown who else of the team looked at what.
                "reads": sorted(
                    (read for read in message.reads.all() if read.person_id != message.author_id),
                    key=lambda read: read.read_at,
                ),
                "files": [
                    {
                        "row": file,
                        "size": size_words(file.file.byte_count),
                        "is_picture": file.file.media_type.startswith("image/"),
                    }
                    for file in message.files.all()
                ],
                "flags": [wording.FLAG_FOR_STAFF[flag] for flag in message.flags or []] if is_staff else [],
            }
            for message in page.rows
        ],
        "earlier_url": f"{request.path}?{urlencode({'before': page.next_key})}" if page.next_key else "",
        "latest_url": request.path if request.GET.get("before") else "",
        "answerer": access.answerer_of(row, at=at),
        "late": row.is_waiting and row.due_at is not None and row.due_at < at,
        "at": at,
    }


def _after(request: HttpRequest, sent: actions.Sent, data: dict[str, Any], at: datetime) -> HttpResponse:
    """The conversation; or, when words asked for a look, help on this same response. The message is kept either way."""
    address = reverse("coaching:messages", args=[sent.thread.pk])
    if not sent.needs_prompt:
        notices.success(request, "Sent.")
        return redirect(address)
    sentences = dict.fromkeys(wording.PROMPT[category] for category in sent.found.categories)
    context = {
        "thread": sent.thread,
        "is_crisis": sent.found.is_crisis or "emergency" in sent.found.categories,
        "sentences": list(sentences),
        "told": bool(sent.triggers),
        "after_hours": sent.after_hours,
        "staffed_words": access.staffed_words(data, at=at),
        "answers": wording.EMERGENCY_ANSWERS,
        "intent": intents.mint(),
        "back_url": address,
    }
    response = render(request, "patient/messages/prompt.html", context)
    # A replay is shown the conversation, where the message stands.
    response.replay_url = address  # type: ignore[attr-defined]
    return response


@for_role("patient")
@require_POST
@intents.guard
def emergency(request: HttpRequest, thread_id: uuid.UUID) -> HttpResponse:
    """The answer to "Is this an emergency now?"."""
    at = clock.now()
    row = access.visible_thread(request.user, thread_id, at=at)
    answer = request.POST.get("answer", "")
    actions.say_emergency(row, answer=answer, by=request.user, at=at)
    address = reverse("coaching:messages", args=[row.pk])
    if answer == "now":
        response = render(
            request,
            "patient/messages/emergency.html",
            {"said": wording.AFTER_EMERGENCY_ANSWER[answer], "back_url": address},
        )
        response.replay_url = reverse("help")  # type: ignore[attr-defined]
        return response
    notices.info(request, wording.AFTER_EMERGENCY_ANSWER[answer])
    return redirect(address)


# --- drafts ---


def _keep(request: HttpRequest, patient: Any, row: MessageThread | None, at: datetime) -> MessageDraft:
    form = DraftForm(request.POST)
    form.is_valid()
    return actions.keep_draft(
        patient,
        thread=row,
        topic=form.cleaned_data.get("topic", ""),
        body=form.cleaned_data.get("body", ""),
        version=form.cleaned_data.get("version") or 0,
        by=request.user,
        at=at,
    )


def _kept(request: HttpRequest, patient: Any, row: MessageThread | None) -> HttpResponse:
    """For the page's own script: the number of the next one, and when this was kept."""
    at = clock.now()
    draft = _keep(request, patient, row, at)
    if "application/json" not in request.headers.get("Accept", ""):
        notices.success(request, "Kept as a draft.")
        return redirect(
            reverse("coaching:messages", args=[row.pk]) if row is not None else reverse("coaching:inbox")
        )
    response = JsonResponse(
        {
            "version": draft.version,
            "intent": intents.mint(),
            "words": f"{at.astimezone(ZoneInfo(request.user.time_zone)):%I:%M %p}".lstrip("0").lower(),
        }
    )
    response.replay_url = reverse("coaching:inbox")  # type: ignore[attr-defined]
    return response


@for_role("patient")
@require_POST
@intents.guard
def draft_new(request: HttpRequest) -> HttpResponse:
    """Keep what a patient writes in a new conversation."""
    return _kept(request, patient_of(request.user), None)


@for_role(*STAFF)
@require_POST
@intents.guard
def draft_to(request: HttpRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Keep what somebody of the care team writes in a new conversation."""
    return _kept(request, access.patient_written_to(request.user, patient_id), None)


@for_role(*EVERYBODY)
@require_POST
@intents.guard
def draft(request: HttpRequest, thread_id: uuid.UUID) -> HttpResponse:
    """Keep what is being written in a conversation."""
    row = access.visible_thread(request.user, thread_id, at=clock.now())
    return _kept(request, row.patient, row)


# --- files ---


@for_role(*EVERYBODY)
@require_safe
def file(request: HttpRequest, file_id: uuid.UUID) -> HttpResponse:
    """A file of a conversation: saved, or a picture shown on its page."""
    row = access.visible_file(request.user, file_id, at=clock.now())
    return serve(row.file, name=row.name, inline=request.GET.get("show") == "1")


# --- the care team's verbs ---


@for_role(*STAFF)
@require_POST
@intents.guard
def take(request: HttpRequest, thread_id: uuid.UUID) -> HttpResponse:
    at = clock.now()
    actions.take(access.visible_thread(request.user, thread_id, at=at), by=request.user, at=at)
    notices.success(request, "It is yours to answer now.")
    return redirect("coaching:messages", thread_id)


@for_role(*STAFF)
@require_POST
@intents.guard
def looked(request: HttpRequest, thread_id: uuid.UUID) -> HttpResponse:
    at = clock.now()
    actions.look_done(access.visible_thread(request.user, thread_id, at=at), by=request.user, at=at)
    notices.success(
        request, "Kept: you have looked at it. An alert that was raised is closed on its own page."
    )
    return redirect("coaching:messages", thread_id)


@for_role(*STAFF)
@require_POST
@intents.guard
def no_answer(request: HttpRequest, thread_id: uuid.UUID) -> HttpResponse:
    at = clock.now()
    actions.no_answer_needed(access.visible_thread(request.user, thread_id, at=at), by=request.user, at=at)
    notices.success(request, "Kept: no answer is needed.")
    return redirect("coaching:messages", thread_id)


@for_role(*STAFF, "administrator")
@intents.guard
def hand_over(request: HttpRequest, thread_id: uuid.UUID) -> HttpResponse:
    """Give a conversation to somebody. An administrator does so when nobody else is there, and sees no word of it."""
    at = clock.now()
    row = access.thread_to_give(request.user, thread_id, at=at)
    people = access.who_may_take(row)
    form = GiveForm(request.POST or None, people=people)
    if request.method == "POST" and form.is_valid():
        to = next((person for person in people if str(person.pk) == form.cleaned_data["to"]), None)
        if to is None:
            raise NotVisible("There is no such page.")
        actions.hand_over(row, to=to, by=request.user, at=at)
        notices.success(request, f"{to} answers from now on, and has been told.")
        return redirect("coaching:inbox" if request.user.role != "administrator" else "home")
    context = {
        "thread": row,
        "form": form,
        "intent": intents.mint(),
        "answerer": access.answerer_of(row, at=at),
        "shows_name": request.user.role != "administrator",
    }
    return render(request, "coach/messages/hand_over.html", context, status=422 if form.errors else 200)
