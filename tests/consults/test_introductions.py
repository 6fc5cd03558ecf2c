"""The free introductory call: anybody who is not excluded, no account, a name and a contact, one link, one calendar."""

import datetime as dt
import re
import threading
import uuid
from zoneinfo import ZoneInfo

import pytest
from django.contrib.sessions.models import Session
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.access import patient_of
from common import hooks
from common.errors import Conflict, SlotTaken
from common.models import AuditEntry
from consults import actions
from consults.access.introductions import introduction_token
from consults.access.slots import introduction_slots, open_slots
from consults.actions import introductions as introduction_actions
from consults.models import Appointment, Introduction
from consults.views import introductions
from notify.models import OutboxMessage
from tests.conftest import a_psychiatrist
from tests.consults.builders import an_appointment, an_introduction, weekly_hours
from tests.intake.test_assessment_pages import walk

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("protocol_version")]
ZONE = "America/Los_Angeles"
# Three searches of five queries: the first free time, its week, and whether there is a later one; and what is around them.
PAGE_QUERIES = 18


@pytest.fixture
def open_week(dana, at, clock_at):
    weekly_hours(dana)
    with clock_at(at):
        yield dana


def assessed(**changes):
    client = Client()
    walk(client, **changes)
    return client


def free(at):
    return introduction_slots("CA", ZONE, at, at + dt.timedelta(days=7), at=at)


def choose(client, slot=None, *, intent=None, REMOTE="127.0.0.1", **typed):
    page = client.get("/introduction/").content.decode()
    found = slot or re.search(r"slot=([^&\"]+)&amp;", page)[1].replace("%7C", "|").replace(
        "%3A", ":"
    ).replace("%2B", "+")
    return client.post(
        "/introduction/details/",
        {"intent": intent or str(uuid.uuid4()), "slot": found, "zone": ZONE, "name": "Robin", "phone": "(415) 555-0177", **typed},
        REMOTE_ADDR=REMOTE,
    )  # fmt: skip


def test_a_visitor_books_without_an_account_and_the_psychiatrist_sees_it(open_week, client_for, at):
    """From the result page to the calendar and the work list."""
    client = assessed()
    assert 'href="/introduction/"' in client.get("/assessment/result/").content.decode()
    response = choose(client)
    assert response["Location"] == "/introduction/booked/"
    page = client.get(response["Location"], follow=True)
    text = page.content.decode()
    assert page.status_code == 200 and "Booked" in text and "20 minutes" in text and "Dana Reyes" in text
    row = Introduction.objects.get()
    assert (row.clinician, row.name, row.phone, row.state_of_care) == (
        open_week,
        "Robin",
        "+14155550177",
        "CA",
    )
    staff = client_for(open_week)
    assert "Robin" in staff.get("/calendar/").content.decode()
    mine = [item for found in hooks.run("work.items", user=open_week, at=at) for item in found]
    assert [item.kind for item in mine] == ["introduction.coming"]
    assert "+14155550177" in staff.get(mine[0].url).content.decode()


def test_nothing_of_the_assessment_is_kept_with_the_call_and_nothing_of_the_caller_in_clear(open_week):
    """No clinical data asked or stored; no session; no word about a person in the trail."""
    choose(assessed(main_problem="anxiety"))
    kept = {field.name for field in Introduction._meta.fields}
    assert kept == {
        "id", "clinician", "during", "state", "state_of_care", "time_zone", "name", "email", "phone", "contact_digest",
        "address_digest", "sequence", "meeting_url", "created_at", "cancelled_at", "forgotten_at",
    }  # fmt: skip
    assert Session.objects.count() == 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(i)::text FROM consults_introduction i")
        raw = cursor.fetchone()[0]
        cursor.execute("SELECT string_agg(row_to_json(m)::text, ' ') FROM notify_outboxmessage m")
        raw += cursor.fetchone()[0]
        cursor.execute("SELECT string_agg(row_to_json(c)::text, ' ') FROM common_clientintent c")
        raw += cursor.fetchone()[0]
    assert (
        "Robin" not in raw
        and "5550177" not in raw
        and introduction_token(Introduction.objects.get()) not in raw
    )
    assert "Robin" not in str(list(AuditEntry.objects.values()))


@pytest.mark.parametrize("changes", [{"aneurysm": "yes"}, {"state": "FL"}, {"monitor_available": "no"}])
def test_an_excluded_visitor_is_led_to_the_reasons_and_books_nothing(open_week, changes):
    client = assessed(**changes)
    assert "/introduction/" not in client.get("/assessment/result/").content.decode()
    assert client.get("/introduction/")["Location"] == "/assessment/result/"
    slot = free(dt.datetime(2026, 11, 23, 17, tzinfo=dt.UTC))[0]
    assert (
        choose(client, f"{slot.clinician_id}|{slot.starts_at.isoformat()}")["Location"]
        == "/assessment/result/"
    )
    assert not Introduction.objects.exists()


def test_without_answers_the_questions_come_first(open_week):
    assert Client().get("/introduction/")["Location"] == "/assessment/result/"


def test_a_patient_with_an_account_books_as_a_patient(open_week, client_for, alice):
    assert client_for(alice).get("/introduction/")["Location"] == "/consults/book/intro/"


def test_only_psychiatrists_of_the_visitors_state_are_offered(open_week, other_psychiatrist, at):
    weekly_hours(other_psychiatrist)
    assert {slot.clinician_id for slot in free(at)} == {open_week.pk}
    texas = introduction_slots("TX", "America/Chicago", at, at + dt.timedelta(days=7), at=at)
    assert {slot.clinician_id for slot in texas} == {other_psychiatrist.pk}


@pytest.mark.parametrize(
    "way",
    [
        {"phone": ""},
        {"phone": "12"},
        {"name": ""},
        {"name": "x\x00y"},
        {"name": "🦊" * 5000},
        {"email": "no"},
    ],
)
def test_what_is_missing_or_wrong_is_a_clear_sentence(open_week, way):
    response = choose(assessed(), **way)
    assert response.status_code == 422 and "error-summary" in response.content.decode()
    assert not Introduction.objects.exists()


@pytest.mark.parametrize(
    "slot",
    [
        "",
        "x",
        "x|y",
        f"{uuid.UUID(int=7)}|2026-11-24",
        f"{uuid.UUID(int=7)}|9999-12-31T23:59:59+00:00",
        "\x00|\x00",
    ],
)
def test_a_time_that_is_none_is_never_a_server_error(open_week, slot):
    client = assessed()
    response = client.post(
        "/introduction/details/",
        {"intent": str(uuid.uuid4()), "slot": slot, "name": "R", "phone": "4155550177"},
    )
    assert response.status_code in (302, 422)
    assert client.get("/introduction/details/", {"slot": slot}).status_code in (200, 302, 422)


def test_a_time_that_somebody_else_took_meanwhile_keeps_what_was_typed_and_offers_others(open_week, at):
    slot = free(at)[0]
    chosen = f"{slot.clinician_id}|{slot.starts_at.isoformat()}"
    an_introduction(open_week, at, starts_at=slot.starts_at)
    response = choose(assessed(), chosen)
    text = response.content.decode()
    assert response.status_code == 409 and 'value="Robin"' in text and "still free" in text
    assert Introduction.objects.count() == 1


def test_a_replayed_form_books_once(open_week):
    """PR-09."""
    client, intent = assessed(), str(uuid.uuid4())
    slot = free(dt.datetime(2026, 11, 23, 17, tzinfo=dt.UTC))[0]
    for _ in range(3):
        assert (
            choose(client, f"{slot.clinician_id}|{slot.starts_at.isoformat()}", intent=intent).status_code
            == 302
        )
    assert Introduction.objects.count() == 1


def test_a_call_takes_the_time_of_patients_and_a_visit_takes_the_time_of_callers(open_week, alice, at):
    slot = free(at)[3]
    row = an_introduction(open_week, at, starts_at=slot.starts_at)
    patient = patient_of(alice)
    taken = {s.starts_at for s in open_slots("consult", patient, at, at + dt.timedelta(days=2), at=at)}
    assert not any(s < row.ends_at and s + dt.timedelta(hours=1) > row.starts_at for s in taken)
    visit = an_appointment(alice, open_week, free(at)[10].starts_at)
    assert not any(s.starts_at < visit.ends_at and s.ends_at > visit.starts_at for s in free(at))


@pytest.mark.parametrize("first", ["call", "visit"])
def test_the_database_refuses_one_person_in_two_places(open_week, alice, at, first):
    """HZ-20: whatever the code does, a clinician's calendar is one."""
    when = at + dt.timedelta(days=2)
    make = {
        "call": lambda: an_introduction(open_week, at, starts_at=when + dt.timedelta(minutes=10)),
        "visit": lambda: an_appointment(alice, open_week, when),
    }
    make[first]()
    other = "visit" if first == "call" else "call"
    with pytest.raises(IntegrityError, match="at_a_time"), transaction.atomic():
        make[other]()


def test_a_patients_booking_over_a_call_is_a_clear_sentence(open_week, alice, at):
    """The slot was free when the page was made; the call came between look and press."""
    slot = open_slots("intro", patient_of(alice), at, at + dt.timedelta(days=2), at=at)[0]
    an_introduction(open_week, at, starts_at=slot.starts_at)
    with pytest.raises(SlotTaken):
        actions.hold_slot(
            patient_of(alice),
            visit_type="intro",
            clinician_id=slot.clinician_id,
            starts_at=slot.starts_at,
            by=alice,
            at=at,
        )


@pytest.mark.django_db(transaction=True)
def test_eight_visitors_press_the_same_time_and_one_has_it(dana, protocol_version, at):
    weekly_hours(dana)
    slot = free(at)[0]
    won, lost = [], []

    def press(number):
        try:
            won.append(
                actions.book_introduction(
                    state="CA", clinician_id=slot.clinician_id, starts_at=slot.starts_at, name=f"V{number}",
                    phone=f"+1415555{number:04d}", time_zone=ZONE, at=at,
                )
            )  # fmt: skip
        except SlotTaken:
            lost.append(number)
        finally:
            connection.close()

    threads = [threading.Thread(target=press, args=[n]) for n in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert (len(won), len(lost), Introduction.objects.count()) == (1, 7, 1)


def test_the_link_moves_and_cancels_and_the_calendar_file_follows(open_week, at):
    client = assessed()
    choose(client)
    row = Introduction.objects.get()
    link = f"/introduction/link/{introduction_token(row)}/"
    file = client.get(f"{link}appointment.ics").content.decode()
    assert "METHOD:REQUEST" in file and "SEQUENCE:0" in file and "Robin" not in file
    later = free(at)[12]
    move = client.post(
        f"{link}move/",
        {"intent": str(uuid.uuid4()), "slot": f"{later.clinician_id}|{later.starts_at.isoformat()}"},
    )
    assert move.status_code == 302
    row.refresh_from_db()
    assert (
        row.starts_at == later.starts_at
        and "SEQUENCE:1" in client.get(f"{link}appointment.ics").content.decode()
    )
    assert client.post(f"{link}cancel/", {"intent": str(uuid.uuid4())}).status_code == 302
    assert client.post(f"{link}cancel/", {"intent": str(uuid.uuid4())}).status_code == 302
    row.refresh_from_db()
    assert (
        row.state == "cancelled" and "METHOD:CANCEL" in client.get(f"{link}appointment.ics").content.decode()
    )
    assert later.starts_at in {slot.starts_at for slot in free(at)}
    waiting = OutboxMessage.objects.filter(
        about_id=row.pk, state="scheduled", kind__in=["visit_tomorrow", "visit_soon"]
    )
    assert not waiting.exists()


def test_confirmation_and_reminders_are_promised_without_a_clinical_word(open_week, at):
    choose(assessed(), email="robin@example.test")
    row = Introduction.objects.get()
    promised = sorted(OutboxMessage.objects.filter(about_id=row.pk).values_list("kind", "channel"))
    expected = [("visit_booked", "email"), ("visit_booked", "email"), ("visit_booked", "sms")]
    if row.starts_at - dt.timedelta(days=1) > at:
        expected += [("visit_tomorrow", "email"), ("visit_tomorrow", "sms")]
    expected += [("visit_soon", "sms")] if row.starts_at - dt.timedelta(hours=1) > at else []
    assert promised == sorted(expected)
    for message in OutboxMessage.objects.filter(about_id=row.pk):
        assert set(message.context) == {"when_words", "link"}


@pytest.mark.parametrize(
    ("zone", "hour", "tomorrow", "soon"),
    [
        ("America/Los_Angeles", 9, 9, 8),
        ("Pacific/Honolulu", 9, 8, None),  # a caller whose clock says seven: the hour before would be six
        (
            "America/Anchorage",
            9,
            8,
            None,
        ),  # eight: an hour before is night, and the end of the night is too late
        ("America/New_York", 17, 20, 19),
        ("America/Puerto_Rico", 18, 8, None),  # ten in the evening: both fall into the night
    ],
)
def test_a_caller_without_an_account_is_reminded_in_the_day_of_their_own_zone(
    open_week, at, zone, hour, tomorrow, soon
):
    """HZ-11: by the zone the caller chose, whatever the psychiatrist's clock says; once, also after the call moved."""
    home = dt.datetime(2026, 12, 2, hour, tzinfo=ZoneInfo("America/Los_Angeles"))
    row = an_introduction(open_week, at, starts_at=home, time_zone=zone, email="robin@example.test")
    for _ in range(2):
        introduction_actions._promise_reminders(row, at=at)
    waiting = OutboxMessage.objects.filter(about_id=row.pk, state="scheduled")

    def hours(kind):
        return sorted(
            (m.channel, m.due_at.astimezone(ZoneInfo(zone)).hour) for m in waiting.filter(kind=kind)
        )

    assert hours("visit_tomorrow") == [("email", tomorrow), ("sms", tomorrow)]
    assert hours("visit_soon") == ([] if soon is None else [("sms", soon)])
    assert all(m.due_at < row.starts_at and m.expires_at == row.starts_at for m in waiting)


@pytest.mark.parametrize(
    ("cancelled", "by_staff", "told"),
    [
        # Ten in the evening in California is one at night in New York, where the caller is.
        ((1, 22), True, (2, 8)),
        ((1, 22), False, (2, 1)),
        ((1, 12), True, (1, 15)),
        # The call would begin before their morning: at once, whatever the hour.
        ((2, 4), True, (2, 7)),
    ],
)
def test_what_a_caller_did_not_ask_for_waits_for_their_morning_unless_the_call_is_sooner(
    open_week, at, cancelled, by_staff, told
):
    """HZ-11: a cancelled call is told by day where the caller is; whoever cancels it themself is answered at once."""
    west, east = ZoneInfo("America/Los_Angeles"), ZoneInfo("America/New_York")
    begins = (
        dt.datetime(2026, 12, 2, 7, 30, tzinfo=east)
        if cancelled == (2, 4)
        else dt.datetime(2026, 12, 2, 9, tzinfo=west)
    )
    row = an_introduction(open_week, at, starts_at=begins, time_zone=str(east), email="robin@example.test")
    when = dt.datetime(2026, 12, *cancelled, tzinfo=west)
    introduction_actions.cancel_introduction(
        row, by=open_week if by_staff else introduction_actions.VISITOR, at=when
    )
    messages = list(OutboxMessage.objects.filter(about_id=row.pk, kind="visit_cancelled", recipient=None))
    assert {message.channel for message in messages} == {"email", "sms"}
    for message in messages:
        there = message.due_at.astimezone(east)
        assert (there.day, there.hour) == told, message.channel
        assert there < begins


def test_a_wrong_or_changed_link_opens_nothing(open_week, at):
    token = introduction_token(an_introduction(open_week, at))
    for wrong in (token[:-1] + ("A" if token[-1] != "A" else "B"), "x", f"{uuid.uuid4().hex}~x"):
        assert Client().get(f"/introduction/link/{wrong}/").status_code == 404


def test_another_psychiatrist_sees_no_call_and_no_name(open_week, other_psychiatrist, client_for, at):
    """HZ-05."""
    row = an_introduction(open_week, at)
    for address in ("", "room/", "end/"):
        client = client_for(other_psychiatrist)
        response = (
            client.post(f"/consults/introduction/{row.pk}/{address}", {"intent": str(uuid.uuid4())})
            if address
            else client.get(f"/consults/introduction/{row.pk}/")
        )
        assert response.status_code == 404 and b"Robin" not in response.content


def test_the_psychiatrist_sets_the_room_and_closes_the_call(open_week, client_for, at, clock_at):
    row = an_introduction(open_week, at)
    client, page = client_for(open_week), f"/consults/introduction/{row.pk}/"
    bad = client.post(f"{page}room/", {"intent": str(uuid.uuid4()), "meeting_url": "javascript:alert(1)"})
    assert bad.status_code == 422
    client.post(
        f"{page}room/", {"intent": str(uuid.uuid4()), "meeting_url": "https://meet.example.test/dana"}
    )
    assert (
        "meet.example.test" in Client().get(f"/introduction/link/{introduction_token(row)}/").content.decode()
    )
    with pytest.raises(Conflict):
        actions.close_introduction(row, happened=True, by=open_week, at=at)
    with clock_at(row.starts_at):
        client = client_for(open_week)
        client.post(f"{page}end/", {"intent": str(uuid.uuid4()), "how": "happened"})
    row.refresh_from_db()
    assert row.state == "completed"


def test_callers_are_forgotten_thirty_days_after_the_call(open_week, at):
    row = an_introduction(open_week, at)
    assert actions.forget_introductions(at=row.ends_at + dt.timedelta(days=30)) == 0
    assert actions.forget_introductions(at=row.ends_at + dt.timedelta(days=30, seconds=1)) == 1
    row.refresh_from_db()
    assert (row.name, row.phone, row.email, row.contact_digest) == ("", "", "", "")
    assert Client().get(f"/introduction/link/{introduction_token(row)}/").status_code == 404


def test_one_contact_has_two_calls_at_most(open_week, at):
    client = assessed()
    for _ in range(2):
        assert choose(client).status_code == 302
    response = choose(client)
    assert response.status_code == 409 and "call us" in response.content.decode().lower()
    assert Introduction.objects.count() == 2


def test_one_address_books_six_calls_a_day_and_shuts_out_nobody_else(open_week, at, clock_at):
    """Six from one household; the seventh is told to call, what was typed stays, and the neighbour books as before."""
    for number in range(6):
        response = choose(assessed(), phone=f"(415) 555-02{number:02d}", REMOTE="203.0.113.7")
        assert response.status_code == 302
    refused = choose(assessed(), phone="(415) 555-0299", REMOTE="203.0.113.7")
    text = refused.content.decode()
    assert refused.status_code == 409 and "Please call us" in text and 'value="Robin"' in text
    assert Introduction.objects.count() == 6
    slot = free(at)[-1]  # another day: a clinician's own day has a limit too
    other = f"{slot.clinician_id}|{slot.starts_at.isoformat()}"
    assert choose(assessed(), other, phone="(415) 555-0298", REMOTE="203.0.113.8").status_code == 302
    raw = str(list(Introduction.objects.values()))
    assert "203.0.113" not in raw
    # Taking calls back does not make room for more, a day does.
    for row in Introduction.objects.filter(phone__isnull=False)[:6]:
        actions.cancel_introduction(row, by=actions.VISITOR, at=at)
    with clock_at(at + dt.timedelta(hours=23, minutes=59)):
        assert choose(assessed(), phone="(415) 555-0297", REMOTE="203.0.113.7").status_code == 409
    with clock_at(at + dt.timedelta(hours=24)):
        assert choose(assessed(), phone="(415) 555-0297", REMOTE="203.0.113.7").status_code == 302


def test_neighbours_in_one_ipv6_network_count_as_one_household(open_week, rf):
    def seen(address, **headers):
        return introductions._address_of(rf.get("/", REMOTE_ADDR=address, **headers))

    assert seen("2001:db8:1:2::a") == seen("2001:db8:1:2:ffff::b") != seen("2001:db8:1:3::a")
    assert (seen("203.0.113.7"), seen(""), seen("nonsense")) == ("203.0.113.7", "", "")


@pytest.mark.parametrize(("proxies", "counts"), [(0, "198.51.100.1"), (1, "203.0.113.9")])
def test_only_what_our_own_proxy_wrote_is_believed(rf, settings, proxies, counts):
    """A visitor writes the front of that line as they like; the last entry is the proxy's."""
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    request = rf.get("/", REMOTE_ADDR="198.51.100.1", HTTP_X_FORWARDED_FOR="10.9.9.9, 203.0.113.9")
    assert introductions._address_of(request) == counts


def test_the_digest_of_an_address_goes_after_a_day(open_week, at):
    choose(assessed(), REMOTE="203.0.113.7")
    assert Introduction.objects.exclude(address_digest="").count() == 1
    actions.forget_introductions(at=at + dt.timedelta(hours=23, minutes=59))
    assert Introduction.objects.exclude(address_digest="").count() == 1
    actions.forget_introductions(at=at + dt.timedelta(days=1))
    row = Introduction.objects.get()
    assert row.address_digest == "" and row.name == "Robin"


def test_the_pages_take_few_queries(open_week, client_for, at, django_assert_max_num_queries):
    client = assessed()
    with django_assert_max_num_queries(PAGE_QUERIES):
        client.get("/introduction/")
    row = an_introduction(open_week, at)
    link = f"/introduction/link/{introduction_token(row)}/"
    with django_assert_max_num_queries(3):
        client.get(link)
    with django_assert_max_num_queries(PAGE_QUERIES):
        client.get(f"{link}move/")
    staff = client_for(open_week)
    with django_assert_max_num_queries(8):
        staff.get(f"/consults/introduction/{row.pk}/")
    assert Appointment.objects.count() == 0


def test_the_public_page_asks_the_same_of_the_database_for_many_clinicians_and_names_three_beside_a_time(
    open_week, at
):
    """One week is searched, with three names beside a time, whoever and how many offer it: nobody else's page waits for it."""
    client = assessed()
    token = introduction_token(an_introduction(open_week, at))
    pages = ("/introduction/", f"/introduction/link/{token}/move/")
    others = [a_psychiatrist(f"Doc{number} Moss", "CA") for number in range(6)]

    def asked():
        counts, texts = [], []
        for page in pages:
            with CaptureQueriesContext(connection) as seen:
                texts.append(client.get(page).content.decode())
            counts.append(len(seen))
        return counts, texts

    few, _ = asked()
    for other in others:
        weekly_hours(other)
    many, texts = asked()
    assert many == few and max(many) <= PAGE_QUERIES
    when = (at + dt.timedelta(days=1)).isoformat()
    for text in texts:
        assert text.replace("%3A", ":").replace("%2B", "+").count(when) == 3
        assert "from=2026-11-30" in text and (at + dt.timedelta(days=8)).date().isoformat() + "T" not in text


def test_weeks_lead_from_one_to_the_next_and_stop_at_the_last_day_that_can_be_booked(open_week):
    client = assessed()
    first = client.get("/introduction/").content.decode()
    assert "Week from November 23, 2026" in first and "from=2026-11-16" not in first
    address, seen = "/introduction/?from=2026-11-23", []
    while address and len(seen) < 12:
        text = client.get(address).content.decode()
        seen.append(re.search(r"Week from ([A-Z][a-z]+ \d+, \d{4})", text)[1])
        later = re.search(r'href="([^"]*from=[^"]*)"[^>]*>\s*Later', text)
        address = later[1].replace("&amp;", "&") if later else ""
    assert seen == [
        "November 23, 2026", "November 30, 2026", "December 7, 2026", "December 14, 2026", "December 21, 2026",
        "December 28, 2026", "January 4, 2027", "January 11, 2027", "January 18, 2027",
    ]  # fmt: skip
    for odd in ("9999-12-31", "0001-01-01", "x", ""):
        assert client.get("/introduction/", {"from": odd}).status_code == 200


def test_a_call_is_booked_with_the_one_who_was_chosen_among_many_at_the_same_time(open_week, at):
    others = [a_psychiatrist(f"Doc{number} Moss", "CA") for number in range(4)]
    for other in others:
        weekly_hours(other)
    when = (at + dt.timedelta(days=1)).isoformat()
    assert choose(assessed(), f"{others[3].pk}|{when}").status_code == 302
    assert Introduction.objects.get().clinician == others[3]
    # Not free with the chosen one: the next six times that are free, each of them once.
    gone = choose(assessed(), f"{others[3].pk}|{when}", phone="(415) 555-0178").content.decode()
    offered = re.findall(r'name="slot" value="[^|]+\|([^"]+)"', gone)
    assert len(offered) == len(set(offered)) == 6


@pytest.mark.parametrize(
    ("zone", "before", "after"),
    [
        ("America/Los_Angeles", "PST (Los Angeles, UTC−8)", "PDT (Los Angeles, UTC−7)"),
        ("America/Phoenix", "MST (Phoenix, UTC−7)", "MST (Phoenix, UTC−7)"),
    ],
)
def test_the_public_pages_say_that_the_clocks_change_and_name_the_zone_beside_each_day(
    dana, clock_at, zone, before, after
):
    """HZ-11: on the days around a spring change, where there is one, as on the pages of patients."""
    weekly_hours(dana)
    friday, tuesday = (dt.datetime(2027, 3, day, 18, tzinfo=dt.UTC) for day in (12, 16))
    with clock_at(friday):
        client = assessed()
        call = an_introduction(dana, friday, starts_at=tuesday, time_zone=zone)
        link = f"/introduction/link/{introduction_token(call)}/"
        chosen = f"{dana.pk}|{(tuesday + dt.timedelta(hours=1)).isoformat()}"
        pages = [
            client.get(address, {"zone": zone, **asked}).content.decode()
            for address, asked in (
                ("/introduction/", {}),
                (f"{link}move/", {}),
                ("/introduction/details/", {"slot": chosen}),
                (link, {}),
            )
        ]
    for page in pages[:2]:
        assert f"{before}, " in page and f"{after}, " in page
    said = f"The clocks go forward by an hour before this visit. The time shown is what your clock will say then: {after}; today it is {before}."
    assert [said in page for page in pages] == [before != after] * 4
    with clock_at(tuesday):
        assert "The clocks go" not in assessed().get("/introduction/", {"zone": zone}).content.decode()


def test_times_are_shown_in_the_zone_of_the_state_or_the_one_that_is_chosen(open_week):
    client = assessed()
    page = client.get("/introduction/").content.decode()
    assert " PST" in page and '<option value="America/Los_Angeles" selected>' in page
    page = client.get("/introduction/", {"zone": "America/New_York"}).content.decode()
    assert " EST" in page and '<option value="America/New_York" selected>' in page and "[(" not in page
    assert " PST" in client.get("/introduction/", {"zone": "Mars/Olympus"}).content.decode()
