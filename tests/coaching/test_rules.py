"""When check-ins are due and what their answers set off."""

import datetime as dt

import pytest

from coaching import rules, wording
from coaching.access import shipped_numbers

NUMBERS = shipped_numbers()
LA = "America/Los_Angeles"
START = dt.datetime(2026, 11, 30, 18, 0, tzinfo=dt.UTC)  # 10 in the morning in Los Angeles


def plans(
    number: int, starts_at: dt.datetime = START, zone: str = LA
) -> dict[tuple[str, dt.date | None], dt.datetime]:
    return {
        (p.kind, p.day): p.due_at
        for p in rules.planned_for(number=number, starts_at=starts_at, zone=zone, numbers=NUMBERS)
    }


def test_the_first_session_has_a_preparation_call_and_the_others_do_not() -> None:
    assert plans(1)[("prep", None)] == START - dt.timedelta(hours=48)
    assert ("prep", None) not in plans(2)


def test_calls_stand_half_an_hour_before_at_the_end_and_three_days_after() -> None:
    found = plans(2)
    assert found[("pre_session", None)] == START - dt.timedelta(minutes=30)
    assert found[("post_session", None)] == START + dt.timedelta(minutes=105)
    assert found[("integration", None)] == dt.datetime(2026, 12, 4, 2, 0, tzinfo=dt.UTC)  # Dec 3, 18:00 PST


def test_six_daily_check_ins_follow_each_session_on_the_patients_own_days() -> None:
    days = sorted(day for kind, day in plans(1) if kind == "daily" and day)
    assert days == [dt.date(2026, 12, d) for d in range(1, 7)]
    # 23:00 UTC on the 30th is already the 1st in Kyiv, so the first day after is the 2nd.
    late = plans(1, dt.datetime(2026, 11, 30, 23, 0, tzinfo=dt.UTC), "Europe/Kyiv")
    assert min(day for kind, day in late if kind == "daily" and day) == dt.date(2026, 12, 2)


def test_nine_in_the_evening_stays_nine_in_the_evening_over_a_clock_change() -> None:
    # HZ-11: clocks go back on 2026-11-01 in Los Angeles.
    before = plans(1, dt.datetime(2026, 10, 30, 17, 0, tzinfo=dt.UTC))
    assert before[("daily", dt.date(2026, 10, 31))] == dt.datetime(2026, 11, 1, 4, 0, tzinfo=dt.UTC)
    assert before[("daily", dt.date(2026, 11, 1))] == dt.datetime(2026, 11, 2, 5, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("thoughts", "effects", "codes"),
    [
        (False, [], set()),
        (None, ["nausea", "headache"], {"X13"}),
        (False, ["poor_sleep"], set()),
        (True, [], {"X03"}),
        (False, ["blood_in_urine"], {"X08"}),
        (True, ["fainting", "burning_urine", "nausea"], {"X03", "X09", "X12", "X13"}),
        (False, ["not_a_code"], set()),
    ],
)
def test_answers_set_off_what_the_table_says(
    thoughts: bool | None, effects: list[str], codes: set[str]
) -> None:
    assert rules.triggers_of(suicidal_thoughts=thoughts, side_effects=effects, numbers=NUMBERS) == codes


def test_missed_days_are_counted_back_to_the_last_answer() -> None:
    assert rules.missed_in_a_row([]) == 0
    assert rules.missed_in_a_row([False, False, True, False]) == 2
    assert rules.missed_in_a_row([True, False]) == 0


def test_urgency_is_read_on_the_coachs_own_calendar() -> None:
    at = dt.datetime(2026, 11, 30, 18, 0, tzinfo=dt.UTC)
    assert rules.urgency(due_at=None, at=at, zone=LA) == "none"
    assert rules.urgency(due_at=at - dt.timedelta(seconds=1), at=at, zone=LA) == "overdue"
    assert rules.urgency(due_at=at, at=at, zone=LA) == "today"
    assert rules.urgency(due_at=dt.datetime(2026, 12, 1, 7, 59, tzinfo=dt.UTC), at=at, zone=LA) == "today"
    assert rules.urgency(due_at=dt.datetime(2026, 12, 1, 8, 0, tzinfo=dt.UTC), at=at, zone=LA) == "later"


def test_every_side_effect_and_trigger_has_its_words() -> None:
    assert set(NUMBERS["side_effects"]) == set(wording.SIDE_EFFECTS)
    codes = {entry["trigger"] for entry in NUMBERS["side_effects"].values()} - {""}
    assert codes == set(wording.AFTER_TRIGGER)
