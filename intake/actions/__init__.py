"""The verbs from the first answer to the signed decision; the only writers of intake rows."""

from intake.actions.answers import (
    add_medicine,
    confirm_medicines,
    count_screening,
    end_medicine,
    prefill,
    record_beside,
    record_instrument,
    record_intake_reading,
    save_step,
    start_intake,
)
from intake.actions.consents import sign_consent
from intake.actions.eligibility import assess, evaluate_now, facts_changed, reevaluate, settle
from intake.actions.review import claim, decide, release_claim, renew_claim, steps_left, submit, withdraw

__all__ = [
    "add_medicine",
    "assess",
    "claim",
    "confirm_medicines",
    "count_screening",
    "decide",
    "end_medicine",
    "evaluate_now",
    "facts_changed",
    "prefill",
    "record_beside",
    "record_instrument",
    "record_intake_reading",
    "reevaluate",
    "release_claim",
    "renew_claim",
    "save_step",
    "settle",
    "sign_consent",
    "start_intake",
    "steps_left",
    "submit",
    "withdraw",
]
