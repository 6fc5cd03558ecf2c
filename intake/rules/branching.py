"""Which questions apply, from the answers so far. Standard library only.

A question with `shown_if` is asked only while its conditions hold. What was answered before stays in the record, unread by the
rules, and counts again when the question comes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from intake.rules.steps import Question

EMPTY: tuple[Any, ...] = (None, "", [])
NOT_YET = frozenset({""})


def _given(flat: Mapping[str, Any], name: str) -> frozenset[str]:
    """The answers to one question; the empty text stands for “not answered yet”."""
    value = flat.get(name)
    if value in EMPTY:
        return NOT_YET
    return (
        frozenset(str(one) for one in value) if isinstance(value, list | tuple) else frozenset({str(value)})
    )


def hidden(questions: Iterable[Question], flat: Mapping[str, Any]) -> frozenset[str]:
    """The names of the questions that do not apply. A condition on a question that is itself hidden does not hold."""
    gone: set[str] = set()
    for question in questions:
        for name, wanted in question.shown_if:
            if name in gone or not _given(flat, name) & set(wanted):
                gone.add(question.name)
    return frozenset(gone)


def implied(questions: Iterable[Question], flat: Mapping[str, Any]) -> dict[str, str]:
    """What a question that does not apply says all the same: without a possible pregnancy, no need for birth control.

    Only where the answer it depends on was given and rules it out: an unanswered or unsure one leaves the fact unknown.
    """
    questions = tuple(questions)
    gone = hidden(questions, flat)
    return {
        question.name: question.otherwise
        for question in questions
        if question.name in gone
        and question.otherwise
        and any(
            _given(flat, name) != NOT_YET and not _given(flat, name) & set(wanted)
            for name, wanted in question.shown_if
        )
    }


def unanswered(questions: Iterable[Question], flat: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the questions that apply, must be answered, and are not."""
    questions = tuple(questions)
    gone = hidden(questions, flat)
    return tuple(
        question.name
        for question in questions
        if question.name not in gone and not question.optional and flat.get(question.name) in EMPTY
    )
