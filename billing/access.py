"""Prices, invoices and what a refund would be today."""

import json
import uuid
from datetime import datetime
from functools import cache
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse

from accounts.models import Patient, Role
from billing.models import Invoice, Payment
from billing.rules import RefundAnswer, RefundFacts, refund_due
from common.errors import NotVisible
from consults.models import Appointment, Fulfilment, VisitNote, VisitType
from intake.models import Intake
from sessions.models import DosingSession

LIVE = ("paid", "partly_refunded", "refunded")


@cache
def price_list() -> dict[str, Any]:
    """The price list that ships with this version; an invoice keeps its own copy."""
    listed: dict[str, Any] = json.loads((settings.BASE_DIR / "billing" / "data" / "prices.json").read_text())
    listed["total_cents"] = sum(line["amount_cents"] for line in listed["lines"])
    return listed


def accepted_intake(patient: Patient) -> Intake | None:
    """The intake a programme is paid for: the newest accepted one."""
    return (
        Intake.objects.filter(patient=patient, state="accepted")
        .order_by("-decided_at", "-created_at")
        .first()
    )


def invoices_of(patient: Patient) -> QuerySet[Invoice]:
    return Invoice.objects.filter(patient=patient).order_by("-created_at")


def visible_invoice(user: Any, invoice_id: uuid.UUID | str) -> Invoice:
    """A patient's own invoice, or NotVisible."""
    row = Invoice.objects.filter(pk=invoice_id, patient_id=user.pk).select_related("patient__user").first()
    if row is None or user.role != Role.PATIENT:
        raise NotVisible("There is no such page.")
    return row


def visible_payment(user: Any, payment_id: uuid.UUID | str) -> Payment:
    """A payment of one's own invoice, or NotVisible."""
    row = Payment.objects.filter(pk=payment_id, invoice__patient_id=user.pk).select_related("invoice").first()
    if row is None or user.role != Role.PATIENT:
        raise NotVisible("There is no such page.")
    return row


def current_invoice(patient: Patient) -> Invoice | None:
    """The invoice of the accepted intake that is not void."""
    intake = accepted_intake(patient)
    if intake is None:
        return None
    return Invoice.objects.filter(intake=intake).exclude(state="void").first()


def is_paid(patient: Patient) -> bool:
    """Is the programme of the accepted intake paid for, and not given back in full?"""
    invoice = current_invoice(patient)
    return invoice is not None and invoice.state in ("paid", "partly_refunded")


def booking_blockers(*, patient: Patient, visit_type: str, at: datetime) -> list[dict[str, str]]:
    """`booking.blockers`: the first consult waits for payment. Nothing else ever does (HZ-17): not a follow-up, not a call,
    not a session, not a message, not an alert."""
    if visit_type != VisitType.CONSULT or accepted_intake(patient) is None or is_paid(patient):
        return []
    return [
        {
            "code": "not_paid",
            "sentence": "The programme is paid before the consult. If it is not right for you, everything goes back by itself.",
            "url": reverse("billing:home"),
            "label": "See the price and pay",
        }
    ]


def refund_facts(invoice: Invoice, *, at: datetime) -> RefundFacts:
    """What the refund rules look at, for the care since this invoice was made."""
    patient = invoice.patient
    consults = Appointment.objects.filter(
        patient=patient,
        visit_type=VisitType.CONSULT,
        state__in=["booked", "completed", "no_show"],
        created_at__gte=invoice.created_at,
    )
    starts = [during.lower for during in consults.values_list("during", flat=True)]
    note = VisitNote.objects.filter(
        patient=patient, signed_at__gte=invoice.created_at, appointment__visit_type=VisitType.CONSULT
    ).order_by("-signed_at")
    newest = note.first()
    return RefundFacts(
        total_cents=invoice.total_cents,
        refunded_cents=invoice.refunded_cents,
        found_not_suitable=newest is not None and newest.suitable is False,
        consult_starts_at=min(starts) if starts else None,
        medicine_shipped=Fulfilment.objects.filter(
            patient=patient, shipped_at__gte=invoice.created_at
        ).exists(),
        sessions_done=DosingSession.objects.filter(
            patient=patient, dose_at__isnull=False, dose_at__gte=invoice.created_at
        ).count(),
        sessions_total=price_list()["sessions"],
        at=at,
    )


def refund_today(invoice: Invoice, *, at: datetime) -> RefundAnswer:
    """What would go back today."""
    return refund_due(refund_facts(invoice, at=at), price_list()["refund"])
