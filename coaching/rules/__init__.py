"""What follows from facts in the coach's part. Pure."""

from coaching.rules.check_ins import (
    BY_COACH,
    BY_PATIENT,
    DAILY,
    EXTRA,
    INTEGRATION,
    POST_SESSION,
    PRE_SESSION,
    PREP,
    Planned,
    local_instant,
    missed_in_a_row,
    planned_for,
    triggers_of,
    urgency,
)

__all__ = [
    "BY_COACH",
    "BY_PATIENT",
    "DAILY",
    "EXTRA",
    "INTEGRATION",
    "POST_SESSION",
    "PREP",
    "PRE_SESSION",
    "Planned",
    "local_instant",
    "missed_in_a_row",
    "planned_for",
    "triggers_of",
    "urgency",
]
