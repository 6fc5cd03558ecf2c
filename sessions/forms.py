"""Reading what people type in the session room, on the sitter's page and on the staff page."""

from typing import Any

from django import forms

from accounts.models import STATES
from common.note_fields import note_field
from common.number_fields import TWO_IN_ONE, WholeNumberField
from sessions.actions.after import EFFECTS
from sessions.actions.watch import OTHER_FLAGS
from sessions.rules.check import QUESTIONS

YES_NO = [("yes", "Yes"), ("no", "No")]
YES_NO_UNSURE = [*YES_NO, ("unsure", "I'm not sure")]

ASKED: dict[str, tuple[str, str]] = {
    "alcohol_cannabis": (
        "Have you had any alcohol or cannabis in the last 48 hours?",
        "Even a little counts. An honest yes only moves the day.",
    ),
    "fasted": ("Have you gone four hours without food?", "Clear drinks are fine until half an hour before."),
    "holds_followed": (
        "Have you followed your psychiatrist's notes about your medicines?",
        "If there are none for you, answer yes. Never stop a medicine on your own.",
    ),
    "pregnant": ("Could you be pregnant?", ""),
    "new_medicine": ("Since we last spoke: any new medicine, or news from a doctor?", ""),
    "ill": ("Do you feel ill today?", "A fever, a cold, chest or stomach trouble."),
    "bladder": ("Any trouble passing water?", "Burning, going more often, or blood."),
    "suicidal": (
        "Have you had thoughts of ending your life or hurting yourself since we last spoke?",
        "Whatever you answer, somebody is here for you.",
    ),
    "safe_now": ("Do you feel safe right now?", ""),
    "psychosis": (
        "Have you heard or seen things that others don't, or felt that people are against you?",
        "",
    ),
}

RED_FLAGS = {
    "chest_pain": "Chest pain or pressure",
    "breathlessness": "Trouble breathing",
    "sudden_severe_headache": "A sudden, very bad headache",
    "vision_change": "Trouble seeing",
    "seizure": "A seizure",
    "fainting": "Fainting, or cannot be woken",
    "weakness_of_face_arm_or_speech": "Weak face or arm, or trouble speaking",
    "blue_lips": "Blue lips or skin",
}
OTHERS = {
    "panic": "Panic, or very frightened",
    "hearing_or_seeing_things": "Hearing or seeing things, or feeling watched, that worries you",
    "confused": "Still very confused or hard to wake, long after the music",
    "vomiting_often": "Vomiting more than three times",
    "fell": "A fall or an injury",
    "throat": "Trouble swallowing, cough or sore throat",
    "blood_in_urine": "Blood in the urine",
    "burning_urine": "Burning when passing water",
    "dizzy": "Dizzy or light-headed",
    "headache": "Headache",
    "double_vision": "Double vision",
    "sitter_gone": "Nobody is with me, or my sitter is asleep or has been drinking",
}
# What only the person who takes the medicine can say.
NOT_FOR_SITTERS = frozenset({"sitter_gone"})
EFFECT_WORDS = {
    "nausea": "Nausea",
    "headache": "Headache",
    "low_mood": "Low mood",
    "dizzy": "Dizzy",
    "seeing_things": "Seeing or hearing things",
    "no_need_for_sleep": "Full of energy without sleep",
    "blood_in_urine": "Blood in the urine",
    "burning_urine": "Burning when passing water",
    "throat": "Throat or swallowing trouble",
    "fell": "A fall",
    "fainted": "Fainted",
}
SITTER_WORDS = {
    "not_responding": "Does not respond when I speak",
    "breathing": "Breathing looks wrong",
    "colour": "Lips or skin look blue or grey",
    "speaks_of_dying": "They speak of dying, or of harming themselves",
    "distressed": "Very frightened or upset",
    "fell": "Fell or got hurt",
    "sitter_cannot_stay": "I cannot stay",
    "alcohol": "They, or I, have had alcohol or another drug",
    "leaves_or_drives": "They want to leave or drive, or already did",
    "in_water": "They are in a bath, shower or pool",
}
ATTESTATIONS = {
    "adult": "I am 18 or older",
    "sober": "I have had no alcohol or drugs today",
    "present": "I am with them, in the same place",
    "stays": "I stay until the session is closed, about two and a half hours",
    "read_card": "I have read the card above",
}
assert set(OTHERS) == set(OTHER_FLAGS)
assert set(EFFECT_WORDS) == set(EFFECTS)
assert set(ASKED) == {name for name, _, _ in QUESTIONS}


def _choice(
    label: str, choices: list[tuple[str, str]], *, hint: str = "", required: bool = True
) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label,
        help_text=hint,
        choices=choices,
        widget=forms.RadioSelect,
        required=required,
    )


def _number(label: str, hint: str, unit: str, low: int, high: int, slip: str = "") -> WholeNumberField:
    return WholeNumberField(
        label=label,
        help_text=hint,
        min_value=low,
        max_value=high,
        slip=slip,
        widget=forms.NumberInput(attrs={"data-unit": unit, "inputmode": "numeric", "autocomplete": "off"}),
        error_messages={"required": f"Type the number: {label.lower()}."},
    )


class CheckForm(forms.Form):
    """The day's questions."""

    def __init__(self, *args: Any, skip: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.skipped = skip
        for name, _, _ in QUESTIONS:
            if name not in skip:
                label, hint = ASKED[name]
                self.fields[name] = _choice(
                    label, YES_NO if name in ("safe_now", "fasted") else YES_NO_UNSURE, hint=hint
                )

    def answers(self) -> dict[str, str]:
        """Question and answer; what does not concern this person is answered for them."""
        return {
            **dict.fromkeys(self.skipped, "no"),
            **{name: self.cleaned_data[name] for name in self.fields},
        }


class PlaceForm(forms.Form):
    address = forms.CharField(
        label="Where are you right now?",
        help_text="The full address, as an ambulance would need it.",
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "street-address"}),
        max_length=300,
        error_messages={"required": "Write the address you are at."},
    )
    state = forms.ChoiceField(
        label="State you are in today", choices=[("", "Choose"), *[(s, s) for s in STATES]],
        error_messages={"required": "Choose the state you are in today."},
    )  # fmt: skip
    contact_name = forms.CharField(
        label="Emergency contact",
        max_length=120,
        error_messages={"required": "Write the name of your emergency contact."},
    )
    contact_phone = forms.CharField(
        label="Their phone", max_length=30, widget=forms.TextInput(attrs={"type": "tel", "data-width": "medium"}),
        error_messages={"required": "Write your emergency contact's phone number."},
    )  # fmt: skip


class SitterForm(forms.Form):
    name = forms.CharField(
        label="Your sitter's name", max_length=120, error_messages={"required": "Write your sitter's name."}
    )
    phone = forms.CharField(
        label="Their own phone",
        help_text="We send a link to it. It must not be your phone.",
        max_length=30,
        widget=forms.TextInput(attrs={"type": "tel", "data-width": "medium"}),
        error_messages={"required": "Write your sitter's phone number."},
    )


class ReadingForm(forms.Form):
    systolic_mmhg = _number("Upper number", "The larger one on the cuff.", "mmHg", 0, 999, TWO_IN_ONE)
    diastolic_mmhg = _number("Lower number", "The smaller one.", "mmHg", 0, 999, TWO_IN_ONE)
    pulse_bpm = _number("Pulse", "Often marked with a heart.", "beats a minute", 0, 999, TWO_IN_ONE)


class TakenForm(forms.Form):
    read_by_two = forms.BooleanField(
        label="My sitter and I have both read the label",
        error_messages={"required": "Please read the label together first."},
    )
    units_taken = _number("How many did you take?", "Count them.", "", 1, 40)


class SymptomForm(forms.Form):
    red_flags = forms.MultipleChoiceField(
        label="Any of these?",
        choices=list(RED_FLAGS.items()),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    other_flags = forms.MultipleChoiceField(
        label="Or any of these?",
        choices=list(OTHERS.items()),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    vomited = forms.BooleanField(label="Vomited in the last half hour", required=False)
    dissociation = forms.TypedChoiceField(
        label="Feeling far away or unreal", choices=[(n, str(n)) for n in range(5)], coerce=int, empty_value=None,
        widget=forms.RadioSelect, required=False, help_text="0 not at all, 4 very much",
    )  # fmt: skip
    nausea = forms.TypedChoiceField(
        label="Nausea", choices=[(n, str(n)) for n in range(5)], coerce=int, empty_value=None, widget=forms.RadioSelect,
        required=False, help_text="0 not at all, 4 very much",
    )  # fmt: skip
    sedation = forms.TypedChoiceField(
        label="Sleepiness", choices=[(n, str(n)) for n in range(5)], coerce=int, empty_value=None, widget=forms.RadioSelect,
        required=False, help_text="0 wide awake, 4 can hardly stay awake",
    )  # fmt: skip
    note = forms.CharField(
        label="In your own words", required=False, widget=forms.Textarea(attrs={"rows": 3}), max_length=4000
    )

    def __init__(self, *args: Any, by_sitter: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if by_sitter:
            others = self.fields["other_flags"]
            assert isinstance(others, forms.MultipleChoiceField)
            others.choices = [(code, words) for code, words in OTHERS.items() if code not in NOT_FOR_SITTERS]


class EndForm(forms.Form):
    """The questions at the end of the watch; the sitter helps to answer them."""

    awake = _choice("Are you awake and able to talk?", YES_NO)
    oriented = _choice("Do you know where you are, and what day it is?", YES_NO)
    walks_unaided = _choice(
        "Can you walk across the room without help?",
        YES_NO,
        hint="Stand up slowly, with your sitter beside you.",
    )
    severe_symptom = _choice("Is anything troubling you strongly?", YES_NO)
    suicidal = _choice("Any thoughts of ending your life or hurting yourself?", YES_NO)

    def answers(self) -> dict[str, bool | None]:
        return {name: self.cleaned_data[name] == "yes" for name in self.fields}


class FollowUpForm(forms.Form):
    slept = _choice("Have you slept since the session?", YES_NO)
    mood_0_10 = _number("Your mood this morning", "0 very low, 10 very good", "of 10", 0, 10)
    effects = forms.MultipleChoiceField(
        label="Anything still there?",
        choices=list(EFFECT_WORDS.items()),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    suicidal_thoughts = _choice("Any thoughts of ending your life or hurting yourself?", YES_NO)
    note = forms.CharField(
        label="In your own words", required=False, widget=forms.Textarea(attrs={"rows": 3}), max_length=4000
    )


class JournalForm(forms.Form):
    body = forms.CharField(
        label="Your words",
        help_text="Only you can read this, unless you share it.",
        widget=forms.Textarea(attrs={"rows": 8}),
        max_length=20_000,
        error_messages={"required": "Write a few words, or leave it for later."},
    )
    share = forms.BooleanField(label="Share this entry with my care team", required=False)


class MoveForm(forms.Form):
    on = forms.DateField(
        label="A new day",
        widget=forms.DateInput(attrs={"type": "date"}),
        error_messages={"required": "Choose a day."},
    )


class StopForm(forms.Form):
    reason = _choice(
        "What is it?",
        [
            ("not_today", "Today doesn't feel right"),
            ("unwell", "I feel unwell"),
            ("afraid", "I am frightened"),
            ("something_came_up", "Something came up"),
            ("rather_not_say", "I'd rather not say"),
        ],
    )


class SitterConfirmForm(forms.Form):
    attested = forms.MultipleChoiceField(
        label="Please tick each one that is true",
        choices=list(ATTESTATIONS.items()),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Please tick each one that is true."},
    )


class SitterCheckForm(forms.Form):
    well = _choice(
        "Look, listen, speak to them softly",
        [("yes", "All is well: breathing, colour, answers me"), ("no", "Something is not right")],
    )
    findings = forms.MultipleChoiceField(
        label="What do you see?",
        choices=list(SITTER_WORDS.items()),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("well") == "no" and not data.get("findings"):
            self.add_error("findings", "Please tick what you see.")
        if data.get("findings"):
            # The worse of the two counts: what was seen must not wait for the form to be tidy.
            data["well"] = "no"
            self.errors.pop("well", None)
        return data


class ReleaseForm(forms.Form):
    """A psychiatrist's words for a reading in the caution band; empty for a coach and when everything is go."""

    caution_reason = forms.CharField(
        label="Why this reading may be released",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        max_length=2000,
    )
    plan_t40 = forms.BooleanField(
        label="The sitter takes a reading at T+40 without removing the mask", required=False
    )


class ClearForm(forms.Form):
    note = note_field("Why it is safe to go on today", max_length=2000)
