"""Coming, waiting, being let in, guests, running late, closing; and nobody else."""

import datetime as dt
from typing import Any

import pytest
from django.test import Client

from accounts.models import DeaRegistration, User
from common.errors import Conflict, Invalid, NotPermitted, NotVisible
from common.models import AuditEntry
from consults import actions as consults
from consults.models import Appointment
from notify.models import OutboxMessage
from tests.video.builders import a_room, a_visit, her_seat, seat, their_seat
from video import access, actions, rules
from video.models import Room, Seat, SeatEvent

pytestmark = pytest.mark.django_db
MINUTE = dt.timedelta(minutes=1)


def test_a_visit_has_one_room_with_one_seat_for_each_of_its_people(
    alice: User, dana: User, at: dt.datetime
) -> None:
    visit = a_visit(alice, dana, at)
    first = consults.open_visit_room(visit, by=dana, at=at)
    assert consults.open_visit_room(visit, by=alice, at=at) == first
    assert sorted(first.seats.values_list("role", "user_id")) == [
        ("clinician", dana.pk),
        ("patient", alice.pk),
    ]


def test_nobody_else_finds_the_room(
    alice: User,
    dana: User,
    cole: User,
    stranger_patient: User,
    other_psychiatrist: User,
    admin_ann: User,
    at: dt.datetime,
) -> None:
    """TM-04: a coach of the same care team has no seat in a consult either."""
    room = a_room(alice, dana, at)
    for somebody in (cole, stranger_patient, other_psychiatrist, admin_ann):
        with pytest.raises(NotVisible):
            access.seat_of(somebody, room.pk)
    with pytest.raises(NotPermitted):
        consults.open_visit_room(Appointment.objects.get(pk=room.about_id), by=cole, at=at)


def test_a_patient_waits_and_a_clinician_comes_straight_in(alice: User, dana: User, at: dt.datetime) -> None:
    room = a_room(alice, dana, at)
    assert actions.come(her_seat(room), at=at).admitted_at is None
    assert actions.come(their_seat(room), at=at).admitted_at == at
    actions.come(her_seat(room), at=at + MINUTE)
    assert her_seat(room).waiting_since_at == at, "coming again keeps the place in line"
    assert list(access.rooms_waiting_for(dana, at=at)) == [her_seat(room)]


def test_only_the_clinician_lets_in_and_only_who_has_come(
    alice: User, dana: User, cole: User, at: dt.datetime
) -> None:
    room = a_room(alice, dana, at)
    with pytest.raises(Conflict):
        actions.admit(her_seat(room), by=dana, at=at)
    actions.come(her_seat(room), at=at)
    for somebody in (alice, cole):
        with pytest.raises(NotPermitted):
            actions.admit(her_seat(room), by=somebody, at=at)
    actions.admit(her_seat(room), by=dana, at=at)
    actions.admit(her_seat(room), by=dana, at=at + MINUTE)
    assert her_seat(room).admitted_at == at
    assert list(her_seat(room).events.values_list("kind", flat=True)) == ["waiting", "admitted"]


def test_a_lapsed_registration_a_cancelled_visit_and_the_wrong_hour_keep_the_door_shut(
    alice: User, dana: User, at: dt.datetime
) -> None:
    room = a_room(alice, dana, at)
    with pytest.raises(Conflict, match="not open yet"):
        actions.come(her_seat(room), at=room.opens_at - MINUTE)
    with pytest.raises(Conflict, match="over"):
        actions.come(her_seat(room), at=room.closes_at)
    DeaRegistration.objects.filter(psychiatrist=dana, state="CA").update(expires_on=dt.date(2026, 11, 22))
    for one in (her_seat(room), their_seat(room)):
        with pytest.raises(Conflict) as refused:
            actions.come(one, at=at)
        assert refused.value.code == "not_licensed_there"
    DeaRegistration.objects.filter(psychiatrist=dana).update(expires_on=dt.date(2028, 1, 1))
    consults.cancel(Appointment.objects.get(pk=room.about_id), by=alice, at=at)
    with pytest.raises(Conflict) as refused:
        actions.come(her_seat(room), at=at)
    assert refused.value.code == "visit_cancelled"


def test_a_guest_comes_by_a_link_that_is_kept_nowhere_and_waits_like_everybody(
    alice: User, dana: User, at: dt.datetime
) -> None:
    room = a_room(alice, dana, at)
    guest, secret = actions.invite_guest(
        room, kind="interpreter", name="Iris", phone="+14155550188", by=dana, at=at
    )
    assert secret not in str(Seat.objects.filter(pk=guest.pk).values().get())
    assert access.guest_seat(secret, at=at) == guest
    with pytest.raises(NotVisible):
        access.guest_seat(secret + "x", at=at)
    with pytest.raises(NotVisible):
        access.guest_seat(secret, at=room.closes_at)
    text = OutboxMessage.objects.get(kind="visit_guest")
    assert text.recipient is None and text.to_address == "+14155550188" and text.expires_at == room.closes_at
    assert actions.come(guest, at=at).admitted_at is None
    actions.admit(guest, by=dana, at=at)
    actions.remove(guest, by=dana, at=at)
    with pytest.raises(NotVisible):
        access.guest_seat(secret, at=at)
    with pytest.raises(NotPermitted, match="End the visit"):
        actions.remove(her_seat(room), by=dana, at=at)


def test_a_room_takes_five_people_and_not_six(alice: User, dana: User, at: dt.datetime) -> None:
    room = a_room(alice, dana, at)
    for number in range(rules.MAX_SEATS - 2):
        actions.invite_guest(room, kind="family", name=f"Guest {number}", by=alice, at=at)
    with pytest.raises(Conflict) as refused:
        actions.invite_guest(room, kind="family", name="One more", by=alice, at=at)
    assert refused.value.code == "room_full"
    with pytest.raises(Invalid):
        actions.invite_guest(room, kind="spy", name="X", by=dana, at=at)


def test_a_guest_reads_no_family_name(alice: User, dana: User, at: dt.datetime) -> None:
    room = a_room(alice, dana, at)
    guest, _ = actions.invite_guest(room, kind="interpreter", name="Iris", by=dana, at=at)
    assert access.display_name(her_seat(room), to=guest) == "Alice"
    assert access.display_name(her_seat(room), to=their_seat(room)) == "Alice Lindqvist"


def test_running_late_is_told_once_for_each_figure_and_without_a_clinical_word(
    alice: User, dana: User, at: dt.datetime
) -> None:
    room = a_room(alice, dana, at)
    for _ in range(2):
        actions.say_late(room, minutes=15, by=dana, at=at)
    assert sorted(OutboxMessage.objects.filter(kind="visit_late").values_list("channel", flat=True)) == [
        "email",
        "sms",
    ]
    with pytest.raises(Invalid):
        actions.say_late(room, minutes=17, by=dana, at=at)
    with pytest.raises(NotPermitted):
        actions.say_late(room, minutes=15, by=alice, at=at)
    visit = access.visit_of(her_seat(Room.objects.get(pk=room.pk)), at=at)
    assert visit.expected_at == visit.starts_at + 15 * MINUTE


def test_a_pass_is_good_for_fifteen_minutes_and_for_one_seat(
    alice: User, dana: User, at: dt.datetime, monkeypatch: Any
) -> None:
    from common import clock

    room = a_room(alice, dana, at)
    given = access.pass_for(her_seat(room))
    assert access.seat_of_pass(given) == her_seat(room)
    for forged in (given[:-2], given + "x", "", "a:b:c"):
        with pytest.raises(Conflict) as refused:
            access.seat_of_pass(forged)
        assert refused.value.code == "no_seat"
    begun = clock.wall_time_s()
    monkeypatch.setattr("django.core.signing.time.time", lambda: begun + rules.PASS_SECONDS - 5)
    assert access.seat_of_pass(given) == her_seat(room)
    monkeypatch.setattr("django.core.signing.time.time", lambda: begun + rules.PASS_SECONDS + 5)
    with pytest.raises(Conflict) as refused:
        access.seat_of_pass(given)
    assert refused.value.code == "pass_over"


def test_no_password_of_a_relay_is_given_to_somebody_who_is_not_let_in(
    alice: User, dana: User, at: dt.datetime, clock_at: Any, client_for: Any, settings: Any
) -> None:
    settings.TURN_URLS, settings.TURN_SECRET = ["turn:relay.example.org"], "shared"
    with clock_at(at):
        room = a_room(alice, dana, at)
        hers: Client = client_for(alice)
        assert hers.get(f"/video/{room.pk}/").status_code == 200
        waiting = hers.get(f"/video/{room.pk}/pass/")
        assert waiting.json()["media"] is None and "no-store" in waiting["Cache-Control"]
        actions.admit(her_seat(room), by=dana, at=at)
        given = hers.get(f"/video/{room.pk}/pass/").json()["media"]
    assert given["kind"] == "peer"
    name, password = given["iceServers"][0]["username"], given["iceServers"][0]["credential"]
    expires, identity = name.split(":")
    assert (
        rules.relay_credentials("shared", identity=identity, expires_unix=int(expires))["credential"]
        == password
    )
    assert identity == her_seat(room).pk.hex, "a random identity that the server chose"


def test_camera_and_microphone_are_allowed_on_the_pages_of_a_visit_alone(
    alice: User, dana: User, at: dt.datetime, clock_at: Any, client_for: Any
) -> None:
    with clock_at(at):
        room = a_room(alice, dana, at)
        client = client_for(alice)
        assert "camera=(self)" in client.get(f"/video/{room.pk}/")["Permissions-Policy"]
        assert "camera=()" in client.get("/home/")["Permissions-Policy"]
        policy = client.get(f"/video/{room.pk}/")["Content-Security-Policy"]
    assert "twilio" not in policy


def test_closing_ends_it_for_everybody_and_once(alice: User, dana: User, at: dt.datetime) -> None:
    room = a_room(alice, dana, at)
    actions.take_seat(their_seat(room), connection="one", page="p", at=at)
    with pytest.raises(NotPermitted):
        actions.close_room(room, by=alice, at=at)
    actions.close_room(room, by=dana, at=at + MINUTE)
    actions.close_room(room, by=dana, at=at + 2 * MINUTE)
    assert Room.objects.get(pk=room.pk).closed_at == at + MINUTE
    assert AuditEntry.objects.filter(action="room.closed").count() == 1
    assert list(their_seat(room).events.values_list("kind", flat=True)) == ["admitted", "joined", "left"]
    with pytest.raises(Conflict):
        actions.come(her_seat(room), at=at + 2 * MINUTE)


def test_a_newer_connection_speaks_for_the_seat_and_the_older_ones_end_changes_nothing(
    alice: User, dana: User, at: dt.datetime
) -> None:
    room = a_room(alice, dana, at)
    mine = their_seat(room)
    actions.take_seat(mine, connection="old", page="a", at=at)
    actions.take_seat(mine, connection="new", page="b", at=at + dt.timedelta(seconds=3))
    assert not actions.leave_seat(mine.pk, connection="old", at=at + dt.timedelta(seconds=4))
    assert actions.still_there(mine.pk, connection="old", at=at) is None
    assert actions.still_there(mine.pk, connection="new", at=at) is not None
    assert list(mine.events.values_list("kind", flat=True)) == ["admitted", "joined"]


def test_a_server_that_died_without_a_word_does_not_make_a_visit_longer(
    alice: User, dana: User, at: dt.datetime
) -> None:
    room = a_room(alice, dana, at)
    mine = their_seat(room)
    actions.take_seat(mine, connection="old", page="a", at=at)
    actions.still_there(mine.pk, connection="old", at=at + MINUTE)
    actions.take_seat(mine, connection="new", page="b", at=at + 20 * MINUTE)
    assert list(SeatEvent.objects.filter(seat=mine).values_list("kind", "at")) == [
        ("admitted", at), ("joined", at), ("left", at + MINUTE), ("joined", at + 20 * MINUTE),
    ]  # fmt: skip


def sat(one: Seat, from_at: dt.datetime, to_at: dt.datetime) -> None:
    actions.take_seat(one, connection="c", page="p", at=from_at)
    actions.leave_seat(one.pk, connection="c", at=to_at)


def test_the_book_says_missed_when_the_clinician_waited_and_a_persons_word_stands_over_it(
    alice: User, dana: User, at: dt.datetime
) -> None:
    room = a_room(alice, dana, at)
    visit = Appointment.objects.get(pk=room.about_id)
    sat(their_seat(room), visit.starts_at, visit.starts_at + 20 * MINUTE)
    assert consults.close_by_attendance(at=visit.ends_at + 29 * MINUTE)["no_show"] == 0, (
        "the clinician has half an hour"
    )
    assert consults.close_by_attendance(at=visit.ends_at + 31 * MINUTE)["no_show"] == 1
    visit.refresh_from_db()
    assert visit.state == "no_show"
    consults.close_visit(visit, happened=True, by=dana, at=visit.ends_at + 40 * MINUTE)
    assert consults.close_by_attendance(at=visit.ends_at + 50 * MINUTE) == {
        "completed": 0,
        "no_show": 0,
        "unclear": 0,
    }
    visit.refresh_from_db()
    assert visit.state == "completed"


def test_what_a_person_said_is_never_changed_by_the_book(alice: User, dana: User, at: dt.datetime) -> None:
    room = a_room(alice, dana, at)
    visit = Appointment.objects.get(pk=room.about_id)
    actions.come(her_seat(room), at=visit.starts_at)
    actions.admit(her_seat(room), by=dana, at=visit.starts_at)
    for one in (their_seat(room), her_seat(room)):
        sat(one, visit.starts_at, visit.starts_at + 20 * MINUTE)
    consults.close_visit(visit, happened=False, by=dana, at=visit.starts_at + 30 * MINUTE)
    consults.close_by_attendance(at=visit.ends_at + 31 * MINUTE)
    visit.refresh_from_db()
    assert visit.state == "no_show"


def test_a_visit_by_telephone_waits_for_the_clinicians_word(alice: User, dana: User, at: dt.datetime) -> None:
    room = a_room(alice, dana, at)
    visit = Appointment.objects.get(pk=room.about_id)
    actions.come(her_seat(room), at=visit.starts_at)
    actions.ask_for_phone(her_seat(room), by=alice, at=visit.starts_at)
    sat(their_seat(room), visit.starts_at, visit.starts_at + 50 * MINUTE)
    assert consults.close_by_attendance(at=visit.ends_at + 31 * MINUTE)["unclear"] == 1
    visit.refresh_from_db()
    assert visit.state == "booked"


def test_the_line_counts_those_who_are_there_before_her(
    alice: User, stranger_patient: User, dana: User, at: dt.datetime
) -> None:
    from tests.consults.builders import an_appointment

    room = a_room(alice, dana, at)
    visit = Appointment.objects.get(pk=room.about_id)
    before = an_appointment(stranger_patient, dana, visit.starts_at - 60 * MINUTE, state_of_care="CA")
    assert access.visit_of(her_seat(room), at=at).place == 1, "who has not come holds nobody up"
    Appointment.objects.filter(pk=before.pk).update(patient_arrived_at=at - 60 * MINUTE)
    seen = access.visit_of(her_seat(room), at=at)
    assert (seen.place, seen.expected_at) == (2, before.ends_at)


def test_the_pages_ask_the_database_no_more_than_they_must(
    alice: User,
    dana: User,
    at: dt.datetime,
    clock_at: Any,
    client_for: Any,
    django_assert_max_num_queries: Any,
) -> None:
    with clock_at(at):
        room = a_room(alice, dana, at)
        hers, theirs = client_for(alice), client_for(dana)
        hers.get(f"/video/{room.pk}/")
        theirs.get(f"/video/{room.pk}/")
        with django_assert_max_num_queries(16):
            assert hers.get(f"/video/{room.pk}/").status_code == 200
        with django_assert_max_num_queries(22):
            page = theirs.get(f"/video/{room.pk}/")
    assert seat(dana, room).admitted_at == at
    assert "Alice Lindqvist" in page.content.decode()
