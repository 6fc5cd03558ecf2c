"""What tests of this app and of those above it need: hours, visits, notes, orders, parcels."""

import datetime as dt
from decimal import Decimal
from typing import Any

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from accounts.models import Patient, User
from common import protocol
from common.models import ProtocolVersion
from consults.models import (
    Appointment,
    Availability,
    FreedSlot,
    Fulfilment,
    HandOver,
    Introduction,
    KitParcel,
    Order,
    ParcelLook,
    ParcelProof,
    PdmpCheck,
    SlotOffer,
    VisitNote,
    WaitingListEntry,
)
from intake.models import Consent, ConsentText
from intake.rules.documents import DOCUMENTS, document

ADDRESS = "12 Elm Street, San Francisco"
ALL_TYPES = ["consult", "intro", "follow_up", "prep", "integration"]
NOTE_BODY = {
    "history": "Low mood for two years, three antidepressants tried.",
    "mental_status": "Alert, oriented, mood low, thought linear, no psychosis.",
    "risk": "No thoughts of suicide. Safety plan read together.",
    "plan": "Four sessions, low starting dose.",
    "short_visit_reason": "",
}


TRACKED = {"carrier": "UPS", "carrier_reference": "1Z-9"}


def any_protocol(at: dt.datetime, by: User) -> ProtocolVersion:
    """The approved protocol in force, made from the shipped files when a test has not asked for one."""
    from common.errors import Conflict

    try:
        return protocol.current(at=at)
    except Conflict:
        from accounts.models import Role

        approver = User.objects.create_user(
            "approver@example.test", None, full_name="Ada Proctor", role=Role.ADMINISTRATOR
        )
        then = at - dt.timedelta(days=300)
        draft = protocol.propose(version="builders-1", data=protocol.from_files(), by=by, at=then)
        return protocol.approve(draft, by=approver, at=then)


def weekly_hours(
    clinician: User,
    *,
    weekdays: range | tuple[int, ...] = range(7),
    starts: dt.time = dt.time(8),
    ends: dt.time = dt.time(18),
) -> list[Availability]:
    """Hours on these days of each week, for every kind of visit."""
    return [
        Availability.objects.create(
            clinician=clinician, weekday=day, starts=starts, ends=ends, visit_types=ALL_TYPES
        )
        for day in weekdays
    ]


def an_appointment(
    patient: User,
    clinician: User,
    starts_at: dt.datetime,
    *,
    visit_type: str = "consult",
    minutes: int = 60,
    **fields: Any,
) -> Appointment:
    """A booked visit, written straight into the table."""
    fields.setdefault("state", "booked")
    fields.setdefault("booked_at", starts_at - dt.timedelta(days=2))
    return Appointment.objects.create(
        patient_id=patient.pk,
        clinician=clinician,
        visit_type=visit_type,
        during=DateTimeTZRange(starts_at, starts_at + dt.timedelta(minutes=minutes)),
        state_of_care=fields.pop("state_of_care", Patient.objects.get(pk=patient.pk).state),
        created_at=starts_at - dt.timedelta(days=3),
        **fields,
    )


def a_booked_consult(patient: User, clinician: User, at: dt.datetime) -> Appointment:
    """A consult that begins at `at`."""
    return an_appointment(patient, clinician, at)


def a_verified_identity(patient: User, by: User, at: dt.datetime) -> Patient:
    """Identity verified and weight known, as after a consult."""
    Patient.objects.filter(pk=patient.pk).update(
        identity_verified_at=at,
        identity_verified_by=by,
        weight_kg=Decimal("70.0"),
        height_cm=Decimal("170.0"),
        address=ADDRESS,
    )
    return Patient.objects.select_related("user").get(pk=patient.pk)


def a_signed_note(patient: User, psychiatrist: User, at: dt.datetime, **fields: Any) -> VisitNote:
    """A completed consult that began an hour before `at`, with its note signed at `at`."""
    visit = an_appointment(patient, psychiatrist, at - dt.timedelta(hours=1), state="completed")
    return VisitNote.objects.create(
        appointment=visit,
        patient_id=patient.pk,
        author=psychiatrist,
        protocol=any_protocol(at, psychiatrist),
        **{
            "body": NOTE_BODY,
            "diagnosis": "depression",
            "suitable": True,
            "identity_confirmed": True,
            "date_of_birth_seen": dt.date(1988, 4, 2),
            "location_confirmed": True,
            "location_state": visit.state_of_care,
            "duration_minutes": 50,
            "held_by": "video",
            "saved_at": at,
            "signed_at": at,
            "signed_by": psychiatrist,
            **fields,
        },
    )


def a_pdmp_check(patient: User, psychiatrist: User, at: dt.datetime, **fields: Any) -> PdmpCheck:
    """The monitoring programme looked at and nothing found."""
    fields.setdefault("finding", "clear")
    fields.setdefault("states", [Patient.objects.get(pk=patient.pk).state])
    return PdmpCheck.objects.create(patient_id=patient.pk, checked_at=at, checked_by=psychiatrist, **fields)


def weekly_dates(at: dt.datetime, first_in_days: int = 7) -> list[dt.date]:
    """Four dates a week apart."""
    first = at.date() + dt.timedelta(days=first_in_days)
    return [first + dt.timedelta(days=7 * week) for week in range(4)]


def consents(patient: User, at: dt.datetime) -> None:
    """Both documents signed in the wording in force, unless something was signed before."""
    person = Patient.objects.get(pk=patient.pk)
    if Consent.objects.filter(patient=person).exists():
        return
    for name in DOCUMENTS:
        text = document(name, person.state)
        kept, _ = ConsentText.objects.get_or_create(
            sha256=text.sha256,
            defaults={
                "document": name, "version": text.version, "care_state": text.state, "body": text.body, "first_seen_at": at,
            },
        )  # fmt: skip
        Consent.objects.create(
            patient=person, document=name, version=text.version, sha256=text.sha256, text=kept, care_state=person.state,
            signed_name=patient.full_name, signed_at=at,
        )  # fmt: skip


def a_signed_order(
    patient: User,
    psychiatrist: User,
    at: dt.datetime,
    *,
    first_in_days: int = 7,
    sessions_covered: tuple[int, ...] = (1, 2, 3, 4),
    **fields: Any,
) -> Order:
    """An order in force, written straight into the tables: 2 tablets of 100 mg, four weekly dates from `first_in_days` on.

    Identity is verified, both documents are signed, and the patient weighs 70 kg. The `order.signed` hook does not run: what rests on it (a course) is
    the next builder's to make.
    """
    a_verified_identity(patient, psychiatrist, at)
    consents(patient, at)
    note = fields.pop("note", None) or a_signed_note(patient, psychiatrist, at)
    check = fields.pop("pdmp_check", None) or a_pdmp_check(patient, psychiatrist, at)
    dates = fields.pop("session_dates", None) or weekly_dates(at, first_in_days)
    version = note.protocol
    limits = version.data["bp"]["limits"]
    return Order.objects.create(
        patient_id=patient.pk,
        prescriber=psychiatrist,
        protocol=version,
        note=note,
        pdmp_check=check,
        **{
            "created_at": at,
            "form": "sublingual_tablet",
            "strength_ug": 100_000,
            "units_per_dose": 2,
            "dose_ug": 200_000,
            "weight_kg": Decimal("70.0"),
            "session_dates": dates,
            "sessions_covered": list(sessions_covered),
            "doses_total": len(sessions_covered),
            "systolic_max_mmhg": limits["systolic_caution_from_mmhg"],
            "diastolic_max_mmhg": limits["diastolic_caution_from_mmhg"],
            "directions": "Hold under the tongue for ten minutes, then spit out.",
            "state_of_care": note.location_state,
            "authority_basis": "telemedicine_flexibility",
            "authority_expires_on": dt.date(2026, 12, 31),
            "signed_facts": {
                "signed_on": at.date().isoformat(),
                "patient_name": note.patient.user.full_name,
                "patient_born_on": "1988-04-02",
                "patient_address": ADDRESS,
                "prescriber_name": psychiatrist.full_name,
                "dea_number": "FR1234560",
                "licence_number": "CA-1000",
                "practice_name": "Hearthside",
                "practice_address": "1 Example Street, Oakland, CA 94601",
                "practice_phone": "(555) 010-0199",
            },
            "signed_at": at,
            "expires_on": dates[max(sessions_covered) - 1] + dt.timedelta(days=10),
            **fields,
        },
    )


def dispensed(order: Order) -> Order:
    """The pharmacy says that it has filled this order, which came to it when it was signed."""
    if not order.hand_overs.filter(status="handed_over").exists():
        HandOver.objects.create(
            order=order, way="fax", status="handed_over", at=order.signed_at, by=order.prescriber
        )
    Order.objects.filter(pk=order.pk).exclude(pharmacy_status__in=["accepted", "dispensed"]).update(
        pharmacy_status="dispensed"
    )
    return order


def a_delivered_parcel(order: Order, by: User, at: dt.datetime, **fields: Any) -> Fulfilment:
    """The medicine of this order, which the pharmacy has dispensed, delivered and counted by the patient."""
    fields.setdefault("count", order.units_total)
    dispensed(order)
    with_proof = fields.pop("proven", True)
    parcel = Fulfilment.objects.create(
        order=order,
        patient_id=order.patient_id,
        **{
            "lot": "LOT-7A",
            **TRACKED,
            "adult_signature": True,
            "shipped_at": at - dt.timedelta(days=2),
            "shipped_by": by,
            "delivered_at": at - dt.timedelta(hours=1),
            "count_confirmed": fields["count"],
            "confirmed_at": at,
            "confirmed_by": order.patient.user,
            **fields,
        },
    )
    if with_proof and parcel.confirmed_at is not None:
        proven(parcel, by, parcel.confirmed_at)
    return parcel


def proven(parcel: Fulfilment, by: User, at: dt.datetime) -> Fulfilment:
    """An adult signed at the door, and somebody of the care team saw the count on a video call."""
    ParcelProof.objects.create(
        parcel=parcel, signed_for_by="A. Lindqvist", adult=True, recorded_at=at, recorded_by=by
    )
    ParcelLook.objects.create(
        parcel=parcel,
        counted=parcel.count_confirmed,
        note="Counted on the call.",
        looked_at=at,
        looked_by=by,
    )
    return parcel


def an_introduction(clinician: User, at: dt.datetime, **fields: Any) -> Introduction:
    """A free call of somebody without an account, two days ahead, written straight into the table."""
    starts_at = fields.pop("starts_at", at + dt.timedelta(days=2))
    return Introduction.objects.create(
        **{
            "clinician": clinician, "during": DateTimeTZRange(starts_at, starts_at + dt.timedelta(minutes=20)),
            "state_of_care": "CA", "time_zone": "America/Los_Angeles", "name": "Robin", "phone": "+14155550177",
            "contact_digest": "d" * 64, "created_at": at, **fields,
        }
    )  # fmt: skip


def a_kit(patient: User, by: User, at: dt.datetime, **fields: Any) -> KitParcel:
    """The kit, arrived and complete."""
    return KitParcel.objects.create(
        patient_id=patient.pk,
        **{
            "contents": ["cuff", "eye_mask", "journal", "card"], **TRACKED, "shipped_at": at - dt.timedelta(days=2), "shipped_by": by,
            "due_at": at, "delivered_at": at - dt.timedelta(hours=1), "confirmed_at": at, **fields,
        },
    )  # fmt: skip


def an_offer(patient: User, clinician: User, at: dt.datetime) -> SlotOffer:
    """A freed time five days ahead, kept for this patient from the waiting list."""
    starts_at = at + dt.timedelta(days=5)
    hold = an_appointment(
        patient, clinician, starts_at, visit_type="follow_up", minutes=15, state="held", booked_at=None,
        hold_expires_at=at + dt.timedelta(hours=2), for_offer=True,
    )  # fmt: skip
    entry = WaitingListEntry.objects.create(
        patient_id=patient.pk, visit_type="follow_up", weekdays=list(range(7)), from_time=dt.time(0),
        until_time=dt.time(23, 59), created_at=at,
    )  # fmt: skip
    freed = FreedSlot.objects.create(
        clinician=clinician, visit_type="follow_up", during=hold.during, freed_at=at
    )
    return SlotOffer.objects.create(
        entry=entry, patient_id=patient.pk, freed=freed, hold=hold, clinician=clinician, starts_at=starts_at, offered_at=at,
        expires_at=hold.hold_expires_at,
    )  # fmt: skip
