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
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from accounts.models import User
from common import clock, hooks
from common.encryption import lookup_digest
from notify import gateways
from notify.access import catalogue_by_kind, offered_channels
from notify.actions.batches import Batch, Dispatched, put_over
from notify.actions.promises import in_their_day, quiet_hours_of
from notify.actions.push import address_of, devices_of, notices_for
from notify.actions.rendering import Overrides, own_words, render_message
from notify.gateways import Envelope, Gateway, InDoubt, Receipt, Refused
from notify.gateways.at_once import send_at_once
from notify.models import Lane, OptOut, OutboxMessage, ProviderEvent, PushSubscription, State
from notify.rules import (
    FALLBACK_ZONE,
    NOT_DELIVERED,
    is_quiet,
    moves_forward,
    retry_after_seconds,
    wants,
)
from notify.wording import DEFAULT_LANGUAGE

log = logging.getLogger("notify")

ORDINARY_LEASE = timedelta(minutes=5)
CRISIS_LEASE = timedelta(seconds=40)
CRISIS_TRIES_PER_CHANNEL = 2
CRISIS_RETRY_SECONDS = 2.0
# The longest that a page waits for its vendor, whatever the vendor does: two tries and the wait between them are half a minute,
# so that a page swallowed by both of Twilio's channels is with the third one within a minute. Longer than one time limit of a
# vendor's client (10 s), which can tell "never reached" from "in doubt", and far shorter than the lease.
CRISIS_SEND_S = 12.0
TURNED_OFF = "turned off by this person"
# Under a slow vendor the rest of a batch is left to the next one. A batch may begin at the very end of a tick (notify/tasks.py:
# 60 s), and its last message may wait for one vendor's answer (10 s): together they end before Celery's soft limit (100 s),
# which would cut a batch off in the middle, and long before the lease.
SLOW_SEND_BUDGET_S = 25.0
TWICE_IN_DOUBT = "twice in doubt and the vendor cannot be asked: it may have arrived, perhaps twice"
NEVER_KNOWN = "in doubt, and the vendor could not be asked in time: it may have arrived"
# How long a vendor that does not say what it took is asked again. By then it has been down for longer than a reminder is early, or
# our keys are wrong and nothing mends itself: a person hears of it while ringing up still helps. What ends earlier ends the wait.
ASKED_FOR_AT_MOST = timedelta(hours=1)
AT_ONCE = 8

Devices = dict[Any, list[PushSubscription]]

_CLAIM = """
UPDATE notify_outboxmessage SET state = 'sending', lease_until = %s, attempts = attempts + 1
 WHERE id = ANY(ARRAY(
       SELECT id FROM notify_outboxmessage
        WHERE lane = '{lane}' AND state = 'scheduled' AND {due}
        ORDER BY {first}due_at, id LIMIT %s FOR UPDATE SKIP LOCKED))
RETURNING notify_outboxmessage.*
"""
# The partial index is only used when the planner can see its condition, hence the lane as a literal. A crisis page's severity
# comes before its due time, so that a storm of milder ones never stands before an emergency (HZ-24).
# A page that was due when it was promised goes now, also when the host that promised it has a clock ahead of the database's.
_CLAIM_DUE = {
    "ordinary": _CLAIM.format(lane="ordinary", first="", due="due_at <= %s"),
    "crisis": _CLAIM.format(
        lane="crisis",
        first="priority DESC, ",
        due="(due_at <= %s OR (attempts = 0 AND due_at <= created_at))",
    ),
}
_CLAIM_ABANDONED = """
UPDATE notify_outboxmessage SET lease_until = %s{count}
 WHERE id = ANY(ARRAY(
       SELECT id FROM notify_outboxmessage
        WHERE state = 'sending' AND lease_until < %s AND lane = '{lane}'
        ORDER BY {first}lease_until LIMIT %s FOR UPDATE SKIP LOCKED))
RETURNING notify_outboxmessage.*
"""
_CLAIM_CRISIS_ABANDONED = _CLAIM_ABANDONED.format(
    lane="crisis", count=", attempts = attempts + 1", first="priority DESC, "
)
_CLAIM_ORDINARY_ABANDONED = _CLAIM_ABANDONED.format(lane="ordinary", count="", first="")


def _address(message: OutboxMessage, recipient: User | None, devices: Devices) -> str:
    if message.channel == "push":
        wanted = message.context.get("device")
        return next((address_of(d) for d in devices.get(message.recipient_id, ()) if str(d.pk) == wanted), "")
    if recipient is None:
        return message.to_address
    return recipient.email if message.channel == "email" else recipient.phone


def _must_not_go(row: OutboxMessage, person: User | None, *, at: datetime) -> str:
    """Why a message is dropped however late or early it is; empty when it may go."""
    if row.expires_at is not None and row.expires_at <= at:
        return "late for something that is over"
    if person is not None and not person.is_active:
        return "the account is closed"
    return ""


def _prepare(
    rows: Sequence[OutboxMessage], batch: Batch, counts: Dispatched, *, asking: bool = False
) -> list[tuple[OutboxMessage, Envelope]]:
    """Sort out what cannot or must not go now; word and address the rest.

    `asking`: these may have gone already and the vendor is about to be asked, so night, expiry and opt-out are looked at only
    when it turns out that a message still has to go. Otherwise one sent at 20:59 would be sent again at 8:00.
    """
    at = batch.at
    # Whoever has no account (a sitter) is written to in the language of the patient they are with.
    ids = {r.recipient_id or r.patient_id for r in rows} - {None}
    people = {p.pk: p for p in User.objects.filter(pk__in=ids).select_related("message_preference")}
    stopped = _numbers_that_said_stop(rows, people)
    asleep = _whose_night(people.values(), at)
    # A page of the crisis lane goes in the file's words, and waits for no further table.
    own = own_words() if rows[0].lane == Lane.ORDINARY else {}
    to_people = {r.recipient_id for r in rows if r.recipient_id and r.lane == Lane.ORDINARY}
    devices = devices_of(to_people) if to_people else {}
    ready = []
    for row in rows:
        person = people.get(row.recipient_id) if row.recipient_id else None
        if person is not None:
            row.recipient = person
        address = _address(row, person, devices)
        why_not = "" if asking else _must_not_go(row, person, at=at)
        if not asking and row.taken_back_at is not None:
            # Its sender died, the vendor has no copy, and meanwhile its cause went away.
            put_over(row, "cancelled", "taken back while it was under way", batch, counts)
        elif why_not:
            put_over(row, "dropped", why_not, batch, counts)
        elif not asking and row.respect_quiet_hours and row.recipient_id in asleep and person is not None:
            # "Not yet" is no failed try, so the try is taken back.
            batch.later.append((row.pk, in_their_day(at, person), "", 1, 0))
            counts.later += 1
        elif not asking and not _wanted(row, person):
            _tell_devices(row, person, devices, batch)
            put_over(row, "dropped", TURNED_OFF, batch, counts, other_channel=True)
        elif row.channel != "screen" and not address:
            put_over(row, "failed", f"no address for {row.channel}", batch, counts, other_channel=True)
        elif not asking and row.channel == "sms" and address in stopped:
            # What may not be turned off and has no other way (a sitter's link) is somebody's work, never silently gone.
            lost = row.fallbacks or row.lane == Lane.CRISIS or _must_arrive(row)
            state = "failed" if lost else "dropped"
            put_over(row, state, "this number answered STOP", batch, counts, other_channel=True)
        else:
            if not asking:
                _tell_devices(row, person, devices, batch)
            reader = person or (people.get(row.patient_id) if row.patient_id else None)
            try:
                ready.append((row, _envelope(row, address, reader, own, at=at)))
            except Exception as error:  # one poisoned row must not hold up the others
                log.error(
                    "a message could not be worded", extra={"event": "poison", "object_id": str(row.pk)}
                )
                why = f"could not be worded: {type(error).__name__}"
                put_over(row, "failed", why, batch, counts, other_channel=True)
    return ready


def _must_arrive(row: OutboxMessage) -> bool:
    entry = catalogue_by_kind().get(row.kind)
    return entry is not None and entry.get("may_turn_off", "none") == "none"


def _tell_devices(row: OutboxMessage, person: User | None, devices: Devices, batch: Batch) -> None:
    """Beside the message itself, in its own moment: never earlier, never at night."""
    if person is not None and row.channel != "push" and row.lane == Lane.ORDINARY and person.pk in devices:
        batch.to_devices += notices_for(row, person, devices[person.pk], at=batch.at)


def _whose_night(people: Iterable[User], at: datetime) -> set[uuid.UUID]:
    """For whom of these it is quiet now, by their own clock and wish."""
    return {one.pk for one in people if is_quiet(at, one.time_zone, **quiet_hours_of(one))}


def _wanted(row: OutboxMessage, person: User | None) -> bool:
    """Pages of the crisis lane and what the catalogue keeps on are wanted whatever was stored."""
    wish = getattr(person, "message_preference", None)
    if wish is None or not wish.muted or row.lane == Lane.CRISIS:
        return True
    entry = catalogue_by_kind().get(row.kind, {})
    return wants(
        row.kind,
        row.channel,
        may_turn_off=entry.get("may_turn_off", "none"),
        channels=offered_channels(entry),
        muted=wish.muted,
    )


def _numbers_that_said_stop(rows: Sequence[OutboxMessage], people: dict[uuid.UUID, User]) -> set[str]:
    """Which of the numbers of this batch have answered STOP; no query for a batch without texts."""
    texts = [row for row in rows if row.channel == "sms"]
    if not texts:
        return set()
    numbers = {_address(row, people.get(row.recipient_id) if row.recipient_id else None, {}) for row in texts}
    digests = {number: lookup_digest(number) for number in numbers}
    found = OptOut.objects.filter(number_digest__in=digests.values())
    stopped = set(found.values_list("number_digest", flat=True))
    return {number for number, digest in digests.items() if digest in stopped}


def _envelope(
    row: OutboxMessage, address: str, reader: User | None, own: Overrides, *, at: datetime
) -> Envelope:
    """The words as they go. A page that is tried again says that it is a further notice."""
    context = row.context
    if row.lane == Lane.CRISIS:
        context = {**context, "notice_number": context.get("notice_number", 1) + row.attempts - 1}
    words = render_message(
        row.template,
        row.channel,
        context,
        language=reader.language if reader is not None else DEFAULT_LANGUAGE,
        zone=reader.time_zone if reader is not None else FALLBACK_ZONE,
        own=own,
    )
    return Envelope(
        reference=row.pk,
        channel=row.channel,
        to=address,
        subject=words.subject,
        body=words.body,
        since_at=row.due_at,
        at=at,
        extra=_extra(row, context, reader, at=at),
    )


def _extra(
    row: OutboxMessage, context: dict[str, Any], reader: User | None, *, at: datetime
) -> dict[str, Any]:
    if row.channel == "voice":
        return {"answer_url": context.get("answer_url", "")}
    if row.channel == "push":
        return {"url": "/home/"}
    if row.channel == "email" and row.about_type:
        # As things stand now: a file that waited out a night speaks of the time that is true in the morning.
        try:
            found = hooks.run("message.files", message=row, reader=reader, at=at)
        except Exception:
            # The words matter more than the file beside them.
            log.exception("no file beside a message", extra={"event": "message_files"})
            return {}
        files = [one for some in found for one in some or []]
        return {"files": files} if files else {}
    return {}


def _note(
    row: OutboxMessage,
    envelope: Envelope,
    result: Receipt | Refused | InDoubt,
    batch: Batch,
    counts: Dispatched,
) -> None:
    """Gather what one sending came to."""
    if isinstance(result, Receipt):
        batch.sent.append((row.pk, result.provider_id, result.status))
        counts.sent += 1
        return
    if isinstance(result, InDoubt) and row.lane == Lane.ORDINARY:
        if row.doubts:
            # There may be two copies by now. To a person, not over to the next channel, which would be a third.
            put_over(row, "failed", TWICE_IN_DOUBT, batch, counts)
            return
        batch.in_doubt.append(row.pk)
        counts.in_doubt += 1
        return
    permanent = isinstance(result, Refused) and result.permanent
    if isinstance(result, Refused) and result.opted_out:
        batch.opted_out.append(envelope.to)
    if isinstance(result, Refused) and result.gone:
        batch.gone.append(row)
    if row.lane == Lane.CRISIS:
        # A page in doubt is sent again: one page too many is better than one too few.
        again = row.attempts < CRISIS_TRIES_PER_CHANNEL
        wait = CRISIS_RETRY_SECONDS * (1 + random.random() / 2) if again else None  # noqa: S311
    else:
        wait = retry_after_seconds(row.attempts, random.random())  # noqa: S311
    if permanent or wait is None:
        put_over(row, "failed", result.why, batch, counts, other_channel=True)
    else:
        batch.later.append((row.pk, batch.at + timedelta(seconds=wait), result.why, 0, 0))
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
    batch = Batch(lease_until=lease_until, at=at)
    started = clock.monotonic_s()
    for gateway, group in _by_channel(_prepare(rows, batch, counts)):
        if gateway.instant:
            results = gateway.send_many([envelope for _, envelope in group])
            for (row, envelope), result in zip(group, results, strict=True):
                _note(row, envelope, result, batch, counts)
            continue
        batch.write()
        for row, envelope in group:
            if clock.monotonic_s() - started > SLOW_SEND_BUDGET_S:
                batch.later.append((row.pk, at, "", 1, 0))
                counts.later += 1
                continue
            (result,) = gateway.send_many([envelope])
            _note(row, envelope, result, batch, counts)
            # Over a network each answer is written at once: a crash then leaves one message in doubt, not five hundred.
            with transaction.atomic():
                batch.write()
                _catch_up_with_reports(row.pk)
    batch.write()
    return counts


def resolve_expired(*, at: datetime, limit: int = 100) -> int:
    """Class R: for each ordinary message whose sender vanished, ask the vendor, then mark it sent or schedule it again.

    Where nobody can be asked (mail, calls, devices) it goes once more; after a second doubt a person has it.
    """
    lease_until = at + ORDINARY_LEASE
    rows = list(OutboxMessage.objects.raw(_CLAIM_ORDINARY_ABANDONED, [lease_until, at, limit]))
    if not rows:
        return 0
    batch = Batch(lease_until=lease_until, at=at)
    counts = Dispatched(claimed=len(rows))
    started = clock.monotonic_s()
    for row, envelope in _prepare(rows, batch, counts, asking=True):
        gateway = gateways.for_channel(row.channel)
        if not gateway.can_be_asked:
            if row.doubts:
                put_over(row, "failed", TWICE_IN_DOUBT, batch, counts)
            else:
                batch.later.append((row.pk, at, "in doubt, sent once more", 0, 1))
            continue
        if clock.monotonic_s() - started > SLOW_SEND_BUDGET_S:
            # A slow vendor: whoever was not asked about yet is asked about with the next tick.
            batch.in_doubt.append(row.pk)
            continue
        try:
            known = gateway.find(envelope)
        except Exception as trouble:
            # The vendor cannot be asked, or answers what nobody foresaw: better late than twice, so this one waits until it can.
            log.warning(
                "vendor cannot be asked: %s",
                trouble.why if isinstance(trouble, (Refused, InDoubt)) else type(trouble).__name__,
                extra={"event": "vendor_silent", "channel": row.channel},
            )
            if at >= _asked_until(row):
                # Not over to the next channel and never sent again by itself, for it may have arrived: to a person.
                put_over(row, "failed", NEVER_KNOWN, batch, counts)
            else:
                batch.in_doubt.append(row.pk)
            continue
        if known is None:
            batch.later.append((row.pk, at, "the sender stopped before sending", 0, 0))
        elif gateway.instant:
            batch.sent.append((row.pk, known.provider_id, known.status))
        else:
            _note_found(row, known, batch)
    batch.write()
    return len(rows)


def _asked_until(row: OutboxMessage) -> datetime:
    until = row.due_at + ASKED_FOR_AT_MOST
    return until if row.expires_at is None else min(until, row.expires_at)


def _note_found(row: OutboxMessage, known: Receipt, batch: Batch) -> None:
    """The vendor has it: sent, and as far as the vendor and its reports say; what did not arrive goes its other way at once."""
    from notify.actions.callbacks import apply_report, one_at_a_time

    with transaction.atomic():
        one_at_a_time(known.provider_id)
        if OutboxMessage.objects.filter(provider_id=known.provider_id).exclude(pk=row.pk).exists():
            # A twin with the same words was told of the same one a moment ago: asked again, the vendor names another or none.
            batch.in_doubt.append(row.pk)
            return
        lost = known.status in NOT_DELIVERED
        batch.sent.append((row.pk, known.provider_id, "" if lost else known.status))
        # At once: whoever is asked about next must not be answered with this one.
        batch.write()
        _catch_up_with_reports(row.pk)
        if lost:
            apply_report(known.provider_id, known.status, at=batch.at)


def dispatch_crisis(*, at: datetime, limit: int = AT_ONCE) -> Dispatched:
    """Send what is due in the crisis lane, and whatever a dead sender left behind. Called by `manage.py pager` alone."""
    lease_until = at + CRISIS_LEASE
    # Half the places at most for what a dead sender left: it has waited a lease already, and neither starves the other.
    rows = list(OutboxMessage.objects.raw(_CLAIM_CRISIS_ABANDONED, [lease_until, at, max(limit // 2, 1)]))
    if len(rows) < limit:
        rows += list(OutboxMessage.objects.raw(_CLAIM_DUE["crisis"], [lease_until, at, limit - len(rows)]))
    counts = Dispatched(claimed=len(rows))
    if not rows:
        return counts
    batch = Batch(lease_until=lease_until, at=at)
    # Whoever sent this over its channel died, more than once: another channel is tried instead of a third sender.
    fatal = [row for row in rows if row.attempts > CRISIS_TRIES_PER_CHANNEL and row.fallbacks]
    for row in fatal:
        put_over(row, "failed", "its senders died over this channel", batch, counts, other_channel=True)
    rows = [row for row in rows if row not in fatal]
    slow = []
    for gateway, group in _by_channel(_prepare(rows, batch, counts)) if rows else ():
        if not gateway.instant:
            slow += [(gateway, row, envelope) for row, envelope in group]
            continue
        results = gateway.send_many([envelope for _, envelope in group])
        for (row, envelope), result in zip(group, results, strict=True):
            _note(row, envelope, result, batch, counts)
    batch.write()
    # All channels at the same time, so that ten pages to a silent vendor do not wait for one another, nor a mail for a text.
    known = {envelope.reference: (row, envelope) for _, row, envelope in slow}
    pairs = [(gateway, envelope) for gateway, _, envelope in slow]
    for come in send_at_once(pairs, within_s=CRISIS_SEND_S):
        for reference, result in come:
            _note(*known[reference], result, batch, counts)
        batch.write()
        for reference, _ in come:
            _catch_up_with_reports(reference)
    return counts


def _catch_up_with_reports(message_id: uuid.UUID) -> None:
    """A vendor's report may be faster than our own note of its message number; apply what came early."""
    message = OutboxMessage.objects.filter(pk=message_id, state=State.SENT).exclude(provider_id="").first()
    if message is None:
        return
    from notify.actions.callbacks import apply_report, one_at_a_time

    with transaction.atomic():
        # A report that is just being written is waited for; one that comes later finds the message.
        one_at_a_time(message.provider_id)
        came = ProviderEvent.objects.filter(sid=message.provider_id).order_by("id")
        for status in came.values_list("status", flat=True):
            if moves_forward(message.provider_status, status):
                apply_report(message.provider_id, status, at=message.sent_at)
