"""For `manage.py` typed at a terminal: reach the servers, secrets and clock of the practice that `make up` runs from this folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from runner.paths import PYTHON, RUN

PROGRAMS_ENV = RUN / "programs.env"


def remember(environment: Mapping[str, str], names: set[str]) -> None:
    """Write down what the programs are told, for this user alone."""
    PROGRAMS_ENV.unlink(missing_ok=True)
    with os.fdopen(os.open(PROGRAMS_ENV, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.writelines(f"{name}={environment[name]}\n" for name in sorted(names) if name in environment)


def join() -> None:
    """Use it, unless the environment already names a database; what the environment says wins, name by name."""
    if os.environ.get("DATABASE_URL") or os.environ.get("HEARTHSIDE_ENV") == "production":
        return
    try:
        lines = PROGRAMS_ENV.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        name, _, value = line.partition("=")
        os.environ.setdefault(name, value)


def use_own_python() -> None:
    """`python manage.py …` with the system's Python means the environment that `make up` made."""
    if not os.access(PYTHON, os.X_OK) or os.environ.get("HEARTHSIDE_REEXEC_MANAGE"):
        return
    os.environ["HEARTHSIDE_REEXEC_MANAGE"] = "1"
    os.execv(PYTHON, [str(PYTHON), *sys.argv])  # noqa: S606
