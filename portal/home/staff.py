"""Staff home pages are the work list, with a few numbers that only this role asks for."""

from datetime import date, datetime
from typing import Any

from django.conf import settings

from accounts.models import User
from common.clock import local_date
from intake.access import queue_count, states_today
from portal import access
from portal.work import PAGE_SIZE, gather, page_of
from safety.access import alert_title_for, on_call_now, open_alerts_for
from safety.alert_story import banner_of
from video.access import waiting_lines

ALERTS_ON_TOP = 8


def _common(user: User, *, at: datetime) -> dict[str, Any]:
    """The alerts in full and the rest of the list; alerts stand on top, so the list does not say them twice."""
    alerts = list(open_alerts_for(user)[:ALERTS_ON_TOP])
    on_top = {f"{kind}:{alert.pk}" for alert in alerts for kind in ("alert.open", "alert.unclosed")}
    items = [item for item in gather(user, at=at) if item.key not in on_top]
    return {
        "alerts": [{"alert": alert, "title": alert_title_for(user, alert)} for alert in alerts],
        # The page has them already: the banner over it asks no more.
        "alerts_on_top": banner_of(alerts, user),
        "who_waits": waiting_lines(user, at=at),
        "page": page_of(items, at=at, zone=user.time_zone, size=PAGE_SIZE),
        "at": at,
        "flexibility_ends_on": date.fromisoformat(settings.TELEMEDICINE_FLEXIBILITY_ENDS_ON),
        "flexibility_days": (
            date.fromisoformat(settings.TELEMEDICINE_FLEXIBILITY_ENDS_ON) - local_date(at, user.time_zone)
        ).days,
    }


def for_psychiatrist(user: User, *, at: datetime) -> dict[str, Any]:
    """The list, how many wait in my states, and my own papers that run out."""
    codes = states_today(user, at)
    return _common(user, at=at) | {
        "codes": sorted(codes),
        "queue_count": queue_count(codes, at=at),
        "papers": [
            one
            for one in access.papers_running_out(local_date(at, user.time_zone))
            if one["row"].psychiatrist_id == user.pk
        ],
    }


def for_coach(user: User, *, at: datetime) -> dict[str, Any]:
    """The list."""
    return _common(user, at=at)


def for_administrator(user: User, *, at: datetime) -> dict[str, Any]:
    """The list, who is on call, what the outbox holds, and how many people there are."""
    return _common(user, at=at) | {
        "on_call": on_call_now(at=at),
        "trouble": access.outbox_trouble(at=at),
        "people": access.people_by_role(),
        "person": user,
    }
