"""What this deployment says about the crisis lane's own alarms: `check --deploy` names what nobody would otherwise miss."""

import os
from typing import Any

from django.core import checks


def lane_is_watched(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """A machine that is gone pages nobody about itself, and a phone that is dead is found by a drill or by an emergency."""
    found: list[checks.CheckMessage] = []
    if not os.environ.get("PAGER_DEADMAN_URL"):
        found.append(
            checks.Warning(
                "PAGER_DEADMAN_URL is empty: when the whole machine stops, nobody hears of it.",
                hint="An address of another vendor's dead-man service (docs/operations.md).",
                id="safety.W001",
            )
        )
    if os.environ.get("PAGER_DAILY_DRILL") != "1":
        found.append(
            checks.Warning(
                "PAGER_DAILY_DRILL is not 1: whether pages arrive is tried by the first emergency.",
                hint="Set it to 1 (docs/operations.md).",
                id="safety.W002",
            )
        )
    return found
