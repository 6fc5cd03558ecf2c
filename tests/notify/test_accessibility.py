"""Pages of messages in a real browser: axe at WCAG 2.2 AA, phone and desk, nothing wider than the screen, no refused script."""

from typing import Any

import pytest

from accounts.models import User
from common import clock
from notify.actions.callbacks import opt_out, receive_text
from notify.actions.words import write_words
from notify.management.commands.push_keys import fresh_pair
from tests.barriers import Pages, judged
from tests.notify.builders import a_device, a_letter

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PLACES = (
    ("alice", "/profile/messages/"), ("cole", "/profile/messages/"), ("admin_ann", "/outbox/"), ("cole", "/outbox/stuck/"),
    ("admin_ann", "/outbox/catalogue/"), ("cole", "/outbox/replies/"), ("cole", "/coaching/"),
)  # fmt: skip


def test_axe_finds_nothing_on_the_pages_of_messages(
    request: Any, live_server: Any, alice: User, cole: User, dana: User, admin_ann: User, settings: Any
) -> None:
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
    pages = Pages(request.getfixturevalue("chromium"), live_server.url)
    found: list[str] = []
    for who, path in PLACES:
        page = pages.of(who, request.getfixturevalue(who))
        usual_px = 360 if who == "alice" else 1280
        found += judged(page, live_server.url + path, usual_px=usual_px, then=opens_what_is_folded)
    pages.close()
    assert found == []


def opens_what_is_folded(page: Any) -> None:
    page.evaluate(
        "document.querySelectorAll('details.more').forEach((d, n) => { if (n < 8) d.open = true; })"
    )
