"""Whatever is typed into the assessment and the intake: a clear sentence, nothing lost, nothing doubled, never a server error.

Made from the step data, so that a new question is covered the day it is added.
"""

import html
import re
import uuid

import pytest
from django.test import Client

from accounts.models import Patient
from intake.models import Intake
from intake.rules.branching import hidden
from intake.rules.steps import assessment_screens, intake_steps
from tests.intake.builders import plain_answers
from tests.intake.test_assessment_pages import GOOD

pytestmark = pytest.mark.django_db

LONG = "x" * 10_000
WORDS = {
    "nul": "a\x00b", "emoji": "🦊🌿" * 20, "right to left": "שלום \u202eabc\u202c", "10,000 characters": LONG, "combining": "e\u0301" * 50,
    "markup": "<script>alert(1)</script>", "template": "{{ 7*7 }}{% raw %}", "quote": "'; DROP TABLE intake_intake; --",
    "lone surrogate": b"a\xed\xa0\x80b", "not utf-8": b"\xff\xfe\xfa", "new lines": "a\r\nb\nc", "spaces": "   ",
}  # fmt: skip
DATES = ["2026-02-31", "2090-01-01", "1850-06-01", "0000-00-00", "99999-01-01", "tomorrow"]
NUMBERS = ["-1", "NaN", "9" * 400, "1,2,3", "0x10", "５"]
CHOICES = ["maybe", "\x00", LONG]


def bad_for(question):
    """(what it is, what is sent) that can never be a right answer, and words that may be."""
    match question.kind:
        case "yes_no" | "choice" | "many" | "us_state" | "zone":
            return [(f"choice {n}", value) for n, value in enumerate(CHOICES)]
        case "number":
            return [(f"number {value[:8]!r}", value) for value in NUMBERS if value.strip()]
        case "birth_date" | "past_date":
            return [(f"date {value}", value) for value in DATES]
        case "phone":
            return [("words", "call me"), ("digits", "9" * 400), ("nul", "\x00"), ("long", LONG)]
    return list(WORDS.items())


def shown(step, answers):
    gone = hidden(step.questions, answers)
    return [question for question in step.questions if question.name not in gone]


FORMS = [step for step in intake_steps() if step.questions]
TEXT = ("text", "long_text")


@pytest.fixture
def browser(client_for, alice, protocol_version, clock_at, at):
    with clock_at(at):
        client = client_for(alice)
        client.raise_request_exception = True
        client.post("/intake/begin/", {"intent": str(uuid.uuid4())})
        yield client


def answers_that_show_everything(step):
    """Yes to whatever brings up another question."""
    answers = plain_answers(step.id)
    for question in step.questions:
        for name, values in question.shown_if:
            if "no" not in values:
                answers[name] = "yes"
    if "cardiac_event" in answers:
        answers["cardiac_event_on"] = "2020-01-01"
    answers.setdefault("contraception", "yes")
    return answers


def post(client, address, answers):
    """As a browser sends it, bytes that are no text included."""
    boundary = "b" * 20
    body = b""
    for name, value in answers.items():
        for one in value if isinstance(value, list) else [value]:
            raw = one if isinstance(one, bytes) else str(one).encode()
            body += (
                b"--"
                + boundary.encode()
                + b'\r\nContent-Disposition: form-data; name="'
                + name.encode()
                + b'"\r\n\r\n'
                + raw
                + b"\r\n"
            )
    body += b"--" + boundary.encode() + b"--\r\n"
    return client.generic("POST", address, body, content_type=f"multipart/form-data; boundary={boundary}")


def version_of(step):
    return Intake.objects.get().answers.get(step.id, {}).get("version", 0)


@pytest.mark.parametrize("step", FORMS, ids=[step.id for step in FORMS])
def test_every_question_of_the_intake_meets_everything_that_cannot_be_right(browser, step):
    plain = answers_that_show_everything(step)
    seen = ",".join(question.name for question in step.questions if question.shown_if)
    for question in shown(step, plain):
        for what, value in bad_for(question):
            before = Intake.objects.get().answers
            sent = {
                **plain,
                question.name: value,
                "seen": seen,
                "version": version_of(step),
                "intent": uuid.uuid4(),
            }
            response = post(browser, f"/intake/{step.id}/", sent)
            text = response.content.decode()
            line = f"{step.id}.{question.name}, {what}"
            if response.status_code == 302:
                assert question.kind in TEXT or question.kind == "number", line
                kept = Intake.objects.get().answers[step.id]["data"]
                if isinstance(value, str) and value.strip() and question.kind in TEXT:
                    assert kept[question.name].split() == value.split(), line
                continue
            assert response.status_code == 422, line
            assert 'class="error-summary"' in text and "<title>Error:" in text, line
            assert (
                f"id_{question.name}" in text.split("error-summary")[1].split("</ul>")[0]
                or "height" in question.name
                or "weight" in question.name
            ), line
            if (
                isinstance(value, str)
                and "\x00" not in value
                and len(value) < 300
                and question.kind not in ("yes_no", "choice", "many", "us_state", "zone")
            ):
                assert value.strip() in html.unescape(text), f"{line}: what was typed is lost"
            assert "<script>alert" not in text and "49" not in re.findall(r"\{\{.*?\}\}", text), line
            assert Intake.objects.get().answers == before, f"{line}: something was saved"


@pytest.mark.parametrize("step", FORMS, ids=[step.id for step in FORMS])
def test_every_answer_that_saves_itself_meets_the_same(browser, step):
    plain = answers_that_show_everything(step)
    for question in shown(step, plain):
        for what, value in bad_for(question)[:4]:
            sent = {
                **plain,
                question.name: value,
                "answered": question.name,
                "version": version_of(step),
                "seen": "",
                "intent": uuid.uuid4(),
            }
            response = post(browser, f"/intake/{step.id}/answer/", sent)
            assert response.status_code in (200, 409, 422), f"{step.id}.{question.name}, {what}"
            said = response.json()
            assert said["said"] and said["saved"] is (response.status_code == 200), (
                f"{step.id}.{question.name}, {what}"
            )


SCREENS = list(assessment_screens())


@pytest.mark.parametrize("screen", SCREENS, ids=[screen.id for screen in SCREENS])
def test_every_question_of_the_assessment_meets_the_same(screen):
    plain = {question.name: GOOD.get(question.name, "no") for question in screen.questions}
    for question in screen.questions:
        for what, value in bad_for(question):
            response = post(Client(), f"/assessment/{screen.id}/", {**plain, question.name: value})
            assert response.status_code == 422, f"{screen.id}.{question.name}, {what}"
            assert 'class="error-summary"' in response.content.decode()


@pytest.mark.parametrize(
    "step",
    [step for step in intake_steps() if step.instrument and not step.questions],
    ids=lambda step: step.id,
)
def test_every_questionnaire_meets_the_same(browser, step):
    names = list(plain_answers(step.id))
    for name in names:
        for value in [*CHOICES, *NUMBERS[:3]]:
            if value.strip() in ("0",):
                continue
            response = post(
                browser,
                f"/intake/{step.id}/",
                {**plain_answers(step.id), name: value, "intent": uuid.uuid4()},
            )
            assert response.status_code == 422, (step.id, name, value[:10])
            assert "error-summary" in response.content.decode()


@pytest.mark.parametrize("what", list(WORDS))
def test_a_medicine_and_a_reading_meet_the_same(browser, what):
    for field in ("name", "dose_text"):
        sent = {"name": "sertraline", "as_typed": "", field: WORDS[what], "intent": uuid.uuid4()}
        assert post(browser, "/intake/medicines/", sent).status_code in (302, 422), field
    for field in ("systolic_mmhg", "diastolic_mmhg", "pulse_bpm"):
        sent = {
            "systolic_mmhg": 120,
            "diastolic_mmhg": 80,
            "pulse_bpm": 70,
            field: WORDS[what],
            "intent": uuid.uuid4(),
        }
        response = post(browser, "/intake/blood-pressure/", sent)
        assert response.status_code == 422 and "error-summary" in response.content.decode()


@pytest.mark.parametrize("field", ["systolic_mmhg", "diastolic_mmhg", "pulse_bpm"])
@pytest.mark.parametrize("value", ["-1", "1e3", "NaN", "9" * 60, "120,5", "5" * 4])
def test_a_number_no_cuff_shows_is_asked_again(browser, field, value):
    sent = {"systolic_mmhg": 120, "diastolic_mmhg": 80, "pulse_bpm": 70, field: value, "intent": uuid.uuid4()}
    assert post(browser, "/intake/blood-pressure/", sent).status_code == 422


def test_ones_own_number_is_nobody_to_call(browser):
    step = next(one for one in FORMS if one.id == "about")
    answers = plain_answers("about")
    answers |= {
        "phone": "(415) 555-0123",
        "emergency_contact_phone": "415 555 0123",
        "version": version_of(step),
    }
    response = post(browser, "/intake/about/", answers | {"intent": str(uuid.uuid4())})
    assert response.status_code == 422 and "This is your own number." in response.content.decode()


def test_the_zone_of_somebody_new_is_first_that_of_their_state(browser, alice):
    """Reminders in the hours of New York would wake somebody in California."""
    alice.full_name, alice.time_zone = "", "America/New_York"
    alice.save()
    Patient.objects.filter(pk=alice.pk).update(state="CA")
    page = browser.get("/intake/about/").content.decode()
    assert '<option value="America/Los_Angeles" selected' in page
    alice.full_name = "Alice Lindqvist"
    alice.save()
    assert '<option value="America/New_York" selected' in browser.get("/intake/about/").content.decode()


def test_both_numbers_in_one_field_are_shown_again_with_what_to_do(browser):
    sent = {"systolic_mmhg": "120/80", "diastolic_mmhg": "", "pulse_bpm": "70", "intent": uuid.uuid4()}
    text = post(browser, "/intake/blood-pressure/", sent).content.decode()
    assert 'value="120/80"' in text and 'type="number"' not in text
    assert "Upper number (systolic): write this one number alone, such as 120." in text


def test_three_hundred_kilograms_typed_in_pounds_asks_did_you_mean(browser):
    sent = {
        **plain_answers("about"),
        "weight": "300",
        "weight_unit": "kg",
        "version": 0,
        "intent": uuid.uuid4(),
    }
    response = post(browser, "/intake/about/", sent)
    assert response.status_code == 422 and "Did you mean 300 lb?" in html.unescape(response.content.decode())


@pytest.mark.parametrize("step", FORMS, ids=[step.id for step in FORMS])
def test_a_form_after_log_out_leads_to_the_log_in_and_nothing_is_saved_twice(browser, step):
    sent = {**plain_answers(step.id), "version": 0, "intent": uuid.uuid4()}
    assert post(browser, f"/intake/{step.id}/", sent).status_code == 302
    kept = Intake.objects.get().answers
    browser.logout()
    response = post(browser, f"/intake/{step.id}/", sent)
    assert response.status_code == 302 and response["Location"].startswith("/accounts/login/?next=/intake/")
    assert Intake.objects.get().answers == kept


@pytest.mark.parametrize("step", FORMS, ids=[step.id for step in FORMS])
def test_a_form_sent_twice_saves_once(browser, step):
    """PR-09."""
    sent = {**plain_answers(step.id), "version": 0, "intent": uuid.uuid4()}
    first, second = (post(browser, f"/intake/{step.id}/", sent) for _ in range(2))
    assert first["Location"] == second["Location"] and version_of(step) == 1


@pytest.mark.parametrize("step", FORMS, ids=[step.id for step in FORMS])
def test_no_page_of_the_intake_takes_more_than_its_queries(browser, step, django_assert_max_num_queries):
    with django_assert_max_num_queries(10):
        browser.get(f"/intake/{step.id}/")
    with django_assert_max_num_queries(40):
        post(browser, f"/intake/{step.id}/", {**plain_answers(step.id), "version": 0, "intent": uuid.uuid4()})


@pytest.mark.parametrize(
    ("address", "most"),
    [
        ("/intake/", 16),
        ("/intake/medicines/", 10),
        ("/intake/medicines/?q=zolof", 11),
        ("/intake/blood-pressure/", 14),
        ("/intake/answers/", 14),
    ],
)
def test_no_other_page_does_either(browser, address, most, django_assert_max_num_queries):
    with django_assert_max_num_queries(most):
        browser.get(address)
