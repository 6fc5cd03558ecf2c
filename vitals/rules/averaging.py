"""How readings become one pressure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from vitals.rules.bands import Band, band
from vitals.rules.limits import BpLimits


class AverageRule(StrEnum):
    """Which readings were averaged, or why none could be."""

    MEAN_1_2 = "mean_1_2"
    MEAN_2_3 = "mean_2_3"
    THIRD_MISSING = "third_missing"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class Average:
    """A set of readings as one pressure. Both pressures are None when the set is not complete."""

    rule: AverageRule
    systolic_mmhg: float | None = None
    diastolic_mmhg: float | None = None


Pressure = tuple[float, float]


def average(
    first: Pressure | None, second: Pressure | None, third: Pressure | None, limits: BpLimits
) -> Average:
    """The mean of two readings; where their systolics lie too far apart, of the last two of three."""
    if first is None or second is None:
        return Average(AverageRule.INCOMPLETE)
    if abs(first[0] - second[0]) <= limits.third_reading_when_systolic_differs_over_mmhg:
        return Average(AverageRule.MEAN_1_2, (first[0] + second[0]) / 2, (first[1] + second[1]) / 2)
    if third is None:
        return Average(AverageRule.THIRD_MISSING)
    return Average(AverageRule.MEAN_2_3, (second[0] + third[0]) / 2, (second[1] + third[1]) / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One reading as taken."""

    systolic_mmhg: float
    diastolic_mmhg: float
    taken_at: datetime
    pulse_bpm: float | None = None
    spo2_pct: float | None = None

    @property
    def pressure(self) -> Pressure:
        """(systolic, diastolic)."""
        return (self.systolic_mmhg, self.diastolic_mmhg)


def sets_of(readings: Iterable[Measurement], limits: BpLimits) -> list[list[Measurement]]:
    """Readings in the order taken, split into sets of at most three that lie close together in time.

    A reading that cannot be right is left out: it is kept as rejected, never averaged.
    """
    sets: list[list[Measurement]] = []
    widest = timedelta(minutes=limits.readings_apart_max_minutes)
    for reading in sorted(readings, key=lambda reading: reading.taken_at):
        if band(*reading.pressure, limits) is Band.IMPLAUSIBLE:
            continue
        previous = sets[-1] if sets else None
        if previous and _room_in(previous, limits) and reading.taken_at - previous[-1].taken_at <= widest:
            previous.append(reading)
        else:
            sets.append([reading])
    return sets


def _room_in(readings: list[Measurement], limits: BpLimits) -> bool:
    if len(readings) == 2:
        return average_of_set(readings, limits).rule is AverageRule.THIRD_MISSING
    return len(readings) < 2


def average_of_set(readings: Sequence[Measurement], limits: BpLimits) -> Average:
    """The average of one set of up to three readings."""
    pressures: list[Pressure | None] = [reading.pressure for reading in readings]
    pressures += [None] * (3 - len(pressures))
    return average(pressures[0], pressures[1], pressures[2], limits)
