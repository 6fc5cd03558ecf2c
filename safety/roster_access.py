"""Who may hold which shift, who is away, which days are holidays, what is offered to whom."""

import os
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Max, Q, QuerySet

from accounts.models import Licence, Role, User
from common import hooks
from common.errors import NotVisible
from safety.access import escalations, working_day
from safety.models import OnCallShift
from safety.models_roster import PracticeHoliday, ShiftHandover, TimeAway
from safety.rules import EMERGENCY, WORKING_DAY_WITHIN_DAYS, end_of_next_working_day

ON_CALL_ROLES = (Role.PSYCHIATRIST, Role.COACH)


def practice_zone() -> ZoneInfo:
    """The zone of the practice's own calendar: its holidays are days there."""
    return ZoneInfo(settings.PRACTICE["time_zone"])


def shifts_to_come(person: User, *, at: datetime) -> QuerySet[OnCallShift]:
    """What this person still holds, the running shift first."""
    return OnCallShift.objects.filter(person=person, removed_at__isnull=True, ends_at__gt=at).order_by(
        "starts_at"
    )


def shifts_of_between(person: User, starts_at: datetime, ends_at: datetime) -> QuerySet[OnCallShift]:
    """This person's shifts that touch the window."""
    return OnCallShift.objects.filter(
        person=person, removed_at__isnull=True, starts_at__lt=ends_at, ends_at__gt=starts_at
    ).order_by("starts_at")


def licensed_until(people: Iterable[Any]) -> dict[Any, date]:
    """The last day on which each of these psychiatrists holds any licence; nobody is in it who never had one."""
    rows = Licence.objects.filter(psychiatrist__in=list(people)).values_list("psychiatrist")
    return dict(rows.annotate(last=Max("expires_on")))


def may_not_hold(person: User, *, level: int, starts_at: datetime, ends_at: datetime) -> str:
    """Why this person cannot hold this level in this time; empty when they can."""
    if not person.is_active or person.role not in ON_CALL_ROLES:
        return "Choose a clinician or coach who works here."
    if level == 1 and person.role != Role.PSYCHIATRIST:
        return "The first on call is a psychiatrist."
    if not person.phone:
        return "This person has no phone number, so a page could not ring."
    if level == 1:
        until = licensed_until([person.pk]).get(person.pk)
        if until is None or until < ends_at.astimezone(UTC).date():
            return "This person's licence does not last until the end of the shift."
    away = times_away_of(person, starts_at, ends_at)
    if away:
        zone = ZoneInfo(person.time_zone)
        return f"This person is away from {words_of(away[0][0], zone)} to {words_of(away[0][1], zone)}."
    return ""


def words_of(at: datetime, zone: ZoneInfo) -> str:
    """An instant as one says it on the roster: "Mon 23 Nov, 09:00 PST"."""
    local = at.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b}, {local:%H:%M} {local:%Z}"


def figures_of(at: datetime, zone: ZoneInfo) -> str:
    """The same in figures, for messages in any language: "2026-11-23 09:00 PST"."""
    local = at.astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M} {local:%Z}"


def times_away_of(person: User, starts_at: datetime, ends_at: datetime) -> list[tuple[datetime, datetime]]:
    """When the person is away within the window: from the roster itself, and what upper apps know (calendar leave)."""
    own = TimeAway.objects.filter(
        person=person, removed_at__isnull=True, starts_at__lt=ends_at, ends_at__gt=starts_at
    ).values_list("starts_at", "ends_at")
    known = hooks.run("staff.away", person=person, starts_at=starts_at, ends_at=ends_at)
    return sorted([*own, *(span for spans in known for span in spans)])


def times_away_to_come(user: User, *, at: datetime) -> QuerySet[TimeAway]:
    """Administrators see everybody's, others their own."""
    rows = TimeAway.objects.filter(removed_at__isnull=True, ends_at__gt=at).select_related("person")
    if user.role != Role.ADMINISTRATOR:
        rows = rows.filter(person=user)
    return rows.order_by("starts_at")


def holidays_from(first: date) -> QuerySet[PracticeHoliday]:
    """Holidays from this day on."""
    return PracticeHoliday.objects.filter(removed_at__isnull=True, day__gte=first).order_by("day")


def holidays_within(starts_at: datetime, ends_at: datetime) -> list[PracticeHoliday]:
    """The holidays, days of the practice's own zone, that a shift of these instants touches."""
    zone = practice_zone()
    first, last = starts_at.astimezone(zone).date(), ends_at.astimezone(zone)
    # A shift that ends at midnight does not touch the day that begins then.
    last_day = last.date()
    rows = PracticeHoliday.objects.filter(removed_at__isnull=True, day__gte=first, day__lte=last_day)
    return [
        row
        for row in rows.order_by("day")
        if datetime(row.day.year, row.day.month, row.day.day, tzinfo=zone) < ends_at
    ]


def acknowledge_by(row: Mapping[str, Any], *, at: datetime, severity: int = 0) -> datetime:
    """When the clock of a trigger's row ends for an alert of this instant: after so many minutes, or with the next working day
    of the practice (its weekdays and hours are the table's, its holidays those of the roster).

    An emergency is taken before the urgent ladder calls the next level, however slow its trigger's usual clock (PR-07).
    """
    if severity >= EMERGENCY:
        soonest = timedelta(seconds=escalations(at=at)["ladders"]["urgent"]["next_level_seconds"])
        return at + min(soonest, timedelta(minutes=row["acknowledge_minutes"]))
    if row.get("acknowledge_by") != "end_of_next_working_day":
        return at + timedelta(minutes=row["acknowledge_minutes"])
    working = working_day(at=at)
    zone = practice_zone()
    first = at.astimezone(zone).date()
    last = first + timedelta(days=WORKING_DAY_WITHIN_DAYS)
    return end_of_next_working_day(
        at,
        zone=zone,
        weekdays=working["weekdays"],
        until_hour=working["until_hour"],
        holidays=set(holidays_from(first).filter(day__lte=last).values_list("day", flat=True)),
    )


def open_offers_for(user: User, *, at: datetime) -> QuerySet[ShiftHandover]:
    """Hand-overs that wait for an answer: to this person, from this person, or all for an administrator."""
    rows = ShiftHandover.objects.filter(state="offered", ends_at__gt=at).select_related(
        "giver", "taker", "shift"
    )
    if user.role != Role.ADMINISTRATOR:
        rows = rows.filter(Q(giver=user) | Q(taker=user))
    return rows.order_by("starts_at")


def visible_handover(user: User, pk: Any) -> ShiftHandover:
    """That hand-over for those it concerns, or NotVisible."""
    rows = ShiftHandover.objects.select_related("giver", "taker", "shift").filter(pk=pk)
    if user.role != Role.ADMINISTRATOR:
        rows = rows.filter(Q(giver=user) | Q(taker=user))
    found = rows.first()
    if found is None:
        raise NotVisible("There is no such hand-over.")
    return found


def shift_to_give(user: User, pk: Any) -> OnCallShift:
    """A shift that this person may hand over: their own, or any for an administrator."""
    rows = OnCallShift.objects.filter(pk=pk, removed_at__isnull=True).select_related("person")
    if user.role != Role.ADMINISTRATOR:
        rows = rows.filter(person=user)
    found = rows.first()
    if found is None:
        raise NotVisible("There is no such shift.")
    return found


def visible_time_away(user: User, pk: Any) -> TimeAway:
    """That time away, of oneself or for an administrator, or NotVisible."""
    rows = TimeAway.objects.filter(pk=pk)
    if user.role != Role.ADMINISTRATOR:
        rows = rows.filter(person=user)
    found = rows.first()
    if found is None:
        raise NotVisible("There is no such entry.")
    return found


def holiday(pk: Any) -> PracticeHoliday:
    """That holiday, or NotVisible."""
    found = PracticeHoliday.objects.filter(pk=pk).first()
    if found is None:
        raise NotVisible("There is no such holiday.")
    return found


def drill_account() -> User | None:
    """The account that answers drills by itself, when the practice has named one (PAGER_DRILL_ACCOUNT); else a person does."""
    email = os.environ.get("PAGER_DRILL_ACCOUNT", "").strip().lower()
    if not email:
        return None
    return User.objects.filter(email=email, is_active=True, role__in=[Role.PSYCHIATRIST, Role.COACH]).first()
