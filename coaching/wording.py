"""The words for kinds of check-in, side effects and what follows."""

KIND_FOR_STAFF = {
    "prep": "Preparation call",
    "pre_session": "Set-up call before the session",
    "post_session": "Closing call after the session",
    "integration": "Integration call",
    "daily": "Daily check-in",
    "extra": "Extra check-in",
}
KIND_FOR_PATIENT = {
    "prep": "Preparation call with your coach",
    "pre_session": "Your coach helps you set up",
    "post_session": "Your coach closes the session with you",
    "integration": "Talk it through with your coach",
    "daily": "Daily check-in",
    "extra": "Extra check-in",
}
MINUTES = {"prep": 30, "pre_session": 30, "post_session": 30, "integration": 30, "daily": 1, "extra": 1}

SIDE_EFFECTS = {
    "chest_pain": "Chest pain or pressure",
    "breathing_or_swelling": "Hard to breathe, or swelling of face, lips or throat",
    "nausea": "Feeling sick",
    "vomiting": "Being sick once or twice",
    "vomiting_cannot_keep_water": "Being sick more than three times, or cannot keep water down",
    "headache": "Headache",
    "dizziness": "Dizziness, a fall or a knock",
    "fainting": "Fainting",
    "drowsiness": "Very sleepy",
    "confusion": "Still confused, or things still feel unreal",
    "seeing_or_hearing_things": "Seeing or hearing things, very restless, or no need of sleep",
    "low_mood": "Lower mood than before",
    "poor_sleep": "Slept badly",
    "throat_or_swallowing": "Sore throat, cough, or hard to swallow",
    "burning_urine": "Burning when passing water, or going much more often",
    "blood_in_urine": "Blood in your urine",
}

# What a patient reads when an answer set something off: no blame, what happens, by when.
AFTER_TRIGGER = {
    "X01": "Chest pain, trouble breathing or swelling can be dangerous: call 911 now and do not drive yourself. We have called the person on call too; they ring you.",
    "X05": "Please sip water and stay with somebody. If you cannot be woken easily or get worse, call 911. Someone from the practice will call you.",
    "X06": "Please stay with somebody you trust. Someone from the practice will call you. If you or others may be in danger, call 911.",
    "X08": "Blood in urine needs a doctor’s look today. We have told your clinician, and your next session waits until then.",
    "X09": "Thank you for telling us. We have told your clinician. Your next dose waits until they have looked into it.",
    "X10": "If you have swelling or it is hard to breathe, call 911 now. If not, your clinician will contact you within four hours.",
    "X11": "Sit or lie down and do not drive. Your coach will call you. If you hit your head, call 911 or go to an emergency room.",
    "X13": "These often pass within a day: rest, drink water in small sips, eat lightly, and do not drive while you are drowsy. Your coach looks at this on the next working day. Call us if it gets worse.",
    "X12": "Lie down with your feet up and do not stay alone. If it happens again, call 911. The clinician on call will contact you.",
}

URGENCY = {
    "overdue": ("Overdue", "pause"),
    "today": ("Due today", "info"),
    "later": ("Planned", "neutral"),
    "none": ("Nothing due", "ok"),
}

# After these the page says to call for help first.
URGENT = frozenset({"X01", "X03", "X06", "X12"})

# --- secure messages ---

# What a patient reads when words in a message asked for a look. It says what is done now, never that somebody has read it.
PROMPT = {
    "suicide_now": "You do not have to carry this alone. If you might act on thoughts of ending your life, call or text 988 or call 911 now, and stay with somebody.",
    "suicide_thoughts": "You do not have to carry this alone. If you might act on thoughts of ending your life, call or text 988 or call 911 now, and stay with somebody.",
    "emergency": "Chest pain, trouble breathing, fainting, a seizure, weakness on one side, a sudden worst headache or swelling of the face: call 911 now.",
    "exposure": "If a child, a pet or anybody else took the medicine: call Poison Control, 1-800-222-1222, day and night. If they cannot be woken or breathe badly, call 911.",
    "lost_medicine": "Please do not take a replacement from anybody. A clinician looks into the missing medicine with you.",
    "pregnancy": "Please take no more of the medicine for now. A clinician gets in touch with you today, and your course waits until you have talked.",
    "side_effect": "If it gets worse, or you are not sure, call us. If you cannot be woken easily, breathe badly or faint, somebody calls 911.",
}
FLAG_FOR_STAFF = {
    "suicide_now": "words of suicide, acute",
    "suicide_thoughts": "words of death or self-harm",
    "emergency": "words of an emergency symptom",
    "exposure": "somebody else may have taken the medicine",
    "lost_medicine": "medicine lost or stolen",
    "pregnancy": "pregnancy",
    "side_effect": "a side effect",
}
EMERGENCY_ANSWERS = {
    "now": "Yes, this is an emergency now",
    "soon": "No, but I would like to be called today",
    "no": "No, an answer as promised is fine",
}
AFTER_EMERGENCY_ANSWER = {
    "now": "Call 911 or 988 now. We have called the person on call as well.",
    "soon": "Thank you. It stands on top of the care team’s list. You can also call us at any time.",
    "no": "Thank you. A person of your care team looks at it all the same, and answers as written on the page.",
}
