"""Mails about a visit carry the calendar file: taken off the wire, opened with Python's mail reader, read by the strict reader."""

import datetime as dt
import email
import email.policy
from typing import Any

import pytest

from accounts.models import CareTeam, User
from common import hooks
from consults import actions
from notify.actions import dispatch_due
from tests.conftest import a_psychiatrist
from tests.consults.builders import an_appointment, an_introduction, weekly_hours
from tests.consults.test_calendar_feed import apply, instant, strictly
from tests.notify.test_email import mail_server as a_mail_server

pytestmark = pytest.mark.django_db
mail_server = a_mail_server
DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _no_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(hooks._hooks, "booking.blockers", [])


def files_to(server: Any, person: User) -> list[tuple[str, bytes]]:
    """(method in the header, the file) of each mail this person got, in order."""
    found = []
    for text in server.mails:
        mail = email.message_from_string(text, policy=email.policy.default)
        if person.email not in mail["To"]:
            continue
        assert mail.get_body(("plain",)) is not None
        for part in mail.iter_attachments():
            assert part.get_content_type() == "text/calendar"
            data = part.get_content().replace("\r\n", "\n").replace("\n", "\r\n").encode()
            found.append((part["Content-Type"].params["method"], data))
    return found


def calendar_of(server: Any, person: User) -> dict[str, dict[str, str]]:
    """What stands in this person's calendar after reading all their mails."""
    entries: dict[str, dict[str, str]] = {}
    for method, data in files_to(server, person):
        assert strictly(data)["METHOD"] == method
        apply(entries, data)
    return entries


def test_booked_moved_and_cancelled_by_mail_both_calendars_follow_in_place(
    mail_server: Any,
    alice: User,
    dana: User,
    protocol_version: Any,
    at: dt.datetime,
) -> None:
    weekly_hours(dana)
    from accounts.models import Patient

    held = actions.hold_slot(
        Patient.objects.select_related("user").get(pk=alice.pk), visit_type="intro", clinician_id=dana.pk,
        starts_at=at + DAY, by=alice, at=at,
    )  # fmt: skip
    visit = actions.confirm_booking(held, by=alice, at=at)
    assert dispatch_due(at=at).sent == 2
    visit = actions.reschedule(visit, starts_at=at + 2 * DAY, clinician_id=None, by=alice, at=at)
    dispatch_due(at=at)
    for person in (alice, dana):
        (entry,) = calendar_of(mail_server, person).values()
        assert (instant(entry["DTSTART"]), entry["SEQUENCE"], entry["gone"]) == (at + 2 * DAY, "1", "False")
        assert entry["ATTENDEE"] == f"mailto:{person.email}"
    actions.cancel(visit, by=alice, at=at)
    dispatch_due(at=at)
    for person in (alice, dana):
        (entry,) = calendar_of(mail_server, person).values()
        assert (entry["SEQUENCE"], entry["gone"]) == ("2", "True")


def test_a_clinician_whose_visit_went_to_a_colleague_has_it_no_more_and_reads_no_patients_address(
    mail_server: Any,
    alice: User,
    dana: User,
    protocol_version: Any,
    at: dt.datetime,
) -> None:
    """PR-14: no file for a clinician names the patient."""
    eva = a_psychiatrist("Eva Stone", "CA")
    weekly_hours(dana)
    weekly_hours(eva)
    visit = an_appointment(alice, dana, at + DAY, visit_type="intro", minutes=20)
    CareTeam.objects.filter(pk=alice.pk).update(psychiatrist=None)
    visit = actions.reschedule(visit, starts_at=at + 2 * DAY, clinician_id=None, by=alice, at=at)
    dispatch_due(at=at)
    actions.reschedule(visit, starts_at=at + 3 * DAY, clinician_id=eva.pk, by=alice, at=at)
    dispatch_due(at=at)
    (former,), (new,) = calendar_of(mail_server, dana).values(), calendar_of(mail_server, eva).values()
    assert (former["gone"], former["STATUS"]) == ("True", "CANCELLED")
    assert (new["gone"], instant(new["DTSTART"])) == ("False", at + 3 * DAY)
    assert former["UID"] == new["UID"]
    for person in (dana, eva):
        for _, data in files_to(mail_server, person):
            text = data.decode().lower()
            assert not [
                w for w in ("alice", "lindqvist", "ketamine", "consult with", "psychiatr") if w in text
            ]


def test_a_mail_that_waited_carries_the_time_that_is_true_when_it_goes(
    mail_server: Any,
    alice: User,
    dana: User,
    protocol_version: Any,
    at: dt.datetime,
) -> None:
    weekly_hours(dana)
    visit = an_appointment(alice, dana, at + DAY, visit_type="intro", minutes=20)
    for days in (2, 3):
        visit = actions.reschedule(visit, starts_at=at + days * DAY, clinician_id=None, by=alice, at=at)
    assert dispatch_due(at=at).sent == 2  # the mails about the time in between were taken back
    (entry,) = calendar_of(mail_server, alice).values()
    assert (instant(entry["DTSTART"]), entry["SEQUENCE"]) == (at + 3 * DAY, "2")


def test_the_call_of_somebody_without_an_account_comes_with_its_file_and_its_own_link(
    mail_server: Any,
    dana: User,
    protocol_version: Any,
    at: dt.datetime,
    clock_at: Any,
) -> None:
    weekly_hours(dana)
    call = an_introduction(dana, at, phone="", email="robin@example.test", starts_at=at + DAY)
    actions.move_introduction(call, clinician_id=dana.pk, starts_at=at + 2 * DAY, at=at)
    dispatch_due(at=at)
    robin = User(email="robin@example.test")
    (entry,) = calendar_of(mail_server, robin).values()
    assert instant(entry["DTSTART"]) == at + 2 * DAY
    assert "/introduction/link/" in entry["URL"]
    (hers,) = calendar_of(mail_server, dana).values()
    assert "/introduction/link/" not in hers["URL"]


def test_a_file_that_cannot_be_made_holds_up_no_mail(
    mail_server: Any,
    alice: User,
    dana: User,
    protocol_version: Any,
    at: dt.datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(**_: Any) -> Any:
        raise ValueError("no file")

    weekly_hours(dana)
    monkeypatch.setitem(hooks._hooks, "message.files", [broken])
    visit = an_appointment(alice, dana, at + DAY, visit_type="intro", minutes=20)
    actions.cancel(visit, by=alice, at=at)
    assert dispatch_due(at=at).sent == 2
    assert files_to(mail_server, alice) == []
