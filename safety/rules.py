"""When whom to page, what counts as worse, where the roster has holes. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

CARE_TEAM, FIRST, SECOND, EVERYONE = 0, 1, 2, 3
EMERGENCY = 4
# However a calendar is filled, the next working day is not further away than this.
WORKING_DAY_WITHIN_DAYS = 14


@dataclass(frozen=True)
class Ladder:
    """Seconds to each rung from when an alert opened, or opened again."""

    first_page_s: float
    repage_s: float
    next_level_s: float
    everyone_s: float
    repage_everyone_s: float
    # How long the rounds wait for each other once everyone has been paged, the last one for good; empty: always the above.
    repage_everyone_backoff_s: tuple[float, ...] = ()

    def wait_after_everyone_s(self, since_everyone_s: float) -> float:
        """How long the next round waits, so many seconds after everyone was first paged."""
        ends_s = 0.0
        for wait_s in self.repage_everyone_backoff_s:
            ends_s += wait_s
            if since_everyone_s < ends_s:
                return wait_s
        return (
            self.repage_everyone_backoff_s[-1] if self.repage_everyone_backoff_s else self.repage_everyone_s
        )


@dataclass(frozen=True)
class Step:
    """Where an alert stands on its ladder, and when to look again."""

    level: int
    next_page_at: datetime
    next_escalation_at: datetime | None


def ladder_of(
    data: Mapping[str, Any],
    *,
    acknowledge_minutes: float,
    in_session: bool,
    severity: int,
    extra_s: float = 0,
) -> Ladder:
    """The ladder in seconds: fixed ones for urgent alerts, shares of the trigger's own clock for the others.

    `extra_s`: how much later than `acknowledge_minutes` a clock ends that waits for a working day; rungs that come at the end of
    the clock, or after it, come so much later. What waits longer from round to round, once everyone has been paged, is data as
    well; never for an emergency, and never while somebody is in a session.
    """
    clock_s = acknowledge_minutes * 60
    next_level_s = data.get("next_level_in_session_seconds" if in_session else "next_level_seconds")
    backoff = data.get("repage_everyone_backoff") or {"below_severity": 0, "seconds": []}
    slower = severity < min(backoff["below_severity"], EMERGENCY) and not in_session
    return Ladder(
        first_page_s=0 if data["first_page"] == "at_once" else clock_s + extra_s,
        repage_s=data.get("repage_seconds") or max(60, data["repage_share_of_clock"] * clock_s),
        next_level_s=next_level_s or data["next_level_share_of_clock"] * clock_s + extra_s,
        everyone_s=data.get("everyone_seconds") or data["everyone_share_of_clock"] * clock_s + extra_s,
        repage_everyone_s=data["repage_everyone_seconds"],
        repage_everyone_backoff_s=tuple(backoff["seconds"]) if slower else (),
    )


def end_of_next_working_day(
    at: datetime, *, zone: ZoneInfo, weekdays: Collection[int], until_hour: int, holidays: Collection[date]
) -> datetime:
    """When the first working day after today closes, by the calendar of that zone."""
    day = at.astimezone(zone).date()
    for _ in range(WORKING_DAY_WITHIN_DAYS):
        day += timedelta(days=1)
        if day.weekday() in weekdays and day not in holidays:
            break
    return datetime.combine(day, time(until_hour), zone).astimezone(UTC)


def step_at(ladder: Ladder, *, since: datetime, at: datetime, worse_at: datetime | None = None) -> Step:
    """The rung for this instant; an alert that nobody takes only ever climbs, and never falls silent.

    `worse_at`: when it last got worse. Its pages then follow each other as quickly as those of an alert that opened then, but
    whoever is called stays a matter of how long nobody has taken it.
    """
    if worse_at is not None and worse_at > since:
        step, quick = step_at(ladder, since=since, at=at), step_at(ladder, since=worse_at, at=at)
        return replace(step, next_page_at=min(step.next_page_at, quick.next_page_at))
    elapsed_s = (at - since).total_seconds()
    rungs = ((ladder.everyone_s, EVERYONE), (ladder.next_level_s, SECOND), (ladder.first_page_s, FIRST))
    level = next((level for from_s, level in rungs if elapsed_s >= from_s), CARE_TEAM)
    if level == CARE_TEAM:
        begins = since + timedelta(seconds=ladder.first_page_s)
        return Step(CARE_TEAM, begins, begins)
    wait = (
        ladder.wait_after_everyone_s(elapsed_s - ladder.everyone_s) if level == EVERYONE else ladder.repage_s
    )
    climbs = {FIRST: ladder.next_level_s, SECOND: ladder.everyone_s}.get(level)
    return Step(
        level, at + timedelta(seconds=wait), since + timedelta(seconds=climbs) if climbs is not None else None
    )


def origin_of(new: Ladder, *, old: Ladder, since: datetime, at: datetime, called: bool) -> datetime:
    """From when an untaken alert that got worse climbs: no rung comes later than it would have without the worse sign.

    Where somebody was `called` already the time since then counts in full, however often it gets worse. Where nobody was yet (a
    routine row waits for its clock), the worse sign begins a quicker ladder.
    """
    rungs = (
        (old.first_page_s, new.first_page_s),
        (old.next_level_s, new.next_level_s),
        (old.everyone_s, new.everyone_s),
    )
    return min(since if called else at, *(since + timedelta(seconds=was_s - is_s) for was_s, is_s in rungs))


def is_worse(
    *,
    severity: int,
    magnitude: float,
    codes: Iterable[str],
    known_severity: int,
    known_magnitude: float,
    known_codes: Iterable[str],
    measures: Mapping[str, float] | None = None,
    known_measures: Mapping[str, float] | None = None,
) -> bool:
    """Is a new sign of an episode worse than what is already known: graver, larger in any number, or of a kind not seen before?

    A sign no graver than the known one is news by its kind only when it is at least as grave: X03 after X02 pages nobody again.
    """
    if (
        severity > known_severity
        or magnitude > known_magnitude
        or larger(measures or {}, known_measures or {})
    ):
        return True
    return severity == known_severity and bool(set(codes) - set(known_codes))


def larger(measures: Mapping[str, float], known: Mapping[str, float]) -> bool:
    """Is any of these numbers larger than the worst one known by its name, or of a name not known yet?"""
    return any(name not in known or value > known[name] for name, value in measures.items())


def worst_of(measures: Mapping[str, float], known: Mapping[str, float]) -> dict[str, float]:
    """Each number by its name, the larger of both."""
    return {
        name: max(given)
        for name in {*measures, *known}
        if (given := [m[name] for m in (measures, known) if name in m])
    }


def look_again_at(
    *, taken_at: datetime, unclosed_minutes: float, grace_minutes: float, contact_by_at: datetime | None
) -> datetime:
    """When a taken alert pages next: before its contact clock is over (with a little time for who took it late), else after so
    many minutes for as long as it is not closed."""
    unclosed = taken_at + timedelta(minutes=unclosed_minutes)
    if contact_by_at is None:
        return unclosed
    return min(unclosed, max(contact_by_at, taken_at + timedelta(minutes=grace_minutes)))


def gaps(
    shifts: Iterable[tuple[datetime, datetime]], *, starts_at: datetime, ends_at: datetime
) -> list[tuple[datetime, datetime]]:
    """The stretches of the window that no shift covers, in order."""
    holes = []
    covered_to = starts_at
    for begins, ends in sorted(shifts):
        if begins >= ends_at:
            break
        if begins > covered_to:
            holes.append((covered_to, begins))
        covered_to = max(covered_to, ends)
    if covered_to < ends_at:
        holes.append((covered_to, ends_at))
    return holes
