"""The course, and the dosing day."""

import re
from datetime import timedelta
from typing import Any

from django.core.management import call_command

from coaching.models import CheckIn
from common import clock
from consults import actions as consults
from notify.models import OutboxMessage
from sessions import actions as sessions
from sessions.models import DosingSession
from tests.screens.camera import Camera
from tests.screens.places.hands import ATTESTED, no_to_everything, press


def course(camera: Camera) -> None:
    """Course and sessions"""
    shows = camera.shows
    shows("after two", "/home/", "patient-home", "What comes next, on the patient's own page.", both=True)
    shows("after two", "/sessions/", "course", "The four sessions.", both=True)
    row = DosingSession.objects.filter(patient_id=camera.person("after two").pk)
    done, ahead = row.get(number=2), row.get(number=3)
    shows("after two", f"/sessions/{ahead.pk}/", "session-ahead", "A session that is not today.", phone=True)
    shows("after two", f"/sessions/{ahead.pk}/move/", "session-move", "Another day for a session.", both=True)
    shows("after two", f"/sessions/{done.pk}/", "session-over", "A session that is over.", phone=True)
    shows("after two", "/sessions/journal/", "journal", "The private journal.", both=True)
    shows("coach of after two", "/sessions/", "sessions", "The coach's sessions.")
    shows("doctor of after two", "/sessions/", "sessions-doctor", "The psychiatrist's sessions.")
    shows(
        "coach of after two",
        f"/sessions/{done.pk}/",
        "session-desk-over",
        "A session that is over, from the desk.",
    )
    shows(
        "doctor of after two",
        f"/sessions/{ahead.pk}/stop-course/",
        "stop-course",
        "Ending a course, with a reason the patient reads.",
    )
    shows(
        "doctor of after two",
        f"/sessions/{ahead.pk}/decide/",
        "session-decide",
        "The dose of the next session: same, up, down or stop, signed after the last one is read.",
    )
    shows("after two", "/coaching/check-in/", "check-in", "Half a minute a day.", phone=True)
    shows("finished", "/outcomes/", "outcomes", "Scores over time and the four-week summary.", both=True)
    shows("finished", "/home/", "patient-home-finished", "After the last session.", phone=True)
    shows(
        "finished",
        "/outcomes/questionnaire/phq9/",
        "questionnaire",
        "A questionnaire in the course.",
        phone=True,
    )
    finished = camera.patient("finished")
    shows("doctor of finished", f"/outcomes/{finished.pk}/", "outcomes-patient", "One person's outcomes.")
    shows(
        "dana",
        "/outcomes/practice/",
        "outcomes-practice",
        "The practice's outcomes, with definitions and denominators.",
    )
    shows("coach of after two", "/coaching/", "caseload", "The caseload, most urgent first.")
    shows(
        "coach of after two",
        f"/coaching/patient/{camera.person('after two').pk}/",
        "coach-patient",
        "Calls and daily answers of one person.",
    )
    call = (
        CheckIn.objects.filter(patient_id=camera.person("after two").pk, done_at=None, cancelled_at=None)
        .exclude(kind="daily")
        .first()
    )
    if call:
        shows(
            "coach of after two", f"/coaching/check-in/{call.pk}/", "coach-call", "A call, with what to ask."
        )


def dosing_day(camera: Camera) -> None:
    """The dosing day"""
    shows = camera.shows
    user = camera.person("ordered")

    def session() -> Any:
        return DosingSession.objects.select_related(
            "patient__user", "patient__care_team__psychiatrist", "patient__care_team__coach", "course__order", "course__protocol", "sitter"
        ).get(patient=user.pk, number=1)  # fmt: skip

    # Two readings with the cuff on two days, or the first session does not open.
    for days in (2, 1):
        camera.waits_until(session().scheduled_at - timedelta(days=days))
        consults.practice_reading(
            session().patient, systolic_mmhg=122, diastolic_mmhg=78, pulse_bpm=68, by=user, at=clock.now()
        )
    camera.waits_until(session().scheduled_at)
    room = f"/sessions/{session().pk}/"
    page = camera.page("ordered", phone=True)
    desk = "coach of ordered"
    shows("ordered", room, "day-begins", "The day begins.", phone=True)
    press(page, "Begin the day")
    camera.keeps(page, "day-questions", "Today's questions.")
    no_to_everything(page, "fasted", "holds_followed", "safe_now")
    press(page, "Save and go on")
    camera.keeps(page, "day-place", "Where the patient is today, for the 911 card.")
    press(page, "This is right")
    camera.keeps(page, "day-sitter", "A link for the sitter's own phone.")
    link, plain = sessions.invite_sitter(
        session(), name="Sam Sitter", phone="+14155550177", by=user, at=clock.now()
    )
    secret = plain if isinstance(plain, str) else newest_sitter_link()
    shows("sitter", f"/s/{secret}/", "sitter-confirm", "The sitter reads the card and confirms.", phone=True)
    sessions.confirm_sitter(link, attested=ATTESTED, at=clock.now())
    shows("ordered", room, "day-reading", "Two readings, two minutes apart.", phone=True)
    shows("sitter", f"/s/{secret}/", "sitter", "The sitter is confirmed.", both=True)

    def reads(systolic: int, diastolic: int) -> None:
        sessions.take_reading(
            session(), systolic_mmhg=systolic, diastolic_mmhg=diastolic, pulse_bpm=70, by=user, at=clock.now(), source="patient"
        )  # fmt: skip

    for systolic, diastolic in ((146, 92), (145, 91)):
        call_command("clock", advance="3m")
        reads(systolic, diastolic)
    shows(
        "ordered",
        room,
        "day-pause",
        "Above the limit: a pause, and the time when to measure again.",
        phone=True,
    )
    shows(desk, room, "session-desk-held", "The gate while the dose is held.")
    call_command("clock", advance="16m")
    for systolic, diastolic in ((124, 80), (121, 78)):
        reads(systolic, diastolic)
        call_command("clock", advance="2m")
    shows("ordered", room, "day-ready", "Almost there: what the care team looks at.", phone=True)
    shows(desk, room, "session-desk", "The gate: sixteen conditions, each with its reason.")
    doctor = camera.person("doctor of ordered")
    at = clock.now()
    result = sessions.release_dose(session(), by=doctor, at=at, stepped_up_at=at)
    if result.release is None:
        camera.trouble.append(f"dosing day: the gate stayed shut {result.reasons}")
        return
    shows("ordered", room, "day-dose", "The dose is open; what to do, step by step.", phone=True)
    sessions.confirm_dose_taken(
        session(), units_taken=session().course.order.units_per_dose, by=user, at=clock.now()
    )
    shows("ordered", room, "day-music", "Lie back: music, and who watches.", both=True)
    shows("sitter", f"/s/{secret}/", "sitter-watch", "What the sitter looks for, and when.", phone=True)
    shows(
        "sitter",
        f"/s/{secret}/medicine/",
        "sitter-medicine",
        "Lost, stolen, or somebody else took it.",
        phone=True,
    )
    shows("sitter", f"/s/{secret}/symptoms/", "sitter-symptoms", "What the sitter sees or hears.", phone=True)
    shows("sitter", f"/s/{secret}/help/", "sitter-help", "The sitter asks for help.", phone=True)
    call_command("clock", advance="14m")
    shows("sitter", f"/s/{secret}/", "sitter-check", "“Please look in now.”", phone=True)
    shows(desk, room, "session-desk-watch", "The desk while somebody is watched.")
    call_command("clock", advance="48m")
    sessions.end_music(session(), by=user, at=clock.now())
    shows("ordered", room, "day-watch", "Welcome back: readings until it is over.", phone=True)
    shows("ordered", f"{room}symptoms/", "day-symptoms", "How it feels right now.", phone=True)
    shows("ordered", f"{room}help/", "day-help", "I need help.", phone=True)
    shows("ordered", f"{room}stop/", "day-stop", "Stopping early.", phone=True)


def newest_sitter_link() -> str:
    message = OutboxMessage.objects.filter(kind="sitter_link").latest("created_at")
    found = re.search(r"/s/([\w-]+)/", message.context["link"])
    assert found
    return found[1]
