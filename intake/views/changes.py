"""A later change of an answer as staff read it: which rule, old and new answer, who, when (HZ-12)."""

from typing import Any

from intake.models import EligibilityEvaluation
from intake.rules import Outcome
from intake.wording import answer_words, question_words, rule_texts


def change_words(changes: list[list[str]]) -> list[dict[str, str]]:
    """[[fact, old, new], …] in the words of the questions."""
    return [
        {
            "fact": fact,
            "question": question_words(fact),
            "old": answer_words(fact, old),
            "new": answer_words(fact, new),
        }
        for fact, old, new in changes
    ]


def described(found: EligibilityEvaluation) -> dict[str, Any]:
    """One evaluation that followed a change, in words."""
    texts = rule_texts(found.protocol.data["eligibility"])
    rules = [texts[id] for id in found.reasons if id in texts and texts[id].outcome is not Outcome.OK]
    return {
        "at": found.at,
        "who": str(found.changed_by) if found.changed_by else "The record",
        "changes": change_words(found.changes or []),
        "rules": [
            {"id": text.id, "criterion": text.criterion, "excludes": text.outcome is Outcome.EXCLUDE}
            for text in rules
        ],
    }
