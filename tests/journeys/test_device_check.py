"""Camera, microphone and the way to the visit, tried in a real browser before it."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from accounts.models import User
from tests.journeys.test_video_visit import Program, has_no_barrier, says
from tests.journeys.test_video_visit import camera_browser as camera_browser
from tests.journeys.test_video_visit import line as line
from tests.journeys.test_video_visit import relay as relay
from tests.journeys.walker import PHONE, new_walker


def tried(browser: Browser, site: str, user: User) -> Page:
    """Open the page as this person, and press Start."""
    walker = new_walker(
        browser, site, user.full_name, user=user, permissions=["camera", "microphone"], viewport=PHONE
    )
    walker.opens("/video/check/").sees("Camera: not tried yet", "Microphone: not tried yet", "not tried yet")
    walker.page.click("#check-start")
    return walker.page


def test_camera_microphone_and_the_line_are_found_to_work_through_the_relay(
    alice: User, site: str, relay: Program, line: Program, camera_browser: Browser
) -> None:
    page = tried(camera_browser, site, alice)
    says(page, "Camera: works", where="#check-camera")
    says(page, "Microphone: works", where="#check-microphone")
    says(page, "Line to the visit: works", where="#check-line")
    assert page.locator("#check-line").inner_text() == "Line to the visit: works"
    # Her own picture runs, and the bar follows what the microphone hears.
    page.wait_for_function("() => document.getElementById('check-picture').currentTime > 0")
    page.wait_for_function("() => document.getElementById('check-level').value > 0")
    page.click("#check-tone")
    says(page, "you should have heard a tone", where="#check-sound")
    has_no_barrier(page)


@pytest.mark.parametrize("only", [True, False])
def test_a_network_that_lets_nothing_through_to_the_relay_is_not_called_a_line_that_works(
    alice: User, site: str, relay: Program, line: Program, camera_browser: Browser, settings: Any, only: bool
) -> None:
    settings.VIDEO_RELAY_ONLY = only
    relay.kill()
    page = tried(camera_browser, site, alice)
    words = (
        "picture and sound do not come through this network" if only else "may not come through this network"
    )
    says(page, words, where="#check-line", within_s=30)


def test_a_line_that_does_not_open_is_said_to_be_blocked_and_without_a_relay_the_line_alone_counts(
    alice: User, site: str, line: Program, camera_browser: Browser
) -> None:
    page = tried(camera_browser, site, alice)
    says(page, "Line to the visit: works", where="#check-line")
    line.kill()
    page.click("#check-start")
    says(page, "Line to the visit: this network blocks it", where="#check-line")


def test_a_browser_without_camera_and_microphone_reads_that_none_was_found(
    alice: User, site: str, line: Program, chromium: Browser
) -> None:
    page = tried(chromium, site, alice)
    says(page, "Camera: none found", where="#check-camera")
    says(page, "Microphone: none found", where="#check-microphone")
