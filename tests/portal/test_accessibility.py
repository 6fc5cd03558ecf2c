"""Home pages, check-ins, outcomes and profiles in a real browser: axe at WCAG 2.2 AA, phone and desk, no refused script or style."""

import datetime as dt
from typing import Any

import pytest

from accounts import actions as people
from accounts.models import CareTeam, User
from coaching import actions
from coaching.models import CheckIn
from common import clock
from common.models import ProtocolVersion
from intake.models import Intake
from safety.actions import hand_over_task, open_task
from safety.models import Task
from tests.barriers import Pages, judged
from tests.coaching.builders import a_course, the_dose_was_taken
from tests.conftest import a_patient
from tests.outcomes.test_pages import scored

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
DAY = dt.timedelta(days=1)


def a_full_practice(alice: User, dana: User, cole: User, admin_ann: User, admin_ben: User) -> None:
    """Alice after her second session, one person just accepted, one role and one licence waiting."""
    now = clock.now()
    Intake.objects.create(patient_id=alice.pk, state="accepted", created_at=now - 30 * DAY)
    start = now - 25 * DAY
    scored(alice, "phq9", 19, "baseline", start)
    scored(alice, "gad7", 15, "baseline", start)
    course = a_course(alice, dana, start)
    the_dose_was_taken(course, 1, start + 7 * DAY)
    the_dose_was_taken(course, 2, start + 14 * DAY)
    scored(alice, "phq9", 9, "after_session_2", start + 17 * DAY)
    actions.plan_course(course, by=dana, at=now - 2 * DAY)
    actions.check_in_today(
        course.patient, by=alice, at=now - DAY, mood=6, suicidal_thoughts=False, note="Slept better."
    )
    for index, name in enumerate(("Bea Moreno", "Carl Nwosu", "Dee Okonkwo")):
        person = a_patient(name)
        CareTeam.objects.filter(pk=person.pk).update(psychiatrist=dana, coach=cole)
        other = a_course(person, dana, now - (6 + index) * DAY, first_in_days=7 + index)
        actions.plan_course(other, by=dana, at=now - 6 * DAY)
    actions.check_in_today(other.patient, by=person, at=now, mood=2, suicidal_thoughts=True)
    people.invite_staff(
        email="nora@example.test", full_name="Nora O'Hara", role="coach", time_zone="America/Chicago", phone="+13125550142",
        reason="Joins in December", by=admin_ann, at=now,
    )  # fmt: skip
    given = open_task(
        kind="follow_up", owner=dana, patient=course.patient, due_at=now - 2 * DAY, detail="She asked for a call about sleep.",
        by=dana, at=now - 3 * DAY,
    )  # fmt: skip
    hand_over_task(given, to=cole, why="Cole knows her best.", by=dana, at=now - 2 * DAY)


def places(alice: User) -> list[tuple[str, str]]:
    call = CheckIn.objects.filter(patient_id=alice.pk, kind="pre_session", done_at__isnull=True).order_by(
        "due_at"
    )[0]
    return [
        ("alice", "/home/"),
        ("alice", "/coaching/check-in/"),
        ("alice", "/outcomes/"),
        ("alice", "/outcomes/questionnaire/phq9/"),
        ("alice", "/outcomes/questionnaire/suicide_risk/"),
        ("alice", "/profile/"),
        ("alice", "/profile/security/"),
        ("stranger_patient", "/home/"),
        ("dana", "/home/"),
        ("dana", f"/outcomes/{alice.pk}/"),
        ("dana", "/outcomes/practice/"),
        ("dana", "/profile/"),
        ("cole", "/home/"),
        ("cole", "/coaching/"),
        ("cole", f"/coaching/check-in/{call.pk}/"),
        ("cole", f"/coaching/patient/{alice.pk}/"),
        ("admin_ann", "/home/"),
        ("dana", f"/coaching/patient/{alice.pk}/"),
        ("dana", "/work/"),
        ("cole", "/work/?kind=check_in.due"),
        ("cole", f"/work/{Task.objects.get(kind='follow_up').pk}/"),
        ("admin_ann", f"/work/{Task.objects.get(kind='follow_up').pk}/"),
        ("admin_ann", "/work/practice/"),
        ("admin_ann", f"/work/people/{Task.objects.get(kind='follow_up').owner_id}/"),
        ("other_coach", "/accounts/second-step/"),
    ]


def test_axe_finds_nothing_on_the_pages_of_each_role(
    request: Any,
    live_server: Any,
    alice: User,
    dana: User,
    cole: User,
    admin_ann: User,
    admin_ben: User,
    protocol_version: ProtocolVersion,
) -> None:
    a_full_practice(alice, dana, cole, admin_ann, admin_ben)
    pages = Pages(request.getfixturevalue("chromium"), live_server.url)
    found: list[str] = []
    for who, path in places(alice):
        patient = who in ("alice", "stranger_patient")
        page = pages.of(who, request.getfixturevalue(who), second_factor=not patient and who != "other_coach")
        found += judged(page, live_server.url + path, usual_px=360 if patient else 1280)
    pages.close()
    assert found == []
