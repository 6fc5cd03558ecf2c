"""The pages a stranger may meet besides a clear fit: each exclusion in its own words, and the free call."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from consults.models import Introduction
from intake.models import Screening
from intake.rules import Outcome, Stage, rules_for
from intake.wording import rule_texts
from tests.consults.builders import weekly_hours
from tests.journeys import steps
from tests.journeys.walker import Walker

Browsers = Callable[..., Walker]


# Every exclusion of the two-minute assessment but age, which has a page of its own: rule, screen, the answer that makes it true.
EXCLUDES = [
    ("E03", "you", {"state": "FL"}),
    ("E04", "video", {"has_internet_video": "no"}),
    ("E05", "sitter", {"monitor_available": "no"}),
    ("E10", "pregnancy", {"pregnant": "yes"}),
    ("E11", "pregnancy", {"breastfeeding": "yes"}),
    ("E09", "allergy", {"ketamine_allergy": "yes"}),
    ("E23", "vessels", {"aneurysm": "yes"}),
    ("E24", "vessels", {"avm": "yes"}),
    ("E25", "vessels", {"ich_history": "yes"}),
    ("E13", "mind", {"psychosis_history": "yes"}),
    ("E15", "mind", {"mania_history": "yes"}),
    ("E47", "substances", {"sud_current": "yes"}),
    ("E48", "substances", {"oud_history": "yes"}),
]


def test_each_exclusion_says_why_sells_nothing_and_offers_other_help(
    browser_of: Browsers, dana: User, protocol_version: Any
) -> None:
    """All thirteen pages, one after the other, each with axe: her sentence and no other one, help, and nothing for sale."""
    texts = rule_texts()
    of_assessment = {rule.id for rule in rules_for(Stage.ASSESSMENT)} - {"E01"}
    assert {id for id, *_ in EXCLUDES} == {id for id in of_assessment if texts[id].outcome is Outcome.EXCLUDE}
    visitor = browser_of("A visitor", phone=True)
    steps.answers_the_assessment(visitor)
    for rule, screen, answers in EXCLUDES:
        _answers(visitor, screen, answers)
        visitor.judged_anew().opens("/assessment/result/")
        visitor.sees("Not right now", texts[rule].patient, "988", "1-800-662-4357")
        visitor.does_not_see("Book a free call", "What it costs", "may be a fit")
        visitor.does_not_see(*(texts[other].patient for other, *_ in EXCLUDES if other != rule))
        _answers(visitor, screen, {name: _PLAIN.get(name, "no") for name in answers})
    visitor.opens("/assessment/result/").sees("may be a fit")
    assert Screening.objects.filter(outcome="not_now").count() == len(EXCLUDES)


_PLAIN = {"state": "CA", "has_internet_video": "yes", "monitor_available": "yes"}


def _answers(visitor: Walker, screen: str, answers: dict[str, str]) -> None:
    visitor.opens(f"/assessment/{screen}/")
    steps.fills(visitor, **answers)
    visitor.page.locator("main form button.button").first.click()
    visitor.looks()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_an_answer_that_nobody_can_be_sure_of_leads_to_a_person(
    browser_of: Browsers, dana: User, protocol_version: Any, scripts: bool
) -> None:
    """A review, on a phone: one group of questions a screen, back and forth with every answer kept, and a call before any account."""
    weekly_hours(dana)
    visitor = browser_of("A visitor who is not sure", phone=True, scripts=scripts)
    steps.answers_the_assessment(visitor, avm="unsure")
    visitor.is_at("/assessment/result/").sees(
        "Let's talk to a person",
        "What we would like to look at",
        "What happens next",
        "$1,196",
        "Six questions worth asking",
    )
    visitor.goes_back().is_at("/assessment/substances/").goes_back().goes_back().is_at("/assessment/vessels/")
    assert visitor.page.locator("input[name=avm][value=unsure]").is_checked()
    visitor.goes_forward().goes_forward().goes_forward().is_at("/assessment/result/")
    assert [one.outcome for one in Screening.objects.all()] == ["talk"]
    visitor.follows("See the free times").is_at("/introduction/").sees("Twenty minutes", "costs nothing")


def test_somebody_of_seventeen_is_met_with_help_and_no_offer(
    browser_of: Browsers, protocol_version: Any
) -> None:
    visitor = browser_of("A young visitor", phone=True)
    visitor.opens("/assessment/you/")
    steps.fills(visitor, age_years="17", state="CA")
    visitor.presses("Next").is_at("/assessment/adults-only/").sees("988", "adults only", "kept none")
    visitor.does_not_see("Make an account", "What it costs")


def test_an_emergency_is_told_to_call_911(browser_of: Browsers, protocol_version: Any) -> None:
    visitor = browser_of("A visitor in pain", phone=True)
    visitor.opens("/assessment/why/")
    steps.fills(visitor, main_problem="emergency", low_mood="0", worry="0")
    visitor.presses("Next").sees("Please call 911 now").does_not_see("Make an account", "What it costs")


def test_a_visitor_books_moves_and_cancels_a_free_call(
    browser_of: Browsers, dana: User, protocol_version: Any
) -> None:
    """No account, nothing about health, one link."""
    weekly_hours(dana)
    visitor = browser_of("Robin", phone=True)
    steps.answers_the_assessment(visitor)
    visitor.is_at("/assessment/result/").sees("What it costs", "$1,196", "Six questions worth asking")
    visitor.follows("Book a free call first").is_at("/introduction/").sees("Twenty minutes", "costs nothing")
    visitor.page.locator("main details.day a.button >> visible=true").nth(5).click()
    visitor.looks().is_at("/introduction/details/").sees("How long")
    visitor.types("name", "Robin").types("phone", "(415) 555-0177").presses("Book the call")
    visitor.is_at("/introduction/link/").sees("Your introductory call", "Dana Reyes", "0177")
    first = Introduction.objects.get()
    visitor.follows("Choose another time")
    visitor.page.locator("main details.day button >> visible=true").nth(8).click()
    visitor.looks().is_at("/introduction/link/").sees("Booked")
    moved = Introduction.objects.get()
    assert moved.pk == first.pk and moved.starts_at != first.starts_at
    doctor = browser_of("Dana", user=dana)
    doctor.opens("/calendar/").opens(f"/consults/introduction/{moved.pk}/").sees("Robin", "+14155550177")
    visitor.follows("Cancel", exact=True).presses("Yes, cancel it").sees("Cancelled")
