"""A parcel that had left before its order ended, and that nobody had written down."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction

from accounts.access import patients_visible_to
from accounts.models import Patient, Role, User
from common import audit
from common.clock import local_date
from common.errors import Conflict, Invalid, NotPermitted, NotVisible
from common.notes import is_a_note
from consults.access.parcels import address_of_order, may_be_recorded_late, units_not_sent
from consults.actions.parcels import ask_for_count, delivery_numbers, tell_sent, tracked
from consults.models import Fulfilment, Order


def record_late_parcel(
    order: Order,
    *,
    lot: str,
    count: int,
    carrier: str,
    carrier_reference: str,
    adult_signature: bool,
    left_on: date,
    note: str,
    by: User,
    at: datetime,
) -> Fulfilment:
    """The pharmacy had sent it, and nobody wrote it down before the order ended. Nothing is let leave by this: what has left is in
    the ledger, is counted like any other parcel, and somebody says with the patient where it goes.

    Raises Conflict for an order that runs, that was not dispensed, or that has another parcel on its way.
    """
    if by.role not in (Role.PSYCHIATRIST, Role.COACH):
        raise NotPermitted("Parcels are recorded by the care team.")
    if not patients_visible_to(by).filter(pk=order.patient_id).exists():
        raise NotVisible("There is no such page.")
    if not lot.strip():
        raise Invalid("Write the lot number from the label.", fields={"lot": "This is empty."})
    if not is_a_note(note):
        raise Invalid("Say how you know that it was sent.", fields={"note": "Write a sentence."})
    tracked(carrier, carrier_reference)
    if not adult_signature:
        raise Invalid(
            "Medicine goes to an adult who signs for it.",
            fields={"adult_signature": "Ask the carrier whether an adult signs."},
        )
    with transaction.atomic():
        Patient.objects.select_for_update(no_key=True).get(pk=order.patient_id)
        row = (
            Order.objects.select_for_update(of=("self",))
            .select_related("patient__user", "prescriber")
            .get(pk=order.pk)
        )
        if not may_be_recorded_late(row, at=at):
            raise Conflict(
                "Only of an order that is over, and of which the pharmacy dispensed more than was sent, a parcel is recorded late.",
                code="not_late",
            )
        if Fulfilment.objects.filter(order=row, delivered_at__isnull=True, lost_at__isnull=True).exists():
            raise Conflict("A parcel of this order is still on its way.", code="parcel_open")
        left = units_not_sent(row)
        if not 1 <= count <= left:
            raise Invalid(
                f"The order is for {row.units_total} units; {left} of them are not written down as sent.",
                code="count_not_ordered",
                fields={"count": f"Between 1 and {left}."},
            )
        zone = row.patient.user.time_zone
        first = row.signed_at or at
        if not local_date(first, zone) <= left_on <= local_date(at, zone):
            raise Invalid(
                "It left after the order was signed, and not later than today.",
                fields={"left_on": "A day between the signature and today."},
            )
        shipped_at = min(at, max(first, datetime.combine(left_on, time(12), ZoneInfo(zone))))
        parcel = Fulfilment.objects.create(
            order=row, patient_id=row.patient_id, lot=lot.strip(), count=count, carrier=carrier.strip(),
            carrier_reference=carrier_reference.strip(), adult_signature=True, shipped_at=shipped_at, shipped_by=by,
            due_at=shipped_at + timedelta(hours=delivery_numbers(at=at)["late_after_hours"]), sent_to=address_of_order(row),
            late_note=note.strip(),
        )  # fmt: skip
        audit.record(
            "parcel.recorded_late", by=by, at=at, about=parcel, patient_id=row.patient_id, detail={"count": count}
        )  # fmt: skip
        ask_for_count(
            row, why="A parcel that nobody had written down left before its order ended", by=by, at=at
        )
        tell_sent(parcel, at=at)
    return parcel
