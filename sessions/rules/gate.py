"""The dose gate: sixteen conditions, all of them, or the dose stays locked. What is missing counts as false.

`release_guard` (a database trigger, sessions/migrations) repeats these conditions from their text, in SQL.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from vitals.rules import (
    RELEASABLE_REASONS,
    Band,
    BpLimits,
    HoldReason,
    Measurement,
    average_of_set,
    band,
    pre_dose_reasons,
    sets_of,
)

CONDITIONS = tuple(f"G{number}" for number in range(1, 17))


@dataclass(frozen=True, slots=True, order=True)
class GateReason:
    """One reason why the dose stays locked: the condition it belongs to, and its code for wording."""

    condition: str
    code: str

    def __str__(self) -> str:
        return f"{self.condition}.{self.code}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateNumbers:
    """Every number of the gate that is not a vital sign's; from the protocol."""

    adult_age_years: int
    min_interval_hours: float
    reading_claimed_ahead_minutes: float
    reading_claimed_behind_minutes: float
    sitter_confirmed_max_age_minutes: float
    step_up_max_age_minutes: float
    start_from_local_hour: int
    start_before_local_hour: int
    rechecks_max: int
    recheck_after_minutes: float
    sitter_attestations: tuple[str, ...]
    # A protocol from before these were asked does not name them; then the condition cannot hold.
    practice_days_min: int | None = None


def gate_numbers(data: Mapping[str, Any]) -> GateNumbers:
    """The numbers of a protocol's `gate` part; a missing one is an error."""
    picked = {f.name: data[f.name] for f in fields(GateNumbers) if f.default is MISSING or f.name in data}
    return GateNumbers(**{**picked, "sitter_attestations": tuple(data["sitter_attestations"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingFacts:
    """One pre-dose reading of this session, rejected ones included."""

    systolic_mmhg: int
    diastolic_mmhg: int
    pulse_bpm: int
    received_at: datetime
    claimed_at: datetime
    spo2_pct: int | None = None
    rejected: bool = False
    used: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFacts:
    """One round of the day's questions: the answers that hold the dose, and whether a clinician has cleared them since."""

    answered_at: datetime
    answered_today: bool
    positive: frozenset[str]
    needs_clinician: frozenset[str]
    cleared_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFacts:
    """Everything the gate reads, from one transaction. None: not known, which counts as false."""

    at: datetime
    # G1
    patient_active: bool | None = None
    identity_verified: bool | None = None
    age_years: int | None = None
    # G2
    consent_current: bool | None = None
    # G3
    order_signed: bool | None = None
    order_in_force: bool | None = None
    order_unexpired: bool | None = None
    order_covers_session: bool | None = None
    doses_left: int | None = None
    prescriber_licensed: bool | None = None
    # G4
    dose_ug: int | None = None
    order_dose_ug: int | None = None
    # G5
    eligibility_settled: bool | None = None
    # G6: None means "no earlier release", so the fact that somebody looked is a fact of its own.
    releases_read: bool = False
    last_release_at: datetime | None = None
    # G7
    session_open: bool | None = None
    other_active_session: bool | None = None
    scheduled_today: bool | None = None
    local_hour: int | None = None
    # G8
    readings: tuple[ReadingFacts, ...] | None = None
    order_systolic_max_mmhg: int | None = None
    order_diastolic_max_mmhg: int | None = None
    caution_released: bool = False
    # G9
    sitter_confirmed_at: datetime | None = None
    sitter_attested: frozenset[str] = frozenset()
    # G10
    checks: tuple[CheckFacts, ...] | None = None
    # G11
    location_confirmed: bool | None = None
    emergency_contact_confirmed: bool | None = None
    # G12
    releaser_role: str = ""
    releaser_assigned: bool | None = None
    stepped_up_at: datetime | None = None
    crisis_open: bool | None = None
    holds_open: bool | None = None
    on_call: bool | None = None
    # G13: whether a dose of this course was taken before, and the newest decision about this session ("" for none)
    decision_needed: bool | None = None
    decision_kind: str = ""
    decision_in_time: bool | None = None
    decided_dose_ug: int | None = None
    # G14
    units_on_hand: int | None = None
    units_per_dose: int | None = None
    kit_received: bool | None = None
    practice_days: int | None = None
    # G15
    scores_given: bool | None = None
    # G16: the newest answers about safety since the last contact; "" for none, None for "nobody looked"
    screen_level: str | None = None
    screen_decided_today: bool | None = None
    screen_owed: bool | None = None


def gate(facts: GateFacts, numbers: GateNumbers, limits: BpLimits) -> frozenset[GateReason]:
    """Every reason why this dose may not be released now. Empty: it may."""
    found: set[GateReason] = set()

    def need(condition: str, code: str, holds: bool) -> None:
        if not holds:
            found.add(GateReason(condition, code))

    at = facts.at
    need("G1", "patient_inactive", facts.patient_active is True)
    need("G1", "identity_unverified", facts.identity_verified is True)
    need("G1", "under_age", facts.age_years is not None and facts.age_years >= numbers.adult_age_years)

    need("G2", "consent_missing", facts.consent_current is True)

    need("G3", "order_unsigned", facts.order_signed is True)
    need("G3", "order_not_in_force", facts.order_in_force is True)
    need("G3", "order_expired", facts.order_unexpired is True)
    need("G3", "session_not_in_order", facts.order_covers_session is True)
    need("G3", "no_doses_left", facts.doses_left is not None and facts.doses_left > 0)
    need("G3", "not_licensed_here", facts.prescriber_licensed is True)

    need(
        "G4",
        "dose_differs",
        facts.dose_ug is not None and facts.dose_ug > 0 and facts.dose_ug == facts.order_dose_ug,
    )

    need("G5", "eligibility_reopened", facts.eligibility_settled is True)

    need("G6", "too_soon", _far_enough(facts, numbers))

    need("G7", "session_not_open", facts.session_open is True)
    need("G7", "another_session", facts.other_active_session is False)
    need("G7", "not_today", facts.scheduled_today is True)
    need(
        "G7",
        "outside_hours",
        facts.local_hour is not None
        and numbers.start_from_local_hour <= facts.local_hour < numbers.start_before_local_hour,
    )

    found |= {GateReason("G8", code) for code in reading_reasons(facts, numbers, limits)}

    need(
        "G9",
        "sitter_unconfirmed",
        _recent(facts.sitter_confirmed_at, at, minutes=numbers.sitter_confirmed_max_age_minutes)
        and frozenset(numbers.sitter_attestations) <= facts.sitter_attested,
    )

    found |= {GateReason("G10", code) for code in check_reasons(facts)}

    need("G11", "location_unconfirmed", facts.location_confirmed is True)
    need("G11", "contact_unconfirmed", facts.emergency_contact_confirmed is True)

    need("G12", "wrong_role", facts.releaser_role in ("coach", "psychiatrist"))
    need("G12", "not_assigned", facts.releaser_assigned is True)
    need("G12", "step_up_old", _recent(facts.stepped_up_at, at, minutes=numbers.step_up_max_age_minutes))
    need("G12", "crisis_open", facts.crisis_open is False)
    need("G12", "hold_open", facts.holds_open is False)
    need("G12", "nobody_on_call", facts.on_call is True)

    # Software only blocks: same, up, down or stop is a psychiatrist's, after the session before was looked at.
    need("G13", "dose_stopped", facts.decision_kind != "stop")
    need("G13", "dose_not_decided", facts.decision_needed is False or facts.decision_in_time is True)
    need(
        "G13",
        "decided_dose_differs",
        facts.decision_kind in ("", "stop")
        or (facts.decided_dose_ug is not None and facts.decided_dose_ug == facts.dose_ug),
    )

    found |= {
        GateReason("G14", code)
        for code in arrival_reasons(
            numbers,
            units_on_hand=facts.units_on_hand,
            units_per_dose=facts.units_per_dose,
            kit_received=facts.kit_received,
            practice_days=facts.practice_days,
        )
    }

    need("G15", "scores_overdue", facts.scores_given is True)

    need("G16", "screen_high", facts.screen_level in ("", "none", "low", "moderate"))
    need("G16", "screen_moderate", facts.screen_level != "moderate" or facts.screen_decided_today is True)
    need("G16", "screen_owed", facts.screen_owed is False)
    return frozenset(found)


def arrival_reasons(
    numbers: GateNumbers,
    *,
    units_on_hand: int | None,
    units_per_dose: int | None,
    kit_received: bool | None,
    practice_days: int | None,
) -> frozenset[str]:
    """What is not at home yet, or not practised (G14); without it a session does not even open."""
    found = set()
    if units_on_hand is None or units_per_dose is None or not 0 < units_per_dose <= units_on_hand:
        found.add("medicine_not_here")
    if kit_received is not True:
        found.add("kit_not_here")
    if (
        practice_days is None
        or numbers.practice_days_min is None
        or practice_days < numbers.practice_days_min
    ):
        found.add("practice_missing")
    return frozenset(found)


def _recent(when: datetime | None, at: datetime, *, minutes: float) -> bool:
    return when is not None and when <= at and at - when <= timedelta(minutes=minutes)


def _far_enough(facts: GateFacts, numbers: GateNumbers) -> bool:
    if not facts.releases_read:
        return False
    if facts.last_release_at is None:
        return True
    return facts.at - facts.last_release_at >= timedelta(hours=numbers.min_interval_hours)


def measurements(readings: Iterable[ReadingFacts]) -> list[Measurement]:
    """The readings as the vital-sign rules take them, by the server's time."""
    return [
        Measurement(
            systolic_mmhg=r.systolic_mmhg,
            diastolic_mmhg=r.diastolic_mmhg,
            pulse_bpm=r.pulse_bpm,
            spo2_pct=r.spo2_pct,
            taken_at=r.received_at,
        )
        for r in sorted(readings, key=lambda r: r.received_at)
    ]


def last_set(readings: Iterable[ReadingFacts], limits: BpLimits) -> list[ReadingFacts]:
    """The newest set of accepted readings, oldest first: what a release would rest on."""
    accepted = sorted((r for r in readings if not r.rejected), key=lambda r: r.received_at)
    sets = sets_of(measurements(accepted), limits)
    return accepted[-len(sets[-1]) :] if sets else []


def reading_reasons(facts: GateFacts, numbers: GateNumbers, limits: BpLimits) -> frozenset[str]:
    """Why the readings hold the dose (G8). What a clinician may release is left out once one of them has."""
    if not facts.readings:
        return frozenset({str(HoldReason.READING_MISSING)})
    accepted = [r for r in facts.readings if not r.rejected]
    newest = max(facts.readings, key=lambda r: r.received_at)
    released = facts.caution_released and facts.releaser_role == "psychiatrist"
    codes = {
        str(reason)
        for reason in pre_dose_reasons(
            measurements(accepted), limits, at=facts.at, clinician_released=released
        )
    }
    if newest.rejected:
        codes.add(str(HoldReason.BP_IMPLAUSIBLE))
    used = last_set(facts.readings, limits)
    if any(r.received_at > facts.at for r in used):
        codes.add(str(HoldReason.READING_IN_FUTURE))
    ahead = timedelta(minutes=numbers.reading_claimed_ahead_minutes)
    behind = timedelta(minutes=numbers.reading_claimed_behind_minutes)
    if any(not r.received_at - behind <= r.claimed_at <= r.received_at + ahead for r in used):
        codes.add("claimed_time_differs")
    if any(r.used for r in used):
        codes.add("reading_used")
    codes |= _order_reasons(facts, used, released=released)
    codes |= _high_earlier(accepted, used, limits, released=released)
    if not released:
        codes |= _recheck_reasons(accepted, numbers, limits)
    return frozenset(codes)


def _recheck_reasons(accepted: list[ReadingFacts], numbers: GateNumbers, limits: BpLimits) -> frozenset[str]:
    """After a set that was not in range: rest first, and only so many more tries. Beyond that a clinician decides."""
    codes = set()
    sets = sets_of(measurements(accepted), limits)
    tries = 0
    for earlier, later in itertools.pairwise(sets):
        mean = average_of_set(earlier, limits)
        if mean.systolic_mmhg is None or mean.diastolic_mmhg is None:
            pressure = max(m.systolic_mmhg for m in earlier), max(m.diastolic_mmhg for m in earlier)
        else:
            pressure = mean.systolic_mmhg, mean.diastolic_mmhg
        if band(*pressure, limits) is Band.GO:
            continue
        tries += 1
        if later[0].taken_at - earlier[-1].taken_at < timedelta(minutes=numbers.recheck_after_minutes):
            codes.add("recheck_too_early")
    if tries > numbers.rechecks_max:
        codes.add("rechecks_used")
    return frozenset(codes)


def _order_reasons(facts: GateFacts, used: list[ReadingFacts], *, released: bool) -> frozenset[str]:
    """The order says "below this"; its limit may be tighter than the band, and a clinician may release it like a caution."""
    systolic_max, diastolic_max = facts.order_systolic_max_mmhg, facts.order_diastolic_max_mmhg
    if systolic_max is None or diastolic_max is None:
        return frozenset({"order_limit_missing"})
    pair = used[-2:]
    if len(pair) < 2:
        return frozenset()
    systolic = sum(r.systolic_mmhg for r in pair) / 2
    diastolic = sum(r.diastolic_mmhg for r in pair) / 2
    if (systolic >= systolic_max or diastolic >= diastolic_max) and not released:
        return frozenset({str(HoldReason.BP_OVER_ORDER)})
    return frozenset()


def _high_earlier(
    accepted: list[ReadingFacts], used: list[ReadingFacts], limits: BpLimits, *, released: bool
) -> frozenset[str]:
    """A single high reading before the set counts as well, not only a high mean."""
    earlier = [r for r in accepted if r not in used]
    if not any(band(r.systolic_mmhg, r.diastolic_mmhg, limits) in (Band.HIGH, Band.CRISIS) for r in earlier):
        return frozenset()
    calm = all(
        r.systolic_mmhg < limits.systolic_caution_from_mmhg
        and r.diastolic_mmhg < limits.diastolic_caution_from_mmhg
        for r in used
    )
    return frozenset() if calm and released else frozenset({str(HoldReason.BP_HIGH_EARLIER)})


def check_reasons(facts: GateFacts) -> frozenset[str]:
    """Why the day's questions hold the dose (G10). An answer that needs a clinician is not undone by a later answer."""
    if not facts.checks:
        return frozenset({"check_missing"})
    newest = max(facts.checks, key=lambda check: check.answered_at)
    codes = set() if newest.answered_today else {"check_missing"}
    codes |= newest.positive - newest.needs_clinician
    for check in facts.checks:
        cleared = check.cleared_at is not None and check.answered_at < check.cleared_at <= facts.at
        if not cleared:
            codes |= check.needs_clinician
    return frozenset(codes)


# What a psychiatrist's release with name, reason and plan may clear; a coach never can.
RELEASABLE = frozenset(map(str, RELEASABLE_REASONS)) | {
    str(HoldReason.BP_OVER_ORDER),
    str(HoldReason.BP_HIGH_EARLIER),
    "recheck_too_early",
    "rechecks_used",
}


def caution_only(reasons: Iterable[GateReason]) -> bool:
    """Whether a psychiatrist's caution release could clear everything that holds the dose."""
    found = frozenset(reasons)
    return bool(found) and all(r.condition == "G8" and r.code in RELEASABLE for r in found)
