"""A visit nobody came to, the introductory call of somebody without an account, and that nothing is ever recorded."""

import datetime as dt
import re
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site_settings
from django.test import Client

from accounts.models import DeaRegistration, Licence, User
from common.errors import Conflict
from consults import actions as consults
from consults.access import minutes_together
from consults.access.introductions import introduction_token
from consults.models import Appointment
from notify.models import OutboxMessage, State
from safety.models import Task
from tests.consults.builders import an_appointment, an_introduction, any_protocol
from tests.video.builders import a_room, her_seat, their_seat
from video import access, actions
from video.models import Room, Seat

pytestmark = pytest.mark.django_db
MINUTE = dt.timedelta(minutes=1)


def intent() -> dict[str, str]:
    return {"intent": str(uuid.uuid4())}


# --- how long they were together ---


def test_the_rooms_book_counts_the_minutes_together_also_when_the_room_is_closed(
    alice: User, dana: User, at: dt.datetime
) -> None:
    """The note is signed after the visit, and must not claim more than there was (protocol 2.4)."""
    room = a_room(alice, dana, at)
    visit = Appointment.objects.get(pk=room.about_id)
    assert minutes_together(visit) == 0
    for seat, connection in ((their_seat(room), "c"), (her_seat(room), "d")):
        actions.take_seat(seat, connection=connection, page=connection, at=visit.starts_at)
    actions.admit(her_seat(room), by=dana, at=visit.starts_at)
    actions.note_joined(her_seat(room), at=visit.starts_at)
    for seat, connection in ((their_seat(room), "c"), (her_seat(room), "d")):
        actions.leave_seat(seat.pk, connection=connection, at=visit.starts_at + 2 * MINUTE)
    assert minutes_together(visit) == 2
    actions.close_room(room, by=dana, at=visit.starts_at + 3 * MINUTE)
    assert minutes_together(visit) == 2


# --- missed ---


def nobody_came(alice: User, dana: User, at: dt.datetime) -> Appointment:
    room = a_room(alice, dana, at)
    Appointment.objects.filter(pk=room.about_id).update(patient_arrived_at=None)
    visit = Appointment.objects.get(pk=room.about_id)
    actions.take_seat(their_seat(room), connection="c", page="p", at=visit.starts_at)
    actions.leave_seat(their_seat(room).pk, connection="c", at=visit.starts_at + 20 * MINUTE)
    consults.close_by_attendance(at=visit.ends_at + 31 * MINUTE)
    visit.refresh_from_db()
    assert visit.state == "no_show"
    return visit


def test_a_missed_visit_is_said_kindly_to_the_patient_and_somebody_asks_after_them(
    alice: User, dana: User, cole: User, at: dt.datetime, clock_at: Any, client_for: Any
) -> None:
    visit = nobody_came(alice, dana, at)
    told = OutboxMessage.objects.filter(kind="visit_missed", recipient=alice, state=State.SCHEDULED)
    assert sorted(told.values_list("channel", flat=True)) == ["email", "sms"]
    task = Task.objects.get(kind="visit_missed")
    assert (task.owner, task.patient_id, task.done_at) == (cole, alice.pk, None)
    with clock_at(visit.ends_at + 40 * MINUTE):
        page = client_for(alice).get(f"/consults/{visit.pk}/").content.decode()
        assert "We missed you" in page and "/consults/book/consult/" in page and "Missed" in page
        assert "marked as missed" in client_for(alice).get(f"/consults/{visit.pk}/join/").content.decode()
        assert "Ask after somebody who missed a visit" in client_for(cole).get("/work/").content.decode()


def test_the_clinicians_word_that_it_took_place_takes_message_and_task_back(
    alice: User, dana: User, cole: User, at: dt.datetime
) -> None:
    visit = nobody_came(alice, dana, at)
    consults.close_visit(visit, happened=True, by=dana, at=visit.ends_at + 32 * MINUTE)
    assert not OutboxMessage.objects.filter(kind="visit_missed", state=State.SCHEDULED).exists()
    assert Task.objects.get(kind="visit_missed").done_at is not None


def test_the_clinicians_own_word_that_nobody_came_does_the_same_as_the_book(
    alice: User, dana: User, cole: User, at: dt.datetime
) -> None:
    room = a_room(alice, dana, at)
    visit = Appointment.objects.get(pk=room.about_id)
    consults.close_visit(visit, happened=False, by=dana, at=visit.starts_at + 20 * MINUTE)
    assert OutboxMessage.objects.filter(kind="visit_missed", recipient=alice).count() == 2
    assert Task.objects.filter(kind="visit_missed", owner=cole, done_at__isnull=True).count() == 1


def test_somebody_who_waits_in_vain_is_not_left_alone(
    alice: User, dana: User, admin_ann: User, at: dt.datetime
) -> None:
    """Ten minutes after her turn and no clinician: told once more, and an administrator owns it; never while somebody is there."""
    room = a_room(alice, dana, at)
    visit = Appointment.objects.get(pk=room.about_id)
    actions.come(her_seat(room), at=at)

    def look(minutes: float) -> int:
        now = visit.starts_at + minutes * MINUTE
        actions.note_page(her_seat(room), at=now)
        return consults.notice_who_waits_in_vain(at=now)

    assert look(9.9) == 0 and not Task.objects.filter(kind="visit_unattended").exists()
    actions.say_late(room, minutes=10, by=dana, at=at)
    assert look(15) == 0, "she knows that it gets later"
    assert look(20) == 1 and look(21) == 1
    task = Task.objects.get(kind="visit_unattended")
    assert task.owner == admin_ann and "Dana Reyes" in task.detail
    assert OutboxMessage.objects.filter(kind="visit_waiting", recipient=dana, channel="email").count() == 2
    actions.take_seat(their_seat(room), connection="c", page="p", at=visit.starts_at + 22 * MINUTE)
    assert look(22.1) == 0


def test_every_task_that_watches_over_visits_is_asked_by_itself() -> None:
    """A sweep that nobody starts decides nothing."""
    from config.celery import app

    app.loader.import_default_modules()
    ours = {name for name in app.tasks if name.split(".")[0] in site_settings.HEARTHSIDE_APPS}
    started = {row["task"] for row in site_settings.CELERY_BEAT_SCHEDULE.values()}
    assert "consults.tasks.close_visits" in started
    assert ours and ours - started == set()


# --- the introductory call, by video ---


def test_a_caller_without_an_account_comes_by_the_calls_own_link_and_is_let_in_by_its_psychiatrist(
    dana: User,
    other_psychiatrist: User,
    at: dt.datetime,
    clock_at: Any,
    client_for: Any,
    protocol_version: Any,
) -> None:
    row = an_introduction(dana, at, starts_at=at + 5 * MINUTE)
    link = f"/introduction/link/{introduction_token(row)}/"
    robin = Client()
    with clock_at(at - 20 * MINUTE):
        assert "Go to the waiting room" not in robin.get(link).content.decode()
        assert robin.post(f"{link}video/", intent()).status_code == 409
    with clock_at(at):
        assert "Go to the waiting room" in robin.get(link).content.decode()
        coming = robin.post(f"{link}video/", intent())
        assert coming.status_code == 200
        address = re.search(r"url=(/v/[\w-]+/)", coming["Refresh"]).group(1)  # type: ignore[union-attr]
        assert "Waiting room" in robin.get(address).content.decode()
        assert Client().get(f"{address}pass/").status_code == 409, "the address alone is not the browser"
        room = Room.objects.get(about_type="consults.introduction")
        assert room.patient_id is None
        told = OutboxMessage.objects.filter(kind="visit_waiting")
        assert {one.recipient for one in told} == {dana} and "email" in {one.channel for one in told}

        mine = client_for(dana)
        assert "Robin" in mine.get("/staff/now/").content.decode()
        opened = mine.post(f"/consults/introduction/{row.pk}/video/", intent())
        assert opened["Location"] == f"/video/{room.pk}/"
        assert "Robin" in mine.get(f"/video/{room.pk}/").content.decode()
        seat = Seat.objects.get(role="guest")
        mine.post(f"/video/{room.pk}/admit/{seat.pk}/", intent())
        assert robin.get(f"{address}pass/").json()["admitted"] is True
        assert client_for(other_psychiatrist).get(f"/video/{room.pk}/").status_code == 404
        late = mine.post(f"/video/{room.pk}/late/", {"minutes": "10", **intent()})
        assert late.status_code == 302
        assert OutboxMessage.objects.get(kind="visit_late").to_address == row.phone

        mine.post(f"/video/{room.pk}/close/", intent())
        assert robin.get(address).status_code == 404


def test_a_cancelled_call_ends_its_room_and_a_forgotten_caller_is_forgotten_there_too(
    dana: User, at: dt.datetime, protocol_version: Any
) -> None:
    row = an_introduction(dana, at, starts_at=at + 5 * MINUTE)
    room = consults.open_introduction_room(row, by=dana, at=at)
    consults.caller_comes(room, name="Robin", at=at)
    consults.cancel_introduction(row, by=dana, at=at)
    assert Room.objects.get(pk=room.pk).closed_at == at
    with pytest.raises(Conflict):
        consults.open_introduction_room(type(row).objects.get(pk=row.pk), by=dana, at=at)
    consults.forget_introductions(at=at + dt.timedelta(days=40))
    assert Seat.objects.get(role="guest").guest_name == ""


def test_patients_and_callers_of_one_clinician_stand_in_one_line(
    alice: User, stranger_patient: User, dana: User, at: dt.datetime
) -> None:
    """A caller who has come is before the patient after them, and a visit still going on is before a caller."""
    any_protocol(at, dana)
    running = an_appointment(
        stranger_patient, dana, at - 20 * MINUTE, minutes=30, state_of_care="CA", patient_arrived_at=at - 25 * MINUTE
    )  # fmt: skip
    call = an_introduction(dana, at, starts_at=at + 10 * MINUTE)
    visit = an_appointment(alice, dana, at + 30 * MINUTE, patient_arrived_at=at)
    calls, room = (
        consults.open_introduction_room(call, by=dana, at=at),
        consults.open_visit_room(visit, by=dana, at=at + 20 * MINUTE),
    )

    def hers(now: dt.datetime) -> tuple[int, dt.datetime | None]:
        seen = access.visit_of(her_seat(room), at=now)
        return seen.place, seen.expected_at

    assert hers(at) == (2, visit.starts_at), "a caller who has not come holds nobody up"
    secret, _ = consults.caller_comes(calls, name="Robin", at=at)
    seen = access.visit_of(access.guest_seat(secret, at=at), at=at)
    assert (seen.place, seen.expected_at) == (2, call.starts_at)
    assert hers(at) == (3, visit.starts_at)
    # The visit overruns by ten minutes, and the call after it keeps its length: each waits for the one before.
    late = running.ends_at + 10 * MINUTE
    seen = access.visit_of(access.guest_seat(secret, at=late), at=late)
    assert (seen.place, seen.expected_at) == (2, late)
    # What the clinician has ended is over, also before anybody has said what became of it.
    over = consults.open_visit_room(running, by=dana, at=late)
    actions.close_room(over, by=dana, at=late)
    assert access.visit_of(access.guest_seat(secret, at=late), at=late).place == 1
    assert hers(late)[0] == 2
    actions.close_room(calls, by=dana, at=late)
    assert hers(late) == (1, visit.starts_at)


def test_a_caller_reads_place_and_times_where_they_are(
    stranger_patient: User, dana: User, at: dt.datetime, protocol_version: Any, clock_at: Any
) -> None:
    an_appointment(
        stranger_patient, dana, at - 45 * MINUTE, minutes=50, state_of_care="CA", patient_arrived_at=at
    )
    row = an_introduction(dana, at, starts_at=at + 5 * MINUTE, time_zone="Pacific/Honolulu")
    robin = Client()
    with clock_at(at):
        coming = robin.post(f"/introduction/link/{introduction_token(row)}/video/", intent())
        address = re.search(r"url=(/v/[\w-]+/)", coming["Refresh"]).group(1)  # type: ignore[union-attr]
        page = robin.get(address).content.decode()
        assert "7:05 am HST" in page
        assert '<dd id="visit-before">1 person</dd>' in page
        assert '<dd id="visit-expected">7:05 am HST</dd>' in page
    with clock_at(at + 10 * MINUTE):
        now = robin.get(f"{address}line/").json()
    assert (now["place"], now["before"], now["expected"]) == (2, "1 person", "7:10 am HST")


@pytest.mark.parametrize("what", ["licence", "registration", "closed"])
def test_the_room_of_a_call_asks_again_whether_its_psychiatrist_may_hold_it(
    dana: User, at: dt.datetime, protocol_version: Any, clock_at: Any, client_for: Any, what: str
) -> None:
    """TM-04: as the room of a consult does, each time somebody comes in, whatever stood when it was opened."""
    row = an_introduction(dana, at, starts_at=at + 5 * MINUTE)
    room = consults.open_introduction_room(row, by=dana, at=at)
    secret, _ = consults.caller_comes(room, name="Robin", at=at)
    caller = access.guest_seat(secret, at=at)
    assert access.refusals(caller, at=at) == access.refusals(their_seat(room), at=at) == []
    ends = at.date() - dt.timedelta(days=1)
    if what == "licence":
        Licence.objects.filter(psychiatrist=dana).update(expires_on=ends)
    elif what == "registration":
        DeaRegistration.objects.filter(psychiatrist=dana).update(expires_on=ends)
    else:
        User.objects.filter(pk=dana.pk).update(is_active=False)
    code = "clinician_gone" if what == "closed" else "not_licensed_there"
    assert [found for found, _ in access.refusals(caller, at=at)] == [code]
    assert access.refusals(
        Seat.objects.select_related("room", "user").get(room=room, role="clinician"), at=at
    )
    with pytest.raises(Conflict), clock_at(at):
        access.may_come_in(caller, at=at)


def test_a_call_with_a_coach_has_its_room_as_well(alice: User, cole: User, at: dt.datetime) -> None:
    any_protocol(at, cole)
    visit = an_appointment(alice, cole, at + 5 * MINUTE, visit_type="prep", minutes=30, patient_arrived_at=at)
    room = consults.open_visit_room(visit, by=cole, at=at)
    assert actions.come(access.seat_of(cole, room.pk), at=at).admitted_at == at
    actions.come(her_seat(room), at=at)
    assert actions.admit(her_seat(room), by=cole, at=at).admitted_at == at


def test_on_a_dosing_day_the_coach_is_on_video_with_place_and_sitter_at_hand(
    alice: User,
    dana: User,
    cole: User,
    other_psychiatrist: User,
    at: dt.datetime,
    clock_at: Any,
    client_for: Any,
) -> None:
    """Protocol 8, T-30 and T+75: the coach on video for the set-up and the close; X07 within minutes."""
    from sessions.actions import open_session_room
    from tests.sessions.builders import a_session_ready_for_release

    with clock_at(at):
        session = a_session_ready_for_release(alice, dana, at)
        page = f"/sessions/{session.pk}/video/"
        hers, theirs = client_for(alice), client_for(cole)
        assert page in hers.get(f"/sessions/{session.pk}/").content.decode()
        assert "hears of it at once" in hers.get(page).content.decode()
        door = hers.post(page, intent())["Location"]
        waiting = hers.get(door).content.decode()
        assert "Waiting room" in waiting and "Cole" in waiting
        assert OutboxMessage.objects.filter(kind="visit_waiting", recipient=cole).exists()
        assert "Alice Lindqvist" in theirs.get("/staff/now/").content.decode()
        assert theirs.post(page, intent())["Location"] == door
        desk = theirs.get(door).content.decode()
        assert session.location_address in desk and "Let in" in desk
        room = Room.objects.get(about_type="dosing.session")
        actions.admit(her_seat(room), by=cole, at=at)
        assert "The steps of your session" in hers.get(door).content.decode()
        assert client_for(other_psychiatrist).post(page, intent()).status_code == 404
        assert client_for(other_psychiatrist).get(door).status_code == 404
        # The psychiatrist of the care team comes beside the coach, and nobody loses the place.
        assert client_for(dana).post(page, intent())["Location"] == door
        assert access.seat_of(cole, room.pk).removed_at is None
        type(session).objects.filter(pk=session.pk).update(state="aborted")
        with pytest.raises(Conflict):
            open_session_room(type(session).objects.get(pk=session.pk), by=cole, at=at)
        assert hers.get(f"{door}pass/").status_code == 409


# --- nothing is recorded ---


def test_no_page_of_ours_can_record_a_visit_and_nothing_there_could_hold_one() -> None:
    base = Path(site_settings.BASE_DIR)
    pages = [*base.glob("static/js/*.js"), *base.glob("templates/**/*.html")]
    assert len(pages) > 100
    for path in pages:
        words = path.read_text()
        for way in (
            "MediaRecorder",
            "captureStream",
            "takePhoto",
            "toDataURL",
            "createMediaStreamDestination",
        ):
            assert way not in words, f"{path.name} could record: {way}"
    kept = {field.name for model in (Room, Seat) for field in model._meta.get_fields()}
    assert not [name for name in kept if re.search("record|media|audio|picture|chat|transcript|text", name)]
