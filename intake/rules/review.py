"""How fast an intake is read, how reasons are grouped: read from intake/data/review.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class ReasonClass:
    """Rules that one filter of the queue shows together."""

    id: str
    label: str
    rules: tuple[str, ...]


@cache
def _data() -> dict[str, Any]:
    path = Path(__file__).resolve().parent.parent / "data" / "review.json"
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


@cache
def targets() -> Mapping[int, timedelta]:
    """For each urgency, 0 to 3, how soon after it was sent an intake is read."""
    return MappingProxyType({row["urgency"]: timedelta(minutes=row["minutes"]) for row in _data()["targets"]})


def read_by(submitted_at: datetime, urgency: int) -> datetime:
    """When an intake sent at this time is due to be read."""
    return submitted_at + targets()[urgency]


@cache
def reason_classes() -> tuple[ReasonClass, ...]:
    """All classes, in the order of the filter; every rule stands in exactly one."""
    return tuple(
        ReasonClass(row["id"], row["label"], tuple(row["rules"])) for row in _data()["reason_classes"]
    )


def same_look() -> timedelta:
    """Two looks at a chart less than this apart are one look: what was new at its start stays marked."""
    return timedelta(minutes=_data()["same_look_minutes"])
