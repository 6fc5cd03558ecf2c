"""The verbs of questionnaires, of a clinician's finding, and of the safety plan."""

from measures.actions.cssrs import record_cssrs
from measures.actions.responses import (
    RecordedResponse,
    heard_in,
    is_alarming,
    record_response,
    screen_in_force,
)
from measures.actions.safety_plan import save_safety_plan

__all__ = [
    "RecordedResponse",
    "heard_in",
    "is_alarming",
    "record_cssrs",
    "record_response",
    "save_safety_plan",
    "screen_in_force",
]
