"""What stands on each role's home page: for a patient the one next thing, for staff the list of what waits, each with its action."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import is_valid_path, reverse

from accounts.access import patient_of
from accounts.models import Patient, User
from coaching import access as coaching
from coaching import rules as coaching_rules
from coaching import wording as coaching_words
from common.clock import local_date
from consults.access import active_order, appointments_between, blockers, next_appointment
from intake.access import consent_current, current_intake, held_by, queue_count, states_today
from outcomes import access as outcomes
from portal import access
from safety.access import alert_title, holds_of, on_call_now, open_alerts_for, upcoming_gaps
from sessions import states as session_states
from sessions.access import course_of, sessions_for_staff, sessions_of
from sessions.models import Course, DosingSession

WORKING_DAYS_TO_ANSWER = 2


@dataclass(frozen=True)
class Thing:
    """One thing to do: what, why, by when, and where to do it."""

    title: str
    text: str = ""
    url: str = ""
    label: str = ""
    by: datetime | None = None
    when: str = ""
    kind: str = "info"


# --- patient ---


def for_patient(user: User, *, at: datetime) -> dict[str, Any]:
    """The course as a line of steps, the one next thing, what else is open, and what we are doing meanwhile."""
    patient = patient_of(user)
    intake = current_intake(patient)
    course = course_of(patient)
    sessions = sessions_of(course) if course is not None else []
    visit = next_appointment(patient, at)
    things, waiting = _patient_things(patient, intake, course, sessions, visit, at=at)
    return {
        "person": user,
        "first_name": user.full_name.split(" ")[0] if user.full_name else "",
        "next": things[0] if things else None,
        "others": things[1:],
        "waiting": waiting,
        "steps": _steps(patient, intake, course, sessions, visit, at=at),
        "course": course,
        "holds": list(holds_of(patient)),
    }


def _patient_things(
    patient: Patient,
    intake: Any,
    course: Course | None,
    sessions: list[DosingSession],
    visit: Any,
    *,
    at: datetime,
) -> tuple[list[Thing], list[str]]:
    """(things to do, the most pressing first; sentences about what we are doing)."""
    things: list[Thing] = []
    waiting: list[str] = []
    live = next((s for s in sessions if s.state in session_states.ACTIVE), None)
    if live is not None:
        things.append(
            Thing(
                f"Session {live.number} is open",
                "Go back to your session. Help stands on top of that page.",
                session_url(live),
                "Open my session",
            )
        )
    _intake_things(intake, things, waiting, zone=patient.user.time_zone)
    if intake is not None and intake.state == "accepted":
        _before_the_course(patient, course, visit, things, waiting, at=at)
    _course_things(patient, course, sessions, things, waiting, at=at)
    return things, waiting


def _intake_things(intake: Any, things: list[Thing], waiting: list[str], *, zone: str) -> None:
    state = intake.state if intake is not None else ""
    if state in ("", "withdrawn"):
        things.append(
            Thing(
                "Tell us about yourself",
                "Your history, medicines, two short questionnaires and your blood pressure. About half an hour, saved as you go.",
                "/intake/",
                "Start your intake",
            )
        )
    elif state == "draft":
        things.append(
            Thing(
                "Finish your intake",
                "Your answers are saved. Go on where you stopped, on any device.",
                "/intake/",
                "Go on",
            )
        )
    elif state == "more_info":
        things.append(
            Thing(
                "Your psychiatrist has a question",
                "Some answers need another look before a decision.",
                "/intake/",
                "Look at the questions",
                when=f"by {intake.more_info_due_on:%B} {intake.more_info_due_on.day}"
                if intake.more_info_due_on
                else "",
            )
        )
    elif state in ("submitted", "claimed"):
        by = working_days_after(intake.submitted_at, WORKING_DAYS_TO_ANSWER, zone)
        waiting.append(
            f"A psychiatrist who is licensed in your state reads your answers. You hear from us by {by:%A}, {by:%B} {by.day}."
        )
    elif state == "declined":
        things.append(
            Thing(
                "Your psychiatrist has answered",
                "This treatment is not a good fit for you now. Read why, what may help instead, and about your refund.",
                "/intake/",
                "Read the answer",
            )
        )


def _before_the_course(
    patient: Patient,
    course: Course | None,
    visit: Any,
    things: list[Thing],
    waiting: list[str],
    *,
    at: datetime,
) -> None:
    """Accepted: sign, pay, book, be seen, get the order."""
    if not consent_current(patient, at):
        things.append(
            Thing(
                "Read and sign your consent",
                "The wording has changed, or a signature is missing. Nothing goes on without it.",
                "/intake/consent/",
                "Read and sign",
            )
        )
    if visit is not None:
        starts_at = visit.during.lower
        soon = starts_at - at < timedelta(minutes=30)
        things.append(
            Thing(
                f"{visit.get_visit_type_display()} with {visit.clinician}",
                "Video visit. Be in the state you live in, with your ID near you."
                if visit.visit_type == "consult"
                else "Video visit.",
                reverse("consults:join", args=[visit.pk])
                if soon
                else reverse("consults:appointment", args=[visit.pk]),
                "Join now" if soon else "See the visit",
                by=starts_at,
            )
        )
        return
    if course is not None or active_order(patient, at) is not None:
        return
    for blocker in blockers(patient, "consult", at)[:2]:
        things.append(
            Thing(
                "Before you book", blocker["sentence"], blocker.get("url", ""), blocker.get("label", "Open")
            )
        )
    if not things:
        things.append(
            Thing(
                "Book your consult",
                "You talk with your psychiatrist by video, for about 45 minutes.",
                "/consults/book/consult/",
                "See open times",
            )
        )


def _course_things(
    patient: Patient,
    course: Course | None,
    sessions: list[DosingSession],
    things: list[Thing],
    waiting: list[str],
    *,
    at: datetime,
) -> None:
    if course is None:
        return
    zone = patient.user.time_zone
    due = outcomes.due_for(patient, at=at)
    if due:
        things.append(
            Thing(
                "A few questions about how you are",
                f"{due[0].label}: {len(due)} short {'questionnaire' if len(due) == 1 else 'questionnaires'}, about five minutes.",
                reverse("outcomes:questionnaire", args=[due[0].instrument]),
                "Start",
                by=None if due[0].late else due[0].due_at,
            )
        )
    follow_up = next((s for s in sessions if s.state == session_states.RELEASED), None)
    if follow_up is not None:
        things.append(
            Thing(
                f"The morning after session {follow_up.number}",
                "How did you sleep, how are you? Driving is allowed only after this.",
                session_url(follow_up),
                "Answer",
            )
        )
    today = coaching.daily_of(patient, coaching.local_day(patient, at))
    if today is not None and today.done_at is None and today.cancelled_at is None:
        things.append(
            Thing(
                "Today’s check-in",
                "Half a minute: mood, safety, how you feel.",
                reverse("coaching:daily"),
                "Check in",
                by=today.due_at,
            )
        )
    coming = next((s for s in sessions if s.state == session_states.SCHEDULED), None)
    if coming is not None and course.state in session_states.COURSE_OPEN:
        day = local_date(coming.scheduled_at, zone)
        near = (day - local_date(at, zone)).days <= 1
        things.append(
            Thing(
                f"Session {coming.number}" + (" is today" if day == local_date(at, zone) else ""),
                "Your checklist, your sitter and your blood pressure come first."
                if near
                else "Ask your sitter to keep the day free. We remind you two days before.",
                session_url(coming),
                "Prepare" if near else "See what to prepare",
                by=coming.scheduled_at,
            )
        )
    if not (patient.address and patient.emergency_contact_phone):
        things.append(
            Thing(
                "Whom may we call?",
                "Your address and somebody to call are missing.",
                reverse("accounts:profile"),
                "Fill in",
            )
        )
    if course.state == "completed" and not due:
        waiting.append(
            "Your four sessions are done. Your psychiatrist goes through the result with you and what may come next."
        )


def working_days_after(start: datetime, days: int, zone: str) -> Any:
    """The local date that is so many working days later; Saturdays and Sundays do not count."""
    day = start.astimezone(ZoneInfo(zone)).date()
    while days:
        day += timedelta(days=1)
        if day.weekday() < 5:
            days -= 1
    return day


SESSION_STEP = {
    "closed": "done", "released": "done", "aborted": "done", "scheduled": "later", "missed": "held",
    "preparing": "now", "ready": "now", "dosing": "now", "observing": "now",
}  # fmt: skip


def _steps(
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
            "when": _day(visit.during.lower, zone) if visit is not None and not consult_done else "",
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
                "when": _day(session.dose_at or session.scheduled_at, zone)
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


def _day(instant: datetime, zone: str) -> str:
    local = instant.astimezone(ZoneInfo(zone))
    clock = f"{local:%I:%M %p}".lstrip("0").lower()
    return f"{local:%a %b} {local.day}, {clock} {local.tzname()}"


def session_url(session: DosingSession) -> str:
    """The page of one session; the list while there is none."""
    address = f"/sessions/{session.pk}/"
    return address if is_valid_path(address) else "/sessions/"


# --- staff ---


def _local_day(user: User, at: datetime) -> tuple[datetime, datetime]:
    start = at.astimezone(ZoneInfo(user.time_zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    return start, start + timedelta(days=1)


def _alerts(user: User) -> list[dict[str, Any]]:
    return [{"alert": alert, "title": alert_title(alert)} for alert in open_alerts_for(user)[:8]]


def for_psychiatrist(user: User, *, at: datetime) -> dict[str, Any]:
    """Alerts, people waiting in my states, today's visits, notes and orders to sign, doses to review, sessions going on."""
    start, end = _local_day(user, at)
    codes = states_today(user, at)
    board = sessions_for_staff(user, at=at, zone=user.time_zone)
    return {
        "alerts": _alerts(user),
        "codes": sorted(codes),
        "queue_count": queue_count(codes, at=at),
        "held": held_by(user)[:10],
        "visits": list(appointments_between(user, start, end)),
        "unsigned": access.unsigned_notes(user, at=at),
        "reviews": access.dose_reviews_due(user, at=at),
        "orders": access.draft_orders(user),
        "live": [(s, session_url(s)) for s in board["now"]],
        "today": [(s, session_url(s)) for s in board["today"]],
        "papers": [
            one
            for one in access.papers_running_out(local_date(at, user.time_zone))
            if one["row"].psychiatrist_id == user.pk
        ],
        "flexibility_ends_on": settings.TELEMEDICINE_FLEXIBILITY_ENDS_ON,
        "at": at,
    }


def for_coach(user: User, *, at: datetime) -> dict[str, Any]:
    """Alerts, the most urgent calls, sessions going on and coming today, visits."""
    start, end = _local_day(user, at)
    board = sessions_for_staff(user, at=at, zone=user.time_zone)
    page = coaching.caseload(user, at=at, limit=8)
    rows = []
    for patient in page.rows:
        due_at = None if patient.next_due_at == coaching.FAR else patient.next_due_at
        urgency = coaching_rules.urgency(due_at=due_at, at=at, zone=user.time_zone)
        label, kind = coaching_words.URGENCY[urgency]
        rows.append(
            {
                "patient": patient,
                "due_at": due_at,
                "what": coaching_words.KIND_FOR_STAFF.get(patient.next_kind, ""),
                "label": label,
                "kind": kind,
            }
        )
    return {
        "alerts": _alerts(user),
        "counts": coaching.caseload_counts(user, at=at),
        "rows": rows,
        "live": [(s, session_url(s)) for s in board["now"]],
        "today": [(s, session_url(s)) for s in board["today"]],
        "follow_up": [(s, session_url(s)) for s in board["follow_up"]],
        "visits": list(appointments_between(user, start, end)),
        "at": at,
    }


def for_administrator(user: User, *, at: datetime) -> dict[str, Any]:
    """What could stop the practice tomorrow: on-call gaps, failing messages, papers running out, decisions for a second person."""
    gaps = [
        {"level": level, "starts_at": starts_at, "ends_at": ends_at}
        for level, found in upcoming_gaps(at=at).items()
        for starts_at, ends_at in found[:5]
    ]
    return {
        "alerts": _alerts(user),
        "gaps": gaps,
        "on_call": on_call_now(at=at),
        "trouble": access.outbox_trouble(at=at),
        "papers": access.papers_running_out(local_date(at, user.time_zone)),
        "requests": access.role_requests(user),
        "drafts": access.protocol_drafts(),
        "people": access.people_by_role(),
        "flexibility_ends_on": settings.TELEMEDICINE_FLEXIBILITY_ENDS_ON,
        "person": user,
        "at": at,
    }
