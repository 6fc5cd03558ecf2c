"""When a message may go out, when to try again, what a one-word reply means, and how far a delivery has come. Pure."""

import re
from collections.abc import Collection, Iterable
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

QUIET_UNTIL = time(8, 0)
QUIET_FROM = time(21, 0)
# However somebody chooses their quiet hours, this much of the day stays for messages.
LEAST_OPEN_HOURS = 6
FALLBACK_ZONE = "America/New_York"

# After these many seconds an ordinary message is tried again; after the last one it waits for a person.
RETRY_SECONDS = (30, 120, 600, 1800, 7200)

# Twilio's own list (help.twilio.com, "SMS STOP filtering", read 2026-11), with the Spanish words, without CANCEL: a person who
# answers CANCEL to a reminder may mean the visit, or the messages, or something else entirely, so a person reads it (HZ-23).
STOP_WORDS = frozenset(
    {
        "stop", "stopall", "stop all", "unsubscribe", "end", "quit", "optout", "opt out", "revoke",
        "alto", "parar", "pare", "detener",
    }
)  # fmt: skip
START_WORDS = frozenset({"start", "unstop", "empezar", "comenzar"})
# YES starts texts again for somebody who had stopped them; from anybody else it answers some question, so a person reads it.
YES_WORDS = frozenset({"yes", "si", "sí"})
HELP_WORDS = frozenset({"help", "info", "ayuda"})
# Carriers take these for STOP by themselves, people do not.
CANCEL_WORDS = frozenset({"cancel", "cancelar", "cancela"})

# How far a delivery has come, as the vendor names it. A report can only move a message forward.
STATUS_RANK = {
    "queued": 1,
    "accepted": 1,
    "scheduled": 1,
    "initiated": 1,
    "sending": 2,
    "ringing": 2,
    "sent": 3,
    "in-progress": 3,
    "answered": 3,
    "delivered": 4,
    "completed": 4,
    "read": 5,
    "undelivered": 4,
    "failed": 4,
    "busy": 4,
    "no-answer": 4,
    "canceled": 4,
}
NOT_DELIVERED = frozenset({"undelivered", "failed", "busy", "no-answer", "canceled"})


def zone_of(name: str) -> ZoneInfo:
    """The zone of that IANA name, or the practice's when the name means nothing."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(FALLBACK_ZONE)


def is_quiet(
    at: datetime, zone: str, *, quiet_from: time = QUIET_FROM, quiet_until: time = QUIET_UNTIL
) -> bool:
    """Is it within the person's quiet hours where the person is? They begin at `quiet_from` and end at `quiet_until`."""
    now = at.astimezone(zone_of(zone)).time()
    if quiet_from <= quiet_until:
        return quiet_from <= now < quiet_until
    return now >= quiet_from or now < quiet_until


def next_allowed(
    at: datetime, zone: str, *, quiet_from: time = QUIET_FROM, quiet_until: time = QUIET_UNTIL
) -> datetime:
    """`at` itself when it is day there, else the next end of the quiet hours: "not yet", never "never".

    Right on the days the clocks change too: an end that does not exist that night is the instant the clocks jump over it,
    one that comes twice is whichever of the two is still ahead.
    """
    if not is_quiet(at, zone, quiet_from=quiet_from, quiet_until=quiet_until):
        return at
    where = zone_of(zone)
    first = at.astimezone(where).date()
    for days in range(4):
        for fold in (0, 1):
            opens = datetime.combine(
                first + timedelta(days=days), quiet_until.replace(fold=fold), where
            ).astimezone(at.tzinfo)
            if opens > at and not is_quiet(opens, zone, quiet_from=quiet_from, quiet_until=quiet_until):
                return opens
    # Only where nothing of the day is left open; better in somebody's night than lost.
    return at


def quiet_hours_leave_enough(quiet_from: time, quiet_until: time) -> bool:
    """Do these quiet hours leave enough of the day for messages?"""
    start, end = (t.hour * 60 + t.minute for t in (quiet_from, quiet_until))
    return start != end and (start - end) % (24 * 60) >= LEAST_OPEN_HOURS * 60


def wants(
    kind: str, channel: str, *, may_turn_off: str, channels: Iterable[str], muted: Collection[str]
) -> bool:
    """Does this person want this kind over this channel? `may_turn_off` is the catalogue's word: all, all_but_one, none.

    What may not be turned off is wanted whatever was stored; of `all_but_one` something always stays.
    """
    if may_turn_off == "none" or f"{kind}:{channel}" not in muted:
        return True
    if may_turn_off == "all_but_one":
        return all(f"{kind}:{each}" in muted for each in channels)
    return False


def retry_after_seconds(attempts: int, jitter: float) -> float | None:
    """How long to wait after the n-th failure (jitter 0..1 adds up to a quarter), or None when a person must look."""
    if attempts > len(RETRY_SECONDS):
        return None
    return RETRY_SECONDS[max(0, attempts - 1)] * (1 + jitter / 4)


def plain_reply(text: str) -> str:
    """The reply without marks and capitals, as the lists above have it."""
    return re.sub(r"\s+", " ", re.sub(r"[^\w\s]", "", text).strip().lower())


def reply_means(text: str, *, has_stopped: bool = False) -> str:
    """`stop`, `start`, `help`, or `triage`: anything else is read by a person and acted on by nobody else."""
    words = plain_reply(text)
    if words in STOP_WORDS:
        return "stop"
    if words in START_WORDS or (has_stopped and words in YES_WORDS):
        return "start"
    if words in HELP_WORDS:
        return "help"
    return "triage"


def is_cancel(text: str) -> bool:
    """Is this nothing but the word CANCEL?"""
    return plain_reply(text) in CANCEL_WORDS


def moves_forward(current: str, reported: str) -> bool:
    """May this report change what we know? Late, repeated and unknown reports may not."""
    return STATUS_RANK.get(reported, 0) > STATUS_RANK.get(current, 0)


# What one text message can carry (3GPP TS 23.038): 160 of these characters, or 70 of any; less in each part of a longer one.
_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWICE = frozenset("^{}\\[~]|€")
MOST_SEGMENTS = 4
MOST_CHARACTERS = {"email": 4000, "subject": 120, "voice": 600}


def sms_segments(text: str) -> int:
    """In how many parts a text goes. One letter outside the telephone alphabet, such as "ó", makes all parts shorter."""
    if all(c in _GSM or c in _GSM_TWICE for c in text):
        length = sum(2 if c in _GSM_TWICE else 1 for c in text)
        return 1 if length <= 160 else -(-length // 153)
    length = len(text.encode("utf-16-be")) // 2
    return 1 if length <= 70 else -(-length // 67)


def forbidden_in(text: str, patterns: Iterable[str]) -> list[str]:
    """The words in this text that would tell what kind of care this is, in order, each once."""
    found = (match.group(0).lower() for pattern in patterns for match in re.finditer(pattern, text, re.I))
    return list(dict.fromkeys(found))
