"""Whatever people do in whatever order, nobody is in two places and nobody is booked outside the hours, clock changes included (PR-09, HZ-11)."""

import datetime as dt
import itertools
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import CareTeam, Patient, User
from common import hooks
from common.errors import Conflict, SlotTaken
from consults import actions
from consults.models import Appointment, Availability, AvailabilityException
from tests.conftest import a_patient, a_psychiatrist
from tests.consults.builders import ALL_TYPES
from tests.consults.test_slot_oracle import on_the_wall

pytestmark = pytest.mark.django_db(transaction=False)
DAY, STEP = dt.timedelta(days=1), dt.timedelta(minutes=20)
# Midnight in New York before each change of 2026, and a plain Saturday.
STARTS = [dt.datetime(2026, 3, 8, 5, tzinfo=dt.UTC), dt.datetime(2026, 11, 1, 4, tzinfo=dt.UTC), dt.datetime(2026, 7, 11, 4, tzinfo=dt.UTC)]  # fmt: skip
ZONES = ["America/New_York", "America/Phoenix", "America/St_Johns", "Pacific/Honolulu"]
HOURS = [(5, dt.time(18), dt.time(0)), (6, dt.time(0), dt.time(4)), (6, dt.time(9), dt.time(12))]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["book", "book", "book", "move", "cancel", "leave", "keep"]),
        st.integers(0, 3), st.integers(0, 1), st.integers(-18, 54),
    ),
    min_size=6, max_size=14,
)  # fmt: skip


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(base=st.sampled_from(STARTS), zone=st.sampled_from(ZONES), theirs=st.sampled_from(ZONES), steps=STEPS)
def test_no_order_of_presses_puts_anybody_in_two_places_or_outside_the_hours(
    alice: User, dana: User, protocol_version: Any, base: dt.datetime, zone: str, theirs: str, steps: Any
) -> None:
    kept_hooks, hooks._hooks["booking.blockers"] = hooks._hooks.get("booking.blockers", []), []
    try:
        _play(alice, dana, base, zone, theirs, steps)
    finally:
        hooks._hooks["booking.blockers"] = kept_hooks


def _play(alice: User, dana: User, base: dt.datetime, zone: str, theirs: str, steps: Any) -> None:
    for model in (AvailabilityException, Availability, Appointment):
        model.objects.all().delete()
    doctors = [
        dana,
        User.objects.filter(email="eva@example.test").first() or a_psychiatrist("Eva Stone", "CA"),
    ]
    people = [alice] + [
        User.objects.filter(email=f"p{n}@example.test").first() or a_patient(f"P{n} Presser")
        for n in range(3)
    ]
    User.objects.filter(pk__in=[one.pk for one in doctors]).update(time_zone=zone)
    User.objects.filter(pk__in=[one.pk for one in people]).update(time_zone=theirs)
    CareTeam.objects.update(psychiatrist=None)
    for doctor in doctors:
        for weekday, first, last in HOURS:
            Availability.objects.create(
                clinician=doctor, weekday=weekday, starts=first, ends=last, visit_types=ALL_TYPES
            )
    at = base - DAY
    patients = [Patient.objects.select_related("user").get(pk=one.pk) for one in people]
    done = 0
    for what, who, whom, when in steps:
        patient, doctor, starts_at = patients[who], doctors[whom], base + when * STEP
        mine = Appointment.objects.filter(patient=patient, state="booked").first()
        try:
            if what in ("book", "keep"):
                held = actions.hold_slot(
                    patient, visit_type="intro", clinician_id=doctor.pk, starts_at=starts_at, by=patient.user, at=at
                )  # fmt: skip
                if what == "book":
                    actions.confirm_booking(held, by=patient.user, at=at)
            elif what == "leave":
                actions.add_exception(
                    doctor, kind="leave", starts_at=starts_at, ends_at=starts_at + 4 * STEP, by=doctor, at=at
                )
            elif mine is not None and what == "move":
                actions.reschedule(mine, starts_at=starts_at, clinician_id=doctor.pk, by=patient.user, at=at)
            elif mine is not None:
                actions.cancel(mine, by=patient.user, at=at)
            done += 1
        except (SlotTaken, Conflict):
            pass
        _holds_true(doctors, zone)


def _holds_true(doctors: list[User], zone: str) -> None:
    rows = list(Appointment.objects.filter(state__in=["held", "booked"]))
    for one, other in itertools.combinations(rows, 2):
        if one.clinician_id == other.clinician_id or one.patient_id == other.patient_id:
            assert one.ends_at <= other.starts_at or other.ends_at <= one.starts_at
    away = list(AvailabilityException.objects.filter(kind="leave"))
    for row in rows:
        minutes = int((row.ends_at - row.starts_at) / dt.timedelta(minutes=1))
        assert minutes == 20
        assert all(
            on_the_wall(row.starts_at + dt.timedelta(minutes=n), HOURS, ZoneInfo(zone))
            for n in range(0, minutes, 5)
        )
        if row.state == "booked":
            assert not [
                one
                for one in away
                if one.clinician_id == row.clinician_id
                and one.during.lower < row.ends_at
                and row.starts_at < one.during.upper
            ]
