"""What a clinician's C-SSRS result shows. The questions are licensed and not here; only the result is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import MappingProxyType

from measures.rules.instruments import load_data
from measures.rules.safety_questions import RiskLevel


class Behaviour(StrEnum):
    """Suicidal behaviour, by when it was."""

    NONE = "none"
    LIFETIME = "lifetime"
    LAST_3_MONTHS = "last_3_months"


@dataclass(frozen=True, slots=True)
class CssrsForm:
    """What can be entered, and which result is which level (protocol 5.5)."""

    version: str
    forms: Mapping[str, str]
    behaviours: Mapping[Behaviour, str]
    ideation_level_max: int
    intensity_total_max: int
    # The gravest first: (level, from which ideation level on, which behaviour).
    levels: tuple[tuple[RiskLevel, int, frozenset[Behaviour]], ...]
    licence_text: str


@cache
def cssrs_form() -> CssrsForm:
    """The result form that ships with the product."""
    data = load_data("cssrs")
    return CssrsForm(
        version=data["version"],
        forms=MappingProxyType({row["code"]: row["label"] for row in data["forms"]}),
        behaviours=MappingProxyType({Behaviour(row["code"]): row["label"] for row in data["behaviour"]}),
        ideation_level_max=data["ideation_level_max"],
        intensity_total_max=data["intensity_total_max"],
        levels=tuple(
            (RiskLevel(row["level"]), row["ideation_from"], frozenset(map(Behaviour, row["behaviour"])))
            for row in data["levels"]
        ),
        licence_text=data["licence"]["text"],
    )


def cssrs_level(ideation_level: int, behaviour: Behaviour | str) -> RiskLevel:
    """High from level 4 or behaviour within three months, moderate from 3 or earlier behaviour, low from 1 (CSSRS-TRIAGE)."""
    form = cssrs_form()
    if not 0 <= ideation_level <= form.ideation_level_max:
        raise ValueError(f"{ideation_level} is not an ideation level")
    acted = Behaviour(behaviour)
    return next(
        (level for level, least, acts in form.levels if ideation_level >= least or acted in acts),
        RiskLevel.NONE,
    )


def facts_of_result(ideation_level: int, behaviour: Behaviour | str) -> dict[str, str]:
    """What a result adds to the facts of the eligibility rules: only what was found, never a "no" (it adds, never erases)."""
    facts = {f"cssrs_q{ideation_level}": "yes"} if ideation_level else {}
    if behaviour != Behaviour.NONE:
        facts["cssrs_q6_life"] = "yes"
    if behaviour == Behaviour.LAST_3_MONTHS:
        facts["cssrs_q6_3mo"] = "yes"
    return facts
