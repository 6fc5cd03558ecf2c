"""Why a session may not be closed yet, and when a whole course waits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from vitals.rules.averaging import Measurement
from vitals.rules.bands import Band, band
from vitals.rules.limits import BpLimits


class ReleaseReason(StrEnum):
    """Why a session may not be closed yet."""

    TOO_EARLY = "too_early"
    READING_MISSING = "reading_missing"
    PRESSURE_HIGH = "pressure_high"
    PRESSURE_LOW = "pressure_low"
    PRESSURE_RISING = "pressure_rising"
    PULSE_MISSING = "pulse_missing"
    PULSE_HIGH = "pulse_high"
    NOT_AWAKE = "not_awake"
    NOT_ORIENTED = "not_oriented"
    NOT_WALKING = "not_walking"
    VOMITING = "vomiting"
    SEVERE_SYMPTOM = "severe_symptom"
    SUICIDE_QUESTION_OPEN = "suicide_question_open"
    SUICIDE_ANSWER_POSITIVE = "suicide_answer_positive"
    SITTER_NOT_SIGNED = "sitter_not_signed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFacts:
    """What is known at the end of a session. None or False where nothing was answered: not asked is not clear."""

    minutes_since_dose: float
    last: Measurement | None
    previous: Measurement | None
    minutes_since_last: float | None = None
    awake: bool | None = None
    oriented: bool | None = None
    walks_unaided: bool | None = None
    minutes_since_vomiting: float | None = None
    severe_symptom: bool | None = None
    suicide_answer: bool | None = None
    sitter_signed: bool = False


def release_reasons(facts: ReleaseFacts, limits: BpLimits) -> frozenset[ReleaseReason]:
    """Why the session may not be closed. `last` and `previous` are the last two plausible post-dose readings."""
    reasons: set[ReleaseReason] = set()
    if facts.minutes_since_dose < limits.release_after_dose_minutes:
        reasons.add(ReleaseReason.TOO_EARLY)
    if facts.last is None:
        reasons.add(ReleaseReason.READING_MISSING)
    else:
        reasons |= _pressure_reasons(facts.last, facts.previous, limits)
    # A severe symptom never asked about counts as present, as every unanswered question does.
    answered_well = {
        ReleaseReason.NOT_AWAKE: facts.awake is True,
        ReleaseReason.NOT_ORIENTED: facts.oriented is True,
        ReleaseReason.NOT_WALKING: facts.walks_unaided is True,
        ReleaseReason.SEVERE_SYMPTOM: facts.severe_symptom is False,
        ReleaseReason.SUICIDE_QUESTION_OPEN: facts.suicide_answer is not None,
        ReleaseReason.SUICIDE_ANSWER_POSITIVE: facts.suicide_answer is not True,
        ReleaseReason.SITTER_NOT_SIGNED: facts.sitter_signed,
    }
    reasons |= {reason for reason, well in answered_well.items() if not well}
    since = facts.minutes_since_vomiting
    if since is not None and since < limits.release_no_vomiting_minutes:
        reasons.add(ReleaseReason.VOMITING)
    return frozenset(reasons)


def _pressure_reasons(
    last: Measurement, previous: Measurement | None, limits: BpLimits
) -> frozenset[ReleaseReason]:
    reasons: set[ReleaseReason] = set()
    if (
        last.systolic_mmhg >= limits.release_systolic_below_mmhg
        or last.diastolic_mmhg >= limits.release_diastolic_below_mmhg
    ):
        reasons.add(ReleaseReason.PRESSURE_HIGH)
    if band(*last.pressure, limits) is Band.LOW:
        reasons.add(ReleaseReason.PRESSURE_LOW)
    # "Not rising" needs something to compare with: one reading alone does not show it.
    if previous is None:
        reasons.add(ReleaseReason.READING_MISSING)
    elif (
        last.systolic_mmhg - previous.systolic_mmhg > limits.release_rising_over_mmhg
        or last.diastolic_mmhg - previous.diastolic_mmhg > limits.release_rising_over_mmhg
    ):
        reasons.add(ReleaseReason.PRESSURE_RISING)
    if last.pulse_bpm is None:
        reasons.add(ReleaseReason.PULSE_MISSING)
    elif last.pulse_bpm >= limits.release_pulse_below_bpm:
        reasons.add(ReleaseReason.PULSE_HIGH)
    return frozenset(reasons)


def on_call_is_due(reasons: Iterable[ReleaseReason], minutes_since_dose: float, limits: BpLimits) -> bool:
    """Whether a session that cannot be closed has gone on long enough for the person on call."""
    return bool(frozenset(reasons)) and minutes_since_dose >= limits.release_on_call_after_minutes


class ProgrammeHoldReason(StrEnum):
    """Why the whole course waits for the psychiatrist."""

    HIGH_AGAIN = "high_again"
    CRISIS = "crisis"
    SYMPTOMATIC = "symptomatic"


def programme_hold_reasons(
    *, high_sessions: int, crisis_sessions: int, symptomatic: bool, limits: BpLimits
) -> frozenset[ProgrammeHoldReason]:
    """Why the course is held, from how many sessions had a high or a crisis reading after the dose."""
    found = {
        ProgrammeHoldReason.HIGH_AGAIN: high_sessions >= limits.programme_hold_high_sessions,
        ProgrammeHoldReason.CRISIS: crisis_sessions >= limits.programme_hold_crisis_sessions,
        ProgrammeHoldReason.SYMPTOMATIC: symptomatic,
    }
    return frozenset(reason for reason, holds in found.items() if holds)
