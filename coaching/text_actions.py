"""What the words of a text to our number ask for: the same words, and the same alerts, as in a secure message."""

from datetime import datetime

from accounts.models import Patient, Role
from coaching.message_access import numbers
from coaching.rules.messages import match
from common.encryption import lookup_digest
from notify.models import InboundText
from safety.access import trigger_of
from safety.actions import place_hold, raise_alert
from sessions.access import active_session, patient_beside

UNKNOWN_SENDER = "P05"
BY = "system:twilio"


def on_text(*, text: InboundText, at: datetime) -> bool:
    """Hook `text.received`: call somebody when urgent words stand in a text. Answers whether it did.

    A patient's own words are about that patient, a sitter's about whom they sit with now. From a number that nobody knows the
    person on call is called all the same, and reads the text on the alert (HZ-29: words are never the only path).
    """
    found = match(text.body, numbers=numbers(at=at))
    triggers = found.triggers
    if not triggers or (text.sender is not None and text.sender.role != Role.PATIENT):
        return False
    if text.sender is not None:
        patient = Patient.objects.filter(pk=text.sender_id).first()
    else:
        patient = patient_beside(text.from_number)
    if patient is None:
        raise_alert(
            patient=None, trigger=UNKNOWN_SENDER, source=text, at=at, by=BY,
            detail_codes=("text_needs_triage", *(f"sounds_like:{category}" for category in found.categories)),
            # One alert a number: somebody else's words are never one more sign of the first one's.
            episode=f"unknown_text:{lookup_digest(text.from_number)[:16]}",
        )  # fmt: skip
        return True
    in_session = active_session(patient) is not None
    for trigger in triggers:
        row = trigger_of(trigger, at=at)
        alert = raise_alert(
            patient=patient, trigger=trigger, source=text, at=at, by=BY, detail_codes=("text_needs_triage",),
            in_session=in_session,
        )  # fmt: skip
        if row["hold"]:
            place_hold(patient, reason_code=row["hold"], at=at, by=BY, alert=alert)
    return True
