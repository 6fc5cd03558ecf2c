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
from safety.alert_story import banner_for
from safety.lane_access import look_for_staff

LEVELS = {"error": "pause", "warning": "pause", "success": "ok", "info": "info", "debug": "info"}


def page_context(request: HttpRequest) -> dict[str, Any]:
    user = getattr(request, "user", None)
    role = user.role if user is not None and user.is_authenticated else ""
    lane_alert, untaken = _look(request) if role not in ("", "patient") else ("", False)
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
        "lane_alert": lane_alert,
        # Asked only by layouts of the staff.
        "open_alerts": functools.partial(open_alerts, user, untaken),
        "is_demo": not settings.PRODUCTION,
        # The total stands wherever somebody is invited to go on, so every page can say it.
        "programme": programme_price(),
    }


def nav_items(request: HttpRequest, role: str) -> list[dict[str, Any]]:
    return [
        {"label": label, "url": url, "current": request.path.startswith(url)}
        for label, url in items_for(role)
    ]


# When it was looked, by the process's own watch; the sentence about the lanes; whether any alert is open.
_seen: tuple[float, str, bool] = (float("-inf"), "", False)


def _look(request: HttpRequest) -> tuple[str, bool]:
    """What the banner says of the lanes (empty when all is well), and whether any alert is open.

    Asked of the database every two seconds at most in each process, and once for a page that is put together from several: it
    stands on every page of the staff.
    """
    global _seen
    found: tuple[str, bool] | None = getattr(request, "lanes_seen", None)
    if found is None:
        now_s = clock.monotonic_s()
        if now_s - _seen[0] >= settings.LANE_LOOK_SECONDS:
            _seen = (now_s, *look_for_staff(at=clock.now()))
        found = request.lanes_seen = _seen[1:]  # type: ignore[attr-defined]
    return found


def open_alerts(user: Any, untaken: bool) -> dict[str, Any]:
    """Alerts of the reader that nobody has taken, for the banner over every page of the staff.

    While none at all was open two seconds ago, a page does not ask; what opened since comes with its first look (staff_now.js).
    """
    return banner_for(user) if untaken else {"lines": [], "more": False}
