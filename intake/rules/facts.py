"""The facts that the eligibility rules read: one vocabulary for forms, API, command and rules.

A fact arrives as text and is parsed once. `None` means unknown: not asked, left empty, or "unsure".
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from operator import attrgetter
from typing import Any


class Stage(StrEnum):
    """How far a person has come. A stage reads its own facts and those of the stages before it."""

    ASSESSMENT = "assessment"
    INTAKE = "intake"
    DECISION = "decision"

    @property
    def order(self) -> int:
        """0, 1 or 2."""
        return _STAGE_ORDER[self]


_STAGE_ORDER = {Stage.ASSESSMENT: 0, Stage.INTAKE: 1, Stage.DECISION: 2}


@dataclass(frozen=True, slots=True)
class FieldError:
    """One value that could not be read. The sentence names the field and never repeats the value."""

    field: str
    sentence: str


class FactsError(ValueError):
    """Some values could not be read; `errors` says which and what was expected."""

    def __init__(self, errors: tuple[FieldError, ...]) -> None:
        self.errors = errors
        super().__init__("; ".join(error.sentence for error in errors))


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything the rules may look at, typed. `None` is unknown, in every field."""

    # assessment
    age_years: int | None = None
    state: str | None = None
    has_internet_video: bool | None = None
    monitor_available: bool | None = None
    home_safe: bool | None = None
    ketamine_allergy: bool | None = None
    pregnant: bool | None = None
    breastfeeding: bool | None = None
    psychosis_history: bool | None = None
    mania_history: bool | None = None
    aneurysm: bool | None = None
    avm: bool | None = None
    ich_history: bool | None = None
    sud_current: bool | None = None
    oud_history: bool | None = None
    # intake
    phq9_total: int | None = None
    phq9_item9: int | None = None
    gad7_total: int | None = None
    pcl5_total: int | None = None
    pregnancy_possible: bool | None = None
    contraception: bool | None = None
    fhx_psychosis: bool | None = None
    mania_screen_positive: bool | None = None
    bipolar2: bool | None = None
    dissociative_disorder: bool | None = None
    severe_pd: bool | None = None
    cssrs_q1: bool | None = None
    cssrs_q2: bool | None = None
    cssrs_q3: bool | None = None
    cssrs_q4: bool | None = None
    cssrs_q5: bool | None = None
    cssrs_q6_life: bool | None = None
    cssrs_q6_3mo: bool | None = None
    cardiac_event_days: float | None = None
    cardiac_unstable: bool | None = None
    cardiac_history: bool | None = None
    htn: bool | None = None
    bp_systolic_mmhg: float | None = None
    bp_diastolic_mmhg: float | None = None
    hyp_enceph: bool | None = None
    pheo: bool | None = None
    raised_icp: bool | None = None
    glaucoma: str | None = None
    seizures: str | None = None
    hyperthyroid: str | None = None
    thyroid_treated: bool | None = None
    liver: str | None = None
    egfr: float | None = None
    kidney: str | None = None
    cystitis: str | None = None
    luts_score: float | None = None
    resp: str | None = None
    bmi: float | None = None
    ketamine_misuse: bool | None = None
    sud_past: bool | None = None
    cannabis_daily: bool | None = None
    sex: str | None = None
    audit_c: int | None = None
    dast10: int | None = None
    rx_classes: frozenset[str] | None = None
    porphyria: bool | None = None
    other_neuromod: bool | None = None
    # decision
    clinician_dx: str | None = None
    pdmp: str | None = None
    consent_signed: bool | None = None
    id_verified: bool | None = None
    agreement_signed: bool | None = None

    def missing(self, stage: Stage) -> tuple[str, ...]:
        """The required facts of this stage that are unknown, by name."""
        names, values_of = _required(stage)
        values = values_of(self)
        if None not in values:
            return ()
        return tuple(name for name, value in zip(names, values, strict=True) if value is None)


# An event that never happened lies infinitely far back, so "within 180 days" needs no special case.
NEVER_DAYS = math.inf

RX_CLASSES = (
    "maoi",
    "stimulant",
    "benzo",
    "opioid",
    "cns_depressant",
    "lamotrigine",
    "naltrexone",
    "cyp_inhibitor",
    "cyp_inducer",
    "theophylline",
    "antidepressant",
    "other",
)

# USPS codes of the states, the District of Columbia, territories and armed-forces addresses.
_STATE_CODES = (
    "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY "
    "NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY AS GU MP PR VI FM MH PW AA AE AP"
)
STATES = frozenset(_STATE_CODES.split())

_NUMBER = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?", re.ASCII)


class _Unreadable(ValueError):
    """Raised by a parser; the sentence comes from the fact's own description."""


@dataclass(frozen=True, slots=True)
class FactSpec:
    """One fact: where it is asked, what it may be, and whether it must be known."""

    name: str
    stage: Stage
    expects: str
    parse_text: Callable[[str], Any]
    required: bool = True
    choices: tuple[str, ...] = ()

    def parse(self, value: object) -> Any:
        """The typed value of what was sent; None when it is unknown; FactsError when it cannot be read."""
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise FactsError((self.error(),))
        text = str(value).strip().lower()
        if text in ("", "unsure"):
            return None
        try:
            return self.parse_text(text)
        except _Unreadable:
            raise FactsError((self.error(),)) from None

    def error(self) -> FieldError:
        """The sentence for a value that cannot be read."""
        return FieldError(self.name, f"{self.name} must be {self.expects}.")


def _yes_no(text: str) -> bool:
    if text == "yes":
        return True
    if text == "no":
        return False
    raise _Unreadable


def _number(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        if not _NUMBER.fullmatch(text):
            raise _Unreadable
        value = float(text)
        if not low <= value <= high:
            raise _Unreadable
        return value

    return parse


def _whole(low: int, high: int) -> Callable[[str], int]:
    number = _number(low, high)

    def parse(text: str) -> int:
        value = number(text)
        if value != int(value):
            raise _Unreadable
        return int(value)

    return parse


_event_days = _whole(0, 50_000)


def _days_or_none(text: str) -> float:
    return NEVER_DAYS if text == "none" else _event_days(text)


def _state(text: str) -> str:
    code = text.upper()
    if code not in STATES:
        raise _Unreadable
    return code


def _classes(text: str) -> frozenset[str]:
    if text == "none":
        return frozenset()
    words = frozenset(text.split())
    if not words <= frozenset(RX_CLASSES):
        raise _Unreadable
    return words


def _choice(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise _Unreadable
        return text

    return parse


def _yes_no_facts(stage: Stage, *names: str) -> list[FactSpec]:
    return [FactSpec(name, stage, "yes, no or unsure", _yes_no, choices=("yes", "no")) for name in names]


def _whole_fact(stage: Stage, name: str, low: int, high: int, *, required: bool = True) -> FactSpec:
    return FactSpec(name, stage, f"a whole number from {low} to {high}", _whole(low, high), required)


def _number_fact(stage: Stage, name: str, low: float, high: float, *, required: bool = True) -> FactSpec:
    return FactSpec(name, stage, f"a number from {low:g} to {high:g}", _number(low, high), required)


def _choice_fact(stage: Stage, name: str, *choices: str) -> FactSpec:
    return FactSpec(name, stage, f"one of {', '.join(choices)} or unsure", _choice(*choices), choices=choices)


def _readable(spec: FactSpec, word: str) -> bool:
    try:
        spec.parse(word)
    except FactsError:
        return False
    return True


_A, _I, _D = Stage.ASSESSMENT, Stage.INTAKE, Stage.DECISION

FACTS: tuple[FactSpec, ...] = (
    _whole_fact(_A, "age_years", 0, 130),
    FactSpec("state", _A, "the two-letter code of a US state", _state),
    *_yes_no_facts(_A, "has_internet_video", "monitor_available", "home_safe"),
    *_yes_no_facts(_A, "ketamine_allergy", "pregnant", "breastfeeding"),
    *_yes_no_facts(_A, "psychosis_history", "mania_history"),
    *_yes_no_facts(_A, "aneurysm", "avm", "ich_history", "sud_current", "oud_history"),
    _whole_fact(_I, "phq9_total", 0, 27),
    _whole_fact(_I, "phq9_item9", 0, 3),
    _whole_fact(_I, "gad7_total", 0, 21),
    _whole_fact(_I, "pcl5_total", 0, 80, required=False),
    *_yes_no_facts(_I, "pregnancy_possible", "contraception", "fhx_psychosis"),
    *_yes_no_facts(_I, "mania_screen_positive", "bipolar2", "dissociative_disorder", "severe_pd"),
    *_yes_no_facts(_I, "cssrs_q1", "cssrs_q2", "cssrs_q3", "cssrs_q4", "cssrs_q5"),
    *_yes_no_facts(_I, "cssrs_q6_life", "cssrs_q6_3mo"),
    FactSpec("cardiac_event_days", _I, "a whole number of days from 0 to 50000, or none", _days_or_none),
    *_yes_no_facts(_I, "cardiac_unstable", "cardiac_history", "htn"),
    _number_fact(_I, "bp_systolic_mmhg", 0, 400),
    _number_fact(_I, "bp_diastolic_mmhg", 0, 400),
    *_yes_no_facts(_I, "hyp_enceph", "pheo", "raised_icp"),
    _choice_fact(_I, "glaucoma", "none", "controlled", "uncontrolled", "angle_closure"),
    _choice_fact(_I, "seizures", "none", "controlled", "uncontrolled"),
    _choice_fact(_I, "hyperthyroid", "none", "controlled", "uncontrolled"),
    *_yes_no_facts(_I, "thyroid_treated"),
    _choice_fact(_I, "liver", "none", "moderate", "severe"),
    _number_fact(_I, "egfr", 0, 300, required=False),
    # In the practice's own words beside the laboratory's number: most people do not know their eGFR. "unknown" is an answer and asks
    # for a look; nothing at all (a table of past surveys has no such column) says nothing.
    FactSpec(
        "kidney",
        _I,
        "one of none, severe, unknown",
        _choice("none", "severe", "unknown"),
        required=False,
        choices=("none", "severe", "unknown"),
    ),
    _choice_fact(_I, "cystitis", "none", "past", "active"),
    _number_fact(_I, "luts_score", 0, 100),
    _choice_fact(_I, "resp", "none", "mild_mod", "severe"),
    _number_fact(_I, "bmi", 5, 200),
    *_yes_no_facts(_I, "ketamine_misuse", "sud_past", "cannabis_daily"),
    _choice_fact(_I, "sex", "male", "female", "other"),
    _whole_fact(_I, "audit_c", 0, 12),
    _whole_fact(_I, "dast10", 0, 10),
    FactSpec(
        "rx_classes",
        _I,
        f"none, or some of {', '.join(RX_CLASSES)}, with spaces between",
        _classes,
        choices=RX_CLASSES,
    ),
    *_yes_no_facts(_I, "porphyria", "other_neuromod"),
    _choice_fact(_D, "clinician_dx", "depression", "anxiety", "both", "none"),
    _choice_fact(_D, "pdmp", "clear", "not_checked", "discrepancy"),
    *_yes_no_facts(_D, "consent_signed", "id_verified", "agreement_signed"),
)

FACTS_BY_NAME: Mapping[str, FactSpec] = {spec.name: spec for spec in FACTS}

# The words that most answers are, already read: parsing a whole person is mostly looking these up.
_READ: Mapping[str, dict[str, Any]] = {
    spec.name: {
        word: spec.parse(word) for word in ("", "unsure", "none", *spec.choices) if _readable(spec, word)
    }
    for spec in FACTS
}


@cache
def facts_of(stage: Stage) -> tuple[FactSpec, ...]:
    """The facts a stage reads: its own and those of the stages before it."""
    return tuple(spec for spec in FACTS if spec.stage.order <= stage.order)


def required_facts(stage: Stage) -> tuple[str, ...]:
    """Names of the facts that must be known at this stage, in alphabetical order (the order of output)."""
    return _required(stage)[0]


@cache
def _required(stage: Stage) -> tuple[tuple[str, ...], Callable[[Facts], tuple[Any, ...]]]:
    names = tuple(sorted(spec.name for spec in facts_of(stage) if spec.required))
    return names, attrgetter(*names)


def read_facts(
    raw: Mapping[str, object], *, stage: Stage | str = Stage.DECISION
) -> tuple[Facts, tuple[FieldError, ...]]:
    """Read what can be read. Facts of later stages are not looked at; an unknown name is an error."""
    order = Stage(stage).order
    values: dict[str, Any] = {}
    errors: list[FieldError] = []
    for name, value in raw.items():
        spec = FACTS_BY_NAME.get(name)
        if spec is None:
            errors.append(FieldError(name, f"{name} is not a fact that the rules read."))
        elif spec.stage.order <= order:
            words = _READ[name]
            if type(value) is str and value in words:
                values[name] = words[value]
                continue
            try:
                values[name] = spec.parse(value)
            except FactsError as error:
                errors.extend(error.errors)
    return Facts(**values), tuple(errors)


def parse_facts(raw: Mapping[str, object], *, stage: Stage | str = Stage.DECISION) -> Facts:
    """Read all facts, or raise FactsError with a sentence for every value that cannot be read."""
    facts, errors = read_facts(raw, stage=stage)
    if errors:
        raise FactsError(errors)
    return facts
