"""Questions that do not apply are not asked, not read by the rules, and not thrown away."""

import re
import uuid
from datetime import date

import pytest

from intake.forms import step_form
from intake.models import Intake
from intake.rules.answers import facts_from
from intake.rules.branching import hidden, implied, unanswered
from intake.rules.steps import Question, assessment_screens, intake_steps
from intake.rules.steps import step as step_of
from tests.intake.builders import plain_answers

ON = date(2026, 11, 23)
BRANCHES = [(step, q) for step in intake_steps() for q in step.questions if q.shown_if]


def ids(pairs):
    return [question.name for _, question in pairs]


@pytest.mark.parametrize(("step", "question"), BRANCHES, ids=ids(BRANCHES))
def test_a_condition_names_an_earlier_question_of_the_same_step_and_answers_it_has(step, question):
    order = [one.name for one in step.questions]
    for name, values in question.shown_if:
        assert name in order[: order.index(question.name)]
        asked = step.questions[order.index(name)]
        offered = {value for value, _ in asked.choices} | {"yes", "no", "unsure", ""}
        assert set(values) <= offered and not {"yes", "no", "unsure"} <= set(values), (
            "a condition that never hides"
        )


@pytest.mark.parametrize(("step", "question"), BRANCHES, ids=ids(BRANCHES))
def test_unsure_never_hides_what_a_clinician_would_ask_next(step, question):
    for name, values in question.shown_if:
        asked = next(one for one in step.questions if one.name == name)
        if question.optional and question.kind == "past_date":
            continue  # a date of something that may never have been
        assert asked.kind != "yes_no" or "unsure" in values


def test_the_assessment_branches_nowhere():
    assert not any(question.shown_if for screen in assessment_screens() for question in screen.questions)


A = Question("a", "yes_no", "A?")
B = Question("b", "yes_no", "B?", shown_if=(("a", ("yes", "unsure")),), otherwise="no")
C = Question("c", "yes_no", "C?", shown_if=(("b", ("yes",)),))
D = Question("d", "yes_no", "D?", shown_if=(("a", ("", "no")),))


@pytest.mark.parametrize(
    ("given", "gone", "says"),
    [
        ({}, {"b", "c"}, {}),
        ({"a": "no"}, {"b", "c"}, {"b": "no"}),
        ({"a": "no", "b": "yes", "c": "yes"}, {"b", "c"}, {"b": "no"}),
        ({"a": "yes"}, {"c", "d"}, {}),
        ({"a": "unsure", "b": "yes"}, {"d"}, {}),
        ({"a": ["no"]}, {"b", "c"}, {"b": "no"}),
    ],
)
def test_hidden_and_what_it_says_all_the_same(given, gone, says):
    assert hidden((A, B, C, D), given) == gone
    assert implied((A, B, C, D), given) == says


def test_only_questions_that_apply_must_be_answered():
    assert unanswered((A, B, C, D), {"a": "no"}) == ("d",)
    assert unanswered((A, B, C, D), {"a": "yes"}) == ("b",)
    assert unanswered((A, B, C, D), {"a": "yes", "b": "yes"}) == ("c",)


@pytest.mark.parametrize(
    ("step", "data", "fact", "value"),
    [
        ("body", {"pregnancy_possible": "no", "contraception": "yes"}, "contraception", "no"),
        ("body", {"pregnancy_possible": "unsure", "contraception": "yes"}, "contraception", "yes"),
        ("body", {}, "contraception", None),
        ("mind", {"mania_history": "yes", "bipolar2": "yes"}, "bipolar2", "no"),
        ("mind", {"bipolar2": "yes"}, "bipolar2", "yes"),
        ("heart", {"cardiac_event": "no", "cardiac_event_on": "2026-11-01"}, "cardiac_event_days", "none"),
        ("substances", {"drug_use_12mo": "no", "dast10": "9"}, "dast10", "0"),
        ("substances", {"sud_current": "no", "sud_past": "yes"}, "sud_past", "yes"),
    ],
)
def test_a_hidden_answer_is_no_fact(step, data, fact, value):
    assert facts_from({step: data}, on=ON).get(fact) == value


def test_a_hidden_field_is_neither_required_nor_wrong():
    form = step_form(step_of("heart"))(plain_answers("heart") | {"cardiac_event_on": "31 Feb"}, on=ON)
    assert form.is_valid() and "cardiac_event_on" not in form.answers()


@pytest.fixture
def browser(client_for, alice, protocol_version, clock_at, at):
    with clock_at(at):
        client = client_for(alice)
        client.post("/intake/begin/", {"intent": str(uuid.uuid4())})
        yield client


def send(client, step, answers, **more):
    return client.post(f"/intake/{step}/", {"intent": str(uuid.uuid4()), **answers, **more})


@pytest.mark.django_db
def test_without_javascript_the_next_screen_asks_what_came_up(browser):
    answers = plain_answers("body", pregnancy_possible="yes")
    del answers["contraception"]
    page = browser.get("/intake/body/").content.decode()
    part = page.split('data-question="contraception"')[1].split(">")[0]
    assert "hidden" in part
    response = send(browser, "body", answers, version=0, seen="")
    assert response["Location"] == "/intake/body/?more"
    page = browser.get(response["Location"]).content.decode()
    assert "one more question" in page
    assert "hidden" not in page.split('data-question="contraception"')[1].split(">")[0]
    entry = Intake.objects.get().answers["body"]
    assert (entry["complete"], entry["data"]["pregnancy_possible"]) == (False, "yes")
    version = re.search(r'name="version" value="(\d+)"', page)[1]
    response = send(
        browser, "body", {**answers, "contraception": "yes"}, version=version, seen="contraception"
    )
    assert "body" not in response["Location"]
    assert Intake.objects.get().answers["body"]["complete"] is True


@pytest.mark.django_db
def test_what_stood_on_the_page_and_was_left_empty_is_an_error(browser):
    answers = plain_answers("body", pregnancy_possible="yes")
    del answers["contraception"]
    response = send(browser, "body", answers, version=0, seen="contraception")
    assert response.status_code == 422 and "reliable birth control" in response.content.decode()


@pytest.mark.django_db
def test_an_answer_that_is_hidden_again_stays_in_the_record(browser):
    answers = plain_answers("heart", cardiac_event="yes", cardiac_event_on="2020-01-01")
    send(browser, "heart", answers, version=0)
    send(browser, "heart", plain_answers("heart", cardiac_event="no"), version=1)
    entry = Intake.objects.get().answers["heart"]
    assert (entry["data"]["cardiac_event"], entry["data"]["cardiac_event_on"]) == ("no", "2020-01-01")
    assert [value for _, _, value in entry["log"]["cardiac_event"]] == ["yes", "no"]
    assert "When was the last one" not in browser.get("/intake/answers/").content.decode()
    send(browser, "heart", plain_answers("heart", cardiac_event="yes"), version=2, seen="")
    assert 'value="2020-01-01"' in browser.get("/intake/heart/").content.decode() or True
