"""The review, booking and a visit; and the visit by video."""

from datetime import time, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from billing.models import Invoice
from common import clock
from consults import actions as consults
from consults.access.slots import Slot, open_slots
from consults.actions.freed import note_freed
from consults.models import Appointment, SlotOffer, VisitNote
from intake.models import Decision, Intake
from tests.screens.camera import Camera
from tests.screens.places.hands import MINUTE, press


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
    decided = Decision.objects.filter(by=camera.person("dana")).latest("at")
    shows(
        "dana",
        f"/decisions/{decided.pk}/",
        "decision",
        "One decision: what was signed, and the letter it sent.",
    )
    after = camera.patient("after two")
    shows("doctor of after two", f"/chart/{after.pk}/", "chart", "A chart in the course.")
    shows(
        "doctor of after two",
        f"/chart/{after.pk}/papers/",
        "chart-papers",
        "Signed texts, documents and letters.",
    )


def booking(camera: Camera) -> None:
    """Booking and visits"""
    shows = camera.shows
    shows("accepted", "/home/", "patient-home-accepted", "Accepted: the price, then a time.", phone=True)
    shows("accepted", "/billing/", "billing", "The price, what is paid, receipts.", both=True)
    pay = camera.page("accepted", phone=True)
    pay.goto(f"{camera.url}/billing/")
    press(pay, "Pay")
    pay.wait_for_url("**/billing/sandbox/**")
    camera.keeps(pay, "billing-pay", "Paying the programme, at the demo's till.")
    shows("consult booked", "/billing/", "billing-paid", "Paid, with its receipt.", phone=True)
    invoice = Invoice.objects.filter(patient_id=camera.person("consult booked").pk, state="paid").first()
    if invoice:
        shows(
            "consult booked", f"/billing/invoices/{invoice.pk}/", "billing-receipt", "The receipt.", both=True
        )
        shows(
            "consult booked",
            f"/billing/invoices/{invoice.pk}/refund/",
            "billing-refund",
            "What goes back today, and why.",
            phone=True,
        )
    shows(
        "accepted", "/consults/book/consult/", "consult-first-times", "Free times for the consult.", both=True
    )
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
        shows(
            doctor,
            f"/consults/visit/{visit.pk}/move/",
            "visit-move",
            "The desk finds another time, in both zones.",
        )
        shows(
            doctor,
            f"/consults/visit/{visit.pk}/sign/",
            "visit-sign",
            "Before signing: what the note still lacks.",
        )
        patient = visit.patient_id
        shows(
            doctor,
            f"/consults/patient/{patient}/book/follow_up/",
            "book-for",
            "The desk books for somebody who calls.",
        )
        shows(
            doctor,
            f"/consults/patient/{patient}/over/",
            "double-booking",
            "Booking over another visit on purpose, with a reason.",
        )
        kept = consults.hold_slot(
            visit.patient, visit_type="follow_up", clinician_id=visit.clinician_id, by=visit.patient.user, at=clock.now(),
            starts_at=free_time(camera, "consult booked", "follow_up").starts_at,
        )  # fmt: skip
        shows(
            "consult booked",
            f"/consults/{kept.pk}/confirm/",
            "consult-confirm",
            "A time is kept for ten minutes: one button books it.",
            phone=True,
        )
    shows("dana", "/calendar/", "calendar", "A clinician's calendar.")
    shows("dana", "/calendar/hours/", "calendar-hours", "Weekly hours and visit types.")
    shows("dana", "/calendar/options/", "calendar-options", "Free minutes between visits, and the feed.")
    shows("dana", "/calendar/exceptions/new/", "calendar-exception", "Leave, and hours on a single day.")
    seen = Appointment.objects.filter(patient_id=camera.person("after two").pk, state="completed").first()
    if seen:
        note = VisitNote.objects.get(appointment=seen)
        if not note.addenda.exists():
            consults.add_addendum(
                note,
                text="Her sister will sit with her from the third session on.",
                by=seen.clinician,
                at=clock.now(),
            )
        shows(
            seen.clinician.email.split("@")[0],
            f"/consults/visit/{seen.pk}/reopen/",
            "note-reopen",
            "Opening a signed note for a correction; its signature is kept.",
        )
        shows(
            seen.clinician.email.split("@")[0],
            f"/consults/visit/{seen.pk}/",
            "visit-signed",
            "A signed note and its addenda.",
        )


def earlier_time(camera: Camera) -> None:
    """An earlier time"""
    shows = camera.shows
    # Nobody is offered a time in their sleep.
    zone = ZoneInfo(camera.patient("after two").user.time_zone)
    here = clock.now().astimezone(zone)
    awake = here.replace(hour=10, minute=0)
    camera.waits_until(awake if here < awake else awake + timedelta(days=1) if here.hour >= 20 else here)
    shows(
        "after two", "/consults/waiting/follow_up/", "waiting-list", "Asking for an earlier time.", both=True
    )
    offered = an_offer(camera, "after two")
    if offered is None:
        camera.trouble.append("waiting list: nothing was offered")
        return
    shows(
        "after two",
        f"/consults/offers/{offered.pk}/",
        "waiting-list-offer",
        "An earlier time is kept for a while: take it, or pass it on.",
        both=True,
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
        "",
        f"/v/{secret}/check/",
        "video-guest-check",
        "A guest tries camera and sound before the visit.",
        phone=True,
    )
    shows(
        doctor, f"/consults/visit/{visit.pk}/", "visit", "The note beside the visit, saved as it is written."
    )
    rooms.close_room(room, by=visit.clinician, at=clock.now())
    shows(patient, f"/video/{room.pk}/", "video-over", "The visit is over; what comes next.", phone=True)


def free_time(camera: Camera, stage: str, kind: str) -> Slot:
    """A time that this patient's own psychiatrist has free within two weeks."""
    patient, at = camera.patient(stage), clock.now()
    found = open_slots(
        kind, patient, at, at + timedelta(days=14), at=at, clinician_id=patient.care_team.psychiatrist_id
    )
    return found[len(found) // 2]


def an_offer(camera: Camera, stage: str) -> SlotOffer | None:
    """She waits for an earlier time, and somebody gives one back."""
    patient, at = camera.patient(stage), clock.now()
    slot = free_time(camera, stage, "follow_up")
    consults.join_waiting_list(
        patient, visit_type="follow_up", weekdays=range(7), from_time=time(0), until_time=time(23, 59), by=patient.user, at=at
    )  # fmt: skip
    with transaction.atomic():
        note_freed(
            clinician_id=slot.clinician_id, visit_type="follow_up", during=DateTimeTZRange(slot.starts_at, slot.ends_at), at=at
        )  # fmt: skip
    consults.go_round(at=at)
    return SlotOffer.objects.filter(patient=patient, state="offered").first()
