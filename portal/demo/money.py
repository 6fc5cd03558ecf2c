"""Payment of the demo's patients, through the sandbox gateway."""

from datetime import datetime
from typing import Any

from accounts.models import Patient


def pay_programme(patient: Patient, *, by: Any, at: datetime) -> None:
    """Pay the open invoice as the sandbox's checkout page does."""
