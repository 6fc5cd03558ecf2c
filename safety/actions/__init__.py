"""The verbs of safety. An alert is raised in the transaction of its cause, and only a person takes it or closes it."""

from safety.actions.alerts import acknowledge, close, raise_alert
from safety.actions.contact import record_contact, take_over
from safety.actions.digest import send_digests
from safety.actions.escalation import escalate_due
from safety.actions.events import assess_adverse_event, record_adverse_event, report_adverse_event
from safety.actions.handover import (
    accept_handover,
    carry_out_handovers,
    decline_handover,
    offer_handover,
    withdraw_handover,
)
from safety.actions.holds import clear_hold, place_hold
from safety.actions.incidents import misuse_signal, report_incident
from safety.actions.lanes import ordinary_lane_fell_silent
from safety.actions.roster import (
    add_holiday,
    add_shift,
    add_time_away,
    check_coverage,
    daily_drill,
    remove_holiday,
    remove_shift,
    remove_time_away,
    watch_drill,
)
from safety.actions.tasklist import finish_task, hand_over_task, open_task, person_left, settle_tasks_about

__all__ = [
    "accept_handover",
    "acknowledge",
    "add_holiday",
    "add_shift",
    "add_time_away",
    "assess_adverse_event",
    "carry_out_handovers",
    "check_coverage",
    "clear_hold",
    "close",
    "daily_drill",
    "decline_handover",
    "escalate_due",
    "finish_task",
    "hand_over_task",
    "misuse_signal",
    "offer_handover",
    "open_task",
    "ordinary_lane_fell_silent",
    "person_left",
    "place_hold",
    "raise_alert",
    "record_adverse_event",
    "record_contact",
    "remove_holiday",
    "remove_shift",
    "remove_time_away",
    "report_adverse_event",
    "report_incident",
    "send_digests",
    "settle_tasks_about",
    "take_over",
    "watch_drill",
    "withdraw_handover",
]
