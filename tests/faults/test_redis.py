"""PR-03, PR-18: the real worker and beat over a Redis that forgets, is cut off, or takes connections and never answers."""

from urllib.parse import urlsplit

import psycopg2
import pytest
import redis

from tests.faults.conftest import SETTLED, World, wait_for
from tests.faults.proxy import door_to

pytestmark = [pytest.mark.fault, pytest.mark.xdist_group("faults")]


@pytest.mark.parametrize("trouble", ["flushed", "shut", "swallow"])
def test_the_ordinary_lane_goes_on_once_redis_is_well_again(world: World, trouble: str) -> None:
    """Nothing waits in Redis alone, so whatever happens to it costs time and no message."""
    if world.pair.redis is None:
        pytest.skip("no Redis runs on this machine")
    url = urlsplit(world.pair.redis.url)
    with door_to(url.port or 6379) as door:
        through = world.pair.redis.url.replace(f":{url.port}", f":{door.port}")
        world.environment["REDIS_URL"] = through
        world.worker(), world.beat()
        world.promise_mails(30, nudge=True)
        wait_for(lambda: world.delivered() == 30, seconds=150, what="the lane runs")
        if trouble == "flushed":
            redis.Redis.from_url(world.pair.redis.url).flushall()
        else:
            door.be(trouble)
        world.promise_mails(30, nudge=True)
        if trouble != "flushed":
            wait_for(lambda: _seconds_since(world) >= 6, seconds=30, what="it stays so for a while")
            door.be("open")
        wait_for(lambda: world.number(SETTLED) == 0, seconds=150, what="all 60 are settled")
        world.reconcile(at_most=1)
        assert world.delivered() == 60
        for child in list(world.processes):
            if child.poll() is None:
                world.kill(child)


def _seconds_since(world: World) -> float:
    try:
        return float(
            world.ask("SELECT extract(epoch FROM now() - max(created_at)) FROM notify_outboxmessage")[0][0]
        )
    except psycopg2.OperationalError:
        return 0.0


@pytest.mark.parametrize("trouble", ["shut", "swallow"])
def test_a_page_goes_out_within_seconds_whatever_redis_does(world: World, trouble: str) -> None:
    """PR-05, PR-18: the crisis lane never speaks to Redis."""
    if world.pair.redis is None:
        pytest.skip("no Redis runs on this machine")
    with door_to(urlsplit(world.pair.redis.url).port or 6379) as door:
        door.be(trouble)
        world.environment["REDIS_URL"] = f"redis://127.0.0.1:{door.port}/0"
        world.pager()
        wait_for(
            lambda: world.number("SELECT count(*) FROM notify_heartbeat WHERE lane = 'crisis'") > 0,
            seconds=150,
            what="a pager runs",
        )
        world.raise_alert()
        wait_for(lambda: world.delivered() >= 1, seconds=15, what="the page")
