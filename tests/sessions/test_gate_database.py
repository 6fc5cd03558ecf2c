"""PR-08: the trigger on its own, against the gate in Python, over random states of the real database; and with two actors at once."""

import datetime as dt
import json
import random
import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError, close_old_connections, connection, transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from accounts.models import CareTeam, Licence, Patient, User
from common import clock
from consults.models import KitParcel, Order, StockMove
from intake.models import EligibilityEvaluation, Intake
from measures.models import InstrumentResponse
from safety.actions import place_hold, raise_alert
from safety.models import OnCallShift, SafetyHold
from sessions import actions
from sessions.access import gate_inputs
from sessions.models import DoseDecision, DoseRelease, DosingSession, SafetyCheck, SitterLink
from tests.sessions.builders import (
    CLEAR_ANSWERS,
    DAY,
    MINUTE,
    a_finished_session,
    a_released_dose,
    a_session_ready_for_release,
    fresh,
    release,
)
from vitals.models import Reading

HOUR = dt.timedelta(hours=1)
COLUMNS = [f.column for f in DoseRelease._meta.fields]


def an_unsaved_release(session: DosingSession, by: User, at: dt.datetime, **changes: Any) -> DoseRelease:
    """The row that an action would write, whether or not the gate allows it."""
    inputs = gate_inputs(
        session,
        by=by,
        at=at,
        stepped_up_at=changes.get("stepped_up_at", at),
        caution_released=changes.get("caution_released", False),
    )
    readings = list(Reading.objects.filter(session_id=session.pk, phase="pre").order_by("received_at"))
    chosen = (list(inputs.reading_ids) + [r.pk for r in readings] + [uuid.uuid4(), uuid.uuid4()])[:2]
    if len(inputs.reading_ids) == 2:
        chosen = list(inputs.reading_ids)
    check = SafetyCheck.objects.filter(session=session).order_by("-answered_at").first()
    link = SitterLink.objects.filter(session=session).order_by("-created_at").first()
    row = DoseRelease(
        session=session, patient=session.patient, order=session.course.order, protocol=session.course.protocol,
        reading_1_id=chosen[0], reading_2_id=chosen[1], safety_check=check, sitter_link=link, dose_ug=session.course.order.dose_ug,
        released_at=at, released_by=by, stepped_up_at=at, keeps_others_away=DateTimeTZRange(at, at + 6 * DAY), gate={},
    )  # fmt: skip
    for name, value in changes.items():
        setattr(row, name, value)
    return row


def by_trigger(row: DoseRelease) -> set[str]:
    """What the SQL alone says of a row that is not written yet."""
    span = row.keeps_others_away
    values = {
        f.column: getattr(row, f.attname)
        for f in DoseRelease._meta.fields
        if f.name not in ("keeps_others_away", "caution_reason", "gate")
    }
    values["keeps_others_away"] = f"[{span.lower.isoformat()},{span.upper.isoformat()})"
    values["caution_reason"] = "x" if row.caution_reason else ""
    values["gate"] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT dosing_release_failures(jsonb_populate_record(NULL::dosing_doserelease, %s::jsonb))",
            [json.dumps(values, cls=DjangoJSONEncoder)],
        )
        return set(cursor.fetchone()[0])


# --- ways in which a state can be off, each as somebody or something could bring it about -------------------

Change = Callable[[random.Random, DosingSession, dt.datetime], None]


def _user(**f: Any) -> Change:
    return lambda rng, s, at: User.objects.filter(pk=s.patient_id).update(**f) and None


def _patient(**f: Any) -> Change:
    return lambda rng, s, at: Patient.objects.filter(pk=s.patient_id).update(**f) and None


def _session(**f: Any) -> Change:
    return lambda rng, s, at: DosingSession.objects.filter(pk=s.pk).update(**f) and None


def _link(**f: Any) -> Change:
    return lambda rng, s, at: SitterLink.objects.filter(session=s).update(**f) and None


def _age(rng: random.Random, s: DosingSession, at: dt.datetime) -> None:
    born = rng.choice(
        [dt.date(2008, 11, 23), dt.date(2008, 11, 24), dt.date(2010, 1, 1), dt.date(1940, 1, 1)]
    )
    Patient.objects.filter(pk=s.patient_id).update(date_of_birth=born)


def _sitter_age(rng: random.Random, s: DosingSession, at: dt.datetime) -> None:
    SitterLink.objects.filter(session=s).update(confirmed_at=at - rng.choice([10, 89, 91, 300]) * MINUTE)


def _scheduled(rng: random.Random, s: DosingSession, at: dt.datetime) -> None:
    DosingSession.objects.filter(pk=s.pk).update(scheduled_at=at + rng.choice([-1, 1, 0]) * DAY)


def _check(rng: random.Random, s: DosingSession, at: dt.datetime) -> None:
    when = at - rng.randint(1, 20) * MINUTE + dt.timedelta(seconds=rng.randint(1, 50))
    codes = rng.sample(["not_fasted", "suicidal", "ill", "psychosis", "unanswered"], rng.choice([0, 1, 1, 2]))
    SafetyCheck.objects.create(
        session=s, answers=CLEAR_ANSWERS, positive=sorted(codes), answered_at=when, answered_by="user:test"
    )


def _clear_all(rng: random.Random, s: DosingSession, at: dt.datetime) -> None:
    psychiatrist = s.patient.care_team.psychiatrist
    SafetyCheck.objects.filter(session=s, cleared_at__isnull=True, answered_at__lt=at).update(
        cleared_at=at, cleared_by=psychiatrist
    )


def _readings(rng: random.Random, s: DosingSession, at: dt.datetime) -> None:
    """More readings, before, between and after those that are there."""
    middle = rng.choice(
        [(118, 76), (118, 76), (139, 88), (146, 88), (120, 93), (164, 90), (92, 55), (185, 90)]
    )
    when = at - dt.timedelta(seconds=rng.choice([20, 70, 130, 400, 1_000]))
    for _ in range(rng.choice([1, 2, 2, 3, 4])):
        systolic, diastolic = middle[0] + rng.choice([0, 3, -3, 11, -11]), middle[1] + rng.choice([0, 2, -2])
        rejected = rng.random() < 0.1
        Reading.objects.create(
            patient=s.patient, session_id=s.pk, phase=rng.choice(["pre"] * 9 + ["extra"]), systolic_mmhg=systolic, diastolic_mmhg=diastolic,
            pulse_bpm=rng.choice([70] * 6 + [49, 50, 100, 101, 121]), spo2_pct=rng.choice([None] * 8 + [94, 95]), received_at=when,
            taken_at=when + rng.choice([0] * 8 + [3, -31]) * MINUTE, source="patient", entered_by="user:test", band="go",
            rejected=rejected, rejected_reason="implausible" if rejected else "", protocol=s.course.protocol,
        )  # fmt: skip
        when -= dt.timedelta(seconds=rng.choice([45, 75, 120, 200, 310, 950]))


def _number(rng: random.Random, s: DosingSession, at: dt.datetime) -> None:
    DosingSession.objects.filter(course=s.course, number=4).delete()
    DosingSession.objects.filter(pk=s.pk).update(number=4)


def _hold(rng: random.Random, s: DosingSession, at: dt.datetime) -> None:
    place_hold(s.patient, reason_code="possible_misuse", at=at, by="system:test")


def _alert(rng: random.Random, s: DosingSession, at: dt.datetime) -> None:
    raise_alert(
        patient=s.patient,
        trigger=rng.choice(["X13", "X12", "X03", "X09"]),
        source="test",
        at=at,
        by="system:test",
    )


def _revoke(rng: random.Random, s: DosingSession, at: dt.datetime) -> None:
    order = s.course.order
    if rng.random() < 0.5:
        Order.objects.filter(pk=order.pk).update(revoked_at=at, revoked_by=order.prescriber)
    else:
        Order.objects.filter(pk=order.pk).update(superseded_at=at)


def _reopen(rng: random.Random, s: DosingSession, at: dt.datetime) -> None:
    intake = Intake.objects.get(patient=s.patient)
    EligibilityEvaluation.objects.create(
        intake=intake, patient=s.patient, at=at, stage="decision", cause=rng.choice(["reopened", "change", "decide"]), outcome="review",
        rule_version="x", protocol=s.course.protocol, facts={},
    )  # fmt: skip


def _licence(rng: random.Random, s: DosingSession, at: dt.datetime) -> None:
    Licence.objects.filter(psychiatrist=s.course.order.prescriber, state="CA").update(
        expires_on=rng.choice([dt.date(2026, 11, 22), dt.date(2026, 11, 23), dt.date(2026, 11, 24)])
    )


def _nobody_on_call(rng: random.Random, s: DosingSession, at: dt.datetime) -> None:
    OnCallShift.objects.update(removed_at=at)


def _team(rng: random.Random, s: DosingSession, at: dt.datetime) -> None:
    CareTeam.objects.filter(pk=s.patient_id).update(**rng.choice([{"coach": None}, {"psychiatrist": None}]))


def _decided(rng: random.Random, s: DosingSession, at: dt.datetime) -> None:
    kind = rng.choice(["same", "same", "stop"])
    DoseDecision.objects.create(
        session=s, patient=s.patient, order=s.course.order, kind=kind, dose_ug=None if kind == "stop" else s.course.order.dose_ug,
        review="x", reason="x", decided_at=at - HOUR, decided_by=s.patient.care_team.psychiatrist, stepped_up_at=at - HOUR,
    )  # fmt: skip


def _taken_before(rng: random.Random, s: DosingSession, at: dt.datetime) -> None:
    """Session 2 stands for one whose dose was taken; its release is left out, the course knows it by its time."""
    DosingSession.objects.filter(course=s.course, number=2).update(
        dose_at=at - rng.choice([1, 8]) * DAY, released_at=rng.choice([None, at - 7 * DAY, at - MINUTE])
    )


def _parcel(rng: random.Random, s: DosingSession, at: dt.datetime) -> None:
    order = s.course.order
    if rng.random() < 0.6:
        left = rng.choice([order.units_total, order.units_total - 1, order.units_total - 2])
        StockMove.objects.create(
            patient=s.patient, order=order, kind="destroyed", units=left, at=at - HOUR, by=order.prescriber
        )
    else:
        KitParcel.objects.create(
            patient=s.patient, contents=["cuff"], shipped_at=at, shipped_by=order.prescriber, due_at=at
        )


def _screen(rng: random.Random, s: DosingSession, at: dt.datetime) -> None:
    for _ in range(rng.choice([1, 1, 2])):
        InstrumentResponse.objects.create(
            patient=s.patient, instrument="suicide_risk", instrument_version="x", timepoint="checkin", items={},
            risk_level=rng.choice(["none", "low", "moderate", "moderate", "high", ""]),
            completed_at=at - rng.choice([30, 90, 600, 60 * 24 * 30]) * MINUTE, recorded_by="system:test",
        )  # fmt: skip


def _item_nine(rng: random.Random, s: DosingSession, at: dt.datetime) -> None:
    InstrumentResponse.objects.create(
        patient=s.patient, instrument="phq9", instrument_version="x", timepoint="checkin", items={}, item9=rng.choice([0, 1, 3]),
        total=rng.choice([None, 9]), completed_at=at - rng.choice([45, 60 * 24 * 30]) * MINUTE, recorded_by="system:test",
    )  # fmt: skip


def _third(rng: random.Random, s: DosingSession, at: dt.datetime) -> None:
    """The same session as the third of its course: the questionnaires after session 2 are due."""
    DosingSession.objects.filter(course=s.course, number=3).delete()
    DosingSession.objects.filter(pk=s.pk).update(number=3)
    _taken_before(rng, s, at)


def _zone(rng: random.Random, s: DosingSession, at: dt.datetime) -> None:
    User.objects.filter(pk=s.patient_id).update(
        time_zone=rng.choice(["Asia/Tokyo", "Pacific/Auckland", "America/New_York"])
    )


CHANGES: list[Change] = [
    _decided, _decided, _taken_before, _parcel, _parcel, _screen, _screen, _item_nine, _third, _third, _zone,
    _user(is_active=False), _patient(identity_verified_at=None, identity_verified_by=None), _age, _patient(state="NY"), _revoke, _reopen,
    _licence, _session(location_state="NY"), _session(location_state="TX"), _session(location_confirmed_at=None),
    _session(emergency_confirmed_at=None), _session(state="scheduled"), _number, _scheduled, _sitter_age,
    _link(confirmed_at=None), _link(attested=["adult", "sober"]), _link(expires_at=dt.datetime(2026, 11, 23, 16, 0, tzinfo=dt.UTC)), _check,
    _check, _clear_all, _readings, _readings, _readings, _readings, _hold, _alert, _nobody_on_call, _team,
]  # fmt: skip


@pytest.mark.django_db
def test_pr_08_the_trigger_agrees_with_the_gate_over_random_states_of_the_database(
    alice, dana, cole, other_coach, at
):
    base = a_session_ready_for_release(alice, dana, at, sessions_covered=(1, 2, 3))
    rng = random.Random(8)
    opened = wrong = 0
    for number in range(260):
        mark = transaction.savepoint()
        # Anew for each state: SQL's clock goes on from there, and a slow machine must not age what is fresh.
        with clock.frozen(at):
            session = fresh(base)
            for change in rng.sample(CHANGES, rng.choice([0, 1, 1, 1, 2, 2, 3])):
                change(rng, session, at)
            session = fresh(base)
            by = rng.choice([cole, cole, dana, dana, other_coach])
            caution = by == dana and rng.random() < 0.5
            more = (
                {"caution_released": True, "caution_reason": "known rise", "plan_t40": True}
                if caution
                else {}
            )
            stepped = at - rng.choice([0, 0, 0, 4, 6]) * MINUTE
            inputs = gate_inputs(session, by=by, at=at, stepped_up_at=stepped, caution_released=caution)
            row = an_unsaved_release(session, by, at, stepped_up_at=stepped, **more)
            python, sql = {r.condition for r in inputs.reasons}, by_trigger(row)
            assert python == sql, (number, python ^ sql, sorted(map(str, inputs.reasons)))
            try:
                with transaction.atomic():
                    row.save(force_insert=True)
                written = True
            except DatabaseError as error:
                written = False
                assert "release_guard" in str(error), error
            wrong += written != (not python)
            opened += written
            transaction.savepoint_rollback(mark)
    assert wrong == 0
    assert 20 < opened < 240, opened


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "condition"),
    [
        ({"dose_ug": 200_001}, "G4"), ({"dose_ug": 2_000_000}, "G4"), ({"dose_ug": 20_000}, "G4"),
        ({"released_at": dt.datetime(2026, 11, 23, 15, 0, tzinfo=dt.UTC)}, "G8"),
        ({"stepped_up_at": dt.datetime(2026, 11, 23, 16, 54, tzinfo=dt.UTC)}, "G12"),
    ],
)  # fmt: skip
def test_hz_04_the_database_alone_refuses_a_row_that_differs(alice, dana, cole, at, changes, condition):
    session = a_session_ready_for_release(alice, dana, at)
    with clock.frozen(at), pytest.raises(DatabaseError, match=condition), transaction.atomic():
        an_unsaved_release(session, cole, at, **changes).save(force_insert=True)


@pytest.mark.django_db
def test_hz_05_a_reading_check_or_link_of_somebody_else_releases_nothing(
    alice, dana, cole, stranger_patient, at
):
    session = a_session_ready_for_release(alice, dana, at)
    row = an_unsaved_release(session, cole, at)
    row.patient_id = stranger_patient.pk
    with clock.frozen(at):
        assert {"G3", "G7", "G8"} <= by_trigger(row)


@pytest.mark.django_db
def test_hz_02_a_reading_is_usable_once_and_says_by_which_release(alice, dana, at):
    made = a_released_dose(alice, dana, at)
    used = Reading.objects.filter(used_by_release_id=made.pk)
    assert {r.pk for r in used} == {made.reading_1_id, made.reading_2_id}
    with pytest.raises(DatabaseError), transaction.atomic():
        used.update(used_by_release_id=None)


@pytest.mark.django_db
def test_hz_13_one_dose_more_than_ordered_is_refused(alice, dana, at):
    """A second session under an order for one dose."""
    session = a_finished_session(alice, dana, at, sessions_covered=(1,))
    second = fresh(DosingSession.objects.get(course=session.course, number=2))
    with clock.frozen(at + 8 * DAY):
        reasons = {str(r) for r in gate_inputs(second, by=dana, at=at + 8 * DAY, stepped_up_at=at).reasons}
        assert {"G3.no_doses_left", "G3.session_not_in_order"} <= reasons
        assert "G3" in by_trigger(
            an_unsaved_release(
                second, dana, at + 8 * DAY, safety_check_id=uuid.uuid4(), sitter_link_id=uuid.uuid4()
            )
        )


@pytest.mark.django_db
@pytest.mark.parametrize(("hours", "too_soon"), [(143, True), (145, False)])
def test_hz_06_six_days_of_elapsed_time_lie_between_two_doses(alice, dana, at, hours, too_soon):
    session = a_finished_session(alice, dana, at)
    second = fresh(DosingSession.objects.get(course=session.course, number=2))
    later = at - 3 * MINUTE + dt.timedelta(hours=hours)
    with clock.frozen(later):
        python = {r.condition for r in gate_inputs(second, by=dana, at=later, stepped_up_at=later).reasons}
        sql = by_trigger(
            an_unsaved_release(second, dana, later, safety_check_id=uuid.uuid4(), sitter_link_id=uuid.uuid4())
        )
    assert ("G6" in python) is too_soon and ("G6" in sql) is too_soon


@pytest.mark.django_db
def test_hz_06_one_active_session_per_patient(alice, dana, at):
    session = a_session_ready_for_release(alice, dana, at)
    refused = pytest.raises(DatabaseError, match="one_active_session_per_patient")
    with clock.frozen(at), refused, transaction.atomic():
        DosingSession.objects.filter(course=session.course, number=2).update(state="preparing")


@pytest.mark.django_db
def test_no_session_reaches_the_dose_without_its_release(alice, dana, at):
    session = a_session_ready_for_release(alice, dana, at)
    for state in ("ready", "dosing", "observing", "released"):
        with pytest.raises(DatabaseError, match="no dose was released"), transaction.atomic():
            DosingSession.objects.filter(pk=session.pk).update(state=state, dose_at=at)


@pytest.mark.django_db
def test_a_release_is_never_edited_nor_deleted(alice, dana, at):
    made = a_released_dose(alice, dana, at)
    for change in (
        lambda: DoseRelease.objects.filter(pk=made.pk).update(dose_ug=1),
        lambda: DoseRelease.objects.filter(pk=made.pk).delete(),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


def in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Run work(n) in `count` threads that start together, each on its own connection; answers results or errors."""
    start = threading.Barrier(count)
    found: list[Any] = [None] * count

    def run(n: int) -> None:
        try:
            start.wait(timeout=30)
            found[n] = work(n)
        except Exception as error:
            found[n] = error
        finally:
            close_old_connections()
            connection.close()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    return found


@pytest.mark.django_db(transaction=True)
def test_pr_09_fifty_parallel_releases_are_one_release(alice, dana, cole, at):
    session = a_session_ready_for_release(alice, dana, at)
    with clock.frozen(at):
        found = in_threads(
            50,
            lambda n: actions.release_dose(fresh(session), by=(cole, dana)[n % 2], at=at, stepped_up_at=at),
        )
    assert not [f for f in found if isinstance(f, Exception)], found
    assert sum(f.release is not None for f in found) == 1 == DoseRelease.objects.count()
    refused = {str(r) for f in found if f.release is None for r in f.reasons}
    assert "G7.session_not_open" in refused


@pytest.mark.django_db(transaction=True)
def test_pr_08_a_hold_and_a_release_at_the_same_moment_never_cross(alice, dana, cole, at):
    """Whoever places a hold and then sees no release can rely on there being none later."""
    session = a_session_ready_for_release(alice, dana, at)

    def work(n: int) -> Any:
        if n % 2:
            return actions.release_dose(fresh(session), by=cole, at=at, stepped_up_at=at).release is not None
        place_hold(session.patient, reason_code=f"test_{n}", at=at, by="system:test")
        return DoseRelease.objects.filter(session=session).exists()

    with clock.frozen(at):
        found = in_threads(8, work)
    assert not [f for f in found if isinstance(f, Exception)], found
    exists = DoseRelease.objects.exists()
    saw_none = [f for f in found[::2] if f is False]
    assert not (exists and saw_none and SafetyHold.objects.count() == 4 and len(saw_none) == 4)
    if saw_none and exists:
        # Some holder looked before the release took its lock; then its hold was there to be read, and the release was refused.
        pytest.fail("a release appeared after a hold whose holder saw none")


@pytest.mark.django_db(transaction=True)
def test_pr_09_the_dose_is_taken_once(alice, dana, at):
    made = a_released_dose(alice, dana, at)
    session = fresh(made.session)
    found = in_threads(
        12, lambda n: actions.confirm_dose_taken(fresh(session), units_taken=2, by=alice, at=at + MINUTE)
    )
    assert sum(not isinstance(f, Exception) for f in found) == 1
    assert {type(f).__name__ for f in found if isinstance(f, Exception)} == {"Conflict"}
    assert session.checkpoints.count() == 9


def test_the_builders_release_is_the_action(alice, dana, at, db):
    session = a_session_ready_for_release(alice, dana, at)
    assert release(session, at, by=dana).release is not None
