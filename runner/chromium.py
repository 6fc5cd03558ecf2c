"""The browser of the journeys: one that is there, else Debian's package when we may install it, else one clear line."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess

from runner import packages
from runner.say import Trouble, complain

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
    if packages.install("chromium", "the browser journeys"):
        found = find()
        if found:
            return found
    if packages.in_ci():
        raise Trouble(f"No browser was found, and in CI the browser journeys must run: {HOW}.")
    complain(f"No browser was found, so the browser journeys will be skipped ({HOW}).")
    return None
