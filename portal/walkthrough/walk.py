"""One walk: the people in it, the clock they share, and what each step has to show."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from common import clock
from portal.walkthrough.browser import Browser
from portal.walkthrough.pages import Form, NotThere, Page
from portal.walkthrough.totp import code_of, wait_s

ZONE = "America/Los_Angeles"
STAFF_LINE = re.compile(r"^(\w+)\s+(\S+@\S+)\s+second factor \(TOTP secret\): (\S+)$")
PASSWORD_LINE = re.compile(r"^Everybody's password: (.+)$")
REAUTHENTICATE = "/accounts/2fa/reauthenticate/"
PATIENCE_S = 45.0


@dataclass(frozen=True)
class LogIn:
    """How a member of the demo's staff logs in."""

    role: str
    email: str
    password: str
    secret: str


def log_ins_from(path: Path) -> dict[str, LogIn]:
    """The staff of the demo by the first part of their address. Raises NotThere when the file is missing."""
    if not path.exists():
        raise NotThere(f"{path} does not exist: the walk needs the demo practice that `make up` loads")
    password, found = "", {}
    for line in path.read_text().splitlines():
        if match := PASSWORD_LINE.match(line.strip()):
            password = match[1]
        if match := STAFF_LINE.match(line.strip()):
            found[match[2].split("@")[0]] = LogIn(match[1], match[2], password, match[3])
    return found


@dataclass
class Walk:
    """What the steps share."""

    site: str
    log_ins: dict[str, LogIn]
    advance: Callable[[int], object]
    say: Callable[[str], None]
    stamp: str
    people: dict[str, Browser] = field(default_factory=dict)
    known: dict[str, Any] = field(default_factory=dict)
    page: Page = field(default_factory=lambda: Page("", 0, ""))

    # --- people ---

    def browser(self, who: str) -> Browser:
        """Somebody's own browser; made when they first appear."""
        if who not in self.people:
            self.people[who] = Browser(self.site, who)
        return self.people[who]

    @property
    def patient_name(self) -> str:
        return f"Wanda Walker {self.stamp}"

    @property
    def patient_email(self) -> str:
        return f"wanda.{self.stamp.lower()}@patients.example"

    def staff(self, name: str) -> Browser:
        """A member of staff, logged in with both factors."""
        browser = self.browser(name)
        if browser.page.path:
            return browser
        if name not in self.log_ins:
            raise NotThere(f"no log-in of {name} in the demo's list; there are {sorted(self.log_ins)}")
        given = self.log_ins[name]
        page = browser.opens("/accounts/login/")
        page = browser.sends(page.form(has=["login", "password"]), login=given.email, password=given.password)
        page.must_say("second factor")
        self._give_code(browser, given.secret)
        return browser

    def _give_code(self, browser: Browser, secret: str) -> Page:
        """Type the six digits; a code that was used already is refused, so wait for the next one then."""
        for _ in range(3):
            form = browser.page.form(has=["code"])
            page = browser.sends(form, code=code_of(secret, clock.wall_time_s()))
            if "/2fa/" not in page.path:
                return page
            clock.sleep(wait_s(clock.wall_time_s()) + 0.5)
        raise NotThere(f"{browser.who}: the second factor is not taken: {browser.page.words[:400]}")

    def signed(self, name: str, find: Callable[[Page], Form], /, *, button: str = "", **values: Any) -> Page:
        """Send a form that may ask for the second factor again; it is then given, and the form is sent once more."""
        browser = self.staff(name)
        page = browser.sends(find(browser.page), button=button, **values)
        if page.path.startswith(REAUTHENTICATE):
            page = self._give_code(browser, self.log_ins[name].secret)
            page = browser.sends(find(page), button=button, **values)
        return page

    def opened_signed(self, name: str, address: str) -> Page:
        """Open a page that asks for the second factor first."""
        browser = self.staff(name)
        page = browser.opens(address)
        if page.path.startswith(REAUTHENTICATE):
            page = self._give_code(browser, self.log_ins[name].secret)
        return page

    def on_call(self) -> str:
        """Who is first on call now, as the alerts page says it; answers the key of their log-in."""
        page = self.staff("dana").opens("/alerts/")
        found = re.search(r"First on call now (\w+)", page.words)
        if not found or found[1].lower() not in self.log_ins:
            raise NotThere(f"nobody is on call: {page.words[:600]}")
        return found[1].lower()

    # --- time ---

    def goes_on(self, **how_far: float) -> None:
        """Move the test clock."""
        self.advance(max(1, round(timedelta(**how_far).total_seconds())))

    def goes_to(self, at: datetime) -> None:
        """Move the test clock to an instant; one that has passed stays passed."""
        ahead = (at - clock.now()).total_seconds()
        if ahead > 0:
            self.advance(round(ahead))

    def today(self) -> date:
        return clock.local_date(clock.now(), ZONE)

    def at_hour(self, day: date, hour: int, minute: int = 0) -> datetime:
        """A time of day where the patient lives."""
        return datetime.combine(day, time(hour, minute), ZoneInfo(ZONE))

    # --- waiting for the background ---

    def until(self, what: str, found: Callable[[], bool], *, seconds: float = PATIENCE_S) -> None:
        """Wait for something that the worker or the pager does. Raises NotThere when it does not come."""
        started = clock.monotonic_s()
        while not found():
            if clock.monotonic_s() - started > seconds:
                raise NotThere(
                    f"{what} did not come within {seconds:.0f} s: are worker, beat and pager running?"
                )
            clock.sleep(0.7)


def proves(page: Page, words: str) -> str:
    """A line for the report."""
    return f"{page.path} · {words}"
