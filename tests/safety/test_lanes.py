"""When beat or the workers are dead, a person hears of it from the lane that needs neither (HZ-10, PR-18)."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

import pytest

from accounts.models import User
from config import context
from notify.actions import beat
from notify.models import OutboxMessage
from safety.actions import acknowledge, close, ordinary_lane_fell_silent
from safety.lane_access import ordinary_lane_silent_s, staff_banner
from safety.management.commands import pager as pager_command
from safety.management.commands.pager import Pager
from safety.models import Alert
from safety.work import work_items
from sessions import actions as sessions
from sessions.actions.sweep import LEFT_BY_THE_SWEEP
from sessions.models import Checkpoint
from tests.sessions.builders import a_session_in_progress

# The name `sweep` of the package is the function.
sweep_module = import_module("sessions.actions.sweep")
LANES = ("ordinary", "sweeps", "bulk")
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@pytest.fixture
def pager(monkeypatch: pytest.MonkeyPatch) -> Pager:
    """One that looks at each turn, and whose own watch has already run for long enough."""
    monkeypatch.setattr(pager_command, "ORDINARY_EVERY_S", 0.0)
    return Pager(ordinary_patience_s=0)


def all_beat(at: datetime) -> None:
    for lane in LANES:
        beat(f"{lane}:test:1", lane=lane, at=at)


def silent() -> list[Alert]:
    return list(Alert.objects.filter(trigger="P04"))


@pytest.mark.parametrize(("after_s", "silent_s"), [(179, None), (180, 180.0)])
def test_three_minutes_are_the_patience(at: datetime, after_s: int, silent_s: float | None) -> None:
    assert ordinary_lane_silent_s(at, at=at + timedelta(seconds=after_s)) == silent_s


@pytest.mark.parametrize("dead", LANES)
def test_hz_10_the_pager_pages_an_administrator_when_workers_or_beat_are_dead(
    pager: Pager, admin_ann: User, dana: User, at: datetime, dead: str
) -> None:
    """Without sweeps nobody would notice a missing reading."""
    all_beat(at)
    pager.turn(at=at + 2 * MINUTE)
    assert not silent()
    for alive in set(LANES) - {dead}:
        beat(f"{alive}:test:1", lane=alive, at=at + 3 * MINUTE)
    pager.turn(at=at + 3 * MINUTE)
    (alert,) = silent()
    assert (alert.severity, alert.is_synthetic, alert.patient) == (3, False, None)
    page = OutboxMessage.objects.get(about_id=alert.pk)
    assert (page.recipient, page.lane, page.priority) == (admin_ann, "crisis", 3)


def test_one_silence_is_one_alert_also_after_it_was_closed(
    pager: Pager, admin_ann: User, at: datetime
) -> None:
    all_beat(at)
    for n in range(4, 9):
        pager.turn(at=at + n * MINUTE)
    (alert,) = silent()
    # Three lanes fell silent: three signs of one alert.
    assert alert.signs == 3
    acknowledge(alert, by=admin_ann, at=at + 9 * MINUTE)
    close(
        alert, by=admin_ann, at=at + 10 * MINUTE, disposition="lane_restored", note="The worker is up again."
    )
    pager.turn(at=at + 11 * MINUTE)
    assert len(silent()) == 1
    # It went on, and fell silent again: that is another one.
    all_beat(at + 12 * MINUTE)
    pager.turn(at=at + 13 * MINUTE)
    assert len(silent()) == 1
    pager.turn(at=at + 16 * MINUTE)
    assert [a.state for a in Alert.objects.filter(trigger="P04").order_by("opened_at")] == ["closed", "open"]


def test_a_second_silence_is_heard_although_somebody_has_the_first(admin_ann: User, at: datetime) -> None:
    """HZ-09: an alert that was taken and forgotten never swallows the next one."""
    alert = ordinary_lane_fell_silent("ordinary", beat_at=at, at=at + 4 * MINUTE)
    assert alert is not None
    acknowledge(alert, by=admin_ann, at=at + 5 * MINUTE)
    again = ordinary_lane_fell_silent("ordinary", beat_at=at + 60 * MINUTE, at=at + 64 * MINUTE)
    assert again is not None
    assert (again.pk, again.state, again.pages) == (alert.pk, "open", 2)


def test_a_practice_that_just_starts_or_whose_clock_was_moved_is_given_time_to_beat(
    admin_ann: User, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demo's clock jumps a week: the newest beat is a week old, and nothing is wrong."""
    monkeypatch.setattr(pager_command, "ORDINARY_EVERY_S", 0.0)
    pager = Pager(ordinary_patience_s=60)
    pager.turn(at=at)
    all_beat(at)
    pager.turn(at=at + timedelta(days=7))
    assert not silent()


def test_a_lane_that_never_ran_is_told_once(pager: Pager, admin_ann: User, at: datetime) -> None:
    pager.turn(at=at)
    pager.turn(at=at + MINUTE)
    (alert,) = silent()
    assert alert.detail_codes == ["bulk_never_ran", "ordinary_never_ran", "sweeps_never_ran"]


def test_the_sweep_says_that_it_ran(db: None, at: datetime, clock_at: Any) -> None:
    from notify.models import Heartbeat
    from sessions.tasks import sweep_overdue

    with clock_at(at):
        sweep_overdue()
    assert abs(Heartbeat.objects.get(lane="sweeps").at - at) < MINUTE


@pytest.fixture
def fresh_banner(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(context, "_seen", (float("-inf"), "", False))
    yield
    context._seen = (float("-inf"), "", False)


def test_all_staff_read_it_on_every_page_and_patients_do_not(
    fresh_banner: None, client_for: Any, cole: User, alice: User, at: datetime, clock_at: Any
) -> None:
    all_beat(at - 4 * MINUTE)
    beat("pager:test:1", lane="crisis", at=at)
    words = "Messages, checks for missing readings and sweeps of plans and payments have stood still for 4 minutes."
    assert staff_banner(at=at).startswith(words)
    with clock_at(at):
        assert words in client_for(cole).get("/profile/").content.decode()
        assert words not in client_for(alice).get("/profile/").content.decode()
    # Pages come first: who is not paged is the graver trouble.
    assert staff_banner(at=at + MINUTE).startswith("Pages have not been sent for 60 seconds")
    beat("pager:test:1", lane="crisis", at=at + MINUTE)
    all_beat(at + MINUTE)
    assert staff_banner(at=at + MINUTE) == ""


def test_a_bulk_queue_that_nobody_takes_from_is_said_and_sends_nobody_to_a_running_session(
    at: datetime, db: None
) -> None:
    """Its only worker gone deaf would else be noticed by nobody: ticks and sweeps come by the other queue."""
    beat("pager:test:1", lane="crisis", at=at + 3 * MINUTE)
    all_beat(at)
    for lane in ("ordinary", "sweeps"):
        beat(f"{lane}:test:1", lane=lane, at=at + 3 * MINUTE)
    assert staff_banner(at=at + 3 * MINUTE - SECOND) == ""
    said = staff_banner(at=at + 3 * MINUTE)
    assert said == "Sweeps of plans and payments have stood still for 3 minutes. Tell an administrator."


# --- what the ordinary lane left lying ---


def test_hz_10_a_missed_check_in_a_session_calls_somebody_without_celery_or_redis(
    alice: User, dana: User, protocol_version: Any, at: datetime, pager: Pager, settings: Any
) -> None:
    settings.REDIS_URL = settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    session = a_session_in_progress(alice, dana, at)
    due = Checkpoint.objects.filter(session=session, kind="sitter").earliest("next_ladder_at").next_ladder_at
    assert due is not None
    pager.turn(at=due + LEFT_BY_THE_SWEEP - SECOND)
    assert not Alert.objects.filter(trigger="X16").exists(), "the sweep has its two turns first"
    Pager().turn(at=due + LEFT_BY_THE_SWEEP)
    alert = Alert.objects.get(trigger="X16")
    assert alert.in_session
    page = OutboxMessage.objects.filter(about_id=alert.pk, kind="crisis_page").earliest("created_at")
    assert page.lane == "crisis"


def test_what_the_sweep_took_the_pager_does_not_take_again(
    alice: User, dana: User, protocol_version: Any, at: datetime
) -> None:
    session = a_session_in_progress(alice, dana, at)
    due = Checkpoint.objects.filter(session=session, kind="sitter").earliest("next_ladder_at").next_ladder_at
    assert due is not None
    sessions.sweep(at=due)
    signs = [(a.trigger, a.signs) for a in Alert.objects.all()]
    assert signs and not sessions.watch_late(at=due + LEFT_BY_THE_SWEEP)
    assert [(a.trigger, a.signs) for a in Alert.objects.all()] == signs


def test_each_look_of_a_sitter_that_is_missed_pages_afresh_though_somebody_took_the_one_before(
    alice: User, dana: User, protocol_version: Any, at: datetime
) -> None:
    """HZ-10: the second miss is worse than the first."""
    session = a_session_in_progress(alice, dana, at)
    due = list(
        Checkpoint.objects.filter(session=session, kind="sitter", done_at=None)
        .order_by("next_ladder_at")
        .values_list("next_ladder_at", flat=True)
    )
    assert len(due) >= 2
    sessions.sweep(at=due[0])
    alert = Alert.objects.get(trigger="X16")
    acknowledge(alert, by=dana, at=due[0] + MINUTE)
    sessions.sweep(at=due[1])
    alert.refresh_from_db()
    assert (alert.state, alert.signs, alert.escalating_since_at) == ("open", 2, due[1])


def test_a_late_row_that_not_even_raises_an_alarm_starves_no_other(
    alice: User, dana: User, protocol_version: Any, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HZ-10, HZ-24: the rows behind it have their turn, and it is tried again."""
    a_session_in_progress(alice, dana, at)
    last = at + timedelta(minutes=40)
    late = Checkpoint.objects.filter(next_ladder_at__lte=last).order_by("next_ladder_at")
    first, second = late[0], late[1]
    real = sweep_module.alarm

    def alarm(session: Any, trigger: str, **given: Any) -> Alert:
        if given["source"].pk == first.pk:
            raise ValueError("a mistake of ours")
        return real(session, trigger, **given)

    monkeypatch.setattr(sweep_module, "alarm", alarm)
    done = sessions.sweep(at=last)
    assert done["poisoned"] == 1
    assert Alert.objects.filter(source_id=str(second.pk)).exists()
    first.refresh_from_db()
    assert first.next_ladder_at == last + sweep_module.AGAIN_AFTER


# --- copies of the crisis lane ---


@pytest.mark.parametrize(
    ("heard_s", "said"), [((5, 5), False), ((5, 31), True), ((5,), True), ((31, 31), False), ((), False)]
)
def test_one_pager_of_two_that_is_silent_is_the_administrators_work(
    admin_ann: User, dana: User, at: datetime, settings: Any, heard_s: tuple[int, ...], said: bool
) -> None:
    """When none is heard of, every page says so itself."""
    settings.PAGER_COPIES = 2
    for number, seconds in enumerate(heard_s):
        beat(f"pager:host:{number}", lane="crisis", at=at - timedelta(seconds=seconds))
    lines = [line for line in work_items(user=admin_ann, at=at) if line.kind == "lane.pagers"]
    assert bool(lines) is said
    assert not any(line.kind == "lane.pagers" for line in work_items(user=dana, at=at))
    if said:
        assert lines[0].text.startswith("1 of 2 runs")
