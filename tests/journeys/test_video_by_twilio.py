"""A visit that Twilio carries, in a real browser: the page, our server's token and our side of Twilio's script.

Twilio's own script is not ours to run here; tests/video/twilio_video_stand_in.js stands in its place, behind the same address.
"""

from pathlib import Path
from typing import Any

import jwt
import pytest
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect

from accounts.models import User
from common import clock
from consults import actions as consults
from tests.conftest import log_in
from tests.journeys.test_video_visit import Program, has_no_barrier, says
from tests.journeys.test_video_visit import camera_browser as camera_browser
from tests.journeys.test_video_visit import line as line
from tests.journeys.test_video_visit import visit as visit
from tests.journeys.walker import PHONE, session_cookie
from tests.video.builders import her_seat, their_seat
from tests.video.test_twilio_carrier import twilio as twilio
from video import actions
from video.models import Room, Seat

STAND_IN = Path(__file__).parents[1] / "video" / "twilio_video_stand_in.js"
ROOM_AT_TWILIO = "RM00000000000000000000000000000001"


@pytest.fixture
def room(visit: Any, alice: User, dana: User, twilio: Any) -> Room:
    """Alice's visit, in a room at Twilio; she waited and is let in."""
    opened = consults.open_visit_room(visit, by=dana, at=clock.now())
    assert opened.vendor == "twilio"
    consults.arrive(visit, state_now="CA", by=alice, at=clock.now())
    assert log_in(Client(), alice).get(f"/video/{opened.pk}/").status_code == 200
    actions.admit(her_seat(opened), by=dana, at=clock.now())
    return opened


def her_browser(browser: Browser, site: str, alice: User) -> BrowserContext:
    context = browser.new_context(
        viewport=PHONE,  # type: ignore[arg-type]
        permissions=["camera", "microphone"],
        locale="en-US",
        timezone_id="America/Los_Angeles",
    )
    context.set_default_timeout(15_000)
    context.add_cookies([session_cookie(alice, site)])
    return context


def asked_of(page: Page, what: str, *values: Any) -> Any:
    return page.evaluate(f"(values) => window.standIn.{what}(...values)", list(values))


def waits_for(page: Page, *call: str) -> None:
    """Until the page has made these calls to Twilio's script, in this order, since it was asked last."""
    page.wait_for_function(
        "(wanted) => { const now = window.standIn.calls; if (JSON.stringify(now) !== JSON.stringify(wanted)) return false;"
        " now.length = 0; return true; }",
        arg=list(call),
    )


def picture_of(page: Page, seat: str) -> Any:
    """What is seen and heard of somebody, once a picture has come."""
    page.wait_for_function(
        "(seat) => document.querySelector(`#visit-people figure[data-seat='${seat}'] video`)?.videoWidth > 0",
        arg=seat,
    )
    return page.evaluate(
        """(seat) => {
          const {video} = {video: document.querySelector(`#visit-people figure[data-seat='${seat}'] video`)};
          const [picture] = video.srcObject.getVideoTracks();
          return {kinds: video.srcObject.getTracks().map((t) => t.kind).sort(), all: video.srcObject.getTracks().every((t) => t.enabled), paused: video.paused, picture: picture.id};
        }""",
        seat,
    )


@pytest.mark.slow
def test_a_visit_through_twilio_is_joined_seen_muted_shared_left_and_found_again(
    room: Room, alice: User, site: str, settings: Any, camera_browser: Browser, line: Program
) -> None:
    """TM-04"""
    context = her_browser(camera_browser, site, alice)
    others: list[str] = []
    context.route("https://**", lambda route: (others.append(route.request.url), route.abort()))
    context.route(
        "https://sdk.twilio.com/**",
        lambda route: route.fulfill(content_type="text/javascript", body=STAND_IN.read_text()),
    )
    page = context.new_page()
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))

    # She comes in with our server's token: of her seat, for this room at Twilio alone.
    page.goto(f"{site}/video/{room.pk}/")
    says(page, "You are in the visit.")
    waits_for(page, "connected")
    (token,) = page.evaluate("window.standIn.tokens")
    given = jwt.decode(token, settings.TWILIO_API_SECRET, algorithms=["HS256"])
    assert given["grants"] == {"identity": her_seat(room).pk.hex, "video": {"room": ROOM_AT_TWILIO}}
    assert asked_of(page, "published") == ["audio own on", "video own on"]

    # Her psychiatrist's picture and voice stand in one place, and play.
    dana = their_seat(room).pk.hex
    asked_of(page, "comes", dana)
    seen = picture_of(page, dana)
    assert (seen["kinds"], seen["all"], seen["paused"]) == (["audio", "video"], True, False)

    # Microphone and camera are switched at Twilio, so that the others are told.
    page.click("#visit-mic")
    waits_for(page, "disabled audio")
    page.click("#visit-cam")
    waits_for(page, "disabled video")
    assert asked_of(page, "published") == ["audio own off", "video own off"]
    page.click("#visit-mic")
    page.click("#visit-cam")
    waits_for(page, "enabled audio", "enabled video")

    # Her screen goes in the place of her camera, and the camera comes back. The camera's switch leaves a shown screen alone.
    page.click("#visit-screen")
    waits_for(page, "unpublished video", "published video")
    assert asked_of(page, "published") == ["audio own on", "video screen on"]
    page.click("#visit-cam")
    page.click("#visit-cam")
    assert asked_of(page, "published") == ["audio own on", "video screen on"]
    page.click("#visit-screen")
    waits_for(page, "unpublished video", "published video")
    assert asked_of(page, "published") == ["audio own on", "video own on"]
    # A screen that Twilio does not take is not said to be shown.
    page.evaluate("window.standIn.refusesToPublish = true")
    page.click("#visit-screen")
    says(page, "The picture could not be shown to the others")
    expect(page.locator("#visit-screen")).to_have_text("Share screen")
    page.evaluate("window.standIn.refusesToPublish = false; window.standIn.calls.length = 0")

    # Her psychiatrist shows a screen: it is what she sees, not the camera of before.
    asked_of(page, "shows", dana)
    shown = picture_of(page, dana)
    assert shown["kinds"] == ["audio", "video"] and shown["picture"] != seen["picture"]

    # Sound alone in one tap, in both directions; whoever comes to show something meanwhile is not seen either.
    page.evaluate("window.standIn.calls.length = 0")
    page.click("#visit-audio")
    expect(page.locator("#visit-audio")).to_have_text("Picture again")
    assert page.evaluate("window.standIn.calls").count("switched off video") == 1
    assert "video own on" not in asked_of(page, "published")
    asked_of(page, "shows", dana)
    assert page.evaluate("window.standIn.calls").count("switched off video") == 2
    page.evaluate("window.standIn.calls.length = 0")
    page.click("#visit-audio")
    assert "switched on video" in page.evaluate("window.standIn.calls")

    # A line that breaks is said, and that it came back.
    asked_of(page, "breaks")
    says(page, "The line broke. Trying again.")
    asked_of(page, "mends")
    says(page, "You are in the visit.")

    # The network was away longer than the token lasted: a fresh one is fetched, and the picture is there again.
    page.evaluate("window.standIn.calls.length = 0")
    asked_of(page, "ends", 20104)
    waits_for(page, "connected")
    says(page, "You are in the visit.")
    tokens = page.evaluate("window.standIn.tokens")
    fresh = jwt.decode(tokens[-1], settings.TWILIO_API_SECRET, algorithms=["HS256"])
    assert len(tokens) == 2 and fresh["grants"] == given["grants"]
    assert picture_of(page, dana)["kinds"] == ["audio", "video"]

    # The telephone in one tap, while the visit goes on.
    page.get_by_role("button", name="Call me instead").click()
    says(page, "They know that you would rather be called")
    assert Seat.objects.get(pk=her_seat(room).pk).phone_asked_at is not None

    # Somebody leaves, and so does she: camera and microphone are let go of.
    asked_of(page, "goes", dana)
    page.wait_for_selector(f"#visit-people figure[data-seat='{dana}']", state="detached")
    page.evaluate("window.standIn.calls.length = 0")
    page.click("#visit-leave")
    says(page, "You have left.")
    assert page.evaluate("window.standIn.calls") == ["left"]
    assert page.evaluate(
        "document.getElementById('visit-self').srcObject.getTracks().every((t) => t.readyState === 'ended')"
    )
    assert (broken, others) == ([], [])
    context.close()


def test_when_twilio_takes_nobody_the_page_says_so_offers_the_telephone_and_goes_on_trying(
    room: Room, alice: User, site: str, camera_browser: Browser, line: Program
) -> None:
    context = her_browser(camera_browser, site, alice)
    script = f"{STAND_IN.read_text()}\nwindow.standIn.refusals = 2;"
    context.route(
        "https://sdk.twilio.com/**",
        lambda route: route.fulfill(content_type="text/javascript", body=script),
    )
    page = context.new_page()
    page.clock.install()
    page.goto(f"{site}/video/{room.pk}/")
    says(page, "Sound and picture do not come through yet. Trying again.")
    assert page.locator("#visit-stuck").is_hidden(), "once is no reason to telephone"
    with page.expect_response("**/pass/"):
        page.clock.fast_forward(3_000)
    page.wait_for_selector("#visit-stuck:not([hidden])")
    assert "call" in page.locator("#visit-stuck").inner_text().lower()
    has_no_barrier(page)
    with page.expect_response("**/pass/"):
        page.clock.fast_forward(5_000)
    says(page, "You are in the visit.")
    assert page.locator("#visit-stuck").is_hidden()
    assert asked_of(page, "published") == ["audio own on", "video own on"]
    context.close()

    # Twilio's script is blocked or its server away: the same words, and chat and telephone work.
    context = her_browser(camera_browser, site, alice)
    context.route("https://sdk.twilio.com/**", lambda route: route.abort())
    page = context.new_page()
    page.goto(f"{site}/video/{room.pk}/")
    says(page, "Sound and picture do not come through yet. Trying again.")
    page.fill("#visit-text", "I hear nothing.")
    page.press("#visit-text", "Enter")
    says(page, "I hear nothing.", where="#visit-lines")
    page.get_by_role("button", name="Call me instead").click()
    says(page, "They know that you would rather be called")
    context.close()
