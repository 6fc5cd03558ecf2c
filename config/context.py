"""What every page knows."""

import functools
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest

from common import clock
from measures.plan_page import own_safety_plan
from portal.navigation import items_for
from portal.prices import programme_price
from safety.access import staff_banner

LEVELS = {"error": "pause", "warning": "pause", "success": "ok", "info": "info", "debug": "info"}


def page_context(request: HttpRequest) -> dict[str, Any]:
    user = getattr(request, "user", None)
    role = user.role if user is not None and user.is_authenticated else ""
    return {
        "practice": settings.PRACTICE,
        "user_role": role,
        "viewer_zone": user.time_zone if user is not None and role else "America/New_York",
        "notices": [
            {"level": LEVELS.get(m.level_tag, "info"), "text": str(m)} for m in messages.get_messages(request)
        ],
        "nav_items": nav_items(request, role),
        # Asked only by pages that bring help to a patient.
        "own_safety_plan": functools.partial(own_safety_plan, request),
        "lane_alert": lane_alert(role),
        "is_demo": not settings.PRODUCTION,
        # The total stands wherever somebody is invited to go on, so every page can say it.
        "programme": programme_price(),
    }


def nav_items(request: HttpRequest, role: str) -> list[dict[str, Any]]:
    return [
        {"label": label, "url": url, "current": request.path.startswith(url)}
        for label, url in items_for(role)
    ]


_lane_seen: tuple[float, str] = (float("-inf"), "")


def lane_alert(role: str) -> str:
    """The sentence of the red banner when pages, messages or checks do not go on; empty for patients and when it is well.

    Asked of the database every two seconds at most in each process: it stands on every page of the staff.
    """
    global _lane_seen
    if role in ("", "patient"):
        return ""
    now_s = clock.monotonic_s()
    if now_s - _lane_seen[0] >= settings.LANE_LOOK_SECONDS:
        _lane_seen = (now_s, staff_banner(at=clock.now()))
    return _lane_seen[1]
