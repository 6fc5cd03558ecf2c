"""Reading what people type, made from the questions in data."""

from intake.forms.questions import step_form
from intake.forms.review import AskMoreForm, DecideForm, DeclineForm, SettleForm, decision_form
from intake.forms.steps import AddMedicineForm, ReadingForm, SignForm

__all__ = [
    "AddMedicineForm",
    "AskMoreForm",
    "DecideForm",
    "DeclineForm",
    "ReadingForm",
    "SettleForm",
    "SignForm",
    "decision_form",
    "step_form",
]
