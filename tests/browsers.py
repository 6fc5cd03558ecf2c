"""Where the browser is, and how it is started: for the journeys and for the pictures of the docs."""

import os
import shutil
from pathlib import Path

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
# A camera that shows a moving clock and a microphone that beeps, without being asked for permission.
FAKE_DEVICES = [
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--allow-loopback-in-peer-connection",
    "--autoplay-policy=no-user-gesture-required",
    "--auto-select-desktop-capture-source=Entire screen",
]


def browser_path() -> str:
    """The browser of this machine, or an empty string."""
    named = os.environ.get("HEARTHSIDE_CHROMIUM", "")
    found = [named, *(shutil.which(name) or "" for name in ("chromium", "chromium-browser", "google-chrome"))]
    return next((path for path in found if path and Path(path).exists()), "")
