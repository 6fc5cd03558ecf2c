"""How far an order can be said to be at the pharmacy. Nothing goes back: what was dispensed stays so, and is not sent again (HZ-19)."""

# With the pharmacy, and not yet in a bottle: whoever ends the order must say so there.
AT_THE_PHARMACY = frozenset({"handed_over", "accepted"})
_IN_FORCE = {
    "not_sent": frozenset({"handed_over", "accepted", "rejected", "dispensed"}),
    "handed_over": frozenset({"accepted", "rejected", "dispensed"}),
    "accepted": frozenset({"rejected", "dispensed"}),
    "rejected": frozenset({"handed_over", "accepted", "dispensed"}),
    # Stopped on the way out: never sent, so it may still leave, or turn out to be there already.
    "blocked": frozenset({"handed_over", "accepted", "rejected", "dispensed"}),
}
# The pharmacy has said that it fills it: only then a parcel of it can leave.
TAKEN = frozenset({"accepted", "dispensed"})
_ENDED = {status: frozenset({"cancelled", "rejected", "dispensed"}) for status in AT_THE_PHARMACY}


def may_be_heard(status: str, *, in_force: bool) -> frozenset[str]:
    """What can be written down next of an order that is so far; for one in force the same again, with another number.

    An order that was revoked, superseded or has run out is only ever called back: cancelled, sent back, or dispensed already.
    """
    if not in_force:
        return _ENDED.get(status, frozenset())
    return _IN_FORCE.get(status, frozenset()) | ({status} - {"blocked"})
