"""Promising a message and taking it back."""

import atexit
import logging
import os
import threading
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, time
from typing import Any

from django.db import connection, models, transaction
from django.db.models import Q

from accounts.models import Patient, User
from common import audit
from common.errors import Conflict
from notify.access import catalogue_by_kind
from notify.actions.letters import settle_letters_about
from notify.actions.rendering import packed, template_exists
from notify.models import InboundText, MessagePreference, OutboxMessage, State
from notify.rules import next_allowed

log = logging.getLogger("notify")

# The pager listens here; a lost notification costs a second, not the page.
CRISIS_CHANNEL = "hearthside_crisis"


def promise(
    kind: str,
    *,
    to: User | str,
    channel: str,
    template: str = "",
    context: dict[str, Any] | None = None,
    due_at: datetime,
    at: datetime,
    lane: str = "ordinary",
    dedupe_key: str | None = None,
    about: Any = None,
    patient: Patient | None = None,
    expires_at: datetime | None = None,
    respect_quiet_hours: bool = True,
    fallbacks: Sequence[str] | None = None,
    priority: int = 0,
) -> OutboxMessage:
    """Write the promise of a message in the caller's transaction; it goes when it is due, whatever dies meanwhile.

    `to` is a person, or an address for somebody without an account. `template` defaults to `kind`; the text files are
    templates/messages/<language>/<template>.<channel>.txt, and a missing one fails here rather than at night. Instants in
    `context` are read in the person's zone and language when the message goes. With a `dedupe_key` the second promise answers
    the first one's row; if that one was taken back meanwhile (a session moved away and back), it is wanted again and goes. The
    person's own quiet hours move `due_at`, they never drop it. Whoever has no account (a sitter beside somebody, a guest) has none,
    deliberately: what they get is asked of them now. Without `fallbacks` an ordinary message to a person goes over the
    catalogue's other channels where its own cannot be used (STOP, turned off, no number). Of the crisis lane's pages those of the highest `priority` (the
    alert's severity) go first.
    """
    name = template or kind
    if not template_exists(name, channel):
        raise LookupError(f"templates/messages/en/{name}.{channel}.txt does not exist")
    recipient = to if isinstance(to, User) else None
    quiet = respect_quiet_hours and lane == "ordinary"
    row = OutboxMessage(
        lane=lane,
        kind=kind,
        recipient=recipient,
        to_address="" if recipient is not None else str(to),
        channel=channel,
        fallbacks=_other_ways(kind, name, channel, recipient, lane) if fallbacks is None else list(fallbacks),
        template=name,
        context=packed(context or {}),  # type: ignore[misc]
        wanted_at=due_at,
        due_at=in_their_day(due_at, recipient) if quiet and recipient is not None else due_at,
        expires_at=expires_at,
        respect_quiet_hours=quiet,
        priority=priority,
        dedupe_key=dedupe_key,
        about_type=about._meta.label_lower if about is not None else "",
        about_id=about.pk if about is not None else None,
        patient=patient,
        created_at=at,
    )
    if dedupe_key is None:
        row.save(force_insert=True)
    else:
        row = _once(row, dedupe_key)
    if lane == "crisis":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, '')", [CRISIS_CHANNEL])
    return row


def _other_ways(kind: str, name: str, channel: str, recipient: User | None, lane: str) -> list[str]:
    """The catalogue's other channels of this kind that have words. Whoever has no account has only the address they gave."""
    if recipient is None or lane != "ordinary":
        return []
    channels = catalogue_by_kind().get(kind, {}).get("channels", ())
    return [other for other in channels if other != channel and template_exists(name, other)]


def _once(row: OutboxMessage, dedupe_key: str) -> OutboxMessage:
    """The row of that key: this one, or the one that is there already; one that was taken back waits again as promised now."""
    OutboxMessage.objects.bulk_create([row], ignore_conflicts=True)
    found = OutboxMessage.objects.get(dedupe_key=dedupe_key)
    if found.taken_back_at is not None:
        # Under way when it was taken back, and wanted again before it was told so: then nothing happened.
        OutboxMessage.objects.filter(pk=found.pk, state__in=(State.SENDING, State.SENT)).update(
            taken_back_at=None
        )
        # Refused since and waiting for its next try: it waits on, as it is promised now. What may have gone stays counted.
        OutboxMessage.objects.filter(pk=found.pk, state=State.SCHEDULED).update(
            taken_back_at=None, due_at=row.due_at, wanted_at=row.wanted_at, expires_at=row.expires_at, context=row.context,
        )  # fmt: skip
        found.refresh_from_db()
    # One that failed after it was taken back is nobody's work, so it is wanted again like one that never went.
    over = Q(state=State.CANCELLED) | Q(state=State.FAILED, taken_back_at__isnull=False)
    if found.pk != row.pk and found.state in (State.CANCELLED, State.FAILED):
        again = {
            "due_at": row.due_at, "wanted_at": row.wanted_at, "expires_at": row.expires_at, "context": row.context,
            "channel": row.channel, "fallbacks": row.fallbacks, "attempts": 0, "doubts": 0, "last_error": "", "taken_back_at": None,
            "provider_id": "", "provider_status": "",
        }  # fmt: skip
        # Compare and set: of two who want it again at once, one revives it.
        if OutboxMessage.objects.filter(over, pk=found.pk).update(state=State.SCHEDULED, **again):
            found = OutboxMessage.objects.get(pk=found.pk)
    return found


def quiet_hours_of(person: User) -> dict[str, time]:
    """The person's own quiet hours, or the practice's."""
    wish: MessagePreference | None = getattr(person, "message_preference", None)
    return {"quiet_from": wish.quiet_from, "quiet_until": wish.quiet_until} if wish else {}


def in_their_day(due_at: datetime, person: User) -> datetime:
    """`due_at`, or the end of the quiet hours it falls into where this person lives."""
    return next_allowed(due_at, person.time_zone, **quiet_hours_of(person))


# One statement for what waits and what is under way: a page of messages takes back a note for each that is read.
_TAKE_BACK = """
UPDATE notify_outboxmessage SET
       state = CASE state WHEN 'scheduled' THEN 'cancelled' ELSE state END,
       last_error = CASE state WHEN 'scheduled' THEN %s ELSE last_error END,
       taken_back_at = CASE state WHEN 'scheduled' THEN taken_back_at ELSE coalesce(taken_back_at, %s) END
 WHERE about_type = %s AND about_id = %s AND state = ANY(%s) AND (%s::text[] IS NULL OR kind = ANY(%s))
RETURNING state
"""


def cancel_for(
    about: models.Model,
    *,
    kinds: Iterable[str] | None = None,
    at: datetime,
    why: str = "moot",
    under_way_too: bool = True,
) -> int:
    """Take back what is still waiting about this thing (a visit that moved, an alert somebody took). Answers how many.

    What is under way with a sender or a vendor cannot be called back, but it is not tried again and does not go over another
    channel, unless `under_way_too` is False.
    """
    taken = [State.SCHEDULED, State.SENDING, State.SENT] if under_way_too else [State.SCHEDULED]
    named = list(kinds) if kinds is not None else None
    with connection.cursor() as cursor:
        cursor.execute(
            _TAKE_BACK,
            [why[:200], at, about._meta.label_lower, about.pk, list(map(str, taken)), named, named],
        )
        count = sum(state == State.CANCELLED for (state,) in cursor.fetchall())
    if count:
        audit.record(
            "messages.cancelled",
            by="system:notify",
            at=at,
            about=about,
            detail={"count": count, "why": why[:60]},
        )
    return count


def cancel_promised(
    patient: Patient, *, kind: str, key_starts: str, until_at: datetime, at: datetime, why: str = "moot"
) -> int:
    """Take back what waits for this person by its dedupe key: what was wanted up to `until_at`, so that later ones stay; and of the
    same key what was to follow soon (`…:again`). Answers how many."""
    rows = OutboxMessage.objects.filter(
        patient=patient, kind=kind, state=State.SCHEDULED, dedupe_key__startswith=key_starts
    )
    wanted = list(rows.values_list("pk", "dedupe_key", "wanted_at"))
    # The first reminder of a key may have gone already; what repeats it is known by the key.
    begun = set(
        OutboxMessage.objects.filter(
            patient=patient, kind=kind, dedupe_key__startswith=key_starts, wanted_at__lte=until_at
        ).values_list("dedupe_key", flat=True)
    )
    over = [
        pk
        for pk, key, wanted_at in wanted
        if wanted_at <= until_at or str(key).removesuffix(":again") in begun
    ]
    count = OutboxMessage.objects.filter(pk__in=over, state=State.SCHEDULED).update(
        state=State.CANCELLED, last_error=why[:200]
    )
    if count:
        audit.record(
            "messages.cancelled", by="system:notify", at=at, about=patient, patient_id=patient.pk,
            detail={"count": count, "why": why[:60]},
        )  # fmt: skip
    return count


def nudge() -> None:
    """Ask the worker to look soon, after this transaction. Only a nudge: beat finds the row anyway, so trouble is logged."""
    transaction.on_commit(_nudger.wake, robust=True)


class _Nudger:
    """One thread a process that speaks to the broker, because a broker that is down can take half a minute to say so, and a
    person is waiting. Nudges that come while one is under way are one nudge.
    """

    GRACE_AT_EXIT_S = 1.0

    def __init__(self) -> None:
        self._wanted = threading.Event()
        self._idle = threading.Event()
        self._lock = threading.Lock()
        self._pid = 0

    def wake(self) -> None:
        """Returns at once, whatever state the broker is in."""
        with self._lock:
            # A forked child has the object but not the thread.
            if self._pid != os.getpid():
                self._pid = os.getpid()
                threading.Thread(target=self._run, daemon=True, name="nudger").start()
                atexit.register(self._idle.wait, self.GRACE_AT_EXIT_S)
            self._idle.clear()
            self._wanted.set()

    def _run(self) -> None:
        from notify.tasks import dispatch_due

        while self._wanted.wait():
            self._wanted.clear()
            try:
                dispatch_due.apply_async(retry=False, ignore_result=True)
            except Exception:
                log.warning(
                    "the worker could not be nudged; the next tick sends it", extra={"event": "nudge_failed"}
                )
            if not self._wanted.is_set():
                self._idle.set()


_nudger = _Nudger()


def try_again(message: OutboxMessage, *, by: User, at: datetime) -> None:
    """A person sends a failed message once more. Raises Conflict when it is no longer failed."""
    with transaction.atomic():
        changed = OutboxMessage.objects.filter(pk=message.pk, state=State.FAILED).update(
            state=State.SCHEDULED,
            due_at=at,
            attempts=0,
            doubts=0,
            lease_until=None,
            last_error="",
            taken_back_at=None,
        )
        if not changed:
            raise Conflict("This message is not waiting for a person any more. Reload the page.")
        settle_letters_about(message, by=by, at=at)
        audit.record("message.tried_again", by=by, at=at, about=message, patient_id=message.patient_id)


def mark_reply_handled(reply_id: uuid.UUID, *, by: User, at: datetime) -> None:
    """A person has read a text and done what it needs. Raises Conflict when somebody else did already."""
    with transaction.atomic():
        changed = InboundText.objects.filter(pk=reply_id, handled_at__isnull=True).update(
            handled_at=at, handled_by=by
        )
        if not changed:
            raise Conflict("Somebody has already dealt with this reply.")
        audit.record("reply.handled", by=by, at=at, about=InboundText(pk=reply_id))


def beat(name: str, *, lane: str, at: datetime) -> None:
    """This process is well."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO notify_heartbeat (name, lane, at) VALUES (%s, %s, %s) "
            "ON CONFLICT (name) DO UPDATE SET at = EXCLUDED.at",
            [name[:80], lane, at],
        )
        # Processes that are long gone would only make the table grow.
        cursor.execute(
            "DELETE FROM notify_heartbeat WHERE lane = %s AND at < %s - interval '1 day'", [lane, at]
        )
