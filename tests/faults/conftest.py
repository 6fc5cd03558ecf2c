"""Real processes against a PostgreSQL and a Redis of their own, which the tests may kill. Books are read past the product."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from django.conf import settings

from runner.ports import any_free
from runner.services import Pair, throw_away
from runner.up import commands
from tests.faults.ledger import Ledger
from tests.twilio_server import TwilioServer, environment

ROOT = Path(settings.BASE_DIR)

# `make test` runs the most telling cases; `make faults` runs all of them.
LONG = [
    "test_accepted_then_dead.py",
    "test_callbacks.py",
    "test_daylight.py",
    "test_redis.py",
    "test_storm.py",
]
collect_ignore = [] if os.environ.get("HEARTHSIDE_FAULTS") else LONG

# Everybody that a crisis page needs; made once a test, by the product's own code, in a process of its own.
PEOPLE = """
import django; django.setup()
import datetime as dt
from accounts.models import User, CareTeam, Licence
from accounts import actions as people
from common import clock
from safety.models import OnCallShift
at = clock.now()
def person(role, name, phone):
    return User.objects.create(email=name.lower() + "@example.test", full_name=name, role=role, phone=phone, password="!",
                               time_zone="America/New_York", is_staff=role == "administrator")
ann = person("administrator", "Ann", "+14155550144")
dana = person("psychiatrist", "Dana", "+14155550122")
eve = person("psychiatrist", "Eve", "+14155550155")
alice = person("patient", "Alice", "+14155550111")
patient = people.register_patient(alice, by=alice, at=at)
CareTeam.objects.filter(pk=patient.pk).update(psychiatrist=dana)
# Without one the roster has a hole, and the pager says so beside whatever a test waits for.
Licence.objects.create(psychiatrist=dana, state="NY", number="NY-1", expires_on=at.date() + dt.timedelta(days=900))
for level, who in ((1, dana), (2, eve)):
    OnCallShift.objects.create(person=who, level=level, starts_at=at - dt.timedelta(hours=1), ends_at=at + dt.timedelta(days=30),
                               created_at=at, created_by=ann)
"""
SETTLED = "SELECT count(*) FROM notify_outboxmessage WHERE state NOT IN ('sent', 'cancelled')"


class World:
    """The servers, the clock, the processes, and the sandbox vendor's books."""

    def __init__(self, pair: Pair, folder: Path) -> None:
        self.pair = pair
        self.folder = folder
        self.clock_file = folder / "clock"
        self.journal = Ledger(folder / "journal.jsonl")
        self.control = folder / "control"
        self.web_port = 0
        self.processes: list[subprocess.Popen[bytes]] = []
        self.log = (folder / "log").open("ab")
        self.environment = {
            **{
                k: v
                for k, v in os.environ.items()
                if not k.startswith(("HEARTHSIDE_SANDBOX", "TWILIO_", "EMAIL_URL", "COV"))
            },
            **pair.environment(),
            "SECRET_KEY": "fault-tests-only-" + "x" * 40,
            "FIELD_KEYS": "k1:cxV7q7kG7vwRWzvQAiZN1Cw0pcef7EV1IDX-iXEmVws=",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "HEARTHSIDE_ENV": "demo",
            "HEARTHSIDE_TEST_CLOCK": "1",
            "HEARTHSIDE_TEST_CLOCK_FILE": str(self.clock_file),
            "PYTHONPATH": str(ROOT),
        }

    # --- the books ---

    def ask(self, sql: str, *values: Any) -> list[tuple]:
        with (
            psycopg2.connect(self.pair.environment()["DATABASE_URL"]) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(sql, values)
            rows = cursor.fetchall() if cursor.description else []
        connection.close()
        return rows

    def number(self, sql: str, *values: Any) -> int:
        return int(self.ask(sql, *values)[0][0])

    def delivered(self) -> int:
        return self.number("SELECT count(*) FROM notify_sandboxdelivery")

    def times_delivered(self) -> dict[str, int]:
        """How often the vendor took each message."""
        return dict(self.ask("SELECT reference::text, count(*) FROM notify_sandboxdelivery GROUP BY 1"))

    def reconcile(self, *, at_most: int) -> None:
        """Every promise against the vendor's books: lost 0, stuck 0, more often than its class allows 0."""
        assert self.number(SETTLED) == 0, self.ask(
            "SELECT kind, state, attempts, last_error FROM notify_outboxmessage WHERE state <> 'sent'"
        )[:5]
        lost = self.number(
            "SELECT count(*) FROM notify_outboxmessage m WHERE state = 'sent' AND channel <> 'screen' "
            "AND NOT EXISTS (SELECT 1 FROM notify_sandboxdelivery d WHERE d.reference = m.id)"
        )
        assert lost == 0
        assert max(self.times_delivered().values(), default=0) <= at_most

    # --- the vendors ---

    def vendors(self, *, seed: int = 1) -> None:
        """Start the recording Twilio and mail server, and point every later process at them."""
        self.behave("well")
        words = [
            "--journal",
            str(self.journal.path),
            "--control",
            str(self.control),
            "--clock",
            str(self.clock_file),
        ]
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.vendors", *words, "--seed", str(seed)],
            env=self.environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=self.log, start_new_session=True,
        )  # fmt: skip
        self.processes.append(child)
        assert child.stdout is not None
        where = json.loads(child.stdout.readline())
        server = TwilioServer(url=where["twilio"])
        self.environment |= {**environment(server), "EMAIL_URL": where["mail"]}

    def behave(self, how: str) -> None:
        """Tell the vendors how to behave from now on; they look fifty times a second."""
        new = self.control.with_suffix(".new")
        new.write_text(how)
        new.rename(self.control)
        time.sleep(0.1)

    def taken(self) -> list[dict[str, Any]]:
        """What the vendors took, in their own books."""
        lines = self.journal.lines()
        problems = [line for line in lines if line["what"] == "problem"]
        assert problems == []
        return [line for line in lines if line["what"] == "accepted"]

    # --- time ---

    def advance(self, seconds: float) -> None:
        """Move every process's clock; they notice without a restart."""
        total = float(self.clock_file.read_text() or 0) + seconds if self.clock_file.exists() else seconds
        new = self.clock_file.with_suffix(".new")
        new.write_text(str(total))
        new.rename(self.clock_file)
        self.ask(
            "INSERT INTO common_clockoffset (id, seconds) VALUES (1, %s) ON CONFLICT (id) DO UPDATE SET seconds = EXCLUDED.seconds",
            total,
        )

    # --- processes ---

    def start(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [sys.executable, *command], env={**self.environment, **environment}, cwd=ROOT, stdout=self.log, stderr=self.log,
            start_new_session=True,
        )  # fmt: skip
        self.processes.append(child)
        return child

    def run(self, code: str, **environment: str) -> int:
        """A short program of the product's own code; answers its exit code."""
        return self.start("-c", code, **environment).wait(timeout=150)

    def pager(self, **environment: str) -> subprocess.Popen[bytes]:
        return self.start("manage.py", "pager", **environment)

    def worker(self) -> subprocess.Popen[bytes]:
        return self.start(
            "-m", "celery", "-A", "config", "worker", "--concurrency", "1", "--loglevel", "WARNING"
        )

    def beat(self) -> subprocess.Popen[bytes]:
        return self.start("-m", "celery", "-A", "config", "beat", "--pidfile=", "--loglevel", "WARNING")

    def web(self) -> subprocess.Popen[bytes]:
        """The web process of `make up`, two workers, always on the same port of this world; ready when this returns."""
        if not self.web_port:
            self.web_port = any_free()
            self.environment["SITE_URL"] = f"http://127.0.0.1:{self.web_port}"
        child = self.start(*self.web_command())
        wait_for(self.web_is_ready, seconds=150, what="the web process answers")
        return child

    def web_command(self) -> list[str]:
        return commands("127.0.0.1", self.web_port, 0, workers=2)["web"][1:]

    def web_is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.web_port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def kill(self, child: subprocess.Popen[bytes]) -> None:
        """kill -9, with its children."""
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.wait(timeout=10)

    def stop_all(self) -> None:
        for child in self.processes:
            if child.poll() is None:
                self.kill(child)
        self.processes.clear()
        self.log.close()

    # --- what happens in the product ---

    def raise_alert(
        self, *, trigger: str = "X04", severity: int = 3, more: str = "", **environment: str
    ) -> None:
        code = (
            "import django; django.setup()\n"
            "from accounts.models import Patient\nfrom common import clock\nfrom safety.actions import raise_alert\n"
            f"raise_alert(patient=Patient.objects.get(), trigger={trigger!r}, severity={severity}, source='fault', "
            f"at=clock.now(), by='system:fault'{more})\n"
        )
        assert self.run(code, **environment) == 0

    def promise_mails(self, count: int, *, nudge: bool = False) -> None:
        code = (
            "import django; django.setup()\n"
            "from django.db import transaction\nfrom common import clock\nfrom notify.actions import promise, nudge\n"
            "at = clock.now()\n"
            "with transaction.atomic():\n"
            f"    for n in range({count}):\n"
            "        promise('test.mail', to=f'p{n}@example.test', channel='email', template='ready-made',\n"
            "                context={'subject': 's', 'body': 'b'}, due_at=at, at=at)\n"
            f"    {'nudge()' if nudge else 'pass'}\n"
        )
        assert self.run(code) == 0


def wait_for(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Until it holds; a failed test says what did not happen."""
    end = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except psycopg2.OperationalError:
            pass
        assert time.monotonic() < end, f"within {seconds} s: {what}"
        time.sleep(0.1)


@pytest.fixture(scope="session")
def pair() -> Iterator[Pair]:
    # In a storm PostgreSQL itself is killed, and what it has acknowledged must be there: it writes as that of `make up` does.
    with throw_away(durable=bool(os.environ.get("HEARTHSIDE_FAULTS"))) as found:
        world = {
            **os.environ,
            **found.environment(),
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "PYTHONPATH": str(ROOT),
        }
        world["SECRET_KEY"] = "fault-tests-only-" + "x" * 40
        done = subprocess.run(
            [sys.executable, "-c", "import django; django.setup()\nfrom django.core.management import call_command as c\n"
             "c('migrate', verbosity=0, skip_checks=True)"],
            env=world, cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        yield found


@pytest.fixture
def world(pair: Pair, tmp_path: Path) -> Iterator[World]:
    """An empty practice with Dana first on call, Eve second, and Alice."""
    if pair.postgres_child.poll() is not None:
        pair.restart_postgres()
    if pair.redis_child is not None and pair.redis_child.poll() is not None:
        pair.restart_redis()
    found = World(pair, tmp_path)
    found.ask(
        "SET hearthside.allow_truncate = 'on'; TRUNCATE accounts_user, notify_sandboxdelivery, notify_heartbeat CASCADE"
    )
    found.ask("UPDATE common_clockoffset SET seconds = 0")
    try:
        assert found.run(PEOPLE) == 0, (tmp_path / "log").read_text()[-2000:]
        yield found
    finally:
        found.stop_all()
