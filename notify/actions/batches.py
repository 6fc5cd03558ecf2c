"""What became of a claimed batch: gathered, then written in one statement for each kind of outcome."""

import logging
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection, transaction

from notify.models import OutboxMessage

log = logging.getLogger("notify")

IN_DOUBT_WAIT = timedelta(seconds=30)

# Only the holder of the lease may say what became of a message: whoever comes back too late changes nothing.
_MARK_SENT = """
UPDATE notify_outboxmessage AS m
   SET state = 'sent', sent_at = %s, lease_until = NULL, provider_id = v.provider_id, provider_status = v.status, last_error = ''
  FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS v(id, provider_id, status)
 WHERE m.id = v.id AND m.state = 'sending' AND m.lease_until = %s
"""
_MARK_OVER = """
UPDATE notify_outboxmessage AS m SET state = v.state, lease_until = NULL, last_error = v.why
  FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS v(id, state, why)
 WHERE m.id = v.id AND m.state = 'sending' AND m.lease_until = %s
"""
_MARK_LATER = """
UPDATE notify_outboxmessage AS m
   SET state = 'scheduled', lease_until = NULL, due_at = v.due_at, last_error = v.why, attempts = m.attempts - v.uncount,
       doubts = m.doubts + v.doubt
  FROM unnest(%s::uuid[], %s::timestamptz[], %s::text[], %s::int[], %s::int[]) AS v(id, due_at, why, uncount, doubt)
 WHERE m.id = v.id AND m.state = 'sending' AND m.lease_until = %s
"""


@dataclass
class Dispatched:
    """What became of one batch."""

    claimed: int = 0
    sent: int = 0
    later: int = 0
    failed: int = 0
    dropped: int = 0
    in_doubt: int = 0


@dataclass
class Batch:
    """The outcomes of one claimed batch, gathered so that each kind is written in one statement."""

    lease_until: datetime
    at: datetime
    sent: list[tuple[uuid.UUID, str, str]] = field(default_factory=list)
    over: list[tuple[uuid.UUID, str, str]] = field(default_factory=list)
    # When and why not now; 1 where the try is taken back; 1 where nobody can say whether it has gone already.
    later: list[tuple[uuid.UUID, datetime, str, int, int]] = field(default_factory=list)
    in_doubt: list[uuid.UUID] = field(default_factory=list)
    fall_over: list[OutboxMessage] = field(default_factory=list)
    opted_out: list[str] = field(default_factory=list)
    gone: list[OutboxMessage] = field(default_factory=list)
    for_good: list[tuple[OutboxMessage, str]] = field(default_factory=list)
    to_devices: list[OutboxMessage] = field(default_factory=list)

    def write(self) -> None:
        """Write everything gathered so far and forget it."""
        from notify.actions.callbacks import opt_out
        from notify.actions.letters import bury_messages
        from notify.actions.push import forget_devices

        if not (self.sent or self.over or self.later or self.in_doubt or self.to_devices):
            return
        with transaction.atomic(), connection.cursor() as cursor:
            if self.sent:
                ids, names, statuses = (list(column) for column in zip(*self.sent, strict=True))
                cursor.execute(_MARK_SENT, [self.at, ids, names, statuses, self.lease_until])
            if self.over:
                ids, states, whys = (list(column) for column in zip(*self.over, strict=True))
                cursor.execute(_MARK_OVER, [ids, states, [w[:200] for w in whys], self.lease_until])
            if self.later:
                ids, dues, whys, uncounts, doubts = (list(column) for column in zip(*self.later, strict=True))
                cursor.execute(
                    _MARK_LATER, [ids, dues, [w[:200] for w in whys], uncounts, doubts, self.lease_until]
                )
            if self.in_doubt:
                cursor.execute(
                    "UPDATE notify_outboxmessage SET lease_until = %s, last_error = 'in doubt' "
                    "WHERE id = ANY(%s::uuid[]) AND state = 'sending' AND lease_until = %s",
                    [self.at + IN_DOUBT_WAIT, self.in_doubt, self.lease_until],
                )
            for message in self.fall_over:
                fall_over(message, at=self.at)
            for number in self.opted_out:
                opt_out(number, said="carrier", at=self.at)
            forget_devices(self.gone, at=self.at)
            bury_messages(self.for_good, at=self.at)
            # A device is told in the statement that says what became of the message itself, so never without it.
            OutboxMessage.objects.bulk_create(self.to_devices, ignore_conflicts=True)
        for rows in (
            self.sent, self.over, self.later, self.in_doubt, self.fall_over, self.opted_out, self.gone, self.for_good, self.to_devices,
        ):  # fmt: skip
            rows.clear()


def fall_over(message: OutboxMessage, *, at: datetime) -> OutboxMessage | None:
    """Promise the same message over its next channel; None when there is no other. Once per failed message."""
    from notify.actions.promises import promise

    if not message.fallbacks or is_taken_back(message):
        return None
    if message.lane == "ordinary" and message.recipient_id and message.about_id:
        # What was promised over that channel in the same breath (a text and a mail of one visit) is not promised twice.
        twin = OutboxMessage.objects.filter(
            kind=message.kind, recipient_id=message.recipient_id, channel=message.fallbacks[0],
            about_type=message.about_type, about_id=message.about_id, created_at=message.created_at,
            wanted_at=message.wanted_at,
        )  # fmt: skip
        if twin.exclude(state="cancelled").exists():
            return None
    return promise(
        message.kind,
        to=message.recipient or message.to_address,
        channel=message.fallbacks[0],
        template=message.template,
        context=message.context,
        due_at=at,
        at=at,
        lane=message.lane,
        dedupe_key=f"after:{message.pk}",
        expires_at=message.expires_at,
        respect_quiet_hours=message.respect_quiet_hours,
        fallbacks=message.fallbacks[1:],
        priority=message.priority,
        patient=message.patient,
        about=_About(message.about_type, message.about_id) if message.about_type else None,
    )


def is_taken_back(message: OutboxMessage) -> bool:
    """Did its cause go away while it was under way? As it stands now, not as it was when a sender claimed it."""
    return OutboxMessage.objects.filter(pk=message.pk, taken_back_at__isnull=False).exists()


class _About:
    """Stands in for the thing a message is about, which need not be read again to name it."""

    def __init__(self, label: str, pk: uuid.UUID | None) -> None:
        self.pk = pk
        self._meta = type("Meta", (), {"label_lower": label})


def put_over(
    row: OutboxMessage,
    state: str,
    why: str,
    batch: Batch,
    counts: Dispatched,
    *,
    other_channel: bool = False,
) -> None:
    batch.over.append((row.pk, state, why))
    if state in ("dropped", "cancelled"):
        counts.dropped += 1
        log.info(
            "message dropped: %s",
            why,
            extra={"event": "dropped", "object_id": str(row.pk), "channel": row.channel},
        )
    else:
        counts.failed += 1
    if other_channel and row.fallbacks:
        batch.fall_over.append(row)
    elif state == "failed" and row.lane == "ordinary" and row.channel != "push":
        # Nothing tries it any more: a named person must see it. A page that failed is its alert's own business, which climbs;
        # a device that was not told is no loss, because the message itself went its own way.
        batch.for_good.append((row, why))
