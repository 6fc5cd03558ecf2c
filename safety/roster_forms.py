"""Reading what people type about shifts, hand-overs, holidays and leave. Wall-clock times mean the zone that is chosen beside them."""

from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils import timezone

from accounts.models import Role, User
from safety.models import OnCallShift
from safety.roster_access import ON_CALL_ROLES, practice_zone

WALL_CLOCK = ["%Y-%m-%dT%H:%M"]


def people_on_call() -> Any:
    """Whoever may be put on call, for a choice."""
    return User.objects.filter(is_active=True, role__in=ON_CALL_ROLES).order_by("role", "full_name")


class ZonedForm(forms.Form):
    """A form whose times are read in one zone; a time that the clock change skips or doubles is refused."""

    zone: str

    def __init__(self, *args: Any, zone: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = zone

    def zone_of_times(self) -> str:
        """Whose clock the typed times are of."""
        return self.zone

    def full_clean(self) -> None:
        with timezone.override(ZoneInfo(self.zone_of_times())):
            super().full_clean()


class ShiftForm(ZonedForm):
    """One shift, in the zone of whoever types it, of the practice, or of the person who will hold it."""

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
        label="From", input_formats=WALL_CLOCK, error_messages={"required": "Enter when it starts."}
    )
    ends_at = forms.DateTimeField(
        label="Until", input_formats=WALL_CLOCK, error_messages={"required": "Enter when it ends."}
    )
    clock = forms.ChoiceField(label="These times are of", required=False, initial="mine")
    holiday_confirmed = forms.BooleanField(
        label="If it touches a holiday, that is meant", required=False, widget=forms.CheckboxInput
    )

    def __init__(self, *args: Any, zone: str, **kwargs: Any) -> None:
        super().__init__(*args, zone=zone, **kwargs)
        person, clock = self.fields["person"], self.fields["clock"]
        assert isinstance(person, forms.ModelChoiceField) and isinstance(clock, forms.ChoiceField)
        person.queryset = people_on_call()
        clock.choices = [
            ("mine", f"My clock ({zone})"),
            ("practice", f"The practice’s clock ({practice_zone()})"),
            ("person", "The clock of the person on call"),
        ]

    def zone_of_times(self) -> str:
        chosen = self.data.get(self.add_prefix("clock"), "mine") if self.is_bound else "mine"
        if chosen == "practice":
            return str(practice_zone())
        if chosen == "person":
            key = self.data.get(self.add_prefix("person"), "")
            person = self.fields["person"]
            assert isinstance(person, forms.ModelChoiceField)
            try:
                return str(person.clean(key).time_zone)
            except forms.ValidationError:
                pass
        return self.zone

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        data.pop("clock", None)
        return {**data, "zone": self.zone_of_times()}


class HandoverForm(ZonedForm):
    """To whom, and which part; left empty it is the whole, or what is left of it."""

    taker = forms.ModelChoiceField(
        label="Who takes it",
        queryset=User.objects.none(),
        empty_label="Choose a person",
        error_messages={"required": "Choose a person."},
    )
    starts_at = forms.DateTimeField(
        label="From",
        required=False,
        input_formats=WALL_CLOCK,
        help_text="Empty: from now, or from its start.",
    )
    ends_at = forms.DateTimeField(
        label="Until", required=False, input_formats=WALL_CLOCK, help_text="Empty: to its end."
    )
    note = forms.CharField(
        label="What they should know",
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": "3"}),
        help_text="Read on the roster page only; it is not mailed.",
    )

    def __init__(self, *args: Any, zone: str, giver: User, level: int, **kwargs: Any) -> None:
        super().__init__(*args, zone=zone, **kwargs)
        taker = self.fields["taker"]
        assert isinstance(taker, forms.ModelChoiceField)
        people = people_on_call().exclude(pk=giver.pk)
        taker.queryset = people.filter(role=Role.PSYCHIATRIST) if level == 1 else people


class HolidayForm(forms.Form):
    """One day on which the practice rests."""

    day = forms.DateField(label="Day", widget=forms.DateInput, error_messages={"required": "Enter the day."})
    name = forms.CharField(label="Name", max_length=60, error_messages={"required": "Name the holiday."})


class AwayForm(ZonedForm):
    """When somebody is not to be put on call."""

    person = forms.ModelChoiceField(
        label="Who", queryset=User.objects.none(), empty_label="Choose a person", required=False
    )
    starts_at = forms.DateTimeField(
        label="Away from", input_formats=WALL_CLOCK, error_messages={"required": "Enter when it starts."}
    )
    ends_at = forms.DateTimeField(
        label="Back from", input_formats=WALL_CLOCK, error_messages={"required": "Enter when it ends."}
    )

    def __init__(self, *args: Any, zone: str, user: User, **kwargs: Any) -> None:
        super().__init__(*args, zone=zone, **kwargs)
        self.user = user
        if user.role == Role.ADMINISTRATOR:
            person = self.fields["person"]
            assert isinstance(person, forms.ModelChoiceField)
            person.queryset, person.required = people_on_call(), True
        else:
            del self.fields["person"]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        return {**data, "person": data.get("person") or self.user}
