"""Who is on call, who is away, which days are holidays, and noticing when nobody is there."""

import hashlib
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.models import Role, User
from common import audit
from common.errors import Conflict, Invalid, NotPermitted
from notify.actions import promise
from notify.models import OutboxMessage, State
from safety.access import trigger_of, upcoming_gaps
from safety.models import LIVE_STATES, Alert, OnCallShift
from safety.models_roster import PracticeHoliday, TimeAway
from safety.roster_access import (
    drill_account,
    figures_of,
    holidays_within,
    may_not_hold,
    shifts_of_between,
    words_of,
)
from safety.wording import LEVEL_WORDS

NEAR = timedelta(hours=12)
DRILL_EVERY = timedelta(hours=24)
DRILL, DRILL_FAILED = "P02", "P03"
# What a vendor says of a text or call that left it towards the phone.
ARRIVED = ("sent", "delivered", "read", "in-progress", "answered", "completed")


def add_shift(
    *,
    person: User,
    level: int,
    starts_at: datetime,
    ends_at: datetime,
    by: User,
    at: datetime,
    zone: str = "",
    holiday_confirmed: bool = False,
) -> OnCallShift:
    """Put somebody on call.

    Raises Invalid for a person who cannot hold it (reachable, in a role of the level, licensed to its end, not away), Invalid
    with the field `holiday_confirmed` for a shift on a holiday that nobody said is meant, Conflict when the time is taken.
    """
    if by.role != Role.ADMINISTRATOR:
        raise NotPermitted("An administrator keeps the roster.")
    fields = {}
    if ends_at <= starts_at:
        fields["ends_at"] = "The end comes after the start."
    elif ends_at <= at:
        fields["ends_at"] = "This shift is already over."
    if level not in (1, 2):
        fields["level"] = "Choose first or second on call."
    why_not = may_not_hold(person, level=level, starts_at=starts_at, ends_at=ends_at)
    if why_not:
        fields["person"] = why_not
    holidays = holidays_within(starts_at, ends_at) if not fields else []
    if holidays and not holiday_confirmed:
        names = ", ".join(f"{row.name} ({row.day:%a} {row.day.day} {row.day:%b})" for row in holidays)
        fields["holiday_confirmed"] = f"This shift touches a holiday: {names}. Tick that it is meant."
    if fields:
        raise Invalid("This shift cannot be added as it is.", fields=fields)
    try:
        with transaction.atomic():
            shift = OnCallShift.objects.create(
                person=person, level=level, starts_at=starts_at, ends_at=ends_at, created_at=at, created_by=by, zone=zone,
                holiday_confirmed=bool(holidays),
            )  # fmt: skip
            audit.record(
                "shift.added", by=by, at=at, about=shift, detail={"person": str(person.pk), "level": level}
            )
    except IntegrityError as error:
        if "on call" in str(error):
            # Their account closed in this instant; the database saw it first.
            raise Invalid(
                "This shift cannot be added as it is.", fields={"person": "This person no longer works here."}
            ) from None
        raise Conflict(
            "Somebody already holds this level for a part of that time.", code="shift_taken"
        ) from None
    return shift


def remove_shift(shift: OnCallShift, *, by: User, at: datetime) -> None:
    """Take a shift off the roster; the row stays as history. Raises Conflict when it is off already."""
    if by.role != Role.ADMINISTRATOR:
        raise NotPermitted("An administrator keeps the roster.")
    with transaction.atomic():
        changed = OnCallShift.objects.filter(pk=shift.pk, removed_at__isnull=True).update(removed_at=at)
        if not changed:
            raise Conflict("This shift was already taken off.")
        audit.record("shift.removed", by=by, at=at, about=shift)
    check_coverage(at=at)


def add_holiday(*, day: date, name: str, by: User, at: datetime) -> PracticeHoliday:
    """Put a holiday into the practice's calendar. Shifts that stand on it stay, and are marked. Raises Conflict for a second one."""
    if by.role != Role.ADMINISTRATOR:
        raise NotPermitted("An administrator keeps the holidays.")
    if not name.strip():
        raise Invalid("Name the holiday.", fields={"name": "Name the holiday."})
    try:
        with transaction.atomic():
            row = PracticeHoliday.objects.create(day=day, name=name.strip()[:60], added_at=at, added_by=by)
            audit.record("holiday.added", by=by, at=at, about=row, detail={"day": day.isoformat()})
    except IntegrityError:
        raise Conflict("This day is a holiday already.", code="holiday_known") from None
    return row


def remove_holiday(row: PracticeHoliday, *, by: User, at: datetime) -> None:
    """Take a holiday out of the calendar."""
    if by.role != Role.ADMINISTRATOR:
        raise NotPermitted("An administrator keeps the holidays.")
    with transaction.atomic():
        if not PracticeHoliday.objects.filter(pk=row.pk, removed_at__isnull=True).update(removed_at=at):
            raise Conflict("This holiday was already taken out.")
        audit.record("holiday.removed", by=by, at=at, about=row)


def add_time_away(
    *, person: User, starts_at: datetime, ends_at: datetime, by: User, at: datetime
) -> TimeAway:
    """Somebody is away: no shift is given to them then. Raises Conflict while they hold one in that time, naming it."""
    if by.pk != person.pk and by.role != Role.ADMINISTRATOR:
        raise NotPermitted("People enter their own time away; an administrator may for anybody.")
    if ends_at <= starts_at:
        raise Invalid("The end comes after the start.", fields={"ends_at": "The end comes after the start."})
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=person.pk)
        held = shifts_of_between(person, starts_at, ends_at).first()
        if held is not None:
            when = words_of(held.starts_at, ZoneInfo(by.time_zone))
            raise Conflict(
                f"{person} is {LEVEL_WORDS[held.level]} from {when}. Hand that shift over first.",
                code="on_call",
            )
        row = TimeAway.objects.create(
            person=person, starts_at=starts_at, ends_at=ends_at, added_at=at, added_by=by
        )
        audit.record("time_away.added", by=by, at=at, about=row, detail={"person": str(person.pk)})
    return row


def remove_time_away(row: TimeAway, *, by: User, at: datetime) -> None:
    """They are here after all."""
    if by.pk != row.person_id and by.role != Role.ADMINISTRATOR:
        raise NotPermitted("People take back their own time away; an administrator may for anybody.")
    with transaction.atomic():
        if not TimeAway.objects.filter(pk=row.pk, removed_at__isnull=True).update(removed_at=at):
            raise Conflict("This was already taken back.")
        audit.record("time_away.removed", by=by, at=at, about=row)


def check_coverage(*, at: datetime) -> Alert | None:
    """A hole in the next 72 hours is itself an alert to the administrators (HZ-25). Answers it, or None when all is covered.

    Each new hole is a new sign of it: told again, though the alert about an older hole is still open.
    """
    from safety.actions.alerts import raise_alert

    holes = [(level, begins, ends) for level, found in upcoming_gaps(at=at).items() for begins, ends in found]
    live = Alert.objects.filter(patient__isnull=True, episode_key="roster_gap", state__in=LIVE_STATES).first()
    # A hole that has begun moves its beginning with the clock; it is one and the same until it is filled.
    codes = sorted(f"level_{n}_{'now' if b <= at else format(b, '%Y%m%dT%H%MZ')}" for n, b, _ in holes)
    if live is not None and not set(live.detail_codes) <= set(codes):
        # What was filled is known no longer, so that the next hole of its name is news.
        live.detail_codes = sorted(set(live.detail_codes) & set(codes))
        live.save(update_fields=["detail_codes"])
    if not holes:
        return None
    # A hole in the first level that begins within half a day is severe: it does not wait for office hours.
    near = any(level == 1 and begins < at + NEAR for level, begins, _ in holes)
    severity = 3 if near else 2
    if live is not None and live.severity >= severity and set(codes) <= set(live.detail_codes):
        return live
    with transaction.atomic():
        alert = raise_alert(
            patient=None, trigger="P01", source="roster", at=at, by="system:coverage", severity=severity, detail_codes=codes
        )  # fmt: skip
        digest = hashlib.sha256("|".join(codes).encode()).hexdigest()[:16]
        for person in User.objects.filter(is_active=True, role=Role.ADMINISTRATOR):
            zone = ZoneInfo(person.time_zone)
            promise(
                "roster_gap",
                to=person,
                channel="email",
                context={
                    "holes": [
                        {"level": level, "begins": figures_of(begins, zone), "ends": figures_of(ends, zone)}
                        for level, begins, ends in sorted(holes, key=lambda hole: (hole[1], hole[0]))
                    ],
                    "link": f"{settings.SITE_URL}/alerts/roster/",
                },
                due_at=at,
                at=at,
                about=alert,
                dedupe_key=f"gap:{alert.pk}:{severity}:{digest}:{person.pk}",
            )
    return alert


# --- the drill ---


def daily_drill(*, at: datetime) -> Alert | None:
    """Once a day a marked drill page to the first on call, so that a dead phone is found on a quiet day (HZ-30: it says so)."""
    from safety.actions.alerts import raise_alert

    newest = Alert.objects.filter(trigger=DRILL).order_by("-opened_at").first()
    if newest is not None and newest.opened_at > at - DRILL_EVERY:
        return None
    # A drill of its own each day: one that nobody closed must not keep the lane untried.
    day = f"drill:{at:%Y-%m-%dT%H%M}"
    return raise_alert(patient=None, trigger=DRILL, source="drill", at=at, by="system:drill", episode=day)


def watch_drill(*, at: datetime) -> Alert | None:
    """What became of the drill: the named account answers it once its page was taken by the vendor; unanswered past its clock
    is a real alert to the administrators, who are paged over every channel. Answers that alert, or None.
    """
    from safety.actions.alerts import acknowledge, close, raise_alert

    drill = Alert.objects.filter(trigger=DRILL, state="open").order_by("-opened_at").first()
    if drill is None:
        return None
    robot = drill_account()
    if robot is not None:
        arrived = OutboxMessage.objects.filter(
            about_type="safety.alert", about_id=drill.pk, recipient=robot, kind="crisis_page", state=State.SENT,
            channel__in=["sms", "voice"], provider_status__in=ARRIVED,
        )  # fmt: skip
        if arrived.exists():
            with transaction.atomic():
                acknowledge(drill, by=robot, at=at)
                close(drill, by=robot, at=at, disposition="drill", note="Answered by the drill account.")
            return None
    late = at - drill.opened_at > timedelta(minutes=trigger_of(DRILL, at=at)["acknowledge_minutes"])
    # One failed drill is one alert, also after somebody closed it.
    if not late or Alert.objects.filter(trigger=DRILL_FAILED, source_id=str(drill.pk)).exists():
        return None
    return raise_alert(patient=None, trigger=DRILL_FAILED, source=drill, at=at, by="system:drill")
