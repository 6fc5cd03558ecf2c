"""Many at once, on the real database (PR-09)."""

import datetime as dt
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.models import Patient, User
from common import hooks
from common.errors import SlotTaken
from common.locks import BUSY
from consults import actions
from consults.models import Appointment
from consults.wording import SLOT_GONE, SLOT_TAKEN, SLOT_WANTED
from tests.conftest import a_patient, log_in
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


THREADS = (
    16  # What `make up` and the containers answer with: two workers of eight; the others wait for a turn.
)


@pytest.mark.slow
def test_two_hundred_people_press_for_one_time_and_each_gets_a_page(
    patients: list[Patient], dana: User, at: dt.datetime, clock_at: Callable[..., Any]
) -> None:
    """PR-09: over HTTP one success, 199 refusals with a sentence, and not one error page."""
    more = [a_patient(f"Q{number} Racer").pk for number in range(200 - RACERS)]
    racers = [*patients, *Patient.objects.select_related("user").filter(pk__in=more)]
    browsers = [log_in(Client(raise_request_exception=False), racer.user) for racer in racers]
    slot = f"{dana.pk}|{(at + dt.timedelta(days=1)).isoformat()}"
    start = threading.Barrier(THREADS)

    def press(numbered: tuple[int, Client]) -> tuple[int, str]:
        number, browser = numbered
        if number < THREADS:
            start.wait(30)
        try:
            answer = browser.post("/consults/book/intro/", {"intent": str(uuid.uuid4()), "slot": slot})
            return answer.status_code, answer.content.decode()
        finally:
            connection.close()

    with clock_at(at), ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(press, enumerate(browsers)))
    assert Counter(status for status, _ in answers) == {302: 1, 409: 199}
    sentences = (SLOT_GONE, SLOT_TAKEN, SLOT_WANTED, BUSY)
    assert all(any(one in page for one in sentences) for status, page in answers if status == 409)
    assert Appointment.objects.filter(state="held").count() == 1


@contextmanager
def somebody_else_holds(*statements: str) -> Iterator[None]:
    """Another connection has these locks until the block ends."""
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
            held.set()
            done.wait(30)
        finally:
            connection.close()

    other = threading.Thread(target=hold)
    other.start()
    assert held.wait(10)
    try:
        yield
    finally:
        done.set()
        other.join()


def times_of(person: User) -> str:
    return f"SELECT pg_advisory_lock({int.from_bytes(person.pk.bytes[:8], 'big', signed=True)})"


def test_a_lock_that_lasts_too_long_is_a_sentence_on_the_page_and_in_the_api_and_the_hold_stays(
    patients: list[Patient], dana: User, at: dt.datetime, clock_at: Callable[..., Any], api_for: Callable[..., Any]
) -> None:  # fmt: skip
    """PR-09"""
    mine, other = patients[0], patients[1]
    hold = actions.hold_slot(
        mine, visit_type="intro", clinician_id=dana.pk, starts_at=at + dt.timedelta(days=1), by=mine.user, at=at
    )  # fmt: skip
    slot = f"{dana.pk}|{(at + dt.timedelta(days=2)).isoformat()}"
    key = uuid.uuid4()
    hers, theirs, api = log_in(Client(), mine.user), log_in(Client(), other.user), api_for(mine.user)
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '100ms'")
    try:
        twin = (
            "INSERT INTO common_clientintent (actor, key, body_hash, created_at, status, result_url) "
            f"VALUES ('user:{mine.pk}', '{key}', '', now(), 0, '')"
        )
        with clock_at(at), somebody_else_holds(times_of(dana), "BEGIN", twin):
            confirmed = hers.post(f"/consults/{hold.pk}/confirm/", {"intent": str(uuid.uuid4())})
            chosen = theirs.post("/consults/book/intro/", {"intent": str(uuid.uuid4()), "slot": slot})
            by_api = api.post(
                "/api/v1/appointments/",
                {"visit_type": "intro", "clinician": str(dana.pk), "starts_at": slot.split("|")[1]},
                format="json",
                headers={"Idempotency-Key": str(key)},
            )
        assert (confirmed.status_code, BUSY in confirmed.content.decode()) == (409, True)
        assert (chosen.status_code, SLOT_TAKEN in chosen.content.decode()) == (409, True)
        assert (by_api.status_code, by_api.json()) == (409, {"code": "busy", "detail": BUSY, "fields": {}})
        assert Appointment.objects.get(pk=hold.pk).state == "held"
        with clock_at(at):
            assert (
                hers.post(f"/consults/{hold.pk}/confirm/", {"intent": str(uuid.uuid4())}).status_code == 302
            )
        assert Appointment.objects.get(pk=hold.pk).state == "booked"
    finally:
        connection.close()
