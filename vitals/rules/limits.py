"""The numbers of the vital-sign rules, read from a protocol document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class BpLimits:
    """Every number of the vital-sign rules. `from` and `min`/`max` are inclusive, `over`, `above` and `below` not."""

    systolic_plausible_min_mmhg: float
    systolic_plausible_max_mmhg: float
    diastolic_plausible_min_mmhg: float
    diastolic_plausible_max_mmhg: float
    pulse_pressure_min_mmhg: float
    systolic_crisis_from_mmhg: float
    diastolic_crisis_from_mmhg: float
    systolic_high_from_mmhg: float
    diastolic_high_from_mmhg: float
    systolic_low_below_mmhg: float
    diastolic_low_below_mmhg: float
    systolic_caution_from_mmhg: float
    diastolic_caution_from_mmhg: float
    third_reading_when_systolic_differs_over_mmhg: float
    readings_apart_min_minutes: float
    readings_apart_max_minutes: float
    pre_dose_valid_minutes: float
    pulse_no_dose_below_bpm: float
    pulse_no_dose_above_bpm: float
    pulse_caution_below_bpm: float
    pulse_caution_above_bpm: float
    spo2_no_dose_below_pct: float
    spo2_caution_below_pct: float
    rise_systolic_over_mmhg: float
    rise_diastolic_over_mmhg: float
    release_after_dose_minutes: float
    release_systolic_below_mmhg: float
    release_diastolic_below_mmhg: float
    release_pulse_below_bpm: float
    release_rising_over_mmhg: float
    release_no_vomiting_minutes: float
    release_on_call_after_minutes: float
    early_reading_age_years: float
    programme_hold_high_sessions: int
    programme_hold_crisis_sessions: int


def limits_from_data(data: Mapping[str, Any]) -> BpLimits:
    """Read the limits of a protocol document (`data["bp"]` of a version). Unknown or absent names are refused."""
    numbers = data["limits"]
    known = {field.name for field in fields(BpLimits)}
    if set(numbers) != known:
        raise ValueError(f"limits differ from what the rules read: {', '.join(sorted(set(numbers) ^ known))}")
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in numbers.values()):
        raise ValueError("every limit must be a number")
    return BpLimits(**numbers)


@cache
def default_data() -> Mapping[str, Any]:
    """The vital-sign document that ships with the product."""
    path = Path(__file__).resolve().parent.parent / "data" / "bp_bands.json"
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return MappingProxyType(document)


@cache
def default_limits() -> BpLimits:
    """The limits of the document that ships with the product."""
    return limits_from_data(default_data())
