"""Where things live. All state is under var/, except what PostgreSQL's own user must reach when root starts it."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from runner.say import Trouble

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
VAR = Path(os.environ.get("HEARTHSIDE_VAR") or ROOT / "var").resolve()
RUN = VAR / "run"
LOG = VAR / "log"
ENV_FILE = VAR / "env"
CHECKOUT = hashlib.sha256(str(VAR).encode()).hexdigest()[:12]

LEAST_FREE_MB = 500


def make_folders() -> None:
    """Create var/ and its folders. Others may pass through var/ (PostgreSQL's user must) but not look into it."""
    for folder, rights in ((VAR, 0o711), (RUN, 0o700), (LOG, 0o700), (VAR / "static", 0o755)):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(rights)


def check_disk(folder: Path | None = None) -> None:
    """Refuse to start on a disk so full that PostgreSQL would stop half-way."""
    least_mb = int(os.environ.get("HEARTHSIDE_MIN_FREE_MB") or LEAST_FREE_MB)
    folder = folder or VAR
    while not folder.exists():
        folder = folder.parent
    free_mb = shutil.disk_usage(folder).free // (1024 * 1024)
    if free_mb < least_mb:
        raise Trouble(
            f"Not enough disk space: {free_mb} MB free on the disk of {folder}, and Hearthside needs {least_mb} MB: "
            "free some and try again."
        )
