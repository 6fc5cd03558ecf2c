"""Answers in words: for the patient who reads them again, for the chart, for two values side by side."""

from typing import Any

from common.phones import phone_words
from intake.models import Intake
from intake.rules.branching import hidden
from intake.rules.steps import Question, intake_steps

CHOICE_WORDS = {"yes": "Yes", "no": "No", "unsure": "Not sure"}


def said(question: Question, value: Any) -> str:
    """One answer as a person reads it, with its unit."""
    if value in (None, "", []):
        return "not answered"
    if question.kind == "phone":
        return phone_words(str(value))
    if question.kind == "zone":
        return str(value).replace("_", " ")
    words: dict[str, str] = {**dict(question.choices), **CHOICE_WORDS}
    if isinstance(value, list):
        return ", ".join(words.get(one, str(one)) for one in value)
    return words.get(value, str(value)) + (f" {question.unit}" if question.unit else "")


def said_in(intake: Intake) -> list[dict[str, Any]]:
    """Every answer in words, by step, for reading; questions that do not apply are left out."""
    pages = []
    for one in intake_steps():
        data = intake.answers.get(one.id, {}).get("data", {})
        gone = hidden(one.questions, data)
        pairs = [
            (question.label, said(question, data.get(question.name)))
            for question in one.questions
            if question.name not in gone
        ]
        if pairs and data:
            pages.append({"id": one.id, "title": one.title, "pairs": pairs})
    return pages
