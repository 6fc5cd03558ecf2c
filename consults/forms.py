"""Reading what people type; what it means is decided by rules and actions."""

from collections import Counter
from collections.abc import Sequence
from datetime import time
from typing import Any
from zoneinfo import ZoneInfo

from django import forms

from accounts.models import STATES
from common.number_fields import WholeNumberField
from consults.forms_delivery import photo_field
from consults.models import Availability, Diagnosis, VisitType
from consults.rules.slots import never_occurs
from consults.wording import SKIPPED_TIME

STATE_CHOICES = [(code, code) for code in STATES]
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def needed_later(form: forms.Form, *names: str) -> None:
    """Fields that may stay empty now and that something asks for later, so the page must not call them optional."""
    for name in names:
        form.fields[name].needed_later = True  # type: ignore[attr-defined]


def refuse_skipped(form: forms.Form, zone: ZoneInfo, *, day: str, time: str) -> None:
    """A time that is skipped when the clocks go forward is said to be none, and not moved in silence."""
    on, wall = form.cleaned_data.get(day), form.cleaned_data.get(time)
    if on is not None and wall is not None and never_occurs(on, wall, zone):
        form.add_error(time, SKIPPED_TIME)


def area(rows: int = 4) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows})


class StateForm(forms.Form):
    """Where the patient is right now."""

    state_now = forms.ChoiceField(
        label="Which state are you in right now?",
        help_text="Your psychiatrist may see you only where they are licensed.",
        choices=STATE_CHOICES,
        widget=forms.Select(attrs={"data-width": "short"}),
        error_messages={"required": "Choose the state you are in."},
    )


class RoomForm(forms.Form):
    meeting_url = forms.URLField(
        label="Address of your video room",
        required=False,
        max_length=300,
        assume_scheme="https",
        help_text="Begins with https://. The patient sees it on the day of the visit. Empty: you call by phone.",
    )


class NoteForm(forms.Form):
    """A visit note. Nothing is required while it is a draft; signing says what is missing."""

    history = forms.CharField(label="History reviewed", required=False, widget=area(5), max_length=20_000)
    mental_status = forms.CharField(label="Mental status", required=False, widget=area(4), max_length=20_000)
    diagnosis = forms.ChoiceField(
        label="Diagnosis", required=False, choices=Diagnosis.choices, widget=forms.RadioSelect
    )
    risk = forms.CharField(label="Risk", required=False, widget=area(3), max_length=20_000)
    plan = forms.CharField(label="Plan", required=False, widget=area(4), max_length=20_000)
    suitable = forms.TypedChoiceField(
        label="Decision",
        required=False,
        choices=[
            ("yes", "Suitable: go on to an order"),
            ("no", "Not suitable: no order, everything paid goes back"),
        ],
        coerce=lambda value: value == "yes",
        empty_value=None,
        widget=forms.RadioSelect,
    )
    identity_confirmed = forms.BooleanField(label="I compared the person with a photo ID", required=False)
    date_of_birth_seen = forms.DateField(label="Date of birth on the ID", required=False)
    location_confirmed = forms.BooleanField(label="The patient said where they are", required=False)
    location_state = forms.ChoiceField(
        label="State",
        required=False,
        choices=[("", "Choose"), *STATE_CHOICES],
        widget=forms.Select(attrs={"data-width": "short"}),
    )
    duration_minutes = WholeNumberField(
        label="How long it took",
        required=False,
        min_value=1,
        max_value=300,
        widget=forms.NumberInput(attrs={"data-unit": "minutes"}),
    )
    held_by = forms.ChoiceField(
        label="How you saw the patient",
        required=False,
        choices=[
            ("video", "Live video with sound"),
            ("audio", "By phone, or sound alone"),
            ("in_person", "In person"),
        ],
        widget=forms.RadioSelect,
    )
    short_visit_reason = forms.CharField(
        label="Why it was shorter than the protocol asks for",
        required=False,
        widget=area(2),
        max_length=2_000,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        needed_later(self, *(name for name in self.fields if name != "short_visit_reason"))

    def values(self) -> dict[str, Any]:
        """What is kept of a draft."""
        return dict(self.cleaned_data)


class ReopenForm(forms.Form):
    reason = forms.CharField(
        label="What has to be corrected",
        widget=area(2),
        max_length=2_000,
        error_messages={"required": "Say what has to be corrected."},
    )


class AddendumForm(forms.Form):
    text = forms.CharField(
        label="Addendum",
        widget=area(3),
        max_length=20_000,
        error_messages={"required": "Write the addendum first."},
    )


class PdmpForm(forms.Form):
    states = forms.MultipleChoiceField(
        label="States checked",
        choices=STATE_CHOICES,
        widget=forms.SelectMultiple(attrs={"data-width": "medium"}),
        error_messages={"required": "Choose the state or states you checked."},
    )
    finding = forms.ChoiceField(
        label="What you found",
        choices=[
            ("clear", "Nothing that speaks against an order"),
            ("discrepancy", "Something to resolve first"),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": "Say what you found."},
    )
    note = forms.CharField(label="Note", required=False, widget=area(2), max_length=5_000)
    attested = forms.BooleanField(
        label="I looked at it myself just now",
        error_messages={"required": "Confirm that you looked at it yourself just now."},
    )


class CountForm(forms.Form):
    count = WholeNumberField(
        label="How many did you count?",
        min_value=0,
        max_value=500,
        help_text="Count tablets or troches. For a spray, the number on the bottle.",
        error_messages={"required": "Count what is inside and enter the number."},
    )
    damaged = WholeNumberField(
        label="How many of them are broken or wet?",
        required=False,
        min_value=0,
        max_value=500,
        help_text="Leave it empty when none is. Keep them apart: we replace them.",
    )
    photo = photo_field()
    no_photo = forms.BooleanField(
        label="I cannot take a photo: please look at it with me on a video call", required=False
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not data.get("photo") and not data.get("no_photo") and "photo" not in self.errors:
            self.add_error("photo", "Add a photo of what you counted, or tick the box below it.")
        return data


class HoursForm(forms.Form):
    """A week: stretches on each day, each for all kinds of visit or for some. Midnight as an end is the end of the day."""

    FEWEST = 2

    def __init__(
        self, data: Any = None, *, types: Sequence[str] = (), kept: Sequence[Availability] = ()
    ) -> None:
        self.types = list(types)
        per_day = Counter(row.weekday for row in kept)
        self.parts = range(1, max(self.FEWEST, *per_day.values(), 0) + 1)
        super().__init__(data, initial=self._values(kept))
        names = {kind: str(VisitType(kind).label) for kind in self.types}
        choices = [("", "All visits"), *[(kind, f"{name} only") for kind, name in names.items()]]
        # A mix that was set elsewhere is offered as it is, so that saving the week keeps it.
        mixes = {tuple(row.visit_types) for row in kept if self._for(row)} - {(kind,) for kind in self.types}
        choices += [
            (",".join(mix), ", ".join(names.get(kind, kind) for kind in mix)) for mix in sorted(mixes)
        ]
        for day, name in enumerate(WEEKDAYS):
            for part in self.parts:
                for end, words in (("starts", "from"), ("ends", "until")):
                    self.fields[f"d{day}_{part}_{end}"] = forms.TimeField(
                        label=f"{name} {words}", required=False
                    )
                self.fields[f"d{day}_{part}_for"] = forms.ChoiceField(
                    label=f"{name}, for", required=False, choices=choices
                )
                needed_later(self, *(f"d{day}_{part}_{end}" for end in ("starts", "ends", "for")))

    def _for(self, row: Availability) -> str:
        return "" if set(row.visit_types) >= set(self.types) else ",".join(row.visit_types)

    def _values(self, kept: Sequence[Availability]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        seen: Counter[int] = Counter()
        for row in kept:
            seen[row.weekday] += 1
            name = f"d{row.weekday}_{seen[row.weekday]}"
            values |= {f"{name}_starts": row.starts, f"{name}_ends": row.ends, f"{name}_for": self._for(row)}
        return values

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        for day, name in enumerate(WEEKDAYS):
            for part in self.parts:
                starts, ends = data.get(f"d{day}_{part}_starts"), data.get(f"d{day}_{part}_ends")
                if (starts is None) != (ends is None):
                    self.add_error(
                        f"d{day}_{part}_{'starts' if starts is None else 'ends'}",
                        f"{name}: give both times, or neither.",
                    )
                elif starts is not None and ends is not None and ends <= starts and ends != time(0):
                    self.add_error(
                        f"d{day}_{part}_ends",
                        f"{name}: the end must be after the start. For midnight write 00:00 and go on the next day.",
                    )
        return data

    def days(self) -> list[tuple[str, list[Any]]]:
        """For the page: a day and its fields."""
        return [
            (name, [self[f"d{day}_{part}_{end}"] for part in self.parts for end in ("starts", "ends", "for")])
            for day, name in enumerate(WEEKDAYS)
        ]

    def rows(self) -> list[tuple[int, time, time, list[str]]]:
        """(weekday, starts, ends, kinds) of every stretch that is filled in."""
        data = self.cleaned_data
        return [
            (
                day,
                data[f"d{day}_{part}_starts"],
                data[f"d{day}_{part}_ends"],
                data[f"d{day}_{part}_for"].split(",") if data.get(f"d{day}_{part}_for") else self.types,
            )
            for day in range(7)
            for part in self.parts
            if data.get(f"d{day}_{part}_starts") is not None
        ]


class ExceptionForm(forms.Form):
    kind = forms.ChoiceField(
        label="What",
        choices=[("leave", "Away"), ("extra", "Extra hours")],
        widget=forms.RadioSelect,
        initial="leave",
    )
    starts_on = forms.DateField(label="From day", error_messages={"required": "Enter the first day."})
    starts_time = forms.TimeField(label="From time", required=False, initial=time(0))
    ends_on = forms.DateField(label="Until day", error_messages={"required": "Enter the last day."})
    ends_time = forms.TimeField(label="Until time", required=False, help_text="Empty: the end of that day.")

    def __init__(self, *args: Any, zone: ZoneInfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = zone

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        refuse_skipped(self, self.zone, day="starts_on", time="starts_time")
        refuse_skipped(self, self.zone, day="ends_on", time="ends_time")
        return data
