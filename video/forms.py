"""Inviting a guest and saying that one runs late."""

from django import forms

from accounts.forms import PhoneField
from video.models import Seat
from video.rules import LATE_MINUTES

# Whoever booked an introductory call comes by its own link, never by an invitation.
GUESTS = [(value, label) for value, label in Seat.GuestKind.choices if value != Seat.GuestKind.CALLER]


class GuestForm(forms.Form):
    kind = forms.ChoiceField(label="Who is it?", choices=GUESTS, widget=forms.RadioSelect)
    name = forms.CharField(label="Name", max_length=80, help_text="As the others will read it.")
    phone = PhoneField(
        label="Mobile number, if the link should go there as a text",
        required=False,
        help_text="You can also pass the link on yourself.",
    )


class LateForm(forms.Form):
    minutes = forms.TypedChoiceField(
        label="How late?",
        coerce=int,
        choices=[(0, "On time again"), *((m, f"{m} minutes") for m in LATE_MINUTES)],
    )
