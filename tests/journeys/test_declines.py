"""Not right for somebody, in real browsers: declined at review before anything is paid, and found at the consult with everything back."""

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

from accounts.models import User
from billing.models import Invoice, Refund
from consults.models import Appointment, Order
from intake.models import Decision, Intake
from tests.conftest import PASSWORD
from tests.consults.builders import weekly_hours
from tests.intake.builders import a_submitted_intake, an_accepted_intake
from tests.journeys import steps
from tests.journeys.conftest import JourneyClock
from tests.journeys.test_review_and_order import NOTE
from tests.journeys.walker import Walker

Browsers = Callable[..., Walker]


def test_a_decline_is_read_before_it_is_signed_and_asks_for_nothing(
    browser_of: Browsers,
    the_clock: JourneyClock,
    at: dt.datetime,
    alice: User,
    dana: User,
    protocol_version: Any,
    with_authenticator: Callable[[User], str],
) -> None:
    """PR-11: the letter is read as the patient will read it, signed in just those words, and stands on her page with other help."""
    a_submitted_intake(alice, at - dt.timedelta(hours=20), aneurysm="yes")
    doctor, patient = browser_of("Dana"), browser_of("Alice", phone=True, user=alice)
    steps.signs_in_with_authenticator(doctor, dana.email, PASSWORD, with_authenticator(dana))
    doctor.opens("/queue/").presses("Take the next in line").sees("E23")
    doctor.page.keyboard.press("d")
    doctor.page.wait_for_url(re.compile("/decide/decline/"))
    doctor.looks().chooses("reasons", "E23").presses("Read it as the patient will")
    doctor.sees("As Alice Lindqvist will read it", "Dear Alice Lindqvist")
    assert not Decision.objects.exists(), "reading it is not signing it"
    doctor.presses("Sign").sees("Signed")
    assert Intake.objects.get().state == "declined"
    letter = Decision.objects.get().letter
    patient.opens("/intake/").sees(
        "Not right now", "Dear Alice Lindqvist", "988", "1-800-662-4357", "Dana Reyes"
    )
    assert " ".join(letter.split()) in patient.words
    # Nobody pays before they are accepted: there is nothing to give back, and nothing is asked for.
    patient.opens("/billing/").sees("There is nothing to pay").does_not_see("Pay $")
    assert not Invoice.objects.exists()


def test_found_not_suitable_at_the_consult_everything_goes_back_to_the_card(
    browser_of: Browsers,
    the_clock: JourneyClock,
    at: dt.datetime,
    alice: User,
    dana: User,
    protocol_version: Any,
    with_authenticator: Callable[[User], str],
) -> None:
    """Paid in the sandbox, booked, seen; the signature under “not suitable” itself sends the money back."""
    an_accepted_intake(alice, dana, at - dt.timedelta(hours=20))
    weekly_hours(dana)
    doctor, patient = browser_of("Dana"), browser_of("Alice", phone=True, user=alice)
    patient.opens("/billing/").presses("Pay $").sees("No money moves").presses("Pretend to pay")
    patient.sees("Receipt").does_not_see("back to you")
    invoice = Invoice.objects.get()
    patient.opens("/consults/book/consult/")
    patient.page.locator("main button[name=slot]").first.click()
    patient.looks().sees("Book this time?").presses("Book it")
    visit = Appointment.objects.get(state="booked")

    the_clock.stands_at(visit.starts_at + dt.timedelta(minutes=46))
    steps.signs_in_with_authenticator(doctor, dana.email, PASSWORD, with_authenticator(dana))
    doctor.opens(f"/consults/visit/{visit.pk}/")
    found = {**NOTE, "plan": "Not a fit for treatment at home. Referred to the university clinic."}
    steps.fills(
        doctor, **found, diagnosis="none", suitable="no", date_of_birth_seen="1988-04-02", location_state="CA"
    )
    doctor.chooses("held_by", "video").types("duration_minutes", "45").ticks("identity_confirmed").ticks(
        "location_confirmed"
    )
    doctor.presses("Save and go to signing").sees("Sign the note")
    assert not Refund.objects.exists()
    doctor.presses("Sign as Dana")

    refund = Refund.objects.get()
    invoice.refresh_from_db()
    assert (refund.reason, refund.state) == ("not_suitable", "succeeded")
    assert (invoice.state, invoice.refunded_cents) == ("refunded", invoice.total_cents)
    # She had been logged out meanwhile: two days passed.
    patient.context.clear_cookies()
    steps.signs_in(patient, alice.email, PASSWORD)
    patient.opens("/home/").sees("988")
    patient.opens(f"/billing/invoices/{invoice.pk}/").sees(
        "$1,196 back to you", "the programme was not right for you", "We keep $0"
    )
    patient.opens("/billing/").sees("went back").does_not_see("Pay $")
    assert not Order.objects.exists()
