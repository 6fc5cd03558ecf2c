"""The browser of the journeys: one that is there, else Debian's package when we may install it, else one clear line."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess

from runner.say import Trouble, complain, say

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW = "as root on Debian: apt-get install chromium; elsewhere install Chrome or Chromium, or set CHROMIUM=/path/to/it"


def find() -> str | None:
    """A browser that starts."""
    named = [os.environ.get("CHROMIUM"), os.environ.get("HEARTHSIDE_CHROMIUM")]
    cached = glob.glob(os.path.expanduser("~/.cache/ms-playwright/chromium-*/chrome-linux*/chrome"))
    for candidate in [*named, *(shutil.which(name) for name in NAMES), *cached]:
        if candidate and _starts(candidate):
            return candidate
    return None


def _starts(path: str) -> bool:
    """Ubuntu's `chromium-browser` is often a stub that only says to use snap, so the file being there is not enough."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and any(name in done.stdout for name in ("Chromium", "Chrome"))


def ensure() -> str | None:
    """Find or install one. In CI a missing browser is a failure: a skipped journey there would prove nothing."""
    found = find()
    if found:
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        say("Installing Chromium for the browser journeys")
        apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=180", "-o", "Acquire::Retries=3"]
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
            done = subprocess.run([*apt, *words], capture_output=True, text=True, check=False, env=quiet)
        found = find()
        if found:
            return found
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        complain(f"Chromium could not be installed: {lines[-1] if lines else 'apt-get gave no reason'}")
    if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
        raise Trouble(f"No browser was found, and in CI the browser journeys must run: {HOW}.")
    complain(f"No browser was found, so the browser journeys will be skipped ({HOW}).")
    return None
