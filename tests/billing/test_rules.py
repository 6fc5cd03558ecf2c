"""What goes back, at each edge of the policy."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rules import RefundFacts, RefundReason, refund_due
from billing.wording import dollars

LISTED = json.loads((Path(__file__).parents[2] / "billing/data/prices.json").read_text())
POLICY = LISTED["refund"]
AT = datetime(2026, 11, 23, 17, tzinfo=UTC)
PLAIN = RefundFacts(
    total_cents=119_600,
    refunded_cents=0,
    found_not_suitable=False,
    consult_starts_at=None,
    medicine_shipped=False,
    sessions_done=0,
    sessions_total=4,
    at=AT,
)


def test_everything_goes_back_before_a_consult_is_booked() -> None:
    answer = refund_due(PLAIN, POLICY)
    assert (answer.amount_cents, answer.kept_cents, answer.reason) == (119_600, 0, RefundReason.IN_TIME)


@pytest.mark.parametrize(
    ("until_consult", "amount"),
    [
        (timedelta(hours=24, seconds=1), 119_600),
        (timedelta(hours=24), 104_600),
        (timedelta(0), 104_600),
        (timedelta(days=-3), 104_600),
    ],
)
def test_from_a_day_before_the_consult_on_its_cost_stays(until_consult: timedelta, amount: int) -> None:
    assert refund_due(replace(PLAIN, consult_starts_at=AT + until_consult), POLICY).amount_cents == amount


@pytest.mark.parametrize(("sessions", "amount"), [(0, 59_800), (1, 59_800), (2, 59_800), (3, 29_900), (4, 0)])
def test_after_shipping_half_stays_or_the_share_of_the_sessions_done(sessions: int, amount: int) -> None:
    answer = refund_due(replace(PLAIN, medicine_shipped=True, sessions_done=sessions), POLICY)
    assert answer.amount_cents == amount


def test_everything_goes_back_when_the_programme_is_not_suitable_whatever_else_is_true() -> None:
    facts = replace(
        PLAIN,
        found_not_suitable=True,
        medicine_shipped=True,
        sessions_done=2,
        consult_starts_at=AT - timedelta(days=9),
    )
    assert refund_due(facts, POLICY).amount_cents == 119_600


@given(
    total=st.integers(1, 500_000),
    refunded=st.integers(0, 500_000),
    shipped=st.booleans(),
    sessions=st.integers(0, 6),
    hours=st.one_of(st.none(), st.integers(-1000, 1000)),
    unsuitable=st.booleans(),
)
def test_never_more_goes_back_than_was_paid_and_the_sum_is_exact(
    total: int, refunded: int, shipped: bool, sessions: int, hours: int | None, unsuitable: bool
) -> None:
    refunded = min(refunded, total)
    facts = replace(
        PLAIN,
        total_cents=total,
        refunded_cents=refunded,
        medicine_shipped=shipped,
        sessions_done=sessions,
        consult_starts_at=None if hours is None else AT + timedelta(hours=hours),
        found_not_suitable=unsuitable,
    )
    answer = refund_due(facts, POLICY)
    assert 0 <= answer.amount_cents <= total - refunded
    assert answer.amount_cents + answer.kept_cents + refunded == total


def test_the_price_in_total_is_the_sum_of_its_lines_and_the_words_agree_with_the_numbers() -> None:
    assert sum(line["amount_cents"] for line in LISTED["lines"]) == 119_600
    words = dict(LISTED["refund_words"])
    assert dollars(POLICY["kept_after_that_cents"]) in words["Later, before medicine is sent"]
    assert f"{POLICY['free_until_hours_before_consult']} hours" in " ".join(words)
    assert POLICY["kept_after_shipping_percent"] == 50
    assert "Half" in words["After medicine was sent"]


@pytest.mark.parametrize(
    ("cents", "words"), [(119_600, "$1,196"), (5, "$0.05"), (100, "$1"), (123_456_7, "$12,345.67")]
)
def test_dollars_read_as_people_write_them(cents: int, words: str) -> None:
    assert dollars(cents) == words
