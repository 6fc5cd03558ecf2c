"""Free ports, and clear words about those that are not."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

from runner.say import Trouble

HOST = "127.0.0.1"


def is_free(port: int, host: str = HOST) -> bool:
    """Could a server listen here now?"""
    with socket.socket() as probe:
        # As servers do: a connection that is still closing does not hold the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def any_free() -> int:
    """A port nobody uses now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def free_or_any(wanted: int) -> int:
    """The wanted port if it is free, else any other."""
    return wanted if 1024 <= wanted <= 65535 and is_free(wanted) else any_free()


def wanted_port() -> int:
    """PORT, checked to be usable: one sentence for each way it can be wrong."""
    text = os.environ.get("PORT") or "8000"
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise Trouble(f"PORT must be a number from 1 to 65535, and it is '{text}'.")
    port = int(text)
    try:
        free = is_free(port, os.environ.get("HOST") or HOST)
    except PermissionError:
        raise Trouble(
            f"Port {port} needs more rights than this user has: use a port from 1024 up, as in `make up PORT=8010`."
        ) from None
    except OSError as error:
        raise Trouble(
            f"Cannot listen on {os.environ.get('HOST') or HOST}:{port}: {error.strerror}."
        ) from None
    if not free:
        raise Trouble(
            f"Port {port} is in use{_by_whom(port)}: stop that program, or choose another port with `make up PORT={port + 10}`."
        )
    return port


def _by_whom(port: int) -> str:
    """' by NAME (process N)' where the kernel lets us see it."""
    try:
        inodes = {
            fields[9]
            for table in ("/proc/net/tcp", "/proc/net/tcp6")
            for fields in (line.split() for line in Path(table).read_text().splitlines()[1:])
            if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port
        }
    except (OSError, IndexError, ValueError):
        return ""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(handle) in wanted for handle in (process / "fd").iterdir()):
                return f" by {(process / 'comm').read_text().strip()} (process {process.name})"
        except OSError:
            continue
    return ""
