"""Forms beside the order itself: whom to ask for a second look, and what they say."""

from typing import Any

from django import forms

from accounts.models import User
from consults.models import HandOver


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
