"""What somebody reads when a room does not open."""

from datetime import datetime
from zoneinfo import ZoneInfo

REFUSALS = {
    "room_closed": "This visit is over. If you were cut off, call us.",
    "not_open_yet": "The room is not open yet. It opens a quarter of an hour before the visit.",
    "removed": "Your place in this visit was ended.",
    "account_closed": "This account is closed.",
    "no_seat": "There is no place for you in this visit.",
    "pass_over": "This page has been open for a while. It is getting a new pass.",
    "other_browser": "Somebody has come in with this link in another browser. Come in again from here, and the clinician lets you in once more.",
    "line_down": "The line to the visit does not work just now. It is tried again by itself.",
    "replaced": "The visit is open on another page or device of yours. Use that one, or reload this page to bring it here.",
}


def before_you(place: int) -> str:
    """How many stand before somebody in the line, in words."""
    if place <= 1:
        return "nobody"
    return "1 person" if place == 2 else f"{place - 1} people"


def clock_time(at: datetime, zone: str) -> str:
    """The time of day where the reader is."""
    local = at.astimezone(ZoneInfo(zone))
    return f"{local:%-I:%M} {local:%p} {local:%Z}".replace("AM", "am").replace("PM", "pm")


def refusal(code: str) -> str:
    """The sentence of a refusal."""
    return REFUSALS.get(code, "You cannot join now. Call us if this goes on.")
