"""A visit that moves takes everybody along: the former clinician, the room, who had come already, the draft of its note."""

import datetime as dt
import re
import uuid
from typing import Any

import pytest

from accounts.models import CareTeam, Patient, User
from common import hooks
from common.errors import Conflict
from consults import actions
from consults.access import room_of
from consults.models import Appointment, VisitEntry
from notify.models import OutboxMessage
from tests.conftest import a_psychiatrist
from tests.consults.builders import an_appointment, weekly_hours
from tests.intake.builders import an_accepted_intake
from video.models import Seat

pytestmark = pytest.mark.django_db
MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _no_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(hooks._hooks, "booking.blockers", [])


@pytest.fixture
def patient(alice: User, protocol_version: Any, dana: User, at: dt.datetime) -> Patient:
    weekly_hours(dana)
    an_accepted_intake(alice, dana, at - 3 * DAY)
    Patient.objects.filter(pk=alice.pk).update(date_of_birth=dt.date(1988, 4, 2))
    return Patient.objects.select_related("user").get(pk=alice.pk)


@pytest.fixture
def eva(protocol_version: Any) -> User:
    found = a_psychiatrist("Eva Stone", "CA")
    weekly_hours(found)
    return found


def fresh(row: Appointment) -> Appointment:
    return Appointment.objects.select_related("patient__user", "clinician").get(pk=row.pk)


def to_eva(row: Appointment, eva: User, by: User, at: dt.datetime, days: int = 2) -> Appointment:
    CareTeam.objects.filter(pk=row.patient_id).update(psychiatrist=None)
    return actions.reschedule(fresh(row), starts_at=at + days * DAY, clinician_id=eva.pk, by=by, at=at)


def test_the_clinician_who_gives_a_visit_up_hears_that_theirs_is_cancelled(
    patient: Patient, dana: User, eva: User, at: dt.datetime
) -> None:
    row = an_appointment(patient.user, dana, at + DAY)
    moved = to_eva(row, eva, patient.user, at)
    told = {
        (m.kind, m.recipient_id) for m in OutboxMessage.objects.filter(about_id=row.pk, state="scheduled")
    }
    assert {("visit_moved", patient.pk), ("visit_moved", eva.pk), ("visit_cancelled", dana.pk)} <= told
    assert ("visit_moved", dana.pk) not in told
    assert CareTeam.objects.get(pk=patient.pk).psychiatrist_id == eva.pk
    assert moved.clinician_id == eva.pk


def test_a_draft_note_goes_with_the_visit_so_that_whoever_holds_it_can_sign(
    patient: Patient, dana: User, eva: User, at: dt.datetime
) -> None:
    row = an_appointment(patient.user, dana, at + DAY)
    note = actions.open_note(row, by=dana, at=at)
    to_eva(row, eva, patient.user, at)
    note.refresh_from_db()
    assert note.author_id == eva.pk


def test_whoever_had_come_to_the_old_time_comes_anew_and_the_clinician_is_told_again(
    patient: Patient, dana: User, at: dt.datetime
) -> None:
    """HZ-14: the place where help would go is of the visit that takes place, never of one that was given up."""
    row = an_appointment(patient.user, dana, at + 10 * MINUTE)
    said = {"state_now": "CA", "date_of_birth": dt.date(1988, 4, 2), "by": patient.user}
    actions.come_in(fresh(row), at_address_on_file=False, address_now="A cabin in Reno", at=at, **said)
    room = actions.open_visit_room(fresh(row), by=patient.user, at=at)
    Seat.objects.filter(room=room).update(waiting_since_at=at)
    moved = actions.reschedule(fresh(row), starts_at=at + DAY, clinician_id=None, by=patient.user, at=at)
    assert moved.patient_arrived_at is None
    entry = VisitEntry.objects.get(pk=row.pk)
    assert (entry.confirmed_at, entry.at_address_on_file, entry.address_now, entry.state) == (
        None,
        None,
        "",
        "",
    )
    assert not Seat.objects.filter(room=room, waiting_since_at__isnull=False).exists()
    actions.come_in(fresh(row), at_address_on_file=True, at=at + DAY, **said)
    told = OutboxMessage.objects.filter(kind="visit_waiting", about_id=row.pk, recipient=dana)
    assert sorted(told.values_list("channel", flat=True)) == ["email", "email", "sms", "sms"]


def test_the_room_of_a_moved_visit_is_open_at_the_new_time(
    patient: Patient, dana: User, at: dt.datetime
) -> None:
    from video.actions import close_rooms_over

    row = an_appointment(patient.user, dana, at + 3 * HOUR)
    actions.open_visit_room(fresh(row), by=dana, at=at)
    moved = actions.reschedule(fresh(row), starts_at=at + 2 * DAY, clinician_id=None, by=dana, at=at)
    close_rooms_over(at=at + DAY)
    room = room_of(moved)
    assert room is not None
    assert (room.opens_at, room.closes_at) == (at + 2 * DAY - 15 * MINUTE, at + 2 * DAY + 2 * HOUR)


def test_wrong_dates_of_birth_stay_counted_when_the_visit_moves(
    patient: Patient, dana: User, at: dt.datetime
) -> None:
    """HZ-05: moving is no way to more tries."""
    row = an_appointment(patient.user, dana, at + 10 * MINUTE)
    for _ in range(2):
        actions.come_in(
            fresh(row), state_now="CA", date_of_birth=dt.date(1990, 1, 1), at_address_on_file=True, by=patient.user, at=at
        )  # fmt: skip
    actions.reschedule(fresh(row), starts_at=at + DAY, clinician_id=None, by=patient.user, at=at)
    entry = VisitEntry.objects.get(pk=row.pk)
    assert (entry.tries, entry.turned_away_at, entry.turned_away_why) == (2, None, "")


def test_two_tabs_that_move_one_visit_leave_it_in_one_place(
    patient: Patient, dana: User, at: dt.datetime, client_for: Any, clock_at: Any
) -> None:
    """PR-09: both pages were opened before; the later press counts, and there is one visit."""
    row = an_appointment(patient.user, dana, at + DAY)
    browser = client_for(patient.user)
    with clock_at(at):
        pages = [browser.get(f"/consults/{row.pk}/move/").content.decode() for _ in range(2)]
        slots = re.findall(r'name="slot" value="([^"]+)"', pages[0])
        for slot in (slots[0], slots[1]):
            answer = browser.post(f"/consults/{row.pk}/move/", {"intent": str(uuid.uuid4()), "slot": slot})
            assert answer.status_code == 302
    assert Appointment.objects.filter(patient=patient, state="booked").count() == 1
    assert fresh(row).starts_at == dt.datetime.fromisoformat(slots[1].split("|")[1])


def test_a_patient_moves_one_visit_so_often_and_then_a_call_helps(
    patient: Patient, dana: User, at: dt.datetime
) -> None:
    row = an_appointment(patient.user, dana, at + DAY, sequence=7)
    moved = actions.reschedule(row, starts_at=at + 2 * DAY, clinician_id=None, by=patient.user, at=at)
    with pytest.raises(Conflict) as refused:
        actions.reschedule(moved, starts_at=at + 3 * DAY, clinician_id=None, by=patient.user, at=at)
    assert refused.value.code == "too_many_moves"
    assert actions.reschedule(moved, starts_at=at + 3 * DAY, clinician_id=None, by=dana, at=at).sequence == 9


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Honolulu", "America/Phoenix", "Asia/Kolkata"])
def test_a_patient_who_travels_between_booking_and_visit_reads_the_same_instant_in_the_new_zone(
    patient: Patient, dana: User, at: dt.datetime, zone: str, client_for: Any, clock_at: Any
) -> None:
    """HZ-11: the visit does not move; what she reads does, in pages, in messages not yet sent, and in the hours of her waiting list."""
    from notify.actions import render_message
    from notify.wording import when_words as words_of

    held = actions.hold_slot(
        patient, visit_type="consult", clinician_id=dana.pk, starts_at=at + 3 * DAY, by=patient.user, at=at
    )
    row = actions.confirm_booking(held, by=patient.user, at=at)
    with clock_at(at):
        assert "9:00 am PST" in client_for(patient.user).get(f"/consults/{row.pk}/").content.decode()
        User.objects.filter(pk=patient.pk).update(time_zone=zone)
        page = client_for(User.objects.get(pk=patient.pk)).get(f"/consults/{row.pk}/").content.decode()
    from consults.rules.slots import time_words

    assert time_words(row.starts_at, zone) in page
    assert "9:00 am PST" not in page
    reminder = OutboxMessage.objects.get(about_id=row.pk, kind="visit_soon")
    assert reminder.wanted_at == row.starts_at - HOUR
    text = render_message(reminder.template, reminder.channel, reminder.context, zone=zone).body
    assert words_of(row.starts_at, zone, "en") in text
    assert fresh(row).starts_at == at + 3 * DAY
