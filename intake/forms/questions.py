"""One form class per page of questions."""

import json
import re
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

from django import forms
from django.utils.functional import cached_property

from accounts.forms import STATE_NAMES, PhoneField, zone_choices
from common.number_fields import NumberField
from intake.rules.answers import body_mass_index, height_cm, weight_kg
from intake.rules.branching import hidden, unanswered
from intake.rules.steps import Question, Step
from measures.forms import instrument_form

YES_NO_UNSURE = (("yes", "Yes"), ("no", "No"), ("unsure", "I am not sure"))
NUMBER = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]{0,6})?", re.ASCII)
# Two decimals at most: “1,000” could mean either, so it is asked again.
COMMA = re.compile(r"[+-]?[0-9]{1,6},[0-9]{1,2}", re.ASCII)
BORN_FROM = date(1900, 1, 1)
# Outside these the unit is wrong far more often than the person is.
BMI_LEAST, BMI_MOST = Decimal(11), Decimal(100)
WEIGHT_LEAST_KG, WEIGHT_MOST_KG = Decimal(20), Decimal(400)
# Outside these we ask once whether the unit is the right one.
USUAL_LEAST, USUAL_MOST = Decimal(15), Decimal(60)


def _missing(label: str) -> str:
    return f"Please answer: “{label}”"


def _choices(question: Question) -> tuple[tuple[str, str], ...]:
    if question.kind == "yes_no":
        return YES_NO_UNSURE
    return (*question.choices, ("unsure", "I am not sure")) if question.unsure else question.choices


class PlainNumberField(NumberField):
    """A number as people write it: “72.5”, “72,5”, with spaces around. Nothing like 1e9 or NaN."""

    def to_python(self, value: Any) -> Any:
        text = str(value).strip() if value not in (None, "") else ""
        if COMMA.fullmatch(text):
            text = text.replace(",", ".")
        if text and not NUMBER.fullmatch(text):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(text)


def field_for(question: Question, *, part: bool = False) -> forms.Field:
    """The form field of a question; `part` is for saving a half-filled page."""
    common: dict[str, Any] = {
        "label": question.label,
        "help_text": question.help,
        # Whether a question that can be hidden must be answered is seen with the other answers, in StepForm.clean.
        "required": not (question.optional or part or question.shown_if),
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
            # A text field: what a browser's own number field cannot read, it throws away.
            attrs = {"inputmode": "decimal", "data-width": "short", "autocomplete": "off"}
            return PlainNumberField(
                min_value=Decimal(str(question.least)) if question.least is not None else None,
                max_value=Decimal(str(question.most)) if question.most is not None else None,
                max_digits=8,
                decimal_places=question.places,
                slip=question.slip,
                widget=forms.TextInput(attrs=attrs | ({"data-unit": question.unit} if question.unit else {})),
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
        # Questions that came up with these answers and were not on the page: asked on the next screen, not an error.
        self.follow_ups: tuple[str, ...] = ()
        # “300 kg”, when the unit is more likely wrong than the number: sent again with this, it is meant.
        self.doubt = ""
        super().__init__(*args, **kwargs)
        for question in self.step.questions:
            if question.shown_if and not question.optional:
                self.fields[question.name].needed_later = True  # type: ignore[attr-defined]

    @cached_property
    def hidden_names(self) -> frozenset[str]:
        """The questions that do not apply to what is typed, or to what was saved."""
        return hidden(self.step.questions, {q.name: self[q.name].value() for q in self.step.questions})

    @property
    def shown_names(self) -> list[str]:
        """The questions that can be hidden and stand on the page now."""
        return [q.name for q in self.step.questions if q.shown_if and q.name not in self.hidden_names]

    @property
    def conditions(self) -> dict[str, str]:
        """For each question that can be hidden, when it is shown: for the script that reveals it at once."""
        return {q.name: json.dumps(dict(q.shown_if)) for q in self.step.questions if q.shown_if}

    def _branch(self, data: dict[str, Any]) -> None:
        seen = set(self.data.get("seen", "").split(",")) if hasattr(self.data, "get") else set()
        for name in self.hidden_names:
            data.pop(name, None)
            self.errors.pop(name, None)
        if self.part:
            return
        missing = unanswered(
            [q for q in self.step.questions if q.shown_if and q.name not in self.hidden_names], data
        )
        came_up = [name for name in missing if name not in self.errors]
        self.follow_ups = tuple(name for name in came_up if name not in seen)
        for name in came_up:
            if name in seen:
                self.add_error(name, _missing(str(self.fields[name].label)))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        self._branch(data)
        self._check_dates(data)
        if data.get("phone") and data.get("phone") == data.get("emergency_contact_phone"):
            self.add_error(
                "emergency_contact_phone", "This is your own number. Whom may we call when you do not answer?"
            )
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

    def _check_body(self, data: dict[str, Any]) -> None:
        weight, unit = data.get("weight"), data.get("weight_unit")
        height = height_cm(data.get("height_ft"), data.get("height_in"), data.get("height_cm"))
        kilograms = weight_kg(weight, unit) if weight is not None and unit else None
        if height is None and not self.part and not {"height_ft", "height_cm"} & set(self.errors):
            self.add_error("height_ft", "Give your height in feet and inches, or in centimetres.")
        if height is None or kilograms is None or weight is None:
            return
        typed, other = f"{weight} {unit}", "kg" if unit == "lb" else "lb"
        index, swapped = body_mass_index(kilograms, height), body_mass_index(weight_kg(weight, other), height)
        meant = f" Did you mean {weight} {other}?" if USUAL_LEAST <= swapped <= USUAL_MOST else ""
        possible = BMI_LEAST <= index <= BMI_MOST and WEIGHT_LEAST_KG <= kilograms <= WEIGHT_MOST_KG
        if not possible:
            self.add_error(
                "weight", f"{typed} does not fit this height.{meant or ' Check the number and the unit.'}"
            )
        elif meant and not USUAL_LEAST <= index <= USUAL_MOST and self.data.get("weight_sure") != typed:
            self.doubt = typed
            self.add_error(
                "weight",
                f"{typed} is unusual for this height.{meant} If {typed} is right, send the page again.",
            )
        else:
            data["weight_kg"], data["height_cm_total"] = kilograms, height

    def answers(self) -> dict[str, Any]:
        """What is kept: plain text and lists, without what was left empty."""
        kept = {}
        for name, value in self.cleaned_data.items():
            if value in (None, "", []) or name in self.hidden_names:
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
