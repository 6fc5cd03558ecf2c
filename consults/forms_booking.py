"""Reading what people type when they come to a visit, wait for an earlier one, or book over one."""

from collections.abc import Sequence
from typing import Any, cast
from zoneinfo import ZoneInfo

from django import forms

from common.note_fields import note_field
from common.number_fields import WholeNumberField
from consults.forms import STATE_CHOICES, WEEKDAYS, refuse_skipped
from consults.models import CalendarSettings


class EntryForm(forms.Form):
    """Who she is and where she is right now."""

    date_of_birth = forms.DateField(
        label="Your date of birth",
        help_text="So that we know it is you.",
        error_messages={"required": "Enter your date of birth."},
    )
    state_now = forms.ChoiceField(
        label="Which state are you in right now?",
        help_text="Your psychiatrist may see you only where they are licensed.",
        choices=STATE_CHOICES,
        widget=forms.Select(attrs={"data-width": "short"}),
        error_messages={"required": "Choose the state you are in."},
    )
    at_address = forms.ChoiceField(
        label="Are you at the address we have for you?",
        help_text="In an emergency we send help there.",
        choices=[("yes", "Yes, I am there"), ("no", "No, I am somewhere else")],
        widget=forms.RadioSelect,
        error_messages={"required": "Say whether you are at that address."},
    )
    address_now = forms.CharField(
        label="The address where you are now",
        required=False,
        max_length=300,
        help_text="Only if you are somewhere else: street, number, city.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["address_now"].needed_later = True  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("at_address") == "no" and not data.get("address_now", "").strip():
            self.add_error("address_now", "Write the address where you are, so that help can find you.")
        return data


class WhoForm(forms.Form):
    how = note_field(
        "How you know who this is",
        such_as="showed a driving licence with this date of birth.",
        max_length=400,
    )


class WaitingForm(forms.Form):
    """Which days and hours would suit."""

    weekdays = forms.TypedMultipleChoiceField(
        label="Days that suit you",
        choices=list(enumerate(WEEKDAYS)),
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one day."},
    )
    from_time = forms.TimeField(label="Earliest start", error_messages={"required": "Enter a time."})
    until_time = forms.TimeField(label="Latest start", error_messages={"required": "Enter a time."})

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        first, last = data.get("from_time"), data.get("until_time")
        if first is not None and last is not None and last < first:
            self.add_error("until_time", "The latest start must not be before the earliest.")
        return data


class DoubleBookForm(forms.Form):
    """A visit at a time that may be taken."""

    visit_type = forms.ChoiceField(
        label="What",
        widget=forms.RadioSelect,
        error_messages={"required": "Choose the kind of visit."},
    )
    day = forms.DateField(label="Day", error_messages={"required": "Enter the day."})
    time = forms.TimeField(label="Start", error_messages={"required": "Enter the time."})
    reason = forms.CharField(
        label="Why over another visit",
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=1000,
        help_text="Kept with the visit and shown to whoever opens it.",
        error_messages={"required": "A double booking needs a reason."},
    )

    def __init__(self, *args: Any, zone: ZoneInfo, kinds: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = zone
        cast(forms.ChoiceField, self.fields["visit_type"]).choices = list(kinds)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        refuse_skipped(self, self.zone, day="day", time="time")
        return data


class GapForm(forms.Form):
    gap_minutes = WholeNumberField(
        label="Free minutes between two visits",
        min_value=0,
        max_value=120,
        widget=forms.NumberInput(attrs={"data-unit": "minutes"}),
        error_messages={"required": "Enter a number; 0 is none."},
    )
    consult_minutes = forms.TypedChoiceField(
        label="How long a consult takes",
        required=False,
        coerce=int,
        empty_value=None,
        choices=[("", "An hour, as the protocol has it"), (45, "45 minutes"), (30, "30 minutes")],
    )

    def __init__(self, *args: Any, role: str = "psychiatrist", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if role != "psychiatrist":
            del self.fields["consult_minutes"]


class FeedForm(forms.Form):
    shows = forms.ChoiceField(
        label="What the other calendar shows of each visit",
        choices=CalendarSettings.Shows.choices,
        widget=forms.RadioSelect,
        initial="nothing",
    )
