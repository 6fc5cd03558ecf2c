"""What vendors tell us: how far a message has come, and what somebody texted back."""

import logging
from datetime import datetime

import phonenumbers
from django.db import IntegrityError, connection, transaction

from accounts.models import User
from common import audit, hooks
from common.encryption import lookup_digest
from notify.actions.batches import fall_over
from notify.actions.letters import bury_messages
from notify.models import InboundText, OptOut, OutboxMessage, ProviderEvent
from notify.rules import NOT_DELIVERED, is_cancel, moves_forward, reply_means

log = logging.getLogger("notify")


def normal_number(text: str) -> str:
    """E.164, so that one number is one row however it was written; what is no number stays as it is."""
    try:
        return phonenumbers.format_number(phonenumbers.parse(text, "US"), phonenumbers.PhoneNumberFormat.E164)
    except phonenumbers.NumberParseException:
        return text.strip()


def record_report(*, provider: str, sid: str, status: str, at: datetime) -> bool:
    """Keep a vendor's report and act on it; False for one that was already here. Late reports change nothing."""
    try:
        with transaction.atomic():
            one_at_a_time(sid)
            ProviderEvent.objects.create(provider=provider, sid=sid, status=status, received_at=at)
            apply_report(sid, status, at=at)
    except IntegrityError:
        return False
    return True


def one_at_a_time(sid: str) -> None:
    """Until this transaction ends nobody else notes or reports about this message of a vendor's, so that neither misses the other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 7007))", [sid])


def apply_report(sid: str, status: str, *, at: datetime | None) -> None:
    """Move the message forward, never back. A page that did not arrive goes over its next channel at once."""
    with transaction.atomic():
        message = (
            OutboxMessage.objects.select_for_update()
            .filter(provider_id=sid)
            .exclude(provider_id="")
            .order_by("created_at")
            .first()
        )
        if message is None or not moves_forward(message.provider_status, status):
            return
        message.provider_status = status
        changed = ["provider_status"]
        if status in NOT_DELIVERED:
            message.state, message.last_error = "failed", f"the carrier says: {status}"
            changed += ["state", "last_error"]
            gone = message.taken_back_at is not None
            if (
                at is not None
                and not gone
                and fall_over(message, at=at) is None
                and message.lane == "ordinary"
            ):
                bury_messages([(message, message.last_error)], at=at)
        message.save(update_fields=changed)


def receive_text(*, sid: str, from_number: str, body: str, vendor_opt_out: str, at: datetime) -> str:
    """Keep an inbound text and do the three things it may do by itself: stop, start, help. Answers what it meant; `urgent` when
    words in it have called somebody, who reads it.

    `vendor_opt_out` is the carrier's own word (STOP, START, HELP) when it has already acted; ours must then agree with it. Some
    carriers take CANCEL for STOP: then texts cannot arrive, which is kept and shown, and a person still asks what was meant.
    """
    number = normal_number(from_number)
    digest = lookup_digest(number)
    stopped = OptOut.objects.filter(number_digest=digest).exists()
    carrier = vendor_opt_out.lower() if vendor_opt_out.lower() in ("stop", "start", "help") else ""
    meaning = "triage" if is_cancel(body) else carrier or reply_means(body, has_stopped=stopped)
    try:
        with transaction.atomic():
            text = InboundText.objects.create(
                sid=sid,
                from_number=number,
                sender=User.objects.filter(phone=number, is_active=True).order_by("created_at").first(),
                body=body[:1600],
                meaning=meaning,
                received_at=at,
                handled_at=None if meaning == "triage" else at,
            )
            if "stop" in (meaning, carrier):
                opt_out(number, said=body, at=at)
            elif meaning == "start":
                OptOut.objects.filter(number_digest=digest).delete()
            audit.record(f"text.{meaning}", by="system:twilio", at=at, about=text)
            if meaning in ("triage", "help") and _calls_somebody(text, at=at):
                # Also a HELP that came out of a session: a person reads it.
                InboundText.objects.filter(pk=text.pk).update(meaning="triage", handled_at=None)
                return "urgent"
    except IntegrityError:
        log.info("this text is already here", extra={"event": "replayed_text"})
    return meaning


def _calls_somebody(text: InboundText, *, at: datetime) -> bool:
    """Whether words of this text raised an alert. Trouble with that never loses the text itself, which a person reads anyway; it
    is tried once more, because a lock that somebody held must not keep a page from going."""
    for _ in range(2):
        try:
            with transaction.atomic():
                return any(hooks.run("text.received", text=text, at=at))
        except Exception:
            log.exception(
                "the words of a text could not be looked at",
                extra={"event": "text_unread", "object_id": str(text.pk)},
            )
    return False


def opt_out(number: str, *, said: str, at: datetime) -> None:
    """Texts to this number stop here too; the first day is kept."""
    OptOut.objects.get_or_create(
        number_digest=lookup_digest(number),
        defaults={"number": number, "since_at": at, "said": " ".join(said.split())[:20]},
    )
