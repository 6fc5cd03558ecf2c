"""How much risk the answers about safety show, and what that sets in motion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Any

from measures.rules.instruments import AnswersError, load_data


class RiskLevel(StrEnum):
    """How much risk the answers show."""

    NONE = "none"
    LOW = "low"
    MODERATE = "moderate"
    HIGH = "high"

    @property
    def order(self) -> int:
        """0 to 3."""
        return _RISK_ORDER[self]


_RISK_ORDER = {RiskLevel.NONE: 0, RiskLevel.LOW: 1, RiskLevel.MODERATE: 2, RiskLevel.HIGH: 3}


@dataclass(frozen=True, slots=True)
class Response:
    """What a risk level sets in motion. `trigger` None: nothing."""

    trigger: str | None
    severity: int | None
    dosing_hold: bool
    show_help: bool
    who: str | None


@dataclass(frozen=True, slots=True)
class RiskQuestion:
    """One question about safety, in our own words."""

    code: str
    text: str
    window: str
    ask_when_yes: str | None


@dataclass(frozen=True, slots=True)
class RiskScreen:
    """The questions about safety, the levels they lead to, and what each level sets in motion."""

    version: str
    intro: str
    questions: tuple[RiskQuestion, ...]
    decisive: Mapping[RiskLevel, tuple[str, ...]]
    responses: Mapping[RiskLevel, Response]
    unanswered_level: RiskLevel
    item9: Response
    item9_positive_from: int


@dataclass(frozen=True, slots=True)
class RiskResult:
    """The level, the answers that led to it, the questions left open, and what follows."""

    level: RiskLevel
    positive: tuple[str, ...]
    unanswered: tuple[str, ...]
    response: Response
    version: str


def _response(row: Mapping[str, Any]) -> Response:
    return Response(
        trigger=row["trigger"],
        severity=row["severity"],
        dosing_hold=row["dosing_hold"],
        show_help=row["show_help"],
        who=row["who"],
    )


def risk_screen_from_data(data: Mapping[str, Any]) -> RiskScreen:
    """Read the suicide-risk document (`data["suicide_risk"]` of a protocol version)."""
    levels = {RiskLevel(row["level"]): row for row in data["levels"]}
    return RiskScreen(
        version=data["version"],
        intro=data["intro"],
        questions=tuple(
            RiskQuestion(row["code"], row["text"], row["window"], row["ask_when_yes"])
            for row in data["questions"]
        ),
        decisive=MappingProxyType({level: tuple(row["any_yes"]) for level, row in levels.items()}),
        responses=MappingProxyType({level: _response(row) for level, row in levels.items()}),
        unanswered_level=RiskLevel(data["unanswered"]["level"]),
        item9=_response(data["phq9_item9"]),
        item9_positive_from=data["phq9_item9"]["positive_from"],
    )


@cache
def risk_screen() -> RiskScreen:
    """The suicide-risk questions that ship with the product."""
    return risk_screen_from_data(load_data("suicide_risk"))


def is_asked(question: RiskQuestion, answers: Mapping[str, str | None]) -> bool:
    """Whether a question is put, given the answers so far. "Unsure" opens the follow-up questions as yes does."""
    return question.ask_when_yes is None or answers.get(question.ask_when_yes) in ("yes", "unsure")


def suicide_risk(
    answers: Mapping[str, str | None], screen: RiskScreen | None = None, *, still_answering: bool = False
) -> RiskResult:
    """The level that yes/no/unsure answers show. A question that should have been answered and was not, counts.

    A yes and an “unsure” count wherever they stand, even to a question that was not due. With `still_answering` a question that
    nobody came to yet does not count.
    """
    screen = screen or risk_screen()
    known = {question.code for question in screen.questions}
    invalid = tuple(
        code
        for code, value in answers.items()
        if code not in known or value not in ("yes", "no", "unsure", "", None)
    )
    if invalid:
        raise AnswersError(invalid=invalid)
    positive = tuple(q.code for q in screen.questions if answers.get(q.code) == "yes")
    unanswered = tuple(
        q.code
        for q in screen.questions
        if answers.get(q.code) == "unsure"
        or (is_asked(q, answers) and answers.get(q.code) not in ("yes", "no"))
    )
    level = max(
        (level for level, codes in screen.decisive.items() if set(codes) & set(positive)),
        key=lambda level: level.order,
        default=RiskLevel.NONE,
    )
    open_ones = [code for code in unanswered if not still_answering or answers.get(code) == "unsure"]
    if open_ones and level.order < screen.unanswered_level.order:
        level = screen.unanswered_level
    return RiskResult(level, positive, unanswered, screen.responses[level], screen.version)


def risk_facts(answers: Mapping[str, str | None], screen: RiskScreen | None = None) -> dict[str, str]:
    """The answers as facts of the eligibility rules. Follow-ups that were not due are "no", never unknown."""
    screen = screen or risk_screen()
    facts: dict[str, str] = {}
    for question in screen.questions:
        value = answers.get(question.code) or ""
        facts[question.code] = value or ("" if is_asked(question, answers) else "no")
    return facts


def response_to_item9(value: int, screen: RiskScreen | None = None) -> Response | None:
    """What a positive ninth item of the PHQ-9 sets in motion; None when it is negative."""
    screen = screen or risk_screen()
    return screen.item9 if value >= screen.item9_positive_from else None
