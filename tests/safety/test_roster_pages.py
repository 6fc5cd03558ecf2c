"""The roster as pages: hand-over, holidays, leave and zones work with plain forms (HZ-25)."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse

from accounts.models import User
from safety import access
from safety.models import OnCallShift
from safety.models_roster import PracticeHoliday, ShiftHandover, TimeAway
from tests.safety.builders import a_shift

ROSTER = "/alerts/roster/"


@pytest.fixture(autouse=True)
def _now(db: None, at: datetime, clock_at: Any) -> Any:
    with clock_at(at):
        yield


def intent() -> dict[str, str]:
    return {"intent": str(uuid.uuid4())}


def a_form(person: User, **changes: Any) -> dict[str, Any]:
    return {
        "person": str(person.pk), "level": "1", "starts_at": "2026-11-24T09:00", "ends_at": "2026-11-24T21:00", **intent(), **changes,
    }  # fmt: skip


@pytest.mark.parametrize(("clock", "hour_utc"), [("mine", 17), ("practice", 14), ("person", 15)])
def test_a_shift_is_typed_in_ones_own_clock_the_practices_or_the_persons(
    client_for: Any, admin_ann: User, dana: User, clock: str, hour_utc: int
) -> None:
    """HZ-11: nine o'clock in Los Angeles, New York, Chicago."""
    User.objects.filter(pk=dana.pk).update(time_zone="America/Chicago")
    answer = client_for(admin_ann).post(ROSTER, a_form(dana, clock=clock))
    assert answer.status_code == 302
    shift = OnCallShift.objects.get()
    assert shift.starts_at == datetime(2026, 11, 24, hour_utc, tzinfo=UTC)
    assert shift.zone == {
        "mine": "America/Los_Angeles", "practice": "America/New_York", "person": "America/Chicago"
    }[clock]  # fmt: skip


def test_a_shift_is_shown_in_both_clocks(client_for: Any, admin_ann: User, dana: User, at: datetime) -> None:
    User.objects.filter(pk=dana.pk).update(time_zone="America/Chicago")
    a_shift(User.objects.get(pk=dana.pk), at + timedelta(minutes=1))
    page = client_for(admin_ann).get(ROSTER).content.decode()
    assert "9:00" in page and "11:00" in page and "CST" in page and "PST" in page


@pytest.mark.parametrize(("day", "wall"), [("2027-03-14", "02:30"), ("2026-11-01", "01:30")])
def test_hz_11_an_hour_that_the_clock_change_skips_or_doubles_is_not_guessed(
    client_for: Any, admin_ann: User, dana: User, clock_at: Any, day: str, wall: str
) -> None:
    with clock_at(datetime(2026, 10, 30, tzinfo=UTC)):
        answer = client_for(admin_ann).post(
            ROSTER, a_form(dana, starts_at=f"{day}T{wall}", ends_at=f"{day}T12:00")
        )
    assert answer.status_code == 422 and not OnCallShift.objects.exists()


def test_a_shift_on_a_holiday_comes_back_with_the_question_and_is_marked(
    client_for: Any, admin_ann: User, dana: User
) -> None:
    client = client_for(admin_ann)
    answer = client.post(
        reverse("safety:add_holiday"), {"holiday-day": "2026-11-24", "holiday-name": "Founders", **intent()}
    )
    assert answer.status_code == 302
    refused = client.post(ROSTER, a_form(dana))
    assert refused.status_code == 422 and "Tick that it is meant" in refused.content.decode()
    assert client.post(ROSTER, a_form(dana, holiday_confirmed="on")).status_code == 302
    page = client.get(ROSTER).content.decode()
    assert page.count("Founders") >= 2
    row = PracticeHoliday.objects.get()
    assert client.post(reverse("safety:remove_holiday", args=[row.pk]), intent()).status_code == 302
    assert PracticeHoliday.objects.get().removed_at is not None


def test_a_hand_over_from_page_to_page(
    client_for: Any, dana: User, other_psychiatrist: User, at: datetime
) -> None:
    shift = a_shift(dana, at)
    mine, hers = client_for(dana), client_for(other_psychiatrist)
    address = reverse("safety:hand_over", args=[shift.pk])
    assert mine.get(address).status_code == 200
    assert hers.get(address).status_code == 404
    assert mine.post(address, {"taker": str(other_psychiatrist.pk), **intent()}).status_code == 302
    offer = ShiftHandover.objects.get()
    assert "You are asked to take a shift" in hers.get(ROSTER).content.decode()
    assert mine.post(reverse("safety:accept_handover", args=[offer.pk]), intent()).status_code == 403
    assert hers.post(reverse("safety:accept_handover", args=[offer.pk]), intent()).status_code == 302
    assert access.on_call_now(at=at) == other_psychiatrist


def test_a_hand_over_that_cannot_be_keeps_what_was_typed(
    client_for: Any, dana: User, other_psychiatrist: User, at: datetime
) -> None:
    shift = a_shift(dana, at)
    answer = client_for(dana).post(
        reverse("safety:hand_over", args=[shift.pk]),
        {"taker": str(other_psychiatrist.pk), "ends_at": "2026-12-24T09:00", "note": "Keep this", **intent()},
    )
    page = answer.content.decode()
    assert answer.status_code == 422 and "within the shift" in page and "Keep this" in page


def test_people_enter_their_own_leave_and_administrators_anybodys(
    client_for: Any, dana: User, cole: User, admin_ann: User
) -> None:
    times = {"away-starts_at": "2026-12-24T00:00", "away-ends_at": "2026-12-27T00:00"}
    assert client_for(dana).post(reverse("safety:add_away"), {**times, **intent()}).status_code == 302
    assert TimeAway.objects.get().person == dana
    given = {**times, "away-person": str(cole.pk), **intent()}
    assert client_for(admin_ann).post(reverse("safety:add_away"), given).status_code == 302
    hers = TimeAway.objects.get(person=dana)
    assert client_for(cole).post(reverse("safety:remove_away", args=[hers.pk]), intent()).status_code == 404
    assert client_for(dana).post(reverse("safety:remove_away", args=[hers.pk]), intent()).status_code == 302


def test_closing_the_account_of_the_person_on_call_in_the_administration_names_a_successor(
    client_for: Any, admin_ann: User, dana: User, other_psychiatrist: User, at: datetime
) -> None:
    """HZ-25"""
    a_shift(dana, at)
    address = reverse("admin:accounts_user_change", args=[dana.pk])
    given = {"full_name": dana.full_name, "time_zone": dana.time_zone, "phone": "(415) 555-0122"}
    client = client_for(admin_ann)
    refused = client.post(address, given)
    assert refused.status_code == 409 and "is on call" in refused.content.decode()
    assert User.objects.get(pk=dana.pk).is_active
    done = client.post(address, {**given, "successor": str(other_psychiatrist.pk)})
    assert done.status_code == 302
    assert not User.objects.get(pk=dana.pk).is_active
    assert access.on_call_now(at=at) == other_psychiatrist


def test_the_roster_costs_the_same_for_many_shifts_as_for_few(
    client_for: Any, admin_ann: User, dana: User, at: datetime, query_budget: Any
) -> None:
    for n in range(12):
        a_shift(dana, at + timedelta(hours=12 * n), hours=12)
    client = client_for(admin_ann)
    client.get(ROSTER)
    with query_budget(22):
        client.get(ROSTER)
