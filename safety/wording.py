"""The sentences people read about safety: for patients kind and plain, for staff short."""

from collections.abc import Iterable

from common.wording import lasted

DISPOSITION_WORDS = {
    "contacted_safe": "Spoke with the person: safe now",
    "contacted_plan_made": "Spoke with the person: safety plan made or renewed",
    "emergency_services": "Emergency services called",
    "sent_to_urgent_care": "Sent to urgent care or emergency department",
    "unreachable_welfare_check": "Could not be reached: welfare check asked for",
    "clinical_review_done": "Reviewed by a clinician, plan in the chart",
    "not_an_emergency": "Looked into: no emergency",
    "entered_by_mistake": "Entered by mistake, checked with the person",
    "drill": "A drill",
    "roster_filled": "Roster filled",
    "lane_restored": "Programs started again, messages and checks go on",
}

HOLD_WORDS_FOR_PATIENT = {
    "suicide_risk": "We are pausing here until a clinician has talked with you.",
    "blood_pressure": "We are pausing because of a blood pressure reading. A clinician will look at it with you.",
    "diversion": "Thank you for telling us what happened to your medicine. We are pausing until a clinician has talked it over with you.",
    "possible_misuse": "We would like to talk with you before the next parcel or session. Your psychiatrist gets in touch; you can also write to us first.",
}
HOLD_WORDS_DEFAULT = "We are pausing here. A clinician will look at it with you."

HOLD_WORDS_FOR_STAFF = {
    "suicide_risk": "Suicide risk",
    "blood_pressure": "Blood pressure",
    "emergency_symptom": "Emergency symptom",
    "prolonged_effect": "Prolonged effect",
    "psychosis_mania": "Psychosis or mania",
    "urinary_blood": "Blood in urine",
    "urinary_symptom": "Urinary symptom",
    "dose_error": "Dose error",
    "diversion": "Exposure, loss or theft",
    "pregnancy": "Pregnancy reported",
    "deterioration": "Scores got worse",
    "eligibility_reopened": "Facts changed: eligibility open again",
    "possible_misuse": "Possible misuse",
}

SEVERITY_WORDS = {1: "mild", 2: "moderate", 3: "severe", 4: "emergency"}
STORY_WORDS = {
    "alert.raised": "opened, and people were paged",
    "alert.sign_added": "the same sign again",
    "alert.worse": "a worse sign: people were paged afresh",
    "alert.escalated": "nobody had it, so more were called",
    "alert.acknowledged": "taken",
    "alert.handed_over": "handed over",
    "alert.taken_over": "taken over",
    "alert.reached": "talked with the person",
    "alert.contact_late": "nobody has talked with the person yet, so more were called",
    "alert.reopened": "open again: whoever had it is no longer here",
    "alert.closed": "closed",
}
LEVEL_WORDS = {0: "care team", 1: "first on call", 2: "second on call", 3: "everyone"}


def holds_for_patient(reason_codes: Iterable[str]) -> str:
    """Why there is a pause, in words for the person it concerns: each sentence once, the default when none has its own."""
    codes = list(reason_codes)
    told = [HOLD_WORDS_FOR_PATIENT[code] for code in codes if code in HOLD_WORDS_FOR_PATIENT]
    return " ".join(dict.fromkeys(told)) or HOLD_WORDS_DEFAULT


def hold_for_staff(reason_code: str) -> str:
    """The same in a clinician's words."""
    return HOLD_WORDS_FOR_STAFF.get(reason_code, reason_code.replace("_", " ").capitalize())


def ordinary_lane_trouble(
    messages_s: float | None, checks_s: float | None, bulk_s: float | None = None
) -> str:
    """The banner when messages, the checks for what is missing, or the bulk queue have stopped for so many seconds. Empty when
    all go on."""
    stopped = {
        "Messages": messages_s,
        "Checks for missing readings": checks_s,
        "Sweeps of plans and payments": bulk_s,
    }
    longest_s = max((s for s in stopped.values() if s is not None), default=None)
    if longest_s is None:
        return ""
    names = [name for name, seconds in stopped.items() if seconds is not None]
    what = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names).capitalize()
    still = f"{what} have stood still for {lasted(longest_s)}. "
    if messages_s is None and checks_s is None:
        return still + "Tell an administrator."
    return still + "Watch the times of running sessions yourself, and tell an administrator."


def lane_trouble(seconds: float | None, late_pages: int) -> str:
    """The red banner: nobody is sending pages, or pages are waiting. Empty when all is well."""
    if seconds is None:
        return "Pages are not being sent: no pager is running. Watch the alert list and call the person on call yourself."
    if seconds > 0:
        return f"Pages have not been sent for {lasted(seconds)}. Watch the alert list and call the person on call yourself."
    if late_pages:
        what = "One page is" if late_pages == 1 else f"{late_pages} pages are"
        return f"{what} waiting to be sent. Watch the alert list and call the person on call yourself."
    return ""


SIGN_WORDS = {
    "phq9": "PHQ-9 item 9",
    "gad7": "GAD-7",
    "suicide_risk": "suicide-risk questions",
    "check_in": "check-in",
    "message_needs_triage": "words of a message",
    "sitter_check_missed": "a look of the sitter is missing",
    "message_in_session": "a message out of a session",
    "text_in_session": "a text out of a session",
    "number_shared": "several people have this number: ask who wrote",
    "text_needs_triage": "words of a text to our number",
    "sounds_like": "words that sound like",
    "implausible_twice": "an implausible reading, twice",
    "speaks_of_dying": "the sitter heard them speak of dying or of harming themselves",
    "daily_check_ins": "daily check-ins missed",
    "sessions_late_or_alone": "sessions again late or without a sitter",
}


def sign_words(code: str) -> str:
    """A sign of an alert as the care team reads it: "PHQ-9 item 9: 1" for phq9:1."""
    name, colon, value = code.partition(":")
    words = SIGN_WORDS.get(name, name.replace("_", " "))
    return f"{words}: {value.replace('_', ' ')}" if colon else words
