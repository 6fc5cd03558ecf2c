"""The alert lane when things go wrong together: late answers, clocks that differ, vendors that lie, people who change."""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from accounts.models import Patient, User
from common import clock
from common.clock import now as wall
from common.errors import Conflict, NotPermitted
from common.models import AuditEntry, ClockOffset
from notify.actions import dispatch_crisis
from notify.gateways import twilio_gateway
from notify.models import Heartbeat, OutboxMessage
from safety.actions import acknowledge, close, escalate_due, record_contact, remove_shift, take_over
from safety.management.commands.pager import Pager
from safety.models import Alert
from tests.notify.builders import a_text
from tests.safety.builders import a_shift, an_alert
from tests.twilio_server import TwilioServer, recording_twilio, signature
from vitals.actions import record_reading

MINUTE = dt.timedelta(minutes=1)
SECOND = dt.timedelta(seconds=1)


def fresh(alert: Alert) -> Alert:
    return Alert.objects.get(pk=alert.pk)


def called(alert: Alert, since: dt.datetime) -> set[str]:
    """Whom the pages of this moment and later are for."""
    rows = OutboxMessage.objects.filter(about_id=alert.pk, kind="crisis_page", created_at__gte=since)
    return {row.recipient.full_name.split()[0] for row in rows.select_related("recipient")}


@pytest.fixture
def roster(dana: User, other_psychiatrist: User, at: dt.datetime) -> None:
    """Dana first, Priya second."""
    a_shift(dana, at)
    a_shift(other_psychiatrist, at, level=2)


# --- a key pressed late, or sent twice ---


def press(client: Client, settings: Any, address: str) -> str:
    settings.TWILIO_AUTH_TOKEN = "token"
    form = {"Digits": "1", "CallSid": "CA1"}
    signed = signature("token", address, form)
    path = address.removeprefix(settings.SITE_URL)
    return client.post(path, form, headers={"X-Twilio-Signature": signed}).content.decode()


def address_of_call(alert: Alert, person: User) -> str:
    row = OutboxMessage.objects.filter(about_id=alert.pk, recipient=person).order_by("-created_at").first()
    assert row is not None
    return row.context["answer_url"]


def test_the_key_of_an_earlier_call_never_takes_what_got_worse_since(
    client: Client, settings: Any, roster: None, alice: User, dana: User, at: dt.datetime
) -> None:
    """HZ-08, PR-07: pressed late, or sent again by the carrier after somebody had taken it and a worse sign came."""
    alert = an_alert(alice, at, trigger="X04", severity=3)
    first_call = address_of_call(alert, dana)
    assert "You have taken it" in press(client, settings, first_call)
    an_alert(alice, at + 5 * MINUTE, trigger="X04", severity=4)
    assert "got worse" in press(client, settings, first_call)
    assert fresh(alert).state == "open"
    assert "You have taken it" in press(client, settings, address_of_call(alert, dana))
    assert fresh(alert).acknowledged_by == dana


def test_the_key_of_an_earlier_call_does_not_take_what_got_worse_before_anybody_had_it(
    client: Client, settings: Any, roster: None, alice: User, dana: User, at: dt.datetime
) -> None:
    """HZ-08, PR-07: the ladder goes on from the opening, the key belongs to the round that it was called in."""
    alert = an_alert(alice, at, trigger="X04", severity=3, magnitude=170)
    first_call = address_of_call(alert, dana)
    for n in (1, 2):
        an_alert(alice, at + n * MINUTE, trigger="X04", severity=3, magnitude=170 + n)
        assert fresh(alert).escalating_since_at == at
        assert "got worse" in press(client, settings, first_call)
        assert fresh(alert).state == "open"
        first_call = address_of_call(alert, dana)
    assert "You have taken it" in press(client, settings, first_call)
    assert fresh(alert).acknowledged_by == dana


def test_a_talk_that_nobody_has_had_is_not_owed_later_because_it_got_worse(
    roster: None, alice: User, dana: User, at: dt.datetime
) -> None:
    """X02: fifteen minutes from the first sign, taken or not."""
    an_alert(alice, at)
    alert = an_alert(alice, at + 5 * MINUTE, detail_codes=["plan"])
    assert alert.contact_by_at == at + 15 * MINUTE
    acknowledge(alert, by=dana, at=at + 6 * MINUTE)
    assert an_alert(alice, at + 8 * MINUTE, detail_codes=["not_safe"]).contact_by_at == at + 15 * MINUTE
    mild = an_alert(alice, at, trigger="X03", severity=2, episode="other")
    assert mild.contact_by_at == at + dt.timedelta(hours=24)
    graver = an_alert(alice, at + 5 * MINUTE, trigger="X02", episode="other")
    assert graver.contact_by_at == at + 20 * MINUTE


def test_the_key_of_any_call_of_the_same_round_takes_it(
    client: Client, settings: Any, roster: None, alice: User, dana: User, at: dt.datetime
) -> None:
    alert = an_alert(alice, at)
    escalate_due(at=at + MINUTE)
    oldest = OutboxMessage.objects.filter(about_id=alert.pk, recipient=dana).earliest("created_at")
    assert "You have taken it" in press(client, settings, oldest.context["answer_url"])


# --- a worse reading is never silent ---


@pytest.mark.parametrize(
    ("known", "then", "worse"),
    [
        ((165, 100, 70), (190, 125, 70), True),
        ((170, 92, 70), (165, 104, 70), True),  # the lower one rises behind an upper one that falls
        ((190, 110, 70), (185, 121, 70), True),
        ((185, 100, 70), (84, 52, 70), True),  # a crash behind a crisis, though its band is milder
        ((85, 52, 70), (78, 51, 70), True),  # falling further
        ((185, 100, 70), (182, 98, 131), True),  # a racing pulse
        ((185, 100, 70), (182, 98, 36), True),
        ((165, 100, 70), (165, 100, 70), False),
        ((190, 125, 70), (165, 100, 70), False),
    ],
)
def test_each_number_is_compared_with_its_own_worst(
    roster: None,
    alice: User,
    dana: User,
    at: dt.datetime,
    protocol_version: Any,
    known: Any,
    then: Any,
    worse: bool,
) -> None:
    """HZ-08, HZ-09: whoever has taken the first reading is not the only one who hears of a worse one."""

    def take(numbers: tuple[int, int, int], when: dt.datetime) -> None:
        systolic, diastolic, pulse = numbers
        record_reading(
            patient=Patient.objects.get(pk=alice.pk), systolic_mmhg=systolic, diastolic_mmhg=diastolic, pulse_bpm=pulse,
            taken_at=when, source="patient", by=alice, at=when, phase="t65",
        )  # fmt: skip

    take(known, at)
    alert = acknowledge(Alert.objects.get(), by=dana, at=at + MINUTE)
    take(then, at + 5 * MINUTE)
    assert fresh(alert).state == ("open" if worse else "acknowledged")
    assert "Dana" in called(alert, at + 5 * MINUTE)
    # Better again, and then once more as bad as the worst: equal, so only those who have it hear.
    if worse:
        acknowledge(fresh(alert), by=dana, at=at + 6 * MINUTE)
        take(known, at + 10 * MINUTE)
        take(then, at + 15 * MINUTE)
        assert fresh(alert).state == "acknowledged" and fresh(alert).signs == 4


def test_an_equal_sign_reaches_whoever_is_on_call_by_then(
    alice: User, dana: User, other_psychiatrist: User, at: dt.datetime
) -> None:
    """HZ-09: the shift of whoever took it has ended."""
    a_shift(dana, at, hours=1)
    alert = acknowledge(an_alert(alice, at), by=dana, at=at)
    later = at + dt.timedelta(hours=2)
    a_shift(other_psychiatrist, later)
    an_alert(alice, later)
    assert called(alert, later) == {"Dana", "Priya"}


def test_the_same_sign_in_a_session_shortens_the_ladder(roster: None, alice: User, at: dt.datetime) -> None:
    """PR-07: three minutes from the opening, not five."""
    alert = an_alert(alice, at, trigger="X04")
    an_alert(alice, at + MINUTE, trigger="X04", in_session=True)
    assert fresh(alert).next_escalation_at == at + 3 * MINUTE
    an_alert(alice, at, trigger="X04", episode="other")
    late = at + 4 * MINUTE
    an_alert(alice, late, trigger="X04", episode="other", in_session=True)
    assert Alert.objects.get(episode_key="other").level == 2


# --- taken is not done ---


def test_past_the_contact_clock_more_people_are_called_until_somebody_has_talked_with_them(
    roster: None, alice: User, dana: User, admin_ann: User, cole: User, at: dt.datetime
) -> None:
    """X02: taken within 5 minutes, live contact within 15."""
    alert = acknowledge(an_alert(alice, at), by=dana, at=at + 4 * MINUTE)
    assert escalate_due(at=at + 15 * MINUTE - SECOND) == 0
    assert escalate_due(at=at + 15 * MINUTE) == 1
    assert called(alert, at + 15 * MINUTE) == {"Dana", "Priya"}
    assert escalate_due(at=at + 20 * MINUTE) == 1
    assert called(alert, at + 20 * MINUTE) == {"Dana", "Priya", "Ann", "Cole"}
    assert fresh(alert).state == "acknowledged"
    record_contact(alert, by=dana, at=at + 22 * MINUTE)
    assert escalate_due(at=at + 81 * MINUTE) == 0
    # And the hour until it is closed goes on from the talk.
    assert escalate_due(at=at + 82 * MINUTE) == 1
    assert called(alert, at + 82 * MINUTE) == {"Dana"}
    lines = AuditEntry.objects.filter(object_id=str(alert.pk)).values_list("action", flat=True)
    assert [a for a in lines if "contact" in a or "reached" in a] == [
        "alert.contact_late", "alert.contact_late", "alert.reached",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("trigger", "severity", "clock_min", "every_min"),
    [("X03", 2, 24 * 60, 30), ("X03", 3, 4 * 60, 30), ("X03", 4, 24 * 60, 5), ("X02", 4, 15, 5)],
)
def test_past_its_contact_clock_what_is_no_emergency_calls_as_often_as_the_slower_rounds(
    roster: None, alice: User, dana: User, admin_ann: User, cole: User, at: dt.datetime, trigger: str, severity: int,
    clock_min: int, every_min: int,
) -> None:  # fmt: skip
    """HZ-09, PR-07: whom nobody could talk with in a day rings both levels, then everyone: each half hour after a mild answer."""
    alert = acknowledge(an_alert(alice, at, trigger=trigger, severity=severity), by=dana, at=at + MINUTE)
    assert alert.contact_by_at == at + clock_min * MINUTE
    rounds = {}
    for minutes in range(2, clock_min + 2 * 60 + 1):
        if escalate_due(at=at + minutes * MINUTE):
            rounds[minutes - clock_min] = called(alert, at + minutes * MINUTE)
    # Before it is over, each hour whoever has it; the last of these puts off nothing.
    assert all(people == {"Dana"} for minutes, people in rounds.items() if minutes < 0)
    after = {minutes: people for minutes, people in rounds.items() if minutes >= 0}
    assert list(after) == list(range(0, 121, every_min))
    # X03 calls the patient's own coach as well.
    both_levels = {"Dana", "Priya"} | ({"Cole"} if trigger == "X03" else set())
    assert after[0] == both_levels
    assert all(people == {"Dana", "Priya", "Ann", "Cole"} for minutes, people in after.items() if minutes)
    assert fresh(alert).state == "acknowledged"


def test_whoever_takes_it_late_has_five_minutes_to_get_through(
    roster: None, alice: User, dana: User, at: dt.datetime
) -> None:
    alert = acknowledge(an_alert(alice, at), by=dana, at=at + 14 * MINUTE)
    assert fresh(alert).next_page_at == at + 19 * MINUTE


def test_a_talk_before_it_got_worse_does_not_answer_for_what_came_after(
    roster: None, alice: User, dana: User, at: dt.datetime
) -> None:
    alert = acknowledge(an_alert(alice, at), by=dana, at=at)
    record_contact(alert, by=dana, at=at + MINUTE)
    an_alert(alice, at + 2 * MINUTE, detail_codes=["not_safe"])
    found = fresh(alert)
    assert (found.state, found.reached_at, found.reached_by) == ("open", None, None)
    assert found.contact_by_at == at + 17 * MINUTE


def test_an_alert_is_taken_over_from_somebody_who_does_not_get_through(
    roster: None, alice: User, dana: User, other_psychiatrist: User, at: dt.datetime, clock_at: Any
) -> None:
    """PR-07: compare and set, by name; the story tells it."""
    priya = other_psychiatrist
    alert = acknowledge(an_alert(alice, at), by=dana, at=at)
    with clock_at(at):
        taken = take_over(alert, holder=str(dana.pk), by=priya, at=at + 10 * MINUTE)
        assert (taken.state, taken.acknowledged_by) == ("acknowledged", priya)
        with pytest.raises(Conflict) as refused:
            take_over(alert, holder=str(alice.pk), by=dana, at=at + 11 * MINUTE)
    assert "Priya Raman" in refused.value.detail
    assert AuditEntry.objects.filter(action="alert.taken_over", object_id=str(alert.pk)).count() == 1


def test_nobody_off_the_ladder_says_that_they_talked_or_takes_over(
    roster: None, alice: User, dana: User, other_coach: User, admin_ann: User, at: dt.datetime
) -> None:
    alert = acknowledge(an_alert(alice, at), by=dana, at=at)
    for stranger in (other_coach, admin_ann, alice):
        for attempt in (
            lambda who: record_contact(alert, by=who, at=at),
            lambda who: take_over(alert, holder=str(dana.pk), by=who, at=at),
        ):
            with pytest.raises(NotPermitted):
                attempt(stranger)
    assert fresh(alert).reached_at is None and fresh(alert).acknowledged_by == dana


def test_what_came_in_while_somebody_wrote_the_note_is_looked_at_before_the_close(
    client_for: Any, roster: None, alice: User, dana: User, at: dt.datetime
) -> None:
    """HZ-20, PR-07: the page shows the further sign and keeps the words."""
    alert = acknowledge(an_alert(alice, at), by=dana, at=at)
    client = client_for(dana)
    page = client.get(f"/alerts/{alert.pk}/").content.decode()
    assert 'name="signs_seen" value="1"' in page
    an_alert(alice, at + MINUTE)
    form = {"disposition": "contacted_safe", "note": "Spoke with her.", "signs_seen": "1"}
    refused = client.post(
        f"/alerts/{alert.pk}/close/", {**form, "intent": "6a1f7a1e-0000-4000-8000-000000000001"}
    )
    words = refused.content.decode()
    assert refused.status_code == 422 and "further sign" in words and "Spoke with her." in words
    assert 'name="signs_seen" value="2"' in words and fresh(alert).state == "acknowledged"
    again = client.post(
        f"/alerts/{alert.pk}/close/",
        {**form, "signs_seen": "2", "intent": "6a1f7a1e-0000-4000-8000-000000000002"},
    )
    assert again.status_code == 302 and fresh(alert).state == "closed"


@pytest.mark.parametrize("listed", [False, True])
def test_a_page_left_open_since_it_was_mild_does_not_take_what_it_has_become(
    client_for: Any, roster: None, alice: User, dana: User, at: dt.datetime, listed: bool
) -> None:
    """HZ-20, PR-07: the alert's own page and the list both say what was looked at; the answer shows what it is now."""
    alert = an_alert(alice, at, trigger="X03", severity=2)
    client = client_for(dana)
    page = client.get("/alerts/" if listed else f"/alerts/{alert.pk}/").content.decode()
    form = re.search(rf'<form[^>]*action="/alerts/{alert.pk}/acknowledge/".*?</form>', page, re.DOTALL)
    assert form
    sent = dict(re.findall(r'name="(intent|signs_seen)" value="([^"]+)"', form[0]))
    assert sent["signs_seen"] == "1"
    an_alert(alice, at + MINUTE, trigger="X03", severity=4)
    refused = client.post(f"/alerts/{alert.pk}/acknowledge/", sent)
    words = refused.content.decode()
    assert refused.status_code == 409 and "A further sign came in since you looked." in words
    assert "S4" in words and 'name="signs_seen" value="2"' in words
    now = fresh(alert)
    assert (now.state, now.acknowledged_by) == ("open", None) and now.next_page_at is not None
    # The page that was shown anew takes it.
    form = re.search(rf'<form[^>]*action="/alerts/{alert.pk}/acknowledge/".*?</form>', words, re.DOTALL)
    assert form
    sent = dict(re.findall(r'name="(intent|signs_seen)" value="([^"]+)"', form[0]))
    assert client.post(f"/alerts/{alert.pk}/acknowledge/", sent).status_code == 302
    assert fresh(alert).acknowledged_by == dana


def test_the_api_takes_no_more_than_was_read_when_it_says_what_was_read(
    api_for: Any, roster: None, alice: User, dana: User, at: dt.datetime
) -> None:
    """HZ-20, PR-07"""
    alert = an_alert(alice, at, trigger="X03", severity=2)
    api = api_for(dana)
    (row,) = api.get("/api/v1/alerts/").json()["results"]
    an_alert(alice, at + MINUTE, trigger="X03", severity=4)
    address = f"/api/v1/alerts/{alert.pk}/acknowledge/"
    refused = api.post(address, {"signs_seen": row["signs"]})
    assert (refused.status_code, refused.json()["code"]) == (409, "further_sign")
    assert fresh(alert).state == "open"
    assert api.post(address, {"signs_seen": 0}).status_code == 400
    (row,) = api.get("/api/v1/alerts/").json()["results"]
    assert api.post(address, {"signs_seen": row["signs"]}).status_code == 200
    # Without it, as before.
    other = an_alert(alice, at + MINUTE, trigger="X04")
    an_alert(alice, at + 2 * MINUTE, trigger="X04")
    assert api.post(f"/api/v1/alerts/{other.pk}/acknowledge/", {}).status_code == 200


def test_the_pages_of_a_talk_and_of_taking_over(
    client_for: Any, roster: None, alice: User, dana: User, cole: User, at: dt.datetime
) -> None:
    alert = acknowledge(an_alert(alice, at), by=cole, at=at)
    client = client_for(dana)
    page = client.get(f"/alerts/{alert.pk}/").content.decode()
    assert "I have talked with them" in page and "Take it over" in page and "Talk with the person by" in page
    url = f"/alerts/{alert.pk}"
    client.post(
        f"{url}/take-over/", {"holder": str(cole.pk), "intent": "6a1f7a1e-0000-4000-8000-000000000003"}
    )
    assert fresh(alert).acknowledged_by == dana
    client.post(f"{url}/reached/", {"intent": "6a1f7a1e-0000-4000-8000-000000000004"})
    assert fresh(alert).reached_by == dana
    page = client.get(f"/alerts/{alert.pk}/").content.decode()
    assert "talked with the person" in page and "I have talked with them" not in page and "taken over" in page


def test_closing_an_alert_by_somebody_else_than_its_taker_is_by_name_too(
    roster: None, alice: User, dana: User, other_psychiatrist: User, at: dt.datetime, clock_at: Any
) -> None:
    alert = acknowledge(an_alert(alice, at), by=dana, at=at)
    with clock_at(at):
        done = close(alert, by=other_psychiatrist, at=at, disposition="contacted_safe", note="We spoke.")
    assert (done.acknowledged_by, done.closed_by) == (dana, other_psychiatrist)


# --- the roster changes while an alert climbs ---


def test_the_next_page_goes_to_whoever_is_on_call_then(
    alice: User, dana: User, other_psychiatrist: User, admin_ann: User, at: dt.datetime
) -> None:
    """HZ-25"""
    shift = a_shift(dana, at)
    alert = an_alert(alice, at, trigger="X04")
    assert called(alert, at) == {"Dana"}
    remove_shift(shift, by=admin_ann, at=at + 30 * SECOND)
    a_shift(other_psychiatrist, at + 40 * SECOND)
    escalate_due(at=at + MINUTE)
    assert called(alert, at + MINUTE) == {"Priya"}


def test_somebody_without_a_phone_is_mailed_at_once(
    alice: User, other_coach: User, admin_ann: User, at: dt.datetime
) -> None:
    """Nobody without a phone is put on call; when everyone is called they are not left out."""
    alert = an_alert(alice, at, trigger="X04")
    escalate_due(at=at + 10 * MINUTE)
    page = OutboxMessage.objects.filter(about_id=alert.pk, recipient=other_coach).latest("created_at")
    assert (page.channel, page.fallbacks) == ("email", ["screen"])


# --- clocks ---


def test_a_page_goes_though_the_clock_of_the_host_that_promised_it_runs_ahead(
    roster: None, alice: User, at: dt.datetime
) -> None:
    """PR-05: two minutes ahead is no two minutes of waiting; what is meant for later still waits."""
    alert = an_alert(alice, at + 2 * MINUTE)
    assert dispatch_crisis(at=at).sent == OutboxMessage.objects.filter(about_id=alert.pk).count() > 0


def test_pagers_go_by_the_databases_clock(db: None, roster: None) -> None:
    """Two hosts whose clocks differ climb no ladder twice and see no lease as over: both ask the same clock."""
    ClockOffset.set_seconds(3600)
    assert dt.timedelta(minutes=59) < clock.database_now() - wall() < dt.timedelta(minutes=61)
    Pager().run(once=True)
    beat = Heartbeat.objects.get(lane="crisis")
    assert abs(beat.at - clock.database_now()) < MINUTE


# --- vendors ---


@pytest.fixture
def twilio(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[TwilioServer]:
    with recording_twilio() as server:
        settings.TWILIO_ACCOUNT_SID = server.account_sid
        settings.TWILIO_API_KEY, settings.TWILIO_API_SECRET = server.user, server.password
        settings.TWILIO_AUTH_TOKEN, settings.TWILIO_FROM = server.auth_token, "+15550100199"
        settings.TWILIO_API_BASE = server.url
        monkeypatch.setattr(twilio_gateway, "TIMEOUT_S", 0.3)
        twilio_gateway._client.cache_clear()
        yield server
        twilio_gateway._client.cache_clear()


@pytest.mark.parametrize(
    ("trouble", "tries"),
    [
        ("nonsense", 4),  # an answer that is no JSON: in doubt, again, then the next channel
        ("refuse:401:20003", 4),  # our own key is wrong
        ("refuse:429:20429", 4),
        ("refuse:400:21211", 2),  # a number that does not exist is not tried twice
    ],
)
def test_whatever_twilio_answers_the_page_is_with_the_next_channel_within_a_minute(
    twilio: TwilioServer, roster: None, alice: User, dana: User, at: dt.datetime, trouble: str, tries: int
) -> None:
    """PR-05, PR-18"""
    twilio.behave = trouble
    alert = an_alert(alice, at)
    for seconds in range(60):
        dispatch_crisis(at=at + seconds * SECOND)
        if OutboxMessage.objects.filter(about_id=alert.pk, channel="email", state="sent").exists():
            break
    # One may follow another in the same instant; what is left to try says which came first.
    rows = sorted(OutboxMessage.objects.filter(about_id=alert.pk), key=lambda row: -len(row.fallbacks))
    assert [(row.channel, row.state) for row in rows] == [
        ("sms", "failed"), ("voice", "failed"), ("email", "sent"),
    ]  # fmt: skip
    assert sum(row.attempts for row in rows if row.channel != "email") == tries


def test_a_channel_that_kills_its_senders_is_left_for_the_next_one(dana: User, at: dt.datetime) -> None:
    """PR-05: a page whose sender died twice is not given to a third one over the same channel."""
    page = a_text(dana, at, lane="crisis", fallbacks=["voice", "email"])
    OutboxMessage.objects.filter(pk=page.pk).update(state="sending", lease_until=at, attempts=2)
    dispatch_crisis(at=at + SECOND)
    page.refresh_from_db()
    assert page.state == "failed" and page.attempts == 3
    assert dispatch_crisis(at=at + 2 * SECOND).sent == 1
    assert OutboxMessage.objects.get(channel="voice").state == "sent"


def test_a_page_with_no_other_channel_is_sent_again_however_often_its_sender_died(
    dana: User, at: dt.datetime
) -> None:
    page = a_text(dana, at, lane="crisis")
    OutboxMessage.objects.filter(pk=page.pk).update(state="sending", lease_until=at, attempts=7)
    assert dispatch_crisis(at=at + SECOND).sent == 1
