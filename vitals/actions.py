"""The one verb of this app: keep a reading, say what it means, and call somebody when it must not wait.

`vitals/hot_path.py` does the same in one round trip for the plain case; a property test holds the two together.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.models import Patient
from common import audit, hooks, protocol
from common.audit import actor_name
from common.errors import Invalid, NotVisible
from common.models import ProtocolVersion
from safety.access import trigger_of
from safety.actions import place_hold, raise_alert
from safety.models import Alert
from vitals.access import pressure_before_dose
from vitals.models import Reading
from vitals.rules import (
    Band,
    BpLimits,
    NextStep,
    PostDoseFlag,
    Verdict,
    band,
    hold_reasons,
    limits_from_data,
    next_steps,
    post_dose_flags,
    verdict,
)

AFTER_DOSE = frozenset({Reading.Phase.T40, Reading.Phase.T65, Reading.Phase.T120})
# Entries a hand can mistype by a digit; what lies outside is kept as rejected.
PULSE_POSSIBLE_BPM = range(20, 251)
IMPLAUSIBLE = "implausible"
PULSE_IMPLAUSIBLE = "pulse_implausible"


@dataclass(frozen=True)
class RecordedReading:
    """What became of a reading. `reasons` are codes for wording; `alert` is set when somebody was called."""

    reading: Reading
    band: str
    reasons: frozenset[str] = frozenset()
    next_steps: tuple[NextStep, ...] = ()
    alert: Alert | None = None
    verdict: str = ""
    after_dose: bool = field(default=False)


@dataclass(frozen=True)
class ReadingContext:
    """What a session says about a reading taken in it."""

    version: ProtocolVersion | None
    phase: str
    after_dose: bool


@lru_cache(maxsize=8)
def _limits_of(version_id: UUID, version: str) -> tuple[BpLimits, dict[str, Any]]:
    data = ProtocolVersion.objects.values_list("data", flat=True).get(pk=version_id)
    return limits_from_data(data["bp"]), data["bp"]


def limits_of(version: ProtocolVersion) -> tuple[BpLimits, dict[str, Any]]:
    """The limits and steps of an approved version, which never change and so are kept; a draft's are read anew."""
    if version.state == "draft":
        return limits_from_data(version.data["bp"]), version.data["bp"]
    return _limits_of(version.pk, version.version)


def rejected_reason(*, systolic_mmhg: int, diastolic_mmhg: int, pulse_bpm: int, limits: BpLimits) -> str:
    """Why these three numbers cannot be a reading; empty when they can."""
    if band(systolic_mmhg, diastolic_mmhg, limits) is Band.IMPLAUSIBLE:
        return IMPLAUSIBLE
    return "" if pulse_bpm in PULSE_POSSIBLE_BPM else PULSE_IMPLAUSIBLE


def record_reading(
    *,
    patient: Patient,
    systolic_mmhg: int,
    diastolic_mmhg: int,
    pulse_bpm: int,
    taken_at: datetime,
    source: str,
    by: Any,
    at: datetime,
    session_id: UUID | None = None,
    phase: str = Reading.Phase.EXTRA,
    device_id: str = "",
    spo2_pct: int | None = None,
) -> RecordedReading:
    """Keep a reading and answer what follows from it. A reading that cannot be right is kept as rejected, and the second
    in a row goes to a clinician; a reading that must not wait raises an alert in this same transaction.

    A session is an upper app's: the `reading.context` hook says which protocol it was enrolled under, which phase it is in
    and whether medicine has been taken, or raises NotVisible. Raises Invalid for numbers with more than three digits.
    """
    for name, value in (
        ("systolic_mmhg", systolic_mmhg),
        ("diastolic_mmhg", diastolic_mmhg),
        ("pulse_bpm", pulse_bpm),
    ):
        if not 0 <= value <= 999:
            raise Invalid(
                "A reading has numbers of two or three digits.", fields={name: "Type the number on the cuff."}
            )
    if spo2_pct is not None and not 0 <= spo2_pct <= 100:
        raise Invalid("Oxygen is a percentage.", fields={"spo2_pct": "Type a number from 0 to 100."})
    with transaction.atomic():
        context = _context(patient, session_id, phase, at=at)
        version = context.version or protocol.current(at=at)
        phase = context.phase
        limits, data = limits_of(version)
        rejected = rejected_reason(
            systolic_mmhg=systolic_mmhg, diastolic_mmhg=diastolic_mmhg, pulse_bpm=pulse_bpm, limits=limits
        )
        before = _newest_of_kind(patient, session_id) if rejected else None
        reading = Reading(
            patient=patient,
            session_id=session_id,
            phase=phase,
            systolic_mmhg=systolic_mmhg,
            diastolic_mmhg=diastolic_mmhg,
            pulse_bpm=pulse_bpm,
            spo2_pct=spo2_pct,
            taken_at=taken_at,
            received_at=at,
            source=source,
            entered_by=actor_name(by),
            device_id=device_id,
            band=str(Band.IMPLAUSIBLE) if rejected else str(band(systolic_mmhg, diastolic_mmhg, limits)),
            rejected=bool(rejected),
            rejected_reason=rejected,
            protocol=version,
        )
        reading.save(force_insert=True)
        audit.record(
            "reading.recorded",
            by=by,
            at=at,
            about=reading,
            patient_id=patient.pk,
            detail={"phase": str(phase), "band": reading.band, "source": str(source)},
        )
        outcome = (
            _rejected(reading, before, limits, by=by, at=at)
            if rejected
            else _accepted(reading, limits, data, after=context.after_dose, by=by, at=at)
        )
        hooks.run("reading.recorded", outcome=outcome, by=by, at=at)
    return outcome


def _context(patient: Patient, session_id: UUID | None, phase: str, *, at: datetime) -> ReadingContext:
    if session_id is None:
        return ReadingContext(version=None, phase=phase, after_dose=phase in AFTER_DOSE)
    found = hooks.run("reading.context", patient=patient, session_id=session_id, phase=phase, at=at)
    if not found:
        raise NotVisible("There is no such session.")
    return found[0]


def _newest_of_kind(patient: Patient, session_id: UUID | None) -> Reading | None:
    return (
        Reading.objects.filter(patient=patient, session_id=session_id).order_by("-received_at", "-id").first()
    )


def alarming_numbers(reading: Reading, limits: BpLimits) -> dict[str, float]:
    """Each number that is out of bounds, by its own name, so that none hides another: a lower pressure that rises behind an upper
    one that falls, a pressure that drops after a crisis, a pulse. Larger is worse: what falls counts downwards.
    """
    numbers: dict[str, float] = {}
    high_from = (limits.systolic_high_from_mmhg, limits.diastolic_high_from_mmhg)
    low_below = (limits.systolic_low_below_mmhg, limits.diastolic_low_below_mmhg)
    pressures = {"systolic": reading.systolic_mmhg, "diastolic": reading.diastolic_mmhg}
    for (name, value), high, low in zip(pressures.items(), high_from, low_below, strict=True):
        if value >= high:
            numbers[f"{name}_high"] = value
        elif value < low:
            numbers[f"{name}_low"] = -value
    if reading.pulse_bpm > limits.pulse_no_dose_above_bpm:
        numbers["pulse_high"] = reading.pulse_bpm
    elif reading.pulse_bpm < limits.pulse_no_dose_below_bpm:
        numbers["pulse_low"] = -reading.pulse_bpm
    if reading.spo2_pct is not None and reading.spo2_pct < limits.spo2_no_dose_below_pct:
        numbers["oxygen_low"] = -reading.spo2_pct
    return numbers


def _rejected(
    reading: Reading, before: Reading | None, limits: BpLimits, *, by: Any, at: datetime
) -> RecordedReading:
    alert = None
    if before is not None and before.rejected:
        # A number far out of range may be a broken cuff or a body in trouble: a person looks.
        alert = raise_alert(
            patient=reading.patient,
            trigger="X04",
            source=reading,
            at=at,
            by=by,
            detail_codes=("implausible_twice",),
            in_session=reading.session_id is not None,
            severity=3,
            measures=alarming_numbers(reading, limits),
        )
    return RecordedReading(
        reading=reading,
        band=reading.band,
        reasons=frozenset({reading.rejected_reason}),
        alert=alert,
        verdict=str(Verdict.HOLD),
    )


def _accepted(
    reading: Reading, limits: BpLimits, data: dict[str, Any], *, after: bool, by: Any, at: datetime
) -> RecordedReading:
    found = meaning(reading, limits, after=after)
    steps = next_steps(found, data)
    alert = None
    if any(step.page for step in steps):
        alert = raise_alert(
            patient=reading.patient,
            trigger="X04",
            source=reading,
            at=at,
            by=by,
            detail_codes=tuple(sorted(step.id for step in steps if step.page)),
            in_session=reading.session_id is not None,
            severity=4 if reading.band == Band.CRISIS else 3,
            measures=alarming_numbers(reading, limits),
        )
    if any(step.programme_hold for step in steps):
        place_hold(
            reading.patient,
            reason_code=trigger_of("X04", at=at)["hold"] or "blood_pressure",
            at=at,
            by=by,
            alert=alert,
        )
    return RecordedReading(
        reading=reading,
        band=reading.band,
        reasons=frozenset(str(reason) for reason in found),
        next_steps=steps,
        alert=alert,
        verdict=""
        if after
        else str(verdict(reason for reason in found if not isinstance(reason, PostDoseFlag))),
        after_dose=after,
    )


def meaning(reading: Reading, limits: BpLimits, *, after: bool) -> frozenset[Any]:
    """Hold reasons of a reading before a dose, flags of one after it."""
    if not after:
        return hold_reasons(
            reading.systolic_mmhg,
            reading.diastolic_mmhg,
            reading.pulse_bpm,
            limits,
            spo2_pct=reading.spo2_pct,
        )
    before = pressure_before_dose(reading.session_id, limits) if reading.session_id else None
    return post_dose_flags(reading.systolic_mmhg, reading.diastolic_mmhg, limits, before=before)


def codes(steps: Iterable[NextStep]) -> list[str]:
    """The protocol's names of these steps, such as PRE-3."""
    return [step.id for step in steps]
