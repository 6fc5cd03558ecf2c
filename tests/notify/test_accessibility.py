"""Pages of messages in a real browser: axe at WCAG 2.2 AA, phone and desk, nothing wider than the screen, no refused script.

With HEARTHSIDE_SHOTS=folder each page is kept as a picture, to be looked at.
"""

import os
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client

from accounts.models import User
from common import clock
from notify.actions.callbacks import opt_out, receive_text
from notify.actions.words import write_words
from notify.management.commands.push_keys import fresh_pair
from tests.components.test_accessibility import WCAG
from tests.conftest import log_in
from tests.notify.builders import a_device, a_letter

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PLACES = (
    ("alice", "/profile/messages/"), ("cole", "/profile/messages/"), ("admin_ann", "/outbox/"), ("cole", "/outbox/stuck/"),
    ("admin_ann", "/outbox/catalogue/"), ("cole", "/outbox/replies/"), ("cole", "/coaching/"),
)  # fmt: skip


def test_axe_finds_nothing_on_the_pages_of_messages(
    request: Any, live_server: Any, alice: User, cole: User, dana: User, admin_ann: User, settings: Any
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    at = clock.now()
    settings.VAPID_PRIVATE_KEY, settings.VAPID_PUBLIC_KEY = fresh_pair()
    a_device(alice, at)
    a_letter(cole, alice, at)
    a_letter(
        admin_ann,
        alice,
        at,
        what="task",
        key="name:coaching.tasks.sweep",
        name="coaching.tasks.sweep",
        error="ValueError",
    )
    opt_out(alice.phone, said="STOP", at=at)
    receive_text(sid="SM1", from_number=alice.phone, body="CANCEL", vendor_opt_out="", at=at)
    write_words(
        template="session_tomorrow", channel="sms", language="en", body="{{ practice_name }}: we see you soon, {{ when }}. {{ link }}",
        note="warmer", by=admin_ann, at=at,
    )  # fmt: skip
    launched = request.getfixturevalue("chromium")
    shots = os.environ.get("HEARTHSIDE_SHOTS", "")
    found: list[Any] = []
    for who, path in PLACES:
        client = log_in(Client(), request.getfixturevalue(who))
        for width in (360, 1280):
            context = launched.new_context(viewport={"width": width, "height": 800})
            cookie = client.cookies[django_settings.SESSION_COOKIE_NAME].value
            context.add_cookies(
                [{"name": django_settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}]
            )
            page = context.new_page()
            errors: list[str] = []
            page.on("console", lambda m, seen=errors: seen.append(m.text) if m.type == "error" else None)
            answer = page.goto(live_server.url + path)
            assert answer is not None and answer.status == 200, (who, path)
            page.evaluate(
                "document.querySelectorAll('details.more').forEach((d, n) => { if (n < 8) d.open = true; })"
            )
            if shots:
                page.screenshot(
                    path=str(Path(shots) / f"{who}{path.replace('/', '_')}{width}.png"), full_page=True
                )
            if (who == "alice") == (width == 360):
                result = Axe().run(page, options={"runOnly": WCAG}).response
                found += [
                    (who, path, width, v["id"], v["nodes"][0]["target"], v["nodes"][0]["failureSummary"])
                    for v in result["violations"]
                ]
            wide = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            found += [(who, path, width, "wider than the screen", wide)] if wide > 0 else []
            found += [(who, path, width, "console", text) for text in errors]
            context.close()
    assert found == []
