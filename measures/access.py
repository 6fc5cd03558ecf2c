"""What may be read of a person's answers, and in which order."""

import uuid
from typing import Any

from django.db.models import QuerySet

from accounts.access import visible_patient
from accounts.models import Patient
from measures.models import InstrumentResponse


def responses_of(patient: Patient | uuid.UUID) -> QuerySet[InstrumentResponse]:
    """Everything this person answered, newest first."""
    return InstrumentResponse.objects.filter(patient=patient).order_by("-completed_at", "-id")


def responses_visible_to(user: Any, patient_id: uuid.UUID | None = None) -> QuerySet[InstrumentResponse]:
    """A patient's own answers, or those of one patient whom this clinician may see. Raises NotVisible."""
    return responses_of(visible_patient(user, patient_id or user.pk))


def scores_of(patient: Patient) -> list[InstrumentResponse]:
    """Every finished questionnaire with a total, oldest first."""
    return list(
        InstrumentResponse.objects.filter(patient=patient, total__isnull=False).order_by("completed_at", "id")
    )


def latest(patient: Patient, instrument: str, timepoint: str | None = None) -> InstrumentResponse | None:
    """The newest finished response of an instrument, at one time point if given."""
    found = InstrumentResponse.objects.filter(patient=patient, instrument=instrument)
    if instrument != "suicide_risk":
        found = found.filter(total__isnull=False)
    if timepoint is not None:
        found = found.filter(timepoint=timepoint)
    return found.order_by("-completed_at", "-id").first()
