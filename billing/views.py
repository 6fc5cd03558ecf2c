"""The patient's payments, and the provider's way in."""

import json
import logging
import uuid
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import patient_of
from accounts.guards import for_role, public
from billing import access, actions
from billing.models import Invoice
from billing.wording import INVOICE_PILLS, WHY, dollars
from common import clock, intents
from common.errors import NotVisible

log = logging.getLogger("billing")
WEBHOOK_LIMIT_BYTES = 256 * 1024
TOLERANCE_S = 300
FUTURE_S = 60


def _invoice_words(invoice: Invoice) -> dict[str, Any]:
    word, kind = INVOICE_PILLS[invoice.state]
    return {
        "row": invoice,
        "word": word,
        "kind": kind,
        "total": dollars(invoice.total_cents),
        "refunded": dollars(invoice.refunded_cents) if invoice.refunded_cents else "",
        "kept": dollars(invoice.kept_cents),
        "lines": [{"text": line["text"], "amount": dollars(line["amount_cents"])} for line in invoice.lines],
    }


@for_role("patient")
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """The price in total first; what is paid, what is not, what went back."""
    patient = patient_of(request.user)
    listed = access.price_list()
    mine = list(access.invoices_of(patient))
    context = {
        "total": dollars(listed["total_cents"]),
        "what": listed["title"],
        "lines": [
            {"text": line["text"], "amount": dollars(line["amount_cents"]), "note": line.get("note", "")}
            for line in listed["lines"]
        ],
        "note": listed["note"],
        "refund_words": [tuple(pair) for pair in listed["refund_words"]],
        "accepted": access.accepted_intake(patient) is not None,
        "paid": access.is_paid(patient),
        # What went back is not asked for again.
        "over": bool(mine) and mine[0].state == "refunded",
        "invoices": [_invoice_words(row) for row in mine],
        "sandbox": not settings.STRIPE_SECRET_KEY,
        "intent": intents.mint(),
    }
    return render(request, "patient/billing/home.html", context)


@for_role("patient")
@require_POST
@intents.guard
def pay(request: HttpRequest) -> HttpResponse:
    """Open the invoice if there is none, promise a payment, and go where its page is asked for."""
    patient, at = patient_of(request.user), clock.now()
    invoice = actions.open_invoice(patient, by=request.user, at=at)
    if invoice.state != "open":
        return redirect("billing:invoice", invoice.pk)
    payment = actions.start_payment(invoice, by=request.user, at=at)
    return redirect("billing:checkout", payment.pk)


@for_role("patient")
@require_GET
def checkout(request: HttpRequest, payment_id: uuid.UUID) -> HttpResponse:
    """On to the provider's page, which is asked for here: a GET holds no transaction, and asking twice is the same page."""
    payment = access.visible_payment(request.user, payment_id)
    payment = actions.open_checkout(payment, by=request.user, at=clock.now())
    if payment.state != "pending" or not payment.checkout_url:
        return redirect("billing:invoice", payment.invoice_id)
    return redirect(payment.checkout_url)


@for_role("patient")
@require_http_methods(["GET", "POST"])
@intents.guard
def sandbox(request: HttpRequest, payment_id: uuid.UUID) -> HttpResponse:
    """The sandbox's checkout: it says that no money moves, and asks for no card."""
    payment = access.visible_payment(request.user, payment_id)
    if payment.provider != "sandbox" or settings.PRODUCTION:
        raise NotVisible("There is no such page.")
    if request.method == "POST":
        actions.settle_in_sandbox(
            payment, paid=request.POST.get("outcome") == "pay", by=request.user, at=clock.now()
        )
        return redirect("billing:invoice", payment.invoice_id)
    if payment.state != "pending":
        return redirect("billing:invoice", payment.invoice_id)
    context = {"payment": payment, "amount": dollars(payment.amount_cents), "intent": intents.mint()}
    return render(request, "patient/billing/sandbox.html", context)


@for_role("patient")
@require_GET
def invoice(request: HttpRequest, invoice_id: uuid.UUID) -> HttpResponse:
    """The receipt, as a document that prints; or how far the payment is."""
    row = access.visible_invoice(request.user, invoice_id)
    payments = list(row.payments.order_by("-attempt"))
    refunds = [
        {"row": refund, "amount": dollars(refund.amount_cents)}
        for payment in payments
        for refund in payment.refunds.order_by("created_at")
    ]
    context = {
        "invoice": _invoice_words(row),
        "waiting": row.state == "open" and bool(payments) and payments[0].state == "pending",
        "failed": row.state == "open" and bool(payments) and payments[0].state in ("failed", "expired"),
        "sandbox": any(
            payment.provider == "sandbox" and payment.state == "succeeded" for payment in payments
        ),
        "refunds": refunds,
        "intent": intents.mint(),
    }
    return render(request, "patient/billing/invoice.html", context)


@for_role("patient")
@require_http_methods(["GET", "POST"])
@intents.guard
def refund(request: HttpRequest, invoice_id: uuid.UUID) -> HttpResponse:
    """What goes back today and why, and the button that does it."""
    row, at = access.visible_invoice(request.user, invoice_id), clock.now()
    if row.state != "paid":
        return redirect("billing:invoice", row.pk)
    if request.method == "POST":
        shown = request.POST.get("amount_cents", "")
        expected = int(shown) if shown.isdecimal() and len(shown) < 10 else -1
        actions.request_refund(row, by=request.user, at=at, expected_cents=expected)
        return redirect("billing:invoice", row.pk)
    today = access.refund_today(row, at=at)
    context = {
        "invoice": _invoice_words(row),
        "amount": dollars(today.amount_cents),
        "amount_cents": today.amount_cents,
        "kept": dollars(today.kept_cents),
        "why": WHY[today.reason],
        "refund_words": [tuple(pair) for pair in access.price_list()["refund_words"]],
        "intent": intents.mint(),
    }
    return render(request, "patient/billing/refund.html", context)


def _signed_at_s(header: str) -> int | None:
    """The time in Stripe's signature header."""
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t" and value.isdecimal():
            return int(value)
    return None


@csrf_exempt
@public
@require_POST
def stripe_webhook(request: HttpRequest) -> HttpResponse:
    """What Stripe tells us: signature over the raw body, not old, not from the future, kept once, then worked off."""
    if not settings.STRIPE_WEBHOOK_SECRET:
        return JsonResponse({"code": "not_found"}, status=404)
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        length = 0
    if length > WEBHOOK_LIMIT_BYTES:
        return JsonResponse({"code": "too_large"}, status=413)
    import stripe  # loaded when it is needed, see billing.gateways

    body, header = request.body, request.META.get("HTTP_STRIPE_SIGNATURE", "")
    signed_at_s = _signed_at_s(header)
    if signed_at_s is None or signed_at_s > clock.wall_time_s() + FUTURE_S:
        return JsonResponse({"code": "bad_signature"}, status=400)
    try:
        event = json.loads(body)
        if not isinstance(event, dict):
            raise TypeError
        stripe.Webhook.construct_event(body, header, settings.STRIPE_WEBHOOK_SECRET, tolerance=TOLERANCE_S)
        event_id, kind = str(event["id"]), str(event["type"])
    except (stripe.SignatureVerificationError, ValueError, KeyError, TypeError):
        return JsonResponse({"code": "bad_signature"}, status=400)
    if bool(event.get("livemode")) != settings.STRIPE_SECRET_KEY.startswith(("sk_live_", "rk_live_")):
        return JsonResponse({"code": "wrong_mode"}, status=400)
    at = clock.now()
    kept = actions.receive_event(provider="stripe", event_id=event_id[:120], kind=kind, payload=event, at=at)
    if kept is not None:
        actions.work_off_events(at=at)
    return JsonResponse({"received": True})
