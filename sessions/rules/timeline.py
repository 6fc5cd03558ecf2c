"""When things are due around a dose: reminders before it, checks and readings after it, and when driving is possible again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Every time of the dosing day; from the protocol."""

    session_start_local_hour: int
    solid_food_hold_hours: float
    alcohol_cannabis_hold_hours: float
    clear_liquids_hold_minutes: int
    sitter_link_valid_hours: float
    music_minutes: int
    sitter_check_minutes: tuple[int, ...]
    sitter_check_late_after_minutes: int
    early_reading_minutes: int
    readings: Mapping[str, int]
    missing_ladder_minutes: tuple[int, ...]
    release_on_call_after_minutes: int
    watch_until_minutes: int
    watch_messages_minutes: tuple[int, ...]
    follow_up_after_hours: float
    follow_up_closes_after_hours: float
    missed_after_hours: float
    gap_clinician_confirms_after_days: int
    gap_review_after_days: int
    gap_restart_after_days: int
    reminders: tuple[tuple[str, float], ...]
    # Before session 1 alone, as long as the days of practice are not done; versions before this one ask for none.
    practice_reminder_hours_before: tuple[float, ...] = ()


def timeline_of(data: Mapping[str, Any]) -> Timeline:
    """The times of a protocol's `timeline` part; a missing one is an error."""
    apart = ("reminders", "practice_reminder_hours_before")
    plain = {name: data[name] for name in Timeline.__dataclass_fields__ if name not in apart}
    for name in ("sitter_check_minutes", "missing_ladder_minutes", "watch_messages_minutes"):
        plain[name] = tuple(plain[name])
    reminders = tuple((row["kind"], float(row["hours_before"])) for row in data["reminders"])
    practice = tuple(float(hours) for hours in data.get("practice_reminder_hours_before", ()))
    return Timeline(**plain, reminders=reminders, practice_reminder_hours_before=practice)


def gap_step(gap: timedelta, numbers: Timeline) -> int:
    """Into which part of protocol 8.1 a gap since the last dose falls: 0 as planned, 1 a clinician confirms (over 10 days), 2 the
    psychiatrist reviews anew (over 14), 3 the titration begins again (over 28). The days are the protocol's."""
    limits = (
        numbers.gap_clinician_confirms_after_days,
        numbers.gap_review_after_days,
        numbers.gap_restart_after_days,
    )
    return sum(gap > timedelta(days=days) for days in limits)


@dataclass(frozen=True, slots=True)
class Due:
    """Something to be done, and when. `late_at` is when somebody else hears that it was not."""

    kind: str
    minute: int
    due_at: datetime
    late_at: datetime


def checkpoints_after_dose(dose_at: datetime, timeline: Timeline, *, early_reading: bool) -> tuple[Due, ...]:
    """Everything due after a dose, in the order of time."""
    late_sitter = timedelta(minutes=timeline.sitter_check_late_after_minutes)
    late_reading = timedelta(minutes=timeline.missing_ladder_minutes[0])
    found = []
    for minute in timeline.sitter_check_minutes:
        due_at = dose_at + timedelta(minutes=minute)
        found.append(Due("sitter", minute, due_at, due_at + late_sitter))
    readings = dict(timeline.readings)
    if early_reading:
        readings["t40"] = timeline.early_reading_minutes
    for kind, minute in readings.items():
        due_at = dose_at + timedelta(minutes=minute)
        found.append(Due(kind, minute, due_at, due_at + late_reading))
    due_at = dose_at + timedelta(hours=timeline.follow_up_after_hours)
    found.append(
        Due("follow_up", int(timeline.follow_up_after_hours * 60), due_at, due_at + timedelta(hours=6))
    )
    return tuple(sorted(found, key=lambda due: (due.due_at, due.kind)))


def reminders_before(scheduled_at: datetime, timeline: Timeline) -> tuple[tuple[str, datetime], ...]:
    """The reminders of one session with the instants they are due, in the order of time."""
    return tuple(
        sorted(
            ((kind, scheduled_at - timedelta(hours=hours)) for kind, hours in timeline.reminders),
            key=lambda pair: pair[1],
        )
    )


def driving_unlocked(
    *, dose_at: datetime | None, slept: bool, local_day_of_dose: int, local_day_now: int
) -> bool:
    """Driving waits for the next day after a night's sleep; without an answer about sleep it stays locked."""
    return dose_at is None or (slept and local_day_now > local_day_of_dose)
