"""A tiny registry for the few moments when a lower app's verb must carry an upper app's work in the same transaction.

Imports go down only, so the upper app registers a plain function in its AppConfig.ready(); the lower action runs it by name.
Not signals: the names are listed in NAMES, an unknown one is an error, and an exception undoes the whole action.
"""

from collections.abc import Callable
from typing import Any

NAMES = frozenset(
    {
        "intake.accepted",
        "intake.declined",
        "instrument.completed",
        "order.signed",
        "session.closed",
        "course.completed",
        "patient.facts_changed",
        "person.zone_changed",
        "patient.visible",
        "patient.busy",
        "reading.context",
        "reading.recorded",
        "booking.blockers",
        "consult.not_suitable",
        "room.about",
        "person.left",
        "duty.ends",
        "staff.away",
        "doses.given",
        "medicine.used",
        "work.items",
        "consent.withdrawn",
        "message.files",
        "chart.panels",
        "course.noticed",
        "protocol.read",
        "lane.watch",
        "text.received",
        "coach.now",
        "coach.stands_in",
        "staff.away_now",
    }
)
_hooks: dict[str, list[Callable[..., Any]]] = {}


def register(name: str, function: Callable[..., Any]) -> None:
    """Have `function` run whenever `name` happens; registering twice is harmless."""
    if name not in NAMES:
        raise LookupError(f"no such hook: {name}")
    functions = _hooks.setdefault(name, [])
    if function not in functions:
        functions.append(function)


def run(name: str, **kwargs: Any) -> list[Any]:
    """Run what was registered, in order, inside the caller's transaction; answers their results."""
    if name not in NAMES:
        raise LookupError(f"no such hook: {name}")
    return [function(**kwargs) for function in _hooks.get(name, ())]
