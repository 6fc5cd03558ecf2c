"""States in which people wait and nobody may prescribe: somebody owns each of them until it is served again."""

from datetime import datetime
from typing import Any

from accounts.models import STATES
from intake.access.queue import state_key, unserved_states
from intake.access.unserved import ABOUT, KIND
from safety.access import owner_for
from safety.actions import open_task, settle_tasks_about
from safety.models import Task


def check_unserved_states(*, at: datetime, by: Any = "system:queue") -> int:
    """Open a task for each state that nobody serves, settle those of states that are served or empty again. Safe to run twice."""
    found = unserved_states(at)
    for state in found:
        open_task(
            kind=KIND, owner=owner_for(role="administrator", at=at), about_type=ABOUT, about_id=state_key(state.code),
            detail=f"{state.code}: {state.waiting} waiting, nobody may prescribe there.", by=by, at=at,
        )  # fmt: skip
    codes = {state_key(code): code for code in STATES}
    open_now = {state.code for state in found}
    for about_id in Task.objects.filter(kind=KIND, done_at__isnull=True).values_list("about_id", flat=True):
        if about_id is None or codes.get(about_id, "") not in open_now:
            settle_tasks_about(
                kind=KIND, about_type=ABOUT, about_id=about_id, outcome="Served again, or nobody waits there any more.", by=by, at=at,
            )  # fmt: skip
    return len(found)
