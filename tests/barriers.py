"""What keeps somebody out of a page: axe at WCAG 2.2 AA, and whether anything is wider than the screen."""

from collections.abc import Callable, Sequence

from axe_playwright_python.base import AXE_SCRIPT
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, ConsoleMessage, Page

from accounts.models import User
from tests.conftest import log_in

WCAG_2_2_AA = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
# What depends on how wide the screen is; colours, names and roles do not.
OF_LAYOUT = ("target-size", "scrollable-region-focusable", "meta-viewport")
# The source is half a megabyte, so it is sent once a page; nothing is fetched anew; only what is wrong comes back.
_RUN = """async options => {
  // A colour on its way to another is neither; what moves for ever is judged as it is.
  const ending = document.getAnimations().filter(one => Number.isFinite(one.effect.getComputedTiming().endTime));
  const settled = Promise.allSettled(ending.map(one => one.finished));
  await Promise.race([settled, new Promise(done => setTimeout(done, 2000))]);
  const found = await axe.run(document, { ...options, resultTypes: ["violations"], preload: false, iframes: false });
  return found.violations.map(one => `${one.id} (${one.help}): `
    + one.nodes.slice(0, 3).map(node => node.html.slice(0, 160) + " " + node.failureSummary).join(" | "));
}"""


def barriers(page: Page, *, tags: Sequence[str] = WCAG_2_2_AA, rules: Sequence[str] = ()) -> list[str]:
    """What axe finds on the page that is open, a line each; with `rules`, these alone."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE_SCRIPT)
    only = {"type": "rule", "values": list(rules)} if rules else {"type": "tag", "values": list(tags)}
    found: list[str] = page.evaluate(_RUN, {"runOnly": only})
    return found


def too_wide_px(page: Page) -> int:
    """By how much the page is wider than its screen; 0 when it fits."""
    wide: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return max(0, wide)


def judged(
    page: Page, address: str, *, usual_px: int, then: Callable[[Page], object] = lambda page: None
) -> list[str]:
    """Open a page and judge it: whole at the width that most of its readers have, at the other what the width changes.

    `then` is done once it is open. A refused script or style, and any other line on the console, counts as well.
    """
    said: list[str] = []

    def hears(message: ConsoleMessage) -> None:
        if message.type == "error":
            said.append(message.text)

    page.on("console", hears)
    found: list[str] = []
    for width in (usual_px, 360 if usual_px == 1280 else 1280):
        page.set_viewport_size({"width": width, "height": 800})
        if width == usual_px:
            answer = page.goto(address)
            assert answer is not None and answer.status == 200, (address, answer)
            then(page)
        if wide := too_wide_px(page):
            found.append(f"{address} is {wide} px wider than a screen of {width} px")
        lines = (
            barriers(page, tags=(*WCAG_2_2_AA, "best-practice"))
            if width == usual_px
            else barriers(page, rules=OF_LAYOUT)
        )
        found += [f"{address} at {width} px: {line}" for line in lines]
    page.remove_listener("console", hears)
    return found + [f"{address}: {text}" for text in said]


class Pages:
    """A browser window for each person, logged in once."""

    def __init__(self, browser: Browser, site: str) -> None:
        self.browser, self.site = browser, site
        self._pages: dict[str, Page] = {}

    def of(self, who: str, user: User, *, second_factor: bool | None = None) -> Page:
        if who not in self._pages:
            client = log_in(Client(), user, second_factor=second_factor)
            context = self.browser.new_context()
            cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": self.site}])
            self._pages[who] = context.new_page()
        return self._pages[who]

    def close(self) -> None:
        for page in self._pages.values():
            page.context.close()
