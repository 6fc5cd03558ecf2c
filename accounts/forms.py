"""Reading what people say about themselves: zones that exist, numbers that can be rung, states by their USPS code."""

import functools
from typing import Any
from zoneinfo import available_timezones

import phonenumbers
from django import forms

from accounts.models import LANGUAGES, STATES

COMMON_ZONES = (
    ("America/New_York", "Eastern (New York)"),
    ("America/Chicago", "Central (Chicago)"),
    ("America/Denver", "Mountain (Denver)"),
    ("America/Phoenix", "Arizona (Phoenix)"),
    ("America/Los_Angeles", "Pacific (Los Angeles)"),
    ("America/Anchorage", "Alaska (Anchorage)"),
    ("Pacific/Honolulu", "Hawaii (Honolulu)"),
)
REGIONS = (
    "Africa/",
    "America/",
    "Antarctica/",
    "Asia/",
    "Atlantic/",
    "Australia/",
    "Europe/",
    "Indian/",
    "Pacific/",
)
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
    """The zone somebody of that state is first shown, before they have chosen one."""
    return _ZONE_OF.get(state, "America/New_York")


STATE_NAMES = dict(
    zip(
        STATES,
        [
            "Alabama",
            "Alaska",
            "Arizona",
            "Arkansas",
            "California",
            "Colorado",
            "Connecticut",
            "Delaware",
            "District of Columbia",
            "Florida",
            "Georgia",
            "Hawaii",
            "Idaho",
            "Illinois",
            "Indiana",
            "Iowa",
            "Kansas",
            "Kentucky",
            "Louisiana",
            "Maine",
            "Maryland",
            "Massachusetts",
            "Michigan",
            "Minnesota",
            "Mississippi",
            "Missouri",
            "Montana",
            "Nebraska",
            "Nevada",
            "New Hampshire",
            "New Jersey",
            "New Mexico",
            "New York",
            "North Carolina",
            "North Dakota",
            "Ohio",
            "Oklahoma",
            "Oregon",
            "Pennsylvania",
            "Rhode Island",
            "South Carolina",
            "South Dakota",
            "Tennessee",
            "Texas",
            "Utah",
            "Vermont",
            "Virginia",
            "Washington",
            "West Virginia",
            "Wisconsin",
            "Wyoming",
        ],
        strict=True,
    )
)


@functools.cache
def zone_choices() -> list[tuple[str, Any]]:
    """The zones of the United States first, then every other place that the zone database names."""
    common = {name for name, _ in COMMON_ZONES}
    others = sorted(name for name in available_timezones() if name.startswith(REGIONS) and name not in common)
    return [
        ("United States", list(COMMON_ZONES)),
        ("Everywhere", [(name, name.replace("_", " ")) for name in others]),
    ]


class PhoneField(forms.CharField):
    """A number as people write it, kept as E.164. Without a country it is read as one of the United States."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 32)
        kwargs.setdefault(
            "widget",
            forms.TextInput(
                attrs={"type": "tel", "autocomplete": "tel", "inputmode": "tel", "data-width": "medium"}
            ),
        )
        super().__init__(**kwargs)

    def clean(self, value: Any) -> str:
        text = super().clean(value)
        if not text:
            return ""
        try:
            number = phonenumbers.parse(text, "US")
        except phonenumbers.NumberParseException:
            number = None
        if number is None or not phonenumbers.is_valid_number(number):
            raise forms.ValidationError("Write the whole number with its area code, such as (415) 555-0111.")
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


class PersonForm(forms.Form):
    """What everybody says about themself."""

    full_name = forms.CharField(
        label="Your full name", max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    phone = PhoneField(
        label="Your phone", help_text="For reminders and so that we can reach you on a session day."
    )
    time_zone = forms.ChoiceField(
        label="Your time zone",
        choices=zone_choices,
        help_text="Messages come in your daytime, and every time is shown in this zone.",
    )
    language = forms.ChoiceField(
        label="Messages in",
        choices=LANGUAGES,
        required=False,
        widget=forms.Select(attrs={"data-width": "medium"}),
        help_text="The language of our texts and mails to you. These pages are in English.",
    )


class PatientForm(PersonForm):
    """What a patient adds: where they are, and whom to call."""

    state = forms.ChoiceField(
        label="The state you are in for care",
        choices=lambda: [("", "Choose a state"), *STATE_NAMES.items()],
        help_text="Your psychiatrist must be licensed there. If you move, change it here first: we then check that care can go on.",
    )
    address = forms.CharField(
        label="The address where your sessions happen",
        max_length=300,
        widget=forms.Textarea(attrs={"rows": "3", "autocomplete": "street-address"}),
        help_text="Street, city, state and ZIP code. Parcels go here, and help would come here.",
    )
    emergency_contact_name = forms.CharField(label="Somebody to call in an emergency", max_length=120)
    emergency_contact_phone = PhoneField(label="Their phone", help_text="Not your own number.")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        own, other = data.get("phone"), data.get("emergency_contact_phone")
        if own and own == other:
            self.add_error("emergency_contact_phone", "This is your own number. Give us somebody else’s.")
        return data
