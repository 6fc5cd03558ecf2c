"""Alerts and shifts for tests."""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from accounts.models import User
from safety.actions import raise_alert
from safety.models import Alert, OnCallShift


def a_shift(
    person: User, at: datetime, *, level: int = 1, hours: float = 12, by: User | None = None
) -> OnCallShift:
    """Somebody on call from a minute ago."""
    begins = at - timedelta(minutes=1)
    return OnCallShift.objects.create(
        person=person,
        level=level,
        starts_at=begins,
        ends_at=begins + timedelta(hours=hours),
        created_at=at,
        created_by=by or person,
    )


def an_alert(patient_user: User, at: datetime, **changes: Any) -> Alert:
    """A suicide-risk alert about this person, unless told otherwise."""
    given: dict[str, Any] = {"trigger": "X02", "source": "test", "by": "system:test", **changes}
    return raise_alert(patient=patient_user.patient, at=at, **given)


def close_by_force(person: User) -> None:
    """An account that is closed past every guard, as after a restored backup: what the crisis lane must outlive.

    The trigger comes back when the test's transaction is rolled back.
    """
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_user DISABLE TRIGGER nobody_leaves_while_on_call")
    User.objects.filter(pk=person.pk).update(is_active=False)
