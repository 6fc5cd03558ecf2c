"""Which words ask for a look (HZ-29): a list of sentences with what must be found in each, and of those in which nothing must be."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import settings as run
from hypothesis import strategies as st

from coaching import wording
from coaching.rules.messages import Match, match, squeezed, words_of

NUMBERS: dict[str, Any] = json.loads(
    (Path(settings.BASE_DIR) / "coaching" / "data" / "messaging.json").read_text()
)


def found_in(text: str) -> Match:
    return match(text, numbers=NUMBERS)


@pytest.mark.parametrize(
    ("text", "category", "trigger"),
    [
        ("I want to kill myself", "suicide_now", "X02"),
        ("i wnat to kil myslef", "suicide_now", "X02"),
        ("im going to die tonight", "suicide_now", "X02"),
        ("I took all of my pills", "suicide_now", "X02"),
        ("I have a plan to end my life.", "suicide_now", "X02"),
        ("i overdosed", "suicide_now", "X02"),
        ("I am not safe", "suicide_now", "X02"),
        ("I’m not safe right now", "suicide_now", "X02"),
        ("You won't be hearing from me, I won't be here tomorrow", "suicide_now", "X02"),
        ("I wrote a goodbye letter", "suicide_now", "X02"),
        ("I want to die", "suicide_thoughts", "X03"),
        ("i just want so badly to die", "suicide_thoughts", "X03"),
        ("wanna die", "suicide_thoughts", "X03"),
        ("I DON’T WANT TO LIVE ANYMORE", "suicide_thoughts", "X03"),
        ("everyone would be better off without me", "suicide_thoughts", "X03"),
        ("better off dead", "suicide_thoughts", "X03"),
        ("feeling sucidal again", "suicide_thoughts", "X03"),
        ("suiciddal thoughts", "suicide_thoughts", "X03"),
        ("I have been hurting myself", "suicide_thoughts", "X03"),
        ("self-harm", "suicide_thoughts", "X03"),
        ("no reason to live", "suicide_thoughts", "X03"),
        ("I can't go on like this", "suicide_thoughts", "X03"),
        ("kms", "suicide_thoughts", "X03"),
        ("quiero morir", "suicide_thoughts", "X03"),
        # A “no” never silences these: rather one call too many.
        ("I am not suicidal", "suicide_thoughts", "X03"),
        ("I have chest pain", "emergency", "X01"),
        ("No, I have chest pain", "emergency", "X01"),
        ("Slept well. Chest feels tight, chest tightness since noon", "emergency", "X01"),
        ("I can’t breathe properly", "emergency", "X01"),
        ("I fainted in the kitchen", "emergency", "X01"),
        ("my husband had a siezure", "emergency", "X01"),
        ("No rash but chest pressure", "emergency", "X01"),
        ("My tongue is swollen, swollen tongue", "emergency", "X01"),
        ("the dog ate one of my tablets", "exposure", "X15"),
        ("My son swallowed a troche", "exposure", "X15"),
        ("the toddler got into my medicine", "exposure", "X15"),
        ("I lost two tablets", "lost_medicine", "X15"),
        ("somebody stole my medication", "lost_medicine", "X15"),
        ("the package with the medicine was stolen", "lost_medicine", "X15"),
        ("I keep vomitting", "side_effect", ""),
        ("still feel confused and dizzy", "side_effect", ""),
        ("there is blood in my urine", "side_effect", ""),
        ("Ever since the second dose I see things", "side_effect", ""),
        ("nauseous all day", "side_effect", ""),
    ],
)
def test_these_are_found(text: str, category: str, trigger: str) -> None:
    found = found_in(text)
    assert category in found.categories
    assert found.urgency >= 1
    assert (trigger in found.triggers) if trigger else True


@pytest.mark.parametrize(
    "text",
    [
        "Could we begin an hour later next week?",
        "I killed it at the gym",
        "My kids want to dye eggs on Sunday",
        "This headache is killing me",
        "Thanks, feeling better",
        "I can't go on Tuesday, is Wednesday fine?",
        "My receipt is missing",
        "The parcel came today, all four tablets are in it",
        "What time should I take the tablets with water?",
        "my son took me to the park",
        "I hope to be done with the deadline",
        "Sam will be my sitter, he is safe to drive the day after",
        "I want this to be over soon, the form is long",
        "ready for session two",
        "The music was beautiful, I felt alive",
        "Is it fine to live with my parents that week?",
        "the doctor said my pressure is fine",
        "I want to be here with my family",
        "",
        "???",
        "12345",
    ],
)
def test_nothing_is_found_in_these(text: str) -> None:
    assert found_in(text) == Match()


@pytest.mark.parametrize(
    "text", ["no chest pain", "I had no chest pain and never fainted", "without any chest pain"]
)
def test_a_symptom_that_is_denied_is_looked_at_and_pages_nobody(text: str) -> None:
    found = found_in(text)
    assert (found.categories, found.triggers, found.urgency) == (("emergency",), (), 1)


def test_one_denied_symptom_does_not_cover_another() -> None:
    assert found_in("No chest pain. But I fainted.").triggers == ("X01",)


def test_several_kinds_are_all_named_and_the_gravest_clock_counts() -> None:
    found = found_in("I lost my tablets, I have a rash, and I want to die")
    assert set(found.categories) == {"suicide_thoughts", "lost_medicine", "side_effect"}
    assert found.urgency == 2 and set(found.triggers) == {"X03", "X15"}


@pytest.mark.parametrize(
    "noise", ["{}", "so. {}!!", "hello\n\n{}\n\nbye", "*{}*", "I said: “{}”", "x " * 700 + "{}"]
)
def test_where_in_a_message_the_words_stand_does_not_matter(noise: str) -> None:
    assert "suicide_thoughts" in found_in(noise.format("I want to die")).categories


@run(max_examples=80, deadline=None)
@given(before=st.text(max_size=60), after=st.text(max_size=60))
def test_whatever_stands_around_them_words_of_suicide_are_found(before: str, after: str) -> None:
    assert found_in(f"{before} . I want to kill myself . {after}").is_crisis


def test_letters_and_accents_are_squeezed() -> None:
    assert squeezed("Killll") == squeezed("kil") == "kil"
    assert words_of("I’m so-so, né?") == ["im", "so", "so", "|", "ne", "|"]


def test_every_category_has_words_for_the_patient_and_for_the_staff() -> None:
    categories = {row["category"] for row in NUMBERS["words"]}
    assert set(wording.PROMPT) == set(wording.FLAG_FOR_STAFF) == categories
    # Nobody is ever told that their message has been read.
    for sentence in (*wording.PROMPT.values(), *wording.AFTER_EMERGENCY_ANSWER.values()):
        assert "we have read" not in sentence.lower() and "we read your message" not in sentence.lower()
