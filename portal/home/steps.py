"""The course as a line of steps."""

from datetime import datetime
from typing import Any

from accounts.models import Patient
from portal.home.things import day_words, session_url
from sessions.models import Course, DosingSession

SESSION_STEP = {
    "closed": "done", "released": "done", "aborted": "done", "scheduled": "later", "missed": "held",
    "preparing": "now", "ready": "now", "dosing": "now", "observing": "now",
}  # fmt: skip


def steps_of(
    patient: Patient,
    intake: Any,
    course: Course | None,
    sessions: list[DosingSession],
    visit: Any,
    *,
    at: datetime,
) -> list[dict[str, Any]]:
    """The course as a line: intake, consult, four sessions, summary. Exactly one step is `now`."""
    zone = patient.user.time_zone
    state = intake.state if intake is not None else ""
    intake_done = state == "accepted"
    consult_done = course is not None
    steps: list[dict[str, Any]] = [
        {
            "title": "Your intake",
            "state": "done" if intake_done else "now",
            "when": {"submitted": "being read", "claimed": "being read", "declined": "answered"}.get(
                state, ""
            ),
            "href": "/intake/",
            "mark": "1",
        },
        {
            "title": "Consult with your psychiatrist",
            "state": "done" if consult_done else "now" if intake_done else "later",
            "when": day_words(visit.during.lower, zone) if visit is not None and not consult_done else "",
            "mark": "2",
        },
    ]
    held = course is not None and course.state == "on_hold"
    placed_now = any(step["state"] == "now" for step in steps)
    for number in range(1, 5):
        session = next((s for s in sessions if s.number == number), None)
        step_state = "later" if session is None else SESSION_STEP.get(session.state, "later")
        if session is not None and step_state == "later" and not placed_now:
            step_state = "held" if held else "now"
            placed_now = True
        placed_now = placed_now or step_state == "now"
        steps.append(
            {
                "title": f"Session {number}",
                "state": step_state,
                "when": day_words(session.dose_at or session.scheduled_at, zone)
                if session is not None
                else f"week {number}",
                "href": session_url(session) if session is not None else "",
                "mark": str(number + 2),
            }
        )
    done = course is not None and course.state == "completed"
    steps.append(
        {
            "title": "What changed: your four-week summary",
            "state": "now" if done and not placed_now else "later",
            "when": "",
            "href": "/outcomes/" if course is not None else "",
            "mark": "7",
        }
    )
    return steps
