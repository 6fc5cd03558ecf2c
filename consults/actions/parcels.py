"""Parcels of medicine: sent, arrived, counted. What was sent, less what was counted, is an incident."""

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.urls import reverse

from accounts.access import patients_visible_to
from accounts.models import Role, User
from common import audit
from common.clock import local_date
from common.errors import Conflict, Invalid, NotPermitted, NotVisible
from consults.models import Fulfilment, Order
from notify.actions import promise
from safety.access import refills_held
from safety.actions import misuse_signal, place_hold

COUNT_DIFFERS = "medicine_count_differs"


def ship(
    order: Order, *, lot: str, count: int, by: User, at: datetime, carrier_reference: str = ""
) -> Fulfilment:
    """Record a parcel on its way. Raises Conflict for a second open one, or for more than the order is for (HZ-19)."""
    if by.role not in (Role.PSYCHIATRIST, Role.COACH):
        raise NotPermitted("Parcels are recorded by the care team.")
    if not patients_visible_to(by).filter(pk=order.patient_id).exists():
        raise NotVisible("There is no such page.")
    if not lot.strip():
        raise Invalid("Write the lot number from the label.", fields={"lot": "This is empty."})
    with transaction.atomic():
        row = Order.objects.select_for_update(of=("self",)).select_related("patient__user").get(pk=order.pk)
        if not row.is_in_force or (
            row.expires_on and row.expires_on < local_date(at, row.patient.user.time_zone)
        ):
            raise Conflict("This order is not in force.", code="order_not_in_force")
        if refills_held(row.patient):
            raise Conflict(
                "Something about the medicine of this person is open: exposure, loss, theft or a sign of misuse. No parcel leaves "
                "until a psychiatrist has cleared that hold.",
                code="refills_held",
            )
        parcels = Fulfilment.objects.filter(order=row)
        if parcels.filter(delivered_at__isnull=True, lost_at__isnull=True).exists():
            raise Conflict("A parcel of this order is still on its way.", code="parcel_open")
        sent = parcels.filter(lost_at__isnull=True).aggregate(total=Sum("count"))["total"] or 0
        if count < 1 or sent + count > row.units_total:
            left = row.units_total - sent
            raise Invalid(
                f"The order is for {row.units_total} units, {sent} were sent: {left} are left.",
                code="count_not_ordered",
                fields={"count": f"Between 1 and {left}." if left > 0 else "Nothing is left to send."},
            )
        parcel = Fulfilment.objects.create(
            order=row,
            patient_id=row.patient_id,
            lot=lot.strip(),
            count=count,
            carrier_reference=carrier_reference.strip(),
            shipped_at=at,
            shipped_by=by,
        )
        audit.record(
            "parcel.sent", by=by, at=at, about=parcel, patient_id=row.patient_id, detail={"count": count}
        )
        promise(
            "parcel_sent",
            to=row.patient.user,
            channel="email",
            context={"link": f"{settings.SITE_URL}{reverse('consults:medicine')}"},
            due_at=at,
            at=at,
            about=parcel,
            patient=row.patient,
            dedupe_key=f"parcel_sent:{parcel.pk}",
        )
    return parcel


def mark_delivered(parcel: Fulfilment, *, by: User, at: datetime) -> Fulfilment:
    """The carrier says it arrived; the patient's count is still to come."""
    if by.pk != parcel.patient_id and not patients_visible_to(by).filter(pk=parcel.patient_id).exists():
        raise NotVisible("There is no such page.")
    with transaction.atomic():
        row = Fulfilment.objects.select_for_update().get(pk=parcel.pk)
        if row.delivered_at is None:
            row.delivered_at = at
            row.save(update_fields=["delivered_at"])
            audit.record("parcel.delivered", by=by, at=at, about=row, patient_id=row.patient_id)
    return row


def confirm_count(parcel: Fulfilment, *, count: int, by: User, at: datetime) -> Fulfilment:
    """The patient has it in her hands and has counted. Another number than was sent pauses dosing until a person looks."""
    if by.pk != parcel.patient_id:
        raise NotVisible("There is no such page.")
    with transaction.atomic():
        row = (
            Fulfilment.objects.select_for_update(of=("self",))
            .select_related("patient__user")
            .get(pk=parcel.pk)
        )
        if row.confirmed_at is not None:
            if row.count_confirmed != count:
                raise Conflict(
                    "You have told us another number before. Please call us.", code="counted_before"
                )
            return row
        if row.lost_at is not None:
            raise Conflict(
                "This parcel was given up and another one is sent. Please call us.", code="parcel_lost"
            )
        row.delivered_at = row.delivered_at or at
        row.count_confirmed, row.confirmed_at, row.confirmed_by = count, at, by
        row.save(update_fields=["delivered_at", "count_confirmed", "confirmed_at", "confirmed_by"])
        audit.record(
            "parcel.counted",
            by=by,
            at=at,
            about=row,
            patient_id=row.patient_id,
            detail={"sent": row.count, "counted": count},
        )
        if row.count_differs:
            place_hold(row.patient, reason_code=COUNT_DIFFERS, at=at, by="system:consults")
            # A count that differs is a sign of protocol 8.3 as well: a psychiatrist looks, and no parcel leaves meanwhile.
            misuse_signal(row.patient, code="parcel_count_differs", source=row, by="system:consults", at=at)
    return row
