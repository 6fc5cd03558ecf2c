"""Who may see which session, and what the gate reads. Querysets already know who is asking."""

from sessions.access.facts import GateInputs, gate_inputs, numbers_of, reading_facts, timeline_for
from sessions.access.room import MEASURE_AGAIN, Room, gate_rows, room_of
from sessions.access.visible import (
    active_session,
    checkpoints_of,
    course_of,
    driving_allowed,
    journal_of,
    link_by_token,
    live_link,
    next_session,
    patient_beside,
    sessions_for_staff,
    sessions_of,
    sessions_visible_to,
    shared_journal_of,
    stop_of,
    visible_session,
)

__all__ = [
    "MEASURE_AGAIN",
    "GateInputs",
    "Room",
    "active_session",
    "checkpoints_of",
    "course_of",
    "driving_allowed",
    "gate_inputs",
    "gate_rows",
    "journal_of",
    "link_by_token",
    "live_link",
    "next_session",
    "numbers_of",
    "patient_beside",
    "reading_facts",
    "room_of",
    "sessions_for_staff",
    "sessions_of",
    "sessions_visible_to",
    "shared_journal_of",
    "stop_of",
    "timeline_for",
    "visible_session",
]
