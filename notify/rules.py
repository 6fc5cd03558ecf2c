"""When a message may go out, when to try again, what a one-word reply means, and how far a delivery has come. Pure."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

QUIET_UNTIL_HOUR = 8
QUIET_FROM_HOUR = 21
FALLBACK_ZONE = "America/New_York"

# After these many seconds an ordinary message is tried again; after the last one it waits for a person.
RETRY_SECONDS = (30, 120, 600, 1800, 7200)

# The same words the carriers know, without CANCEL: a person who answers CANCEL to a reminder may mean the visit, or the
# messages, or something else entirely, so a person reads it (HZ-23).
STOP_WORDS = frozenset(
    {"stop", "stopall", "stop all", "unsubscribe", "end", "quit", "optout", "opt out", "revoke"}
)
START_WORDS = frozenset({"start", "unstop", "yes"})
HELP_WORDS = frozenset({"help", "info"})

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


def is_quiet(at: datetime, zone: str) -> bool:
    """Is it before 8:00 or from 21:00 on where the person is?"""
    return not QUIET_UNTIL_HOUR <= at.astimezone(zone_of(zone)).hour < QUIET_FROM_HOUR


def next_allowed(at: datetime, zone: str) -> datetime:
    """`at` itself when it is day there, else the next 8:00: quiet hours mean "not yet", never "never"."""
    where = zone_of(zone)
    local = at.astimezone(where)
    if QUIET_UNTIL_HOUR <= local.hour < QUIET_FROM_HOUR:
        return at
    day = local.date() + timedelta(days=1 if local.hour >= QUIET_FROM_HOUR else 0)
    opens = datetime(day.year, day.month, day.day, QUIET_UNTIL_HOUR, tzinfo=where)
    return opens.astimezone(at.tzinfo)


def retry_after_seconds(attempts: int, jitter: float) -> float | None:
    """How long to wait after the n-th failure (jitter 0..1 adds up to a quarter), or None when a person must look."""
    if attempts > len(RETRY_SECONDS):
        return None
    return RETRY_SECONDS[max(0, attempts - 1)] * (1 + jitter / 4)


def reply_means(text: str) -> str:
    """`stop`, `start`, `help`, or `triage`: anything else is read by a person and acted on by nobody else."""
    words = re.sub(r"[^\w\s]", "", text).strip().lower()
    words = re.sub(r"\s+", " ", words)
    if words in STOP_WORDS:
        return "stop"
    if words in START_WORDS:
        return "start"
    if words in HELP_WORDS:
        return "help"
    return "triage"


def moves_forward(current: str, reported: str) -> bool:
    """May this report change what we know? Late, repeated and unknown reports may not."""
    return STATUS_RANK.get(reported, 0) > STATUS_RANK.get(current, 0)
