"""Where the camera goes, by area of the product. What only looks comes first; what changes the practice comes last."""

import re
from datetime import timedelta
from typing import Any

from django.core.management import call_command
from playwright.sync_api import Page

from coaching.models import CheckIn
from coaching.models.messages import MessageThread
from common import clock
from consults import actions as consults
from consults.access.introductions import introduction_token
from consults.models import Appointment, Fulfilment, Introduction, Order
from intake.models import ClearanceRequest, Consent, Intake
from intake.rules.steps import assessment_screens
from notify.models import OutboxMessage
from safety.models import AdverseEvent, Alert, OnCallShift, Task
from sessions import actions as sessions
from sessions.models import DosingSession
from tests.journeys.steps import ASSESSMENT
from tests.screens.camera import Camera

MINUTE = timedelta(minutes=1)
ATTESTED = ("adult", "sober", "present", "stays", "read_card")
CAPTIONS_OF_STEPS = {
    "about": "Who somebody is, where they are, and whom to call.",
    "heart": "The heart, and what runs in the family.",
    "body": "The rest of the body.",
    "mind": "Past illness and treatment of the mind.",
    "phq9": "PHQ-9, word for word.",
    "gad7": "GAD-7, word for word.",
    "safety": "Questions about safety; help stands above them.",
    "substances": "Alcohol and other substances.",
    "home": "The home, the sitter, the way to help.",
    "identity": "A photo of an ID, or the ID on video.",
}


# --- small helpers ---


def press(page: Page, words: str) -> None:
    page.get_by_role("button", name=words).locator("visible=true").first.click()
    page.wait_for_load_state("load")


def no_to_everything(page: Page, *yes: str) -> None:
    """Each group of choices: “no” where there is one; “yes” for the named."""
    names = page.eval_on_selector_all(
        "main input[type=radio]", "all => [...new Set(all.map(one => one.name))]"
    )
    for name in names:
        wanted = page.locator(f"main input[name='{name}'][value='{'yes' if name in yes else 'no'}']")
        if wanted.count():
            wanted.check()


def fill(page: Page, **answers: str) -> None:
    for name, value in answers.items():
        control = page.locator(f"main [name='{name}']").first
        if control.evaluate("one => one.tagName") == "SELECT":
            control.select_option(value)
        elif (control.get_attribute("type") or "") in ("radio", "checkbox"):
            page.locator(f"main [name='{name}'][value='{value}']").check()
        else:
            control.fill(value)


def first_link(page: Page, pattern: str) -> str:
    hrefs = page.eval_on_selector_all("main a[href]", "all => all.map(one => one.getAttribute('href'))")
    return next((str(href) for href in hrefs if re.search(pattern, href)), "")


# --- visitors ---


def assessment(camera: Camera) -> None:
    """Assessment and free call"""
    shows = camera.shows
    shows("", "/", "home", "The home page: what it is, what it costs, who it is not for.", both=True)
    shows("", "/how-it-works/", "how-it-works", "The way from the first question to the four-week summary.")
    shows("", "/evidence/", "evidence", "What is known and what is not, with sources.")
    shows("", "/pricing/", "pricing", "The whole price first.", both=True)
    shows("", "/help/", "help", "Help now, and answers to what people ask.", both=True)
    shows("", "/privacy/", "privacy", "What is kept, and what never leaves.")
    shows("", "/assessment/", "assessment", "Two minutes, nothing stored about who answers.", both=True)
    phone = camera.page("", phone=True)
    for screen in assessment_screens():
        shows(
            "", f"/assessment/{screen.id}/", f"assessment-{screen.id}", f"The assessment: {screen.title.lower()}.", phone=True
        )  # fmt: skip
        no_to_everything(phone)
        fill(phone, **ASSESSMENT[screen.id])
        phone.locator("main form button.button").first.click()
        phone.wait_for_load_state("load")
    camera.keeps(
        phone,
        "assessment-result",
        "“May be a fit”, what happens next, the price, six questions worth asking.",
    )
    camera.page("").context.add_cookies(phone.context.cookies())  # type: ignore[arg-type]
    shows("", "/assessment/result/", "assessment-result", "The result on a desk.")
    shows(
        "",
        "/introduction/",
        "introduction",
        "Free times of a psychiatrist of that state, in the visitor's zone.",
        both=True,
    )
    phone.goto(camera.url + first_link(phone, r"slot="))
    camera.keeps(phone, "introduction-details", "A name and one way to be reached; nothing about health.")
    fill(phone, name="Robin", phone="(415) 555-0177", email="robin@visitors.example")
    press(phone, "Book the call")
    camera.keeps(
        phone, "introduction-link", "The one link of the call: move it, cancel it, put it in a calendar."
    )
    row = Introduction.objects.latest("created_at")
    link = f"/introduction/link/{introduction_token(row)}/"
    shows("", link, "introduction-link", "The same link on a desk.")
    shows("", f"{link}move/", "introduction-move", "Another time for the call.", phone=True)
    doctor = row.clinician.email.split("@")[0]
    shows(
        doctor,
        f"/consults/introduction/{row.pk}/",
        "introduction-call",
        "The psychiatrist's page of the call.",
    )
    other = camera.browser.new_context(viewport=phone.viewport_size).new_page()
    for name, answers, caption in (
        ("assessment-adults-only", {"age_years": "17", "state": "CA"}, "Under eighteen: help, and no offer."),
        ("assessment-crisis", {"main_problem": "crisis", "low_mood": "3", "worry": "3"}, "Thoughts of ending one's life: 988, 911, and no offer."),
        ("assessment-emergency", {"main_problem": "emergency", "low_mood": "0", "worry": "0"}, "Something wrong with the body now: 911."),
    ):  # fmt: skip
        other.context.clear_cookies()
        other.goto(f"{camera.url}/assessment/{'you' if 'age_years' in answers else 'why'}/")
        fill(other, **answers)
        press(other, "Next")
        camera.keeps(other, name, caption)
    other.context.clear_cookies()
    for screen in assessment_screens():
        other.goto(f"{camera.url}/assessment/{screen.id}/")
        no_to_everything(other)
        fill(
            other, **(ASSESSMENT[screen.id] | ({"monitor_available": "no"} if screen.id == "sitter" else {}))
        )
        other.locator("main form button.button").first.click()
        other.wait_for_load_state("load")
    camera.keeps(other, "assessment-not-now", "“Not right now”: why, and what may help instead.")
    other.context.close()
    shows("", "/accounts/login/", "log-in", "Log in.", both=True)
    shows("", "/accounts/signup/", "sign-up", "Open an account.", phone=True)
    shows("", "/accounts/password/reset/", "password-forgotten", "A forgotten password.", phone=True)
    shows("", "/outbox/demo/", "demo-outbox", "The demo's outbox: every message that would have left.")


# --- intake ---


def intake(camera: Camera) -> None:
    """Intake"""
    shows = camera.shows
    shows("signed up", "/home/", "patient-home-new", "The first page after signing up.", phone=True)
    shows("signed up", "/intake/", "intake-begin", "What the intake asks and how long it takes.", phone=True)
    shows("half way", "/home/", "patient-home-half-way", "Half way: one next step.", phone=True)
    shows("half way", "/intake/", "intake", "The task list: what is left, about how long.", both=True)
    for step, caption in CAPTIONS_OF_STEPS.items():
        shows("half way", f"/intake/{step}/", f"intake-{step}", caption, phone=True)
    shows("half way", "/intake/about/", "intake-about", "A step on a desk.")
    shows(
        "half way",
        "/intake/medicines/",
        "intake-medicines",
        "Medicines, found however they are spelled.",
        phone=True,
    )
    shows(
        "half way",
        "/intake/medicines/?q=xanex",
        "intake-medicine-slip",
        "A slip is asked about before it counts as unknown.",
        phone=True,
    )
    shows(
        "half way", "/intake/blood-pressure/", "intake-blood-pressure", "Blood pressure at home.", phone=True
    )
    shows("half way", "/intake/consent/", "intake-consent", "What there is to read and sign.", phone=True)
    shows(
        "half way",
        "/intake/consent/treatment-consent/",
        "intake-consent-text",
        "One point after its own part, written for the state.",
        both=True,
    )
    shows("half way", "/intake/answers/", "intake-answers", "Everything that was answered.", phone=True)
    shows("half way", "/documents/", "documents", "Letters and ID, rewritten and encrypted.", both=True)
    shows(
        "crisis", "/home/", "patient-home-crisis", "Home of somebody who said they are not safe.", phone=True
    )
    shows("crisis", "/intake/support/", "intake-support", "Help, and the safety plan.", phone=True)
    shows("waiting", "/home/", "patient-home-waiting", "Sent: who reads it, by when.", phone=True)
    shows("waiting", "/intake/", "intake-sent", "The intake while it is being read.", phone=True)
    shows(
        "asked for more",
        "/home/",
        "patient-home-asked",
        "The psychiatrist asks for one more thing.",
        phone=True,
    )
    shows("asked for more", "/intake/", "intake-asked", "What to look at again.", phone=True)
    shows("declined", "/home/", "patient-home-declined", "A kind no, and where help is.", phone=True)
    letter = ClearanceRequest.objects.filter(patient_id=camera.person("letter awaited").pk).first()
    if letter:
        shows(
            "letter awaited",
            "/home/",
            "patient-home-letter",
            "A letter to a specialist is awaited.",
            phone=True,
        )
        shows(
            "letter awaited",
            f"/clearance/{letter.pk}/",
            "clearance",
            "The letter to print, and how its answer comes back.",
            both=True,
        )
        shows("letter awaited", "/documents/", "documents-letter", "Where the answer is sent.", phone=True)
    signed = Consent.objects.filter(patient_id=camera.person("after two").pk).first()
    if signed:
        shows(
            "after two", f"/consents/{signed.pk}/", "consent-signed", "A signed text, as it was.", phone=True
        )
    shows(
        "after two", "/right-to-stop/", "right-to-stop", "The right to stop: one page, one button.", both=True
    )
    shows(
        "after two",
        "/intake/answers/",
        "update-my-details",
        "“Update my details” after acceptance.",
        phone=True,
    )


# --- review ---


def review(camera: Camera) -> None:
    """Review and chart"""
    shows = camera.shows
    shows("dana", "/queue/", "queue", "The review queue: urgency, then age, with the time left.")
    shows("dana", "/decisions/", "decisions", "What a psychiatrist signed stays theirs to read.")
    shows("dana", "/queue/states/", "queue-states", "States in which people wait and nobody may prescribe.")
    waiting = Intake.objects.get(patient_id=camera.person("waiting for review").pk)
    for name in ("dana", "priya", "noah"):
        answer = camera.page(name).goto(f"{camera.url}/queue/{waiting.pk}/")
        if answer and answer.status == 200:
            camera.keeps(camera.page(name), "queue-item", "Before taking an intake: who, why, since when.")
            take = camera.page(name).get_by_role("button", name="Take it")
            if take.count():
                take.first.click()
                camera.page(name).wait_for_load_state("load")
                camera.keeps(
                    camera.page(name),
                    "chart-in-review",
                    "The chart of somebody in review: why here, reasons, scores, medicines.",
                )
                chart = camera.page(name).url.split("?")[0][len(camera.url) :]
                for kind, caption in (
                    ("accept", "Accept for a consult."),
                    ("decline", "A decline from the reasons chosen, read as the patient will."),
                    ("ask_more", "Ask for one more thing."),
                    ("clearance", "Ask a specialist."),
                ):
                    shows(name, f"{chart}decide/{kind}/", f"decide-{kind.replace('_', '-')}", caption)
            break
    after = camera.patient("after two")
    shows("doctor of after two", f"/chart/{after.pk}/", "chart", "A chart in the course.")
    shows(
        "doctor of after two",
        f"/chart/{after.pk}/papers/",
        "chart-papers",
        "Signed texts, documents and letters.",
    )


# --- consult and video ---


def booking(camera: Camera) -> None:
    """Booking, visits and orders"""
    shows = camera.shows
    shows("accepted", "/home/", "patient-home-accepted", "Accepted: the price, then a time.", phone=True)
    shows("accepted", "/billing/", "billing", "The price, what is paid, receipts.", both=True)
    pay = camera.page("accepted", phone=True)
    pay.goto(f"{camera.url}/billing/")
    press(pay, "Pay")
    camera.keeps(pay, "billing-pay", "Paying the programme, at the demo's till.")
    shows("consult booked", "/billing/", "billing-paid", "Paid, with its receipt.", phone=True)
    shows("consult booked", "/consults/", "consults", "Visits of a patient.", both=True)
    shows(
        "consult booked",
        "/consults/book/follow_up/",
        "consult-times",
        "Free times in the patient's own zone.",
        both=True,
    )
    visit = Appointment.objects.filter(patient_id=camera.person("consult booked").pk, state="booked").first()
    if visit:
        shows(
            "consult booked",
            f"/consults/{visit.pk}/",
            "consult",
            "One visit: when, with whom, how to join.",
            both=True,
        )
        shows("consult booked", f"/consults/{visit.pk}/move/", "consult-move", "Another time.", phone=True)
        shows(
            "consult booked",
            f"/consults/{visit.pk}/cancel/",
            "consult-cancel",
            "Cancelling, and what it means.",
            phone=True,
        )
        shows(
            "consult booked",
            f"/consults/{visit.pk}/join/",
            "consult-early",
            "Before the door opens.",
            phone=True,
        )
        doctor = visit.clinician.email.split("@")[0]
        shows(
            doctor,
            f"/consults/visit/{visit.pk}/",
            "visit-before",
            "The visit, before it: note, identity, place.",
        )
    shows("dana", "/calendar/", "calendar", "A clinician's calendar.")
    shows("dana", "/calendar/hours/", "calendar-hours", "Weekly hours and visit types.")
    shows("dana", "/calendar/exceptions/new/", "calendar-exception", "Leave, and hours on a single day.")
    seen = Appointment.objects.filter(patient_id=camera.person("after two").pk, state="completed").first()
    if seen:
        shows(
            seen.clinician.email.split("@")[0],
            f"/consults/visit/{seen.pk}/",
            "visit-signed",
            "A signed note and its addenda.",
        )
    after = camera.patient("after two")
    order = Order.objects.filter(patient=after).latest("created_at")
    doctor = "doctor of after two"
    shows(doctor, f"/consults/patient/{after.pk}/", "treatment", "Visits, orders and parcels of one person.")
    shows(doctor, f"/consults/order/{order.pk}/", "order", "A signed order.")
    shows(
        "after two",
        f"/consults/order/{order.pk}/",
        "order-patient",
        "The order as its patient reads it.",
        phone=True,
    )
    shows(
        doctor,
        f"/consults/order/new/{after.pk}/",
        "order-new",
        "Writing an order: strength, quantity, limits.",
    )
    shows(doctor, f"/consults/order/{order.pk}/pharmacy/", "order-pharmacy", "What the pharmacy answered.")
    shows(doctor, f"/consults/order/{order.pk}/ship/", "order-ship", "A parcel leaves.")
    shows(doctor, f"/consults/order/{order.pk}/revoke/", "order-revoke", "Taking an order back.")
    shows(doctor, f"/consults/pdmp/{after.pk}/", "pdmp", "The PDMP check, attested.")
    shows(
        "after two",
        "/consults/medicine/",
        "medicine",
        "What arrived, what was taken, what is left.",
        both=True,
    )
    parcel = Fulfilment.objects.filter(order__patient=after).first()
    if parcel:
        shows(
            "after two",
            f"/consults/parcels/{parcel.pk}/count/",
            "parcel-count",
            "Counting what arrived.",
            phone=True,
        )


def video(camera: Camera) -> None:
    """Video visit"""
    shows = camera.shows
    visit = (
        Appointment.objects.filter(state="booked", during__startswith__gt=clock.now(), visit_type="consult")
        .select_related("patient__user", "clinician")
        .order_by("during")
        .first()
    )
    assert visit is not None
    camera.waits_until(visit.starts_at - 6 * MINUTE)
    patient, doctor = visit.patient.user.email.split("@")[0], visit.clinician.email.split("@")[0]
    camera.known[patient] = visit.patient.user
    shows(
        patient,
        "/video/check/",
        "video-check",
        "Camera, sound and line are tried before the visit.",
        both=True,
    )
    shows(
        patient, f"/consults/{visit.pk}/join/", "visit-join", "Joining: who, and where right now.", phone=True
    )
    room = consults.open_visit_room(visit, by=visit.clinician, at=clock.now())
    consults.arrive(visit, state_now=visit.patient.state, by=visit.patient.user, at=clock.now())
    shows(
        patient,
        f"/video/{room.pk}/",
        "video-waiting-room",
        "The waiting room: place in line, when it begins.",
        both=True,
    )
    camera.page(doctor).goto(f"{camera.url}/video/{room.pk}/")
    camera.page(doctor).wait_for_timeout(2500)
    camera.keeps(camera.page(doctor), "video-who-waits", "The room of the psychiatrist while somebody waits.")
    press(camera.page(doctor), "Let in")
    phone = camera.page(patient, phone=True)
    phone.goto(f"{camera.url}/video/{room.pk}/")
    phone.wait_for_timeout(4000)
    camera.keeps(phone, "video-visit", "The visit on a phone; nothing is recorded.")
    camera.keeps(
        camera.page(doctor), "video-visit", "The visit on a desk: sound only, telephone, chat, guests."
    )
    shows(
        patient,
        f"/video/{room.pk}/guests/",
        "video-guests",
        "An interpreter or the family, by a link.",
        phone=True,
    )
    shows(doctor, f"/video/{room.pk}/guests/", "video-guests", "Guests, from the psychiatrist's side.")
    from video import actions as rooms

    _, secret = rooms.invite_guest(
        room, kind="interpreter", name="Irene Ortiz", by=visit.clinician, at=clock.now()
    )
    shows("", f"/v/{secret}/", "video-guest", "The guest's page.", both=True)
    shows(
        doctor, f"/consults/visit/{visit.pk}/", "visit", "The note beside the visit, saved as it is written."
    )
    rooms.close_room(room, by=visit.clinician, at=clock.now())
    shows(patient, f"/video/{room.pk}/", "video-over", "The visit is over; what comes next.", phone=True)


# --- sessions ---


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


# --- messages ---


def messages(camera: Camera) -> None:
    """Messages"""
    shows = camera.shows
    shows("after one", "/messages/", "messages", "Conversations with the care team.", both=True)
    thread = MessageThread.objects.filter(patient_id=camera.person("after one").pk).first()
    if thread:
        shows(
            "after one",
            f"/messages/{thread.pk}/",
            "message-thread",
            "One conversation, with a photo and who read what.",
            both=True,
        )
        shows(
            "coach of after one",
            f"/messages/{thread.pk}/",
            "message-thread-staff",
            "The same from the care team's side.",
        )
    shows("after one", "/messages/new/", "message-new", "A new message: who answers, by when.", both=True)
    waits = MessageThread.objects.filter(patient_id=camera.person("after two").pk).first()
    shows(
        "coach of after two",
        "/messages/",
        "messages-staff",
        "The care team's conversations, what waits first.",
    )
    shows(
        "coach of after two",
        f"/messages/of/{camera.person('after two').pk}/",
        "messages-of",
        "Everything with one person.",
    )
    shows(
        "coach of after two",
        f"/messages/to/{camera.person('after two').pk}/",
        "message-new-staff",
        "The care team writes first.",
    )
    if waits:
        shows(
            "coach of after two",
            f"/messages/{waits.pk}/",
            "message-waits",
            "A question that waits for an answer.",
        )
        shows(
            "coach of after two",
            f"/messages/{waits.pk}/hand-over/",
            "message-hand-over",
            "Handing a conversation over.",
        )
    shows("after two", "/profile/messages/", "wishes", "Which messages, how, and quiet hours.", both=True)
    shows("after two", "/profile/", "profile", "One's own details, language and zone.", both=True)
    shows("after two", "/profile/security/", "security", "Password, second factor, devices.", phone=True)
    shows("dana", "/profile/messages/", "wishes-staff", "The same page of a member of the care team.")
    shows("dana", "/profile/", "profile-staff", "A clinician's details.")
    shows("ann", "/outbox/", "outbox", "What left, what waits, what was stopped.")
    shows("ann", "/outbox/catalogue/", "outbox-catalogue", "Every message that exists, in each language.")
    shows("ann", "/outbox/stuck/", "outbox-stuck", "What could not be sent, with its owner.")
    shows("ann", "/outbox/replies/", "outbox-replies", "Texts that people sent back.")


# --- safety ---


def safety(camera: Camera) -> None:
    """Safety"""
    shows = camera.shows
    shows("dana", "/alerts/", "alerts", "Live alerts, the most urgent first.")
    shows("dana", "/alerts/?state=closed", "alerts-closed", "Closed ones.")
    live = Alert.objects.filter(patient_id=camera.person("crisis").pk).exclude(state="closed").first()
    shut = Alert.objects.filter(state="closed", patient__isnull=False).latest("opened_at")
    if live:
        # Whoever is licensed where the person lives, or is on call.
        for name in ("dana", "priya", "noah"):
            answer = camera.page(name).goto(f"{camera.url}/alerts/{live.pk}/")
            if answer and answer.status == 200:
                camera.keeps(
                    camera.page(name),
                    "alert",
                    "One alert: signs, pages, who took it, what the person was shown.",
                )
                break
    shows("dana", f"/alerts/{shut.pk}/", "alert-closed", "A closed one, with what was done.")
    shows("ann", "/alerts/roster/", "roster", "Who is on call, gaps, holidays, time away.")
    mine = (
        OnCallShift.objects.filter(person=camera.person("dana"), ends_at__gt=clock.now(), removed_at=None)
        .order_by("starts_at")
        .first()
    )
    shows("dana", "/alerts/roster/", "roster-staff", "The roster as a psychiatrist sees it.")
    if mine:
        shows(
            "dana",
            f"/alerts/roster/{mine.pk}/hand-over/",
            "roster-hand-over",
            "Handing a shift, or the rest of it, to a colleague.",
        )
    shows("dana", "/adverse-events/", "adverse-events", "Adverse events and their rate.")
    shows("ann", "/adverse-events/", "adverse-events-admin", "The same without clinical words.")
    event = AdverseEvent.objects.order_by("-reported_at").first()
    if event:
        shows(
            "doctor of after three high pressure",
            f"/adverse-events/{event.pk}/",
            "adverse-event",
            "One event: cause, action, outcome, who was told.",
        )
    person = camera.person("after two").pk
    shows("doctor of after two", f"/adverse-events/new/{person}/", "adverse-event-new", "Reporting an event.")
    shows(
        "coach of after two",
        f"/adverse-events/incident/{person}/",
        "incident",
        "What a coach heard about medicine.",
    )
    shows(
        "after two",
        "/medicine-report/",
        "medicine-report",
        "Lost, stolen, or taken by somebody else.",
        both=True,
    )


# --- the work list ---


def work(camera: Camera) -> None:
    """Work list and home pages"""
    shows = camera.shows
    shows("dana", "/home/", "home-psychiatrist", "A psychiatrist's day.")
    shows("cole", "/home/", "home-coach", "A coach's day.")
    shows("ann", "/home/", "home-administrator", "An administrator's day.")
    shows("dana", "/work/", "work", "Overdue, due today, coming, waiting for somebody else.")
    shows("ann", "/work/practice/", "work-practice", "Everybody's list, and what nobody attends to.")
    shows(
        "ann",
        f"/work/people/{camera.person('dana').pk}/",
        "work-person",
        "One person's list, without clinical words.",
    )
    task = Task.objects.filter(owner=camera.person("ann"), done_at=None).first()
    if task:
        shows("ann", f"/work/{task.pk}/", "task", "One task: finish it, or hand it over.")


def administration(camera: Camera) -> None:
    """Administration"""
    shows = camera.shows
    shows("ann", "/admin/", "admin", "The administration's first page is the work list.")
    pages = {
        "accounts/user": "People.", "accounts/rolegrant": "Roles, given by two people.", "accounts/careteam": "Care teams.",
        "accounts/licence": "Licences.", "accounts/dearegistration": "DEA registrations.", "accounts/credentialrequest": "Credentials wait for a second person.",
        "common/protocolversion": "Protocol versions, approved by a second person.", "common/auditentry": "The trail.",
        "common/stateevent": "Changes of state.", "notify/outboxmessage": "Messages.", "notify/messagewording": "The practice's own words.",
        "notify/heartbeat": "The beating of each program.", "safety/alert": "Alerts.", "safety/safetyhold": "Holds.", "safety/oncallshift": "Shifts.",
        "intake/rulecount": "How often each rule was hit.", "intake/dryrun": "Changes of rules, tried on past intakes.", "video/room": "Rooms.",
        "billing/refund": "Refunds.",
    }  # fmt: skip
    for path, caption in pages.items():
        shows("ann", f"/admin/{path}/", f"admin-{path.split('/')[1]}", caption)
    shows(
        "ann",
        "/admin/notify/messagewording/add/",
        "admin-wording-new",
        "Own words for a message, tried before they are kept.",
    )
    shows("ann", f"/admin/accounts/user/{camera.person('dana').pk}/change/", "admin-user", "One person.")
    shows("", "/components/", "components", "The parts that pages are made of.")


AREAS = (
    assessment,
    intake,
    review,
    booking,
    course,
    messages,
    safety,
    work,
    administration,
    video,
    dosing_day,
)
