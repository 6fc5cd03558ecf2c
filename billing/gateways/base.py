"""What every payment provider must do for us, and nothing more."""

from dataclasses import dataclass
from typing import Protocol

from billing.models import Payment, Refund


class PaymentUnavailable(Exception):
    """The provider cannot be reached or refuses; nothing was charged by this call. `in_doubt`: it may have heard us."""

    def __init__(self, why: str, *, in_doubt: bool = False) -> None:
        super().__init__(why)
        self.in_doubt = in_doubt


@dataclass(frozen=True, slots=True)
class Checkout:
    """A page of the provider's on which somebody pays."""

    id: str
    url: str


class Gateway(Protocol):
    name: str
    # True when a refund is done with the call itself and needs no later look.
    immediate: bool

    def start_checkout(self, payment: Payment, *, done_url: str, back_url: str) -> Checkout:
        """A page to pay on. The same payment asked for twice is the same page."""
        ...

    def refund(self, refund: Refund) -> str:
        """Send money back; answers the provider's number. The same refund asked for twice goes back once."""
        ...
