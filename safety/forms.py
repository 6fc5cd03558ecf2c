"""Reading what people type about alerts and holds."""

from django import forms

from common.note_fields import note_field
from safety.states import DISPOSITIONS, PRACTICE_DISPOSITIONS
from safety.wording import DISPOSITION_WORDS


class TakeForm(forms.Form):
    """Which state of an alert its page showed to whoever takes it."""

    signs_seen = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)


class CloseForm(forms.Form):
    """What came of an alert."""

    disposition = forms.ChoiceField(
        label="What came of it",
        choices=[("", "Choose one"), *((code, DISPOSITION_WORDS[code]) for code in DISPOSITIONS)],
        error_messages={"required": "Choose what came of it."},
    )
    signs_seen = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)
    note = forms.CharField(
        label="Note",
        help_text="What was said and agreed, and who does what next.",
        min_length=3,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 4}),
        error_messages={
            "required": "Write what was done, in a sentence.",
            "min_length": "Write what was done, in a sentence.",
        },
    )

    def about_a_person(self) -> None:
        """Offer nothing that can only come of the practice's own alerts."""
        offered = [("", "Choose one"), *DISPOSITION_WORDS.items()]
        kept = [(code, words) for code, words in offered if code not in PRACTICE_DISPOSITIONS]
        self.fields["disposition"].choices = kept  # type: ignore[attr-defined]


class ClearHoldForm(forms.Form):
    """Why it is safe to go on."""

    note = note_field("Why it is safe to go on", max_length=4000, rows=3)
