"""What the gate reads, gathered once. The release reads it again under locks; a page may show it without."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from accounts.access import licensed_states
from common.clock import age_years, local_date
from intake.access import consent_current, eligibility_stands
from safety.access import has_unresolved_crisis, holds_of, staffed_throughout
from sessions import rules, states
from sessions.models import DoseRelease, DosingSession, SafetyCheck, SitterLink
from vitals.actions import limits_of
from vitals.models import Reading
from vitals.rules import BpLimits


def numbers_of(session: DosingSession) -> rules.GateNumbers:
    """The gate's numbers of the protocol this course was enrolled under."""
    return rules.gate_numbers(session.course.protocol.data["gate"])


def timeline_for(session: DosingSession) -> rules.Timeline:
    """The times of the protocol this course was enrolled under."""
    return rules.timeline_of(session.course.protocol.data["timeline"])


def today_from(session: DosingSession, *, at: datetime) -> datetime:
    """From when on answers and readings count: the opening of this session, or the midnight before it where the patient is.

    A session that is moved to the same day, or called off for the next one, does not wipe the day's slate.
    """
    zone = session.patient.user.time_zone
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
    zone = patient.user.time_zone
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


def _since(when: datetime | None, opened_at: datetime) -> bool:
    return when is not None and when >= opened_at


def release_lapsed(session: DosingSession, release: DoseRelease, *, at: datetime) -> str:
    """Why a released dose is not to be taken any more, as a code; empty while it may be taken."""
    valid = timedelta(minutes=session.course.protocol.data["gate"]["release_valid_minutes"])
    if at - release.released_at > valid:
        return "release_too_old"
    if holds_of(session.patient).exists() or has_unresolved_crisis(session.patient):
        return "held_since_release"
    return ""


def keeps_away_until(released_at: datetime, numbers: rules.GateNumbers) -> datetime:
    """The first instant at which the next dose could be released."""
    return released_at + timedelta(hours=numbers.min_interval_hours)
