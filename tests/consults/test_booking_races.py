"""Many at once, on the real database (PR-09)."""

import datetime as dt
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from accounts.models import Patient, User
from common import hooks
from common.errors import SlotTaken
from consults import actions
from consults.models import Appointment
from tests.conftest import a_patient
from tests.consults.builders import weekly_hours

pytestmark = [pytest.mark.django_db(transaction=True)]
RACERS = 50


def race(calls: list[Callable[[], Any]]) -> Counter[str]:
    """Run all at the same moment, each on a connection of its own; count outcomes by name."""
    barrier = threading.Barrier(len(calls))
    outcomes: list[str] = []

    def run(call: Callable[[], Any]) -> None:
        try:
            barrier.wait(timeout=30)
            call()
            outcomes.append("done")
        except Exception as error:
            outcomes.append(type(error).__name__)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Counter(outcomes)


@pytest.fixture(autouse=True)
def _no_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(hooks._hooks, "booking.blockers", [])


@pytest.fixture
def patients(dana: User, protocol_version: Any) -> list[Patient]:
    weekly_hours(dana)
    people = [a_patient(f"P{number} Racer") for number in range(RACERS)]
    return list(Patient.objects.select_related("user").filter(pk__in=[person.pk for person in people]))


def test_fifty_people_want_one_time_and_one_gets_it(
    patients: list[Patient], dana: User, at: dt.datetime
) -> None:
    """PR-09: one success, forty-nine clean refusals, nothing else."""
    starts_at = at + dt.timedelta(days=1)

    def book(patient: Patient) -> None:
        row = actions.hold_slot(
            patient, visit_type="intro", clinician_id=dana.pk, starts_at=starts_at, by=patient.user, at=at
        )
        actions.confirm_booking(row, by=patient.user, at=at)

    outcomes = race([lambda p=patient: book(p) for patient in patients])  # type: ignore[misc]
    assert outcomes == {"done": 1, SlotTaken.__name__: RACERS - 1}
    assert Appointment.objects.filter(state="booked").count() == 1


def test_one_person_presses_for_twenty_times_at_once_and_holds_one(
    patients: list[Patient], dana: User, at: dt.datetime
) -> None:
    """PR-09: a patient holds one slot, whatever is pressed in how many windows."""
    patient = patients[0]
    starts = [at + dt.timedelta(days=1, minutes=20 * number) for number in range(20)]

    def hold(starts_at: dt.datetime) -> None:
        actions.hold_slot(
            patient, visit_type="intro", clinician_id=dana.pk, starts_at=starts_at, by=patient.user, at=at
        )

    outcomes = race([lambda s=start: hold(s) for start in starts])  # type: ignore[misc]
    assert set(outcomes) <= {"done", SlotTaken.__name__}
    assert Appointment.objects.filter(state="held").count() == 1


def test_many_people_want_overlapping_times_and_no_two_overlap(
    patients: list[Patient], dana: User, at: dt.datetime
) -> None:
    starts = [at + dt.timedelta(days=1, minutes=20 * (number % 6)) for number in range(30)]

    def hold(patient: Patient, starts_at: dt.datetime, kind: str) -> None:
        actions.hold_slot(
            patient, visit_type=kind, clinician_id=dana.pk, starts_at=starts_at, by=patient.user, at=at
        )

    outcomes = race(
        [lambda p=p, s=s: hold(p, s, "intro") for p, s in zip(patients, starts, strict=False)]  # type: ignore[misc]
    )
    assert set(outcomes) == {"done", SlotTaken.__name__}
    assert outcomes["done"] == 6
