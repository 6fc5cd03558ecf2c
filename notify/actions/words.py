"""The practice's own words: checked against a sample before they are kept, versioned, never rewritten."""

import functools
import json
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from jinja2 import TemplateError, meta, nodes

from accounts.models import LANGUAGES, Role, User
from common import audit
from common.errors import Conflict, Invalid, NotPermitted
from notify.access import catalogue, catalogue_by_kind
from notify.actions.rendering import (
    Rendered,
    always_known,
    environment,
    own_template,
    render_message,
    unpacked,
)
from notify.models import MessageWording
from notify.rules import FALLBACK_ZONE, MOST_CHARACTERS, MOST_SEGMENTS, forbidden_in, sms_segments
from notify.wording import DEFAULT_LANGUAGE

WORDED_CHANNELS = ("sms", "voice", "email")
MOST_WRITTEN = 8000
# A value, its choice by a condition, a comparison: what a message needs. Loops, calls and attributes are for programs.
_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.If, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.Not,
    nodes.And, nodes.Or, nodes.Const, nodes.Filter, nodes.Concat,
)  # fmt: skip
_FILTERS = frozenset({"lower", "upper", "title", "capitalize", "trim", "default", "replace", "safe"})


def _data(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((settings.BASE_DIR / "notify" / "data" / name).read_text())
    return found


@functools.lru_cache(maxsize=1)
def forbidden_words() -> tuple[str, ...]:
    """The patterns of all languages: a Spanish message must not hold an English clinical word either."""
    data = _data("forbidden_words.json")
    return tuple(pattern for language, _ in LANGUAGES for pattern in data[language])


@functools.lru_cache(maxsize=1)
def samples() -> dict[str, Any]:
    """A value for every name that a message may use."""
    values: dict[str, Any] = _data("samples.json")["values"]
    return values


def default_source(template: str, channel: str, language: str) -> str:
    """The file's words as they are written, in that language or else in English; empty when there are none."""
    folder = settings.BASE_DIR / "templates" / "messages"
    for code in (language, DEFAULT_LANGUAGE):
        path = folder / code / f"{template}.{channel}.txt"
        if path.exists():
            return path.read_text()
    return ""


def _templates_of(kind: dict[str, Any]) -> str:
    return str(kind.get("template", kind["kind"]))


@functools.lru_cache(maxsize=1)
def worded() -> frozenset[tuple[str, str]]:
    """(template, channel) of everything that has words: what may be written anew."""
    return frozenset(
        (_templates_of(kind), channel)
        for kind in catalogue()
        for channel in WORDED_CHANNELS
        if default_source(_templates_of(kind), channel, DEFAULT_LANGUAGE)
    )


@functools.lru_cache(maxsize=200)
def names_for(template: str) -> frozenset[str]:
    """The values that this message is given: those its files name, on any channel, and what every message may name."""
    found: set[str] = set(always_known())
    for channel in (*WORDED_CHANNELS, "subject"):
        source = default_source(template, channel, DEFAULT_LANGUAGE)
        found |= meta.find_undeclared_variables(environment().parse(source))
    return frozenset(found)


def sample_for(template: str) -> dict[str, Any]:
    """The values with which this message is tried."""
    return {name: samples()[name] for name in names_for(template) - set(always_known())}


def _wrong_with(template: str, channel: str, source: str, field: str) -> str:
    """The sentence that says why these words cannot be kept, before they are rendered; empty when they can."""
    if len(source) > MOST_WRITTEN:
        return "This is far too long for a message."
    try:
        tree = environment().parse(source)
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        return f"This cannot be read as a message{f' (line {line})' if line else ''}: {error}."
    for node in tree.find_all(nodes.Node):
        if not isinstance(node, _ALLOWED) or (isinstance(node, nodes.Filter) and node.name not in _FILTERS):
            return (
                "Only words, {{ names }} and {% if … %} may stand here; this holds something else (line "
                f"{node.lineno})."
            )
    unknown = sorted(meta.find_undeclared_variables(tree) - names_for(template))
    if unknown:
        known = ", ".join(sorted(names_for(template)))
        return f"This message does not know {', '.join(unknown)}. It knows: {known}."
    words = forbidden_in(source, forbidden_words())
    if words:
        return f"Nobody who sees the {'subject' if field == 'subject' else 'message'} may learn what kind of care this is. Leave out: {', '.join(words)}."
    return ""


def _too_long(channel: str, rendered: Rendered) -> dict[str, str]:
    if channel == "sms":
        parts = sms_segments(rendered.body)
        if parts > MOST_SEGMENTS:
            return {
                "body": f"As a text this would go in {parts} parts; {MOST_SEGMENTS} is the most. "
                "Letters such as “ó” or “—” make each part shorter."
            }
        return {}
    found = {}
    if len(rendered.body) > MOST_CHARACTERS[channel]:
        found["body"] = f"This is longer than {MOST_CHARACTERS[channel]} characters when it is put together."
    if len(rendered.subject) > MOST_CHARACTERS["subject"]:
        found["subject"] = f"A subject has at most {MOST_CHARACTERS['subject']} characters."
    return found


def try_words(*, template: str, channel: str, language: str, subject: str, body: str) -> Rendered:
    """The words put together with the sample. Raises Invalid, with a sentence for each field, for what may not be kept."""
    if (template, channel) not in worded() or language not in dict(LANGUAGES):
        raise Invalid("There is no such message.", fields={"template": "There is no such message."})
    if catalogue_by_kind().get(template, {}).get("lane") == "crisis":
        raise Invalid(
            "The pages that call somebody to a person in need keep their words.",
            fields={"template": "The pages that call somebody to a person in need keep their words."},
        )
    fields = {}
    given = {"body": body} | ({"subject": subject} if channel == "email" else {})
    for field, source in given.items():
        if not source.strip():
            fields[field] = "Write the words, or leave the message as it is."
        elif why := _wrong_with(template, channel, source, field):
            fields[field] = why
    if channel != "email" and subject.strip():
        fields["subject"] = "Only mail has a subject."
    if channel == "sms" and not fields and "practice_name" not in body:
        fields["body"] = "A text says who writes: put {{ practice_name }} into it."
    if fields:
        raise Invalid("These words cannot be kept.", fields=fields)
    try:
        rendered = _strictly(template, channel, language, subject, body)
    except Exception as error:
        raise Invalid(
            "These words cannot be put together.",
            fields={"body": f"With the sample this cannot be put together: {error}."},
        ) from None
    fields = _too_long(channel, rendered)
    for field, text in (("subject", rendered.subject), ("body", rendered.body)):
        if forbidden_in(text.replace(settings.SITE_URL, ""), forbidden_words()) and field not in fields:
            fields[field] = "Put together, this holds a word that tells what kind of care this is."
    if fields:
        raise Invalid("These words cannot be kept.", fields=fields)
    return rendered


def _strictly(template: str, channel: str, language: str, subject: str, body: str) -> Rendered:
    """Like `render_message` with own words, but trouble is raised instead of falling back to the file."""
    known = {**always_known(), **unpacked(sample_for(template), language, FALLBACK_ZONE)}
    return Rendered(
        " ".join(own_template(subject).render(known).split()), own_template(body).render(known).strip()
    )


def render_default(template: str, channel: str, language: str) -> Rendered:
    """The file's words with the sample."""
    return render_message(template, channel, sample_for(template), language=language)


def write_words(
    *,
    template: str,
    channel: str,
    language: str,
    subject: str = "",
    body: str,
    note: str = "",
    by: User,
    at: datetime,
) -> MessageWording:
    """Put the practice's own words in force. Raises Invalid when they may not be kept, NotPermitted for anybody but an administrator."""
    try_words(template=template, channel=channel, language=language, subject=subject, body=body)
    return _keep(template, channel, language, subject.strip(), body, note, by=by, at=at)


def restore_default(
    *, template: str, channel: str, language: str, note: str = "", by: User, at: datetime
) -> MessageWording:
    """From now on the file's words go again. Raises Conflict when they do already."""
    if (
        not MessageWording.objects.filter(
            template=template, channel=channel, language=language, replaced_at__isnull=True
        )
        .exclude(body="")
        .exists()
    ):
        raise Conflict("The words of the file are in force already.")
    return _keep(template, channel, language, "", "", note, by=by, at=at)


def _keep(
    template: str, channel: str, language: str, subject: str, body: str, note: str, *, by: User, at: datetime
) -> MessageWording:
    if by.role != Role.ADMINISTRATOR:
        raise NotPermitted("Only an administrator writes the practice's words.")
    with transaction.atomic():
        rows = MessageWording.objects.select_for_update().filter(
            template=template, channel=channel, language=language
        )
        version = (rows.aggregate(Max("version"))["version__max"] or 0) + 1
        rows.filter(replaced_at__isnull=True).update(replaced_at=at)
        row = MessageWording.objects.create(
            template=template,
            channel=channel,
            language=language,
            version=version,
            subject=subject,
            body=body,
            note=note[:200],
            written_at=at,
            written_by=by,
        )
        audit.record(
            "words.restored" if not body else "words.written",
            by=by,
            at=at,
            about=row,
            detail={"template": template, "channel": channel, "language": language, "version": version},
        )
    return row


@functools.lru_cache(maxsize=400)
def _default_shown(template: str, channel: str, language: str) -> Rendered:
    return render_default(template, channel, language)


def wordings_of(
    kind: dict[str, Any], own: dict[tuple[str, str, str], MessageWording] | None = None
) -> list[dict[str, Any]]:
    """One entry for each channel and language of a kind: the file's words and the practice's own, put together with the sample."""
    template = _templates_of(kind)
    shown = []
    for channel in WORDED_CHANNELS:
        if (template, channel) not in worded():
            continue
        for language, name in LANGUAGES:
            default = _default_shown(template, channel, language)
            written = (own or {}).get((template, channel, language))
            text = None
            if written is not None:
                try:
                    text = _strictly(template, channel, language, written.subject, written.body)
                except Exception:
                    text = Rendered("", "(These words can no longer be put together; the file's go.)")
            shown.append(
                {
                    "template": template, "channel": channel, "language": language, "language_name": name,
                    "default": default, "own": text, "row": written,
                    "parts": sms_segments((text or default).body) if channel == "sms" else 0,
                    "fixed": kind.get("lane") == "crisis",
                }
            )  # fmt: skip
    return shown


def wordings_in_force() -> dict[tuple[str, str, str], MessageWording]:
    """The practice's own words in force, with who wrote them."""
    rows = (
        MessageWording.objects.filter(replaced_at__isnull=True).exclude(body="").select_related("written_by")
    )
    return {(row.template, row.channel, row.language): row for row in rows}
