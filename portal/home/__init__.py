"""What stands on each role's home page: for a patient the one next thing, for staff the list of what waits, each with its action."""

from portal.home.patient import for_patient
from portal.home.staff import for_administrator, for_coach, for_psychiatrist
from portal.home.things import Thing, session_url, working_days_after

__all__ = [
    "Thing",
    "for_administrator",
    "for_coach",
    "for_patient",
    "for_psychiatrist",
    "session_url",
    "working_days_after",
]
