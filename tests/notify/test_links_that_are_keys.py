"""TM-05, HZ-07: who reads the outbox cannot become the person that a link was sent to."""

import pytest

from notify.access import may_read_words
from notify.models import OutboxMessage


@pytest.mark.parametrize("kind", ["account.mail", "sitter_link"])
def test_hz_07_a_link_that_is_a_key_is_read_by_nobody_in_production(kind, settings):
    message = OutboxMessage(kind=kind)
    settings.PRODUCTION = True
    assert not may_read_words(None, message)
    settings.PRODUCTION = False
    assert may_read_words(None, message)


def test_other_messages_are_read_by_whoever_sees_them(settings):
    settings.PRODUCTION = True
    assert may_read_words(None, OutboxMessage(kind="session_tomorrow"))
