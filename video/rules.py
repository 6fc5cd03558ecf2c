"""Who may sit in a room, for how long a pass is good, what may be passed on, and what the book of a room says about who came.

Every number here is a proposal of the practice, but for the fifteen minutes of a pass (promises: TM-04).
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from video.states import JOINED, LEFT, WAITING

# A pass names one seat of one room; who still sits there after a quarter of an hour fetches another.
PASS_SECONDS = 15 * 60
# A relay lets nobody in for longer than one long visit, whatever becomes of the room.
RELAY_SECONDS = 2 * 60 * 60
# Connections that have not been heard of for so long are over.
SILENT_SECONDS = 25
# Whoever waits and whose page was not heard of for so long has gone away meanwhile.
AWAY_SECONDS = 45
# Another vendor cannot take a token back: a guest's is good for just long enough to connect, so that who is shown out stays out.
GUEST_TOKEN_SECONDS = 2 * 60
# The other side keeps somebody's place on the screen for so long before it says that they have gone.
PATIENCE_SECONDS = 60
MAX_SEATS = 5
MAX_SIGNAL_BYTES = 64_000
MAX_CHAT_CHARACTERS = 1_000
MESSAGES_PER_TEN_SECONDS = 200
# Constants and no data of the protocol: they are the practice's book-keeping, decide nothing about anybody's treatment, and a person's
# word stands above what follows from them.
# Attendance: together for so long is a visit; the patient not there within so long of the start, while the clinician was, is a missed one.
TOGETHER_MINUTES = 5
PATIENT_LATE_MINUTES = 15

# What stands against inviting somebody; that the room is not open yet does not.
NO_GUESTS = frozenset({"room_closed", "removed", "account_closed", "visit_cancelled"})

# Somebody who waits for so long after their turn, with no clinician in the room, waits in vain: the practice hears of it.
IN_VAIN_MINUTES = 10

# What forbids to come in, and ends no visit that is going on: a licence checked at the door, a dosing day that was called off
# while they talk about it. Whoever was there so lately comes back after a cut, or with a fresh pass.
ONLY_AT_THE_DOOR = frozenset({"not_licensed_there", "session_not_open"})
STAYS_SECONDS = 5 * 60
# A room whose people still talk does not end at its last minute: it stays open for so long more, again and again.
OVERRUN_MINUTES = 15
# Two pages that were forgotten are no visit: nothing goes on for longer than a log-in lasts.
ROOM_HOURS_MAX = 12

SIGNALS = frozenset({"description", "candidate"})
LATE_MINUTES = (5, 10, 15, 20, 30, 45)


def relay_credentials(secret: str, *, identity: str, expires_unix: int) -> dict[str, str]:
    """Name and password for coturn that end by themselves (its `use-auth-secret`: HMAC-SHA1 over "expiry:name", base64)."""
    username = f"{expires_unix}:{identity}"
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return {"username": username, "credential": base64.b64encode(digest).decode()}


@dataclass(frozen=True)
class RoomFacts:
    opens_at: datetime
    closes_at: datetime
    closed: bool


@dataclass(frozen=True)
class SeatFacts:
    removed: bool
    is_guest: bool
    user_is_active: bool


def refusals(room: RoomFacts, seat: SeatFacts, *, at: datetime) -> frozenset[str]:
    """Why this seat may not be taken now; empty means it may."""
    found = set()
    if room.closed or at >= room.closes_at:
        found.add("room_closed")
    elif at < room.opens_at:
        found.add("not_open_yet")
    if seat.removed:
        found.add("removed")
    if not seat.is_guest and not seat.user_is_active:
        found.add("account_closed")
    return frozenset(found)


def checked_message(raw: Any) -> dict[str, Any] | None:
    """A message of a browser with nothing in it but what we know, or None. Who sent it is never taken from it."""
    if not isinstance(raw, Mapping):
        return None
    kind = raw.get("type")
    if kind == "hello" and isinstance(raw.get("pass"), str) and isinstance(raw.get("page"), str):
        return {"type": "hello", "pass": raw["pass"][:2_000], "page": raw["page"][:40]}
    if kind == "signal":
        data = raw.get("data")
        if not isinstance(raw.get("to"), str) or not isinstance(data, Mapping) or len(data) != 1:
            return None
        name = next(iter(data))
        if name not in SIGNALS or not isinstance(data[name], Mapping):
            return None
        return {"type": "signal", "to": raw["to"][:40], "data": {name: dict(data[name])}}
    if kind == "chat" and isinstance(raw.get("text"), str):
        text = raw["text"].replace("\x00", "").strip()[:MAX_CHAT_CHARACTERS]
        return {"type": "chat", "text": text} if text else None
    if kind == "state":
        return {"type": "state", **{key: bool(raw.get(key)) for key in ("sound", "picture", "screen")}}
    if kind in ("ping", "bye"):
        return {"type": kind}
    return None


@dataclass(frozen=True)
class Attendance:
    """What the book says. `finding` is completed, no_show or unclear; only a person's word is better, and it always is."""

    finding: str
    together_minutes: float
    reasons: frozenset[str]


def _stretches(events: Iterable[tuple[str, datetime]], *, until: datetime) -> list[tuple[datetime, datetime]]:
    """When somebody was connected, from the lines of their book; an open end goes to `until`."""
    found: list[tuple[datetime, datetime]] = []
    since: datetime | None = None
    for kind, at in sorted(events, key=lambda line: line[1]):
        if kind == JOINED and since is None:
            since = at
        elif kind == LEFT and since is not None:
            found.append((since, at))
            since = None
    if since is not None and since < until:
        found.append((since, until))
    return found


def attendance(
    patient: Iterable[tuple[str, datetime]],
    clinician: Iterable[tuple[str, datetime]],
    *,
    starts_at: datetime,
    ends_at: datetime,
) -> Attendance:
    """Whether they met, from who was connected when.

    Together for five minutes or more: completed. The clinician there at a quarter past the start and the patient never seen, not
    even in the waiting room: missed. Everything else (the clinician was not there, a call by telephone, a cut line) is unclear and
    waits for the clinician's word.
    """
    patient, clinician = list(patient), list(clinician)
    hers, theirs = _stretches(patient, until=ends_at), _stretches(clinician, until=ends_at)
    together = timedelta()
    for a, b in hers:
        for c, d in theirs:
            together += max(timedelta(), min(b, d) - max(a, c))
    minutes = together.total_seconds() / 60
    if minutes >= TOGETHER_MINUTES:
        return Attendance("completed", minutes, frozenset({"met"}))
    late = starts_at + timedelta(minutes=PATIENT_LATE_MINUTES)
    seen = any(kind in (WAITING, JOINED) for kind, _ in patient)
    waited = any(a <= late <= b for a, b in theirs)
    if waited and not seen:
        return Attendance("no_show", minutes, frozenset({"patient_never_came"}))
    reasons = {"patient_came"} if seen else {"patient_not_seen"}
    if not theirs:
        reasons.add("clinician_not_seen")
    elif not waited and not seen:
        reasons.add("clinician_did_not_wait")
    elif seen:
        reasons.add("too_short_together")
    return Attendance("unclear", minutes, frozenset(reasons))
