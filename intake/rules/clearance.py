"""Which specialist is asked what, and the letter in finished words. Standard library only; the texts are data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parent.parent / "data" / "clearance.json"


@dataclass(frozen=True, slots=True)
class Specialty:
    """Somebody a question can go to; `rules` are the eligibility rules that lead there."""

    id: str
    title: str
    to: str
    rules: tuple[str, ...]
    question: str


@cache
def _data() -> Mapping[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


@cache
def specialties() -> Mapping[str, Specialty]:
    """By id, in the order they are offered."""
    return {
        row["id"]: Specialty(row["id"], row["title"], row["to"], tuple(row["rules"]), row["question"])
        for row in _data()["specialties"]
    }


def suggested(reasons: Iterable[str]) -> tuple[str, ...]:
    """The specialties that these rules lead to, most rules first."""
    found = set(reasons)
    counted = [(len(found & set(one.rules)), one.id) for one in specialties().values()]
    return tuple(id for count, id in sorted(counted, key=lambda pair: -pair[0]) if count)


def days_to_answer() -> int:
    """How long a specialist is given, in days, unless the psychiatrist says otherwise."""
    return int(_data()["days_to_answer"])


def remind_days_before() -> int:
    """How many days before the date the patient is reminded."""
    return int(_data()["remind_days_before"])


def letter(
    specialty: str,
    *,
    patient_name: str,
    born: str,
    question: str,
    condition: str,
    bp: Mapping[str, Any],
    signer: str,
    practice: Mapping[str, str],
    written_on: str,
    answer_by: str,
) -> str:
    """The letter as plain text: blank lines between paragraphs, `- ` for a line of a list, `[ ] ` for a box to tick.

    Carries a name, a date of birth and one question: no scores, no history, no other condition. `bp` are the protocol's limits.
    KeyError for a specialty that is not in the data.
    """
    whom, data = specialties()[specialty], _data()
    limits = {
        "systolic_caution": _mmhg(bp["systolic_caution_from_mmhg"]),
        "diastolic_caution": _mmhg(bp["diastolic_caution_from_mmhg"]),
        "systolic_high": _mmhg(bp["systolic_high_from_mmhg"]),
        "diastolic_high": _mmhg(bp["diastolic_high_from_mmhg"]),
    }
    parts = [
        f"{practice['name']}, {practice['phone']}",
        written_on,
        f"To {whom.to}",
        f"Patient: {patient_name}, born {born}",
        data["about"],
        f"Our question. {whom.question}",
        *([f"It is about: {condition}"] if condition else []),
        *([question.strip()] if question.strip() else []),
        "What the body is asked to bear:",
        "\n".join("- " + line.format(**limits) for line in data["conditions"]),
        "Your answer:",
        "\n".join("[ ] " + line for line in data["answers"]),
        "Name, signature, date, telephone: ______________________________",
        f"Please give this page and your answer back to the patient by {answer_by}. They send it to us through their account. "
        f"For a question call {practice['phone']}.",
        f"{signer}, {practice['name']}",
    ]
    return "\n\n".join(parts)


def _mmhg(value: Any) -> str:
    return f"{float(value):g}"
