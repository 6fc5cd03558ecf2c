"""Orders, parcels, the kit: from the signature to what is left at home."""

from common import clock
from consults import access
from consults import actions as consults
from consults.models import Fulfilment, Order
from tests.screens.camera import Camera


def orders(camera: Camera) -> None:
    """Orders, parcels and the kit"""
    shows = camera.shows
    after = camera.patient("after two")
    order = Order.objects.filter(patient=after, signed_at__isnull=False).latest("signed_at")
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
        shows(
            doctor, f"/consults/parcels/{parcel.pk}/delivered/", "parcel-delivered", "The carrier says it arrived: who signed."
        )  # fmt: skip
        shows(
            doctor,
            f"/consults/parcel/{parcel.pk}/look/",
            "parcel-look",
            "Counted together on a video call, where no photo can be sent.",
        )
        shows(doctor, f"/consults/parcel/{parcel.pk}/lost/", "parcel-lost", "A parcel is lost or of no use.")
        shows(
            doctor, f"/consults/parcel/{parcel.pk}/found/", "parcel-found", "A parcel that was given up is in the patient's hands."
        )  # fmt: skip
    shows(
        "after two",
        f"/consults/medicine/left/{order.pk}/",
        "medicine-left",
        "Counting what is left at home.",
        phone=True,
    )
    shows(
        doctor,
        f"/consults/order/{order.pk}/stock/",
        "order-stock",
        "Dispensed, taken, remaining: the ledger of one medicine.",
    )
    shows(
        doctor,
        f"/consults/patient/{after.pk}/address/",
        "address-check",
        "A changed address is read back before a parcel goes there.",
    )
    booked = camera.patient("consult booked")
    shows("doctor of consult booked", f"/consults/patient/{booked.pk}/kit/", "kit-ship", "The kit leaves.")
    if not access.open_kit(booked):
        consults.ship_kit(
            booked,
            carrier="UPS",
            carrier_reference="1Z 999 AA1 01 2345 6784",
            by=camera.person("doctor of consult booked"),
            at=clock.now(),
        )
    shows(
        "consult booked",
        "/consults/medicine/kit/",
        "kit",
        "The kit is here: is everything in it?",
        phone=True,
    )
    shows(
        "ordered",
        "/consults/medicine/practice/",
        "practice-reading",
        "A practice reading with the cuff, on two days.",
        phone=True,
    )
    prescriber = camera.person(doctor)
    draft = consults.supersede(order, by=prescriber, at=clock.now())
    shows(
        doctor,
        f"/consults/order/{draft.pk}/edit/",
        "order-supersede",
        "An order that will end the one before when it is signed.",
    )
    shows(
        doctor,
        f"/consults/order/{draft.pk}/review/",
        "order-review",
        "The whole order as it will be signed, every check, and the signature.",
    )
    whom = access.second_psychiatrists(draft)[0]
    consults.ask_second_person(draft, whom=whom, by=prescriber, at=clock.now())
    shows(
        whom.email.split("@")[0],
        f"/consults/order/{draft.pk}/second/",
        "order-second",
        "A colleague looks at a dose: agrees, or says why not.",
    )
