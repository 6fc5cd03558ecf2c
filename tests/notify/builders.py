"""Messages for tests."""

from datetime import datetime
from typing import Any

from accounts.models import User
from common.encryption import lookup_digest
from notify.actions import promise
from notify.models import DeadLetter, OutboxMessage, PushSubscription


def a_mail(to: User | str, at: datetime, **changes: Any) -> OutboxMessage:
    """A promised mail that brings its own words."""
    given: dict[str, Any] = {
        "channel": "email", "template": "ready-made", "context": {"subject": "Hello", "body": "A word."}, "due_at": at, "at": at,
        **changes,
    }  # fmt: skip
    return promise("test.mail", to=to, **given)


def a_text(to: User | str, at: datetime, **changes: Any) -> OutboxMessage:
    """A promised SMS that brings its own words."""
    return a_mail(to, at, **{"channel": "sms", **changes})


def a_device(user: User, at: datetime, **changes: Any) -> PushSubscription:
    """A browser of this person."""
    given: dict[str, Any] = {
        "endpoint": f"https://updates.push.services.mozilla.com/wpush/v2/{user.pk}", "p256dh": "B" + "a" * 86, "auth": "c" * 22,
        "label": "Android", "created_at": at, **changes,
    }  # fmt: skip
    return PushSubscription.objects.create(
        user=user, endpoint_digest=lookup_digest(given["endpoint"]), **given
    )


def a_letter(owner: User, patient: User, at: datetime, **changes: Any) -> DeadLetter:
    """Something stuck that this person owns."""
    given: dict[str, Any] = {
        "what": "message", "key": str(a_mail(patient, at, patient=patient.patient).pk), "name": "test.mail", "patient_id": patient.pk,
        "error": "the address was refused", "tries": 6, "opened_at": at, "last_at": at, **changes,
    }  # fmt: skip
    return DeadLetter.objects.create(owner=owner, **given)
