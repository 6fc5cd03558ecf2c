"""PR-03, HZ-11: the practice's clock is moved over both changes of daylight saving time, in zones that change by an hour, by half an
hour and not at all. Every reminder goes once, never before it was wanted, and only by day where the person is."""

import datetime as dt
import json
from zoneinfo import ZoneInfo

import pytest

from tests.faults.conftest import World, wait_for
from tests.faults.ledger import Intent, reconcile
from tests.faults.test_ordinary_lane import DISPATCH
from tests.twilio_server import wall_clock

pytestmark = [pytest.mark.fault, pytest.mark.xdist_group("faults")]

STEP = dt.timedelta(minutes=30)
# From an instant at which a reminder is wanted (seven minutes past a look) to the next one.
LOOK = dt.timedelta(minutes=23)
AROUND = dt.timedelta(hours=14)
# Who lives where, and whose changes are walked over.
ZONES = {
    "America/New_York": "+14155550161",
    "Australia/Lord_Howe": "+14155550162",
    "America/Phoenix": "+14155550163",
}
ALSO_THERE = {
    "America/New_York": ["America/New_York", "America/Phoenix"],
    "Australia/Lord_Howe": ["Australia/Lord_Howe"],
}

PROMISE = """
import django; django.setup()
import datetime as dt, json
from accounts.models import User
from common import clock
from notify.actions import promise
at = clock.now()
for wanted, zone, phone, key in json.loads({wanted!r}):
    user, _ = User.objects.get_or_create(email=zone.replace("/", ".").lower() + "@example.test", defaults=dict(
        full_name=zone, role="patient", phone=phone, password="!", time_zone=zone))
    promise("test.text", to=user, channel="sms", template="ready-made", context={{"subject": "", "body": "Reminder " + key}},
            due_at=dt.datetime.fromisoformat(wanted), at=at)
"""


def changes(zone: str, year: int) -> list[dt.datetime]:
    """The instants of that year at which the zone's offset changes, found by looking at each quarter of an hour."""
    where, quarter = ZoneInfo(zone), dt.timedelta(minutes=15)
    instant = dt.datetime(year, 1, 1, tzinfo=dt.UTC)
    found, before = [], instant.astimezone(where).utcoffset()
    while instant.year == year:
        offset = instant.astimezone(where).utcoffset()
        if offset != before:
            found.append(instant)
        before, instant = offset, instant + quarter
    return found


def set_clock(world: World, instant: dt.datetime) -> None:
    now_s = (instant - wall_clock()).total_seconds()
    before_s = float(world.clock_file.read_text() or 0) if world.clock_file.exists() else 0.0
    world.advance(now_s - before_s)


def nothing_due(world: World) -> bool:
    return not world.number(
        "SELECT count(*) FROM notify_outboxmessage WHERE state = 'sending' OR (state = 'scheduled' AND due_at <= hearthside_now())"
    )


def test_both_changes_of_the_clock_in_three_zones(world: World) -> None:
    """PR-03, HZ-11"""
    world.vendors()
    windows = sorted((change, zone) for zone in ALSO_THERE for change in changes(zone, 2027))
    assert len(windows) == 4
    intents: dict[str, Intent] = {}
    opens: dict[str, dt.datetime] = {}
    sender = None
    for change, zone in windows:
        set_clock(world, change - AROUND)
        wanted = []
        for home in ALSO_THERE[zone]:
            for number in range(int(2 * AROUND / STEP)):
                at = change - AROUND + number * STEP + dt.timedelta(minutes=7)
                key = f"{home}@{at:%Y-%m-%dT%H:%MZ}"
                wanted.append((at.isoformat(), home, ZONES[home], key))
                # The clock goes in steps, and nights are waited for: how late each was is judged below, to the second.
                intents[key] = Intent(
                    key, "reminder", "R", due_at_s=at.timestamp(), one_extra=False, leapt_s=float("inf")
                )  # fmt: skip
                opens[key] = at
        assert world.run(PROMISE.format(wanted=json.dumps(wanted))) == 0
        sender = sender or world.start("-c", DISPATCH)
        for number in range(int(2 * (AROUND + dt.timedelta(hours=12)) / STEP) + 1):
            set_clock(world, change - AROUND + number * STEP)
            wait_for(lambda: nothing_due(world), seconds=90, what="what is due is sent")

    for line in world.taken():
        key = line["words"].removeprefix("Reminder ")
        at = dt.datetime.fromisoformat(line["at"])
        intents[key].taken_at_s.append(at.timestamp())
        intents[key].story.append(f"taken at {at:%Y-%m-%d %H:%M:%S} UTC")
        home = ZoneInfo(key.partition("@")[0])
        there = at.astimezone(home)
        assert 8 <= there.hour < 21, f"{key} went at {there:%H:%M} local time"
        # At the next look when that is by day, else when the next morning begins (elapsed time, whatever the clocks did).
        look = opens[key] + LOOK
        while not 8 <= look.astimezone(home).hour < 21:
            look += STEP
        latest = look + dt.timedelta(seconds=40)
        assert at <= latest, f"{key} went at {at}, {at - latest} too late"
    findings = reconcile(intents.values(), [], now_s=0)
    assert not findings, "\n".join(map(str, findings[:5]))
    assert len(intents) == 3 * 2 * 56
