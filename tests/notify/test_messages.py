"""Every text that leaves: plain, without a clinical word, renderable, and listed in the catalogue."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from jinja2 import Environment, meta

from notify.access import catalogue
from notify.actions import template_exists

FOLDER = Path(settings.BASE_DIR) / "templates" / "messages"
FILES = sorted(FOLDER.glob("*.txt"))
# A phone lies on a table and a mail is read over a shoulder: nothing may tell what kind of care this is.
CLINICAL = re.compile(
    r"ketamin|\bdos(e|es|ing|age)\b|depress|anxiet|suicid|self-harm|psych|\bphq|\bgad\b|gad-?7|treatment|therap|medicat|medicine|"
    r"prescri|\bdrug|\bpill|tablet|troche|nasal|lozenge|mental|mood|diagnos|symptom|blood|pressure|mmhg|clinic|patient|trip\b|crisis",
    re.I,
)
CHANNELS = ("sms", "voice", "email", "subject")


def test_there_are_messages() -> None:
    assert len(FILES) >= 4


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_no_message_holds_a_clinical_word(path: Path) -> None:
    """PR-14"""
    words = re.sub(r"\{[{%#].*?[}%#]\}", "", path.read_text(), flags=re.S)
    assert CLINICAL.findall(words) == []
    # Names of values may be read by nobody, but values that carry clinical words may not be asked for at all.
    asked = meta.find_undeclared_variables(Environment(autoescape=False).parse(path.read_text()))  # noqa: S701
    assert not {name for name in asked if CLINICAL.search(name.replace("_", " "))}


@pytest.mark.parametrize("path", [p for p in FILES if ".sms." in p.name], ids=lambda p: p.name)
def test_a_text_message_is_short_and_says_who_writes(path: Path) -> None:
    words = re.sub(r"\{[{%#].*?[}%#]\}", "", path.read_text(), flags=re.S)
    assert len(words) <= 240
    assert "practice_name" in path.read_text()


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_a_message_file_is_named_after_its_kind_and_channel(path: Path) -> None:
    stem, channel, _ = path.name.rsplit(".", 2)
    assert channel in CHANNELS and stem


@pytest.mark.parametrize("path", [p for p in FILES if ".email." in p.name], ids=lambda p: p.name)
def test_a_mail_has_a_subject(path: Path) -> None:
    assert (FOLDER / path.name.replace(".email.", ".subject.")).exists()


def test_every_message_file_is_in_the_catalogue() -> None:
    listed = {entry["kind"] for entry in catalogue()}
    templates = {path.name.rsplit(".", 2)[0] for path in FILES}
    assert templates <= listed


@pytest.mark.parametrize("entry", catalogue(), ids=lambda e: e["kind"])
def test_every_catalogued_message_has_its_text_on_every_channel(entry: dict) -> None:
    if entry["kind"] == "account.mail":
        return
    for channel in entry.get("channels") or [entry["channel"]]:
        assert template_exists(entry.get("template", entry["kind"]), channel)
