"""Whose readings somebody may see, and the few ways they are read."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from accounts.access import patients_visible_to
from accounts.models import Patient
from vitals.models import Reading
from vitals.rules import Average, AverageRule, BpLimits, Measurement, Pressure, average_of_set, default_limits, sets_of


def readings_visible_to(user: Any) -> QuerySet[Reading]:
    """Every reading of the patients this person may see."""
    return Reading.objects.filter(patient__in=patients_visible_to(user))


def recent_readings(patient: Patient, limit: int = 30) -> list[Reading]:
    """The newest readings of a patient, rejected ones among them: nothing is dropped in silence."""
    return list(Reading.objects.filter(patient=patient).order_by("-received_at", "-id")[:limit])


def session_readings(session_id: UUID, *, phases: Iterable[str] = ()) -> list[Reading]:
    """The readings of one session in the order the server had them."""
    found = Reading.objects.filter(session_id=session_id)
    phases = list(phases)
    if phases:
        found = found.filter(phase__in=phases)
    return list(found.order_by("received_at", "id"))


def measurement(reading: Reading) -> Measurement:
    """A reading as the rules take it; the server's time, never the claimed one (HZ-02)."""
    return Measurement(
        systolic_mmhg=reading.systolic_mmhg,
        diastolic_mmhg=reading.diastolic_mmhg,
        pulse_bpm=reading.pulse_bpm,
        spo2_pct=reading.spo2_pct,
        taken_at=reading.received_at,
    )


def average_of(readings: Iterable[Reading], limits: BpLimits | None = None) -> Average:
    """The newest set of these readings as one pressure, by the rule of two or three; rejected ones take no part."""
    limits = limits or default_limits()
    sets = sets_of([measurement(r) for r in readings if not r.rejected], limits)
    return average_of_set(sets[-1], limits) if sets else Average(AverageRule.INCOMPLETE)


def pressure_before_dose(session_id: UUID, limits: BpLimits) -> Pressure | None:
    """The averaged pressure that the dose of this session was released on; None when none was."""
    used = Reading.objects.filter(session_id=session_id, used_by_release_id__isnull=False).order_by("received_at")
    pairs = [(r.systolic_mmhg, r.diastolic_mmhg) for r in used]
    if len(pairs) != 2:
        return None
    return (pairs[0][0] + pairs[1][0]) / 2, (pairs[0][1] + pairs[1][1]) / 2
