"""Payment of the demo's patients, through the sandbox gateway."""

from datetime import datetime
from typing import Any

from accounts.models import Patient
from billing import actions as billing


def pay_programme(patient: Patient, *, by: Any, at: datetime) -> None:
    """Pay the open invoice as the sandbox's checkout page does."""
    payment = billing.start_payment(billing.open_invoice(patient, by=by, at=at), by=by, at=at)
    billing.settle_in_sandbox(payment, paid=True, by=by, at=at)
