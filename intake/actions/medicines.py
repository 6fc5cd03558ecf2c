"""The list of medicines: what stands on it, since when, and what the prescriber wrote about each."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.models import Patient
from common import audit
from intake.access import active_medicines, current_intake
from intake.actions.answers import locked, save_step
from intake.actions.eligibility import reevaluate
from intake.models import Intake, Medicine
from intake.rules.steps import known_medicine


def add_medicine(patient: Patient, *, name: str, dose_text: str, by: Any, at: datetime) -> Medicine:
    """Put a medicine on the list, with its classes where we know it; after the decision this re-runs the rules.

    What stands there already, by the same name and dose, is not put there twice: two tabs, or two presses, are one medicine.
    """
    known = known_medicine(name)
    classes = list(known.classes) if known else ["other"]
    with transaction.atomic():
        if (current := current_intake(patient)) is not None:
            locked(current)
        for listed in active_medicines(patient):
            if _same_words(listed.name, name) and _same_words(listed.dose_text, dose_text):
                return listed
        medicine = Medicine.objects.create(
            patient=patient,
            name=name,
            rx_class=classes[0],
            rx_classes=classes,
            rxnorm=known.rxnorm if known else "",
            dose_text=dose_text,
            started_at=at,
        )
        audit.record(
            "medicine.added", by=by, at=at, about=medicine, patient_id=patient.pk, detail={"classes": classes}
        )
        reevaluate(patient, by=by, at=at)
    return medicine


def _same_words(one: str, other: str) -> bool:
    return one.casefold().split() == other.casefold().split()


def write_holds(patient: Patient, instructions: Mapping[str, str], *, by: Any, at: datetime) -> None:
    """What the prescriber of a signed order wrote about other medicines on session days, by name, stands with each of them; a medicine
    that the order does not name has none. The patient's own words about it never change this."""
    for medicine in active_medicines(patient):
        written = instructions.get(medicine.name, "")
        if medicine.hold_instruction != written:
            medicine.hold_instruction = written
            medicine.save(update_fields=["hold_instruction"])
            audit.record("medicine.hold_written", by=by, at=at, about=medicine, patient_id=patient.pk)


def end_medicine(medicine: Medicine, *, by: Any, at: datetime) -> None:
    """Take a medicine off the list. The row stays, with the time it ended."""
    with transaction.atomic():
        changed = Medicine.objects.filter(pk=medicine.pk, ended_at__isnull=True).update(ended_at=at)
        if changed:
            audit.record("medicine.ended", by=by, at=at, about=medicine, patient_id=medicine.patient_id)
            reevaluate(medicine.patient, by=by, at=at)


def confirm_medicines(intake: Intake, *, by: Any, at: datetime) -> Intake:
    """The person says that the list is complete, empty or not."""
    entry = intake.answers.get("medicines", {})
    return save_step(intake, "medicines", {"confirmed": "yes"}, version=entry.get("version", 0), by=by, at=at)
