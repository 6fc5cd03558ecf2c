"""How far each made-up person has come. Every story is told through actions, at the times when its steps happened.

`told(cast, when)` moves the clock (Python's and, inside this transaction only, SQL's), so that the database's own checks see
the time the story says.
"""

import datetime as dt
from collections.abc import Callable
from zoneinfo import ZoneInfo

from accounts import actions as people
from accounts.access import psychiatrists_licensed_in
from accounts.models import Patient, Role, User
from coaching import actions as coaching
from coaching.models import CheckIn
from common import clock
from consults import actions as consults
from consults.access import digest_of
from consults.models import Appointment, Order
from intake import actions as intakes
from intake.models import Decision, Intake
from measures.actions import record_response
from portal.demo import letters
from portal.demo.answers import fill_intake, scale
from portal.demo.cast import CONTACT_PHONE, SITTER_PHONE, Cast, add_patient
from safety import actions as safety
from safety.access import holds_of
from safety.models import Alert
from sessions import actions as sessions
from sessions.models import DosingSession

MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
ATTESTED = ("adult", "sober", "present", "stays", "read_card")
CLEAR = {
    "alcohol_cannabis": "no", "fasted": "yes", "holds_followed": "yes", "pregnant": "no", "new_medicine": "no", "ill": "no",
    "bladder": "no", "suicidal": "no", "safe_now": "yes", "psychosis": "no",
}  # fmt: skip
WELL = {"awake": True, "oriented": True, "walks_unaided": True, "severe_symptom": False, "suicidal": False}
NOTE = {
    "history": "Two years of low mood and worry, two antidepressants at full dose, therapy weekly.",
    "mental_status": "Alert and oriented, mood low, affect full, thought linear, no psychosis or mania.",
    "risk": "No current intent or plan. Safety plan read together; sitter named.",
    "plan": "Four weekly sessions at home with a sitter, review after each. BP <140/90 before each dose.",
    "short_visit_reason": "",
}

Story = Callable[[Cast, int], User]


def _psychiatrist(cast: Cast, patient: Patient) -> User:
    licensed = set(psychiatrists_licensed_in(patient.state, cast.now.date()).values_list("pk", flat=True))
    return next(person for person in cast.staff_of(Role.PSYCHIATRIST) if person.pk in licensed)


def _on_day(day: dt.date, zone: str, hour: int, minute: int = 0) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(hour, minute), ZoneInfo(zone)).astimezone(dt.UTC)


def _answer_alerts(cast: Cast, user: User, at: dt.datetime) -> None:
    """Whatever the story raised was answered and closed by a person; holds were cleared with a note."""
    patient = Patient.objects.select_related("care_team").get(pk=user.pk)
    helper = patient.care_team.psychiatrist or _psychiatrist(cast, patient)
    for alert in Alert.objects.filter(patient=patient).exclude(state="closed"):
        with clock.frozen(at):
            safety.acknowledge(alert, by=helper, at=at)
            safety.close(
                alert, by=helper, at=at + 20 * MINUTE, disposition="contacted_safe",
                note=cast.words("Alert.note", "Called. Safe, not alone, plan agreed. Reviewed history and safety plan."),
            )  # fmt: skip
    if patient.care_team.psychiatrist is None:
        return  # a hold is cleared by the psychiatrist who cares for this person, and there is none yet
    for hold in holds_of(patient):
        with clock.frozen(at + 30 * MINUTE):
            safety.clear_hold(
                hold,
                by=helper,
                at=at + 30 * MINUTE,
                note=cast.words("SafetyHold.note", "Reviewed by phone; may go on."),
            )


# --- before the decision ---


def signed_up(cast: Cast, index: int) -> User:
    """An account and nothing more."""
    return add_patient(cast, index, joined_at=cast.now - 3 * HOUR)


def half_way(cast: Cast, index: int) -> User:
    """The intake begun on a phone and left for later."""
    user = add_patient(cast, index, joined_at=cast.now - 2 * DAY)
    with clock.frozen(cast.now - 2 * DAY):
        fill_intake(cast, user, cast.now - 2 * DAY, steps=3)
    return user


def waiting(cast: Cast, index: int, *, days: float = 1.0, **answers: object) -> User:
    """Sent, and waiting in the queue."""
    at = cast.now - dt.timedelta(days=days)
    user = add_patient(cast, index, joined_at=at)
    with clock.frozen(at):
        intake = fill_intake(cast, user, at, **answers)  # type: ignore[arg-type]
        intakes.submit(intake, by=user, at=at + 50 * MINUTE)
    return user


def waiting_for_review(cast: Cast, index: int) -> User:
    """Waiting, with something the rules want looked at."""
    return waiting(
        cast,
        index,
        days=0.2 + cast.rng.random() * 3,
        medicines=("sertraline", "lorazepam"),
        bp=(144, 88),
        phq9=19,
    )


def waiting_urgent(cast: Cast, index: int) -> User:
    """Thoughts of being better off dead, answered by a person the same day; urgent in the queue."""
    user = waiting(cast, index, days=0.6, item9=1, cssrs_q1="yes")
    _answer_alerts(cast, user, cast.now - 8 * HOUR)
    return user


def claimed(cast: Cast, index: int) -> User:
    """In a psychiatrist's hands right now."""
    user = waiting(cast, index, days=1.2)
    intake = Intake.objects.select_related("patient").get(patient_id=user.pk)
    at = cast.now - 5 * MINUTE
    with clock.frozen(at):
        intakes.claim(intake.pk, by=_psychiatrist(cast, intake.patient), at=at)
    return user


def _decided(
    cast: Cast,
    user: User,
    kind: str,
    at: dt.datetime,
    *,
    items: tuple[str, ...] = (),
    letter: str = "",
    reasons: tuple[str, ...] = (),
) -> User:
    intake = Intake.objects.select_related("patient").get(patient_id=user.pk)
    doctor = _psychiatrist(cast, intake.patient)
    with clock.frozen(at):
        taken = intakes.claim(intake.pk, by=doctor, at=at)
        intakes.decide(
            taken, kind, by=doctor, at=at + 12 * MINUTE, reasons=reasons, items=items,
            note=cast.words("Decision.note", "Read history, scores and medicines."),
            letter=cast.words("Decision.letter", letter) if letter else "",
        )  # fmt: skip
    return user


def asked_for_more(cast: Cast, index: int) -> User:
    """The psychiatrist wants one step looked at again."""
    user = waiting(cast, index, days=3)
    return _decided(
        cast,
        user,
        Decision.Kind.ASK_MORE,
        cast.now - 2 * DAY,
        items=("medicines",),
        letter="Please add the dose of each medicine.",
    )


def letter_awaited(cast: Cast, index: int) -> User:
    """A letter to a cardiologist is on its way, with its task and its date."""
    user = waiting(cast, index, days=6, cardiac_history="yes")
    return _decided(
        cast, user, Decision.Kind.ASK_CLEARANCE, cast.now - 5 * DAY, items=("cardiology",),
        letter="You have had a rhythm problem. Please take this letter to your cardiologist before we go on.",
    )  # fmt: skip


def declined(cast: Cast, index: int) -> User:
    """Not for this person, said kindly."""
    user = waiting(cast, index, days=9, bp=(166, 104))
    return _decided(
        cast, user, Decision.Kind.DECLINE, cast.now - 8 * DAY, reasons=("E30",),
        letter="Your blood pressure needs care first. Your own doctor can help, and you are welcome to come back after.",
    )  # fmt: skip


def accepted(cast: Cast, index: int, *, days: float = 2) -> User:
    """Accepted: the price is shown, a consult can be booked."""
    user = waiting(cast, index, days=days + 1.5, medicines=("sertraline",))
    return _decided(cast, user, Decision.Kind.ACCEPT, cast.now - dt.timedelta(days=days))


# --- the consult and the order ---


def _pay(cast: Cast, user: User, at: dt.datetime) -> None:
    from portal.demo.money import pay_programme

    with clock.frozen(at):
        pay_programme(Patient.objects.get(pk=user.pk), by=user, at=at)


def _book(
    cast: Cast, user: User, at: dt.datetime, starts_at: dt.datetime, visit_type: str = "consult"
) -> Appointment:
    patient = Patient.objects.select_related("user", "care_team").get(pk=user.pk)
    doctor = patient.care_team.psychiatrist or _psychiatrist(cast, patient)
    with clock.frozen(at):
        for step in range(60):  # the first free time from there on
            try:
                held = consults.hold_slot(
                    patient,
                    visit_type=visit_type,
                    clinician_id=doctor.pk,
                    starts_at=starts_at + step * 30 * MINUTE,
                    by=user,
                    at=at,
                )
            except Exception as error:
                if getattr(error, "code", "") != "slot_taken":
                    raise
                continue
            return consults.confirm_booking(held, by=user, at=at)
    raise LookupError("no free time in the demo's calendar")


def consult_booked(cast: Cast, index: int) -> User:
    """Paid, and a video visit in the calendar."""
    user = accepted(cast, index, days=2)
    _pay(cast, user, cast.now - 1.5 * DAY)
    day = cast.now.date() + dt.timedelta(days=1 + index % 5)
    _book(cast, user, cast.now - 1.4 * DAY, _on_day(day, "America/Los_Angeles", 9))
    return user


def ordered(cast: Cast, index: int, *, first_session_on: dt.date | None = None) -> User:
    """Seen, ordered, delivered; the first session is ahead."""
    first_on = first_session_on or (cast.now.date() + dt.timedelta(days=3 + index % 4))
    days = (cast.now.date() - first_on).days
    consult_day = cast.now.date() - dt.timedelta(days=days + 10)
    user = accepted(cast, index, days=days + 14)
    patient = Patient.objects.select_related("user", "care_team__psychiatrist").get(pk=user.pk)
    _pay(cast, user, cast.now - dt.timedelta(days=days + 13))
    visit = _book(
        cast, user, cast.now - dt.timedelta(days=days + 12.9), _on_day(consult_day, "America/Los_Angeles", 9)
    )
    doctor = visit.clinician
    at = visit.starts_at
    with clock.frozen(at):
        consults.arrive(visit, state_now=patient.state, by=user, at=at)
    at = visit.starts_at + 48 * MINUTE
    with clock.frozen(at):
        note = consults.open_note(visit, by=doctor, at=visit.starts_at + MINUTE)
        body = {name: cast.words(f"VisitNote.{name}", text) if text else "" for name, text in NOTE.items()}
        note = consults.save_note(
            note, version=note.version, by=doctor, at=at,
            changes=body | {
                "diagnosis": cast.rng.choice(["depression", "anxiety", "both"]), "suitable": True, "identity_confirmed": True,
                "date_of_birth_seen": patient.date_of_birth, "location_confirmed": True, "location_state": patient.state,
                "duration_minutes": 45, "held_by": "video",
            },
        )  # fmt: skip
        note = consults.sign_note(note, by=doctor, at=at)
        coaches = cast.staff_of(Role.COACH)
        people.assign_care_team(patient, coach=coaches[index % len(coaches)], by=doctor, at=at)
        consults.record_pdmp_check(
            patient,
            states=[patient.state],
            finding="clear",
            by=doctor,
            at=at,
            note=cast.words("PdmpCheck.note", "Nothing found."),
        )
        order = _sign_order(cast, patient, doctor, first_on, at)
        consults.send_to_pharmacy(order, way="vendor", by=doctor, at=at)
    with clock.frozen(at + DAY):
        consults.hand_over(order, status="accepted", external_id="", by=doctor, at=at + DAY)
    _deliver(cast, user, order, doctor, at + 3 * DAY)
    return user


def _sign_order(cast: Cast, patient: Patient, doctor: User, first_on: dt.date, at: dt.datetime) -> Order:
    patient = Patient.objects.select_related("user").get(pk=patient.pk)
    nasal = cast.rng.random() < 0.15
    strength = (
        {
            "form": "nasal_spray",
            "concentration_ug_per_ml": 150_000,
            "spray_volume_ul": 100,
            "units_per_dose": 4,
        }
        if nasal
        else {
            "form": cast.rng.choice(["sublingual_tablet", "troche"]),
            "strength_ug": 50_000,
            "units_per_dose": 2,
        }
    )
    draft = consults.save_draft(
        patient, by=doctor, at=at,
        fields=strength | {
            "weight_kg": patient.weight_kg, "session_dates": [first_on + dt.timedelta(days=7 * week) for week in range(4)],
            "sessions_covered": [1, 2, 3, 4], "systolic_max_mmhg": 140, "diastolic_max_mmhg": 90, "holds": [],
            "directions": cast.words("Order.directions", "Hold under the tongue for ten minutes, then spit out." if not nasal else "One spray in each nostril, wait a minute, repeat."),
            "authority_basis": "prior_in_person", "authority_reference": "", "authority_expires_on": None, "examined_on": at.date() - dt.timedelta(days=30),
            "examined_by": cast.words("Order.examined_by", f"Hearthside, {doctor}"),
            "examined_place": cast.words("Order.examined_place", "Oakland office"), "warning_reason": cast.words("Order.warning_reason", "Titrated by weight and response."),
        },
    )  # fmt: skip
    return consults.sign_order(draft, seen=digest_of(draft), by=doctor, at=at)


def _deliver(cast: Cast, user: User, order: Order, doctor: User, at: dt.datetime) -> None:
    with clock.frozen(at):
        parcel = consults.ship(
            order, lot=f"HS-{cast.rng.randrange(1000, 9999)}", count=order.units_total, carrier="UPS",
            carrier_reference=f"1Z{cast.rng.randrange(10**9, 10**10)}", adult_signature=True, by=doctor, at=at,
        )  # fmt: skip
    with clock.frozen(at + DAY):
        consults.mark_delivered(parcel, by=doctor, at=at + DAY)
        consults.record_signature(parcel, signed_for_by=user.full_name, adult=True, by=doctor, at=at + DAY)
        parcel.refresh_from_db()
        consults.confirm_count(parcel, count=order.units_total, by=user, at=at + DAY + HOUR)
        consults.look_together(
            parcel, counted=order.units_total, by=doctor, at=at + DAY + 2 * HOUR,
            note=cast.words("ParcelLook.note", "Held up to the camera on the call, and counted."),
        )  # fmt: skip
    patient = Patient.objects.select_related("user").get(pk=user.pk)
    with clock.frozen(at):
        kit = consults.ship_kit(
            patient,
            carrier="UPS",
            carrier_reference=f"1Z{cast.rng.randrange(10**9, 10**10)}",
            by=doctor,
            at=at,
        )
    with clock.frozen(at + DAY):
        consults.confirm_kit(kit, missing=[], by=user, at=at + DAY + 2 * HOUR)
    for days in (1.5, 2.5):
        when = at + days * DAY
        if when < cast.now:
            with clock.frozen(when):
                consults.practice_reading(
                    patient, systolic_mmhg=cast.rng.randrange(112, 132), diastolic_mmhg=cast.rng.randrange(70, 84),
                    pulse_bpm=cast.rng.randrange(60, 84), by=user, at=when,
                )  # fmt: skip


# --- the sessions ---


def _session(user: User, number: int) -> DosingSession:
    return DosingSession.objects.select_related(
        "patient__user",
        "patient__care_team__psychiatrist",
        "patient__care_team__coach",
        "course__order",
        "course__protocol",
        "sitter",
    ).get(patient_id=user.pk, number=number)


def prepare(
    cast: Cast,
    user: User,
    number: int,
    at: dt.datetime,
    *,
    pressures: tuple[tuple[int, int], ...] = ((122, 79), (119, 77)),
) -> None:
    """Questions, place, sitter, two readings: ready for the gate a quarter of an hour after `at`."""
    with clock.frozen(at):
        sessions.start_check(_session(user, number), by=user, at=at)
        sessions.answer_check(_session(user, number), answers=CLEAR, by=user, at=at + MINUTE)
        sessions.confirm_place(
            _session(user, number), address=user.patient.address or "2 Elm Street, Oakland", state=user.patient.state,
            contact_name=user.contact_words, contact_phone=CONTACT_PHONE, by=user, at=at + 2 * MINUTE,  # type: ignore[attr-defined]
        )  # fmt: skip
        link, _ = sessions.invite_sitter(
            _session(user, number),
            name=cast.words("Sitter.name", "Sam Sitter"),
            phone=SITTER_PHONE,
            by=user,
            at=at + 3 * MINUTE,
        )
    with clock.frozen(at + 5 * MINUTE):
        sessions.confirm_sitter(link, attested=ATTESTED, at=at + 5 * MINUTE)
    for turn, (systolic, diastolic) in enumerate(pressures):
        when = at + (10 + 2 * turn) * MINUTE
        with clock.frozen(when):
            sessions.take_reading(
                _session(user, number), systolic_mmhg=systolic, diastolic_mmhg=diastolic, pulse_bpm=cast.rng.randrange(60, 84),
                by=user, at=when, source="patient",
            )  # fmt: skip


def decide(cast: Cast, user: User, number: int, at: dt.datetime) -> None:
    """The psychiatrist has looked at the session before and leaves the dose as it is."""
    session = _session(user, number)
    doctor = session.patient.care_team.psychiatrist
    assert doctor is not None
    with clock.frozen(at):
        sessions.decide_dose(
            session, kind="same", review=cast.words("DoseDecision.review", "Calm session, readings back to usual, slept well."),
            reason="", by=doctor, at=at, stepped_up_at=at,
        )  # fmt: skip


def dose(cast: Cast, user: User, number: int, at: dt.datetime) -> None:
    """Released by the psychiatrist, taken by the patient."""
    session = _session(user, number)
    doctor = session.patient.care_team.psychiatrist
    assert doctor is not None
    with clock.frozen(at):
        result = sessions.release_dose(session, by=doctor, at=at, stepped_up_at=at)
    if result.release is None:
        raise LookupError(f"the demo's gate stayed shut: {sorted(map(str, result.reasons))}")
    with clock.frozen(at + 2 * MINUTE):
        session = _session(user, number)
        sessions.confirm_dose_taken(
            session, units_taken=session.course.order.units_per_dose, by=user, at=at + 2 * MINUTE
        )


def watch(cast: Cast, user: User, number: int, taken_at: dt.datetime, *, high: bool = False) -> None:
    """Music, the sitter's checks, readings, journal, the end by rule, and the next morning."""
    session = _session(user, number)
    for minute in (15, 30, 45, 60):
        with clock.frozen(taken_at + minute * MINUTE):
            sessions.sitter_check(
                _session(user, number),
                findings=[],
                by=f"sitter:{session.sitter_id}",
                at=taken_at + minute * MINUTE,
            )
    if session.early_reading:
        _read(cast, user, number, taken_at + 40 * MINUTE, 134, 84)
    with clock.frozen(taken_at + 61 * MINUTE):
        sessions.end_music(_session(user, number), by=user, at=taken_at + 61 * MINUTE)
    _read(cast, user, number, taken_at + 65 * MINUTE, 163 if high else 132, 96 if high else 83)
    if high:
        _read(cast, user, number, taken_at + 80 * MINUTE, 150, 88)
    with clock.frozen(taken_at + 90 * MINUTE):
        sessions.record_symptoms(
            _session(user, number),
            by=user,
            at=taken_at + 90 * MINUTE,
            dissociation=2,
            nausea=1,
            sedation=1,
            note=cast.words("SymptomReport.note", "A little dizzy, passing."),
        )
        sessions.write_entry(
            Patient.objects.select_related("user").get(pk=user.pk), by=user, at=taken_at + 95 * MINUTE, session=_session(user, number),
            body=cast.words("JournalEntry.body", "A warm room with many doors. I cried and it was all right."), share=number % 2 == 0,
        )  # fmt: skip
    _read(cast, user, number, taken_at + 120 * MINUTE, 124, 78)
    at = taken_at + 122 * MINUTE
    with clock.frozen(at):
        sessions.sign_as_sitter(_session(user, number).sitter_links.get(revoked_at__isnull=True), at=at)
        result = sessions.close_session(_session(user, number), answers=WELL, by=user, at=at + MINUTE)
    if not result.closed:
        raise LookupError(f"the demo's session did not close: {sorted(result.reasons)}")


def _read(cast: Cast, user: User, number: int, at: dt.datetime, systolic: int, diastolic: int) -> None:
    with clock.frozen(at):
        sessions.take_reading(
            _session(user, number), systolic_mmhg=systolic, diastolic_mmhg=diastolic, pulse_bpm=cast.rng.randrange(66, 92), by=user, at=at,
            source="patient",
        )  # fmt: skip


def whole_session(cast: Cast, user: User, number: int, *, high: bool = False) -> dt.datetime:
    """One session from first question to the morning after; answers when it ended."""
    start = _session(user, number).scheduled_at
    if number > 1:
        decide(cast, user, number, start - 3 * DAY)
    prepare(cast, user, number, start)
    dose(cast, user, number, start + 14 * MINUTE)
    watch(cast, user, number, start + 16 * MINUTE, high=high)
    morning = start + 20 * HOUR
    if morning < cast.now:
        with clock.frozen(morning):
            sessions.record_follow_up(
                _session(user, number),
                slept=True,
                mood_0_10=6,
                suicidal_thoughts=False,
                by=user,
                at=morning,
                note=cast.words("FollowUp.note", "Slept well."),
            )
    _answer_alerts(cast, user, start + 3 * HOUR)
    return start


def _score(cast: Cast, user: User, timepoint: str, at: dt.datetime, phq9: int, gad7: int) -> None:
    patient = Patient.objects.select_related("user", "care_team").get(pk=user.pk)
    with clock.frozen(at):
        record_response(patient, "phq9", scale(cast, "phq9", 9, phq9), timepoint=timepoint, by=user, at=at)
        record_response(
            patient, "gad7", scale(cast, "gad7", 7, gad7), timepoint=timepoint, by=user, at=at + MINUTE
        )


def in_course(cast: Cast, index: int, *, done: int, days_since_last: int, high: bool = False) -> User:
    """In the four weeks, `done` sessions behind them."""
    first_on = cast.now.date() - dt.timedelta(days=days_since_last + 7 * (done - 1))
    user = ordered(cast, index, first_session_on=first_on)
    for number in range(1, done + 1):
        start = whole_session(cast, user, number, high=high and number == done)
        if number in (2, 4) and start + 3 * DAY < cast.now:
            drop = cast.rng.randrange(3, 6) * number
            _score(
                cast, user, f"after_session_{number}", start + 2 * DAY, max(1, 16 - drop), max(1, 13 - drop)
            )
    _give_past_check_ins(cast, user)
    return user


def _give_past_check_ins(cast: Cast, user: User) -> None:
    """What was due until yesterday was given: the calls by the coach, the daily ones by the patient herself."""
    past = CheckIn.objects.filter(
        patient_id=user.pk, done_at__isnull=True, cancelled_at__isnull=True, due_at__lt=cast.now - DAY
    )
    for row in past.select_related("patient__user", "patient__care_team__coach").order_by("due_at"):
        giver = user if row.kind == CheckIn.Kind.DAILY else row.patient.care_team.coach
        if giver is None:
            continue
        with clock.frozen(row.due_at):
            coaching.give_check_in(
                row, by=giver, at=row.due_at, mood=cast.rng.randrange(4, 9), suicidal_thoughts=False,
                note=cast.words("CheckIn.note", "Slept well, walked every day.") if row.kind != CheckIn.Kind.DAILY else "",
            )  # fmt: skip


def after_one(cast: Cast, index: int) -> User:
    user = in_course(cast, index, done=1, days_since_last=2 + index % 3)
    letters.answered(cast, user)
    return user


def after_two(cast: Cast, index: int) -> User:
    user = in_course(cast, index, done=2, days_since_last=4)
    letters.waiting(cast, user)
    return user


def after_three_high_pressure(cast: Cast, index: int) -> User:
    """The last session had a high reading that was answered."""
    return in_course(cast, index, done=3, days_since_last=3, high=True)


def finished(cast: Cast, index: int) -> User:
    """All four sessions and both follow-up scores."""
    return in_course(cast, index, done=4, days_since_last=5 + index % 20)


def today(cast: Cast, index: int) -> User:
    """Session 1 is today; nothing is answered yet."""
    zone_day = clock.local_date(cast.now, add_zone(index))
    return ordered(cast, index, first_session_on=zone_day)


def add_zone(index: int) -> str:
    from portal.demo.names import PLACES

    return PLACES[index % len(PLACES)][2]


def crisis(cast: Cast, index: int) -> User:
    """An answer of a few minutes ago that a person must see now."""
    at = cast.now - 40 * MINUTE
    user = add_patient(cast, index, joined_at=at)
    with clock.frozen(at):
        fill_intake(cast, user, at, steps=8, item9=2, cssrs_q1="yes", cssrs_q2="yes", cssrs_q3="yes")
    return user


STORIES: dict[str, Story] = {
    "signed_up": signed_up,
    "half_way": half_way,
    "waiting": waiting,
    "waiting_for_review": waiting_for_review,
    "waiting_urgent": waiting_urgent,
    "claimed": claimed,
    "asked_for_more": asked_for_more,
    "letter_awaited": letter_awaited,
    "declined": declined,
    "accepted": accepted,
    "consult_booked": consult_booked,
    "ordered": ordered,
    "today": today,
    "after_one": after_one,
    "after_two": after_two,
    "after_three_high_pressure": after_three_high_pressure,
    "finished": finished,
    "crisis": crisis,
}
# After everybody was shown once, the practice fills up mostly with these.
USUAL = (
    "waiting",
    "waiting_for_review",
    "consult_booked",
    "ordered",
    "after_one",
    "after_two",
    "finished",
    "finished",
    "declined",
    "today",
)
