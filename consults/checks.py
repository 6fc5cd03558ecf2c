"""What this deployment says about prescribing, read when it starts: a wrong word stops the start, not the first order."""

from datetime import date
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from consults.gateways.pharmacy import GATEWAYS


def prescribing_errors() -> list[checks.CheckMessage]:
    """Settings with which orders could not leave, or nobody could say until when they may be signed."""
    found: list[checks.CheckMessage] = []
    if settings.PHARMACY_GATEWAY not in GATEWAYS:
        found.append(
            checks.Error(
                f"PHARMACY_GATEWAY names “{settings.PHARMACY_GATEWAY}”, and there is no such gateway.",
                hint=f"One of: {', '.join(sorted(GATEWAYS))}.",
                id="consults.E001",
            )
        )
    try:
        date.fromisoformat(str(settings.TELEMEDICINE_FLEXIBILITY_ENDS_ON))
    except ValueError:
        found.append(
            checks.Error(
                f"TELEMEDICINE_FLEXIBILITY_ENDS_ON is “{settings.TELEMEDICINE_FLEXIBILITY_ENDS_ON}”, which is no date.",
                hint="Write the last day as 2026-12-31.",
                id="consults.E002",
            )
        )
    return found


def refuse_to_start() -> None:
    """Raises ImproperlyConfigured in every program that loads the application, the first error with its hint."""
    for error in prescribing_errors():
        raise ImproperlyConfigured(f"{error.msg} {error.hint}")


def pharmacy_is_real(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """`check --deploy`: the sandbox makes up numbers as if a pharmacy had answered, and sends nothing."""
    if settings.PHARMACY_GATEWAY != "sandbox":
        return []
    return [
        checks.Warning(
            "PHARMACY_GATEWAY is the sandbox: it makes up a pharmacy’s numbers and sends nothing anywhere.",
            hint="Set it to by_hand where the practice prints, faxes and signs by itself, or name a vendor’s gateway.",
            id="consults.W001",
        )
    ]
