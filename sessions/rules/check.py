"""The day's questions: which answers hold the dose, and which of them need a clinician."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

# Question code -> "yes", "no" or "unsure".
CheckAnswers = Mapping[str, str]


class PositiveAnswer(StrEnum):
    """An answer that holds the dose."""

    ALCOHOL_CANNABIS = "alcohol_cannabis"
    NOT_FASTED = "not_fasted"
    HOLDS_NOT_FOLLOWED = "holds_not_followed"
    PREGNANT = "pregnant"
    NEW_MEDICINE = "new_medicine"
    ILL = "ill"
    BLADDER = "bladder"
    SUICIDAL = "suicidal"
    NOT_SAFE = "not_safe"
    PSYCHOSIS = "psychosis"
    UNANSWERED = "unanswered"


# Question code, the answer that is clear, and what any other answer means.
QUESTIONS: tuple[tuple[str, str, PositiveAnswer], ...] = (
    ("alcohol_cannabis", "no", PositiveAnswer.ALCOHOL_CANNABIS),
    ("fasted", "yes", PositiveAnswer.NOT_FASTED),
    ("holds_followed", "yes", PositiveAnswer.HOLDS_NOT_FOLLOWED),
    ("pregnant", "no", PositiveAnswer.PREGNANT),
    ("new_medicine", "no", PositiveAnswer.NEW_MEDICINE),
    ("ill", "no", PositiveAnswer.ILL),
    ("bladder", "no", PositiveAnswer.BLADDER),
    ("suicidal", "no", PositiveAnswer.SUICIDAL),
    ("safe_now", "yes", PositiveAnswer.NOT_SAFE),
    ("psychosis", "no", PositiveAnswer.PSYCHOSIS),
)

# Answering again, later the same day, is enough for these; for all others a clinician looks.
MAY_ANSWER_AGAIN = frozenset({PositiveAnswer.NOT_FASTED, PositiveAnswer.UNANSWERED})
CLINICIAN_CLEARS = frozenset(PositiveAnswer) - MAY_ANSWER_AGAIN
# Help is shown in the same answer, and somebody is paged.
CRISIS_ANSWERS = frozenset({PositiveAnswer.SUICIDAL, PositiveAnswer.NOT_SAFE, PositiveAnswer.PSYCHOSIS})


def positive_answers(answers: CheckAnswers) -> frozenset[PositiveAnswer]:
    """The answers that hold the dose; what was not answered holds it too."""
    found: set[PositiveAnswer] = set()
    for question, clear, meaning in QUESTIONS:
        answer = answers.get(question)
        if answer not in ("yes", "no", "unsure"):
            found.add(PositiveAnswer.UNANSWERED)
        elif answer != clear:
            found.add(meaning)
    return frozenset(found)
