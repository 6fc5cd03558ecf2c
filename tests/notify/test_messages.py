"""Every text that leaves: plain, without a clinical word, in every language, renderable, and listed in the catalogue."""

from pathlib import Path

import pytest
from django.conf import settings
from jinja2 import meta

from accounts.models import LANGUAGES
from notify.access import catalogue
from notify.actions import template_exists
from notify.actions.rendering import always_known, environment, file_template
from notify.actions.words import forbidden_words, names_for, render_default, samples
from notify.rules import MOST_CHARACTERS, MOST_SEGMENTS, forbidden_in, sms_segments

FOLDER = Path(settings.BASE_DIR) / "templates" / "messages"
CODES = [code for code, _ in LANGUAGES]
FILES = sorted(FOLDER.glob("*/*.txt"))
CHANNELS = ("sms", "voice", "email", "subject")
each_file = pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}/{p.name}")


def words_of(path: Path) -> tuple[str, str]:
    """(template, channel) of a file."""
    template, channel, _ = path.name.rsplit(".", 2)
    return template, channel


def put_together(path: Path) -> str:
    """A file's words with the sample."""
    template, channel = words_of(path)
    if channel == "subject":
        return render_default(template, "email", path.parent.name).subject
    return render_default(template, channel, path.parent.name).body


def test_every_language_is_whole() -> None:
    """A message that exists in one language exists in each, on the same channels; nothing lies outside a language's folder."""
    by_code = {code: {p.name for p in (FOLDER / code).glob("*.txt")} for code in CODES}
    assert len(by_code["en"]) >= 60
    assert all(names == by_code["en"] for names in by_code.values()), {
        code: sorted(by_code["en"] ^ names) for code, names in by_code.items()
    }
    assert list(FOLDER.glob("*.txt")) == [] and {p.name for p in FOLDER.iterdir()} == set(CODES)


@each_file
def test_no_message_holds_a_clinical_word(path: Path) -> None:
    """PR-14"""
    assert forbidden_in(path.read_text(), forbidden_words()) == []
    assert forbidden_in(put_together(path), forbidden_words()) == []


def test_the_list_of_forbidden_words_catches_the_words_of_this_care() -> None:
    for text in (
        "Your ketamine session",
        "your dose",
        "Presión",
        "su medicina",
        "Depression",
        "SUICIDAL",
        "tratamiento",
    ):
        assert forbidden_in(text, forbidden_words()), text
    assert forbidden_in("Your appointment is tomorrow. Su cita es mañana.", forbidden_words()) == []


@each_file
def test_a_message_fits_its_channel_with_the_longest_plausible_values(path: Path) -> None:
    template, channel = words_of(path)
    words = put_together(path)
    assert words and "{" not in words
    if channel == "sms":
        assert sms_segments(words) <= MOST_SEGMENTS
        assert settings.PRACTICE["name"] in words
    else:
        assert len(words) <= MOST_CHARACTERS[channel]


@each_file
def test_every_language_names_the_same_values_only(path: Path) -> None:
    """A translation cannot ask for a value that the cause does not give."""
    template, channel = words_of(path)
    assert channel in CHANNELS
    asked = meta.find_undeclared_variables(environment().parse(path.read_text()))
    assert asked <= names_for(template)


def test_every_value_has_a_sample() -> None:
    used = {name for path in FILES for name in names_for(words_of(path)[0])}
    assert used - set(always_known()) <= set(samples())


@pytest.mark.parametrize(
    "path", [p for p in FILES if ".email." in p.name], ids=lambda p: f"{p.parent.name}/{p.name}"
)
def test_a_mail_has_a_subject(path: Path) -> None:
    assert path.with_name(path.name.replace(".email.", ".subject.")).exists()


def test_every_message_file_is_in_the_catalogue() -> None:
    listed = {entry.get("template", entry["kind"]) for entry in catalogue()}
    assert {words_of(path)[0] for path in FILES} <= listed


@pytest.mark.parametrize("entry", catalogue(), ids=lambda e: e["kind"])
def test_every_catalogued_message_has_its_text_on_every_channel(entry: dict) -> None:
    if entry["kind"] == "account.mail":
        return
    for channel in entry.get("channels") or [entry["channel"]]:
        assert template_exists(entry.get("template", entry["kind"]), channel)


def test_a_language_that_lacks_a_text_falls_back_to_english() -> None:
    there = file_template("session_today.sms.txt", "es")
    elsewhere = file_template("session_today.sms.txt", "fr")
    assert there is not None and elsewhere is not None
    assert there.name == "es/session_today.sms.txt" and elsewhere.name == "en/session_today.sms.txt"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("ó" * 70, 1),
        ("ó" * 71, 2),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("é" * 160, 1),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
    ],
)
def test_a_text_is_counted_in_the_parts_that_phones_make_of_it(text: str, parts: int) -> None:
    assert sms_segments(text) == parts
