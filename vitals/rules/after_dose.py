"""What readings after the dose call for, and when one at the peak is needed."""

from __future__ import annotations

from enum import StrEnum

from vitals.rules.averaging import Pressure
from vitals.rules.bands import Band, band
from vitals.rules.limits import BpLimits


class PostDoseFlag(StrEnum):
    """What a reading after the dose calls for; the steps of each are in the protocol document."""

    RED_FLAG_SYMPTOM = "red_flag_symptom"
    IMPLAUSIBLE = "implausible"
    CRISIS = "crisis"
    HIGH = "high"
    LOW = "low"
    LARGE_RISE = "large_rise"
    ELEVATED = "elevated"
    MISSING = "missing"


_BAND_FLAG = {
    Band.IMPLAUSIBLE: PostDoseFlag.IMPLAUSIBLE,
    Band.CRISIS: PostDoseFlag.CRISIS,
    Band.HIGH: PostDoseFlag.HIGH,
    Band.LOW: PostDoseFlag.LOW,
    Band.CAUTION: PostDoseFlag.ELEVATED,
}


def large_rise(pressure: Pressure, before: Pressure, limits: BpLimits) -> bool:
    """Whether the rise since before the dose is larger than expected."""
    return (
        pressure[0] - before[0] > limits.rise_systolic_over_mmhg
        or pressure[1] - before[1] > limits.rise_diastolic_over_mmhg
    )


def post_dose_flags(
    systolic_mmhg: float,
    diastolic_mmhg: float,
    limits: BpLimits,
    *,
    before: Pressure | None,
    red_flag_symptom: bool = False,
) -> frozenset[PostDoseFlag]:
    """What one reading after the dose calls for. `before` is the averaged pressure of the release."""
    flags: set[PostDoseFlag] = set()
    found = band(systolic_mmhg, diastolic_mmhg, limits)
    if found is not Band.GO:
        flags.add(_BAND_FLAG[found])
    if (
        found is not Band.IMPLAUSIBLE
        and before is not None
        and large_rise((systolic_mmhg, diastolic_mmhg), before, limits)
    ):
        flags.add(PostDoseFlag.LARGE_RISE)
    if red_flag_symptom:
        flags.add(PostDoseFlag.RED_FLAG_SYMPTOM)
    return frozenset(flags)


class EarlyReadingReason(StrEnum):
    """Why a session needs the reading at the expected peak as well."""

    NASAL = "nasal"
    FIRST_SESSION = "first_session"
    DOSE_INCREASED = "dose_increased"
    OLDER_ADULT = "older_adult"
    HYPERTENSION = "hypertension"
    STIMULANT_OR_MAOI = "stimulant_or_maoi"
    CAUTION_RELEASED = "caution_released"


def early_reading_reasons(
    limits: BpLimits,
    *,
    nasal: bool,
    session_number: int,
    dose_increased: bool,
    age_years: float,
    hypertension: bool,
    stimulant_or_maoi: bool,
    caution_released: bool,
) -> frozenset[EarlyReadingReason]:
    """Why the sitter takes a reading at the peak, without removing the mask. Empty: the usual two suffice."""
    found = {
        EarlyReadingReason.NASAL: nasal,
        EarlyReadingReason.FIRST_SESSION: session_number == 1,
        EarlyReadingReason.DOSE_INCREASED: dose_increased,
        EarlyReadingReason.OLDER_ADULT: age_years >= limits.early_reading_age_years,
        EarlyReadingReason.HYPERTENSION: hypertension,
        EarlyReadingReason.STIMULANT_OR_MAOI: stimulant_or_maoi,
        EarlyReadingReason.CAUTION_RELEASED: caution_released,
    }
    return frozenset(reason for reason, holds in found.items() if holds)
