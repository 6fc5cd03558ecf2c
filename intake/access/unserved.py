"""Who sees to the states in which people wait and nobody may prescribe."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from accounts.access import states_with_prescriber
from accounts.models import STATES
from common.clock import local_date
from intake.access.queue import state_key
from safety.models import Task

KIND, ABOUT = "state.unserved", "intake.state"


def is_served(code: str, at: datetime) -> bool:
    """May somebody of the practice prescribe in this state today?"""
    return code in states_with_prescriber(local_date(at, "UTC"))


@dataclass(frozen=True)
class StateOwner:
    """Who sees to a state that nobody serves, and by when."""

    task_id: uuid.UUID
    owner_name: str
    due_at: datetime


def owners_of_unserved() -> dict[str, StateOwner]:
    """The live task of each state, by its code."""
    codes = {state_key(code): code for code in STATES}
    live = Task.objects.filter(kind=KIND, done_at__isnull=True).select_related("owner")
    return {
        codes[task.about_id]: StateOwner(task.pk, str(task.owner), task.due_at)
        for task in live
        if task.about_id in codes
    }
