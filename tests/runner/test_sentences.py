"""Each thing that can be wrong with a machine is one clear sentence and a non-zero exit, never a traceback."""

from __future__ import annotations

import ast
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from runner import venv
from runner.paths import ROOT
from tests.runner.conftest import Terminal

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="what only root can try")


def only_sentence(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode != 0
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stdout
    return lines[0]


def test_a_port_in_use_is_named_with_the_way_out(terminal: Terminal) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", terminal.port))
        other.listen()
        sentence = only_sentence(terminal.run("up"))
    assert f"Port {terminal.port} is in use" in sentence
    assert f"make up PORT={terminal.port + 10}" in sentence


@pytest.mark.parametrize("port", ["eighty", "0", "65536", "-1", "80.5"])
def test_a_port_that_is_no_port_is_refused(terminal: Terminal, port: str) -> None:
    assert "PORT must be a number from 1 to 65535" in only_sentence(terminal.run("up", PORT=port))


def test_an_address_that_is_not_this_machines_is_refused(terminal: Terminal) -> None:
    assert "Cannot listen on 192.0.2.1" in only_sentence(terminal.run("up", HOST="192.0.2.1"))


def test_too_little_disk_space_is_said_before_anything_is_started(terminal: Terminal) -> None:
    sentence = only_sentence(terminal.run("up", HEARTHSIDE_MIN_FREE_MB=str(10**9)))
    assert sentence.startswith("Not enough disk space: ")
    assert not (terminal.var / "postgres").exists()


@ROOT_ONLY
def test_a_disk_that_fills_up_half_way_is_one_sentence(terminal: Terminal) -> None:
    """A real small disk, at a place PostgreSQL's user can reach, with the check before the start switched off."""
    small = Path(tempfile.mkdtemp(prefix="hearthside-small-", dir="/tmp"))
    command = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=755", "none", str(small)]
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        small.rmdir()
        pytest.skip("this container may not mount a small disk")
    try:
        checked = terminal.run("up", HEARTHSIDE_VAR=str(small / "var"))
        filled = terminal.run("up", HEARTHSIDE_VAR=str(small / "var"), HEARTHSIDE_MIN_FREE_MB="0")
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)
        small.rmdir()
    assert "Not enough disk space" in only_sentence(checked)
    assert "The disk is full" in only_sentence(filled)


def test_an_old_python_is_told_which_one_is_needed() -> None:
    """The door itself, run by this Python under an older one's name; no newer one is offered on the PATH."""
    pretend = "import sys, runpy; sys.version_info = (3, 9, 2, 'final', 0); runpy.run_module('runner', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", pretend],
        cwd=ROOT,
        env={**os.environ, "PATH": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "needs Python 3.11 or newer, and this is Python 3.9" in only_sentence(done)


def test_the_door_itself_can_be_read_by_an_old_python() -> None:
    for name in ("__init__.py", "__main__.py"):
        ast.parse((ROOT / "runner" / name).read_text(), feature_version=(3, 6))


@ROOT_ONLY
def test_root_without_the_right_to_drop_privileges_is_told_what_to_do() -> None:
    """In a user namespace that maps root alone, root may become nobody else."""
    unshare = shutil.which("unshare")
    if (
        unshare is None
        or subprocess.run([unshare, "-Ur", "true"], check=False, capture_output=True).returncode != 0
    ):
        pytest.skip("this container makes no user namespaces")
    done = subprocess.run(
        [unshare, "-Ur", sys.executable, "-m", "runner", "services", "--", "true"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "does not let root become another user" in only_sentence(done)


def test_a_broken_settings_line_is_named_by_its_number(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "env").write_text("# mine\nSECRET_KEY=abc\nthis is no setting\n")
    sentence = only_sentence(terminal.run("up", HEARTHSIDE_VAR=str(tmp_path)))
    assert "line 3 is not KEY=value" in sentence


def test_services_without_a_command_says_what_to_type(terminal: Terminal) -> None:
    assert "Say what to run" in only_sentence(terminal.run("services"))


def test_the_block_of_one_package_keeps_its_hashes_and_nothing_else(tmp_path: Path) -> None:
    lock = tmp_path / "dev.txt"
    lock.write_text(
        "aa==1 \\\n    --hash=sha256:1\n    # via b\nuv==2 \\\n    --hash=sha256:2 \\\n    --hash=sha256:3\n    # via c\nzz==1\n"
    )
    assert venv._pinned("uv", lock) == "uv==2 \\\n    --hash=sha256:2 \\\n    --hash=sha256:3\n"
    assert venv._pinned("absent", lock) is None


def test_the_committed_lock_pins_every_line_by_hash_and_names_no_host() -> None:
    for name in ("base.txt", "dev.txt"):
        text = (ROOT / "requirements" / name).read_text()
        assert "--index-url" not in text
        assert "://" not in text
        pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert pins and all("==" in line and line.endswith("\\") for line in pins)
