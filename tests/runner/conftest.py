"""The runner as a person meets it: a program started from a terminal, in a var/ of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from runner import processes
from runner.paths import ROOT
from runner.ports import any_free

# What `make test` exports for the rest of the suite would make `up` use the suite's servers.
NOT_OURS = ("DATABASE_URL", "REDIS_URL", "PORT", "HOST", "SITE_URL", "HEARTHSIDE_DEMO", processes.MARK)


class Terminal:
    """One person's terminal in one checkout: starts `python -m runner`, reads what it says, presses Ctrl-C."""

    def __init__(self, var: Path) -> None:
        self.var = var
        self.port = any_free()
        self.output = var.parent / "terminal.txt"
        self.child: subprocess.Popen[bytes] | None = None
        self.first_start_seconds = 0.0

    def environment(self, **extra: str) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
        return {
            **clean,
            "HEARTHSIDE_VAR": str(self.var),
            "PORT": str(self.port),
            "HEARTHSIDE_DEMO": "0",
            **extra,
        }

    def run(self, *words: str, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "runner", *words],
            cwd=ROOT,
            env=self.environment(**extra),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def up(self) -> subprocess.Popen[bytes]:
        """Start everything, in a session of its own as a terminal would."""
        with self.output.open("wb") as output:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "runner", "up"],
                cwd=ROOT,
                env=self.environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self.child

    def said(self) -> str:
        return self.output.read_text(errors="replace") if self.output.exists() else ""

    def wait_for(self, words: str, *, seconds: float) -> None:
        """Wait until the terminal shows these words."""
        child = self.child
        assert child is not None
        processes.wait_until(lambda: words in self.said() or child.poll() is not None, seconds=seconds)
        assert words in self.said(), f"waited {seconds} s for '{words}', read:\n{self.said()}"

    def mark(self) -> str:
        return (self.var / "run" / "mark").read_text().strip()

    def left_over(self, mark: str) -> list[int]:
        """What lives of the run with this mark."""
        return processes.left_over(mark, self.var / "run")

    def kill(self) -> None:
        if self.child is not None and self.child.poll() is None:
            self.child.kill()
            self.child.wait()


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path_factory.mktemp("checkout") / "var")
    yield terminal
    mark = ""
    with suppress(OSError):
        mark = terminal.mark()
    if terminal.child is not None and terminal.child.poll() is None:
        terminal.child.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            terminal.child.wait(timeout=6)
    terminal.kill()
    if mark:
        processes.end_left_over(mark, terminal.var / "run")
    _remove_outside_folder(terminal.var)


def _remove_outside_folder(var: Path) -> None:
    """Root's PostgreSQL data goes to /var/tmp when pytest's folder is closed to other users."""
    import hashlib

    name = hashlib.sha256(str(var.resolve()).encode()).hexdigest()[:12]
    shutil.rmtree(Path("/var/tmp") / f"hearthside-{name}", ignore_errors=True)
