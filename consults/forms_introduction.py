"""What a caller without an account gives: a name, and a phone number or an e-mail address."""

from typing import Any

from django import forms

from accounts.forms import PhoneField


class IntroductionForm(forms.Form):
    """Only what is needed to keep the appointment."""

    name = forms.CharField(
        label="What may we call you?", max_length=80, help_text="A first name is enough.",
        widget=forms.TextInput(attrs={"autocomplete": "given-name"}),
        error_messages={"required": "Please give a name, so that the psychiatrist knows whom to ask for."},
    )  # fmt: skip
    phone = PhoneField(
        label="Mobile number", required=False,
        help_text="We call you there, and text the confirmation and reminders. Reply STOP to end the texts.",
    )  # fmt: skip
    email = forms.EmailField(
        label="E-mail address", required=False, max_length=200,
        help_text="For the confirmation, a reminder, and a link if you would rather meet by video.",
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not data.get("phone") and not data.get("email") and not {"phone", "email"} & set(self.errors):
            self.add_error("phone", "Give a phone number or an e-mail address: one of the two is enough.")
        return data


class RoomForm(forms.Form):
    """The clinician's own video room."""

    meeting_url = forms.URLField(
        label="Video room", required=False, max_length=300, assume_scheme="https",
        help_text="The whole address, beginning with https://. Leave it empty when you telephone.",
    )  # fmt: skip
