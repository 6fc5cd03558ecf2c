"""What must reach a member of staff wherever they read: open alerts and a lane that stands still (HZ-08, HZ-09)."""

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from config import context
from notify.actions import beat
from safety.actions import acknowledge, close, escalate_due
from safety.alert_story import IN_BANNER
from tests.safety.builders import a_shift, an_alert

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]
MINUTE = dt.timedelta(minutes=1)
EMERGENCY = "Emergency symptom"


@pytest.fixture(autouse=True)
def a_lane_that_is_well(at: dt.datetime, clock_at: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The clock stands; the pager beats."""
    monkeypatch.setattr(context, "_seen", (float("-inf"), "", False))
    beat("pager:test:1", lane="crisis", at=at)
    with clock_at(at):
        yield


def urgent(browser: Client, address: str) -> str:
    """What stands in the banner of a page."""
    page = browser.get(address)
    assert page.status_code == 200, address
    found = re.search(
        r'<div id="urgent"[^>]*>(.*?)</div>\s*(<script|<div id="who-waits")', page.content.decode(), re.S
    )
    assert found is not None, address
    return found[1]


@pytest.mark.parametrize(
    ("who", "addresses"),
    [
        ("dana", ("/queue/", "/profile/", "/calendar/")),
        ("cole", ("/profile/", "/coaching/")),
        ("other_psychiatrist", ("/queue/", "/profile/")),
    ],
)
def test_hz_08_an_open_alert_stands_on_every_page_of_whoever_may_take_it(
    request: Any, client_for: Browser, alice: User, dana: User, cole: User, other_psychiatrist: User, at: dt.datetime,
    who: str, addresses: tuple[str, ...],
) -> None:  # fmt: skip
    """The care team, and the person on call: on pages that have nothing to do with it, and in the part that a page asks for again."""
    a_shift(other_psychiatrist, at)
    browser = client_for(request.getfixturevalue(who))
    assert "lane" not in urgent(browser, addresses[0])
    alert = an_alert(alice, at, trigger="X01")
    for address in (*addresses, "/staff/now/"):
        banner = urgent(browser, address)
        assert "Act now: Alice Lindqvist, since 9:00 am PST." in banner and EMERGENCY in banner
        assert f'href="/alerts/{alert.pk}/"' in banner
    page = browser.get("/profile/").content.decode()
    assert re.search(r'<div id="urgent" role="alert"', page)


def test_a_colleague_who_is_neither_on_call_nor_of_the_care_team_reads_nothing_of_it(
    client_for: Browser, alice: User, dana: User, other_psychiatrist: User, admin_ann: User, other_coach: User, at: dt.datetime
) -> None:  # fmt: skip
    """PR-02."""
    a_shift(dana, at)
    an_alert(alice, at, trigger="X01")
    for somebody, address in (
        (other_psychiatrist, "/queue/"),
        (other_coach, "/profile/"),
        (admin_ann, "/admin/"),
    ):
        for asked in (address, "/staff/now/"):
            assert "Alice" not in urgent(client_for(somebody), asked)
    assert client_for(alice).get("/staff/now/").status_code in (403, 404)


def test_an_alert_that_somebody_took_or_closed_is_no_longer_on_every_page(
    client_for: Browser, alice: User, dana: User, cole: User, at: dt.datetime
) -> None:
    alert, browser = an_alert(alice, at, trigger="X01"), client_for(cole)
    assert EMERGENCY in urgent(browser, "/staff/now/")
    acknowledge(alert, by=dana, at=at + MINUTE)
    assert EMERGENCY not in urgent(browser, "/staff/now/")
    close(alert, by=dana, at=at + 2 * MINUTE, disposition="contacted_safe", note="Reached, well.")
    assert EMERGENCY not in urgent(browser, "/staff/now/")


def test_an_administrator_who_was_paged_reads_no_more_than_on_the_alert_list(
    client_for: Browser, alice: User, dana: User, admin_ann: User, at: dt.datetime
) -> None:
    """PR-14: whom, and that there is an alert; what happened stands on the alert."""
    a_shift(dana, at)
    an_alert(alice, at, trigger="X01")
    for minutes in range(1, 11):
        escalate_due(at=at + minutes * MINUTE)
    for address in ("/admin/", "/admin/accounts/user/", "/profile/", "/staff/now/"):
        banner = urgent(client_for(admin_ann), address)
        assert "Alice Lindqvist, since" in banner and "An alert." in banner
        assert EMERGENCY not in banner


def test_the_gravest_stand_in_full_and_the_others_on_the_list(
    client_for: Browser, alice: User, dana: User, stranger_patient: User, at: dt.datetime
) -> None:
    """HZ-24: many mild ones hide no grave one."""
    a_shift(dana, at)
    for trigger in ("X13", "X18", "X09"):
        an_alert(alice, at, trigger=trigger, episode=trigger)
    assert "More alerts" not in urgent(client_for(dana), "/staff/now/")
    an_alert(stranger_patient, at + MINUTE, trigger="X01")
    banner = urgent(client_for(dana), "/staff/now/")
    assert banner.count("data-alert") == IN_BANNER and "More alerts are open" in banner
    assert banner.index(EMERGENCY) < banner.index("Nobody has taken this yet")


def test_the_banner_is_one_query_and_none_while_no_alert_is_open(
    client_for: Browser, alice: User, dana: User, at: dt.datetime, django_assert_num_queries: Any
) -> None:
    browser = client_for(dana)
    browser.get("/profile/")
    with CaptureQueriesContext(connection) as calm:
        browser.get("/profile/")
    an_alert(alice, at, trigger="X01")
    with django_assert_num_queries(len(calm) + 1):
        assert EMERGENCY in urgent(browser, "/profile/")


def test_a_page_that_was_told_of_no_alert_a_second_ago_hears_of_it_at_its_first_look(
    client_for: Browser, alice: User, dana: User, at: dt.datetime, settings: Any
) -> None:
    settings.LANE_LOOK_SECONDS = 60
    browser = client_for(dana)
    assert EMERGENCY not in urgent(browser, "/profile/")
    an_alert(alice, at, trigger="X01")
    assert EMERGENCY in urgent(browser, "/staff/now/")


@pytest.mark.parametrize("address", ["/admin/", "/admin/accounts/user/", "/profile/", "/staff/now/"])
def test_hz_08_a_crisis_lane_that_stands_still_is_said_in_the_administration_and_to_open_pages_too(
    client_for: Browser, admin_ann: User, at: dt.datetime, clock_at: Any, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:  # fmt: skip
    browser = client_for(admin_ann)
    assert "lane" not in urgent(browser, address)
    monkeypatch.setattr(context, "_seen", (float("-inf"), "", False))
    with clock_at(at + dt.timedelta(seconds=31)):
        assert "Act now: Pages have not been sent for 31 seconds" in urgent(browser, address)
    assert "js/staff_now.js" in browser.get("/admin/").content.decode()
