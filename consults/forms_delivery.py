"""Forms of the kit, the photo and the practice readings."""

from typing import Any

from django import forms

from common.files import ACCEPT
from common.note_fields import note_field
from common.number_fields import TWO_IN_ONE, WholeNumberField
from consults.models import StockMove


def photo_field(label: str = "A photo of what you counted") -> forms.FileField:
    return forms.FileField(
        label=label,
        required=False,
        help_text="Only your care team sees it. Where and with what it was taken is removed.",
        widget=forms.FileInput(attrs={"accept": ACCEPT["image"]}),
    )


class TrackedForm(forms.Form):
    """Who carries a parcel, and how it can be followed."""

    carrier = forms.CharField(
        label="Carrier",
        max_length=40,
        widget=forms.TextInput(attrs={"data-width": "medium"}),
        error_messages={"required": "Write who carries it."},
    )
    carrier_reference = forms.CharField(
        label="Tracking number",
        max_length=60,
        widget=forms.TextInput(attrs={"data-width": "medium"}),
        error_messages={"required": "Write the tracking number."},
    )


class KitShipForm(TrackedForm):
    pass


class ParcelForm(TrackedForm):
    """A parcel of medicine that left."""

    field_order: tuple[str, ...] = ("lot", "count", "carrier", "carrier_reference", "adult_signature")
    lot = forms.CharField(
        label="Lot number on the label",
        max_length=40,
        error_messages={"required": "Write the lot number from the label."},
        widget=forms.TextInput(attrs={"data-width": "medium"}),
    )
    count = WholeNumberField(label="How many are in the parcel", min_value=1, max_value=500)
    adult_signature = forms.BooleanField(
        label="The carrier hands it to an adult alone, who signs",
        error_messages={"required": "Order the signature of an adult from the carrier first."},
    )


class LateParcelForm(ParcelForm):
    """A parcel of medicine that had left before its order ended, and that nobody had written down."""

    field_order = ("left_on", "lot", "count", "carrier", "carrier_reference", "adult_signature", "note")
    left_on = forms.DateField(
        label="The day it left the pharmacy",
        error_messages={"required": "Enter the day from the pharmacy or the carrier."},
    )
    note = forms.CharField(
        label="How you know that it was sent",
        max_length=500,
        error_messages={"required": "Write who told you, and where it is now."},
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class KitForm(forms.Form):
    missing = forms.MultipleChoiceField(
        label="Is anything missing or broken?",
        required=False,
        help_text="Tick nothing when everything is there and works.",
        widget=forms.CheckboxSelectMultiple,
    )
    photo = photo_field("A photo of what came")

    def __init__(self, *args: Any, choices: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["missing"].choices = choices  # type: ignore[attr-defined]


class PracticeForm(forms.Form):
    systolic_mmhg = WholeNumberField(
        label="Upper number",
        help_text="The larger one on the cuff, in mmHg.",
        min_value=0,
        max_value=999,
        slip=TWO_IN_ONE,
    )
    diastolic_mmhg = WholeNumberField(
        label="Lower number",
        help_text="The smaller one, in mmHg.",
        min_value=0,
        max_value=999,
        slip=TWO_IN_ONE,
    )
    pulse_bpm = WholeNumberField(
        label="Pulse",
        help_text="Often marked with a heart, in beats a minute.",
        min_value=0,
        max_value=999,
        slip=TWO_IN_ONE,
    )


class ArrivedForm(forms.Form):
    signed_for_by = forms.CharField(
        label="Which adult signed for it",
        max_length=120,
        help_text="As the carrier wrote it.",
        error_messages={"required": "Write the name from the carrier's record."},
    )
    adult = forms.BooleanField(
        label="By the carrier's record this person is 18 or older",
        error_messages={
            "required": "Confirm it from the carrier's record. If nobody or a minor signed, ring the patient: whoever has the parcel counts it, and it goes back; only what nobody has is given up."
        },
    )


class LookForm(forms.Form):
    """What somebody of the care team saw on a video call, in a photo's place."""

    counted = WholeNumberField(
        label="How many did you see?",
        min_value=0,
        max_value=500,
        error_messages={"required": "Count them together and enter the number."},
    )
    note = note_field(
        "How you saw them",
        such_as="on today's call she held up the bottle and counted them into her hand.",
    )


class StockCountForm(forms.Form):
    counted = WholeNumberField(
        label="How many are left?",
        min_value=0,
        max_value=500,
        help_text="Take them out, count them, lock them away again. For a spray, the number on the bottle.",
        error_messages={"required": "Count what is left and enter the number."},
    )


class StockMoveForm(forms.Form):
    kind = forms.ChoiceField(
        label="What happened to them", choices=StockMove.Kind.choices, widget=forms.RadioSelect,
        error_messages={"required": "Choose what happened."},
    )  # fmt: skip
    units = WholeNumberField(
        label="How many", min_value=1, max_value=500, error_messages={"required": "Count them."}
    )
    note = forms.CharField(
        label="What is known of it", max_length=500, widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Where it was returned, who was the witness, what became of it.",
        error_messages={"required": "Write a sentence."},
    )  # fmt: skip


class AddressForm(forms.Form):
    how = forms.CharField(
        label="How the patient confirmed it", max_length=400, widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Such as: called on the number on file, read back, yes.",
        error_messages={"required": "Say how you confirmed it."},
    )  # fmt: skip


class FoundForm(forms.Form):
    """Where a parcel was that had been given up."""

    note = note_field(
        "Where it was, and how you know",
        such_as="a neighbour had taken it in; on the telephone she read the lot number to me.",
    )


class GiveUpForm(forms.Form):
    why = forms.CharField(
        label="What is known of it", max_length=500, widget=forms.Textarea(attrs={"rows": 3})
    )
