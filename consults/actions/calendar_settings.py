"""A clinician's own calendar: free minutes between visits, and the secret address other calendars may read."""

import secrets
from datetime import datetime

from django.db import transaction

from accounts.models import Role, User
from common import audit
from common.errors import Invalid, NotPermitted
from consults.access.slots import visit_settings
from consults.access.waiting import feed_digest
from consults.models import CalendarSettings, VisitType

LONGEST_GAP_MINUTES = 120


def _may(by: User) -> None:
    if by.role not in (Role.PSYCHIATRIST, Role.COACH):
        raise NotPermitted("Only psychiatrists and coaches have a calendar.")


def set_gap(
    *, gap_minutes: int, consult_minutes: int | None = None, by: User, at: datetime
) -> CalendarSettings:
    """Free minutes between two visits, and how long a consult takes, from now on; what is booked stays.

    Raises Invalid outside 0 to 120, and for a consult shorter or longer than the protocol allows.
    """
    _may(by)
    if consult_minutes is not None:
        kind = visit_settings(at)["types"][VisitType.CONSULT]
        shortest, usual = kind.get("shortest_minutes", kind["minutes"]), kind["minutes"]
        if by.role != Role.PSYCHIATRIST or not shortest <= consult_minutes <= usual:
            words = f"Choose {shortest} to {usual} minutes."
            raise Invalid(words, fields={"consult_minutes": words})
    if not 0 <= gap_minutes <= LONGEST_GAP_MINUTES:
        raise Invalid("Choose 0 to 120 minutes.", fields={"gap_minutes": "Choose 0 to 120 minutes."})
    with transaction.atomic():
        row, _ = CalendarSettings.objects.update_or_create(
            clinician=by, defaults={"gap_minutes": gap_minutes, "consult_minutes": consult_minutes}
        )
        audit.record(
            "calendar.gap_set", by=by, at=at, about=by,
            detail={"minutes": gap_minutes, "consult_minutes": consult_minutes},
        )  # fmt: skip
    return row


def make_feed(*, shows: str, by: User, at: datetime) -> str:
    """A new secret for the feed's address, answered once; the old address ends with it."""
    _may(by)
    if shows not in CalendarSettings.Shows.values:
        raise Invalid("Choose what the calendar shows.", fields={"shows": "Choose one."})
    secret = secrets.token_urlsafe(32)
    with transaction.atomic():
        CalendarSettings.objects.update_or_create(
            clinician=by,
            defaults={"feed_digest": feed_digest(secret), "feed_made_at": at, "feed_shows": shows},
        )
        audit.record("calendar.feed_made", by=by, at=at, about=by, detail={"shows": shows})
    return secret


def revoke_feed(*, by: User, at: datetime) -> None:
    """The address answers nobody any more."""
    _may(by)
    with transaction.atomic():
        CalendarSettings.objects.filter(clinician=by).update(feed_digest=None, feed_made_at=None)
        audit.record("calendar.feed_revoked", by=by, at=at, about=by)
