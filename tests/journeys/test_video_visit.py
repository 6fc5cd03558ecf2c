"""Two real browsers see and hear each other through a relay, and a cut of twenty seconds costs them nothing but the twenty seconds."""

import datetime as dt
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from playwright.sync_api import Browser, Page

from accounts.models import User
from consults import actions as consults
from tests.barriers import barriers
from tests.browsers import ARGUMENTS, FAKE_DEVICES, browser_path
from tests.consults.builders import an_appointment, any_protocol
from tests.journeys.walker import PHONE, Walker, new_walker
from video import rules

SECRET = "a secret that only the relay shares"


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def listens(port: int, *, within_s: float = 30) -> None:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        with socket.socket() as tried:
            tried.settimeout(0.2)
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"nothing listens on {port}")


class Program:
    """A process of this test, which it may stop, freeze and start again."""

    def __init__(self, command: list[str], port: int, log: Path, **environment: str) -> None:
        self.command, self.port, self.log, self.environment = command, port, log, environment
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Program":
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                self.command,
                stdout=out,
                stderr=out,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        listens(self.port)
        return self

    def send(self, number: int) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, number)

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.send(signal.SIGKILL)
            self.process.wait(10)


@pytest.fixture
def relay(tmp_path: Path, settings: Any) -> Iterator[Program]:
    """coturn on loopback, with the secret that the site shares with it."""
    found = shutil.which("turnserver")
    if not found:
        if os.environ.get("CI"):
            pytest.fail("coturn is not installed; `make test` installs it")
        pytest.skip("coturn is not installed (apt-get install coturn)")
    port = free_port()
    command = [
        found, "-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", f"--listening-port={port}",
        "--use-auth-secret", f"--static-auth-secret={SECRET}", "--realm=test", "--allow-loopback-peers",
        "--no-tls", "--no-dtls", "--no-cli", "--min-port=49200", "--max-port=49300", "--log-file=stdout",
        f"--pidfile={tmp_path / 'turn.pid'}", f"--userdb={tmp_path / 'turn.db'}",
    ]  # fmt: skip
    settings.TURN_URLS, settings.TURN_SECRET = [f"turn:127.0.0.1:{port}?transport=udp"], SECRET
    settings.VIDEO_RELAY_ONLY = True
    program = Program(command, port, tmp_path / "turn.log").start()
    yield program
    program.kill()


@pytest.fixture
def line(site: str, settings: Any, tmp_path: Path) -> Iterator[Program]:
    """The WebSocket process of `make up`, on this test's database and clock."""
    port = free_port()
    settings.WS_PORT = str(port)
    at = connection.settings_dict
    url = f"postgres://{at['USER']}:{at['PASSWORD'] or ''}@{at['HOST']}:{at['PORT']}/{at['NAME']}"
    program = Program(
        [sys.executable, "-m", "granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--no-access-log", "config.asgi:application"],
        port,
        tmp_path / "ws.log",
        DATABASE_URL=url,
        SITE_URL=site,
        SECRET_KEY=django_settings.SECRET_KEY,
        HEARTHSIDE_TEST_CLOCK="1",
        HEARTHSIDE_TEST_CLOCK_FILE=str(settings.TEST_CLOCK_FILE),
        DJANGO_SETTINGS_MODULE="config.settings",
    ).start()  # fmt: skip
    yield program
    program.kill()


@pytest.fixture
def camera_browser(chromium: Browser) -> Iterator[Browser]:
    """A browser whose camera shows a moving clock and whose microphone beeps."""
    browser = chromium.browser_type.launch(executable_path=browser_path(), args=[*ARGUMENTS, *FAKE_DEVICES])
    yield browser
    browser.close()


def says(page: Page, words: str, *, where: str = "#visit-status", within_s: float = 20) -> None:
    """Wait until the page says these words there."""
    until = time.monotonic() + within_s
    while words not in page.locator(where).inner_text():
        assert time.monotonic() < until, f"“{words}” is not said: {page.locator(where).inner_text()}"
        page.wait_for_timeout(200)


HER_PLACE = "#visit-people figure[data-seat] figcaption"

RECEIVED = """async () => {
  const found = {frames: 0, energy: 0, relay: [], peers: window.visit.peers.size};
  for (const peer of window.visit.peers.values()) {
    const report = await peer.connection.getStats();
    const all = [...report.values()];
    for (const one of all) {
      if (one.type === 'inbound-rtp' && one.kind === 'video') found.frames += one.framesDecoded || 0;
      if (one.type === 'inbound-rtp' && one.kind === 'audio') found.energy += one.totalAudioEnergy || 0;
      if (one.type === 'candidate-pair' && one.nominated && one.state === 'succeeded') found.relay.push(report.get(one.localCandidateId).candidateType);
    }
  }
  return found;
}"""


def receives(page: Page, *, more_than: dict[str, Any] | None = None, within_s: float = 30) -> dict[str, Any]:
    """Wait until this page decodes new pictures and hears new sound; answers the figures."""
    before = more_than or {"frames": 0, "energy": 0}
    until = time.monotonic() + within_s
    found: dict[str, Any] = {}
    while time.monotonic() < until:
        found = page.evaluate(RECEIVED)
        if found["frames"] > before["frames"] + 5 and found["energy"] > before["energy"]:
            return found
        page.wait_for_timeout(300)
    raise AssertionError(
        f"no new picture or sound within {within_s} s: {before} -> {found}; {page.locator('#visit-status').inner_text()}"
    )


@pytest.fixture
def visit(alice: User, dana: User, at: dt.datetime, the_clock: Any) -> Any:
    """Alice's consult with Dana, beginning in five minutes."""
    any_protocol(at, dana)
    return an_appointment(alice, dana, at + dt.timedelta(minutes=5))


def has_no_barrier(page: Page) -> None:
    """axe, whatever was checked before on a page of this address."""
    assert barriers(page) == []


def presses_by_keyboard(page: Page, button: str) -> None:
    page.locator(button).focus()
    page.keyboard.press("Enter")


def switches_work(hers: Page, theirs: Page) -> None:
    """The microphone by keyboard: the other page reads that it is off, and hears again when it is on."""
    presses_by_keyboard(hers, "#visit-mic")
    says(theirs, "microphone off", where="#visit-people figure[data-seat] figcaption")
    presses_by_keyboard(hers, "#visit-mic")
    receives(theirs, more_than=theirs.evaluate(RECEIVED))


def what_is_not_shown_is_said(hers: Page, theirs: Page) -> None:
    """Her camera: the other page shows a dark place with her name and says why; the picture comes back as it went."""
    presses_by_keyboard(hers, "#visit-cam")
    says(theirs, "Alice Lindqvist, camera off", where=HER_PLACE)
    theirs.wait_for_selector("#visit-people figure[data-seat].visit__person--dark")
    assert theirs.locator("#visit-people figure[data-seat] video").evaluate(
        "v => getComputedStyle(v).opacity"
    ) in ("0", 0)
    presses_by_keyboard(hers, "#visit-cam")
    theirs.wait_for_selector("#visit-people figure[data-seat]:not(.visit__person--dark)")
    receives(theirs, more_than=theirs.evaluate(RECEIVED))


def a_screen_is_shared_and_seen(theirs: Page, hers: Page) -> None:
    """The doctor's screen goes where the doctor's camera was, and the caption says so until it ends."""
    theirs.click("#visit-screen")
    says(hers, "Dana Reyes, shows a screen", where=HER_PLACE)
    sent = "() => [...window.visit.peers.values()][0].senders.video.track.getSettings().displaySurface || 'camera'"
    assert theirs.evaluate(sent) == "monitor"
    receives(hers, more_than=hers.evaluate(RECEIVED))
    theirs.click("#visit-screen")
    hers.wait_for_function(
        "() => document.querySelector('#visit-people figure[data-seat] figcaption').textContent === 'Dana Reyes'"
    )
    assert theirs.evaluate(sent) == "camera"


def sound_alone_in_one_tap(hers: Page, theirs: Page) -> None:
    """No picture leaves or reaches her page any more, the voice goes on; and one tap brings the pictures back."""
    theirs.click("#visit-screen")
    hers.click("#visit-screen")
    says(theirs, "shows a screen", where=HER_PLACE)
    hers.click("#visit-audio")
    says(theirs, "Alice Lindqvist, camera off", where=HER_PLACE)
    # Her shared screen went with the picture: nobody reads that something is shown which is not sent.
    assert "shows a screen" not in theirs.locator(HER_PLACE).inner_text()
    hers.wait_for_timeout(1_000)  # What was on its way has come.
    before = {"hers": hers.evaluate(RECEIVED), "theirs": theirs.evaluate(RECEIVED)}
    hers.wait_for_timeout(1_500)
    after = {"hers": hers.evaluate(RECEIVED), "theirs": theirs.evaluate(RECEIVED)}
    for side in ("hers", "theirs"):
        assert after[side]["frames"] == before[side]["frames"], side
        assert after[side]["energy"] > before[side]["energy"], side
    # Whoever wants the camera wants pictures again.
    hers.click("#visit-cam")
    says(hers, "Sound only", where="#visit-audio")
    theirs.click("#visit-screen")
    receives(theirs, more_than=after["theirs"])
    receives(hers, more_than=after["hers"])


def a_password_that_ended_is_replaced_while_they_talk(page: Page) -> None:
    """The page's clock moved on by five minutes and a half: it fetches another pass by itself, for the connection it has."""
    name = "() => [...window.visit.peers.values()][0].connection.getConfiguration().iceServers[0].username"
    before = page.evaluate(name)
    with page.expect_response(lambda answer: answer.url.endswith("/pass/")) as fetched:
        page.clock.fast_forward(330_000)
    assert fetched.value.status == 200
    page.wait_for_function(f"was => ({name})() !== was", arg=before)
    assert int(page.evaluate(name).split(":")[0]) > int(before.split(":")[0]) + 3_000
    says(page, "You are in the visit")


@pytest.mark.slow
def test_two_people_see_and_hear_each_other_through_the_relay_and_survive_a_cut(
    visit: Any,
    alice: User,
    dana: User,
    site: str,
    relay: Program,
    line: Program,
    camera_browser: Browser,
    monkeypatch: Any,
) -> None:
    # Given a relay whose first passwords end while they talk
    monkeypatch.setattr("video.gateways.peer.RELAY_SECONDS", 20)
    # And Alice, who says where she is, and so comes to the waiting room
    patient: Walker = new_walker(
        camera_browser, site, "Alice", user=alice, permissions=["camera", "microphone"], viewport=PHONE
    )
    patient.page.clock.install()
    patient.opens(f"/consults/{visit.pk}/join/")
    patient.types("date_of_birth", "1988-04-02").picks("state_now", "CA")
    patient.chooses("at_address", "yes").presses("I am here")
    patient.is_at("/video/").sees("Waiting room", "Dana Reyes knows that you are here", "Before you nobody")

    # When Dana, who reads something else, sees within seconds who waits, opens the room, and lets her in on the page
    doctor: Walker = new_walker(camera_browser, site, "Dana", user=dana, permissions=["camera", "microphone"])
    doctor.opens("/calendar/")
    says(doctor.page, "Alice Lindqvist waits for your visit", where="#who-waits")
    assert "Somebody waits" in doctor.page.title()
    doctor.follows("Open the room")
    doctor.is_at("/video/").sees("Alice Lindqvist", "waiting since")
    says(doctor.page, "You are in the visit")
    doctor.page.get_by_role("button", name="Let in").click()

    # Then Alice's page goes on by itself, and each sees and hears the other, through the relay alone
    patient.page.wait_for_selector("#visit-mic", timeout=20_000)
    patient.looks()
    hers, theirs = receives(patient.page), receives(doctor.page)
    assert set(hers["relay"]) == {"relay"} and set(theirs["relay"]) == {"relay"}
    assert hers["peers"] == theirs["peers"] == 1

    # And each knows who is there; what one switches off, the other reads, and does not get
    says(patient.page, "With you now: Dana Reyes", where="#visit-who")
    says(doctor.page, "With you now: Alice Lindqvist", where="#visit-who")
    switches_work(patient.page, doctor.page)
    what_is_not_shown_is_said(patient.page, doctor.page)
    a_screen_is_shared_and_seen(doctor.page, patient.page)
    sound_alone_in_one_tap(patient.page, doctor.page)
    monkeypatch.setattr("video.gateways.peer.RELAY_SECONDS", rules.RELAY_SECONDS)
    a_password_that_ended_is_replaced_while_they_talk(patient.page)
    for walker in (patient, doctor):
        for theme in ("dark", "light"):
            walker.page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            has_no_barrier(walker.page)

    # And a word in the chat arrives as a word, not as markup
    patient.page.fill("#visit-text", "<b>Can you hear me?</b>")
    patient.page.press("#visit-text", "Enter")
    says(doctor.page, "<b>Can you hear me?</b>", where="#visit-lines")

    # When everything between them is cut for twenty seconds, and the relay forgets whom it knew: only a new password opens it
    relay.kill()
    line.kill()
    says(patient.page, "line broke")
    time.sleep(20)
    line.start()
    relay.start()

    # Then nobody has lost the room: no waiting room, no press of a button, and new pictures and sound
    receives(patient.page, more_than=patient.page.evaluate(RECEIVED), within_s=40)
    receives(doctor.page, more_than=doctor.page.evaluate(RECEIVED), within_s=40)
    patient.is_at("/video/")
    says(patient.page, "You are in the visit")
    says(doctor.page, "You are in the visit")

    # And when Dana ends the visit, it is over for both, and the room does not open again
    doctor.page.get_by_role("button", name="End the visit for everybody").click()
    doctor.page.wait_for_url("**/consults/visit/**")
    says(patient.page, "over")
    patient.page.reload()
    patient.sees("This visit is over")
    finding = consults.close_by_attendance(at=visit.ends_at + dt.timedelta(minutes=31))
    visit.refresh_from_db()
    assert finding["no_show"] == 0 and visit.state in ("booked", "completed")


def test_a_second_window_takes_the_visit_over_and_the_first_says_so(
    visit: Any, alice: User, dana: User, site: str, line: Program, camera_browser: Browser
) -> None:
    consults.arrive(visit, state_now="CA", by=alice, at=visit.starts_at)
    room = consults.open_visit_room(visit, by=dana, at=visit.starts_at)
    first = new_walker(camera_browser, site, "Dana", user=dana)
    first.opens(f"/video/{room.pk}/")
    says(first.page, "You are in the visit")
    second = new_walker(camera_browser, site, "Dana again", user=dana)
    second.page.clock.install()
    second.opens(f"/video/{room.pk}/")
    says(second.page, "You are in the visit")
    says(first.page, "another page or device")

    # And when her log-in ends meanwhile, she reads it, and the visit goes on
    second.page.context.clear_cookies()
    second.page.clock.fast_forward(330_000)
    says(second.page, "Your log-in has ended. The visit goes on")
    assert second.page.evaluate("window.visit.line") == 1
    assert second.page.locator("#visit-bar").is_visible()


def test_somebody_who_waits_reads_that_it_gets_later_and_that_the_clinician_sees_them_leave(
    visit: Any, alice: User, dana: User, site: str, line: Program, browser_of: Any
) -> None:
    """The waiting room on a phone: running late, a line that does not come back, the telephone in one press."""
    consults.arrive(visit, state_now="CA", by=alice, at=visit.starts_at - dt.timedelta(minutes=4))
    room = consults.open_visit_room(visit, by=alice, at=visit.starts_at - dt.timedelta(minutes=4))
    patient = browser_of("Alice", user=alice, phone=True)
    patient.opens(f"/video/{room.pk}/").sees("Waiting room", "Before you nobody", "Call me instead")
    doctor = browser_of("Dana", user=dana)
    doctor.opens(f"/consults/visit/{visit.pk}/")
    doctor.page.get_by_text("Running late?").click()
    doctor.picks("minutes", "15").presses("Tell the patient").sees("They know of 15 minutes")
    says(patient.page, "Running about 15 minutes late", where="#visit-late")
    says(patient.page, "am", where="#visit-expected")

    # When the line goes and does not come back, she reads the number to call in large letters, and can ask to be called
    line.kill()
    patient.page.wait_for_selector("#visit-stuck:not([hidden])", timeout=40_000)
    patient.sees("The line does not come back", django_settings.PRACTICE["phone"])
    has_no_barrier(patient.page)
    patient.presses("Call me instead").sees("They know that you would rather be called")
    doctor.opens("/calendar/")
    says(doctor.page, "asks to be called", where="#who-waits")


def test_a_missed_visit_is_met_kindly_and_another_time_found(
    visit: Any, alice: User, dana: User, site: str, browser_of: Any, the_clock: Any
) -> None:
    from tests.consults.builders import weekly_hours
    from tests.intake.builders import an_accepted_intake

    weekly_hours(dana)
    an_accepted_intake(alice, dana, visit.starts_at - dt.timedelta(days=3))
    consults.open_visit_room(visit, by=dana, at=visit.starts_at)
    the_clock.stands_at(visit.starts_at + dt.timedelta(minutes=20))
    doctor = browser_of("Dana", user=dana)
    doctor.opens(f"/consults/visit/{visit.pk}/").presses("The patient did not come")
    patient = browser_of("Alice", user=alice, phone=True)
    patient.opens(f"/consults/{visit.pk}/").sees("Missed", "We missed you", "write to us")
    patient.follows("Find another time").is_at("/consults/book/consult/")
    # And at the old door she reads what to do if she is there after all.
    patient.opens(f"/consults/{visit.pk}/join/").sees("marked as missed", "there may still be time")
