"""The way of a signed order to a pharmacy. Hearthside signs and transmits no prescription for a controlled medicine (21 CFR 1311):
a gateway prints the order, faxes it, or hands it to a certified e-prescribing vendor in whose own system the prescriber signs.

An adapter of a vendor implements `PharmacyGateway` and is named in settings.PHARMACY_GATEWAY. `by_hand` keeps what the practice did
by itself; the sandbox of a demo makes up answers. Neither sends anything anywhere.
"""

import hashlib
from dataclasses import dataclass
from typing import Protocol

from django.conf import settings

from consults.models import HandOver, PharmacyStatus


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the other side answered: its number, and how far it is."""

    external_id: str
    status: str


class PharmacyGateway(Protocol):
    """One way out for orders. `reference` is ours and the same for a repeated call, so that a vendor recognises it."""

    name: str
    # Does something leave through it?
    connected: bool

    def send(self, *, way: str, document: bytes, reference: str) -> Receipt:
        """Hand the document over in this way. Raises for an answer that is none; then nothing was kept."""
        ...


class ByHand:
    """The practice prints, faxes, or signs in its own system. There is no number until the other side gives one."""

    name = "by_hand"
    connected = False

    def send(self, *, way: str, document: bytes, reference: str) -> Receipt:
        """Kept as handed over, by the word of whoever did it."""
        return Receipt(external_id="", status=PharmacyStatus.HANDED_OVER)


class Sandbox:
    """Answers as a vendor would and sends nothing: the same reference always gets the same number."""

    name = "sandbox"
    connected = False

    def send(self, *, way: str, document: bytes, reference: str) -> Receipt:
        """A made-up number."""
        if not document.startswith(b"%PDF-"):
            raise ValueError("not a document")
        number = hashlib.sha256(f"{way}:{reference}".encode()).hexdigest()[:8].upper()
        prefix = {HandOver.Way.PRINT: "PRINT", HandOver.Way.FAX: "FAX", HandOver.Way.VENDOR: "ERX"}[
            HandOver.Way(way)
        ]
        return Receipt(external_id=f"{prefix}-{number}", status=PharmacyStatus.HANDED_OVER)


GATEWAYS: dict[str, type[PharmacyGateway]] = {"by_hand": ByHand, "sandbox": Sandbox}


def pharmacy_gateway() -> PharmacyGateway:
    """The gateway of this deployment."""
    return GATEWAYS[settings.PHARMACY_GATEWAY]()
