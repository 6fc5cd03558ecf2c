"""How many times one person may take, so that everybody finds one."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Limit(StrEnum):
    """Which number is reached."""

    AHEAD = "enough_booked"
    CHOICES = "too_many_choices"
    MOVES = "too_many_moves"


def limit_reached(
    limits: Mapping[str, Any], visit_type: str, *, ahead: int, chosen_today: int
) -> Limit | None:
    """What stands against one more time of this kind. A protocol version without limits has none."""
    most_ahead = limits.get("ahead", {}).get(visit_type)
    if most_ahead is not None and ahead >= most_ahead:
        return Limit.AHEAD
    most_chosen = limits.get("choices_per_day")
    if most_chosen is not None and chosen_today >= most_chosen:
        return Limit.CHOICES
    return None


def moves_reached(limits: Mapping[str, Any], *, moves: int) -> Limit | None:
    """Has one visit moved as often as its patient may move it?"""
    most = limits.get("moves_per_visit")
    return Limit.MOVES if most is not None and moves >= most else None
