"""One form class per page of questions."""

from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

from django import forms

from accounts.forms import STATE_NAMES, PhoneField, zone_choices
from intake.rules.answers import body_mass_index, height_cm, weight_kg
from intake.rules.steps import Question, Step
from measures.forms import instrument_form

YES_NO_UNSURE = (("yes", "Yes"), ("no", "No"), ("unsure", "I am not sure"))
BORN_FROM = date(1900, 1, 1)
# Outside these the unit is wrong far more often than the person is.
BMI_LEAST, BMI_MOST = Decimal(11), Decimal(100)


def _missing(label: str) -> str:
    return f"Please answer: “{label}”"


def _choices(question: Question) -> tuple[tuple[str, str], ...]:
    if question.kind == "yes_no":
        return YES_NO_UNSURE
    return (*question.choices, ("unsure", "I am not sure")) if question.unsure else question.choices


def field_for(question: Question, *, part: bool = False) -> forms.Field:
    """The form field of a question; `part` is for saving a half-filled page."""
    common: dict[str, Any] = {
        "label": question.label,
        "help_text": question.help,
        "required": not (question.optional or part),
        "error_messages": {"required": _missing(question.label)},
    }
    match question.kind:
        case "yes_no" | "choice":
            return forms.ChoiceField(choices=_choices(question), widget=forms.RadioSelect, **common)
        case "many":
            return forms.MultipleChoiceField(
                choices=_choices(question), widget=forms.CheckboxSelectMultiple, **common
            )
        case "number":
            attrs = {"inputmode": "decimal"} | ({"data-unit": question.unit} if question.unit else {})
            return forms.DecimalField(
                min_value=Decimal(str(question.least)) if question.least is not None else None,
                max_value=Decimal(str(question.most)) if question.most is not None else None,
                max_digits=8,
                decimal_places=question.places,
                widget=forms.NumberInput(attrs=attrs | {"step": "1" if question.places == 0 else "any"}),
                **common,
            )
        case "us_state":
            return forms.ChoiceField(choices=[("", "Choose"), *STATE_NAMES.items()], **common)
        case "zone":
            return forms.ChoiceField(choices=zone_choices(), **common)
        case "phone":
            return PhoneField(**common)
        case "birth_date" | "past_date":
            return forms.DateField(widget=forms.DateInput(attrs={"type": "date"}), **common)
        case "long_text":
            return forms.CharField(
                max_length=question.length, widget=forms.Textarea(attrs={"rows": 5}), **common
            )
    attrs = {"autocomplete": question.autocomplete} if question.autocomplete else {}
    return forms.CharField(max_length=question.length, widget=forms.TextInput(attrs=attrs), **common)


class StepForm(forms.Form):
    """A page of questions. `on` is the person's day, for dates that cannot lie ahead."""

    step: Step
    part = False

    def __init__(self, *args: Any, on: date, **kwargs: Any) -> None:
        self.on = on
        super().__init__(*args, **kwargs)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        self._check_dates(data)
        if "weight" in self.fields:
            self._check_body(data)
        luts = data.get("luts") or []
        if "none" in luts and len(luts) > 1:
            self.add_error("luts", "Either “none of these”, or what applies: not both.")
        return data

    def _check_dates(self, data: dict[str, Any]) -> None:
        born, event = data.get("date_of_birth"), data.get("cardiac_event_on")
        if born and (born > self.on or born < BORN_FROM):
            self.add_error("date_of_birth", "Check the year: this date of birth cannot be right.")
        if event and (event > self.on or event < BORN_FROM):
            self.add_error("cardiac_event_on", "This date lies ahead or too far back. Check the year.")
        elif event and data.get("cardiac_event") == "no":
            self.add_error(
                "cardiac_event_on", "You answered “no” above but gave a date. Please change one of them."
            )

    def _check_body(self, data: dict[str, Any]) -> None:
        weight, unit = data.get("weight"), data.get("weight_unit")
        height = height_cm(data.get("height_ft"), data.get("height_in"), data.get("height_cm"))
        kilograms = weight_kg(weight, unit) if weight is not None and unit else None
        if height is None and not self.part and not {"height_ft", "height_cm"} & set(self.errors):
            self.add_error("height_ft", "Give your height in feet and inches, or in centimetres.")
        if height is None or kilograms is None:
            return
        if not BMI_LEAST <= body_mass_index(kilograms, height) <= BMI_MOST or not Decimal(
            20
        ) <= kilograms <= Decimal(400):
            self.add_error(
                "weight", f"{weight} {unit} does not fit this height. Check the number and the unit."
            )
            return
        data["weight_kg"], data["height_cm_total"] = kilograms, height

    def answers(self) -> dict[str, Any]:
        """What is kept: plain text and lists, without what was left empty."""
        kept = {}
        for name, value in self.cleaned_data.items():
            if value in (None, "", []):
                continue
            kept[name] = value if isinstance(value, str | list | int) else str(value)
        return kept


@cache
def step_form(step: Step, *, part: bool = False) -> type[StepForm]:
    """The form class of a step. With `part` nothing is required: it saves what is there."""
    fields: dict[str, Any] = {question.name: field_for(question, part=part) for question in step.questions}
    if step.instrument == "audit_c":
        own = {code: _copy(field, part) for code, field in instrument_form("audit_c").base_fields.items()}
        fields = {**own, **fields}
    return type(f"{step.id.title()}Form", (StepForm,), {**fields, "step": step, "part": part})


def _copy(field: Any, part: bool) -> forms.TypedChoiceField:
    return forms.TypedChoiceField(
        label=field.label,
        choices=field.choices,
        coerce=int,
        empty_value=None,
        required=not part,
        widget=forms.RadioSelect,
        error_messages={"required": _missing(field.label), "invalid_choice": "Choose one of the answers."},
    )
