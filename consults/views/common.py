"""What the pages of this app share."""

import uuid
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from accounts.models import Patient
from common.clock import age_years, local_date
from common.errors import Invalid
from consults.models import Appointment
from consults.rules.slots import day_words, instant_of, time_words, when_words, zone_words

STATE_PILLS = {
    "held": ("Kept for you", "info"),
    "booked": ("Booked", "ok"),
    "cancelled": ("Cancelled", "neutral"),
    "completed": ("Took place", "neutral"),
    "no_show": ("Missed", "pause"),
}


def visit_row(row: Appointment, zone: str) -> dict[str, Any]:
    """An appointment as a page shows it, in the reader's zone."""
    word, kind = STATE_PILLS[row.state]
    return {
        "row": row,
        "when": when_words(row.starts_at, zone),
        "zone": zone_words(row.starts_at, zone),
        "minutes": row.minutes,
        "word": word,
        "kind": kind,
        "title": row.get_visit_type_display(),
        "with": str(row.clinician),
    }


def banner_of(patient: Patient, at: datetime) -> dict[str, Any]:
    """Whose chart this is (HZ-05): the banner's parameters."""
    on = local_date(at, patient.user.time_zone)
    born = patient.date_of_birth
    return {
        "name": str(patient.user),
        "born": day_words(born) if born else "",
        "age": f"{age_years(born, on)} years" if born else "",
        "state": patient.state,
        "extras": [
            ("Identity", "verified" if patient.identity_verified_at else "not verified"),
            ("Their time", time_words(at, patient.user.time_zone)),
        ],
    }


def day_from(text: str, default: date) -> date:
    """A day out of an address; the default when it is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return default


def day_window(first: date, days: int, zone: str) -> tuple[datetime, datetime]:
    """The instants between which these days lie in a zone."""
    there = ZoneInfo(zone)
    return instant_of(first, time(0), there), instant_of(first + timedelta(days=days), time(0), there)


def slot_from(text: str) -> tuple[uuid.UUID, datetime]:
    """The clinician and instant that a slot's button carries. Raises Invalid for anything else."""
    person, _, when = text.partition("|")
    try:
        starts_at = datetime.fromisoformat(when)
        if starts_at.tzinfo is None or not 2000 <= starts_at.year <= 2200:
            raise ValueError
        return uuid.UUID(person), starts_at
    except ValueError:
        raise Invalid("Choose one of the times.", fields={"slot": "Choose one of the times."}) from None
