"""The kit, the photo and the signature at the door, parcels that go astray, and units that leave without a dose."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from accounts.access import patients_visible_to
from accounts.models import Patient, Role, User
from common import audit, files, protocol
from common.errors import Conflict, Invalid, NotPermitted, NotVisible
from common.notes import is_a_note
from consults.access.parcels import owes_units, stock_of
from consults.actions.parcels import (
    COUNT,
    COUNT_DIFFERS,
    TROUBLE,
    ask_for_count,
    delivery_numbers,
    settle,
    tracked,
    trouble,
)
from consults.models import (
    AddressCheck,
    Fulfilment,
    KitParcel,
    Order,
    ParcelFound,
    ParcelLook,
    ParcelPhoto,
    ParcelProof,
    StockCount,
    StockMove,
)
from safety.actions import misuse_signal, place_hold, settle_tasks_about
from safety.models import Task
from vitals.actions import RecordedReading, record_reading
from vitals.models import Reading

CARE_TEAM = (Role.PSYCHIATRIST, Role.COACH)


def kit_contents(*, at: datetime) -> dict[str, str]:
    """What belongs into a kit, by code, with the words for people."""
    delivery = protocol.current(at=at).data["dosing"].get("delivery", {})
    return {row["code"]: row["label"] for row in delivery.get("kit", [])}


def _care(patient: Patient, by: User) -> None:
    if by.role not in CARE_TEAM:
        raise NotPermitted("Parcels are recorded by the care team.")
    if not patients_visible_to(by).filter(pk=patient.pk).exists():
        raise NotVisible("There is no such page.")


def _own(patient_id: Any, by: User) -> None:
    if by.pk != patient_id:
        raise NotVisible("There is no such page.")


def ship_kit(patient: Patient, *, carrier: str, carrier_reference: str, by: User, at: datetime) -> KitParcel:
    """Cuff, eye mask, journal and card are on their way. Raises Conflict while another kit is."""
    _care(patient, by)
    tracked(carrier, carrier_reference)
    data = protocol.current(at=at).data["dosing"]["delivery"]
    with transaction.atomic():
        Patient.objects.select_for_update(no_key=True).get(pk=patient.pk)
        if KitParcel.objects.filter(
            patient=patient, confirmed_at__isnull=True, lost_at__isnull=True
        ).exists():
            raise Conflict("A kit is on its way already.", code="kit_open")
        row = KitParcel.objects.create(
            patient=patient,
            contents=list(kit_contents(at=at)),
            carrier=carrier.strip(),
            carrier_reference=carrier_reference.strip(),
            shipped_at=at,
            shipped_by=by,
            due_at=at + timedelta(hours=data["late_after_hours"]),
        )
        for lost in KitParcel.objects.filter(patient=patient).exclude(pk=row.pk):
            settle(lost, "sent again", by=by, at=at)
        audit.record("kit.sent", by=by, at=at, about=row, patient_id=patient.pk)
    return row


def confirm_kit(
    kit: KitParcel, *, missing: Collection[str], by: User, at: datetime, photo: Any = None
) -> KitParcel:
    """The patient has opened it. What is missing or broken gets an owner and a clock, and the session waits (G14)."""
    _own(kit.patient_id, by)
    with transaction.atomic():
        row = KitParcel.objects.select_for_update(of=("self",)).select_related("patient__user").get(pk=kit.pk)
        if row.confirmed_at is not None:
            return row
        if row.lost_at is not None:
            raise Conflict(
                "This parcel was given up and another one is sent. Please call us.", code="parcel_lost"
            )
        unknown = set(missing) - set(row.contents)
        if unknown:
            raise Invalid("Choose from the list.", fields={"missing": "Choose from the list."})
        row.delivered_at = row.delivered_at or at
        row.confirmed_at, row.missing = at, sorted(missing)
        if photo is not None:
            row.photo = files.accept_upload(photo, kinds=files.IMAGES, by=by, at=at)
        row.save(update_fields=["delivered_at", "confirmed_at", "missing", "photo"])
        settle(row, "looked through", by=by, at=at)
        audit.record(
            "kit.confirmed",
            by=by,
            at=at,
            about=row,
            patient_id=row.patient_id,
            detail={"missing": row.missing},
        )
        if row.missing:
            trouble(
                row.patient, about=row, words=f"Kit: {', '.join(row.missing)} missing or broken", by=by, at=at
            )
    return row


def give_up_parcel(parcel: Fulfilment | KitParcel, *, why: str, by: User, at: datetime) -> None:
    """Lost, or of no use: another one can be sent. Medicine that is lost on the way is an incident of the practice (X22, a psychiatrist looks)."""
    _care(parcel.patient, by)
    if not why.strip():
        raise Invalid("Say what is known of it.", fields={"why": "Write a sentence."})
    with transaction.atomic():
        row = type(parcel).objects.select_for_update().get(pk=parcel.pk)
        if row.lost_at is not None:
            return
        if row.confirmed_at is not None:
            raise Conflict("The patient has it and has counted. Record what left instead.", code="counted")
        type(parcel).objects.filter(pk=row.pk).update(lost_at=at)
        row.lost_at = at
        audit.record("parcel.given_up", by=by, at=at, about=row, patient_id=row.patient_id)
        settle(row, "given up", by=by, at=at)
        if isinstance(row, Fulfilment):
            misuse_signal(row.patient, code="parcel_lost", source=row, by="system:consults", at=at)
        trouble(
            row.patient,
            about=row,
            words=f"A parcel was given up: {why.strip()}. Send another one.",
            by=by,
            at=at,
        )


def turned_up(parcel: Fulfilment, *, note: str, by: User, at: datetime) -> Fulfilment:
    """A parcel of medicine that was given up is in the patient's hands after all. It has its place in the ledger again and is
    counted and signed for like any other; what is over then goes back (HZ-19).

    Raises NotPermitted for anybody but a psychiatrist, Invalid without a note, Conflict for a parcel that was not given up.
    """
    if by.role != Role.PSYCHIATRIST:
        raise NotPermitted("A psychiatrist says that a parcel has turned up.")
    _care(parcel.patient, by)
    if not is_a_note(note):
        raise Invalid("Say where it was, and how you know.", fields={"note": "Write a sentence."})
    with transaction.atomic():
        Patient.objects.select_for_update(no_key=True).get(pk=parcel.patient_id)
        row = (
            Fulfilment.objects.select_for_update(of=("self",))
            .select_related("patient__user", "order__patient__user")
            .get(pk=parcel.pk)
        )
        if row.lost_at is None:
            raise Conflict("This parcel is not given up.", code="not_given_up")
        ParcelFound.objects.create(
            parcel=row, note=note.strip(), given_up_at=row.lost_at, found_at=at, found_by=by
        )
        row.lost_at, row.delivered_at = None, row.delivered_at or at
        row.save(update_fields=["lost_at", "delivered_at"])
        settle(row, "it turned up", by=by, at=at)
        audit.record("parcel.turned_up", by=by, at=at, about=row, patient_id=row.patient_id)
        ask_for_count(row.order, why="A parcel that was given up has turned up", by=by, at=at)
    return row


def record_signature(
    parcel: Fulfilment, *, signed_for_by: str, adult: bool, by: User, at: datetime
) -> ParcelProof:
    """Who signed at the door, and that it was an adult, from the carrier's record. Without it nothing of the parcel opens a session."""
    _care(parcel.patient, by)
    if not signed_for_by.strip():
        raise Invalid("Write who signed.", fields={"signed_for_by": "Write the name from the carrier."})
    if not adult:
        raise Invalid(
            "Only an adult may have signed. If nobody or a minor did, ring the patient. Whoever has the parcel counts it, and it goes back; only what nobody has is given up.",
            fields={"adult": "Confirm it from the carrier's record."},
        )
    with transaction.atomic():
        row, made = ParcelProof.objects.get_or_create(
            parcel=parcel,
            defaults={
                "signed_for_by": signed_for_by.strip(),
                "adult": True,
                "recorded_at": at,
                "recorded_by": by,
            },
        )
        if made:
            audit.record("parcel.signed_for", by=by, at=at, about=parcel, patient_id=parcel.patient_id)
    return row


def add_photo(parcel: Fulfilment, *, upload: Any, by: User, at: datetime) -> ParcelPhoto:
    """The patient's photo of what she counted: kept encrypted, for the care team alone."""
    _own(parcel.patient_id, by)
    with transaction.atomic():
        if ParcelPhoto.objects.filter(parcel=parcel).exists():
            raise Conflict("There is a photo of this parcel already.", code="photo_there")
        kept = files.accept_upload(upload, kinds=files.IMAGES, by=by, at=at)
        row = ParcelPhoto.objects.create(parcel=parcel, file=kept, taken_at=at)
        audit.record("parcel.photo", by=by, at=at, about=row, patient_id=parcel.patient_id)
    return row


def look_together(parcel: Fulfilment, *, counted: int, note: str, by: User, at: datetime) -> ParcelLook:
    """In a photo's place: somebody of the care team saw on a video call what the patient had counted, and says how.

    Raises Conflict before the patient counted, and for another number than hers: that is a count of what is left.
    """
    _care(parcel.patient, by)
    if not is_a_note(note):
        raise Invalid("Say how you saw it.", fields={"note": "Write a sentence."})
    with transaction.atomic():
        row = Fulfilment.objects.select_for_update(of=("self",)).select_related("patient").get(pk=parcel.pk)
        if row.confirmed_at is None:
            raise Conflict("The patient has not counted it yet.", code="not_counted")
        if counted != row.count_confirmed:
            raise Conflict(
                "The patient had counted another number. Count what is left together, on the page of the units.",
                code="another_number",
            )
        look, made = ParcelLook.objects.get_or_create(
            parcel=row, defaults={"counted": counted, "note": note.strip(), "looked_at": at, "looked_by": by}
        )
        if made:
            audit.record("parcel.looked_at", by=by, at=at, about=row, patient_id=row.patient_id)
            if not owes_units(row, at=at):
                settle(row, "looked at together", by=by, at=at)
    return look


def move_stock(order: Order, *, kind: str, units: int, note: str, by: User, at: datetime) -> StockMove:
    """Units left the patient's hands without a dose: lost, returned, destroyed, damaged."""
    _care(order.patient, by)
    if kind not in StockMove.Kind.values:
        raise Invalid("Choose what happened.", fields={"kind": "Choose one."})
    if units < 1:
        raise Invalid("Count them.", fields={"units": "Write a number."})
    with transaction.atomic():
        Patient.objects.select_for_update(no_key=True).get(pk=order.patient_id)
        remaining = stock_of(order, at=at).remaining
        if units > remaining:
            raise Invalid(
                f"The ledger has {remaining} at home. Count together first.",
                code="more_than_remains",
                fields={"units": f"No more than {remaining}."},
            )
        row = StockMove.objects.create(
            patient_id=order.patient_id, order=order, kind=kind, units=units, at=at, by=by, note=note.strip()
        )
        audit.record(
            "stock.moved",
            by=by,
            at=at,
            about=row,
            patient_id=order.patient_id,
            detail={"kind": kind, "units": units},
        )
        if kind == StockMove.Kind.LOST:
            misuse_signal(order.patient, code="units_lost", source=row, by="system:consults", at=at)
    return row


def practice_reading(
    patient: Patient, *, systolic_mmhg: int, diastolic_mmhg: int, pulse_bpm: int, by: User, at: datetime
) -> RecordedReading:
    """A reading to get used to the cuff: two days of it before session 1 (G14)."""
    _own(patient.pk, by)
    return record_reading(
        patient=patient, systolic_mmhg=systolic_mmhg, diastolic_mmhg=diastolic_mmhg, pulse_bpm=pulse_bpm, taken_at=at,
        source=Reading.Source.PATIENT, phase=Reading.Phase.PRACTICE, by=by, at=at,
    )  # fmt: skip


def count_stock(order: Order, *, counted: int, by: User, at: datetime, note: str = "") -> StockCount:
    """Somebody counted what is left at home: the patient, or the care team together with her. Another number than the ledger's
    pauses dosing, holds the next parcel and calls a psychiatrist (X22)."""
    if by.pk != order.patient_id:
        _care(order.patient, by)
    if not 0 <= counted <= 500:
        raise Invalid("Count what is left.", fields={"counted": "Write a number."})
    with transaction.atomic():
        Patient.objects.select_for_update(no_key=True).get(pk=order.patient_id)
        row = StockCount.objects.create(
            patient_id=order.patient_id, order=order, expected=stock_of(order, at=at).remaining, counted=counted,
            counted_at=at, counted_by=by, note=note.strip(),
        )  # fmt: skip
        audit.record(
            "stock.counted", by=by, at=at, about=row, patient_id=order.patient_id,
            detail={"expected": row.expected, "counted": counted},
        )  # fmt: skip
        settle_tasks_about(
            kind=COUNT, about_type="consults.order", about_id=order.pk, outcome="counted", by=by, at=at
        )
        if row.differs:
            place_hold(order.patient, reason_code=COUNT_DIFFERS, at=at, by="system:consults")
            misuse_signal(order.patient, code="stock_count_differs", source=row, by="system:consults", at=at)
            trouble(
                order.patient, about=row, words=f"{expected_words(row.expected)}, {counted} were counted", by=by, at=at
            )  # fmt: skip
    return row


def expected_words(units: int) -> str:
    """What the ledger says should be left."""
    return f"{units} should be left" if units >= 0 else f"{-units} more were taken or left than ever came"


def check_address(patient: Patient, *, how: str, by: User, at: datetime) -> AddressCheck:
    """The address on file was read back to the patient, who confirmed it."""
    _care(patient, by)
    if len(how.strip()) < 5:
        raise Invalid("Say how you confirmed it.", fields={"how": "Write a sentence."})
    with transaction.atomic():
        current = Patient.objects.select_for_update(no_key=True).get(pk=patient.pk)
        if not current.address.strip():
            raise Conflict("There is no address on file.", code="address_missing")
        row = AddressCheck.objects.create(
            patient=current, address=current.address, how=how.strip(), checked_at=at, checked_by=by
        )
        audit.record("address.checked", by=by, at=at, about=row, patient_id=patient.pk)
    return row


def sweep_parcels(*, at: datetime, limit: int = 200) -> int:
    """What did not arrive in its time, or arrived and was not counted, becomes somebody's work. Safe to run again."""
    hours = delivery_numbers(at=at).get("count_within_hours")
    waited = Q(delivered_at__isnull=True, due_at__lte=at)
    if hours is not None:
        waited |= Q(delivered_at__lte=at - timedelta(hours=hours))
    found = 0
    for model in (Fulfilment, KitParcel):
        name = "Kit" if model is KitParcel else "Medicine"
        told = Task.objects.filter(
            kind=TROUBLE, about_type=model._meta.label_lower, about_id=OuterRef("pk"), done_at__isnull=True
        )
        rows = (
            model._default_manager.filter(waited, confirmed_at__isnull=True, lost_at__isnull=True)
            .exclude(Exists(told))
            .select_related("patient__user")
            .order_by("shipped_at")[:limit]
        )
        for row in rows:
            late = row.delivered_at is None
            words = "did not arrive in its time" if late else "arrived and was not counted or looked through"
            trouble(row.patient, about=row, words=f"{name}: {words}", by="system:consults", at=at)
            found += 1
    return found
