"""When each check-in is due, and what its answers set off. Pure: facts and numbers in, plans and codes out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

PREP, PRE_SESSION, POST_SESSION, INTEGRATION, DAILY, EXTRA = (
    "prep",
    "pre_session",
    "post_session",
    "integration",
    "daily",
    "extra",
)
BY_COACH = (PREP, PRE_SESSION, POST_SESSION, INTEGRATION)
BY_PATIENT = (DAILY, EXTRA)


@dataclass(frozen=True)
class Planned:
    """One check-in that a session asks for. `day` is the patient's own calendar day, for daily ones."""

    kind: str
    due_at: datetime
    remind_at: datetime
    day: date | None = None


def local_instant(day: date, hour: int, zone: str) -> datetime:
    """That hour of that day where the person is, as an instant; an hour that a clock change skips moves forward."""
    return datetime.combine(day, time(hour), ZoneInfo(zone)).astimezone(UTC)


def planned_for(*, number: int, starts_at: datetime, zone: str, numbers: Mapping[str, Any]) -> list[Planned]:
    """The check-ins of one session that starts (or started) at `starts_at`."""
    plans: list[Planned] = []
    prep = numbers["prep"]
    if number == prep["before_session"]:
        due = starts_at - timedelta(hours=prep["due_hours_before"])
        plans.append(Planned(PREP, due, due - timedelta(hours=24)))
    due = starts_at - timedelta(minutes=numbers["pre_session"]["due_minutes_before"])
    plans.append(Planned(PRE_SESSION, due, due - timedelta(hours=1)))
    due = starts_at + timedelta(minutes=numbers["post_session"]["due_minutes_after"])
    plans.append(Planned(POST_SESSION, due, due))
    first_day = starts_at.astimezone(ZoneInfo(zone)).date()
    day = first_day + timedelta(days=numbers["integration"]["due_days_after"])
    due = local_instant(day, numbers["integration"]["local_hour"], zone)
    plans.append(Planned(INTEGRATION, due, due - timedelta(hours=24)))
    daily = numbers["daily"]
    for offset in range(daily["first_day"], daily["last_day"] + 1):
        day = first_day + timedelta(days=offset)
        plans.append(
            Planned(
                DAILY,
                local_instant(day, daily["due_local_hour"], zone),
                local_instant(day, daily["remind_local_hour"], zone),
                day,
            )
        )
    return plans


def triggers_of(
    *, suicidal_thoughts: bool | None, side_effects: Iterable[str], numbers: Mapping[str, Any]
) -> frozenset[str]:
    """The escalation codes (X..) that a check-in's answers set off; empty means nothing to act on."""
    table = numbers["side_effects"]
    found = {table[code]["trigger"] for code in side_effects if code in table}
    if suicidal_thoughts:
        found.add(numbers["suicidal_thoughts_trigger"])
    return frozenset(found - {""})


def missed_in_a_row(done: Sequence[bool]) -> int:
    """How many of the newest due days were missed, newest first, until the first answered one."""
    count = 0
    for answered in done:
        if answered:
            break
        count += 1
    return count


def urgency(*, due_at: datetime | None, at: datetime, zone: str) -> str:
    """`overdue`, `today`, `later` or `none`: how a coach should read the next thing due, on the coach's own calendar."""
    if due_at is None:
        return "none"
    if due_at < at:
        return "overdue"
    own = ZoneInfo(zone)
    return "today" if due_at.astimezone(own).date() == at.astimezone(own).date() else "later"
