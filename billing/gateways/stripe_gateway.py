"""Stripe, through its own client. It learns an amount, a neutral name and our opaque ids; never who or why."""

from typing import Any

import stripe
from django.conf import settings

from billing.gateways.base import Checkout, PaymentUnavailable
from billing.models import Payment, Refund

TIMEOUT_S = 10
RETRIES = 2


def client() -> stripe.StripeClient:
    """The vendor's client; STRIPE_API_BASE puts a recording server in its place."""
    addresses: dict[str, Any] = {"api": settings.STRIPE_API_BASE} if settings.STRIPE_API_BASE else {}
    return stripe.StripeClient(
        settings.STRIPE_SECRET_KEY,
        base_addresses=addresses,  # type: ignore[arg-type]
        max_network_retries=RETRIES,
        http_client=stripe.RequestsClient(timeout=TIMEOUT_S),
    )


class Stripe:
    name = "stripe"
    immediate = False

    def start_checkout(self, payment: Payment, *, done_url: str, back_url: str) -> Checkout:
        ids = {"payment": str(payment.pk), "invoice": str(payment.invoice_id)}
        try:
            session = client().checkout.sessions.create(
                params={
                    "mode": "payment",
                    "line_items": [
                        {
                            "quantity": 1,
                            "price_data": {
                                "currency": payment.invoice.currency,
                                "unit_amount": payment.amount_cents,
                                "product_data": {"name": f"{settings.PRACTICE['name']} programme"},
                            },
                        }
                    ],
                    "client_reference_id": str(payment.pk),
                    "metadata": ids,
                    "payment_intent_data": {"metadata": ids},
                    "success_url": done_url,
                    "cancel_url": back_url,
                },
                options={"idempotency_key": payment.idempotency_key},
            )
        except stripe.StripeError as error:
            doubt = isinstance(error, stripe.APIConnectionError)
            raise PaymentUnavailable(type(error).__name__, in_doubt=doubt) from error
        return Checkout(id=session.id, url=session.url or "")

    def refund(self, refund: Refund) -> str:
        try:
            found = client().refunds.create(
                params={
                    "payment_intent": refund.payment.provider_payment_id,
                    "amount": refund.amount_cents,
                    "metadata": {"refund": str(refund.pk)},
                },
                options={"idempotency_key": refund.idempotency_key},
            )
        except stripe.StripeError as error:
            raise PaymentUnavailable(type(error).__name__) from error
        return found.id
