"""One thing to do, and the small words about days and places that home pages share."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.urls import is_valid_path

from sessions.models import DosingSession


@dataclass(frozen=True)
class Thing:
    """One thing to do: what, why, by when, and where to do it."""

    title: str
    text: str = ""
    url: str = ""
    label: str = ""
    by: datetime | None = None
    when: str = ""
    kind: str = "info"


def working_days_after(start: datetime, days: int, zone: str) -> Any:
    """The local date that is so many working days later; Saturdays and Sundays do not count."""
    day = start.astimezone(ZoneInfo(zone)).date()
    while days:
        day += timedelta(days=1)
        if day.weekday() < 5:
            days -= 1
    return day


def day_words(instant: datetime, zone: str) -> str:
    """Day and time as a person reads them in their zone."""
    local = instant.astimezone(ZoneInfo(zone))
    clock = f"{local:%I:%M %p}".lstrip("0").lower()
    return f"{local:%a %b} {local.day}, {clock} {local.tzname()}"


def session_url(session: DosingSession) -> str:
    """The page of one session; the list while there is none."""
    address = f"/sessions/{session.pk}/"
    return address if is_valid_path(address) else "/sessions/"
