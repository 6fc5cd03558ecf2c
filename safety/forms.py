"""Reading what people type about alerts, holds and the roster."""

from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils import timezone

from accounts.models import Role, User
from safety.models import OnCallShift
from safety.states import DISPOSITIONS
from safety.wording import DISPOSITION_WORDS


class CloseForm(forms.Form):
    """What came of an alert."""

    disposition = forms.ChoiceField(
        label="What came of it",
        choices=[("", "Choose one"), *((code, DISPOSITION_WORDS[code]) for code in DISPOSITIONS)],
        error_messages={"required": "Choose what came of it."},
    )
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


class ClearHoldForm(forms.Form):
    """Why it is safe to go on."""

    note = forms.CharField(
        label="Why it is safe to go on",
        min_length=3,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={
            "required": "Say why it is safe to go on.",
            "min_length": "Say why it is safe to go on.",
        },
    )


class ShiftForm(forms.Form):
    """One shift, in the clock of whoever types it."""

    person = forms.ModelChoiceField(
        label="Who",
        queryset=User.objects.none(),
        empty_label="Choose a person",
        error_messages={"required": "Choose a person."},
    )
    level = forms.TypedChoiceField(
        label="Level", coerce=int, choices=OnCallShift.LEVELS, widget=forms.RadioSelect, initial=1,
        error_messages={"required": "Choose first or second on call."},
    )  # fmt: skip
    starts_at = forms.DateTimeField(
        label="From", input_formats=["%Y-%m-%dT%H:%M"], error_messages={"required": "Enter when it starts."}
    )
    ends_at = forms.DateTimeField(
        label="Until", input_formats=["%Y-%m-%dT%H:%M"], error_messages={"required": "Enter when it ends."}
    )

    def __init__(self, *args: Any, zone: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = zone
        field = self.fields["person"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = User.objects.filter(
            is_active=True, role__in=[Role.PSYCHIATRIST, Role.COACH]
        ).order_by("role", "full_name")

    def full_clean(self) -> None:
        # A wall-clock time means the zone of the person who typed it; one that the clock change skips is refused.
        with timezone.override(ZoneInfo(self.zone)):
            super().full_clean()
