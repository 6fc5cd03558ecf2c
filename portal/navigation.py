"""Where each role goes. A place whose page does not exist is left out, so that the list never leads nowhere."""

import functools

from django.urls import is_valid_path

Item = tuple[str, str]

# Addresses, not names: each is a promise to people's bookmarks (tests/portal/test_navigation.py walks them).
ITEMS: dict[str, tuple[Item, ...]] = {
    "": (),
    "patient": (
        ("Home", "/home/"),
        ("Sessions", "/sessions/"),
        ("Check-in", "/coaching/check-in/"),
        ("Messages", "/messages/"),
        ("Progress", "/outcomes/"),
        ("Visits", "/consults/"),
        ("Payments", "/billing/"),
        ("You", "/profile/"),
    ),
    "psychiatrist": (
        ("Today", "/home/"),
        ("Queue", "/queue/"),
        ("Sessions", "/sessions/"),
        ("Messages", "/messages/"),
        ("Alerts", "/alerts/"),
        ("Calendar", "/calendar/"),
        ("Outcomes", "/outcomes/practice/"),
        ("You", "/profile/"),
    ),
    "coach": (
        ("Today", "/home/"),
        ("Caseload", "/coaching/"),
        ("Sessions", "/sessions/"),
        ("Messages", "/messages/"),
        ("Alerts", "/alerts/"),
        ("Calendar", "/calendar/"),
        ("Outbox", "/outbox/"),
        ("You", "/profile/"),
    ),
    "administrator": (
        ("Overview", "/home/"),
        ("Administration", "/admin/"),
        ("Alerts", "/alerts/"),
        ("Outbox", "/outbox/"),
        ("Outcomes", "/outcomes/practice/"),
        ("You", "/profile/"),
    ),
}


@functools.cache
def items_for(role: str) -> list[Item]:
    """(label, address) of the places this role works in, in the order of their day."""
    return [(label, address) for label, address in ITEMS.get(role, ()) if is_valid_path(address)]
