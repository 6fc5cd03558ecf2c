"""Two tabs, one page of answers: each answer is compared with what its own page was made from. Standard library only.

An entry is what is kept of one step: {"version": 3, "data": {…}, "log": {name: [[version, at, value], …]}, …}. A page says which
version it was made from; an answer that somebody else changed since, to something else than was typed here, is a clash and stays
as it is. Everything else is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# So many earlier values of an answer stay beside it; the row's history in the database keeps all of them.
LOG_LENGTH = 10
SCORED = "scored"
_UNKNOWN = object()


@dataclass(frozen=True, slots=True)
class Clash:
    """One answer with two values: the newer one that is kept, since when, and the one that was typed."""

    names: tuple[str, ...]
    kept: tuple[Any, ...]
    kept_at: str
    typed: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Merged:
    """The answers to keep, their log, and what happened on the way."""

    data: dict[str, Any]
    log: dict[str, list[list[Any]]]
    changed: tuple[str, ...]
    clashes: tuple[Clash, ...]
    newer: tuple[str, ...]


def flat(data: Mapping[str, Any]) -> dict[str, Any]:
    """Scored items beside the other answers, as `scored.audit_c_1`."""
    own = {name: value for name, value in data.items() if name != SCORED}
    return own | {f"{SCORED}.{name}": value for name, value in (data.get(SCORED) or {}).items()}


def nested(answers: Mapping[str, Any]) -> dict[str, Any]:
    """The other way round."""
    own = {name: value for name, value in answers.items() if not name.startswith(f"{SCORED}.")}
    scored = {
        name.partition(".")[2]: value for name, value in answers.items() if name.startswith(f"{SCORED}.")
    }
    return own | ({SCORED: scored} if scored else {})


def _empty(value: Any) -> Any:
    return None if value in (None, "", []) else value


def merge(
    entry: Mapping[str, Any],
    typed: Mapping[str, Any],
    *,
    version: int,
    at: str,
    together: Iterable[tuple[str, ...]] = (),
) -> Merged:
    """Put what was typed on a page made from `version` into the entry. `typed` holds None for what was left empty.

    Answers in `together` (a weight and its unit) are taken or refused as one.
    """
    kept = flat(entry.get("data", {}))
    at_version = int(entry.get("version", 0))
    log: dict[str, list[list[Any]]] = {name: list(rows) for name, rows in entry.get("log", {}).items()}
    groups = [names for names in together if set(names) & set(typed)]
    grouped = {name for names in groups for name in names}
    units = [*groups, *((name,) for name in typed if name not in grouped)]

    def base(name: str) -> Any:
        if version == at_version:
            return _empty(kept.get(name))
        known = [row for row in log.get(name, ()) if row[0] <= version]
        if known:
            return _empty(known[-1][2])
        if log.get(name):
            # Shorter than the log can hold, it is the whole story: before the first entry there was no answer.
            return None if len(log[name]) < LOG_LENGTH else _UNKNOWN
        return _empty(kept.get(name)) if name not in kept or at_version == 0 else _UNKNOWN

    changed: list[str] = []
    clashes: list[Clash] = []
    newer: list[str] = []
    for names in units:
        mine = tuple(_empty(typed.get(name)) for name in names)
        theirs = tuple(_empty(kept.get(name)) for name in names)
        if mine == theirs:
            continue
        before = tuple(base(name) for name in names)
        if mine == before:
            newer.extend(names)
        elif theirs == before:
            changed.extend(names)
        else:
            since = max(
                (row[1] for name in names for row in log.get(name, ())[-1:]), default=entry.get("at", "")
            )
            clashes.append(Clash(names=names, kept=theirs, kept_at=since, typed=mine))
    for name in changed:
        value = _empty(typed.get(name))
        rows = log.setdefault(name, [])
        if not rows and name in kept:
            rows.append([0, str(entry.get("at", "")), kept[name]])
        rows.append([at_version + 1, at, value])
        del rows[:-LOG_LENGTH]
        if value is None:
            kept.pop(name, None)
        else:
            kept[name] = value
    return Merged(nested(kept), log, tuple(changed), tuple(clashes), tuple(newer))
