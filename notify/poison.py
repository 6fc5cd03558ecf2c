"""A background task that fails each time must end before a person, not loop for ever.

With late acknowledgement the broker gives a task again whenever its worker dies. So each beginning is counted in PostgreSQL before
the task runs: a task that was begun too often without an end is not begun again, and one that ended badly too often in a row
is shown too. Both become a dead letter with an owner (notify/actions/letters.py). The counter never stops a good task: when the
database cannot be asked, the task runs, and fails or not by itself.

What begins is also a sign of life: of the worker that began it, and of the bulk queue (notify/watchdog.py, the pager).
"""

import logging
import os
import socket
from typing import Any

from celery import Task, current_app
from celery.exceptions import Ignore
from django.db import DatabaseError, connection

from common import clock

log = logging.getLogger("notify")

# Begun so often without an end (its worker was killed each time): it is not begun again.
MOST_BEGINNINGS = 3
# Ended badly so often in a row: a person is told, and it is still tried, for the next tick may go well.
MOST_FAILURES = 5

_COUNT = """
INSERT INTO notify_tasktry (key, name, tries, first_at, last_at, last_error) VALUES (%s, %s, 1, %s, %s, %s)
ON CONFLICT (key) DO UPDATE SET tries = notify_tasktry.tries + 1, last_at = EXCLUDED.last_at, last_error = EXCLUDED.last_error
RETURNING tries
"""


def count(key: str, name: str, *, error: str = "") -> int:
    """Count one more beginning (or failure) of this; how many there are now."""
    at = clock.now()
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [key[:160], name[:120], at, at, error[:120]])
        (tries,) = cursor.fetchone()
    return int(tries)


def forget(*keys: str) -> None:
    """It went well: nothing is counted any more. What was left behind a week ago goes too."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM notify_tasktry WHERE key = ANY(%s) OR last_at < %s - interval '7 days'",
            [[key[:160] for key in keys], clock.now()],
        )


BULK = "bulk"
# A busy worker begins many tasks a second; its beat need not be younger than this.
BEAT_EVERY_S = 5.0
_beaten: dict[str, float] = {}


def note_begun(worker: str, queue: str) -> None:
    """This worker has begun a task that came by this queue. Trouble with the database keeps no task from running."""
    from notify.actions import beat
    from notify.models import worker_beat

    beats = {worker_beat(worker): "worker"} if worker else {}
    if queue == BULK:
        beats[f"{BULK}:{socket.gethostname()}:{os.getpid()}"] = BULK
    now_s = clock.monotonic_s()
    for name, lane in beats.items():
        if now_s - _beaten.get(name, float("-inf")) < BEAT_EVERY_S:
            continue
        try:
            beat(name, lane=lane, at=clock.database_now())
        except DatabaseError:
            log.warning("a worker's beat could not be written", extra={"event": "worker_beat"})
            return
        _beaten[name] = now_s


class CountedTask(Task):
    """The class of all our tasks (config/celery.py)."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        begun = f"run:{self.request.id}"
        failed = f"name:{self.name}"
        # Only a worker's own runs are counted; a direct call in a test or a shell has no broker to give it again.
        if not self.request.id or self.request.called_directly:
            return super().__call__(*args, **kwargs)
        note_begun(self.request.hostname or "", (self.request.delivery_info or {}).get("routing_key") or "")
        if self._begun_too_often(begun):
            raise Ignore()
        try:
            result = super().__call__(*args, **kwargs)
        except Exception as error:
            self._note_failure(begun, failed, type(error).__name__)
            raise
        try:
            forget(begun, failed)
        except DatabaseError:
            log.warning("a task's counter could not be cleared", extra={"event": "task_counter"})
        return result

    def _begun_too_often(self, key: str) -> bool:
        from notify.actions.letters import bury_task

        try:
            tries = count(key, self.name)
            if tries <= MOST_BEGINNINGS:
                return False
            bury_task(key=key, name=self.name, tries=tries, error="its worker died each time", at=clock.now())
        except DatabaseError:
            return False
        log.error("a task is not begun again", extra={"event": "poison_task", "code": self.name})
        return True

    def _note_failure(self, begun: str, failed: str, error: str) -> None:
        from notify.actions.letters import bury_task

        try:
            forget(begun)
            tries = count(failed, self.name, error=error)
            if tries >= MOST_FAILURES:
                bury_task(key=failed, name=self.name, tries=tries, error=error, at=clock.now())
        except DatabaseError:
            log.warning("a task's failure could not be counted", extra={"event": "task_counter"})


def begin_again(name: str) -> None:
    """A person begins a task once more; its counter starts anew. Trouble with the broker is raised."""
    forget(f"name:{name}")
    task = current_app.tasks.get(name)
    if task is not None:
        task.apply_async(retry=False, ignore_result=True)
