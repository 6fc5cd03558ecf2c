"""The verbs of money; the only writers of its rows. One effect for one wish, whatever is clicked, replayed or killed."""

import logging
import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q
from django.urls import reverse

from accounts.models import Patient, User
from billing import gateways, states
from billing.access import accepted_intake, price_list, refund_today
from billing.gateways import PaymentUnavailable
from billing.models import Invoice, Payment, Refund, WebhookEvent
from common import audit
from common.errors import Conflict, NotPermitted, NotVisible
from common.states import move, opened
from notify.actions import promise
from sessions.actions import stop_open_course

log = logging.getLogger("billing")

# A provider's page lasts a day; an older one is replaced by a new attempt.
CHECKOUT_LASTS = timedelta(hours=23)
REFUND_LEASE = timedelta(minutes=2)
RETRY_AFTER = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=12),
)


def _own(invoice: Invoice, by: User) -> None:
    if by.pk != invoice.patient_id:
        raise NotVisible("There is no such page.")


def _next_number() -> str:
    """One number after the other; the row's lock keeps two invoices from sharing one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO billing_invoicenumber (id, last) VALUES (1, 1001) "
            "ON CONFLICT (id) DO UPDATE SET last = billing_invoicenumber.last + 1 RETURNING last"
        )
        return f"HS-{cursor.fetchone()[0]}"


def open_invoice(patient: Patient, *, by: Any, at: datetime) -> Invoice:
    """The invoice of the accepted intake; made once. Raises Conflict before an acceptance."""
    intake = accepted_intake(patient)
    if intake is None:
        raise Conflict(
            "There is nothing to pay yet. First a psychiatrist looks at your intake.",
            code="intake_not_accepted",
        )
    listed = price_list()
    with transaction.atomic():
        # Two clicks at once: the second waits here and finds the first one's invoice.
        Patient.objects.select_for_update(no_key=True).get(pk=patient.pk)
        invoice = Invoice.objects.filter(intake=intake).exclude(state="void").first()
        if invoice is not None:
            return invoice
        invoice = Invoice.objects.create(
            number=_next_number(),
            patient=patient,
            intake=intake,
            price_version=listed["version"],
            lines=[{key: line[key] for key in ("code", "text", "amount_cents")} for line in listed["lines"]],
            total_cents=listed["total_cents"],
            currency=listed["currency"],
            created_at=at,
        )
        opened(invoice, "open", by=by, at=at)
        audit.record(
            "invoice.opened",
            by=by,
            at=at,
            about=invoice,
            patient_id=patient.pk,
            detail={"total_cents": invoice.total_cents},
        )
    return invoice


def start_payment(invoice: Invoice, *, by: User, at: datetime) -> Payment:
    """Promise one attempt to pay this invoice; a second wish while the first one waits is the same attempt.

    Only our own rows are touched here. The provider is asked by `open_checkout`, when nothing is locked any more.
    Raises Conflict when there is nothing to pay, or no provider is set up.
    """
    _own(invoice, by)
    with transaction.atomic():
        row = Invoice.objects.select_for_update().get(pk=invoice.pk)
        if row.state != "open":
            raise Conflict("This invoice is not open any more.", code="not_open")
        waiting = Payment.objects.filter(invoice=row, state="pending").first()
        if waiting is not None and at - waiting.created_at < CHECKOUT_LASTS:
            return waiting
        if waiting is not None:
            move(waiting, "expired", moves=states.PAYMENT_MOVES, by="system:billing", at=at, settled_at=at)
        try:
            provider = gateways.gateway()
        except PaymentUnavailable as error:
            raise _unavailable(error) from None
        payment = Payment.objects.create(
            invoice=row,
            attempt=Payment.objects.filter(invoice=row).count() + 1,
            provider=provider.name,
            amount_cents=row.total_cents,
            created_at=at,
        )
        opened(payment, "pending", by=by, at=at)
        audit.record("payment.started", by=by, at=at, about=payment, patient_id=row.patient_id)
    return payment


def open_checkout(payment: Payment, *, by: User, at: datetime) -> Payment:
    """Ask the provider for the page of a promised payment and write it down; with a page already, nothing is asked.

    Called outside any transaction, so that a slow provider holds no lock. Whoever dies between the two steps asks again under
    the same idempotency key and gets the same page. Raises Conflict when the provider cannot be reached; nothing is charged.
    """
    _own(payment.invoice, by)
    if payment.state != "pending" or payment.checkout_url:
        return payment
    try:
        page = gateways.by_name(payment.provider).start_checkout(
            payment,
            done_url=settings.SITE_URL + reverse("billing:invoice", args=[payment.invoice_id]),
            back_url=settings.SITE_URL + reverse("billing:home"),
        )
    except PaymentUnavailable as error:
        if not error.in_doubt:
            # The provider would answer the same key with the same refusal for a day, so the next wish is a new attempt.
            payment_ended(payment, outcome="failed", by="system:billing", at=at)
        raise _unavailable(error) from None
    # Durable: inside a transaction the provider would have been asked while rows are locked.
    with transaction.atomic(durable=True):
        row = Payment.objects.select_for_update().get(pk=payment.pk)
        if not row.checkout_url:
            row.checkout_id, row.checkout_url = page.id, page.url
            row.save(update_fields=["checkout_id", "checkout_url"])
    return row


def _unavailable(error: PaymentUnavailable) -> Conflict:
    log.warning("no checkout could be opened", extra={"event": "checkout_unavailable", "reason": str(error)})
    return Conflict(
        "The payment page cannot be opened at the moment. Nothing was charged. Try again in a few minutes.",
        code="payment_unavailable",
    )


def payment_succeeded(payment: Payment, *, provider_payment_id: str, by: Any, at: datetime) -> Payment:
    """The provider says it is paid; telling it again changes nothing. A second payment of one invoice goes back by itself."""
    with transaction.atomic():
        invoice = Invoice.objects.select_for_update().get(pk=payment.invoice_id)
        row = Payment.objects.select_for_update().get(pk=payment.pk)
        if row.state == "succeeded":
            return row
        move(
            row,
            "succeeded",
            moves=states.PAYMENT_MOVES,
            by=by,
            at=at,
            settled_at=at,
            provider_payment_id=provider_payment_id,
        )
        audit.record("payment.succeeded", by=by, at=at, about=row, patient_id=invoice.patient_id)
        if invoice.state == "open":
            move(invoice, "paid", moves=states.INVOICE_MOVES, by=by, at=at, paid_at=at)
            _expire_waiting(invoice, by=by, at=at)
            promise(
                "receipt_ready",
                to=invoice.patient.user,
                channel="email",
                context={"link": settings.SITE_URL + reverse("billing:invoice", args=[invoice.pk])},
                due_at=at,
                at=at,
                about=invoice,
                patient=invoice.patient,
                dedupe_key=f"receipt_ready:{invoice.pk}",
                respect_quiet_hours=False,
            )
        else:
            # Paid twice, or paid after it was cancelled: the money was never ours.
            _refund(row, row.amount_cents, reason="paid_twice", by=by, at=at)
    return row


def _expire_waiting(invoice: Invoice, *, by: Any, at: datetime) -> None:
    for other in Payment.objects.filter(invoice=invoice, state="pending"):
        move(other, "expired", moves=states.PAYMENT_MOVES, by=by, at=at, settled_at=at)


def payment_ended(payment: Payment, *, outcome: str, by: Any, at: datetime) -> Payment:
    """The provider says that it failed or ran out; a late word changes nothing that is settled."""
    with transaction.atomic():
        Invoice.objects.select_for_update().get(pk=payment.invoice_id)
        row = Payment.objects.select_for_update().get(pk=payment.pk)
        if row.state == "pending":
            move(row, outcome, moves=states.PAYMENT_MOVES, by=by, at=at, settled_at=at)
            audit.record(f"payment.{outcome}", by=by, at=at, about=row)
    return row


def settle_in_sandbox(payment: Payment, *, paid: bool, by: User, at: datetime) -> Payment:
    """What the sandbox's own page does; only there, and only outside production."""
    if payment.provider != "sandbox" or settings.PRODUCTION:
        raise NotPermitted("This is not a sandbox payment.")
    _own(payment.invoice, by)
    if payment.state != "pending":
        return payment
    if paid:
        return payment_succeeded(payment, provider_payment_id=f"sandbox-pay-{payment.pk}", by=by, at=at)
    return payment_ended(payment, outcome="failed", by=by, at=at)


def _refund(payment: Payment, amount_cents: int, *, reason: str, by: Any, at: datetime) -> Refund:
    """Write a refund in the caller's transaction. The sandbox is done at once; elsewhere it is a row that is due."""
    refund = Refund.objects.create(
        payment=payment,
        amount_cents=amount_cents,
        reason=reason,
        requested_by=audit.actor_name(by),
        created_at=at,
        due_at=at,
    )
    opened(refund, "pending", by=by, at=at)
    audit.record(
        "refund.requested",
        by=by,
        at=at,
        about=refund,
        patient_id=payment.invoice.patient_id,
        reason=reason,
        detail={"amount_cents": amount_cents},
    )
    provider = gateways.by_name(payment.provider)
    if provider.immediate:
        _refund_done(refund, provider_refund_id=provider.refund(refund), at=at)
    return refund


def _refund_done(refund: Refund, *, provider_refund_id: str, at: datetime) -> None:
    move(
        refund,
        "succeeded",
        moves=states.REFUND_MOVES,
        by="system:billing",
        at=at,
        settled_at=at,
        provider_refund_id=provider_refund_id,
        lease_until=None,
    )
    audit.record(
        "refund.sent", by="system:billing", at=at, about=refund, patient_id=refund.payment.invoice.patient_id
    )


def _give_back(invoice: Invoice, amount_cents: int, *, reason: str, by: Any, at: datetime) -> Refund:
    """Refund a part of a paid invoice; the invoice's row is locked by the caller."""
    payment = Payment.objects.filter(invoice=invoice, state="succeeded").order_by("settled_at").first()
    assert payment is not None
    refund = _refund(payment, amount_cents, reason=reason, by=by, at=at)
    whole = invoice.refunded_cents + amount_cents == invoice.total_cents
    target = "refunded" if whole else "partly_refunded"
    if invoice.state != target:
        move(
            invoice,
            target,
            moves=states.INVOICE_MOVES,
            by=by,
            at=at,
            refunded_cents=invoice.refunded_cents + amount_cents,
        )
    promise(
        "refund_sent",
        to=invoice.patient.user,
        channel="email",
        context={"link": settings.SITE_URL + reverse("billing:invoice", args=[invoice.pk])},
        due_at=at,
        at=at,
        about=refund,
        patient=invoice.patient,
        dedupe_key=f"refund_sent:{refund.pk}",
    )
    return refund


def request_refund(invoice: Invoice, *, by: User, at: datetime, expected_cents: int | None = None) -> Refund:
    """The patient stops and takes back what today's rules give; the course ends with it, so that no further dose is given.

    Raises Conflict when there is nothing to give back, or the amount has changed since the page was shown.
    """
    _own(invoice, by)
    with transaction.atomic():
        # Patient first, as every verb of a session locks.
        Patient.objects.select_for_update().get(pk=invoice.patient_id)
        row = (
            Invoice.objects.select_for_update(of=("self",)).select_related("patient__user").get(pk=invoice.pk)
        )
        if row.state != "paid":
            raise Conflict(
                "There is nothing to give back on this invoice, or it was done before.", code="not_refundable"
            )
        today = refund_today(row, at=at)
        if today.amount_cents <= 0:
            raise Conflict(
                "There is nothing left to give back. Call us if you see it otherwise.", code="nothing_left"
            )
        if expected_cents is not None and expected_cents != today.amount_cents:
            raise Conflict(
                "The amount has changed since the page was shown. Look at it again.", code="amount_changed"
            )
        stop_open_course(row.patient_id, by=by, at=at, reason="patient_stopped")
        return _give_back(row, today.amount_cents, reason="asked", by=by, at=at)


def refund_everything(patient: Patient, *, reason: str, by: Any, at: datetime) -> list[Refund]:
    """Give back all that is left of what a patient paid, and cancel what is still open. Runs in the decision's own transaction."""
    refunds = []
    with transaction.atomic():
        rows = (
            Invoice.objects.select_for_update(of=("self",))
            .select_related("patient__user")
            .filter(patient=patient)
        )
        for invoice in rows.filter(state__in=["open", "paid", "partly_refunded"]):
            if invoice.state == "open":
                _expire_waiting(invoice, by=by, at=at)
                move(invoice, "void", moves=states.INVOICE_MOVES, by=by, at=at, reasons=[reason])
                audit.record(
                    "invoice.void", by=by, at=at, about=invoice, patient_id=patient.pk, reason=reason
                )
            else:
                refunds.append(_give_back(invoice, invoice.kept_cents, reason=reason, by=by, at=at))
    return refunds


def on_declined(*, intake: Any, by: Any, at: datetime) -> None:
    """Hook `intake.declined`: the programme is not right for this person, so everything goes back (protocol 10.2)."""
    refund_everything(intake.patient, reason="not_suitable", by=by, at=at)


def on_not_suitable(*, note: Any, by: Any, at: datetime) -> None:
    """Hook `consult.not_suitable`: the same, when the consult finds it."""
    refund_everything(note.patient, reason="not_suitable", by=by, at=at)


def send_due_refunds(*, at: datetime, limit: int = 50) -> int:
    """Send refunds that are due: claimed with a lease, sent outside the transaction under their own idempotency key."""
    with transaction.atomic():
        rows = list(
            Refund.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(Q(lease_until__isnull=True) | Q(lease_until__lt=at), state="pending", due_at__lte=at)
            .select_related("payment__invoice")
            .order_by("due_at")[:limit]
        )
        Refund.objects.filter(pk__in=[row.pk for row in rows]).update(
            lease_until=at + REFUND_LEASE, attempts=F("attempts") + 1
        )
    sent = 0
    for row in rows:
        try:
            number = gateways.by_name(row.payment.provider).refund(row)
        except PaymentUnavailable as error:
            wait = RETRY_AFTER[min(row.attempts, len(RETRY_AFTER) - 1)]
            Refund.objects.filter(pk=row.pk).update(
                lease_until=None, due_at=at + wait, last_error=str(error)[:80]
            )
            log.warning("a refund waits for the provider", extra={"event": "refund_waits"})
            continue
        with transaction.atomic():
            current = (
                Refund.objects.select_for_update(of=("self",))
                .select_related("payment__invoice")
                .get(pk=row.pk)
            )
            if current.state == "pending":
                _refund_done(current, provider_refund_id=number, at=at)
        sent += 1
    return sent


def receive_event(
    *, provider: str, event_id: str, kind: str, payload: dict[str, Any], at: datetime
) -> WebhookEvent | None:
    """Keep what a provider told us; None when it is here already."""
    row = WebhookEvent(provider=provider, event_id=event_id, kind=kind[:80], received_at=at)
    row.payload = payload  # type: ignore[assignment]
    WebhookEvent.objects.bulk_create([row], ignore_conflicts=True)
    kept = WebhookEvent.objects.get(provider=provider, event_id=event_id)
    return kept if kept.pk == row.pk else None


def work_off_events(*, at: datetime, limit: int = 100) -> int:
    """Act on events that are kept and not worked off; a broken one is tried again by the next round, five times."""
    done = 0
    waiting = WebhookEvent.objects.filter(processed_at__isnull=True, attempts__lt=5).order_by("received_at")
    for event_id in list(waiting.values_list("pk", flat=True)[:limit]):
        try:
            with transaction.atomic():
                row = (
                    WebhookEvent.objects.select_for_update(skip_locked=True)
                    .filter(pk=event_id, processed_at__isnull=True)
                    .first()
                )
                if row is None:
                    continue
                outcome = _act_on(row, at=at)
                WebhookEvent.objects.filter(pk=row.pk).update(
                    processed_at=at, outcome=outcome, attempts=F("attempts") + 1
                )
                done += 1
        except Exception:
            log.exception("a payment event could not be worked off", extra={"event": "webhook_failed"})
            WebhookEvent.objects.filter(pk=event_id).update(attempts=F("attempts") + 1)
    return done


def _payment_of(provider: str, checkout: dict[str, Any]) -> Payment | None:
    """The attempt a checkout belongs to: by the provider's number, or by ours when the note of theirs was lost in a crash."""
    found = Payment.objects.filter(provider=provider)
    known = found.filter(checkout_id=str(checkout.get("id") or "-")).first()
    if known is not None:
        return known
    try:
        ours = uuid.UUID(str(checkout.get("client_reference_id")))
    except ValueError:
        return None
    return found.filter(pk=ours, checkout_id="").first()


def _act_on(event: WebhookEvent, *, at: datetime) -> str:
    """What one event means; the state table makes late and repeated ones harmless."""
    thing = event.payload.get("data", {}).get("object", {})
    if event.kind in ("checkout.session.completed", "checkout.session.async_payment_succeeded"):
        payment = _payment_of(event.provider, thing)
        if payment is None:
            return "unknown_checkout"
        if thing.get("payment_status") != "paid":
            return "not_paid_yet"
        if (
            thing.get("amount_total") != payment.amount_cents
            or thing.get("currency") != payment.invoice.currency
        ):
            log.error("a payment came with another amount", extra={"event": "amount_differs"})
            return "amount_differs"
        payment_succeeded(
            payment,
            provider_payment_id=str(thing.get("payment_intent") or ""),
            by=f"system:{event.provider}",
            at=at,
        )
        return "paid"
    if event.kind in ("checkout.session.expired", "checkout.session.async_payment_failed"):
        payment = _payment_of(event.provider, thing)
        if payment is None:
            return "unknown_checkout"
        outcome = "expired" if event.kind.endswith("expired") else "failed"
        payment_ended(payment, outcome=outcome, by=f"system:{event.provider}", at=at)
        return outcome
    return "ignored"
