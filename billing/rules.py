"""What goes back today, and why. Whole cents; the policy is data (billing/data/prices.json)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any


class RefundReason(StrEnum):
    """The rule of the policy that decided."""

    NOT_SUITABLE = "not_suitable"
    IN_TIME = "in_time"
    LATE = "late"
    SHIPPED = "shipped"
    NOTHING_LEFT = "nothing_left"


@dataclass(frozen=True, slots=True)
class RefundFacts:
    total_cents: int
    refunded_cents: int
    found_not_suitable: bool
    consult_starts_at: datetime | None
    medicine_shipped: bool
    sessions_done: int
    sessions_total: int
    at: datetime


@dataclass(frozen=True, slots=True)
class RefundAnswer:
    """What goes back now, what the practice keeps in all, and the rule behind it."""

    amount_cents: int
    kept_cents: int
    reason: RefundReason


def refund_due(f: RefundFacts, policy: Mapping[str, Any]) -> RefundAnswer:
    """Today's refund. Fractions of a cent are never kept: they go back."""
    if f.found_not_suitable:
        kept, reason = 0, RefundReason.NOT_SUITABLE
    elif f.medicine_shipped or f.sessions_done:
        by_shipping = f.total_cents * policy["kept_after_shipping_percent"] // 100
        by_sessions = f.total_cents * min(f.sessions_done, f.sessions_total) // f.sessions_total
        kept, reason = max(by_shipping, by_sessions), RefundReason.SHIPPED
    elif f.consult_starts_at is not None and f.consult_starts_at - f.at <= timedelta(
        hours=policy["free_until_hours_before_consult"]
    ):
        kept, reason = min(policy["kept_after_that_cents"], f.total_cents), RefundReason.LATE
    else:
        kept, reason = 0, RefundReason.IN_TIME
    amount = f.total_cents - f.refunded_cents - kept
    if amount <= 0:
        return RefundAnswer(0, f.total_cents - f.refunded_cents, RefundReason.NOTHING_LEFT)
    return RefundAnswer(amount, kept, reason)
