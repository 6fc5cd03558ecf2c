"""The verbs from the first answer to the signed decision; the only writers of intake rows."""

from intake.actions.answers import (
    Saved,
    count_screening,
    identity_at_visit,
    prefill,
    record_beside,
    record_instrument,
    record_intake_reading,
    save_answers,
    save_step,
    start_intake,
)
from intake.actions.clearance import ask_for_clearance, cannot_be_answered
from intake.actions.consents import ask_for_new_signatures, sign_consent, withdraw_consent
from intake.actions.documents import read_document, remove_document, upload_document
from intake.actions.eligibility import (
    Barrier,
    assess,
    barriers,
    evaluate_now,
    facts_changed,
    on_instrument_completed,
    reevaluate,
    settle,
)
from intake.actions.looks import remember_look
from intake.actions.medicines import add_medicine, confirm_medicines, end_medicine, write_holds
from intake.actions.review import (
    claim,
    claim_next,
    decide,
    release_claim,
    renew_claim,
    steps_left,
    submit,
    take_up,
    withdraw,
)
from intake.actions.rulebook import continue_dry_runs, propose_rule_change, start_dry_run
from intake.actions.unserved import check_unserved_states

__all__ = [
    "Barrier",
    "Saved",
    "add_medicine",
    "ask_for_clearance",
    "ask_for_new_signatures",
    "assess",
    "barriers",
    "cannot_be_answered",
    "check_unserved_states",
    "claim",
    "claim_next",
    "confirm_medicines",
    "continue_dry_runs",
    "count_screening",
    "decide",
    "end_medicine",
    "evaluate_now",
    "facts_changed",
    "identity_at_visit",
    "on_instrument_completed",
    "prefill",
    "propose_rule_change",
    "read_document",
    "record_beside",
    "record_instrument",
    "record_intake_reading",
    "reevaluate",
    "release_claim",
    "remember_look",
    "remove_document",
    "renew_claim",
    "save_answers",
    "save_step",
    "settle",
    "sign_consent",
    "start_dry_run",
    "start_intake",
    "steps_left",
    "submit",
    "take_up",
    "upload_document",
    "withdraw",
    "withdraw_consent",
    "write_holds",
]
