"""The field for a note worth the name, wherever one is asked for (common/notes.py): the same limits and the same words."""

from django import forms

from common.notes import LEAST_CHARACTERS


def note_field(label: str, *, such_as: str = "", max_length: int = 500, rows: int = 2) -> forms.CharField:
    """A few lines that somebody else can read later; `such_as` is an example of a good one."""
    return forms.CharField(
        label=label,
        min_length=LEAST_CHARACTERS,
        max_length=max_length,
        widget=forms.Textarea(attrs={"rows": rows}),
        help_text=f"Such as: {such_as}" if such_as else "",
        error_messages=dict.fromkeys(("required", "min_length"), "Write a sentence."),
    )
