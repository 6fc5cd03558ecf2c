"""Why a visit that is booked cannot be held as it is: found days before, so that nobody waits in vain."""

from datetime import date
from enum import StrEnum

# Why somebody was not let in at the door, beside what forbids to see them where they are.
BIRTH_DATE_DIFFERS = "birth_date_differs"


class Doubt(StrEnum):
    """What stands against the visit on its day."""

    GONE = "clinician_gone"
    AWAY = "clinician_away"
    NOT_LICENSED = "not_licensed_then"
    STATE_CLOSED = "state_closed"


def doubts(
    *, gone: bool, away: bool, needs_licence: bool, licensed_until: date | None, on: date, closed: bool
) -> list[Doubt]:
    """Every reason, the gravest first. `licensed_until` is the last day of licence and DEA registration in the patient's state of today."""
    found = []
    if gone:
        found.append(Doubt.GONE)
    if away:
        found.append(Doubt.AWAY)
    if needs_licence and not gone and (licensed_until is None or licensed_until < on):
        found.append(Doubt.NOT_LICENSED)
    if closed:
        found.append(Doubt.STATE_CLOSED)
    return found
