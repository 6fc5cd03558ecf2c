"""How a change between two scores is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from measures.rules.instruments import load_data


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeDefinitions:
    """The numbers behind "response", "remission" and the rest."""

    version: str
    response_drop_from_fraction: float
    # None where the word is not defined for the instrument.
    remission_total_below: int | None
    remission_baseline_from: int | None
    significant_drop_from: int
    significant_total_below: int
    deterioration_rise_from: int
    relapse_total_from: int
    # Points from which an improvement is more than error of measurement; the source stands in outcomes.json.
    reliable_change_from: int


def definitions_from_data(data: Mapping[str, Any], instrument: str = "phq9") -> ChangeDefinitions:
    """Read the outcome document (`data["outcomes"]` of a protocol version) for one instrument.

    A version that was approved before an instrument had numbers of its own takes those that ship.
    """
    own = data.get("by_instrument") or load_data("outcomes")["by_instrument"]
    numbers = {**data, **own[instrument]}
    return ChangeDefinitions(**{name: numbers[name] for name in ChangeDefinitions.__dataclass_fields__})


@cache
def change_definitions(instrument: str = "phq9") -> ChangeDefinitions:
    """The definitions that ship with the product."""
    return definitions_from_data(load_data("outcomes"), instrument)


@dataclass(frozen=True, slots=True)
class Change:
    """How a score moved from baseline. Remission is None where the baseline was too low for the word to apply."""

    baseline: int
    follow_up: int
    points: int
    percent: float | None
    any_improvement: bool
    response: bool
    remission: bool | None
    clinically_significant: bool
    deterioration: bool
    # Better by more than error of measurement; worse has a word of its own.
    reliable: bool


def change(baseline: int, follow_up: int, definitions: ChangeDefinitions | None = None) -> Change:
    """Name the change between two totals of the same instrument. Points below zero are an improvement."""
    rules = definitions or change_definitions()
    drop = baseline - follow_up
    return Change(
        baseline=baseline,
        follow_up=follow_up,
        points=follow_up - baseline,
        percent=None if baseline == 0 else round(100 * (follow_up - baseline) / baseline, 1),
        any_improvement=drop > 0,
        response=drop > 0 and drop >= rules.response_drop_from_fraction * baseline,
        remission=_remission(baseline, follow_up, rules),
        clinically_significant=(
            drop >= rules.significant_drop_from and follow_up < rules.significant_total_below
        ),
        deterioration=-drop >= rules.deterioration_rise_from,
        reliable=drop >= rules.reliable_change_from,
    )


def _remission(baseline: int, follow_up: int, rules: ChangeDefinitions) -> bool | None:
    below, baseline_from = rules.remission_total_below, rules.remission_baseline_from
    if below is None or baseline_from is None or baseline < baseline_from:
        return None
    return follow_up < below


def relapse(best: int, now: int, *, in_remission: bool, definitions: ChangeDefinitions | None = None) -> bool:
    """Whether a later score calls for the psychiatrist: back over the threshold after remission, or up by the rise."""
    rules = definitions or change_definitions()
    return (in_remission and now >= rules.relapse_total_from) or now - best >= rules.deterioration_rise_from
