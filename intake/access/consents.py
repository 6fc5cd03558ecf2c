"""What somebody signed, what of it is in force, and what must be signed again."""

import uuid
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, QuerySet, Subquery
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce

from accounts.access import patients_visible_to
from accounts.models import Patient, Role, User
from common import clock
from common.errors import NotVisible
from common.models import ProtocolVersion
from intake import states
from intake.models import Consent, ConsentWithdrawal, Intake
from intake.rules.documents import DOCUMENTS, Document, document, shipped_version, state_has_text


def _protocols_in_force(at: datetime) -> QuerySet[ProtocolVersion]:
    return ProtocolVersion.objects.filter(state="approved", effective_from__lte=at).order_by(
        "-effective_from", "-approved_at"
    )


def _named_version() -> KeyTextTransform:
    return KeyTextTransform("version", KeyTextTransform("consent", "data"))


def text_version(at: datetime) -> str:
    """The version of the texts that the protocol in force names; the shipped one where none does."""
    named = _protocols_in_force(at).annotate(named=_named_version()).values_list("named", flat=True).first()
    return named or shipped_version()


def texts_for(patient: Patient, at: datetime) -> list[Document]:
    """What this person is asked to sign where they are; empty where there is no text for that state, or no state."""
    if not state_has_text(patient.state):
        return []
    version = text_version(at)
    return [document(name, patient.state, version) for name in DOCUMENTS]


def signatures_of(patient: Patient) -> list[Consent]:
    """Every signature, newest first, with the text signed."""
    return list(Consent.objects.filter(patient=patient).select_related("text").order_by("-signed_at"))


def _withdrawals() -> Coalesce:
    """How often the signature's own patient has withdrawn, for a query over signatures."""
    counted = (
        ConsentWithdrawal.objects.filter(patient=OuterRef("patient"))
        .order_by()
        .values("patient")
        .annotate(n=Count("pk"))
        .values("n")
    )
    return Coalesce(Subquery(counted), 0)


def signed_now(patient: Patient, at: datetime | None = None) -> frozenset[str]:
    """The documents signed in the wording in force, for the state this person is in, and not withdrawn since. One query."""
    if not state_has_text(patient.state):
        return frozenset()
    at = at or clock.now()
    rows = (
        Consent.objects.filter(patient=patient, care_state=patient.state)
        .annotate(
            withdrawals=_withdrawals(),
            named=Subquery(_protocols_in_force(at).annotate(named=_named_version()).values("named")[:1]),
        )
        .filter(withdrawals_before=F("withdrawals"))
        .values_list("document", "sha256", "named")
    )
    return frozenset(
        name for name, digest, named in rows if _digest(name, patient.state, named or "") == digest
    )


def _digest(name: str, state: str, version: str) -> str:
    try:
        return document(name, state, version).sha256
    except KeyError:
        # A version whose texts this code does not carry: nothing signed can be in force under it.
        return ""


def consent_current(patient: Patient, at: datetime) -> bool:
    """Whether every document is signed in the wording in force (gate G2). A new wording or state asks again."""
    return signed_now(patient, at) == frozenset(DOCUMENTS)


def withdrawals_of(patient: Patient) -> list[ConsentWithdrawal]:
    """Every time this person withdrew, newest first."""
    return list(ConsentWithdrawal.objects.filter(patient=patient).order_by("-withdrawn_at"))


def withdrawn_since_signing(patient: Patient) -> ConsentWithdrawal | None:
    """The newest withdrawal, if nothing was signed after it; None for somebody whose consent stands or was never given."""
    newest = withdrawals_of(patient)
    if not newest:
        return None
    again = Consent.objects.filter(patient=patient, withdrawals_before=len(newest)).exists()
    return None if again else newest[0]


def withdrawn_at(patient: Patient) -> Subquery:
    """The same as an instant, to be asked within another query."""
    mine = ConsentWithdrawal.objects.filter(patient=patient)
    counted = mine.order_by().values("patient").annotate(n=Count("pk")).values("n")
    again = Consent.objects.filter(patient=patient, withdrawals_before=Subquery(counted))
    return Subquery(mine.filter(~Exists(again)).order_by("-withdrawn_at").values("withdrawn_at")[:1])


def signature_visible_to(user: User, consent_id: uuid.UUID) -> Consent:
    """One signature with its text, for the person who gave it and the psychiatrists who treat them. NotVisible for others."""
    found = (
        Consent.objects.filter(pk=consent_id).select_related("text", "patient__user").first()
        if user.role in (Role.PATIENT, Role.PSYCHIATRIST)
        else None
    )
    if found is None or not _may_read(user, found.patient_id):
        raise NotVisible("There is no such page.")
    return found


def _may_read(user: Any, patient_id: uuid.UUID) -> bool:
    if user.role == Role.PATIENT:
        return bool(patient_id == user.pk)
    return patients_visible_to(user).filter(pk=patient_id).exists()


def patients_to_ask_again(at: datetime) -> list[Patient]:
    """People in care whose signatures are not the ones in force: three queries, however many people there are.

    In care means accepted, active, and signed at least once; whoever has withdrawn is not asked.
    """
    version = text_version(at)
    accepted = Intake.objects.filter(state=states.ACCEPTED).values("patient")
    withdrawn = dict(ConsentWithdrawal.objects.values_list("patient").annotate(n=Count("pk")))
    signed: dict[uuid.UUID, dict[str, set[str]]] = {}
    rows = Consent.objects.filter(patient__in=accepted, patient__user__is_active=True)
    for patient_id, state, digest, before in rows.values_list(
        "patient", "care_state", "sha256", "withdrawals_before"
    ).iterator():
        one = signed.setdefault(patient_id, {})
        if before == withdrawn.get(patient_id, 0):
            one.setdefault(state, set()).add(digest)
    people = (
        Patient.objects.filter(pk__in=accepted, user__is_active=True).select_related("user").order_by("pk")
    )
    return [
        patient
        for patient in people.iterator()
        if signed.get(patient.pk)
        and not {_digest(name, patient.state, version) for name in DOCUMENTS}
        <= signed[patient.pk].get(patient.state, set())
    ]
