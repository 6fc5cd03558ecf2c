"""Same, up, down or stop: the psychiatrist's signed decision about one session's dose. Nothing else opens the gate's G13."""

from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.models import Role, User
from common import audit
from common.errors import Invalid, NotPermitted
from consults.models import Order
from sessions import states
from sessions.access.deciding import decision_facts
from sessions.actions.course import stop_course
from sessions.actions.shared import lock_patient, lock_session
from sessions.models import DoseDecision, DosingSession
from sessions.rules.deciding import SENTENCES, DecisionGap, decision_gaps

FIELD_OF = {DecisionGap.REVIEW_MISSING: "review", DecisionGap.REASON_MISSING: "reason"}


def decide_dose(
    session: DosingSession,
    *,
    kind: str,
    review: str,
    reason: str,
    by: User,
    at: datetime,
    stepped_up_at: datetime | None,
) -> DoseDecision:
    """Sign what the dose of this session is to be (the view has asked for the second factor). A stop ends the course with it.

    Raises NotPermitted for anybody but this person's psychiatrist, Invalid naming everything that stands against it.
    """
    if (
        by.role != Role.PSYCHIATRIST
        or session.patient.care_team.psychiatrist_id != by.pk
        or stepped_up_at is None
    ):
        raise NotPermitted(
            "Only this person's psychiatrist decides about the dose, with a fresh second factor."
        )
    if kind not in DoseDecision.Kind.values:
        raise Invalid("Choose what the dose is to be.", fields={"kind": "Choose one."})
    with transaction.atomic():
        lock_patient(session.patient_id)
        order_id = DosingSession.objects.values_list("course__order_id", flat=True).get(pk=session.pk)
        Order.objects.select_for_update(of=("self",)).get(pk=order_id)
        session = lock_session(session)
        facts, previous = decision_facts(session, kind=kind, review=review, reason=reason, at=at)
        gaps = decision_gaps(facts, session.course.protocol.data["dosing"].get("titration", {}))
        if gaps:
            raise Invalid(
                " ".join(SENTENCES[gap] for gap in sorted(gaps)),
                code="decision_not_signable",
                fields={FIELD_OF[gap]: SENTENCES[gap] for gap in gaps if gap in FIELD_OF}
                | {f"_{gap}": SENTENCES[gap] for gap in gaps if gap not in FIELD_OF},
            )
        row = DoseDecision.objects.create(
            session=session,
            previous=previous,
            patient=session.patient,
            order=session.course.order,
            kind=kind,
            dose_ug=None if kind == DoseDecision.Kind.STOP else session.course.order.dose_ug,
            review=review.strip(),
            reason=reason.strip(),
            decided_at=at,
            decided_by=by,
            stepped_up_at=stepped_up_at,
        )
        audit.record(
            "dose.decided", by=by, at=at, about=row, patient_id=session.patient_id,
            detail={"session": str(session.pk), "kind": kind, "dose_ug": row.dose_ug},
        )  # fmt: skip
        if kind == DoseDecision.Kind.STOP and session.course.state in states.COURSE_OPEN:
            stop_course(session.course, by=by, at=at, reason="dose_decision")
    return row


def may_be_decided(session: DosingSession) -> bool:
    """Is there still a dose to decide about?"""
    return (
        session.state in (states.SCHEDULED, states.PREPARING, states.MISSED)
        and session.course.state in states.COURSE_OPEN
    )


def decisions_of(session: DosingSession) -> list[Any]:
    """Every decision about this session, newest first."""
    return list(
        DoseDecision.objects.filter(session=session).select_related("decided_by").order_by("-decided_at")
    )
