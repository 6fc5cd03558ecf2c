"""The pages about scores, the questionnaires behind them, and what a worse score sets in motion."""

import datetime as dt
import re
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from accounts.models import Patient, User
from measures.actions import record_response
from measures.models import InstrumentResponse
from measures.rules import instrument
from notify.models import OutboxMessage
from outcomes import access, actions
from safety.models import Alert, SafetyHold
from sessions.models import Course
from tests.coaching.builders import a_course, the_dose_was_taken

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]
DAY = dt.timedelta(days=1)
PACIFIC = ZoneInfo("America/Los_Angeles")


def answers(code: str, total: int) -> dict[str, int]:
    """Answers that add up to `total`; the PHQ-9's ninth item stays 0."""
    items = [item.code for item in instrument(code).items if item.scored]
    if code == "phq9":
        items = items[:8]
    found = {item.code: 0 for item in instrument(code).items}
    for name in items:
        found[name] = min(3, total)
        total -= found[name]
    assert total == 0
    return found


def scored(patient: User, code: str, total: int, timepoint: str, at: dt.datetime) -> None:
    row = Patient.objects.get(pk=patient.pk)
    record_response(row, code, answers(code, total), timepoint, by=patient, at=at)


@pytest.fixture
def course(alice: User, dana: User, at: dt.datetime) -> Course:
    scored(alice, "phq9", 18, "baseline", at)
    scored(alice, "gad7", 15, "baseline", at)
    course = a_course(alice, dana, at)
    the_dose_was_taken(course, 1, at + 7 * DAY)
    the_dose_was_taken(course, 2, at + 14 * DAY)
    return course


def test_questionnaires_are_due_from_the_second_day_after_session_two(
    course: Course, at: dt.datetime
) -> None:
    assert access.due_for(course.patient, at=at + 15 * DAY) == []
    due = access.due_for(course.patient, at=at + 17 * DAY)
    assert [(d.instrument, d.timepoint) for d in due] == [
        ("phq9", "after_session_2"),
        ("gad7", "after_session_2"),
        ("bladder", "after_session_2"),
    ]


def test_five_points_worse_tells_the_psychiatrist_and_holds_the_next_dose(
    course: Course, alice: User, at: dt.datetime
) -> None:
    """X18; 4 points are not yet deterioration, 5 are."""
    scored(alice, "phq9", 22, "after_session_2", at + 17 * DAY)
    assert not Alert.objects.filter(trigger="X18").exists()
    scored(alice, "gad7", 20, "after_session_2", at + 17 * DAY)
    alert = Alert.objects.get(trigger="X18")
    assert alert.patient_id == alice.pk and "gad7" in alert.detail_codes
    assert SafetyHold.objects.get(patient_id=alice.pk).reason_code == "deterioration"


def test_a_relapse_after_remission_is_told_at_follow_up(course: Course, alice: User, at: dt.datetime) -> None:
    scored(alice, "phq9", 4, "after_session_4", at + 30 * DAY)
    scored(alice, "phq9", 8, "follow_up_6w", at + 50 * DAY)
    assert not Alert.objects.exists()
    scored(alice, "phq9", 10, "follow_up_12w", at + 90 * DAY)
    assert Alert.objects.get().detail_codes == ["phq9", "relapse"]


def test_reminders_are_promised_once_when_the_session_closes_in_the_morning_where_she_lives(
    course: Course, at: dt.datetime
) -> None:
    session = course.sessions.get(number=2)
    for _ in range(2):
        actions.on_session_closed(session=session, by="system:test", at=at + 15 * DAY)
    messages = OutboxMessage.objects.filter(kind="questionnaire_due").order_by("due_at")
    assert [(m.due_at.astimezone(PACIFIC).hour, m.recipient_id) for m in messages] == [
        (10, course.patient_id)
    ] * 2
    # The day they open, and once more on the day before the time is over.
    assert [(m.due_at - at) // DAY for m in messages] == [16, 20]


def test_a_patient_sees_the_change_with_its_definitions(
    client_for: Browser, course: Course, alice: User, at: dt.datetime
) -> None:
    scored(alice, "phq9", 4, "after_session_2", at + 17 * DAY)
    page = client_for(alice).get("/outcomes/").content.decode()
    assert "few or no symptoms" in page and "What these words mean here" in page
    assert "fell by at least 50%" in page and "<svg" in page and "missing" in page


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("dana", 200),
        ("cole", 200),
        ("other_psychiatrist", 404),
        ("other_coach", 404),
        ("stranger_patient", 404),
        ("alice", 404),
        ("admin_ann", 404),
    ],
)
def test_a_summary_is_for_the_care_team(
    request: Any, client_for: Browser, course: Course, alice: User, who: str, status: int
) -> None:
    """PR-02."""
    answer = client_for(request.getfixturevalue(who)).get(f"/outcomes/{alice.pk}/")
    assert answer.status_code == status
    assert ("Four-week summary" in answer.content.decode()) == (status == 200)


def test_pages_stay_within_their_budget(
    client_for: Browser, course: Course, alice: User, dana: User, query_budget: Any
) -> None:
    mine, theirs = client_for(alice), client_for(dana)
    with query_budget(14):
        assert mine.get("/outcomes/").status_code == 200
    with query_budget(24):
        assert theirs.get(f"/outcomes/{alice.pk}/").status_code == 200
    with query_budget(12):
        assert theirs.get("/outcomes/practice/").status_code == 200


def test_the_practice_page_shows_each_percentage_with_its_denominator(
    client_for: Browser, course: Course, alice: User, dana: User, admin_ann: User, at: dt.datetime
) -> None:
    scored(alice, "phq9", 8, "after_session_2", at + 17 * DAY)
    for who in (dana, admin_ann):
        page = client_for(who).get("/outcomes/practice/").content.decode()
        assert "100.0 %" in page and "1 of 1" in page
        # Every percentage in the tables is followed by "n of N".
        for cell in re.findall(r"<td[^>]*>(?:(?!</td>).)*?\d %(?:(?!</td>).)*?</td>", page, re.S):
            assert re.search(r"\d+ of \d+", cell), cell
        assert "Lindqvist" not in page and str(alice.pk) not in page


def test_synthetic_people_are_not_counted(course: Course, alice: User) -> None:
    Patient.objects.filter(pk=alice.pk).update(is_synthetic=True)
    eligible, completed, scores = access.practice_scores()
    assert (eligible, completed, scores["phq9"]) == (0, 0, {})


def post(browser: Client, code: str, filled: dict[str, Any]) -> Any:
    address = f"/outcomes/questionnaire/{code}/"
    intent = re.search(r'name="intent" value="([^"]+)"', browser.get(address).content.decode())
    assert intent
    return browser.post(
        address, {"intent": intent.group(1), **{k: v for k, v in filled.items() if v is not None}}
    )


def test_one_questionnaire_leads_to_the_next_and_then_to_the_progress(
    client_for: Browser, course: Course, alice: User, at: dt.datetime, clock_at: Any
) -> None:
    browser = client_for(alice)
    with clock_at(at + 17 * DAY):
        response = post(browser, "phq9", answers("phq9", 9))
        assert response["Location"] == "/outcomes/questionnaire/gad7/"
        assert post(browser, "gad7", answers("gad7", 5))["Location"] == "/outcomes/questionnaire/bladder/"
        assert post(browser, "bladder", answers("bladder", 0))["Location"] == "/outcomes/"
    found = set(
        InstrumentResponse.objects.filter(timepoint="after_session_2").values_list("instrument", "total")
    )
    assert found == {("phq9", 9), ("gad7", 5), ("bladder", 0)}


def test_a_positive_ninth_item_brings_help_on_the_same_response_even_half_filled(
    client_for: Browser, course: Course, alice: User
) -> None:
    """PR-06, HZ-08."""
    items = answers("phq9", 9)
    ninth = [item.code for item in instrument("phq9").items if item.scored][8]
    half = {name: value for name, value in items.items() if name != "phq9_1"} | {ninth: 1}
    response = post(client_for(alice), "phq9", half)
    assert response.status_code == 200 and "tel:988" in response.content.decode()
    assert Alert.objects.filter(patient_id=alice.pk, trigger="X03").exists()
    assert SafetyHold.objects.filter(patient_id=alice.pk, reason_code="suicide_risk").exists()


@pytest.mark.parametrize("asked", ["cssrs_q1", "cssrs_q2", "cssrs_q4"])
def test_not_sure_about_safety_in_care_brings_help_an_alert_and_a_hold_even_half_filled(
    client_for: Browser, course: Course, alice: User, asked: str
) -> None:
    """PR-06, HZ-08."""
    response = post(client_for(alice), "suicide_risk", {asked: "unsure"})
    assert response.status_code == 200 and "tel:988" in response.content.decode()
    assert Alert.objects.get(patient_id=alice.pk, trigger="X03").severity == 3
    assert SafetyHold.objects.filter(patient_id=alice.pk, reason_code="suicide_risk").exists()


def test_a_missing_answer_is_asked_for(client_for: Browser, course: Course, alice: User) -> None:
    half = {name: value for name, value in answers("gad7", 5).items() if not name.endswith("_1")}
    response = post(client_for(alice), "gad7", half)
    assert response.status_code == 422 and "Please answer" in response.content.decode()


@pytest.mark.parametrize("code", ["audit_c", "nonsense"])
def test_only_the_questionnaires_of_the_course_are_asked_here(
    client_for: Browser, alice: User, code: str
) -> None:
    assert client_for(alice).get(f"/outcomes/questionnaire/{code}/").status_code == 404


def test_the_safety_questions_are_one_link_away(client_for: Browser, course: Course, alice: User) -> None:
    assert client_for(alice).get("/outcomes/questionnaire/suicide_risk/").status_code == 200
