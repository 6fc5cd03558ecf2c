"""Random calendars on the real tables against an oracle that walks every quarter of an hour and knows nothing of spans (PR-09, HZ-11)."""

import datetime as dt
import itertools
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from accounts.models import CareTeam, Patient, User
from consults.access import open_slots
from consults.models import Appointment, Availability, AvailabilityException, CalendarSettings
from tests.consults.builders import ALL_TYPES

pytestmark = pytest.mark.django_db(transaction=False)
FIVE, QUARTER, DAY = dt.timedelta(minutes=5), dt.timedelta(minutes=15), dt.timedelta(days=1)
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
# Extra hours begin and end at any five minutes, from two days before the search, and go on for up to thirty hours.
EXTRA = st.lists(st.tuples(st.integers(-576, 1100), st.integers(3, 360)), max_size=3)


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
    rows: Any, zone: ZoneInfo, extra: list[Any], leave: list[Any], taken: list[Any], gap: dt.timedelta, length: int,
    first: dt.datetime, last: dt.datetime,
) -> set[dt.datetime]:  # fmt: skip
    """Each quarter, counted from where an unbroken stretch began, from which `length` minutes are offered and nothing else is on."""

    def offered(moment: dt.datetime) -> bool:
        return on_the_wall(moment, rows, zone) or any(a <= moment < b for a, b in extra)

    found = set()
    began: dt.datetime | None = None
    # Weekly hours of these rows end before midnight each day, so that no stretch began longer ago than the longest extra hours.
    moment = first - 10 * DAY
    while moment < last:
        if not offered(moment):
            began = None
        else:
            began = began or moment
            end = moment + dt.timedelta(minutes=length)
            steps = [moment + dt.timedelta(minutes=n) for n in range(0, length, 5)]
            if (
                first <= moment
                and (moment - began) % QUARTER == dt.timedelta()
                and all(offered(step) for step in steps)
                and not any(a < end and moment < b for a, b in leave)
                and not any(a - gap < end and moment < b + gap for a, b in taken)
            ):
                found.add(moment)
        moment += FIVE
    return found


# Extra hours that begin in the last weekly ones of a day, at no quarter, and end after them; and some that lead to them by night.
BESIDE = {"base": STARTS[2], "zone": ZONES[0], "hers": ZONES[1], "rows": [(0, dt.time(8), dt.time(12)), (1, dt.time(0), dt.time(2))], "leave": [], "visits": [(30, 1)], "gap": 0}  # fmt: skip


@example(more=[(124, 31)], **BESIDE)
@example(more=[(124, 200), (-20, 110)], **BESIDE)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    base=st.sampled_from(STARTS), zone=st.sampled_from(ZONES), hers=st.sampled_from(ZONES), rows=ROWS,
    more=EXTRA, leave=st.lists(PLACES, max_size=2), visits=st.lists(PLACES, max_size=5), gap=st.sampled_from([0, 15, 30]),
)  # fmt: skip
def test_what_is_offered_is_exactly_what_an_oracle_finds(
    alice: User, dana: User, stranger_patient: User, protocol_version: Any, base: dt.datetime, zone: str, hers: str, rows: Any,
    more: Any, leave: Any, visits: Any, gap: int,
) -> None:  # fmt: skip
    """Fifteen-minute visits on a grid of fifteen minutes: nothing outside, nothing over something, nothing lost, wherever she is.

    Weekly hours and extra hours that touch are one stretch with one grid, from whatever moment somebody looks.
    """
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
    beside = [(base + n * FIVE, base + (n + m) * FIVE) for n, m in more]
    for first, last in beside:
        AvailabilityException.objects.create(
            clinician=dana, kind="extra", during=DateTimeTZRange(first, last), visit_types=["follow_up"]
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
    expected = oracle(kept, ZoneInfo(zone), beside, away, taken, dt.timedelta(minutes=gap), 15, base, last_at)
    assert found == sorted(expected)
    assert all(b - a >= QUARTER for a, b in itertools.pairwise(found))
    # The same search in pieces, and cut short, finds the same times.
    assert [s.starts_at for s in open_slots("follow_up", patient, base, last_at, at=at, limit=3)] == found[:3]
    # So does looking for one of them alone, as whoever holds it does: in extra hours, where a stretch began before them, too.
    beyond = [one for one in found if not on_the_wall(one, kept, ZoneInfo(zone))]
    for one in found[:: max(1, len(found) // 3)] + beyond[:: max(1, len(beyond) // 6)]:
        alone = open_slots("follow_up", patient, one, one + dt.timedelta(microseconds=1), at=at)
        assert [slot.starts_at for slot in alone] == [one]
