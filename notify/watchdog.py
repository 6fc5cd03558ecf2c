"""Beat and a worker's connection are single points; this thread in each worker is the second pair of eyes.

Each worker has a beat of its own in PostgreSQL, written by whatever task it begins (notify/poison.py). When its own beat is old, the
worker is asked for a look at what is due on its own queue, which nobody else takes from. When the broker took that and the worker
still began nothing, it no longer consumes (celery issue 10302), whatever other workers do: it ends itself, and whatever supervises it
starts a fresh one. With the broker down it does not: a fresh worker would help nobody, and the rows wait in PostgreSQL.

When nobody at all has looked for what is due for a while, it asks for a look in any case: beat may be dead, or two may be fighting. A
look too many is harmless, each claims its rows.
"""

import logging
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings

from common import clock

log = logging.getLogger("notify")

LOOK_EVERY_S = 15.0
ASK_AFTER_S = 45.0
END_AFTER_S = 120.0


@dataclass
class Watch:
    """Decides about one worker; the thread below acts. All times in seconds."""

    began_s: float
    asked_s: float | None = None

    def look(
        self, *, now_s: float, silent_s: float | None, ask: Callable[[], bool], busy: bool = False
    ) -> str:
        """`well`, `asked`, `down` (the broker did not take it) or `end` (it took it and this worker began nothing).

        `busy`: it has a task in hand, which may take as long as a task may, and begins no other meanwhile.
        """
        silent = now_s - self.began_s if silent_s is None else silent_s
        if silent < ASK_AFTER_S:
            self.asked_s = None
            return "well"
        patience_s = END_AFTER_S + (settings.CELERY_TASK_TIME_LIMIT if busy else 0)
        if (
            self.asked_s is not None
            and now_s - self.asked_s >= END_AFTER_S - ASK_AFTER_S
            and silent >= patience_s
        ):
            return "end"
        if not ask():
            self.asked_s = None
            return "down"
        if self.asked_s is None:
            self.asked_s = now_s
        return "asked"


def _ask(worker: str = "") -> bool:
    """Have somebody, or this worker and nobody else, look for what is due; did the broker take it?"""
    from celery.utils.nodenames import worker_direct

    from notify.tasks import dispatch_due

    where = {"queue": worker_direct(worker)} if worker else {}
    try:
        dispatch_due.apply_async(retry=False, ignore_result=True, expires=60, **where)
    except Exception:
        return False
    return True


def _silent_s(worker: str) -> tuple[float | None, float | None]:
    """For how long this worker has begun nothing, and for how long nobody has looked for what is due."""
    from django.db import connection

    from notify.access import ordinary_lane_silent_s, worker_silent_s

    try:
        at = clock.database_now()
        return worker_silent_s(worker, at=at), ordinary_lane_silent_s(at=at)
    finally:
        connection.close()


def _is_busy() -> bool:
    from celery.worker import state

    return bool(state.active_requests)


def _run(worker: str) -> None:
    watch = Watch(began_s=clock.monotonic_s())
    while True:
        clock.sleep(LOOK_EVERY_S)
        try:
            own_s, lane_s = _silent_s(worker)
            found = watch.look(
                now_s=clock.monotonic_s(), silent_s=own_s, ask=lambda: _ask(worker), busy=_is_busy()
            )
            if found == "well" and lane_s is not None and lane_s >= ASK_AFTER_S and _ask():
                found = "asked"
        except Exception:
            log.warning("the watchdog could not look", extra={"event": "watchdog_blind"})
            continue
        if found == "asked":
            log.warning("asked for a look at what is due", extra={"event": "watchdog_asked"})
        elif found == "end":
            log.error("this worker takes no work any more and ends itself", extra={"event": "watchdog_end"})
            os.kill(os.getpid(), signal.SIGTERM)
            return


def start(worker: str) -> None:
    """Called once when a worker is ready (config/celery.py), with its name."""
    threading.Thread(target=_run, args=(worker,), daemon=True, name="watchdog").start()
