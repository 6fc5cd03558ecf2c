"""The Jinja2 environment of our own pages: autoescape on, StrictUndefined, no logic in templates beyond if and for."""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.templatetags.static import static
from django.urls import reverse
from jinja2 import Environment, StrictUndefined

from common.phones import phone_words


def url(name: str, *args: Any, **kwargs: Any) -> str:
    return reverse(name, args=args or None, kwargs=kwargs or None)


def local_time(instant: datetime, zone: str, style: str = "full") -> str:
    """An instant as a person reads it in their own zone, with the zone named: 'Tue Nov 24, 7:05 pm EST'."""
    local = instant.astimezone(ZoneInfo(zone))
    clock = local.strftime("%I:%M %p").lstrip("0").lower()
    if style == "time":
        return f"{clock} {local.tzname()}"
    day = f"{local.strftime('%a %b')} {local.day}"
    if style == "date":
        return f"{day}, {local.year}"
    return f"{day}, {clock} {local.tzname()}"


def long_date(day: date) -> str:
    return f"{day.strftime('%B')} {day.day}, {day.year}"


def age_words(delta_seconds: float) -> str:
    """'4 minutes', '2 hours', '3 days': how long, in the unit a person would use."""
    seconds = max(0, int(delta_seconds))
    for size, word in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {word}{'' if count == 1 else 's'}"
    return "less than a minute"


def environment(**options: Any) -> Environment:
    # Not setdefault: the backend has already put its own lenient Undefined there.
    options["undefined"] = StrictUndefined
    options.setdefault("trim_blocks", True)
    options.setdefault("lstrip_blocks", True)
    env = Environment(**options)  # noqa: S701  (Django's backend passes autoescape=True)
    env.globals.update(static=static, url=url)
    env.filters.update(
        local_time=local_time, long_date=long_date, age_words=age_words, phone_words=phone_words
    )
    return env
