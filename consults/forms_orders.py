"""The order as its prescriber writes it, and what goes beside it: whom to ask for a second look, how it leaves, what was heard."""

from decimal import Decimal
from typing import Any

from django import forms

from accounts.models import User
from common.number_fields import NumberField, WholeNumberField
from consults.forms import area, needed_later
from consults.models import AuthorityBasis, HandOver, MedicineForm, PharmacyStatus
from consults.rules.dosing import UL_PER_ML, micrograms
from intake.models import Medicine


def _session_date(number: int) -> forms.DateField:
    return forms.DateField(
        label=f"Session {number}",
        widget=forms.DateInput(attrs={"data-width": "fit"}),
        error_messages={"required": f"Enter the date of session {number}."},
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
        widget=area(3),
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
        widget=area(2),
        max_length=2_000,
    )
    warning_reason = forms.CharField(
        label="Your reason, where the order is unusual", required=False, widget=area(2), max_length=2_000
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
        needed_later(
            self,
            *{"examined_on", "examined_by", "examined_place", "evaluator_reason"} & set(self.fields),
        )
        needed_later(self, "strength_mg", "concentration_mg_per_ml", "spray_volume_ml")
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
        widget=area(2),
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


class SecondPersonForm(forms.Form):
    whom = forms.ChoiceField(
        label="Ask a colleague to look at the dose",
        widget=forms.Select(attrs={"data-width": "medium"}),
        error_messages={"required": "Choose the colleague you ask."},
    )

    def __init__(self, *args: Any, people: list[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.people = {str(person.pk): person for person in people}
        self.fields["whom"].choices = [("", "Choose"), *((key, str(one)) for key, one in self.people.items())]  # type: ignore[attr-defined]

    def person(self) -> User:
        """Who was chosen."""
        return self.people[self.cleaned_data["whom"]]


class WayForm(forms.Form):
    way = forms.ChoiceField(
        label="How it leaves",
        choices=[
            row for row in HandOver.Way.choices if row[0] not in (HandOver.Way.HEARD, HandOver.Way.PARCEL)
        ],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose how it leaves."},
    )


class OpinionForm(forms.Form):
    agrees = forms.ChoiceField(
        label="Your opinion",
        choices=[("yes", "I have worked the dose out myself and agree"), ("no", "I do not agree")],
        widget=forms.RadioSelect,
        error_messages={"required": "Say whether you agree."},
    )
    words = forms.CharField(
        label="Why not, or what to watch",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=5_000,
    )
