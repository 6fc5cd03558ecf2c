"""The kit, the photo and the signature at the door, parcels that go astray, and units that leave without a dose."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from accounts.access import patients_visible_to
from accounts.models import Patient, Role, User
from common import audit, files, protocol
from common.errors import Conflict, Invalid, NotPermitted, NotVisible
from consults.models import Fulfilment, KitParcel, Order, ParcelPhoto, ParcelProof, StockMove
from safety.access import owner_for
from safety.actions import misuse_signal, open_task, settle_tasks_about
from vitals.actions import RecordedReading, record_reading
from vitals.models import Reading

CARE_TEAM = (Role.PSYCHIATRIST, Role.COACH)
TROUBLE = "parcel.trouble"


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


def ship_kit(patient: Patient, *, by: User, at: datetime, carrier_reference: str = "") -> KitParcel:
    """Cuff, eye mask, journal and card are on their way. Raises Conflict while another kit is."""
    _care(patient, by)
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
            carrier_reference=carrier_reference.strip(),
            shipped_at=at,
            shipped_by=by,
            due_at=at + timedelta(hours=data["late_after_hours"]),
        )
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
        audit.record(
            "kit.confirmed",
            by=by,
            at=at,
            about=row,
            patient_id=row.patient_id,
            detail={"missing": row.missing},
        )
        if row.missing:
            _trouble(
                row.patient, about=row, words=f"Kit: {', '.join(row.missing)} missing or broken", by=by, at=at
            )
    return row


def _trouble(patient: Patient, *, about: Any, words: str, by: Any, at: datetime) -> None:
    """Somebody by name looks after what went wrong on the way, by a time."""
    open_task(
        kind=TROUBLE,
        owner=owner_for(role=Role.COACH, patient=patient, at=at),
        due_at=at + timedelta(hours=24),
        patient=patient,
        about_type=about._meta.label_lower,
        about_id=about.pk,
        detail=words,
        by=by,
        at=at,
    )


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
        settle_tasks_about(
            kind=TROUBLE, about_type=row._meta.label_lower, about_id=row.pk, outcome="given up", by=by, at=at
        )
        if isinstance(row, Fulfilment):
            misuse_signal(row.patient, code="parcel_lost", source=row, by="system:consults", at=at)
        _trouble(
            row.patient,
            about=row.patient,
            words=f"A parcel was given up: {why.strip()}. Send another one.",
            by=by,
            at=at,
        )


def record_signature(parcel: Fulfilment, *, signed_for_by: str, by: User, at: datetime) -> ParcelProof:
    """Which adult signed at the door, from the carrier's record."""
    _care(parcel.patient, by)
    if not signed_for_by.strip():
        raise Invalid("Write who signed.", fields={"signed_for_by": "Write the name from the carrier."})
    with transaction.atomic():
        row, made = ParcelProof.objects.get_or_create(
            parcel=parcel,
            defaults={"signed_for_by": signed_for_by.strip(), "recorded_at": at, "recorded_by": by},
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


def move_stock(order: Order, *, kind: str, units: int, note: str, by: User, at: datetime) -> StockMove:
    """Units left the patient's hands without a dose: lost, returned, destroyed, damaged."""
    _care(order.patient, by)
    if kind not in StockMove.Kind.values:
        raise Invalid("Choose what happened.", fields={"kind": "Choose one."})
    if units < 1:
        raise Invalid("Count them.", fields={"units": "Write a number."})
    with transaction.atomic():
        Patient.objects.select_for_update(no_key=True).get(pk=order.patient_id)
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
