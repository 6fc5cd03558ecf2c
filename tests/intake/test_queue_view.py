"""The queue page's one query says what its parts say; the parts are the readable truth."""

from datetime import date, timedelta

import pytest

from accounts.models import DeaRegistration, Licence
from intake import access
from intake.models import Intake
from tests.conftest import a_patient, a_psychiatrist

pytestmark = pytest.mark.django_db


def waiting(number: int, at, **fields) -> Intake:
    user = a_patient(f"P{number:02d} Person", state="CA")
    values = {
        "state": "submitted",
        "care_state": ("CA", "NY", "TX", "OR")[number % 4],
        "urgency": number % 3,
    } | fields
    return Intake.objects.create(
        patient=user.patient,
        outcome="review",
        reasons=["E22"],
        created_at=at,
        submitted_at=at - timedelta(minutes=number // 2),
        **values,
    )


def test_the_one_query_equals_its_parts(dana, at):
    other = a_psychiatrist("Nora Fields", "CA")
    for number in range(20):
        waiting(number, at)
    waiting(
        20,
        at,
        state="claimed",
        claimed_by=other,
        claimed_at=at,
        claim_expires_at=at - timedelta(seconds=1),
        care_state="CA",
    )
    waiting(
        21,
        at,
        state="claimed",
        claimed_by=other,
        claimed_at=at,
        claim_expires_at=at + timedelta(seconds=1),
        care_state="CA",
    )
    mine = waiting(
        22,
        at,
        state="claimed",
        claimed_by=dana,
        claimed_at=at,
        claim_expires_at=at + timedelta(minutes=1),
        care_state="NY",
    )
    waiting(23, at, state="more_info", care_state="CA")
    codes = access.states_today(dana, at)
    after = None
    for _ in range(5):
        rows, following = access.queue_page(codes, at=at, after=after, size=4)
        view = access.queue_view(dana, at=at, after=after, size=4)
        assert (view.rows, view.after) == (rows, following)
        after = following
        if after is None:
            break
    assert after is None
    assert view.states == sorted(codes) == ["CA", "NY"]
    assert view.count == access.queue_count(codes, at=at) == "11"
    each = access.queue_for(dana, at)
    assert view.by_urgency == {number: str(each.filter(urgency=number).count()) for number in range(4)}
    narrowed = access.queue_view(dana, at=at, wanted=access.QueueFilter(urgency=2, reason="safety"))
    assert narrowed.by_urgency == view.by_urgency, "the counts stay whatever the page is narrowed to"
    assert (
        [one["patient_id"] for one in view.held]
        == [intake.patient_id for intake in access.held_by(dana)]
        == [mine.patient_id]
    )


@pytest.mark.parametrize(
    ("licence", "dea", "seen"),
    [
        ({}, {}, True),
        ({"expires_on": date(2026, 11, 23)}, {}, True),
        ({"expires_on": date(2026, 11, 22)}, {}, False),
        ({"issued_on": date(2026, 11, 24)}, {}, False),
        ({"issued_on": date(2026, 11, 23)}, {}, True),
        ({}, {"expires_on": date(2026, 11, 22)}, False),
        ({}, {"expires_on": date(2026, 11, 23)}, True),
        ({}, {"state": "NV"}, False),
    ],
)
def test_a_state_counts_only_with_licence_and_dea_in_force_today(at, licence, dea, seen):
    nora = a_psychiatrist("Nora Fields", "CA")
    waiting(0, at)
    Licence.objects.filter(psychiatrist=nora).update(**licence)
    DeaRegistration.objects.filter(psychiatrist=nora).update(**dea)
    view = access.queue_view(nora, at=at)
    assert (view.states == ["CA"]) is seen and (len(view.rows) == 1) is seen
    assert view.states == sorted(access.states_today(nora, at))


def test_ninety_nine_are_counted_and_a_hundred_are_many(dana, at):
    for number in range(99):
        waiting(number * 4, at)
    assert access.queue_view(dana, at=at).count == "99"
    waiting(400, at)
    assert access.queue_view(dana, at=at).count == "99+"
