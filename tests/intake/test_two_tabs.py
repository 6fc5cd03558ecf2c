"""Two tabs, two devices, a stopped browser: each answer for itself, nothing overwritten, nothing lost (HZ-20)."""

import re
import uuid
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.models import Intake
from intake.rules.branching import hidden
from intake.rules.merging import LOG_LENGTH, flat, merge, nested
from intake.rules.steps import intake_steps
from tests.intake.builders import a_submitted_intake, plain_answers

AT = "2026-11-23T17:00:00+00:00"


def kept(entry, typed, version, **more):
    found = merge(entry, typed, version=version, at=AT, **more)
    return {
        "version": entry.get("version", 0) + bool(found.changed),
        "data": found.data,
        "log": found.log,
        "at": AT,
    }, found


def test_answers_given_in_two_tabs_are_both_kept():
    entry, _ = kept({}, {"a": "1", "b": "1"}, 0)
    entry, _ = kept(entry, {"a": "2", "b": "1"}, 1)
    entry, found = kept(entry, {"a": "1", "b": "2"}, 1)
    assert entry["data"] == {"a": "2", "b": "2"} and found.newer == ("a",) and not found.clashes


def test_the_same_answer_changed_in_both_is_a_clash_and_the_newer_one_stays():
    entry, _ = kept({}, {"a": "1"}, 0)
    entry, _ = kept(entry, {"a": "2"}, 1)
    entry, found = kept(entry, {"a": "3", "b": "x"}, 1)
    assert entry["data"] == {"a": "2", "b": "x"}
    assert [(clash.kept, clash.typed) for clash in found.clashes] == [(("2",), ("3",))]


def test_the_same_change_in_both_is_no_clash():
    entry, _ = kept({}, {"a": "1"}, 0)
    entry, _ = kept(entry, {"a": "2"}, 1)
    assert kept(entry, {"a": "2"}, 1)[1].clashes == ()


def test_a_weight_never_gets_the_unit_of_another_tab():
    together = (("weight", "unit"),)
    entry, _ = kept({}, {"weight": "150", "unit": "lb"}, 0, together=together)
    entry, _ = kept(entry, {"weight": "68", "unit": "kg"}, 1, together=together)
    entry, found = kept(entry, {"weight": "155", "unit": "lb"}, 1, together=together)
    assert entry["data"] == {"weight": "68", "unit": "kg"} and found.clashes[0].typed == ("155", "lb")


def test_an_emptied_answer_is_a_change_too():
    entry, _ = kept({}, {"a": "1"}, 0)
    entry, _ = kept(entry, {"a": None}, 1)
    assert entry["data"] == {} and [row[2] for row in entry["log"]["a"]] == ["1", None]


def test_an_entry_from_before_each_answer_had_a_log_still_knows_a_stale_page():
    entry = {"version": 3, "data": {"a": "1"}, "at": AT}
    assert kept(entry, {"a": "2"}, 3)[0]["data"] == {"a": "2"}
    assert kept(entry, {"a": "2"}, 1)[1].clashes


def test_scored_items_are_answers_like_others():
    assert nested(flat({"x": "1", "scored": {"q": "2"}})) == {"x": "1", "scored": {"q": "2"}}


ANSWERS = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["1", "2", "3", None]), max_size=3)


@given(st.lists(st.tuples(ANSWERS, st.integers(0, 12)), max_size=14))
def test_whatever_the_order_a_newer_answer_is_never_overwritten_unseen(saves):
    """Every save either had seen the value it replaces, or leaves it alone."""
    entry: dict = {"version": 0, "data": {}, "log": {}, "at": AT}
    values = [{}]
    for typed, version in saves:
        version = min(version, entry["version"])
        before = dict(entry["data"])
        known = len(saves) < LOG_LENGTH
        entry, found = kept(entry, typed, version)
        if found.changed:
            values.append(dict(entry["data"]))
        for name in found.changed:
            assert not known or before.get(name) == values[version].get(name)
        for clash in found.clashes:
            assert entry["data"].get(clash.names[0]) == before.get(clash.names[0])
        untouched = set("abc") - set(found.changed)
        assert {n: entry["data"].get(n) for n in untouched} == {n: before.get(n) for n in untouched}


pages = pytest.mark.django_db


@pytest.fixture
def browser(client_for, alice, protocol_version, clock_at, at):
    with clock_at(at):
        client = client_for(alice)
        client.post("/intake/begin/", {"intent": str(uuid.uuid4())})
        yield client


def send(client, step, answers, **more):
    return client.post(f"/intake/{step}/", {"intent": str(uuid.uuid4()), **answers, **more})


def give(client, step, name, version, **answers):
    return client.post(
        f"/intake/{step}/answer/",
        {"intent": str(uuid.uuid4()), "answered": name, "version": version, "seen": "", **answers},
    )


def entry_of(step):
    return Intake.objects.get().answers[step]


@pages
def test_one_answer_is_saved_by_itself_and_the_step_stays_open(browser):
    response = give(browser, "home", "home_safe", 0, home_safe="no")
    said = response.json()
    assert (response.status_code, said["saved"], said["alone"], said["version"]) == (200, True, True, 1)
    assert said["said"].startswith("Saved at 9:00 am PST")
    assert (entry_of("home")["data"], entry_of("home")["complete"]) == ({"home_safe": "no"}, False)


@pages
def test_two_tabs_answer_different_questions_and_both_stay(browser):
    give(browser, "home", "home_safe", 0, home_safe="yes")
    said = give(browser, "home", "monitor_available", 0, monitor_available="yes").json()
    assert said["saved"] and not said["alone"], "the second tab must not take over a version it never saw"
    assert entry_of("home")["data"] == {"home_safe": "yes", "monitor_available": "yes"}


@pages
def test_two_tabs_answer_the_same_question_and_the_second_hears_which_is_newer(browser):
    give(browser, "home", "home_safe", 0, home_safe="yes")
    response = give(browser, "home", "home_safe", 0, home_safe="no")
    assert response.status_code == 409
    assert "was answered elsewhere at 9:00 am PST: Yes. Here: No." in response.json()["said"]
    assert entry_of("home")["data"] == {"home_safe": "yes"}


@pages
def test_a_whole_page_from_a_stale_tab_saves_the_rest_and_asks_about_the_clash(browser):
    answers = plain_answers("home")
    send(browser, "home", answers, version=0)
    response = send(browser, "home", {**answers, "home_safe": "no", "home_notes": "typed here"}, version=0)
    text = response.content.decode()
    assert response.status_code == 409 and "the newer one" in text and "at 9:00 am PST" in text
    assert (
        entry_of("home")["data"] | {"home_safe": "yes", "home_notes": "typed here"}
        == entry_of("home")["data"]
    )
    version = re.search(r'name="version" value="(\d+)"', text)[1]
    assert send(browser, "home", {**answers, "home_safe": "no"}, version=version).status_code == 302
    assert entry_of("home")["data"]["home_safe"] == "no"
    assert [row[2] for row in entry_of("home")["log"]["home_safe"]] == ["yes", "no"]


@pages
def test_a_weight_and_its_unit_are_kept_with_what_was_typed_and_in_si(browser):
    send(browser, "about", plain_answers("about"), version=0)
    data = entry_of("about")["data"]
    assert (data["weight"], data["weight_unit"], data["weight_kg"]) == ("150", "lb", "68.0")
    give(
        browser, "about", "weight_unit", 1, **{**plain_answers("about"), "weight": "70", "weight_unit": "kg"}
    )
    assert entry_of("about")["data"]["weight_kg"] == "70.0"


@pages
@pytest.mark.parametrize("version", ["", "-1", "99", "1e3", "9" * 40, "２"])
def test_a_version_that_never_was_is_a_clear_sentence_and_nothing_is_lost(browser, version):
    response = send(browser, "home", {**plain_answers("home"), "home_notes": "mine"}, version=version)
    assert response.status_code == 409 and "mine" in response.content.decode()
    assert "home" not in Intake.objects.get().answers


@pages
def test_the_browser_stops_after_any_answer_and_another_device_shows_exactly_what_was_acknowledged(
    browser, client_for, alice
):
    for step in intake_steps():
        if not step.questions:
            continue
        answers, acknowledged = plain_answers(step.id), {}
        version = 0
        for question in step.questions:
            asked = question.name not in hidden(step.questions, acknowledged)
            if asked and question.name in answers and not question.together:
                response = give(
                    browser, step.id, question.name, version, **{question.name: answers[question.name]}
                )
                assert response.status_code == 200, (step.id, question.name, response.content)
                version = response.json()["version"]
                acknowledged[question.name] = answers[question.name]
        kept_now = entry_of(step.id)["data"]
        assert {name: kept_now.get(name) for name in acknowledged} == acknowledged
        assert client_for(alice).get(f"/intake/{step.id}/").status_code == 200


@pages
def test_a_replayed_answer_counts_once(browser):
    intent = str(uuid.uuid4())
    body = {"intent": intent, "answered": "home_safe", "version": 0, "home_safe": "yes"}
    assert browser.post("/intake/home/answer/", body).status_code == 200
    assert browser.post("/intake/home/answer/", body).status_code == 302
    assert entry_of("home")["version"] == 1


@pages
@pytest.mark.parametrize("name", ["nothing", "", "__class__", "weight"])
def test_an_answer_to_a_question_that_is_not_on_the_page_does_not_exist(browser, name):
    assert give(browser, "home", name, 0, **({name: "x"} if name else {})).status_code == 404


@pages
def test_a_form_sent_after_the_intake_was_handed_over_shows_what_was_typed_and_saves_nothing(
    client_for, alice, at, clock_at, protocol_version
):
    a_submitted_intake(alice, at)
    before = Intake.objects.get().answers
    with clock_at(at + timedelta(hours=1)):
        client = client_for(alice)
        response = send(client, "home", plain_answers("home", home_notes="a last word"), version=1)
        assert response.status_code == 409
        assert "a last word" in response.content.decode() and "was not saved" in response.content.decode()
        response = give(client, "home", "home_safe", 1, home_safe="no")
        assert response.status_code == 409 and "was not saved" in response.json()["said"]
    assert Intake.objects.get().answers == before
