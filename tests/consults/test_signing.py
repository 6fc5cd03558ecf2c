"""Attacks on the signature of an order: changed under the hand, signed twice, one step too far, one day too late."""

import datetime as dt
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.urls import reverse

from accounts.models import Patient, User
from common import hooks, protocol
from common.errors import Conflict, Invalid, NotVisible
from consults import access, actions
from consults.models import Order, SecondOpinion
from consults.rules.dosing import names_refused_product
from intake.actions import withdraw_consent
from safety.models import Task
from tests.conftest import a_psychiatrist
from tests.consults.builders import a_pdmp_check, a_signed_note, a_signed_order, a_verified_identity
from tests.consults.test_booking_races import race
from tests.consults.test_orders import DAY, HOUR, drafted, refusal, signed
from tests.consults.test_pages import order_fields, seen, send, text_of
from tests.intake.builders import an_accepted_intake
from tests.sessions.builders import a_finished_session

pytestmark = pytest.mark.django_db
SECOND = dt.timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, protocol_version: Any) -> None:
    monkeypatch.setitem(hooks._hooks, "order.signed", [])


@pytest.fixture
def ready(alice: User, dana: User, at: dt.datetime) -> Patient:
    an_accepted_intake(alice, dana, at - 5 * DAY)
    a_verified_identity(alice, dana, at - DAY)
    a_signed_note(alice, dana, at - DAY)
    a_pdmp_check(alice, dana, at - HOUR)
    return Patient.objects.select_related("user").get(pk=alice.pk)


@pytest.fixture
def now(at: dt.datetime, clock_at: Any) -> Any:
    """Pages at this instant."""
    with clock_at(at):
        yield at


def last_taken(monkeypatch: pytest.MonkeyPatch, dose_ug: int | None, over: tuple[int, ...] = ()) -> None:
    """What the sessions say was taken."""
    used = {
        "units_taken": 0,
        "doses_released": 0,
        "last_dose_ug": dose_ug,
        "sessions_over": frozenset(over),
    }
    monkeypatch.setitem(hooks._hooks, "medicine.used", [lambda order: used])


def test_hz_04_a_draft_that_changed_after_it_was_read_is_not_signed(
    ready: Patient, dana: User, at: dt.datetime, now: dt.datetime, client_for: Any
) -> None:
    """HZ-20 as well: two windows of one prescriber."""
    doctor = client_for(dana)
    send(doctor, "order_new", ready.pk, **order_fields(at))
    order = Order.objects.get()
    read = seen(order)
    send(doctor, "order_edit", order.pk, **order_fields(at, units_per_dose="5", warning_reason="Asked for."))
    refused = send(doctor, "order_review", order.pk, seen=read)
    assert refused.status_code == 409
    assert "changed after you read it" in text_of(refused)
    assert send(doctor, "order_review", order.pk).status_code == 409
    order.refresh_from_db()
    assert order.signed_at is None
    send(doctor, "order_review", order.pk, seen=seen(order))
    order.refresh_from_db()
    assert (order.signed_at, order.dose_ug) == (at, 350_000)


@pytest.mark.parametrize(
    "change",
    [
        {"weight_kg": "70.1"},
        {"strength_ug": 70_001, "dose_ug": 70_001},
        {"sessions_covered": [1]},
        {"directions": "Swallow."},
        {"systolic_max_mmhg": 139},
        {"holds": []},
    ],
)
def test_hz_04_every_part_of_a_draft_is_in_its_fingerprint(
    change: dict[str, Any], ready: Patient, dana: User, at: dt.datetime
) -> None:
    order = Order.objects.get(pk=drafted(ready, dana, at).pk)
    before = access.digest_of(order)
    assert before == access.digest_of(Order.objects.get(pk=order.pk))
    for name, value in change.items():
        setattr(order, name, value if name != "weight_kg" else order.weight_kg + 1)
    assert access.digest_of(order) != before


@pytest.mark.django_db(transaction=True)
def test_pr_09_twenty_signatures_at_once_are_one_order(ready: Patient, dana: User, at: dt.datetime) -> None:
    """HZ-19: also of two drafts, one is in force and the other is told so."""
    order = drafted(ready, dana, at)
    rival = drafted(ready, dana, at, units_per_dose=1, directions="Another.")

    def sign(row: Order) -> None:
        actions.sign_order(row, seen=seen(row), by=dana, at=at)

    outcomes = race([lambda row=row: sign(row) for row in (order, rival) for _ in range(10)])  # type: ignore[misc]
    # Whoever waited too long for the lock on a slow machine is told to try again, and never gets an error of ours.
    assert set(outcomes) <= {"done", "Invalid", "Conflict"}
    assert outcomes["done"] >= 1
    assert Order.objects.filter(signed_at__isnull=False).count() == 1


def test_no_order_after_consent_was_withdrawn(ready: Patient, dana: User, at: dt.datetime) -> None:
    order = drafted(ready, dana, at)
    withdraw_consent(ready, what="treatment", by=ready.user, at=at)
    with pytest.raises(Invalid) as refused:
        signed(order, by=dana, at=at)
    assert "has not signed the current consent" in refused.value.detail


@pytest.mark.parametrize(
    ("patient_zone", "prescriber_zone"),
    [
        ("America/Los_Angeles", "America/Los_Angeles"),
        ("Pacific/Honolulu", "America/Los_Angeles"),
        ("America/Los_Angeles", "Pacific/Honolulu"),
    ],
)
def test_the_flexibility_ends_at_the_first_midnight_of_patient_and_prescriber(
    patient_zone: str, prescriber_zone: str, ready: Patient, dana: User, at: dt.datetime, settings: Any
) -> None:
    """On the last day at 23:59:59 it may still be signed; a second later not, whatever zone the other one has chosen."""
    settings.TELEMEDICINE_FLEXIBILITY_ENDS_ON = "2026-11-23"
    User.objects.filter(pk=ready.pk).update(time_zone=patient_zone)
    User.objects.filter(pk=dana.pk).update(time_zone=prescriber_zone)
    dana.refresh_from_db()
    patient = Patient.objects.select_related("user").get(pk=ready.pk)
    midnight = dt.datetime(2026, 11, 24, 8, tzinfo=dt.UTC)  # in Los Angeles
    a_pdmp_check(ready.user, dana, midnight - HOUR)
    order = drafted(patient, dana, midnight - SECOND)
    with pytest.raises(Invalid) as refused:
        signed(order, by=dana, at=midnight)
    assert "not in force today" in refused.value.detail
    assert signed(order, by=dana, at=midnight - SECOND).signed_facts["signed_on"] == "2026-11-23"


def test_orders_that_nobody_took_from_are_no_ladder_to_a_higher_dose(
    ready: Patient, dana: User, at: dt.datetime
) -> None:
    """HZ-04: 70, then 105 mg is a first dose of 1.5 mg/kg, not a small step."""
    first = signed(drafted(ready, dana, at), by=dana, at=at)
    draft = actions.supersede(first, by=dana, at=at)
    fields = {name: getattr(draft, name) for name in actions.orders.DRAFT_FIELDS}
    draft = actions.save_draft(ready, fields=fields | {"strength_ug": 105_000}, by=dana, at=at, draft=draft)
    with pytest.raises(Invalid) as refused:
        signed(draft, by=dana, at=at)
    assert "Write your reason" in refused.value.detail


def test_a_session_that_is_over_is_not_ordered_again(alice: User, dana: User, at: dt.datetime) -> None:
    """HZ-13: the same medicine is not ordered twice for one session; a superseding draft leaves it out by itself."""
    session = a_finished_session(alice, dana, at)
    order = session.course.order
    patient = Patient.objects.select_related("user").get(pk=alice.pk)
    draft = actions.supersede(order, by=dana, at=at + DAY)
    assert draft.sessions_covered == [2, 3, 4]
    fields = {name: getattr(draft, name) for name in actions.orders.DRAFT_FIELDS}
    draft = actions.save_draft(
        patient, fields=fields | {"sessions_covered": [1, 2]}, by=dana, at=at + DAY, draft=draft
    )
    with pytest.raises(Invalid) as refused:
        signed(draft, by=dana, at=at + DAY)
    assert "has had its dose or was called off" in refused.value.detail
    assert access.proposal_of(draft, at=at + DAY).previous_dose_ug == order.dose_ug


@pytest.mark.parametrize(
    ("weight", "warned"), [("77.0", False), ("77.1", True), ("63.0", False), ("62.9", True), ("154", True)]
)
def test_hz_04_a_weight_that_differs_from_the_chart_needs_a_reason(
    weight: str, warned: bool, ready: Patient, dana: User, at: dt.datetime
) -> None:
    from decimal import Decimal

    order = drafted(ready, dana, at, weight_kg=Decimal(weight), strength_ug=60_000)
    if warned:
        with pytest.raises(Invalid, match="Write your reason"):
            signed(order, by=dana, at=at)
    else:
        assert signed(order, by=dana, at=at).warnings == []


def test_a_draft_from_before_a_new_protocol_is_read_again(
    ready: Patient, dana: User, admin_ann: User, at: dt.datetime
) -> None:
    """HZ-28"""
    order = drafted(ready, dana, at)
    version = protocol.propose(version="newer", data=protocol.from_files(), by=dana, at=at)
    protocol.approve(version, by=admin_ann, at=at)
    with pytest.raises(Invalid) as refused:
        signed(order, by=dana, at=at + SECOND)
    assert "The protocol changed since this was written" in refused.value.detail


def test_the_newest_note_decides_not_the_one_the_draft_began_with(
    ready: Patient, dana: User, at: dt.datetime
) -> None:
    order = drafted(ready, dana, at)
    a_signed_note(ready.user, dana, at - SECOND, diagnosis="none", suitable=False)
    with pytest.raises(Invalid) as refused:
        signed(order, by=dana, at=at)
    assert "says that the programme is not suitable" in refused.value.detail


def test_an_order_carries_an_address_or_is_not_signed(ready: Patient, dana: User, at: dt.datetime) -> None:
    """21 CFR 1306.05"""
    Patient.objects.filter(pk=ready.pk).update(address="")
    patient = Patient.objects.select_related("user").get(pk=ready.pk)
    assert "address is not known" in refusal(patient, dana, at)


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        ("As with SPRAVATO", True), ("spra-vato 56 mg", True), ("Esketamine", True), ("es ketamine", True),
        ("(S)-ketamine", True), ("s‑ketamine", True), ("S ketamine spray", True), ("NDC 50458-028-02", True),
        ("50458 028 03", True), ("5045802800", True), ("ＳＰＲＡＶＡＴＯ", True),
        ("Take as ketamine is taken", False), ("This patient's ketamine", False), ("Hold 10 s. Then spit.", False),
        ("Call 504-580-2800", False),
    ],
)  # fmt: skip
def test_spravato_is_refused_however_it_is_spelt(words: str, refused: bool, protocol_version: Any) -> None:
    names = protocol_version.data["dosing"]["dose"]["refused_products"]
    assert names_refused_product(words, names) is refused


def test_hz_04_a_large_step_is_signed_only_after_a_second_psychiatrist_agrees(
    ready: Patient,
    dana: User,
    other_psychiatrist: User,
    at: dt.datetime,
    now: dt.datetime,
    client_for: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    last_taken(monkeypatch, 100_000)
    changes = {"strength_ug": 175_000, "warning_reason": "Tolerated well."}
    assert signed(drafted(ready, dana, at, **changes), by=dana, at=at).warnings == ["step_up"]
    actions.revoke(Order.objects.get(), reason="Test.", by=dana, at=at)

    order = drafted(ready, dana, at, **changes | {"strength_ug": 175_001})
    with pytest.raises(Invalid) as refused:
        signed(order, by=dana, at=at)
    assert "A second psychiatrist has to look" in refused.value.detail
    doctor, colleague = client_for(dana), client_for(other_psychiatrist)
    page = reverse("consults:order_second", args=[order.pk])
    assert colleague.get(page).status_code == 404  # nobody has asked
    assert "Ask a colleague" in text_of(doctor.get(reverse("consults:order_review", args=[order.pk])))
    send(doctor, "order_ask_second", order.pk, whom=str(other_psychiatrist.pk))
    task = Task.objects.get(kind="order.second_look", done_at__isnull=True)
    assert task.owner == other_psychiatrist
    shown = text_of(colleague.get(page))
    assert "175.001 mg" in shown
    assert "100 mg" in shown

    no = send(colleague, "order_second", order.pk, seen=seen(order), agrees="no", words="")
    assert no.status_code == 422
    assert send(colleague, "order_second", order.pk, seen="other", agrees="yes").status_code == 409
    assert send(colleague, "order_second", order.pk, seen=seen(order), agrees="yes").status_code == 302
    task.refresh_from_db()
    assert task.done_at == at
    assert colleague.get(page).status_code == 404  # answered: the draft is the prescriber's alone again
    assert "agrees" in text_of(doctor.get(reverse("consults:order_review", args=[order.pk])))

    kept = signed(order, by=dana, at=at)
    assert (kept.second_checked_by, kept.second_checked_at) == (other_psychiatrist, at)
    assert "second_person" in kept.warnings


def test_hz_04_a_second_opinion_holds_for_one_draft_for_a_while_and_never_for_oneself(
    ready: Patient, dana: User, other_psychiatrist: User, at: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    last_taken(monkeypatch, 100_000)
    order = drafted(ready, dana, at, strength_ug=180_000, warning_reason="Tolerated well.")
    with pytest.raises(Invalid):
        actions.ask_second_person(order, whom=dana, by=dana, at=at)
    with pytest.raises(NotVisible):
        actions.give_second_opinion(order, seen=seen(order), agrees=True, words="", by=dana, at=at)
    actions.ask_second_person(order, whom=other_psychiatrist, by=dana, at=at)
    given = actions.give_second_opinion(
        order, seen=seen(order), agrees=True, words="", by=other_psychiatrist, at=at
    )
    fresh = Order.objects.select_related("protocol").get(pk=order.pk)
    assert access.second_opinion(fresh, at=at + 72 * HOUR) == given
    assert access.second_opinion(fresh, at=at + 72 * HOUR + SECOND) is None
    fresh.weight_kg = 71
    assert access.second_opinion(fresh, at=at) is None
    for change in (lambda: SecondOpinion.objects.update(agrees=False), lambda: given.delete()):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()
    actions.ask_second_person(order, whom=other_psychiatrist, by=dana, at=at)
    actions.give_second_opinion(
        order, seen=seen(order), agrees=False, words="Too fast.", by=other_psychiatrist, at=at + SECOND
    )
    assert access.second_opinion(Order.objects.get(pk=order.pk), at=at + SECOND) is None


def test_hz_04_the_database_alone_refuses_a_large_step_without_a_second_person(
    alice: User, dana: User, other_psychiatrist: User, at: dt.datetime
) -> None:
    large = {"warnings": ["step_up", "second_person"], "signed_at": at}
    for second in ({}, {"second_checked_by": dana, "second_checked_at": at}):
        with pytest.raises(DatabaseError), transaction.atomic():
            a_signed_order(alice, dana, at, **large, **second)
    a_signed_order(alice, dana, at, **large, second_checked_by=other_psychiatrist, second_checked_at=at)


def test_a_first_dose_above_the_studies_needs_a_second_person(
    ready: Patient, dana: User, at: dt.datetime
) -> None:
    """HZ-04: 5 mg/kg at 70 kg is 350 mg."""
    edge = drafted(ready, dana, at, strength_ug=175_000, units_per_dose=2, warning_reason="Weighed twice.")
    beyond = drafted(ready, dana, at, strength_ug=175_001, units_per_dose=2, warning_reason="Weighed twice.")
    with pytest.raises(Invalid) as refused:
        signed(beyond, by=dana, at=at)
    assert "A second psychiatrist has to look" in refused.value.detail
    assert signed(edge, by=dana, at=at).signed_at


def test_a_signed_order_asks_nobody_any_more(ready: Patient, dana: User, at: dt.datetime) -> None:
    colleague = a_psychiatrist("Ravi Second", "CA")
    order = drafted(ready, dana, at)
    actions.ask_second_person(order, whom=colleague, by=dana, at=at)
    signed(order, by=dana, at=at)
    assert not Task.objects.filter(kind="order.second_look", done_at__isnull=True).exists()
    with pytest.raises(Conflict):
        actions.ask_second_person(order, whom=colleague, by=dana, at=at)
