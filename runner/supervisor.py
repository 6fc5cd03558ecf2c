"""One supervisor: starts the parts in order, starts again what dies, and takes everything down within five seconds.

It is one thread around `select`: a signal writes a byte to a pipe, and so does the death of a child. Threads would make
both the signals and the starting of children (which asks the kernel to tie each child's life to ours) unreliable.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from runner import processes
from runner.paths import LOG, ROOT, RUN
from runner.say import say

# Waits before the next start of a part that keeps dying; the last one repeats.
BACK_OFF_SECONDS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
# A part that has run this long is well again: its next death is a first one.
WELL_AFTER_SECONDS = 60.0
LARGEST_LOG_BYTES = 10 * 1024 * 1024

# Together under five seconds, with time to spare for the kernel.
APPLICATION_GRACE_SECONDS = 1.5
REDIS_GRACE_SECONDS = 0.5
POSTGRES_GRACE_SECONDS = 1.3


class Startable(Protocol):
    """What a part needs of whatever makes its process."""

    stop_signal: signal.Signals

    def start(self, *, mark: str, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start the process."""


@dataclass
class Program:
    """A program of the application: a command in the checkout, with its environment."""

    command: Sequence[str]
    environment: dict[str, str]
    cwd: Path = ROOT
    stop_signal: signal.Signals = signal.SIGTERM

    def start(self, *, mark: str, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start it."""
        return processes.start(
            self.command, mark=mark, env=self.environment, cwd=self.cwd, log=log, on_orphan=self.stop_signal
        )


@dataclass
class Part:
    """One supervised process and the memory of its deaths."""

    name: str
    what: Startable
    grace_seconds: float = APPLICATION_GRACE_SECONDS
    child: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    deaths: int = 0
    again_at: float | None = None
    log_path: Path = field(init=False)
    pid_path: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log_path = LOG / f"{self.name}.log"
        self.pid_path = RUN / f"{self.name}.pid"

    def start(self, mark: str) -> None:
        """Start the process, its output going to its log."""
        with suppress(OSError):
            if self.log_path.stat().st_size > LARGEST_LOG_BYTES:
                self.log_path.rename(self.log_path.with_suffix(".log.1"))
        with self.log_path.open("ab") as log:
            self.child = self.what.start(mark=mark, log=log)
        processes.write_pid_file(self.pid_path, self.child.pid)
        self.started_at = time.monotonic()
        self.again_at = None

    def last_words(self) -> str:
        """The end of its log, in one line."""
        try:
            with self.log_path.open("rb") as log:
                log.seek(max(0, self.log_path.stat().st_size - 4000))
                lines = [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        except OSError:
            return ""
        return lines[-1].strip() if lines else ""


class Supervisor:
    """Keeps the parts running until it is told to stop."""

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self.parts: list[Part] = []
        self.stopping = False
        self._before: dict[int, object] = {}
        self._wake_read, self._wake_write = os.pipe()
        for end in (self._wake_read, self._wake_write):
            os.set_blocking(end, False)

    def listen(self) -> None:
        """From now on a signal to stop is remembered, not fatal, so that nothing is left half-started."""
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._asked_to_stop)

    def _asked_to_stop(self, _number: int, _frame: object) -> None:
        self.stopping = True

    def add(self, part: Part) -> Part:
        """Start a part and look after it from now on."""
        part.start(self.mark)
        self.parts.append(part)
        return part

    def wait_for(self, ready: Callable[[], bool], *, seconds: float) -> bool:
        """Tend the parts until something is ready; False when it took too long or we are to stop."""
        end = time.monotonic() + seconds
        while not self.stopping and time.monotonic() < end:
            if ready():
                return True
            self._tend(0.05)
        return False

    def run(self) -> None:
        """Tend the parts until told to stop."""
        while not self.stopping:
            self._tend(self._until_next_start())

    def _until_next_start(self) -> float:
        due = [part.again_at for part in self.parts if part.again_at is not None]
        return max(0.0, min([due_at - time.monotonic() for due_at in due], default=5.0))

    def _tend(self, seconds: float) -> None:
        with suppress(InterruptedError):
            select.select([self._wake_read], [], [], seconds)
        with suppress(BlockingIOError):
            while os.read(self._wake_read, 512):
                pass
        for part in self.parts:
            if self.stopping:
                return
            if part.child is not None and part.child.poll() is not None:
                self._mourn(part)
            if part.again_at is not None and time.monotonic() >= part.again_at:
                self._start_again(part)

    def _mourn(self, part: Part) -> None:
        """Note a death, end what the dead one left running, and set the time of the next start."""
        assert part.child is not None
        code, pid = part.child.returncode, part.child.pid
        part.child = None
        # Its own children (granian's and Celery's workers) must not go on serving old code on the same port.
        processes.signal_group(pid, signal.SIGKILL)
        part.deaths = 1 if time.monotonic() - part.started_at > WELL_AFTER_SECONDS else part.deaths + 1
        wait = BACK_OFF_SECONDS[min(part.deaths - 1, len(BACK_OFF_SECONDS) - 1)]
        part.again_at = time.monotonic() + wait
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        when = f"in {wait:g} s" if wait else "at once"
        words = part.last_words() if code > 0 else ""
        say(f"{part.name} {how}; starting it again {when}{': ' + words if words else ''}")

    def _start_again(self, part: Part) -> None:
        try:
            part.start(self.mark)
        except OSError as error:
            part.deaths += 1
            part.again_at = time.monotonic() + BACK_OFF_SECONDS[min(part.deaths, len(BACK_OFF_SECONDS) - 1)]
            say(f"{part.name} could not be started ({error.strerror}); trying again")

    def stop(self) -> None:
        """Take everything down: the application first, then Redis, then PostgreSQL, which then loses nothing."""
        self.stopping = True
        names_last = {"redis": 1, "postgres": 2}
        for turn in (0, 1, 2):
            self._stop_these([part for part in self.parts if names_last.get(part.name, 0) == turn])
        processes.end_left_over(self.mark, RUN, gently=0.2)
        for part in self.parts:
            part.pid_path.unlink(missing_ok=True)
        signal.set_wakeup_fd(-1)

    def _stop_these(self, parts: list[Part]) -> None:
        running = [part for part in parts if part.child is not None and part.child.poll() is None]
        for part in running:
            assert part.child is not None
            processes.signal_each([part.child.pid], part.what.stop_signal)
        end = time.monotonic() + max((part.grace_seconds for part in running), default=0.0)
        while time.monotonic() < end and any(part.child and part.child.poll() is None for part in running):
            time.sleep(0.02)
        for part in parts:
            if part.child is None:
                continue
            if part.child.poll() is None and part.name == "postgres":
                # "Immediate": it recovers from its log at the next start, and takes its own children along.
                processes.signal_each([part.child.pid], signal.SIGQUIT)
                with suppress(subprocess.TimeoutExpired):
                    part.child.wait(timeout=0.4)
            processes.signal_group(part.child.pid, signal.SIGKILL)
            part.child.wait()
            part.child = None
