"""The ordinary lane's edge: thin, because every decision is in the action and every due time is a row."""

import os
import socket

from celery import shared_task

from common import clock
from notify import actions

BATCH = 500
ASKED_AT_ONCE = 100
# One tick never works longer than this, so that the next tick finds the worker free (beat ticks every ten seconds).
TICK_BUDGET_S = 60.0


@shared_task(name="notify.tasks.dispatch_due")
def dispatch_due() -> None:
    """Everything that is due now, in batches; also what a dead sender left behind.

    By the database's clock, one for all workers: a host whose own is wrong neither sends early nor takes a living sender's rows.
    """
    started = clock.monotonic_s()
    actions.beat(f"ordinary:{socket.gethostname()}:{os.getpid()}", lane="ordinary", at=clock.database_now())
    # First what a dead sender left: it has waited longest. Asking a vendor is slow, so this too keeps to the tick.
    while clock.monotonic_s() - started < TICK_BUDGET_S:
        if actions.resolve_expired(at=clock.database_now(), limit=ASKED_AT_ONCE) < ASKED_AT_ONCE:
            break
    while clock.monotonic_s() - started < TICK_BUDGET_S:
        if actions.dispatch_due(at=clock.database_now(), limit=BATCH).claimed < BATCH:
            return
