"""Reading a report about the medicine, an adverse event, and what a psychiatrist makes of it."""

from typing import Any

from django import forms

from common.number_fields import WholeNumberField
from safety.models import AdverseEvent
from safety.roster_forms import WALL_CLOCK, ZonedForm

SERIOUS_WORDS = {
    "death": "Death",
    "life_threatening": "Life-threatening",
    "hospital": "Hospital, or a longer stay there",
    "disability": "Lasting disability",
    "other_important": "Another important medical event",
}
SEVERITY_CHOICES = [
    (1, "1: mild"),
    (2, "2: moderate"),
    (3, "3: severe"),
    (4, "4: life-threatening"),
    (5, "5: death"),
]
CAUSALITY_CHOICES = [
    ("unassessed", "Not judged yet"),
    ("unrelated", "Unrelated"),
    ("possible", "Possible"),
    ("probable", "Probable"),
    ("definite", "Definite"),
]
ACTION_CHOICES = [
    ("none", "None"),
    ("delayed", "Dose delayed"),
    ("reduced", "Dose reduced"),
    ("stopped", "Stopped"),
]
OUTCOME_CHOICES = [
    ("ongoing", "Still going on"),
    ("recovered", "Recovered"),
    ("sequelae", "Recovered with lasting effects"),
    ("died", "Died"),
    ("unknown", "Not known"),
]


class IncidentForm(ZonedForm):
    """What happened to the medicine. Only the first question must be answered."""

    kind = forms.ChoiceField(
        label="What happened?", widget=forms.RadioSelect, error_messages={"required": "Choose what happened."}
    )
    happened_at = forms.DateTimeField(
        label="When, or when did you notice?",
        required=False,
        input_formats=WALL_CLOCK,
        help_text="Empty: just now.",
    )
    units_missing = WholeNumberField(
        label="How many are gone?",
        required=False,
        min_value=0,
        max_value=1000,
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "data-width": "short"}),
    )
    description = forms.CharField(
        label="What you know about it",
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": "4"}),
    )

    def __init__(self, *args: Any, kinds: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kind = self.fields["kind"]
        assert isinstance(kind, forms.ChoiceField)
        kind.choices = kinds


class EventForm(ZonedForm):
    """An adverse event as the care team hears of it."""

    kind = forms.CharField(
        label="What happened, in a few words",
        max_length=60,
        error_messages={"required": "Say what happened."},
    )
    onset_at = forms.DateTimeField(
        label="When it began", input_formats=WALL_CLOCK, error_messages={"required": "Enter when it began."}
    )
    severity = forms.TypedChoiceField(
        label="How severe", coerce=int, choices=SEVERITY_CHOICES, widget=forms.RadioSelect,
        error_messages={"required": "Choose 1 to 5."},
    )  # fmt: skip
    seriousness = forms.MultipleChoiceField(
        label="Serious, because of",
        required=False,
        choices=[(code, SERIOUS_WORDS[code]) for code in AdverseEvent.SERIOUSNESS],
        widget=forms.CheckboxSelectMultiple,
    )
    description = forms.CharField(
        label="What is known", required=False, max_length=4000, widget=forms.Textarea(attrs={"rows": "5"})
    )


class AssessForm(ZonedForm):
    """What protocol 9 asks of each record, judged by a psychiatrist."""

    severity = forms.TypedChoiceField(
        label="How severe", coerce=int, choices=SEVERITY_CHOICES, widget=forms.RadioSelect
    )
    seriousness = forms.MultipleChoiceField(
        label="Serious, because of",
        required=False,
        choices=[(code, SERIOUS_WORDS[code]) for code in AdverseEvent.SERIOUSNESS],
        widget=forms.CheckboxSelectMultiple,
    )
    causality = forms.ChoiceField(label="Caused by the medicine?", choices=CAUSALITY_CHOICES)
    action_on_drug = forms.ChoiceField(label="What was done about the medicine", choices=ACTION_CHOICES)
    outcome = forms.ChoiceField(label="How it went", choices=OUTCOME_CHOICES)
    resolved_at = forms.DateTimeField(label="When it was over", required=False, input_formats=WALL_CLOCK)
    description = forms.CharField(
        label="What is known", required=False, max_length=4000, widget=forms.Textarea(attrs={"rows": "5"})
    )
    pharmacy_told = forms.BooleanField(label="The pharmacy has been told", required=False)
    medwatch_told = forms.BooleanField(
        label="FDA MedWatch has been told",
        required=False,
        help_text="A voluntary report at fda.gov/medwatch.",
    )
