"""Messages for tests."""

from datetime import datetime
from typing import Any

from accounts.models import User
from notify.actions import promise
from notify.models import OutboxMessage


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
