"""Coming, waiting, being let in, guests, running late, closing; and nobody else."""

import datetime as dt
import re
import uuid
from typing import Any

import pytest
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.test import Client

from accounts.models import DeaRegistration, Patient, User
from common import clock
from common.errors import Conflict, Invalid, NotPermitted, NotVisible
from common.models import AuditEntry
from consults import actions as consults
from consults.actions.rooms import follow_visit
from consults.models import Appointment
from notify.models import OutboxMessage
from tests.consults.builders import an_appointment, any_protocol, weekly_hours
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
    assert list(access.waiting_for(dana, at=at)) == [her_seat(room)]


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


@pytest.mark.parametrize("how", ["closed", "another role"])
def test_nobody_waits_for_a_clinician_who_has_left(
    how: str, alice: User, dana: User, at: dt.datetime, clock_at: Any, client_for: Any
) -> None:
    """TM-04: she reads that another time is found, in the waiting room already and at its door."""
    room = a_room(alice, dana, at)
    with clock_at(at):
        browser = client_for(alice)
        assert "Waiting room" in browser.get(f"/video/{room.pk}/").content.decode()
        User.objects.filter(pk=dana.pk).update(
            **({"is_active": False} if how == "closed" else {"role": "administrator"})
        )
        assert browser.get(f"/video/{room.pk}/line/").json()["over"] is True
        page = browser.get(f"/video/{room.pk}/").content.decode()
        assert "is not with us any more. Choose another time, or wait: we find you one." in page
        assert "knows that you are here" not in page
        assert browser.get(f"/video/{room.pk}/pass/").status_code == 409
    with pytest.raises(Conflict) as refused:
        actions.come(her_seat(room), at=at)
    assert refused.value.code == "clinician_gone"


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
    guest, _ = actions.come_by_link(guest, at=at)
    assert guest.admitted_at is None
    actions.admit(guest, by=dana, at=at)
    actions.remove(guest, by=dana, at=at)
    with pytest.raises(NotVisible):
        access.guest_seat(secret, at=at)
    with pytest.raises(NotPermitted, match="End the visit"):
        actions.remove(her_seat(room), by=dana, at=at)


def test_no_page_of_a_guest_speaks_to_a_sitter(
    alice: User, dana: User, at: dt.datetime, clock_at: Any, client: Any
) -> None:
    room = a_room(alice, dana, at)
    guest, secret = actions.invite_guest(room, kind="interpreter", name="Iris", by=dana, at=at)
    link = f"/v/{secret}/"
    with clock_at(at):
        pages = [client.get(link), client.get(f"{link}check/")]
        client.post(f"{link}in/", {"intent": "2f0c8a5e-8f0e-4a5b-9d56-6f1c3a1b0c01"})
        pages.append(client.get(link))
        actions.admit(Seat.objects.get(pk=guest.pk), by=dana, at=at)
        pages.append(client.get(link))
    for page in (one.content.decode() for one in pages):
        assert "Online visit" in page and "Nothing of a visit is recorded" in page
        assert "Sitter" not in page and "until the session is closed" not in page


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


# --- the door ---


def test_nobody_passes_the_door_without_saying_who_and_where_and_a_moved_visit_asks_again(
    alice: User, dana: User, at: dt.datetime, clock_at: Any, client_for: Any
) -> None:
    """HZ-05: the room's own address is no way around the question where help would have to be sent."""
    visit = a_visit(alice, dana, at, patient_arrived_at=None)
    room = consults.open_visit_room(visit, by=dana, at=at)
    with pytest.raises(Conflict) as refused:
        actions.come(her_seat(room), at=at)
    assert refused.value.code == "entry_needed"
    with clock_at(at):
        page = client_for(alice).get(f"/video/{room.pk}/").content.decode()
        assert f"/consults/{visit.pk}/join/" in page and "where you are right now" in page
        assert client_for(alice).get(f"/video/{room.pk}/pass/").status_code == 409
    consults.arrive(visit, state_now="CA", by=alice, at=at)
    assert actions.come(her_seat(room), at=at).waiting_since_at == at
    later = at + 3 * 24 * 60 * MINUTE
    Appointment.objects.filter(pk=visit.pk).update(
        during=DateTimeTZRange(later, later + 60 * MINUTE), patient_arrived_at=None
    )
    visit.refresh_from_db()
    consults.open_visit_room(visit, by=dana, at=at)
    assert her_seat(room).waiting_since_at is None, "she does not wait for next week’s visit"
    with pytest.raises(Conflict) as refused:
        actions.come(her_seat(room), at=later)
    assert refused.value.code == "entry_needed"


def test_the_clinician_has_the_place_and_the_numbers_at_hand_and_nobody_else_reads_them(
    alice: User, dana: User, at: dt.datetime
) -> None:
    room = a_room(alice, dana, at)
    Patient.objects.filter(pk=alice.pk).update(address="Zanzibar Canary Lane 5")
    assert (
        dict(access.visit_of(their_seat(room), at=at).at_hand)["Where they are now"]
        == "Zanzibar Canary Lane 5, CA"
    )
    guest, _ = actions.invite_guest(room, kind="interpreter", name="Iris", by=dana, at=at)
    for one in (her_seat(room), guest):
        assert access.visit_of(one, at=at).at_hand == []


def test_a_link_that_was_passed_on_takes_nobodys_place_unseen(
    alice: User, dana: User, at: dt.datetime, clock_at: Any
) -> None:
    """TM-04: the browser that came in with a guest's link is the guest; another one waits at the door and is let in anew."""
    room = a_room(alice, dana, at)
    with clock_at(at):
        guest, secret = actions.invite_guest(room, kind="interpreter", name="Iris", by=alice, at=at)
        iris, thief = Client(), Client()
        door = iris.get(f"/v/{secret}/").content.decode()
        assert "I agree, and come in" in door and "Waiting room" not in door
        assert Seat.objects.get(pk=guest.pk).waiting_since_at is None, (
            "a preview of the link makes nobody wait"
        )
        for path in ("pass", "line"):
            assert iris.get(f"/v/{secret}/{path}/").status_code == 409
        assert iris.post(f"/v/{secret}/in/", {"intent": str(uuid.uuid4())}).status_code == 302
        assert "Waiting room" in iris.get(f"/v/{secret}/").content.decode()
        actions.admit(Seat.objects.get(pk=guest.pk), by=dana, at=at)
        assert iris.get(f"/v/{secret}/pass/").json()["admitted"] is True

        assert "in another browser" in thief.get(f"/v/{secret}/").content.decode()
        assert thief.get(f"/v/{secret}/pass/").status_code == 409
        assert iris.get(f"/v/{secret}/pass/").json()["admitted"] is True, "looking changes nothing"
        thief.post(f"/v/{secret}/in/", {"intent": str(uuid.uuid4())})
        assert thief.get(f"/v/{secret}/pass/").json()["admitted"] is False, (
            "whoever comes in now is looked at"
        )
        assert iris.get(f"/v/{secret}/pass/").status_code == 409
        assert AuditEntry.objects.filter(action="room.guest_other_browser").count() == 1


def test_an_interpreter_is_invited_days_before_and_the_patient_can_take_it_back(
    alice: User, dana: User, at: dt.datetime, clock_at: Any, client_for: Any
) -> None:
    any_protocol(at, dana)
    visit = an_appointment(alice, dana, at + 4 * 24 * 60 * MINUTE)
    with clock_at(at):
        hers: Client = client_for(alice)
        to = hers.post(f"/consults/{visit.pk}/guests/", {"intent": str(uuid.uuid4())})["Location"]
        page = hers.post(
            to, {"intent": str(uuid.uuid4()), "kind": "interpreter", "name": "Iris", "phone": ""}
        )
        secret = re.search(r"/v/([\w-]+)/", page.content.decode()).group(1)  # type: ignore[union-attr]
        assert "not open yet" in Client().get(f"/v/{secret}/").content.decode()
        assert Client().post(f"/v/{secret}/in/", {"intent": str(uuid.uuid4())}).status_code == 409
        seat = Seat.objects.get(role="guest")
        assert f"/consults/{visit.pk}/" in hers.get(to).content.decode(), (
            "back to the visit, not to a closed room"
        )
        assert (
            hers.post(
                f"{to.replace('guests', 'remove')}{seat.pk}/", {"intent": str(uuid.uuid4())}
            ).status_code
            == 302
        )
        assert Client().get(f"/v/{secret}/").status_code == 404
        mine = client_for(dana)
        assert mine.post(f"/consults/{visit.pk}/guests/", {"intent": str(uuid.uuid4())})["Location"] == to


def test_a_guest_shows_nobody_out(alice: User, dana: User, cole: User, at: dt.datetime) -> None:
    room = a_room(alice, dana, at)
    guest, _ = actions.invite_guest(room, kind="family", name="Sam", by=alice, at=at)
    with pytest.raises(NotPermitted):
        actions.remove(guest, by=cole, at=at)
    with pytest.raises(NotPermitted, match="End the visit"):
        actions.remove(their_seat(room), by=alice, at=at)


def test_an_ended_room_opens_again_for_its_clinician_alone_and_everybody_is_let_in_anew(
    alice: User, dana: User, at: dt.datetime
) -> None:
    room = a_room(alice, dana, at)
    visit = Appointment.objects.get(pk=room.about_id)
    actions.come(her_seat(room), at=at)
    actions.admit(her_seat(room), by=dana, at=at)
    actions.close_room(room, by=dana, at=at + MINUTE)
    assert consults.open_visit_room(visit, by=alice, at=at + 2 * MINUTE).closed_at is not None
    assert consults.open_visit_room(visit, by=dana, at=at + 2 * MINUTE).closed_at is None
    assert her_seat(room).admitted_at is None
    assert AuditEntry.objects.filter(action="room.reopened").count() == 1


def test_a_cancelled_visit_ends_its_room_and_a_moved_one_takes_its_guests_along(
    alice: User, dana: User, at: dt.datetime
) -> None:
    room = a_room(alice, dana, at)
    visit = Appointment.objects.get(pk=room.about_id)
    _, secret = actions.invite_guest(room, kind="family", name="Sam", by=alice, at=at)
    moved = at + 24 * 60 * MINUTE
    Appointment.objects.filter(pk=visit.pk).update(during=DateTimeTZRange(moved, moved + 60 * MINUTE))
    visit.refresh_from_db()
    follow_visit(visit, at=at)
    assert access.guest_seat(secret, at=moved).room_id == room.pk
    consults.cancel(visit, by=alice, at=at)
    assert Room.objects.get(pk=room.pk).closed_at == at
    with pytest.raises(NotVisible):
        access.guest_seat(secret, at=at)


# --- who waits, on every page of the clinician ---


def test_the_clinician_reads_at_once_that_somebody_waits_and_hears_it_by_text_and_mail_once(
    alice: User,
    dana: User,
    cole: User,
    other_psychiatrist: User,
    at: dt.datetime,
    clock_at: Any,
    client_for: Any,
) -> None:
    User.objects.filter(pk=dana.pk).update(phone="+14155550123")
    room = a_room(alice, dana, at)
    with clock_at(at):
        actions.come(her_seat(room), at=at)
        home = client_for(dana).get("/home/").content.decode()
        assert (
            "Alice Lindqvist" in home
            and f"/video/{room.pk}/" in home
            and "waits for your visit since" in home
        )
        for somebody, words in ((dana, "Alice Lindqvist"), (cole, ""), (other_psychiatrist, "")):
            found = client_for(somebody).get("/staff/now/").content.decode()
            assert words in found if words else "Alice" not in found
        assert "Alice" not in client_for(dana).get(f"/staff/now/?here={room.pk}").content.decode()
        actions.come(her_seat(room), at=at + MINUTE)
        told = OutboxMessage.objects.filter(kind="visit_waiting", recipient=dana)
        assert sorted(told.values_list("channel", flat=True)) == ["email", "sms"]
        assert all(one.due_at == at for one in told)
        actions.admit(her_seat(room), by=dana, at=at)
        assert "Alice" not in client_for(dana).get("/staff/now/").content.decode()


def test_one_arrival_is_one_text_and_one_mail_and_coming_anew_to_a_moved_visit_is_one_more_of_each(
    alice: User, dana: User, admin_ann: User, at: dt.datetime, clock_at: Any, client_for: Any
) -> None:
    """Through the pages: the question at the door and the waiting room behind it are one arrival, and so is the page again."""
    User.objects.filter(pk=dana.pk).update(phone="+14155550123")
    Patient.objects.filter(pk=alice.pk).update(date_of_birth=dt.date(1988, 4, 2))
    weekly_hours(dana)
    visit = a_visit(alice, dana, at, patient_arrived_at=None)

    def comes(now: dt.datetime) -> None:
        said = {"state_now": "CA", "date_of_birth": "1988-04-02", "at_address": "yes"}
        with clock_at(now):
            client = client_for(alice)
            page = client.post(
                f"/consults/{visit.pk}/join/", {"intent": str(uuid.uuid4()), **said}, follow=True
            )
            assert "Waiting room" in page.content.decode()
        with clock_at(now + MINUTE):
            client.get(page.request["PATH_INFO"])

    def told() -> list[str]:
        rows = OutboxMessage.objects.filter(kind="visit_waiting", recipient=dana)
        assert {row.context["link"].partition("/consults/")[2] for row in rows} == {f"visit/{visit.pk}/"}
        return sorted(rows.values_list("channel", flat=True))

    comes(at)
    assert told() == ["email", "sms"]
    next_day = at + dt.timedelta(days=1)
    consults.reschedule(visit, starts_at=next_day, clinician_id=None, by=dana, at=at + MINUTE)
    assert told() == ["email", "sms"]
    comes(next_day - 10 * MINUTE)
    assert told() == ["email"] * 2 + ["sms"] * 2
    # Nobody comes to her: once more of each, and not at every look.
    for minutes in (10, 11):
        now = next_day + minutes * MINUTE
        actions.note_page(her_seat(Room.objects.get(about_id=visit.pk)), at=now)
        assert consults.notice_who_waits_in_vain(at=now) == 1
    assert told() == ["email"] * 3 + ["sms"] * 3


def test_whoever_sits_in_the_room_already_is_sent_nothing_when_the_patient_comes(
    alice: User, dana: User, at: dt.datetime
) -> None:
    visit = a_visit(alice, dana, at, patient_arrived_at=None)
    room = consults.open_visit_room(visit, by=dana, at=at)
    actions.take_seat(their_seat(room), connection="c", page="p", at=at)
    consults.arrive(visit, state_now="CA", by=alice, at=at)
    assert not OutboxMessage.objects.filter(kind="visit_waiting").exists()


def test_whoever_has_left_the_waiting_room_is_said_to_have_left(
    alice: User, dana: User, at: dt.datetime, clock_at: Any, client_for: Any
) -> None:
    room = a_room(alice, dana, at)
    with clock_at(at):
        assert client_for(alice).get(f"/video/{room.pk}/").status_code == 200
        assert client_for(alice).get(f"/video/{room.pk}/line/").status_code == 200
    away = dt.timedelta(seconds=rules.AWAY_SECONDS)
    assert access.still_here(her_seat(room), at=at + away)
    assert not access.still_here(her_seat(room), at=at + away + dt.timedelta(seconds=1))
    with clock_at(at + 2 * MINUTE):
        assert "has left the page" in client_for(dana).get("/staff/now/").content.decode()


def test_asking_who_waits_keeps_nobody_logged_in(
    alice: User, dana: User, at: dt.datetime, clock_at: Any, client_for: Any, settings: Any, monkeypatch: Any
) -> None:
    """PR-10: a page that asks by itself is no sign of somebody at the desk; a page of a visit is one."""
    room = a_room(alice, dana, at)
    begun = clock.wall_time_s()
    with clock_at(at):
        idle, talking = client_for(dana), client_for(dana)
        for client in (idle, talking):
            client.get("/home/")
        for minutes in (6, 12, 16):
            monkeypatch.setattr("common.clock.wall_time_s", lambda m=minutes: begun + 60 * m)
            idle.get("/staff/now/")
            talking.get(f"/video/{room.pk}/pass/")
        assert idle.get("/home/").status_code == 302
        assert talking.get("/home/").status_code == 200


def test_the_waiting_room_tells_place_and_time_as_they_change(
    alice: User, stranger_patient: User, dana: User, at: dt.datetime, clock_at: Any, client_for: Any
) -> None:
    room = a_room(alice, dana, at)
    visit = Appointment.objects.get(pk=room.about_id)
    before = an_appointment(
        stranger_patient, dana, visit.starts_at - 60 * MINUTE, state_of_care="CA", patient_arrived_at=at
    )
    with clock_at(at):
        hers = client_for(alice)
        page = hers.get(f"/video/{room.pk}/").content.decode()
        assert (
            '<dd id="visit-before">1 person</dd>' in page
            and '<dd id="visit-expected">9:05 am PST</dd>' in page
        )
        actions.say_late(room, minutes=20, by=dana, at=at)
        now = hers.get(f"/video/{room.pk}/line/").json()
        assert (now["before"], now["expected"], now["late_minutes"]) == ("1 person", "9:25 am PST", 20)
        Appointment.objects.filter(pk=before.pk).update(state="completed")
        assert hers.get(f"/video/{room.pk}/line/").json()["before"] == "nobody"


def test_running_late_can_be_said_from_the_visits_page_before_anybody_has_come(
    alice: User, dana: User, at: dt.datetime, clock_at: Any, client_for: Any
) -> None:
    visit = a_visit(alice, dana, at, patient_arrived_at=None)
    with clock_at(at):
        mine = client_for(dana)
        sent = mine.post(f"/consults/visit/{visit.pk}/late/", {"minutes": "15", "intent": str(uuid.uuid4())})
        assert sent["Location"] == f"/consults/visit/{visit.pk}/"
        assert "They know of 15 minutes" in mine.get(f"/consults/visit/{visit.pk}/").content.decode()
        assert not SeatEvent.objects.exists(), "nobody is said to have been there"
        assert (
            mine.post(
                f"/consults/visit/{visit.pk}/late/", {"minutes": "17", "intent": str(uuid.uuid4())}
            ).status_code
            == 422
        )
    assert OutboxMessage.objects.filter(kind="visit_late", recipient=alice).count() == 2


def test_by_telephone_in_one_press_and_the_number_stands_on_each_page_without_scripts(
    alice: User, dana: User, at: dt.datetime, clock_at: Any, client_for: Any, settings: Any
) -> None:
    room = a_room(alice, dana, at)
    number = settings.PRACTICE["phone"]
    with clock_at(at):
        hers, theirs = client_for(alice), client_for(dana)
        waiting = hers.get(f"/video/{room.pk}/").content.decode()
        actions.admit(her_seat(room), by=dana, at=at)
        inside = hers.get(f"/video/{room.pk}/").content.decode()
        for page in (waiting, inside, hers.get("/video/check/").content.decode()):
            assert number in page[
                page.index("<noscript>") : page.index("</noscript>", page.index("<noscript>"))
            ] or ("<noscript><meta" in page and number in page.split("<noscript>")[2])
        for page in (waiting, inside):
            before = page[: page.index("Call me instead</button>")]
            assert before.count("<details") == before.count("</details>"), "not behind another press"
        hers.post(f"/video/{room.pk}/phone/", {"intent": str(uuid.uuid4())})
        assert "They know that you would rather be called" in hers.get(f"/video/{room.pk}/").content.decode()
        page = theirs.get(f"/video/{room.pk}/").content.decode()
        assert "asks to be called" in page and 'href="tel:+14155550111"' in page
        assert "asks to be called" in theirs.get("/staff/now/").content.decode()


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


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_without_a_proxy_the_line_is_under_the_name_by_which_the_page_was_opened(
    alice: User, dana: User, at: dt.datetime, clock_at: Any, client_for: Any, settings: Any, name: str
) -> None:
    settings.WS_PORT, settings.ALLOWED_HOSTS = "8001", ["localhost", "127.0.0.1"]
    with clock_at(at):
        room = a_room(alice, dana, at)
        hers: Client = client_for(alice)
        page = hers.get(f"/video/{room.pk}/", headers={"host": f"{name}:8000"})
        given = hers.get(f"/video/{room.pk}/pass/", headers={"host": f"{name}:8000"}).json()
    assert given["socket"] == f"ws://{name}:8001/ws/video/", "or its log-in would not be shown there"
    assert f"ws://{name}:8001" in page["Content-Security-Policy"]


def test_behind_a_proxy_the_line_is_under_the_address_of_the_site(
    alice: User, dana: User, at: dt.datetime, clock_at: Any, client_for: Any, settings: Any
) -> None:
    settings.WS_PORT, settings.SITE_URL = "", "https://care.example"
    with clock_at(at):
        room = a_room(alice, dana, at)
        hers: Client = client_for(alice)
        hers.get(f"/video/{room.pk}/")
        given = hers.get(f"/video/{room.pk}/pass/").json()
    assert given["socket"] == "wss://care.example/ws/video/"


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
    Appointment.objects.filter(pk=room.about_id).update(patient_arrived_at=None)
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
