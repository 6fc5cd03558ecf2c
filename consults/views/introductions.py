"""The free introductory call: a stranger chooses a time, gives a name and a way to be reached, and holds one link."""

import functools
from collections.abc import Callable
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.forms import zone_choices, zone_of_state
from accounts.guards import by_link, for_role, public
from common import clock, intents
from common.encryption import lookup_digest
from common.errors import Conflict, NotVisible, SlotTaken
from consults import actions, wording
from consults.access.doubt import doubts_of_call
from consults.access.introductions import (
    doubt_words,
    introduction_by_token,
    introduction_token,
    visible_introduction,
)
from consults.access.rooms import room_hours
from consults.access.slots import introduction_slots, visit_settings
from consults.forms_introduction import IntroductionForm, RoomForm
from consults.gateways.calendar import introduction_invitation
from consults.models import Introduction
from consults.rules.slots import offset_change_words, when_words
from consults.views.common import slot_from
from consults.views.times import PEOPLE_PER_TIME, week_of_times
from intake.views.assessed import assessed
from video.views import remember_guest, room_address

COOKIE = "introduction"
OTHER_TIMES = 6
STATES = {
    "booked": ("Booked", "ok"),
    "cancelled": ("Cancelled", "neutral"),
    "completed": ("Took place", "neutral"),
    "no_show": ("Missed", "pause"),
}

View = Callable[..., HttpResponse]


def visitor_page(view: View) -> View:
    """For somebody whose answers in this browser do not exclude them; anybody else is led to the questions or their result.

    Intents are the browser's own sealed answers, so that no session begins.
    """

    @functools.wraps(view)
    def found(request: HttpRequest) -> HttpResponse:
        if getattr(request.user, "role", "") == "patient":
            return redirect("consults:book", "intro")
        visitor = assessed(request, at=clock.now())
        if visitor is None or visitor.excluded:
            return redirect("intake:assessment_result")
        request.intent_actor = f"visitor:{lookup_digest(request.COOKIES['assessment'])[:40]}"  # type: ignore[attr-defined]
        return intents.guard(view)(request, visitor.state)

    found.carries_intent = True  # type: ignore[attr-defined]
    return public(found)


def _zones() -> list[tuple[str, str]]:
    """Every zone that can be chosen, groups opened."""
    flat: list[tuple[str, str]] = []
    for value, label in zone_choices():
        flat += (
            [(str(v), str(w)) for v, w in label]
            if isinstance(label, list | tuple)
            else [(str(value), str(label))]
        )
    return flat


def _zone(request: HttpRequest, state: str) -> str:
    asked = request.GET.get("zone", "") or request.POST.get("zone", "")
    return asked if asked in dict(_zones()) and asked else zone_of_state(state)


def _week(
    request: HttpRequest, state: str, zone: str, address: str, *, at: datetime, moving: Introduction | None = None
) -> dict[str, Any]:  # fmt: skip
    """A week of free times for a call, and the way to the weeks beside it."""
    search = functools.partial(
        introduction_slots, state, zone, at=at, moving=moving, per_start=PEOPLE_PER_TIME
    )
    week = week_of_times(search, request.GET.get("from", ""), at=at, zone=zone)
    beside = {
        name: f"{address}?zone={zone}&from={week[name].isoformat()}" if week[name] else ""
        for name in ("earlier", "later")
    }
    return {**week, **beside, "zone": zone, "zones": _zones(), "address": address}


@visitor_page
@require_http_methods(["GET", "HEAD"])
def times(request: HttpRequest, state: str) -> HttpResponse:
    """Free times; choosing one asks for a name and a way to reach the person, and nothing else."""
    at, zone = clock.now(), _zone(request, state)
    context = _week(request, state, zone, reverse("consults:introduction"), at=at)
    return render(request, "public/introduction/times.html", context | {"booked": bool(_of_cookie(request))})


@visitor_page
@require_http_methods(["GET", "HEAD", "POST"])
def details(request: HttpRequest, state: str) -> HttpResponse:
    """Name, phone or e-mail, for the time that was chosen."""
    at, zone = clock.now(), _zone(request, state)
    chosen = request.POST.get("slot", "") or request.GET.get("slot", "")
    if not chosen:
        return redirect("consults:introduction")
    clinician_id, starts_at = slot_from(chosen)
    form = IntroductionForm(request.POST or None)
    status, others, row = 422 if form.is_bound else 200, [], None
    if request.method == "POST" and form.is_valid():
        try:
            row = actions.book_introduction(
                state=state,
                clinician_id=clinician_id,
                starts_at=starts_at,
                time_zone=zone,
                address=_address_of(request),
                at=at,
                **form.cleaned_data,
            )
        except SlotTaken as gone:
            # What was typed stays; the next free times stand beside it.
            form.add_error(None, gone.detail)
            horizon = at + timedelta(days=visit_settings(at)["horizon_days"])
            others = introduction_slots(state, zone, at, horizon, at=at, limit=OTHER_TIMES, per_start=1)
            status = 409
        except Conflict as refused:
            form.add_error(None, refused.detail)
            status = 409
    if row is not None:
        response = redirect("consults:introduction_booked")
        response.set_cookie(
            COOKIE, introduction_token(row), max_age=86_400, path=reverse("consults:introduction"), httponly=True,
            samesite="Lax", secure=settings.SESSION_COOKIE_SECURE,
        )  # fmt: skip
        return response
    context = {
        "form": form,
        "slot": chosen,
        "zone": zone,
        "when": when_words(starts_at, zone),
        "clocks": offset_change_words(at, starts_at, zone),
        "intent": intents.mint(),
        "back": f"{reverse('consults:introduction')}?zone={zone}",
        "others": others,
    }
    return render(request, "public/introduction/details.html", context, status=status)


def _address_of(request: HttpRequest) -> str:
    """The visitor's network address; of IPv6 the part that is one household's (/64). Behind a proxy, what the proxy saw."""
    try:
        found = ip_address(get_adapter().get_client_ip(request))
    except (ValueError, PermissionDenied):
        return ""
    return str(ip_network((found, 64), strict=False)) if found.version == 6 else str(found)


def _of_cookie(request: HttpRequest) -> Introduction | None:
    try:
        row = introduction_by_token(request.COOKIES.get(COOKIE, ""))
    except NotVisible:
        return None
    return row if row.state == "booked" and row.ends_at > clock.now() else None


@public
@require_safe
def booked(request: HttpRequest) -> HttpResponse:
    """From the form to the call's own page, whose link is also in the message."""
    row = _of_cookie(request)
    if row is None:
        return redirect("consults:introduction")
    return redirect("consults:introduction_link", introduction_token(row))


def link_page(view: View) -> View:
    """Find the call behind the secret in the address; a wrong one does not exist. Intents are this call's own."""

    @functools.wraps(view)
    def found(request: HttpRequest, token: str) -> HttpResponse:
        try:
            row = introduction_by_token(token)
        except NotVisible:
            raise Http404 from None
        request.intent_actor = f"introduction:{row.pk}"  # type: ignore[attr-defined]
        return intents.guard(view)(request, row, token)

    found.carries_intent = True  # type: ignore[attr-defined]
    return by_link(found)


@link_page
@require_http_methods(["GET", "HEAD"])
def link(request: HttpRequest, row: Introduction, token: str) -> HttpResponse:
    """When, with whom, how; a calendar file; another time; or not at all."""
    at = clock.now()
    word, kind = STATES[row.state]
    context = {
        "row": row,
        "token": token,
        "when": when_words(row.starts_at, row.time_zone),
        "clocks": offset_change_words(at, row.starts_at, row.time_zone),
        "with": str(row.clinician),
        "word": word,
        "kind": kind,
        "can_change": row.state == "booked" and row.starts_at > at,
        "over": row.ends_at <= at,
        "doubts": [wording.DOUBT_FOR_PATIENT[one] for one in doubts_of_call(row, at=at)[:1]],
        "opens_at": room_hours(row)[0],
        "door_open": row.state == "booked" and room_hours(row)[0] <= at < room_hours(row)[1],
        "zone": row.time_zone,
        "intent": intents.mint(),
    }
    return render(request, "public/introduction/call.html", context)


# From each form back to the call's page, without the secret in it: a form's answer is kept for its replay.
BACK = "../"


@link_page
@require_http_methods(["GET", "HEAD", "POST"])
def move(request: HttpRequest, row: Introduction, token: str) -> HttpResponse:
    """Another time; the old one stays until the new one is sure."""
    at = clock.now()
    if request.method == "POST":
        clinician_id, starts_at = slot_from(request.POST.get("slot", ""))
        actions.move_introduction(row, clinician_id=clinician_id, starts_at=starts_at, at=at)
        return HttpResponseRedirect(BACK)
    if row.state != "booked" or row.starts_at <= at:
        return HttpResponseRedirect(BACK)
    address = reverse("consults:introduction_move", args=[token])
    context = _week(request, row.state_of_care, row.time_zone, address, at=at, moving=row)
    context |= {"when": when_words(row.starts_at, row.time_zone), "token": token, "intent": intents.mint()}
    return render(request, "public/introduction/move.html", context)


@link_page
@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest, row: Introduction, token: str) -> HttpResponse:
    """Ask once, then give the time back."""
    if request.method == "POST":
        actions.cancel_introduction(row, by=actions.VISITOR, at=clock.now())
        return HttpResponseRedirect(BACK)
    context = {"when": when_words(row.starts_at, row.time_zone), "token": token, "intent": intents.mint()}
    return render(request, "public/introduction/cancel.html", context)


@link_page
@require_POST
def come_in(request: HttpRequest, row: Introduction, token: str) -> HttpResponse:
    """From the call's own page into its waiting room, in this browser."""
    at = clock.now()
    room = actions.open_introduction_room(row, by=actions.VISITOR, at=at)
    secret, browser = actions.caller_comes(room, name=row.name, at=at)
    # Not a redirect: where a form led is kept for its replay, and this address is a secret.
    response = render(request, "public/introduction/coming_in.html", {"address": room_address(secret)})
    response.replay_url = BACK  # type: ignore[attr-defined]
    response["Refresh"] = f"0; url={room_address(secret)}"
    return remember_guest(response, secret, browser)


@link_page
@require_safe
def calendar_file(request: HttpRequest, row: Introduction, token: str) -> HttpResponse:
    """The call as a calendar file; sent again after a change, it updates the entry in place."""
    return _file(row, reverse("consults:introduction_link", args=[token]))


def _file(row: Introduction, address: str) -> HttpResponse:
    method = "CANCEL" if row.state == "cancelled" else "REQUEST"
    response = HttpResponse(
        introduction_invitation(row, address=address, at=clock.now()),
        content_type=f"text/calendar; charset=utf-8; method={method}",
    )
    response["Content-Disposition"] = 'attachment; filename="appointment.ics"'
    return response


@for_role("psychiatrist", "administrator")
@require_safe
def call(request: HttpRequest, introduction_id: UUID) -> HttpResponse:
    """The clinician's page of a call: whom to reach, how, and what became of it."""
    at = clock.now()
    row = visible_introduction(request.user, introduction_id, at=at)
    return render(request, "psychiatrist/consults/introduction.html", _call_context(request, row, at))


def _call_context(request: HttpRequest, row: Introduction, at: datetime, form: Any = None) -> dict[str, Any]:
    word, kind = STATES[row.state]
    return {
        "row": row,
        "when": when_words(row.starts_at, request.user.time_zone),  # type: ignore[union-attr]
        "their_time": f"{row.starts_at.astimezone(ZoneInfo(row.time_zone)):%-I:%M %p %Z}",
        "word": word,
        "kind": kind,
        "begun": row.starts_at <= at,
        "mine": row.clinician_id == request.user.pk,
        "may_take": request.user.role == "psychiatrist" and row.ends_at > at,  # type: ignore[union-attr]
        "doubts": [
            doubt_words(row, one, reader=request.user)  # type: ignore[arg-type]
            for one in doubts_of_call(row, at=at)
        ],
        "form": form or RoomForm(initial={"meeting_url": row.meeting_url}),
        "mint": intents.mint,
    }


@for_role("psychiatrist")
@require_POST
@intents.guard
def take(request: HttpRequest, introduction_id: UUID) -> HttpResponse:
    """Hold the call of a colleague who is not here any more."""
    at = clock.now()
    row = visible_introduction(request.user, introduction_id, at=at)
    actions.take_introduction(row, by=request.user, at=at)
    return redirect("consults:introduction_call", row.pk)


@for_role("psychiatrist")
@require_POST
@intents.guard
def video(request: HttpRequest, introduction_id: UUID) -> HttpResponse:
    """Open the video room of a call and go there."""
    at = clock.now()
    row = visible_introduction(request.user, introduction_id, at=at)
    return redirect("video:room", actions.open_introduction_room(row, by=request.user, at=at).pk)


@for_role("psychiatrist", "administrator")
@require_POST
@intents.guard
def room(request: HttpRequest, introduction_id: UUID) -> HttpResponse:
    """Set the video room of a call."""
    at = clock.now()
    row = visible_introduction(request.user, introduction_id, at=at)
    form = RoomForm(request.POST)
    if not form.is_valid():
        return render(
            request,
            "psychiatrist/consults/introduction.html",
            _call_context(request, row, at, form),
            status=422,
        )
    actions.set_introduction_room(row, url=form.cleaned_data["meeting_url"], by=request.user, at=at)
    return redirect("consults:introduction_call", row.pk)


@for_role("psychiatrist", "administrator")
@require_POST
@intents.guard
def end(request: HttpRequest, introduction_id: UUID) -> HttpResponse:
    """Took place, missed, or called off by the practice."""
    at = clock.now()
    row = visible_introduction(request.user, introduction_id, at=at)
    how = request.POST.get("how", "")
    if how == "cancel":
        actions.cancel_introduction(row, by=request.user, at=at)
    else:
        actions.close_introduction(row, happened=how == "happened", by=request.user, at=at)
    return redirect("consults:introduction_call", row.pk)
