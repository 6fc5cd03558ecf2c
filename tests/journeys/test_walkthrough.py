"""`manage.py walkthrough` against this process's own server: the command itself is under test, and the whole course with it."""

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections

from common import clock
from notify.actions import dispatch_crisis, dispatch_due
from portal.demo.cast import PASSWORD, Cast
from portal.demo.practice import open_practice
from portal.walkthrough.story import STEPS
from portal.walkthrough.walk import Walk, log_ins_from
from safety.actions import escalate_due
from tests.journeys.conftest import JourneyClock


@pytest.fixture
def background(the_clock: JourneyClock) -> Iterator[None]:
    """What worker, beat and pager do, turn by turn, in one thread."""
    over = threading.Event()

    def turns() -> None:
        while not over.wait(0.3):
            dispatch_crisis(at=clock.now())
            escalate_due(at=clock.now())
            dispatch_due(at=clock.now())
        connections.close_all()

    thread = threading.Thread(target=turns, name="worker and pager")
    thread.start()
    yield
    over.set()
    thread.join()


@pytest.mark.slow
def test_the_whole_course_holds(site: str, the_clock: JourneyClock, background: None, tmp_path: Path) -> None:
    """Journey items 1-11 over HTTP, from the first click to the four-week summary and the audit trail."""
    cast = Cast(rng=random.Random(7), now=clock.now().replace(microsecond=0))
    open_practice(cast)
    lines = [f"Everybody's password: {PASSWORD}"]
    for person in cast.staff:
        lines.append(
            f"{person.role:<14} {person.email:<34} second factor (TOTP secret): {cast.totp[person.email]}"
        )
    (tmp_path / "log-ins").write_text("\n".join(lines))
    walk = Walk(
        site=site,
        log_ins=log_ins_from(tmp_path / "log-ins"),
        advance=lambda seconds: the_clock.goes_on(seconds=seconds),
        say=print,
        stamp="T357",
    )
    for item, title, step in STEPS:
        print(f"[{item}] {title}")
        print("     ", step(walk))
    assert sum(browser.pages_seen for browser in walk.people.values()) > 300
