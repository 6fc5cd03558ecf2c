"""The two-minute assessment as a stranger meets it, with no JavaScript and nothing kept."""

import re

import pytest
from django.contrib.sessions.models import Session
from django.core.cache import caches
from django.test import Client

from common.logs import AllowListFormatter
from intake.models import Screening
from intake.rules.steps import assessment_screens

pytestmark = pytest.mark.django_db

GOOD = {
    "age_years": "38",
    "state": "CA",
    "main_problem": "depression",
    "low_mood": "2",
    "worry": "1",
    "has_internet_video": "yes",
    "monitor_available": "yes",
    "home_safe": "yes",
}


def walk(client: Client, **changes: str):
    """Answer all ten screens; the last answer given back."""
    answers = (
        {question.name: "no" for screen in assessment_screens() for question in screen.questions}
        | GOOD
        | changes
    )
    response = client.get("/assessment/")
    for screen in assessment_screens():
        typed = {question.name: answers[question.name] for question in screen.questions}
        response = client.post(f"/assessment/{screen.id}/", typed)
        if response.status_code != 302:
            return response
        if "adults" in response["Location"]:
            return client.get(response["Location"])
    assert response["Location"] == "/assessment/result/"
    return client.get("/assessment/result/")


def test_there_are_ten_screens_that_ask_the_sixteen_rules_of_phase_p():
    from intake.rules import Stage, required_facts, rules_for

    asked = {question.name for screen in assessment_screens() for question in screen.questions}
    assert len(assessment_screens()) == 10
    assert len(rules_for(Stage.ASSESSMENT)) == 16
    assert set(required_facts(Stage.ASSESSMENT)) <= asked


def test_clear_answers_may_be_a_fit_and_are_never_approved(dana):
    text = walk(Client()).content.decode()
    assert "This may be a fit" in text and "/accounts/signup/" in text and "/pricing/" in text
    assert "approved" not in text.replace("approved by the FDA as an anesthetic only", "").replace(
        "Is it approved for my condition?", ""
    )


def test_an_unsure_answer_leads_to_a_person(dana):
    text = walk(Client(), avm="unsure").content.decode()
    assert "talk to a person" in text


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"aneurysm": "yes"}, "E23"),
        ({"state": "FL"}, "E03"),
        ({"pregnant": "yes"}, "E10"),
        ({"monitor_available": "no"}, "E05"),
    ],
)
def test_an_exclusion_says_why_and_keeps_only_a_tally(dana, changes, rule):
    client = Client()
    text = walk(client, **changes).content.decode()
    assert "Not right now" in text
    tally = Screening.objects.get()
    assert (tally.outcome, rule in tally.reasons) == ("not_now", True)
    assert {field.name for field in Screening._meta.fields} == {
        "id",
        "on",
        "outcome",
        "reasons",
        "rule_version",
    }
    assert Session.objects.count() == 0


def test_where_nobody_is_licensed_no_visitor_is_told_that_a_psychiatrist_reads_their_intake(dana):
    nowhere = walk(Client(), state="FL").content.decode()
    assert "You can still ask a person" in nowhere and "/assessment/you/" in nowhere
    assert (
        "a psychiatrist reads it" not in nowhere
        and "signup" not in nowhere.split("<main")[1].split("</main>")[0]
    )
    assert "a psychiatrist reads it" in walk(Client(), monitor_available="no").content.decode()


def test_an_excluded_visitor_leaves_nothing_in_log_session_or_cache(dana, caplog, settings):
    """What the answers were stands in the visitor's own browser, and nowhere here."""
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "traces"}
    }
    client = Client(REMOTE_ADDR="203.0.113.77")
    with caplog.at_level("DEBUG"):
        walk(client, aneurysm="yes")
        client.get("/assessment/result/")
    lines = "\n".join(AllowListFormatter().format(record) for record in caplog.records)
    for trace in ("203.0.113.77", "aneurysm", "age_years", client.cookies["assessment"].value):
        assert trace not in lines
    assert Session.objects.count() == 0 and "sid" not in client.cookies
    assert not caches["default"]._cache


def test_looking_at_the_result_twice_counts_once(dana):
    client = Client()
    walk(client)
    client.get("/assessment/result/")
    assert Screening.objects.count() == 1


@pytest.mark.parametrize(("age", "page"), [("17", "adults only"), ("18", "may be a fit")])
def test_seventeen_has_its_own_page_and_eighteen_goes_on(dana, age, page):
    client = Client()
    text = walk(client, age_years=age).content.decode()
    assert page in text
    if age == "17":
        assert "assessment" not in client.cookies or client.cookies["assessment"].value == ""
        assert Screening.objects.get().reasons == ["E01"]
        assert "/pricing/" not in text.split("<main")[1].split("</main")[0]


@pytest.mark.parametrize("kind", ["crisis", "emergency"])
def test_a_crisis_or_an_emergency_is_met_with_help_in_the_same_answer_and_nothing_for_sale(kind):
    """PR-06 for somebody without an account."""
    client = Client()
    client.post("/assessment/you/", {"age_years": "30", "state": "CA"})
    response = client.post("/assessment/why/", {"main_problem": kind, "low_mood": "3", "worry": "3"})
    body = response.content.decode().split("<main")[1].split("</main")[0]
    assert response.status_code == 200
    assert "tel:988" in body and "tel:911" in body
    assert "signup" not in body and "pricing" not in body


@pytest.mark.parametrize("kind", ["crisis", "emergency"])
@pytest.mark.parametrize("rest", [{}, {"low_mood": "9", "worry": "\x00"}], ids=["nothing else", "nonsense"])
def test_help_does_not_wait_for_the_rest_of_the_page(kind, rest):
    """PR-06: somebody in danger is not asked to fill in two more questions first."""
    response = Client().post("/assessment/why/", {"main_problem": kind, **rest})
    assert response.status_code == 200
    assert "tel:988" in response.content.decode().split("<main")[1]
    assert not response.cookies


@pytest.mark.parametrize(
    ("screen", "answers"),
    [
        ("you", {"age_years": "15", "state": "CA"}),
        ("why", {"main_problem": "crisis"}),
        ("why", {"main_problem": "emergency"}),
    ],
    ids=["under 18", "crisis", "emergency"],
)
def test_nothing_on_a_page_of_help_sells_anything_not_even_its_frame(dana, screen, answers):
    """The header and the footer are part of the page."""
    client = Client()
    response = client.post(f"/assessment/{screen}/", answers)
    if response.status_code == 302:
        response = client.get(response["Location"])
    text = response.content.decode()
    addresses = {re.sub(r"[?#].*", "", href) for href in re.findall(r'<a [^>]*href="([^"]+)"', text)}
    allowed = {"/help/", "/assessment/why/", ""}
    assert {one for one in addresses if not one.startswith(("tel:", "sms:", "https://988"))} <= allowed
    assert "$" not in text.split("<body")[1]


def test_every_screen_shows_988_and_911():
    client = Client()
    for screen in assessment_screens():
        text = client.get(f"/assessment/{screen.id}/").content.decode()
        assert "tel:988" in text and "tel:911" in text


def test_going_back_keeps_the_answers(dana):
    client = Client()
    walk(client)
    text = client.get("/assessment/you/").content.decode()
    assert 'value="38"' in text and '<option value="CA" selected>' in text
    assert 'value="yes" id="id_home_safe_0" checked' in client.get("/assessment/home/").content.decode()


def test_the_cookie_says_nothing_to_somebody_who_reads_it_and_cannot_be_forged(dana):
    client = Client()
    client.post("/assessment/you/", {"age_years": "30", "state": "CA"})
    cookie = client.cookies["assessment"]
    assert "30" not in cookie.value.split(":")[1][:4] and "CA" not in cookie.value[:20] and cookie["httponly"]
    client.cookies["assessment"] = cookie.value[:-6] + "AAAAAA"
    assert 'value="30"' not in client.get("/assessment/you/").content.decode()


def test_the_result_without_answers_leads_to_the_first_open_question():
    assert Client().get("/assessment/result/")["Location"] == "/assessment/you/"


@pytest.mark.parametrize(
    "typed",
    ["\x00", "🦊" * 50, "9" * 10_000, "-1", "131", "", "thirty"],
    ids=["nul", "emoji", "10,000 digits", "below", "above", "empty", "words"],
)
def test_bad_input_is_a_clear_sentence(typed):
    response = Client().post("/assessment/you/", {"age_years": typed, "state": "CA"})
    assert response.status_code == 422
    assert "error-summary" in response.content.decode()


def test_an_unknown_screen_does_not_exist():
    assert Client().get("/assessment/nothing/").status_code == 404


def test_forgetting_empties_the_browser(dana):
    client = Client()
    walk(client)
    client.post("/assessment/clear/")
    assert 'value="38"' not in client.get("/assessment/you/").content.decode()
