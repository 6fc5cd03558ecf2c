"""The way of a signed order to the pharmacy, the paper it is on, and the day after which it needs another basis."""

import datetime as dt
import io
import re
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.urls import reverse
from pypdf import PdfReader

from accounts.models import User
from common.errors import Conflict, Invalid, NotVisible
from consults import actions
from consults.gateways.pharmacy import Sandbox
from consults.models import HandOver, Order
from consults.paper import order_pdf
from portal.work import gather
from tests.consults.builders import a_delivered_parcel, a_pdmp_check, a_signed_order
from tests.consults.test_pages import send, text_of

pytestmark = pytest.mark.django_db
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)


@pytest.fixture
def order(alice: User, dana: User, at: dt.datetime) -> Order:
    signed = a_signed_order(
        alice,
        dana,
        at - DAY,
        directions="Hold <10 min & spit.",
        holds=[{"medicine": "lisinopril", "instruction": "as usual"}],
    )
    return Order.objects.select_related("patient__user", "prescriber").get(pk=signed.pk)


def words_of(document: bytes) -> str:
    return " ".join(" ".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(document)).pages)


def test_the_paper_carries_what_21_cfr_1306_05_asks_and_says_who_does_not_send_it(order: Order) -> None:
    """HZ-21: digits, units and signs as they were signed."""
    words = words_of(order_pdf(order))
    for part in (
        "Alice Lindqvist", "12 Elm Street, San Francisco", "Ketamine hydrochloride", "Sublingual tablet", "100 mg",
        "2 tablets of 100 mg = 200 mg", "8 tablets for 4 doses. No refills.", "Hold <10 min & spit.", "Dana Reyes",
        "1 Example Street, Oakland, CA 94601", "FR1234560", "CA-1000", order.signed_facts["signed_on"], "lisinopril: as usual",
        "does not sign or send prescriptions for controlled medicines itself",
    ):  # fmt: skip
        assert part in words, part
    assert order_pdf(order) == order_pdf(Order.objects.get(pk=order.pk))


@pytest.mark.parametrize(("way", "prefix"), [("print", "PRINT"), ("fax", "FAX"), ("vendor", "ERX")])
def test_an_order_leaves_once_and_the_answer_is_kept(
    way: str, prefix: str, order: Order, dana: User, at: dt.datetime
) -> None:
    """HZ-19: not twice, unless it was sent back."""
    step = actions.send_to_pharmacy(order, way=way, by=dana, at=at)
    order.refresh_from_db()
    assert (order.pharmacy_status, order.external_id, order.pharmacy_updated_at) == (
        "handed_over", step.external_id, at,
    )  # fmt: skip
    assert re.fullmatch(rf"{prefix}-[0-9A-F]{{8}}", step.external_id)
    assert len(step.document_sha256) == 64
    with pytest.raises(Conflict):
        actions.send_to_pharmacy(order, way="print", by=dana, at=at)
    actions.hand_over(order, status="rejected", external_id="RX-1", by=dana, at=at)
    a_pdmp_check(order.patient.user, dana, at + DAY)
    again = actions.send_to_pharmacy(order, way=way, by=dana, at=at + DAY)
    assert again.external_id != step.external_id
    assert HandOver.objects.filter(order=order).count() == 3
    with pytest.raises(DatabaseError), transaction.atomic():
        HandOver.objects.filter(pk=step.pk).update(status="dispensed")


@pytest.mark.parametrize("answer", ["accepted", "rejected", "dispensed"])
def test_a_coach_of_the_care_team_writes_down_what_the_pharmacy_says_and_hands_nothing_over(
    answer: str,
    order: Order,
    dana: User,
    cole: User,
    other_coach: User,
    at: dt.datetime,
    client_for: Any,
    clock_at: Any,
) -> None:
    """The row says by whom; what was heard is the pharmacy's answer, never that it left or was called back."""
    page = reverse("consults:order_pharmacy", args=[order.pk])
    with clock_at(at):
        coach = client_for(cole)
        assert send(coach, "order_pharmacy", order.pk, status=answer).status_code in (409, 422), (
            "not handed over"
        )
        assert send(coach, "order_pharmacy", order.pk, what="send", way="fax").status_code == 404
        assert not HandOver.objects.exists()
        actions.send_to_pharmacy(order, way="fax", by=dana, at=at)
        shown = coach.get(page)
        assert "Hand it over" not in text_of(shown) and 'value="accepted"' in shown.content.decode()
        assert page in coach.get(reverse("consults:treatment", args=[order.patient_id])).content.decode()
        assert client_for(other_coach).get(page).status_code == 404
        assert send(client_for(other_coach), "order_pharmacy", order.pk, status=answer).status_code == 404
        assert send(coach, "order_pharmacy", order.pk, status=answer, external_id="RX-9").status_code == 302
        kept = HandOver.objects.get(by=cole)
        assert (kept.status, kept.external_id, kept.way) == (answer, "RX-9", "heard")
        assert "Cole" in text_of(client_for(dana).get(page))


@pytest.mark.parametrize("status", ["not_sent", "blocked", "rejected"])
def test_that_an_order_left_for_the_pharmacy_is_not_a_coachs_to_say(
    status: str, order: Order, cole: User, at: dt.datetime
) -> None:
    Order.objects.filter(pk=order.pk).update(pharmacy_status=status)
    for heard in ("handed_over", "accepted", "dispensed"):
        with pytest.raises(Conflict) as refused:
            actions.hand_over(order, status=heard, external_id="", by=cole, at=at)
        assert refused.value.code == "not_handed_over"


@pytest.mark.parametrize("status", ["handed_over", "accepted", "dispensed"])
def test_calling_an_order_back_is_not_a_coachs(
    status: str, order: Order, dana: User, cole: User, at: dt.datetime, client_for: Any, clock_at: Any
) -> None:
    Order.objects.filter(pk=order.pk).update(pharmacy_status=status)
    actions.revoke(Order.objects.get(pk=order.pk), reason="Rash.", by=dana, at=at)
    for heard in ("cancelled", "rejected", "dispensed"):
        with pytest.raises(Conflict):
            actions.hand_over(order, status=heard, external_id="", by=cole, at=at)
    with clock_at(at):
        shown = text_of(client_for(cole).get(reverse("consults:order_pharmacy", args=[order.pk])))
    assert "Dana Reyes calls it back" in shown and "What was heard" not in shown
    assert not HandOver.objects.exists()


def test_what_is_not_in_force_does_not_leave_and_nobody_else_sends_it(
    order: Order, dana: User, cole: User, other_psychiatrist: User, at: dt.datetime
) -> None:
    for person in (cole, other_psychiatrist):
        with pytest.raises(NotVisible):
            actions.send_to_pharmacy(order, way="fax", by=person, at=at)
    with pytest.raises(Invalid):
        actions.send_to_pharmacy(order, way="pigeon", by=dana, at=at)
    with pytest.raises(Conflict):
        actions.send_to_pharmacy(order, way="fax", by=dana, at=at + 60 * DAY)
    actions.revoke(order, reason="Rash.", by=dana, at=at)
    with pytest.raises(Conflict):
        actions.send_to_pharmacy(order, way="fax", by=dana, at=at)
    assert not HandOver.objects.exists()
    assert "NOT IN FORCE: revoked." in words_of(order_pdf(Order.objects.get(pk=order.pk)))


@pytest.mark.parametrize(
    ("before", "after", "fits"),
    [
        ("not_sent", "dispensed", True), ("handed_over", "accepted", True), ("accepted", "rejected", True),
        ("rejected", "accepted", True), ("accepted", "accepted", True), ("handed_over", "not_sent", False),
        ("accepted", "handed_over", False), ("dispensed", "not_sent", False), ("dispensed", "rejected", False),
        ("handed_over", "cancelled", False),
    ],
)  # fmt: skip
def test_nothing_goes_back_at_the_pharmacy_and_a_number_stays(
    before: str, after: str, fits: bool, order: Order, dana: User, at: dt.datetime
) -> None:
    """HZ-19: what was dispensed cannot be made to look unsent, and so is not sent again."""
    Order.objects.filter(pk=order.pk).update(pharmacy_status=before, external_id="RX-1")
    if fits:
        heard = actions.hand_over(order, status=after, external_id="", by=dana, at=at)
        assert (heard.pharmacy_status, heard.external_id) == (after, "RX-1")
    else:
        with pytest.raises(Conflict) as refused:
            actions.hand_over(order, status=after, external_id="", by=dana, at=at)
        assert refused.value.code == "no_such_step"
        assert not HandOver.objects.exists()


@pytest.mark.parametrize("answer", ["cancelled", "rejected", "dispensed"])
def test_an_order_that_ends_while_the_pharmacy_has_it_is_called_back_before_another_leaves(
    answer: str,
    order: Order,
    alice: User,
    dana: User,
    cole: User,
    at: dt.datetime,
    client_for: Any,
    clock_at: Any,
) -> None:
    """HZ-19: a pharmacy that holds two orders of one person may fill both."""
    actions.send_to_pharmacy(order, way="fax", by=dana, at=at)
    actions.revoke(order, reason="Rash.", by=dana, at=at)
    (line,) = [one for one in gather(dana, at=at) if one.kind == "order.call_back"]
    assert line.due_at == at + 2 * HOUR and not [
        one for one in gather(cole, at=at) if one.kind == "order.call_back"
    ]
    again = a_signed_order(alice, dana, at, supersedes=order)
    with pytest.raises(Conflict) as refused:
        actions.send_to_pharmacy(again, way="fax", by=dana, at=at)
    assert refused.value.code == "call_back_first"
    for wrong in ("accepted", "not_sent", "handed_over"):
        with pytest.raises(Conflict):
            actions.hand_over(order, status=wrong, external_id="", by=dana, at=at)
    with clock_at(at):
        page = client_for(dana).get(reverse("consults:order_pharmacy", args=[order.pk]))
        assert "the pharmacy has it still" in text_of(page)
        first = re.search(r'<select[^>]*name="status".*?</option>', page.content.decode(), re.DOTALL)
        assert first and "Choose" in first.group(), "nothing is saved by a mere press"
        assert (
            'value="cancelled"' in page.content.decode() and 'value="accepted"' not in page.content.decode()
        )
    actions.hand_over(order, status=answer, external_id="", by=dana, at=at)
    if answer == "dispensed":
        assert [one for one in gather(dana, at=at) if one.kind == "order.call_back"], "filled, and not sent"
        actions.hand_over(order, status="cancelled", external_id="", by=dana, at=at)
    assert not [one for one in gather(dana, at=at) if one.kind == "order.call_back"]
    assert actions.send_to_pharmacy(again, way="fax", by=dana, at=at).status == "handed_over"
    with pytest.raises(Conflict):
        actions.hand_over(
            order,
            status="dispensed" if answer == "cancelled" else "cancelled",
            external_id="",
            by=dana,
            at=at,
        )


def test_an_order_whose_parcel_is_out_is_not_called_back(
    order: Order, dana: User, cole: User, at: dt.datetime
) -> None:
    Order.objects.filter(pk=order.pk).update(pharmacy_status="accepted")
    a_delivered_parcel(order, cole, at)
    actions.revoke(order, reason="Rash.", by=dana, at=at)
    assert not [one for one in gather(dana, at=at) if one.kind == "order.call_back"]


def test_the_paper_of_a_superseding_order_names_the_one_it_replaces(
    order: Order, alice: User, dana: User, at: dt.datetime
) -> None:
    assert "Replaces" not in words_of(order_pdf(order))
    Order.objects.filter(pk=order.pk).update(superseded_at=at)
    newer = a_signed_order(alice, dana, at, supersedes=order)
    newer = Order.objects.select_related("patient__user", "prescriber", "supersedes").get(pk=newer.pk)
    assert f"the order signed on {order.signed_facts['signed_on']}: do not fill that one" in words_of(
        order_pdf(newer)
    )


def test_a_replaced_order_asks_the_coach_for_no_more_than_is_missing_at_home(
    order: Order, alice: User, dana: User, cole: User, at: dt.datetime
) -> None:
    """HZ-13: what came for the order before is enough, so nobody is asked to get the same again."""
    a_delivered_parcel(order, cole, at)
    Order.objects.filter(pk=order.pk).update(superseded_at=at)
    newer = a_signed_order(alice, dana, at, supersedes=order)
    actions.send_to_pharmacy(newer, way="fax", by=dana, at=at)
    assert not [one for one in gather(cole, at=at) if one.kind == "medicine.unsent"]
    Order.objects.filter(pk=newer.pk).update(superseded_at=at, pharmacy_status="cancelled")
    larger = a_signed_order(alice, dana, at, supersedes=newer, units_per_dose=3, dose_ug=300_000)
    actions.send_to_pharmacy(larger, way="fax", by=dana, at=at)
    assert [one for one in gather(cole, at=at) if one.kind == "medicine.unsent"]


def test_the_sandbox_takes_only_a_document_and_answers_the_same_twice() -> None:
    sandbox = Sandbox()
    one = sandbox.send(way="fax", document=b"%PDF-1", reference="r")
    assert one == sandbox.send(way="fax", document=b"%PDF-1", reference="r")
    with pytest.raises(ValueError, match="not a document"):
        sandbox.send(way="fax", document=b"", reference="r")


def test_the_pages_of_the_pharmacy_and_the_paper(
    order: Order,
    alice: User,
    dana: User,
    stranger_patient: User,
    at: dt.datetime,
    client_for: Any,
    clock_at: Any,
) -> None:
    with clock_at(at):
        doctor = client_for(dana)
        page = reverse("consults:order_pharmacy", args=[order.pk])
        assert "does not sign or send prescriptions" in text_of(doctor.get(page))
        assert "nothing leaves by itself" in text_of(doctor.get(page)), (
            "the sandbox is no pharmacy, and says so"
        )
        assert send(doctor, "order_pharmacy", order.pk, what="send").status_code == 422
        send(doctor, "order_pharmacy", order.pk, what="send", way="vendor")
        shown = text_of(doctor.get(page))
        assert "ERX-" in shown
        assert "Let it leave" not in shown
        paper = reverse("consults:order_pdf", args=[order.pk])
        for reader in (doctor, client_for(alice)):
            answer = reader.get(paper)
            assert answer["Content-Type"] == "application/pdf"
            assert answer.content.startswith(b"%PDF-")
        assert client_for(stranger_patient).get(paper).status_code == 404


@pytest.mark.parametrize(
    ("ends", "sentence"),
    [
        ("2026-12-31", "ends in 38 days"), ("2026-11-24", "ends tomorrow"), ("2026-11-23", "ends today"),
        ("2026-11-22", "ended on"), ("2027-06-30", "ends on"),
    ],
)  # fmt: skip
def test_the_home_pages_count_down_to_the_end_of_the_flexibility(
    ends: str,
    sentence: str,
    dana: User,
    admin_ann: User,
    at: dt.datetime,
    client_for: Any,
    clock_at: Any,
    settings: Any,
) -> None:
    settings.TELEMEDICINE_FLEXIBILITY_ENDS_ON = ends
    with clock_at(at):
        for person in (dana, admin_ann):
            page = text_of(client_for(person).get("/home/", follow=True))
            assert f"telemedicine flexibility for controlled medicines {sentence}" in page
