"""What is new in a chart since one reader looked: answers old and new, and what others did, from the history that is kept anyway."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from intake.models import Intake

# The trail is read no further back than this; whoever was away longer reads the whole chart anyway.
ROWS_READ = 300


@dataclass(frozen=True)
class ChangedAnswer:
    """One answer as it was at the last look and as it is now."""

    step: str
    name: str
    old: Any
    new: Any


@dataclass(frozen=True)
class News:
    """Something that somebody else did, how often, and when last."""

    actor: str
    words: str
    at: datetime


@cache
def news_words() -> Mapping[str, tuple[str, str]]:
    """What of the trail is news, by action: in words for once and for many times."""
    path = Path(__file__).resolve().parent.parent / "data" / "chart.json"
    return {action: (one, many) for action, (one, many) in json.loads(path.read_text())["news"].items()}


def changed_answers(intake: Intake, then: Mapping[str, Any] | None) -> list[ChangedAnswer]:
    """Answers of this intake that differ from those of `then`, in the order of the steps."""
    if then is None:
        return []
    found = []
    for step, entry in intake.answers.items():
        old, new = then.get(step, {}).get("data", {}), entry.get("data", {})
        found += [
            ChangedAnswer(step, name, old.get(name), new.get(name))
            for name in [*new, *(name for name in old if name not in new)]
            if old.get(name) != new.get(name)
        ]
    return found


def counted(rows: list[tuple[str, str, datetime]]) -> list[News]:
    """Rows of the trail (actor, action, instant), newest first: the same thing by the same person as one line."""
    words = news_words()
    found: dict[tuple[str, str], tuple[int, datetime]] = {}
    for actor, action, at in rows:
        count, newest = found.get((actor, action), (0, at))
        found[(actor, action)] = (count + 1, newest)
    return [
        News(actor, words[action][count > 1].replace("{n}", str(count)), at)
        for (actor, action), (count, at) in found.items()
    ]
