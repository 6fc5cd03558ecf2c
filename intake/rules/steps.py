"""The questions, read from data: the steps of the intake and the screens of the two-minute assessment."""

from __future__ import annotations

import json
import re
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


@cache
def _beside_a_name() -> frozenset[str]:
    """Words that say how much, in what form, how often or what for, and name no medicine."""
    return frozenset(word for words in _load("formulary")["beside_a_name"].values() for word in words.split())


_BETWEEN = re.compile(r"[\s,;:+/&()\[\]#*\"]+")
_AMOUNT = re.compile(r"[0-9][0-9.,x×-]*(%|mg|mcg|µg|ug|gm?|ml|iu|meq|units?|h|hrs?|hours?|days?|x)?")


def _words(typed: str) -> list[str]:
    """The words of what was typed. A hyphen parts two of them unless a name is written with it."""
    words: list[str] = []
    for word in _BETWEEN.split(typed):
        word = word.strip(".-–—")
        whole = word in _by_name() or word in _beside_a_name() or _AMOUNT.fullmatch(word)
        words += [word] if whole else re.split("[-–—]+", word)
    return [word for word in words if word]


def known_medicine(typed: str) -> KnownMedicine | None:
    """The entry a typed name belongs to, by generic or brand name; “Zoloft 50 mg” is one as well.

    A line with more than one medicine counts for each of them (HZ-12). Where a word of it is neither a name nor about the dose, it
    is “other” besides, for a clinician to read. None when no name in it is known.
    """
    name = " ".join(typed.casefold().replace("’", "'").split())
    names = _by_name()
    if name in names:
        return names[name]
    words, found, unread = _words(name), list[KnownMedicine](), False
    while words:
        for length in range(min(4, len(words)), 0, -1):
            one = names.get(" ".join(words[:length]))
            if one is not None:
                found.append(one)
                del words[:length]
                break
        else:
            unread = unread or not (words[0] in _beside_a_name() or _AMOUNT.fullmatch(words[0]))
            del words[0]
    if not found or (len(set(found)) == 1 and not unread):
        return found[0] if found else None
    classes = [one for known in found for one in known.classes] + ["other"] * unread
    return KnownMedicine(found[0].name, (), tuple(dict.fromkeys(classes)), "")
