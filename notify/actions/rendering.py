"""Words are put together when a message goes, from files under templates/messages/, compiled once per process."""

import functools
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, TemplateNotFound

# A message that already has its words (mail written by the log-in library).
READY_MADE = "ready-made"


@dataclass(frozen=True)
class Rendered:
    subject: str
    body: str


@functools.lru_cache(maxsize=1)
def _environment() -> Environment:
    # Plain text, so nothing is escaped; StrictUndefined, so a missing name fails in a test and not on a phone.
    return Environment(
        loader=FileSystemLoader(str(settings.BASE_DIR / "templates" / "messages")),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701
        keep_trailing_newline=False,
        auto_reload=False,
        cache_size=400,
    )


@functools.lru_cache(maxsize=400)
def _template(name: str) -> Template | None:
    try:
        return _environment().get_template(name)
    except TemplateNotFound:
        return None


def template_exists(template: str, channel: str) -> bool:
    """Is there a text for this message on this channel? The screen needs none."""
    return template == READY_MADE or channel == "screen" or _template(f"{template}.{channel}.txt") is not None


def always_known() -> dict[str, Any]:
    """What every message may name."""
    return {
        "practice_name": settings.PRACTICE["name"],
        "practice_phone": settings.PRACTICE["phone"],
        "site_url": settings.SITE_URL,
    }


def render_message(template: str, channel: str, context: dict[str, Any]) -> Rendered:
    """The words of a message. Raises LookupError without a text file, jinja2.UndefinedError for a missing name."""
    if template == READY_MADE:
        return Rendered(subject=context.get("subject", ""), body=context["body"])
    if channel == "screen":
        return Rendered(subject="", body="")
    text = _template(f"{template}.{channel}.txt")
    if text is None:
        raise LookupError(f"templates/messages/{template}.{channel}.txt does not exist")
    known = {**always_known(), **context}
    subject = ""
    if channel == "email":
        line = _template(f"{template}.subject.txt")
        # A subject is one line whatever a name contains.
        subject = " ".join(line.render(known).split()) if line else settings.PRACTICE["name"]
    return Rendered(subject=subject, body=text.render(known).strip())
