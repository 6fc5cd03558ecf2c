"""Parcels of medicine: sent, arrived, counted. What was sent, less what was counted, is an incident."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.urls import reverse

from accounts.access import patients_visible_to
from accounts.models import Patient, Role, User
from common import audit, protocol
from common.clock import local_date
from common.errors import Conflict, Invalid, NotPermitted, NotVisible
from consults.access.orders import one_to_call_back, orders_of, runs
from consults.access.parcels import (
    address_changed,
    address_checked,
    made_good,
    same_product,
    stock_of,
    units_to_send,
)
from consults.access.standing import no_parcel_for
from consults.actions.standing import goes_on, refused, stop
from consults.models import Fulfilment, HandOver, KitParcel, Order, StockMove
from consults.rules.pharmacy import TAKEN
from notify.actions import promise
from safety.access import owner_for, refills_held
from safety.actions import misuse_signal, open_task, place_hold, settle_tasks_about
from safety.models import Task

COUNT_DIFFERS = "medicine_count_differs"
TROUBLE = "parcel.trouble"
COUNT = "stock.count"


def delivery_numbers(*, at: datetime) -> dict[str, Any]:
    """How long a parcel may take, by the protocol in force."""
    found: dict[str, Any] = protocol.current(at=at).data["dosing"].get("delivery", {})
    return found


def trouble(patient: Patient, *, about: Any, words: str, by: Any, at: datetime) -> None:
    """Somebody by name looks after what went wrong with a parcel, by the clock of the kind."""
    open_task(
        kind=TROUBLE, owner=owner_for(role=Role.COACH, patient=patient, at=at), patient=patient,
        about_type=about._meta.label_lower, about_id=about.pk, detail=words, by=by, at=at,
    )  # fmt: skip


def settle(parcel: Fulfilment | KitParcel, why: str, *, by: Any, at: datetime) -> None:
    """What was open about this parcel is done."""
    settle_tasks_about(
        kind=TROUBLE, about_type=parcel._meta.label_lower, about_id=parcel.pk, outcome=why, by=by, at=at
    )


def ask_for_count(order: Order, *, why: str, by: Any, at: datetime) -> None:
    """Medicine is at home, or on its way there, that is not to be taken as planned: somebody counts it with the patient and says
    where it goes."""
    stock = stock_of(order, at=at)
    if stock.remaining <= 0 and stock.on_the_way <= 0:
        return
    coming = f", {stock.on_the_way} were sent and are not counted yet" if stock.on_the_way else ""
    open_task(
        kind=COUNT, owner=owner_for(role=Role.COACH, patient=order.patient, at=at), patient=order.patient,
        about_type="consults.order", about_id=order.pk, detail=f"{why}: {stock.remaining} should be left{coming}", by=by, at=at,
    )  # fmt: skip


def _came_too_late(parcel: Fulfilment, *, at: datetime) -> str:
    """Why what was just counted in is not to be taken as planned, or ""."""
    order = parcel.order
    if not any(runs(row, at=at) and same_product(row, order) for row in orders_of(order.patient)):
        return "A parcel came after its order had ended"
    asked = Task.objects.filter(
        kind=COUNT, about_type="consults.order", about_id=order.pk, opened_at__gte=parcel.shipped_at
    )
    return "A parcel came after a count had been asked for" if asked.exists() else ""


def _address_stands(order: Order, *, at: datetime) -> None:
    """An address that changed under a signed order is confirmed with the patient first, and waits a while (HZ-19)."""
    if not order.patient.address.strip():
        raise Conflict("The patient's address is not known.", code="address_missing")
    if not address_changed(order):
        return
    checked = address_checked(order.patient)
    if checked is None:
        raise Conflict(
            "The patient's address is not the one on the signed order. Confirm it with the patient first.",
            code="address_changed",
        )
    from_at = checked.checked_at + timedelta(
        hours=delivery_numbers(at=at).get(
            "address_change_delay_hours", delivery_numbers(at=at)["late_after_hours"]
        )
    )
    if at < from_at:
        raise Conflict(
            f"The new address was confirmed a short while ago. A parcel leaves from {from_at:%Y-%m-%d %H:%M} UTC on.",
            code="address_waits",
        )


def ship(
    order: Order,
    *,
    lot: str,
    count: int,
    carrier: str,
    carrier_reference: str,
    adult_signature: bool,
    by: User,
    at: datetime,
) -> Fulfilment:
    """Record a parcel on its way. Raises Conflict for a second open one, for more than the order is for, and for an order that the
    pharmacy has not accepted, or while it still has one that is over (HZ-19). What the order rests on is looked at again: where it
    no longer holds, the parcel is stopped, that is kept, and Conflict (`does_not_stand`) says why."""
    if by.role not in (Role.PSYCHIATRIST, Role.COACH):
        raise NotPermitted("Parcels are recorded by the care team.")
    if not patients_visible_to(by).filter(pk=order.patient_id).exists():
        raise NotVisible("There is no such page.")
    if not lot.strip():
        raise Invalid("Write the lot number from the label.", fields={"lot": "This is empty."})
    tracked(carrier, carrier_reference)
    if not adult_signature:
        raise Invalid(
            "Medicine goes to an adult who signs for it. Ask the carrier for that.",
            fields={"adult_signature": "Order the signature of an adult from the carrier first."},
        )
    with transaction.atomic():
        Patient.objects.select_for_update(no_key=True).get(pk=order.patient_id)
        row = (
            Order.objects.select_for_update(of=("self",))
            .select_related("patient__user", "prescriber", "note", "protocol")
            .get(pk=order.pk)
        )
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
        if row.pharmacy_status not in TAKEN:
            raise Conflict(
                f"The pharmacy has not accepted this order ({row.get_pharmacy_status_display().lower()}). Write down under "
                "“Pharmacy” what the pharmacy says; then a parcel can leave.",
                code="not_accepted",
            )
        if one_to_call_back(row.patient_id):
            raise Conflict(
                "The pharmacy still has an order of this person that is over. It is called back first.",
                code="call_back_first",
            )
        parcels = Fulfilment.objects.filter(order=row)
        if parcels.filter(delivered_at__isnull=True, lost_at__isnull=True).exists():
            raise Conflict("A parcel of this order is still on its way.", code="parcel_open")
        _address_stands(row, at=at)
        left = units_to_send(row, at=at)
        if count < 1 or count > left:
            raise Invalid(
                f"The order is for {row.units_total} units. With what is at home, on its way and taken, {left} are left to send.",
                code="count_not_ordered",
                fields={"count": f"Between 1 and {left}." if left > 0 else "Nothing is left to send."},
            )
        reasons = no_parcel_for(row, at=at)
        if not reasons:
            return _sent(
                row, lot=lot, count=count, carrier=carrier, carrier_reference=carrier_reference, by=by, at=at
            )
        stop(row, way=HandOver.Way.PARCEL, reasons=reasons, stays=True, by=by, at=at)
    raise refused(reasons)


def tracked(carrier: str, carrier_reference: str) -> None:
    """Each parcel can be followed. Raises Invalid without carrier or number."""
    empty = {
        name: sentence
        for name, value, sentence in (
            ("carrier", carrier, "Write who carries it."),
            ("carrier_reference", carrier_reference, "Write the tracking number."),
        )
        if not value.strip()
    }
    if empty:
        raise Invalid(" ".join(empty.values()), code="not_tracked", fields=empty)


def _sent(
    row: Order, *, lot: str, count: int, carrier: str, carrier_reference: str, by: User, at: datetime
) -> Fulfilment:
    parcel = Fulfilment.objects.create(
        order=row,
        patient_id=row.patient_id,
        lot=lot.strip(),
        count=count,
        carrier=carrier.strip(),
        carrier_reference=carrier_reference.strip(),
        adult_signature=True,
        shipped_at=at,
        shipped_by=by,
        due_at=at + timedelta(hours=delivery_numbers(at=at)["late_after_hours"]),
        sent_to=row.patient.address,
    )
    for before in made_good(row, at=at).exclude(pk=parcel.pk):
        settle(before, "sent again", by=by, at=at)
    goes_on(row, "a parcel left", by=by, at=at)
    audit.record(
        "parcel.sent", by=by, at=at, about=parcel, patient_id=row.patient_id, detail={"count": count}
    )
    tell_sent(parcel, at=at)
    return parcel


def tell_sent(parcel: Fulfilment, *, at: datetime) -> None:
    """The patient hears that a parcel is on its way, and where it is counted."""
    promise(
        "parcel_sent",
        to=parcel.order.patient.user,
        channel="email",
        context={"link": f"{settings.SITE_URL}{reverse('consults:medicine')}"},
        due_at=at,
        at=at,
        about=parcel,
        patient=parcel.order.patient,
        dedupe_key=f"parcel_sent:{parcel.pk}",
    )


def mark_delivered(parcel: Fulfilment, *, by: User, at: datetime) -> Fulfilment:
    """The carrier says it arrived; the patient's count is still to come."""
    if by.pk != parcel.patient_id and not patients_visible_to(by).filter(pk=parcel.patient_id).exists():
        raise NotVisible("There is no such page.")
    with transaction.atomic():
        row = Fulfilment.objects.select_for_update().get(pk=parcel.pk)
        if row.lost_at is not None:
            raise Conflict("This parcel was given up.", code="parcel_lost")
        if row.delivered_at is None:
            row.delivered_at = at
            row.save(update_fields=["delivered_at"])
            settle(row, "arrived", by=by, at=at)
            audit.record("parcel.delivered", by=by, at=at, about=row, patient_id=row.patient_id)
    return row


def confirm_count(
    parcel: Fulfilment, *, count: int, by: User, at: datetime, damaged: int = 0, without_photo: bool = False
) -> Fulfilment:
    """The patient has it in her hands and has counted. Another number than was sent pauses dosing until a person looks; what is
    broken leaves the ledger at once, and somebody by name sees to it that it is replaced."""
    if by.pk != parcel.patient_id:
        raise NotVisible("There is no such page.")
    with transaction.atomic():
        row = (
            Fulfilment.objects.select_for_update(of=("self",))
            .select_related("patient__user", "order__patient__user")
            .get(pk=parcel.pk)
        )
        if row.confirmed_at is not None:
            if row.count_confirmed != count:
                raise Conflict(
                    "You have told us another number before. Please call us.", code="counted_before"
                )
            broken = StockMove.objects.filter(
                order_id=row.order_id, kind=StockMove.Kind.DAMAGED, at=row.confirmed_at, by=row.confirmed_by
            ).aggregate(n=Sum("units"))["n"]
            if damaged and damaged != broken:
                raise Conflict(
                    "You have counted this parcel already. Write to your care team under “Messages” what came broken, or call us: "
                    "they write it down on the page of the units, and it is replaced.",
                    code="counted_before",
                )
            return row
        if row.lost_at is not None:
            raise Conflict(
                "This parcel was given up and another one is sent. Please call us.", code="parcel_lost"
            )
        if not 0 <= damaged <= count:
            raise Invalid(
                "More are broken than you counted.", fields={"damaged": "No more than you counted."}
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
        settle(row, "counted", by=by, at=at)
        if damaged:
            move = StockMove.objects.create(
                patient_id=row.patient_id, order_id=row.order_id, kind=StockMove.Kind.DAMAGED, units=damaged, at=at, by=by,
            )  # fmt: skip
            audit.record(
                "stock.moved", by=by, at=at, about=move, patient_id=row.patient_id,
                detail={"kind": move.kind, "units": damaged},
            )  # fmt: skip
        troubles = [
            f"{row.count} were sent, {count} counted" if row.count_differs else "",
            f"{damaged} came broken" if damaged else "",
            "counted without a photo: look at it together on a video call" if without_photo else "",
        ]
        if any(troubles):
            trouble(
                row.patient,
                about=row,
                words=f"Lot {row.lot}: {'; '.join(filter(None, troubles))}",
                by=by,
                at=at,
            )
        if row.count_differs:
            place_hold(row.patient, reason_code=COUNT_DIFFERS, at=at, by="system:consults")
            # A count that differs is a sign of protocol 8.3 as well: a psychiatrist looks, and no parcel leaves meanwhile.
            misuse_signal(row.patient, code="parcel_count_differs", source=row, by="system:consults", at=at)
        if why := _came_too_late(row, at=at):
            ask_for_count(row.order, why=why, by="system:consults", at=at)
    return row
