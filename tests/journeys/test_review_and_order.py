"""From the queue to a signed order: the psychiatrist's and the patient's browsers, with the second factor typed by hand."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from accounts.models import User
from billing.models import Invoice
from consults.models import Appointment, Order
from intake.models import Intake
from tests.conftest import PASSWORD
from tests.consults.builders import weekly_hours
from tests.intake.builders import a_submitted_intake
from tests.journeys import steps
from tests.journeys.conftest import JourneyClock
from tests.journeys.walker import Walker

Browsers = Callable[..., Walker]
NOTE = {
    "history": "Two years of low mood, two antidepressants at full dose, therapy weekly.",
    "mental_status": "Alert and oriented, mood low, thought linear.",
    "risk": "No intent, no plan. Safety plan read together.",
    "plan": "Four weekly sessions at home with a sitter.",
}


def test_from_the_queue_to_a_signed_order(
    browser_of: Browsers,
    the_clock: JourneyClock,
    at: dt.datetime,
    alice: User,
    dana: User,
    protocol_version: Any,
    with_authenticator: Callable[[User], str],
) -> None:
    """Claimed and accepted with the second factor, paid, booked, seen, ordered. PR-11."""
    a_submitted_intake(alice, at - dt.timedelta(hours=20), medicines=("sertraline",))
    weekly_hours(dana)
    doctor, patient = browser_of("Dana"), browser_of("Alice", phone=True, user=alice)

    # The psychiatrist logs in with both factors, takes the intake and accepts it
    steps.signs_in_with_authenticator(doctor, dana.email, PASSWORD, with_authenticator(dana))
    doctor.opens("/queue/").sees("Alice Lindqvist").follows("Alice Lindqvist").presses(
        "Take it and open the chart"
    )
    doctor.is_at("/chart/").sees("PHQ-9", "sertraline").follows("Accept for a consult")
    doctor.types("note", "Fits. Meet on video.").presses("Sign").sees("Signed")
    assert Intake.objects.get().state == "accepted"

    # The patient sees the price in total, pays in the sandbox and books
    patient.opens("/billing/").sees("$").presses("Pay $").sees("No money moves").presses(
        "Pretend to pay"
    ).sees("Receipt")
    assert Invoice.objects.get().state == "paid"
    patient.opens("/consults/book/consult/")
    patient.page.locator("main button[name=slot]").first.click()
    patient.looks().sees("Book this time?", "Dana Reyes").presses("Book it")
    visit = Appointment.objects.get(state="booked")

    # They meet; the note is written and signed
    the_clock.stands_at(visit.starts_at - dt.timedelta(minutes=3))
    patient.opens(f"/consults/{visit.pk}/join/").types("date_of_birth", "1988-04-02").picks("state_now", "CA")
    patient.chooses("at_address", "yes").presses("I am here").sees("knows that you are here")
    the_clock.stands_at(visit.starts_at + dt.timedelta(minutes=46))
    doctor.opens(f"/consults/visit/{visit.pk}/")
    steps.fills(
        doctor, **NOTE, diagnosis="both", suitable="yes", date_of_birth_seen="1988-04-02", location_state="CA"
    )
    doctor.chooses("held_by", "video").types("duration_minutes", "45").ticks("identity_confirmed").ticks(
        "location_confirmed"
    )
    doctor.presses("Save and go to signing").sees("Sign the note").presses("Sign as Dana")

    # The order: monitoring programme, dose, dates, checks, signature
    doctor.opens(f"/consults/pdmp/{alice.pk}/").chooses("finding", "clear").ticks("attested").presses(
        "Record the check"
    )
    doctor.opens(f"/consults/order/new/{alice.pk}/").chooses("form", "troche")
    doctor.types("strength_mg", "50").types("units_per_dose", "1")
    doctor.types("directions", "Hold under the tongue for ten minutes, then spit out.")
    doctor.chooses("authority_basis", "prior_in_person").types("examined_on", "2026-11-02")
    doctor.types("examined_by", "Hearthside, Dana Reyes").types("examined_place", "Oakland office")
    doctor.presses("Save and check").sees("The order as it will be signed", "50 mg", "Every check is passed")
    doctor.presses("Sign as Dana")
    order = Order.objects.get(patient_id=alice.pk)
    assert order.signed_at is not None
    patient.opens("/consults/medicine/").sees("50 mg", "Dana Reyes")
