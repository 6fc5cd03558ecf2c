"""Three-valued logic: true, false, and None for unknown."""

from __future__ import annotations

Truth = bool | None


def either(a: Truth, b: Truth) -> Truth:
    """True when one side is true, even if the other is unknown."""
    if a or b:
        return True
    return None if a is None or b is None else False


def both(a: Truth, b: Truth) -> Truth:
    """False when one side is false, even if the other is unknown."""
    if a is False or b is False:
        return False
    return None if a is None or b is None else True


def negated(a: Truth) -> Truth:
    """Unknown stays unknown."""
    return None if a is None else not a


def at_least(value: float | None, bound: float) -> Truth:
    """value >= bound."""
    return None if value is None else value >= bound


def below(value: float | None, bound: float) -> Truth:
    """value < bound."""
    return None if value is None else value < bound


def within(value: float | None, low: float, bound: float) -> Truth:
    """low <= value < bound."""
    return None if value is None else low <= value < bound


def is_one_of(value: str | None, *choices: str) -> Truth:
    """value is among the choices."""
    return None if value is None else value in choices


def has(values: frozenset[str] | None, member: str) -> Truth:
    """The set holds the member."""
    return None if values is None else member in values
