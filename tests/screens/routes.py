"""Which route has a picture: the pages of the URLconf beside the addresses that docs/screens/index.json names. No browser is needed."""

import inspect
import json
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.urls import get_resolver, resolve

from portal.routes import _walk, every_route

INDEX = Path(__file__).resolve().parents[2] / "docs" / "screens" / "index.json"
# Anybody's id or secret in an address of the index.
SOMEBODY = str(uuid.UUID(int=0))
# allauth's own pages, the API and what other programs ask; of the administration's pages those that are ours.
NOT_OURS = re.compile(r"^/?(accounts|api|fhir|webhooks|static)/")
OF_THE_LIBRARY = re.compile(r"_(changelist|add|change|delete|history)$")
DOWNLOAD = "a file, not a page"
FOR_A_SCRIPT = "asked by a page's script or another program; nobody looks at it"
ON = "sends on to a page that has a picture"
WITHOUT: dict[str, str] = {
    "livez": FOR_A_SCRIPT,
    "readyz": FOR_A_SCRIPT,
    "profile/messages/worker.js": FOR_A_SCRIPT,
    "staff/now/": FOR_A_SCRIPT,
    "video/<uuid:room_id>/pass/": FOR_A_SCRIPT,
    "video/<uuid:room_id>/line/": FOR_A_SCRIPT,
    "v/<str:guest_token>/pass/": FOR_A_SCRIPT,
    "v/<str:guest_token>/line/": FOR_A_SCRIPT,
    "sessions/<uuid:session_id>/now/": FOR_A_SCRIPT,
    "consents/<uuid:consent_id>/pdf/": DOWNLOAD,
    "documents/<uuid:document_id>/": DOWNLOAD,
    "clearance/<uuid:clearance_id>/letter/": DOWNLOAD,
    "consults/<uuid:appointment_id>/invite.ics": DOWNLOAD,
    "consults/order/<uuid:order_id>/pdf/": DOWNLOAD,
    "consults/parcel/<uuid:parcel_id>/photo/": DOWNLOAD,
    "introduction/link/<str:token>/appointment.ics": DOWNLOAD,
    "calendar/feed/<str:token>.ics": DOWNLOAD,
    "messages/files/<uuid:file_id>/": DOWNLOAD,
    "introduction/booked/": ON,
    "admin/accounts/user/<uuid:pk>/invite-again/": ON,
    "sessions/<uuid:session_id>/video/": ON,
    "billing/checkout/<uuid:payment_id>/": ON,
}


def pages() -> Iterator[str]:
    """Each route of ours that answers a GET."""
    for name, path, view in _walk(get_resolver().url_patterns, "", ""):
        if path.startswith("admin/"):
            own = name.removeprefix("admin:")
            if "_" not in own or OF_THE_LIBRARY.search(own) or own in LIBRARYS_OWN:
                continue
        elif NOT_OURS.match(path):
            continue
        if "GET" in _methods(view):
            yield path


LIBRARYS_OWN = {"password_change", "password_change_done", "app_list", "view_on_site"}


def pages_of_patients() -> Iterator[str]:
    """Those that a patient, a sitter or a guest opens, and nobody of the staff."""
    ours = set(pages())
    for route in every_route():
        who = {role for roles in route.roles.values() for role in roles}
        if who <= {"patient", "link"} and route.path.lstrip("/") in ours:
            yield route.path.lstrip("/")


def _methods(view: Callable[..., Any] | None) -> tuple[str, ...]:
    """What `require_http_methods` and its kin let through, under whatever other decorators there are; a GET where nothing is said."""
    while view is not None:
        if inspect.isfunction(view):
            found = inspect.getclosurevars(view).nonlocals.get("request_method_list")
            if found:
                return tuple(found)
        view = getattr(view, "__wrapped__", None)
    return ("GET",)


def pictures() -> list[dict[str, str]]:
    rows: list[dict[str, str]] = json.loads(INDEX.read_text())
    return rows


def route_of(address: str) -> str:
    """The route that an address of the index was drawn from."""
    return str(resolve(address.replace("…", SOMEBODY)).route)


def without_a_picture() -> list[str]:
    """The pages that nobody has photographed and that are not excused above."""
    shown = {route_of(row["address"]) for row in pictures()}
    return [path for path in pages() if path not in shown and path not in WITHOUT]
