"""What beat drives: what is late in the sessions."""

import os
import socket

from celery import shared_task

from common import clock
from notify import actions as notify
from sessions import actions


@shared_task(name="sessions.tasks.sweep_overdue")
def sweep_overdue() -> dict[str, int]:
    """Take batches of what is late until nothing is left; two sweeps at once share the rows (SKIP LOCKED)."""
    # The pager looks at this: without sweeps a missing reading would be noticed by nobody.
    notify.beat(f"sweeps:{socket.gethostname()}:{os.getpid()}", lane="sweeps", at=clock.database_now())
    total: dict[str, int] = {}
    for _ in range(20):
        done = actions.sweep(at=clock.database_now())
        if not +done:
            break
        for name, count in done.items():
            total[name] = total.get(name, 0) + count
    return total
