"""The letter of a decline, put together from data: an opening, a sentence for each reason, resources, the refund."""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from intake.wording import RuleText


@cache
def _data() -> dict[str, Any]:
    path = Path(__file__).resolve().parent / "data" / "decline.json"
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def reason_codes() -> frozenset[str]:
    """Reasons to decline that no rule covers."""
    return frozenset(_data()["reasons"])


def reason_sentence(reason: str, texts: Mapping[str, RuleText]) -> str:
    """What the patient reads for a reason: the rule's own sentence, or the one of a reason that no rule covers."""
    if reason in texts:
        return texts[reason].patient
    return str(_data()["reasons"].get(reason, ""))


def decline_letter(*, name: str, signer: str, reasons: Iterable[str], texts: Mapping[str, RuleText]) -> str:
    """A kind letter to begin from. The psychiatrist reads it as the patient will, and changes what does not fit."""
    data = _data()
    sentences = [sentence for reason in reasons if (sentence := reason_sentence(reason, texts))]
    parts = [
        data["opening"].format(name=name or "friend"),
        "\n".join(f"- {sentence}" for sentence in sentences) or data["no_reason"],
        data["closing"] + " " + " ".join(data["resources"]),
        data["refund"],
        data["end"].format(signer=signer),
    ]
    return "\n\n".join(parts)
