"""Reading a check-in: half a minute for a patient, a little more for a coach."""

from typing import Any

from django import forms

from coaching.wording import SIDE_EFFECTS

MOODS = [(str(n), str(n)) for n in range(11)]
YES_NO = [("no", "No"), ("yes", "Yes")]


def _yes(value: str) -> bool:
    return value == "yes"


class DailyForm(forms.Form):
    """Mood, safety, effects; a sentence if one likes."""

    mood = forms.TypedChoiceField(
        label="How is your mood today?",
        help_text="0 is the worst you can imagine, 10 the best.",
        choices=MOODS,
        coerce=int,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose a number for your mood, from 0 to 10."},
    )
    suicidal_thoughts = forms.TypedChoiceField(
        label="Have you had thoughts of ending your life, or of being better off dead, since your last check-in?",
        choices=YES_NO,
        coerce=_yes,
        widget=forms.RadioSelect,
        error_messages={"required": "Please answer the question about thoughts of ending your life."},
    )
    side_effects = forms.MultipleChoiceField(
        label="Anything you have noticed?",
        help_text="Tick what you have had since your last check-in. None is fine.",
        choices=list(SIDE_EFFECTS.items()),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    note = forms.CharField(
        label="A few words",
        help_text="Your care team reads this within one working day, not at once.",
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": "3"}),
    )


class CallForm(DailyForm):
    """What a coach writes down after a call. Without contact only the note is kept."""

    reached = forms.TypedChoiceField(
        label="Did you reach the person?",
        choices=[("yes", "Yes"), ("no", "No, tried and could not")],
        coerce=_yes,
        widget=forms.RadioSelect,
        initial="yes",
    )
    mood = forms.TypedChoiceField(
        label="Mood, 0 (worst) to 10 (best)",
        choices=[("", "Not asked"), *MOODS],
        coerce=int,
        empty_value=None,
        required=False,
        widget=forms.Select(attrs={"data-width": "short"}),
        error_messages={"required": "Ask for the mood, from 0 to 10."},
    )
    suicidal_thoughts = forms.TypedChoiceField(
        label="Thoughts of ending their life since the last contact?",
        help_text="Ask in these words: “Have you had thoughts of ending your life?” A yes pages the person on call.",
        choices=YES_NO,
        coerce=_yes,
        empty_value=None,
        required=False,
        widget=forms.RadioSelect,
        error_messages={"required": "Ask about thoughts of ending their life, every time."},
    )
    side_effects = forms.MultipleChoiceField(
        label="Effects since the last contact",
        choices=list(SIDE_EFFECTS.items()),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    note = forms.CharField(
        label="Note",
        help_text="What was talked about and agreed. No instructions about medicines: those are the psychiatrist’s.",
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": "6"}),
    )
    field_order = ("reached", "mood", "suicidal_thoughts", "side_effects", "note")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Asked in every call that reached the person; only a call that did not may leave them out.
        for name in ("mood", "suicidal_thoughts"):
            self.fields[name].required = self.data.get("reached", "yes") != "no"

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("reached") is False and not data.get("note"):
            self.add_error("note", "Write how and when you tried.")
        return data
