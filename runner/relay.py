"""The relay of the video tests (coturn): one that is there, else Debian's package when we may install it, else one clear line."""

from __future__ import annotations

import shutil

from runner import packages
from runner.say import Trouble, complain

HOW = "as root on Debian: apt-get install coturn"


def ensure() -> None:
    """In CI a missing relay is a failure: a skipped video visit there would prove nothing."""
    if shutil.which("turnserver"):
        return
    if packages.install("coturn", "the video visits in two browsers") and shutil.which("turnserver"):
        return
    if packages.in_ci():
        raise Trouble(f"No coturn was found, and in CI the video visits must run: {HOW}.")
    complain(f"No coturn was found, so the video visits in two browsers will be skipped ({HOW}).")
