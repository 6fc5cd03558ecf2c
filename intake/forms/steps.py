"""The pages of the intake that are not plain questions: medicines, blood pressure, signatures."""

from typing import Any

from django import forms

from common.number_fields import TWO_IN_ONE, WholeNumberField
from intake.rules.documents import Document


class AddMedicineForm(forms.Form):
    """One medicine as people write it."""

    name = forms.CharField(
        label="Medicine or supplement",
        max_length=200,
        help_text="Brand or plain name, as on the box. If we do not know it, a clinician reads what you typed.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": "Type the name of the medicine."},
    )
    dose_text = forms.CharField(
        label="How much, and how often",
        max_length=500,
        required=False,
        widget=forms.TextInput(attrs={"placeholder": ""}),
    )


def _shown_by_the_cuff(label: str, unit: str, example: int) -> WholeNumberField:
    # A text field: what a browser's own number field cannot read, such as “120/80”, it throws away unseen.
    return WholeNumberField(
        label=label,
        min_value=0,
        max_value=999,
        slip=TWO_IN_ONE,
        widget=forms.TextInput(
            attrs={"inputmode": "numeric", "autocomplete": "off", "data-unit": unit, "data-width": "short"}
        ),
        error_messages=dict.fromkeys(
            ("required", "invalid"), f"{label}: write this one number alone, such as {example}."
        ),
    )


class ReadingForm(forms.Form):
    """One reading as the cuff shows it. Odd values are kept by the practice as rejected, so the limits here are wide."""

    systolic_mmhg = _shown_by_the_cuff("Upper number (systolic)", "mmHg", 120)
    diastolic_mmhg = _shown_by_the_cuff("Lower number (diastolic)", "mmHg", 80)
    pulse_bpm = _shown_by_the_cuff("Pulse", "beats a minute", 70)


def _beginning(sentence: str) -> str:
    """Enough of a point to find it again in a list of what is missing."""
    words = sentence.split()
    return sentence if len(words) <= 9 else " ".join(words[:8]) + " …"


class SignForm(forms.Form):
    """Every point ticked one by one, and the full name typed."""

    def __init__(self, *args: Any, document: Document, full_name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.full_name = full_name
        self.points = list(document.acknowledge)
        for code, text in document.acknowledge.items():
            self.fields[code] = forms.BooleanField(
                label=text,
                error_messages={"required": f"To sign, please read and tick: “{_beginning(text)}”"},
            )
        self.fields["signed_name"] = forms.CharField(
            label="Type your full name to sign",
            max_length=120,
            help_text=f"As we have it: {full_name}" if full_name else "",
            widget=forms.TextInput(attrs={"autocomplete": "off"}),
            error_messages={"required": "Type your full name to sign."},
        )

    def clean_signed_name(self) -> str:
        typed = " ".join(self.cleaned_data["signed_name"].split())
        if self.full_name and typed.casefold() != " ".join(self.full_name.split()).casefold():
            raise forms.ValidationError(f"Type your name as we have it: {self.full_name}")
        return typed
