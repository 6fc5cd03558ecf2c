"""From a stranger's first click to a signed decision: assessment, account, intake, a crisis answer, review."""

from __future__ import annotations

from typing import Any

from portal.walkthrough.browser import Browser
from portal.walkthrough.pages import Form, NotThere, Page
from portal.walkthrough.walk import Walk, proves

PASSWORD = "a warm stone by the river"  # noqa: S105  (of a made-up person)
ABOUT = {
    "date_of_birth": "1988-04-02",
    "sex": "female",
    "state": "CA",
    "time_zone": "America/Los_Angeles",
    "phone": "(415) 555-0166",
    "address": "12 Alder Street, Oakland, CA 94601",
    "emergency_contact_name": "Jo Walker",
    "emergency_contact_phone": "(415) 555-0177",
    "weight": "150",
    "weight_unit": "lb",
    "height_ft": "5",
    "height_in": "6",
}
YES = ("has_internet_video", "monitor_available", "home_safe", "contraception")


def answered_plainly(form: Form, **but: object) -> dict[str, Any]:
    """An answer for every group of choices: no, none, 0 or the first; yes where a home needs it; `but` wins."""
    values: dict[str, Any] = {}
    for name in form.names():
        controls = form.of(name)
        if name in but:
            values[name] = but[name]
        elif controls[0].kind == "radio":
            offered = [control.value for control in controls]
            wanted = (
                "yes" if name in YES else next((v for v in ("no", "none", "0") if v in offered), offered[0])
            )
            values[name] = wanted
        elif controls[0].kind == "checkbox" and any(control.value == "none" for control in controls):
            values[name] = ["none"]
    return values


def _help_stands(page: Page) -> None:
    page.must_say("988", "911")


def a_visitor_takes_the_assessment(walk: Walk) -> str:
    """Item 1."""
    visitor = walk.browser("patient")
    _help_stands(visitor.opens("/"))
    visitor.opens("/assessment/")
    page = visitor.follows(to="/assessment/you/")
    screens = 0
    while page.path != "/assessment/result/":
        _help_stands(page)
        form = (
            page.form(button="Next") if list(page.matching_forms(button="Next")) else page.form(to=page.path)
        )
        page = visitor.sends(
            form,
            **answered_plainly(
                form, age_years="38", state="CA", main_problem="both", low_mood="2", worry="2"
            ),
        )
        screens += 1
        if screens > 12:
            raise NotThere(f"the assessment does not end; it stands at {page.path}")
    if screens != 10:
        raise NotThere(f"the assessment has {screens} screens instead of ten")
    page.must_say("may be a fit", "988", "911")
    page.must_not_say("you are approved", "you have been approved")
    other = Browser(walk.site, "another visitor")
    page2 = other.opens("/assessment/why/")
    crisis = other.sends(page2.form(has=["main_problem"]), main_problem="crisis", low_mood="3", worry="3")
    _help_stands(crisis)
    return proves(
        page,
        "ten screens, 988 and 911 on each, “may be a fit”, never “approved”; a crisis answer shows help at once",
    )


def she_opens_an_account(walk: Walk) -> str:
    """Item 2, and the outbox's mail."""
    patient = walk.browser("patient")
    page = patient.opens("/accounts/signup/")
    page = patient.sends(page.form(has=["email", "password1"]), email=walk.patient_email, password1=PASSWORD)
    page.must_say("e-mail")
    page = Browser(walk.site, "mail reader").opens("/outbox/demo/")
    confirm = _link_for(page, walk.patient_email)
    page = patient.opens(confirm)
    page = patient.sends(page.form(button="Yes, it is mine"))
    page = patient.opens("/accounts/login/")
    page = patient.sends(page.form(has=["login", "password"]), login=walk.patient_email, password=PASSWORD)
    if not page.path.startswith("/home/"):
        raise NotThere(f"after log-in the patient stands at {page.path}: {page.words[:300]}")
    return proves(page, "signed up, opened the link in the mail of the outbox, logged in")


def _link_for(page: Page, address: str) -> str:
    """The first confirmation link after this address in the demo's outbox."""
    at = page.html.find(address)
    if at < 0:
        raise NotThere(f"{page.path} has no mail to {address}")
    start = page.html.find('href="', page.html.find("/accounts/confirm-email/", at) - 200)
    for href in page.links_to("/accounts/confirm-email/"):
        key = href.split("/accounts/confirm-email/")[1]
        if page.html.find(key, at) > 0:
            return href
    raise NotThere(f"{page.path} has no confirmation link for {address} (looked from {start})")


def she_answers_the_intake(walk: Walk) -> str:
    """Item 2: every step, saved one by one, and gone on with on another device."""
    patient = walk.browser("patient")
    page = patient.opens("/intake/")
    page = patient.sends(page.form(to="/intake/begin/"))
    steps = [
        href
        for href in dict.fromkeys(page.links_to("/intake/"))
        if href.count("/") == 3 and href not in ("/intake/", "/intake/answers/")
    ]
    if len(steps) < 12:
        raise NotThere(f"the intake lists {steps}")
    for href in steps[:4]:
        _answer_step(walk, patient, href)
    # Another device, with nothing but the log-in.
    desk = walk.browser("patient's computer")
    page = desk.opens("/accounts/login/")
    desk.sends(page.form(has=["login"]), login=walk.patient_email, password=PASSWORD)
    page = desk.opens("/intake/")
    kept = desk.opens("/intake/about/").form(has=["full_name"]).of("full_name")[0].value
    if kept != walk.patient_name:
        raise NotThere(f"the other device shows “{kept}”")
    for href in steps[4:]:
        if href not in ("/intake/phq9/", "/intake/safety/", "/intake/consent/"):
            _answer_step(walk, desk, href)
    return proves(
        page,
        "history, medicines, GAD-7, AUDIT-C and two readings, saved step by step and resumed on another device",
    )


def _answer_step(walk: Walk, patient: Browser, href: str) -> Page:
    page = patient.opens(href)
    if href == "/intake/medicines/":
        page = patient.sends(page.form(has=["name"]), name="sertraline", dose_text="50 mg in the morning")
        page.must_say("sertraline")
        return patient.sends(page.form(to="/intake/medicines/done/"))
    if href == "/intake/blood-pressure/":
        for systolic, diastolic in ((122, 78), (118, 76)):
            page = patient.sends(
                page.form(has=["systolic_mmhg"]),
                systolic_mmhg=systolic,
                diastolic_mmhg=diastolic,
                pulse_bpm=68,
            )
            walk.goes_on(minutes=2)
        page.must_say("That is enough")
        return page
    if href == "/intake/identity/":
        return patient.sends(page.form(has=["how"]))
    form = page.form(has=["version"])
    about = {**ABOUT, "full_name": walk.patient_name} if href == "/intake/about/" else {}
    given = {name: value for name, value in about.items() if name in form.names()}
    return patient.sends(form, **answered_plainly(form, **given, **_scale(form, 2)))


def _scale(form: Form, value: int) -> dict[str, Any]:
    """The items of a questionnaire, all with the same answer."""
    return {name: str(value) for name in form.names() if name.startswith(("phq9_", "gad7_"))}


def a_crisis_answer_brings_help_and_a_person(walk: Walk) -> str:
    """Item 4: help in the same answer, an alert, a page through the pager, a named human, dosing held until cleared."""
    patient = walk.browser("patient's computer")
    page = patient.opens("/intake/phq9/")
    form = page.form(has=["version"])
    page = patient.sends(form, **{**_scale(form, 2), "phq9_9": "1"})
    _help_stands(page)
    page.must_say("Your answer is saved")
    page = patient.opens("/intake/safety/")
    form = page.form(has=["version"])
    page = patient.sends(form, **answered_plainly(form, cssrs_q1="yes"))
    _help_stands(page)
    on_call = walk.on_call()
    doctor = walk.staff(on_call)
    listed = doctor.opens("/alerts/")
    listed.must_say(walk.patient_name)
    alert = next(href for _, href in listed.links if _belongs(listed, href, walk.patient_name))
    walk.known["alert"] = alert
    walk.until("the page to the person on call", lambda: _paged(doctor.opens(alert)), seconds=60)
    page = doctor.opens(alert)
    page.must_say(walk.patient_name, "held")
    page = doctor.sends(page.form(to="/acknowledge/"))
    page.must_say(f"Taken by {on_call.title()}")
    note = "Called her. Safe, with her sister, plan agreed; call tomorrow."
    page = doctor.sends(page.form(has=["disposition"]), disposition="contacted_safe", note=note)
    page.must_say("closed")
    said = f"help in the same answer; the pager paged the person on call; {on_call.title()} took and closed it; dosing is held"
    return proves(page, said)


def _paged(page: Page) -> bool:
    """Does the alert's page say that somebody was really called?"""
    called = page.words.partition("Who was called")[2].partition("What happened")[0].lower()
    return "delivered" in called or "sent" in called


def _belongs(page: Page, href: str, name: str) -> bool:
    """Does this link stand near that name? Cards follow each other, so look at the text before the next card's link."""
    if href.rstrip("/").split("/")[-1].count("-") != 4:
        return False
    at = page.html.find(href)
    return name in page.html[max(0, at - 1500) : at + 300]


def she_signs_and_sends(walk: Walk) -> str:
    """Item 2: consent with version, hash and time; then into the queue."""
    patient = walk.browser("patient's computer")
    page = patient.opens("/intake/consent/")
    texts = list(dict.fromkeys(page.links_to("/intake/consent/")))
    texts = [href for href in texts if href != "/intake/consent/"]
    for href in texts:
        page = patient.opens(href)
        page.must_say("sha256")
        form = page.form(has=["signed_name", "sha256"])
        boxes: dict[str, Any] = {name: True for name in form.names() if form.of(name)[0].kind == "checkbox"}
        patient.sends(form, **boxes, signed_name=walk.patient_name)
    page = patient.opens("/intake/consent/")
    page.must_say("What you signed", "version")
    page = patient.opens("/intake/")
    page = patient.sends(page.form(to="/intake/send/"))
    page.must_say("We have your intake")
    return proves(
        page,
        f"{len(texts)} texts read and signed with version, hash and time; the intake is with the psychiatrists",
    )


def a_psychiatrist_claims_and_accepts(walk: Walk) -> str:
    """Items 3 and 5: rules with reasons and version on the chart, one signed decision."""
    doctor = walk.staff("dana")
    page = doctor.opens("/queue/")
    while not any(walk.patient_name in text for text, _ in page.links):
        page = doctor.follows(to="/queue/?after=")
    item = next(href for text, href in page.links if walk.patient_name in text)
    page = doctor.opens(item)
    page = doctor.sends(page.form(to=item))
    walk.known["patient_id"] = page.path.split("/")[2]
    chart = f"/chart/{walk.known['patient_id']}/"
    page.must_say(walk.patient_name, "PHQ-9", "GAD-7", "sertraline")
    colleague = walk.staff("priya")
    taken = colleague.opens(item, expect=colleague.opens(item).status)
    taken.must_say("is working on this intake")
    stranger = walk.staff("noah")
    stranger.opens(item, expect=404)
    page = walk.opened_signed("dana", f"{chart}decide/accept/")
    page = walk.signed(
        "dana",
        lambda p: p.form(has=["note"]),
        note="Called about item 9: passive thoughts only, safety plan agreed. Meet on video.",
    )
    page.must_say("Signed")
    alert = doctor.opens(walk.known["alert"])
    while list(alert.matching_forms(to="/holds/")):
        doctor.sends(
            alert.form(to="/holds/"),
            note="Spoke with her twice; passive thoughts, gone today; sister stays. May go on.",
        )
        alert = doctor.opens(walk.known["alert"])
    page = walk.browser("patient").opens("/intake/")
    page.must_say("invited to a visit")
    return proves(
        page,
        "taken by one, refused to a colleague, invisible where nobody is licensed; accepted and signed; hold cleared by Dana",
    )
