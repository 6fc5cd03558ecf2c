"""Papers in real browsers: signing with its PDF, a document and a letter to a specialist, and the right to stop."""

import datetime as dt
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pypdf import PdfReader

from accounts.models import User
from intake.models import ClearanceRequest, Consent, ConsentWithdrawal, Intake, PatientDocument
from sessions.models import Course, DosingSession
from tests.common.test_files import a_pdf, a_picture
from tests.intake.builders import a_claimed_intake, a_draft
from tests.journeys import steps
from tests.journeys.conftest import JourneyClock
from tests.journeys.walker import Walker
from tests.sessions.builders import a_course, first_session

Browsers = Callable[..., Walker]
HOUR = dt.timedelta(hours=1)


def saved(walker: Walker, words: str) -> bytes:
    """What a link saves when it is pressed."""
    with walker.page.expect_download() as download:
        walker.page.get_by_role("link", name=words).first.click()
    return Path(str(download.value.path())).read_bytes()


def sends_file(walker: Walker, name: str, data: bytes, button: str) -> Walker:
    walker.page.locator("input[type=file]").set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": data}
    )
    return walker.presses(button, exact=True)


def test_somebody_reads_signs_and_keeps_the_pdf(
    browser_of: Browsers,
    the_clock: JourneyClock,
    at: dt.datetime,
    alice: User,
    dana: User,
    protocol_version: Any,
) -> None:
    a_draft(alice, at - HOUR)
    phone = browser_of("Alice", phone=True, user=alice)
    phone.opens("/intake/consent/").sees("To read and sign")
    phone.opens("/intake/consent/treatment-consent/").sees("The FDA's alert of 2022", "In California")
    # Half of it: told what is missing, and what was ticked stays.
    phone.ticks("fda_2022").types("signed_name", "Alice Lindqvist").presses("Sign", exact=True)
    phone.sees("To sign, please read and tick")
    assert phone.page.locator("[name=fda_2022]").is_checked()
    steps.signs_consent(phone, "Alice Lindqvist")
    assert Consent.objects.count() == 2
    phone.opens("/intake/consent/").sees("In force")
    found = Consent.objects.get(document="treatment-consent")
    phone.opens(f"/consents/{found.pk}/").sees("Ticked:", found.sha256)
    reader = PdfReader(io.BytesIO(saved(phone, "Save as PDF")))
    assert found.sha256 in "".join(page.extract_text() for page in reader.pages).replace("\n", "")
    browser_of("Alice at a desk", user=alice).opens("/intake/consent/").opens(f"/consents/{found.pk}/")


def test_a_document_is_sent_refused_replaced_and_taken_back(
    browser_of: Browsers, the_clock: JourneyClock, at: dt.datetime, alice: User, protocol_version: Any
) -> None:
    a_draft(alice, at - HOUR)
    phone = browser_of("Alice", phone=True, user=alice)
    phone.opens("/intake/").follows("Your documents").sees("Nothing yet")
    phone.chooses("kind", "id_photo")
    sends_file(phone, "id.jpg", b"not a picture", "Send").sees("choose the file again")
    assert phone.page.locator("input[value=id_photo]").is_checked()
    sends_file(phone, "id.jpg", a_picture(), "Send").sees("Thank you", "id.jpg")
    phone.presses("Remove id.jpg").sees("Nobody had read it")
    assert PatientDocument.objects.get().file is None
    browser_of("Alice at a desk", user=alice, scripts=False).opens("/documents/").sees("Nothing yet")


def test_a_specialist_is_asked_answers_and_the_intake_returns(
    browser_of: Browsers,
    the_clock: JourneyClock,
    at: dt.datetime,
    alice: User,
    dana: User,
    protocol_version: Any,
) -> None:
    a_claimed_intake(alice, dana, at - HOUR, cardiac_history="yes")
    the_clock.goes_on(seconds=1)
    doctor = browser_of("Dana", user=dana)
    phone = browser_of("Alice", phone=True, user=alice)
    doctor.opens(f"/chart/{alice.pk}/decide/clearance/").sees("Cardiology (E27)")
    doctor.page.locator("input[name=items][value=cardiology]").check()
    doctor.types("letter", "Please ask your cardiologist before we go on.")
    doctor.page.locator("main button[type=submit]").last.click()
    doctor.looks().sees("Signed")
    assert Intake.objects.get().state == "more_info"
    phone.opens("/intake/").sees("Please ask your cardiologist").follows("A letter for the cardiologist")
    phone.sees("The specialist’s answer")
    letter = PdfReader(io.BytesIO(saved(phone, "Letter to print (PDF)")))
    assert "140/90" in "".join(page.extract_text() for page in letter.pages)
    sends_file(phone, "answer.pdf", a_pdf(), "Send to my psychiatrist").sees("We have the answer")
    assert Intake.objects.get().state == "submitted" and ClearanceRequest.objects.get().answered_at
    doctor.opens("/queue/").sees("Alice Lindqvist")
    doctor.opens(f"/chart/{alice.pk}/papers/").sees("Answered", "answer.pdf")


def test_somebody_stops_and_nothing_more_is_asked_of_them(
    browser_of: Browsers,
    the_clock: JourneyClock,
    at: dt.datetime,
    alice: User,
    dana: User,
    protocol_version: Any,
) -> None:
    """PR-08: every session to come is locked by one button."""
    a_course(alice, dana, at - HOUR)
    phone = browser_of("Alice", phone=True, user=alice)
    phone.opens("/profile/").follows("Your right to stop").sees("without giving a reason")
    phone.presses("Stop now").sees("Choose one of the two")
    phone.chooses("what", "consent").types("note", "I would like to try something else.")
    phone.presses("Stop now").sees("You have stopped", "called off")
    assert ConsentWithdrawal.objects.count() == 1 and Course.objects.get().state == "stopped"
    assert set(DosingSession.objects.values_list("state", flat=True)) == {"aborted"}
    phone.opens("/home/").sees("You have stopped").does_not_see("Read and sign your consent")
    phone.opens("/sessions/").sees("Your course has ended")
    browser_of("Alice at a desk", user=alice).opens("/right-to-stop/")
    doctor = browser_of("Dana", user=dana)
    doctor.opens(f"/chart/{alice.pk}/papers/").sees("Stopped by the patient", "try something else")
    browser_of("Dana on a phone", phone=True, user=dana).opens(f"/chart/{alice.pk}/papers/")


def test_a_psychiatrist_ends_a_course(
    browser_of: Browsers,
    the_clock: JourneyClock,
    at: dt.datetime,
    alice: User,
    dana: User,
    protocol_version: Any,
) -> None:
    course = a_course(alice, dana, at - HOUR)
    doctor = browser_of("Dana", user=dana)
    doctor.opens(f"/sessions/{first_session(course).pk}/").follows("End the whole course")
    doctor.chooses("reason", "side_effects").types("note", "Nausea for two days each time.")
    doctor.types("words", "Let us look for something kinder to your stomach.").presses(
        "Sign and end the course"
    )
    doctor.sees("The course has ended")
    browser_of("Alice", phone=True, user=alice).opens("/sessions/").sees("kinder to your stomach")
    browser_of("Dana on a phone", phone=True, user=dana).opens(
        f"/sessions/{first_session(course).pk}/stop-course/"
    )
