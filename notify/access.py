"""Who may see which messages, and the outbox as pages by key."""

import functools
import json
import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Count, Q, QuerySet

from accounts.access import patients_visible_to
from accounts.models import Patient, Role
from common.encryption import lookup_digest
from common.errors import NotVisible
from common.paging import newest_first
from notify.models import (
    DeadLetter,
    Heartbeat,
    InboundText,
    MessagePreference,
    OptOut,
    OutboxMessage,
    PushSubscription,
    State,
    worker_beat,
)
from notify.owner_access import letters_of, senders_of

PAGE_SIZE = 25
STATES = tuple(OutboxMessage._meta.get_field("state").choices or ())
LANES = tuple(OutboxMessage._meta.get_field("lane").choices or ())
CHANNELS = tuple(OutboxMessage._meta.get_field("channel").choices or ())


def messages_visible_to(user: Any) -> QuerySet[OutboxMessage]:
    """Administrators see every message, coaches and psychiatrists those of their patients and their own."""
    if not user.is_authenticated or not user.is_member_of_staff:
        return OutboxMessage.objects.none()
    rows = OutboxMessage.objects.select_related("recipient", "patient__user")
    if user.role == Role.ADMINISTRATOR:
        return rows
    patients = patients_visible_to(user).values("pk")
    return rows.filter(Q(patient__in=patients) | Q(recipient__in=patients) | Q(recipient_id=user.pk))


def may_read_words(user: Any, message: OutboxMessage) -> bool:
    """Links that are keys would let the reader become that person: shown to nobody but in the demo.

    Account mail (sign-up, reset) opens an account, a sitter's text opens the page on which a sitter attests (HZ-07).
    """
    return message.kind not in ("account.mail", "sitter_link") or not settings.PRODUCTION


def outbox_page(
    user: Any, *, state: str = "", lane: str = "", channel: str = "", before: str = "", limit: int = PAGE_SIZE
) -> tuple[list[OutboxMessage], str]:
    """One page, newest first, and the key of the next one (empty on the last)."""
    rows = messages_visible_to(user)
    for name, value, known in (
        ("state", state, STATES),
        ("lane", lane, LANES),
        ("channel", channel, CHANNELS),
    ):
        if value in dict(known):
            rows = rows.filter(**{name: value})
    return newest_first(rows, "created_at", after=before, limit=limit)


def failed_count(user: Any) -> int:
    """How many messages wait for a person."""
    return messages_visible_to(user).filter(state="failed").count()


def counts_by_state(user: Any) -> dict[str, int]:
    """How many messages are in each state."""
    return dict(messages_visible_to(user).order_by().values_list("state").annotate(Count("pk")))


def visible_message(user: Any, message_id: uuid.UUID) -> OutboxMessage:
    """That message, or NotVisible."""
    message = messages_visible_to(user).filter(pk=message_id).first()
    if message is None:
        raise NotVisible("There is no such message.")
    return message


def went_out(about: models.Model, *, kind: str) -> bool:
    """Has a message of this kind about this thing left already, or is it leaving now?"""
    return OutboxMessage.objects.filter(
        about_type=about._meta.label_lower,
        about_id=about.pk,
        kind=kind,
        state__in=[State.SENDING, State.SENT],
    ).exists()


def newest_mails(limit: int = 50) -> list[OutboxMessage]:
    """The newest mails to patients and strangers, whatever their state; the demo's page alone asks for them."""
    return list(
        OutboxMessage.objects.filter(channel="email", lane="ordinary")
        .select_related("recipient")
        .order_by("-created_at", "-id")[:limit]
    )


def replies_visible_to(user: Any, *, at: datetime) -> QuerySet[InboundText]:
    """Texts from this person's patients, and those that are theirs to read while a coach is away; administrators also see those of
    numbers nobody knows."""
    rows = InboundText.objects.select_related("sender", "handled_by").order_by("-received_at", "-id")
    if user.role == Role.ADMINISTRATOR:
        return rows
    return rows.filter(Q(sender__in=patients_visible_to(user).values("pk")) | senders_of(user, at=at))


def text_about(source_type: str, source_id: str) -> InboundText | None:
    """The text somebody sent us that is the source of something else, such as an alert; None when its source is another."""
    if source_type != InboundText._meta.label_lower:
        return None
    return InboundText.objects.filter(pk=source_id).select_related("sender").first()


def has_opted_out(patient: Patient) -> bool:
    """Has this person's number answered STOP? The care team must know that texts do not arrive."""
    return number_has_opted_out(patient.user.phone)


def number_has_opted_out(phone: str) -> bool:
    """Has this number answered STOP?"""
    return bool(phone) and OptOut.objects.filter(number_digest=lookup_digest(phone)).exists()


def opted_out_among(people: Iterable[Any]) -> set[Any]:
    """The keys of those users among these whose number has answered STOP: one question for a whole list."""
    by_digest: dict[str, list[Any]] = {}
    for person in people:
        if person.phone:
            by_digest.setdefault(lookup_digest(person.phone), []).append(person.pk)
    found = OptOut.objects.filter(number_digest__in=by_digest).values_list("number_digest", flat=True)
    return {key for digest in found for key in by_digest[digest]}


def wish_of(user: Any) -> MessagePreference | None:
    """What this person said about messages; None for the defaults."""
    return MessagePreference.objects.filter(pk=user.pk).first()


def devices_of_person(user: Any) -> list[PushSubscription]:
    """The browsers that are told when a message waits for this person."""
    return list(PushSubscription.objects.filter(user=user).order_by("created_at"))


def letters_visible_to(user: Any, *, at: datetime) -> QuerySet[DeadLetter]:
    """Administrators see everything that is stuck, others what they own or stand in for."""
    rows = DeadLetter.objects.select_related("owner", "patient__user", "settled_by").order_by(
        "-opened_at", "-id"
    )
    return rows if user.role == Role.ADMINISTRATOR else rows.filter(Q(owner=user) | letters_of(user, at=at))


def visible_letter(user: Any, letter_id: uuid.UUID, *, at: datetime) -> DeadLetter:
    """That one, or NotVisible."""
    letter = letters_visible_to(user, at=at).filter(pk=letter_id).first()
    if letter is None:
        raise NotVisible("There is nothing stuck by that name.")
    return letter


def ordinary_lane_silent_s(*, at: datetime) -> float | None:
    """How long no worker has looked for what is due; None when none ever has."""
    last_at = Heartbeat.objects.filter(lane="ordinary").order_by("-at").values_list("at", flat=True).first()
    return None if last_at is None else max(0.0, (at - last_at).total_seconds())


def worker_silent_s(name: str, *, at: datetime) -> float | None:
    """How long this worker (`celery@host`) has begun no task; None when it never has."""
    last_at = Heartbeat.objects.filter(name=worker_beat(name)).values_list("at", flat=True).first()
    return None if last_at is None else max(0.0, (at - last_at).total_seconds())


@functools.lru_cache(maxsize=1)
def catalogue() -> list[dict[str, Any]]:
    """Every kind of message of every app, from their data files."""
    files = sorted(settings.BASE_DIR.glob("*/data/messages.json"))
    kinds = [entry for path in files for entry in json.loads(path.read_text())["messages"]]
    return sorted(kinds, key=lambda entry: (entry.get("lane", "ordinary"), entry["kind"]))


@functools.lru_cache(maxsize=1)
def catalogue_by_kind() -> dict[str, dict[str, Any]]:
    """The same by kind."""
    return {entry["kind"]: entry for entry in catalogue()}


def offered_channels(entry: dict[str, Any]) -> list[str]:
    """The channels over which a kind may come; a device's notice comes beside the others where a kind allows it."""
    channels = [c for c in entry.get("channels") or [entry.get("channel")] if c]
    return channels + (["push"] if entry.get("push") else [])
