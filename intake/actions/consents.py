"""Signatures: the text exactly as read, its hash, the name, the time. And the right to take them back."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.models import CareTeam, Patient, Role, User
from common import audit, hooks
from common.errors import Conflict, Invalid, NotPermitted, StaleVersion
from intake import access
from intake.models import Consent, ConsentText, ConsentWithdrawal
from intake.rules.documents import Document
from notify.actions import promise
from safety.access import owner_for
from safety.actions import open_task


def sign_consent(
    patient: Patient,
    document: Document,
    *,
    sha256: str,
    signed_name: str,
    acknowledged: Iterable[str],
    by: Any,
    at: datetime,
    device: str = "",
    method: str = "typed-name",
) -> Consent:
    """Keep a signature under the text that was on the page. Signing the same text twice is one signature.

    Raises StaleVersion when the text changed while it was read or is not the one for this person's state, Invalid when a
    point was not ticked.
    """
    if sha256 != document.sha256:
        raise StaleVersion("The text was renewed while you were reading. Please read it again, then sign.")
    ticked = set(acknowledged)
    if missing := [code for code in document.acknowledge if code not in ticked]:
        raise Invalid(
            "To sign, please tick every point.", fields=dict.fromkeys(missing, "Please read and tick this.")
        )
    if not signed_name.strip():
        raise Invalid("To sign, type your full name.", fields={"signed_name": "Type your full name."})
    with transaction.atomic():
        # A withdrawal takes the same lock, so a signature is before it or after it, never beside it.
        patient = Patient.objects.select_for_update().get(pk=patient.pk)
        if document.state != patient.state:
            raise StaleVersion(
                "You moved to another state meanwhile. Please read the text for where you are now."
            )
        ConsentText.objects.bulk_create(
            [
                ConsentText(
                    document=document.document,
                    version=document.version,
                    care_state=document.state,
                    sha256=document.sha256,
                    body=document.body,
                    first_seen_at=at,
                )
            ],
            ignore_conflicts=True,
        )
        text = ConsentText.objects.get(sha256=document.sha256)
        wanted = Consent(
            patient=patient,
            document=document.document,
            version=document.version,
            sha256=document.sha256,
            text=text,
            care_state=patient.state,
            signed_name=signed_name.strip(),
            acknowledged=sorted(ticked & set(document.acknowledge)),
            signed_at=at,
            method=method,
            device=device,
            withdrawals_before=ConsentWithdrawal.objects.filter(patient=patient).count(),
        )
        Consent.objects.bulk_create([wanted], ignore_conflicts=True)
        signed = Consent.objects.get(
            patient=patient, sha256=document.sha256, care_state=patient.state,
            withdrawals_before=wanted.withdrawals_before,
        )  # fmt: skip
        if signed.pk == wanted.pk:
            audit.record(
                "consent.signed",
                by=by,
                at=at,
                about=signed,
                patient_id=patient.pk,
                detail={
                    "document": document.document,
                    "version": document.version,
                    "state": document.state,
                    "sha256": document.sha256,
                },
            )
    return signed


def withdraw_consent(
    patient: Patient, *, what: str, by: User, at: datetime, note: str = ""
) -> ConsentWithdrawal:
    """The right to stop: from this moment no signature is in force, an open course ends, and the care team is told.

    Only the patient can, and only what stands can be withdrawn: Conflict otherwise. Hook `consent.withdrawn` carries the course
    and what else hangs on it, in the same transaction.
    """
    if by.role != Role.PATIENT or by.pk != patient.pk:
        raise NotPermitted("Only the person who signed can withdraw.")
    if what not in ConsentWithdrawal.What.values:
        raise Invalid("Choose what you wish to stop.", fields={"what": "Choose one of the two."})
    with transaction.atomic():
        patient = Patient.objects.select_for_update(of=("self",)).select_related("user").get(pk=patient.pk)
        before = ConsentWithdrawal.objects.filter(patient=patient).count()
        if not Consent.objects.filter(patient=patient, withdrawals_before=before).exists():
            raise Conflict(
                "There is nothing to withdraw: no signature of yours is in force.", code="nothing_signed"
            )
        found = ConsentWithdrawal.objects.create(
            patient=patient, what=what, note=note.strip(), by=by, withdrawn_at=at
        )
        audit.record(
            "consent.withdrawn", by=by, at=at, about=found, patient_id=patient.pk, detail={"what": what}
        )
        hooks.run("consent.withdrawn", patient=patient, withdrawal=found, by=by, at=at)
        _tell_the_team(patient, found, at=at)
    return found


def _tell_the_team(patient: Patient, withdrawal: ConsentWithdrawal, *, at: datetime) -> None:
    """A task with a name and a time for the psychiatrist, a note to the coach, a receipt to the person."""
    owner = owner_for(role=Role.PSYCHIATRIST, patient=patient, at=at)
    open_task(
        kind="consent_withdrawn", owner=owner, patient=patient,
        about_type="intake.consentwithdrawal", about_id=withdrawal.pk, by="system:consent", at=at,
    )  # fmt: skip
    team = CareTeam.objects.filter(patient=patient).select_related("psychiatrist", "coach").first()
    people = {owner, *(one for one in (team.psychiatrist, team.coach) if one)} if team else {owner}
    for person in people:
        promise(
            "care_team_news", to=person, channel="email", due_at=at, at=at, about=withdrawal, patient=patient,
            dedupe_key=f"care_team_news:{withdrawal.pk}:{person.pk}",
        )  # fmt: skip
    promise(
        "consent_stopped", to=patient.user, channel="email", due_at=at, at=at, about=withdrawal, patient=patient,
        dedupe_key=f"consent_stopped:{withdrawal.pk}",
    )  # fmt: skip


def ask_for_new_signatures(*, at: datetime) -> int:
    """Ask everybody in care whose wording or state is new to read and sign, once for each wording and state. Answers how many."""
    version = access.text_version(at)
    asked = 0
    for patient in access.patients_to_ask_again(at):
        rounds = len(access.withdrawals_of(patient))
        promise(
            "consent_due", to=patient.user, channel="email", due_at=at, at=at, patient=patient,
            dedupe_key=f"consent_due:{patient.pk}:{version}:{patient.state}:{rounds}",
        )  # fmt: skip
        asked += 1
    return asked
