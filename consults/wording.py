"""What people read for each reason: one sentence, and what to do about it."""

from consults.rules.dosing import Hard, Soft
from consults.rules.doubt import BIRTH_DATE_DIFFERS as DIFFERS
from consults.rules.doubt import Doubt
from consults.rules.limits import Limit
from consults.rules.signing import NoteGap, OrderGap
from consults.rules.state_law import LawGap

NOTE_GAPS: dict[str, str] = {
    NoteGap.HISTORY: "Write what of the history you reviewed.",
    NoteGap.MENTAL_STATUS: "Write the mental status.",
    NoteGap.RISK: "Write your view of the risk.",
    NoteGap.PLAN: "Write the plan.",
    NoteGap.DIAGNOSIS: "Choose the diagnosis, or “neither”.",
    NoteGap.DECISION: "Say whether the programme is suitable.",
    NoteGap.DECISION_AGAINST_DIAGNOSIS: "Without a diagnosis of depression or anxiety the programme is not suitable (E08).",
    NoteGap.IDENTITY: "Confirm that you compared the person with a photo ID.",
    NoteGap.BIRTH_DATE: "Enter the date of birth as the ID shows it.",
    NoteGap.BIRTH_DATE_DIFFERS: "This date of birth differs from the one verified before. Ask an administrator.",
    NoteGap.LOCATION: "Confirm where the patient was during the visit.",
    NoteGap.NOT_LICENSED_HERE: "You hold no licence and DEA registration in that state today.",
    NoteGap.DURATION: "Enter how long the visit took, in minutes.",
    NoteGap.SHORT_WITHOUT_REASON: "The visit was shorter than the protocol asks for. Write why.",
    NoteGap.HOW_HELD: "Say how you saw the patient: by video, by phone, or in person.",
    NoteGap.NOT_HELD_YET: "The visit has not begun. A note is signed after it.",
}

ORDER_GAPS: dict[str, str] = {
    OrderGap.INTAKE_NOT_ACCEPTED: "The intake has not been accepted.",
    OrderGap.NOTE_NOT_SIGNED: "Sign the visit note first.",
    OrderGap.NOTE_NOT_SUITABLE: "The signed note says that the programme is not suitable.",
    OrderGap.RECONSULT_DUE: "One visit carries only so many sessions. Meet the patient on video again before more are ordered.",
    OrderGap.NOTE_TOO_OLD: "The signed note is too old for a new order. See the patient again.",
    OrderGap.NOTE_REOPENED: "A signed note was opened again and is not signed yet. Sign it first.",
    OrderGap.NOT_BY_VIDEO: "No recent signed note says that the patient was seen by live video or in person. A call by phone is not enough for an order.",
    OrderGap.CONSENT_NOT_CURRENT: "The patient has not signed the current consent and safety agreement (E69, E70).",
    OrderGap.ELIGIBILITY_REOPENED: "Something changed since the intake was accepted. Settle it in the chart first.",
    OrderGap.ELIGIBILITY_EXCLUDES: "The eligibility rules exclude treatment on what is known today.",
    OrderGap.IDENTITY_NOT_VERIFIED: "The patient's identity is not verified (E69). A signed visit note does that.",
    OrderGap.PDMP_NOT_CHECKED: "Record a check of the monitoring programme of the patient's state, and of the one where they were seen (E55).",
    OrderGap.PDMP_TOO_OLD: "The last check of the monitoring programme is too old. Check it again.",
    OrderGap.PDMP_DISCREPANCY: "The monitoring programme showed something to resolve first (E55).",
    OrderGap.NOT_LICENSED_HERE: "You hold no licence and DEA registration today in the patient's state, or in the one where they were seen.",
    OrderGap.STATE_RULE_UNKNOWN: "The rule of the patient's state, or of the one where they were seen, is not known. Until two administrators have entered it, nothing can be signed.",
    OrderGap.STATE_RULE_CLOSED: "The patient's state, or the one where they were seen, allows no controlled substance by telehealth.",
    OrderGap.STATE_NEEDS_IN_PERSON: "The patient's state asks for an examination in person first. Choose that basis when it took place.",
    OrderGap.AUTHORITY_LAPSED: "The authority to prescribe by telemedicine is not in force today.",
    OrderGap.AUTHORITY_INCOMPLETE: "Write what the authority to prescribe rests on, with its number.",
    OrderGap.EXAMINATION_INCOMPLETE: "Write the day of the visit in person, practice and clinician, and the place.",
    OrderGap.EXAMINATION_TO_COME: "The visit in person that the order rests on is still to come.",
    OrderGap.EVALUATOR_DIFFERS: "Somebody else saw the patient at the visit that this order rests on. Open the draft, and write why you prescribe.",
    OrderGap.SYNTHETIC_PATIENT: "This is a made-up patient of a drill and can never hold an order.",
    OrderGap.ANOTHER_ORDER_IN_FORCE: "Another order is in force. Write one that supersedes it.",
    OrderGap.DOSING_ON_HOLD: "Dosing is on hold, or an alert is open. Clear it first.",
    OrderGap.NO_SAFETY_PLAN: "Moderate suicide risk, and no safety plan is written yet. Write it together first; the patient keeps it on “Your safety plan”.",
    OrderGap.REASON_MISSING: "Write your reason for going past the points marked below.",
    OrderGap.ADDRESS_MISSING: "The patient's address is not known, and an order must carry it. Ask the patient to enter it.",
    OrderGap.PROTOCOL_CHANGED: "The protocol changed since this was written. Open the draft, look at it again, and save it.",
    OrderGap.SECOND_PERSON_MISSING: "A second psychiatrist has to look at this dose and agree before you sign.",
}

# Why something of a signed order was stopped on its way out: said to its prescriber and to whoever tried.
STOPPED: dict[str, str] = {
    OrderGap.PDMP_NOT_CHECKED: "Nobody has checked the monitoring programme of every state that counts: the one of the order, where the patient was seen, and where they live now.",
    OrderGap.PDMP_TOO_OLD: "The last check of the monitoring programme is too old. The psychiatrist checks it again.",
    OrderGap.PDMP_DISCREPANCY: "The monitoring programme showed something to resolve first (E55).",
    OrderGap.NOT_LICENSED_HERE: "The prescriber is not here any more, or holds no licence and DEA registration today where the patient lives, where they were seen and where the order was signed for.",
    OrderGap.STATE_RULE_UNKNOWN: "The rule of the patient's state is not known. Until two administrators have entered it, nothing leaves.",
    OrderGap.STATE_RULE_CLOSED: "The patient's state allows no controlled substance by telehealth.",
    OrderGap.STATE_NEEDS_IN_PERSON: "The patient's state asks for an examination in person first, and the order rests on another basis.",
    OrderGap.AUTHORITY_LAPSED: "The authority to prescribe that the order rests on is not in force today. It needs an order on another basis.",
    OrderGap.AUTHORITY_INCOMPLETE: "The order does not say what the authority to prescribe rests on.",
    OrderGap.EXAMINATION_INCOMPLETE: "The order does not say when, where and by whom the patient was examined in person.",
    OrderGap.EXAMINATION_TO_COME: "The visit in person that the order rests on is still to come.",
    OrderGap.NOTE_NOT_SUITABLE: "The newest signed note says that the programme is not suitable. The psychiatrist revokes the order.",
    OrderGap.NOTE_REOPENED: "A signed note was opened again and is not signed yet.",
    OrderGap.CONSENT_NOT_CURRENT: "The patient's consent does not stand: it was withdrawn, or its current wording is not signed.",
    OrderGap.ELIGIBILITY_REOPENED: "Something changed since the intake was accepted, and a psychiatrist has not settled it in the chart.",
    OrderGap.DOSING_ON_HOLD: "Dosing is on hold, or an alert is open.",
    OrderGap.CARE_ENDED: "The course of this order was stopped. The psychiatrist revokes the order.",
    OrderGap.ACCOUNT_CLOSED: "The patient's account is closed.",
}

HARD: dict[str, str] = {
    Hard.STRENGTH_INCOMPLETE: "The strength is not complete: every factor must be written down.",
    Hard.NOT_WHOLE_MICROGRAMS: "The dose does not come out at a whole number of micrograms.",
    Hard.UNKNOWN_FORM: "This form is not used here.",
    Hard.REFUSED_PRODUCT: "Spravato (esketamine) needs a certified site and cannot be ordered here.",
    Hard.UNDER_AGE: "The patient is under the minimum age.",
    Hard.AGE_UNKNOWN: "The date of birth is not known.",
    Hard.UNDER_WEIGHT: "The patient is under the minimum weight.",
    Hard.WEIGHT_UNKNOWN: "The weight is not known.",
    Hard.ABOVE_MAXIMUM: "The dose is above the protocol's maximum.",
    Hard.ABOVE_MAXIMUM_PER_KG: "The dose is above the protocol's maximum per kilogram.",
    Hard.STRENGTH_ABOVE_MAXIMUM: "The strength is above the protocol's maximum.",
    Hard.TOO_MANY_UNITS: "More units per dose than the protocol allows.",
    Hard.SPRAY_ABOVE_MAXIMUM: "The volume of a spray is above the protocol's maximum.",
    Hard.DATES_NOT_FOUR: "Give four session dates.",
    Hard.DATES_TOO_CLOSE: "Two session dates are closer together than the protocol's minimum, or out of order.",
    Hard.DATES_TOO_EARLY: "The first session is too soon.",
    Hard.DATES_TOO_LATE: "The first session is too far away.",
    Hard.SESSIONS_NOT_COVERED: "Choose the sessions that this order is for.",
    Hard.LIMITS_LOOSER: "The blood-pressure limits may be tighter than the protocol's, never looser.",
    Hard.SESSION_OVER: "A session that this order covers has had its dose or was called off. Take it out of the order.",
}

SOFT: dict[str, str] = {
    Soft.FIRST_DOSE_HIGH: "First dose, and above the protocol's usual first dose per kilogram.",
    Soft.HIGH_PER_KG: "Above the protocol's usual dose per kilogram.",
    Soft.HIGH_DOSE: "Above the protocol's usual dose.",
    Soft.STEP_UP: "A large step up from the dose taken last.",
    Soft.LONG_INTERVAL: "Some sessions are further apart than usual.",
    Soft.MANY_SESSIONS: "Covers more sessions than are usual before a review.",
    Soft.WEIGHT_DIFFERS: "The weight differs from the one in the chart. Check both, and the unit.",
    Soft.SECOND_PERSON: "So large a first dose or step up needs a second psychiatrist who agrees.",
}

# What a patient may read when a booking cannot be made.
SLOT_TAKEN = "Somebody else took this time a moment ago. Choose another one."
IN_A_SESSION = (
    "This patient has a session at home then. Choose another time, or have the session moved first."
)
SLOT_WANTED = "Somebody is taking this time right now. Choose another one, or look again in a moment."
SLOT_GONE = "This time is no longer free. Choose another one."
HOLD_OVER = "We could hold this time for ten minutes only. Choose it again if it is still free."

# A booked visit that cannot be held as it is: for the care team, and for the patient.
DOUBT: dict[str, str] = {
    Doubt.GONE: "{clinician} is not here any more",
    Doubt.AWAY: "{clinician} is away then",
    Doubt.NOT_LICENSED: "{clinician} has no licence and DEA registration in {state} on that day",
    Doubt.STATE_CLOSED: "no consult can take place in {state} as its rule stands",
}
DOUBT_YOURS: dict[str, str] = {
    Doubt.GONE: "you hold another role now",
    Doubt.AWAY: "you are away then",
    Doubt.NOT_LICENSED: "you have no licence and DEA registration in {state} on that day",
    Doubt.STATE_CLOSED: "no consult can take place in {state} as its rule stands",
}
DOUBT_FOR_PATIENT: dict[str, str] = {
    Doubt.GONE: "The person you were to meet is not with us any more. Choose another time, or wait: we find you one.",
    Doubt.AWAY: "The person you were to meet is away then. Choose another time, or wait: we find you one.",
    Doubt.NOT_LICENSED: "Your psychiatrist may not see you in the state you live in on that day. Choose another time, or call us.",
    Doubt.STATE_CLOSED: "We cannot hold this visit in the state you live in. Call us, so that we find a way.",
}
HAS_BEGUN = "This visit has begun, so it cannot be cancelled any more. Call us if you could not come."
NOT_ACCEPTED = "This can be booked when a psychiatrist has looked at your intake and accepted it."
LIMITS: dict[str, str] = {
    Limit.AHEAD: "You have booked as many visits of this kind as we keep for one person. Move one of them, or call us.",
    Limit.CHOICES: "You have chosen many times today. Call us, and we find one with you.",
    Limit.MOVES: "This visit has moved many times already. Call us, and we find a time with you.",
}


def sentences(reasons: frozenset[str], words: dict[str, str]) -> list[str]:
    """The reasons as sentences, in the order in which the table lists them."""
    return [text for code, text in words.items() if code in reasons]


TAKER_NOT_LICENSED = "You have no licence and registration in {state} on that day. Ring them about another time, or call it off."
TAKER_BUSY = "You have something else then. Ring them about another time, or call it off."
SKIPPED_TIME = (
    "The clocks go forward on that day, and this time does not exist. Choose one before or after the change."
)
NOT_LICENSED_THERE = (
    "This psychiatrist may not see anybody in that state today. Choose another time, or call us."
)

# What a state's rule forbids, for the patient.
LAW_FOR_PATIENT: dict[str, str] = {
    LawGap.UNKNOWN: "We have not yet confirmed what your state allows, so a consult cannot be booked there. Call us: we tell you when that changes.",
    LawGap.CLOSED: "Your state does not allow this treatment by video, so a consult cannot be booked there.",
}

OFFER_OVER = "This time has gone to the next person. You keep your place for another one."
BIRTH_DATE_DIFFERS = (
    "This is not the date of birth in your record. Check the year, month and day, and try again."
)
BIRTH_DATE_CALL_US = (
    "The date of birth does not match your record. Call us, and we let you in when we know it is you."
)
# Why somebody was not let in at the door of a visit, by the code that is kept: as they read it, and as staff do.
TURNED_AWAY_FOR_PATIENT: dict[str, str] = {
    DIFFERS: BIRTH_DATE_DIFFERS,
    "not_licensed_there": NOT_LICENSED_THERE,
    **LAW_FOR_PATIENT,
}
TURNED_AWAY: dict[str, str] = {
    DIFFERS: "the date of birth they typed is not the one on file",
    "not_licensed_there": "{clinician} has no licence and DEA registration in {state}",
    LawGap.UNKNOWN: "what {state} allows is not known",
    LawGap.CLOSED: "no consult can take place in {state}",
}
AT_THE_DOOR_HERE = "they said at {time} that they were here"
AT_THE_DOOR_TURNED_AWAY = "we turned them away at {time}: {why}"

ENTRY_NEEDED = "Before each visit we ask who you are and where you are right now, so that help can find you."
