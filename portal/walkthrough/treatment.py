"""From the invitation to a counted parcel: payment, a consult in a real slot, a signed note, a signed order, a coach."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

from portal.walkthrough.pages import NotThere
from portal.walkthrough.walk import Walk, proves

NOTE: dict[str, Any] = {
    "history": "Two years of low mood and worry, two antidepressants at full dose, therapy weekly.",
    "mental_status": "Alert and oriented, mood low, thought linear, no psychosis or mania.",
    "risk": "Passive thoughts last week, none now. Safety plan read together.",
    "plan": "Four weekly sessions at home with a sitter, review after each.",
}
PRICE = re.compile(r"\$[\d,]+")


def she_sees_the_price_and_pays(walk: Walk) -> str:
    """Item 9: the total first, the sandbox, a receipt."""
    patient = walk.browser("patient")
    shown = PRICE.findall(patient.opens("/pricing/").words)
    page = patient.opens("/billing/")
    total = PRICE.findall(page.words)[0]
    if not shown or shown[0] != total:
        raise NotThere(f"the price page says {shown[:1]}, the payments page {total}")
    page = patient.sends(page.form(to="/billing/pay/"))
    page.must_say("sandbox", "No money moves", total)
    page = patient.sends(page.form(button="Pretend to pay"), button="Pretend to pay")
    page.must_say("Receipt", total, "Sandbox receipt")
    walk.known["receipt"] = page.path
    return proves(page, f"{total} in total stood first; paid in the sandbox; receipt")


def she_books_a_consult(walk: Walk) -> str:
    """Item 6: a free time, held, then booked."""
    patient = walk.browser("patient")
    page = patient.opens("/consults/book/consult/")
    form = (
        page.form(button="with Dana Reyes")
        if list(page.matching_forms(button="with Dana Reyes"))
        else page.form(button=":")
    )
    slots = [
        b for b in form.buttons() if b.name == "slot" and ("with" not in b.words or "Dana Reyes" in b.words)
    ]
    chosen = slots[1]
    walk.known["slot"] = chosen.value
    page = patient.sends(form, button=chosen.words)
    page.must_say("Book this time?", "Dana Reyes")
    page = patient.sends(page.form(button="Book it"))
    walk.known["visit"] = page.path
    page.must_say("Dana Reyes")
    twice = patient.opens("/consults/book/consult/")
    if chosen.value in [b.value for f in twice.forms for b in f.buttons()]:
        raise NotThere(f"the booked time {chosen.value} is still offered")
    walk.until("the confirmation mail", lambda: _sent(walk, "consult", "visit"), seconds=60)
    return proves(
        page, f"booked {chosen.words}; the time is offered no more; the confirmation went through the outbox"
    )


def _sent(walk: Walk, *words: str) -> bool:
    """Has a message to the patient gone, by the demo's outbox?"""
    page = walk.browser("mail reader").opens("/outbox/demo/")
    return walk.patient_email in page.words and any(word in page.words.lower() for word in words)


def the_consult_takes_place(walk: Walk) -> str:
    """Item 6: the patient arrives, the note is written and signed."""
    starts_at = datetime.fromisoformat(unquote(walk.known["slot"].split("|")[1]))
    walk.goes_to(starts_at - timedelta(minutes=5))
    patient, doctor = walk.browser("patient"), walk.staff("dana")
    page = patient.opens(f"{walk.known['visit']}join/")
    page = patient.sends(
        page.form(has=["state_now"]), state_now="CA", date_of_birth="1988-04-02", at_address="yes"
    )
    page.must_say("knows that you are here")
    walk.goes_to(starts_at + timedelta(minutes=46))
    visit = walk.known["visit"].replace("/consults/", "/consults/visit/")
    page = doctor.opens(visit)
    form = page.form(has=["history", "mental_status"])
    page = doctor.sends(
        form, button="Save and go to signing", **NOTE, diagnosis="both", suitable="yes", identity_confirmed=True,
        date_of_birth_seen="1988-04-02", location_confirmed=True, location_state="CA", duration_minutes=45, held_by="video",
    )  # fmt: skip
    if not page.path.endswith("/sign/"):
        page = walk.opened_signed("dana", f"{visit}sign/")
    page = walk.signed("dana", lambda p: p.form(button="Sign as"))
    locked = doctor.opens(visit)
    if list(locked.matching_forms(has=["history"])):
        raise NotThere("the signed note can still be changed")
    locked.must_say("Signed", "Dana Reyes")
    return proves(locked, "she arrived, the note was signed with the second factor and is locked")


def the_order_is_signed(walk: Walk) -> str:
    """Item 6: monitoring programme, form, strength, dose, four dates, signature."""
    doctor, patient_id = walk.staff("dana"), walk.known["patient_id"]
    page = doctor.opens(f"/consults/pdmp/{patient_id}/")
    page = doctor.sends(page.form(has=["finding"]), states=["CA"], finding="clear", attested=True)
    page = doctor.opens(f"/consults/order/new/{patient_id}/")
    first = walk.today() + timedelta(days=5)
    walk.known["dates"] = [first + timedelta(days=7 * week) for week in range(4)]
    dates: dict[str, Any] = {
        f"session_{n}": day.isoformat() for n, day in enumerate(walk.known["dates"], start=1)
    }
    holds: dict[str, Any] = {
        name: "As usual on session days."
        for name in page.form(has=["session_1"]).names()
        if name.startswith("hold_")
    }
    page = doctor.sends(
        page.form(has=["session_1"]), form="sublingual_tablet", strength_mg="50", units_per_dose="2", weight_kg="68", **holds,
        **dates, sessions_covered=["1", "2", "3", "4"],
        directions="Hold under the tongue for ten minutes, then spit out.", authority_basis="prior_in_person",
        examined_on=(walk.today() - timedelta(days=30)).isoformat(), examined_by="Hearthside, Dana Reyes",
        examined_place="Oakland office", warning_reason="Four sessions in one order: long way to the pharmacy.",
    )  # fmt: skip
    page.must_say("The order as it will be signed", "100 mg")
    if page.says("Before it can be signed"):
        raise NotThere(f"the order cannot be signed: {page.words[:2500]}")
    page = walk.signed("dana", lambda p: p.form(button="Sign as"))
    page.must_say("order")
    seen = walk.browser("patient").opens("/consults/medicine/")
    seen.must_say("100 mg", "Dana Reyes", "1, 2, 3, 4")
    return proves(
        page, f"100 mg, four dates from {first:%b %-d} on, every check passed, signed; the patient reads it"
    )


def a_coach_joins_the_team(walk: Walk) -> str:
    """Item 11: an administrator assigns the coach."""
    admin, patient_id = walk.staff("ann"), walk.known["patient_id"]
    page = admin.opens(f"/admin/accounts/careteam/{patient_id}/change/")
    form = page.form(has=["coach"])
    cole = next(value for value, words in form.choices("coach") if "Cole" in words)
    page = admin.sends(form, coach=cole)
    page = walk.staff("cole").opens("/coaching/")
    page.must_say(walk.patient_name)
    walk.staff("otto").opens(f"/coaching/patient/{patient_id}/", expect=404)
    return proves(page, "assigned in the admin; on Cole's caseload; to another coach she does not exist")


def the_parcel_arrives(walk: Walk) -> str:
    """The chain from the pharmacy to her own count."""
    doctor, patient_id = walk.staff("dana"), walk.known["patient_id"]
    page = doctor.opens(f"/consults/patient/{patient_id}/")
    page = doctor.opens(page.link(to="/pharmacy/"))
    page = doctor.sends(page.form(has=["way"]), way="fax")
    doctor.sends(page.form(has=["status"]), status="accepted")
    page = doctor.opens(f"/consults/patient/{patient_id}/")
    page = doctor.opens(page.link(to="/ship/"))
    page = doctor.sends(
        page.form(has=["lot"]),
        lot="HS-4711",
        carrier="UPS",
        carrier_reference="1Z-4710",
        adult_signature=True,
    )
    walk.goes_on(days=2)
    page = doctor.opens(f"/consults/patient/{patient_id}/")
    page = doctor.opens(page.link(to="/delivered/"))
    doctor.sends(page.form(has=["signed_for_by"]), signed_for_by="the patient herself", adult=True)
    patient = walk.browser("patient")
    page = patient.opens("/consults/medicine/")
    page = patient.opens(page.link(to="/count/"))
    page = patient.sends(page.form(has=["count"]), count=8, no_photo=True)
    page.must_say("Counted", "we look at it with you on a video call")
    page = doctor.opens(f"/consults/patient/{patient_id}/")
    page = doctor.opens(page.link(to="/look/"))
    doctor.sends(page.form(has=["counted"]), counted=8, note="She counted them into her hand on the call.")
    page = doctor.opens(f"/consults/patient/{patient_id}/kit/")
    doctor.sends(page.form(has=["carrier_reference"]), carrier="UPS", carrier_reference="1Z-4711")
    page = patient.opens("/consults/medicine/kit/")
    patient.sends(page.form(to="kit"))
    for turn in (1, 2):
        if turn == 2:
            walk.goes_on(days=1)
        page = patient.opens("/consults/medicine/practice/")
        page = patient.sends(
            page.form(has=["systolic_mmhg"]), systolic_mmhg=122, diastolic_mmhg=78, pulse_bpm=70
        )
    return proves(
        page, "shipped, delivered, counted by the patient: 8 of 8; the kit complete; practised on two days"
    )
