"""Whether the lanes are alive: the crisis lane that pages people, the ordinary one that sends messages and looks for what is late."""

from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Max

from notify.models import Heartbeat
from safety import wording
from safety.access import shipped
from safety.models import LIVE_STATES, Alert

ORDINARY_BEATS = ("ordinary", "sweeps", "bulk")


def lane_is_well(*, at: datetime) -> bool:
    """May the dead-man service of another vendor be told that all is well? Not while a pager is silent, a due page is older
    than it may be, or the last drill was not answered."""
    failed = Alert.objects.filter(trigger="P03", state__in=LIVE_STATES).exists()
    return not failed and not lane_trouble(at=at)


def pagers_running(*, at: datetime) -> int:
    """How many copies of the crisis lane have been heard of within the time after which it counts as silent."""
    since_at = at - timedelta(seconds=shipped()["lane_stale_seconds"])
    return Heartbeat.objects.filter(lane="crisis", at__gte=since_at).count()


def lane_trouble(*, at: datetime) -> str:
    """What is wrong with the crisis lane when it is older than it may be; empty when it is well. One query."""
    return _look_at_lanes(at)[0]


def staff_banner(*, at: datetime) -> str:
    """What all staff must know about both lanes: pages first, else messages and checks. One query; empty when all is well."""
    return look_for_staff(at=at)[0]


def look_for_staff(*, at: datetime) -> tuple[str, bool]:
    """That sentence, and whether any alert at all waits for somebody to take it, so that a page need not ask whose. One query."""
    crisis, ordinary, untaken = _look_at_lanes(at)
    return crisis or ordinary, untaken


def _look_at_lanes(at: datetime) -> tuple[str, str, bool]:
    """The sentences about the crisis lane and about the ordinary one, and whether an alert is open."""
    stale = timedelta(seconds=shipped()["lane_stale_seconds"])
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT max(at) FROM notify_heartbeat WHERE lane = 'crisis'), "
            "(SELECT count(*) FROM notify_outboxmessage WHERE lane = 'crisis' AND state = 'scheduled' AND due_at < %s), "
            "(SELECT max(at) FROM notify_heartbeat WHERE lane = 'ordinary'), "
            "(SELECT max(at) FROM notify_heartbeat WHERE lane = 'sweeps'), "
            "(SELECT max(at) FROM notify_heartbeat WHERE lane = 'bulk'), "
            "EXISTS (SELECT 1 FROM safety_alert WHERE state = 'open')",
            [at - stale],
        )
        last_at, late_pages, messages_at, sweeps_at, bulk_at, untaken = cursor.fetchone()
    silent = at - last_at if last_at is not None else None
    crisis = wording.lane_trouble(
        None if silent is None else (silent.total_seconds() if silent > stale else 0), late_pages
    )
    ordinary = wording.ordinary_lane_trouble(
        ordinary_lane_silent_s(messages_at, at=at),
        ordinary_lane_silent_s(sweeps_at, at=at),
        ordinary_lane_silent_s(bulk_at, at=at),
    )
    return crisis, ordinary, untaken


def ordinary_lane_beats() -> dict[str, datetime]:
    """When a worker last looked for due messages (`ordinary`), for what is late (`sweeps`), and began anything of the bulk queue."""
    return dict(
        Heartbeat.objects.filter(lane__in=ORDINARY_BEATS).values_list("lane").annotate(last=Max("at"))
    )


def ordinary_lane_silent_s(lane_beat_at: datetime | None, *, at: datetime) -> float | None:
    """For how long it has been silent, in seconds, when that is longer than it may be; None while it is well or never began."""
    silent_s = (at - lane_beat_at).total_seconds() if lane_beat_at is not None else 0
    return silent_s if silent_s >= ordinary_lane_patience_s() else None


def ordinary_lane_patience_s() -> float:
    """Longer than a worker's watchdog and a supervisor need to put things right by themselves."""
    return shipped()["ordinary_lane_silent_seconds"]
