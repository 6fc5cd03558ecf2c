"""The ledger of a fault run: what people meant and were told, and what the vendors took. Kept outside the product, in plain files.

Each writer appends whole JSON lines to a file of its own, so that whatever is killed, what was said before stays said. At the
end every intent is looked up on both sides, in the vendors' journal and in the database, and must be there as often as its
class allows (docs: promises X, L and R). Whatever is not is a `Finding` with the intent's whole story.

Nothing of the product is imported here: what it believes about itself is the thing in question.
"""

import json
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.twilio_server import wall_clock

# The longest that the first page of a crisis answer may take with one process killed (PR-05).
FIRST_PAGE_S = 90.0
# The longest that a reminder may lie when its sender is killed, and the sender after it as well: two leases of five minutes, and
# the ticks between.
REMINDER_S = 660.0


class Ledger:
    """An append-only file of lines; several threads of one process may write, each process has its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def write(self, **line: Any) -> None:
        text = json.dumps({"at_s": wall_clock().timestamp(), **line}, default=str) + "\n"
        with self._lock, self.path.open("a") as out:
            out.write(text)
            out.flush()

    def lines(self) -> list[dict[str, Any]]:
        """All whole lines; the half line of a writer that was killed is no line."""
        if not self.path.exists():
            return []
        whole = self.path.read_text().split("\n")[:-1]
        return [json.loads(line) for line in whole if line]


@dataclass
class Intent:
    """One thing somebody meant to happen, with everything that is known about it."""

    key: str
    # crisis and page (L), effect (X: a reading, a booking, an acknowledgement), reminder (R)
    kind: str
    # X exactly once, L at least once, R at most one extra
    delivery: str
    meant_at_s: float = 0.0
    acknowledged_at_s: float | None = None
    # When the database says that it began (alerts) or may begin (reminders), and when the vendor took each copy.
    due_at_s: float | None = None
    taken_at_s: list[float] = field(default_factory=list)
    # How much of the time between the two a test's own clock leapt over: nobody waited then.
    leapt_s: float = 0.0
    # How often its effect stands in the database; None when it has none there.
    effects: int | None = None
    # Taken back on purpose: then nothing may leave, and nothing need.
    withdrawn: bool = False
    # It failed for good and stands, with an owner, where a person sees it: not sent, and not lost either.
    a_person_has_it: bool = False
    # Its channel cannot be asked what it took, so one extra copy is allowed (class R).
    one_extra: bool = True
    story: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Finding:
    """One broken promise: lost, doubled, early, late or stuck."""

    what: str
    key: str
    why: str
    story: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join(
            [f"{self.what.upper()} {self.key}: {self.why}", *(f"    {line}" for line in self.story)]
        )


def judge(intent: Intent, *, first_page_s: float = FIRST_PAGE_S) -> Iterable[Finding]:
    """What one intent breaks of its class."""

    def finding(what: str, why: str) -> Finding:
        return Finding(what, intent.key, f"{intent.kind}: {why}", tuple(intent.story))

    told = intent.acknowledged_at_s is not None
    if intent.effects is not None:
        if told and intent.effects == 0:
            yield finding("lost", "somebody was told that it is done, and it is nowhere")
        if intent.effects > 1:
            yield finding("doubled", f"one intent, {intent.effects} effects")
    if intent.delivery == "X":
        return
    copies = len(intent.taken_at_s)
    happened = told or bool(intent.effects) or intent.effects is None
    if intent.withdrawn:
        if copies:
            yield finding("doubled", f"taken back, and {copies} went all the same")
        return
    if happened and copies == 0 and not intent.a_person_has_it:
        yield finding("lost", "promised, and no vendor ever took it")
    if intent.delivery == "R":
        if copies > (2 if intent.one_extra else 1):
            yield finding("doubled", f"{copies} copies at the vendor")
        if intent.due_at_s is not None and any(at < intent.due_at_s - 0.05 for at in intent.taken_at_s):
            yield finding(
                "early", f"taken {intent.due_at_s - min(intent.taken_at_s):.1f} s before it was due"
            )
        if copies and intent.due_at_s is not None:
            took = min(intent.taken_at_s) - intent.due_at_s - intent.leapt_s
            if took > REMINDER_S:
                yield finding("late", f"taken {took:.0f} s after it was due, allowed are {REMINDER_S:.0f} s")
    if intent.delivery == "L" and copies and intent.due_at_s is not None:
        took = min(intent.taken_at_s) - intent.due_at_s
        if took > first_page_s:
            yield finding("late", f"the first page after {took:.1f} s, allowed are {first_page_s:.0f} s")


def taken_back(intent: Intent, *, meant_at_s: float | None, told_at_s: float | None) -> Intent:
    """A message whose cause somebody took back: from when they were told that it is done, nothing may leave.

    Told after it was due, or never told: it may have left in that instant, and need not.
    """
    if intent.due_at_s is not None and told_at_s is not None and told_at_s <= intent.due_at_s:
        intent.withdrawn = True
    elif meant_at_s is not None:
        intent.effects = 0
    return intent


def stuck_rows(rows: Iterable[Mapping[str, Any]], *, now_s: float, grace_s: float = 0.0) -> Iterable[Finding]:
    """Outbox rows that nobody works on: in flight with a lease that is over, or due and never claimed."""
    for row in rows:
        story = (", ".join(f"{name}={value}" for name, value in row.items()),)
        if (
            row["state"] == "sending"
            and row["lease_until_s"] is not None
            and row["lease_until_s"] < now_s - grace_s
        ):
            yield Finding(
                "stuck", str(row["id"]), "in flight, its lease is over, and nobody has taken it up", story
            )
        if row["state"] == "scheduled" and row["due_at_s"] <= now_s - grace_s:
            yield Finding("stuck", str(row["id"]), "due, and nobody has claimed it", story)


def reconcile(
    intents: Iterable[Intent],
    rows: Iterable[Mapping[str, Any]],
    *,
    now_s: float,
    first_page_s: float = FIRST_PAGE_S,
) -> list[Finding]:
    """Every intent against vendors and database. An empty list is the promise kept: lost 0, doubled 0, late 0, stuck 0."""
    found = [finding for intent in intents for finding in judge(intent, first_page_s=first_page_s)]
    return [*found, *stuck_rows(rows, now_s=now_s)]


def counted(findings: Iterable[Finding]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int, dict.fromkeys(("lost", "doubled", "early", "late", "stuck"), 0))
    for finding in findings:
        counts[finding.what] += 1
    return dict(counts)
