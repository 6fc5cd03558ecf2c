"""What a caller without an account gives: a name, and a phone number or an e-mail address."""

from typing import Any

from django import forms

from accounts.forms import PhoneField

# The zone most people of a state live in; everybody can choose another one on the page.
_ZONES = {
    "America/New_York": "CT DE DC FL GA IN KY ME MD MA MI NH NJ NY NC OH PA RI SC VT VA WV AA AE",
    "America/Chicago": "AL AR IL IA KS LA MN MS MO NE ND OK SD TN TX WI",
    "America/Denver": "CO ID MT NM UT WY",
    "America/Phoenix": "AZ",
    "America/Los_Angeles": "CA NV OR WA AP",
    "America/Anchorage": "AK",
    "Pacific/Honolulu": "HI AS",
    "America/Puerto_Rico": "PR VI",
    "Pacific/Guam": "GU MP FM MH PW",
}
_ZONE_OF = {state: zone for zone, states in _ZONES.items() for state in states.split()}


def zone_of_state(state: str) -> str:
    """The zone a visitor's times are first shown in."""
    return _ZONE_OF.get(state, "America/New_York")


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
