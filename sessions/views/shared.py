"""What the pages of the dosing day share."""

import uuid
from collections.abc import Callable
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from common import clock
from common.errors import Invalid
from sessions import access, states
from sessions.models import DosingSession

# A person in a session is never logged out by sitting still (HZ-16); the server decides, from the session's state.
KEEP_ALIVE_S = 4 * 3600


def keep_alive(request: HttpRequest, session: DosingSession) -> None:
    """While a session goes on, this log-in stays."""
    if session.state in states.ACTIVE:
        request.session["keep_alive_until_s"] = clock.wall_time_s() + KEEP_ALIVE_S


def tried(form: forms.Form, action: Callable[[], Any]) -> tuple[bool, Any]:
    """Run an action for a valid form; what it refuses by field becomes that field's error, and everything typed stays."""
    if not form.is_valid():
        return False, None
    try:
        return True, action()
    except Invalid as error:
        for name, text in error.fields.items():
            form.add_error(name if name in form.fields else None, text)
        if not error.fields:
            form.add_error(None, error.detail)
        return False, None


def said_crisis(request: HttpRequest, *, thoughts: str = "suicidal") -> frozenset[str]:
    """Which safety answers stand in what was sent, whatever else is missing from it or wrong with it."""
    asked = {thoughts: ("no", "suicidal"), "safe_now": ("yes", "not_safe"), "psychosis": ("no", "psychosis")}
    return frozenset(
        code
        for name, (clear, code) in asked.items()
        if request.POST.get(name) in {"yes", "no", "unsure"} - {clear}
    )


def crisis(
    request: HttpRequest, template: str, session: DosingSession, context: dict[str, Any], *, back: str = ""
) -> HttpResponse:
    """Help in the very answer to the form (PR-06); a replay of the form shows help again, on the help page."""
    response = render(request, template, {"session": session, **context})
    response.replay_url = back or reverse("sessions:help", args=[session.pk])  # type: ignore[attr-defined]
    return response


def room_url(session_id: uuid.UUID) -> str:
    return reverse("sessions:session", args=[session_id])


def own_session(request: HttpRequest, session_id: uuid.UUID) -> DosingSession:
    """The session behind an address, if this person may see it."""
    return access.visible_session(request.user, session_id)
