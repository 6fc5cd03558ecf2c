"""The parts of a safety plan, and what becomes of two versions that were written at once: nothing is lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from measures.rules.instruments import load_data


@dataclass(frozen=True, slots=True)
class PlanPart:
    """One part of the plan, in our own words."""

    code: str
    title: str
    hint: str


@cache
def plan_parts() -> tuple[PlanPart, ...]:
    """The six parts, in order."""
    return tuple(
        PlanPart(row["code"], row["title"], row["hint"]) for row in load_data("safety_plan")["parts"]
    )


@cache
def part_max_characters() -> int:
    """How much one part may hold, in characters."""
    most: int = load_data("safety_plan")["part_max_characters"]
    return most


@cache
def plan_version() -> str:
    """Which wording of the form this is."""
    version: str = load_data("safety_plan")["version"]
    return version


def merged_parts(
    *, base: Mapping[str, str], kept: Mapping[str, str], typed: Mapping[str, str]
) -> dict[str, str]:
    """The plan after a save: `base` is what the page was made from, `kept` what is saved now, `typed` what was sent.

    A part that this page did not change keeps what is saved. Where both changed it, the lines that were typed follow those that
    are saved: a plan that says something twice is better than one that has lost a number.
    """
    found: dict[str, str] = {}
    for part in plan_parts():
        before, saved = base.get(part.code, ""), kept.get(part.code, "")
        sent = _tidy(typed[part.code]) if part.code in typed else before
        if sent == before:
            text = saved
        elif saved == before:
            text = sent
        else:
            known = saved.splitlines()
            text = "\n".join([*known, *(line for line in sent.splitlines() if line not in known)])
        if text:
            found[part.code] = text
    return found


def _tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").strip().split("\n"))
