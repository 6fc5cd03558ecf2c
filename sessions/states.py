"""Which moves a session and a course can make, and who makes them."""

from typing import Final

SCHEDULED: Final = "scheduled"
PREPARING: Final = "preparing"
READY: Final = "ready"
DOSING: Final = "dosing"
OBSERVING: Final = "observing"
RELEASED: Final = "released"
CLOSED: Final = "closed"
ABORTED: Final = "aborted"
MISSED: Final = "missed"

SESSION_MOVES: Final = {
    ("", SCHEDULED): "the signed order",
    (SCHEDULED, PREPARING): "patient",
    # Put off to another day: a pause, not a failure.
    (PREPARING, SCHEDULED): "patient or care team",
    (PREPARING, READY): "coach or psychiatrist, through the gate",
    (READY, DOSING): "patient, with the sitter",
    (DOSING, OBSERVING): "patient, sitter, or the clock when the music ends",
    (OBSERVING, RELEASED): "sitter and patient, by rule",
    (RELEASED, CLOSED): "patient's next-day follow-up, or the clock",
    (SCHEDULED, ABORTED): "patient or care team",
    (PREPARING, ABORTED): "patient, sitter or care team",
    (READY, ABORTED): "patient, sitter or care team",
    # Stopped early after the dose: watched to the end by the same rule, then ended as aborted.
    (OBSERVING, ABORTED): "sitter and patient, by rule, after an early stop",
    (SCHEDULED, MISSED): "the clock",
    (MISSED, SCHEDULED): "patient or care team",
}

# One of these at a time per patient (HZ-06).
ACTIVE: Final = (PREPARING, READY, DOSING, OBSERVING)
# Medicine has been taken and the person is being watched.
WATCHED: Final = (DOSING, OBSERVING)
# These rest on a dose release.
NEEDS_RELEASE: Final = (READY, DOSING, OBSERVING, RELEASED, CLOSED)
OVER: Final = (CLOSED, ABORTED)

ACTIVE_COURSE: Final = "active"
ON_HOLD: Final = "on_hold"
COMPLETED: Final = "completed"
STOPPED: Final = "stopped"

COURSE_MOVES: Final = {
    ("", ACTIVE_COURSE): "the signed order",
    (ACTIVE_COURSE, ON_HOLD): "the protocol or psychiatrist",
    (ON_HOLD, ACTIVE_COURSE): "psychiatrist",
    (ACTIVE_COURSE, COMPLETED): "the end of the last session",
    (ACTIVE_COURSE, STOPPED): "patient or psychiatrist",
    (ON_HOLD, STOPPED): "patient or psychiatrist",
}
COURSE_OPEN: Final = (ACTIVE_COURSE, ON_HOLD)
