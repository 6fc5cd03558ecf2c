"""Random calendars on the real tables against an oracle that walks every quarter of an hour and knows nothing of spans (PR-09, HZ-11)."""

import datetime as dt
import itertools
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import CareTeam, Patient, User
from consults.access import open_slots
from consults.models import Appointment, Availability, AvailabilityException, CalendarSettings
from tests.consults.builders import ALL_TYPES

pytestmark = pytest.mark.django_db(transaction=False)
QUARTER, DAY = dt.timedelta(minutes=15), dt.timedelta(days=1)
# The days around both changes of 2026 and 2027 in the United States, and a plain week; zones with, without, and with other changes.
STARTS = [dt.datetime(2026, 3, 7, 6, tzinfo=dt.UTC), dt.datetime(2026, 10, 31, 5, tzinfo=dt.UTC), dt.datetime(2026, 7, 6, 5, tzinfo=dt.UTC)]  # fmt: skip
ZONES = ["America/New_York", "America/Los_Angeles", "America/Phoenix", "Pacific/Honolulu", "America/Denver"]
QUARTERS = st.integers(0, 95).map(lambda n: dt.time(n // 4, n % 4 * 15))
ROWS = st.lists(
    st.tuples(st.integers(0, 6), QUARTERS, QUARTERS).filter(lambda r: r[1] < r[2]), min_size=1, max_size=6
)
# From one to two o'clock is shown twice in these zones.
AFTER_TWICE = dt.time(2)
PLACES = st.tuples(st.integers(0, 300), st.integers(1, 12))


def on_the_wall(moment: dt.datetime, rows: list[tuple[int, dt.time, dt.time]], zone: ZoneInfo) -> bool:
    """Does a clock on the clinician's wall, at this moment, show offered time?"""
    local = moment.astimezone(zone)
    if local.fold:
        # What a clock shows twice counts the first time: hours that begin or end inside that hour have done so already.
        return any(
            day == local.weekday() and first < AFTER_TWICE and (last >= AFTER_TWICE or last == dt.time(0))
            for day, first, last in rows
        )
    return any(
        day == local.weekday() and first <= local.time() and (local.time() < last or last == dt.time(0))
        for day, first, last in rows
    )


def oracle(
    rows: Any, zone: ZoneInfo, leave: list[Any], taken: list[Any], gap: dt.timedelta, length: int, first: dt.datetime, last: dt.datetime
) -> set[dt.datetime]:  # fmt: skip
    """Every quarter from which `length` minutes lie in offered time, minute by minute of five, and keep clear of everything else."""
    found = set()
    moment = first
    while moment < last:
        end = moment + dt.timedelta(minutes=length)
        steps = [moment + dt.timedelta(minutes=n) for n in range(0, length, 5)]
        if (
            all(on_the_wall(step, rows, zone) for step in steps)
            and not any(a < end and moment < b for a, b in leave)
            and not any(a - gap < end and moment < b + gap for a, b in taken)
        ):
            found.add(moment)
        moment += QUARTER
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    base=st.sampled_from(STARTS), zone=st.sampled_from(ZONES), hers=st.sampled_from(ZONES), rows=ROWS,
    leave=st.lists(PLACES, max_size=2), visits=st.lists(PLACES, max_size=5), gap=st.sampled_from([0, 15, 30]),
)  # fmt: skip
def test_what_is_offered_is_exactly_what_an_oracle_finds(
    alice: User, dana: User, stranger_patient: User, protocol_version: Any, base: dt.datetime, zone: str, hers: str, rows: Any,
    leave: Any, visits: Any, gap: int,
) -> None:  # fmt: skip
    """Fifteen-minute visits on a grid of fifteen minutes: nothing outside, nothing over something, nothing lost, wherever she is."""
    Availability.objects.all().delete()
    AvailabilityException.objects.all().delete()
    Appointment.objects.all().delete()
    protocol_at = base - 3 * DAY
    User.objects.filter(pk=dana.pk).update(time_zone=zone)
    User.objects.filter(pk=alice.pk).update(time_zone=hers)
    CareTeam.objects.filter(pk=alice.pk).update(psychiatrist=dana)
    CalendarSettings.objects.update_or_create(clinician=dana, defaults={"gap_minutes": gap})
    seen: set[Any] = set()
    for weekday, first, last in rows:
        if (weekday, first) in seen:
            continue
        seen.add((weekday, first))
        Availability.objects.create(
            clinician=dana, weekday=weekday, starts=first, ends=last, visit_types=ALL_TYPES
        )
    kept = [(row.weekday, row.starts, row.ends) for row in Availability.objects.all()]
    away = [(base + n * QUARTER, base + (n + m) * QUARTER) for n, m in leave]
    for first, last in away:
        AvailabilityException.objects.create(
            clinician=dana, kind="leave", during=DateTimeTZRange(first, last)
        )
    taken: list[Any] = []
    for n, m in visits:
        one = (base + n * QUARTER, base + (n + m) * QUARTER)
        if any(a < one[1] and one[0] < b for a, b in taken):
            continue
        taken.append(one)
        Appointment.objects.create(
            patient_id=stranger_patient.pk, clinician=dana, visit_type="follow_up", during=DateTimeTZRange(*one),
            state="booked", booked_at=base, created_at=base, state_of_care="CA",
        )  # fmt: skip
    patient = Patient.objects.select_related("user").get(pk=alice.pk)
    at = protocol_at
    last_at = base + 4 * DAY
    found = [slot.starts_at for slot in open_slots("follow_up", patient, base, last_at, at=at)]
    expected = oracle(kept, ZoneInfo(zone), away, taken, dt.timedelta(minutes=gap), 15, base, last_at)
    assert found == sorted(expected)
    assert all(b - a >= QUARTER for a, b in itertools.pairwise(found))
    # The same search in pieces, and cut short, finds the same times.
    assert [s.starts_at for s in open_slots("follow_up", patient, base, last_at, at=at, limit=3)] == found[:3]
