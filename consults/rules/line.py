"""The waiting room's line: who is before somebody, and when it is their turn as things stand."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class InLine:
    """Another visit of the same clinician that is not over: when it was to begin and end."""

    starts_at: datetime
    ends_at: datetime


def place_in_line(
    mine: InLine, others: Iterable[InLine], *, at: datetime, late_minutes: int
) -> tuple[int, datetime]:
    """(place, expected_at): 1 is next. Every earlier visit that is not over has to end first, each at its full length.

    What the clinician says about running late counts where it is later than that.
    """
    free_at = at
    place = 1
    for other in sorted(others, key=lambda one: one.starts_at):
        if other.starts_at >= mine.starts_at:
            continue
        place += 1
        length = other.ends_at - other.starts_at
        # One that has begun ends when it was to end, or any minute now; one that has not begins when the one before is over.
        free_at = (
            max(free_at, other.ends_at) if other.starts_at <= at else max(free_at, other.starts_at) + length
        )
    return place, max(free_at, mine.starts_at + timedelta(minutes=late_minutes))
