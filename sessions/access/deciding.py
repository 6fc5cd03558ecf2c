"""What a psychiatrist's decision about the next dose rests on: the session before, and the order in force."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from consults.models import Order
from measures.models import InstrumentResponse
from sessions import states
from sessions.access.facts import decision_for, dose_before
from sessions.models import DoseDecision, DoseRelease, DosingSession, FollowUp, SymptomReport
from sessions.rules.deciding import DecisionFacts
from vitals.models import Reading

AFTER_DOSE = (Reading.Phase.T40, Reading.Phase.T65, Reading.Phase.T120, Reading.Phase.EXTRA)
OVER = (states.RELEASED, states.CLOSED, states.ABORTED)
GOING_ON = (states.READY, *states.WATCHED)


def _after(session: DosingSession) -> list[Reading]:
    return list(
        Reading.objects.filter(session_id=session.pk, phase__in=AFTER_DOSE, rejected=False).order_by(
            "received_at"
        )
    )


def decision_facts(
    session: DosingSession, *, kind: str, review: str, reason: str, at: datetime
) -> tuple[DecisionFacts, DosingSession | None]:
    """The facts, and the session that was looked at (none before the first dose)."""
    order: Order = session.course.order
    before = dose_before(session)
    last = DoseRelease.objects.filter(session=before).order_by("-released_at").first() if before else None
    going_on = (
        DosingSession.objects.filter(course_id=session.course_id, state__in=GOING_ON)
        .exclude(pk=session.pk)
        .exists()
    )
    facts = DecisionFacts(
        kind=kind,
        review=review,
        reason=reason,
        order_in_force=order.is_in_force,
        order_covers=session.number in order.sessions_covered,
        order_dose_ug=order.dose_ug,
        last_dose_ug=last.dose_ug if last else None,
        previous_over=not going_on and (before is None or before.state in OVER),
        released=session.state not in (states.SCHEDULED, states.PREPARING, states.MISSED),
        days_since_last=(at - before.dose_at) / timedelta(days=1) if before and before.dose_at else None,
        last_bands=frozenset(reading.band for reading in _after(before)) if before else frozenset(),
    )
    return facts, before


@dataclass(frozen=True)
class LastSession:
    """The session before, as the psychiatrist reads it before deciding."""

    session: DosingSession
    dose_mg: Any
    readings: list[Reading]
    symptoms: SymptomReport | None
    follow_up: FollowUp | None
    scores: list[InstrumentResponse]


def last_session(session: DosingSession) -> LastSession | None:
    """What is known of the session whose dose was taken last; None before the first."""
    before = dose_before(session)
    if before is None:
        return None
    release = (
        DoseRelease.objects.filter(session=before).select_related("order").order_by("-released_at").first()
    )
    return LastSession(
        session=before,
        dose_mg=release.order.dose_mg if release else None,
        readings=_after(before),
        symptoms=SymptomReport.objects.filter(session=before).order_by("-reported_at").first(),
        follow_up=FollowUp.objects.filter(session=before).first(),
        scores=list(
            InstrumentResponse.objects.filter(
                patient_id=session.patient_id, completed_at__gt=before.dose_at
            ).order_by("-completed_at")[:6]
        ),
    )


def live_decision(session: DosingSession, *, at: datetime) -> DoseDecision | None:
    """The decision that counts now."""
    return decision_for(session, at=at)
