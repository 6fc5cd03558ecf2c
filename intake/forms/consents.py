"""What somebody who stops says."""

from django import forms

from intake.models import ConsentWithdrawal


class StopForm(forms.Form):
    """Which of the two, and why if they wish to say so."""

    what = forms.ChoiceField(
        label="What would you like to do?",
        widget=forms.RadioSelect,
        choices=[
            (ConsentWithdrawal.What.TREATMENT, "Stop treatment"),
            (ConsentWithdrawal.What.CONSENT, "Withdraw my consent"),
        ],
        error_messages={"required": "Choose one of the two. Both stop every session to come."},
    )
    what.choice_hints = {  # type: ignore[attr-defined]
        "treatment": "No more sessions. What you signed before stays as it was.",
        "consent": "You take back what you signed. No more sessions either.",
    }
    note = forms.CharField(
        label="Would you tell us why?",
        help_text="You do not have to. Your psychiatrist reads it.",
        max_length=10_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
