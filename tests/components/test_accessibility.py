"""The public pages and the gallery in a real browser: axe at WCAG 2.2 AA, both themes, phone and desk; nothing wider than 320 px."""

from typing import Any

import pytest

from tests.barriers import WCAG_2_2_AA, barriers
from tests.components.test_public_pages import PAGES

WCAG = (*WCAG_2_2_AA, "best-practice")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_public_page(live_server: Any, chromium: Any, scheme: str) -> None:
    found = []
    for width in (360, 1280) if scheme == "light" else (360,):
        page = chromium.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        errors: list[str] = []
        page.on(
            "console",
            lambda message, seen=errors: seen.append(message.text) if message.type == "error" else None,
        )
        for path in (*PAGES, "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"):
            page.goto(live_server.url + path)
            found += [(path, width, one) for one in barriers(page, tags=WCAG)]
        assert errors == [], "the content security policy or a missing file"
        page.close()
    assert found == []


@pytest.mark.django_db(transaction=True)
def test_nothing_scrolls_sideways_at_320_px(live_server: Any, chromium: Any) -> None:
    page = chromium.new_page(viewport={"width": 320, "height": 700})
    wide = {}
    for path in PAGES:
        page.goto(live_server.url + path)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 320:
            wide[path] = width
    page.close()
    assert wide == {}


@pytest.mark.django_db(transaction=True)
def test_the_keyboard_reaches_the_page_first_and_the_error_summary_after_a_mistake(
    live_server: Any, chromium: Any
) -> None:
    page = chromium.new_page()
    page.goto(live_server.url + "/help/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.goto(live_server.url + "/accounts/login/")
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_load_state()
    assert page.title().startswith("Error:")
    assert "error-summary" in page.evaluate("document.activeElement.className")
    page.locator(".error-summary a").first.click()
    assert page.evaluate("document.activeElement.name") == "login"
    page.close()
