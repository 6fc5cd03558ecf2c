"""The sandbox: a page of our own that says plainly that no money moves. Never in production."""

from django.conf import settings
from django.urls import reverse

from billing.gateways.base import Checkout
from billing.models import Payment, Refund


class Sandbox:
    name = "sandbox"
    immediate = True

    def start_checkout(self, payment: Payment, *, done_url: str, back_url: str) -> Checkout:
        return Checkout(
            id=f"sandbox-{payment.pk}", url=settings.SITE_URL + reverse("billing:sandbox", args=[payment.pk])
        )

    def refund(self, refund: Refund) -> str:
        return f"sandbox-refund-{refund.pk}"
