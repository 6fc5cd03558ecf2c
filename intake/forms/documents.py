"""A document as a patient sends it, and the questions a psychiatrist puts to specialists."""

from typing import Any

from django import forms

from common.files import ACCEPT
from intake.models import Decision, PatientDocument
from intake.rules.clearance import specialties, suggested

CHOOSE_AGAIN = "Please choose the file again: browsers do not keep it."


class DocumentForm(forms.Form):
    """What it is, and the file."""

    kind = forms.ChoiceField(
        label="What is it?",
        choices=PatientDocument.Kind.choices,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose what it is."},
    )
    file = forms.FileField(
        label="The file",
        help_text="A photo (JPEG, PNG or WebP) or a PDF, up to 10 MB.",
        allow_empty_file=True,
        max_length=None,
        widget=forms.FileInput(attrs={"accept": ",".join(ACCEPT.values())}),
        error_messages={"required": "Choose a file.", "missing": "Choose a file."},
    )


class IdForm(forms.Form):
    """A photo of an ID."""

    file = forms.FileField(
        label="Photo of your ID",
        help_text="JPEG, PNG or WebP, up to 10 MB. Name, birth date, photo and the day it ends must be readable.",
        allow_empty_file=True,
        max_length=None,
        widget=forms.FileInput(attrs={"accept": ACCEPT["image"]}),
        error_messages={"required": "Choose a photo.", "missing": "Choose a photo."},
    )


class LetterForm(forms.Form):
    """The answer to one letter: only the file is asked for."""

    file = forms.FileField(
        label="The specialist’s answer",
        help_text="A photo of each page (JPEG, PNG or WebP) or a PDF, up to 10 MB. More pages can follow on “Your documents”.",
        allow_empty_file=True,
        max_length=None,
        widget=forms.FileInput(attrs={"accept": ",".join(ACCEPT.values())}),
        error_messages={"required": "Choose a file.", "missing": "Choose a file."},
    )


# A signature says which chart was read (HZ-20).
NOT_SAID = dict.fromkeys(
    ("required", "invalid"),
    "This form does not say which chart was read. Nothing was signed. Read the chart, then press again.",
)


class AskClearanceForm(forms.Form):
    """Ask for specialist clearance: whom, what besides the usual question, by when, and words for the patient."""

    kind = Decision.Kind.ASK_CLEARANCE
    field_order = ("seen", "items", "question", "due_on", "letter", "note")
    seen = forms.UUIDField(widget=forms.HiddenInput, error_messages=NOT_SAID)
    items = forms.MultipleChoiceField(
        label="Whom do you ask?",
        choices=[],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one specialist."},
    )
    question = forms.CharField(
        label="Anything to add to the letter?",
        help_text="The usual question and the protocol’s limits are in it. Write no more about the patient than this specialist needs.",
        max_length=2_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    due_on = forms.DateField(
        label="Answer by",
        required=False,
        help_text="Empty: in three weeks.",
        widget=forms.DateInput(attrs={"type": "date", "data-width": "medium"}),
    )
    letter = forms.CharField(
        label="What you say to the patient",
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 4}),
        error_messages={"required": "Say what you need and why: the patient reads it."},
    )
    note = forms.CharField(
        label="Note for the chart",
        max_length=10_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, *args: Any, found: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        first = suggested(found)
        rest = [id for id in specialties() if id not in first]
        self.fields["items"].choices = [  # type: ignore[attr-defined]
            (
                id,
                specialties()[id].title
                + (
                    f" ({', '.join(r for r in specialties()[id].rules if r in found)})" if id in first else ""
                ),
            )
            for id in (*first, *rest)
        ]
