"""How far an order can be said to be at the pharmacy. Nothing goes back: what was dispensed stays so, and is not sent again (HZ-19)."""

# With the pharmacy, and not yet in a bottle: whoever ends the order must say so there.
AT_THE_PHARMACY = frozenset({"handed_over", "accepted"})
# It has left for the pharmacy, and is not sent a second time.
UNDER_WAY = AT_THE_PHARMACY | {"dispensed"}
_IN_FORCE = {
    "not_sent": frozenset({"handed_over", "accepted", "rejected", "dispensed"}),
    "handed_over": frozenset({"accepted", "rejected", "dispensed"}),
    "accepted": frozenset({"rejected", "dispensed"}),
    "rejected": frozenset({"handed_over", "accepted", "dispensed"}),
    # Stopped on the way out: never sent, so it may still leave, or turn out to be there already.
    "blocked": frozenset({"handed_over", "accepted", "rejected", "dispensed"}),
}
# What the pharmacy answers to whoever of the care team rings it. That it leaves for the pharmacy, and that it is called back, is
# the prescriber's to do and to say.
ANSWERS = frozenset({"accepted", "rejected", "dispensed"})
# The pharmacy has said that it fills it: only then a parcel of it can leave.
TAKEN = frozenset({"accepted", "dispensed"})
_ENDED = {status: frozenset({"cancelled", "rejected", "dispensed"}) for status in AT_THE_PHARMACY}


def may_be_heard_by_the_team(
    status: str, *, in_force: bool, units_sent: int, units_total: int
) -> frozenset[str]:
    """What somebody of the care team who prescribes nothing can write down next: the pharmacy's answer to an order in force that its
    prescriber has handed over, and its number."""
    if not in_force or status not in UNDER_WAY:
        return frozenset()
    heard = may_be_heard(status, in_force=True, units_sent=units_sent, units_total=units_total)
    return heard & (ANSWERS | {status})


def may_be_heard(status: str, *, in_force: bool, units_sent: int, units_total: int) -> frozenset[str]:
    """What can be written down next of an order that is so far; for one in force the same again, with another number.

    An order that was revoked, superseded or has run out is only ever called back: cancelled, sent back, or dispensed already; and
    what was dispensed and did not all leave, cancelled, or destroyed or taken back by the pharmacy. Of what a parcel has left,
    nothing was sent back: it would be filled twice.
    """
    if not in_force:
        back = frozenset({"cancelled", "returned"}) if units_sent < units_total else frozenset()
        return back if status == "dispensed" else _ENDED.get(status, frozenset())
    heard = _IN_FORCE.get(status, frozenset()) | ({status} - {"blocked"})
    return heard - {"rejected"} if units_sent else heard
