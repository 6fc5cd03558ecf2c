"""What comes from Stripe: only with a real signature, once, in any order."""

import datetime as dt
import hashlib
import hmac
import json
import uuid
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from billing import actions
from billing.models import Invoice, Payment, WebhookEvent
from common import clock
from tests.billing.builders import a_checkout, a_recording_stripe, an_open_invoice
from tests.intake.builders import an_accepted_intake

pytestmark = pytest.mark.django_db
SECRET = "whsec_test"
DAY = dt.timedelta(days=1)


@pytest.fixture
def payment(alice: User, dana: User, protocol_version: Any, at: dt.datetime, settings: Any) -> Payment:
    settings.STRIPE_WEBHOOK_SECRET = SECRET
    an_accepted_intake(alice, dana, at - 3 * DAY)
    with a_recording_stripe() as stripe:
        settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = "sk_test_x", stripe.url
        return a_checkout(an_open_invoice(alice, at), alice, at)


def event(payment: Payment, kind: str = "checkout.session.completed", **changes: Any) -> dict[str, Any]:
    thing = {
        "id": payment.checkout_id,
        "object": "checkout.session",
        "payment_status": "paid",
        "amount_total": payment.amount_cents,
        "currency": "usd",
        "payment_intent": f"pi_{payment.pk.hex[:12]}",
        **changes,
    }
    return {
        "id": f"evt_{uuid.uuid4().hex}",
        "object": "event",
        "type": kind,
        "livemode": False,
        "data": {"object": thing},
    }


def send(
    body: dict[str, Any] | bytes, *, secret: str = SECRET, age_s: int = 0, signature: str | None = None
) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    stamp = int(clock.wall_time_s()) - age_s
    digest = hmac.new(secret.encode(), f"{stamp}.".encode() + raw, hashlib.sha256).hexdigest()
    header = signature if signature is not None else f"t={stamp},v1={digest}"
    return Client().post(
        "/webhooks/stripe/", raw, content_type="application/json", HTTP_STRIPE_SIGNATURE=header
    )


def test_a_signed_event_pays_the_invoice_once_however_often_it_comes(payment: Payment) -> None:
    told = event(payment)
    assert [send(told).status_code for _ in range(5)] == [200] * 5
    payment.refresh_from_db()
    assert (payment.state, Invoice.objects.get().state) == ("succeeded", "paid")
    assert WebhookEvent.objects.count() == 1
    assert WebhookEvent.objects.get().outcome == "paid"


@pytest.mark.parametrize("age_s", [301, -61, -3600])
def test_an_old_event_or_one_from_the_future_is_refused(age_s: int, payment: Payment) -> None:
    """TM-03"""
    assert send(event(payment), age_s=age_s).status_code == 400
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize("age_s", [0, 290, -50])
def test_an_event_within_the_tolerance_is_taken(age_s: int, payment: Payment) -> None:
    assert send(event(payment), age_s=age_s).status_code == 200


@pytest.mark.parametrize(
    "signature", ["", "nonsense", "t=,v1=", "t=1", "v1=abc", "t=99999999999999999999,v1=00"]
)
def test_a_signature_that_is_none_is_refused(signature: str, payment: Payment) -> None:
    """TM-03"""
    assert send(event(payment), signature=signature).status_code == 400


def test_another_secret_another_body_and_no_json_are_refused(payment: Payment) -> None:
    """TM-03"""
    assert send(event(payment), secret="whsec_other").status_code == 400
    raw = json.dumps(event(payment)).encode()
    stamp = int(clock.wall_time_s())
    digest = hmac.new(SECRET.encode(), f"{stamp}.".encode() + raw, hashlib.sha256).hexdigest()
    assert send(raw.replace(b"119600", b"100000"), signature=f"t={stamp},v1={digest}").status_code == 400
    assert send(b"not json").status_code == 400
    assert send(b"[]").status_code == 400
    assert not WebhookEvent.objects.exists()


def test_an_event_of_the_other_mode_is_refused(payment: Payment) -> None:
    assert send({**event(payment), "livemode": True}).status_code == 400


def test_too_large_a_body_and_other_methods_are_refused(payment: Payment) -> None:
    assert send(b"x" * (256 * 1024 + 1)).status_code == 413
    assert Client().get("/webhooks/stripe/").status_code == 405


def test_without_a_secret_there_is_no_such_address(payment: Payment, settings: Any) -> None:
    settings.STRIPE_WEBHOOK_SECRET = ""
    assert send(event(payment)).status_code == 404


def test_another_amount_does_not_pay(payment: Payment) -> None:
    assert send(event(payment, amount_total=100)).status_code == 200
    assert send(event(payment, currency="eur")).status_code == 200
    payment.refresh_from_db()
    assert payment.state == "pending"
    assert set(WebhookEvent.objects.values_list("outcome", flat=True)) == {"amount_differs"}


def test_events_out_of_order_end_in_the_same_state(payment: Payment) -> None:
    """PR-03: expired after paid changes nothing; paid after expired still pays."""
    send(event(payment, "checkout.session.expired"))
    payment.refresh_from_db()
    assert payment.state == "expired"
    send(event(payment))
    send(event(payment, "checkout.session.expired"))
    payment.refresh_from_db()
    assert (payment.state, Invoice.objects.get().state) == ("succeeded", "paid")


def test_events_of_other_things_are_kept_and_ignored(payment: Payment) -> None:
    assert send(event(payment, "customer.created")).status_code == 200
    assert send(event(payment, id="cs_of_somebody_else")).status_code == 200
    assert set(WebhookEvent.objects.values_list("outcome", flat=True)) == {"ignored", "unknown_checkout"}


def test_an_event_that_was_kept_and_not_worked_off_is_found_by_the_sweeper(
    payment: Payment, at: dt.datetime
) -> None:
    told = event(payment)
    actions.receive_event(provider="stripe", event_id=told["id"], kind=told["type"], payload=told, at=at)
    payment.refresh_from_db()
    assert payment.state == "pending"
    assert actions.work_off_events(at=at) == 1
    payment.refresh_from_db()
    assert payment.state == "succeeded"
    assert actions.work_off_events(at=at) == 0


def test_a_restricted_live_key_takes_live_events_and_no_test_ones(payment: Payment, settings: Any) -> None:
    """TM-03"""
    settings.STRIPE_SECRET_KEY = "rk_live_restricted"
    assert send(event(payment)).status_code == 400
    assert send({**event(payment), "livemode": True}).status_code == 200


def test_a_payment_whose_checkout_number_was_lost_is_found_by_our_own(payment: Payment) -> None:
    """The process died after the provider had answered: the money is not without an invoice."""
    number = payment.checkout_id
    Payment.objects.filter(pk=payment.pk).update(checkout_id="", checkout_url="")
    sent = event(payment, client_reference_id=str(payment.pk), id=number)
    assert send(sent).status_code == 200
    payment.refresh_from_db()
    assert payment.state == "succeeded"


@pytest.mark.parametrize("reference", ["", "not-a-uuid", "00000000-0000-0000-0000-000000000000"])
def test_a_checkout_of_nobody_here_pays_nothing(payment: Payment, reference: str) -> None:
    send(event(payment, client_reference_id=reference, id="cs_somebody_elses"))
    payment.refresh_from_db()
    assert payment.state == "pending"
    assert WebhookEvent.objects.get().outcome == "unknown_checkout"
