"""`manage.py pager`: the crisis lane. It needs PostgreSQL and nothing else; run two or more of it.

Each turn: send the pages that are due, climb the ladders that are due, look whether the ordinary lane goes on and what it has
left lying in a session, say that it is alive. It sleeps until a page is promised (NOTIFY) or a second has passed. A lost database is waited for; SIGTERM ends it within two seconds.
"""

import logging
import os
import random
import select
import signal
import socket
import threading
import urllib.request
from datetime import datetime
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, InterfaceError, connection

from common import clock, hooks
from notify import actions as notify
from notify.actions.promises import CRISIS_CHANNEL
from safety import actions as safety
from safety.lane_access import (
    ORDINARY_BEATS,
    lane_is_well,
    ordinary_lane_beats,
    ordinary_lane_patience_s,
    ordinary_lane_silent_s,
)

log = logging.getLogger("safety")

BEAT_EVERY_S = 5.0
COVERAGE_EVERY_S = 300.0
HANDOVERS_EVERY_S = 15.0
DEADMAN_EVERY_S = 60.0
ORDINARY_EVERY_S = 10.0
LATE_EVERY_S = 15.0
BACK_OFF_S = (0.2, 0.5, 1.0, 2.0, 3.0)


class Command(BaseCommand):
    help = "Send crisis pages and climb the escalation ladders; needs PostgreSQL only."
    # A broken page or address elsewhere in the product must not keep the crisis lane from starting.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="one turn, then stop (tests, cron)")
        parser.add_argument(
            "--interval", type=float, default=1.0, help="longest wait between two turns, in seconds"
        )

    def handle(self, *args: Any, once: bool, interval: float, **options: Any) -> None:
        pager = Pager(interval_s=interval)
        pager.run(once=once)
        if pager.stopping:
            # Nothing is left to do, and taking the whole interpreter apart would cost a busy machine seconds.
            connection.close()
            logging.shutdown()
            os._exit(0)


class Pager:
    """One loop. What it must remember between turns is only when it last did something by the clock on the wall."""

    def __init__(
        self,
        *,
        interval_s: float = 1.0,
        deadman_url: str | None = None,
        ordinary_patience_s: float | None = None,
    ) -> None:
        self.name = f"pager:{socket.gethostname()}:{os.getpid()}"
        self.interval_s = interval_s
        self.deadman_url = os.environ.get("PAGER_DEADMAN_URL", "") if deadman_url is None else deadman_url
        # A real practice drills its lane each day; a demonstration would only be puzzled by it.
        self.drills = os.environ.get("PAGER_DAILY_DRILL", "") == "1"
        self.stopping = False
        self.listening = False
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._last: dict[str, float] = {}
        self.ordinary_patience_s = ordinary_patience_s
        # By lane: its newest beat, and since when by this process's own watch that has been the newest.
        self._beats: dict[str, tuple[datetime | None, float]] = {}

    def stop(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """Finish the turn and end; the pipe wakes the loop out of its wait."""
        self.stopping = True
        os.write(self._wake_write, b".")

    def run(self, *, once: bool = False) -> None:
        """Until stopped. Trouble with the database is logged and waited out; trouble with one alert does not end the loop."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self.stop)
        log.info("pager started", extra={"event": "pager_started"})
        failures = 0
        while not self.stopping:
            try:
                # After every reconnect: whoever promises a page wakes us.
                self._listen()
                # The database's clock, one for all pagers: a host whose own is wrong neither climbs early nor sends late.
                busy = self.turn(at=clock.database_now())
                failures = 0
            except (DatabaseError, InterfaceError) as error:
                failures += 1
                log.error("database trouble: %s", type(error).__name__, extra={"event": "pager_database"})
                self._forget_connection()
                if once:
                    raise
                self._wait(BACK_OFF_S[min(failures, len(BACK_OFF_S)) - 1] * (0.8 + random.random() * 0.4))
                continue
            except Exception:
                # A mistake of ours must never silence the lane: log it, go on with the next turn.
                failures += 1
                log.exception("a turn of the pager failed", extra={"event": "pager_turn_failed"})
                if once:
                    raise
                self._wait(min(self.interval_s * failures, 5.0))
                continue
            if once:
                return
            if not busy:
                self._wait(self.interval_s)
        log.info("pager stopped", extra={"event": "pager_stopped"})

    def turn(self, *, at: datetime) -> bool:
        """One round of work; True when there may be more at once. A failing part does not keep the others from running."""
        trouble: Exception | None = None
        busy = False
        # Sending first: what is promised goes before anything else is computed.
        for work in (self._send, self._climb, self._late, self._coverage, self._watch_ordinary_lane):
            try:
                busy = work(at) or busy
            except (DatabaseError, InterfaceError):
                raise
            except Exception as error:
                trouble = error
        if trouble is not None:
            raise trouble
        if self._is_time("beat", BEAT_EVERY_S):
            notify.beat(self.name, lane="crisis", at=at)
        # Alive is not well: while a due page waits, or a drill was not answered, the silence itself calls people.
        if self.deadman_url and self._is_time("deadman", DEADMAN_EVERY_S) and lane_is_well(at=at):
            threading.Thread(target=self._ping, daemon=True).start()
        return busy

    def _send(self, at: datetime) -> bool:
        return notify.dispatch_crisis(at=at).claimed > 0

    def _climb(self, at: datetime) -> bool:
        return safety.escalate_due(at=at) > 0

    def _late(self, at: datetime) -> bool:
        """What is late in a session and the ordinary lane did not take: its alarm must not hang on Celery."""
        if not self._is_time("late", LATE_EVERY_S):
            return False
        return any(hooks.run("lane.watch", at=at))

    def _coverage(self, at: datetime) -> bool:
        if self._is_time("coverage", COVERAGE_EVERY_S):
            safety.check_coverage(at=at)
            if self.drills:
                safety.daily_drill(at=at)
        if self._is_time("handovers", HANDOVERS_EVERY_S):
            safety.carry_out_handovers(at=at)
            safety.watch_drill(at=at)
        return False

    def _watch_ordinary_lane(self, at: datetime) -> bool:
        """Beat or workers dead: a person hears of it. Two watches must agree, the calendar's and this process's own, so that a
        practice that is just starting, or whose demo clock was moved, is given the time to beat."""
        if not self._is_time("ordinary", ORDINARY_EVERY_S):
            return False
        beats, now_s = ordinary_lane_beats(), clock.monotonic_s()
        patience_s = ordinary_lane_patience_s()
        watched_s = patience_s if self.ordinary_patience_s is None else self.ordinary_patience_s
        for lane in ORDINARY_BEATS:
            beat_at = beats.get(lane)
            if lane not in self._beats or self._beats[lane][0] != beat_at:
                self._beats[lane] = (beat_at, now_s)
            if now_s - self._beats[lane][1] < watched_s:
                continue
            # One that never beat has been silent for as long as we have been watching.
            if beat_at is None or ordinary_lane_silent_s(beat_at, at=at) is not None:
                safety.ordinary_lane_fell_silent(lane, beat_at=beat_at, at=at)
        return False

    def _is_time(self, what: str, every_s: float) -> bool:
        now_s = clock.monotonic_s()
        if now_s - self._last.get(what, -every_s) < every_s:
            return False
        self._last[what] = now_s
        return True

    def _ping(self) -> None:
        """Tell the dead-man service, of another vendor, that the lane is well; it calls people when this stops."""
        try:
            with urllib.request.urlopen(self.deadman_url, timeout=10):  # noqa: S310  (set by the operator)
                pass
        except OSError as error:
            log.warning("dead-man service not reached: %s", type(error).__name__, extra={"event": "deadman"})

    def _listen(self) -> None:
        connection.ensure_connection()
        if not self.listening:
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {CRISIS_CHANNEL}")
            self.listening = True

    def _forget_connection(self) -> None:
        self.listening = False
        try:
            connection.close()
        except (DatabaseError, InterfaceError):
            connection.connection = None

    def _wait(self, seconds: float) -> None:
        """Until a page is promised, somebody stops us, or the time is over."""
        handles: list[Any] = [self._wake_read]
        raw = connection.connection
        if self.listening and raw is not None and not raw.closed:
            if raw.notifies:
                # It came while we were asking something else.
                raw.notifies.clear()
                return
            handles.append(raw)
        readable, _, _ = select.select(handles, [], [], seconds)
        if raw is not None and raw in readable:
            try:
                raw.poll()
                raw.notifies.clear()
            except Exception as error:
                log.error("database went away: %s", type(error).__name__, extra={"event": "pager_database"})
                self._forget_connection()
