"""The API of free times and appointments."""

import datetime as dt
import uuid
from typing import Any

import pytest

from accounts.models import User
from common import clock, hooks
from consults.models import Appointment
from tests.consults.builders import a_booked_consult, weekly_hours
from tests.intake.builders import an_accepted_intake

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _now(at: dt.datetime, protocol_version: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setitem(hooks._hooks, "booking.blockers", [])
    with clock.frozen(at):
        yield


def search(api: Any, **changes: str) -> Any:
    query = {"visit_type": "consult", "from": "2026-11-24T00:00:00Z", "to": "2026-11-26T00:00:00Z", **changes}
    return api.get("/api/v1/slots/", query)


def test_a_free_time_is_found_booked_listed_and_cancelled(
    alice: User, stranger_patient: User, dana: User, at: dt.datetime, api_for: Any
) -> None:
    weekly_hours(dana)
    an_accepted_intake(alice, dana, at - 3 * DAY)
    api = api_for(alice)
    first = search(api).json()[0]
    assert first["clinician_name"] == "Dana Reyes"
    body = {"visit_type": "consult", "clinician": first["clinician"], "starts_at": first["starts_at"]}
    booked = api.post("/api/v1/appointments/", body)
    assert booked.status_code == 201
    assert booked.json()["state"] == "booked"
    again = api.post("/api/v1/appointments/", body)
    assert (again.status_code, again.json()["code"]) == (409, "enough_booked")
    other = api_for(stranger_patient).post("/api/v1/appointments/", {**body, "visit_type": "intro"})
    assert (other.status_code, other.json()["code"]) == (409, "slot_taken")
    listed = api.get("/api/v1/appointments/").json()["results"]
    assert [row["id"] for row in listed if row["state"] == "booked"] == [booked.json()["id"]]
    gone = api.post(f"/api/v1/appointments/{booked.json()['id']}/cancel/")
    assert (gone.status_code, gone.json()["state"], gone.json()["sequence"]) == (200, "cancelled", 1)


def test_a_key_makes_a_booking_happen_once(alice: User, dana: User, at: dt.datetime, api_for: Any) -> None:
    """PR-09"""
    weekly_hours(dana)
    api = api_for(alice)
    body = {"visit_type": "intro", "clinician": str(dana.pk), "starts_at": (at + DAY).isoformat()}
    key = {"HTTP_IDEMPOTENCY_KEY": str(uuid.uuid4())}
    answers = [api.post("/api/v1/appointments/", body, **key) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert Appointment.objects.count() == 1
    other = api.post("/api/v1/appointments/", {**body, "visit_type": "consult"}, **key)
    assert (other.status_code, other.json()["code"]) == (422, "intent_reused")


def test_what_blocks_a_booking_leaves_no_hold_behind(
    alice: User, dana: User, at: dt.datetime, api_for: Any
) -> None:
    weekly_hours(dana)
    body = {"visit_type": "consult", "clinician": str(dana.pk), "starts_at": (at + DAY).isoformat()}
    answer = api_for(alice).post("/api/v1/appointments/", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "intake_not_accepted")
    assert not Appointment.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"visit_type": "chat"}, "visit_type"),
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-11-23T00:00:00Z"}, "to"),
        ({"to": "2027-11-23T00:00:00Z"}, "to"),
        ({"form": "1"}, "form"),
        ({"from": "9999-12-31T23:59:59Z", "to": ""}, "to"),
    ],
)
def test_a_search_that_cannot_be_read_names_the_field(
    changes: dict[str, str], field: str, alice: User, api_for: Any
) -> None:
    answer = search(api_for(alice), **changes)
    assert answer.status_code == 400
    assert field in answer.json()["fields"]


def test_strangers_and_other_roles_get_nothing(
    alice: User,
    stranger_patient: User,
    dana: User,
    other_psychiatrist: User,
    admin_ann: User,
    at: dt.datetime,
    api_for: Any,
) -> None:
    """PR-02"""
    visit = a_booked_consult(alice, dana, at + DAY)
    assert search(api_for(None)).status_code == 401
    assert search(api_for(dana)).status_code == 403
    assert api_for(None).get("/api/v1/appointments/").status_code == 401
    assert api_for(admin_ann).get("/api/v1/appointments/").status_code == 403
    for person in (stranger_patient, other_psychiatrist):
        assert api_for(person).get("/api/v1/appointments/").json()["results"] == []
        answer = api_for(person).post(f"/api/v1/appointments/{visit.pk}/cancel/")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    visit.refresh_from_db()
    assert visit.state == "booked"


def test_a_search_without_a_stretch_is_for_consults_in_the_next_two_weeks(
    alice: User, dana: User, at: dt.datetime, api_for: Any
) -> None:
    weekly_hours(dana)
    found = api_for(alice).get("/api/v1/slots/").json()
    assert {row["visit_type"] for row in found} == {"consult"}
    assert max(row["starts_at"] for row in found) < (at + 14 * DAY).isoformat()


def test_the_end_of_time_is_too_far_away(alice: User, api_for: Any) -> None:
    answer = api_for(alice).get("/api/v1/slots/", {"from": "9999-12-31T23:59:59Z"})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["from"])


def test_a_search_names_three_clinicians_beside_one_time_however_many_there_are(
    alice: User, dana: User, at: dt.datetime, api_for: Any
) -> None:
    from collections import Counter

    from tests.conftest import a_psychiatrist

    for name in ("Dana", "Eva Stone", "Finn Reed", "Gia Park", "Hal Moss"):
        weekly_hours(dana if name == "Dana" else a_psychiatrist(name, "CA"))
    found = Counter(row["starts_at"] for row in search(api_for(alice), visit_type="intro").json())
    assert set(found.values()) == {3}
