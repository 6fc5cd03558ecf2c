"""A lock that somebody else held too long is a refusal with a sentence, never an error page."""

from django.db import OperationalError

from common.errors import Conflict, DomainError

# PostgreSQL's codes for "somebody else holds the lock too long" and "we were waiting for each other".
LOCK_TROUBLE = ("55P03", "40P01")
BUSY = "Somebody else is changing the same thing at this moment. Nothing was changed; send it again."


def is_lock_trouble(error: BaseException) -> bool:
    """Did PostgreSQL give up on a lock that somebody else held?"""
    return isinstance(error, OperationalError) and getattr(error.__cause__, "pgcode", "") in LOCK_TROUBLE


def as_refusal(error: Exception) -> DomainError | None:
    """What a person is told: a refusal as it is, a lock that took too long as "busy, send it again". Anything else is a fault."""
    if isinstance(error, DomainError):
        return error
    return Conflict(BUSY, code="busy") if is_lock_trouble(error) else None
