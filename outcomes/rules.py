"""When scores are due, and what they say: change by the definitions of measures.rules, and groups with their denominators. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from measures.rules import Change, ChangeDefinitions, change

BASELINE, AFTER_2, AFTER_4 = "baseline", "after_session_2", "after_session_4"
COURSE_POINTS = (BASELINE, AFTER_2, AFTER_4)
# Asked by the calendar and not by a session.
MONTHLY = "checkin"


@dataclass(frozen=True)
class Window:
    """When one time point's questionnaires are open for one person."""

    timepoint: str
    label: str
    opens_at: datetime
    closes_at: datetime


@dataclass(frozen=True)
class Due:
    """One questionnaire to fill in now. `late`: the window has closed, and an answer is still wanted."""

    instrument: str
    timepoint: str
    label: str
    opens_at: datetime
    due_at: datetime
    late: bool


def windows(*, sessions: Mapping[int, datetime], zone: str, numbers: Mapping[str, Any]) -> list[Window]:
    """The time points that sessions already held open, in their order. `sessions`: number -> when the dose was taken."""
    own = ZoneInfo(zone)
    found = []
    for point in numbers["timepoints"]:
        held_at = sessions.get(point.get("after_session", 0))
        if held_at is None:
            continue
        first_day = held_at.astimezone(own).date()
        opens = datetime.combine(first_day + timedelta(days=point["opens_days"]), time(6), own)
        closes = datetime.combine(first_day + timedelta(days=point["closes_days"]), time(23, 59), own)
        found.append(Window(point["code"], point["label"], opens.astimezone(UTC), closes.astimezone(UTC)))
    return found


def due(
    *,
    open_windows: Iterable[Window],
    answered: frozenset[tuple[str, str]],
    instruments: Sequence[str],
    at: datetime,
    also: Mapping[str, Sequence[str]] | None = None,
) -> list[Due]:
    """What is still to be filled in, oldest first. A time point is let go when the next one opens.

    `also`: instrument -> the time points at which it is asked beside the others.
    """
    opened = sorted((w for w in open_windows if w.opens_at <= at), key=lambda w: w.opens_at)
    if not opened:
        return []
    newest = opened[-1]
    asked = [*instruments, *(name for name, points in (also or {}).items() if newest.timepoint in points)]
    return [
        Due(
            instrument,
            newest.timepoint,
            newest.label,
            newest.opens_at,
            newest.closes_at,
            at > newest.closes_at,
        )
        for instrument in asked
        if (instrument, newest.timepoint) not in answered
    ]


def monthly(
    *,
    first_dose_at: datetime | None,
    last_answer_at: datetime | None,
    numbers: Mapping[str, Any],
    at: datetime,
) -> Due | None:
    """The question that comes back each month while doses are given, counted from its last answer whatever that was given for."""
    if first_dose_at is None:
        return None
    opens_at = max(first_dose_at, last_answer_at or first_dose_at) + timedelta(days=numbers["every_days"])
    closes_at = opens_at + timedelta(days=numbers["closes_days"])
    if at < opens_at:
        return None
    return Due(numbers["instrument"], MONTHLY, numbers["label"], opens_at, closes_at, at > closes_at)


@dataclass(frozen=True)
class Point:
    """One total at one time point."""

    timepoint: str
    total: int
    at: datetime


@dataclass(frozen=True)
class Compared:
    """One later point beside its baseline; `change` is None when there is no baseline to compare with."""

    point: Point
    change: Change | None


@dataclass(frozen=True)
class Course:
    """One person's scores on one instrument: the baseline, what came after, all points in order of time."""

    instrument: str
    baseline: Point | None
    after: Mapping[str, Compared]
    points: tuple[Point, ...]


def is_before(timepoint: str, answered_at: datetime, begun_at: datetime | None) -> bool:
    """Whether an answer is one from before the course: whatever it says of itself, after the first dose none is."""
    return timepoint == BASELINE and (begun_at is None or answered_at <= begun_at)


def course_of(
    instrument: str,
    rows: Iterable[Point],
    definitions: ChangeDefinitions,
    *,
    begun_at: datetime | None = None,
) -> Course:
    """The newest answer at each time point counts; everything answered is drawn. `begun_at`: the first dose."""
    points = tuple(sorted(rows, key=lambda p: p.at))
    newest: dict[str, Point] = {
        p.timepoint: p for p in points if p.timepoint != BASELINE or is_before(p.timepoint, p.at, begun_at)
    }
    baseline = newest.get(BASELINE)
    after = {
        code: Compared(point, change(baseline.total, point.total, definitions) if baseline else None)
        for code, point in newest.items()
        if code != BASELINE
    }
    return Course(instrument, baseline, after, points)


# --- groups -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Share:
    """A count with the number it is a count of. There is no percentage without both."""

    count: int
    of: int

    @property
    def percent(self) -> float | None:
        return None if self.of == 0 else round(100 * self.count / self.of, 1)


@dataclass(frozen=True)
class Group:
    """One instrument at one time point over everybody eligible."""

    instrument: str
    timepoint: str
    n_eligible: int
    n_baseline: int
    n_at_point: int
    n_both: int
    response: Share
    remission: Share
    clinically_significant: Share
    any_improvement: Share
    reliable: Share
    deterioration: Share
    mean_change: float | None
    effect_size: float | None
    # Everybody with a baseline; where the point is missing, the last score before it stands in.
    carried_forward: Mapping[str, Share] = field(default_factory=dict)


NAMES = ("response", "remission", "clinically_significant", "any_improvement", "reliable", "deterioration")


def shares(changes: Sequence[Change]) -> dict[str, Share]:
    """Each outcome as count and denominator. Remission counts only people for whom the word applies (baseline high enough)."""
    found = {}
    for name in NAMES:
        values = [getattr(one, name) for one in changes]
        applies = [value for value in values if value is not None]
        found[name] = Share(sum(1 for value in applies if value), len(applies))
    return found


def effect_size(changes: Sequence[Change]) -> float | None:
    """d = mean(pre - post) / SD(pre), SD with n - 1; None below two people or without spread."""
    if len(changes) < 2:
        return None
    pre = [one.baseline for one in changes]
    mean_pre = sum(pre) / len(pre)
    variance = sum((value - mean_pre) ** 2 for value in pre) / (len(pre) - 1)
    if variance == 0:
        return None
    return round(sum(one.baseline - one.follow_up for one in changes) / len(changes) / math.sqrt(variance), 2)


def group(
    instrument: str,
    timepoint: str,
    scores: Mapping[Any, Mapping[str, int]],
    *,
    n_eligible: int,
    definitions: ChangeDefinitions,
) -> Group:
    """`scores`: person -> time point -> total, for everybody eligible who answered anything."""
    with_baseline = [row for row in scores.values() if BASELINE in row]
    both = [change(row[BASELINE], row[timepoint], definitions) for row in with_baseline if timepoint in row]
    order = COURSE_POINTS[: COURSE_POINTS.index(timepoint) + 1]
    carried = [
        change(row[BASELINE], row[[code for code in order if code in row][-1]], definitions)
        for row in with_baseline
    ]
    return Group(
        instrument=instrument,
        timepoint=timepoint,
        n_eligible=n_eligible,
        n_baseline=len(with_baseline),
        n_at_point=sum(1 for row in scores.values() if timepoint in row),
        n_both=len(both),
        **shares(both),
        mean_change=round(sum(one.points for one in both) / len(both), 1) if both else None,
        effect_size=effect_size(both),
        carried_forward=shares(carried),
    )
