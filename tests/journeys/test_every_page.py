"""Every page that a person can come to by links, on a phone and on a desk: axe, one host, no error, nothing wider than the screen."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from coaching.actions import plan_course
from safety.actions import raise_alert
from tests.consults.builders import a_booked_consult, weekly_hours
from tests.intake.builders import a_submitted_intake
from tests.journeys.conftest import JourneyClock
from tests.journeys.walker import DESKTOP, IDS, PHONE, Walker
from tests.sessions.builders import a_finished_session

Browsers = Callable[..., Walker]
# Not pages, ways out, or pages of libraries that are tested where they are changed.
LEFT_OUT = ("/admin/", "/static/", "/accounts/logout/", ".ics", "/accounts/2fa/", "mailto:", "tel:", "/api/")
# Files to keep: they come as a download, so they are asked for and not opened.
FILES = ("/pdf/",)
# The public pages have tests of their own.
PUBLIC = ("/", "/how-it-works/", "/evidence/", "/pricing/", "/privacy/", "/assessment/")
MOST = 90


@pytest.fixture
def full_practice(
    the_clock: JourneyClock,
    at: dt.datetime,
    alice: User,
    dana: User,
    cole: User,
    admin_ann: User,
    stranger_patient: User,
) -> dict[str, User]:
    """Alice after her first session, Bob in the queue, an alert, a visit tomorrow."""
    session = a_finished_session(alice, dana, at)
    plan_course(session.course, by="system:beat", at=at)
    weekly_hours(dana)
    a_booked_consult(alice, dana, at + dt.timedelta(days=4, hours=1))
    a_submitted_intake(stranger_patient, at - dt.timedelta(hours=30), full_name="Bob Tanaka")
    raise_alert(
        patient=session.patient, trigger="X02", source=session, at=at + dt.timedelta(hours=20), by=alice
    )
    the_clock.stands_at(at + dt.timedelta(hours=21))
    return {"patient": alice, "psychiatrist": dana, "coach": cole, "administrator": admin_ann}


@pytest.mark.slow
@pytest.mark.parametrize("role", ["patient", "psychiatrist", "coach", "administrator"])
def test_every_page_reached_by_links_is_open_to_everybody(
    role: str, browser_of: Browsers, full_practice: dict[str, User]
) -> None:
    """WCAG 2.2 AA and PR-15, at 360 px and at 1280 px."""
    walker = browser_of(role, user=full_practice[role])
    queue, seen = ["/home/"], {"/home/"}
    visited = 0
    usual, other = (PHONE, DESKTOP) if role == "patient" else (DESKTOP, PHONE)
    while queue and visited < MOST:
        path = queue.pop(0)
        visited += 1
        if path.endswith(FILES):
            answer = walker.page.request.get(walker.site + path)
            assert answer.ok and answer.headers["content-type"] == "application/pdf", (
                f"{path}: {answer.status}"
            )
            continue
        # Axe whole at the width that most of their readers have; at the other what the width changes.
        for size in (usual, other):
            walker.page.set_viewport_size(size)  # type: ignore[arg-type]
            if size is usual:
                walker.opens(path)
            else:
                walker.looks(at_another_width=True)
        if walker.path.startswith(LEFT_OUT):
            continue
        for href in links(walker):
            kind = IDS.sub("*", href)
            if kind not in seen:
                seen.add(kind)
                queue.append(href)
    assert not queue, f"more pages than {MOST}: {queue}"
    assert visited > 8


def links(walker: Walker) -> list[str]:
    """Addresses of this site on the page, in order."""
    found: list[Any] = walker.page.eval_on_selector_all(
        "a[href]",
        "all => all.filter(one => one.origin === location.origin).map(one => one.pathname + one.search)",
    )
    return [str(href) for href in found if href not in PUBLIC and not any(part in href for part in LEFT_OUT)]
