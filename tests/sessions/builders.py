"""Courses and sessions in every state, made through the actions as people make them. Upper apps' tests may use these."""

import datetime as dt
from typing import Any

from accounts.models import Patient, User
from common import clock
from intake.models import EligibilityEvaluation, Intake
from measures.actions import record_response
from sessions import actions
from sessions.models import Course, DoseDecision, DoseRelease, DosingSession, SitterLink
from tests.consults.builders import a_delivered_parcel, a_kit, a_signed_order, consents
from tests.safety.builders import a_shift
from vitals.actions import RecordedReading, record_reading

MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)
CLEAR_ANSWERS = {
    "alcohol_cannabis": "no",
    "fasted": "yes",
    "holds_followed": "yes",
    "pregnant": "no",
    "new_medicine": "no",
    "ill": "no",
    "bladder": "no",
    "suicidal": "no",
    "safe_now": "yes",
    "psychosis": "no",
}
ATTESTED = ("adult", "sober", "present", "stays", "read_card")
WELL = {"awake": True, "oriented": True, "walks_unaided": True, "severe_symptom": False, "suicidal": False}


def an_accepted_patient(user: User, psychiatrist: User, at: dt.datetime) -> Intake:
    """Accepted, with both documents signed in the wording in force; written straight into the tables."""
    from tests.consults.builders import any_protocol

    version = any_protocol(at, psychiatrist)
    patient = Patient.objects.get(pk=user.pk)
    consents(user, at)
    intake = Intake.objects.create(
        patient=patient,
        state="accepted",
        care_state=patient.state,
        created_at=at,
        submitted_at=at,
        decided_at=at,
        protocol=version,
    )
    EligibilityEvaluation.objects.create(
        intake=intake,
        patient=patient,
        at=at,
        stage="decision",
        cause="decide",
        outcome="ok",
        rule_version="test",
        protocol=version,
        facts={},
    )
    return intake


def a_course(
    user: User,
    psychiatrist: User,
    at: dt.datetime,
    *,
    first_in_days: int = 0,
    on_call: bool = True,
    **order: Any,
) -> Course:
    """A course whose first session is on the day of `at` (unless told otherwise), opened from an order signed days before."""
    before = at - 9 * DAY
    an_accepted_patient(user, psychiatrist, before)
    signed = a_signed_order(user, psychiatrist, before, first_in_days=9 + first_in_days, **order)
    if on_call:
        a_shift(psychiatrist, at - 2 * DAY, hours=24 * 60)
    return actions.open_course(signed, by=psychiatrist, at=before)


def first_session(course: Course) -> DosingSession:
    """Session 1 with everything it hangs on."""
    return DosingSession.objects.select_related("patient__user", "course__order", "course__protocol").get(
        course=course, number=1
    )


def fresh(session: DosingSession) -> DosingSession:
    """The session as it is in the database now."""
    return DosingSession.objects.select_related(
        "patient__user", "patient__care_team", "course__order", "course__protocol", "sitter"
    ).get(pk=session.pk)


def everything_arrived(session: DosingSession, by: User, at: dt.datetime) -> None:
    """Medicine and kit at home and counted, the cuff practised on two days."""
    order = session.course.order
    a_delivered_parcel(order, by, at - 4 * DAY)
    a_kit(session.patient.user, by, at - 4 * DAY)
    for days in (3, 2):
        record_reading(
            patient=session.patient, systolic_mmhg=121, diastolic_mmhg=78, pulse_bpm=68, taken_at=at - days * DAY,
            source="patient", by=session.patient.user, at=at - days * DAY, phase="practice",
        )  # fmt: skip


def a_decision(session: DosingSession, by: User, at: dt.datetime, **how: Any) -> DoseDecision:
    """The psychiatrist's signed decision about a session: the same dose, unless told otherwise."""
    how = {"kind": "same", "review": "Went well, no effects that lasted.", "reason": "", **how}
    with clock.frozen(at):
        return actions.decide_dose(fresh(session), by=by, at=at, stepped_up_at=at, **how)


def scored(user: User, at: dt.datetime, *, item9: int = 0) -> None:
    """PHQ-9 and GAD-7 answered, for what follows session 2."""
    patient = Patient.objects.select_related("user").get(pk=user.pk)
    for name, items in (("phq9", 9), ("gad7", 7)):
        answers = {f"{name}_{n}": 1 for n in range(1, items + 1)}
        if name == "phq9":
            answers["phq9_9"] = item9
        record_response(patient, name, answers, "after_session_2", by=user, at=at)


def an_opened_session(user: User, psychiatrist: User, at: dt.datetime, **order: Any) -> DosingSession:
    """Session 1 on its day, opened by the patient, nothing answered yet."""
    session = first_session(a_course(user, psychiatrist, at, **order))
    everything_arrived(session, psychiatrist, at)
    return opened(session, at, by=user)


def opened(session: DosingSession, at: dt.datetime, *, by: User) -> DosingSession:
    """The session's day opened, with the database's clock at `at` too: its guard trusts no other."""
    with clock.frozen(at):
        actions.start_check(session, by=by, at=at)
    return fresh(session)


def a_sitter(
    session: DosingSession, at: dt.datetime, *, attested: tuple[str, ...] = ATTESTED
) -> tuple[SitterLink, str]:
    """A sitter who was sent the link and confirmed; answers link and its plain secret."""
    link, plain = actions.invite_sitter(
        session, name="Sam Sitter", phone="+14155550177", by=session.patient.user, at=at
    )
    actions.confirm_sitter(link, attested=attested, at=at)
    return link, plain


def a_reading(
    session: DosingSession, at: dt.datetime, systolic: int = 118, diastolic: int = 76, pulse: int = 70
) -> RecordedReading:
    """A reading typed by the patient in the session."""
    return actions.take_reading(
        session,
        systolic_mmhg=systolic,
        diastolic_mmhg=diastolic,
        pulse_bpm=pulse,
        by=session.patient.user,
        at=at,
        source="patient",
    )


def a_session_ready_for_release(
    user: User,
    psychiatrist: User,
    at: dt.datetime,
    *,
    readings: tuple[tuple[int, int, int], ...] = ((118, 76, 70), (116, 74, 68)),
    **order: Any,
) -> DosingSession:
    """Session 1 with everything true at `at`: questions, place, sitter, and readings two minutes apart, the last one a minute ago."""
    start = at - 25 * MINUTE
    session = an_opened_session(user, psychiatrist, start, **order)
    actions.answer_check(session, answers=CLEAR_ANSWERS, by=user, at=start + MINUTE)
    actions.confirm_place(
        session, address="12 Elm Street, San Francisco", state="CA", contact_name="Maja Lindqvist", contact_phone="+14155550112",
        by=user, at=start + 2 * MINUTE,
    )  # fmt: skip
    a_sitter(session, start + 3 * MINUTE)
    session = fresh(session)
    for index, (systolic, diastolic, pulse) in enumerate(readings):
        when = at - MINUTE - 2 * MINUTE * (len(readings) - 1 - index)
        a_reading(session, when, systolic, diastolic, pulse)
    return fresh(session)


def release(
    session: DosingSession, at: dt.datetime, *, by: User, stepped_up_at: dt.datetime | None = None, **how: Any
) -> actions.ReleaseResult:
    """Release with the database's clock at `at` too: the trigger trusts no other."""
    with clock.frozen(at):
        return actions.release_dose(session, by=by, at=at, stepped_up_at=stepped_up_at or at, **how)


def a_released_dose(
    user: User, psychiatrist: User, at: dt.datetime, *, by: User | None = None, **order: Any
) -> DoseRelease:
    """Session 1 with its dose released at `at`."""
    session = a_session_ready_for_release(user, psychiatrist, at, **order)
    result = release(session, at, by=by or psychiatrist)
    assert result.release is not None, sorted(map(str, result.reasons))
    return result.release


def a_session_in_progress(user: User, psychiatrist: User, at: dt.datetime, **order: Any) -> DosingSession:
    """Session 1 with the medicine placed at `at`."""
    session = fresh(a_released_dose(user, psychiatrist, at - 3 * MINUTE, **order).session)
    actions.confirm_dose_taken(session, units_taken=session.course.order.units_per_dose, by=user, at=at)
    return fresh(session)


def a_finished_session(user: User, psychiatrist: User, at: dt.datetime, **order: Any) -> DosingSession:
    """Session 1 whose watch ended by rule two hours after `at`; the follow-up is still to come."""
    return watched_to_its_end(a_session_in_progress(user, psychiatrist, at, **order), at)


def watched_to_its_end(session: DosingSession, at: dt.datetime) -> DosingSession:
    """The medicine was placed at `at`; the rest of the watch goes by as it should."""
    user = session.patient.user
    actions.end_music(session, by=user, at=at + 61 * MINUTE)
    if session.early_reading:
        a_reading(session, at + 40 * MINUTE, 128, 82)
    a_reading(session, at + 65 * MINUTE, 124, 80)
    a_reading(session, at + 120 * MINUTE, 120, 78)
    link = session.sitter_links.get(revoked_at__isnull=True)
    actions.sign_as_sitter(link, at=at + 121 * MINUTE)
    result = actions.close_session(fresh(session), answers=WELL, by=user, at=at + 122 * MINUTE)
    assert result.closed, sorted(result.reasons)
    return fresh(session)
