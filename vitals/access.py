"""Whose readings somebody may see, and the few ways they are read."""

import base64
import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from accounts.access import patients_visible_to
from accounts.models import Patient
from vitals.models import Reading
from vitals.rules import (
    Average,
    AverageRule,
    BpLimits,
    Measurement,
    Pressure,
    average_of_set,
    default_limits,
    sets_of,
)


def readings_visible_to(user: Any) -> QuerySet[Reading]:
    """Every reading of the patients this person may see."""
    return Reading.objects.filter(patient__in=patients_visible_to(user))


def recent_readings(patient: Patient, limit: int = 30) -> list[Reading]:
    """The newest readings of a patient, rejected ones among them: nothing is dropped in silence."""
    return list(Reading.objects.filter(patient=patient).order_by("-received_at", "-id")[:limit])


def session_readings(session_id: UUID, *, phases: Iterable[str] = ()) -> list[Reading]:
    """The readings of one session in the order the server had them."""
    found = Reading.objects.filter(session_id=session_id)
    phases = list(phases)
    if phases:
        found = found.filter(phase__in=phases)
    return list(found.order_by("received_at", "id"))


def measurement(reading: Reading) -> Measurement:
    """A reading as the rules take it; the server's time, never the claimed one (HZ-02)."""
    return Measurement(
        systolic_mmhg=reading.systolic_mmhg,
        diastolic_mmhg=reading.diastolic_mmhg,
        pulse_bpm=reading.pulse_bpm,
        spo2_pct=reading.spo2_pct,
        taken_at=reading.received_at,
    )


def average_of(readings: Iterable[Reading], limits: BpLimits | None = None) -> Average:
    """The newest set of these readings as one pressure, by the rule of two or three; rejected ones take no part."""
    limits = limits or default_limits()
    sets = sets_of([measurement(r) for r in readings if not r.rejected], limits)
    return average_of_set(sets[-1], limits) if sets else Average(AverageRule.INCOMPLETE)


def worst_of(readings: Iterable[Reading], limits: BpLimits) -> Pressure | None:
    """The worst of all sets of these readings: the highest of each pressure. None while no set is complete.

    A newest set that is not complete takes part with what was read.
    """
    sets = sets_of([measurement(r) for r in readings if not r.rejected], limits)
    averages = [average_of_set(one, limits) for one in sets]
    found = [
        (a.systolic_mmhg, a.diastolic_mmhg)
        for a in averages
        if a.systolic_mmhg is not None and a.diastolic_mmhg is not None
    ]
    if not found:
        return None
    if averages[-1].systolic_mmhg is None:
        found += [one.pressure for one in sets[-1]]
    return max(systolic for systolic, _ in found), max(diastolic for _, diastolic in found)


def pressure_before_dose(session_id: UUID, limits: BpLimits) -> Pressure | None:
    """The averaged pressure that the dose of this session was released on; None when none was."""
    used = Reading.objects.filter(session_id=session_id, used_by_release_id__isnull=False).order_by(
        "received_at"
    )
    pairs = [(r.systolic_mmhg, r.diastolic_mmhg) for r in used]
    if len(pairs) != 2:
        return None
    return (pairs[0][0] + pairs[1][0]) / 2, (pairs[0][1] + pairs[1][1]) / 2


# --- pages of readings, as JSON made by the database: the rows need nothing from Python ---

PAGE_SIZE = 30
_ROWS = """
    SELECT r.id, r.patient_id AS patient, r.session_id AS session, r.phase, r.systolic_mmhg, r.diastolic_mmhg, r.pulse_bpm,
           r.spo2_pct, r.taken_at, r.received_at, r.source, r.device_id, r.band, r.rejected
      FROM vitals_reading r WHERE r.patient_id = {patient} {before}
     ORDER BY r.received_at DESC, r.id DESC LIMIT 31
"""
_PAGE = "SELECT x.received_at, x.id, row_to_json(x)::text FROM ({rows}) AS x"
_TOKEN_PAGE = """
    SELECT x.received_at, x.id, row_to_json(x)::text
      FROM accounts_devicetoken t
      JOIN accounts_user u ON u.id = t.user_id AND u.is_active AND u.role = 'patient'
      LEFT JOIN LATERAL ({rows}) AS x ON true
     WHERE t.digest = %s AND t.revoked_at IS NULL AND t.expires_at > %s AND t.scopes ? %s
     ORDER BY x.received_at DESC, x.id DESC
""".format(rows=_ROWS.format(patient="t.user_id", before=""))  # noqa: S608  (our own text, no input)


def make_cursor(received_at: datetime, reading_id: UUID) -> str:
    """Where the next page begins: after this reading."""
    return base64.urlsafe_b64encode(f"{received_at.isoformat()} {reading_id}".encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[datetime, UUID] | None:
    """What a cursor says; None for anything that is not one of ours."""
    try:
        text = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode()
        when, _, which = text.rpartition(" ")
        at, reading_id = datetime.fromisoformat(when), UUID(which)
    except (ValueError, UnicodeError):
        return None
    return (at, reading_id) if at.tzinfo is not None else None


def _page(rows: list[tuple[Any, ...]]) -> tuple[str, str | None]:
    following = make_cursor(rows[PAGE_SIZE - 1][0], rows[PAGE_SIZE - 1][1]) if len(rows) > PAGE_SIZE else None
    return f"[{', '.join(row[2] for row in rows[:PAGE_SIZE])}]", following


def readings_page(patient_id: UUID, *, before: tuple[datetime, UUID] | None = None) -> tuple[str, str | None]:
    """Thirty readings as a JSON list, newest first, and the cursor of what follows."""
    sql = _PAGE.format(
        rows=_ROWS.format(patient="%s", before="AND (r.received_at, r.id) < (%s, %s)" if before else "")
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [patient_id, *(before or ())])
        return _page(cursor.fetchall())


def newest_page_of_token(token: str, *, scope: str, at: datetime) -> tuple[str, str | None] | None:
    """The newest page of the patient a device's token belongs to, with the token's check, in one query; None: refused."""
    with connection.cursor() as cursor:
        cursor.execute(_TOKEN_PAGE, [hashlib.sha256(token.encode()).hexdigest(), at, scope])
        rows = cursor.fetchall()
    if not rows:
        return None
    return _page([row for row in rows if row[1] is not None])
