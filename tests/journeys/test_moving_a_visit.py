"""A visit is booked, moved by its patient, moved by the care team, and given back, in two browsers."""

from collections.abc import Callable
from typing import Any

from accounts.models import User
from common import clock
from consults.models import Appointment
from tests.consults.builders import weekly_hours
from tests.intake.builders import an_accepted_intake
from tests.journeys.walker import Walker

Browsers = Callable[..., Walker]


def test_a_follow_up_is_booked_moved_by_both_sides_and_given_back(
    browser_of: Browsers, alice: User, dana: User, protocol_version: Any
) -> None:
    weekly_hours(dana)
    an_accepted_intake(alice, dana, clock.now())
    patient = browser_of("Alice", user=alice, phone=True)
    patient.opens("/consults/").sees("Nothing is booked").opens("/consults/book/follow_up/")
    patient.page.locator("main details.day button >> visible=true").nth(3).click()
    patient.looks().sees("Book this time?", "We keep it for you until").presses("Book it").sees("Booked")
    first = Appointment.objects.get(state="booked")
    patient.follows("Choose another time").sees("It stays yours until you choose")
    patient.page.locator("main details.day button >> visible=true").nth(9).click()
    patient.looks().sees("Booked")
    moved = Appointment.objects.get(state="booked")
    assert (moved.pk, moved.sequence) == (first.pk, 1) and moved.starts_at != first.starts_at

    doctor = browser_of("Dana", user=dana)
    doctor.opens(f"/consults/visit/{first.pk}/").follows("Find another time").sees(
        "Another time", "Alice Lindqvist"
    )
    doctor.page.locator("main fieldset button").nth(14).click()
    doctor.looks().is_at(f"/consults/visit/{first.pk}/")
    again = Appointment.objects.get(state="booked")
    assert (again.pk, again.sequence) == (first.pk, 2) and again.starts_at != moved.starts_at

    # The page that was open before the care team moved it still cancels the visit where it is now.
    patient.follows("Cancel", exact=True).presses("Cancel the visit").sees("Nothing is booked")
    assert Appointment.objects.get(pk=first.pk).state == "cancelled"
    doctor.opens(f"/consults/visit/{first.pk}/").sees("Cancelled").does_not_see("Find another time")
