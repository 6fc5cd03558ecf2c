"""The pages as people use them: from a free time to a signed order, with forms, without JavaScript."""

import datetime as dt
import re
import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Patient, User
from common import clock, hooks
from consults import access
from consults.models import Appointment, Availability, AvailabilityException, Order, VisitNote
from safety.models import SafetyHold
from tests.consults.builders import (
    TRACKED,
    a_booked_consult,
    a_delivered_parcel,
    a_pdmp_check,
    a_signed_note,
    a_signed_order,
    a_verified_identity,
    weekly_hours,
)
from tests.intake.builders import an_accepted_intake

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _now(at: dt.datetime, protocol_version: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setitem(hooks._hooks, "booking.blockers", [])
    monkeypatch.setitem(hooks._hooks, "order.signed", [])
    with clock.frozen(at):
        yield


def text_of(response: Any) -> str:
    return response.content.decode()


def send(client: Client, name: str, *args: Any, follow: bool = False, **fields: Any) -> Any:
    """What a page's form sends; that of an order names whom it was opened for."""
    if name == "order_new":
        fields.setdefault("patient", str(args[0]))
    elif name == "order_edit":
        fields.setdefault("patient", str(Order.objects.get(pk=args[0]).patient_id))
    return client.post(
        reverse(f"consults:{name}", args=args), {"intent": str(uuid.uuid4()), **fields}, follow=follow
    )


def test_a_patient_finds_keeps_and_books_a_time_in_her_own_zone(
    alice: User, dana: User, at: dt.datetime, client_for: Any
) -> None:
    weekly_hours(dana)
    an_accepted_intake(alice, dana, at - 3 * DAY)
    User.objects.filter(pk=alice.pk).update(time_zone="America/New_York")
    browser = client_for(User.objects.get(pk=alice.pk))
    page = text_of(browser.get(reverse("consults:book", args=["consult"])))
    assert "2:00 pm EST" in page
    assert "EST (New York, UTC−5)" in page
    slot = re.findall(r'name="slot" value="([^"]+)"', page)[0]
    kept = send(browser, "book", "consult", slot=slot)
    row = Appointment.objects.get()
    assert kept["Location"] == reverse("consults:confirm", args=[row.pk])
    page = text_of(browser.get(kept["Location"]))
    assert "We keep it for you until" in page
    done = send(browser, "confirm", row.pk, follow=True)
    assert "Booked" in text_of(done)
    row.refresh_from_db()
    assert row.state == "booked"


def test_a_replayed_booking_form_books_once(
    alice: User, dana: User, at: dt.datetime, client_for: Any
) -> None:
    """PR-09"""
    weekly_hours(dana)
    browser = client_for(alice)
    slot = f"{dana.pk}|{(at + DAY).isoformat()}"
    intent = str(uuid.uuid4())
    answers = [
        browser.post(reverse("consults:book", args=["intro"]), {"intent": intent, "slot": slot})
        for _ in range(3)
    ]
    assert {answer.status_code for answer in answers} == {302}
    assert len({answer["Location"] for answer in answers}) == 1
    assert Appointment.objects.count() == 1


@pytest.mark.parametrize(
    "slot", ["", "nonsense", "|", "00000000-0000-0000-0000-000000000000|2026-13-45", "x|2026-12-01T10:00"]
)
def test_a_made_up_slot_is_refused_in_words(slot: str, alice: User, dana: User, client_for: Any) -> None:
    answer = send(client_for(alice), "book", "intro", slot=slot)
    assert answer.status_code in (409, 422)
    assert not Appointment.objects.exists()


def test_every_page_of_a_patient_opens(alice: User, dana: User, at: dt.datetime, client_for: Any) -> None:
    weekly_hours(dana)
    an_accepted_intake(alice, dana, at - 9 * DAY)
    visit = a_booked_consult(alice, dana, at + dt.timedelta(minutes=10))
    order = a_signed_order(alice, dana, at - DAY)
    parcel = a_delivered_parcel(order, dana, at, confirmed_at=None, count_confirmed=None, confirmed_by=None)
    browser = client_for(alice)
    for name, args in (
        ("home", []),
        ("book", ["intro"]),
        ("book", ["follow_up"]),
        ("book", ["prep"]),
        ("appointment", [visit.pk]),
        ("move", [visit.pk]),
        ("cancel", [visit.pk]),
        ("join", [visit.pk]),
        ("medicine", []),
        ("count", [parcel.pk]),
        ("order", [order.pk]),
        ("invite", [visit.pk]),
    ):
        answer = browser.get(reverse(f"consults:{name}", args=args))
        assert answer.status_code == 200, name


def test_every_page_of_a_psychiatrist_opens(
    alice: User, dana: User, at: dt.datetime, client_for: Any
) -> None:
    visit = a_booked_consult(alice, dana, at)
    order = a_signed_order(alice, dana, at - DAY)
    a_delivered_parcel(order, dana, at)
    browser = client_for(dana)
    for name, args in (
        ("calendar", []),
        ("hours", []),
        ("exception", []),
        ("visit", [visit.pk]),
        ("visit", [order.note.appointment_id]),
        ("sign_note", [visit.pk]),
        ("cancel", [visit.pk]),
        ("treatment", [alice.pk]),
        ("pdmp", [alice.pk]),
        ("order", [order.pk]),
        ("order_new", [alice.pk]),
        ("order_revoke", [order.pk]),
        ("order_pharmacy", [order.pk]),
        ("order_ship", [order.pk]),
    ):
        answer = browser.get(reverse(f"consults:{name}", args=args))
        assert answer.status_code == 200, name


def test_a_coach_sees_orders_and_parcels_and_no_note(
    alice: User, dana: User, cole: User, at: dt.datetime, client_for: Any
) -> None:
    """TM-15, HZ-22"""
    order = a_signed_order(alice, dana, at - DAY)
    browser = client_for(cole)
    page = text_of(browser.get(reverse("consults:treatment", args=[alice.pk])))
    assert "2 tablets of 100 mg = 200 mg" in page
    assert "Low mood for two years" not in page
    assert "Monitoring programme" not in page
    assert "Low mood" not in text_of(browser.get(reverse("consults:visit", args=[order.note.appointment_id])))
    for name, args in (("pdmp", [alice.pk]), ("order_new", [alice.pk]), ("order_revoke", [order.pk])):
        assert browser.get(reverse(f"consults:{name}", args=args)).status_code == 404
    assert send(browser, "order_supersede", order.pk).status_code == 404


def test_nobody_else_gets_a_byte_of_a_visit_or_an_order(
    alice: User,
    stranger_patient: User,
    dana: User,
    other_psychiatrist: User,
    other_coach: User,
    admin_ann: User,
    at: dt.datetime,
    client_for: Any,
) -> None:
    """PR-02"""
    visit = a_booked_consult(alice, dana, at)
    order = a_signed_order(alice, dana, at - DAY)
    for person in (stranger_patient, other_psychiatrist, other_coach, admin_ann):
        browser = client_for(person)
        for name, args in (
            ("appointment", [visit.pk]),
            ("visit", [visit.pk]),
            ("join", [visit.pk]),
            ("invite", [visit.pk]),
            ("order", [order.pk]),
            ("treatment", [alice.pk]),
            ("pdmp", [alice.pk]),
            ("order_review", [order.pk]),
        ):
            answer = browser.get(reverse(f"consults:{name}", args=args))
            assert answer.status_code == 404, (person, name)
            assert b"Alice" not in answer.content
        assert send(browser, "cancel", visit.pk).status_code == 404
    visit.refresh_from_db()
    assert visit.state == "booked"


def test_a_visit_from_waiting_room_to_signed_note(
    alice: User, dana: User, at: dt.datetime, client_for: Any
) -> None:
    visit = a_booked_consult(alice, dana, at)
    patient, doctor = client_for(alice), client_for(dana)
    assert "Which state are you in right now?" in text_of(
        patient.get(reverse("consults:join", args=[visit.pk]))
    )
    arrived = send(
        patient, "join", visit.pk, state_now="CA", date_of_birth="1988-04-02", at_address="yes", follow=True
    )
    assert "Dana Reyes knows that you are here" in text_of(arrived)
    assert "Waiting since" in text_of(doctor.get(reverse("consults:calendar")))
    room = send(doctor, "room", visit.pk, meeting_url="http://plain.example/room")
    assert room.status_code == 422
    send(doctor, "room", visit.pk, meeting_url="https://video.example/room")
    assert "https://video.example/room" in text_of(patient.get(reverse("consults:join", args=[visit.pk])))

    doctor.get(reverse("consults:visit", args=[visit.pk]))
    fields = {
        "history": "BP <90 once; “quoted” & é",
        "mental_status": "Alert.",
        "diagnosis": "depression",
        "risk": "Low.",
        "plan": "Four sessions.",
        "identity_confirmed": "on",
        "date_of_birth_seen": "1988-04-02",
        "location_confirmed": "on",
        "location_state": "CA",
        "duration_minutes": "29",
        "held_by": "video",
    }
    draft = send(doctor, "visit", visit.pk, version="1", then="stay", **fields)
    assert draft.status_code == 302
    page = text_of(doctor.get(reverse("consults:sign_note", args=[visit.pk])))
    assert "The visit was shorter than the protocol asks for" in page
    assert "Say whether the programme is suitable" in page
    assert "Sign as" not in page
    assert send(doctor, "sign_note", visit.pk).status_code == 422
    stale = send(doctor, "visit", visit.pk, version="1", then="stay", **fields)
    assert stale.status_code == 409
    fields |= {"duration_minutes": "30", "suitable": "yes"}
    send(doctor, "visit", visit.pk, version="2", then="stay", **fields)
    signed = send(doctor, "sign_note", visit.pk)
    assert signed["Location"] == reverse("consults:treatment", args=[alice.pk])
    note = VisitNote.objects.get()
    visit.refresh_from_db()
    assert (note.signed_by, visit.state) == (dana, "completed")
    assert Patient.objects.get(pk=alice.pk).identity_verified_by == dana
    page = text_of(doctor.get(reverse("consults:visit", args=[visit.pk])))
    assert "BP &lt;90 once; “quoted” &amp; é" in page  # HZ-21
    send(doctor, "addendum", visit.pk, text="Sister may be the sitter.")
    assert "Sister may be the sitter." in text_of(doctor.get(reverse("consults:visit", args=[visit.pk])))


def test_signing_a_note_asks_for_a_fresh_second_factor(
    alice: User, dana: User, at: dt.datetime, client_for: Any
) -> None:
    """PR-11"""
    visit = a_booked_consult(alice, dana, at)
    browser = client_for(dana)
    browser.get(reverse("consults:visit", args=[visit.pk]))
    session = browser.session
    session["account_authentication_methods"] = [
        {"method": "mfa", "type": "totp", "at": clock.wall_time_s() - 301}
    ]
    session.save()
    answer = browser.get(reverse("consults:sign_note", args=[visit.pk]))
    assert answer.status_code == 302
    assert "/accounts/2fa/" in answer["Location"]
    refused = send(browser, "sign_note", visit.pk)
    assert "/accounts/2fa/" in refused["Location"]
    assert VisitNote.objects.get().signed_at is None


def seen(order: Order) -> str:
    """What stands in the form of the page that shows this draft."""
    return access.digest_of(Order.objects.select_related("patient__user").get(pk=order.pk))


def order_fields(at: dt.datetime, **changes: Any) -> dict[str, Any]:
    first = at.date() + 7 * DAY
    return {
        "form": "sublingual_tablet",
        "strength_mg": "70",
        "units_per_dose": "1",
        "weight_kg": "70",
        **{f"session_{n}": (first + 7 * (n - 1) * DAY).isoformat() for n in (1, 2, 3, 4)},
        "sessions_covered": ["1", "2"],
        "systolic_max_mmhg": "140",
        "diastolic_max_mmhg": "90",
        "directions": "Hold under the tongue for ten minutes, then spit out.",
        "authority_basis": "telemedicine_flexibility",
        **changes,
    }


@pytest.fixture
def ready(alice: User, dana: User, at: dt.datetime) -> User:
    """Accepted, seen, note signed, PDMP clear: an order may be written."""
    an_accepted_intake(alice, dana, at - 5 * DAY)
    a_verified_identity(alice, dana, at - DAY)
    a_signed_note(alice, dana, at - DAY)
    a_pdmp_check(alice, dana, at - dt.timedelta(hours=1))
    return alice


def test_an_order_from_draft_to_the_patients_hands(
    ready: User, dana: User, at: dt.datetime, client_for: Any
) -> None:
    doctor, patient = client_for(dana), client_for(ready)
    drafted = send(doctor, "order_new", ready.pk, **order_fields(at))
    order = Order.objects.get()
    assert drafted["Location"] == reverse("consults:order_review", args=[order.pk])
    page = text_of(doctor.get(drafted["Location"]))
    assert "Every check is passed." in page
    assert "1.00 mg/kg" in page
    assert (
        patient.get(reverse("consults:order", args=[order.pk])).status_code == 404
    )  # a draft is its prescriber's alone
    signed = send(doctor, "order_review", order.pk, seen=seen(order))
    assert signed["Location"] == reverse("consults:order", args=[order.pk])
    page = text_of(patient.get(reverse("consults:order", args=[order.pk])))
    assert "1 tablet of 70 mg = 70 mg" in page
    assert "does not send prescriptions for controlled medicines itself" in page
    send(doctor, "order_pharmacy", order.pk, status="handed_over", external_id="RX-77")
    assert "RX-77" in text_of(doctor.get(reverse("consults:treatment", args=[ready.pk])))
    assert (
        send(
            doctor, "order_ship", order.pk, lot="L-9", count="2", **TRACKED, adult_signature="on"
        ).status_code
        == 422
    )
    send(doctor, "order_pharmacy", order.pk, status="accepted", external_id="")
    send(doctor, "order_ship", order.pk, lot="L-9", count="2", **TRACKED, adult_signature="on")
    parcel = order.fulfilments.get()
    assert send(patient, "count", parcel.pk, count="").status_code == 422
    assert send(patient, "count", parcel.pk, count="2", no_photo="on").status_code == 302
    parcel.refresh_from_db()
    assert (parcel.count_confirmed, parcel.confirmed_by) == (2, ready)


def test_another_count_than_was_sent_pauses_dosing(
    alice: User, dana: User, at: dt.datetime, client_for: Any
) -> None:
    """HZ-19: dispensed, taken and remaining always reconcile, or a person looks."""
    order = a_signed_order(alice, dana, at - DAY)
    parcel = a_delivered_parcel(order, dana, at, confirmed_at=None, count_confirmed=None, confirmed_by=None)
    send(client_for(alice), "count", parcel.pk, count=str(parcel.count - 1), no_photo="on")
    assert SafetyHold.objects.filter(patient_id=alice.pk, reason_code="medicine_count_differs").count() == 1
    assert "We are looking into it" in text_of(client_for(alice).get(reverse("consults:medicine")))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"form": "spravato"}, "Spravato (esketamine) needs a certified site"),
        ({"strength_mg": ""}, "Enter the strength of one tablet or troche in mg."),
        ({"form": "nasal_spray", "concentration_mg_per_ml": "100"}, "Enter the volume of one spray in mL."),
        ({"session_2": ""}, "Enter the date of session 2."),
        ({"sessions_covered": []}, "Choose the sessions this order is for."),
        ({"units_per_dose": "0"}, "write a whole number from 1 to 50."),
        ({"strength_mg": "1,5"}, "Use a point, as in 1.5."),
    ],
)
def test_an_order_form_names_what_is_wrong_and_keeps_what_was_typed(
    changes: dict[str, Any], sentence: str, ready: User, dana: User, at: dt.datetime, client_for: Any
) -> None:
    answer = send(client_for(dana), "order_new", ready.pk, **order_fields(at, **changes))
    assert answer.status_code == 422
    assert sentence in text_of(answer).replace("&gt;", ">")
    assert "Hold under the tongue for ten minutes" in text_of(answer)
    assert not Order.objects.exists()


def test_the_review_page_lists_every_stop_and_offers_no_signature(
    ready: User, dana: User, at: dt.datetime, client_for: Any
) -> None:
    doctor = client_for(dana)
    send(
        doctor,
        "order_new",
        ready.pk,
        **order_fields(at, strength_mg="300", units_per_dose="3", sessions_covered=["1", "2", "3"]),
    )
    order = Order.objects.get()
    page = text_of(doctor.get(reverse("consults:order_review", args=[order.pk])))
    for sentence in (
        "above the protocol&#39;s maximum per kilogram",
        "Covers more sessions than are usual",
        "Write your reason",
    ):
        assert sentence in page
    assert "Sign as" not in page
    assert send(doctor, "order_review", order.pk, seen=seen(order)).status_code == 422
    order.refresh_from_db()
    assert order.signed_at is None
    send(doctor, "order_discard", order.pk)
    assert not Order.objects.exists()


def test_an_order_is_changed_by_a_newer_one_and_revoked_with_a_reason(
    ready: User, dana: User, at: dt.datetime, client_for: Any
) -> None:
    doctor = client_for(dana)
    send(doctor, "order_new", ready.pk, **order_fields(at))
    first = Order.objects.get()
    send(doctor, "order_review", first.pk, seen=seen(first))
    assert send(doctor, "order_new", ready.pk, **order_fields(at)).status_code == 302
    rival = Order.objects.exclude(pk=first.pk).get()
    assert "Another order is in force" in text_of(
        doctor.get(reverse("consults:order_review", args=[rival.pk]))
    )
    send(doctor, "order_discard", rival.pk)
    draft_page = send(doctor, "order_supersede", first.pk)
    second = Order.objects.exclude(pk=first.pk).get()
    assert draft_page["Location"] == reverse("consults:order_edit", args=[second.pk])
    send(
        doctor,
        "order_edit",
        second.pk,
        **order_fields(at, strength_mg="100", warning_reason="Tolerated before."),
    )
    send(doctor, "order_review", second.pk, seen=seen(second))
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.superseded_at == at
    assert (second.signed_at, second.dose_mg, second.supersedes_id) == (at, 100, first.pk)
    assert send(doctor, "order_revoke", second.pk, reason="").status_code == 422
    send(doctor, "order_revoke", second.pk, reason="Rash after the first dose.")
    second.refresh_from_db()
    assert second.revoked_by == dana


def test_hours_are_set_in_the_clinicians_own_zone(dana: User, client_for: Any) -> None:
    doctor = client_for(dana)
    wrong = send(doctor, "hours", d0_1_starts="09:00", d0_1_ends="")
    assert "Monday: give both times, or neither." in text_of(wrong)
    send(
        doctor,
        "hours",
        d0_1_starts="09:00",
        d0_1_ends="12:00",
        d0_2_starts="13:00",
        d0_2_ends="17:00",
        d4_1_starts="09:00",
        d4_1_ends="11:00",
    )
    assert [
        (row.weekday, row.starts.hour, row.ends.hour)
        for row in Availability.objects.order_by("weekday", "starts")
    ] == [
        (0, 9, 12),
        (0, 13, 17),
        (4, 9, 11),
    ]
    send(doctor, "exception", kind="leave", starts_on="2026-12-24", ends_on="2026-12-26")
    assert "Away" in text_of(doctor.get(reverse("consults:hours")))


@pytest.mark.parametrize("sent", [True, False])
def test_the_pages_of_visits_lead_to_the_persons_other_pages_and_to_no_chart_that_is_not_there(
    sent: bool, alice: User, dana: User, cole: User, at: dt.datetime, client_for: Any
) -> None:
    if sent:
        an_accepted_intake(alice, dana, at - 5 * DAY)
    visit = a_booked_consult(alice, dana, at)
    for who, chart in ((dana, sent), (cole, False)):
        browser = client_for(who)
        pages = [reverse("consults:treatment", args=[alice.pk])]
        if who == dana:
            pages.append(reverse("consults:visit", args=[visit.pk]))
        for page in pages:
            nav = re.search(
                r'<nav class="row" aria-label="About this person">.*?</nav>', text_of(browser.get(page)), re.S
            )
            assert nav is not None
            links = re.findall(r'href="([^"]+)"', nav[0])
            assert (reverse("intake:chart", args=[alice.pk]) in links) is chart
            for link in links:
                assert browser.get(link).status_code == 200, (who, link)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        (
            {
                "starts_on": "2027-03-14",
                "starts_time": "02:30",
                "ends_on": "2027-03-14",
                "ends_time": "06:00",
            },
            "starts_time",
        ),
        (
            {
                "starts_on": "2027-03-13",
                "starts_time": "02:30",
                "ends_on": "2027-03-14",
                "ends_time": "02:00",
            },
            "ends_time",
        ),
        (
            {
                "starts_on": "2027-03-14",
                "starts_time": "01:59",
                "ends_on": "2027-03-14",
                "ends_time": "03:00",
            },
            "",
        ),
    ],
)
def test_hz_11_a_time_that_the_clocks_skip_is_refused_in_words_and_not_moved(
    fields: dict[str, str], named: str, dana: User, client_for: Any
) -> None:
    """On 14 March 2027 clocks in California go from 1:59 to 3:00."""
    answer = send(client_for(dana), "exception", kind="leave", **fields)
    if not named:
        assert answer.status_code == 302 and AvailabilityException.objects.count() == 1
        return
    assert answer.status_code == 422 and "this time does not exist" in text_of(answer)
    wrong = re.findall(r'<input[^>]*aria-invalid="true"[^>]*>', text_of(answer))
    assert len(wrong) == 1 and f'name="{named}"' in wrong[0]
    assert not AvailabilityException.objects.exists()


def test_hz_11_nobody_is_booked_over_at_a_time_that_the_clocks_skip(
    alice: User, dana: User, client_for: Any
) -> None:
    answer = send(
        client_for(dana),
        "double_book",
        alice.pk,
        visit_type="follow_up",
        day="2027-03-14",
        time="02:15",
        reason="Asked for it.",
    )
    assert answer.status_code == 422 and "this time does not exist" in text_of(answer)
    assert not Appointment.objects.exists()
