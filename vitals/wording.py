"""The sentence a person reads for each reason about pressure, pulse and oxygen. Patients get kind ones, staff exact ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vitals.rules import (
    Band,
    EarlyReadingReason,
    HoldReason,
    PostDoseFlag,
    ProgrammeHoldReason,
    ReleaseReason,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class Words:
    """One reason, said to the patient (and sitter) and to staff."""

    patient: str
    staff: str


VERDICT: Mapping[Verdict, Words] = {
    Verdict.GO: Words("Your readings are in range.", "Vital signs in range."),
    Verdict.HOLD: Words("Let's wait a little before going on.", "Hold: dose locked."),
    Verdict.NO_DOSE: Words(
        "Today is not the day for your medicine. You did nothing wrong, and moving the session is free.",
        "No dose today.",
    ),
}

BAND: Mapping[Band, Words] = {
    Band.GO: Words("In range", "Go"),
    Band.CAUTION: Words("A little high", "Caution"),
    Band.HIGH: Words("High", "High"),
    Band.CRISIS: Words("Very high", "Crisis"),
    Band.LOW: Words("Low", "Low"),
    Band.IMPLAUSIBLE: Words("Not readable", "Implausible, kept as rejected"),
}

HOLD: Mapping[HoldReason, Words] = {
    HoldReason.READING_MISSING: Words(
        "We need your blood pressure first. Sit quietly for five minutes, then measure.",
        "No usable pre-dose reading.",
    ),
    HoldReason.SECOND_READING_MISSING: Words(
        "One more: please measure again after a minute or two.", "Second reading of the set missing."
    ),
    HoldReason.THIRD_READING_MISSING: Words(
        "Your two readings differ, so please measure a third time.",
        "First two readings differ too much; third missing.",
    ),
    HoldReason.READINGS_TOO_CLOSE: Words(
        "Those readings came quickly after one another. Please wait a minute and measure again.",
        "Readings of the set taken less than the minimum apart.",
    ),
    HoldReason.READING_TOO_OLD: Words(
        "Your last reading is a while ago. Please measure again.", "Pre-dose set is older than its validity."
    ),
    HoldReason.READING_IN_FUTURE: Words(
        "The clock of your device seems to be off. Please measure again.",
        "Reading time lies in the future: device clock.",
    ),
    HoldReason.BP_IMPLAUSIBLE: Words(
        "That reading doesn't look right. Check that the cuff is snug, two fingers above the elbow, and try again.",
        "Implausible values; kept as rejected, cuff help shown.",
    ),
    HoldReason.BP_CRISIS: Words(
        "Your blood pressure is very high. Sit still and measure again in five minutes. If you have chest pain, "
        "trouble breathing, a sudden bad headache, or trouble seeing or speaking, call 911 now.",
        "Crisis band: no dose, one recheck after five minutes, page on confirmation, programme hold.",
    ),
    HoldReason.BP_HIGH: Words(
        "Your blood pressure is too high for a session today. A clinician will be in touch.",
        "High band: no dose today; clinician the same day.",
    ),
    HoldReason.BP_LOW: Words(
        "Your blood pressure is low. Have some water, rest for fifteen minutes and measure again. Tell your sitter "
        "if you feel dizzy.",
        "Low band: hold, recheck after fifteen minutes; still low or dizzy means no dose and a clinician.",
    ),
    HoldReason.BP_CAUTION: Words(
        "Your blood pressure is a little high. Sit quietly for fifteen minutes and measure again.",
        "Caution band: up to two rechecks; persisting needs a clinician's release with reason and plan.",
    ),
    HoldReason.BP_OVER_ORDER: Words(
        "Your blood pressure is above the limit your psychiatrist set for you.",
        "Over the limit written in the order.",
    ),
    HoldReason.BP_CRISIS_EARLIER: Words(
        "Your blood pressure was very high earlier today, so there is no session today.",
        "A reading of this session was in the crisis band: no dose today.",
    ),
    HoldReason.BP_HIGH_EARLIER: Words(
        "Your blood pressure was high earlier. A clinician will look at it before anything else happens.",
        "High set earlier in this session: two readings below the caution level and a clinician's release needed.",
    ),
    HoldReason.PULSE_MISSING: Words("We need your pulse as well.", "No pulse with the set."),
    HoldReason.PULSE_NO_DOSE: Words(
        "Your pulse is outside the safe range for a session today. A clinician will be in touch.",
        "Pulse outside the dosing range: no dose, page.",
    ),
    HoldReason.PULSE_CAUTION: Words(
        "Your pulse is a little outside the range. Rest for fifteen minutes and measure again.",
        "Pulse in the caution range; persisting needs a clinician's release.",
    ),
    HoldReason.SPO2_MISSING: Words(
        "Please measure your oxygen with the finger clip.", "No SpO2 although shipped."
    ),
    HoldReason.SPO2_NO_DOSE: Words(
        "Your oxygen level is too low for a session today. A clinician will be in touch.",
        "SpO2 below the dosing limit: no dose, page.",
    ),
    HoldReason.SPO2_CAUTION: Words(
        "Your oxygen level is a little low. Warm your hands, rest and measure again in five minutes.",
        "SpO2 in the caution range: recheck after five minutes.",
    ),
}

POST_DOSE: Mapping[PostDoseFlag, Words] = {
    PostDoseFlag.RED_FLAG_SYMPTOM: Words(
        "Call 911 now. Your sitter stays with you. Your address and medicine list are on this screen.",
        "Red-flag symptom: 911, on call paged, programme hold.",
    ),
    PostDoseFlag.IMPLAUSIBLE: Words(
        "That reading doesn't look right. Please check the cuff and measure again.",
        "Implausible post-dose values, kept as rejected.",
    ),
    PostDoseFlag.CRISIS: Words(
        "Your blood pressure is very high. Sit up, stay with your sitter and measure again in five minutes. The person "
        "on call has been told.",
        "Severe: recheck every five minutes; not falling within fifteen means 911. Programme hold.",
    ),
    PostDoseFlag.HIGH: Words(
        "Your blood pressure is high. Please measure again in fifteen minutes. The person on call has been told.",
        "High: recheck every fifteen minutes; dose review before the next session.",
    ),
    PostDoseFlag.LOW: Words(
        "Your blood pressure is low. Lie flat, have some water, and measure again in ten minutes. If you faint, "
        "your sitter calls 911.",
        "Low: recheck after ten minutes; persistent or fainting means on call or 911.",
    ),
    PostDoseFlag.LARGE_RISE: Words(
        "Your blood pressure has risen quite a bit. Please measure again in fifteen minutes.",
        "Large rise since before the dose: clinician review before the next session.",
    ),
    PostDoseFlag.ELEVATED: Words(
        "A little high, which is usual at this point. We will measure again at two hours.",
        "Elevated, expected to pass; recheck at the two-hour reading.",
    ),
    PostDoseFlag.MISSING: Words(
        "Please take your reading now, or ask your sitter to help.",
        "Required reading overdue: the ladder runs at its minutes.",
    ),
}

RELEASE: Mapping[ReleaseReason, Words] = {
    ReleaseReason.TOO_EARLY: Words(
        "Two hours have not passed yet.", "Earlier than the minimum after the dose."
    ),
    ReleaseReason.READING_MISSING: Words(
        "A blood-pressure reading is still missing.", "Fewer than two usable post-dose readings."
    ),
    ReleaseReason.PRESSURE_HIGH: Words(
        "Your blood pressure is still high.", "Last pressure at or over the limit."
    ),
    ReleaseReason.PRESSURE_LOW: Words("Your blood pressure is still low.", "Last pressure in the low band."),
    ReleaseReason.PRESSURE_RISING: Words(
        "Your blood pressure is still going up. Please measure again in a few minutes.",
        "Last pressure higher than the one before.",
    ),
    ReleaseReason.PULSE_MISSING: Words("Please measure your pulse too.", "No pulse with the last reading."),
    ReleaseReason.PULSE_HIGH: Words("Your pulse is still fast.", "Pulse at or over the limit."),
    ReleaseReason.NOT_AWAKE: Words("You are still drowsy.", "Not recorded as awake."),
    ReleaseReason.NOT_ORIENTED: Words(
        "Your sitter has not yet confirmed that you feel clear.", "Not recorded as oriented."
    ),
    ReleaseReason.NOT_WALKING: Words(
        "You are not yet steady on your feet.", "Not recorded as walking unaided."
    ),
    ReleaseReason.VOMITING: Words("You were sick a short while ago.", "Vomiting within the window."),
    ReleaseReason.SEVERE_SYMPTOM: Words(
        "A strong symptom is still there, or the question is still open.",
        "Severe symptom present or not asked.",
    ),
    ReleaseReason.SUICIDE_QUESTION_OPEN: Words(
        "One question about how safe you feel is still open.", "Suicide question not answered."
    ),
    ReleaseReason.SUICIDE_ANSWER_POSITIVE: Words(
        "Thank you for telling us. Someone is going to talk with you first. You can call or text 988 at any time.",
        "Positive suicide answer: clinician contact before closing.",
    ),
    ReleaseReason.SITTER_NOT_SIGNED: Words("Your sitter has not signed yet.", "Sitter's signature missing."),
}

EARLY_READING: Mapping[EarlyReadingReason, str] = {
    EarlyReadingReason.NASAL: "Nasal spray",
    EarlyReadingReason.FIRST_SESSION: "First session",
    EarlyReadingReason.DOSE_INCREASED: "Higher dose than last time",
    EarlyReadingReason.OLDER_ADULT: "Age",
    EarlyReadingReason.HYPERTENSION: "Treated high blood pressure",
    EarlyReadingReason.STIMULANT_OR_MAOI: "A stimulant or an MAOI",
    EarlyReadingReason.CAUTION_RELEASED: "Released by a clinician from the caution band",
}

PROGRAMME_HOLD: Mapping[ProgrammeHoldReason, Words] = {
    ProgrammeHoldReason.HIGH_AGAIN: Words(
        "Your blood pressure was high after more than one session, so your psychiatrist will look before the next.",
        "High post-dose band in repeated sessions.",
    ),
    ProgrammeHoldReason.CRISIS: Words(
        "Your blood pressure was very high after a session, so your psychiatrist will look before the next.",
        "Crisis post-dose band.",
    ),
    ProgrammeHoldReason.SYMPTOMATIC: Words(
        "You had a worrying symptom, so your psychiatrist will look before the next session.",
        "Red-flag symptom after a dose.",
    ),
}

WHO: Mapping[str, str] = {
    "patient": "You",
    "coach": "Your coach",
    "clinician": "A clinician",
    "on_call_clinician": "The clinician on call",
    "911_and_on_call": "911 and the clinician on call",
    "coach_then_on_call": "Your coach, then the clinician on call",
}

CUFF_HELP = (
    "Sit with your back supported and both feet on the floor for five minutes. Rest your bare arm on a table, "
    "at the height of your heart. Put the cuff two fingers above the elbow. No talking, and no coffee, nicotine or "
    "exercise in the half hour before. Measure twice, one to two minutes apart."
)
