"""The visit note and the PDMP check."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import TextField
from django.db.models.functions import Cast

from accounts.access import patients_visible_to
from accounts.actions import assign_care_team, verify_identity
from accounts.models import STATES, Patient, Role, User
from common import audit, hooks, protocol, states
from common.errors import Conflict, Invalid, NotPermitted, NotVisible, StaleVersion
from consults import wording
from consults.access.visits import note_facts, templates_for
from consults.access.waiting import nobody_knows_who
from consults.actions.entry import identify
from consults.actions.missed import after_a_missed_visit
from consults.models import Appointment, KeptSignature, PdmpCheck, VisitAddendum, VisitNote, VisitType
from consults.rules.signing import NoteGap, note_gaps
from consults.states import APPOINTMENT_MOVES
from notify.actions import cancel_for

BODY_FIELDS = ("history", "mental_status", "risk", "plan", "short_visit_reason")
PLAIN_FIELDS = (
    "diagnosis",
    "suitable",
    "identity_confirmed",
    "date_of_birth_seen",
    "location_confirmed",
    "location_state",
    "duration_minutes",
    "held_by",
)
WITH_NOTE = (VisitType.CONSULT, VisitType.FOLLOW_UP)


def open_note(appointment: Appointment, *, by: User, at: datetime) -> VisitNote:
    """The note of a visit; a new draft when there is none. Only the psychiatrist of the visit writes it."""
    if by.role != Role.PSYCHIATRIST or by.pk != appointment.clinician_id:
        raise NotPermitted("The psychiatrist of this visit writes its note.")
    if appointment.visit_type not in WITH_NOTE:
        raise Conflict("This kind of visit has no note.", code="no_note")
    with transaction.atomic():
        note, created = VisitNote.objects.select_related(
            "patient__user", "appointment", "protocol"
        ).get_or_create(
            appointment=appointment,
            defaults={
                "patient_id": appointment.patient_id,
                "author": by,
                "protocol": protocol.current(at=at),
                "location_state": appointment.state_of_care,
                "saved_at": at,
            },
        )
        if created:
            audit.record("note.opened", by=by, at=at, about=note, patient_id=note.patient_id)
    return note


def save_note(
    note: VisitNote, *, version: int, changes: Mapping[str, Any], by: User, at: datetime
) -> VisitNote:
    """Keep what is typed so far, complete or not. Raises StaleVersion when another page saved in between (HZ-20)."""
    if by.pk != note.author_id:
        raise NotPermitted("Only its author changes a draft.")
    with transaction.atomic():
        row = (
            VisitNote.objects.select_for_update(of=("self",))
            .select_related("patient__user", "appointment", "protocol")
            .get(pk=note.pk)
        )
        if row.signed_at is not None:
            raise Conflict("This note is signed. Add an addendum instead.", code="signed")
        if row.version != version:
            raise StaleVersion("This note was changed in another window. Reload it before you go on.")
        body = dict(row.body or {})
        for name in BODY_FIELDS:
            if name in changes:
                body[name] = str(changes[name] or "")
        for name in PLAIN_FIELDS:
            if name in changes:
                setattr(row, name, changes[name])
        if row.diagnosis == "none" and row.suitable:
            raise Invalid(
                wording.NOTE_GAPS[NoteGap.DECISION_AGAINST_DIAGNOSIS],
                fields={"suitable": "Choose “not suitable”."},
            )
        row.body, row.version, row.saved_at = body, row.version + 1, at
        row.save()
        audit.record(
            "note.saved", by=by, at=at, about=row, patient_id=row.patient_id, detail={"version": row.version}
        )
    return row


def use_template(note: VisitNote, *, code: str, by: User, at: datetime) -> VisitNote:
    """Put the prompts of a template into the parts that are still empty; what somebody wrote stays as it is."""
    found = [row for row in templates_for(note.appointment.visit_type) if row["code"] == code]
    if not found:
        raise Invalid("Choose a template.", fields={"code": "Choose one."})
    body = note.body or {}
    changes = {name: text for name, text in found[0]["body"].items() if not body.get(name, "").strip()}
    return save_note(note, version=note.version, changes=changes, by=by, at=at)


def reopen_note(note: VisitNote, *, reason: str, by: User, at: datetime) -> VisitNote:
    """Open a signed note for a correction (the view has asked for the second factor). The earlier signature and its words are kept
    first, and stay readable; until the note is signed again no order rests on it.

    Raises NotPermitted for anybody but its author, Invalid without a reason.
    """
    if by.pk != note.author_id or by.role != Role.PSYCHIATRIST:
        raise NotPermitted("Only the psychiatrist who wrote a note opens it again.")
    if len(reason.strip()) < 10:
        raise Invalid("Say what has to be corrected.", fields={"reason": "Write a sentence."})
    with transaction.atomic():
        row = (
            VisitNote.objects.select_for_update(of=("self",))
            .select_related("patient__user", "appointment", "protocol", "signed_by")
            .annotate(sealed=Cast("body", TextField()))
            .get(pk=note.pk)
        )
        if row.signed_at is None:
            raise Conflict("This note is a draft.", code="draft")
        assert row.signed_by is not None  # a check constraint
        kept = KeptSignature.objects.create(
            note=row, sealed_body=row.sealed, version=row.version, signed_at=row.signed_at, signed_by=row.signed_by,
            facts={name: _plain(getattr(row, name)) for name in PLAIN_FIELDS} | {"protocol": row.protocol.version},
            opened_at=at, opened_by=by, reason=reason.strip(),
        )  # fmt: skip
        # Only these columns: the words stay the very bytes that were signed.
        VisitNote.objects.filter(pk=row.pk).update(signed_at=None, signed_by=None, version=row.version + 1)
        audit.record(
            "note.opened_again", by=by, at=at, about=row, patient_id=row.patient_id,
            detail={"signature": str(kept.pk)},
        )  # fmt: skip
    return VisitNote.objects.select_related("patient__user", "appointment", "protocol").get(pk=row.pk)


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def sign_note(note: VisitNote, *, by: User, at: datetime) -> VisitNote:
    """Lock the note (the view has asked for the second factor). Identity is verified by it, the visit completed, and a
    decision against treatment is told to upper apps in the same transaction (`consult.not_suitable`).

    Raises Invalid naming everything that is missing.
    """
    if by.pk != note.author_id or by.role != Role.PSYCHIATRIST:
        raise NotPermitted("Only the psychiatrist who wrote a note signs it.")
    with transaction.atomic():
        row = (
            VisitNote.objects.select_for_update(of=("self",))
            .select_related("patient__user", "appointment__patient__user", "protocol")
            .get(pk=note.pk)
        )
        if row.signed_at is not None:
            return row
        if row.appointment.state == "cancelled":
            raise Conflict(
                "This visit was cancelled, so nothing can rest on its note. Write what you saw into the note of the visit that took "
                "place.",
                code="visit_cancelled",
            )
        gaps = note_gaps(note_facts(row, by=by, at=at), row.protocol.data["dosing"]["note"])
        if gaps:
            raise Invalid(
                " ".join(wording.sentences(frozenset(map(str, gaps)), wording.NOTE_GAPS)),
                code="note_incomplete",
            )
        assert row.date_of_birth_seen is not None
        if row.patient.identity_verified_at is None:
            verify_identity(row.patient, date_of_birth=row.date_of_birth_seen, by=by, at=at)
        if nobody_knows_who(row.appointment):
            identify(row.appointment, how="Compared with a photo ID, by the signed note", by=by, at=at)
        row.signed_at, row.signed_by = at, by
        row.save(update_fields=["signed_at", "signed_by"])
        if row.appointment.state in ("booked", "no_show"):
            was_missed = row.appointment.state == "no_show"
            states.move(row.appointment, "completed", moves=APPOINTMENT_MOVES, by=by, at=at)
            cancel_for(row.appointment, at=at, why="the visit is over")
            if was_missed:
                after_a_missed_visit(row.appointment, by=by, at=at)
        if row.suitable:
            assign_care_team(row.patient, psychiatrist=by, by=by, at=at)
        audit.record(
            "note.signed",
            by=by,
            at=at,
            about=row,
            patient_id=row.patient_id,
            detail={"suitable": row.suitable, "protocol": row.protocol.version},
        )
        if not row.suitable:
            hooks.run("consult.not_suitable", note=row, by=by, at=at)
    return row


def add_addendum(note: VisitNote, *, text: str, by: User, at: datetime) -> VisitAddendum:
    """Something more, under a signed note."""
    if by.role != Role.PSYCHIATRIST or not patients_visible_to(by).filter(pk=note.patient_id).exists():
        raise NotVisible("There is no such page.")
    if note.signed_at is None:
        raise Conflict("The note is still a draft. Write it there.", code="draft")
    if not text.strip():
        raise Invalid("Write the addendum first.", fields={"text": "This is empty."})
    with transaction.atomic():
        row = VisitAddendum.objects.create(note=note, text=text, written_by=by, written_at=at)
        audit.record("note.addendum", by=by, at=at, about=row, patient_id=note.patient_id)
    return row


def record_pdmp_check(
    patient: Patient, *, states: Sequence[str], finding: str, by: User, at: datetime, note: str = ""
) -> PdmpCheck:
    """A psychiatrist attests to a look at the monitoring programme of these states, now."""
    if by.role != Role.PSYCHIATRIST or not patients_visible_to(by).filter(pk=patient.pk).exists():
        raise NotVisible("There is no such page.")
    chosen = sorted({state for state in states if state in STATES})
    if not chosen:
        raise Invalid("Name the state or states you checked.", fields={"states": "Choose at least one."})
    if finding not in ("clear", "discrepancy"):
        raise Invalid("Say what you found.", fields={"finding": "Choose one."})
    if finding == "discrepancy" and not note.strip():
        raise Invalid("Write what has to be resolved.", fields={"note": "This is empty."})
    with transaction.atomic():
        row = PdmpCheck.objects.create(
            patient=patient, states=chosen, checked_at=at, checked_by=by, finding=finding, note=note
        )
        audit.record(
            "pdmp.checked",
            by=by,
            at=at,
            about=row,
            patient_id=patient.pk,
            detail={"states": chosen, "finding": finding},
        )
    return row
