"""One line of somebody's work list, whatever app it comes from. Apps answer theirs through the hook `work.items`."""

import functools
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

# No provider answers more than this for one person: the soonest due come first, the rest follow as these are done.
LIMIT = 200

# For the order among lines due at the same time, and for what must stand before everything else.
WEIGHT_CRISIS = 100
WEIGHT_HIGH = 50
WEIGHT_NORMAL = 0

OVERDUE, TODAY, SOON, LATER, WAITING = "overdue", "today", "soon", "later", "waiting"
SOON_DAYS = 7


@dataclass(frozen=True)
class WorkItem:
    """What one person owes by a time, and where to do it.

    `key` names the thing itself and stays the same from look to look (`alert:<uuid>`); `kind` groups lines for the filter
    (`alert.open`); `url` lands on the form that does it, `action` is the word on that link. `patient_label` is shown on pages
    only. `waiting_on` names somebody else whose move it is: such a line is shown apart and never counts as this person's delay.
    """

    key: str
    kind: str
    title: str
    url: str
    action: str
    due_at: datetime
    owner_id: uuid.UUID
    owner_name: str
    patient_label: str | None = None
    weight: int = WEIGHT_NORMAL
    waiting_on: str = ""
    text: str = ""
    task_id: uuid.UUID | None = None
    # Somebody else's, long overdue: shown to who supervises as well.
    escalated: bool = False
    # Here because nobody whose work it naturally is works here now.
    unowned: bool = False

    def overdue(self, at: datetime) -> bool:
        """Is its time past, and is it this person's move?"""
        return not self.waiting_on and self.due_at < at

    def group(self, at: datetime, zone: str) -> str:
        """`overdue`, `today`, `soon` (the next seven days), `later` or `waiting`, by the calendar of the reader's zone."""
        if self.waiting_on:
            return WAITING
        if self.due_at < at:
            return OVERDUE
        where = ZoneInfo(zone)
        days = (self.due_at.astimezone(where).date() - at.astimezone(where).date()).days
        return TODAY if days <= 0 else SOON if days <= SOON_DAYS else LATER

    def order(self) -> tuple[bool, int, datetime, str]:
        """What stands first: what is mine to move, the crisis lines, then the soonest due; the key settles ties."""
        crisis = 0 if self.weight >= WEIGHT_CRISIS else 1
        return (bool(self.waiting_on), crisis, self.due_at, self.key)


@functools.lru_cache(maxsize=1)
def kinds() -> dict[str, dict[str, Any]]:
    """Every kind of line by name, with label, title, action, role, clock and weight: each app's `data/work.json`, and the stored
    tasks' `safety/data/tasks.json`."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(settings.BASE_DIR.glob("*/data/work.json")):
        found |= {row["kind"]: row for row in json.loads(path.read_text())["kinds"]}
    tasks = json.loads((settings.BASE_DIR / "safety" / "data" / "tasks.json").read_text())
    return found | {row["kind"]: row for row in tasks["kinds"]}


def label_of(kind: str) -> str:
    """The word of a kind for the filter; a readable form of its name where no data file has it."""
    row = kinds().get(kind)
    return str(row["label"]) if row else kind.replace(".", " ").replace("_", " ").capitalize()


def role_of(kind: str) -> str:
    """Whose work a kind is; a kind that no data file has counts as a psychiatrist's."""
    return str(kinds().get(kind, {}).get("role", "psychiatrist"))


def clock_of(kind: str) -> timedelta:
    """How long after its beginning a line of this kind is due."""
    return timedelta(hours=kinds()[kind]["clock_hours"])


def line(
    kind: str,
    *,
    key: str,
    owner: Any,
    url: str,
    due_at: datetime,
    patient: Any = None,
    title: str = "",
    action: str = "",
    **also: Any,
) -> WorkItem:
    """A line of a kind in the data: its words and weight from there, the rest from the caller."""
    row = kinds()[kind]
    return WorkItem(
        key=f"{kind}:{key}",
        kind=kind,
        title=title or row["title"],
        url=url,
        action=action or row["action"],
        due_at=due_at,
        owner_id=owner.pk,
        owner_name=str(owner),
        patient_label=str(patient) if patient is not None else None,
        weight=also.pop("weight", row.get("weight", WEIGHT_NORMAL)),
        **also,
    )


def in_order(items: Iterable[WorkItem]) -> list[WorkItem]:
    """One list in the order of `WorkItem.order`; a line that two providers answered stands once."""
    return sorted({item.key: item for item in items}.values(), key=WorkItem.order)


def next_working_day(at: datetime, zone: str, *, days: int = 1, hour: int = 17) -> datetime:
    """The end (`hour` o'clock) of the n-th working day after `at` in that zone; Saturdays and Sundays do not count."""
    local = at.astimezone(ZoneInfo(zone))
    day = local.date()
    while days:
        day += timedelta(days=1)
        if day.weekday() < 5:
            days -= 1
    return datetime(day.year, day.month, day.day, hour, tzinfo=ZoneInfo(zone))
