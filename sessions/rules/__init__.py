"""What follows from the facts of a dosing day. Pure; standard library and the vital-sign rules only."""

from sessions.rules.check import (
    CLINICIAN_CLEARS,
    CRISIS_ANSWERS,
    CheckAnswers,
    PositiveAnswer,
    positive_answers,
)
from sessions.rules.gate import (
    CONDITIONS,
    CheckFacts,
    GateFacts,
    GateNumbers,
    GateReason,
    ReadingFacts,
    arrival_reasons,
    caution_only,
    gate,
    gate_numbers,
    last_set,
)
from sessions.rules.timeline import (
    Due,
    Timeline,
    checkpoints_after_dose,
    driving_unlocked,
    gap_step,
    reminders_before,
    timeline_of,
)

__all__ = [
    "CLINICIAN_CLEARS",
    "CONDITIONS",
    "CRISIS_ANSWERS",
    "CheckAnswers",
    "CheckFacts",
    "Due",
    "GateFacts",
    "GateNumbers",
    "GateReason",
    "PositiveAnswer",
    "ReadingFacts",
    "Timeline",
    "arrival_reasons",
    "caution_only",
    "checkpoints_after_dose",
    "driving_unlocked",
    "gap_step",
    "gate",
    "gate_numbers",
    "last_set",
    "positive_answers",
    "reminders_before",
    "timeline_of",
]
