"""A stranger, and an intake."""

from consults.access.introductions import introduction_token
from consults.models import Introduction
from intake.models import ClearanceRequest, Consent
from intake.rules.steps import assessment_screens
from tests.journeys.steps import ASSESSMENT
from tests.screens.camera import Camera
from tests.screens.places.hands import (
    CAPTIONS_OF_STEPS,
    fill,
    first_link,
    no_to_everything,
    press,
    served_with,
)


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
    shows("", f"{link}cancel/", "introduction-cancel", "Cancelling the call.", phone=True)
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
    with served_with(camera, PTSD_PATHWAY="1"):
        shows(
            "half way",
            "/intake/ptsd/",
            "intake-pcl5",
            "PCL-5, word for word, where the practice has turned the PTSD pathway on.",
            phone=True,
        )
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
