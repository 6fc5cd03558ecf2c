"""What the component gallery shows: invented people, fixed instants, every state of every component."""

from datetime import UTC, datetime
from typing import Any

from django import forms

PACES = [("weekly", "Weekly"), ("slow", "Slower")]
FREQUENCY = [(0, "Not at all"), (1, "Several days"), (2, "More than half the days"), (3, "Nearly every day")]


class SampleForm(forms.Form):
    """One field of each kind that our pages use."""

    full_name = forms.CharField(label="Your name", help_text="As on your driving licence.")
    email = forms.EmailField(label="E-mail")
    systolic_mmhg = forms.IntegerField(
        label="Upper number",
        help_text="The larger of the two on the cuff.",
        min_value=40,
        max_value=280,
        widget=forms.NumberInput(attrs={"data-unit": "mmHg", "inputmode": "numeric"}),
        error_messages={"required": "Enter the upper number, for example 128."},
    )
    born_on = forms.DateField(label="Date of birth")
    wake_at = forms.TimeField(label="When do you get up?", required=False)
    state = forms.ChoiceField(
        label="State you are in", choices=[("", "Choose"), ("CA", "California"), ("NY", "New York")]
    )
    interest = forms.ChoiceField(
        label="Little interest or pleasure in doing things?",
        help_text="Over the last two weeks.",
        widget=forms.RadioSelect,
        choices=FREQUENCY,
    )
    pace = forms.ChoiceField(label="How quickly?", widget=forms.RadioSelect, choices=PACES)
    medicines = forms.MultipleChoiceField(
        label="Which of these do you take?",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        choices=[("bp", "A blood pressure medicine"), ("benzo", "A benzodiazepine")],
    )
    story = forms.CharField(
        label="Anything you want us to know", required=False, widget=forms.Textarea(attrs={"rows": 4})
    )
    mood = forms.TypedChoiceField(
        label="How is your mood today?",
        help_text="0 is the worst you can imagine, 10 the best.",
        coerce=int,
        required=False,
        widget=forms.RadioSelect,
        choices=[(n, str(n)) for n in range(11)],
    )
    agree = forms.BooleanField(label="I have read this and I agree")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["pace"].choice_hints = {  # type: ignore[attr-defined]
            "weekly": "Four sessions in four weeks.",
            "slow": "Two weeks between sessions.",
        }


GATE = [
    ("G1", "Patient active, identity checked, 18 or over", ""),
    ("G2", "Consent is the current version", ""),
    ("G3", "Order signed and in date", ""),
    ("G4", "Dose equals the order", ""),
    ("G5", "Eligibility not reopened", ""),
    ("G6", "Six days since the last dose", ""),
    ("G7", "No other session is open", ""),
    (
        "G8",
        "Two fresh readings in range",
        "The second reading is 146/92 mmHg. Wait 15 minutes, then measure again.",
    ),
    ("G9", "Sitter confirmed", "Sam has not opened the link yet."),
    ("G10", "Today's questions answered", ""),
    ("G11", "Place and emergency contact confirmed", ""),
    ("G12", "A person with the right to release it", ""),
]

PRESSURES = [
    (132, 84, 72, "Nov 2", "in range"),
    (128, 82, 70, "Nov 3", "in range"),
    (146, 92, 81, "Nov 9", "pause"),
    (138, 86, 76, "Nov 9", "in range"),
    (162, 98, 88, "Nov 16", "no dose"),
    (151, 94, 84, "Nov 16", "pause"),
    (131, 83, 74, "Nov 17", "in range"),
]


def sample() -> dict[str, Any]:
    """The context of the gallery page."""
    bound = SampleForm(
        {"full_name": "Alice Moreno", "systolic_mmhg": "500", "email": "alice at home", "pace": "slow"}
    )
    bound.is_valid()
    gate = [{"code": code, "name": name, "ok": not why, "why": why} for code, name, why in GATE]
    return {
        "calm_form": SampleForm(prefix="calm", initial={"interest": "1", "full_name": "Alice Moreno"}),
        "wrong_form": bound,
        "pair_form": SampleForm(prefix="pair"),
        "single_form": SampleForm(prefix="single"),
        "intent": "00000000-0000-4000-8000-000000000000",
        "gate_open": [{**item, "ok": True, "why": ""} for item in gate],
        "gate_waiting": gate,
        "limits": {"systolic": [90, 140, 160, 180], "diastolic": [50, 90, 100, 120]},
        "pressures": [
            {
                "systolic_mmhg": s,
                "diastolic_mmhg": d,
                "pulse_bpm": p,
                "label": day,
                "when": f"{day}, 2026",
                "band": band,
            }
            for s, d, p, day, band in PRESSURES
        ],
        "scores": [
            {"day": -14, "label": "Baseline", "phq9": 19, "gad7": 15},
            {"day": 10, "label": "After session 2", "phq9": 12, "gad7": 13},
            {"day": 25, "label": "After session 4", "phq9": 7, "gad7": None},
        ],
        "doses": [{"day": day, "number": number} for number, day in enumerate((0, 7, 14, 21), start=1)],
        "course": [
            {
                "title": "Session 1",
                "when": "Mon Nov 2, 10:00 am PST",
                "state": "done",
                "text": "Closed 12:25 pm PST.",
            },
            {
                "title": "Session 2",
                "when": "Mon Nov 9, 10:00 am PST",
                "state": "held",
                "text": "Blood pressure was above the limit. A pause, nothing lost.",
            },
            {
                "title": "Session 3",
                "when": "Mon Nov 16, 10:00 am PST",
                "state": "now",
                "text": "Your sitter is Sam.",
            },
            {"title": "Session 4", "when": "Mon Nov 23, 10:00 am PST", "state": "later"},
        ],
        "tasks": [
            {"title": "Your history", "href": "#tasks", "status": "Done", "kind": "ok"},
            {
                "title": "Blood pressure, twice",
                "href": "#tasks",
                "hint": "About 10 minutes, sitting down",
                "status": "Next",
                "kind": "info",
            },
            {
                "title": "Read and sign the consent",
                "hint": "Opens after your blood pressure",
                "status": "Later",
                "kind": "neutral",
            },
            {"title": "Emergency contact", "href": "#tasks", "status": "Please look again", "kind": "pause"},
        ],
        "at": datetime(2026, 11, 24, 3, 5, tzinfo=UTC),
    }
