"""Somebody in front of a browser. Every page that is looked at passes axe, stays on our host and fits the screen."""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, Response

from accounts.models import User
from tests.barriers import OF_LAYOUT, barriers, too_wide_px

PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 900}
# Answers that a page of ours gives on purpose; Chromium writes a line on its console for each of them.
KIND_REFUSALS = (403, 404, 409, 422)
IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|/s/[^/]+|confirm-email/[^/]+|\?.*$")
# The same page at the same width is checked once a run, which keeps the journeys quick.
_fit: set[tuple[str, str, int, bool]] = set()


@dataclass
class Walker:
    """One person's browser, with everything that went wrong in it."""

    name: str
    context: BrowserContext
    page: Page
    site: str
    scripts: bool = True
    anew: bool = False
    trouble: list[str] = field(default_factory=list)
    # What keeps somebody out, or does not fit: told all together at the end, so that one run shows every page.
    barriers: list[str] = field(default_factory=list)

    # --- going about ---

    def opens(self, path: str) -> "Walker":
        """Open a page by its address."""
        self.page.goto(self.site + path if path.startswith("/") else path)
        return self.looks()

    def follows(self, words: str, *, exact: bool = False) -> "Walker":
        """Follow the first visible link with these words."""
        self.page.get_by_role("link", name=words, exact=exact).locator("visible=true").first.click()
        return self.looks()

    def presses(self, words: str, *, exact: bool = False) -> "Walker":
        """Press the first button with these words."""
        self.page.get_by_role("button", name=words, exact=exact).locator("visible=true").first.click()
        return self.looks()

    def goes_back(self) -> "Walker":
        self.page.go_back()
        return self.looks()

    def goes_forward(self) -> "Walker":
        self.page.go_forward()
        return self.looks()

    def judged_anew(self) -> "Walker":
        """The next page is judged even when one of its address was: its words differ."""
        self.anew = True
        return self

    # --- answering ---

    def chooses(self, name: str, value: str) -> "Walker":
        """One choice of a question, by the field's name."""
        self._in(f"input[name='{name}'][value='{value}']").check()
        return self

    def types(self, name: str, text: str) -> "Walker":
        """Write into a field."""
        self._in(f"[name='{name}']").fill(text)
        return self

    def picks(self, name: str, value: str) -> "Walker":
        """One option of a list."""
        self._in(f"select[name='{name}']").select_option(value)
        return self

    def ticks(self, name: str) -> "Walker":
        self._in(f"input[type=checkbox][name='{name}']").first.check()
        return self

    def answers_no_to_everything(self, **but: str) -> "Walker":
        """Each group of choices: “no” or “none” where there is such a choice, else what `but` says."""
        groups = self.page.eval_on_selector_all(
            "main input[type=radio], main input[type=checkbox]",
            "found => found.map(one => [one.name, one.value])",
        )
        offered: dict[str, list[str]] = {}
        for name, value in groups:
            offered.setdefault(name, []).append(value)
        for name, values in offered.items():
            wanted = but.get(name) or next((v for v in ("no", "none", "0") if v in values), "")
            # What an earlier answer has just hidden is not asked, so nobody could answer it.
            if wanted and self._in(f"input[name='{name}'][value='{wanted}']").is_visible():
                self.chooses(name, wanted)
        return self

    def _in(self, selector: str) -> Locator:
        return self.page.locator(f"main {selector}")

    # --- seeing ---

    @property
    def words(self) -> str:
        """What the page says, as somebody reads it."""
        return " ".join(self.page.locator("body").inner_text().split())

    @property
    def path(self) -> str:
        return urlsplit(self.page.url).path

    def sees(self, *sentences: str) -> "Walker":
        """All of these stand on the page."""
        words = self.words.lower()
        for sentence in sentences:
            assert sentence.lower() in words, (
                f"{self.name} does not read “{sentence}” on {self.path}: {self.words[:1500]}"
            )
        return self

    def does_not_see(self, *sentences: str) -> "Walker":
        words = self.words.lower()
        for sentence in sentences:
            assert sentence.lower() not in words, f"{self.name} reads “{sentence}” on {self.path}"
        return self

    def is_at(self, start: str) -> "Walker":
        assert self.path.startswith(start), (
            f"{self.name} is at {self.path}, not at {start}: {self.words[:800]}"
        )
        return self

    def looks(self, *, at_another_width: bool = False) -> "Walker":
        """Judge the page that has come: no trouble, nothing wider than the screen, no barrier for anybody.

        `at_another_width`: the same page was judged whole a moment ago, so now only what the width changes is.
        """
        self.page.wait_for_load_state("load")
        assert not self.trouble, f"{self.name} on {self.path}: {self.trouble}"
        width = self.page.viewport_size["width"] if self.page.viewport_size else 0
        place = (IDS.sub("*", self.page.url[len(self.site) :]), self.page.title(), width, self.scripts)
        if place in _fit and not self.anew:
            return self
        self.anew = False
        if self.path.startswith("/admin/"):
            # The library's own pages; what we changed on them is checked in tests/admin.
            return self
        if self.scripts:
            if wide := too_wide_px(self.page):
                self.barriers.append(f"{self.path} is {wide} px wider than a screen of {width} px")
            found = barriers(self.page, rules=OF_LAYOUT if at_another_width else ())
            self.barriers += [f"{self.path} at {width} px: {one}" for one in found]
        if not at_another_width:
            _fit.add(place)
        return self


def watch(walker: Walker) -> Walker:
    """Keep what must never happen: another host asked, an error on the console, an answer of 500."""
    host = urlsplit(walker.site).netloc

    def asked(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != host:
            walker.trouble.append(f"asked another host (PR-15): {request.url}")

    def answered(response: Response) -> None:
        if response.status >= 500:
            walker.trouble.append(f"{response.status} from {response.url}")

    def said(message: ConsoleMessage) -> None:
        # The WebSocket process is another program; the journeys that need it start it and wait for its words.
        if message.text.startswith("WebSocket connection to"):
            return
        if message.type == "error" and not any(f"status of {code}" in message.text for code in KIND_REFUSALS):
            walker.trouble.append(f"console: {message.text}")

    walker.context.on("request", asked)
    walker.context.on("response", answered)
    walker.page.on("console", said)
    walker.page.on("pageerror", lambda error: walker.trouble.append(f"script: {error}"))
    return walker


def new_walker(
    browser: Browser, site: str, name: str, *, user: User | None = None, scripts: bool = True, **options: Any
) -> Walker:
    """A fresh browser for somebody; with `user`, one that is logged in already (staff with their second factor)."""
    options.setdefault("viewport", DESKTOP)
    context = browser.new_context(
        java_script_enabled=scripts, locale="en-US", timezone_id="America/Los_Angeles", **options
    )
    context.set_default_timeout(10_000)
    page = context.new_page()
    walker = watch(Walker(name=name, context=context, page=page, site=site, scripts=scripts))
    if user is not None:
        walker.context.add_cookies([session_cookie(user, site)])
    return walker


def session_cookie(user: User, site: str) -> Any:
    """The cookie of a log-in that was done elsewhere."""
    from django.conf import settings
    from django.test import Client

    from tests.conftest import log_in

    client = log_in(Client(), user)
    return {
        "name": settings.SESSION_COOKIE_NAME,
        "value": client.cookies[settings.SESSION_COOKIE_NAME].value,
        "url": site,
    }
