"""Starting children so that they cannot outlive us, and finding those that did."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

MARK = "HEARTHSIDE_RUN"
PR_SET_PDEATHSIG = 1
LINUX = sys.platform.startswith("linux")
_libc = ctypes.CDLL(None, use_errno=True) if LINUX else None


def die_with_parent(signal_number: int) -> None:
    """Ask the kernel to send this process a signal when its parent dies, even by `kill -9`. Linux only."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


def start(
    command: Sequence[str | Path],
    *,
    mark: str,
    env: Mapping[str, str],
    cwd: Path,
    log: IO[bytes] | None = None,
    as_user: Callable[[], None] | None = None,
    on_orphan: int = signal.SIGTERM,
    own_session: bool = True,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own (a Ctrl-C reaches us alone), marked, and dying with us.

    The order in the child matters: a change of user clears the death signal, so it is asked for afterwards.
    """
    parent = os.getpid()

    def before_exec() -> None:
        if as_user is not None:
            as_user()
        die_with_parent(on_orphan)
        # Whatever started us may have had SIGINT ignored (`make up &`); a child must start with the defaults.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        if os.getppid() != parent:
            os._exit(1)

    return subprocess.Popen(
        [str(part) for part in command],
        env={**env, MARK: mark},
        cwd=cwd,
        stdin=subprocess.DEVNULL if own_session else None,
        stdout=log,
        stderr=subprocess.STDOUT if log is not None else None,
        start_new_session=own_session,
        preexec_fn=before_exec,
    )


def alive(pid: int) -> bool:
    """Is there such a process, not counting one that is dead and merely unread by its parent?"""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return _state(pid) not in ("Z", "X")


def _stat(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    # The name, in brackets, may itself hold blanks and brackets.
    return text[text.rfind(")") + 2 :].split()


def _state(pid: int) -> str:
    fields = _stat(pid)
    return fields[0] if fields else ""


def started_at(pid: int) -> str:
    """When a process started, as the kernel tells it: with the pid, this names one process and no later one."""
    if LINUX:
        fields = _stat(pid)
        return fields[19] if len(fields) > 19 else ""
    done = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def write_pid_file(path: Path, pid: int) -> None:
    """Remember a process by pid and start time."""
    path.write_text(f"{pid}\n{started_at(pid)}\n")


def read_pid_file(path: Path) -> int | None:
    """The process a pid file names, if that very process still lives."""
    try:
        pid_text, _, since = path.read_text().partition("\n")
        pid = int(pid_text)
    except (OSError, ValueError):
        return None
    if alive(pid) and started_at(pid) == since.strip():
        return pid
    return None


def marked(mark: str) -> list[int]:
    """Every living process that carries this mark in its environment, in whatever group or session it hides."""
    needle = f"{MARK}={mark}".encode()
    found = []
    for entry in Path("/proc").iterdir() if LINUX else ():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            variables = (entry / "environ").read_bytes().split(b"\0")
            if needle in variables and _state(int(entry.name)) not in ("Z", "X"):
                found.append(int(entry.name))
    return found


def signal_group(pid: int, number: int) -> None:
    """Send a signal to the whole session a child leads."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def signal_each(pids: Iterable[int], number: int) -> None:
    """Send a signal to each process that is still there."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def wait_until(condition: Callable[[], bool], *, seconds: float, step: float = 0.03) -> bool:
    """Wait for a condition; True when it came in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(step)
    return True


def left_over(mark: str, folder: Path) -> list[int]:
    """Whatever lives of a run: by its mark, and by pid file, for servers that paint over their environment."""
    named = [read_pid_file(path) for path in folder.glob("*.pid")]
    return sorted({*marked(mark), *(pid for pid in named if pid is not None and pid != os.getpid())})


def end_left_over(mark: str, folder: Path, *, gently: float = 1.0) -> int:
    """End whatever is left of a run: first asked, then made to. Returns how many there were."""
    pids = left_over(mark, folder)
    if not pids:
        return 0
    # PostgreSQL takes SIGINT as "end the sessions and stop", and SIGTERM as "stop when they have ended".
    signal_each(pids, signal.SIGINT)
    signal_each(pids, signal.SIGTERM)
    if not wait_until(lambda: not left_over(mark, folder), seconds=gently):
        signal_each(left_over(mark, folder), signal.SIGKILL)
        wait_until(lambda: not left_over(mark, folder), seconds=2.0)
    return len(pids)
