"""The sentence a person reads for each reason of the gate and of the day's questions. A hold is a pause."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sessions.rules import GateReason, PositiveAnswer
from vitals.rules import HoldReason
from vitals.wording import HOLD


@dataclass(frozen=True, slots=True)
class Words:
    """One reason, said to the patient and to staff."""

    patient: str
    staff: str


CONDITION: dict[str, str] = {
    "G1": "Patient active, identity verified, adult today",
    "G2": "Current consent signed",
    "G3": "Order signed, in force, covers this session and this state",
    "G4": "Dose is exactly the ordered dose",
    "G5": "Eligibility not re-opened",
    "G6": "Minimum interval since the last release",
    "G7": "This session, today, and no other",
    "G8": "Two fresh readings within limits",
    "G9": "Sitter confirmed on their own phone",
    "G10": "Today's questions answered, nothing open",
    "G11": "Location and emergency contact confirmed",
    "G12": "Right person, step-up fresh, no open crisis or hold, on call staffed",
    "G13": "Dose of this session decided by a psychiatrist after the session before",
    "G14": "Medicine and kit at home and counted, cuff practised on two days",
    "G15": "Questionnaires of this point answered",
    "G16": "Safety questions since the last contact looked at",
}

GATE: dict[str, Words] = {
    "patient_inactive": Words(
        "Your course is paused. Your psychiatrist will be in touch.", "Account inactive or course not active."
    ),
    "identity_unverified": Words("We still need to check your ID on video.", "Identity not verified."),
    "under_age": Words("This programme is for adults.", "Under the adult age, or no birth date."),
    "consent_missing": Words("There is a document to read and sign first.", "Current consent not signed."),
    "order_unsigned": Words("Your psychiatrist's prescription is not signed yet.", "Order not signed."),
    "order_not_in_force": Words(
        "Your prescription was changed. Your psychiatrist will be in touch.", "Order revoked or replaced."
    ),
    "order_expired": Words(
        "Your prescription has ended. Your psychiatrist can renew it.", "Order or its authority expired."
    ),
    "session_not_in_order": Words(
        "Your psychiatrist has not prescribed this session yet.", "Order does not cover this session."
    ),
    "no_doses_left": Words(
        "Your prescription has no dose left. Your psychiatrist can renew it.",
        "No doses left under this order.",
    ),
    "not_licensed_here": Words(
        "Your psychiatrist can only care for you in the state on your prescription.",
        "Location state differs from the order's, or the prescriber's licence or DEA does not cover it today.",
    ),
    "dose_differs": Words(
        "Something about the dose does not match. We are checking.", "Dose differs from the order."
    ),
    "eligibility_reopened": Words(
        "Something in your health answers changed, so your psychiatrist looks at them first.",
        "Eligibility re-opened or not accepted.",
    ),
    "too_soon": Words(
        "It is too soon after your last session. Let's find a later day.",
        "Less than the minimum interval since the last release.",
    ),
    "session_not_open": Words(
        "This session is not open.", "Session is not being prepared (not opened, released already, or over)."
    ),
    "another_session": Words(
        "Another session is still going on.", "Another session of this patient is active."
    ),
    "busy": Words(
        "Somebody is working on this session. Look again in a moment.",
        "Somebody else is releasing right now.",
    ),
    "not_today": Words("This session is on another day.", "Session is scheduled for another local day."),
    "outside_hours": Words(
        "Sessions start between 7 in the morning and 8 in the evening.", "Outside the local start hours."
    ),
    "sitter_unconfirmed": Words(
        "We are waiting for your sitter to confirm on their own phone.",
        "Sitter not confirmed, incomplete, or too long ago.",
    ),
    "check_missing": Words("Today's questions come first.", "Today's questions not answered."),
    "location_unconfirmed": Words(
        "Please confirm where you are.", "Location not confirmed for this session."
    ),
    "contact_unconfirmed": Words(
        "Please confirm your emergency contact.", "Emergency contact not confirmed for this session."
    ),
    "wrong_role": Words(
        "A member of your care team does this.", "Only the assigned coach or psychiatrist releases."
    ),
    "not_assigned": Words(
        "A member of your own care team does this.", "You are not assigned to this patient."
    ),
    "step_up_old": Words("Your care team confirms this step.", "Second factor older than five minutes."),
    "crisis_open": Words(
        "We are pausing here. A clinician will look at it with you.",
        "An alert of severity 3 or 4 is not closed.",
    ),
    "hold_open": Words(
        "We are pausing here. A clinician will look at it with you.", "A safety hold is not cleared."
    ),
    "nobody_on_call": Words(
        "We are pausing until a clinician is on call.", "Nobody on call for the whole watch."
    ),
    "claimed_time_differs": Words(
        "The clock of your cuff seems to be off. Please measure again.",
        "Claimed time differs from the time received.",
    ),
    "reading_used": Words("Please measure again.", "Reading was used for an earlier release."),
    "recheck_too_early": Words(
        "Please rest for fifteen minutes before measuring again.",
        "Recheck sooner than fifteen minutes after a set out of range.",
    ),
    "rechecks_used": Words(
        "You have measured several times now. Your psychiatrist will look at it with you.",
        "Rechecks used up: needs a psychiatrist's release.",
    ),
    "order_limit_missing": Words(
        "Something about your prescription is missing. We are checking.", "Order has no pressure limits."
    ),
    "dose_stopped": Words(
        "Your psychiatrist has decided that no further dose is given. They will talk with you about what comes next.",
        "The psychiatrist's decision is to stop.",
    ),
    "dose_not_decided": Words(
        "Your psychiatrist looks at your last session first and decides about this dose.",
        "No signed dose decision for this session since the last one ended, or since the gap after it passed 10, 14 or 28 days.",
    ),
    "decided_dose_differs": Words(
        "Something about the dose does not match. We are checking.",
        "Dose differs from the one the psychiatrist decided.",
    ),
    "medicine_not_here": Words(
        "Your medicine must have arrived and been counted first, with a photo or together on a call. Tell us if it has not.",
        "Not enough counted units at home for this dose. A parcel counts once an adult's signature and a photo, or a look on a call, are kept.",
    ),
    "kit_not_here": Words(
        "Your kit with the cuff must have arrived first. Tell us if it has not.",
        "Kit not confirmed as complete by the patient.",
    ),
    "practice_missing": Words(
        "Please take a practice reading with your cuff on two different days first.",
        "Practice readings on fewer days than the protocol asks for.",
    ),
    "scores_overdue": Words(
        "Two short questionnaires come first. You find them under Progress.",
        "Questionnaires after session 2 not answered.",
    ),
    "screen_high": Words(
        "Thank you for your answers. A clinician will talk with you first. If you are in danger, call 911; call or text 988 at any hour.",
        "Newest safety screen is high.",
    ),
    "screen_moderate": Words(
        "Thank you for your answers. Your psychiatrist will look at them with you first.",
        "Newest safety screen is moderate: needs a psychiatrist's decision signed today, after it.",
    ),
    "screen_owed": Words(
        "There are a few questions about your safety first.",
        "PHQ-9 item 9 was positive and no safety screen was answered since.",
    ),
    "refused_by_database": Words(
        "Something changed a moment ago. We are checking.", "Refused by the database's own check."
    ),
}

CHECK: dict[str, Words] = {
    PositiveAnswer.ALCOHOL_CANNABIS: Words(
        "Alcohol or cannabis in the last 48 hours means another day is safer. Moving the session is free.",
        "Alcohol or THC within 48 h.",
    ),
    PositiveAnswer.NOT_FASTED: Words(
        "Your stomach needs to be empty: four hours without food. You can answer this again later today.",
        "Not fasted.",
    ),
    PositiveAnswer.HOLDS_NOT_FOLLOWED: Words(
        "Your psychiatrist set times to pause some medicines. They will look at this with you before anything else.",
        "Prescriber's holds not followed.",
    ),
    PositiveAnswer.PREGNANT: Words(
        "Thank you for telling us. A clinician will talk with you before any dose.", "Possible pregnancy."
    ),
    PositiveAnswer.NEW_MEDICINE: Words(
        "A new medicine or diagnosis is looked at first, today if we can.", "New medicine or diagnosis."
    ),
    PositiveAnswer.ILL: Words(
        "When you are unwell, another day is better. A clinician will be in touch.", "Ill today."
    ),
    PositiveAnswer.BLADDER: Words(
        "Trouble passing water is looked at by a clinician first.", "Urinary symptoms."
    ),
    PositiveAnswer.SUICIDAL: Words(
        "Thank you for telling us. Somebody will call you today. You are not alone with this.",
        "Suicidal thoughts.",
    ),
    PositiveAnswer.NOT_SAFE: Words("Thank you for telling us. Help is here now.", "Does not feel safe."),
    PositiveAnswer.PSYCHOSIS: Words(
        "Thank you for telling us. A clinician will talk with you first.", "Possible psychotic symptoms."
    ),
    PositiveAnswer.UNANSWERED: Words("Please answer every question.", "A question is unanswered."),
}


def words_of(reason: GateReason) -> Words:
    """The two sentences of one reason."""
    if reason.condition == "G8" and reason.code in set(map(str, HoldReason)):
        found = HOLD[HoldReason(reason.code)]
        return Words(found.patient, found.staff)
    if reason.condition == "G10" and reason.code in set(map(str, PositiveAnswer)):
        return CHECK[PositiveAnswer(reason.code)]
    return GATE[reason.code]


def for_patient(reasons: Iterable[GateReason]) -> list[str]:
    """What a patient reads: each sentence once, in the order of the conditions."""
    found: list[str] = []
    for reason in sorted(reasons, key=_order):
        sentence = words_of(reason).patient
        if sentence not in found:
            found.append(sentence)
    return found


def _order(reason: GateReason) -> tuple[int, str]:
    return int(reason.condition[1:]), reason.code


def local_when(instant: datetime, zone: str, *, day_only: bool = False) -> str:
    """'Tuesday, November 24 at 10:00 am PST': an instant where the person lives."""
    local = instant.astimezone(ZoneInfo(zone))
    day = f"{local.strftime('%A, %B')} {local.day}"
    if day_only:
        return day
    return f"{day} at {local.strftime('%I:%M %p').lstrip('0').lower()} {local.tzname()}"


# Why a psychiatrist ends a course early, by the code that is kept.
STOP_REASONS = {
    "not_helping": "It does not help enough",
    "side_effects": "Side effects",
    "unsafe": "It is not safe to go on",
    "another_treatment": "Another treatment comes first",
    "patient_wish": "The patient asked me to",
    "other_reason": "Another reason, as written below",
}
