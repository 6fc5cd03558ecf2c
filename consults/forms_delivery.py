"""Forms of the kit, the photo and the practice readings."""

from typing import Any

from django import forms

from common.files import ACCEPT


def photo_field() -> forms.FileField:
    return forms.FileField(
        label="A photo of what you counted",
        required=False,
        help_text="Only your care team sees it. Where and with what it was taken is removed.",
        widget=forms.FileInput(attrs={"accept": ACCEPT["image"]}),
    )


class KitShipForm(forms.Form):
    carrier_reference = forms.CharField(
        label="Tracking number",
        required=False,
        max_length=60,
        widget=forms.TextInput(attrs={"data-width": "medium"}),
    )


class KitForm(forms.Form):
    missing = forms.MultipleChoiceField(
        label="Is anything missing or broken?",
        required=False,
        help_text="Tick nothing when everything is there and works.",
        widget=forms.CheckboxSelectMultiple,
    )
    photo = photo_field()

    def __init__(self, *args: Any, choices: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["missing"].choices = choices  # type: ignore[attr-defined]


class PracticeForm(forms.Form):
    systolic_mmhg = forms.IntegerField(
        label="Upper number", help_text="The larger one on the cuff, in mmHg.", min_value=0, max_value=999
    )
    diastolic_mmhg = forms.IntegerField(
        label="Lower number", help_text="The smaller one, in mmHg.", min_value=0, max_value=999
    )
    pulse_bpm = forms.IntegerField(
        label="Pulse", help_text="Often marked with a heart, in beats a minute.", min_value=0, max_value=999
    )


class GiveUpForm(forms.Form):
    why = forms.CharField(
        label="What is known of it", max_length=500, widget=forms.Textarea(attrs={"rows": 3})
    )
