"""States are a table with one door. An app's `states.py` holds the table; `move` is the door.

MOVES = {("draft", "submitted"): "patient", ("submitted", "claimed"): "psychiatrist"}
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import models, transaction

from common.audit import actor_name
from common.errors import MoveNotAllowed
from common.models import StateEvent

Moves = Mapping[tuple[str, str], str]


def move(
    obj: models.Model,
    target: str,
    *,
    moves: Moves,
    by: Any,
    at: datetime,
    reasons: Iterable[str] = (),
    field: str = "state",
    **also: Any,
) -> None:
    """Compare-and-set `obj.state` to `target` and append the event; `also` are columns set in the same UPDATE.

    Raises MoveNotAllowed when the table has no such move or the row is no longer in the state this object was read in.
    """
    source = getattr(obj, field)
    if (source, target) not in moves:
        raise MoveNotAllowed(f"This cannot go from “{source}” to “{target}”.")
    with transaction.atomic():
        changed = (
            type(obj)._base_manager.filter(pk=obj.pk, **{field: source}).update(**{field: target}, **also)
        )
        if not changed:
            raise MoveNotAllowed(
                "Somebody else changed this a moment ago. Reload the page to see how it stands."
            )
        opened(obj, target, by=by, at=at, source=source, reasons=reasons)
    setattr(obj, field, target)
    for name, value in also.items():
        setattr(obj, name, value)


def opened(
    obj: models.Model, target: str, *, by: Any, at: datetime, source: str = "", reasons: Iterable[str] = ()
) -> None:
    """Append the event of a state reached; on its own for the state an object is born in."""
    StateEvent.objects.create(
        object_type=obj._meta.label_lower,
        object_id=obj.pk,
        source=source,
        target=target,
        at=at,
        by=actor_name(by),
        reasons=sorted(reasons),
    )


def diagram(title: str, moves: Moves) -> str:
    """The table as a Mermaid state diagram with its list, for docs/states/."""
    lines = [
        f"# {title}",
        "",
        "Drawn from the table in the code by `manage.py draw_states`.",
        "",
        "```mermaid",
        "stateDiagram-v2",
    ]
    lines += [f"    {source or '[*]'} --> {target}: {who}" for (source, target), who in moves.items()]
    lines += ["```", "", "| from | to | who moves it |", "|---|---|---|"]
    lines += [f"| {source or '(new)'} | {target} | {who} |" for (source, target), who in moves.items()]
    return "\n".join(lines) + "\n"
