"""PR-03: the deterministic point "vendor accepted, sender dead", for both lanes and every channel that has a vendor outside.

The vendor takes the message, writes it into its journal and never answers; then the sender is killed. (A notice on the screen
has no vendor: it is the row itself.)
"""

import datetime as dt

import pytest

from tests.faults.conftest import SETTLED, World, wait_for
from tests.faults.ledger import Intent, reconcile
from tests.faults.test_ordinary_lane import DISPATCH

pytestmark = [pytest.mark.fault, pytest.mark.xdist_group("faults")]

PROMISE = """
import django; django.setup()
from accounts.models import User
from common import clock
from notify.actions import promise
at, dana = clock.now(), User.objects.get(full_name="Dana")
crisis = {lane!r} == "crisis"
context = {{"link": "https://care.example/alerts/1/", "answer_url": "https://care.example/answer/1/", "reference": "R-1",
           "notice_number": 1, "drill": False}} if crisis else {{"subject": "s", "body": "Token 4711"}}
promise("crisis_page" if crisis else "test.mail", to=dana, channel={channel!r}, template="crisis_page" if crisis else "ready-made",
        context=context, due_at=at, at=at, lane={lane!r}, respect_quiet_hours=False)
"""


@pytest.mark.parametrize("channel", ["sms", "voice", "email"])
@pytest.mark.parametrize("lane", ["ordinary", "crisis"])
def test_a_message_whose_sender_died_after_the_vendor_took_it(world: World, lane: str, channel: str) -> None:
    """PR-03: class R asks first where the vendor can be asked, and never sends more than one extra; class L says "notice 2"."""
    world.vendors()
    world.behave("accept-then-hang")
    assert world.run(PROMISE.format(lane=lane, channel=channel)) == 0
    sender = ("manage.py", "pager") if lane == "crisis" else ("-c", DISPATCH)
    dead = world.start(*sender)
    wait_for(lambda: len(world.taken()) == 1, seconds=150, what="the vendor took it")
    world.kill(dead)
    assert world.number("SELECT count(*) FROM notify_outboxmessage WHERE state = 'sending'") == 1
    world.behave("well")
    world.advance(42 if lane == "crisis" else 301)
    world.start(*sender)
    wait_for(lambda: world.number(SETTLED) == 0, seconds=150, what="it is settled")

    taken = world.taken()
    due_at_s = world.ask("SELECT extract(epoch FROM wanted_at)::float FROM notify_outboxmessage")[0][0]
    intent = Intent(
        f"{lane} {channel}", "page" if lane == "crisis" else "reminder", "L" if lane == "crisis" else "R",
        acknowledged_at_s=due_at_s, due_at_s=due_at_s, one_extra=channel != "sms",
        taken_at_s=[dt.datetime.fromisoformat(line["at"]).timestamp() for line in taken],
        story=[str(line) for line in taken],
    )  # fmt: skip
    findings = reconcile([intent], [], now_s=due_at_s)
    assert not findings, "\n".join(map(str, findings))
    if lane == "crisis":
        assert len(taken) == 2 and "otice 2" in taken[1]["words"]
    elif channel == "sms":
        assert len(taken) == 1


def test_a_sender_killed_before_the_vendor_took_it_sends_it_once(world: World) -> None:
    """PR-03: the other side of the same point: asked, the vendor knows nothing, so it goes."""
    world.vendors()
    world.behave("hang")
    assert world.run(PROMISE.format(lane="ordinary", channel="sms")) == 0
    dead = world.start("-c", DISPATCH)
    wait_for(
        lambda: world.number("SELECT count(*) FROM notify_outboxmessage WHERE state = 'sending'") == 1,
        seconds=150,
        what="it is on its way",
    )
    world.kill(dead)
    world.behave("well")
    assert world.taken() == []
    world.advance(301)
    world.start("-c", DISPATCH)
    wait_for(lambda: world.number(SETTLED) == 0, seconds=150, what="it is settled")
    assert len(world.taken()) == 1
