"""Payment providers behind one small interface."""

from django.conf import settings

from billing.gateways.base import Checkout, Gateway, PaymentUnavailable
from billing.gateways.sandbox import Sandbox

__all__ = ["Checkout", "Gateway", "PaymentUnavailable", "by_name", "gateway"]


def gateway() -> Gateway:
    """Stripe when its key is there, else the sandbox; production without a key takes no payments."""
    if settings.STRIPE_SECRET_KEY:
        return by_name("stripe")
    if settings.PRODUCTION:
        raise PaymentUnavailable("no payment provider is set up")
    return Sandbox()


def by_name(name: str) -> Gateway:
    """The provider that took a payment, for its refund."""
    if name != "stripe":
        return Sandbox()
    # The vendor's client takes longer to load than all of Django; a process that sends no payment, a pager above all, starts
    # without it.
    from billing.gateways.stripe_gateway import Stripe

    return Stripe()
