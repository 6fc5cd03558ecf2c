"""From weekly hours in a clinician's own zone to free instants: UTC inside, wall time only at both ends."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
# How far back the beginning of a stretch of hours is looked for, further only while it is not found. Whoever offers every hour
# of the week has no beginning, and the grid stands at midnight.
LOOK_BACK_DAYS = (1, 8, 64)


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours offered each week; `effective_*` bound the days on which they hold, both included."""

    weekday: int
    starts: time
    ends: time
    effective_from: date | None = None
    effective_until: date | None = None

    def holds_on(self, day: date) -> bool:
        return (
            day.weekday() == self.weekday
            and (self.effective_from is None or self.effective_from <= day)
            and (self.effective_until is None or day <= self.effective_until)
        )


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Half-open: [starts_at, ends_at), both in UTC."""

    starts_at: datetime
    ends_at: datetime

    def overlaps(self, other: "Span") -> bool:
        return self.starts_at < other.ends_at and other.starts_at < self.ends_at

    def contains(self, other: "Span") -> bool:
        return self.starts_at <= other.starts_at and other.ends_at <= self.ends_at


@lru_cache(maxsize=16384)
def instant_of(day: date, wall: time, zone: ZoneInfo) -> datetime:
    """The instant at which a clock on the wall in `zone` first reads `wall` on `day`.

    A wall time that occurs twice (autumn) is its first occurrence; one that never occurs (spring) is the instant of the
    change. So the answer never falls back as the wall time rises, and windows that touch on the wall touch in UTC.
    """
    local = datetime.combine(day, wall, tzinfo=zone)
    early = local.astimezone(UTC)
    if early.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return early
    # In the gap: fold 0 reads it with the offset before, fold 1 with the one after; the change lies between the two.
    low, high = local.replace(fold=1).astimezone(UTC), early
    after = high.astimezone(zone).utcoffset()
    while high - low > SECOND:
        middle = low + (high - low) // 2
        middle = middle.replace(microsecond=0)
        if middle <= low:
            break
        if middle.astimezone(zone).utcoffset() == after:
            high = middle
        else:
            low = middle
    return high


def never_occurs(day: date, wall: time, zone: ZoneInfo) -> bool:
    """Is this a time that no clock shows on that day, because it is skipped when the clocks go forward?"""
    local = datetime.combine(day, wall, tzinfo=zone)
    return local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None)


def windows(
    hours: Iterable[Hours], zone_name: str, from_at: datetime, to_at: datetime, extra: Iterable[Span] = ()
) -> list[Span]:
    """The weekly hours as instants between `from_at` and `to_at`, with hours offered once, joined where they touch.

    Joined before anything is left out, and followed back to where the stretch begins, so that the grid of starts is the same
    from wherever somebody looks.
    """
    zone = ZoneInfo(zone_name)
    hours, extra = list(hours), list(extra)
    asked_on, last = from_at.astimezone(zone).date(), to_at.astimezone(zone).date() + DAY
    found: list[Span] = []
    for days in LOOK_BACK_DAYS:
        first = asked_on - days * DAY
        joined = merged([*_weekly(hours, zone, first, last), *extra])
        found = [span for span in joined if span.starts_at < to_at and span.ends_at > from_at]
        # Weekly hours end at midnight at the latest, so only what begins there or earlier may go on from the day before.
        if not found or found[0].starts_at > instant_of(first, time(0), zone):
            break
    return found


def _weekly(hours: list[Hours], zone: ZoneInfo, first: date, last: date) -> Iterator[Span]:
    """Each row on each of these days on which it holds; midnight at the end is the end of the day."""
    day = first
    while day <= last:
        for one in hours:
            if one.holds_on(day):
                ends_on = day + DAY if one.ends == time(0) else day
                span = Span(instant_of(day, one.starts, zone), instant_of(ends_on, one.ends, zone))
                if span.starts_at < span.ends_at:
                    yield span
        day += DAY


def merged(spans: Iterable[Span]) -> list[Span]:
    """In order, without overlaps; spans that touch become one."""
    out: list[Span] = []
    for span in sorted(spans):
        if out and span.starts_at <= out[-1].ends_at:
            out[-1] = Span(out[-1].starts_at, max(out[-1].ends_at, span.ends_at))
        else:
            out.append(span)
    return out


def without(offered: Iterable[Span], taken: Iterable[Span]) -> list[Span]:
    """What is left of the offered time when leave and visits are taken out."""
    left: list[Span] = []
    busy = merged(taken)
    first = 0
    for span in merged(offered):
        starts_at = span.starts_at
        while first < len(busy) and busy[first].ends_at <= span.starts_at:
            first += 1
        index = first
        while index < len(busy) and busy[index].starts_at < span.ends_at:
            if busy[index].starts_at > starts_at:
                left.append(Span(starts_at, busy[index].starts_at))
            starts_at = max(starts_at, busy[index].ends_at)
            index += 1
        if starts_at < span.ends_at:
            left.append(Span(starts_at, span.ends_at))
    return left


def slots_in(
    offered: Iterable[Span],
    taken: Iterable[Span],
    *,
    minutes: int,
    step_minutes: int,
    from_at: datetime,
    to_at: datetime,
) -> Iterator[Span]:
    """Starts on a grid from the beginning of each offered window, so that a booking moves nobody else's times.

    A slot lies wholly inside offered time, overlaps nothing taken, and starts in [from_at, to_at).
    """
    length, step = timedelta(minutes=minutes), timedelta(minutes=step_minutes)
    busy = merged(taken)
    for window in merged(offered):
        starts_at = window.starts_at
        if starts_at < from_at:
            starts_at += -((starts_at - from_at) // step) * step
        index = 0
        while starts_at + length <= window.ends_at and starts_at < to_at:
            slot = Span(starts_at, starts_at + length)
            while index < len(busy) and busy[index].ends_at <= slot.starts_at:
                index += 1
            if index == len(busy) or not busy[index].overlaps(slot):
                yield slot
            starts_at += step


def zone_words(at: datetime, zone_name: str) -> str:
    """How a zone is named at an instant: "EST (New York, UTC−5)"; the offset tells the two hours of autumn apart."""
    local = at.astimezone(ZoneInfo(zone_name))
    offset = local.utcoffset() or timedelta()
    minutes = int(offset.total_seconds() // 60)
    sign = "+" if minutes >= 0 else "−"
    hours, rest = divmod(abs(minutes), 60)
    place = zone_name.rsplit("/", 1)[-1].replace("_", " ")
    written = f"UTC{sign}{hours}" + (f":{rest:02d}" if rest else "")
    name = local.tzname() or ""
    return (
        f"{name} ({place}, {written})"
        if name and not name.startswith(("+", "-"))
        else f"{place} time ({written})"
    )


def when_words(at: datetime, zone_name: str) -> str:
    """An instant as a person reads it in a zone, the zone named: "Tuesday, December 1, 2026, 9:00 am PST"."""
    local = at.astimezone(ZoneInfo(zone_name))
    return f"{local:%A}, {day_words(local.date())}, {time_words(at, zone_name)}"


def time_words(at: datetime, zone_name: str) -> str:
    """The time of day in a zone: "9:00 am PST"."""
    local = at.astimezone(ZoneInfo(zone_name))
    return f"{local.strftime('%I:%M %p').lstrip('0').lower()} {local.tzname()}"


def day_words(day: date) -> str:
    """A day as people write it: "April 2, 1988"."""
    return f"{day:%B} {day.day}, {day.year}"


def offset_change_words(now: datetime, then: datetime, zone_name: str) -> str:
    """A sentence when the clocks of a zone change between now and a visit; empty when they do not.

    "Clocks change before this visit: it is at UTC-8, today is UTC-7." Somebody who counts in hours would come an hour off.
    """
    zone = ZoneInfo(zone_name)
    before, after = now.astimezone(zone).utcoffset(), then.astimezone(zone).utcoffset()
    if before is None or after is None or before == after:
        return ""
    way = "forward" if after > before else "back"
    minutes = int(abs(after - before).total_seconds() // 60)
    length = "an hour" if minutes == 60 else f"{minutes} minutes"
    return (
        f"The clocks go {way} by {length} before this visit. The time shown is what your clock will say then: "
        f"{zone_words(then, zone_name)}; today it is {zone_words(now, zone_name)}."
    )
