"""Every route, every persona, every method (PR-02, TM-05, TM-09, TM-15).

The routes come from the URLconf, who may call them from the views' own declarations, the objects from one world in which all of
them belong to Alice. A route nobody declared, or a parameter this world has no object for, fails.
"""

import datetime as dt
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

from accounts.models import Patient, User
from intake.rules.steps import assessment_screens
from notify.models import InboundText, OutboxMessage
from portal.routes import Route, every_route
from tests.consults.builders import a_delivered_parcel, a_kit, an_appointment, an_introduction, weekly_hours
from tests.notify.builders import a_device, a_letter
from tests.safety.builders import a_shift, an_alert
from tests.sessions.builders import a_session_ready_for_release

MARKER = "Zanzibar Canary Lane"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
ROLES = ("patient", "psychiatrist", "coach", "administrator")
DENIED = {302, 401, 403, 404, 405}
# Views of libraries: allauth and the admin check for themselves; their own tests are in tests/accounts and tests/admin.
LIBRARY = ("/accounts/", "/admin/")


@dataclass
class World:
    """All objects belong to Alice; `ids` fills the parameters of any route."""

    ids: dict[str, Any]


@pytest.fixture
def world(
    alice: User,
    dana: User,
    cole: User,
    admin_ann: User,
    protocol_version: Any,
    at: dt.datetime,
    clock_at: Callable[..., Any],
) -> Any:
    with clock_at(at):
        Patient.objects.filter(pk=alice.pk).update(address=MARKER)
        weekly_hours(dana)
        session = a_session_ready_for_release(alice, dana, at)
        order = session.course.order
        parcel = order.fulfilments.first() if hasattr(order, "fulfilments") else None
        parcel = parcel or a_delivered_parcel(order, dana, at - dt.timedelta(days=1))
        from consults.actions import add_photo
        from tests.coaching.builders import a_photo

        add_photo(parcel, upload=a_photo(), by=alice, at=at)
        a_kit(alice, dana, at, delivered_at=None, confirmed_at=None)
        visit = an_appointment(alice, dana, at + dt.timedelta(hours=3))
        alert = an_alert(alice, at)
        from billing.models import Invoice
        from coaching.models import CheckIn
        from consults.models import AvailabilityException
        from intake import actions as intakes
        from intake.models import Intake, Medicine
        from safety.actions import open_task, place_hold
        from sessions.models import SitterLink

        hold = place_hold(
            Patient.objects.get(pk=alice.pk), reason_code="crisis", at=at, by="system:test", alert=alert
        )
        intakes.add_medicine(
            Patient.objects.get(pk=alice.pk), name="sertraline", dose_text="", by=alice, at=at
        )
        from consults.actions import add_exception

        leave = add_exception(
            dana,
            kind="leave",
            starts_at=at + dt.timedelta(days=800),
            ends_at=at + dt.timedelta(days=801),
            by=dana,
            at=at,
        )
        assert isinstance(leave, AvailabilityException)
        check_in = CheckIn.objects.filter(patient_id=alice.pk).first() or CheckIn.objects.create(
            patient_id=alice.pk, session=session, kind="prep", due_at=at, created_at=at
        )
        from coaching.message_actions import open_thread

        written = open_thread(
            Patient.objects.select_related("user", "care_team__coach").get(pk=alice.pk),
            topic="session", body=MARKER, uploads=[a_photo()], by=alice, at=at,
        )  # fmt: skip
        from sessions.actions import write_entry

        entry = write_entry(
            Patient.objects.select_related("user").get(pk=alice.pk),
            body="private words",
            by=alice,
            at=at,
            session=session,
        )
        reply = InboundText.objects.create(**inbound(at))
        message = OutboxMessage.objects.filter(patient_id=alice.pk).first()
        from consults.actions import open_visit_room

        room = open_visit_room(visit, by=dana, at=at)
        shift = a_shift(dana, at + dt.timedelta(days=300), level=2)
        from safety.actions import add_holiday, add_time_away, offer_handover, report_incident

        holiday = add_holiday(day=dt.date(2027, 1, 1), name="New Year", by=admin_ann, at=at)
        away = add_time_away(
            person=dana,
            starts_at=at + dt.timedelta(days=90),
            ends_at=at + dt.timedelta(days=91),
            by=dana,
            at=at,
        )
        handover = offer_handover(shift, taker=cole, by=dana, at=at)
        event = report_incident(
            patient=Patient.objects.get(pk=alice.pk), kind="lost", description=MARKER, by=alice, at=at
        ).event
        ids = {
            "holiday_id": holiday.pk,
            "away_id": away.pk,
            "handover_id": handover.pk,
            "event_id": event.pk,
            "patient_id": alice.pk,
            "person_id": dana.pk,
            "session_id": session.pk,
            "order_id": order.pk,
            "parcel_id": parcel.pk,
            "appointment_id": visit.pk,
            "alert_id": alert.pk,
            "hold_id": hold.pk,
            "entry_id": entry.pk,
            "decision_id": a_decision_about(alice, dana, at).pk,
            "intake_id": Intake.objects.filter(patient_id=alice.pk).latest("created_at").pk,
            "medicine_id": Medicine.objects.filter(patient_id=alice.pk).latest("started_at").pk,
            "exception_id": leave.pk,
            "check_in_id": check_in.pk,
            "thread_id": written.thread.pk,
            "file_id": written.message.files.get().pk,
            "reply_id": reply.pk,
            "device_id": a_device(alice, at).pk,
            "letter_id": a_letter(cole, alice, at).pk,
            "message_id": message.pk if message else reply.pk,
            "shift_id": shift.pk,
            "room_id": room.pk,
            "seat_id": room.seats.get(role="patient").pk,
            "guest_token": "not-a-guests-secret",
            "check_id": session.safety_checks.first().pk if hasattr(session, "safety_checks") else alice.pk,
            "introduction_id": an_introduction(dana, at).pk,
            "screen_id": assessment_screens()[0].id,
            "step_id": "about",
            "kind": "accept",
            "name": "treatment-consent",
            "visit_type": "consult",
            "instrument": "phq9",
            "task_id": open_task(
                kind="clinical_review",
                owner=dana,
                patient=Patient.objects.get(pk=alice.pk),
                by="system:test",
                at=at,
            ).pk,
            "token": "not-a-sitters-secret",
            "key": "not-a-key",
        }
        ids |= of_papers(alice, dana, at)
        from tests.consults.builders import an_offer

        ids["offer_id"] = an_offer(alice, dana, at).pk
        from billing.actions import start_payment
        from tests.billing.builders import an_open_invoice

        invoice = Invoice.objects.filter(patient_id=alice.pk).first() or an_open_invoice(alice, at)
        if invoice.state == "open":
            start_payment(invoice, by=alice, at=at)
        ids["invoice_id"] = invoice.pk if invoice else alice.pk
        payment = invoice.payments.first() if invoice else None
        ids["payment_id"] = payment.pk if payment else alice.pk
        assert SitterLink.objects.exists()
        yield World(ids=ids)


def a_decision_about(alice: User, dana: User, at: dt.datetime) -> Any:
    """What Dana signed about Alice's intake, written straight into the table."""
    from intake.models import Decision, EligibilityEvaluation

    found = EligibilityEvaluation.objects.filter(patient_id=alice.pk).latest("at")
    return Decision.objects.create(
        intake=found.intake, kind="ask_more", letter=MARKER, evaluation=found, by=dana, at=at, signed_at=at
    )


def of_papers(alice: User, dana: User, at: dt.datetime) -> dict[str, Any]:
    """A signature, a document she sent, and a letter to a specialist."""
    from common import files
    from intake.models import ClearanceRequest, Consent, Decision, EligibilityEvaluation, PatientDocument

    evaluation = EligibilityEvaluation.objects.filter(patient_id=alice.pk).latest("at")
    decision = Decision.objects.create(
        intake=evaluation.intake,
        kind="clearance",
        items=["cardiology"],
        evaluation=evaluation,
        by=dana,
        at=at,
        signed_at=at,
    )
    letter = ClearanceRequest.objects.create(
        patient_id=alice.pk, intake=evaluation.intake, decision=decision, specialty="cardiology", letter=f"To you. {MARKER}",
        protocol=evaluation.protocol, asked_by=dana, asked_at=at, due_on=at.date() + dt.timedelta(days=21),
    )  # fmt: skip
    document = PatientDocument.objects.create(
        patient_id=alice.pk, kind="id_photo", clearance=None, name="id.jpg", uploaded_by=alice, uploaded_at=at,
        file=files.store(MARKER.encode(), media_type="image/jpeg", by=alice, at=at),
    )  # fmt: skip
    return {
        "consent_id": Consent.objects.filter(patient_id=alice.pk).latest("signed_at").pk,
        "document_id": document.pk,
        "clearance_id": letter.pk,
    }


def inbound(at: dt.datetime) -> dict[str, Any]:
    """A text that came in, with whatever columns its table asks for."""
    values: dict[str, Any] = {}
    for field in InboundText._meta.fields:
        if field.primary_key or field.null or field.has_default():
            continue
        kind = field.get_internal_type()
        values[field.name] = at if kind == "DateTimeField" else "x"
    return values


PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


def address(route: Route, world: World) -> str:
    def fill(found: re.Match[str]) -> str:
        assert found.group(1) in world.ids, f"{route.path}: this world has no {found.group(1)}"
        return str(world.ids[found.group(1)])

    return PARAMETER.sub(fill, route.path)


def ours() -> list[Route]:
    return [route for route in every_route() if not route.path.startswith(LIBRARY)]


def of_a_person(route: Route) -> bool:
    """Does the address name something that belongs to Alice or to her care?"""
    return bool(re.search(r"<uuid:", route.path))


def call(client: Client, method: str, path: str) -> Any:
    if method in ("GET", "HEAD"):
        return client.generic(method, path)
    if path.startswith("/api/"):
        return client.generic(method, path, data="{}", content_type="application/json")
    # With an intent of its own, so that the answer is the view's and not the missing form's.
    return client.generic(
        method, path, data=f"intent={uuid.uuid4()}", content_type="application/x-www-form-urlencoded"
    )


def test_every_route_says_who_may_call_it() -> None:
    """TM-15: a view without a declaration is a failure, not an open door."""
    silent = [route.path for route in ours() if not all(route.roles.get(method) for method in route.methods)]
    assert silent == []


def test_every_role_named_is_a_role() -> None:
    known = {*ROLES, "anyone", "link"}
    assert {role for route in ours() for roles in route.roles.values() for role in roles} <= known


def leaks(body: bytes) -> bool:
    return MARKER.encode() in body or b"Lindqvist" in body


def check_denied(who: str, client: Client, routes: list[Route], world: World, wrong: list[str]) -> None:
    for route in routes:
        for method in METHODS:
            answer = call(client, method, address(route, world))
            line = f"{who}: {method} {route.path} -> {answer.status_code}"
            if answer.status_code == 302 and "/accounts/" not in answer["Location"]:
                wrong.append(line + f" to {answer['Location']}")
            elif answer.status_code not in DENIED:
                wrong.append(line)
            elif leaks(answer.content):
                wrong.append(line + " with a byte of the record it denies")


def private(route: Route) -> bool:
    return not {role for roles in route.roles.values() for role in roles} & {"anyone", "link"}


def test_a_stranger_gets_nothing_but_public_pages(world: World, client: Client) -> None:
    wrong: list[str] = []
    check_denied("a stranger", client, [route for route in ours() if private(route)], world, wrong)
    assert wrong == []


def test_staff_without_their_second_factor_get_nothing(world: World, client_for: Any, dana: User) -> None:
    """PR-11."""
    wrong: list[str] = []
    check_denied(
        "Dana, first factor only",
        client_for(dana, second_factor=False),
        [r for r in ours() if private(r)],
        world,
        wrong,
    )
    assert wrong == []


@pytest.mark.parametrize("who", ["alice", "dana", "cole", "admin_ann"])
def test_no_role_opens_a_route_that_does_not_name_it(
    world: World, client_for: Any, request: Any, who: str
) -> None:
    """TM-15."""
    person = request.getfixturevalue(who)
    others = [r for r in ours() if private(r) and not any(person.role in roles for roles in r.roles.values())]
    wrong: list[str] = []
    check_denied(who, client_for(person), others, world, wrong)
    assert wrong == []


@pytest.mark.parametrize("who", ["stranger_patient", "other_psychiatrist", "other_coach"])
def test_nobody_opens_what_belongs_to_somebody_elses_care(
    world: World, client_for: Any, request: Any, who: str
) -> None:
    """HZ-05, TM-05, TM-09: same role, same route, another person's object: it does not exist."""
    person = request.getfixturevalue(who)
    routes = [
        r
        for r in ours()
        if private(r) and of_a_person(r) and any(person.role in roles for roles in r.roles.values())
    ]
    wrong: list[str] = []
    check_denied(who, client_for(person), routes, world, wrong)
    assert wrong == []


# Pages that answer a permitted person with something else than 200 in this world, and why.
NOT_200 = {302, 303, 405, 409}


@pytest.mark.parametrize("who", ["alice", "dana", "cole", "admin_ann"])
def test_everybody_opens_what_is_theirs(world: World, client_for: Any, request: Any, who: str) -> None:
    person = request.getfixturevalue(who)
    client = client_for(person)
    wrong = []
    for route in ours():
        if person.role not in route.roles.get("GET", ()) or (person.role, route.path) in NOT_THEIRS_AFTER_ALL:
            continue
        query = (
            f"?patient={world.ids['patient_id']}"
            if route.path in LISTS_OF_ONE_PATIENT and person.role != "patient"
            else ""
        )
        answer = client.get(address(route, world) + query)
        if answer.status_code != 200 and answer.status_code not in NOT_200:
            wrong.append(f"{who}: GET {route.path} -> {answer.status_code}")
    assert wrong == []


# Staff name the patient whose list they want.
LISTS_OF_ONE_PATIENT = {"/api/v1/readings/", "/api/v1/questionnaire-responses/"}
# A role is named for some objects of this kind, but not for Alice's: administrators see alerts of the lane, not of a patient.
NOT_THEIRS_AFTER_ALL = {
    ("administrator", "/alerts/<uuid:alert_id>/"),
    # An administrator gives away what nobody else can answer; Alice has a coach.
    ("administrator", "/messages/<uuid:thread_id>/hand-over/"),
    # An administrator rings whoever a psychiatrist who left would have rung; Dana is here.
    ("administrator", "/consults/introduction/<uuid:introduction_id>/"),
    # A second look at an order is a colleague's, never of whoever wrote it.
    ("psychiatrist", "/consults/order/<uuid:order_id>/second/"),
    # The work is Dana's, so her colleague does not see it.
    ("coach", "/work/<uuid:task_id>/"),
    # Whose shift it is hands it over, or an administrator.
    ("coach", "/alerts/roster/<uuid:shift_id>/hand-over/"),
    # A consult is Alice's and Dana's: the coach has no seat in its room.
    ("coach", "/video/<uuid:room_id>/"),
    ("coach", "/video/<uuid:room_id>/pass/"),
    ("coach", "/video/<uuid:room_id>/line/"),
    ("coach", "/video/<uuid:room_id>/guests/"),
}


def test_public_pages_open_for_anybody(world: World, client: Client) -> None:
    wrong = []
    for route in ours():
        if "anyone" not in route.roles.get("GET", ()) or route.kind == "webhook":
            continue
        answer = client.get(address(route, world))
        if answer.status_code not in (200, 302, 405):
            wrong.append(f"GET {route.path} -> {answer.status_code}")
        elif leaks(answer.content):
            wrong.append(f"GET {route.path} shows somebody's record")
    assert wrong == []


def test_a_wrong_link_opens_nothing(world: World, client: Client) -> None:
    wrong = []
    for route in ours():
        if "link" not in {role for roles in route.roles.values() for role in roles}:
            continue
        for method in ("GET", "POST"):
            answer = call(client, method, address(route, world))
            if answer.status_code not in (403, 404, 405) or leaks(answer.content):
                wrong.append(f"{method} {route.path} -> {answer.status_code}")
    assert wrong == []
