"""What a state's rule forbids. The practice's own table; what nobody has decided is blocked."""

from enum import StrEnum


class LawGap(StrEnum):
    """Why a consult cannot be booked, or an order not signed, for somebody in this state."""

    UNKNOWN = "state_rule_unknown"
    CLOSED = "state_rule_closed"
    IN_PERSON = "state_needs_in_person"


RULES = ("federal", "in_person_first", "closed", "unknown")


def booking_gap(rule: str) -> LawGap | None:
    """What stands against booking a consult. A state that asks for an examination in person first does not forbid to talk."""
    if rule == "closed":
        return LawGap.CLOSED
    return None if rule in ("federal", "in_person_first") else LawGap.UNKNOWN


def signing_gap(rule: str, authority_basis: str) -> LawGap | None:
    """What stands against signing an order or a note that goes on to one."""
    if rule == "in_person_first":
        return None if authority_basis == "prior_in_person" else LawGap.IN_PERSON
    return booking_gap(rule)
