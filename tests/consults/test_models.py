"""What the database refuses, whatever the code above it does."""

import datetime as dt
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from accounts.models import Patient, User
from consults.models import Order, VisitAddendum, VisitNote
from tests.consults.builders import (
    a_delivered_parcel,
    a_signed_note,
    a_signed_order,
    a_verified_identity,
    an_appointment,
)

pytestmark = pytest.mark.django_db


def refused(change: Any, words: str = "") -> None:
    with pytest.raises(DatabaseError) as refusal, transaction.atomic():
        change()
    assert words in str(refusal.value)


def test_a_clinician_is_never_in_two_visits_at_once(
    alice: User, stranger_patient: User, dana: User, at: dt.datetime, protocol_version: Any
) -> None:
    an_appointment(alice, dana, at)
    refused(
        lambda: an_appointment(stranger_patient, dana, at + dt.timedelta(minutes=59)),
        "a_clinician_is_in_one_visit_at_a_time",
    )
    an_appointment(stranger_patient, dana, at + dt.timedelta(minutes=60))


def test_a_patient_is_never_in_two_visits_at_once(
    alice: User, dana: User, cole: User, at: dt.datetime
) -> None:
    an_appointment(alice, dana, at)
    refused(
        lambda: an_appointment(alice, cole, at + dt.timedelta(minutes=30), visit_type="prep", minutes=30),
        "a_patient_is_in_one_visit_at_a_time",
    )


def test_a_cancelled_visit_frees_its_time(
    alice: User, stranger_patient: User, dana: User, at: dt.datetime
) -> None:
    an_appointment(alice, dana, at, state="cancelled")
    an_appointment(stranger_patient, dana, at)


def test_a_signed_note_never_changes(alice: User, dana: User, at: dt.datetime) -> None:
    note = a_signed_note(alice, dana, at)
    refused(lambda: VisitNote.objects.filter(pk=note.pk).update(diagnosis="anxiety"))
    refused(lambda: VisitNote.objects.filter(pk=note.pk).update(signed_at=None, signed_by=None))
    refused(note.delete)


def test_an_addendum_stays_as_written(alice: User, dana: User, at: dt.datetime) -> None:
    note = a_signed_note(alice, dana, at)
    addendum = VisitAddendum.objects.create(note=note, text="Also: sleep.", written_by=dana, written_at=at)
    refused(lambda: VisitAddendum.objects.filter(pk=addendum.pk).update(text=""))


def test_an_incomplete_note_cannot_be_signed(alice: User, dana: User, at: dt.datetime) -> None:
    refused(lambda: a_signed_note(alice, dana, at, identity_confirmed=False), "a_signed_note_is_complete")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dose_ug", 400_000),
        ("units_per_dose", 3),
        ("strength_ug", 200_000),
        ("session_dates", [dt.date(2027, 1, d) for d in (1, 8, 15, 22)]),
        ("systolic_max_mmhg", 160),
        ("signed_at", None),
        ("expires_on", dt.date(2030, 1, 1)),
    ],
)
def test_a_signed_order_never_changes(
    field: str, value: Any, alice: User, dana: User, at: dt.datetime
) -> None:
    """HZ-04: what was signed is what is given."""
    order = a_signed_order(alice, dana, at)
    refused(lambda: Order.objects.filter(pk=order.pk).update(**{field: value}), "signed order never changes")


def test_a_signed_order_is_never_deleted(alice: User, dana: User, at: dt.datetime) -> None:
    refused(a_signed_order(alice, dana, at).delete)


def test_a_revoked_order_stays_revoked(alice: User, dana: User, at: dt.datetime) -> None:
    """HZ-13"""
    order = a_signed_order(alice, dana, at)
    Order.objects.filter(pk=order.pk).update(revoked_at=at, revoked_by=dana, revoke_reason="Allergy")
    refused(lambda: Order.objects.filter(pk=order.pk).update(revoked_at=None, revoked_by=None), "stays so")


def test_a_patient_has_one_order_in_force(alice: User, dana: User, at: dt.datetime) -> None:
    """HZ-19: no second supply beside the first."""
    first = a_signed_order(alice, dana, at)
    refused(
        lambda: a_signed_order(alice, dana, at, note=first.note, pdmp_check=first.pdmp_check),
        "one_order_in_force_per_patient",
    )


def test_a_synthetic_patient_can_never_hold_an_order(alice: User, dana: User, at: dt.datetime) -> None:
    """HZ-30"""
    Patient.objects.filter(pk=alice.pk).update(is_synthetic=True)
    a_verified_identity(alice, dana, at)
    refused(lambda: a_signed_order(alice, dana, at), "synthetic patient")


@pytest.mark.parametrize(
    "fields",
    [
        {"dose_ug": 200_001},
        {"units_per_dose": 1},
        {"form": "nasal_spray"},
        {"strength_ug": None},
        {
            "form": "nasal_spray",
            "strength_ug": None,
            "concentration_ug_per_ml": 100_000,
            "spray_volume_ul": None,
        },
        {
            "form": "nasal_spray",
            "strength_ug": None,
            "concentration_ug_per_ml": 100_000,
            "spray_volume_ul": 100,
            "units_per_dose": 2,
            "dose_ug": 10_000,
        },
        {"sessions_covered": (1, 2), "doses_total": 4},
    ],
)
def test_a_dose_that_is_not_strength_times_units_is_refused(
    fields: dict[str, Any], alice: User, dana: User, at: dt.datetime
) -> None:
    """HZ-04"""
    with pytest.raises(IntegrityError), transaction.atomic():
        a_signed_order(alice, dana, at, **fields)


def test_a_nasal_order_multiplies_out(alice: User, dana: User, at: dt.datetime) -> None:
    order = a_signed_order(
        alice,
        dana,
        at,
        form="nasal_spray",
        strength_ug=None,
        concentration_ug_per_ml=100_000,
        spray_volume_ul=100,
        units_per_dose=5,
        dose_ug=50_000,
    )
    assert order.dose_mg == 50
    assert order.dose_words == "5 sprays of 10 mg = 50 mg"
    assert order.strength_words == "100 mg/mL, 0.1 mL in one spray"
    assert order.quantity_words == "20 sprays for 4 doses"


def test_one_shipment_at_a_time(alice: User, dana: User, at: dt.datetime) -> None:
    """HZ-19"""
    order = a_signed_order(alice, dana, at)
    open_parcel = {"delivered_at": None, "count_confirmed": None, "confirmed_at": None, "confirmed_by": None}
    a_delivered_parcel(order, dana, at, count=1, **open_parcel)
    refused(
        lambda: a_delivered_parcel(order, dana, at, count=1, **open_parcel), "one_open_shipment_per_order"
    )
