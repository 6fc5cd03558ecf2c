"""The programme price as the public page shows it: the total first, read from billing's own price list."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings

PRICE_LIST = Path(settings.BASE_DIR) / "billing" / "data" / "prices.json"

# What is shown when billing has no list yet (a practice that has not set its price).
NOT_SET: dict[str, Any] = {
    "total": "Ask us",
    "what": "This practice has not set its price yet.",
    "lines": [],
    "note": "",
    "refunds": [("When you are not eligible", "Everything goes back, by itself.")],
}


@cache
def programme_price() -> dict[str, Any]:
    """total, what, lines, note and refunds, in finished words."""
    if not PRICE_LIST.exists():
        return NOT_SET
    listed = json.loads(PRICE_LIST.read_text())
    lines = [
        {"text": line["text"], "amount": dollars(line["amount_cents"]), "note": line.get("note", "")}
        for line in listed["lines"]
    ]
    return {
        "total": dollars(sum(line["amount_cents"] for line in listed["lines"])),
        "what": listed.get("title", "for the whole four-session programme"),
        "lines": lines,
        "note": listed.get("note", ""),
        "refunds": [tuple(pair) for pair in listed.get("refund_words", NOT_SET["refunds"])],
    }


def dollars(cents: int) -> str:
    """125400 -> "$1,254"; cents only when there are any."""
    whole, rest = divmod(cents, 100)
    return f"${whole:,}.{rest:02d}" if rest else f"${whole:,}"
