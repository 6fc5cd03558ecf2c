"""The verbs of safety. An alert is raised in the transaction of its cause, and only a person takes it or closes it."""

from safety.actions.alerts import acknowledge, close, raise_alert
from safety.actions.escalation import escalate_due
from safety.actions.events import report_adverse_event
from safety.actions.holds import clear_hold, place_hold
from safety.actions.roster import add_shift, check_coverage, daily_drill, remove_shift
from safety.actions.tasklist import finish_task, hand_over_task, open_task, person_left, settle_tasks_about

__all__ = [
    "acknowledge",
    "add_shift",
    "check_coverage",
    "clear_hold",
    "close",
    "daily_drill",
    "escalate_due",
    "finish_task",
    "hand_over_task",
    "open_task",
    "person_left",
    "place_hold",
    "raise_alert",
    "remove_shift",
    "report_adverse_event",
    "settle_tasks_about",
]
