"""Reading what people type; what it means is decided by rules and actions."""

from collections import Counter
from collections.abc import Sequence
from datetime import time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import forms

from accounts.models import STATES
from common.number_fields import NumberField, WholeNumberField
from consults.forms_delivery import photo_field
from consults.models import AuthorityBasis, Availability, Diagnosis, MedicineForm, PharmacyStatus, VisitType
from consults.rules.dosing import UL_PER_ML, micrograms
from consults.rules.slots import never_occurs
from consults.wording import SKIPPED_TIME
from intake.models import Medicine

STATE_CHOICES = [(code, code) for code in STATES]
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _needed_later(form: forms.Form, *names: str) -> None:
    """Fields that may stay empty now and that something asks for later, so the page must not call them optional."""
    for name in names:
        form.fields[name].needed_later = True  # type: ignore[attr-defined]


def refuse_skipped(form: forms.Form, zone: ZoneInfo, *, day: str, time: str) -> None:
    """A time that is skipped when the clocks go forward is said to be none, and not moved in silence."""
    on, wall = form.cleaned_data.get(day), form.cleaned_data.get(time)
    if on is not None and wall is not None and never_occurs(on, wall, zone):
        form.add_error(time, SKIPPED_TIME)


def _session_date(number: int) -> forms.DateField:
    return forms.DateField(
        label=f"Session {number}",
        widget=forms.DateInput(attrs={"data-width": "fit"}),
        error_messages={"required": f"Enter the date of session {number}."},
    )


def _area(rows: int = 4) -> forms.Textarea:
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

    history = forms.CharField(label="History reviewed", required=False, widget=_area(5), max_length=20_000)
    mental_status = forms.CharField(label="Mental status", required=False, widget=_area(4), max_length=20_000)
    diagnosis = forms.ChoiceField(
        label="Diagnosis", required=False, choices=Diagnosis.choices, widget=forms.RadioSelect
    )
    risk = forms.CharField(label="Risk", required=False, widget=_area(3), max_length=20_000)
    plan = forms.CharField(label="Plan", required=False, widget=_area(4), max_length=20_000)
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
        widget=_area(2),
        max_length=2_000,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _needed_later(self, *(name for name in self.fields if name != "short_visit_reason"))

    def values(self) -> dict[str, Any]:
        """What is kept of a draft."""
        return dict(self.cleaned_data)


class ReopenForm(forms.Form):
    reason = forms.CharField(
        label="What has to be corrected",
        widget=_area(2),
        max_length=2_000,
        error_messages={"required": "Say what has to be corrected."},
    )


class AddendumForm(forms.Form):
    text = forms.CharField(
        label="Addendum",
        widget=_area(3),
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
    note = forms.CharField(label="Note", required=False, widget=_area(2), max_length=5_000)
    attested = forms.BooleanField(
        label="I looked at it myself just now",
        error_messages={"required": "Confirm that you looked at it yourself just now."},
    )


class OrderForm(forms.Form):
    """An order as a prescriber writes it: milligrams and millilitres in, whole micrograms and microlitres out."""

    form = forms.ChoiceField(
        label="Form",
        choices=MedicineForm.choices,
        widget=forms.RadioSelect,
        error_messages={
            "required": "Choose the form.",
            "invalid_choice": "This form is not used here. Spravato (esketamine) needs a certified site and cannot be ordered.",
        },
    )
    strength_mg = NumberField(
        label="Strength of one tablet or troche",
        required=False,
        slip="Micrograms are a thousandth of this unit.",
        min_value=Decimal("0.001"),
        max_value=Decimal(10_000),
        max_digits=8,
        decimal_places=3,
        widget=forms.NumberInput(attrs={"data-unit": "mg", "inputmode": "decimal", "step": "any"}),
    )
    concentration_mg_per_ml = NumberField(
        label="Concentration of the spray",
        required=False,
        min_value=Decimal("0.001"),
        max_value=Decimal(10_000),
        max_digits=8,
        decimal_places=3,
        widget=forms.NumberInput(attrs={"data-unit": "mg/mL", "inputmode": "decimal", "step": "any"}),
    )
    spray_volume_ml = NumberField(
        label="Volume of one spray",
        required=False,
        slip="Is this the volume of the bottle?",
        min_value=Decimal("0.001"),
        max_value=Decimal(10),
        max_digits=5,
        decimal_places=3,
        widget=forms.NumberInput(attrs={"data-unit": "mL", "inputmode": "decimal", "step": "any"}),
    )
    units_per_dose = WholeNumberField(
        label="Tablets, troches or sprays in one dose",
        min_value=1,
        max_value=50,
        error_messages={"required": "Say how many make one dose."},
    )
    weight_kg = NumberField(
        label="Weight",
        min_value=Decimal(20),
        max_value=Decimal(400),
        slip="If this is in pounds, divide it by 2.2.",
        max_digits=5,
        decimal_places=1,
        widget=forms.NumberInput(attrs={"data-unit": "kg", "inputmode": "decimal", "step": "any"}),
        error_messages={"required": "The dose is checked against the weight: enter it."},
    )
    session_1 = _session_date(1)
    session_2 = _session_date(2)
    session_3 = _session_date(3)
    session_4 = _session_date(4)
    sessions_covered = forms.TypedMultipleChoiceField(
        label="This order is for",
        choices=[(str(number), f"Session {number}") for number in (1, 2, 3, 4)],
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose the sessions this order is for."},
    )
    systolic_max_mmhg = WholeNumberField(
        label="Upper number below",
        min_value=60,
        max_value=260,
        slip="The upper number is the larger one.",
        widget=forms.NumberInput(attrs={"data-unit": "mmHg"}),
    )
    diastolic_max_mmhg = WholeNumberField(
        label="Lower number below",
        min_value=30,
        max_value=160,
        slip="The lower number is the smaller one.",
        widget=forms.NumberInput(attrs={"data-unit": "mmHg"}),
    )
    directions = forms.CharField(
        label="Directions",
        widget=_area(3),
        max_length=2_000,
        error_messages={"required": "Write how it is taken."},
    )
    authority_basis = forms.ChoiceField(
        label="Authority to prescribe without a visit in person",
        choices=AuthorityBasis.choices,
        widget=forms.RadioSelect,
    )
    authority_reference = forms.CharField(
        label="What it rests on",
        required=False,
        max_length=400,
        help_text="The number. Not needed for the flexibility, nor for a visit in person.",
    )
    authority_expires_on = forms.DateField(
        label="In force until",
        required=False,
        help_text="Not needed for the flexibility, nor for your own visit in person.",
    )
    examined_on = forms.DateField(label="Day of the visit in person", required=False)
    examined_by = forms.CharField(
        label="Practice and clinician",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"data-width": "medium"}),
    )
    examined_place = forms.CharField(
        label="Place",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"data-width": "medium"}),
    )
    evaluator_reason = forms.CharField(
        label="Why you prescribe, and not whoever saw the patient",
        required=False,
        widget=_area(2),
        max_length=2_000,
    )
    warning_reason = forms.CharField(
        label="Your reason, where the order is unusual", required=False, widget=_area(2), max_length=2_000
    )

    def __init__(
        self,
        *args: Any,
        medicines: list[Medicine] | None = None,
        seen_by_another: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if not seen_by_another:
            del self.fields["evaluator_reason"]
        _needed_later(
            self,
            *{"examined_on", "examined_by", "examined_place", "evaluator_reason"} & set(self.fields),
        )
        _needed_later(self, "strength_mg", "concentration_mg_per_ml", "spray_volume_ml")
        self.medicines = medicines or []
        for medicine in self.medicines:
            self.fields[f"hold_{medicine.pk}"] = forms.CharField(
                label=medicine.name, required=False, max_length=400, initial=medicine.hold_instruction
            )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        nasal = data.get("form") == MedicineForm.NASAL
        wanted = (
            {
                "concentration_mg_per_ml": "Enter the concentration in mg/mL.",
                "spray_volume_ml": "Enter the volume of one spray in mL.",
            }
            if nasal
            else {"strength_mg": "Enter the strength of one tablet or troche in mg."}
        )
        if data.get("authority_basis") == AuthorityBasis.IN_PERSON:
            for name, sentence in (
                ("examined_on", "Enter the day of the visit."),
                ("examined_by", "Write the practice and the clinician."),
                ("examined_place", "Write where it was."),
            ):
                if not data.get(name) and name not in self.errors:
                    self.add_error(name, sentence)
        if data.get("form"):
            for name, sentence in wanted.items():
                if data.get(name) is None and name not in self.errors:
                    self.add_error(name, sentence)
        return data

    @property
    def hold_fields(self) -> list[Any]:
        """The fields of medicine holds, bound."""
        return [self[f"hold_{medicine.pk}"] for medicine in self.medicines]

    def values(self) -> dict[str, Any]:
        """What an action takes: integers inside."""
        data = self.cleaned_data

        def ug(name: str) -> int | None:
            return None if data.get(name) is None else micrograms(data[name])

        volume = data.get("spray_volume_ml")
        return {
            "form": data["form"],
            "strength_ug": ug("strength_mg"),
            "concentration_ug_per_ml": ug("concentration_mg_per_ml"),
            "spray_volume_ul": None if volume is None else int(volume * UL_PER_ML),
            "units_per_dose": data["units_per_dose"],
            "weight_kg": data["weight_kg"],
            "session_dates": [data[f"session_{number}"] for number in (1, 2, 3, 4)],
            "sessions_covered": sorted(data["sessions_covered"]),
            "systolic_max_mmhg": data["systolic_max_mmhg"],
            "diastolic_max_mmhg": data["diastolic_max_mmhg"],
            "holds": [
                {"medicine": medicine.name, "instruction": data[f"hold_{medicine.pk}"]}
                for medicine in self.medicines
                if data.get(f"hold_{medicine.pk}")
            ],
            "directions": data["directions"],
            "authority_basis": data["authority_basis"],
            "authority_reference": data["authority_reference"],
            "authority_expires_on": data["authority_expires_on"],
            "examined_on": data["examined_on"],
            "examined_by": data["examined_by"],
            "examined_place": data["examined_place"],
            "evaluator_reason": data.get("evaluator_reason", ""),
            "warning_reason": data["warning_reason"],
        }


class RevokeForm(forms.Form):
    reason = forms.CharField(
        label="Why you revoke it",
        widget=_area(2),
        max_length=2_000,
        error_messages={"required": "Write why you revoke it."},
    )


class PharmacyForm(forms.Form):
    """What was heard; `heard` are the statuses that can follow."""

    def __init__(self, *args: Any, heard: frozenset[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        now = self.initial.get("status")
        following = [one for one in PharmacyStatus.choices if one[0] in heard]
        # What is called back is not what it was: nothing is chosen beforehand.
        self.fields["status"].choices = following if now in heard else [("", "Choose"), *following]  # type: ignore[attr-defined]

    status = forms.ChoiceField(
        label="How far it is",
        choices=PharmacyStatus.choices,
        error_messages={"required": "Choose what the pharmacy says."},
    )
    external_id = forms.CharField(
        label="Number in the pharmacy's system",
        required=False,
        max_length=80,
        widget=forms.TextInput(attrs={"data-width": "medium"}),
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
                _needed_later(self, *(f"d{day}_{part}_{end}" for end in ("starts", "ends", "for")))

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
