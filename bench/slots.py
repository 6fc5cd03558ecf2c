"""Free times: how the search grows with the number of clinicians, and two hundred people who press one time at once."""

import datetime as dt
import json
import statistics
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from http.client import HTTPConnection

from django.contrib.auth.hashers import make_password
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import actions as people
from accounts.models import DeaRegistration, Licence, Patient, Role, User
from bench import fill
from bench.figures import Figure, figure
from bench.load import Round, in_turns, median_ratio, one_round, request_bytes
from bench.server import Practice
from common import clock
from common.encryption import encrypt
from consults.access.slots import open_slots
from consults.models import Appointment, Availability
from intake.rules.steps import assessment_screens

KINDS = ["consult", "intro", "follow_up"]
RACERS = 200
# As a page asks: so many times, at most three names beside one.
PAGE = {"limit": 200, "per_start": 3}


def _clinicians(state: str, count: int) -> None:
    later = clock.now().date() + dt.timedelta(days=400)
    made = User.objects.bulk_create(
        User(
            email=f"{state}{number}@slots.example", full_name=f"Doctor {state} {number:03d}", role=Role.PSYCHIATRIST,
            password="!", time_zone=["America/New_York", "America/Denver", "America/Phoenix"][number % 3],
        )
        for number in range(count)
    )  # fmt: skip
    Licence.objects.bulk_create(
        Licence(psychiatrist=one, state=state, number="1", expires_on=later) for one in made
    )
    DeaRegistration.objects.bulk_create(
        DeaRegistration(psychiatrist=one, state=state, number="FR1234567", expires_on=later) for one in made
    )
    Availability.objects.bulk_create(
        Availability(clinician=one, weekday=day, starts=dt.time(9), ends=dt.time(17), visit_types=KINDS)
        for one in made
        for day in range(5)
    )


def _patient(state: str, name: str) -> Patient:
    user = User.objects.create(
        email=f"{name}@slots.example", full_name=name, role=Role.PATIENT, password=make_password(None),
        time_zone="America/Los_Angeles",
    )  # fmt: skip
    people.register_patient(user, by=user, at=clock.now())
    Patient.objects.filter(pk=user.pk).update(state=state)
    return Patient.objects.select_related("user").get(pk=user.pk)


def slot_search_500(practice: Practice) -> Iterator[Figure]:
    """A page of free times over sixty days among 500 clinicians against the same among 5; the number of queries is the same."""
    searches: dict[str, Callable[[], int]] = {}
    queries: dict[str, int] = {}
    for state, count in (("WY", 500), ("VT", 5)):
        _clinicians(state, count)
        patient = _patient(state, f"seeker-{state}")

        def search(patient: Patient = patient) -> int:
            at = clock.now()
            return len(
                open_slots("intro", patient, at, at + dt.timedelta(days=60), at=at, limit=200, per_start=3)
            )

        searches[state] = search
        with CaptureQueriesContext(connection) as seen:
            found = search()
        queries[state] = len(seen)
        if found != PAGE["limit"]:
            raise RuntimeError(f"{state}: {found} times found")
    if queries["WY"] != queries["VT"]:
        raise RuntimeError(f"the number of queries grows with the clinicians: {queries}")
    # As after a quiet minute: PostgreSQL plans by what it has counted.
    fill.settle("accounts_user", "accounts_licence", "accounts_dearegistration", "consults_availability")
    times: dict[str, list[float]] = {state: [] for state in searches}
    for _ in range(15):
        for state, one in searches.items():
            began = time.perf_counter()
            one()
            times[state].append((time.perf_counter() - began) * 1000)
    many, few = statistics.median(times["WY"]), statistics.median(times["VT"])
    yield figure("slot_search_500", many, "ms", few, many / few, "<=5")


def _visitor(state: str) -> dict[str, str]:
    """The browser of somebody who has answered the two-minute assessment and is excluded by nothing."""
    answers = {question.name: "no" for screen in assessment_screens() for question in screen.questions} | {
        "age_years": "38", "state": state, "main_problem": "depression", "low_mood": "2", "worry": "1",
        "has_internet_video": "yes", "monitor_available": "yes", "home_safe": "yes",
    }  # fmt: skip
    until = (clock.now() + dt.timedelta(hours=1)).timestamp()
    return {"Cookie": f"assessment={encrypt(json.dumps(answers | {'until': until}), context='assessment')}"}


def introduction_page_500(practice: Practice) -> Iterator[Figure]:
    """The public page of free times for a first call among 500 clinicians, over HTTP, against the same page among 5."""
    sides: dict[str, Callable[[], Round]] = {}
    for state, count in (("AZ", 500), ("OR", 5)):
        _clinicians(state, count)
        page = request_bytes("GET", "/introduction/", _visitor(state))

        def opened(page: bytes = page) -> Round:
            return one_round(practice.port, lambda: page, clients=1, seconds=1.5, expect=200)

        sides[state] = opened
    fill.settle("accounts_user", "accounts_licence", "accounts_dearegistration", "consults_availability")
    results = in_turns(sides, rounds=7)
    many, few, ratio = median_ratio(results, "AZ", "OR", lambda r: r.p50_ms)
    yield figure("introduction_page_500", many, "ms", few, ratio, "<=5")


def booking_race_200(practice: Practice) -> Iterator[Figure]:
    """Two hundred people post the same free time over HTTP at one moment: one has it, 199 are told so, nobody sees an error."""
    Availability.objects.bulk_create(
        Availability(clinician=practice.psychiatrist, weekday=day, starts=dt.time(0), ends=dt.time(23), visit_types=KINDS)
        for day in range(7)
    )  # fmt: skip
    racers = [_patient("CA", f"racer{number}") for number in range(RACERS)]
    from bench.server import _session_cookie

    cookies = [_session_cookie(one.user) for one in racers]
    at = clock.now()
    slot = next(
        one
        for one in open_slots("intro", racers[0], at + dt.timedelta(days=2), at + dt.timedelta(days=4), at=at)
        if one.clinician_id == practice.psychiatrist.pk
    )
    outcomes: Counter[int] = Counter()
    barrier, lock = threading.Barrier(RACERS), threading.Lock()

    def press(cookie: str) -> None:
        barrier.wait(60)
        http = HTTPConnection("127.0.0.1", practice.port, timeout=120)
        token = "x" * 32
        http.request(
            "POST",
            "/consults/book/intro/",
            body=(
                f"intent={uuid.uuid4()}&csrfmiddlewaretoken={token}&slot={slot.clinician_id}%7C"
                f"{slot.starts_at.isoformat().replace('+', '%2B').replace(':', '%3A')}"
            ),
            headers={
                "Content-Type": "application/x-www-form-urlencoded",
                "Cookie": f"{cookie}; csrf={token}",
                "Host": f"127.0.0.1:{practice.port}",
            },
        )
        status = http.getresponse().status
        with lock:
            outcomes[status] += 1

    began = time.perf_counter()
    threads = [threading.Thread(target=press, args=(cookie,)) for cookie in cookies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took_s = time.perf_counter() - began
    won, refused = outcomes[302], outcomes[409]
    kept = Appointment.objects.filter(clinician=practice.psychiatrist, state="held").count()
    if (won, refused, kept) != (1, RACERS - 1, 1):
        raise RuntimeError(f"{dict(outcomes)}, {kept} kept")
    yield figure("booking_race_200", took_s, "s", 10.0, took_s / 10.0, "<=1")


SLOTS: dict[str, Callable[[Practice], Iterator[Figure]]] = {
    "slot_search_500": slot_search_500,
    "introduction_page_500": introduction_page_500,
    "booking_race_200": booking_race_200,
}
