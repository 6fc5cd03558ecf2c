"""How long a crisis answer waits for its first page (PR-05): with load, with Redis and Celery down, and while processes die."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from django.db import connection

from accounts import actions as people
from accounts.models import CareTeam, Patient, Role, User
from bench.figures import Figure, figure
from bench.load import one_round, request_bytes
from bench.server import Practice, serving
from common import clock
from notify.actions.dispatch import CRISIS_LEASE
from notify.models import OutboxMessage
from runner.ports import any_free
from runner.up import commands

# PR-05: the first page's p99, and the longest with any one process killed at any instant.
FIRST_PAGE_P99_S = 30.0
FIRST_PAGE_KILL_S = 90.0
NOWHERE = "redis://127.0.0.1:1/0"
ANSWERS = {**{f"phq9_{n}": 1 for n in range(1, 9)}, "phq9_9": 2}
KILLS = 24
ROOT = Path(os.environ.get("HEARTHSIDE_ROOT", Path.cwd()))


def _patients(count: int, psychiatrist: User) -> list[tuple[str, str]]:
    """People with a phone that may send answers: (id, token). Each is in crisis once, so that each pages."""
    at = clock.now()
    found = []
    for _ in range(count):
        number = User.objects.count()
        user = User.objects.create(
            email=f"crisis-{number}@bench.example", full_name="Person", role=Role.PATIENT, password="!",
            time_zone="America/Los_Angeles",
        )  # fmt: skip
        patient = people.register_patient(user, by=user, at=at)
        Patient.objects.filter(pk=patient.pk).update(date_of_birth=date(1988, 4, 2), state="CA", sex="female")
        CareTeam.objects.filter(pk=patient.pk).update(psychiatrist=psychiatrist)
        _, token = people.issue_device_token(user, label="phone", scopes=["responses:write"], by=user, at=at)
        found.append((str(user.pk), token))
    return found


@dataclass
class Processes:
    """What runs beside the web process, each in a group of its own, started again when it dies."""

    environment: dict[str, str]
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    commands: dict[str, list[str]] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)

    def start(self, name: str, command: list[str]) -> None:
        self.commands[name] = command
        log = (ROOT / "var" / "bench-crisis.log").open("ab")
        self.children[name] = subprocess.Popen(
            command,
            cwd=ROOT,
            env=self.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def keep(self) -> None:
        while not self.over.wait(0.1):
            for name, child in list(self.children.items()):
                if child.poll() is not None:
                    self.start(name, self.commands[name])

    def signal(self, name: str, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.children[name].pid, number)

    def end(self) -> None:
        self.over.set()
        time.sleep(0.3)
        for name, child in self.children.items():
            self.signal(name, signal.SIGKILL)
            child.wait(timeout=10)


@contextlib.contextmanager
def _beside(*, celery: bool, **changes: str) -> Iterator[Processes]:
    # As in earnest: what measures our own part of a dispatch swallows the messages, and here the vendor's books are read.
    processes = Processes({**os.environ, "HEARTHSIDE_BENCH": "", **changes})
    programs = commands("127.0.0.1", 0, 0, workers=1)
    for name in ("pager-1", "pager-2", *(("worker", "beat") if celery else ())):
        processes.start(name, programs[name.split("-")[0]])
    threading.Thread(target=processes.keep, daemon=True).start()
    try:
        _until(
            lambda: _number("SELECT count(*) FROM notify_heartbeat WHERE lane = 'crisis'") >= 2, seconds=60
        )
        yield processes
    finally:
        processes.end()
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM notify_heartbeat")


def _number(sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return int(cursor.fetchone()[0])


def _until(condition: Callable[[], bool], *, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError("the crisis lane did not come up")
        time.sleep(0.05)


def _say(port: int, token: str) -> float:
    """Send one crisis answer until it is taken; when it was first sent."""
    from http.client import HTTPConnection, HTTPException

    body = json.dumps({"instrument": "phq9", "timepoint": "baseline", "answers": ANSWERS})
    headers = {
        "Authorization": f"Token {token}",
        "Content-Type": "application/json",
        "Idempotency-Key": token[:40],
    }
    sent_s = time.perf_counter()
    for _ in range(300):
        try:
            one = HTTPConnection("127.0.0.1", port, timeout=10)
            one.request("POST", "/api/v1/questionnaire-responses/", body, headers)
            answer = one.getresponse()
            words = answer.read()
            one.close()
            if answer.status == 201:
                return sent_s
            if answer.status < 500:
                raise RuntimeError(f"answered {answer.status}: {words[:200]!r}")
        except (OSError, HTTPException):
            pass
        time.sleep(0.2)
    raise RuntimeError("nobody took the answer")


class _Books:
    """Looks into the vendor's books a hundred times a second: when was each patient's first page there?"""

    def __init__(self) -> None:
        self.seen_s: dict[str, float] = {}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()

    def _look(self) -> None:
        last = 0
        try:
            while not self.over.wait(0.01):
                with connection.cursor() as cursor:
                    cursor.execute(
                        "SELECT d.id, m.patient_id::text FROM notify_sandboxdelivery d JOIN notify_outboxmessage m ON m.id = d.reference "
                        "WHERE d.id > %s AND m.lane = 'crisis' ORDER BY d.id",
                        [last],
                    )
                    rows = cursor.fetchall()
                now_s = time.perf_counter()
                for number, patient in rows:
                    last = max(last, number)
                    self.seen_s.setdefault(patient, now_s)
        finally:
            connection.close()

    def waits(self, sent_s: dict[str, float], *, at_most_s: float) -> list[float]:
        """Seconds from each answer to its page; `at_most_s` and more for those without one by then."""
        end = time.perf_counter() + at_most_s
        while time.perf_counter() < end and not sent_s.keys() <= self.seen_s.keys():
            time.sleep(0.02)
        self.over.set()
        self.thread.join(timeout=5)
        late = time.perf_counter()
        return sorted(max(self.seen_s.get(who, late), at) - at for who, at in sent_s.items())


def _answers(port: int, patients: list[tuple[str, str]], *, per_second: float) -> dict[str, float]:
    """Everybody says it, at that pace, not waiting for one another; when each first tried, by patient."""
    with ThreadPoolExecutor(max_workers=32) as pool:
        told: dict[str, Any] = {}
        for who, token in patients:
            told[who] = pool.submit(_say, port, token)
            time.sleep(1 / per_second)
        return {who: one.result() for who, one in told.items()}


def _p99(waits: list[float]) -> float:
    return waits[min(len(waits) - 1, int(len(waits) * 0.99))]


def _first_pages(name: str, waits: list[float]) -> Figure:
    return figure(name, _p99(waits), "s", FIRST_PAGE_P99_S, _p99(waits) / FIRST_PAGE_P99_S, "<=1.0")


def crisis_page_p99(practice: Practice) -> Iterator[Figure]:
    """150 crisis answers, ten a second, while eight clients send readings as fast as they are taken; then without Redis and Celery."""
    patients = _patients(150, practice.psychiatrist)
    headers = {"Authorization": f"Token {practice.token}", "Content-Type": "application/json"}

    def reading() -> bytes:
        body = f'{{"systolic_mmhg": 118, "diastolic_mmhg": 76, "pulse_bpm": 64, "taken_at": "{clock.now().isoformat()}", "source": "device"}}'
        return request_bytes("POST", "/api/v1/readings/", headers, body.encode())

    with _beside(celery=True), ThreadPoolExecutor(max_workers=1) as pool:
        books = _Books()
        load = pool.submit(one_round, practice.port, reading, clients=8, seconds=18, expect=201)
        sent_s = _answers(practice.port, patients, per_second=10)
        yield _first_pages("crisis_page_p99", books.waits(sent_s, at_most_s=120))
        load.result()

    patients = _patients(60, practice.psychiatrist)
    with _beside(celery=False, REDIS_URL=NOWHERE), serving(ROOT, REDIS_URL=NOWHERE) as port:
        books = _Books()
        sent_s = _answers(port, patients, per_second=6)
        yield _first_pages("crisis_page_alone_p99", books.waits(sent_s, at_most_s=120))


def crisis_page_kill_max(practice: Practice) -> Iterator[Figure]:
    """The longest wait while web, worker, beat and both pagers are killed with -9 at random instants, and of pages whose sender died
    between claiming and sending (the worst instant there is)."""
    seed = int(os.environ.get("FAULTS_SEED") or random.SystemRandom().randrange(1_000_000))
    dice = random.Random(seed)
    print(f"      crisis_page_kill_max: {KILLS} kills, FAULTS_SEED={seed}", file=sys.stderr, flush=True)
    patients = _patients(KILLS * 2 + 3, practice.psychiatrist)
    with _beside(celery=True) as processes:
        port = any_free()
        processes.start("web", commands("127.0.0.1", port, 0, workers=1)["web"])
        books = _Books()
        # Three whose sender has claimed them and is gone.
        for name in ("pager-1", "pager-2"):
            processes.signal(name, signal.SIGSTOP)
        sent_s = {who: _say(practice.port, token) for who, token in patients[:3]}
        at = clock.now()
        OutboxMessage.objects.filter(lane="crisis", state="scheduled", due_at__lte=at).update(
            state="sending", lease_until=at + CRISIS_LEASE, attempts=1
        )
        for name in ("pager-1", "pager-2"):
            processes.signal(name, signal.SIGCONT)
        done = threading.Event()

        def rage() -> None:
            for _ in range(KILLS):
                time.sleep(dice.uniform(0.2, 2.8))
                processes.signal(dice.choice(["web", "worker", "beat", "pager-1", "pager-2"]), signal.SIGKILL)
            done.set()

        threading.Thread(target=rage, daemon=True).start()
        sent_s |= _answers(port, patients[3:], per_second=len(patients) / (KILLS * 1.5))
        done.wait(timeout=120)
        longest = books.waits(sent_s, at_most_s=120)[-1]
        yield figure(
            "crisis_page_kill_max", longest, "s", FIRST_PAGE_KILL_S, longest / FIRST_PAGE_KILL_S, "<=1.0"
        )


CRISIS: dict[str, Callable[[Practice], Iterator[Figure]]] = {
    "crisis_page_p99": crisis_page_p99,
    "crisis_page_kill_max": crisis_page_kill_max,
}
