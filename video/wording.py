"""What somebody reads when a room does not open."""

REFUSALS = {
    "room_closed": "This visit is over. If you were cut off, call us.",
    "not_open_yet": "The room is not open yet. It opens a quarter of an hour before the visit.",
    "removed": "Your place in this visit was ended.",
    "account_closed": "This account is closed.",
    "no_seat": "There is no place for you in this visit.",
    "pass_over": "This page has been open for a while. It is getting a new pass.",
    "replaced": "The visit is open on another page or device of yours. Use that one, or reload this page to bring it here.",
}


def refusal(code: str) -> str:
    """The sentence of a refusal."""
    return REFUSALS.get(code, "You cannot join now. Call us if this goes on.")
