"""Signatures: the text exactly as read, its hash, the name, the time."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.models import Patient
from common import audit
from common.encryption import lookup_digest
from common.errors import Invalid, StaleVersion
from intake.models import Consent, ConsentText
from intake.rules.documents import Document


def sign_consent(
    patient: Patient,
    document: Document,
    *,
    sha256: str,
    signed_name: str,
    acknowledged: Iterable[str],
    by: Any,
    at: datetime,
    ip: str = "",
    method: str = "typed-name",
) -> Consent:
    """Keep a signature under the text that was on the page. Signing the same text twice is one signature.

    Raises StaleVersion when the text changed while it was read, Invalid when a point was not ticked.
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
        ConsentText.objects.bulk_create(
            [
                ConsentText(
                    document=document.document,
                    version=document.version,
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
            ip_digest=lookup_digest(ip) if ip else "",
        )
        Consent.objects.bulk_create([wanted], ignore_conflicts=True)
        signed = Consent.objects.get(patient=patient, sha256=document.sha256, care_state=patient.state)
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
                    "sha256": document.sha256,
                },
            )
    return signed
