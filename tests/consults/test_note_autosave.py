"""A note is kept while it is typed: of the visit's clinician alone, never over what another window kept, never under a signature."""

import datetime as dt
from typing import Any

import pytest
from django.test import Client

from accounts.actions import assign_care_team
from accounts.models import Patient, User
from consults import actions
from consults.models import Appointment, VisitNote
from tests.consults.builders import a_signed_note, an_appointment
from tests.consults.test_pages import send

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def visit(alice: User, dana: User, at: dt.datetime, protocol_version: Any) -> Appointment:
    row = an_appointment(alice, dana, at - HOUR)
    actions.open_note(row, by=dana, at=at)
    return row


@pytest.fixture
def doctor(dana: User, client_for: Any) -> Client:
    browser: Client = client_for(dana)
    return browser


def kept(visit: Appointment) -> VisitNote:
    return VisitNote.objects.get(appointment=visit)


def test_what_is_typed_so_far_is_kept_and_the_answer_names_the_next_version(
    visit: Appointment, doctor: Client, at: dt.datetime, clock_at: Any
) -> None:
    with clock_at(at):
        first = send(doctor, "autosave", visit.pk, version="1", plan="Two sessions, then").json()
        assert (first["saved"], first["version"], first["words"]) == (True, 2, "9:00 am PST")
        assert kept(visit).body["plan"] == "Two sessions, then"
        again = doctor.post(
            f"/consults/visit/{visit.pk}/autosave/",
            {"intent": first["intent"], "version": "2", "plan": "Two sessions, then we talk."},
        )
    assert again.json()["version"] == 3
    assert kept(visit).body["plan"] == "Two sessions, then we talk."


def test_a_window_with_an_older_note_overwrites_nothing(visit: Appointment, doctor: Client) -> None:
    """HZ-20"""
    assert send(doctor, "autosave", visit.pk, version="1", plan="Of the first window.").status_code == 200
    for stale in ("1", "0", "", "3", "first"):
        answer = send(doctor, "autosave", visit.pk, version=stale, plan="Of the second window.")
        assert answer.status_code == 409
        # A page that keeps by itself stops then: trying again would not help.
        assert "Retry-After" not in answer.headers
    assert (kept(visit).body["plan"], kept(visit).version) == ("Of the first window.", 2)


def test_the_same_words_sent_twice_by_a_bad_line_are_kept_once(visit: Appointment, doctor: Client) -> None:
    form = {"intent": "6a0c1f9e-54d5-4a55-9f7e-0b1f5bb1a001", "version": "1", "plan": "Once."}
    address = f"/consults/visit/{visit.pk}/autosave/"
    assert doctor.post(address, form).status_code == 200
    assert doctor.post(address, form)["Location"] == f"/consults/visit/{visit.pk}/"
    assert (kept(visit).body["plan"], kept(visit).version) == ("Once.", 2)


@pytest.mark.parametrize(
    ("who", "status"), [("alice", 404), ("cole", 404), ("admin_ann", 404), ("other_psychiatrist", 404)]
)
def test_nobody_else_writes_into_the_note(
    visit: Appointment, request: Any, client_for: Any, who: str, status: int
) -> None:
    browser = client_for(request.getfixturevalue(who))
    assert send(browser, "autosave", visit.pk, version="1", plan="Not mine.").status_code == status
    assert (kept(visit).body or {}, kept(visit).version) == ({}, 1)


def test_the_psychiatrist_she_has_now_reads_a_visit_of_an_earlier_one_and_types_nothing_into_its_note(
    visit: Appointment, alice: User, other_psychiatrist: User, at: dt.datetime, client_for: Any
) -> None:
    assign_care_team(
        Patient.objects.get(pk=alice.pk), psychiatrist=other_psychiatrist, by="system:test", at=at
    )
    browser = client_for(other_psychiatrist)
    assert browser.get(f"/consults/visit/{visit.pk}/").status_code == 200
    assert send(browser, "autosave", visit.pk, version="1", plan="Not mine.").status_code == 403
    assert (kept(visit).body or {}, kept(visit).version) == ({}, 1)


def test_a_signed_note_takes_no_further_word(
    alice: User, dana: User, at: dt.datetime, protocol_version: Any, doctor: Client
) -> None:
    """HZ-21"""
    note = a_signed_note(alice, dana, at)
    before = VisitNote.objects.get(pk=note.pk)
    answer = send(doctor, "autosave", note.appointment_id, version=str(before.version), plan="Afterwards.")
    assert answer.status_code == 409
    after = VisitNote.objects.get(pk=note.pk)
    assert (after.body, after.version, after.signed_at) == (before.body, before.version, before.signed_at)


def test_a_visit_without_a_note_keeps_nothing(
    alice: User, dana: User, at: dt.datetime, protocol_version: Any, doctor: Client
) -> None:
    visit = an_appointment(alice, dana, at - HOUR)
    answer = send(doctor, "autosave", visit.pk, version="1", plan="Nowhere to be put.")
    assert (answer.status_code, answer.json()) == (422, {"saved": False})
    assert not VisitNote.objects.exists()
