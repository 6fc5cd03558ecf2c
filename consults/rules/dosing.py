"""The arithmetic and the checks of a dose. Integers inside; milligrams only where people read.

Every threshold comes from the protocol's "dosing" part; nothing here is a number of its own but units of measure.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Any

S_KETAMINE = re.compile(r"(?<![a-z0-9'’])\(?s\)?[\s\-‐-―_()+]*ketamine")
UG_PER_MG = 1000
UL_PER_ML = 1000


class Hard(StrEnum):
    """A dose with one of these cannot be ordered."""

    STRENGTH_INCOMPLETE = "strength_incomplete"
    NOT_WHOLE_MICROGRAMS = "not_whole_micrograms"
    UNKNOWN_FORM = "unknown_form"
    REFUSED_PRODUCT = "refused_product"
    UNDER_AGE = "under_age"
    AGE_UNKNOWN = "age_unknown"
    UNDER_WEIGHT = "under_weight"
    WEIGHT_UNKNOWN = "weight_unknown"
    ABOVE_MAXIMUM = "above_maximum"
    ABOVE_MAXIMUM_PER_KG = "above_maximum_per_kg"
    STRENGTH_ABOVE_MAXIMUM = "strength_above_maximum"
    TOO_MANY_UNITS = "too_many_units"
    SPRAY_ABOVE_MAXIMUM = "spray_above_maximum"
    DATES_NOT_FOUR = "dates_not_four"
    DATES_TOO_CLOSE = "dates_too_close"
    DATES_TOO_EARLY = "dates_too_early"
    DATES_TOO_LATE = "dates_too_late"
    SESSIONS_NOT_COVERED = "sessions_not_covered"
    LIMITS_LOOSER = "limits_looser"
    SESSION_OVER = "session_over"


class Soft(StrEnum):
    """A dose with one of these needs the prescriber's reason in words."""

    FIRST_DOSE_HIGH = "first_dose_high"
    HIGH_PER_KG = "high_per_kg"
    HIGH_DOSE = "high_dose"
    STEP_UP = "step_up"
    LONG_INTERVAL = "long_interval"
    MANY_SESSIONS = "many_sessions"
    WEIGHT_DIFFERS = "weight_differs"
    # Beyond this a reason is not enough: a second psychiatrist looks and agrees before it is signed (HZ-04).
    SECOND_PERSON = "second_person"


@dataclass(frozen=True, slots=True)
class Strength:
    """Solid: micrograms per unit. Nasal: micrograms per mL times microlitres per spray. `None` is not written down."""

    form: str
    units_per_dose: int | None
    strength_ug: int | None = None
    concentration_ug_per_ml: int | None = None
    spray_volume_ul: int | None = None


def micrograms(milligrams: Decimal) -> int | None:
    """A whole number of micrograms, or None: an order is never rounded."""
    ug = milligrams * UG_PER_MG
    return int(ug) if ug == ug.to_integral_value() else None


def limits_for(form: str, dosing: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The part of the protocol that speaks of this form; None for a form the practice does not use."""
    for part in ("solid", "nasal"):
        if form in dosing["dose"][part]["forms"]:
            return dosing["dose"][part]
    return None


def dose_ug(strength: Strength) -> int | None:
    """Micrograms in one dose: strength x units, or mg/mL x mL/spray x sprays. None unless every factor is there and it is exact."""
    if not strength.units_per_dose or strength.units_per_dose < 1:
        return None
    if strength.form == "nasal_spray":
        if not strength.concentration_ug_per_ml or not strength.spray_volume_ul:
            return None
        product = strength.concentration_ug_per_ml * strength.spray_volume_ul * strength.units_per_dose
        whole, rest = divmod(product, UL_PER_ML)
        return whole if rest == 0 and whole > 0 else None
    if not strength.strength_ug:
        return None
    return strength.strength_ug * strength.units_per_dose


@dataclass(frozen=True, slots=True)
class Proposal:
    """Everything the dose checks look at."""

    strength: Strength
    age_years: int | None
    weight_kg: Decimal | None
    previous_dose_ug: int | None
    session_dates: Sequence[date]
    sessions_covered: Sequence[int]
    signing_on: date
    systolic_max_mmhg: int
    diastolic_max_mmhg: int
    protocol_systolic_max_mmhg: int
    protocol_diastolic_max_mmhg: int
    words: str = ""
    chart_weight_kg: Decimal | None = None
    sessions_over: frozenset[int] = frozenset()


def hard_stops(p: Proposal, dosing: Mapping[str, Any]) -> frozenset[Hard]:
    """Why this cannot be ordered at all; empty means nothing speaks against it."""
    found: set[Hard] = set()
    dose = dosing["dose"]
    limits = limits_for(p.strength.form, dosing)
    if names_refused_product(p.words, dose["refused_products"]):
        found.add(Hard.REFUSED_PRODUCT)
    if p.age_years is None:
        found.add(Hard.AGE_UNKNOWN)
    elif p.age_years < dose["minimum_age_years"]:
        found.add(Hard.UNDER_AGE)
    if p.weight_kg is None:
        found.add(Hard.WEIGHT_UNKNOWN)
    elif p.weight_kg < dose["minimum_weight_kg"]:
        found.add(Hard.UNDER_WEIGHT)
    if limits is None:
        found.add(
            Hard.REFUSED_PRODUCT
            if names_refused_product(p.strength.form, dose["refused_products"])
            else Hard.UNKNOWN_FORM
        )
    else:
        found |= _amount_stops(p, limits)
    found |= _date_stops(p, dosing["order"])
    if (
        p.systolic_max_mmhg > p.protocol_systolic_max_mmhg
        or p.diastolic_max_mmhg > p.protocol_diastolic_max_mmhg
    ):
        found.add(Hard.LIMITS_LOOSER)
    if p.sessions_over & set(p.sessions_covered):
        found.add(Hard.SESSION_OVER)
    return frozenset(found)


def names_refused_product(words: str, refused: Sequence[str]) -> bool:
    """Is a product named that is never ordered here, by brand, substance or the number on its package, however it is spelt?"""
    plain = unicodedata.normalize("NFKC", words).casefold()
    joined = "".join(letter for letter in plain if letter.isalnum())
    # "(S)-ketamine" and "S ketamine" are esketamine; "as ketamine" is not.
    return bool(S_KETAMINE.search(plain)) or any(
        _names(product.casefold(), plain, joined) for product in refused
    )


def _names(product: str, plain: str, joined: str) -> bool:
    if product[:1].isdigit():
        # The number on the package, with or without its dashes; a telephone number with the same digits is none.
        return bool(re.search(r"(?<!\d)" + r"[\s-]*".join(map(re.escape, product.split("-"))), plain))
    return product in joined


def _amount_stops(p: Proposal, limits: Mapping[str, Any]) -> set[Hard]:
    found: set[Hard] = set()
    s = p.strength
    parts = (
        (s.units_per_dose, s.concentration_ug_per_ml, s.spray_volume_ul)
        if s.form == "nasal_spray"
        else (s.units_per_dose, s.strength_ug)
    )
    amount = dose_ug(s)
    if any(not part or part < 1 for part in parts):
        found.add(Hard.STRENGTH_INCOMPLETE)
    elif amount is None:
        found.add(Hard.NOT_WHOLE_MICROGRAMS)
    if s.units_per_dose and s.units_per_dose > limits["hard_units_per_dose"]:
        found.add(Hard.TOO_MANY_UNITS)
    if (
        s.strength_ug
        and "hard_strength_mg" in limits
        and s.strength_ug > limits["hard_strength_mg"] * UG_PER_MG
    ):
        found.add(Hard.STRENGTH_ABOVE_MAXIMUM)
    if s.form == "nasal_spray":
        if (s.concentration_ug_per_ml or 0) > limits["hard_concentration_mg_per_ml"] * UG_PER_MG:
            found.add(Hard.STRENGTH_ABOVE_MAXIMUM)
        if (s.spray_volume_ul or 0) > limits["hard_spray_volume_ul"]:
            found.add(Hard.SPRAY_ABOVE_MAXIMUM)
    if amount is not None:
        if amount > limits["hard_dose_mg"] * UG_PER_MG:
            found.add(Hard.ABOVE_MAXIMUM)
        if p.weight_kg is not None and amount > limits["hard_dose_mg_per_kg"] * p.weight_kg * UG_PER_MG:
            found.add(Hard.ABOVE_MAXIMUM_PER_KG)
    return found


def _date_stops(p: Proposal, order: Mapping[str, Any]) -> set[Hard]:
    found: set[Hard] = set()
    dates = list(p.session_dates)
    if len(dates) != order["sessions"]:
        found.add(Hard.DATES_NOT_FOUR)
    if any(
        later - earlier < timedelta(days=order["minimum_interval_days"]) for earlier, later in _pairs(dates)
    ):
        found.add(Hard.DATES_TOO_CLOSE)
    covered = list(p.sessions_covered)
    if not covered or sorted(set(covered)) != covered or covered[0] < 1 or covered[-1] > order["sessions"]:
        found.add(Hard.SESSIONS_NOT_COVERED)
    elif len(dates) == order["sessions"]:
        first = dates[covered[0] - 1]
        if first < p.signing_on + timedelta(days=order["earliest_first_session_days"]):
            found.add(Hard.DATES_TOO_EARLY)
        if first > p.signing_on + timedelta(days=order["latest_first_session_days"]):
            found.add(Hard.DATES_TOO_LATE)
    return found


def soft_warnings(p: Proposal, dosing: Mapping[str, Any]) -> frozenset[Soft]:
    """What the prescriber must give a reason for; empty means nothing unusual."""
    found: set[Soft] = set()
    dose, order = dosing["dose"], dosing["order"]
    amount, limits = dose_ug(p.strength), limits_for(p.strength.form, dosing)
    if amount is not None and limits is not None:
        if amount > limits["soft_dose_mg"] * UG_PER_MG:
            found.add(Soft.HIGH_DOSE)
        if p.weight_kg is not None:
            per_kg = p.weight_kg * UG_PER_MG
            if amount > dose["soft_dose_mg_per_kg"] * per_kg:
                found.add(Soft.HIGH_PER_KG)
            if p.previous_dose_ug is None and amount > dose["soft_first_dose_mg_per_kg"] * per_kg:
                found.add(Soft.FIRST_DOSE_HIGH)
        if p.previous_dose_ug is not None:
            step = amount - p.previous_dose_ug
            if (
                step > dose["step_up_mg"] * UG_PER_MG
                or step * 100 > p.previous_dose_ug * dose["step_up_percent"]
            ):
                found.add(Soft.STEP_UP)
        if _needs_second_person(p, amount, dose):
            found.add(Soft.SECOND_PERSON)
    differs = dose.get("weight_differs_percent")
    if (
        differs is not None
        and p.weight_kg is not None
        and p.chart_weight_kg is not None
        and abs(p.weight_kg - p.chart_weight_kg) * 100 > p.chart_weight_kg * differs
    ):
        found.add(Soft.WEIGHT_DIFFERS)
    if any(
        later - earlier > timedelta(days=order["long_interval_days"])
        for earlier, later in _pairs(list(p.session_dates))
    ):
        found.add(Soft.LONG_INTERVAL)
    if len(p.sessions_covered) > order["usual_sessions_per_order"]:
        found.add(Soft.MANY_SESSIONS)
    return frozenset(found)


def _needs_second_person(p: Proposal, amount: int, dose: Mapping[str, Any]) -> bool:
    """A protocol from before this was asked does not name the numbers: then every step that needs a reason needs a second person."""
    numbers = dose.get("second_person", {})
    if p.previous_dose_ug is not None:
        percent = numbers.get("step_percent", dose["step_up_percent"])
        return (amount - p.previous_dose_ug) * 100 > p.previous_dose_ug * percent
    most = numbers.get("first_dose_mg_per_kg", dose["soft_dose_mg_per_kg"])
    return p.weight_kg is not None and amount > most * p.weight_kg * UG_PER_MG


def expires_on(
    session_dates: Sequence[date],
    sessions_covered: Sequence[int],
    signing_on: date,
    order: Mapping[str, Any],
    *,
    visit_on: date | None = None,
) -> date:
    """The last day of an order: its last covered session and some grace, never past the longest validity, and never past the day
    on which the patient is to be met on video again (counted from the visit the order rests on)."""
    last = session_dates[max(sessions_covered) - 1] + timedelta(days=order["grace_days"])
    ends = [last, signing_on + timedelta(days=order["longest_validity_days"])]
    if visit_on is not None and "reconsult_days" in order:
        ends.append(visit_on + timedelta(days=order["reconsult_days"]))
    return min(ends)


def _pairs(dates: list[date]) -> list[tuple[date, date]]:
    return list(pairwise(dates))
