"""The questions, read from data: the steps of the intake and the screens of the two-minute assessment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parent.parent / "data"


@dataclass(frozen=True, slots=True)
class Question:
    """One question as it is asked."""

    name: str
    kind: str
    label: str
    help: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    unsure: bool = False
    optional: bool = False
    least: float | None = None
    most: float | None = None
    places: int = 0
    unit: str = ""
    # What was probably meant when a number is out of range.
    slip: str = ""
    length: int = 200
    autocomplete: str = ""
    # Asked only while each of these questions of the same step has one of these answers.
    shown_if: tuple[tuple[str, tuple[str, ...]], ...] = ()
    # What the fact is when the question does not apply; nothing when it is then unknown.
    otherwise: str = ""
    # Answers with the same word here are one answer in several fields, such as a weight and its unit.
    together: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One page of questions."""

    id: str
    title: str
    questions: tuple[Question, ...]
    group: str = ""
    intro: str = ""
    minutes: int = 1
    instrument: str = ""
    # Asked only where the practice has turned this pathway on; empty: asked of everybody.
    pathway: str = ""

    @property
    def is_form(self) -> bool:
        """Answered on one form page; medicines, blood pressure and consent have pages of their own."""
        return bool(self.questions or self.instrument)

    @property
    def together(self) -> tuple[tuple[str, ...], ...]:
        """The names of the fields that are one answer, group by group."""
        words = dict.fromkeys(question.together for question in self.questions if question.together)
        return tuple(tuple(q.name for q in self.questions if q.together == word) for word in words)


def _question(row: Mapping[str, Any]) -> Question:
    numeric = row["kind"] == "number"
    return Question(
        name=row["name"],
        kind=row["kind"],
        label=row["label"],
        help=row.get("help", ""),
        choices=tuple((value, text) for value, text in row.get("choices", ())),
        unsure=row.get("unsure", False),
        optional=row.get("optional", False),
        least=row.get("min") if numeric else None,
        most=row.get("max") if numeric else None,
        places=row.get("places", 0),
        slip=row.get("slip", ""),
        unit=row.get("unit", ""),
        length=row.get("max", 200) if not numeric else 0,
        autocomplete=row.get("autocomplete", ""),
        shown_if=tuple((name, tuple(values)) for name, values in row.get("shown_if", {}).items()),
        otherwise=row.get("otherwise", ""),
        together=row.get("together", ""),
    )


def _load(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    return document


@cache
def intake_steps(*pathways: str) -> tuple[Step, ...]:
    """The steps of the intake, in order: those that everybody is asked, and those of the pathways named."""
    return tuple(step for step in _every_step() if not step.pathway or step.pathway in pathways)


@cache
def _every_step() -> tuple[Step, ...]:
    return tuple(
        Step(
            id=row["step"],
            title=row["title"],
            questions=tuple(_question(question) for question in row["questions"]),
            group=row["group"],
            intro=row["intro"],
            minutes=row["minutes"],
            instrument=row.get("instrument", ""),
            pathway=row.get("pathway", ""),
        )
        for row in _load("steps")["steps"]
    )


@cache
def step(id: str) -> Step:
    """One step of the intake; KeyError when there is none of that name."""
    for one in _every_step():
        if one.id == id:
            return one
    raise KeyError(id)


@cache
def assessment_screens() -> tuple[Step, ...]:
    """The ten screens of the two-minute assessment."""
    return tuple(
        Step(
            id=row["id"],
            title=row["title"],
            questions=tuple(_question(question) for question in row["questions"]),
        )
        for row in _load("assessment")["screens"]
    )


@dataclass(frozen=True, slots=True)
class KnownMedicine:
    """One entry of the shipped formulary."""

    name: str
    brands: tuple[str, ...]
    classes: tuple[str, ...]
    rxnorm: str


@cache
def formulary() -> tuple[KnownMedicine, ...]:
    """The medicines whose class we know."""
    return tuple(
        KnownMedicine(row["name"], tuple(row["brands"]), tuple(row["classes"]), row["rxnorm"] or "")
        for row in _load("formulary")["medicines"]
    )


@cache
def _by_name() -> Mapping[str, KnownMedicine]:
    return {name.casefold(): known for known in formulary() for name in (known.name, *known.brands)}


def known_medicine(typed: str) -> KnownMedicine | None:
    """The entry a typed name belongs to, by generic or brand name; also as the first word of “Zoloft 50 mg”."""
    name = " ".join(typed.casefold().replace("’", "'").split())
    names = _by_name()
    if name in names:
        return names[name]
    words = name.split()
    for length in range(min(4, len(words)), 0, -1):
        found = names.get(" ".join(words[:length]))
        if found is not None:
            return found
    return None
