"""By when a message is answered, and which words in it ask a person to look now. Pure: text and numbers in, codes out.

The words only ever add a look, never spare one: no match means nothing, and nobody is told that a message was read because a
program went through it (HZ-29).
"""

import functools
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

# Words that may stand between two words of a phrase: "want so very much to die".
GAP_WORDS = 3
# How far back a "no" still belongs to what follows it.
NEGATION_WORDS = 3
# Shorter words are taken letter by letter, or every "die" would be a "pie".
FUZZY_FROM_LETTERS = 6
BREAK = "|"
# The category of words, and the topic of a conversation, about an effect of the medicine.
SIDE_EFFECT = "side_effect"
BREAKING_WORDS = frozenset({"but", "however", "although", "though", "pero"})


# --- by when ---


def is_working_day(day: date, staffed: Mapping[str, Any], holidays: Collection[date]) -> bool:
    return day.weekday() in staffed["weekdays"] and day not in holidays


def is_staffed(at: datetime, *, zone: str, staffed: Mapping[str, Any], holidays: Collection[date]) -> bool:
    """Is somebody of the care team at work at this instant, by the practice's own calendar?"""
    local = at.astimezone(ZoneInfo(zone))
    return (
        is_working_day(local.date(), staffed, holidays)
        and staffed["from_hour"] <= local.hour < staffed["until_hour"]
    )


def answer_by(
    at: datetime,
    *,
    zone: str,
    promise: Mapping[str, Any],
    staffed: Mapping[str, Any],
    holidays: Collection[date],
) -> datetime:
    """When a message of `at` is answered at the latest.

    `working_days`: the end of the n-th working day after today. `staffed_minutes`: that many minutes of staffed time from now,
    nights, weekends and holidays not counted.
    """
    where = ZoneInfo(zone)
    day = at.astimezone(where).date()
    if "working_days" in promise:
        left = promise["working_days"]
        while left:
            day += timedelta(days=1)
            left -= is_working_day(day, staffed, holidays)
        return datetime.combine(day, time(staffed["until_hour"]), where)
    left_minutes = timedelta(minutes=promise["staffed_minutes"])
    while True:
        opens = datetime.combine(day, time(staffed["from_hour"]), where)
        closes = datetime.combine(day, time(staffed["until_hour"]), where)
        begins = max(opens, at)
        if is_working_day(day, staffed, holidays) and begins < closes:
            if begins + left_minutes <= closes:
                return begins + left_minutes
            left_minutes -= closes - begins
        day += timedelta(days=1)


# --- which words ---


@dataclass(frozen=True)
class Match:
    """What the words of a message asked for. Nothing found is `urgency` 0, which says nothing about the person."""

    categories: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    urgency: int = 0

    @property
    def is_effect(self) -> bool:
        """Words about something that the medicine may have done."""
        return SIDE_EFFECT in self.categories

    @property
    def is_crisis(self) -> bool:
        return any(category.startswith("suicide") for category in self.categories)


@dataclass(frozen=True)
class Asked:
    """What the words of one message, or of one text, set off: the alerts by their triggers, and how soon a person looks."""

    triggers: tuple[str, ...] = ()
    urgency: int = 0
    after_hours: bool = False


# Whatever somebody writes or texts while a patient is under the medicine, HELP among it: the coach looks now (X07).
IN_SESSION = "X07"


def asked_by(found: Match, *, in_session: bool, effect_after_hours: bool, after_hours_trigger: str) -> Asked:
    """The alerts that words call for. What comes out of a session is looked at now whatever it says (X07), and a side effect told
    while nobody is at work reaches the person on call (X23), unless graver words beside it already do."""
    triggers = found.triggers
    if in_session and not triggers:
        triggers = (IN_SESSION,)
    if effect_after_hours and not triggers:
        triggers = (after_hours_trigger,)
    return Asked(triggers, max(found.urgency, 1 if effect_after_hours else 0), effect_after_hours)


def squeezed(word: str) -> str:
    """A word without repeated letters and accents: `killlll`, `kill` and `kil` are one."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", word.lower()) if not unicodedata.combining(c))
    return re.sub(r"(.)\1+", r"\1", re.sub(r"[^a-z0-9]", "", plain))


def words_of(text: str) -> list[str]:
    """The words of a text in order, squeezed, with a mark where a thought ends (for negations)."""
    text = unicodedata.normalize("NFKC", text).replace("’", "'").replace("`", "'")
    found = []
    for piece in re.findall(r"[\w'*-]+|[.,;:!?\n()]+", text):
        if not re.search(r"\w", piece):
            found.append(BREAK)
            continue
        for part in re.split(r"[-_*]+", piece):
            word = squeezed(part)
            if word:
                found.append(BREAK if word in BREAKING_WORDS else word)
    return found


def _near(a: str, b: str) -> bool:
    """Are two words the same but for one letter more, less, other or two swapped?"""
    if a == b:
        return True
    if abs(len(a) - len(b)) > 1:
        return False
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    rest_a, rest_b = a[start:], b[start:]
    return (
        rest_a[1:] == rest_b[1:]
        or rest_a[1:] == rest_b
        or rest_a == rest_b[1:]
        or (rest_a[:2] == rest_b[:2][::-1] and rest_a[2:] == rest_b[2:])
    )


@functools.lru_cache(maxsize=65536)
def _fits(word: str, pattern: str) -> bool:
    """Does a word fit one alternative? `nause*` is a stem; six letters and more forgive one slip after the first letter."""
    stem = pattern.rstrip("*")
    if pattern.endswith("*"):
        if word.startswith(stem):
            return True
        return (
            len(stem) >= FUZZY_FROM_LETTERS
            and word[:1] == stem[:1]
            and any(_near(word[:length], stem) for length in range(len(stem) - 1, len(stem) + 2))
        )
    return word == stem or (
        len(stem) >= FUZZY_FROM_LETTERS
        and len(word) >= FUZZY_FROM_LETTERS - 1
        and word[:1] == stem[:1]
        and _near(word, stem)
    )


@functools.lru_cache(maxsize=1024)
def _compiled(phrase: str) -> tuple[tuple[str, ...], ...]:
    """A phrase as places of alternatives. `a|b d*`: a or b, then whatever begins with d."""
    return tuple(
        tuple(squeezed(option) + ("*" if option.endswith("*") else "") for option in place.split("|"))
        for place in phrase.split()
    )


class _Text:
    """The words of one text, and where those stand that fit an alternative."""

    def __init__(self, text: str) -> None:
        self.words = words_of(text)
        self.positions: dict[str, list[int]] = {}
        for position, word in enumerate(self.words):
            if word != BREAK:
                self.positions.setdefault(word, []).append(position)
        self._fitting: dict[tuple[str, ...], frozenset[int]] = {}

    def fitting(self, options: tuple[str, ...]) -> frozenset[int]:
        """The places whose word fits one of the alternatives."""
        if options not in self._fitting:
            self._fitting[options] = frozenset(
                position
                for word, positions in self.positions.items()
                if any(_fits(word, option) for option in options)
                for position in positions
            )
        return self._fitting[options]

    def starts(self, phrase: str) -> list[int]:
        """Where a phrase begins: its words in order, at most GAP_WORDS others between two of them, no end of a thought between."""
        first, *rest = _compiled(phrase)
        return [start for start in self.fitting(first) if self._goes_on(start, rest)]

    def _goes_on(self, start: int, rest: Sequence[tuple[str, ...]]) -> bool:
        at = start
        for options in rest:
            fitting = self.fitting(options)
            for position in range(at + 1, min(len(self.words), at + 2 + GAP_WORDS)):
                if self.words[position] == BREAK:
                    return False
                if position in fitting:
                    at = position
                    break
            else:
                return False
        return True


def _negated(words: Sequence[str], start: int, negations: Collection[str]) -> bool:
    for position in range(start - 1, max(-1, start - 1 - NEGATION_WORDS), -1):
        if words[position] == BREAK:
            return False
        if words[position] in negations:
            return True
    return False


def match(text: str, *, numbers: Mapping[str, Any]) -> Match:
    """Which categories of urgent words stand in a text.

    Prefers to be wrong towards a look. A direct "no" before it never silences words of suicide or exposure; for symptoms it takes
    the page away and leaves the look ("no chest pain" is triaged by the care team, nobody on call is paged).
    """
    found = _Text(text)
    negations = {squeezed(word) for word in numbers["negations"]}
    categories: list[str] = []
    triggers: list[str] = []
    urgency = 0
    for row in numbers["words"]:
        starts = [start for phrase in row["phrases"] for start in found.starts(phrase)]
        if not starts:
            continue
        categories.append(row["category"])
        if row["negatable"] and all(_negated(found.words, start, negations) for start in starts):
            urgency = max(urgency, 1)
            continue
        urgency = max(urgency, row["urgency"])
        if row["trigger"] and row["trigger"] not in triggers:
            triggers.append(row["trigger"])
    return Match(tuple(categories), tuple(triggers), urgency)
