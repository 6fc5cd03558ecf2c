"""The hot write: a plain reading from a device in one round trip. The only place in this app with hand-written SQL.

`vitals_store_reading` (0002_hot_path) looks the token up, checks its scope, stores the reading and writes the audit row, in
one statement, which is one transaction. It takes only readings that call nobody: what is implausible, pages somebody or
belongs to a session goes the long way through `vitals.actions.record_reading`, which is also its oracle (a property test
compares the rows).
"""

import hashlib
import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from common import protocol
from common.errors import Conflict
from vitals.actions import PULSE_POSSIBLE_BPM, limits_of
from vitals.models import Reading
from vitals.rules import Band, BpLimits, HoldReason, band, hold_reasons, next_steps

SCOPE = "readings:write"
FIELDS = frozenset(
    {
        "systolic_mmhg",
        "diastolic_mmhg",
        "pulse_bpm",
        "taken_at",
        "source",
        "session",
        "phase",
        "device_id",
        "spo2_pct",
    }
)
SOURCES = frozenset(Reading.Source.values)
PHASES_WITHOUT_SESSION = frozenset({"intake", "practice", "extra"})

_SQL = "SELECT outcome, reading_id, patient_id FROM vitals_store_reading(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"


@dataclass(frozen=True)
class Entry:
    """A reading as sent, with everything in its place."""

    systolic_mmhg: int
    diastolic_mmhg: int
    pulse_bpm: int
    taken_at: datetime
    source: str
    phase: str
    device_id: str
    spo2_pct: int | None


@dataclass(frozen=True)
class Stored:
    """What was stored; `reasons` are the codes that hold a dose, none of which calls anybody."""

    reading_id: uuid.UUID
    patient_id: uuid.UUID
    entry: Entry
    band: str
    reasons: frozenset[HoldReason]
    data: dict[str, Any]


def _whole(value: Any, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def read_entry(body: bytes) -> Entry | None:
    """The plain case, or None for anything that the serializer should look at (and word an answer to)."""
    try:
        sent = json.loads(body)
    except ValueError:
        return None
    if not isinstance(sent, dict) or not FIELDS.issuperset(sent) or sent.get("session") is not None:
        return None
    phase = sent.get("phase", "extra")
    device_id = sent.get("device_id", "")
    spo2 = sent.get("spo2_pct")
    if not (
        _whole(sent.get("systolic_mmhg"), 0, 999)
        and _whole(sent.get("diastolic_mmhg"), 0, 999)
        and _whole(sent.get("pulse_bpm"), 0, 999)
        and sent.get("source") in SOURCES
        and phase in PHASES_WITHOUT_SESSION
        and isinstance(device_id, str)
        and len(device_id) <= 80
        and device_id.isprintable()
        and (spo2 is None or _whole(spo2, 0, 100))
        and isinstance(sent.get("taken_at"), str)
    ):
        return None
    try:
        taken_at = datetime.fromisoformat(sent["taken_at"])
    except ValueError:
        return None
    if taken_at.tzinfo is None or not 1990 < taken_at.year < 2100:
        return None
    return Entry(
        systolic_mmhg=sent["systolic_mmhg"],
        diastolic_mmhg=sent["diastolic_mmhg"],
        pulse_bpm=sent["pulse_bpm"],
        taken_at=taken_at.astimezone(UTC),
        source=sent["source"],
        phase=phase,
        device_id=device_id.strip(),
        spo2_pct=spo2,
    )


@dataclass(frozen=True)
class _InForce:
    """A protocol version with its limits. One object, swapped whole: threads never see the limits of one and the id of another."""

    version_id: uuid.UUID
    limits: BpLimits
    data: dict[str, Any]


# Kept between requests; the SQL says when it is no longer the version in force.
_kept: list[_InForce] = []


def _read_in_force(at: datetime) -> _InForce:
    version = protocol.current(at=at)
    limits, data = limits_of(version)
    found = _InForce(version.pk, limits, data)
    _kept[:] = [found]
    return found


def store(token: str, entry: Entry, *, at: datetime) -> Stored | None:
    """Store a plain reading in one round trip. None: this one goes the long way (unknown token, worrying values, no protocol)."""
    for attempt in (1, 2):
        kept = next(iter(_kept), None) if attempt == 1 else None
        try:
            in_force = kept or _read_in_force(at)
        except Conflict:
            return None
        limits, data = in_force.limits, in_force.data
        where = band(entry.systolic_mmhg, entry.diastolic_mmhg, limits)
        if where is Band.IMPLAUSIBLE or entry.pulse_bpm not in PULSE_POSSIBLE_BPM:
            return None
        reasons = hold_reasons(
            entry.systolic_mmhg, entry.diastolic_mmhg, entry.pulse_bpm, limits, spo2_pct=entry.spo2_pct
        )
        if reasons and any(step.page or step.programme_hold for step in next_steps(reasons, data)):
            return None
        with connection.cursor() as cursor:
            cursor.execute(
                _SQL,
                [
                    hashlib.sha256(token.encode()).hexdigest(), SCOPE, at, in_force.version_id, uuid.uuid4(), entry.phase,
                    entry.systolic_mmhg, entry.diastolic_mmhg, entry.pulse_bpm, entry.spo2_pct, entry.taken_at, entry.source,
                    entry.device_id, str(where),
                ],
            )  # fmt: skip
            outcome, reading_id, patient_id = cursor.fetchone()
        if outcome == "stored":
            return Stored(
                reading_id=reading_id,
                patient_id=patient_id,
                entry=entry,
                band=str(where),
                reasons=reasons,
                data=data,
            )
        if outcome != "other_protocol":
            return None
    return None
