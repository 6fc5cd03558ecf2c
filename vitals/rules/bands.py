"""Where one pressure, pulse or oxygen saturation lies."""

from __future__ import annotations

from enum import StrEnum

from vitals.rules.limits import BpLimits


class Band(StrEnum):
    """Where a pressure lies; the same bands before and after a dose."""

    IMPLAUSIBLE = "implausible"
    CRISIS = "crisis"
    HIGH = "high"
    LOW = "low"
    CAUTION = "caution"
    GO = "go"


def band(systolic_mmhg: float, diastolic_mmhg: float, limits: BpLimits) -> Band:
    """The band of one pressure; the worse of the two numbers decides."""
    s, d = systolic_mmhg, diastolic_mmhg
    if (
        not limits.systolic_plausible_min_mmhg <= s <= limits.systolic_plausible_max_mmhg
        or not limits.diastolic_plausible_min_mmhg <= d <= limits.diastolic_plausible_max_mmhg
        or s - d < limits.pulse_pressure_min_mmhg
    ):
        return Band.IMPLAUSIBLE
    if s >= limits.systolic_crisis_from_mmhg or d >= limits.diastolic_crisis_from_mmhg:
        return Band.CRISIS
    if s >= limits.systolic_high_from_mmhg or d >= limits.diastolic_high_from_mmhg:
        return Band.HIGH
    if s < limits.systolic_low_below_mmhg or d < limits.diastolic_low_below_mmhg:
        return Band.LOW
    if s >= limits.systolic_caution_from_mmhg or d >= limits.diastolic_caution_from_mmhg:
        return Band.CAUTION
    return Band.GO


class PulseBand(StrEnum):
    """Where a pulse lies."""

    NO_DOSE = "no_dose"
    CAUTION = "caution"
    OK = "ok"


def pulse_band(pulse_bpm: float, limits: BpLimits) -> PulseBand:
    """The band of a heart rate."""
    if pulse_bpm > limits.pulse_no_dose_above_bpm or pulse_bpm < limits.pulse_no_dose_below_bpm:
        return PulseBand.NO_DOSE
    if pulse_bpm > limits.pulse_caution_above_bpm or pulse_bpm < limits.pulse_caution_below_bpm:
        return PulseBand.CAUTION
    return PulseBand.OK


class Spo2Band(StrEnum):
    """Where an oxygen saturation lies."""

    NO_DOSE = "no_dose"
    CAUTION = "caution"
    OK = "ok"


def spo2_band(spo2_pct: float, limits: BpLimits) -> Spo2Band:
    """The band of an oxygen saturation."""
    if spo2_pct < limits.spo2_no_dose_below_pct:
        return Spo2Band.NO_DOSE
    return Spo2Band.CAUTION if spo2_pct < limits.spo2_caution_below_pct else Spo2Band.OK
