"""Goes about the running practice with a camera, as whoever a page is for."""

import io
import re
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from django.core.management import call_command
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize

from accounts.models import Patient, User
from common import clock
from tests.barriers import barriers, too_wide_px
from tests.journeys.walker import session_cookie

PHONE, DESKTOP = ViewportSize(width=360, height=780), ViewportSize(width=1280, height=800)
# About three hundred pictures shall stay below twelve megabytes together.
MOST_BYTES = 38_000
TALLEST = {360: 1700, 1280: 1500}
PATIENT_LINE = re.compile(r"^patient\s+(\S+@\S+)\s+(.+)$")


@dataclass
class Picture:
    """One picture that was taken, and what the index says about it."""

    area: str
    name: str
    caption: str
    address: str


@dataclass
class Camera:
    """Browsers of everybody, and every picture they took."""

    browser: Browser
    url: str
    log_ins: Path
    out: Path
    judge: bool = False
    dark: bool = False
    taken: list[Picture] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    area: str = ""
    # People the log-ins do not name, by the first part of their address.
    known: dict[str, User] = field(default_factory=dict)
    _pages: dict[tuple[str, int], Page] = field(default_factory=dict)
    _since: dict[Page, float] = field(default_factory=dict)

    # --- who ---

    def person(self, who: str) -> User:
        """A member of staff by the first part of their address, a patient by their stage ("after two"), or "doctor of …"."""
        if who in self.known:
            return self.known[who]
        for role in ("doctor", "coach"):
            if who.startswith(f"{role} of "):
                team = self.patient(who.removeprefix(f"{role} of ")).care_team
                found = team.psychiatrist if role == "doctor" else team.coach
                assert found is not None, who
                return found
        stages = {
            match[2]: match[1]
            for line in self.log_ins.read_text().splitlines()
            if (match := PATIENT_LINE.match(line.strip()))
        }
        return User.objects.get(email=stages.get(who, f"{who}@hearthside.example"))

    def patient(self, stage: str) -> Patient:
        """The patient at that stage, with the care team."""
        return Patient.objects.select_related("care_team__psychiatrist", "care_team__coach", "user").get(
            pk=self.person(stage).pk
        )

    def page(self, who: str = "", *, phone: bool = False) -> Page:
        """Their browser; nobody's when there is no name."""
        size = PHONE if phone else DESKTOP
        if (who, size["width"]) not in self._pages:
            context = self.browser.new_context(
                viewport=size,
                timezone_id="America/Los_Angeles",
                locale="en-US",
                color_scheme="dark" if self.dark else "light",
                permissions=["camera", "microphone"],
            )
            context.set_default_timeout(15_000)
            if who and who != "sitter":
                context.add_cookies([session_cookie(self.person(who), self.url)])
            self._pages[(who, size["width"])] = context.new_page()
        return self._pages[(who, size["width"])]

    def waits_until(self, at: datetime) -> None:
        """Move the demo's clock there; everybody logs in anew, because a log-in lasts hours."""
        ahead_s = int((at - clock.now()).total_seconds())
        if ahead_s > 0:
            call_command("clock", advance=f"{ahead_s}s")
            self.leaves(*{who for who, _ in self._pages})

    def leaves(self, *who: str) -> None:
        """Close the browsers of these people: their link or visit is over."""
        for key in [key for key in self._pages if key[0] in who]:
            self._pages.pop(key).context.close()

    # --- pictures ---

    def shows(
        self, who: str, path: str, name: str, caption: str, *, both: bool = False, phone: bool = False
    ) -> None:
        """Open a page and keep its picture: at 1280 px, at 360 px (`phone`), or at each (`both`)."""
        for small in (False, True) if both else (phone,):
            page = self.page(who, phone=small)
            self._logs_in_again(page, who)
            answer = page.goto(self.url + path)
            if answer is None or answer.status >= 400:
                self.trouble.append(f"{name}: {answer and answer.status} from {path} for {who or 'nobody'}")
                continue
            # The administration has an /admin/accounts/ of its own.
            if urlsplit(page.url).path.startswith("/accounts/") and not path.startswith("/accounts/"):
                self.trouble.append(f"{name}: {path} asks {who or 'nobody'} to log in")
                continue
            self.keeps(page, name, caption)

    def _logs_in_again(self, page: Page, who: str) -> None:
        """What is signed asks for a second factor of the last five minutes, and a whole round takes longer."""
        if who and who != "sitter" and time.monotonic() - self._since.get(page, 0) > 120:
            page.context.add_cookies([session_cookie(self.person(who), self.url)])
            self._since[page] = time.monotonic()

    def keeps(self, page: Page, name: str, caption: str) -> None:
        """Keep a picture of the page that is open."""
        page.wait_for_load_state("load")
        width = (page.viewport_size or DESKTOP)["width"]
        address = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "…", page.url[len(self.url) :].split("?")[0])
        address = re.sub(r"^(/s/|/v/|/introduction/link/)[^/]+", r"\1…", address)
        file = self.out / f"{name}-{width}.webp"
        written = smaller(
            page.screenshot(animations="disabled", full_page="/admin/" not in page.url, caret="hide"),
            TALLEST[width],
        )
        file.write_bytes(written)
        self.taken.append(Picture(self.area, file.name, caption, address))
        print(f"{file.name:<44} {len(written) // 1000:>3} kB  {address}", flush=True)
        if self.judge:
            self._judges(page, file.name)

    def _judges(self, page: Page, name: str) -> None:
        if wide := too_wide_px(page):
            self.trouble.append(f"{name}: {wide} px wider than the screen")
        heads = page.locator("h1").count()
        if heads != 1:
            self.trouble.append(f"{name}: {heads} h1")
        self.trouble += [f"{name}: {one}" for one in barriers(page)]


def smaller(png: bytes, tallest: int) -> bytes:
    """The top of the page as WebP, in the best quality that stays below the limit."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    if picture.height > tallest:
        picture = picture.crop((0, 0, picture.width, tallest))
    written = b""
    for quality in (72, 60, 48, 36, 26, 18):
        out = io.BytesIO()
        picture.save(out, "WEBP", quality=quality, method=6)
        written = out.getvalue()
        if len(written) <= MOST_BYTES:
            break
    return written
