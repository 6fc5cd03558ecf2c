"""Forms made from the questionnaires' own definitions."""

from functools import cache
from typing import Any

from django import forms

from common.number_fields import WholeNumberField
from measures.rules import (
    Item,
    PlanPart,
    RiskQuestion,
    cssrs_form,
    instrument,
    is_asked,
    plan_parts,
    risk_screen,
)
from measures.rules.safety_plan import part_max_characters

YES_NO_UNSURE = (("yes", "Yes"), ("no", "No"), ("unsure", "I am not sure"))


def _scored_field(item: Item) -> forms.TypedChoiceField:
    needed = item.scored and item.required
    return forms.TypedChoiceField(
        label=item.text,
        choices=[(str(answer.value), answer.text) for answer in item.answers],
        coerce=int,
        empty_value=None,
        required=needed,
        widget=forms.RadioSelect,
        error_messages={
            "required": f"Please answer: “{item.text}”",
            "invalid_choice": "Choose one of the answers.",
        },
    )


def _risk_field(question: RiskQuestion) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=question.text,
        choices=YES_NO_UNSURE,
        required=question.ask_when_yes is None,
        widget=forms.RadioSelect,
        help_text="Only if you answered “yes” or “not sure” just before." if question.ask_when_yes else "",
        error_messages={
            "required": f"Please answer: “{question.text}”",
            "invalid_choice": "Choose one of the answers.",
        },
    )


class _InstrumentForm(forms.Form):
    """Answers by item code; `given` also reads a half-filled form."""

    def answers(self) -> dict[str, Any]:
        """The answers of the questionnaire itself, without fields that a page added."""
        return {code: self.cleaned_data.get(code) for code in self.item_codes}  # type: ignore[attr-defined]

    def given(self) -> dict[str, Any]:
        """What can be read of a form that is not valid."""
        found = getattr(self, "cleaned_data", {})
        return {code: found[code] for code in self.item_codes if found.get(code) not in (None, "")}  # type: ignore[attr-defined]


class _RiskForm(_InstrumentForm):
    def clean(self) -> dict[str, Any]:
        answers = super().clean() or {}
        for question in risk_screen().questions:
            due = question.ask_when_yes is not None and is_asked(question, answers)
            if due and not answers.get(question.code) and question.code not in self.errors:
                self.add_error(question.code, f"Please answer: “{question.text}”, or choose “I am not sure”.")
        return answers


@cache
def instrument_form(code: str) -> type[_InstrumentForm]:
    """A form class for phq9, gad7, audit_c or suicide_risk; field names are the item codes."""
    if code == "suicide_risk":
        questions = risk_screen().questions
        fields: dict[str, Any] = {question.code: _risk_field(question) for question in questions}
        base: type[_InstrumentForm] = _RiskForm
    else:
        fields = {item.code: _scored_field(item) for item in instrument(code).items}
        base = _InstrumentForm
    return type(f"{code.title()}Form", (base,), {**fields, "item_codes": tuple(fields)})


def _plan_field(part: PlanPart) -> forms.CharField:
    return forms.CharField(
        label=part.title,
        help_text=part.hint,
        required=False,
        max_length=part_max_characters(),
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={
            "max_length": f"“{part.title}”: keep it to %(limit_value)d characters; these are %(show_value)d."
        },
    )


class _SafetyPlanForm(forms.Form):
    """Six parts, none of them required: it is saved with as much as there is."""

    base = forms.IntegerField(widget=forms.HiddenInput, min_value=0, required=False)

    def typed(self) -> dict[str, str]:
        """The parts that this page sent; one that it did not send stays as it is."""
        return {part.code: self.cleaned_data[part.code] for part in plan_parts() if part.code in self.data}


SafetyPlanForm: Any = type(
    "SafetyPlanForm", (_SafetyPlanForm,), {part.code: _plan_field(part) for part in plan_parts()}
)


class CssrsForm(forms.Form):
    """What a C-SSRS interview showed. The clinician has the licensed form beside her; only the result is entered."""

    assessed_on = forms.DateField(
        label="Day of the interview",
        widget=forms.DateInput(attrs={"type": "date"}),
        error_messages={"required": "Give the day.", "invalid": "Write the day as YYYY-MM-DD."},
    )
    form = forms.ChoiceField(
        label="Version used",
        choices=list(cssrs_form().forms.items()),
        widget=forms.RadioSelect,
        error_messages={"required": "Choose which version was used."},
    )
    ideation_level = forms.TypedChoiceField(
        label="Ideation, the highest level in the time asked about",
        choices=[
            (str(n), f"Level {n}" if n else "0, none") for n in range(cssrs_form().ideation_level_max + 1)
        ],
        coerce=int,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose a level from 0 to 5."},
    )
    behaviour = forms.ChoiceField(
        label="Suicidal behaviour",
        choices=[(str(code), label) for code, label in cssrs_form().behaviours.items()],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose one."},
    )
    intensity_total = WholeNumberField(
        label="Intensity, total",
        required=False,
        min_value=0,
        max_value=cssrs_form().intensity_total_max,
        widget=forms.NumberInput(attrs={"data-width": "short"}),
    )
    note = forms.CharField(
        label="Note",
        required=False,
        max_length=10_000,
        help_text="What was said and agreed, who was told. Read by psychiatrists who treat this person.",
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    corrects = forms.UUIDField(widget=forms.HiddenInput, required=False)
