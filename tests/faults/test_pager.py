"""PR-03, PR-05, PR-07, PR-18: the crisis lane with its processes killed at the worst instants."""

import signal
import time

import pytest

from tests.faults.conftest import World, wait_for

pytestmark = [pytest.mark.fault, pytest.mark.xdist_group("faults")]


def body_of_last(world: World) -> int:
    return world.number("SELECT count(*) FROM notify_outboxmessage WHERE lane = 'crisis' AND state = 'sent'")


def test_the_first_page_is_out_within_seconds_with_redis_and_celery_down(world: World) -> None:
    """PR-05, PR-18"""
    world.pair.stop_redis()
    world.pager()
    wait_for(
        lambda: world.number("SELECT count(*) FROM notify_heartbeat WHERE lane = 'crisis'") > 0,
        seconds=150,
        what="a pager runs",
    )
    world.raise_alert()
    opened = time.monotonic()
    wait_for(lambda: world.delivered() == 1, seconds=10, what="the first page")
    assert time.monotonic() - opened < 5
    assert world.ask("SELECT channel FROM notify_sandboxdelivery") == [("sms",)]


def test_a_pager_killed_between_the_vendor_and_its_own_note_pages_again_and_says_so(world: World) -> None:
    """PR-03, PR-05: class L, at least once, at the deterministic point "vendor accepted, sender dead"."""
    world.raise_alert()
    dead = world.pager(HEARTHSIDE_SANDBOX_DIE="after-accept")
    assert dead.wait(timeout=150) == -signal.SIGKILL
    assert world.delivered() == 1
    assert world.number("SELECT count(*) FROM notify_outboxmessage WHERE state = 'sending'") == 1
    world.pager()
    time.sleep(1)
    # The lease is 40 seconds; the re-page of the ladder comes after 60, so this is the lease's doing.
    world.advance(42)
    wait_for(lambda: world.delivered() == 2, seconds=30, what="the second notice")
    assert set(world.times_delivered().values()) == {2}
    assert body_of_last(world) == 1


def test_a_page_goes_within_90_seconds_when_the_pager_is_killed_before_it_sends(world: World) -> None:
    """PR-05"""
    first = world.pager()
    wait_for(
        lambda: world.number("SELECT count(*) FROM notify_heartbeat") > 0, seconds=150, what="a pager runs"
    )
    world.kill(first)
    world.raise_alert()
    assert world.delivered() == 0
    world.pager()
    wait_for(lambda: world.delivered() >= 1, seconds=90, what="the page of the second pager")


def test_two_pagers_share_the_work_and_double_nothing(world: World) -> None:
    """PR-03"""
    for _ in range(2):
        world.pager()
    world.run(
        "import django; django.setup()\n"
        "from accounts.models import Patient\nfrom common import clock\nfrom safety.actions import raise_alert\n"
        "patient = Patient.objects.get()\n"
        "for n in range(60):\n"
        "    raise_alert(patient=patient, trigger='X04', severity=3, source='fault', at=clock.now(), by='system:fault', episode=f'e{n}')\n"
    )
    wait_for(lambda: world.delivered() >= 60, seconds=150, what="60 pages")
    time.sleep(1)
    world.reconcile(at_most=1)
    assert world.delivered() == 60


def test_the_whole_ladder_runs_in_the_real_pager(world: World) -> None:
    """PR-07: again at 60 s, the second on call at 5 min, everyone at 10 min, and open all the while."""
    world.raise_alert()
    world.pager()
    wait_for(lambda: world.delivered() == 1, seconds=150, what="the first page")
    world.advance(61)
    wait_for(lambda: world.delivered() == 2, seconds=10, what="the repeated page")
    assert world.ask("SELECT channel FROM notify_sandboxdelivery ORDER BY id")[-1] == ("voice",)
    world.advance(240)
    wait_for(
        lambda: world.number("SELECT level FROM safety_alert") == 2, seconds=10, what="the second on call"
    )
    world.advance(300)
    wait_for(lambda: world.number("SELECT level FROM safety_alert") == 3, seconds=10, what="everyone")
    assert world.ask("SELECT state FROM safety_alert") == [("open",)]


def test_sms_and_voice_down_the_page_goes_by_mail_within_a_minute(world: World) -> None:
    """PR-05, PR-18"""
    world.pager(HEARTHSIDE_SANDBOX_FAIL="sms,voice")
    world.raise_alert()
    wait_for(lambda: world.delivered() >= 1, seconds=60, what="the page by mail")
    assert world.ask("SELECT DISTINCT channel FROM notify_sandboxdelivery") == [("email",)]


def test_the_pager_outlives_a_killed_database(world: World) -> None:
    """PR-03: PostgreSQL is killed and comes back; the same pager process goes on."""
    pager = world.pager()
    wait_for(
        lambda: world.number("SELECT count(*) FROM notify_heartbeat") > 0, seconds=150, what="a pager runs"
    )
    world.pair.postgres_child.kill()
    world.pair.postgres_child.wait(timeout=10)
    time.sleep(0.5)
    world.pair.restart_postgres()
    world.raise_alert()
    wait_for(lambda: world.delivered() == 1, seconds=90, what="the page after the restart")
    assert pager.poll() is None


def test_sigterm_stops_the_pager_within_two_seconds(world: World) -> None:
    pager = world.pager()
    wait_for(
        lambda: world.number("SELECT count(*) FROM notify_heartbeat") > 0, seconds=150, what="a pager runs"
    )
    asked = time.monotonic()
    pager.send_signal(signal.SIGTERM)
    assert pager.wait(timeout=5) == 0
    assert time.monotonic() - asked < 2


def test_ten_thousand_ordinary_messages_waiting_do_not_delay_a_page(world: World) -> None:
    """PR-05: the lanes share a table and nothing else."""
    world.ask(
        "INSERT INTO notify_outboxmessage (id, lane, kind, to_address, channel, fallbacks, template, context, wanted_at, due_at, "
        "respect_quiet_hours, state, attempts, provider_id, provider_status, about_type, created_at, last_error) "
        "SELECT gen_random_uuid(), 'ordinary', 'bulk', '', 'email', '[]', 'ready-made', '', now(), now() - interval '1 hour', false, "
        "'scheduled', 0, '', '', '', now(), '' FROM generate_series(1, 10000)"
    )
    world.pager()
    wait_for(
        lambda: world.number("SELECT count(*) FROM notify_heartbeat WHERE lane = 'crisis'") > 0,
        seconds=150,
        what="a pager runs",
    )
    world.raise_alert()
    wait_for(lambda: world.delivered() == 1, seconds=5, what="the page")
