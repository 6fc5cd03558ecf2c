"""A page that somebody opened long ago hears of an alert by itself, and of a lane that stands still."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from accounts.models import User
from config import context
from notify.actions import beat
from safety.actions import acknowledge
from tests.journeys.conftest import JourneyClock
from tests.journeys.walker import Walker
from tests.safety.builders import a_shift, an_alert


def test_hz_08_an_open_page_shows_an_alert_within_seconds_and_takes_it_down_when_somebody_has_it(
    browser_of: Callable[..., Walker],
    the_clock: JourneyClock,
    at: dt.datetime,
    alice: User,
    dana: User,
    monkeypatch: Any,
) -> None:
    monkeypatch.setattr(context, "_seen", (float("-inf"), "", False))
    a_shift(dana, at)
    beat("pager:test:1", lane="crisis", at=at + dt.timedelta(minutes=30))
    doctor = browser_of("Dana", user=dana)
    page = doctor.opens("/profile/").page
    page.set_viewport_size({"width": 1000, "height": 400})
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    assert page.locator("#urgent").inner_text() == ""

    # Alice needs somebody: it stands in sight also far down the page, and in the name of the tab
    alert = an_alert(alice, at, trigger="X01")
    page.wait_for_selector("#urgent [data-alert]", timeout=15_000)
    assert "Act now: Alice Lindqvist" in page.locator("#urgent").inner_text()
    assert page.locator("#urgent").bounding_box()["y"] == 0 and page.title().startswith("Open alert")
    assert page.locator("#urgent").get_attribute("aria-live") == "assertive"

    # Somebody has it, and the lane falls silent
    acknowledge(alert, by=dana, at=at)
    the_clock.goes_on(minutes=31)
    page.get_by_text("Pages have not been sent for").wait_for(timeout=15_000)
    assert page.locator("#urgent [data-alert]").count() == 0
