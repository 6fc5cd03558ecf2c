"""Reading what people type about their work."""

from typing import Any

from django import forms

from accounts.models import Role, User


class DoneForm(forms.Form):
    """What came of a piece of work."""

    outcome = forms.CharField(
        label="What came of it",
        help_text="A sentence that the next person can go on from.",
        min_length=3,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": "Say what came of it.", "min_length": "Say what came of it."},
    )


class HandOverForm(forms.Form):
    """To whom, and why."""

    to = forms.ChoiceField(label="To whom", error_messages={"required": "Choose a person."})
    why = forms.CharField(
        label="Why",
        min_length=3,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "Say why.", "min_length": "Say why."},
    )

    def __init__(self, *args: Any, people: list[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.people = {str(person.pk): person for person in people}
        choices = [
            (key, f"{person} ({Role(person.role).label.lower()})") for key, person in self.people.items()
        ]
        self.fields["to"].choices = [("", "Choose a person"), *choices]  # type: ignore[attr-defined]

    def person(self) -> User:
        """The chosen one."""
        return self.people[self.cleaned_data["to"]]
