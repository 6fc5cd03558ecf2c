"""The book of a room knows the room alone: whoever came to the door has not missed the visit, and calls end as visits do."""

import datetime as dt
import uuid
from typing import Any

import pytest
from django.urls import reverse

from accounts.models import Licence, Patient, User
from common.work import WorkItem
from consults import actions
from consults.access.introductions import introduction_work
from consults.access.work import work_items
from consults.models import Appointment, Introduction, VisitEntry
from notify.models import OutboxMessage
from safety.models import Task
from tests.consults.builders import an_introduction
from tests.video.builders import a_visit, their_seat
from video import actions as rooms
from video.models import Seat

pytestmark = pytest.mark.django_db
MINUTE = dt.timedelta(minutes=1)
BORN = dt.date(1988, 4, 2)


@pytest.fixture
def visit(alice: User, dana: User, at: dt.datetime) -> Appointment:
    """A consult in five minutes; nobody has come yet, and her date of birth is on file."""
    row = a_visit(alice, dana, at, patient_arrived_at=None)
    Patient.objects.filter(pk=alice.pk).update(date_of_birth=BORN)
    return again(row)


def again(row: Appointment) -> Appointment:
    return Appointment.objects.select_related("patient__user", "clinician").get(pk=row.pk)


def the_clinician_waits(row: Appointment) -> None:
    """Twenty minutes alone in the room: all the book ever knows."""
    seat = their_seat(actions.open_visit_room(again(row), by=row.clinician, at=row.starts_at))
    rooms.take_seat(seat, connection="c", page="p", at=row.starts_at)
    rooms.leave_seat(seat.pk, connection="c", at=row.starts_at + 20 * MINUTE)


def the_book_is_asked(row: Appointment) -> dict[str, int]:
    return actions.close_by_attendance(at=row.ends_at + 31 * MINUTE)


def comes(row: Appointment, at: dt.datetime, *, state: str = "CA", born: dt.date = BORN) -> VisitEntry:
    return actions.come_in(
        again(row), state_now=state, date_of_birth=born, at_address_on_file=True, by=row.patient.user, at=at
    )


def line_of(row: Appointment, at: dt.datetime) -> WorkItem:
    (found,) = [one for one in work_items(user=row.clinician, at=at) if str(row.pk) in one.key]
    return found


def assert_open_and_nobody_was_told(row: Appointment) -> None:
    assert again(row).state == "booked"
    assert not OutboxMessage.objects.filter(kind="visit_missed").exists()
    assert not Task.objects.filter(kind="visit_missed").exists()


def test_somebody_who_said_that_she_is_here_and_saw_no_room_has_not_missed_her_visit(
    visit: Appointment, dana: User, at: dt.datetime
) -> None:
    comes(visit, at)
    the_clinician_waits(visit)
    assert the_book_is_asked(visit) == {"completed": 0, "no_show": 0, "unclear": 1}
    assert_open_and_nobody_was_told(visit)
    line = line_of(visit, visit.ends_at + 31 * MINUTE)
    assert line.kind == "note.unsigned"
    assert "they said at" in line.title and "that they were here" in line.title
    # Her clinician's word is what ends it.
    actions.close_visit(again(visit), happened=False, by=dana, at=visit.ends_at + 40 * MINUTE)
    assert Task.objects.filter(kind="visit_missed").count() == 1


def test_whoever_never_came_to_the_door_is_missed_as_before(visit: Appointment, at: dt.datetime) -> None:
    the_clinician_waits(visit)
    assert the_book_is_asked(visit) == {"completed": 0, "no_show": 1, "unclear": 0}
    assert again(visit).state == "no_show"


def test_somebody_we_turned_away_has_not_missed_her_visit_and_stands_on_the_list_with_the_reason(
    visit: Appointment, dana: User, at: dt.datetime, client_for: Any, clock_at: Any
) -> None:
    """Sent by the page, so that what a refusal undoes is undone here as well; and she reads why and may correct it."""
    Licence.objects.filter(psychiatrist=dana).exclude(state="CA").delete()
    hers, door = client_for(visit.patient.user), reverse("consults:join", args=[visit.pk])
    said = {"date_of_birth": BORN.isoformat(), "state_now": "NV", "at_address": "yes"}
    with clock_at(at):
        page = hers.post(door, said | {"intent": str(uuid.uuid4())}, follow=True).content.decode()
    assert "may not see anybody in that state today" in page and "I am here" in page
    entry = VisitEntry.objects.get(pk=visit.pk)
    assert (entry.turned_away_at, entry.turned_away_why) == (at, "not_licensed_there")
    the_clinician_waits(visit)
    assert the_book_is_asked(visit)["unclear"] == 1
    assert_open_and_nobody_was_told(visit)
    later = visit.ends_at + 31 * MINUTE
    line = line_of(visit, later)
    assert line.kind == "visit.turned_away"
    assert "we turned them away at" in line.title
    assert "Dana Reyes has no licence and DEA registration in NV" in line.title
    with clock_at(later):
        page = client_for(dana).get(line.url).content.decode()
        assert "no licence and DEA registration in NV" in page and "Cancel this visit" in page
        assert "not here yet" not in page
    actions.cancel(again(visit), by=dana, at=later)
    assert not [one for one in work_items(user=dana, at=later) if str(visit.pk) in one.key]


def test_three_wrong_dates_of_birth_are_no_missed_visit(visit: Appointment, at: dt.datetime) -> None:
    for _ in range(3):
        comes(visit, at, born=dt.date(1990, 1, 1))
    the_clinician_waits(visit)
    assert the_book_is_asked(visit)["unclear"] == 1
    assert_open_and_nobody_was_told(visit)
    assert "the date of birth they typed is not the one on file" in line_of(visit, visit.ends_at).title


def test_whoever_was_turned_away_and_then_let_in_is_simply_here(visit: Appointment, at: dt.datetime) -> None:
    comes(visit, at, state="NV")
    entry = comes(visit, at + MINUTE)
    assert (entry.turned_away_at, entry.turned_away_why) == (None, "")
    assert again(visit).patient_arrived_at == at + MINUTE


# --- introductory calls ---


@pytest.fixture
def call(dana: User, at: dt.datetime, protocol_version: Any) -> Introduction:
    return an_introduction(dana, at, starts_at=at + 5 * MINUTE)


def sit(seat: Seat, row: Introduction, minutes: int) -> None:
    rooms.take_seat(seat, connection="c", page="p", at=row.starts_at)
    rooms.leave_seat(seat.pk, connection="c", at=row.starts_at + minutes * MINUTE)


@pytest.mark.parametrize(("minutes", "state"), [(4, "booked"), (5, "completed")])
def test_a_call_in_which_both_were_together_is_closed_by_the_book(
    call: Introduction, dana: User, at: dt.datetime, minutes: int, state: str
) -> None:
    room = actions.open_introduction_room(call, by=dana, at=at)
    actions.caller_comes(room, name="Robin", at=at)
    caller = Seat.objects.select_related("room").get(room=room, role="guest")
    rooms.admit(caller, by=dana, at=call.starts_at)
    for seat in (their_seat(room), caller):
        sit(seat, call, minutes)
    actions.close_by_attendance(at=call.ends_at + 31 * MINUTE)
    call.refresh_from_db()
    assert call.state == state


def test_a_call_nobody_came_to_is_missed_after_half_an_hour_and_its_psychiatrists_word_stands_over_it(
    call: Introduction, dana: User, at: dt.datetime, client_for: Any, clock_at: Any
) -> None:
    sit(their_seat(actions.open_introduction_room(call, by=dana, at=at)), call, 20)
    assert actions.close_by_attendance(at=call.ends_at + 29 * MINUTE)["no_show"] == 0
    assert actions.close_by_attendance(at=call.ends_at + 31 * MINUTE)["no_show"] == 1
    call.refresh_from_db()
    assert call.state == "no_show"
    page = reverse("consults:introduction_call", args=[call.pk])
    with clock_at(call.ends_at + 40 * MINUTE):
        mine = client_for(dana)
        assert "It took place" in mine.get(page).content.decode()
        mine.post(f"{page}end/", {"intent": str(uuid.uuid4()), "how": "happened"})
    actions.close_by_attendance(at=call.ends_at + 50 * MINUTE)
    call.refresh_from_db()
    assert call.state == "completed"


@pytest.mark.parametrize("how", ["caller waited", "another room", "nobody opened the room"])
def test_a_call_of_which_the_book_cannot_tell_waits_for_its_psychiatrist(
    call: Introduction, dana: User, at: dt.datetime, how: str
) -> None:
    if how != "nobody opened the room":
        room = actions.open_introduction_room(call, by=dana, at=at)
        sit(their_seat(room), call, 20)
    if how == "caller waited":
        actions.caller_comes(room, name="Robin", at=call.starts_at)
    if how == "another room":
        actions.set_introduction_room(call, url="https://meet.example.test/dana", by=dana, at=at)
    later = call.ends_at + 31 * MINUTE
    assert actions.close_by_attendance(at=later)["no_show"] == 0
    call.refresh_from_db()
    assert call.state == "booked"
    assert [one.kind for one in introduction_work(user=dana, at=later)] == ["introduction.unclosed"]
