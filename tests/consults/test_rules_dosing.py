"""The arithmetic of a dose and each check at its edge (HZ-04)."""

import json
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consults.rules.dosing import (
    Hard,
    Proposal,
    Soft,
    Strength,
    dose_ug,
    expires_on,
    hard_stops,
    micrograms,
    soft_warnings,
)

DOSING: dict[str, Any] = json.loads((Path(__file__).parents[2] / "consults/data/dosing.json").read_text())
TODAY = date(2026, 11, 23)
WEEKLY = [TODAY + timedelta(days=7 * week) for week in (1, 2, 3, 4)]
TABLETS = Strength(form="sublingual_tablet", units_per_dose=1, strength_ug=70_000)
SPRAY = Strength(form="nasal_spray", units_per_dose=5, concentration_ug_per_ml=100_000, spray_volume_ul=100)
PLAIN = Proposal(
    strength=TABLETS,
    age_years=38,
    weight_kg=Decimal("70"),
    previous_dose_ug=None,
    session_dates=WEEKLY,
    sessions_covered=[1, 2],
    signing_on=TODAY,
    systolic_max_mmhg=140,
    diastolic_max_mmhg=90,
    protocol_systolic_max_mmhg=140,
    protocol_diastolic_max_mmhg=90,
    words="Hold under the tongue.",
)


def tablets(mg: float | str, units: int = 1) -> Strength:
    return Strength("sublingual_tablet", units, strength_ug=micrograms(Decimal(str(mg))))


def stops(**changes: Any) -> set[Hard]:
    return set(hard_stops(replace(PLAIN, **changes), DOSING))


def warnings(**changes: Any) -> set[Soft]:
    return set(soft_warnings(replace(PLAIN, **changes), DOSING))


def test_an_ordinary_order_has_neither_stops_nor_warnings() -> None:
    assert stops() == set()
    assert warnings() == set()


def test_a_spray_multiplies_all_three_factors() -> None:
    """100 mg/mL x 0.1 mL x 5 sprays = 50 mg."""
    assert dose_ug(SPRAY) == 50_000


@pytest.mark.parametrize(
    "lacking",
    [
        replace(SPRAY, concentration_ug_per_ml=None),
        replace(SPRAY, spray_volume_ul=None),
        replace(SPRAY, units_per_dose=None),
        replace(SPRAY, units_per_dose=0),
        replace(SPRAY, strength_ug=50_000, concentration_ug_per_ml=None),
        replace(TABLETS, strength_ug=None),
        replace(TABLETS, units_per_dose=None),
    ],
)
def test_a_strength_that_lacks_a_factor_has_no_dose(lacking: Strength) -> None:
    assert dose_ug(lacking) is None
    assert Hard.STRENGTH_INCOMPLETE in stops(strength=lacking)


def test_a_dose_that_is_no_whole_number_of_micrograms_is_refused_and_never_rounded() -> None:
    uneven = Strength("nasal_spray", 1, concentration_ug_per_ml=333, spray_volume_ul=1)
    assert dose_ug(uneven) is None
    assert Hard.NOT_WHOLE_MICROGRAMS in stops(strength=uneven)
    assert micrograms(Decimal("0.0005")) is None
    assert micrograms(Decimal("0.001")) == 1


@given(concentration=st.integers(1, 300_000), volume=st.integers(1, 1_000), sprays=st.integers(1, 12))
def test_a_spray_dose_is_exact_or_absent(concentration: int, volume: int, sprays: int) -> None:
    found = dose_ug(
        Strength("nasal_spray", sprays, concentration_ug_per_ml=concentration, spray_volume_ul=volume)
    )
    exact = Decimal(concentration) * volume * sprays / 1000
    assert found == (int(exact) if exact == int(exact) and exact > 0 else None)


@given(strength=st.integers(1, 1_000_000), units=st.integers(1, 10))
def test_twice_the_units_is_twice_the_dose(strength: int, units: int) -> None:
    one = dose_ug(Strength("troche", units, strength_ug=strength))
    two = dose_ug(Strength("troche", 2 * units, strength_ug=strength))
    assert one is not None
    assert two == 2 * one


@given(mg=st.decimals(min_value="0.001", max_value="999.999", places=3))
def test_milligrams_go_to_micrograms_and_back_without_loss(mg: Decimal) -> None:
    found = micrograms(mg)
    assert found is not None
    assert Decimal(found) / 1000 == mg


@pytest.mark.parametrize(
    ("changes", "stop"),
    [
        ({"strength": Strength("spravato", 1, strength_ug=56_000)}, Hard.REFUSED_PRODUCT),
        ({"strength": Strength("esketamine_spray", 1, strength_ug=28_000)}, Hard.REFUSED_PRODUCT),
        ({"words": "Use as with Spravato"}, Hard.REFUSED_PRODUCT),
        ({"strength": Strength("lozenge", 1, strength_ug=56_000)}, Hard.UNKNOWN_FORM),
        ({"age_years": None}, Hard.AGE_UNKNOWN),
        ({"weight_kg": None}, Hard.WEIGHT_UNKNOWN),
        ({"session_dates": WEEKLY[:3]}, Hard.DATES_NOT_FOUR),
        ({"session_dates": [WEEKLY[1], WEEKLY[0], *WEEKLY[2:]]}, Hard.DATES_TOO_CLOSE),
        ({"sessions_covered": []}, Hard.SESSIONS_NOT_COVERED),
        ({"sessions_covered": [2, 1]}, Hard.SESSIONS_NOT_COVERED),
        ({"sessions_covered": [1, 1]}, Hard.SESSIONS_NOT_COVERED),
        ({"sessions_covered": [4, 5]}, Hard.SESSIONS_NOT_COVERED),
        ({"systolic_max_mmhg": 141}, Hard.LIMITS_LOOSER),
        ({"diastolic_max_mmhg": 91}, Hard.LIMITS_LOOSER),
    ],
)
def test_a_hard_stop_for(changes: dict[str, Any], stop: Hard) -> None:
    assert stop in stops(**changes)


@pytest.mark.parametrize(
    ("fine", "refused", "stop"),
    [
        ({"age_years": 18}, {"age_years": 17}, Hard.UNDER_AGE),
        ({"weight_kg": Decimal("45")}, {"weight_kg": Decimal("44.9")}, Hard.UNDER_WEIGHT),
        (
            {"strength": tablets(300, 2), "weight_kg": Decimal(120)},
            {"strength": tablets("200.001", 3), "weight_kg": Decimal(120)},
            Hard.ABOVE_MAXIMUM,
        ),
        ({"strength": tablets(245, 2)}, {"strength": tablets("245.001", 2)}, Hard.ABOVE_MAXIMUM_PER_KG),
        ({"strength": tablets(300)}, {"strength": tablets("300.001")}, Hard.STRENGTH_ABOVE_MAXIMUM),
        ({"strength": tablets(10, 6)}, {"strength": tablets(10, 7)}, Hard.TOO_MANY_UNITS),
        (
            {"strength": replace(SPRAY, spray_volume_ul=150)},
            {"strength": replace(SPRAY, spray_volume_ul=151)},
            Hard.SPRAY_ABOVE_MAXIMUM,
        ),
        (
            {"strength": replace(SPRAY, concentration_ug_per_ml=200_000)},
            {"strength": replace(SPRAY, concentration_ug_per_ml=201_000)},
            Hard.STRENGTH_ABOVE_MAXIMUM,
        ),
        (
            {"session_dates": [TODAY + timedelta(days=d) for d in (7, 13, 19, 25)]},
            {"session_dates": [TODAY + timedelta(days=d) for d in (7, 12, 19, 25)]},
            Hard.DATES_TOO_CLOSE,
        ),
        (
            {"session_dates": [TODAY + timedelta(days=d) for d in (1, 8, 15, 22)]},
            {"session_dates": [TODAY + timedelta(days=d) for d in (0, 8, 15, 22)]},
            Hard.DATES_TOO_EARLY,
        ),
        (
            {"session_dates": [TODAY + timedelta(days=d) for d in (60, 67, 74, 81)]},
            {"session_dates": [TODAY + timedelta(days=d) for d in (61, 67, 74, 81)]},
            Hard.DATES_TOO_LATE,
        ),
    ],
)
def test_a_hard_stop_begins_just_beyond_its_limit(
    fine: dict[str, Any], refused: dict[str, Any], stop: Hard
) -> None:
    assert stop not in stops(**fine)
    assert stop in stops(**refused)


@pytest.mark.parametrize(
    ("fine", "warned", "warning"),
    [
        ({"strength": tablets(70)}, {"strength": tablets("70.001")}, Soft.FIRST_DOSE_HIGH),
        ({"strength": tablets(175, 2)}, {"strength": tablets("175.001", 2)}, Soft.HIGH_PER_KG),
        (
            {"strength": tablets(225, 2), "weight_kg": Decimal(120)},
            {"strength": tablets("225.001", 2), "weight_kg": Decimal(120)},
            Soft.HIGH_DOSE,
        ),
        (
            {"strength": tablets(150), "previous_dose_ug": 100_000},
            {"strength": tablets("150.001"), "previous_dose_ug": 100_000},
            Soft.STEP_UP,
        ),
        (
            {"strength": tablets(200, 2), "previous_dose_ug": 300_000},
            {"strength": tablets("200.001", 2), "previous_dose_ug": 300_000},
            Soft.STEP_UP,
        ),
        ({"sessions_covered": [1, 2]}, {"sessions_covered": [1, 2, 3]}, Soft.MANY_SESSIONS),
        (
            {"session_dates": [TODAY + timedelta(days=d) for d in (7, 17, 27, 37)]},
            {"session_dates": [TODAY + timedelta(days=d) for d in (7, 18, 27, 37)]},
            Soft.LONG_INTERVAL,
        ),
    ],
)
def test_a_warning_begins_just_beyond_its_limit(
    fine: dict[str, Any], warned: dict[str, Any], warning: Soft
) -> None:
    assert warning not in warnings(**fine)
    assert warning in warnings(**warned)


def test_a_later_dose_is_not_measured_as_a_first_one() -> None:
    assert Soft.FIRST_DOSE_HIGH not in warnings(strength=tablets(100), previous_dose_ug=100_000)


def test_an_order_ends_some_days_after_its_last_covered_session() -> None:
    """HZ-13"""
    assert expires_on(WEEKLY, [1, 2], TODAY, DOSING["order"]) == WEEKLY[1] + timedelta(days=10)
    assert expires_on(WEEKLY, [1, 2, 3, 4], TODAY, DOSING["order"]) == WEEKLY[3] + timedelta(days=10)
    far = [TODAY + timedelta(days=180 + 7 * week) for week in range(4)]
    assert expires_on(far, [1, 2], TODAY, DOSING["order"]) == TODAY + timedelta(days=180)


@pytest.mark.parametrize(("seen_days_ago", "ends_in"), [(0, 90), (1, 89), (30, 60)])
def test_no_order_outlasts_ninety_days_from_the_visit_it_rests_on(seen_days_ago: int, ends_in: int) -> None:
    """HZ-13, protocol 8.3: on video again after 90 days, whichever dates were chosen."""
    far = [TODAY + timedelta(days=days) for days in (10, 50, 90, 130)]
    visit_on = TODAY - timedelta(days=seen_days_ago)
    assert expires_on(far, [1, 2, 3, 4], TODAY, DOSING["order"], visit_on=visit_on) == TODAY + timedelta(
        days=ends_in
    )
    # A version of the protocol that does not know the rule ends its orders as before.
    older = {name: value for name, value in DOSING["order"].items() if not name.startswith("reconsult")}
    assert expires_on(far, [1, 2, 3, 4], TODAY, older, visit_on=visit_on) == far[3] + timedelta(days=10)
