"""A storm: all processes of the practice, each killed with -9 again and again while people go on, and the reckoning afterwards."""

import contextlib
import datetime as dt
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import psycopg2

from runner.say import Trouble
from tests.faults.conftest import World, wait_for
from tests.faults.generator import Generator
from tests.faults.leavers import instant, leavers_intents, practice_of
from tests.faults.ledger import Finding, Intent, Ledger, reconcile
from tests.faults.proxy import Door
from tests.faults.test_callbacks import RANK
from tests.twilio_server import wall_clock

# Who dies how often, of a hundred.
VICTIMS = {
    "pager-1": 17, "pager-2": 17, "worker": 18, "web": 15, "beat": 6, "postgres backend": 12, "postgres": 7, "redis": 4,
    "redis flushed": 2, "redis black hole": 2,
}  # fmt: skip
# Seconds between two kills, on the average; the instants themselves are random.
GAP_S = 2.2
REMINDERS_PER_S, CRISES_PER_S, VISITORS_PER_S, LEAVERS_PER_S = 1.0, 0.35, 0.12, 0.15
PG_DOWN = (psycopg2.OperationalError, psycopg2.InterfaceError)


@dataclass
class Report:
    """What a storm came to."""

    seed: int
    kills: Counter[str]
    intents: Counter[str]
    findings: list[Finding]
    trouble: list[str]
    first_pages_s: list[float] = field(default_factory=list)
    # The same from the client's first try, the waiting for a web process that was killed included.
    from_first_try_s: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        lines = [
            f"seed {self.seed}: {sum(self.kills.values())} kills in {self.seconds:.0f} s: {dict(self.kills)}",
            f"intents: {dict(self.intents)}",
        ]
        for since, found in (
            ("the answer was taken", self.first_pages_s),
            ("the client's first try", self.from_first_try_s),
        ):
            pages = sorted(found)
            if pages:
                p99 = pages[min(len(pages) - 1, int(len(pages) * 0.99))]
                lines.append(
                    f"first page since {since}: median {pages[len(pages) // 2]:.2f} s, p99 {p99:.2f} s, longest {pages[-1]:.2f} s"
                )
        return "\n".join(
            [
                *lines,
                f"findings: {len(self.findings)}",
                *map(str, self.findings),
                *(f"TROUBLE {t}" for t in self.trouble),
            ]
        )


class Storm:
    """Processes, a keeper that starts again whoever died, and a killer with dice of its own."""

    def __init__(self, world: World, *, seed: int, kills: int) -> None:
        self.world, self.seed, self.kills = world, seed, kills
        self.dice = random.Random(seed)
        self.seconds = kills * GAP_S
        self.ledger = Ledger(world.folder / "ledger.jsonl")
        self.killed: Counter[str] = Counter()
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.not_before: dict[str, float] = {}
        self.over = threading.Event()
        self.trouble: list[str] = []
        self.lock = threading.Lock()
        self.door: Door | None = None
        # At the end the clock is put forward: when, and by how many seconds.
        self.leap = (float("inf"), 0.0)

    # --- the processes ---

    def start(self) -> dict[str, Any]:
        """The practice, its vendors and everything that serves it."""
        pair = self.world.pair
        if pair.redis is not None:
            port = urlsplit(pair.redis.url).port or 6379
            self.door = Door(port)
            self.world.environment["REDIS_URL"] = pair.redis.url.replace(f":{port}", f":{self.door.port}")
        self.world.vendors(seed=self.seed)
        self.children["web"] = self.world.web()
        seconds = max(self.seconds, 20.0)
        people = [
            max(5, int(seconds * each))
            for each in (CRISES_PER_S, VISITORS_PER_S, REMINDERS_PER_S, LEAVERS_PER_S)
        ]
        practice = practice_of(self.world, self.seed, *people, seconds)
        self.world.behave("well reports=doubled+shuffled+late")
        for name in ("pager-1", "pager-2", "worker", "beat"):
            self.children[name] = self._begin(name)
        wait_for(
            lambda: (
                self.world.number(
                    "SELECT count(DISTINCT lane) FROM notify_heartbeat WHERE lane IN ('crisis', 'ordinary')"
                )
                == 2
            ),
            seconds=120,
            what="both lanes run",
        )
        threading.Thread(target=self._keep, daemon=True, name="keeper").start()
        return practice

    def _begin(self, name: str) -> subprocess.Popen[bytes]:
        if name == "web":
            return self.world.start(*self.world.web_command())
        return {"worker": self.world.worker, "beat": self.world.beat}.get(name, self.world.pager)()

    def _keep(self) -> None:
        """What a supervisor does: whoever is gone is started again, at once or a moment later."""
        while not self.over.wait(0.1):
            for name, child in list(self.children.items()):
                if child.poll() is not None and time.monotonic() >= self.not_before.get(name, 0.0):
                    self.children[name] = self._begin(name)
            with self.lock:
                self._mend_servers()
        # The servers it started die with the thread that started them, and later tests need them.
        threading.Event().wait()

    def _mend_servers(self) -> None:
        pair = self.world.pair
        for child, mend, name in (
            (pair.postgres_child, pair.restart_postgres, "PostgreSQL"),
            (pair.redis_child, pair.restart_redis, "Redis"),
        ):
            if child is not None and child.poll() is not None:
                for attempt in range(40):
                    try:
                        mend()
                        break
                    except (Trouble, OSError) as error:
                        # The killed server's own children hold its memory for a moment longer; on a busy machine a long one.
                        time.sleep(0.5)
                        if attempt == 39:
                            self.trouble.append(f"{name} could not be started again: {error}")
                            self.over.set()

    # --- killing ---

    def rage(self) -> None:
        """All the kills, at random instants."""
        done = 0
        while done < self.kills and not self.over.is_set():
            time.sleep(GAP_S * self.dice.uniform(0.1, 1.9))
            victim = self.dice.choices(list(VICTIMS), weights=list(VICTIMS.values()))[0]
            for _ in range(20):
                if self._strike(victim):
                    break
                # It is being started again: somebody else.
                victim = self.dice.choices(list(VICTIMS), weights=list(VICTIMS.values()))[0]
                time.sleep(0.1)
            else:
                continue
            done += 1
            self.killed[victim] += 1
            self.ledger.write(what="killed", who=victim, number=done)

    def _strike(self, victim: str) -> bool:
        with self.lock:
            if victim in self.children:
                child = self.children[victim]
                if child.poll() is not None or not self._alone(victim):
                    return False
                self.not_before[victim] = time.monotonic() + self.dice.random()
                self.world.kill(child)
                return True
            return self._strike_server(victim)

    def _alone(self, victim: str) -> bool:
        """Is everything else of this one's lane at work? PR-05 is about one process killed; on a busy machine a start takes long."""
        if victim == "web":
            return self.world.web_is_ready()
        if not victim.startswith("pager"):
            return True
        other = self.children["pager-2" if victim == "pager-1" else "pager-1"]
        try:
            return (
                self.world.number(
                    "SELECT count(*) FROM notify_heartbeat WHERE name LIKE %s", f"%:{other.pid}"
                )
                > 0
            )
        except PG_DOWN:
            return False

    def _strike_server(self, victim: str) -> bool:
        pair = self.world.pair
        if victim == "postgres":
            pair.postgres_child.kill()
            pair.postgres_child.wait(timeout=10)
            return True
        if victim == "postgres backend":
            return self._kill_a_backend()
        if pair.redis_child is None or pair.redis is None or self.door is None:
            return False
        if victim == "redis":
            pair.redis_child.kill()
            pair.redis_child.wait(timeout=10)
        elif victim == "redis flushed":
            import redis

            with contextlib.suppress(redis.RedisError):
                redis.Redis.from_url(pair.redis.url).flushall()
        else:
            self.door.be("swallow")
            threading.Timer(3.0, self.door.be, ["open"]).start()
        return True

    def _kill_a_backend(self) -> bool:
        """One of the server's processes that serve a connection; PostgreSQL then starts all of itself anew."""
        try:
            found = self.world.ask(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
        except PG_DOWN:
            return False
        if not found:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.dice.choice(found)[0], signal.SIGKILL)
        return True

    # --- the whole of it ---

    def run(self) -> Report:
        """Start, rage, let everything settle, reckon."""
        began = time.monotonic()
        practice = self.start()
        generator = Generator(self.world, practice, self.ledger, seed=self.seed, seconds=self.seconds)
        try:
            generator.start()
            self.rage()
            generator.stop()
            self._settle(generator)
        finally:
            self.over.set()
            if self.door is not None:
                self.door.close()
        report = self.reckon(practice)
        report.trouble += generator.trouble
        report.seconds = time.monotonic() - began
        return report

    def _settle(self, generator: Generator) -> None:
        """No more kills. What a killed sender left waits for its lease, so the clock goes past it; then all must be done."""
        wait_for(self._crisis_lane_is_empty, seconds=120, what="every page of the crisis lane is out")
        generator.take_what_was_paged(random.Random(self.seed))
        for thread in generator.threads:
            thread.join(timeout=60)
        self.world.behave("well reports=in-order")
        self.leap = (wall_clock().timestamp(), max(301.0, self.seconds))
        self.world.advance(self.leap[1])
        with contextlib.suppress(AssertionError):
            # What is still there afterwards is a finding, with its story; not a time-out.
            wait_for(self._nothing_due, seconds=120, what="all is settled")

    def _crisis_lane_is_empty(self) -> bool:
        return not self.world.number(
            "SELECT count(*) FROM notify_outboxmessage WHERE lane = 'crisis' AND (state = 'sending' "
            "OR (state = 'scheduled' AND due_at <= hearthside_now()))"
        )

    def _nothing_due(self) -> bool:
        return not self.world.number(
            "SELECT count(*) FROM notify_outboxmessage WHERE state = 'sending' "
            "OR (state = 'scheduled' AND due_at <= hearthside_now())"
        )

    # --- the reckoning ---

    def reckon(self, practice: dict[str, Any]) -> Report:
        """Every intent of the ledger against the vendors' journal and the database."""
        world, lines = self.world, self.ledger.lines()
        intents = self._clients_intents(lines, practice)
        taken = world.taken()
        by_sid: dict[str, list[dict[str, Any]]] = {}
        for line in taken:
            by_sid.setdefault(line["words"], []).append(line)
        for reminder in practice["reminders"]:
            copies = [
                line for line in taken if f"Reminder <{reminder['words'].split('<')[1]}" in line["words"]
            ]
            intents.append(
                Intent(
                    reminder["words"], "reminder", "R", due_at_s=reminder["due_at_s"],
                    one_extra=reminder["channel"] != "sms", a_person_has_it=self._has_an_owner(reminder["id"]), taken_at_s=[instant(line["at"]) for line in copies],
                    story=[f"promised as {reminder}", *map(str, copies), *self._row_of(reminder["id"])],
                )
            )  # fmt: skip
        intents += leavers_intents(practice, lines, taken)
        leapt_at_s, leap_s = self.leap
        for intent in intents:
            waited = intent.due_at_s is not None and intent.due_at_s < leapt_at_s
            if (
                intent.delivery == "R"
                and waited
                and intent.taken_at_s
                and min(intent.taken_at_s) > leapt_at_s
            ):
                intent.leapt_s = leap_s
        rows = [
            {
                "id": row[0],
                "kind": row[1],
                "state": row[2],
                "due_at_s": row[3],
                "lease_until_s": row[4],
                "error": row[5],
            }
            for row in world.ask(
                "SELECT id::text, kind, state, extract(epoch FROM due_at)::float, extract(epoch FROM lease_until)::float, last_error "
                "FROM notify_outboxmessage WHERE state IN ('sending', 'scheduled')"
            )
        ]
        now_s = world.ask("SELECT extract(epoch FROM hearthside_now())::float")[0][0]
        findings = reconcile(intents, rows, now_s=now_s - 30)
        findings += self._reports_that_were_lost() + self._visits_out_of_step()
        report = Report(
            self.seed, self.killed, Counter(intent.kind for intent in intents), findings, self.trouble
        )
        paged = [
            intent
            for intent in intents
            if intent.kind == "crisis" and intent.taken_at_s and intent.due_at_s is not None
        ]
        report.first_pages_s = [min(intent.taken_at_s) - (intent.due_at_s or 0.0) for intent in paged]
        report.from_first_try_s = [min(intent.taken_at_s) - intent.meant_at_s for intent in paged]
        return report

    def _clients_intents(self, lines: list[dict[str, Any]], practice: dict[str, Any]) -> list[Intent]:
        alerts = {
            patient: (alert, opened)
            for alert, patient, opened in self.world.ask(
                "SELECT id::text, patient_id::text, extract(epoch FROM opened_at)::float FROM safety_alert WHERE patient_id IS NOT NULL"
            )
        }
        taken = self.world.taken()
        found: list[Intent] = []
        told = {line["key"]: line["at_s"] for line in lines if line["what"] == "told"}
        for line in (line for line in lines if line["what"] == "meant"):
            key, kind = line["key"], line["kind"]
            story = [str(other) for other in lines if other.get("key") == key]
            intent = Intent(
                key,
                kind,
                "L" if kind == "crisis" else "X",
                meant_at_s=line["at_s"],
                acknowledged_at_s=told.get(key),
                story=story,
            )
            intent.effects = self._effects(kind, line)
            if kind == "crisis":
                alert, intent.due_at_s = alerts.get(line["patient"], ("none", None))
                pages = [one for one in taken if f"/{alert}/" in one["words"]]
                intent.taken_at_s = [instant(one["at"]) for one in pages]
                intent.story += [f"alert {alert} opened at {intent.due_at_s}", *map(str, pages)]
                if intent.due_at_s is not None:
                    intent.story += [
                        str(other)
                        for other in lines
                        if other["what"] == "killed" and -5 < other["at_s"] - intent.due_at_s < 95
                    ]
            found.append(intent)
        return found

    def _effects(self, kind: str, line: dict[str, Any]) -> int:
        """How often one wish stands in the database."""
        count = self.world.number
        if kind == "crisis":
            return count(
                "SELECT count(*) FROM measures_instrumentresponse WHERE patient_id = %s", line["patient"]
            )
        if kind == "reading":
            return count(
                "SELECT count(*) FROM vitals_reading WHERE patient_id = %s AND taken_at = %s",
                line["patient"],
                line["taken_at"],
            )
        if kind == "booked":
            return count(
                "SELECT count(*) FROM consults_appointment WHERE patient_id = %s AND booked_at IS NOT NULL",
                line["patient"],
            )
        action = {"moved": "visit.moved", "cancelled": "visit.cancelled", "taken": "alert.acknowledged"}[kind]
        about = line["alert"] if kind == "taken" else line["visit"]
        return count(
            "SELECT count(*) FROM common_auditentry WHERE action = %s AND object_id = %s", action, about
        )

    def _has_an_owner(self, message_id: str) -> bool:
        """Twice in doubt over a channel that cannot be asked: it is somebody's work, and is not sent a third time."""
        return bool(
            self.world.ask(
                "SELECT 1 FROM notify_deadletter l JOIN notify_outboxmessage m ON m.id::text = l.key "
                "WHERE l.key = %s AND l.what = 'message' AND l.settled_at IS NULL AND l.owner_id IS NOT NULL AND m.state = 'failed'",
                message_id,
            )
        )

    def _row_of(self, message_id: str) -> list[str]:
        return [
            str(row)
            for row in self.world.ask(
                "SELECT state, attempts, due_at, sent_at, lease_until, provider_id, provider_status, last_error "
                "FROM notify_outboxmessage WHERE id = %s",
                message_id,
            )
        ]

    def _reports_that_were_lost(self) -> list[Finding]:
        known = dict(
            self.world.ask(
                "SELECT provider_id, provider_status FROM notify_outboxmessage WHERE provider_id <> ''"
            )
        )
        return [
            Finding("lost", line["sid"], f"the vendor was told that {line['status']} is known; we know {known[line['sid']]!r}", (str(line),))
            for line in self.world.journal.lines()
            if line["what"] == "reported" and line["answered"] == 204 and line["sid"] in known
            and line["status"] in RANK and RANK.get(known[line["sid"]], 0) < RANK[line["status"]]
        ]  # fmt: skip

    def _visits_out_of_step(self) -> list[Finding]:
        """Reminders follow their visit: none of one that was cancelled, those of one that stands, at its own time."""
        findings = []
        for visit, state, starts, waiting in self.world.ask(
            "SELECT a.id::text, a.state, lower(a.during), (SELECT count(*) FROM notify_outboxmessage m WHERE m.about_id = a.id "
            "AND m.kind IN ('visit_tomorrow', 'visit_soon') AND m.state = 'scheduled') FROM consults_appointment a"
        ):
            story = (f"{state}, begins {starts}, {waiting} reminders wait",)
            if state == "cancelled" and waiting:
                findings.append(Finding("doubled", visit, "cancelled, and its reminders still wait", story))
            soon = starts - wall_clock() < dt.timedelta(hours=26)
            if state == "booked" and not soon and waiting != 3:
                findings.append(
                    Finding(
                        "lost" if waiting < 3 else "doubled",
                        visit,
                        "a booked visit has three reminders",
                        story,
                    )
                )
        return findings
