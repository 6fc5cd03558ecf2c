"""Parcels, the kit, practice readings, and the ledger of units: what came, what was taken, what is left."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from accounts.access import patients_visible_to
from accounts.models import Patient
from common.clock import local_date
from common.errors import NotVisible
from consults.access.orders import medicine_used, orders_of, runs
from consults.models import (
    AddressCheck,
    Fulfilment,
    KitParcel,
    Order,
    ParcelLook,
    ParcelPhoto,
    ParcelProof,
    PharmacyStatus,
    StockCount,
    StockMove,
)
from vitals.models import Reading


def fulfilments_of(patient: Patient) -> QuerySet[Fulfilment]:
    """Parcels of a patient, newest first."""
    return (
        Fulfilment.objects.filter(patient=patient)
        .select_related("order", "shipped_by", "photo", "proof", "look__looked_by")
        .order_by("-shipped_at")
    )


def proven(*, at: datetime) -> Q:
    """Parcels for which an adult signed and whose count somebody saw, by photo or on a video call. PostgreSQL asks the same (G14)."""
    of = {"parcel": OuterRef("pk")}
    return Q(Exists(ParcelProof.objects.filter(**of, adult=True, recorded_at__lte=at))) & (
        Q(Exists(ParcelPhoto.objects.filter(**of, taken_at__lte=at)))
        | Q(Exists(ParcelLook.objects.filter(**of, looked_at__lte=at)))
    )


def seen_by_somebody() -> Q:
    """Parcels whose count somebody saw: on the patient's photo, or on a video call."""
    of = {"parcel": OuterRef("pk")}
    return Q(Exists(ParcelPhoto.objects.filter(**of))) | Q(Exists(ParcelLook.objects.filter(**of)))


def made_good(order: Order, *, at: datetime) -> QuerySet[Fulfilment]:
    """Parcels of this order's product with nothing left to do about them: lost, or counted and seen, and no unit is left to send.

    What is on its way or waits to be counted is somebody's work still, however much is sent beside it.
    """
    parcels = Fulfilment.objects.filter(**_same_product(order))
    if units_to_send(order, at=at):
        return parcels.none()
    return parcels.filter(Q(lost_at__isnull=False) | Q(confirmed_at__isnull=False) & seen_by_somebody())


def owes_units(parcel: Fulfilment, *, at: datetime) -> bool:
    """Was something of it short, too much or broken when it was counted, and is that not made good yet?"""
    if (parcel.count_confirmed or 0) > parcel.count:
        return True
    broken = StockMove.objects.filter(
        order_id=parcel.order_id, kind=StockMove.Kind.DAMAGED, at=parcel.confirmed_at or at
    )
    if not parcel.count_differs and not broken.exists():
        return False
    return any(
        units_to_send(order, at=at)
        for order in orders_of(parcel.patient)
        if runs(order, at=at) and same_product(order, parcel.order)
    )


def medicine_delivered(order: Order, *, at: datetime) -> bool:
    """Has a parcel of this order arrived with its proof, and did the patient count what was sent?"""
    return any(
        not parcel.count_differs
        for parcel in Fulfilment.objects.filter(
            proven(at=at), order=order, delivered_at__isnull=False, confirmed_at__isnull=False
        )
    )


def _same_product(order: Order) -> dict[str, Any]:
    return {
        "order__form": order.form,
        "order__strength_ug": order.strength_ug,
        "order__concentration_ug_per_ml": order.concentration_ug_per_ml,
        "order__spray_volume_ul": order.spray_volume_ul,
        "patient_id": order.patient_id,
    }


def units_at_home(order: Order, *, at: datetime) -> int:
    """Units of this product that the patient counted in from proven parcels, less what left without a dose; what was taken is the
    caller's to subtract."""
    same = _same_product(order)
    counted = Fulfilment.objects.filter(proven(at=at), **same, confirmed_at__lte=at)
    came = counted.aggregate(n=Sum("count_confirmed"))["n"] or 0
    left = StockMove.objects.filter(**same).aggregate(n=Sum("units"))["n"] or 0
    return came - left


def kit_received(patient: Patient, *, at: datetime) -> bool:
    """Has a kit arrived with everything in it, by the patient's own word?"""
    return KitParcel.objects.filter(patient=patient, confirmed_at__lte=at, missing=[]).exists()


def open_kit(patient: Patient) -> KitParcel | None:
    """The kit on its way that the patient has not confirmed yet."""
    return KitParcel.objects.filter(patient=patient, confirmed_at__isnull=True, lost_at__isnull=True).first()


def kits_of(patient: Patient) -> list[KitParcel]:
    """Kits of a patient, newest first."""
    return list(KitParcel.objects.filter(patient=patient).order_by("-shipped_at"))


def photo_of(parcel: Fulfilment) -> ParcelPhoto | None:
    """The patient's photo of what she counted."""
    return ParcelPhoto.objects.filter(parcel=parcel).select_related("file").first()


def practice_days(patient: Patient) -> int:
    """On how many days she has practised with her cuff, in her own zone."""
    taken = Reading.objects.filter(patient=patient, phase=Reading.Phase.PRACTICE, rejected=False)
    return len(
        {local_date(when, patient.user.time_zone) for when in taken.values_list("received_at", flat=True)}
    )


def visible_parcel(user: Any, parcel_id: uuid.UUID | str) -> Fulfilment:
    """That parcel, or NotVisible."""
    row = (
        Fulfilment.objects.filter(pk=parcel_id, patient__in=patients_visible_to(user))
        .select_related("order", "patient__user")
        .first()
    )
    if row is None:
        raise NotVisible("There is no such page.")
    return row


@dataclass(frozen=True, slots=True)
class Stock:
    """One product of one patient in units. `came` - `taken` - `left` = `remaining`, always; the rest says where units are that never came."""

    came: int
    taken: int
    left: int
    on_the_way: int
    lost_on_the_way: int
    short: int

    @property
    def remaining(self) -> int:
        """What must be at home."""
        return self.came - self.taken - self.left

    @property
    def sent(self) -> int:
        """What the pharmacy sent: counted in, counted short, on its way, or lost on it."""
        return self.came + self.short + self.on_the_way + self.lost_on_the_way


def stock_of(order: Order, *, at: datetime) -> Stock:
    """The ledger of this order's product, over all orders of it."""
    same = _same_product(order)
    sent = Fulfilment.objects.filter(**same, shipped_at__lte=at)
    counted = sent.filter(confirmed_at__lte=at)
    open_ = sent.exclude(confirmed_at__lte=at)

    def total(rows: Any, field: str) -> int:
        return rows.aggregate(n=Sum(field))["n"] or 0

    came = total(counted, "count_confirmed")
    return Stock(
        came=came,
        taken=medicine_used(order)["units_taken"],
        left=total(StockMove.objects.filter(**same), "units"),
        on_the_way=total(open_.exclude(lost_at__lte=at), "count"),
        lost_on_the_way=total(open_.filter(lost_at__lte=at), "count"),
        short=total(counted, "count") - came,
    )


def stocks_of(patient: Patient, *, at: datetime) -> list[tuple[Order, Stock]]:
    """The ledger of each product this patient was ever ordered, with its newest order."""
    found: dict[tuple[Any, ...], tuple[Order, Stock]] = {}
    for order in Order.objects.filter(patient=patient, signed_at__isnull=False).order_by("-signed_at"):
        key = (order.form, order.strength_ug, order.concentration_ug_per_ml, order.spray_volume_ul)
        if key not in found:
            found[key] = (order, stock_of(order, at=at))
    return list(found.values())


def same_product(one: Order, other: Order) -> bool:
    """May what came for the one be taken under the other?"""
    return _same_product(one) == _same_product(other)


def units_to_send(order: Order, *, at: datetime) -> int:
    """How many more units may leave for this order: what its doses to come need, less what is at home or on its way (HZ-19).

    However much was taken, no more leaves than the order is for and what left without a dose: PostgreSQL refuses that too.
    """
    stock = stock_of(order, at=at)
    doses = order.doses_total - medicine_used(order)["doses_released"]
    needed = doses * order.units_per_dose - stock.remaining - stock.on_the_way
    return max(0, min(needed, units_not_sent(order)))


def units_not_sent(order: Order) -> int:
    """What the order is for and what left without a dose, less what was sent of it: PostgreSQL takes no parcel of more."""
    sent = Fulfilment.objects.filter(order=order, lost_at__isnull=True).aggregate(
        n=Sum(Coalesce("count_confirmed", "count"))
    )["n"]
    left = StockMove.objects.filter(order=order).aggregate(n=Sum("units"))["n"]
    return int(order.units_total - (sent or 0) + (left or 0))


def may_be_recorded_late(order: Order, *, at: datetime) -> bool:
    """Is it over, dispensed, and was not all of it sent as far as anybody has written down? Then a parcel may have left unrecorded."""
    over = order.signed_at is not None and not runs(order, at=at)
    return over and order.pharmacy_status == PharmacyStatus.DISPENSED and units_not_sent(order) > 0


def counts_of(patient: Patient) -> QuerySet[StockCount]:
    """Counts of what is left at home, newest first."""
    return StockCount.objects.filter(patient=patient).select_related("order").order_by("-counted_at")


def address_of_order(order: Order) -> str:
    """The address the prescriber signed."""
    return str((order.signed_facts or {}).get("patient_address") or "")


def _plain(address: str) -> str:
    return " ".join(address.casefold().replace(",", " ").split())


def address_changed(order: Order) -> bool:
    """Is the patient's address another one than the one on the signed order?"""
    return _plain(order.patient.address) != _plain(address_of_order(order))


def address_checked(patient: Patient) -> AddressCheck | None:
    """The newest check of exactly the address that is on file now."""
    newest = AddressCheck.objects.filter(patient=patient).order_by("-checked_at", "-id").first()
    return newest if newest is not None and _plain(newest.address) == _plain(patient.address) else None
