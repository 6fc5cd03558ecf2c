"""Pictures of the pages for docs/screenshots, of a freshly seeded demo that runs:

    python -m tests.journeys.shots --url http://127.0.0.1:8000

Run it right after the first `make up`: it begins the dosing day of the patient whose session is today.
"""

import argparse
import re
import struct
import zlib
from collections import Counter
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, sync_playwright

from common import clock
from portal.walkthrough.totp import code_of, wait_s
from portal.walkthrough.walk import log_ins_from
from tests.browsers import ARGUMENTS, browser_path

ROOT = Path(__file__).resolve().parents[2]
PHONE, DESKTOP = ViewportSize(width=360, height=780), ViewportSize(width=1280, height=800)
PATIENT_LINE = re.compile(r"^patient\s+(\S+@\S+)\s+(.+)$")


class Photographer:
    """Goes about the demo with a camera."""

    def __init__(self, browser: Browser, url: str, log_ins: Path, out: Path) -> None:
        self.browser, self.url, self.out = browser, url.rstrip("/"), out
        self.staff = log_ins_from(log_ins)
        self.patients = {
            m[2]: m[1] for line in log_ins.read_text().splitlines() if (m := PATIENT_LINE.match(line.strip()))
        }
        self.password = next(iter(self.staff.values())).password

    def somebody(self, who: str = "", *, phone: bool = False) -> Page:
        """A browser: of nobody, of a member of staff, or of the patient at that stage."""
        context: BrowserContext = self.browser.new_context(
            viewport=PHONE if phone else DESKTOP, timezone_id="America/Los_Angeles"
        )
        page = context.new_page()
        if not who:
            return page
        email = self.staff[who].email if who in self.staff else self.patients[who]
        page.goto(f"{self.url}/accounts/login/")
        page.fill("[name=login]", email)
        page.fill("[name=password]", self.password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_load_state("load")
        while page.locator("[name=code]").count():
            page.fill("[name=code]", code_of(self.staff[who].secret, clock.wall_time_s()))
            page.get_by_role("button", name="Sign in", exact=True).click()
            page.wait_for_load_state("load")
            if page.locator("[name=code]").count():
                clock.sleep(wait_s(clock.wall_time_s()) + 0.5)
        return page

    def shows(self, page: Page, path: str, name: str) -> None:
        """Open a page (or keep the one that is open) and take its picture."""
        if path:
            page.goto(self.url + path)
        page.wait_for_load_state("load")
        file = self.out / f"{name}.png"
        page.screenshot(path=file, animations="disabled")
        smaller(file)
        print(f"{file.name:<36} {file.stat().st_size // 1024:>4} kB  {page.url[len(self.url) :]}")


def smaller(file: Path) -> None:
    """Write a picture again with 255 colours: a third of the size, and nobody sees it on a page of text."""
    data, chunks, at = file.read_bytes(), [], 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
    if (depth, interlaced) != (8, 0) or kind not in (2, 6):
        return
    size = 3 if kind == 2 else 4
    raw = zlib.decompress(b"".join(body for name, body in chunks if name == b"IDAT"))
    pixels: list[bytes] = []
    above = bytearray(width * size)
    for y in range(height):
        start = y * (width * size + 1)
        above = _unfiltered(raw[start], bytearray(raw[start + 1 : start + 1 + width * size]), above, size)
        pixels += [bytes(above[x : x + 3]) for x in range(0, width * size, size)]
    palette = [colour for colour, _ in Counter(pixels).most_common(255)]
    index = {colour: number for number, colour in enumerate(palette)}
    for colour in set(pixels) - set(index):
        index[colour] = min(
            range(len(palette)),
            key=lambda n: sum((a - b) ** 2 for a, b in zip(palette[n], colour, strict=True)),
        )
    rows = b"".join(
        b"\0" + bytes(index[one] for one in pixels[y * width : (y + 1) * width]) for y in range(height)
    )
    written = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", b"".join(palette)),
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    ]
    file.write_bytes(
        data[:8]
        + b"".join(
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
            for name, body in written
        )
    )


def _unfiltered(how: int, row: bytearray, above: bytearray, size: int) -> bytearray:
    """One row of a PNG as it was before its filter."""
    for x in range(len(row)):
        left = row[x - size] if x >= size else 0
        corner = above[x - size] if x >= size else 0
        if how == 1:
            row[x] = (row[x] + left) & 255
        elif how == 2:
            row[x] = (row[x] + above[x]) & 255
        elif how == 3:
            row[x] = (row[x] + (left + above[x]) // 2) & 255
        elif how == 4:
            guess = left + above[x] - corner
            near = min((abs(guess - one), order, one) for order, one in enumerate((left, above[x], corner)))[
                2
            ]
            row[x] = (row[x] + near) & 255
    return row


def link(page: Page, pattern: str) -> str:
    """The first address on the page that matches."""
    hrefs = page.eval_on_selector_all("main a[href]", "all => all.map(one => one.getAttribute('href'))")
    return next(str(href) for href in hrefs if re.search(pattern, href))


def visitors(camera: Photographer) -> None:
    desk, phone = camera.somebody(), camera.somebody(phone=True)
    camera.shows(desk, "/", "home-desktop")
    camera.shows(desk, "/evidence/", "evidence-desktop")
    camera.shows(phone, "/", "home-phone")
    camera.shows(phone, "/pricing/", "pricing-phone")
    camera.shows(phone, "/assessment/why/", "assessment-phone")
    phone.check("input[value=crisis]")
    phone.check("input[name=low_mood][value='3']")
    phone.check("input[name=worry][value='3']")
    phone.get_by_role("button", name="Next").click()
    camera.shows(phone, "", "crisis-answer-phone")


def patients(camera: Photographer) -> None:
    camera.shows(camera.somebody("after two", phone=True), "/home/", "patient-home-phone")
    half = camera.somebody("half way", phone=True)
    camera.shows(half, "/intake/", "intake-phone")
    camera.shows(half, "/intake/phq9/", "phq9-phone")
    camera.shows(camera.somebody("accepted", phone=True), "/billing/", "payments-phone")
    camera.shows(camera.somebody("finished"), "/outcomes/", "progress-desktop")
    camera.shows(camera.somebody("finished", phone=True), "/outcomes/", "progress-phone")


def a_dosing_day(camera: Photographer) -> None:
    patient = camera.somebody("today", phone=True)
    patient.goto(f"{camera.url}/sessions/")
    room = link(patient, r"/sessions/[0-9a-f-]{36}/$")
    camera.shows(patient, room, "session-before-phone")
    patient.get_by_role("button", name="Begin the day").click()
    camera.shows(patient, "", "session-questions-phone")
    for name in patient.eval_on_selector_all(
        "main input[type=radio]", "all => [...new Set(all.map(one => one.name))]"
    ):
        patient.check(
            f"input[name={name}][value={'yes' if name in ('fasted', 'holds_followed', 'safe_now') else 'no'}]"
        )
    patient.get_by_role("button", name="Save and go on").click()
    patient.get_by_role("button", name="This is right").click()
    patient.fill("[name=name]", "Sam Sitter")
    patient.fill("[name=phone]", "(415) 555-0188")
    patient.get_by_role("button", name="Send the link").click()
    camera.shows(patient, "", "session-reading-phone")
    admin = camera.somebody("ann")
    camera.shows(admin, "/outbox/", "outbox-desktop")
    found = re.search(r"/s/[\w-]{20,}/", admin.content())
    if found:
        camera.shows(camera.somebody(phone=True), found[0], "sitter-phone")
    camera.shows(admin, "/admin/", "admin-desktop")


def staff(camera: Photographer) -> None:
    doctor, coach = camera.somebody("dana"), camera.somebody("cole")
    camera.shows(doctor, "/queue/", "queue-desktop")
    camera.shows(doctor, "/alerts/", "alerts-desktop")
    if doctor.locator("main a[href^='/alerts/']").count():
        camera.shows(doctor, link(doctor, r"/alerts/[0-9a-f-]{36}/$"), "alert-desktop")
    doctor.goto(f"{camera.url}/queue/")
    doctor.goto(camera.url + link(doctor, r"/queue/[0-9a-f-]{36}/$|/chart/"))
    take = doctor.get_by_role("button", name="Take it and open the chart")
    if take.count():
        take.click()
    camera.shows(doctor, "", "chart-desktop")
    camera.shows(coach, "/coaching/", "caseload-desktop")
    camera.shows(coach, "/sessions/", "sessions-desktop")
    coach.goto(f"{camera.url}/sessions/")
    camera.shows(coach, link(coach, r"/sessions/[0-9a-f-]{36}/$"), "session-desk-desktop")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--logins", type=Path, default=ROOT / "var" / "demo-logins.txt")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "screenshots")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=ARGUMENTS)
        camera = Photographer(browser, options.url, options.logins, options.out)
        for part in (visitors, patients, a_dosing_day, staff):
            part(camera)
        browser.close()


if __name__ == "__main__":
    main()
