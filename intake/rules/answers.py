"""From what was typed to the facts that the rules read. Standard library only; whatever is not known stays out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from intake.rules.facts import FACTS_BY_NAME

KG_PER_LB = Decimal("0.45359237")
CM_PER_INCH = Decimal("2.54")

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
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def _age_years(born: date, on: date) -> int:
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def facts_from(answers: Answers, *, on: date) -> dict[str, str]:
    """The facts that the form pages answer. `answers` is {step: data}; dates are ISO text."""
    flat: dict[str, Any] = {}
    for data in answers.values():
        flat.update(data)
    facts = {
        name: str(value)
        for name, value in flat.items()
        if name in FACTS_BY_NAME and isinstance(value, str) and value not in ("", "unsure")
    }
    if born := flat.get("date_of_birth"):
        facts["age_years"] = str(_age_years(date.fromisoformat(born), on))
    facts.update(_heart(flat, on))
    facts.update(_body(flat))
    facts.update(_drugs(flat))
    return facts


def _heart(flat: Mapping[str, Any], on: date) -> dict[str, str]:
    if flat.get("cardiac_event") == "no":
        return {"cardiac_event_days": "none"}
    when = flat.get("cardiac_event_on")
    if flat.get("cardiac_event") == "yes" and when:
        return {"cardiac_event_days": str(max(0, (on - date.fromisoformat(when)).days))}
    return {}


def _body(flat: Mapping[str, Any]) -> dict[str, str]:
    facts: dict[str, str] = {}
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
