"""The release and the dose. Everything is read again under locks, and the database repeats it before the row is written."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from accounts.models import User
from common import audit
from common import states as common_states
from common.clock import age_years, local_date
from common.errors import Conflict, Invalid
from consults.actions import count_stock
from consults.models import MedicineForm, Order
from intake.access import active_medicines, latest_evaluation
from sessions import rules, states
from sessions.access.facts import GateInputs, gate_inputs, keeps_away_until, release_lapsed, timeline_for
from sessions.actions.shared import alarm, lock_patient, lock_session, tell
from sessions.models import Checkpoint, DoseCount, DoseRelease, DosingSession
from vitals.rules import early_reading_reasons

LOCK_NOT_AVAILABLE = "55P03"
GUARD = re.compile(r"release_guard: (\S+)")


@dataclass(frozen=True)
class ReleaseResult:
    """A hold is a value: either the release, or every reason why there is none."""

    release: DoseRelease | None
    reasons: frozenset[rules.GateReason]


def release_dose(
    session: DosingSession,
    *,
    by: User,
    at: datetime,
    stepped_up_at: datetime | None,
    dose_ug: int | None = None,
    caution_reason: str = "",
    plan_t40: bool = False,
) -> ReleaseResult:
    """Release the dose of a session, or answer every reason why it stays locked (PR-08).

    All sixteen conditions are read in the transaction that writes the release, after locking patient, order and session in
    that order. The lock on the patient's row also holds up whoever inserts a hold, an alert or a reading of this patient
    (their foreign key needs it), so that none of them slips in between the reading and the writing. A psychiatrist may
    release a caution reading with a reason and a plan for the reading at the peak.
    """
    if caution_reason.strip() and not plan_t40:
        raise Invalid(
            "A caution release needs its plan.", fields={"plan_t40": "Plan the reading at the peak."}
        )
    caution = bool(caution_reason.strip()) and getattr(by, "role", "") == "psychiatrist"

    def read(which: DosingSession) -> GateInputs:
        return gate_inputs(
            which, by=by, at=at, stepped_up_at=stepped_up_at, dose_ug=dose_ug, caution_released=caution
        )

    # A first look without locks: what is locked anyway is refused without making anybody wait.
    reasons = read(session).reasons
    if not reasons:
        try:
            with transaction.atomic():
                locked = lock_session_and_order(session)
                if locked.state != states.PREPARING:
                    reasons = frozenset({rules.GateReason("G7", "session_not_open")})
                else:
                    inputs = read(locked)
                    reasons = inputs.reasons
                if not reasons:
                    release = _write(
                        locked, inputs, by=by, at=at, caution_reason=caution_reason.strip() if caution else ""
                    )
                    return ReleaseResult(release=release, reasons=frozenset())
        except DatabaseError as error:
            reasons = _refused_by_database(error)
    audit.record(
        "dose.refused", by=by, at=at, about=session, patient_id=session.patient_id,
        detail={"reasons": sorted(map(str, reasons))}, even_if_undone=True,
    )  # fmt: skip
    return ReleaseResult(release=None, reasons=reasons)


def lock_session_and_order(session: DosingSession) -> DosingSession:
    """Patient, then order, then session: the fixed order of locks."""
    lock_patient(session.patient_id)
    order_id = DosingSession.objects.values_list("course__order_id", flat=True).get(pk=session.pk)
    Order.objects.select_for_update(of=("self",)).filter(pk=order_id).first()
    return lock_session(session)


def _refused_by_database(error: DatabaseError) -> frozenset[rules.GateReason]:
    """What the trigger or a constraint said; anything else is a fault and goes on as one."""
    said = str(error)
    if getattr(error.__cause__, "pgcode", "") == LOCK_NOT_AVAILABLE:
        return frozenset({rules.GateReason("G7", "busy")})
    found = GUARD.search(said)
    if found:
        return frozenset(rules.GateReason(code, "refused_by_database") for code in found.group(1).split(","))
    if "two_doses_of_one_patient_keep_their_distance" in said:
        return frozenset({rules.GateReason("G6", "too_soon")})
    if "dosing_doserelease_session_id" in said:
        return frozenset({rules.GateReason("G7", "session_not_open")})
    raise error


def _write(
    session: DosingSession, inputs: GateInputs, *, by: User, at: datetime, caution_reason: str
) -> DoseRelease:
    assert inputs.facts.stepped_up_at is not None  # the gate has seen it
    order = session.course.order
    early = needs_early_reading(session, at=at, caution_released=bool(caution_reason))
    release = DoseRelease(
        session=session,
        patient=session.patient,
        order=order,
        protocol=session.course.protocol,
        reading_1_id=inputs.reading_ids[0],
        reading_2_id=inputs.reading_ids[1],
        safety_check=inputs.check,
        sitter_link=inputs.link,
        dose_ug=order.dose_ug,
        released_at=at,
        released_by=by,
        stepped_up_at=inputs.facts.stepped_up_at,
        keeps_others_away=DateTimeTZRange(at, keeps_away_until(at, inputs.numbers)),
        caution_released=bool(caution_reason),
        caution_reason=caution_reason,
        plan_t40=bool(caution_reason),
        gate=_snapshot(inputs),
    )
    release.save(force_insert=True)
    common_states.move(session, states.READY, moves=states.SESSION_MOVES, by=by, at=at, early_reading=early)
    audit.record(
        "dose.released", by=by, at=at, about=release, patient_id=session.patient_id,
        detail={"session": str(session.pk), "dose_ug": order.dose_ug, "caution": bool(caution_reason)},
    )  # fmt: skip
    return release


def _snapshot(inputs: GateInputs) -> dict[str, Any]:
    """What was read, for whoever asks later: codes, numbers and times; no words."""
    facts = inputs.facts
    return {
        "at": facts.at.isoformat(),
        "readings": [
            {"systolic_mmhg": r.systolic_mmhg, "diastolic_mmhg": r.diastolic_mmhg, "pulse_bpm": r.pulse_bpm,
             "received_at": r.received_at.isoformat()}
            for r in rules.last_set(facts.readings or (), inputs.limits)
        ],
        "sitter_confirmed_at": facts.sitter_confirmed_at.isoformat() if facts.sitter_confirmed_at else None,
        "stepped_up_at": facts.stepped_up_at.isoformat() if facts.stepped_up_at else None,
        "last_release_at": facts.last_release_at.isoformat() if facts.last_release_at else None,
        "doses_left": facts.doses_left,
        "releaser_role": facts.releaser_role,
        "caution_released": facts.caution_released,
    }  # fmt: skip


def needs_early_reading(session: DosingSession, *, at: datetime, caution_released: bool) -> bool:
    """Whether the sitter takes a reading at the expected peak as well."""
    from vitals.actions import limits_of

    limits, _ = limits_of(session.course.protocol)
    order, patient = session.course.order, session.patient
    before = DoseRelease.objects.filter(patient=patient).order_by("-released_at").first()
    classes = {
        name for medicine in active_medicines(patient) for name in (*medicine.rx_classes, medicine.rx_class)
    }
    newest = latest_evaluation(patient)
    return bool(
        early_reading_reasons(
            limits,
            nasal=order.form == MedicineForm.NASAL,
            session_number=session.number,
            dose_increased=before is not None and order.dose_ug > before.dose_ug,
            age_years=age_years(patient.date_of_birth, local_date(at, patient.user.time_zone))
            if patient.date_of_birth
            else 99,
            hypertension=newest is not None and (newest.facts or {}).get("htn") == "yes",
            stimulant_or_maoi=bool(classes & {"stimulant", "maoi"}),
            caution_released=caution_released,
        )
    )


def confirm_dose_taken(
    session: DosingSession,
    *,
    units_taken: int,
    by: Any,
    at: datetime,
    units_left: int | None = None,
    lot: str = "",
    already: bool = False,
) -> DosingSession:
    """The medicine has been placed: the clock of the watch starts, and everything due becomes a row (HZ-10).

    Raises Conflict without a release, or when the release is no longer one to rest on (too old, or something holds the dose
    since); Invalid for a count that is none. `already`: it was taken all the same. Then the watch begins and somebody is
    called, because a dose that nobody watches is worse than one that was not to be taken.
    """
    if not 0 < units_taken <= 40:
        raise Invalid("Count what you took.", fields={"units_taken": "Write a number."})
    with transaction.atomic():
        if units_left is not None:
            lock_patient(session.patient_id)
        session = lock_session(session)
        if session.state != states.READY:
            raise Conflict("Your dose is not released, or this is done already.", code="not_ready")
        release = DoseRelease.objects.select_related("order__patient__user").get(session=session)
        lapsed = release_lapsed(session, release, at=at)
        if lapsed and not already:
            raise Conflict(
                "It has been a while since your readings, so please don't take it now. Your coach will help you."
                if lapsed == "release_too_old"
                else "Please don't take it now. Somebody from your care team needs to talk with you first.",
                code=lapsed,
            )
        # By the order the dose was released under, whatever superseded it since.
        ordered = release.order.units_per_dose
        common_states.move(session, states.DOSING, moves=states.SESSION_MOVES, by=by, at=at, dose_at=at)
        count = DoseCount.objects.create(
            session=session, units_ordered=ordered, units_taken=units_taken, units_left=units_left, lot=lot[:40],
            counted_at=at, counted_by=audit.actor_name(by),
        )  # fmt: skip
        timeline = timeline_for(session)
        due = rules.checkpoints_after_dose(at, timeline, early_reading=session.early_reading)
        rows = [
            Checkpoint(
                session=session, kind=d.kind, minute=d.minute, due_at=d.due_at, next_ladder_at=d.late_at
            )
            for d in due
        ]
        end_at = at + timedelta(minutes=timeline.release_on_call_after_minutes)
        rows.append(
            Checkpoint(
                session=session, kind=Checkpoint.Kind.RELEASE, minute=timeline.release_on_call_after_minutes,
                due_at=end_at, next_ladder_at=end_at,
            )
        )  # fmt: skip
        Checkpoint.objects.bulk_create(rows)
        _promise_watch(session, timeline, at=at)
        audit.record(
            "dose.taken", by=by, at=at, about=session, patient_id=session.patient_id,
            detail={"units": units_taken, "ordered": ordered},
        )  # fmt: skip
        if lapsed:
            alarm(session, "X14", source=count, by=by, at=at, codes=(f"taken_after_{lapsed}",), severity=3)
        if units_left is not None:
            count_stock(release.order, counted=units_left, by=session.patient.user, at=at)
        if units_taken > ordered:
            alarm(session, "X14", source=count, by=by, at=at, codes=("more_than_ordered",), severity=4)
    return session


def _promise_watch(session: DosingSession, timeline: rules.Timeline, *, at: datetime) -> None:
    """The evening's two messages and the next morning's question."""
    patient = session.patient
    for minute in timeline.watch_messages_minutes:
        tell(
            patient.user, "watch_note", about=session, patient=patient, due_at=at + timedelta(minutes=minute), at=at,
            path=f"/sessions/{session.pk}/", expires_after=timedelta(hours=3), key=f"watch:{session.pk}:{minute}",
        )  # fmt: skip
    due_at = at + timedelta(hours=timeline.follow_up_after_hours)
    tell(
        patient.user, "follow_up_due", about=session, patient=patient, due_at=due_at, at=at,
        path=f"/sessions/{session.pk}/", when=due_at,
        expires_after=timedelta(hours=48), key=f"follow_up:{session.pk}",
    )  # fmt: skip
