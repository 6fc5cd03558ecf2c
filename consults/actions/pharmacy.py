"""A signed order on its way to the pharmacy. Hearthside itself sends no controlled prescription."""

import hashlib
from datetime import datetime

from django.db import transaction

from accounts.access import patients_visible_to
from accounts.models import Role, User
from common import audit
from common.errors import Conflict, Invalid
from consults import access
from consults.access.standing import no_longer_stands
from consults.actions.orders import _prescribes
from consults.actions.standing import refused, stop
from consults.gateways.pharmacy import pharmacy_gateway
from consults.models import HandOver, Order, PharmacyStatus
from consults.paper import order_pdf
from consults.rules.pharmacy import UNDER_WAY


def _locked(order: Order) -> Order:
    return (
        Order.objects.select_for_update(of=("self",))
        .select_related("patient__user", "prescriber", "supersedes", "note", "protocol")
        .get(pk=order.pk)
    )


def _not_in_force() -> Conflict:
    return Conflict("This order is not in force.", code="order_not_in_force")


def _may_go(row: Order) -> None:
    """Raises Conflict while the pharmacy still has an order that is over, and where the paper carries another address than the
    patient's: the pharmacy would send it there (HZ-19)."""
    if access.one_to_call_back(row.patient_id):
        raise Conflict(
            "The pharmacy still has an order that is over. Tell the pharmacy, and write down what it answered.",
            code="call_back_first",
        )
    if access.address_changed(row):
        raise Conflict(
            "The patient's address is not the one on the signed order, and the pharmacy would send it there. Confirm the address "
            "with the patient, then write an order that supersedes this one.",
            code="address_changed",
        )


def send_to_pharmacy(order: Order, *, way: str, by: User, at: datetime) -> HandOver:
    """Print, fax, or hand to the e-prescribing vendor; the other side's number and status are kept.

    Raises Conflict while it is under way already, while the pharmacy still has an order that was revoked or superseded (a pharmacy
    that has an order twice may dispense it twice, HZ-19), and where the patient's address is not the signed one. What was sent back
    may be sent again. Authority, licence, law, monitoring programme and the patient's care are looked at again: what no longer
    holds stops it, is kept, and raises Conflict (`does_not_stand`).
    """
    _prescribes(order.patient, by)
    if way not in (HandOver.Way.PRINT, HandOver.Way.FAX, HandOver.Way.VENDOR):
        raise Invalid("Choose how it leaves.", fields={"way": "Choose one."})
    with transaction.atomic():
        row = _locked(order)
        if not access.runs(row, at=at):
            raise _not_in_force()
        if row.pharmacy_status in UNDER_WAY:
            raise Conflict("This order is on its way to the pharmacy already.", code="under_way")
        _may_go(row)
        reasons = no_longer_stands(row, at=at)
        if not reasons:
            return _send(row, way=way, by=by, at=at)
        stop(row, way=way, reasons=reasons, by=by, at=at)
    raise refused(reasons)


def _send(row: Order, *, way: str, by: User, at: datetime) -> HandOver:
    document = order_pdf(row)
    gateway = pharmacy_gateway()
    # The same number for the same try: a vendor that was asked twice knows it. What was stopped never came to the vendor.
    left = row.hand_overs.exclude(way__in=(HandOver.Way.HEARD, HandOver.Way.PARCEL))
    tries = left.exclude(status=PharmacyStatus.BLOCKED).count()
    receipt = gateway.send(way=way, document=document, reference=f"{row.pk}:{tries}")
    return _keep(
        row, way=way, gateway=gateway.name, external_id=receipt.external_id, status=receipt.status,
        sha256=hashlib.sha256(document).hexdigest(), by=by, at=at,
    )  # fmt: skip


def hand_over(order: Order, *, status: str, external_id: str, by: User, at: datetime) -> Order:
    """Write down how far the pharmacy or the e-prescribing vendor is; without a number the one before stays.

    A coach of the care team writes down what the pharmacy answers to an order that was handed over; that it was handed over, and
    that one is called back, a psychiatrist says. Raises NotVisible for anybody else, Conflict for a step back, and for an order that is not in force unless the pharmacy still has it: then it is called back.
    That it was handed over by another way is asked like a sending. What the pharmacy did is written down whatever holds, and where
    something does not, its prescriber has it to settle.
    """
    if by.role != Role.COACH or not patients_visible_to(by).filter(pk=order.patient_id).exists():
        _prescribes(order.patient, by)
    if status not in PharmacyStatus.values:
        raise Invalid("Choose a status.", fields={"pharmacy_status": "Not known."})
    with transaction.atomic():
        row = _locked(order)
        heard = access.heard_next(row, by=by, at=at)
        if not heard and by.role == Role.COACH and access.runs(row, at=at):
            raise Conflict(
                "This order is not with the pharmacy. Its psychiatrist hands it over first.",
                code="not_handed_over",
            )
        if not heard:
            raise _not_in_force()
        if status not in heard:
            raise Conflict(
                f"An order that is “{row.get_pharmacy_status_display()}” does not become “{PharmacyStatus(status).label}”.",
                code="no_such_step",
            )
        if status == PharmacyStatus.HANDED_OVER and row.pharmacy_status not in UNDER_WAY:
            _may_go(row)
        begins = row.pharmacy_status not in UNDER_WAY and status in UNDER_WAY
        reasons = no_longer_stands(row, at=at) if begins else frozenset()
        refuse = bool(reasons) and status == PharmacyStatus.HANDED_OVER
        if reasons:
            stop(row, way=HandOver.Way.HEARD, reasons=reasons, stays=not refuse, by=by, at=at)
        if not refuse:
            _keep(
                row, way=HandOver.Way.HEARD, gateway="", external_id=external_id.strip()[:80] or row.external_id, status=status,
                sha256="", by=by, at=at,
            )  # fmt: skip
    if refuse:
        raise refused(reasons)
    return Order.objects.get(pk=row.pk)


def _keep(
    row: Order, *, way: str, gateway: str, external_id: str, status: str, sha256: str, by: User, at: datetime
) -> HandOver:
    kept = HandOver.objects.create(
        order=row, way=way, gateway=gateway, external_id=external_id, status=status, document_sha256=sha256, at=at, by=by
    )  # fmt: skip
    Order.objects.filter(pk=row.pk).update(
        pharmacy_status=status, external_id=external_id, pharmacy_updated_at=at
    )
    audit.record(
        "order.handed_over", by=by, at=at, about=row, patient_id=row.patient_id,
        detail={"status": status, "way": way},
    )  # fmt: skip
    return kept
