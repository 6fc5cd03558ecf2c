"""What a text to our number asks for: the same words, and the same alerts by the same hours, as in a secure message; in a session any
text at all."""

from datetime import datetime
from typing import Any

from accounts.models import Patient, User
from coaching.message_access import asked, numbers
from coaching.rules.messages import IN_SESSION, Match, match
from common.encryption import lookup_digest
from notify.models import InboundText
from safety.access import trigger_of
from safety.actions import place_hold, raise_alert
from sessions.access import patient_beside, under_the_medicine

UNKNOWN_SENDER = "P05"
BY = "system:twilio"


def on_text(*, text: InboundText, at: datetime) -> bool:
    """Hook `text.received`: call somebody when urgent words stand in a text, or when it comes out of a session. Answers whether it did.

    A sitter's words are about whom they sit with now, whoever else has that number; a patient's own are about that patient, and
    about each where several share a telephone. From a number that nobody knows the person on call is called all the same, and
    reads the text on the alert (HZ-29: words are never the only path).
    """
    data = numbers(at=at)
    found = match(text.body, numbers=data)
    beside = patient_beside(text.from_number)
    with_number = Patient.objects.filter(user__phone=text.from_number, user__is_active=True)
    patients = [beside] if beside is not None else list(with_number.select_related("user"))
    called = False
    for patient in patients:
        called = _about(patient, text, found, data=data, shared=len(patients) > 1, at=at) or called
    if patients or not found.triggers:
        return called
    if User.objects.filter(phone=text.from_number, is_active=True).exists():
        # A colleague's own words about somebody are theirs to act on.
        return False
    raise_alert(
        patient=None, trigger=UNKNOWN_SENDER, source=text, at=at, by=BY,
        detail_codes=("text_needs_triage", *(f"sounds_like:{category}" for category in found.categories)),
        # One alert a number: somebody else's words are never one more sign of the first one's.
        episode=f"unknown_text:{lookup_digest(text.from_number)[:16]}",
    )  # fmt: skip
    return True


def _about(
    patient: Patient, text: InboundText, found: Match, *, data: dict[str, Any], shared: bool, at: datetime
) -> bool:
    """The alerts of one text about one patient, each with the hold of its row."""
    in_session = under_the_medicine(patient)
    triggers = asked(found, patient=patient, at=at, data=data).triggers
    codes = ["text_in_session" if triggers == (IN_SESSION,) else "text_needs_triage"]
    if shared:
        codes.append("number_shared")
    for trigger in triggers:
        row = trigger_of(trigger, at=at)
        alert = raise_alert(
            patient=patient,
            trigger=trigger,
            source=text,
            at=at,
            by=BY,
            detail_codes=codes,
            in_session=in_session,
        )
        if row["hold"]:
            place_hold(patient, reason_code=row["hold"], at=at, by=BY, alert=alert)
    return bool(triggers)
