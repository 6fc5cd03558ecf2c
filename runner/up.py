"""`make up`: from a bare machine to a running practice, and back to nothing on Ctrl-C."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from runner import checkout, env_file, processes, venv
from runner.paths import LOG, PYTHON, ROOT, RUN, VAR, check_disk, make_folders
from runner.ports import HOST, free_or_any, wanted_port
from runner.postgres import Postgres
from runner.prepare import WITHOUT_DEMO
from runner.redis_server import Redis, binary
from runner.say import Trouble, say
from runner.supervisor import POSTGRES_GRACE_SECONDS, REDIS_GRACE_SECONDS, Part, Program, Supervisor

LOCK_FILE = RUN / "supervisor.lock"
MARK_FILE = RUN / "mark"
PORTS_FILE = RUN / "ports.json"
PID_FILE = RUN / "supervisor.pid"
SEEDING_FILE = RUN / "seeding"
SEEDED_FILE = RUN / "seeded"
LOGINS_FILE = VAR / "demo-logins.txt"

DEATHS_THAT_ARE_NO_ACCIDENT = 3


def up(*, with_parent: bool = False) -> int:
    """Run everything until told to stop."""
    started = time.monotonic()
    make_folders()
    lock = _only_one()
    # Before the port is looked at: what a killed supervisor left may be about to let go of it.
    _end_last_run()
    port = wanted_port()
    check_disk()
    if with_parent:
        # `make` killed outright must take the practice down with it.
        processes.die_with_parent(signal.SIGTERM)
    venv.ensure()
    supervisor = Supervisor(_fresh_mark())
    supervisor.listen()
    processes.write_pid_file(PID_FILE, os.getpid())
    try:
        _start_all(supervisor, port, started)
        supervisor.run()
        say("Stopping")
    finally:
        supervisor.stop()
        PID_FILE.unlink(missing_ok=True)
        MARK_FILE.unlink(missing_ok=True)
        lock.close()
    return 0


def _only_one() -> IO[str]:
    """Hold this checkout's lock; the kernel lets go of it however we die."""
    lock = LOCK_FILE.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        pid = processes.read_pid_file(PID_FILE)
        who = f" (process {pid})" if pid else ""
        raise Trouble(
            f"Hearthside is already running from this folder{who}: stop it first, with `make down`."
        ) from None
    return lock


def _end_last_run() -> None:
    """End whatever a killed supervisor left of the last run."""
    mark = MARK_FILE.read_text().strip() if MARK_FILE.exists() else "none"
    if processes.end_left_over(mark, RUN, gently=3.0):
        say("Ended what an earlier run had left behind")


def _fresh_mark() -> str:
    """A mark for this run's processes, by which a later start can tell them from all others."""
    mark = f"up-{secrets.token_hex(8)}"
    MARK_FILE.write_text(mark + "\n")
    return mark


class _Stopped(Exception):
    """Told to stop before everything was up."""


def _start_all(supervisor: Supervisor, port: int, started: float) -> None:
    with suppress(_Stopped):
        settings = env_file.settings()
        ports = _remembered_ports()
        environment = {**os.environ, **settings}
        # The last: without caches of compiled code each of eight processes would compile Django again on every start.
        for name in ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "PYTHONDONTWRITEBYTECODE"):
            environment.pop(name, None)
        if not os.environ.get("DATABASE_URL"):
            environment["DATABASE_URL"] = _start_postgres(supervisor, settings["POSTGRES_PASSWORD"], ports)
            environment["HEARTHSIDE_OWN_POSTGRES"] = "1"
        if not os.environ.get("REDIS_URL"):
            environment["REDIS_URL"] = _start_redis(supervisor, settings["REDIS_PASSWORD"], ports)
        ports["ws"] = free_or_any(port + 1)
        PORTS_FILE.write_text(json.dumps(ports) + "\n")
        environment.update(_told_to_programs(port, ports["ws"]))
        told = {"DATABASE_URL", "REDIS_URL", *_told_to_programs(port, ports["ws"]), *settings}
        checkout.remember(environment, told - {"PATH", "PYTHONPATH", "PYTHONUNBUFFERED"})
        _prepare_database(supervisor, environment)
        _start_programs(supervisor, port, ports["ws"], environment, started)


def _start_postgres(supervisor: Supervisor, password: str, ports: dict[str, int]) -> str:
    postgres = Postgres(VAR / "postgres", free_or_any(ports.get("postgres", 0)), password)
    ports["postgres"] = postgres.port
    if SEEDING_FILE.exists():
        # Nobody has seen this database yet: the site starts after the demo practice is whole.
        say("The last start was stopped while the demo practice was being loaded: beginning anew")
        postgres.begin_anew()
        SEEDING_FILE.unlink()
    first = not (postgres.home / "ready").exists()
    if first:
        SEEDED_FILE.unlink(missing_ok=True)
    say(
        f"Starting PostgreSQL {postgres.binaries.version}"
        + (" (making its data folder first)" if first else "")
    )
    postgres.prepare()
    part = supervisor.add(Part("postgres", postgres, POSTGRES_GRACE_SECONDS))
    _await(supervisor, part, postgres.ready, 120)
    postgres.make_database()
    return postgres.url


def _start_redis(supervisor: Supervisor, password: str, ports: dict[str, int]) -> str:
    program = binary()
    if program is None:
        say("No Redis runs on this machine: doing without (one web process, work queued in var/celery)")
        (VAR / "celery" / "control").mkdir(parents=True, exist_ok=True)
        return ""
    redis = Redis(program, VAR / "redis", free_or_any(ports.get("redis", 0)), password)
    ports["redis"] = redis.port
    redis.prepare()
    part = supervisor.add(Part("redis", redis, REDIS_GRACE_SECONDS))
    _await(supervisor, part, redis.ready, 60)
    return redis.url


def _told_to_programs(port: int, ws_port: int) -> dict[str, str]:
    """What the programs learn from us; anything said in the environment already stays."""
    wanted = {
        "SITE_URL": f"http://{HOST}:{port}",
        "HEARTHSIDE_DEMO": "1",
        "HEARTHSIDE_TEST_CLOCK": "1",
        "HEARTHSIDE_TEST_CLOCK_FILE": str(VAR / "test-clock"),
    }
    return {
        **{name: os.environ.get(name) or value for name, value in wanted.items()},
        "WS_PORT": str(ws_port),
        "HEARTHSIDE_VAR": str(VAR),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(ROOT),
        "PATH": f"{PYTHON.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }


def _start_programs(
    supervisor: Supervisor, port: int, ws_port: int, environment: dict[str, str], started: float
) -> None:
    host = os.environ.get("HOST") or HOST
    programs = commands(host, port, ws_port, workers=2 if environment["REDIS_URL"] else 1)
    # The page and the crisis lane first: each start costs a second of processor, and somebody is waiting for the page.
    for name in ("web", "pager"):
        supervisor.add(Part(name, Program(programs.pop(name), environment)))
    serves = supervisor.wait_for(lambda: _serves(host, port), seconds=60)
    took = time.monotonic() - started
    for name, command in programs.items():
        if not supervisor.stopping:
            supervisor.add(Part(name, Program(command, environment)))
    if serves:
        _greet(environment["SITE_URL"], took)
    elif not supervisor.stopping:
        say(f"The site does not answer yet; its log is {LOG / 'web.log'}")


def commands(host: str, port: int, ws_port: int, *, workers: int) -> dict[str, list[str]]:
    """What runs beside the servers, by name: the same programs as in docker-compose.yml."""
    python = str(PYTHON)
    granian = [python, "-m", "granian", "--host", host, "--no-access-log", "--respawn-failed-workers"]
    granian += ["--workers-kill-timeout", "1"]
    web = [*granian, "--interface", "wsgi", "--port", str(port), "--workers", str(workers)]
    # Each thread keeps a database connection; granian's own default of 256 a worker would exhaust PostgreSQL.
    web += ["--blocking-threads", "8", "config.wsgi:application"]
    ws = [
        *granian,
        "--interface",
        "asgi",
        "--port",
        str(ws_port),
        "--workers",
        "1",
        "config.asgi:application",
    ]
    celery = [python, "-m", "celery", "-A", "config"]
    return {
        "web": web,
        "ws": ws,
        "worker": [*celery, "worker", "--queues", "default,bulk", "--concurrency", "1", "--loglevel", "INFO"],
        "beat": [*celery, "beat", "--pidfile=", "--loglevel", "INFO"],
        "pager": [python, "manage.py", "pager"],
    }


def _await(supervisor: Supervisor, part: Part, ready: Callable[[], bool], seconds: float) -> None:
    """Wait for a server; trouble, with its own last words, when it dies on the way or takes too long."""

    def ready_or_dead() -> bool:
        return part.deaths >= DEATHS_THAT_ARE_NO_ACCIDENT or ready()

    if supervisor.wait_for(ready_or_dead, seconds=seconds) and part.deaths < DEATHS_THAT_ARE_NO_ACCIDENT:
        return
    if supervisor.stopping:
        raise _Stopped
    words = part.last_words() or "it gave no reason"
    raise Trouble(f"{part.name} did not start: {words} (its log is {part.log_path})")


def _remembered_ports() -> dict[str, int]:
    with suppress(OSError, ValueError):
        found = json.loads(PORTS_FILE.read_text())
        return {str(name): int(number) for name, number in found.items()}
    return {}


def _prepare_database(supervisor: Supervisor, environment: dict[str, str]) -> None:
    """Bring the tables up to date and, the first time, load the demo practice: one process, because each start costs."""
    say("Bringing the database up to date")
    log_path = LOG / "prepare.log"
    with log_path.open("wb") as log:
        child = processes.start(
            [PYTHON, ROOT / "runner" / "prepare.py"], mark=supervisor.mark, env=environment, cwd=ROOT, log=log
        )
        done = supervisor.wait_for(lambda: child.poll() is not None, seconds=600)
    if not done:
        processes.signal_group(child.pid, signal.SIGKILL)
        child.wait()
        if supervisor.stopping:
            raise _Stopped
        raise Trouble(f"Bringing the database up to date took more than ten minutes: see {log_path}.")
    if child.returncode == WITHOUT_DEMO:
        say(
            f"The demo practice could not be loaded whole ({log_path} says why); the site starts without its log-ins."
        )
    elif child.returncode != 0:
        lines = [line for line in log_path.read_text(errors="replace").splitlines() if line.strip()]
        raise Trouble(
            f"The database could not be brought up to date: {lines[-1] if lines else ''} (see {log_path})"
        )


def _serves(host: str, port: int) -> bool:
    where = HOST if host in ("0.0.0.0", "::") else host  # noqa: S104
    try:
        with urllib.request.urlopen(f"http://{where}:{port}/livez", timeout=1):
            return True
    except urllib.error.HTTPError:
        # It answers; what it answers is for /readyz and the tests.
        return True
    except OSError:
        return False


def _greet(url: str, seconds: float) -> None:
    say("")
    say(f"Hearthside is running at {url}   (started in {seconds:.1f} s)")
    if LOGINS_FILE.exists():
        say("")
        for line in LOGINS_FILE.read_text().splitlines():
            say(f"  {line}")
    say("")
    say(f"Logs are in {_short(LOG)}/, all data in {_short(VAR)}/. Ctrl-C stops everything.")


def _short(path: Path) -> str:
    with suppress(ValueError):
        return str(path.relative_to(ROOT))
    return str(path)


def down() -> int:
    """Stop the supervisor of this checkout, from another terminal."""
    pid = processes.read_pid_file(PID_FILE)
    if pid is None:
        say("Hearthside is not running from this folder.")
        return 0
    processes.signal_each([pid], signal.SIGTERM)
    if not processes.wait_until(lambda: not processes.alive(pid), seconds=10):
        raise Trouble(
            f"Process {pid} did not stop within ten seconds: end it with kill -9 {pid}; the next start tidies up."
        )
    say("Stopped.")
    return 0
