"""The review, a visit, an order, parcels; and the visit by video."""

from common import clock
from consults import actions as consults
from consults.models import Appointment, Fulfilment, Order
from intake.models import Intake
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
    after = camera.patient("after two")
    shows("doctor of after two", f"/chart/{after.pk}/", "chart", "A chart in the course.")
    shows(
        "doctor of after two",
        f"/chart/{after.pk}/papers/",
        "chart-papers",
        "Signed texts, documents and letters.",
    )


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
