"""What every area of the pictures needs: pressing, choosing, filling in."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from playwright.sync_api import Page

from tests.screens.camera import Camera

MINUTE = timedelta(minutes=1)
ATTESTED = ("adult", "sober", "present", "stays", "read_card")
CAPTIONS_OF_STEPS = {
    "about": "Who somebody is, where they are, and whom to call.",
    "heart": "The heart, and what runs in the family.",
    "body": "The rest of the body.",
    "mind": "Past illness and treatment of the mind.",
    "phq9": "PHQ-9, word for word.",
    "gad7": "GAD-7, word for word.",
    "safety": "Questions about safety; help stands above them.",
    "substances": "Alcohol and other substances.",
    "home": "The home, the sitter, the way to help.",
    "identity": "A photo of an ID, or the ID on video.",
}


def press(page: Page, words: str) -> None:
    page.get_by_role("button", name=words).locator("visible=true").first.click()
    page.wait_for_load_state("load")


def no_to_everything(page: Page, *yes: str) -> None:
    """Each group of choices: “no” where there is one; “yes” for the named."""
    names = page.eval_on_selector_all(
        "main input[type=radio]", "all => [...new Set(all.map(one => one.name))]"
    )
    for name in names:
        wanted = page.locator(f"main input[name='{name}'][value='{'yes' if name in yes else 'no'}']")
        if wanted.count():
            wanted.check()


def fill(page: Page, **answers: str) -> None:
    for name, value in answers.items():
        control = page.locator(f"main [name='{name}']").first
        if control.evaluate("one => one.tagName") == "SELECT":
            control.select_option(value)
        elif (control.get_attribute("type") or "") in ("radio", "checkbox"):
            page.locator(f"main [name='{name}'][value='{value}']").check()
        else:
            control.fill(value)


def first_link(page: Page, pattern: str) -> str:
    hrefs = page.eval_on_selector_all("main a[href]", "all => all.map(one => one.getAttribute('href'))")
    return next((str(href) for href in hrefs if re.search(pattern, href)), "")


@contextmanager
def served_with(camera: Camera, **environment: str) -> Iterator[None]:
    """The same practice, served once more with another setting, while the block lasts."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    program = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--no-access-log",
    ]
    server = subprocess.Popen(
        [*program, "config.wsgi:application"], env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )  # fmt: skip
    before, camera.url = camera.url, f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        yield
    finally:
        camera.url = before
        server.terminate()
        server.wait(10)
