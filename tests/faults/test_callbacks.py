"""PR-03: the vendor's reports come doubled, out of order, late, and while the web process is killed; a message only moves forward."""

import itertools
import time

import pytest

from tests.faults.conftest import SETTLED, World, wait_for
from tests.faults.test_ordinary_lane import DISPATCH
from tests.twilio_server import TwilioServer

pytestmark = [pytest.mark.fault, pytest.mark.xdist_group("faults")]

# How far each report is; as Twilio documents it, not as the product has it.
RANK = {"queued": 1, "sent": 2, "delivered": 3}
TEXTS = """
import django; django.setup()
from accounts.models import User
from common import clock
from notify.actions import promise
at, dana = clock.now(), User.objects.get(full_name="Dana")
for n in range({count}):
    promise("test.text", to=dana, channel="sms", template="ready-made", context={{"subject": "", "body": f"Text {{n}}"}}, due_at=at, at=at,
            respect_quiet_hours=False)
"""


def test_reports_in_any_order_leave_each_text_where_the_furthest_one_says(world: World) -> None:
    """PR-03: all orders of the three reports, each sent twice."""
    world.vendors()
    world.web()
    orders = list(itertools.permutations(RANK))
    assert world.run(TEXTS.format(count=len(orders))) == 0
    world.start("-c", DISPATCH)
    wait_for(lambda: world.number(SETTLED) == 0, seconds=150, what="all are sent")
    vendor = TwilioServer()
    url = world.environment["SITE_URL"] + "/webhooks/twilio/status/"
    sids = [
        sid for (sid,) in world.ask("SELECT provider_id FROM notify_outboxmessage ORDER BY created_at, id")
    ]
    for sid, order in zip(sids, orders, strict=True):
        for status in [*order, *order]:
            assert vendor.call_back(url, {"MessageSid": sid, "MessageStatus": status}) == 204
        # Later than delivered, the carrier's second thoughts change nothing.
        assert vendor.call_back(url, {"MessageSid": sid, "MessageStatus": "undelivered"}) == 204
    assert vendor.call_back(url, {"MessageSid": sids[0], "MessageStatus": "failed"}, token="forged") == 403
    assert set(world.ask("SELECT state, provider_status FROM notify_outboxmessage")) == {
        ("sent", "delivered")
    }
    assert len(world.taken()) == len(orders)
    assert world.number("SELECT count(*) FROM notify_providerevent") == 4 * len(orders)


def test_reports_while_the_web_process_is_killed_are_kept_or_not_answered(world: World) -> None:
    """PR-04: what the vendor was told is kept, is kept."""
    world.vendors(seed=3)
    web = world.web()
    world.behave("well reports=doubled+shuffled+late")
    assert world.run(TEXTS.format(count=60)) == 0
    world.start("-c", DISPATCH)
    wait_for(lambda: len(world.taken()) >= 30, seconds=150, what="the sender is in the middle")
    for _ in range(2):
        time.sleep(1)
        world.kill(web)
        web = world.web()
    wait_for(
        lambda: len([line for line in world.journal.lines() if line["what"] == "reported"]) == 360,
        seconds=150,
        what="every report was tried",
    )
    wait_for(lambda: world.number(SETTLED) == 0, seconds=150, what="all are sent")
    known = dict(world.ask("SELECT provider_id, provider_status FROM notify_outboxmessage"))
    reports = [line for line in world.journal.lines() if line["what"] == "reported"]
    answered = [line for line in reports if line["answered"] == 204]
    assert answered and {line["answered"] for line in reports} <= {0, 204}
    behind = [line for line in answered if RANK[known[line["sid"]]] < RANK[line["status"]]]
    assert behind == []
