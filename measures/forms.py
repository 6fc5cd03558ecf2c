"""Forms made from the questionnaires' own definitions."""

from functools import cache
from typing import Any

from django import forms

from measures.rules import Item, RiskQuestion, instrument, is_asked, risk_screen

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
