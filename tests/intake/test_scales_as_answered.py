"""Questionnaires of the intake are kept answer by answer too: a draft until they are sent, and heard at once where they must be."""

import re
import uuid
from datetime import timedelta

import pytest

from intake import actions
from intake.access import facts_of, queue_page
from intake.models import Intake
from intake.rules.steps import intake_steps
from measures.models import InstrumentResponse
from safety.models import Alert, SafetyHold
from tests.intake.builders import PHQ9, SAFE, a_submitted_intake, plain_answers

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("protocol_version")]
SCALES = [step for step in intake_steps() if step.instrument and not step.questions]


@pytest.fixture
def browser(client_for, alice, clock_at, at):
    with clock_at(at):
        client = client_for(alice)
        client.post("/intake/begin/", {"intent": str(uuid.uuid4())})
        yield client


def give(client, step, name, version=0, *, intent=None, **standing):
    body = {"intent": intent or str(uuid.uuid4()), "answered": name, "version": version, **standing}
    return client.post(f"/intake/{step}/answer/", body)


def send(client, step, **answers):
    return client.post(f"/intake/{step}/", {"intent": str(uuid.uuid4()), "version": 0, **answers})


def entry(step):
    return Intake.objects.get().answers.get(step, {})


def checked(client, step):
    page = client.get(f"/intake/{step}/").content.decode()
    return dict(re.findall(r'<input type="radio" name="(\w+)" value="(\w+)"[^>]* checked', page))


@pytest.mark.parametrize("step", SCALES, ids=lambda step: step.id)
def test_the_browser_stops_after_any_answer_and_another_device_shows_what_was_kept(
    browser, client_for, alice, step
):
    standing: dict[str, str] = {}
    version = 0
    for name, value in plain_answers(step.id).items():
        standing[name] = str(value)
        said = give(browser, step.id, name, version, **standing).json()
        assert said["saved"] and said["alone"], name
        version = said["version"]
        assert checked(client_for(alice), step.id) == standing
    assert entry(step.id)["complete"] is False and not InstrumentResponse.objects.exists()
    assert "Begun" in browser.get("/intake/").content.decode()


def test_a_draft_decides_nothing_until_it_is_sent_and_is_gone_afterwards(browser, at, protocol_version):
    give(browser, "phq9", "phq9_1", phq9_1=3)
    assert "phq9_total" not in facts_of(Intake.objects.get(), at=at, version=protocol_version)
    assert send(browser, "phq9", **PHQ9).status_code == 302
    assert InstrumentResponse.objects.get().total == 16
    assert (entry("phq9")["data"], entry("phq9")["complete"]) == ({"done": "yes"}, True)
    assert checked(browser, "phq9") == {}


def test_hz_08_a_positive_ninth_item_is_heard_as_it_is_given_and_help_comes_back_with_it(browser, alice):
    """PR-06: the answer to the tap carries 988, 911, our number and the safety plan; nobody waits for the button."""
    said = give(browser, "phq9", "phq9_9", phq9_1=2, phq9_9=2).json()
    for words in ("tel:988", "tel:911", "(555) 010-0199"):
        assert words in said["help"]
    assert "<form" in said["plan"] and "safety-plan" in said["plan"]
    assert Alert.objects.get(patient_id=alice.pk).trigger == "X03"
    assert SafetyHold.objects.filter(patient_id=alice.pk, reason_code="suicide_risk").exists()
    kept = InstrumentResponse.objects.get()
    assert (kept.item9, kept.total) == (2, None)
    # Changed on the same page: the first answer stays, and nothing is cleared (HZ-27).
    give(browser, "phq9", "phq9_9", said["version"], phq9_1=2, phq9_9=0)
    assert SafetyHold.objects.filter(patient_id=alice.pk, cleared_at=None).count() == 1
    assert InstrumentResponse.objects.get().item9 == 2


@pytest.mark.parametrize(
    ("standing", "trigger", "level"),
    [
        ({"cssrs_q1": "yes"}, "X03", "low"),
        ({"cssrs_q2": "yes", "cssrs_q3": "yes"}, "X03", "moderate"),
        ({"cssrs_q2": "yes", "cssrs_q4": "yes"}, "X02", "high"),
        ({"cssrs_q1": "yes", "cssrs_q2": "unsure"}, "X03", "moderate"),
        ({"cssrs_q1": "unsure"}, "X03", "moderate"),
        ({"cssrs_q2": "unsure"}, "X03", "moderate"),
        ({"cssrs_q4": "unsure", "cssrs_q1": "no"}, "X03", "moderate"),
    ],
)
def test_hz_08_an_answer_about_safety_is_heard_at_its_own_level_before_the_rest_is_answered(
    browser, alice, standing, trigger, level
):
    """What nobody came to yet is not held against anybody; once the page is sent, an open question is."""
    said = give(browser, "safety", next(iter(standing)), **standing).json()
    assert "tel:988" in said["help"]
    assert Alert.objects.get(patient_id=alice.pk).trigger == trigger
    assert InstrumentResponse.objects.get().risk_level == level


def test_hz_08_not_sure_is_heard_on_a_page_left_for_later_and_again_without_a_second_alert(browser, alice):
    """PR-06: help on the very response, one alert and one hold, however often the page goes out."""
    give(browser, "safety", "cssrs_q2", cssrs_q1="no", cssrs_q2="unsure")
    assert "tel:988" in send(browser, "safety", cssrs_q1="no", cssrs_q2="unsure").content.decode()
    later = send(browser, "safety", cssrs_q1="no", cssrs_q2="unsure", later="")
    assert later.status_code == 200 and "tel:988" in later.content.decode()
    assert Alert.objects.get(patient_id=alice.pk).trigger == "X03"
    assert SafetyHold.objects.filter(patient_id=alice.pk, reason_code="suicide_risk").count() == 1


def test_hz_08_not_sure_alone_on_a_page_left_for_later_is_heard(browser, alice):
    """PR-06."""
    assert "tel:988" in send(browser, "safety", cssrs_q2="unsure", later="").content.decode()
    assert Alert.objects.get(patient_id=alice.pk).severity == 3
    assert SafetyHold.objects.filter(patient_id=alice.pk, reason_code="suicide_risk").exists()


@pytest.mark.parametrize(
    "answers",
    [
        {"cssrs_q1": "unsure"},
        {"cssrs_q2": "yes", "cssrs_q3": "no", "cssrs_q4": "unsure", "cssrs_q5": "no"},
        {"cssrs_q6_life": "unsure", "cssrs_q6_3mo": "unsure"},
    ],
)
def test_an_intake_that_is_not_sure_about_safety_is_read_before_one_that_came_earlier(
    alice, stranger_patient, at, answers
):
    earlier = a_submitted_intake(stranger_patient, at)
    intake = a_submitted_intake(alice, at + timedelta(hours=1), **answers)
    assert (intake.outcome, "E71" in intake.reasons, intake.urgency) == ("review", True, 2)
    states = sorted({intake.care_state, earlier.care_state})
    rows, _ = queue_page(states, at=at + timedelta(hours=2), after=None, size=5)
    assert [row["id"] for row in rows] == [intake.pk, earlier.pk]


def test_plain_answers_about_safety_bring_no_alarm(browser):
    said = give(browser, "safety", "cssrs_q1", **SAFE).json()
    assert said["saved"] and "help" not in said
    assert not Alert.objects.exists() and not InstrumentResponse.objects.exists()


def test_hz_08_a_page_closed_before_its_requests_went_out_loses_no_alarm(browser, alice):
    """Every answer that stands on the page goes along with any one of them."""
    said = give(browser, "phq9", "phq9_1", phq9_1=1, phq9_9=3).json()
    assert "tel:988" in said["help"] and Alert.objects.filter(patient_id=alice.pk).count() == 1


def test_a_replayed_answer_is_heard_once_and_leads_to_help(browser):
    """PR-09."""
    intent = str(uuid.uuid4())
    for _ in range(3):
        response = give(browser, "phq9", "phq9_9", intent=intent, phq9_9=1)
    assert response["Location"] == "/intake/support/"
    assert InstrumentResponse.objects.count() == 1 and Alert.objects.count() == 1


def test_two_tabs_that_answer_the_same_question_otherwise_are_told_and_both_are_heard(browser, alice):
    give(browser, "phq9", "phq9_1", phq9_1=1)
    response = give(browser, "phq9", "phq9_1", phq9_1=3)
    assert response.status_code == 409 and "another page of yours" in response.json()["said"]
    assert entry("phq9")["data"]["scored"] == {"phq9_1": "1"}
    response = give(browser, "phq9", "phq9_9", phq9_1=3, phq9_9=2)
    assert response.status_code == 409 and "tel:988" in response.json()["help"]
    assert Alert.objects.filter(patient_id=alice.pk).count() == 1


def test_hz_20_an_answer_that_was_on_its_way_when_the_page_was_sent_opens_nothing_again(browser, alice, at):
    """The script's request and the button's may arrive in either order; what each read before is old by then."""
    for step, answers in (("phq9", PHQ9), ("home", plain_answers("home"))):
        before = Intake.objects.get()
        assert send(browser, step, **answers).status_code == 302
        late = {"scored": {"phq9_1": "2"}} if step == "phq9" else {"home_safe": "yes"}
        asked = () if step == "phq9" else ("home_safe",)
        actions.save_answers(before, step, late, asked=asked, version=0, complete=None, by=alice, at=at)
        assert entry(step)["complete"] is True
    assert entry("phq9")["data"] == {"done": "yes"} and checked(browser, "phq9") == {}


def test_without_javascript_a_half_filled_questionnaire_can_be_put_aside(browser):
    response = send(browser, "gad7", gad7_1=2, gad7_3=1, later="yes")
    assert response["Location"] == "/intake/"
    assert checked(browser, "gad7") == {"gad7_1": "2", "gad7_3": "1"}
    assert not InstrumentResponse.objects.exists()


def test_what_was_answered_on_a_page_that_is_not_finished_is_kept_as_well(browser):
    assert send(browser, "gad7", gad7_1=2).status_code == 422
    assert checked(browser, "gad7") == {"gad7_1": "2"}


@pytest.mark.parametrize("value", ["4", "-1", "", "yes", "\x00", "9" * 400, "２"])
def test_an_answer_that_is_not_among_the_choices_is_asked_again(browser, value):
    response = give(browser, "phq9", "phq9_1", phq9_1=value)
    assert (response.status_code, response.json()["saved"]) == (422, False)
    assert entry("phq9") == {}


@pytest.mark.parametrize("name", ["", "nothing", "gad7_1", "__class__"])
def test_an_item_of_another_questionnaire_does_not_exist_here(browser, name):
    assert give(browser, "phq9", name, phq9_1=1).status_code == 404


def test_attribution_stands_below_each_published_questionnaire(browser):
    for step, words in (
        ("phq9", "Spitzer"),
        ("gad7", "Kroenke"),
        ("substances", "World Health Organization"),
    ):
        assert words in browser.get(f"/intake/{step}/").content.decode(), step
