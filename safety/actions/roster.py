"""Who is on call, and noticing when nobody is."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.models import Role, User
from common import audit
from common.errors import Conflict, Invalid, NotPermitted
from notify.actions import promise
from safety.access import upcoming_gaps
from safety.models import LIVE_STATES, Alert, OnCallShift

NEAR = timedelta(hours=12)
DRILL_EVERY = timedelta(hours=24)


def add_shift(
    *, person: User, level: int, starts_at: datetime, ends_at: datetime, by: User, at: datetime
) -> OnCallShift:
    """Put somebody on call. Raises Invalid for a person who cannot be reached, Conflict when the time is taken."""
    if by.role != Role.ADMINISTRATOR:
        raise NotPermitted("An administrator keeps the roster.")
    fields = {}
    if not person.is_active or person.role not in (Role.PSYCHIATRIST, Role.COACH):
        fields["person"] = "Choose a clinician or coach who works here."
    elif level == 1 and person.role != Role.PSYCHIATRIST:
        fields["person"] = "The first on call is a psychiatrist."
    elif not person.phone:
        fields["person"] = "This person has no phone number, so a page could not ring."
    if ends_at <= starts_at:
        fields["ends_at"] = "The end comes after the start."
    elif ends_at <= at:
        fields["ends_at"] = "This shift is already over."
    if level not in (1, 2):
        fields["level"] = "Choose first or second on call."
    if fields:
        raise Invalid("This shift cannot be added as it is.", fields=fields)
    try:
        with transaction.atomic():
            shift = OnCallShift.objects.create(
                person=person, level=level, starts_at=starts_at, ends_at=ends_at, created_at=at, created_by=by
            )
            audit.record(
                "shift.added", by=by, at=at, about=shift, detail={"person": str(person.pk), "level": level}
            )
    except IntegrityError:
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


def check_coverage(*, at: datetime) -> Alert | None:
    """A hole in the next 72 hours is itself an alert to the administrators (HZ-25). Answers it, or None when all is covered."""
    from safety.actions.alerts import raise_alert

    holes = [(level, begins) for level, found in upcoming_gaps(at=at).items() for begins, _ in found]
    if not holes:
        return None
    # A hole in the first level that begins within half a day is severe: it does not wait for office hours.
    near = any(level == 1 and begins < at + NEAR for level, begins in holes)
    severity = 3 if near else 2
    live = Alert.objects.filter(patient__isnull=True, episode_key="roster_gap", state__in=LIVE_STATES).first()
    if live is not None and live.severity >= severity:
        return live
    with transaction.atomic():
        alert = raise_alert(
            patient=None, trigger="P01", source="roster", at=at, by="system:coverage", severity=severity
        )
        level, begins = min(holes, key=lambda hole: (hole[0], hole[1]))
        for person in User.objects.filter(is_active=True, role=Role.ADMINISTRATOR):
            local = begins.astimezone(ZoneInfo(person.time_zone))
            promise(
                "roster_gap",
                to=person,
                channel="email",
                context={
                    "level": level,
                    "begins_words": f"{local:%A} {local.day} {local:%B}, {local:%H:%M} ({local:%Z})",
                    "link": f"{settings.SITE_URL}/alerts/roster/",
                },
                due_at=at,
                at=at,
                about=alert,
                dedupe_key=f"gap:{alert.pk}:{severity}:{person.pk}",
            )
    return alert


def daily_drill(*, at: datetime) -> Alert | None:
    """Once a day a marked drill page to the first on call, so that a dead phone is found on a quiet day (HZ-30: it says so)."""
    from safety.actions.alerts import raise_alert

    newest = Alert.objects.filter(trigger="P02").order_by("-opened_at").first()
    if newest is not None and (newest.state != "closed" or newest.opened_at > at - DRILL_EVERY):
        return None
    return raise_alert(patient=None, trigger="P02", source="drill", at=at, by="system:drill")
