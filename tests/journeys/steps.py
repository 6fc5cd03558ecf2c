"""What people do, as sentences: the vocabulary of the journeys."""

import re
from html import unescape
from urllib.parse import urlsplit

from common import clock
from portal.walkthrough.totp import code_of
from tests.journeys.walker import Walker

PASSWORD = "a warm stone by the river"
ASSESSMENT = {
    "you": {"age_years": "38", "state": "CA"},
    "why": {"main_problem": "both", "low_mood": "2", "worry": "2"},
    "video": {"has_internet_video": "yes"},
    "sitter": {"monitor_available": "yes"},
    "home": {"home_safe": "yes"},
    "pregnancy": {},
    "allergy": {},
    "vessels": {},
    "mind": {},
    "substances": {},
}
ABOUT = {
    "full_name": "Mara Lindgren",
    "date_of_birth": "1988-04-02",
    "sex": "female",
    "state": "CA",
    "time_zone": "America/Los_Angeles",
    "phone": "(415) 555-0166",
    "address": "12 Alder Street, Oakland, CA 94601",
    "emergency_contact_name": "Jo Lindgren",
    "emergency_contact_phone": "(415) 555-0177",
    "weight": "150",
    "weight_unit": "lb",
    "height_ft": "5",
    "height_in": "6",
}


# --- filling pages ---


def fills(walker: Walker, **answers: str) -> Walker:
    """Answer fields of whatever kind by their names."""
    for name, value in answers.items():
        control = walker.page.locator(f"main [name='{name}']").first
        tag = control.evaluate("one => one.tagName.toLowerCase()")
        kind = control.get_attribute("type") or ""
        if tag == "select":
            walker.picks(name, value)
        elif kind in ("radio", "checkbox"):
            walker.chooses(name, value)
        else:
            walker.types(name, value)
    return walker


# --- the visitor ---


def answers_the_assessment(walker: Walker, **but: str) -> Walker:
    """All ten screens, clear of every rule unless `but` says otherwise; ends on the result."""
    walker.opens("/assessment/").follows("Begin")
    for screen, answers in ASSESSMENT.items():
        walker.is_at(f"/assessment/{screen}/").sees("988")
        given = {
            **answers,
            **{k: v for k, v in but.items() if walker.page.locator(f"main [name='{k}']").count()},
        }
        walker.answers_no_to_everything(**{k: v for k, v in given.items() if k in but})
        fills(walker, **given)
        walker.page.locator("main form button.button").first.click()
        walker.looks()
    return walker


# --- accounts ---


def newest_mail_link(walker: Walker, address: str) -> str:
    """The link in the newest mail to this address, as the demo's outbox shows it."""
    walker.opens("/outbox/demo/")
    card = walker.page.locator("main .card", has_text=address).first
    href = card.locator("a").first.get_attribute("href") or ""
    return urlsplit(unescape(href)).path


def opens_an_account(walker: Walker, address: str) -> Walker:
    """Sign up, open the link of the mail, confirm, log in."""
    walker.opens("/accounts/signup/")
    fills(walker, email=address, password1=PASSWORD)
    walker.presses("Open my account").sees("Look into")
    walker.opens(newest_mail_link(walker, address)).presses("Yes, it is mine")
    return signs_in(walker, address)


def signs_in(walker: Walker, address: str, password: str = PASSWORD) -> Walker:
    if not walker.path.startswith("/accounts/login/"):
        walker.opens("/accounts/login/")
    fills(walker, login=address, password=password)
    return walker.presses("Sign in")


def signs_in_with_authenticator(walker: Walker, address: str, password: str, secret: str) -> Walker:
    """Password, then the six digits."""
    signs_in(walker, address, password).sees("second factor")
    walker.types("code", code_of(secret, clock.wall_time_s()))
    return walker.presses("Sign in", exact=True)


# --- the intake ---


def begins_the_intake(walker: Walker) -> Walker:
    walker.opens("/intake/").presses("Begin")
    return walker.is_at("/intake/").sees("Your intake")


def opens_step(walker: Walker, title: str) -> Walker:
    """A step from the list."""
    return walker.opens("/intake/").follows(title)


def saves(walker: Walker) -> Walker:
    return walker.presses("Save and go on")


def says_who_they_are(walker: Walker) -> Walker:
    opens_step(walker, "About you")
    fills(walker, **ABOUT)
    return saves(walker)


def answers_health(walker: Walker) -> Walker:
    """Heart, body, mind: nothing that speaks against."""
    opens_step(walker, "Heart, blood vessels").answers_no_to_everything()
    saves(walker)
    opens_step(walker, "The rest of your body").answers_no_to_everything()
    saves(walker)
    opens_step(walker, "Your mental health so far").answers_no_to_everything()
    walker.types("hopes", "To feel at home in my days again.")
    return saves(walker)


def lists_medicines(walker: Walker, *names: str) -> Walker:
    opens_step(walker, "Medicines and supplements")
    for name in names:
        walker.types("name", name).presses("Add to my list")
    return walker.presses("That is everything" if names else "I take nothing")


def answers_scale(walker: Walker, code: str, values: list[int]) -> Walker:
    """A questionnaire, item by item."""
    for item, value in enumerate(values, start=1):
        walker.chooses(f"{code}_{item}", str(value))
    return walker


def answers_mood_and_safety(walker: Walker) -> Walker:
    opens_step(walker, "Mood: the PHQ-9")
    answers_scale(walker, "phq9", [2, 2, 2, 2, 2, 2, 2, 2, 0])
    saves(walker)
    opens_step(walker, "Worry: the GAD-7")
    answers_scale(walker, "gad7", [2, 2, 2, 2, 1, 1, 1])
    saves(walker)
    opens_step(walker, "Thoughts of suicide").answers_no_to_everything()
    return saves(walker)


def answers_alcohol_and_home(walker: Walker) -> Walker:
    opens_step(walker, "Alcohol and drugs").answers_no_to_everything()
    saves(walker)
    opens_step(walker, "Your home and sitter")
    fills(walker, has_internet_video="yes", monitor_available="yes", home_safe="yes")
    return saves(walker)


def measures_twice(walker: Walker) -> Walker:
    opens_step(walker, "Blood pressure, twice")
    for systolic, diastolic in ((122, 78), (118, 76)):
        types_pressure(walker, systolic, diastolic)
        walker.presses("Save this reading")
    return walker.sees("That is enough")


def shows_who_she_is(walker: Walker, photo: bytes | None = None) -> Walker:
    """A photo of her ID, or the ID on video."""
    opens_step(walker, "Your ID")
    if photo is None:
        return walker.presses("I will show it on video")
    walker.page.set_input_files(
        "input[name=file]", {"name": "my licence.jpg", "mimeType": "image/jpeg", "buffer": photo}
    )
    return walker.presses("Send this photo")


def types_pressure(walker: Walker, systolic: int, diastolic: int, pulse: int = 68) -> Walker:
    return fills(walker, systolic_mmhg=str(systolic), diastolic_mmhg=str(diastolic), pulse_bpm=str(pulse))


def signs_consent(walker: Walker, name: str) -> Walker:
    """Both texts, point by point."""
    walker.opens("/intake/consent/")
    for href in dict.fromkeys(
        link.get_attribute("href") or ""
        for link in walker.page.locator("main a[href^='/intake/consent/']").all()
    ):
        walker.opens(href)
        for box in walker.page.locator("main input[type=checkbox]").all():
            box.check()
        walker.types("signed_name", name).presses("Sign", exact=True)
    return walker.opens("/intake/consent/").sees("Signed")


def sends_the_intake(walker: Walker) -> Walker:
    return walker.opens("/intake/").presses("Send to a psychiatrist").sees("We have your intake")


def code_in(text: str) -> str:
    """Six digits somewhere in a text."""
    found = re.search(r"\b(\d{6})\b", text)
    assert found, text
    return found[1]
