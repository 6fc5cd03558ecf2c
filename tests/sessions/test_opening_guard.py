"""The day of a session does not open while medicine, kit or practice is missing: refused by PostgreSQL alone, whoever writes."""

import datetime as dt
from collections.abc import Callable

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.models import User
from common import clock
from common.errors import Conflict
from consults.models import Fulfilment, ParcelLook, ParcelProof, StockMove
from sessions import actions
from sessions.access.facts import not_at_home
from sessions.models import DosingSession
from tests.consults.builders import a_delivered_parcel, a_kit, a_signed_order
from tests.sessions.builders import (
    DAY,
    MINUTE,
    a_course,
    a_finished_session,
    everything_arrived,
    first_session,
    fresh,
)
from vitals.actions import record_reading
from vitals.models import Reading

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)
Missing = Callable[[DosingSession, User, dt.datetime], None]


@pytest.fixture
def session(alice: User, dana: User, at: dt.datetime) -> DosingSession:
    """Session 1 on its day, nothing sent yet."""
    return first_session(a_course(alice, dana, at))


def plain_sql(session: DosingSession, at: dt.datetime, *, state: str = "preparing") -> None:
    with clock.frozen(at), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE dosing_dosingsession SET state = %s, opened_at = %s WHERE id = %s",
            [state, at, session.pk],
        )


def practised(session: DosingSession, *when: dt.datetime) -> None:
    for moment in when:
        record_reading(
            patient=session.patient, systolic_mmhg=121, diastolic_mmhg=78, pulse_bpm=68, taken_at=moment, source="patient",
            by=session.patient.user, at=moment, phase="practice",
        )  # fmt: skip


def all_but(session: DosingSession, left_out: str, dana: User, at: dt.datetime) -> None:
    """Medicine, kit and two days of practice, without one of them."""
    if left_out != "medicine":
        a_delivered_parcel(session.course.order, dana, at - 4 * DAY)
    if left_out != "kit":
        a_kit(session.patient.user, dana, at - 4 * DAY)
    if left_out != "practice":
        practised(session, at - 3 * DAY, at - 2 * DAY)


def _no_medicine(s: DosingSession, dana: User, at: dt.datetime) -> None:
    all_but(s, "medicine", dana, at)


def _on_its_way(s: DosingSession, dana: User, at: dt.datetime) -> None:
    all_but(s, "medicine", dana, at)
    a_delivered_parcel(
        s.course.order,
        dana,
        at,
        delivered_at=None,
        confirmed_at=None,
        count_confirmed=None,
        confirmed_by=None,
    )


def _not_counted(s: DosingSession, dana: User, at: dt.datetime) -> None:
    all_but(s, "medicine", dana, at)
    a_delivered_parcel(s.course.order, dana, at, confirmed_at=None, count_confirmed=None, confirmed_by=None)


def _counted_tomorrow(s: DosingSession, dana: User, at: dt.datetime) -> None:
    all_but(s, "medicine", dana, at)
    a_delivered_parcel(s.course.order, dana, at + DAY)


def _no_signature(s: DosingSession, dana: User, at: dt.datetime) -> None:
    all_but(s, "medicine", dana, at)
    parcel = a_delivered_parcel(s.course.order, dana, at - HOUR, proven=False)
    ParcelLook.objects.create(
        parcel=parcel, counted=parcel.count, note="Counted on the call.", looked_at=at - HOUR, looked_by=dana
    )


def _signed_by_a_minor(s: DosingSession, dana: User, at: dt.datetime) -> None:
    _no_signature(s, dana, at)
    parcel = Fulfilment.objects.get(order=s.course.order)
    ParcelProof.objects.create(
        parcel=parcel, signed_for_by="Tom", adult=False, recorded_at=at - HOUR, recorded_by=dana
    )


def _nobody_saw_the_count(s: DosingSession, dana: User, at: dt.datetime) -> None:
    all_but(s, "medicine", dana, at)
    parcel = a_delivered_parcel(s.course.order, dana, at - HOUR, proven=False)
    ParcelProof.objects.create(
        parcel=parcel, signed_for_by="A. Lindqvist", adult=True, recorded_at=at - HOUR, recorded_by=dana
    )


def _one_unit_short(s: DosingSession, dana: User, at: dt.datetime) -> None:
    all_but(s, "medicine", dana, at)
    a_delivered_parcel(s.course.order, dana, at - HOUR, count_confirmed=s.course.order.units_per_dose - 1)


def _given_back(s: DosingSession, dana: User, at: dt.datetime) -> None:
    all_but(s, "", dana, at)
    order = s.course.order
    StockMove.objects.create(
        patient=s.patient, order=order, kind="destroyed", units=order.units_total - 1, at=at - HOUR, by=dana
    )


def _no_kit(s: DosingSession, dana: User, at: dt.datetime) -> None:
    all_but(s, "kit", dana, at)


def _kit_not_confirmed(s: DosingSession, dana: User, at: dt.datetime) -> None:
    all_but(s, "kit", dana, at)
    a_kit(s.patient.user, dana, at, confirmed_at=None)


def _kit_without_its_cuff(s: DosingSession, dana: User, at: dt.datetime) -> None:
    all_but(s, "kit", dana, at)
    a_kit(s.patient.user, dana, at - HOUR, missing=["cuff"])


def _no_practice(s: DosingSession, dana: User, at: dt.datetime) -> None:
    all_but(s, "practice", dana, at)


def _practice_on_one_day(s: DosingSession, dana: User, at: dt.datetime) -> None:
    # 08:00 and 09:00 of one day in California, and past midnight in UTC: one day where she is.
    all_but(s, "practice", dana, at)
    practised(s, at - 3 * DAY - HOUR, at - 3 * DAY, at - 3 * DAY + 8 * HOUR)


def _practice_refused(s: DosingSession, dana: User, at: dt.datetime) -> None:
    all_but(s, "practice", dana, at)
    practised(s, at - 3 * DAY)
    record_reading(
        patient=s.patient, systolic_mmhg=78, diastolic_mmhg=121, pulse_bpm=68, taken_at=at - 2 * DAY, source="patient",
        by=s.patient.user, at=at - 2 * DAY, phase="practice",
    )  # fmt: skip
    assert Reading.objects.get(patient=s.patient, received_at=at - 2 * DAY).rejected


WAYS: dict[str, tuple[str, Missing]] = {
    "no medicine was sent": ("medicine_not_here", _no_medicine),
    "the parcel is on its way": ("medicine_not_here", _on_its_way),
    "nobody counted": ("medicine_not_here", _not_counted),
    "counted on a day to come": ("medicine_not_here", _counted_tomorrow),
    "nobody signed at the door": ("medicine_not_here", _no_signature),
    "a minor signed at the door": ("medicine_not_here", _signed_by_a_minor),
    "no photo and no look on a call": ("medicine_not_here", _nobody_saw_the_count),
    "one unit short of a dose": ("medicine_not_here", _one_unit_short),
    "what came was destroyed": ("medicine_not_here", _given_back),
    "no kit was sent": ("kit_not_here", _no_kit),
    "nobody confirmed the kit": ("kit_not_here", _kit_not_confirmed),
    "the kit came without its cuff": ("kit_not_here", _kit_without_its_cuff),
    "never practised": ("practice_missing", _no_practice),
    "practised thrice on one day": ("practice_missing", _practice_on_one_day),
    "one of two readings was refused": ("practice_missing", _practice_refused),
}


@pytest.mark.parametrize("way", WAYS)
def test_plain_sql_opens_no_session_while_one_thing_is_missing(
    way: str, session: DosingSession, dana: User, at: dt.datetime
) -> None:
    code, bring_about = WAYS[way]
    bring_about(session, dana, at)
    with pytest.raises(IntegrityError, match=rf"opening_guard: {code}\n"):
        plain_sql(session, at)
    assert fresh(session).state == "scheduled"
    # The same by Python's own reading of the same rows.
    assert {reason.code for reason in not_at_home(fresh(session), at=at)} == {code}


def test_with_everything_at_home_plain_sql_opens_it(
    session: DosingSession, dana: User, at: dt.datetime
) -> None:
    everything_arrived(session, dana, at)
    plain_sql(session, at)
    assert fresh(session).state == "preparing"


def test_whatever_is_missing_is_named_at_once(session: DosingSession, at: dt.datetime) -> None:
    with pytest.raises(
        IntegrityError, match="opening_guard: medicine_not_here,kit_not_here,practice_missing\n"
    ):
        plain_sql(session, at)


def test_a_row_is_not_born_open_either(session: DosingSession, at: dt.datetime) -> None:
    DosingSession.objects.filter(pk=session.pk).delete()
    with pytest.raises(IntegrityError, match="opening_guard"), transaction.atomic():
        DosingSession.objects.create(
            course=session.course, patient=session.patient, number=1, scheduled_at=at, state="preparing"
        )


def test_what_somebody_else_received_opens_nothing(
    session: DosingSession, stranger_patient: User, dana: User, at: dt.datetime
) -> None:
    order = a_signed_order(stranger_patient, dana, at - 9 * DAY)
    a_delivered_parcel(order, dana, at - 4 * DAY)
    a_kit(stranger_patient, dana, at - 4 * DAY)
    with pytest.raises(IntegrityError, match="opening_guard"):
        plain_sql(session, at)


def test_the_next_session_wants_its_dose_at_home_too(alice: User, dana: User, at: dt.datetime) -> None:
    """One unit of a dose of two is left after session 1: session 2 does not open on what session 1 used."""
    first = a_finished_session(alice, dana, at)
    second = fresh(DosingSession.objects.get(course=first.course, number=2))
    order = second.course.order
    StockMove.objects.create(
        patient=second.patient, order=order, kind="destroyed", units=order.units_total - 2 * order.units_per_dose + 1,
        at=at + DAY, by=dana,
    )  # fmt: skip
    with pytest.raises(IntegrityError, match="opening_guard: medicine_not_here\n"):
        plain_sql(second, at + 8 * DAY)


def test_a_day_that_is_open_stays_open_when_something_gets_lost_meanwhile(
    session: DosingSession, dana: User, at: dt.datetime
) -> None:
    """The gate before the dose refuses then; the page of an open day must not fall over."""
    everything_arrived(session, dana, at)
    plain_sql(session, at)
    StockMove.objects.create(
        patient=session.patient, order=session.course.order, kind="destroyed", units=session.course.order.units_total,
        at=at, by=dana,
    )  # fmt: skip
    plain_sql(session, at + MINUTE)
    assert fresh(session).opened_at == at + MINUTE


def test_a_refusal_of_the_database_reads_as_what_is_missing(
    session: DosingSession, alice: User, dana: User, at: dt.datetime
) -> None:
    """The database's clock decides: counted after it is not counted."""
    all_but(session, "medicine", dana, at)
    a_delivered_parcel(session.course.order, dana, at - MINUTE)
    with clock.frozen(at - HOUR), pytest.raises(Conflict) as refused:
        actions.start_check(session, by=alice, at=at)
    assert refused.value.code == "not_at_home"
    assert "medicine must have arrived" in str(refused.value) and "Another session" not in str(refused.value)
