"""The device check, the waiting room and the room, for whoever has a seat; guests come by a link."""

import functools
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from csp.decorators import csp_update
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.guards import by_link, for_role
from common import clock, intents
from common.errors import Conflict, NotVisible
from video import access, actions, gateways, wording
from video.forms import GuestForm, LateForm
from video.models import Seat

View = Callable[..., HttpResponse]
GUEST_COOKIE = "guest"
EVERYBODY = ("patient", "psychiatrist", "coach")
TWILIO = ["https://*.twilio.com", "wss://*.twilio.com"]
TWILIO_SCRIPT = "https://sdk.twilio.com/js/video/releases/2.31.1/twilio-video.min.js"


def _socket_origin(request: HttpRequest) -> str:
    """Where the WebSocket is. Without a proxy on a port of its own, under the name by which the page was opened: a browser that
    opened "localhost" shows its log-in to "127.0.0.1" never."""
    if settings.WS_PORT:
        return f"ws://{urlsplit(f'//{request.get_host()}').hostname}:{settings.WS_PORT}"
    return settings.SITE_URL.replace("http", "ws", 1)


def video_policy(view: View) -> View:
    """What these pages may speak to beside us: the WebSocket, and Twilio only where Twilio carries the visit."""

    @functools.wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        vendor = gateways.chosen() == "twilio"
        policy: dict[str, Any] = {
            "connect-src": [_socket_origin(request), *(TWILIO if vendor else [])],
            "media-src": ["'self'", "blob:", "mediastream:"],
        }
        if vendor:
            policy["script-src"] = ["https://sdk.twilio.com"]
        return csp_update(policy)(view)(request, *args, **kwargs)  # type: ignore[return-value]

    return answered


def _with_devices(response: HttpResponse) -> HttpResponse:
    """Camera, microphone and screen, for pages of a visit alone (the middleware forbids them elsewhere)."""
    response["Permissions-Policy"] = (
        "camera=(self), microphone=(self), display-capture=(self), geolocation=()"
    )
    return response


def _check(request: HttpRequest, role: str, back: str) -> HttpResponse:
    context = {
        "layout": layout_of(role),
        "socket": f"{_socket_origin(request)}/ws/video/",
        "relays": gateways.relays(),
        "relay_only": settings.VIDEO_RELAY_ONLY,
        "back": back,
    }
    return _with_devices(render(request, "components/visit/check.html", context))


@video_policy
@for_role(*EVERYBODY)
@require_GET
def check(request: HttpRequest) -> HttpResponse:
    """Try camera, microphone, sound and the way out, before the visit. Nothing of it is sent anywhere."""
    return _check(request, request.user.role, "")


def layout_of(role: str) -> str:
    if role == "patient":
        return "components/layout_patient.html"
    return "components/layout_staff.html" if role else "components/layout_guest.html"


def show(
    request: HttpRequest, seat: Seat, *, addresses: dict[str, str], status: int = 200, **more: Any
) -> HttpResponse:
    """The room, the waiting room, or why neither opens."""
    at = clock.now()
    visit = access.visit_of(seat, at=at)
    against = access.refusals(seat, at=at, visit=visit)
    role = request.user.role if seat.user_id is not None else ""
    context: dict[str, Any] = {
        "layout": layout_of(role),
        "seat": seat,
        "room": seat.room,
        "visit": visit,
        "refusals": against,
        "addresses": addresses,
        "zone": access.zone_of(seat, visit),
        "is_clinician": seat.role == Seat.Role.CLINICIAN,
        "is_patient": seat.role == Seat.Role.PATIENT,
        "before": wording.before_you(visit.place),
        "mint": intents.mint,
        **more,
    }
    if against:
        return render(request, "components/visit/closed.html", context, status=status)
    if seat.role == Seat.Role.GUEST:
        if not access.browser_may_sit(seat, request.COOKIES.get(GUEST_COOKIE, "")):
            # Whoever opens the link reads what it is for; nobody waits, and no place is taken, before they press.
            return _with_devices(render(request, "components/visit/door.html", context, status=status))
    seat = actions.come(seat, at=at)
    context["seat"] = seat
    everybody = list(access.seats_of(seat.room))
    context["guests"] = [
        (one, access.display_name(one, to=seat))
        for one in everybody
        if one.role == Seat.Role.GUEST and one.pk != seat.pk
    ]
    if seat.admitted_at is None:
        return _with_devices(render(request, "components/visit/waiting.html", context, status=status))
    if context["is_clinician"]:
        context |= {
            "own_room": seat.room.pk,
            "waiting": [
                (one, access.display_name(one, to=seat), access.still_here(one, at=at))
                for one in access.waiting_in(seat.room)
            ],
            "people": [(one, access.display_name(one, to=seat)) for one in everybody if one.pk != seat.pk],
            "late_form": more.get("late_form") or LateForm(initial={"minutes": seat.room.late_minutes}),
        }
    context["guest_form"] = more.get("guest_form") or GuestForm()
    context["vendor_script"] = TWILIO_SCRIPT if seat.room.vendor == "twilio" else ""
    return _with_devices(render(request, "components/visit/room.html", context, status=status))


def _addresses(room_id: uuid.UUID) -> dict[str, str]:
    return {name: reverse(f"video:{name}", args=[room_id]) for name in ("pass", "line", "room")}


@video_policy
@for_role(*EVERYBODY)
@require_GET
def room(request: HttpRequest, room_id: uuid.UUID) -> HttpResponse:
    """The clinician comes straight in, everybody else waits to be let in."""
    return show(request, access.seat_of(request.user, room_id), addresses=_addresses(room_id))


def _pass(request: HttpRequest, seat: Seat, at: datetime) -> JsonResponse:
    """What the browser needs to come in: where, with which pass, and (only when let in) how sound and picture travel."""
    access.may_come_in(seat, at=at)
    carried = None
    if seat.admitted_at is not None:
        actions.prepare_carrier(seat.room)
        carried = gateways.of_room(seat.room.vendor).admission(seat, now_unix=int(clock.wall_time_s()))
    answer = JsonResponse(
        {
            "pass": access.pass_for(seat),
            "socket": f"{_socket_origin(request)}/ws/video/",
            "me": seat.pk.hex,
            "admitted": seat.admitted_at is not None,
            "media": carried,
        }
    )
    answer["Cache-Control"] = "no-store, private"
    return answer


def _line(seat: Seat, at: datetime) -> JsonResponse:
    """Where somebody stands in the line, for a page whose WebSocket cannot be had."""
    visit = access.visit_of(seat, at=at)
    against = access.refusals(seat, at=at, visit=visit)
    actions.note_page(seat, at=at)
    zone = access.zone_of(seat, visit)
    answer = JsonResponse(
        {
            "admitted": seat.admitted_at is not None,
            "over": bool(against),
            "place": visit.place,
            "before": wording.before_you(visit.place),
            "expected_at": visit.expected_at.isoformat() if visit.expected_at else None,
            "expected": wording.clock_time(visit.expected_at, zone) if visit.expected_at else "soon",
            "late_minutes": seat.room.late_minutes,
        }
    )
    answer["Cache-Control"] = "no-store, private"
    return answer


@for_role(*EVERYBODY)
@require_GET
def room_pass(request: HttpRequest, room_id: uuid.UUID) -> HttpResponse:
    """A fresh pass of fifteen minutes."""
    return _pass(request, access.seat_of(request.user, room_id), clock.now())


@for_role(*EVERYBODY)
@require_GET
def line(request: HttpRequest, room_id: uuid.UUID) -> HttpResponse:
    """The waiting room in figures."""
    return _line(access.seat_of(request.user, room_id), clock.now())


@for_role("patient")
@require_POST
@intents.guard
def phone(request: HttpRequest, room_id: uuid.UUID) -> HttpResponse:
    """Call me instead."""
    actions.ask_for_phone(access.seat_of(request.user, room_id), by=request.user, at=clock.now())
    return redirect("video:room", room_id)


@video_policy
@for_role("psychiatrist", "coach")
@require_POST
@intents.guard
def late(request: HttpRequest, room_id: uuid.UUID) -> HttpResponse:
    """Running late, by so much."""
    seat = access.seat_of(request.user, room_id)
    form = LateForm(request.POST)
    if not form.is_valid():
        return show(request, seat, addresses=_addresses(room_id), status=422, late_form=form, form=form)
    actions.say_late(seat.room, minutes=form.cleaned_data["minutes"], by=request.user, at=clock.now())
    return redirect("video:room", room_id)


@video_policy
@for_role(*EVERYBODY)
@require_http_methods(["GET", "POST"])
@intents.guard
def guests(request: HttpRequest, room_id: uuid.UUID) -> HttpResponse:
    """Invite an interpreter or somebody of the family; the link is shown once."""
    seat, at = access.seat_of(request.user, room_id), clock.now()
    form = GuestForm(request.POST or None)
    link, name = "", ""
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        made, secret = actions.invite_guest(
            seat.room, kind=data["kind"], name=data["name"], phone=data["phone"], by=request.user, at=at
        )
        link, name = settings.SITE_URL + reverse("video:guest", args=[secret]), made.guest_name
        form = GuestForm()
    context = {
        "layout": layout_of(request.user.role),
        "form": form,
        "link": link,
        "name": name,
        "room": seat.room,
        "guests": [one for one in access.seats_of(seat.room) if one.role == Seat.Role.GUEST],
        "back": reverse("video:room", args=[room_id])
        if seat.room.opens_at <= at
        else access.visit_of(seat, at=at).back_url,
        "mint": intents.mint,
        "intent": intents.mint(),
    }
    response = render(request, "components/visit/guests.html", context, status=422 if form.errors else 200)
    if link:
        # Done, although it is no redirect: the link is shown in this answer alone, and a replay shows the list.
        response.replay_url = reverse("video:guests", args=[room_id])  # type: ignore[attr-defined]
    return response


def _seat_in(room_id: uuid.UUID, seat_id: uuid.UUID, user: Any) -> Seat:
    """A seat of a room in which this person sits too."""
    mine = access.seat_of(user, room_id)
    for seat in access.seats_of(mine.room):
        if seat.pk == seat_id:
            return seat
    raise NotVisible("There is no such page.")


@for_role("psychiatrist", "coach")
@require_POST
@intents.guard
def admit(request: HttpRequest, room_id: uuid.UUID, seat_id: uuid.UUID) -> HttpResponse:
    """Let somebody in."""
    actions.admit(_seat_in(room_id, seat_id, request.user), by=request.user, at=clock.now())
    return redirect("video:room", room_id)


@for_role(*EVERYBODY)
@require_POST
@intents.guard
def remove(request: HttpRequest, room_id: uuid.UUID, seat_id: uuid.UUID) -> HttpResponse:
    """Show a guest out."""
    actions.remove(_seat_in(room_id, seat_id, request.user), by=request.user, at=clock.now())
    return redirect("video:guests", room_id)


@for_role("psychiatrist", "coach")
@require_POST
@intents.guard
def close(request: HttpRequest, room_id: uuid.UUID) -> HttpResponse:
    """End the visit for everybody in the room."""
    seat, at = access.seat_of(request.user, room_id), clock.now()
    visit = access.visit_of(seat, at=at)
    actions.close_room(seat.room, by=request.user, at=at)
    return redirect(visit.after_url or visit.back_url)


def guest_page(view: View) -> View:
    """The seat behind the secret in the address; a wrong or ended one does not exist. Intents are this guest's own."""

    @functools.wraps(view)
    def found(request: HttpRequest, guest_token: str, **kwargs: Any) -> HttpResponse:
        try:
            seat = access.guest_seat(guest_token, at=clock.now())
        except NotVisible:
            raise Http404 from None
        request.intent_actor = f"guest:{seat.pk}"  # type: ignore[attr-defined]
        response = intents.guard(view)(request, seat, guest_token, **kwargs)
        response["Cache-Control"] = "no-store, private"
        response["Referrer-Policy"] = "no-referrer"
        return response

    found.carries_intent = True  # type: ignore[attr-defined]
    return by_link(found)


def _guest_addresses(token: str) -> dict[str, str]:
    return {
        "pass": reverse("video:guest_pass", args=[token]),
        "line": reverse("video:guest_line", args=[token]),
        "room": reverse("video:guest", args=[token]),
        "in": reverse("video:guest_in", args=[token]),
        "check": reverse("video:guest_check", args=[token]),
    }


@guest_page
def guest(request: HttpRequest, seat: Seat, token: str) -> HttpResponse:
    """The guest's door, waiting room and room, without an account."""
    return show(request, seat, addresses=_guest_addresses(token))


guest = require_GET(video_policy(guest))


def room_address(token: str) -> str:
    """Where a guest's link leads."""
    return reverse("video:guest", args=[token])


def remember_guest(response: HttpResponse, token: str, browser: str) -> HttpResponse:
    """From now on this browser, and no other, sits in the place behind the link."""
    response.set_cookie(
        GUEST_COOKIE, browser, max_age=86_400, path=room_address(token), httponly=True,
        samesite="Lax", secure=settings.SESSION_COOKIE_SECURE,
    )  # fmt: skip
    return response


@guest_page
def guest_in(request: HttpRequest, seat: Seat, token: str) -> HttpResponse:
    """Come in from this browser: from now on the link opens the visit here and nowhere else."""
    seat, browser = actions.come_by_link(seat, at=clock.now())
    return remember_guest(redirect("../"), token, browser)


guest_in = require_POST(guest_in)


@guest_page
def guest_check(request: HttpRequest, seat: Seat, token: str) -> HttpResponse:
    """Camera and sound, tried by a guest."""
    return _check(request, "", "../")


guest_check = require_GET(video_policy(guest_check))


def _at_the_door(request: HttpRequest, seat: Seat) -> None:
    """Raises Conflict (other_browser) for a browser that has not come in with this link."""
    if not access.browser_may_sit(seat, request.COOKIES.get(GUEST_COOKIE, "")):
        raise Conflict(wording.refusal("other_browser"), code="other_browser")


@guest_page
def guest_pass(request: HttpRequest, seat: Seat, token: str) -> HttpResponse:
    _at_the_door(request, seat)
    return _pass(request, seat, clock.now())


@guest_page
def guest_line(request: HttpRequest, seat: Seat, token: str) -> HttpResponse:
    _at_the_door(request, seat)
    return _line(seat, clock.now())
