"""From what was typed to the facts that the rules read. Standard library only; whatever is not known stays out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from intake.rules.branching import hidden, implied
from intake.rules.facts import FACTS_BY_NAME
from intake.rules.steps import Question, intake_steps

KG_PER_LB = Decimal("0.45359237")
CM_PER_INCH = Decimal("2.54")
# Computed from what was typed, and kept beside it.
DERIVED = ("weight_kg", "height_cm_total")

Answers = Mapping[str, Mapping[str, Any]]


def weight_kg(value: Decimal, unit: str) -> Decimal:
    """Kilograms to one place, from pounds or kilograms."""
    kilograms = value * KG_PER_LB if unit == "lb" else value
    return kilograms.quantize(Decimal("0.1"))


def height_cm(feet: Decimal | None, inches: Decimal | None, centimetres: Decimal | None) -> Decimal | None:
    """Centimetres to one place; the metric field wins when both were given."""
    if centimetres is not None:
        return centimetres.quantize(Decimal("0.1"))
    if feet is None:
        return None
    return ((feet * 12 + (inches or 0)) * CM_PER_INCH).quantize(Decimal("0.1"))


def body_mass_index(kilograms: Decimal, centimetres: Decimal) -> Decimal:
    """kg/m² to one place."""
    metres = centimetres / 100
    return (kilograms / (metres * metres)).quantize(Decimal("0.1"))


def _decimal(value: Any) -> Decimal | None:
    if value in (None, ""):
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def age_years(born: date, on: date) -> int:
    """Whole years; a birthday counts from its own day."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def facts_from(answers: Answers, *, on: date) -> dict[str, str]:
    """The facts that the form pages answer. `answers` is {step: data}; dates are ISO text.

    An answer to a question that does not apply (any more) stays in the record and is no fact.
    """
    flat: dict[str, Any] = {}
    for data in answers.values():
        flat.update(data)
    questions = _branching()
    gone = hidden(questions, flat)
    otherwise = implied(questions, flat)
    flat = {name: value for name, value in flat.items() if name not in gone} | otherwise
    facts = {
        name: str(value)
        for name, value in flat.items()
        if name in FACTS_BY_NAME and isinstance(value, str) and value not in ("", "unsure")
    }
    if born := flat.get("date_of_birth"):
        facts["age_years"] = str(age_years(date.fromisoformat(born), on))
    facts.update(_heart(flat, on))
    facts.update(_body(flat))
    facts.update(_drugs(flat))
    if answers.get("body") and not facts.get("kidney"):
        facts["kidney"] = (
            "unknown"  # a page of before the question was asked: nobody knows, so somebody looks (E41)
        )
    return facts


@cache
def _branching() -> tuple[Question, ...]:
    """The questions that another one can hide, and those that hide them."""
    questions = [question for step in intake_steps() for question in step.questions]
    hiding = {name for question in questions for name, _ in question.shown_if}
    return tuple(question for question in questions if question.shown_if or question.name in hiding)


def derived(data: Mapping[str, Any]) -> dict[str, str]:
    """What is computed from the answers of one step: weight in kg and height in cm, beside what was typed."""
    found: dict[str, str] = {}
    weight = _decimal(data["weight"]) if data.get("weight") and data.get("weight_unit") else None
    if weight is not None:
        found["weight_kg"] = str(weight_kg(weight, str(data["weight_unit"])))
    height = height_cm(*(_decimal(data.get(name)) for name in ("height_ft", "height_in", "height_cm")))
    if height is not None:
        found["height_cm_total"] = str(height)
    return found


def _heart(flat: Mapping[str, Any], on: date) -> dict[str, str]:
    if flat.get("cardiac_event") == "no":
        return {"cardiac_event_days": "none"}
    when = flat.get("cardiac_event_on")
    if flat.get("cardiac_event") != "yes":
        return {}
    # Whoever had a heart attack, a stroke or heart surgery has a heart disease to look at, also long after (E27), whatever the
    # question about heart conditions was answered with: it names no stroke.
    days = {"cardiac_event_days": str(max(0, (on - date.fromisoformat(when)).days))} if when else {}
    return days | {"cardiac_history": "yes"}


def _body(flat: Mapping[str, Any]) -> dict[str, str]:
    facts: dict[str, str] = {}
    if flat.get("hyperthyroid") == "controlled":
        facts["thyroid_treated"] = "yes"  # "treated and in range", said a question earlier
    kilograms, centimetres = _decimal(flat.get("weight_kg")), _decimal(flat.get("height_cm_total"))
    if kilograms and centimetres:
        facts["bmi"] = str(body_mass_index(kilograms, centimetres))
    luts = flat.get("luts")
    if luts and "unsure" not in luts:
        facts["luts_score"] = str(len([sign for sign in luts if sign != "none"]))
    return facts


def _drugs(flat: Mapping[str, Any]) -> dict[str, str]:
    """DAST-10 is licensed, so a clinician gives the score. Every one of its items presumes drug use: none means 0."""
    if flat.get("dast10") in (None, "") and flat.get("drug_use_12mo") == "no":
        return {"dast10": "0"}
    return {}


def rx_classes_fact(classes: Iterable[str]) -> str:
    """`none`, or the classes in order with spaces between."""
    return " ".join(sorted(set(classes))) or "none"


def worst_answer(answers: Iterable[str]) -> str:
    """Of several answers to one safety question: a yes stays a yes whatever came after (HZ-27)."""
    given = set(answers)
    return next((value for value in ("yes", "unsure", "no") if value in given), "")


def prefill_from(facts: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Where the answers of the two-minute assessment belong in the intake."""
    places = {
        "about": ("state",),
        "heart": ("aneurysm", "avm", "ich_history"),
        "body": ("ketamine_allergy", "pregnant", "breastfeeding"),
        "mind": ("psychosis_history", "mania_history"),
        "substances": ("sud_current", "oud_history"),
        "home": ("has_internet_video", "monitor_available", "home_safe"),
    }
    found = {step: {name: facts[name] for name in names if facts.get(name)} for step, names in places.items()}
    return {step: data for step, data in found.items() if data}
