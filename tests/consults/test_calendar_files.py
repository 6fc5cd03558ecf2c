"""Invitations, read back with a parser of their own."""

import datetime as dt
from typing import Any

import pytest
from icalendar import Calendar

from accounts.models import User
from consults import actions
from consults.gateways.calendar import invitation
from tests.consults.builders import a_booked_consult, weekly_hours

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


def read(data: bytes) -> tuple[str, Any]:
    calendar = Calendar.from_ical(data)
    return str(calendar["METHOD"]), calendar.walk("VEVENT")[0]


def test_an_invitation_keeps_its_uid_and_raises_its_sequence_when_the_visit_moves_and_ends(
    alice: User, dana: User, at: dt.datetime, protocol_version: Any
) -> None:
    weekly_hours(dana)
    visit = a_booked_consult(alice, dana, at + DAY)
    method, first = read(invitation(visit, at=at))
    assert (method, first["SEQUENCE"], str(first["STATUS"])) == ("REQUEST", 0, "CONFIRMED")
    assert first["DTSTART"].dt == at + DAY
    assert first["DTEND"].dt == at + DAY + dt.timedelta(hours=1)
    moved = actions.reschedule(visit, starts_at=at + 2 * DAY, clinician_id=None, by=alice, at=at)
    method, second = read(invitation(moved, at=at))
    assert (method, second["SEQUENCE"], second["UID"]) == ("REQUEST", 1, first["UID"])
    assert second["DTSTART"].dt == at + 2 * DAY
    gone = actions.cancel(moved, by=alice, at=at)
    method, third = read(invitation(gone, at=at))
    assert (method, third["SEQUENCE"], third["UID"], str(third["STATUS"])) == (
        "CANCEL",
        2,
        first["UID"],
        "CANCELLED",
    )


def test_an_invitation_says_nothing_about_what_the_visit_is_for(
    alice: User, dana: User, at: dt.datetime
) -> None:
    """PR-14: calendars are shared and shown on lock screens."""
    text = invitation(a_booked_consult(alice, dana, at), at=at).decode().lower()
    for word in ("ketamine", "psychiatr", "depress", "dana", "reyes", "consult with", "lindqvist"):
        assert word not in text
