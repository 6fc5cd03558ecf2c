"""What a psychiatrist decides, read from the chart page."""

from typing import Any

from django import forms

from intake.access.asking import asked_steps
from intake.forms.documents import NOT_SAID, AskClearanceForm
from intake.models import Decision
from intake.wording import rule_texts

# Reasons that no rule covers; the rules that are true are offered by their number.
OTHER_REASONS = (
    ("clinical_judgement", "Clinical judgement (say why in the note)"),
    ("needs_in_person", "Needs care in person"),
    ("other_treatment_first", "Another treatment should come first"),
    ("patient_choice", "The patient prefers not to go on"),
)


class DecideForm(forms.Form):
    """Accept for a consult."""

    seen = forms.UUIDField(widget=forms.HiddenInput, error_messages=NOT_SAID)
    note = forms.CharField(
        label="Note for the chart",
        max_length=10_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    kind = Decision.Kind.ACCEPT
    field_order = ("seen", "reasons", "items", "letter", "due_on", "note")


class DeclineForm(DecideForm):
    """Decline: reasons for the record, a kind letter for the person."""

    kind = Decision.Kind.DECLINE
    reasons = forms.MultipleChoiceField(
        label="Reasons",
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one reason."},
    )
    letter = forms.CharField(
        label="Letter to the patient",
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 9}),
        error_messages={"required": "Write a few kind sentences: the patient reads them."},
    )

    def __init__(self, *args: Any, found: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        texts = rule_texts()
        offered = [(id, f"{id} {texts[id].criterion}") for id in found if id in texts and id != "E71"]
        self.fields["reasons"].choices = [*offered, *OTHER_REASONS]  # type: ignore[attr-defined]


class AskMoreForm(DecideForm):
    """Ask for more: which pages, in which words, by when."""

    kind = Decision.Kind.ASK_MORE
    items = forms.MultipleChoiceField(
        label="Which pages should be looked at again?",
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one page."},
    )
    letter = forms.CharField(
        label="What you ask, in words for the patient",
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 4}),
        error_messages={"required": "Say what you need: the patient reads it."},
    )
    due_on = forms.DateField(
        label="By when?",
        required=False,
        help_text="Empty: in two weeks.",
        widget=forms.DateInput(attrs={"type": "date", "data-width": "medium"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # What this practice asks today, the pathways that are on included.
        self.fields["items"].choices = [(step.id, step.title) for step in asked_steps()]  # type: ignore[attr-defined]


class SettleForm(forms.Form):
    """Why care may go on although something changed."""

    note = forms.CharField(
        label="Why may care go on?", max_length=10_000, widget=forms.Textarea(attrs={"rows": 3})
    )
    seen = forms.UUIDField(
        widget=forms.HiddenInput, help_text="The evaluation on the page.", error_messages=NOT_SAID
    )


def decision_form(
    kind: str, data: Any = None, *, found: list[str], seen: Any = None, letter: str = ""
) -> forms.Form:
    """The form of a kind of decision; KeyError for any other kind."""
    initial = {"seen": seen, "letter": letter}
    if kind == Decision.Kind.ASK_CLEARANCE:
        return AskClearanceForm(data, found=found, initial=initial)
    if kind == Decision.Kind.DECLINE:
        return DeclineForm(data, found=found, initial=initial, prefix=None)
    return {Decision.Kind.ACCEPT.value: DecideForm, Decision.Kind.ASK_MORE.value: AskMoreForm}[kind](
        data, initial=initial
    )
