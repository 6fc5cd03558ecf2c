"""The sitter's page: no account, one link, one evening."""

import functools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.guards import by_link
from common import clock, intents
from common.errors import NotVisible
from sessions import access, actions, states
from sessions.actions.watch import SPEAKS_OF_DYING
from sessions.forms import ATTESTATIONS, ReadingForm, SitterCheckForm, SitterConfirmForm, SymptomForm
from sessions.models import Checkpoint, SitterLink
from sessions.views.room import emergency_card, say_reading
from sessions.views.shared import crisis, tried
from vitals.models import Reading
from vitals.wording import CUFF_HELP

View = Callable[..., HttpResponse]


def sitter_page(view: View) -> View:
    """Find the link behind the secret in the address; a wrong or ended one does not exist. Intents are the sitter's own."""

    @functools.wraps(view)
    def found(request: HttpRequest, token: str, **kwargs: Any) -> HttpResponse:
        try:
            link = access.link_by_token(token, at=clock.now())
        except NotVisible:
            raise Http404 from None
        request.intent_actor = f"sitter:{link.sitter_id}"  # type: ignore[attr-defined]
        return intents.guard(view)(request, link, token, **kwargs)

    found.carries_intent = True  # type: ignore[attr-defined]
    return by_link(found)


# From each of the sitter's forms back to their page. Without the secret in it, because a form's answer is kept for its replay.
BACK = "../"
# The page with the numbers: from the help form itself, and from a form beside it.
HELP_AGAIN, TO_HELP = "./", "../help/"


def show(
    request: HttpRequest, link: SitterLink, token: str, *, form: Any = None, status: int = 200
) -> HttpResponse:
    """The sitter's page as it is now."""
    at = clock.now()
    session = link.session
    room = access.room_of(session, at=at)
    soon = at + timedelta(minutes=7)
    check_due = next((c for c in room.due if c.kind == Checkpoint.Kind.SITTER and c.due_at <= soon), None)
    next_check = next((c for c in room.due if c.kind == Checkpoint.Kind.SITTER and c.due_at > soon), None)
    empty: forms.Form
    if link.confirmed_at is None:
        step, empty = "confirm", SitterConfirmForm()
    elif session.state in states.WATCHED:
        step = "watch"
        empty = SitterCheckForm() if check_due else ReadingForm()
    elif session.state in (states.PREPARING, states.READY, states.SCHEDULED):
        step, empty = "wait", ReadingForm()
    else:
        step, empty = "over", ReadingForm()
    return render(
        request,
        f"sitter/{step}.html",
        {
            "link": link, "token": token, "session": session, "room": room, "at": at, "zone": session.patient.user.time_zone,
            "form": form or empty, "check_due": check_due, "next_check": next_check, "attestations": ATTESTATIONS,
            "patient_name": (session.patient.user.full_name or "them").split(" ")[0], "cuff_help": CUFF_HELP,
            "open_now": session.state in states.ACTIVE, "intent": intents.mint(), "intent_2": intents.mint(), "intent_3": intents.mint(),
            "intent_4": intents.mint(), "intent_dying": intents.mint(),
            "is_check": isinstance(form or empty, SitterCheckForm),
        },
        status=status,
    )  # fmt: skip


@sitter_page
@require_GET
def sitter(request: HttpRequest, link: SitterLink, token: str) -> HttpResponse:
    """The page behind the link."""
    actions.open_link(link, at=clock.now())
    return show(request, link, token)


@sitter_page
@require_POST
def confirm(request: HttpRequest, link: SitterLink, token: str) -> HttpResponse:
    """Attest, on my own phone."""
    form = SitterConfirmForm(request.POST)
    done, _ = tried(
        form, lambda: actions.confirm_sitter(link, attested=form.cleaned_data["attested"], at=clock.now())
    )
    return HttpResponseRedirect(BACK) if done else show(request, link, token, form=form, status=422)


@sitter_page
@require_POST
def check(request: HttpRequest, link: SitterLink, token: str) -> HttpResponse:
    """I looked."""
    form = SitterCheckForm(request.POST)
    done, result = tried(
        form,
        lambda: actions.sitter_check(
            link.session,
            findings=form.cleaned_data["findings"],
            by=f"sitter:{link.sitter_id}",
            at=clock.now(),
        ),
    )
    heard = SPEAKS_OF_DYING in request.POST.getlist("findings")
    if not done and heard:
        # Whatever else is wrong with the form: somebody is called.
        actions.hear_of_dying(link.session, by=f"sitter:{link.sitter_id}", at=clock.now())
        return _stay_with_them(request, link, token, back=TO_HELP)
    if not done:
        return show(request, link, token, form=form, status=422)
    if result.emergency:
        return crisis(
            request,
            "sitter/call_911.html",
            link.session,
            {**emergency_card(link.session), "token": token, "self_harm": result.self_harm},
            back=BACK,
        )
    if result.self_harm:
        return _stay_with_them(request, link, token, back=TO_HELP)
    if result.alerts:
        messages.warning(
            request, "Thank you. The person on call has been told and will ring. If it gets worse, call 911."
        )
    else:
        messages.success(request, "Thank you.")
    return HttpResponseRedirect(BACK)


@sitter_page
@require_POST
def reading(request: HttpRequest, link: SitterLink, token: str) -> HttpResponse:
    """A reading taken by the sitter."""
    form = ReadingForm(request.POST)
    done, outcome = tried(
        form,
        lambda: actions.take_reading(
            link.session,
            **form.cleaned_data,
            by=f"sitter:{link.sitter_id}",
            at=clock.now(),
            source=Reading.Source.SITTER,
        ),
    )
    if not done:
        return show(request, link, token, form=form, status=422)
    say_reading(request, outcome)
    return HttpResponseRedirect(BACK)


@sitter_page
def symptoms(request: HttpRequest, link: SitterLink, token: str) -> HttpResponse:
    """Something I see or hear."""
    form = SymptomForm(request.POST or None, by_sitter=True)
    if request.method == "POST":
        done, result = tried(
            form,
            lambda: actions.record_symptoms(
                link.session, **form.cleaned_data, by=f"sitter:{link.sitter_id}", at=clock.now()
            ),
        )
        if done:
            if result.emergency:
                return crisis(
                    request,
                    "sitter/call_911.html",
                    link.session,
                    {**emergency_card(link.session), "token": token, "self_harm": False},
                    back=BACK,
                )
            messages.success(request, "Thank you, that is noted.")
            return HttpResponseRedirect(BACK)
    return render(
        request, "sitter/symptoms.html",
        {"form": form, "token": token, "link": link, "intent": intents.mint(), "intent_dying": intents.mint()},
        status=422 if form.errors else 200,
    )  # fmt: skip


@sitter_page
@require_http_methods(["GET", "POST"])
def get_help(request: HttpRequest, link: SitterLink, token: str) -> HttpResponse:
    """Somebody should call us, or they speak of dying: one press each. The numbers stand here before and after."""
    by = f"sitter:{link.sitter_id}"
    if request.method == "POST" and request.POST.get("kind") == SPEAKS_OF_DYING:
        actions.hear_of_dying(link.session, by=by, at=clock.now())
        return _stay_with_them(request, link, token, back=HELP_AGAIN)
    if request.method == "POST":
        actions.ask_for_help(link.session, by=by, at=clock.now())
        return crisis(
            request,
            "sitter/help_now.html",
            link.session,
            {**emergency_card(link.session), "token": token},
            back=HELP_AGAIN,
        )
    context = {"token": token, "intent": intents.mint(), "intent_dying": intents.mint()}
    return render(request, "sitter/help.html", {**emergency_card(link.session), **context})


def _stay_with_them(request: HttpRequest, link: SitterLink, token: str, *, back: str) -> HttpResponse:
    """988, 911 and our number in the very answer, and what a sitter does until somebody rings (PR-06)."""
    name = (link.session.patient.user.full_name or "them").split(" ")[0]
    context = {**emergency_card(link.session), "token": token, "patient_name": name}
    return crisis(request, "sitter/not_safe.html", link.session, context, back=back)


@sitter_page
@require_POST
def sign(request: HttpRequest, link: SitterLink, token: str) -> HttpResponse:
    """I stayed, and they are well enough to rest."""
    actions.sign_as_sitter(link, at=clock.now())
    messages.success(request, "Thank you for being there.")
    return HttpResponseRedirect(BACK)
