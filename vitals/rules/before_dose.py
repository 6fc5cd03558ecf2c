"""Why vital signs hold a dose. An empty set of reasons means clear."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from vitals.rules.averaging import AverageRule, Measurement, average_of_set, sets_of
from vitals.rules.bands import Band, PulseBand, Spo2Band, band, pulse_band, spo2_band
from vitals.rules.limits import BpLimits


class HoldReason(StrEnum):
    """Why a dose may not be unlocked on these vital signs."""

    READING_MISSING = "reading_missing"
    SECOND_READING_MISSING = "second_reading_missing"
    THIRD_READING_MISSING = "third_reading_missing"
    READINGS_TOO_CLOSE = "readings_too_close"
    READING_TOO_OLD = "reading_too_old"
    READING_IN_FUTURE = "reading_in_future"
    BP_IMPLAUSIBLE = "bp_implausible"
    BP_CRISIS = "bp_crisis"
    BP_HIGH = "bp_high"
    BP_LOW = "bp_low"
    BP_CAUTION = "bp_caution"
    BP_OVER_ORDER = "bp_over_order"
    BP_CRISIS_EARLIER = "bp_crisis_earlier"
    BP_HIGH_EARLIER = "bp_high_earlier"
    PULSE_MISSING = "pulse_missing"
    PULSE_NO_DOSE = "pulse_no_dose"
    PULSE_CAUTION = "pulse_caution"
    SPO2_MISSING = "spo2_missing"
    SPO2_NO_DOSE = "spo2_no_dose"
    SPO2_CAUTION = "spo2_caution"


NO_DOSE_REASONS = frozenset(
    {
        HoldReason.BP_CRISIS,
        HoldReason.BP_HIGH,
        HoldReason.BP_CRISIS_EARLIER,
        HoldReason.BP_HIGH_EARLIER,
        HoldReason.PULSE_NO_DOSE,
        HoldReason.SPO2_NO_DOSE,
    }
)

# What a clinician may release with a name, a reason and a plan. Nobody else, and nothing else.
RELEASABLE_REASONS = frozenset({HoldReason.BP_CAUTION, HoldReason.PULSE_CAUTION})

_BAND_REASON = {
    Band.IMPLAUSIBLE: HoldReason.BP_IMPLAUSIBLE,
    Band.CRISIS: HoldReason.BP_CRISIS,
    Band.HIGH: HoldReason.BP_HIGH,
    Band.LOW: HoldReason.BP_LOW,
    Band.CAUTION: HoldReason.BP_CAUTION,
}


class Verdict(StrEnum):
    """What a set of hold reasons means for today's dose."""

    GO = "go"
    HOLD = "hold"
    NO_DOSE = "no_dose"


def verdict(reasons: Iterable[HoldReason]) -> Verdict:
    """The most severe meaning of the reasons."""
    found = frozenset(reasons)
    if found & NO_DOSE_REASONS:
        return Verdict.NO_DOSE
    return Verdict.HOLD if found else Verdict.GO


def releasable_by_clinician(reasons: Iterable[HoldReason]) -> bool:
    """Whether a clinician's release can clear all of these. A coach can never release."""
    found = frozenset(reasons)
    return bool(found) and found <= RELEASABLE_REASONS


def hold_reasons(
    systolic_mmhg: float,
    diastolic_mmhg: float,
    pulse_bpm: float | None,
    limits: BpLimits,
    *,
    spo2_pct: float | None = None,
    order_systolic_max_mmhg: float | None = None,
    order_diastolic_max_mmhg: float | None = None,
) -> frozenset[HoldReason]:
    """Why one (averaged) pressure and pulse hold the dose. An order may set tighter limits, never wider ones."""
    reasons: set[HoldReason] = set()
    found = band(systolic_mmhg, diastolic_mmhg, limits)
    if found is not Band.GO:
        reasons.add(_BAND_REASON[found])
    if (order_systolic_max_mmhg is not None and systolic_mmhg > order_systolic_max_mmhg) or (
        order_diastolic_max_mmhg is not None and diastolic_mmhg > order_diastolic_max_mmhg
    ):
        reasons.add(HoldReason.BP_OVER_ORDER)
    if pulse_bpm is None:
        reasons.add(HoldReason.PULSE_MISSING)
    else:
        pulse = pulse_band(pulse_bpm, limits)
        if pulse is PulseBand.NO_DOSE:
            reasons.add(HoldReason.PULSE_NO_DOSE)
        elif pulse is PulseBand.CAUTION:
            reasons.add(HoldReason.PULSE_CAUTION)
    if spo2_pct is not None:
        oxygen = spo2_band(spo2_pct, limits)
        if oxygen is Spo2Band.NO_DOSE:
            reasons.add(HoldReason.SPO2_NO_DOSE)
        elif oxygen is Spo2Band.CAUTION:
            reasons.add(HoldReason.SPO2_CAUTION)
    return frozenset(reasons)


def pre_dose_reasons(
    readings: Iterable[Measurement],
    limits: BpLimits,
    *,
    at: datetime,
    oximeter_shipped: bool = False,
    clinician_released: bool = False,
    order_systolic_max_mmhg: float | None = None,
    order_diastolic_max_mmhg: float | None = None,
) -> frozenset[HoldReason]:
    """Why the readings of one session hold its dose at the moment `at`.

    The last set decides, averaged by the rule. What came before is not forgotten: a high set keeps the dose
    away unless both readings after it are below the caution level and a clinician released; a single reading
    in the crisis band keeps it away for the day. `clinician_released` means: a clinician has released this very
    set, with name, reason and plan; it clears RELEASABLE_REASONS and nothing else.
    """
    taken = sorted(readings, key=lambda reading: reading.taken_at)
    if not taken:
        return frozenset({HoldReason.READING_MISSING})
    reasons: set[HoldReason] = set()
    if taken[-1].taken_at > at:
        reasons.add(HoldReason.READING_IN_FUTURE)
    if band(*taken[-1].pressure, limits) is Band.IMPLAUSIBLE:
        reasons.add(HoldReason.BP_IMPLAUSIBLE)
    sets = sets_of(taken, limits)
    if not sets:
        return frozenset(reasons | {HoldReason.READING_MISSING})
    last = sets[-1]
    mean = average_of_set(last, limits)
    if mean.rule is AverageRule.INCOMPLETE:
        reasons.add(HoldReason.SECOND_READING_MISSING)
    elif mean.rule is AverageRule.THIRD_MISSING:
        reasons.add(HoldReason.THIRD_READING_MISSING)
    if any(
        later.taken_at - earlier.taken_at < timedelta(minutes=limits.readings_apart_min_minutes)
        for earlier, later in pairwise(last)
    ):
        reasons.add(HoldReason.READINGS_TOO_CLOSE)
    if at - last[0].taken_at > timedelta(minutes=limits.pre_dose_valid_minutes):
        reasons.add(HoldReason.READING_TOO_OLD)
    # An unfinished set is judged by its worst reading: waiting for one more must never make it look better.
    systolic = mean.systolic_mmhg if mean.systolic_mmhg is not None else max(r.systolic_mmhg for r in last)
    diastolic = (
        mean.diastolic_mmhg if mean.diastolic_mmhg is not None else max(r.diastolic_mmhg for r in last)
    )
    oxygen = [r.spo2_pct for r in last if r.spo2_pct is not None]
    reasons |= _worst_of_pulses(last, limits)
    reasons |= hold_reasons(
        systolic,
        diastolic,
        None,
        limits,
        spo2_pct=min(oxygen, default=None),
        order_systolic_max_mmhg=order_systolic_max_mmhg,
        order_diastolic_max_mmhg=order_diastolic_max_mmhg,
    ) - {HoldReason.PULSE_MISSING}
    if oximeter_shipped and not oxygen:
        reasons.add(HoldReason.SPO2_MISSING)
    reasons |= _earlier_reasons(sets, limits, clinician_released=clinician_released)
    return frozenset(reasons - RELEASABLE_REASONS if clinician_released else reasons)


def _worst_of_pulses(readings: Sequence[Measurement], limits: BpLimits) -> frozenset[HoldReason]:
    bands = {pulse_band(r.pulse_bpm, limits) for r in readings if r.pulse_bpm is not None}
    if not bands:
        return frozenset({HoldReason.PULSE_MISSING})
    if PulseBand.NO_DOSE in bands:
        return frozenset({HoldReason.PULSE_NO_DOSE})
    return frozenset({HoldReason.PULSE_CAUTION}) if PulseBand.CAUTION in bands else frozenset()


def _earlier_reasons(
    sets: Sequence[Sequence[Measurement]], limits: BpLimits, *, clinician_released: bool
) -> frozenset[HoldReason]:
    reasons: set[HoldReason] = set()
    if any(band(*reading.pressure, limits) is Band.CRISIS for readings in sets for reading in readings):
        reasons.add(HoldReason.BP_CRISIS_EARLIER)
    if any(_band_of_set(readings, limits) in (Band.HIGH, Band.CRISIS) for readings in sets[:-1]):
        last = sets[-1]
        all_low_enough = len(last) >= 2 and all(
            reading.systolic_mmhg < limits.systolic_caution_from_mmhg
            and reading.diastolic_mmhg < limits.diastolic_caution_from_mmhg
            for reading in last
        )
        if not (all_low_enough and clinician_released):
            reasons.add(HoldReason.BP_HIGH_EARLIER)
    return frozenset(reasons)


def _band_of_set(readings: Sequence[Measurement], limits: BpLimits) -> Band:
    mean = average_of_set(readings, limits)
    if mean.systolic_mmhg is None or mean.diastolic_mmhg is None:
        worst = max(r.systolic_mmhg for r in readings), max(r.diastolic_mmhg for r in readings)
        return band(*worst, limits)
    return band(mean.systolic_mmhg, mean.diastolic_mmhg, limits)
