"""One `make up`, told as a story in order: it starts, survives three murders and its own, and ends without a trace.

The tests share one running site, because each start of it costs seconds; they run in the order they stand here.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from runner import processes
from runner.paths import ROOT
from tests.runner.conftest import Terminal

pytestmark = [
    pytest.mark.fault,
    pytest.mark.xdist_group("up"),
    pytest.mark.skipif(not processes.LINUX, reason="reads /proc"),
]

PARTS = ("postgres", "redis", "web", "ws", "worker", "beat", "pager")


def running(terminal: Terminal, name: str) -> int | None:
    """The process of this part, if it lives."""
    return processes.read_pid_file(terminal.var / "run" / f"{name}.pid")


def page_answers(terminal: Terminal, path: str = "/livez") -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{terminal.port}{path}", timeout=10) as answer:
            return answer.status == 200
    except OSError:
        return False


def test_up_starts_every_part_and_says_where(terminal: Terminal) -> None:
    began = time.monotonic()
    terminal.up()
    terminal.wait_for(f"Hearthside is running at http://127.0.0.1:{terminal.port}", seconds=240)
    terminal.first_start_seconds = time.monotonic() - began
    assert page_answers(terminal)
    for name in PARTS:
        assert processes.wait_until(lambda name=name: running(terminal, name) is not None, seconds=5), name


def test_the_secrets_are_for_this_user_alone(terminal: Terminal) -> None:
    assert (terminal.var / "env").stat().st_mode & 0o777 == 0o600


def test_a_command_typed_at_a_terminal_reaches_the_running_practice(terminal: Terminal) -> None:
    """`manage.py` as a person types it: nothing exported, any Python."""
    assert (terminal.var / "run" / "programs.env").stat().st_mode & 0o777 == 0o600
    question = "from accounts.models import User; from django.conf import settings; print(User.objects.count(), settings.TEST_CLOCK)"
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", question],
        cwd=ROOT,
        env=terminal.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["0", "True"], done.stderr


def test_a_second_up_in_the_same_folder_is_refused_in_one_sentence(terminal: Terminal) -> None:
    done = terminal.run("up")
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "already running" in done.stderr


@pytest.mark.parametrize("name", ["pager", "web", "redis", "postgres"])
def test_what_dies_is_started_again(terminal: Terminal, name: str) -> None:
    before = running(terminal, name)
    assert before is not None
    processes.signal_each([before], signal.SIGKILL)

    def replaced() -> bool:
        now = running(terminal, name)
        return now is not None and now != before

    assert processes.wait_until(replaced, seconds=20), terminal.said()
    assert processes.wait_until(lambda: page_answers(terminal, "/readyz"), seconds=60), terminal.said()


def test_killing_the_supervisor_leaves_no_process_and_the_next_start_recovers_with_the_data(
    terminal: Terminal,
) -> None:
    mark = terminal.mark()
    keys = (terminal.var / "env").read_text()
    terminal.kill()
    # The kernel tells the children; each stops in its own time, without anybody left to wait for it.
    assert processes.wait_until(lambda: not terminal.left_over(mark), seconds=15), terminal.left_over(mark)
    began = time.monotonic()
    terminal.up()
    terminal.wait_for("Hearthside is running at", seconds=120)
    took = time.monotonic() - began
    assert "making its data folder" not in terminal.said()
    assert (terminal.var / "env").read_text() == keys
    assert page_answers(terminal, "/readyz")
    # 10 s is what a quiet machine must reach; the suite runs beside it, so the first start is the measure of how busy it is.
    assert took < max(10.0, terminal.first_start_seconds), f"the second start took {took:.1f} s"


def test_the_next_start_ends_what_a_killed_supervisor_left_behind(terminal: Terminal) -> None:
    """A stopped process does not hear the kernel's signal: the worst case of a child that outlives its supervisor."""
    pager = running(terminal, "pager")
    assert pager is not None
    processes.signal_each([pager], signal.SIGSTOP)
    terminal.kill()
    terminal.up()
    terminal.wait_for("Hearthside is running at", seconds=120)
    assert not processes.alive(pager)


def test_ctrl_c_stops_everything_within_five_seconds_and_leaves_nothing(terminal: Terminal) -> None:
    assert terminal.child is not None
    mark = terminal.mark()
    assert len(terminal.left_over(mark)) >= len(PARTS)
    began = time.monotonic()
    terminal.child.send_signal(signal.SIGINT)
    code = terminal.child.wait(timeout=10)
    took = time.monotonic() - began
    assert code == 0, terminal.said()
    assert took < 5.0
    assert terminal.left_over(mark) == []
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://127.0.0.1:{terminal.port}/livez", timeout=2)
