"""Sending what is due: claim a batch with a lease, send it outside any transaction, write down what became of it.

A batch costs three statements whatever its size (claim, the vendor's books, mark). A sender that dies leaves rows in state
`sending` with a lease; when the lease is over, the ordinary lane asks the vendor before it sends anything again (class R),
and the crisis lane sends again at once, saying that it is a further notice (class L). docs/adr/ tells why.
"""

import logging
import random
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection, transaction

from accounts.models import User
from common import clock
from common.encryption import lookup_digest
from notify import gateways
from notify.actions.rendering import render_message
from notify.gateways import Envelope, Gateway, InDoubt, Receipt, Refused
from notify.models import Lane, OptOut, OutboxMessage, ProviderEvent, State
from notify.rules import is_quiet, moves_forward, next_allowed, retry_after_seconds

log = logging.getLogger("notify")

ORDINARY_LEASE = timedelta(minutes=5)
CRISIS_LEASE = timedelta(seconds=40)
IN_DOUBT_WAIT = timedelta(seconds=30)
CRISIS_TRIES_PER_CHANNEL = 2
CRISIS_RETRY_SECONDS = 2.0
# Leave the rest of a batch to the next one before the lease runs out under a slow vendor.
SLOW_SEND_BUDGET_S = 200.0
AT_ONCE = 8

_CLAIM = """
UPDATE notify_outboxmessage SET state = 'sending', lease_until = %s, attempts = attempts + 1
 WHERE id = ANY(ARRAY(
       SELECT id FROM notify_outboxmessage
        WHERE lane = '{lane}' AND state = 'scheduled' AND due_at <= %s
        ORDER BY due_at, id LIMIT %s FOR UPDATE SKIP LOCKED))
RETURNING notify_outboxmessage.*
"""
# The partial index is only used when the planner can see its condition, hence the lane as a literal.
_CLAIM_DUE = {lane: _CLAIM.format(lane=lane) for lane in ("ordinary", "crisis")}
_CLAIM_ABANDONED = """
UPDATE notify_outboxmessage SET lease_until = %s{count}
 WHERE id = ANY(ARRAY(
       SELECT id FROM notify_outboxmessage
        WHERE state = 'sending' AND lease_until < %s AND lane = '{lane}'
        ORDER BY lease_until LIMIT %s FOR UPDATE SKIP LOCKED))
RETURNING notify_outboxmessage.*
"""
_CLAIM_CRISIS_ABANDONED = _CLAIM_ABANDONED.format(lane="crisis", count=", attempts = attempts + 1")
_CLAIM_ORDINARY_ABANDONED = _CLAIM_ABANDONED.format(lane="ordinary", count="")

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
   SET state = 'scheduled', lease_until = NULL, due_at = v.due_at, last_error = v.why, attempts = m.attempts - v.uncount
  FROM unnest(%s::uuid[], %s::timestamptz[], %s::text[], %s::int[]) AS v(id, due_at, why, uncount)
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
class _Batch:
    """The outcomes of one claimed batch, gathered so that each kind is written in one statement."""

    lease_until: datetime
    at: datetime
    sent: list[tuple[uuid.UUID, str, str]] = field(default_factory=list)
    over: list[tuple[uuid.UUID, str, str]] = field(default_factory=list)
    later: list[tuple[uuid.UUID, datetime, str, int]] = field(default_factory=list)
    in_doubt: list[uuid.UUID] = field(default_factory=list)
    fall_over: list[OutboxMessage] = field(default_factory=list)

    def write(self) -> None:
        """Write everything gathered so far and forget it."""
        if not (self.sent or self.over or self.later or self.in_doubt):
            return
        with transaction.atomic(), connection.cursor() as cursor:
            if self.sent:
                ids, names, statuses = (list(column) for column in zip(*self.sent, strict=True))
                cursor.execute(_MARK_SENT, [self.at, ids, names, statuses, self.lease_until])
            if self.over:
                ids, states, whys = (list(column) for column in zip(*self.over, strict=True))
                cursor.execute(_MARK_OVER, [ids, states, [w[:200] for w in whys], self.lease_until])
            if self.later:
                ids, dues, whys, uncounts = (list(column) for column in zip(*self.later, strict=True))
                cursor.execute(_MARK_LATER, [ids, dues, [w[:200] for w in whys], uncounts, self.lease_until])
            if self.in_doubt:
                cursor.execute(
                    "UPDATE notify_outboxmessage SET lease_until = %s, last_error = 'in doubt' "
                    "WHERE id = ANY(%s::uuid[]) AND state = 'sending' AND lease_until = %s",
                    [self.at + IN_DOUBT_WAIT, self.in_doubt, self.lease_until],
                )
            for message in self.fall_over:
                fall_over(message, at=self.at)
        self.sent, self.over, self.later, self.in_doubt, self.fall_over = [], [], [], [], []


def fall_over(message: OutboxMessage, *, at: datetime) -> OutboxMessage | None:
    """Promise the same message over its next channel; None when there is no other. Once per failed message."""
    from notify.actions.promises import promise

    if not message.fallbacks:
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
        patient=message.patient,
        about=_About(message.about_type, message.about_id) if message.about_type else None,
    )


class _About:
    """Stands in for the thing a message is about, which need not be read again to name it."""

    def __init__(self, label: str, pk: uuid.UUID | None) -> None:
        self.pk = pk
        self._meta = type("Meta", (), {"label_lower": label})


def _address(message: OutboxMessage, recipient: User | None) -> str:
    if recipient is None:
        return message.to_address
    return recipient.email if message.channel == "email" else recipient.phone


def _prepare(
    rows: Sequence[OutboxMessage], batch: _Batch, counts: Dispatched
) -> list[tuple[OutboxMessage, Envelope]]:
    """Sort out what cannot or must not go now; word and address the rest."""
    at = batch.at
    people = {p.pk: p for p in User.objects.filter(pk__in={r.recipient_id for r in rows if r.recipient_id})}
    addresses = {
        row.pk: _address(row, people.get(row.recipient_id) if row.recipient_id else None) for row in rows
    }
    digests = {row.pk: lookup_digest(addresses[row.pk]) for row in rows if row.channel == "sms"}
    stopped = (
        set(
            OptOut.objects.filter(number_digest__in=set(digests.values())).values_list(
                "number_digest", flat=True
            )
        )
        if digests
        else set()
    )
    ready = []
    for row in rows:
        person = people.get(row.recipient_id) if row.recipient_id else None
        if person is not None:
            row.recipient = person
        if row.expires_at is not None and row.expires_at <= at:
            _over(row, "dropped", "late for something that is over", batch, counts)
        elif person is not None and not person.is_active:
            _over(row, "dropped", "the account is closed", batch, counts)
        elif row.respect_quiet_hours and person is not None and is_quiet(at, person.time_zone):
            # "Not yet" is no failed try, so the try is taken back.
            batch.later.append((row.pk, next_allowed(at, person.time_zone), "", 1))
            counts.later += 1
        elif row.channel != "screen" and not addresses[row.pk]:
            _over(row, "failed", f"no address for {row.channel}", batch, counts, other_channel=True)
        elif row.channel == "sms" and digests[row.pk] in stopped:
            state = "failed" if row.fallbacks or row.lane == "crisis" else "dropped"
            _over(row, state, "this number answered STOP", batch, counts, other_channel=True)
        else:
            try:
                words = render_message(
                    row.template,
                    row.channel,
                    {**row.context, "notice_number": row.context.get("notice_number", 1) + row.attempts - 1}
                    if row.lane == Lane.CRISIS
                    else row.context,
                )
            except Exception as error:  # one poisoned row must not hold up the others
                log.error(
                    "a message could not be worded", extra={"event": "poison", "object_id": str(row.pk)}
                )
                _over(
                    row,
                    "failed",
                    f"could not be worded: {type(error).__name__}",
                    batch,
                    counts,
                    other_channel=True,
                )
                continue
            ready.append(
                (
                    row,
                    Envelope(
                        reference=row.pk,
                        channel=row.channel,
                        to=addresses[row.pk],
                        subject=words.subject,
                        body=words.body,
                        since_at=row.due_at,
                        at=at,
                        extra={"answer_url": row.context.get("answer_url", "")}
                        if row.channel == "voice"
                        else {},
                    ),
                )
            )
    return ready


def _over(
    row: OutboxMessage,
    state: str,
    why: str,
    batch: _Batch,
    counts: Dispatched,
    *,
    other_channel: bool = False,
) -> None:
    batch.over.append((row.pk, state, why))
    if state == "dropped":
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


def _note(row: OutboxMessage, result: Receipt | Refused | InDoubt, batch: _Batch, counts: Dispatched) -> None:
    """Gather what one sending came to."""
    if isinstance(result, Receipt):
        batch.sent.append((row.pk, result.provider_id, result.status))
        counts.sent += 1
        return
    if isinstance(result, InDoubt) and row.lane == Lane.ORDINARY:
        batch.in_doubt.append(row.pk)
        counts.in_doubt += 1
        return
    permanent = isinstance(result, Refused) and result.permanent
    if row.lane == Lane.CRISIS:
        # A page in doubt is sent again: one page too many is better than one too few.
        again = row.attempts < CRISIS_TRIES_PER_CHANNEL
        wait = CRISIS_RETRY_SECONDS * (1 + random.random() / 2) if again else None  # noqa: S311
    else:
        wait = retry_after_seconds(row.attempts, random.random())  # noqa: S311
    if permanent or wait is None:
        _over(row, "failed", result.why, batch, counts, other_channel=True)
    else:
        batch.later.append((row.pk, batch.at + timedelta(seconds=wait), result.why, 0))
        counts.later += 1


def _by_channel(
    ready: Iterable[tuple[OutboxMessage, Envelope]],
) -> list[tuple[Gateway, list[tuple[OutboxMessage, Envelope]]]]:
    groups: dict[str, list[tuple[OutboxMessage, Envelope]]] = defaultdict(list)
    for row, envelope in ready:
        groups[row.channel].append((row, envelope))
    # The adapters that answer at once go first, so that a slow vendor delays nobody else.
    pairs = [(gateways.for_channel(channel), group) for channel, group in groups.items()]
    return sorted(pairs, key=lambda pair: not pair[0].instant)


def dispatch_due(*, at: datetime, limit: int = 500) -> Dispatched:
    """Send one batch of what is due in the ordinary lane; `claimed` below the limit means that nothing is left."""
    lease_until = at + ORDINARY_LEASE
    rows = list(OutboxMessage.objects.raw(_CLAIM_DUE["ordinary"], [lease_until, at, limit]))
    counts = Dispatched(claimed=len(rows))
    if not rows:
        return counts
    batch = _Batch(lease_until=lease_until, at=at)
    started = clock.monotonic_s()
    for gateway, group in _by_channel(_prepare(rows, batch, counts)):
        if gateway.instant:
            results = gateway.send_many([envelope for _, envelope in group])
            for (row, _), result in zip(group, results, strict=True):
                _note(row, result, batch, counts)
            continue
        batch.write()
        for row, envelope in group:
            if clock.monotonic_s() - started > SLOW_SEND_BUDGET_S:
                batch.later.append((row.pk, at, "", 1))
                counts.later += 1
                continue
            (result,) = gateway.send_many([envelope])
            _note(row, result, batch, counts)
            # Over a network each answer is written at once: a crash then leaves one message in doubt, not five hundred.
            batch.write()
            _catch_up_with_reports(row.pk)
    batch.write()
    return counts


def resolve_expired(*, at: datetime, limit: int = 100) -> int:
    """Class R: for each ordinary message whose sender vanished, ask the vendor, then mark it sent or schedule it again."""
    lease_until = at + ORDINARY_LEASE
    rows = list(OutboxMessage.objects.raw(_CLAIM_ORDINARY_ABANDONED, [lease_until, at, limit]))
    if not rows:
        return 0
    batch = _Batch(lease_until=lease_until, at=at)
    counts = Dispatched(claimed=len(rows))
    for row, envelope in _prepare(rows, batch, counts):
        try:
            known = gateways.for_channel(row.channel).find(envelope)
        except (Refused, InDoubt) as trouble:
            # The vendor cannot be asked: better late than twice, so it waits until it can.
            log.warning(
                "vendor cannot be asked: %s",
                trouble.why,
                extra={"event": "vendor_silent", "channel": row.channel},
            )
            batch.in_doubt.append(row.pk)
            continue
        if known is not None:
            batch.sent.append((row.pk, known.provider_id, known.status))
        else:
            batch.later.append((row.pk, at, "the sender stopped before sending", 0))
    batch.write()
    return len(rows)


def dispatch_crisis(*, at: datetime, limit: int = AT_ONCE) -> Dispatched:
    """Send what is due in the crisis lane, and whatever a dead sender left behind. Called by `manage.py pager` alone."""
    lease_until = at + CRISIS_LEASE
    rows = list(OutboxMessage.objects.raw(_CLAIM_DUE["crisis"], [lease_until, at, limit]))
    if len(rows) < limit:
        rows += list(OutboxMessage.objects.raw(_CLAIM_CRISIS_ABANDONED, [lease_until, at, limit - len(rows)]))
    counts = Dispatched(claimed=len(rows))
    if not rows:
        return counts
    batch = _Batch(lease_until=lease_until, at=at)
    for gateway, group in _by_channel(_prepare(rows, batch, counts)):
        if gateway.instant:
            results = gateway.send_many([envelope for _, envelope in group])
        else:
            # At the same time, so that ten pages to a silent vendor do not wait for one another.
            with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
                results = [
                    one for part in pool.map(gateway.send_many, [[e] for _, e in group]) for one in part
                ]
        for (row, _), result in zip(group, results, strict=True):
            _note(row, result, batch, counts)
        batch.write()
        if not gateway.instant:
            for row, _ in group:
                _catch_up_with_reports(row.pk)
    batch.write()
    return counts


def _catch_up_with_reports(message_id: uuid.UUID) -> None:
    """A vendor's report may be faster than our own note of its message number; apply what came early."""
    message = OutboxMessage.objects.filter(pk=message_id, state=State.SENT).exclude(provider_id="").first()
    if message is None:
        return
    from notify.actions.callbacks import apply_report

    for status in (
        ProviderEvent.objects.filter(sid=message.provider_id).order_by("id").values_list("status", flat=True)
    ):
        if moves_forward(message.provider_status, status):
            apply_report(message.provider_id, status, at=message.sent_at)
