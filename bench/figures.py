"""The figures. Names in var/bench.jsonl stay as they are (docs/performance.md)."""

import csv
import datetime as dt
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench import fill
from bench.load import Round, in_turns, median_ratio, one_round, request_bytes
from bench.server import Practice
from common import clock

# The chart of ten years in this many at most.
CHART_QUERIES = 12


@dataclass(frozen=True)
class Figure:
    """One line of var/bench.jsonl; `bar` says what `ratio` must be, such as '>=0.6'."""

    name: str
    value: float
    unit: str
    baseline: float
    ratio: float | None
    bar: str | None
    ok: bool | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def line(self) -> str:
        mark = {True: "ok  ", False: "MISS", None: "    "}[self.ok]
        ratio = f"{self.ratio:.2f}x" if self.ratio is not None else ""
        return f"{mark}  {self.name:<24} {self.value:>12.3f} {self.unit:<8} against {self.baseline:>12.3f}   {ratio:>7}  {self.bar or ''}"


def figure(name: str, value: float, unit: str, baseline: float, ratio: float, bar: str) -> Figure:
    limit = float(bar[2:])
    return Figure(
        name,
        round(value, 4),
        unit,
        round(baseline, 4),
        round(ratio, 4),
        bar,
        ratio >= limit if bar[0] == ">" else ratio <= limit,
    )


def _sender(
    practice: Practice, message: Callable[[], bytes], *, expect: int, seconds: float = 2.0, clients: int = 8
) -> Callable[[], Round]:
    return lambda: one_round(practice.port, message, clients=clients, seconds=seconds, expect=expect)


def reading_api(practice: Practice) -> Iterator[Figure]:
    """A reading with token, validation, banding, audit, alert decision and outbox, against a bare insert; 8 clients."""
    headers = {"Authorization": f"Token {practice.token}", "Content-Type": "application/json"}
    dice = random.Random(1)

    def body() -> bytes:
        taken_at = clock.now().isoformat()
        # As at home: nine in ten are plain, one in ten holds a dose, none pages anybody.
        systolic = dice.randrange(142, 155) if dice.random() < 0.1 else dice.randrange(105, 139)
        return (
            f'{{"systolic_mmhg": {systolic}, "diastolic_mmhg": {dice.randrange(62, 88)}, "pulse_bpm": {dice.randrange(55, 95)}, '
            f'"taken_at": "{taken_at}", "source": "device"}}'
        ).encode()

    results = in_turns(
        {
            "ours": _sender(
                practice, lambda: request_bytes("POST", "/api/v1/readings/", headers, body()), expect=201
            ),
            "bare": _sender(
                practice, lambda: request_bytes("POST", "/bench/reading/", headers, body()), expect=201
            ),
        },
        rounds=7,
    )
    ours, bare, ratio = median_ratio(results, "ours", "bare", lambda r: r.per_second)
    yield figure("reading_api_rps", ours, "1/s", bare, ratio, ">=0.6")
    ours, bare, ratio = median_ratio(results, "ours", "bare", lambda r: r.p99_ms)
    yield figure("reading_api_p99", ours, "ms", bare, ratio, "<=2.0")


def readings_list(practice: Practice) -> Iterator[Figure]:
    """The newest thirty readings of a patient, against the same SELECT in a bare view."""
    headers = {"Authorization": f"Token {practice.token}"}
    results = in_turns(
        {
            "ours": _sender(practice, lambda: request_bytes("GET", "/api/v1/readings/", headers), expect=200),
            "bare": _sender(practice, lambda: request_bytes("GET", "/bench/readings/", headers), expect=200),
        },
        rounds=7,
    )
    ours, bare, ratio = median_ratio(results, "ours", "bare", lambda r: r.per_second)
    yield figure("readings_list", ours, "1/s", bare, ratio, ">=0.8")


def _queue_page_ms(practice: Practice) -> float:
    page = request_bytes("GET", "/queue/", {"Cookie": practice.cookie})
    one_round(practice.port, lambda: page, clients=1, seconds=1, expect=200)
    return statistics.median(
        one_round(practice.port, lambda: page, clients=1, seconds=1.5, expect=200).p50_ms for _ in range(5)
    )


def queue_page_100k(practice: Practice) -> Iterator[Figure]:
    """The first page of the queue with 100,000 waiting, against 1,000."""
    fill.waiting_intakes(1_000)
    small = _queue_page_ms(practice)
    fill.waiting_intakes(100_000)
    large = _queue_page_ms(practice)
    yield figure("queue_page_100k", large, "ms", small, large / small, "<=1.3")


def queue_page_1m(practice: Practice) -> Iterator[Figure]:
    """The first page of the queue with 1,000,000 waiting, against 1,000."""
    fill.waiting_intakes(1_000)
    small = _queue_page_ms(practice)
    fill.waiting_intakes(1_000_000)
    large = _queue_page_ms(practice)
    yield figure("queue_page_1m", large, "ms", small, large / small, "<=1.5")
    fill.waiting_intakes(1_000)


def chart_history(practice: Practice) -> Iterator[Figure]:
    """A chart with ten years of readings, questionnaires, medicines and trail, against the same person's with one month."""
    from accounts.models import Patient

    patient = Patient.objects.get(pk=practice.patient.pk)
    page = request_bytes("GET", f"/chart/{patient.pk}/", {"Cookie": practice.cookie})

    def ms(days: int) -> float:
        fill.a_chart(patient, practice.psychiatrist, days=days, at=clock.now())
        one_round(practice.port, lambda: page, clients=1, seconds=1, expect=200)
        return statistics.median(
            one_round(practice.port, lambda: page, clients=1, seconds=1, expect=200).p50_ms for _ in range(5)
        )

    pairs = [(ms(3_650), ms(30)) for _ in range(3)]
    ratio = statistics.median(large / small for large, small in pairs)
    yield figure(
        "chart_history",
        statistics.median(large for large, _ in pairs),
        "ms",
        statistics.median(small for _, small in pairs),
        ratio,
        "<=1.5",
    )
    fill.a_chart(patient, practice.psychiatrist, days=3_650, at=clock.now())
    asked = _queries_of(f"/chart/{patient.pk}/", practice.cookie)
    yield figure("chart_queries", asked, "queries", CHART_QUERIES, asked / CHART_QUERIES, "<=1")


def _queries_of(path: str, cookie: str) -> int:
    """How many queries a page asks when it is opened again, counted in this process."""
    browser = Client(headers={"host": "localhost", "cookie": cookie})
    for _ in range(2):
        with CaptureQueriesContext(connection) as seen:
            assert browser.get(path).status_code == 200
    return len(seen)


def queue_page_html(practice: Practice) -> Iterator[Figure]:
    """The queue as a page, against the same 25 rows as bare JSON; 8 clients."""
    fill.waiting_intakes(1_000)
    headers = {"Cookie": practice.cookie}
    results = in_turns(
        {
            "ours": _sender(practice, lambda: request_bytes("GET", "/queue/", headers), expect=200),
            "bare": _sender(practice, lambda: request_bytes("GET", "/bench/queue/", headers), expect=200),
        },
        rounds=7,
    )
    ours, bare, ratio = median_ratio(results, "ours", "bare", lambda r: r.per_second)
    yield figure("queue_page_html", ours, "1/s", bare, ratio, ">=0.6")


def _tick_ms() -> float:
    from notify.actions import dispatch_due

    took = []
    for _ in range(400):
        started = time.perf_counter()
        dispatch_due(at=clock.now())
        took.append((time.perf_counter() - started) * 1000)
    return statistics.median(took)


def reminder_tick_100k(practice: Practice) -> Iterator[Figure]:
    """A tick with 100,000 scheduled and none due, against the same with 1,000."""
    at = clock.now()
    due_at = at + dt.timedelta(days=30)
    fill.scheduled_messages(1_000, practice.patient, due_at=due_at, at=at)
    _tick_ms()
    small = _tick_ms()
    fill.scheduled_messages(100_000, practice.patient, due_at=due_at, at=at)
    _tick_ms()
    large = _tick_ms()
    yield figure("reminder_tick_100k", large, "ms", small, large / small, "<=1.2")


ONE_BY_ONE = """
UPDATE notify_outboxmessage SET state = 'sent', sent_at = now(), lease_until = NULL WHERE id = (
    SELECT id FROM notify_outboxmessage WHERE lane = 'ordinary' AND state = 'scheduled' AND due_at <= now()
    ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id
"""


def reminder_dispatch(practice: Practice) -> Iterator[Figure]:
    """10,000 due reminders rendered and handed to a sink, against a bare psycopg2 loop that claims and marks them one at a time."""
    from notify.actions import dispatch_due

    count = 10_000
    at = clock.now()
    ours, bare = [], []
    for _ in range(3):
        fill.scheduled_messages(count, practice.patient, due_at=at - dt.timedelta(minutes=1), at=at)
        started = time.perf_counter()
        sent = 0
        while done := dispatch_due(at=clock.now()).claimed:
            sent += done
        ours.append(sent / (time.perf_counter() - started))
        if sent != count:
            raise RuntimeError(f"{sent} of {count} were claimed")
        fill.scheduled_messages(count, practice.patient, due_at=at - dt.timedelta(minutes=1), at=at)
        connection.ensure_connection()
        raw = connection.connection
        raw.autocommit = True
        started = time.perf_counter()
        with raw.cursor() as cursor:
            marked = 0
            cursor.execute(ONE_BY_ONE)
            while cursor.fetchone() is not None:
                marked += 1
                cursor.execute(ONE_BY_ONE)
        bare.append(marked / (time.perf_counter() - started))
    ratio = statistics.median(a / b for a, b in zip(ours, bare, strict=True))
    yield figure("reminder_dispatch", statistics.median(ours), "1/s", statistics.median(bare), ratio, ">=1.0")


def _a_survey(path: Path) -> None:
    """A table of the survey's shape, for where the real one is not at hand."""
    dice = random.Random(7)
    names = [
        "seqn",
        "age_years",
        "sex",
        "pregnant",
        *(f"{kind}{n}" for n in (1, 2, 3) for kind in ("sbp", "dbp", "pulse")),
    ]
    names += [f"dpq0{n}0" for n in range(1, 10)]
    with path.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(names)
        for n in range(5_500):
            pressures = [
                v
                for _ in range(3)
                for v in (dice.randrange(95, 175), dice.randrange(55, 105), dice.randrange(52, 99))
            ]
            rows.writerow(
                [
                    n,
                    dice.randrange(18, 80),
                    dice.choice(["male", "female"]),
                    0,
                    *pressures,
                    *(dice.randrange(4) for _ in range(9)),
                ]
            )


def screen_vs_csv(practice: Practice) -> Iterator[Figure]:
    """`screen` over a table of answers, against Python's csv module reading and writing the same file."""
    from intake.screening import screen_file

    with tempfile.TemporaryDirectory() as folder:
        source = Path(settings.BASE_DIR).parent / "shared" / "data" / "nhanes_adults.csv"
        if not source.exists():
            source = Path(folder) / "survey.csv"
            _a_survey(source)
        out = Path(folder) / "out.csv"
        ours, bare = [], []
        for _ in range(9):
            started = time.perf_counter()
            screen_file(source, out)
            ours.append(time.perf_counter() - started)
            started = time.perf_counter()
            with source.open(newline="") as rows, out.open("w", newline="") as copy:
                csv.writer(copy).writerows(csv.reader(rows))
            bare.append(time.perf_counter() - started)
    ratio = statistics.median(a / b for a, b in zip(ours[1:], bare[1:], strict=True))
    yield figure(
        "screen_vs_csv", statistics.median(ours) * 1000, "ms", statistics.median(bare) * 1000, ratio, "<=10.0"
    )


def _a_whole_person() -> dict[str, str]:
    """Every fact known, the medicine list long, several rules true: nothing is decided early for want of an answer."""
    from intake.rules.facts import FACTS, RX_CLASSES

    told = {
        "age_years": "66",
        "state": "CA",
        "phq9_total": "16",
        "gad7_total": "12",
        "pcl5_total": "20",
        "sex": "female",
    }
    told |= {
        "bp_systolic_mmhg": "142",
        "bp_diastolic_mmhg": "88",
        "bmi": "24.2",
        "egfr": "95",
        "audit_c": "3",
        "dast10": "1",
    }
    told |= {
        "cardiac_event_days": "none",
        "rx_classes": " ".join(RX_CLASSES),
        "clinician_dx": "both",
        "pdmp": "clear",
    }
    yes = {
        "has_internet_video",
        "monitor_available",
        "home_safe",
        "contraception",
        "consent_signed",
        "id_verified",
        "agreement_signed",
    }
    for spec in FACTS:
        if spec.name not in told:
            told[spec.name] = (
                "yes"
                if spec.name in yes
                else "no"
                if spec.choices == ("yes", "no")
                else "none"
                if "none" in spec.choices
                else "0"
            )
    return told


def rules_vs_pk_select(practice: Practice) -> Iterator[Figure]:
    """All rules for one person, against one primary-key SELECT through the ORM."""
    from accounts.models import Patient
    from intake.rules import evaluate, parse_facts

    facts = parse_facts(_a_whole_person())
    states = frozenset({"CA", "NY"})

    def timed(what: Callable[[], object], times: int) -> float:
        started = time.perf_counter()
        for _ in range(times):
            what()
        return (time.perf_counter() - started) / times * 1e6

    pairs = [
        (
            timed(lambda: evaluate(facts, stage="decision", states=states), 2_000),
            timed(lambda: Patient.objects.get(pk=practice.patient.pk), 500),
        )
        for _ in range(5)
    ]
    ratio = statistics.median(a / b for a, b in pairs)
    yield figure(
        "rules_vs_pk_select",
        statistics.median(a for a, _ in pairs),
        "us",
        statistics.median(b for _, b in pairs),
        ratio,
        "<=0.5",
    )


BENCHMARKS: dict[str, Callable[[Practice], Iterator[Figure]]] = {
    "reading_api": reading_api,
    "readings_list": readings_list,
    "queue_page_html": queue_page_html,
    "queue_page_100k": queue_page_100k,
    "queue_page_1m": queue_page_1m,
    "chart_history": chart_history,
    "reminder_tick_100k": reminder_tick_100k,
    "reminder_dispatch": reminder_dispatch,
    "screen_vs_csv": screen_vs_csv,
    "rules_vs_pk_select": rules_vs_pk_select,
}
