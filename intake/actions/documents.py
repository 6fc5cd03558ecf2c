"""Taking in a document, replacing it, taking it back before anybody read it, and reading it with a trace."""

from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.access import patients_visible_to
from accounts.models import Patient, Role, User
from common import audit, files
from common.errors import Conflict, Invalid, NotPermitted
from intake import states
from intake.access.people import current_intake
from intake.actions.answers import identity_by_photo, identity_open_again
from intake.actions.clearance import answered
from intake.models import ClearanceRequest, Intake, PatientDocument
from notify.actions import promise
from safety.access import owner_for
from safety.actions import open_task, settle_tasks_about

# So many stand at a time: enough for a thick folder, too few to fill a disk (TM-13).
MOST_DOCUMENTS = 40
ABOUT = "intake.patientdocument"


def upload_document(
    patient: Patient,
    *,
    kind: str,
    upload: Any,
    by: User,
    at: datetime,
    clearance: ClearanceRequest | None = None,
    replaces: PatientDocument | None = None,
) -> PatientDocument:
    """Check, rewrite, encrypt and keep one file of a patient.

    A newer photo of an ID supersedes the older one; `replaces` says so of anything else. A file that answers a question to a
    specialist sends the intake back to the queue. Raises Invalid with a sentence for a file that is not taken.
    """
    if by.role != Role.PATIENT or by.pk != patient.pk:
        raise NotPermitted("Only the patient sends documents here.")
    if kind not in PatientDocument.Kind.values:
        raise Invalid("Choose what it is.", fields={"kind": "Choose what it is."})
    if (clearance is not None and clearance.patient_id != patient.pk) or (
        replaces is not None and replaces.patient_id != patient.pk
    ):
        raise Invalid("That does not belong to you.", fields={"kind": "Choose again."})
    kinds = files.IMAGES if kind == PatientDocument.Kind.ID_PHOTO else files.IMAGES_AND_PDFS
    with transaction.atomic():
        intake = _locked_intake(patient)
        Patient.objects.select_for_update().get(pk=patient.pk)
        live = PatientDocument.objects.filter(patient=patient, removed_at__isnull=True)
        if live.count() >= MOST_DOCUMENTS:
            full = (
                f"There are {MOST_DOCUMENTS} documents already. Remove one that nobody has read, or call us."
            )
            raise Invalid(full, fields={"files": full})
        stored = files.accept_upload(upload, kinds=kinds, by=by, at=at)
        before = [replaces] if replaces is not None else []
        if kind == PatientDocument.Kind.ID_PHOTO:
            before = list(live.filter(kind=kind, superseded_at__isnull=True))
        for one in before:
            # The new row comes after: until then nothing supersedes, but only one ID photo may stand.
            PatientDocument.objects.filter(pk=one.pk, superseded_at__isnull=True).update(superseded_at=at)
        found = PatientDocument.objects.create(
            patient=patient,
            kind=kind,
            clearance=clearance,
            file=stored,
            name=files.clean_name(getattr(upload, "name", "") or "", stored.media_type),
            uploaded_by=by,
            uploaded_at=at,
        )
        for one in before:
            PatientDocument.objects.filter(pk=one.pk).update(superseded_by=found)
            _settle(one, "replaced by a newer one", by="system:documents", at=at)
        audit.record(
            "document.uploaded", by=by, at=at, about=found, patient_id=patient.pk,
            detail={"kind": kind, "clearance": str(clearance.pk) if clearance else "", "replaces": len(before)},
        )  # fmt: skip
        if kind == PatientDocument.Kind.ID_PHOTO and intake is not None:
            identity_by_photo(intake, by=by, at=at)
        if clearance is not None and clearance.is_open:
            answered(clearance, by=by, at=at)
        elif intake is not None and intake.state == states.ACCEPTED:
            _ask_to_read(found, at=at)
    return found


def _locked_intake(patient: Patient) -> Intake | None:
    """The intake before the person and her papers: two requests of one patient never wait for each other in a ring."""
    intake = current_intake(patient)
    if intake is not None:
        Intake.objects.select_for_update(of=("self",)).get(pk=intake.pk)
    return intake


def _ask_to_read(document: PatientDocument, *, at: datetime) -> None:
    """Somebody in care sent a paper from home: a named psychiatrist owes it a look."""
    owner = owner_for(role=Role.PSYCHIATRIST, patient=document.patient, at=at)
    open_task(
        kind="document_to_read", owner=owner, patient=document.patient, about_type=ABOUT, about_id=document.pk,
        by="system:documents", at=at,
    )  # fmt: skip
    promise(
        "care_team_news", to=owner, channel="email", due_at=at, at=at, about=document, patient=document.patient,
        dedupe_key=f"care_team_news:{document.pk}",
    )  # fmt: skip


def _settle(document: PatientDocument, outcome: str, *, by: Any, at: datetime) -> None:
    settle_tasks_about(
        kind="document_to_read", about_type=ABOUT, about_id=document.pk, outcome=outcome, by=by, at=at
    )


def remove_document(document: PatientDocument, *, by: User, at: datetime) -> None:
    """Take a document back, bytes and all, as long as nobody has read it. Raises Conflict once a psychiatrist has."""
    if by.role != Role.PATIENT or by.pk != document.patient_id:
        raise NotPermitted("Only the patient takes a document back.")
    with transaction.atomic():
        intake = _locked_intake(document.patient)
        row = (
            PatientDocument.objects.select_for_update(of=("self",)).select_related("file").get(pk=document.pk)
        )
        if row.removed_at is not None:
            return
        if row.reviewed_at is not None:
            raise Conflict(
                "Your psychiatrist has read this document, so it stays in your record. You can send a newer one.",
                code="document_was_read",
            )
        file = row.file
        row.file, row.removed_at, row.name = None, at, ""
        row.save(update_fields=["file", "removed_at", "name"])
        if file is not None:
            files.forget(file, by=by, at=at, why="taken back by the patient before anybody read it")
        _settle(row, "taken back by the patient", by="system:documents", at=at)
        if row.kind == PatientDocument.Kind.ID_PHOTO and row.superseded_at is None and intake is not None:
            identity_open_again(intake, by=by, at=at)
        audit.record("document.removed", by=by, at=at, about=row, patient_id=row.patient_id)


def read_document(document: PatientDocument, *, by: User, at: datetime) -> None:
    """A psychiatrist opens a document: that leaves a trace, and from then on it stays (PR-12)."""
    if by.role != Role.PSYCHIATRIST or not patients_visible_to(by).filter(pk=document.patient_id).exists():
        raise NotPermitted("Only a psychiatrist who treats this person reads it.")
    with transaction.atomic():
        row = PatientDocument.objects.select_for_update(of=("self",)).get(pk=document.pk)
        if row.removed_at is not None:
            raise Conflict("The patient has taken this document back.")
        if row.reviewed_at is None:
            row.reviewed_at, row.reviewed_by = at, by
            row.save(update_fields=["reviewed_at", "reviewed_by"])
        _settle(row, "read", by=by, at=at)
        audit.record(
            "document.read", by=by, at=at, about=row, patient_id=row.patient_id, detail={"kind": row.kind}
        )
