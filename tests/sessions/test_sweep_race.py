"""The sweep and a verb of the same session at once: one order of locks, so neither waits for the other for ever (HZ-10)."""

import datetime as dt
import threading
from typing import Any

import pytest
from django.db import connections, transaction

from accounts.models import User
from safety.models import Alert
from sessions import actions
from sessions.actions.shared import lock_session
from sessions.models import Checkpoint
from tests.safety.test_races import at_once
from tests.sessions.builders import a_session_in_progress

pytestmark = pytest.mark.django_db(transaction=True)
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def late(alice: User, dana: User, protocol_version: Any, at: dt.datetime, clock_at: Any) -> Any:
    """A session whose first sitter's check nobody gave."""
    with clock_at(at):
        session = a_session_in_progress(alice, dana, at)
        yield session


def test_hz_10_the_sweep_passes_by_a_session_that_a_verb_holds_and_comes_back(
    late: Any, at: dt.datetime
) -> None:
    when = at + 40 * MINUTE
    held, swept = threading.Event(), threading.Event()
    trouble: list[BaseException] = []

    def verb() -> None:
        """Patient first, then the checkpoint: what every verb of a session does."""
        try:
            with transaction.atomic():
                lock_session(late)
                held.set()
                # With the old order the sweep would hold the checkpoint by now and wait for the patient.
                assert swept.wait(timeout=20)
                Checkpoint.objects.filter(session=late, kind="sitter").order_by("due_at").update(findings=[])
        except BaseException as error:
            trouble.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=verb)
    thread.start()
    assert held.wait(timeout=20)
    assert not actions.sweep(at=when)["late_sitter"]
    swept.set()
    thread.join(timeout=30)
    assert trouble == [] and not Alert.objects.exists()
    assert actions.sweep(at=when)["late_sitter"] >= 1
    assert Alert.objects.filter(trigger="X16").count() == 1


def test_checks_and_sweeps_at_once_end_without_an_error_and_lose_nothing(late: Any, at: dt.datetime) -> None:
    when = at + 40 * MINUTE

    def work(n: int) -> Any:
        if n % 2:
            return actions.sweep(at=when)
        return actions.sitter_check(late, findings=["fell"] if n == 2 else [], by="sitter:x", at=when)

    results = at_once(8, work)
    assert [r for r in results if isinstance(r, Exception)] == []
    due = Checkpoint.objects.filter(session=late, kind="sitter", due_at__lte=when)
    # Each late check was either given or told about, none is left hanging.
    assert all(row.done_at is not None or row.next_ladder_at is None for row in due)
