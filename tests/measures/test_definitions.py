"""The definitions as they ship: every answer with its words, value and code; a version for each wording; nothing that is licensed."""

import hashlib
import json
from pathlib import Path

import pytest

from measures.rules import INSTRUMENTS, instrument, load_data

HOME = Path(__file__).resolve().parents[2]
HOW_OFTEN = ("Not at all", "Several days", "More than half the days", "Nearly every day")
ANSWERS = {
    "audit_c_1": [
        ("Never", 0, "LA6270-8"), ("Monthly or less", 1, "LA18926-8"), ("2-4 times a month", 2, "LA18927-6"),
        ("2-3 times a week", 3, "LA18928-4"), ("4 or more times a week", 4, "LA18929-2"),
    ],
    "audit_c_2": [
        ("1 or 2", 0, "LA15694-5"), ("3 or 4", 1, "LA15695-2"), ("5 or 6", 2, "LA18930-0"), ("7 to 9", 3, "LA18931-8"),
        ("10 or more", 4, "LA18932-6"),
    ],
    "audit_c_3": [
        ("Never", 0, "LA6270-8"), ("Less than monthly", 1, "LA18933-4"), ("Monthly", 2, "LA18876-5"), ("Weekly", 3, "LA18891-4"),
        ("Daily or almost daily", 4, "LA18934-2"),
    ],
    "phq9_difficulty": [
        ("Not difficult at all", 0, "LA6572-7"), ("Somewhat difficult", 1, "LA6573-5"), ("Very difficult", 2, "LA6575-0"),
        ("Extremely difficult", 3, "LA6574-3"),
    ],
    **{
        f"pcl5_{number}": [
            ("Not at all", 0, ""), ("A little bit", 1, ""), ("Moderately", 2, ""), ("Quite a bit", 3, ""), ("Extremely", 4, ""),
        ]
        for number in range(1, 21)
    },
}  # fmt: skip
# Another wording, answer, code or band is another version: answers that were given keep the definition they were given under.
VERSIONS = {
    "phq9-1": "add01a1381aec69d",
    "gad7-1": "50e36bfbfae1728b",
    "audit-c-1": "4c6c66a3063ae2dd",
    "pcl5-1": "cb9cc729130a1b9c",
    "suicide-risk-2": "3321812511dd4f05",
    "bladder-1": "494d18f44a09fea2",
    "use-1": "a1f29c5e4b6096cf",
}


def of_item(code: str):
    return next(item for name in INSTRUMENTS for item in instrument(name).items if item.code == code)


@pytest.mark.parametrize("code", list(ANSWERS))
def test_every_answer_carries_its_published_words_value_and_code(code):
    found = [(answer.text, answer.value, answer.loinc) for answer in of_item(code).answers]
    assert found == ANSWERS[code]


@pytest.mark.parametrize("name", ["phq9", "gad7"])
def test_the_stem_and_the_four_answers_are_the_published_ones(name):
    of = instrument(name)
    assert of.stem == (
        "Over the last 2 weeks, how often have you been bothered by any of the following problems?"
    )
    assert {tuple(answer.text for answer in item.answers) for item in of.scored_items} == {HOW_OFTEN}


@pytest.mark.parametrize("name", [*INSTRUMENTS, "suicide_risk"])
def test_a_changed_definition_is_a_new_version(name):
    data = dict(load_data(name))
    content = json.dumps(data, sort_keys=True, ensure_ascii=False).encode()
    assert VERSIONS.get(data["version"]) == hashlib.sha256(content).hexdigest()[:16], (
        f"{name} is not the text that {data['version']} names: give it a new version, and write that one down here"
    )


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_every_definition_says_whose_it_is_and_under_what_terms(name):
    licence = load_data(name)["licence"]
    assert licence["status"] and len(licence["text"]) > 60 and licence["source"]


# A few words of each that stand nowhere else.
LICENSED = {
    "C-SSRS": (
        "wished you were dead or wished you could go to sleep", "actually had any thoughts of killing yourself",
        "some intention of acting on them", "work out the details of how to kill yourself", "worked out the details of how",
        "started to do anything, or prepared to do anything to end your life",
    ),
    "MDQ": (
        "felt so good or so hyper", "not your normal self", "much more self-confident than usual", "thoughts raced through your head",
        "found you didn't really miss it", "so easily distracted by things around you",
    ),
    "CADSS": (
        "moving in slow motion", "seem to be unreal to you, as if you are in a dream", "as an observer or spectator",
        "looking at things from outside of your body", "see things as if you were in a tunnel", "sense of your own body feel changed",
    ),
    "DAST-10": (
        "drugs other than those required for medical reasons", "more than one drug at a time", "blackouts or flashbacks",
        "neglected your family because of your use of drugs",
    ),
}  # fmt: skip
SHIPPED = ("*.py", "*.json", "*.html", "*.md", "*.txt", "*.js", "*.toml")
NOT_SHIPPED = {"tests", "var", ".venv", ".git", "node_modules", "docs"}


@pytest.fixture(scope="module")
def shipped() -> dict[str, str]:
    found = {}
    for folder in sorted(HOME.iterdir()):
        if not folder.is_dir() or folder.name in NOT_SHIPPED or folder.name.startswith("."):
            continue
        for pattern in SHIPPED:
            for path in folder.rglob(pattern):
                if not NOT_SHIPPED & set(path.relative_to(HOME).parts):
                    found[str(path.relative_to(HOME))] = " ".join(
                        path.read_text(encoding="utf-8", errors="ignore").lower().replace("’", "'").split()
                    )
    assert len(found) > 300
    return found


@pytest.mark.parametrize("name", list(LICENSED))
def test_no_text_of_a_licensed_instrument_is_shipped_anywhere(name, shipped):
    for words in LICENSED[name]:
        assert [path for path, text in shipped.items() if words.lower() in text] == [], words
