"""Beat and a worker's connection are single points; this thread in each worker is the second pair of eyes.

When nobody has looked for what is due for a while, it asks for a look itself (beat may be dead, or two may be fighting: a look too
many is harmless, each claims its rows). When it asked, the broker took it, and still nobody looked, this worker no longer consumes
(celery issue 10302): it ends itself, and whatever supervises it starts a fresh one. With the broker down it does neither: a fresh
worker would help nobody, and the rows wait in PostgreSQL.
"""

import logging
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass

from common import clock

log = logging.getLogger("notify")

LOOK_EVERY_S = 15.0
ASK_AFTER_S = 45.0
END_AFTER_S = 120.0


@dataclass
class Watch:
    """Decides; the thread below acts. All times in seconds."""

    began_s: float
    asked_s: float | None = None

    def look(self, *, now_s: float, silent_s: float | None, ask: Callable[[], bool]) -> str:
        """`well`, `asked`, `down` (the broker did not take it) or `end` (it took it and nobody looked)."""
        silent = now_s - self.began_s if silent_s is None else silent_s
        if silent < ASK_AFTER_S:
            self.asked_s = None
            return "well"
        if (
            self.asked_s is not None
            and now_s - self.asked_s >= END_AFTER_S - ASK_AFTER_S
            and silent >= END_AFTER_S
        ):
            return "end"
        if not ask():
            self.asked_s = None
            return "down"
        if self.asked_s is None:
            self.asked_s = now_s
        return "asked"


def _ask() -> bool:
    from notify.tasks import dispatch_due

    try:
        dispatch_due.apply_async(retry=False, ignore_result=True, expires=60)
    except Exception:
        return False
    return True


def _silent_s() -> float | None:
    from django.db import connection

    from notify.access import ordinary_lane_silent_s

    try:
        return ordinary_lane_silent_s(at=clock.database_now())
    finally:
        connection.close()


def _run() -> None:
    watch = Watch(began_s=clock.monotonic_s())
    while True:
        clock.sleep(LOOK_EVERY_S)
        try:
            found = watch.look(now_s=clock.monotonic_s(), silent_s=_silent_s(), ask=_ask)
        except Exception:
            log.warning("the watchdog could not look", extra={"event": "watchdog_blind"})
            continue
        if found == "asked":
            log.warning("nobody looked for what is due; asked for a look", extra={"event": "watchdog_asked"})
        elif found == "end":
            log.error("this worker takes no work any more and ends itself", extra={"event": "watchdog_end"})
            os.kill(os.getpid(), signal.SIGTERM)
            return


def start() -> None:
    """Called once when a worker is ready (config/celery.py)."""
    threading.Thread(target=_run, daemon=True, name="watchdog").start()
