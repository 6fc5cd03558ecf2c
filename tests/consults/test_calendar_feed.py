"""The feed of a clinician's calendar, and invitations, read by a small strict reader of RFC 5545 that shares no code with the writer."""

import datetime as dt
import re
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from consults import actions
from consults.gateways.calendar import feed, invitation
from consults.models import CalendarSettings
from tests.consults.builders import a_booked_consult, an_introduction, weekly_hours

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
LINE = re.compile(rb"([A-Z0-9-]+)((?:;[A-Z0-9-]+=(?:\"[^\"]*\"|[^;:\"]*))*):(.*)", re.DOTALL)


def strictly(data: bytes) -> dict[str, Any]:
    """Lines end in CRLF, none is longer than 75 octets, folded ones begin with a space, every BEGIN has its END."""
    assert data.endswith(b"\r\n")
    raw = data[:-2].split(b"\r\n")
    assert not any(b"\n" in line or b"\r" in line or len(line) > 75 or not line for line in raw)
    lines: list[bytes] = []
    for line in raw:
        if line[:1] in (b" ", b"\t"):
            lines[-1] += line[1:]
        else:
            lines.append(line)
    calendar: dict[str, Any] = {"events": []}
    stack: list[str] = []
    event: dict[str, str] = {}
    for line in lines:
        found = LINE.fullmatch(line)
        assert found, line
        name, value = found.group(1).decode(), found.group(3).decode()
        if name == "BEGIN":
            stack.append(value)
            event = {} if value == "VEVENT" else event
        elif name == "END":
            assert stack.pop() == value
            if value == "VEVENT":
                assert {"UID", "DTSTAMP", "DTSTART"} <= set(event)
                calendar["events"].append(event)
        elif stack == ["VCALENDAR"]:
            calendar[name] = value
        elif stack[-1] == "VEVENT":
            assert name not in event or name == "ATTENDEE", name
            event[name] = value
    assert stack == []
    assert calendar["VERSION"] == "2.0"
    assert calendar["PRODID"]
    return calendar


def instant(text: str) -> dt.datetime:
    return dt.datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)


def apply(entries: dict[str, dict[str, str]], data: bytes) -> None:
    """What a calendar does with an invitation: the same UID is one entry, and only a higher SEQUENCE changes it."""
    calendar = strictly(data)
    (event,) = calendar["events"]
    known = entries.get(event["UID"])
    if known is not None and int(event["SEQUENCE"]) <= int(known["SEQUENCE"]):
        return
    entries[event["UID"]] = event | {"gone": str(calendar["METHOD"] == "CANCEL")}


def test_a_calendar_that_is_sent_each_invitation_ends_with_one_entry_at_the_last_time(
    alice: User, dana: User, at: dt.datetime, protocol_version: Any
) -> None:
    weekly_hours(dana)
    visit = a_booked_consult(alice, dana, at + DAY)
    entries: dict[str, dict[str, str]] = {}
    files = [invitation(visit, at=at)]
    for days in (2, 3):
        visit = actions.reschedule(visit, starts_at=at + days * DAY, clinician_id=None, by=alice, at=at)
        files.append(invitation(visit, at=at))
    for data in [*files, files[0]]:  # an old one that comes late changes nothing
        apply(entries, data)
    (entry,) = entries.values()
    assert instant(entry["DTSTART"]) == at + 3 * DAY
    assert (entry["SEQUENCE"], entry["gone"]) == ("2", "False")
    apply(entries, invitation(actions.cancel(visit, by=alice, at=at), at=at))
    (entry,) = entries.values()
    assert (entry["SEQUENCE"], entry["STATUS"], entry["gone"]) == ("3", "CANCELLED", "True")


def fetch(client: Client, secret: str) -> Any:
    return client.get(f"/calendar/feed/{secret}.ics")


def test_a_feed_has_the_visits_and_calls_and_no_name_by_default(
    alice: User, dana: User, at: dt.datetime, protocol_version: Any, clock_at: Any
) -> None:
    """PR-14"""
    visit = a_booked_consult(alice, dana, at + DAY)
    an_introduction(dana, at)
    secret = actions.make_feed(shows="nothing", by=dana, at=at)
    with clock_at(at):
        answer = fetch(Client(), secret)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    calendar = strictly(answer.content)
    assert calendar["METHOD"] == "PUBLISH"
    assert [(e["SUMMARY"], instant(e["DTSTART"])) for e in calendar["events"]] == [
        ("Visit", at + DAY), ("Call", at + 2 * DAY)
    ]  # fmt: skip
    assert calendar["events"][0]["UID"] == strictly(invitation(visit, at=at))["events"][0]["UID"]
    text = answer.content.lower()
    assert not [
        w for w in (b"alice", b"lindqvist", b"robin", b"ketamine", b"consult", b"mailto") if w in text
    ]
    actions.make_feed(shows="initials", by=dana, at=at)


def test_a_new_address_ends_the_old_one_and_a_revoked_one_answers_nobody(
    alice: User, dana: User, at: dt.datetime, clock_at: Any
) -> None:
    a_booked_consult(alice, dana, at + DAY)
    first = actions.make_feed(shows="nothing", by=dana, at=at)
    second = actions.make_feed(shows="initials", by=dana, at=at)
    with clock_at(at):
        assert fetch(Client(), first).status_code == 404
        assert b"SUMMARY:Visit A.L." in fetch(Client(), second).content
        actions.revoke_feed(by=dana, at=at)
        assert fetch(Client(), second).status_code == 404
    assert CalendarSettings.objects.get().feed_digest is None


def test_only_a_digest_is_kept_and_somebody_who_left_has_no_feed(
    dana: User, at: dt.datetime, clock_at: Any
) -> None:
    secret = actions.make_feed(shows="nothing", by=dana, at=at)
    own = CalendarSettings.objects.get()
    assert own.feed_digest
    assert secret not in own.feed_digest
    User.objects.filter(pk=dana.pk).update(is_active=False)
    with clock_at(at):
        assert fetch(Client(), secret).status_code == 404


def test_long_words_are_folded(dana: User, alice: User, at: dt.datetime) -> None:
    visit = a_booked_consult(alice, dana, at + DAY)
    (event,) = strictly(feed([(visit, "Visit " + "Ødegård-" * 20)], at=at))["events"]
    assert event["SUMMARY"] == "Visit " + "Ødegård-" * 20


def test_the_address_is_shown_once(dana: User, client_for: Any, at: dt.datetime) -> None:
    import uuid

    doctor = client_for(dana)
    said = doctor.post(
        "/calendar/options/", {"intent": str(uuid.uuid4()), "what": "feed", "shows": "nothing"}, follow=True
    )
    assert b"/calendar/feed/" in said.content
    assert b"/calendar/feed/" not in doctor.get("/calendar/options/").content
