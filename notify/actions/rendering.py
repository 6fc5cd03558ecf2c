"""Words are put together when a message goes: the practice's own when it has some, else the file's, in the reader's language.

Files are templates/messages/<language>/<template>.<channel>.txt, compiled once per process. Both kinds run in Jinja's sandbox: an
administrator writes the one kind in a browser. Whatever is wrong with own words, the file's words go: never silence.
"""

import functools
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from jinja2 import FileSystemLoader, StrictUndefined, Template, TemplateNotFound
from jinja2.sandbox import ImmutableSandboxedEnvironment

from notify.models import MessageWording
from notify.rules import FALLBACK_ZONE
from notify.wording import DEFAULT_LANGUAGE, PUSH_WORDS, STAFF_PUSH_WORDS, when_words

log = logging.getLogger("notify")

# A message that already has its words (mail written by the log-in library).
READY_MADE = "ready-made"
# Instants in a context are kept so, and read in the reader's zone and language when the message goes.
INSTANT = "$instant"

Overrides = dict[tuple[str, str, str], tuple[str, str]]


@dataclass(frozen=True)
class Rendered:
    subject: str
    body: str


@functools.lru_cache(maxsize=1)
def environment() -> ImmutableSandboxedEnvironment:
    """Plain text, so nothing is escaped; StrictUndefined, so a missing name fails in a test and not on a phone."""
    folder = settings.BASE_DIR / "templates" / "messages"
    return ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(str(folder)),
        undefined=StrictUndefined,
        autoescape=False,
        keep_trailing_newline=False,
        auto_reload=False,
        cache_size=800,
    )


def _quick(template: Template) -> Template:
    # Jinja keeps a ChainMap there and copies it for each message, which took longer than the words themselves.
    template.globals = dict(template.globals)
    return template


@functools.lru_cache(maxsize=800)
def file_template(name: str, language: str) -> Template | None:
    """The file's words in that language, else in English; None when there are none at all."""
    for path in (f"{language}/{name}", f"{DEFAULT_LANGUAGE}/{name}"):
        try:
            return _quick(environment().get_template(path))
        except TemplateNotFound:
            continue
    return None


@functools.lru_cache(maxsize=400)
def own_template(source: str) -> Template:
    """The practice's own words, compiled."""
    return _quick(environment().from_string(source))


def template_exists(template: str, channel: str) -> bool:
    """Is there a text for this message on this channel? The screen and push need none."""
    return (
        template == READY_MADE
        or channel in ("screen", "push")
        or file_template(f"{template}.{channel}.txt", DEFAULT_LANGUAGE) is not None
    )


def always_known() -> dict[str, Any]:
    """What every message may name."""
    return {
        "practice_name": settings.PRACTICE["name"],
        "practice_phone": settings.PRACTICE["phone"],
        "site_url": settings.SITE_URL,
    }


def packed(context: dict[str, Any]) -> dict[str, Any]:
    """The context as it is kept: instants by their name, so that they can be read in any zone and language later."""
    return {
        name: {INSTANT: value.isoformat()} if isinstance(value, datetime) else value
        for name, value in context.items()
    }


def unpacked(context: dict[str, Any], language: str, zone: str) -> dict[str, Any]:
    """The context as the reader's words need it."""
    return {
        name: when_words(datetime.fromisoformat(value[INSTANT]), zone, language)
        if isinstance(value, dict) and INSTANT in value
        else value
        for name, value in context.items()
    }


def own_words() -> Overrides:
    """All wordings of the practice in force, by (template, channel, language): a short list, read once a batch."""
    rows = MessageWording.objects.filter(replaced_at__isnull=True).exclude(body="")
    return {
        (template, channel, language): (subject, body)
        for template, channel, language, subject, body in rows.values_list(
            "template", "channel", "language", "subject", "body"
        )
    }


def _one_line(text: str) -> str:
    # A subject is one line whatever a name contains.
    return " ".join(text.split())


def render_message(
    template: str,
    channel: str,
    context: dict[str, Any],
    *,
    language: str = DEFAULT_LANGUAGE,
    zone: str = FALLBACK_ZONE,
    own: Overrides | None = None,
) -> Rendered:
    """The words of a message. Raises LookupError without a text file, jinja2.UndefinedError for a missing name."""
    if channel == "push":
        # Push services and lock screens learn that there is something, and nothing of what.
        words = STAFF_PUSH_WORDS if context.get("staff") else PUSH_WORDS
        return Rendered(subject=settings.PRACTICE["name"], body=words.get(language, words[DEFAULT_LANGUAGE]))
    if template == READY_MADE:
        return Rendered(subject=context.get("subject", ""), body=context["body"])
    if channel == "screen":
        return Rendered(subject="", body="")
    text = file_template(f"{template}.{channel}.txt", language)
    if text is None:
        raise LookupError(f"no text for {template} by {channel}: templates/messages/")
    known = {**always_known(), **unpacked(context, language, zone)}
    written = (own or {}).get((template, channel, language))
    if written is not None:
        try:
            subject, body = written
            return Rendered(
                _one_line(own_template(subject).render(known)) or settings.PRACTICE["name"],
                own_template(body).render(known).strip(),
            )
        except Exception:
            # They rendered when they were saved; a message is not held up because something has changed since.
            log.error("own words could not be put together; the file's went", extra={"event": "own_words"})
    subject = ""
    if channel == "email":
        line = file_template(f"{template}.subject.txt", language)
        subject = _one_line(line.render(known)) if line else settings.PRACTICE["name"]
    return Rendered(subject=subject, body=text.render(known).strip())
