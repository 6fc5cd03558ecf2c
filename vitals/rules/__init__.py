"""What follows from a blood pressure, a pulse or an oxygen reading. Standard library only.

Before a dose the answer is a set of hold reasons, afterwards a set of flags, at the end the reasons why a
session may not be closed yet; an empty set means clear. The numbers come with `BpLimits`, from the protocol.
"""

from vitals.rules.after_dose import (
    EarlyReadingReason,
    PostDoseFlag,
    early_reading_reasons,
    large_rise,
    post_dose_flags,
)
from vitals.rules.averaging import (
    Average,
    AverageRule,
    Measurement,
    Pressure,
    average,
    average_of_set,
    sets_of,
)
from vitals.rules.bands import Band, PulseBand, Spo2Band, band, pulse_band, spo2_band
from vitals.rules.before_dose import (
    NO_DOSE_REASONS,
    RELEASABLE_REASONS,
    HoldReason,
    Verdict,
    hold_reasons,
    pre_dose_reasons,
    releasable_by_clinician,
    verdict,
)
from vitals.rules.closing import (
    ProgrammeHoldReason,
    ReleaseFacts,
    ReleaseReason,
    on_call_is_due,
    programme_hold_reasons,
    release_reasons,
)
from vitals.rules.limits import BpLimits, default_data, default_limits, limits_from_data
from vitals.rules.steps import NextStep, next_steps

__all__ = [
    "NO_DOSE_REASONS",
    "RELEASABLE_REASONS",
    "Average",
    "AverageRule",
    "Band",
    "BpLimits",
    "EarlyReadingReason",
    "HoldReason",
    "Measurement",
    "NextStep",
    "PostDoseFlag",
    "Pressure",
    "ProgrammeHoldReason",
    "PulseBand",
    "ReleaseFacts",
    "ReleaseReason",
    "Spo2Band",
    "Verdict",
    "average",
    "average_of_set",
    "band",
    "default_data",
    "default_limits",
    "early_reading_reasons",
    "hold_reasons",
    "large_rise",
    "limits_from_data",
    "next_steps",
    "on_call_is_due",
    "post_dose_flags",
    "pre_dose_reasons",
    "programme_hold_reasons",
    "pulse_band",
    "releasable_by_clinician",
    "release_reasons",
    "sets_of",
    "spo2_band",
    "verdict",
]
