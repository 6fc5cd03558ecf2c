"""A week of free times as patients, visitors and the care team see it."""

import functools
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from django.http import HttpRequest

from accounts.models import Patient
from common import intents
from common.clock import local_date
from consults import access
from consults.access.slots import Slot, visit_settings
from consults.models import Appointment, VisitType
from consults.rules.slots import offset_change_words, zone_words
from consults.views.common import day_from, day_window

Search = Callable[..., list[Slot]]
WEEK = 7
# Where many could see her, so many names stand beside one time.
PEOPLE_PER_TIME = 3
KINDS = {
    VisitType.CONSULT: (
        "Consult with your psychiatrist",
        "Half an hour to an hour by video: your history, your questions, and a decision together.",
    ),
    VisitType.INTRO: (
        "Introduction",
        "Twenty minutes by video with a psychiatrist who may see you in your state. Free, and no medical advice yet.",
    ),
    VisitType.FOLLOW_UP: ("Follow-up", "A quarter of an hour with your psychiatrist about how it is going."),
    VisitType.PREP: ("Preparation call", "Half an hour with your coach before the first session."),
    VisitType.INTEGRATION: ("Integration call", "Half an hour with your coach about what came up."),
}


def _days_of(slots: list[Slot], zone: str) -> list[dict[str, Any]]:
    """Slots by the day that they are for the reader; the zone stands beside each day, because it may change."""
    days = []
    for day, group in groupby(slots, key=lambda slot: local_date(slot.starts_at, zone)):
        found = list(group)
        days.append({"day": day, "zone": zone_words(found[0].starts_at, zone), "slots": found})
    return days


def _clocks(slots: list[Slot], at: datetime, zone: str) -> str:
    """Said above the times when the clocks change between now and the last of them."""
    return offset_change_words(at, slots[-1].starts_at, zone) if slots else ""


def week_of_times(search: Search, asked: str, *, at: datetime, zone: str) -> dict[str, Any]:
    """A week of free times, beginning with the day that was asked for or else with the first day that has one.

    Only that week is searched whole; of what lies around it, only whether there is anything. So a page costs the same in a
    practice of five and of five hundred.
    """
    today = local_date(at, zone)
    horizon = at + timedelta(days=visit_settings(at)["horizon_days"])
    first = min(max(today, day_from(asked, today)), local_date(horizon, zone))
    if not asked:
        soonest = search(at, horizon, limit=1)
        first = local_date(soonest[0].starts_at, zone) if soonest else today
    from_at, to_at = day_window(first, WEEK, zone)
    shown = search(from_at, to_at)
    later = search(to_at, horizon, limit=1)
    return {
        "days": _days_of(shown, zone),
        "several": len({slot.clinician_id for slot in shown}) > 1,
        "earlier": first - timedelta(days=WEEK) if first > today else None,
        "later": first + timedelta(days=WEEK) if later else None,
        "first": first,
        "any_free": bool(shown or later) or bool(search(at, horizon, limit=1)),
        "clocks": _clocks(shown, at, zone),
    }


def offer_times(
    request: HttpRequest, patient: Patient, visit_type: str, at: datetime, moving: Appointment | None = None
) -> dict[str, Any]:
    """A week of free times for this patient."""
    zone = patient.user.time_zone
    search = functools.partial(
        access.open_slots, visit_type, patient, at=at, moving=moving, per_start=PEOPLE_PER_TIME
    )
    return {
        **week_of_times(search, request.GET.get("from", ""), at=at, zone=zone),
        "visit_type": visit_type,
        "patient_zone": zone,
        "intent": intents.mint(),
    }
