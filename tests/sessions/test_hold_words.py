"""Why a session waits, in words of its own for what somebody has told us."""

import pytest

from safety.actions import place_hold
from safety.wording import HOLD_WORDS_DEFAULT, HOLD_WORDS_FOR_PATIENT
from sessions.models import DosingSession
from tests.sessions.builders import a_course

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (["diversion"], HOLD_WORDS_FOR_PATIENT["diversion"]),
        (["possible_misuse"], HOLD_WORDS_FOR_PATIENT["possible_misuse"]),
        (["deterioration"], HOLD_WORDS_DEFAULT),
    ],
)
def test_the_room_says_kindly_why_it_waits(client_for, alice, dana, at, clock_at, codes, expected):
    """HZ-19: nobody who told us that medicine is gone reads an accusation."""
    course = a_course(alice, dana, at)
    session = DosingSession.objects.filter(course=course).order_by("number").first()
    for code in codes:
        place_hold(alice.patient, reason_code=code, at=at, by="system:test")
    with clock_at(at):
        page = client_for(alice).get(f"/sessions/{session.pk}/").content.decode()
    assert expected.replace("’", "'") in page.replace("&#39;", "'")
