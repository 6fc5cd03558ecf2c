"""The daily drill says that it is one from end to end, an unanswered one is a real alert, and the dead-man hears of trouble (HZ-30)."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from accounts.models import User
from notify.actions import beat, dispatch_crisis
from notify.models import OutboxMessage, SandboxDelivery
from safety import lane_access
from safety.actions import acknowledge, close, daily_drill, watch_drill
from safety.event_access import rates
from safety.management.commands.pager import Pager
from safety.models import Alert
from tests.notify.builders import a_text
from tests.safety.builders import a_shift

MINUTE = timedelta(minutes=1)


def test_hz_30_the_drill_says_so_on_every_channel_and_on_screen(
    client_for: Any, dana: User, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_shift(dana, at)
    drill = daily_drill(at=at)
    assert drill is not None and drill.is_synthetic
    dispatch_crisis(at=at)
    assert SandboxDelivery.objects.get().body.startswith("DRILL.")
    monkeypatch.setenv("HEARTHSIDE_SANDBOX_FAIL", "sms,voice")
    from notify.actions import render_message

    page = OutboxMessage.objects.get(about_id=drill.pk)
    for channel in ("voice", "email"):
        assert "drill" in render_message("crisis_page", channel, page.context).body.lower()
    assert "Nobody is in danger" in client_for(dana).get(f"/alerts/{drill.pk}/").content.decode()


def test_a_person_answers_the_drill_and_nothing_of_it_is_counted(dana: User, at: datetime) -> None:
    """HZ-30"""
    a_shift(dana, at)
    drill = daily_drill(at=at)
    assert drill is not None
    acknowledge(drill, by=dana, at=at + MINUTE)
    close(drill, by=dana, at=at + 2 * MINUTE, disposition="drill", note="Heard at once.")
    assert watch_drill(at=at + 30 * MINUTE) is None
    assert not Alert.objects.filter(trigger="P03").exists()
    assert [line["count"] for line in rates(since=at - 60 * MINUTE, until=at + 60 * MINUTE)["lines"]] == [
        0
    ] * 4


def test_the_next_days_drill_comes_though_nobody_closed_the_one_before(dana: User, at: datetime) -> None:
    """HZ-30: a lane that is no longer tried is no longer known to work."""
    a_shift(dana, at, hours=72)
    first = daily_drill(at=at)
    assert first is not None and daily_drill(at=at + 23 * 60 * MINUTE) is None
    acknowledge(first, by=dana, at=at + MINUTE)
    second = daily_drill(at=at + 24 * 60 * MINUTE)
    assert second is not None and second.pk != first.pk and second.is_synthetic
    assert OutboxMessage.objects.filter(about_id=second.pk, recipient=dana, kind="crisis_page").count() == 1


@pytest.mark.parametrize(("after_s", "failed"), [(600, False), (601, True)])
def test_an_unanswered_drill_is_a_real_alert_to_the_administrators_once(
    dana: User, admin_ann: User, at: datetime, after_s: int, failed: bool
) -> None:
    a_shift(dana, at)
    daily_drill(at=at)
    alert = watch_drill(at=at + timedelta(seconds=after_s))
    assert (alert is not None) is failed
    if alert is not None:
        assert (alert.trigger, alert.is_synthetic, alert.severity) == ("P03", False, 3)
        page = OutboxMessage.objects.get(about_id=alert.pk)
        assert (page.recipient, page.lane, page.context["drill"]) == (admin_ann, "crisis", False)
        assert watch_drill(at=at + timedelta(seconds=after_s + 60)) is None


def test_an_account_named_for_it_answers_once_its_page_has_arrived(
    dana: User, other_coach: User, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    User.objects.filter(pk=other_coach.pk).update(phone="+14155550199")
    monkeypatch.setenv("PAGER_DRILL_ACCOUNT", other_coach.email)
    a_shift(dana, at)
    drill = daily_drill(at=at)
    assert drill is not None
    # It rings the test phone, and nobody else's.
    assert OutboxMessage.objects.get(about_id=drill.pk).recipient == other_coach
    assert watch_drill(at=at + MINUTE) is None
    assert Alert.objects.get(pk=drill.pk).state == "open"
    dispatch_crisis(at=at + MINUTE)
    watch_drill(at=at + 2 * MINUTE)
    drill.refresh_from_db()
    assert (drill.state, drill.acknowledged_by, drill.disposition) == ("closed", other_coach, "drill")


def test_a_drill_whose_page_never_arrives_fails_also_with_an_account_named(
    dana: User, other_coach: User, admin_ann: User, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    User.objects.filter(pk=other_coach.pk).update(phone="+14155550199")
    monkeypatch.setenv("PAGER_DRILL_ACCOUNT", other_coach.email)
    monkeypatch.setenv("HEARTHSIDE_SANDBOX_FAIL", "sms,voice")
    daily_drill(at=at)
    for n in range(30):
        dispatch_crisis(at=at + timedelta(seconds=n))
    assert watch_drill(at=at + 11 * MINUTE) is not None


@pytest.fixture
def dead_man() -> Iterator[tuple[str, threading.Event]]:
    """A dead-man service on loopback, and whether it was pinged."""
    pinged = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            pinged.set()
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", pinged
    server.shutdown()


def test_the_dead_man_is_pinged_while_all_is_well(
    db: None, at: datetime, dead_man: tuple[str, threading.Event]
) -> None:
    """PR-05"""
    url, pinged = dead_man
    Pager(deadman_url=url).turn(at=at)
    # The first turn beats, then pings.
    assert pinged.wait(timeout=10)


@pytest.mark.parametrize("trouble", ["a page waits", "a drill failed"])
def test_the_dead_man_is_not_told_that_all_is_well_when_it_is_not(
    dana: User, at: datetime, dead_man: tuple[str, threading.Event], trouble: str
) -> None:
    """PR-05: a beating pager whose due page is older than 30 seconds is not well."""
    url, pinged = dead_man
    beat("pager:test:1", lane="crisis", at=at)
    assert lane_access.lane_is_well(at=at)
    if trouble == "a page waits":
        page = a_text(dana, at - timedelta(seconds=31), lane="crisis")
        # Its sender never gets it: another transaction's, as far as this pager can see.
        OutboxMessage.objects.filter(pk=page.pk).update(due_at=at - timedelta(seconds=31))
        assert not lane_access.lane_is_well(at=at)
        OutboxMessage.objects.filter(pk=page.pk).update(due_at=at - timedelta(seconds=29))
        assert lane_access.lane_is_well(at=at)
        return
    daily_drill(at=at - 20 * MINUTE)
    watch_drill(at=at)
    assert not lane_access.lane_is_well(at=at)
    Pager(deadman_url=url).turn(at=at)
    assert not pinged.wait(timeout=1)
