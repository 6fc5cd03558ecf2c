"""Debian's packages, where we may install them."""

from __future__ import annotations

import os
import shutil
import subprocess

from runner.say import complain, say


def install(package: str, what_for: str) -> bool:
    """Install a package as root on Debian or Ubuntu; elsewhere, or when it fails, say so and answer False."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    say(f"Installing {package} for {what_for}")
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=180", "-o", "Acquire::Retries=3"]
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "-y", "--no-install-recommends", package]):
        done = subprocess.run([*apt, *words], capture_output=True, text=True, check=False, env=quiet)
    if done.returncode == 0:
        return True
    lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    complain(f"{package} could not be installed: {lines[-1] if lines else 'apt-get gave no reason'}")
    return False


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")
