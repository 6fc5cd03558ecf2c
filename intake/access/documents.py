"""Who may open which document and which letter to a specialist.

The patient opens their own. Of the staff only psychiatrists who treat the person do: coaches, administrators and sitters never
(letters name diagnoses, an ID serves to impersonate). A photo of an ID asks for a fresh second factor besides.
"""

import uuid
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from accounts.access import patients_visible_to
from accounts.models import Patient, Role, User
from common.clock import local_date
from common.errors import NotVisible
from intake.models import ClearanceRequest, PatientDocument


def documents_of(patient: Patient) -> list[PatientDocument]:
    """What is there to open, newest first; what was taken back before anybody read it is left out."""
    return list(
        PatientDocument.objects.filter(patient=patient, removed_at__isnull=True)
        .select_related("clearance", "reviewed_by")
        .order_by("-uploaded_at", "-id")
    )


def _reads(user: User, patient_id: uuid.UUID) -> bool:
    if user.role == Role.PATIENT:
        return bool(user.pk == patient_id)
    return user.role == Role.PSYCHIATRIST and patients_visible_to(user).filter(pk=patient_id).exists()


def document_visible_to(user: User, document_id: uuid.UUID) -> PatientDocument:
    """One document with its file. NotVisible for everybody else, and for what was removed."""
    found = (
        PatientDocument.objects.filter(pk=document_id, removed_at__isnull=True)
        .select_related("file", "patient__user")
        .first()
    )
    if found is None or not _reads(user, found.patient_id):
        raise NotVisible("There is no such page.")
    return found


def clearance_visible_to(user: User, clearance_id: uuid.UUID) -> ClearanceRequest:
    """One question to a specialist, for the patient and the psychiatrists who treat them."""
    found = (
        ClearanceRequest.objects.filter(pk=clearance_id).select_related("patient__user", "asked_by").first()
    )
    if found is None or not _reads(user, found.patient_id):
        raise NotVisible("There is no such page.")
    return found


def clearances_of(patient: Patient) -> list[ClearanceRequest]:
    """Every question to a specialist about this person, newest first."""
    return list(
        ClearanceRequest.objects.filter(patient=patient)
        .select_related("asked_by")
        .order_by("-asked_at", "-id")
    )


def open_clearances(patient: Patient | uuid.UUID) -> QuerySet[ClearanceRequest]:
    """Questions whose answer is awaited."""
    return ClearanceRequest.objects.filter(
        patient=patient, answered_at__isnull=True, cancelled_at__isnull=True
    ).order_by("due_on", "id")


def is_overdue(clearance: Any, at: datetime) -> bool:
    """Whether the day by which the answer was asked for is over where the patient lives."""
    return bool(clearance.is_open and clearance.due_on < local_date(at, clearance.patient.user.time_zone))
