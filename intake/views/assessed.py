"""What a visitor's own browser says of their assessment. Read where a page is only for people who are not excluded."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from intake.actions import assess
from intake.rules import Outcome
from intake.rules.steps import assessment_screens
from intake.views.assessment import answers_in, facts_in


@dataclass(frozen=True, slots=True)
class Assessed:
    """Where they will be during care, and whether a rule excludes them."""

    state: str
    excluded: bool


def assessed(request: Any, *, at: datetime) -> Assessed | None:
    """The result of a finished assessment; None when there is none, or when it is older than a day."""
    answers = answers_in(request)
    if any(question.name not in answers for screen in assessment_screens() for question in screen.questions):
        return None
    found, _ = assess(facts_in(answers), at=at)
    return Assessed(state=str(answers["state"]), excluded=found.outcome is Outcome.EXCLUDE)
