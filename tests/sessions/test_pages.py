"""The dosing day as pages, without JavaScript: the patient's room, the sitter's page, the care team's desk."""

import datetime as dt
import html
import re
import uuid

import pytest

from notify.actions.callbacks import receive_text
from notify.models import OutboxMessage
from safety.models import Alert
from sessions import actions, states
from sessions.models import DoseRelease, DosingSession, JournalEntry
from tests.sessions.builders import (
    ATTESTED,
    CLEAR_ANSWERS,
    MINUTE,
    WELL,
    a_course,
    a_finished_session,
    a_reading,
    a_session_in_progress,
    a_session_ready_for_release,
    an_opened_session,
    everything_arrived,
    first_session,
    fresh,
)
from vitals.models import Reading

pytestmark = pytest.mark.django_db


def page(client, address):
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status_code)
    return answer.content.decode()


def send(client, path, /, follow=False, **data):
    return client.post(path, {"intent": str(uuid.uuid4()), **data}, follow=follow)


def words(text):
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", text)))


@pytest.fixture
def room(alice):
    return lambda session, part="": f"/sessions/{session.pk}/{part}"


def test_the_whole_day_by_pages(alice, dana, cole, at, client_for, clock_at, client, room):
    """Journey 7: checklist, sitter by link, readings, release, dose, music, checks, readings, symptoms, end, morning after."""
    session = first_session(a_course(alice, dana, at))
    everything_arrived(session, dana, at)
    sitter = client.__class__()
    with clock_at(at):
        patient, coach = client_for(alice), client_for(cole)
        assert "Begin the day" in page(patient, room(session))
        assert send(patient, room(session, "start/")).status_code == 302
        assert "Today's questions" in page(patient, room(session))
        bad = send(patient, room(session, "check/"), **{**CLEAR_ANSWERS, "fasted": ""})
        assert bad.status_code == 422 and "Error:" in bad.content.decode()
        assert send(patient, room(session, "check/"), **CLEAR_ANSWERS).status_code == 302
        assert "Where you are today" in page(patient, room(session))
        send(
            patient, room(session, "place/"), address="12 Elm Street, San Francisco", state="CA", contact_name="Maja",
            contact_phone="415 555 0112",
        )  # fmt: skip
        assert "Who is with you?" in page(patient, room(session))
        own = send(patient, room(session, "sitter/"), name="Sam", phone=alice.phone)
        assert own.status_code == 422 and "your own number" in words(own.content.decode())
        send(patient, room(session, "sitter/"), name="Sam", phone="415 555 0177")
        link = OutboxMessage.objects.get(kind="sitter_link").context["link"].split("8000")[-1]
        assert "Your part" in page(sitter, link)
        refused = send(sitter, link + "confirm/", attested=["adult"])
        assert refused.status_code == 422
        assert send(sitter, link + "confirm/", attested=list(ATTESTED)).status_code == 302
        assert "You are confirmed" in words(page(sitter, link))
        assert "Sit for five minutes first" in page(patient, room(session))
        send(patient, room(session, "reading/"), systolic_mmhg=121, diastolic_mmhg=79, pulse_bpm=72)
    with clock_at(at + 2 * MINUTE):
        assert "Once more" in page(patient, room(session))
        send(patient, room(session, "reading/"), systolic_mmhg=119, diastolic_mmhg=77, pulse_bpm=70)
        assert "Almost there" in page(patient, room(session))
        desk = page(coach, room(session))
        assert "All 16 are met" in desk and "Release 200 mg" in desk
        answer = send(coach, room(session, "release/"), follow=True)
        assert "Released: 200 mg" in answer.content.decode()
    with clock_at(at + 3 * MINUTE):
        assert "Your dose is open" in page(patient, room(session))
        assert send(patient, room(session, "taken/"), units_taken=2).status_code == 422
        send(patient, room(session, "taken/"), units_taken=2, read_by_two="on")
        assert "Lie back" in page(patient, room(session))
    taken = at + 3 * MINUTE
    for minute in (15, 30, 45, 60):
        with clock_at(taken + minute * MINUTE):
            assert "Please look in now" in page(sitter, link)
            assert send(sitter, link + "check/", well="yes").status_code == 302
    with clock_at(taken + 41 * MINUTE):
        assert "Save this reading" in page(sitter, link)
        send(sitter, link + "reading/", systolic_mmhg=131, diastolic_mmhg=84, pulse_bpm=80)
        assert Reading.objects.filter(phase="t40", source="sitter").count() == 1
    with clock_at(taken + 62 * MINUTE):
        send(patient, room(session, "music/end/"))
        assert fresh(session).state == states.OBSERVING
    with clock_at(taken + 66 * MINUTE):
        assert "Your blood pressure" in page(patient, room(session))
        send(patient, room(session, "reading/"), systolic_mmhg=126, diastolic_mmhg=80, pulse_bpm=74)
        assert "Rest" in page(patient, room(session))
        page(patient, room(session, "symptoms/"))
        assert (
            send(patient, room(session, "symptoms/"), dissociation=2, nausea=1, sedation=1).status_code == 302
        )
        send(patient, "/sessions/journal/", body="A house by the sea.")
    with clock_at(taken + 121 * MINUTE):
        send(patient, room(session, "reading/"), systolic_mmhg=120, diastolic_mmhg=78, pulse_bpm=70)
        answers = {name: "yes" if value else "no" for name, value in WELL.items()}
        early = send(patient, room(session, "end/"), follow=True, **answers)
        assert "A little longer" in early.content.decode()
        assert "I sign" in page(sitter, link)
        send(sitter, link + "sign/")
        done = send(patient, room(session, "end/"), follow=True, **answers)
        assert "Well done. Now rest." in done.content.decode()
        assert "Thank you" in page(sitter, link)
        assert "No driving" in page(patient, "/sessions/")
    with clock_at(taken + dt.timedelta(hours=19)):
        assert "How are you this morning?" in page(client_for(alice), room(session))
        send(client_for(alice), room(session, "follow-up/"), slept="yes", mood_0_10=7, suicidal_thoughts="no")
        assert fresh(session).state == states.CLOSED
        assert "This session is complete" in page(client_for(alice), room(session))
    assert not Alert.objects.exists()


def test_pr_06_a_positive_answer_shows_help_in_the_same_response(alice, dana, at, client_for, clock_at, room):
    session = first_session(a_course(alice, dana, at))
    with clock_at(at):
        patient = client_for(alice)
        send(patient, room(session, "start/"))
        answer = send(patient, room(session, "check/"), **{**CLEAR_ANSWERS, "suicidal": "yes"})
    assert answer.status_code == 200
    text = words(answer.content.decode())
    assert "988" in text and "Somebody is calling you" in text and Alert.objects.get().trigger == "X03"


def test_a_red_flag_shows_911_with_the_address_in_the_same_response(
    alice, dana, at, client_for, clock_at, room
):
    session = a_session_in_progress(alice, dana, at)
    with clock_at(at + 10 * MINUTE):
        answer = send(client_for(alice), room(session, "symptoms/"), red_flags=["chest_pain"])
    text = words(answer.content.decode())
    assert answer.status_code == 200 and "Call 911 now" in text and "12 Elm Street" in text
    assert Alert.objects.get().trigger == "X01"


def test_help_is_one_press_in_every_state(alice, dana, at, client_for, clock_at, room):
    session = a_session_in_progress(alice, dana, at)
    with clock_at(at + 10 * MINUTE):
        patient = client_for(alice)
        assert f'href="{room(session, "help/")}"' in page(patient, room(session))
        page(patient, room(session, "help/"))
        page(patient, room(session, "stop/"))
        assert send(patient, room(session, "help/"), kind="not_safe").status_code == 200
    assert Alert.objects.get().trigger == "X02"


def test_a_caution_reading_is_a_pause_with_a_time_to_measure_again(
    alice, dana, at, client_for, clock_at, room
):
    session = a_session_ready_for_release(alice, dana, at, readings=((146, 88, 70), (144, 88, 70)))
    with clock_at(at):
        text = words(page(client_for(alice), room(session)))
        assert "Let's wait a little" in text and "Measure again from 9:14 am PST" in text
        assert "red" not in text.lower().split()
    with clock_at(at + 15 * MINUTE):
        assert "When you are ready, measure again" in words(page(client_for(alice), room(session)))


def test_a_high_reading_is_no_dose_today_and_a_crisis_one_says_911(
    alice, dana, at, client_for, clock_at, room
):
    session = a_session_ready_for_release(alice, dana, at, readings=((165, 88, 70), (164, 88, 70)))
    with clock_at(at):
        assert "Today is not the day" in words(page(client_for(alice), room(session)))
        a_reading(session, at, 185, 100)
        assert "911" in words(page(client_for(alice), room(session)).split("<main")[1])


def test_the_psychiatrist_releases_a_caution_reading_with_a_reason_and_the_coach_sees_no_button(
    alice, dana, cole, at, client_for, clock_at, room
):
    session = a_session_ready_for_release(alice, dana, at, readings=((146, 88, 70), (144, 88, 70)))
    with clock_at(at):
        assert "stays locked" in page(client_for(cole), room(session))
        doctor = client_for(dana)
        assert "with this reason" in page(doctor, room(session))
        assert send(doctor, room(session, "release/"), caution_reason="Known rise.").status_code == 422
        send(doctor, room(session, "release/"), caution_reason="Known rise.", plan_t40="on")
    assert DoseRelease.objects.get().caution_reason == "Known rise."


def test_pr_11_a_release_without_a_fresh_second_factor_is_sent_to_give_one(
    alice, dana, cole, at, client_for, clock_at, room
):
    from accounts.step_up import METHODS_KEY
    from common import clock

    session = a_session_ready_for_release(alice, dana, at)
    coach = client_for(cole)
    kept = coach.session
    kept[METHODS_KEY] = [{"method": "mfa", "type": "totp", "at": clock.wall_time_s() - 301}]
    kept.save()
    with clock_at(at):
        answer = send(coach, room(session, "release/"))
    assert answer.status_code == 302 and "/accounts/2fa/" in answer["Location"]
    assert not DoseRelease.objects.exists()


def test_pr_09_the_same_form_sent_again_releases_once(alice, dana, cole, at, client_for, clock_at, room):
    session = a_session_ready_for_release(alice, dana, at)
    intent = str(uuid.uuid4())
    with clock_at(at):
        coach = client_for(cole)
        answers = [coach.post(room(session, "release/"), {"intent": intent}) for _ in range(3)]
    assert {a.status_code for a in answers} == {302} and DoseRelease.objects.count() == 1


def test_nobody_else_opens_the_room_or_the_desk(
    alice,
    dana,
    at,
    client_for,
    clock_at,
    room,
    stranger_patient,
    other_coach,
    other_psychiatrist,
    admin_ann,
    client,
):
    session = a_session_in_progress(alice, dana, at)
    with clock_at(at + MINUTE):
        for person in (stranger_patient, other_coach, other_psychiatrist, admin_ann):
            for part in ("", "symptoms/", "help/", "stop/"):
                answer = client_for(person).get(room(session, part))
                assert answer.status_code == 404 and b"Alice" not in answer.content
        assert client.get(room(session)).status_code == 302
        assert client.get("/s/not-a-token/").status_code == 404


def test_a_sitter_who_sees_blue_lips_gets_the_911_page(alice, dana, at, clock_at, client):
    session = a_session_in_progress(alice, dana, at)
    from sessions import actions

    _, plain = actions.invite_sitter(session, name="Sam", phone="+14155550177", by=alice, at=at)
    with clock_at(at + 16 * MINUTE):
        link = f"/s/{plain}/"
        send(client, link + "confirm/", attested=list(ATTESTED))
        answer = send(client, link + "check/", well="no", findings=["colour"])
        assert answer.status_code == 200 and "Call 911 now" in words(answer.content.decode())
        page(client, link + "symptoms/")
        assert send(client, link + "help/").status_code == 200
    assert set(Alert.objects.values_list("trigger", flat=True)) == {"X01", "X07"}


def test_a_journal_is_private_until_an_entry_is_shared(alice, dana, cole, at, client_for, clock_at, room):
    session = a_finished_session(alice, dana, at)
    with clock_at(at + 130 * MINUTE):
        patient, coach = client_for(alice), client_for(cole)
        send(patient, "/sessions/journal/", body="SECRET-SEA")
        assert "SECRET-SEA" not in page(coach, room(session))
        entry = JournalEntry.objects.get()
        send(patient, f"/sessions/journal/{entry.pk}/share/", to="share")
        assert "SECRET-SEA" in page(coach, room(session))
        send(patient, f"/sessions/journal/{entry.pk}/share/", to="keep")
        assert "SECRET-SEA" not in page(coach, room(session))
        assert "SECRET-SEA" in page(patient, "/sessions/journal/")
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT body FROM dosing_journalentry")
        assert "SECRET" not in cursor.fetchone()[0]


def test_the_board_shows_whose_session_is_on(alice, dana, cole, other_coach, at, client_for, clock_at):
    session = a_session_in_progress(alice, dana, at)
    with clock_at(at + 20 * MINUTE):
        board = words(page(client_for(cole), "/sessions/"))
        assert "Going on now" in board and "Alice Lindqvist" in board and "Late" in board
        assert "Alice" not in page(client_for(other_coach), "/sessions/")
        assert "Session 1" in page(client_for(alice), "/sessions/")
    assert DosingSession.objects.get(pk=session.pk).state == states.DOSING


def test_moving_a_session_by_page(alice, dana, at, client_for, clock_at, room):
    session = first_session(a_course(alice, dana, at, first_in_days=2))
    with clock_at(at):
        patient = client_for(alice)
        page(patient, room(session, "move/"))
        assert send(patient, room(session, "move/"), on="2020-01-01").status_code == 422
        assert (
            send(patient, room(session, "move/"), on=str((at + dt.timedelta(days=4)).date())).status_code
            == 302
        )


def test_hz_16_a_patient_in_a_session_is_not_logged_out_by_sitting_still(
    alice, dana, at, client_for, clock_at, room
):
    session = a_session_in_progress(alice, dana, at)
    patient = client_for(alice)
    with clock_at(at + MINUTE):
        page(patient, room(session))
        kept = patient.session
        kept["seen_at_s"] = kept["seen_at_s"] - 3600
        kept.save()
        assert patient.get(room(session)).status_code == 200


def test_hz_20_a_psychiatrist_clears_only_the_answers_that_stood_on_the_page(
    alice, dana, at, client_for, clock_at, room
):
    session = an_opened_session(alice, dana, at - 30 * MINUTE)
    seen = actions.answer_check(
        session, answers={**CLEAR_ANSWERS, "ill": "yes"}, by=alice, at=at - 20 * MINUTE
    ).check
    with clock_at(at):
        desk = client_for(dana)
        assert f'name="check" value="{seen.pk}"' in page(desk, room(session))
        later = actions.answer_check(
            session, answers={**CLEAR_ANSWERS, "suicidal": "yes"}, by=alice, at=at - 5 * MINUTE
        ).check
        send(desk, room(session, "clear/"), note="A cold, spoke with her", check=str(seen.pk))
    seen.refresh_from_db()
    later.refresh_from_db()
    assert seen.cleared_at is not None and later.cleared_at is None


def test_the_desk_says_that_the_sitters_number_answered_stop(
    client_for, alice, dana, cole, protocol_version, at, clock_at
):
    """HZ-23: the sitter's page, and every text about a missed look, went to that number."""
    session = a_session_in_progress(alice, dana, at)
    assert session.sitter is not None
    with clock_at(at):
        page = f"/sessions/{session.pk}/"
        assert "answered STOP" not in client_for(cole).get(page).content.decode()
        receive_text(sid="SM1", from_number=session.sitter.phone, body="stop", vendor_opt_out="", at=at)
        assert "This number answered STOP" in client_for(cole).get(page).content.decode()
