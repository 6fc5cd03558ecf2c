"""A patient's home: the one next thing, what else is open, and what we are doing meanwhile."""

from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse

from accounts.access import patient_of
from accounts.models import Patient, User
from coaching import access as coaching
from coaching import message_access as messages
from common.clock import local_date
from consults.access import active_order, blockers, next_appointment
from intake.access import consent_current, current_intake, open_clearances, withdrawn_since_signing
from outcomes import access as outcomes
from portal.home.steps import steps_of
from portal.home.things import Thing, session_url, working_days_after
from safety.access import holds_of
from sessions import states as session_states
from sessions.access import course_of, sessions_of
from sessions.models import Course, DosingSession

WORKING_DAYS_TO_ANSWER = 2


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
        "steps": steps_of(patient, intake, course, sessions, visit, at=at),
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
    unread = messages.unread_threads(patient.user, at=at)
    if unread:
        things.append(
            Thing(
                "A message for you" if len(unread) == 1 else f"{len(unread)} conversations have news",
                "Your care team has written to you.",
                reverse("coaching:messages", args=[unread[0].pk])
                if len(unread) == 1
                else reverse("coaching:inbox"),
                "Read it" if len(unread) == 1 else "Read them",
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
                "Your history, medicines, two short questionnaires and your blood pressure. About forty minutes, saved as you go.",
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
        when = (
            f"by {intake.more_info_due_on:%B} {intake.more_info_due_on.day}"
            if intake.more_info_due_on
            else ""
        )
        letter = open_clearances(intake.patient_id).first()
        things.append(
            Thing(
                "A letter from your specialist",
                "Your psychiatrist would like to hear from a specialist first. The letter to take along is ready.",
                reverse("intake:clearance", args=[letter.pk]),
                "Open the letter",
                when=when,
            )
            if letter
            else Thing(
                "Your psychiatrist has a question",
                "Some answers need another look before a decision.",
                "/intake/",
                "Look at the questions",
                when=when,
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
        if withdrawn_since_signing(patient) is not None:
            # They have stopped: asking them to sign again would be pressing.
            waiting.append(
                "You have stopped, and nothing is due from you. What happens now stands under “Your right to stop”."
            )
            return
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
