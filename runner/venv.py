"""The virtual environment: made once, brought up to the hashed lock when that changes, otherwise left alone."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from runner.paths import PYTHON, ROOT, VENV, check_disk
from runner.say import DISK_FULL, Trouble, say

LOCK = ROOT / "requirements" / "dev.txt"
STAMP = VENV / ".hearthside-lock"


def fingerprint(lock: Path = LOCK) -> str:
    """What the environment must match: the lock, this Python, and where it stands (its scripts hold the path)."""
    parts = [lock.read_bytes(), str(sys.version_info[:3]).encode(), str(VENV).encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def is_current() -> bool:
    """Is there nothing to do?"""
    try:
        return STAMP.read_text().strip() == fingerprint() and os.access(PYTHON, os.X_OK)
    except OSError:
        return False


def ensure() -> None:
    """Make the environment, or bring it up to date, or do nothing, which takes no time."""
    if is_current():
        return
    check_disk(ROOT)
    # Two commands started at once (`make up` and `make test`) must not install over each other.
    with LOCK.open() as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if is_current():
            return
        if not _runs(PYTHON):
            say("Making the virtual environment in .venv")
            _make()
        say("Installing the locked packages (the first time, this is the longest step)")
        _install()
        STAMP.write_text(fingerprint() + "\n")


def _runs(python: Path) -> bool:
    """Does this interpreter start, is it the Python we run under, and has it pip?"""
    try:
        question = "import sys, pip; print(*sys.version_info[:3])"
        done = subprocess.run([str(python), "-c", question], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return done.returncode == 0 and done.stdout.split() == [str(number) for number in sys.version_info[:3]]


def _make() -> None:
    shutil.rmtree(VENV, ignore_errors=True)
    done = subprocess.run(
        [sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        what = done.stdout + done.stderr
        if "ensurepip" in what or "No module named venv" in what:
            version = f"{sys.version_info[0]}.{sys.version_info[1]}"
            raise Trouble(
                "This Python cannot make virtual environments: install that part of it "
                f"(on Debian or Ubuntu: apt-get install python{version}-venv) and try again."
            )
        if "No space left" in what:
            raise Trouble(DISK_FULL)
        raise Trouble(f"The virtual environment could not be made: {_reason(what)}")


def _install() -> None:
    """By uv, which is several times faster than pip, where that works; else by pip. Both check every hash."""
    if _install_with_uv():
        return
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    done = subprocess.run(
        [*command, "--require-hashes", "-r", str(LOCK)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    if done.returncode != 0:
        what = done.stdout + done.stderr
        if "No space left" in what:
            raise Trouble(DISK_FULL)
        raise Trouble(
            f"The packages could not be installed: {_reason(what)} "
            "Check that this machine reaches its package index (pip config list), then try again."
        )


def _install_with_uv() -> bool:
    block = _pinned("uv")
    if block is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        only_uv = Path(folder) / "uv.txt"
        only_uv.write_text(block)
        pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
        done = subprocess.run(
            [*pip, "--no-deps", "--require-hashes", "-r", str(only_uv)], capture_output=True, check=False
        )
        if done.returncode != 0:
            return False
    uv = [str(PYTHON), "-m", "uv", "pip", "install", "--quiet", "--python", str(PYTHON)]
    done = subprocess.run(
        [*uv, "--require-hashes", "--no-config", "-r", str(LOCK)],
        capture_output=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **_as_pip_is_told()},
    )
    return done.returncode == 0


def _pinned(name: str, lock: Path = LOCK) -> str | None:
    """One package's lines of the lock: its version and hashes."""
    found = re.search(rf"^{re.escape(name)}==.*(?:\n    .*)*", lock.read_text(), re.MULTILINE)
    return "\n".join(line for line in found[0].splitlines() if "# via" not in line) + "\n" if found else None


def _as_pip_is_told() -> dict[str, str]:
    """uv does not read pip's settings, yet a mirror or a wheelhouse named there is where the packages are."""
    done = subprocess.run(
        [str(PYTHON), "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    told: dict[str, str] = {}
    # For pip the environment wins over the files, wherever it stands in the list.
    for line in sorted(done.stdout.splitlines(), key=lambda one: one.startswith(":env:")):
        key, _, value = line.partition("=")
        told[key.split(".", 1)[-1].lower().replace("_", "-")] = value.strip().strip("'\"").replace("\\n", " ")
    # With every hash pinned, which of several indexes a file comes from makes no difference.
    found = {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_NO_PROGRESS": "1"}
    for theirs, ours in (
        ("index-url", "UV_DEFAULT_INDEX"),
        ("extra-index-url", "UV_INDEX"),
        ("find-links", "UV_FIND_LINKS"),
        ("trusted-host", "UV_INSECURE_HOST"),
    ):
        if told.get(theirs):
            found[ours] = told[theirs]
    if "UV_FIND_LINKS" in found:
        found["UV_FIND_LINKS"] = ",".join(found["UV_FIND_LINKS"].split())
    if told.get("cert") and not os.environ.get("SSL_CERT_FILE"):
        found["SSL_CERT_FILE"] = told["cert"]
    if told.get("no-index", "").lower() in ("1", "true", "yes"):
        found["UV_NO_INDEX"] = "1"
    return {name: value for name, value in found.items() if name not in os.environ}


def _reason(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.upper().startswith("ERROR")]
    return (errors or lines or ["it gave no reason."])[-1]
