"""The ordinary lane at scale: a million rows that wait, a hundred thousand at nine o'clock, and a crisis page behind them all."""

import datetime as dt
import statistics
import time
from collections.abc import Callable, Iterator
from zoneinfo import ZoneInfo

from django.db import connection

from accounts.models import Role, User
from bench import fill
from bench.figures import ONE_BY_ONE, Figure, figure
from bench.server import Practice
from common import clock
from notify.actions import dispatch_crisis, dispatch_due, promise
from notify.models import OutboxMessage

ZONES = (
    "America/New_York", "America/Chicago", "America/Denver", "America/Phoenix", "America/Los_Angeles", "Pacific/Honolulu",
)  # fmt: skip
RUSH = 100_000
NINE = dt.time(9, 0)


def _tick_ms(rows: int, practice: Practice, due_at: dt.datetime, at: dt.datetime) -> float:
    """The median of a tick of the ordinary lane with so many rows scheduled and none due."""
    fill.scheduled_messages(rows, practice.patient, due_at=due_at, at=at)
    took = []
    for turn in range(600):
        started = time.perf_counter()
        dispatch_due(at=clock.now())
        if turn >= 150:
            took.append((time.perf_counter() - started) * 1000)
    return statistics.median(took)


def _without_a_limit() -> None:
    """Filling takes longer than any statement of the product may."""
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")


def reminder_tick_1m(practice: Practice) -> Iterator[Figure]:
    """A tick with 1,000,000 scheduled and none due, against the same with 1,000: few, many, few, many, few, so that a machine that
    grows slower or faster meanwhile does so to both."""
    at = clock.now()
    _without_a_limit()
    due_at = at + dt.timedelta(days=30)
    small, large = [_tick_ms(1_000, practice, due_at, at)], []
    for _ in range(2):
        large.append(_tick_ms(1_000_000, practice, due_at, at))
        small.append(_tick_ms(1_000, practice, due_at, at))
    # The first and last of the few count half, so that both sides lie around the same moment.
    ratio = sum(large) / (small[0] / 2 + small[1] + small[2] / 2)
    yield figure("reminder_tick_1m", statistics.median(large), "ms", statistics.median(small), ratio, "<=1.2")


def _people() -> dict[str, User]:
    """Somebody in each of the six zones."""
    return {
        zone: User.objects.get_or_create(
            email=f"rush-{n}@bench.example",
            defaults={
                "full_name": f"Rush {n}",
                "role": Role.PATIENT,
                "time_zone": zone,
                "phone": f"+1415555020{n}",
            },
        )[0]
        for n, zone in enumerate(ZONES)
    }


def _nine_o_clock(people: dict[str, User], *, day: dt.date, at: dt.datetime) -> dict[str, dt.datetime]:
    """A hundred thousand reminders for nine in the morning of that day, where each person is; written by PostgreSQL itself."""
    nine = {zone: dt.datetime.combine(day, NINE, ZoneInfo(zone)) for zone in ZONES}
    with fill.in_bulk(fill.OUTBOX) as cursor:
        cursor.execute(f"TRUNCATE {fill.OUTBOX} CASCADE")
        for zone, person in people.items():
            row = OutboxMessage(
                lane="ordinary", kind="session_tomorrow", recipient=person, channel="sms", template="session_tomorrow",
                context={"when": "10:00 am", "link": "https://example.test/", "first_name": "Ada"}, wanted_at=nine[zone],
                due_at=nine[zone], created_at=at,
            )  # fmt: skip
            fill.copies_of(row, RUSH // len(ZONES), cursor)
    return nine


def _send_the_morning(nine: dict[str, dt.datetime]) -> tuple[int, float]:
    """Each zone's nine o'clock comes; (how many went, seconds). Raises when one went early, or twice."""
    went, seconds = 0, 0.0
    for opens in sorted(set(nine.values())):
        started = time.perf_counter()
        if dispatch_due(at=opens - dt.timedelta(seconds=1)).claimed:
            raise RuntimeError("a reminder went early")
        while (done := dispatch_due(at=opens)).claimed:
            went += done.sent
        seconds += time.perf_counter() - started
    rows = OutboxMessage.objects
    early = rows.raw("SELECT id FROM notify_outboxmessage WHERE sent_at < wanted_at LIMIT 1")
    if list(early) or rows.filter(attempts__gt=1).exists() or rows.exclude(state="sent").exists():
        raise RuntimeError("a reminder went early, twice or not at all")
    return went, seconds


def reminder_rush_100k(practice: Practice) -> Iterator[Figure]:
    """100,000 due at nine in six zones, rendered and handed to a sink; none early, none twice. Against the bare loop, one at a time."""
    _without_a_limit()
    people, at = _people(), clock.now()
    # A morning that is past, so that the bare loop's own now() finds the same rows due.
    day = at.date() - dt.timedelta(days=3)
    nine = _nine_o_clock(people, day=day, at=at)
    expected = RUSH // len(ZONES) * len(ZONES)
    went, seconds = _send_the_morning(nine)
    if went != expected:
        raise RuntimeError(f"{went} of {expected} went")
    _nine_o_clock(people, day=day, at=at)
    connection.ensure_connection()
    raw = connection.connection
    raw.autocommit = True
    # A tenth of the rows says how fast the loop is; the whole of them would take minutes and be slower still.
    marked = 0
    started = time.perf_counter()
    with raw.cursor() as cursor:
        cursor.execute(ONE_BY_ONE)
        while cursor.fetchone() is not None and marked < RUSH // 10:
            marked += 1
            cursor.execute(ONE_BY_ONE)
    bare = marked / (time.perf_counter() - started)
    yield figure("reminder_rush_100k", went / seconds, "1/s", bare, went / seconds / bare, ">=2.0")


def _page_ms(dana: User, rounds: int = 40) -> float:
    """The median from a page's promise to the vendor's receipt."""
    took = []
    for _ in range(rounds):
        at = clock.now()
        started = time.perf_counter()
        promise(
            "crisis_page", to=dana, channel="sms", lane="crisis", due_at=at, at=at,
            context={"link": "https://example.test/", "reference": "A1", "notice_number": 1, "drill": False, "answer_url": ""},
        )  # fmt: skip
        if dispatch_crisis(at=clock.now()).sent != 1:
            raise RuntimeError("the page did not go")
        took.append((time.perf_counter() - started) * 1000)
    return statistics.median(took)


def crisis_behind_backlog(practice: Practice) -> Iterator[Figure]:
    """A crisis page while 100,000 overdue ordinary messages wait, against the same with none waiting."""
    at = clock.now()
    _without_a_limit()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE notify_outboxmessage CASCADE")
    fill.settle("notify_outboxmessage")
    _page_ms(practice.psychiatrist)
    alone = statistics.median(_page_ms(practice.psychiatrist) for _ in range(3))
    fill.scheduled_messages(RUSH, practice.patient, due_at=at - dt.timedelta(hours=1), at=at)
    _page_ms(practice.psychiatrist)
    behind = statistics.median(_page_ms(practice.psychiatrist) for _ in range(3))
    yield figure("crisis_behind_backlog", behind, "ms", alone, behind / alone, "<=1.5")


REMINDERS: dict[str, Callable[[Practice], Iterator[Figure]]] = {
    "reminder_tick_1m": reminder_tick_1m,
    "reminder_rush_100k": reminder_rush_100k,
    "crisis_behind_backlog": crisis_behind_backlog,
}
