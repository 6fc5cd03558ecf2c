"""The weekly timetable: kinds of visit by stretch, nights that cross midnight, more than two stretches, a consult of one's own length."""

import datetime as dt
import uuid
from typing import Any

import pytest
from django.urls import reverse

from accounts.models import CareTeam, Patient, User
from common import hooks
from common.errors import Invalid
from consults import actions
from consults.access import open_slots
from consults.access.slots import hours_of, role_types
from consults.forms import HoursForm
from consults.models import Availability, CalendarSettings
from tests.consults.builders import weekly_hours
from tests.intake.builders import an_accepted_intake

pytestmark = pytest.mark.django_db
MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _now(at: dt.datetime, clock_at: Any, protocol_version: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setitem(hooks._hooks, "booking.blockers", [])
    with clock_at(at):
        yield


@pytest.fixture
def patient(alice: User, dana: User) -> Patient:
    CareTeam.objects.filter(pk=alice.pk).update(psychiatrist=dana)
    return Patient.objects.select_related("user").get(pk=alice.pk)


def save(browser: Any, **fields: str) -> Any:
    return browser.post(reverse("consults:hours"), {"intent": str(uuid.uuid4()), **fields})


def test_a_stretch_may_be_for_one_kind_of_visit_and_only_that_is_offered_in_it(
    patient: Patient, dana: User, client_for: Any, at: dt.datetime
) -> None:
    answer = save(
        client_for(dana), d1_1_starts="09:00", d1_1_ends="11:00", d1_1_for="follow_up", d1_2_starts="13:00",
        d1_2_ends="15:00",
    )  # fmt: skip
    assert answer.status_code == 302
    found = {
        kind: {slot.starts_at for slot in open_slots(kind, patient, at, at + 2 * DAY, at=at)}
        for kind in ("consult", "follow_up")
    }
    tuesday = at + DAY  # at is Monday, 9:00 where she and Dana are
    assert tuesday in found["follow_up"]
    assert found["consult"] == {tuesday + 4 * HOUR, tuesday + 4.5 * HOUR, tuesday + 5 * HOUR}
    assert found["consult"] <= found["follow_up"]


def test_saving_the_week_again_keeps_a_third_stretch_and_a_mix_of_kinds(
    dana: User, client_for: Any, at: dt.datetime
) -> None:
    """What the page showed is what it saves: nothing is lost by opening and saving it."""
    rows = [
        (0, dt.time(8), dt.time(9), ["consult"]),
        (0, dt.time(10), dt.time(11), ["consult", "intro"]),
        (0, dt.time(20), dt.time(0), ["consult", "intro", "follow_up"]),
    ]
    for day, starts, ends, kinds in rows:
        Availability.objects.create(clinician=dana, weekday=day, starts=starts, ends=ends, visit_types=kinds)
    browser = client_for(dana)
    assert "Introduction" in browser.get(reverse("consults:hours")).content.decode()
    form = HoursForm(types=role_types("psychiatrist", at), kept=hours_of(dana))
    fields = {
        name: value.strftime("%H:%M") if isinstance(value, dt.time) else value
        for name, value in form.initial.items()
    }
    assert save(browser, **fields).status_code == 302
    kept = Availability.objects.order_by("weekday", "starts")
    assert [(r.weekday, r.starts, r.ends, sorted(r.visit_types)) for r in kept] == [
        (day, starts, ends, sorted(kinds)) for day, starts, ends, kinds in rows
    ]


def test_hours_that_go_on_after_midnight_offer_visits_across_it(
    patient: Patient, dana: User, client_for: Any, at: dt.datetime
) -> None:
    save(client_for(dana), d1_1_starts="22:00", d1_1_ends="00:00", d2_1_starts="00:00", d2_1_ends="02:00")
    found = [slot.starts_at for slot in open_slots("consult", patient, at, at + 3 * DAY, at=at)]
    ten = at + DAY + 13 * HOUR
    assert found == [ten + n * 30 * MINUTE for n in range(7)]
    across = ten + 1.5 * HOUR
    an_accepted_intake(patient.user, dana, at - 3 * DAY)
    held = actions.hold_slot(
        patient, visit_type="consult", clinician_id=dana.pk, starts_at=across, by=patient.user, at=at
    )
    assert actions.confirm_booking(held, by=patient.user, at=at).ends_at == across + HOUR


@pytest.mark.parametrize(
    "fields",
    [
        {"d1_1_starts": "22:00", "d1_1_ends": "02:00"},
        {"d1_1_starts": "20:00", "d1_1_ends": "00:00", "d1_2_starts": "22:00", "d1_2_ends": "23:00"},
        {"d1_1_starts": "09:00", "d1_1_ends": "10:00", "d1_1_for": "prep"},
    ],
)
def test_hours_that_cannot_be_are_refused_in_words(
    dana: User, client_for: Any, fields: dict[str, str]
) -> None:
    assert save(client_for(dana), **fields).status_code in (409, 422)
    assert not Availability.objects.exists()


@pytest.mark.parametrize(("minutes", "last"), [(None, 9 * HOUR), (45, 9 * HOUR), (30, 9.5 * HOUR)])
def test_a_consult_takes_as_long_as_its_psychiatrist_wishes_within_the_protocol(
    patient: Patient, dana: User, at: dt.datetime, minutes: int | None, last: dt.timedelta
) -> None:
    weekly_hours(dana, ends=dt.time(19))
    actions.set_gap(gap_minutes=0, consult_minutes=minutes, by=dana, at=at)
    slots = open_slots("consult", patient, at, at + DAY / 2, at=at)
    assert {slot.ends_at - slot.starts_at for slot in slots} == {dt.timedelta(minutes=minutes or 60)}
    assert slots[-1].starts_at == at + last
    # Other kinds keep their length.
    assert {s.ends_at - s.starts_at for s in open_slots("intro", patient, at, at + DAY, at=at)} == {
        20 * MINUTE
    }


@pytest.mark.parametrize("minutes", [29, 61])
def test_a_consult_is_never_shorter_or_longer_than_the_protocol(
    dana: User, cole: User, at: dt.datetime, minutes: int
) -> None:
    with pytest.raises(Invalid):
        actions.set_gap(gap_minutes=0, consult_minutes=minutes, by=dana, at=at)
    with pytest.raises(Invalid):
        actions.set_gap(gap_minutes=0, consult_minutes=30, by=cole, at=at)
    assert not CalendarSettings.objects.exists()


def test_the_length_is_chosen_on_the_page_of_a_psychiatrist_and_not_of_a_coach(
    dana: User, cole: User, client_for: Any
) -> None:
    url = reverse("consults:calendar_options")
    form = {"intent": str(uuid.uuid4()), "what": "gap", "gap_minutes": "5", "consult_minutes": "45"}
    assert client_for(dana).post(url, form).status_code == 302
    assert CalendarSettings.objects.get(clinician=dana).consult_minutes == 45
    assert b"How long a consult takes" not in client_for(cole).get(url).content
    assert client_for(cole).post(url, form | {"intent": str(uuid.uuid4())}).status_code == 302
    assert CalendarSettings.objects.get(clinician=cole).consult_minutes is None
