"""Once a day a mail without content to whoever has overdue work: the clock behind the list for people who are not looking at it."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction

from accounts.models import STAFF_ROLES, User
from common import audit, hooks
from common.work import WorkItem, in_order
from notify.actions import promise
from notify.models import OutboxMessage
from safety.task_access import one_look, task_data


def is_working_time(at: datetime, zone: str, *, hours: list[int]) -> bool:
    """Monday to Friday, from the first hour on and before the second, where the person is."""
    local = at.astimezone(ZoneInfo(zone))
    return local.weekday() < 5 and hours[0] <= local.hour < hours[1]


def _lines(person: User, at: datetime) -> list[WorkItem]:
    with one_look():
        found = hooks.run("work.items", user=person, at=at)
    return in_order(item for items in found for item in items or ())


def send_digests(*, at: datetime) -> int:
    """Promise today's mail to everybody who has overdue work and whose working day it is. Answers how many were promised.

    Safe to run as often as one likes: the key is the person and their own day. What comes due later in the day waits for tomorrow.
    """
    hours = task_data()["digest"]["working_hours"]
    people = [
        person
        for person in User.objects.filter(is_active=True, role__in=STAFF_ROLES).order_by("pk")
        if is_working_time(at, person.time_zone, hours=hours)
    ]
    keys = {
        person.pk: f"work:{person.pk}:{at.astimezone(ZoneInfo(person.time_zone)):%Y-%m-%d}"
        for person in people
    }
    known = set(
        OutboxMessage.objects.filter(dedupe_key__in=keys.values()).values_list("dedupe_key", flat=True)
    )
    sent = 0
    for person in people:
        if keys[person.pk] in known or not any(item.overdue(at) for item in _lines(person, at)):
            continue
        zone = ZoneInfo(person.time_zone)
        evening = datetime.combine(at.astimezone(zone).date(), time(hours[1]), zone) + timedelta(hours=1)
        with transaction.atomic():
            promise(
                "work_digest",
                to=person,
                channel="email",
                context={"link": f"{settings.SITE_URL}/work/"},
                due_at=at,
                at=at,
                dedupe_key=keys[person.pk],
                expires_at=evening,
            )
            audit.record("work.digest", by="system:work", at=at, about=person)
        sent += 1
    return sent
