"""Money in words."""

from billing.rules import RefundReason

WHY = {
    RefundReason.NOT_SUITABLE: "The programme was not right for you, so everything goes back.",
    RefundReason.IN_TIME: "There is more than a day until your consult, or none is booked, so everything goes back.",
    RefundReason.LATE: "Your consult is less than a day away or has taken place; its cost stays with us.",
    RefundReason.SHIPPED: "Medicine was sent, so half stays with us, or the share of the sessions that took place if that is more.",
    RefundReason.NOTHING_LEFT: "Everything you paid for has taken place or has gone back already.",
}

INVOICE_PILLS = {
    "open": ("To pay", "info"),
    "paid": ("Paid", "ok"),
    "partly_refunded": ("Partly refunded", "neutral"),
    "refunded": ("Refunded", "neutral"),
    "void": ("Cancelled", "neutral"),
}


def dollars(cents: int) -> str:
    """119600 -> "$1,196"; cents only when there are any."""
    whole, rest = divmod(cents, 100)
    return f"${whole:,}.{rest:02d}" if rest else f"${whole:,}"
