"""Home pages: the one next thing for a patient, the work list for staff, within a bounded number of queries."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from coaching import actions as coaching
from common import clock
from intake.models import Intake
from portal import home
from portal.navigation import ITEMS, items_for
from sessions.models import DosingSession
from tests.coaching.builders import a_course, the_dose_was_taken
from tests.sessions.builders import everything_arrived, first_session

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]
DAY = dt.timedelta(days=1)


def an_intake(patient: User, state: str, at: dt.datetime, **fields: Any) -> Intake:
    if state in ("submitted", "claimed"):
        fields |= {"submitted_at": at, "care_state": "CA"}
    return Intake.objects.create(patient_id=patient.pk, state=state, created_at=at, **fields)


def next_of(user: User, at: dt.datetime) -> str:
    found = home.for_patient(user, at=at)
    return found["next"].title if found["next"] else ""


@pytest.mark.parametrize(
    ("state", "title"),
    [
        ("", "Tell us about yourself"),
        ("draft", "Finish your intake"),
        ("withdrawn", "Tell us about yourself"),
        ("submitted", ""),
        ("declined", "Your psychiatrist has answered"),
    ],
)
def test_before_the_course_there_is_one_next_thing(
    alice: User, at: dt.datetime, state: str, title: str
) -> None:
    if state:
        an_intake(alice, state, at)
    assert next_of(alice, at) == title


def test_somebody_who_waits_is_told_by_when_in_working_days(alice: User, at: dt.datetime) -> None:
    # Monday the 23rd at nine: two working days later is Wednesday.
    an_intake(alice, "submitted", at)
    (sentence,) = home.for_patient(alice, at=at)["waiting"]
    assert sentence.endswith("by Wednesday, November 25.")
    friday = dt.datetime(2026, 11, 27, 20, 0, tzinfo=dt.UTC)
    assert home.working_days_after(friday, 2, "America/Los_Angeles") == dt.date(2026, 12, 1)


def test_an_accepted_patient_signs_books_and_then_follows_the_course(
    alice: User, dana: User, at: dt.datetime
) -> None:
    an_intake(alice, "accepted", at)
    assert next_of(alice, at) == "Read and sign your consent"
    course = a_course(alice, dana, at)
    coaching.plan_course(course, by=dana, at=at)
    titles = [step["title"] for step in home.for_patient(alice, at=at)["steps"]]
    assert titles[:3] == ["Your intake", "Consult with your psychiatrist", "Session 1"] and len(titles) == 7
    states = [step["state"] for step in home.for_patient(alice, at=at)["steps"]]
    assert states == ["done", "done", "now", "later", "later", "later", "later"]


def test_after_session_two_the_questionnaires_are_asked(alice: User, dana: User, at: dt.datetime) -> None:
    an_intake(alice, "accepted", at)
    course = a_course(alice, dana, at)
    the_dose_was_taken(course, 1, at + 7 * DAY)
    the_dose_was_taken(course, 2, at + 14 * DAY)
    things = home.for_patient(alice, at=at + 17 * DAY)
    titles = [thing.title for thing in [things["next"], *things["others"]]]
    assert "A few questions about how you are" in titles


def test_exactly_one_step_is_now_whatever_the_state(alice: User, dana: User, at: dt.datetime) -> None:
    an_intake(alice, "accepted", at)
    course = a_course(alice, dana, at)
    everything_arrived(first_session(course), dana, at)
    for state in ("scheduled", "preparing", "aborted", "missed"):
        with clock.frozen(at):
            DosingSession.objects.filter(course=course, number=1).update(state=state)
        states = [step["state"] for step in home.for_patient(alice, at=at)["steps"]]
        assert states.count("now") == 1, (state, states)


@pytest.mark.parametrize("who", ["alice", "dana", "cole", "admin_ann"])
def test_a_home_page_opens_within_its_budget(
    request: Any,
    client_for: Browser,
    query_budget: Any,
    alice: User,
    dana: User,
    cole: User,
    stranger_patient: User,
    at: dt.datetime,
    who: str,
) -> None:
    course = a_course(alice, dana, at)
    an_intake(alice, "accepted", at)
    coaching.plan_course(course, by=dana, at=at)
    coaching.check_in_today(course.patient, by=alice, at=at, mood=2, suicidal_thoughts=True)
    browser = client_for(request.getfixturevalue(who))
    # One for each kind of line, whatever the number of people; the psychiatrist's has the most kinds.
    with query_budget(41):
        page = browser.get("/home/")
    assert page.status_code == 200
    assert "What happens next" in page.content.decode() or "Next</h2>" in page.content.decode()


def test_a_stranger_is_asked_to_log_in(client: Client) -> None:
    assert client.get("/home/")["Location"].startswith("/accounts/login/")


def kinds_of(found: dict[str, Any]) -> list[str]:
    return [row.item.kind for _, rows in found["page"].groups for row in rows]


def test_the_psychiatrist_sees_alerts_on_top_and_the_list_below(
    alice: User, dana: User, at: dt.datetime
) -> None:
    course = a_course(alice, dana, at)
    the_dose_was_taken(course, 1, at + 7 * DAY)
    coaching.check_in_today(course.patient, by=alice, at=at, mood=2, suicidal_thoughts=True)
    found = home.for_psychiatrist(dana, at=at + 9 * DAY)
    assert kinds_of(found).count("dose.review") == 1
    assert [a["alert"].trigger for a in found["alerts"]] == ["X03"]
    # The alert stands on top in full, not a second time in the list.
    assert "alert.open" not in kinds_of(found)
    assert "dose.review" not in kinds_of(home.for_psychiatrist(dana, at=at + 7 * DAY))


def test_another_psychiatrist_sees_none_of_it(
    other_psychiatrist: User, alice: User, dana: User, at: dt.datetime
) -> None:
    course = a_course(alice, dana, at)
    the_dose_was_taken(course, 1, at + 7 * DAY)
    coaching.check_in_today(course.patient, by=alice, at=at, mood=2, suicidal_thoughts=True)
    found = home.for_psychiatrist(other_psychiatrist, at=at + 9 * DAY)
    # The alert reaches everybody while nobody is on call; the person's care is nobody else's work.
    assert kinds_of(found) == []


def test_the_administrator_sees_gaps_and_papers_running_out(
    admin_ann: User, dana: User, at: dt.datetime
) -> None:
    from accounts.models import Licence

    Licence.objects.filter(psychiatrist=dana, state="NY").update(expires_on=(at + 10 * DAY).date())
    found = home.for_administrator(admin_ann, at=at)
    titles = [row.item.title for _, rows in found["page"].groups for row in rows]
    assert [title for title in titles if title.startswith("Nobody is")] == [
        "Nobody is first on call",
        "Nobody is second on call",
    ]
    assert "Licence NY of Dana Reyes ends December 3" in titles


@pytest.mark.parametrize("role", [role for role in ITEMS if role])
def test_every_place_in_the_menu_opens_for_its_role(
    request: Any, client_for: Browser, role: str, alice: User, dana: User, cole: User, admin_ann: User
) -> None:
    who = {"patient": alice, "psychiatrist": dana, "coach": cole, "administrator": admin_ann}[role]
    browser = client_for(who)
    assert len(items_for(role)) >= 5
    for label, address in items_for(role):
        assert browser.get(address).status_code == 200, label


def test_nothing_of_another_person_stands_on_a_home_page(
    client_for: Browser, stranger_patient: User, alice: User, dana: User, at: dt.datetime
) -> None:
    """PR-02."""
    course = a_course(alice, dana, at)
    coaching.plan_course(course, by=dana, at=at)
    page = client_for(stranger_patient).get("/home/").content.decode()
    assert "Lindqvist" not in page and str(alice.pk) not in page
