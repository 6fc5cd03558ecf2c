"""A throw-away PostgreSQL and Redis for one command: `python -m runner services -- pytest tests/accounts`.

Tests that must break a server start a pair of their own and hold its handles:

    with throw_away() as pair:
        pair.postgres_child.kill()
        pair.restart_postgres()
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from runner import processes
from runner.paths import PYTHON, ROOT
from runner.ports import any_free
from runner.postgres import Postgres
from runner.redis_server import Redis, binary
from runner.say import Trouble
from runner.users import database_user

PREFIX = "hearthside-throw-away-"


@dataclass
class Pair:
    """Two running servers and how to reach, break and mend them."""

    mark: str
    home: Path
    log: IO[bytes]
    postgres: Postgres
    postgres_child: subprocess.Popen[bytes]
    redis: Redis | None
    redis_child: subprocess.Popen[bytes] | None

    def environment(self) -> dict[str, str]:
        """What a command needs to use them."""
        found = {"DATABASE_URL": self.postgres.url}
        if self.redis is not None:
            found["REDIS_URL"] = self.redis.url
        return found

    def restart_postgres(self) -> None:
        """Start PostgreSQL again, on the same port and data, after it was stopped or killed."""
        self.stop_postgres()
        self.postgres_child = self.postgres.start(mark=self.mark, log=self.log)
        _await(self.postgres, self.postgres_child, "PostgreSQL", self.home)

    def stop_postgres(self) -> None:
        """Stop PostgreSQL at once; what it had written stays."""
        _stop(self.postgres_child, self.postgres.stop_signal)

    def restart_redis(self) -> None:
        """Start Redis again on the same port, after it was stopped or killed."""
        if self.redis is None:
            return
        self.stop_redis()
        self.redis_child = self.redis.start(mark=self.mark, log=self.log)
        _await(self.redis, self.redis_child, "Redis", self.home)

    def stop_redis(self) -> None:
        """Stop Redis at once."""
        if self.redis_child is not None:
            _stop(self.redis_child, signal.SIGTERM)


def _await(server: Postgres | Redis, child: subprocess.Popen[bytes], name: str, home: Path) -> None:
    processes.write_pid_file(home / f"{name.lower()}.pid", child.pid)
    up = processes.wait_until(lambda: server.ready() or child.poll() is not None, seconds=30)
    if not up or child.poll() is not None:
        last = (home / "log").read_text(errors="replace").strip().splitlines()[-3:]
        raise Trouble(f"{name} did not start: {' / '.join(last) or 'it gave no reason'}")


def _stop(child: subprocess.Popen[bytes], number: int) -> None:
    if child.poll() is None:
        child.send_signal(number)
        try:
            child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(timeout=5)


def _base_folder() -> Path:
    """Where throw-away folders go: short, and open to the user PostgreSQL runs as."""
    user = database_user()
    for place in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")):
        if place.is_dir() and len(str(place)) < 50 and (user is None or user.reaches(place)):
            return place
    raise Trouble("No temporary folder is open to the user PostgreSQL runs as: set TMPDIR to one that is.")


def sweep(base: Path) -> None:
    """Clear away pairs whose owner was killed: their processes first, then their files."""
    for folder in base.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if folder.lstat().st_uid == os.geteuid() and (folder / "owner").exists():
                if processes.read_pid_file(folder / "owner") is None:
                    processes.end_left_over(folder.name, folder)
                    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def throw_away(*, with_redis: bool = True, durable: bool = False) -> Iterator[Pair]:
    """Start a pair on free ports, and leave nothing of it behind. `durable` servers write to disk as those of `up` do."""
    base = _base_folder()
    sweep(base)
    home = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
    home.chmod(0o755)
    mark = home.name
    processes.write_pid_file(home / "owner", os.getpid())
    children: list[subprocess.Popen[bytes]] = []
    pair: Pair | None = None
    try:
        with (home / "log").open("ab") as log:
            postgres = Postgres(home / "pg", any_free(), secrets.token_hex(16), durable=durable)
            postgres.prepare()
            postgres_child = postgres.start(mark=mark, log=log)
            children.append(postgres_child)
            program = binary() if with_redis else None
            redis = (
                Redis(program, home / "redis", any_free(), secrets.token_hex(16), durable=durable)
                if program
                else None
            )
            redis_child = None
            if redis is not None:
                redis.prepare()
                redis_child = redis.start(mark=mark, log=log)
                children.append(redis_child)
                _await(redis, redis_child, "Redis", home)
            _await(postgres, postgres_child, "PostgreSQL", home)
            postgres.make_database()
            pair = Pair(mark, home, log, postgres, postgres_child, redis, redis_child)
            yield pair
    finally:
        if pair is not None:
            children = [child for child in (pair.redis_child, pair.postgres_child) if child is not None]
        for child in children:
            _stop(child, signal.SIGINT)
        processes.end_left_over(mark, home)
        shutil.rmtree(home, ignore_errors=True)


def run_with(command: Sequence[str], extra: Mapping[str, str]) -> int:
    """Run a command in the foreground and answer as it does; a request to stop is passed on to it."""
    environment = {**os.environ, **extra}
    # Every process of the run would compile all it imports anew.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    child = subprocess.Popen(list(command), env=environment, cwd=ROOT, preexec_fn=_with_us)

    def pass_on(number: int, _frame: object) -> None:
        child.send_signal(number)

    # Ctrl-C reaches the command by itself, being in the terminal's foreground group; we wait for it to finish.
    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGHUP)}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 - code if code < 0 else code


def _with_us() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    processes.die_with_parent(signal.SIGTERM)


def services(command: Sequence[str]) -> int:
    """The `services` command."""
    if not command:
        raise Trouble("Say what to run, as in: python3 -m runner services -- pytest tests/accounts")
    with throw_away() as pair:
        environment = pair.environment()
        environment.setdefault("REDIS_URL", "")
        path = f"{PYTHON.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return run_with(command, {**demo_secrets(), **environment, "PATH": path, "PYTHONUNBUFFERED": "1"})


def demo_secrets() -> dict[str, str]:
    """Keys for one run, unless the caller has set some."""
    from runner.env_file import fresh

    return {name: os.environ.get(name) or value for name, value in fresh().items()}
