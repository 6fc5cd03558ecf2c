"""PR-06, HZ-08: a safety answer brings help and a person, also from a form that is half filled, late, or sent again."""

import datetime as dt
import uuid

import pytest

from notify.models import OutboxMessage
from safety.models import AdverseEvent, Alert, SafetyHold
from sessions import actions
from tests.sessions.builders import (
    CLEAR_ANSWERS,
    MINUTE,
    a_finished_session,
    a_session_in_progress,
    a_sitter,
    an_opened_session,
)
from tests.sessions.test_pages import send, words

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


def helped(answer):
    """Help stands in this very answer, somebody was called, and the dose is held."""
    text = words(answer.content.decode())
    assert answer.status_code == 200 and "988" in text, answer.status_code
    alert = Alert.objects.get(episode_key="suicide_risk")
    assert alert.severity >= 3 and SafetyHold.objects.filter(cleared_at__isnull=True).exists()
    return alert


@pytest.fixture
def path():
    return lambda session, part: f"/sessions/{session.pk}/{part}/"


def test_hz_08_half_of_the_days_questions_with_a_safety_answer_is_heard(
    alice, dana, at, client_for, clock_at, path
):
    session = an_opened_session(alice, dana, at)
    with clock_at(at + MINUTE):
        helped(send(client_for(alice), path(session, "check"), suicidal="yes"))


def test_hz_08_the_days_questions_sent_from_a_stale_page_are_heard(
    alice, dana, at, client_for, clock_at, path
):
    session = an_opened_session(alice, dana, at)
    actions.abort(session, reason="care_team", by=dana, at=at + MINUTE)
    with clock_at(at + 2 * MINUTE):
        helped(send(client_for(alice), path(session, "check"), **{**CLEAR_ANSWERS, "safe_now": "no"}))


def test_hz_08_the_questions_at_the_end_are_heard_when_the_session_is_over(
    alice, dana, at, client_for, clock_at, path
):
    session = a_finished_session(alice, dana, at)
    with clock_at(at + 130 * MINUTE):
        helped(send(client_for(alice), path(session, "end"), suicidal="yes", awake="yes"))


def test_hz_08_a_second_morning_after_and_a_half_filled_one_are_heard(
    alice, dana, at, client_for, clock_at, path
):
    session = a_finished_session(alice, dana, at)
    with clock_at(at + DAY):
        patient = client_for(alice)
        helped(send(patient, path(session, "follow-up"), suicidal_thoughts="yes", slept="yes"))
        whole = {"slept": "yes", "mood_0_10": "5", "suicidal_thoughts": "no"}
        assert send(patient, path(session, "follow-up"), **whole).status_code == 302
        helped(send(patient, path(session, "follow-up"), **{**whole, "suicidal_thoughts": "yes"}))
    assert Alert.objects.get().signs == 2


def test_pr_06_the_same_form_sent_again_shows_help_again(alice, dana, at, client_for, clock_at, path):
    session = a_finished_session(alice, dana, at)
    form = {"slept": "yes", "mood_0_10": "2", "suicidal_thoughts": "yes", "intent": str(uuid.uuid4())}
    with clock_at(at + DAY):
        patient = client_for(alice)
        helped(patient.post(path(session, "follow-up"), form))
        helped(patient.post(path(session, "follow-up"), form, follow=True))
    assert Alert.objects.get().signs == 1


def test_hz_07_what_a_sitter_sees_counts_more_than_a_tick_that_all_is_well(alice, dana, at, clock_at, client):
    session = a_session_in_progress(alice, dana, at)
    _, token = a_sitter(session, at + MINUTE)
    with clock_at(at + 8 * MINUTE):
        answer = send(client, f"/s/{token}/check/", well="yes", findings=["colour"])
    assert answer.status_code == 200 and "Call 911 now" in words(answer.content.decode())
    assert Alert.objects.get().trigger == "X01"


def test_tm_04_a_sitters_secret_is_not_kept_with_the_forms_they_sent(alice, dana, at, clock_at, client):
    from common.models import ClientIntent

    session = a_session_in_progress(alice, dana, at)
    _, token = a_sitter(session, at + MINUTE)
    form = {"intent": str(uuid.uuid4()), "systolic_mmhg": "121", "diastolic_mmhg": "79", "pulse_bpm": "70"}
    with clock_at(at + 8 * MINUTE):
        for _ in range(2):
            answer = client.post(f"/s/{token}/reading/", form, follow=True)
            assert answer.status_code == 200 and answer.request["PATH_INFO"] == f"/s/{token}/"
    assert not [row for row in ClientIntent.objects.all() if token in row.result_url]


def test_x15_a_sitter_who_says_a_child_took_some_gets_poison_control_in_the_answer_and_a_person_is_called(
    alice, dana, at, clock_at, client
):
    """PR-06, X15: heard once however often it is sent, whatever else of the form is wrong, and under the sitter's own link."""
    session = a_session_in_progress(alice, dana, at)
    _, token = a_sitter(session, at + MINUTE)
    form = {
        "intent": str(uuid.uuid4()), "kind": "child_exposed", "units_missing": "many", "description": "The little one.",
    }  # fmt: skip
    with clock_at(at + 8 * MINUTE):
        page = client.get(f"/s/{token}/medicine/").content.decode()
        assert "1-800-222-1222" in page and "child_exposed" in page and "early_refill" not in page
        first = client.post(f"/s/{token}/medicine/", form)
        again = client.post(f"/s/{token}/medicine/", form, follow=True)
    assert first.status_code == 200
    for answer in (first, again):
        assert "1-800-222-1222" in answer.content.decode() and "tel:911" in answer.content.decode()
    event = AdverseEvent.objects.get()
    assert (event.kind, event.description, event.session_id) == (
        "child_exposed", "The little one.", session.pk,
    )  # fmt: skip
    assert event.reported_by.startswith("sitter:")
    assert (event.alert.trigger, event.alert.signs, event.alert.in_session) == ("X15", 1, True)
    assert sorted(SafetyHold.objects.values_list("reason_code", flat=True)) == ["diversion", "dose_error"]


def test_a_sitters_form_without_a_kind_asks_again_and_a_stranger_finds_no_such_page(
    alice, dana, at, clock_at, client
):
    session = a_session_in_progress(alice, dana, at)
    _, token = a_sitter(session, at + MINUTE)
    with clock_at(at + 8 * MINUTE):
        answer = client.post(
            f"/s/{token}/medicine/", {"intent": str(uuid.uuid4()), "description": "Keep this"}
        )
        assert answer.status_code == 422 and "Keep this" in answer.content.decode()
        assert client.get(f"/s/{token[:-2]}xx/medicine/").status_code == 404
    assert not AdverseEvent.objects.exists()


DYING = "They speak of dying, or of harming themselves"


def heard(answer, *, signs=1):
    """988, 911 and our number in this very answer; the person on call is paged for a high risk and the next dose is held."""
    text = answer.content.decode()
    assert answer.status_code == 200 and "Stay with them" in words(text)
    for number in ("tel:988", "sms:988", "tel:911", "(555) 010-0199", "12 Elm Street"):
        assert number in text, number
    alert = Alert.objects.get(trigger="X02")
    assert (alert.severity, alert.detail_codes, alert.signs) == (4, ["speaks_of_dying"], signs)
    assert OutboxMessage.objects.filter(about_id=alert.pk, lane="crisis").exists()
    assert SafetyHold.objects.filter(reason_code="suicide_risk", cleared_at=None).count() == 1


def test_x02_a_sitter_tells_with_one_press_that_they_speak_of_dying_whatever_the_session_is_at(
    alice, dana, at, clock_at, client
):
    """PR-06, HZ-08: from the card before the session, the watch, the list of signs, and the evening after."""
    session = an_opened_session(alice, dana, at)
    _, token = a_sitter(session, at)
    form = {"kind": "speaks_of_dying"}
    with clock_at(at + MINUTE):
        assert DYING in client.get(f"/s/{token}/").content.decode()
        heard(send(client, f"/s/{token}/help/", **form))
        actions.abort(session, reason="care_team", by=dana, at=at + MINUTE)
    with clock_at(at + 2 * MINUTE):
        for part in ("", "symptoms/", "help/"):
            text = client.get(f"/s/{token}/{part}").content.decode()
            assert DYING in text and 'value="speaks_of_dying"' in text, part
        heard(send(client, f"/s/{token}/help/", **form), signs=2)


def test_x02_the_sitters_press_sent_twice_is_heard_once_and_shows_the_numbers_again(
    alice, dana, at, clock_at, client
):
    session = a_session_in_progress(alice, dana, at)
    _, token = a_sitter(session, at + MINUTE)
    form = {"intent": str(uuid.uuid4()), "kind": "speaks_of_dying"}
    with clock_at(at + 8 * MINUTE):
        assert DYING in client.get(f"/s/{token}/").content.decode()
        heard(client.post(f"/s/{token}/help/", form))
        again = client.post(f"/s/{token}/help/", form, follow=True)
    assert again.status_code == 200 and "tel:988" in again.content.decode()
    assert Alert.objects.get().signs == 1


@pytest.mark.parametrize(
    "sent",
    [
        {"well": "no", "findings": ["speaks_of_dying"]},
        {"well": "yes", "findings": ["speaks_of_dying"]},
        {"findings": ["speaks_of_dying", "of no list"]},
    ],
    ids=["ticked", "ticked beside all is well", "with something nobody knows"],
)
def test_x02_ticked_at_a_look_it_is_heard_whatever_else_the_form_says(
    alice, dana, at, clock_at, client, sent
):
    """HZ-08: it fails open."""
    session = a_session_in_progress(alice, dana, at)
    _, token = a_sitter(session, at + MINUTE)
    with clock_at(at + 16 * MINUTE):
        assert DYING in client.get(f"/s/{token}/").content.decode()
        heard(send(client, f"/s/{token}/check/", **sent))


def test_x02_beside_an_emergency_of_the_body_both_numbers_stand_in_the_answer(
    alice, dana, at, clock_at, client
):
    session = a_session_in_progress(alice, dana, at)
    _, token = a_sitter(session, at + MINUTE)
    with clock_at(at + 16 * MINUTE):
        answer = send(client, f"/s/{token}/check/", well="no", findings=["colour", "speaks_of_dying"])
    text = answer.content.decode()
    assert "Call 911 now" in words(text) and "tel:988" in text
    assert set(Alert.objects.values_list("trigger", flat=True)) == {"X01", "X02"}


def test_x02_opening_the_sitters_page_of_help_calls_nobody(alice, dana, at, clock_at, client):
    session = a_session_in_progress(alice, dana, at)
    _, token = a_sitter(session, at + MINUTE)
    with clock_at(at + 8 * MINUTE):
        assert "tel:988" in client.get(f"/s/{token}/help/").content.decode()
    assert not Alert.objects.exists()
