"""What the gate reads, gathered once. The release reads it again under locks; a page may show it without."""

import json
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Q, Sum

from accounts.access import licensed_states
from common.clock import age_years, local_date
from consults.access import kit_received, units_at_home
from consults.models import Order
from intake.access import consent_current, eligibility_stands
from measures.models import InstrumentResponse
from safety.access import has_unresolved_crisis, holds_of, staffed_throughout
from sessions import rules, states
from sessions.models import DoseCount, DoseDecision, DoseRelease, DosingSession, SafetyCheck, SitterLink
from sessions.rules.zones import zone_of
from vitals.actions import limits_of
from vitals.models import Reading
from vitals.rules import BpLimits


def numbers_of(session: DosingSession) -> rules.GateNumbers:
    """The gate's numbers of the protocol this course was enrolled under."""
    return rules.gate_numbers(session.course.protocol.data["gate"])


def timeline_for(session: DosingSession) -> rules.Timeline:
    """The times of the protocol this course was enrolled under."""
    return rules.timeline_of(session.course.protocol.data["timeline"])


@lru_cache(maxsize=1)
def state_zones() -> dict[str, list[str]]:
    """The time zones of each state, the usual one first."""
    return json.loads((settings.BASE_DIR / "sessions/data/zones.json").read_text())["zones"]


def zone_for(session: DosingSession) -> str:
    """The zone this session's day and hours go by: that of the state she is in, whatever zone she chose for herself."""
    patient = session.patient
    return zone_of(session.location_state or patient.state, patient.user.time_zone, state_zones())


def today_from(session: DosingSession, *, at: datetime) -> datetime:
    """From when on answers and readings count: the opening of this session, or the midnight before it where the patient is.

    A session that is moved to the same day, or called off for the next one, does not wipe the day's slate.
    """
    zone = zone_for(session)
    midnight = datetime.combine(local_date(at, zone), time(0), ZoneInfo(zone))
    return min(session.opened_at or at, midnight)


def checks_of_today(session: DosingSession, *, at: datetime) -> list[SafetyCheck]:
    """The rounds of questions that count for this session, oldest first: its own of today, its own that spoke of a crisis
    on whatever day, and what another session of the same person was told today."""
    since = today_from(session, at=at)
    crisis = set(map(str, rules.CRISIS_ANSWERS))
    rounds = SafetyCheck.objects.filter(session__patient_id=session.patient_id).order_by("answered_at", "id")
    return [
        check
        for check in rounds
        if check.answered_at >= since
        or (check.session_id == session.pk and bool(set(check.positive) & crisis))
    ]


def readings_of_today(session: DosingSession, *, at: datetime) -> list[Reading]:
    """The pre-dose readings that count for this session, oldest first, those of another session of today among them."""
    if session.opened_at is None:
        return []
    return list(
        Reading.objects.filter(
            patient_id=session.patient_id,
            session_id__isnull=False,
            phase=Reading.Phase.PRE,
            received_at__gte=today_from(session, at=at),
        ).order_by("received_at", "id")
    )


def reading_facts(reading: Reading, session: DosingSession) -> rules.ReadingFacts:
    """A reading as the gate takes it. One of another session can hold this dose, and never carry it."""
    return rules.ReadingFacts(
        systolic_mmhg=reading.systolic_mmhg,
        diastolic_mmhg=reading.diastolic_mmhg,
        pulse_bpm=reading.pulse_bpm,
        spo2_pct=reading.spo2_pct,
        received_at=reading.received_at,
        claimed_at=reading.taken_at,
        rejected=reading.rejected,
        used=reading.used_by_release_id is not None or reading.session_id != session.pk,
    )


@dataclass(frozen=True)
class GateInputs:
    """The facts with the rows they came from, so that a release can point at them."""

    facts: rules.GateFacts
    numbers: rules.GateNumbers
    limits: BpLimits
    reading_ids: tuple[Any, ...]
    check: SafetyCheck | None
    link: SitterLink | None

    @property
    def reasons(self) -> frozenset[rules.GateReason]:
        """Why the dose stays locked."""
        return rules.gate(self.facts, self.numbers, self.limits)


def gate_inputs(
    session: DosingSession,
    *,
    by: Any,
    at: datetime,
    stepped_up_at: datetime | None,
    dose_ug: int | None = None,
    caution_released: bool = False,
) -> GateInputs:
    """Read everything the gate needs. `by` is who would release; without a dose the order's own is meant."""
    patient, order, course = session.patient, session.course.order, session.course
    zone = zone_for(session)
    today = local_date(at, zone)
    limits, _ = limits_of(course.protocol)
    opened_at = session.opened_at or at
    readings = readings_of_today(session, at=at)
    checks = checks_of_today(session, at=at)
    own = [check for check in checks if check.session_id == session.pk]
    link = (
        SitterLink.objects.filter(
            session=session, revoked_at__isnull=True, expires_at__gt=at, sitter=session.sitter
        )
        .select_related("sitter")
        .first()
    )
    last = DoseRelease.objects.filter(patient=patient).order_by("-released_at").first()
    taken_under_order = DoseRelease.objects.filter(order=order).count()
    team = getattr(patient, "care_team", None)
    assigned = {
        "psychiatrist": getattr(team, "psychiatrist_id", None),
        "coach": getattr(team, "coach_id", None),
    }
    role = getattr(by, "role", "")
    facts = rules.GateFacts(
        at=at,
        patient_active=patient.user.is_active and course.state == states.ACTIVE_COURSE,
        identity_verified=patient.identity_verified_at is not None,
        age_years=age_years(patient.date_of_birth, today) if patient.date_of_birth else None,
        consent_current=consent_current(patient, at=at),
        order_signed=order.signed_at is not None and order.signed_at <= at,
        order_in_force=order.is_in_force and order.patient_id == patient.pk,
        order_unexpired=(
            order.expires_on is not None
            and order.expires_on >= today
            and (order.authority_expires_on is None or order.authority_expires_on >= today)
        ),
        order_covers_session=session.number in order.sessions_covered,
        doses_left=order.doses_total - taken_under_order,
        prescriber_licensed=(
            bool(session.location_state)
            and session.location_state == order.state_of_care
            and session.location_state in licensed_states(order.prescriber, today)
        ),
        dose_ug=order.dose_ug if dose_ug is None else dose_ug,
        order_dose_ug=order.dose_ug,
        eligibility_settled=eligibility_stands(patient),
        releases_read=True,
        last_release_at=last.released_at if last else None,
        session_open=session.state == states.PREPARING,
        other_active_session=DosingSession.objects.filter(patient=patient, state__in=states.ACTIVE)
        .exclude(pk=session.pk)
        .exists(),
        scheduled_today=local_date(session.scheduled_at, zone) == today,
        local_hour=at.astimezone(ZoneInfo(zone)).hour,
        readings=tuple(reading_facts(r, session) for r in readings),
        order_systolic_max_mmhg=order.systolic_max_mmhg,
        order_diastolic_max_mmhg=order.diastolic_max_mmhg,
        caution_released=caution_released,
        sitter_confirmed_at=link.confirmed_at if link else None,
        sitter_attested=frozenset(link.attested) if link else frozenset(),
        checks=tuple(
            rules.CheckFacts(
                answered_at=check.answered_at,
                answered_today=check.session_id == session.pk
                and check.answered_at >= opened_at
                and local_date(check.answered_at, zone) == today,
                positive=frozenset(check.positive),
                needs_clinician=frozenset(check.positive) & frozenset(map(str, rules.CLINICIAN_CLEARS)),
                cleared_at=check.cleared_at,
            )
            for check in checks
        ),
        location_confirmed=_since(session.location_confirmed_at, opened_at)
        and bool(session.location_address),
        emergency_contact_confirmed=_since(session.emergency_confirmed_at, opened_at)
        and bool(session.emergency_contact_phone),
        releaser_role=role,
        releaser_assigned=role in assigned
        and assigned[role] is not None
        and assigned[role] == getattr(by, "pk", None),
        stepped_up_at=stepped_up_at,
        crisis_open=has_unresolved_crisis(patient),
        holds_open=holds_of(patient).exists(),
        on_call=staffed_throughout(
            at, at + timedelta(minutes=course.protocol.data["timeline"]["watch_until_minutes"])
        ),
        **_decided_and_delivered(session, last=last, zone=zone, at=at),
    )
    used = rules.last_set(facts.readings or (), limits)[-2:]
    chosen = tuple(r.pk for r in readings if reading_facts(r, session) in used)[-2:]
    return GateInputs(
        facts=facts,
        numbers=rules.gate_numbers(course.protocol.data["gate"]),
        limits=limits,
        reading_ids=chosen,
        check=own[-1] if own else None,
        link=link,
    )


def dose_before(session: DosingSession) -> DosingSession | None:
    """The session of this course whose dose was taken last."""
    return (
        DosingSession.objects.filter(course_id=session.course_id, dose_at__isnull=False)
        .exclude(pk=session.pk)
        .order_by("-dose_at")
        .first()
    )


def decision_for(session: DosingSession, *, at: datetime) -> DoseDecision | None:
    """The newest signed decision about this session's dose: the only one that counts."""
    return (
        DoseDecision.objects.filter(session=session, decided_at__lte=at)
        .select_related("decided_by", "order")
        .order_by("-decided_at", "-id")
        .first()
    )


def units_taken(order: Any) -> int:
    """Units of this order's product that were taken in sessions, by any order of the same product."""
    same = Q(
        session__release__order__form=order.form,
        session__release__order__strength_ug=order.strength_ug,
        session__release__order__concentration_ug_per_ml=order.concentration_ug_per_ml,
        session__release__order__spray_volume_ul=order.spray_volume_ul,
        session__patient_id=order.patient_id,
    )
    return DoseCount.objects.filter(same).aggregate(total=Sum("units_taken"))["total"] or 0


def practice_days(session: DosingSession, *, zone: str, at: datetime) -> int:
    """On how many days she has practised with her cuff, where she is."""
    taken = Reading.objects.filter(
        patient_id=session.patient_id, phase=Reading.Phase.PRACTICE, rejected=False, received_at__lte=at
    ).values_list("received_at", flat=True)
    return len({local_date(when, zone) for when in taken})


def scores_given(session: DosingSession, *, at: datetime) -> bool | None:
    """Whether the questionnaires that are due before a session of this number were answered. None: the protocol says nothing."""
    due = session.course.protocol.data["gate"].get("scores_before")
    if not isinstance(due, list):
        return None
    for rule in due:
        if session.number < rule["session"]:
            continue
        after = DosingSession.objects.filter(
            course_id=session.course_id, number=rule["after_session"], dose_at__isnull=False
        ).first()
        if after is None:
            continue
        given = set(
            InstrumentResponse.objects.filter(
                patient_id=session.patient_id, instrument__in=rule["instruments"], total__isnull=False,
                completed_at__gt=after.dose_at, completed_at__lte=at,
            ).values_list("instrument", flat=True)
        )  # fmt: skip
        if set(rule["instruments"]) - given:
            return False
    return True


def _decided_and_delivered(
    session: DosingSession, *, last: DoseRelease | None, zone: str, at: datetime
) -> dict[str, Any]:
    """What G13 to G16 read."""
    order, patient = session.course.order, session.patient
    before, decision = dose_before(session), decision_for(session, at=at)
    over_at = None
    if before is not None and before.state in (states.RELEASED, states.CLOSED, states.ABORTED):
        over_at = before.released_at or before.dose_at
    contact = last.released_at if last else order.signed_at
    screen = owed = newest = None
    if contact is not None:
        said = InstrumentResponse.objects.filter(
            patient=patient, completed_at__gt=contact, completed_at__lte=at
        ).order_by("-completed_at", "-id")
        newest = said.filter(instrument="suicide_risk").first()
        screen = (newest.risk_level or "unknown") if newest else ""
        worried = said.filter(item9__gte=1)
        owed = (worried.filter(completed_at__gt=newest.completed_at) if newest else worried).exists()
    return {
        "decision_needed": before is not None,
        "decision_kind": decision.kind if decision else "",
        "decision_in_time": decision is not None
        and decision.order_id == order.pk
        and over_at is not None
        and decision.decided_at >= over_at
        # What was decided when the gap was one of days does not answer for one of weeks (protocol 8.1).
        and _same_gap(session, before, decision.decided_at, at),
        "decided_dose_ug": decision.dose_ug if decision else None,
        "units_on_hand": units_at_home(order, at=at) - units_taken(order),
        "units_per_dose": order.units_per_dose,
        "kit_received": kit_received(patient, at=at),
        "practice_days": practice_days(session, zone=zone, at=at),
        "scores_given": scores_given(session, at=at),
        "screen_level": screen,
        "screen_decided_today": bool(
            screen
            and decision is not None
            and decision.kind != DoseDecision.Kind.STOP
            and newest is not None
            and decision.decided_at > newest.completed_at
            and local_date(decision.decided_at, zone) == local_date(at, zone)
        ),
        "screen_owed": owed,
    }


def _same_gap(session: DosingSession, before: DosingSession | None, then: datetime, now: datetime) -> bool:
    """Do both instants lie in the same part of the gap since the last dose?"""
    if before is None or before.dose_at is None:
        return True
    numbers = timeline_for(session)
    return rules.gap_step(then - before.dose_at, numbers) == rules.gap_step(now - before.dose_at, numbers)


def not_at_home(session: DosingSession, *, at: datetime) -> frozenset[rules.GateReason]:
    """What of medicine, kit and practice is missing for this session (G14): while anything is, its day does not open."""
    order = session.course.order
    found = rules.arrival_reasons(
        numbers_of(session),
        units_on_hand=units_at_home(order, at=at) - units_taken(order),
        units_per_dose=order.units_per_dose,
        kit_received=kit_received(session.patient, at=at),
        practice_days=practice_days(session, zone=zone_for(session), at=at),
    )
    return frozenset(rules.GateReason("G14", code) for code in found)


def _since(when: datetime | None, opened_at: datetime) -> bool:
    return when is not None and when >= opened_at


def release_lapsed(session: DosingSession, release: DoseRelease, *, at: datetime) -> str:
    """Why a released dose is not to be taken any more, as a code; empty while it may be taken."""
    valid = timedelta(minutes=session.course.protocol.data["gate"]["release_valid_minutes"])
    if at - release.released_at > valid:
        return "release_too_old"
    if holds_of(session.patient).exists() or has_unresolved_crisis(session.patient):
        return "held_since_release"
    # Revoked or superseded after the release: the dose that was released is no longer the one that is ordered (HZ-13).
    if not Order.objects.get(pk=release.order_id).is_in_force:
        return "held_since_release"
    return ""


def keeps_away_until(released_at: datetime, numbers: rules.GateNumbers) -> datetime:
    """The first instant at which the next dose could be released."""
    return released_at + timedelta(hours=numbers.min_interval_hours)
