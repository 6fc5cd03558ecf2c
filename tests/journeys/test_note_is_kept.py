"""The psychiatrist types a note and never presses "Save": what was typed is there again, also after the tab was closed."""

import datetime as dt
import re
import time
from collections.abc import Callable
from typing import Any

from django.test import Client
from playwright.sync_api import expect

from accounts.models import User
from common import clock
from consults.models import VisitNote
from tests.conftest import log_in
from tests.consults.builders import an_appointment
from tests.journeys.walker import Walker

Browsers = Callable[..., Walker]
AUTOSAVE = re.compile(r"/autosave/$")


def test_what_is_typed_into_a_note_survives_a_closed_tab_and_gives_way_to_another_window(
    browser_of: Browsers, alice: User, dana: User, protocol_version: Any
) -> None:
    """HZ-20"""
    visit = an_appointment(alice, dana, clock.now() - dt.timedelta(minutes=20))
    address = f"/consults/visit/{visit.pk}/"
    doctor = browser_of("Dana", user=dana)
    doctor.page.clock.install()
    doctor.opens(address).types("plan", "Two sessions, one week apart.")

    # A quarter of a minute later it is kept, and the page says so.
    with doctor.page.expect_response(AUTOSAVE) as kept:
        doctor.page.clock.fast_forward(15_000)
    assert kept.value.status == 200
    expect(doctor.page.locator("#saved")).to_contain_text("Draft, kept at")
    assert VisitNote.objects.get().body["plan"] == "Two sessions, one week apart."

    # And what was typed since, when the tab is closed before that.
    doctor.types("risk", "None voiced today.")
    doctor.page.close(run_before_unload=True)
    doctor.page = doctor.context.new_page()
    until = time.monotonic() + 10
    while VisitNote.objects.get().version < 3 and time.monotonic() < until:
        doctor.page.wait_for_timeout(50)
    doctor.opens(address)
    assert doctor.page.locator("[name=risk]").input_value() == "None voiced today."
    assert doctor.page.locator("[name=plan]").input_value() == "Two sessions, one week apart."

    # In another window somebody kept a newer one: nothing is overwritten, the words stay on the page, and it says what to do.
    note = VisitNote.objects.get()
    other = log_in(Client(), dana)
    saved = other.post(
        f"{address}autosave/",
        {
            "intent": "0d1f3b1e-6b77-4c5e-8a52-cc0e6e5f4a01",
            "version": note.version,
            "plan": "Three weeks apart.",
        },
    )
    assert saved.status_code == 200
    doctor.page.clock.install()
    doctor.types("plan", "Typed in the older window.")
    doctor.page.clock.fast_forward(16_000)
    expect(doctor.page.locator("#saved")).to_contain_text("changed in another window")
    assert VisitNote.objects.get().body["plan"] == "Three weeks apart."
    assert doctor.page.locator("[name=plan]").input_value() == "Typed in the older window."
