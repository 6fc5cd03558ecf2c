"""What an order rests on is asked again when it leaves for the pharmacy and for each parcel: what lapsed stops it, in the open."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from accounts.models import DeaRegistration, Licence, Patient, User
from common.errors import Conflict
from common.models import AuditEntry
from consults import access, actions
from consults.models import Fulfilment, HandOver, Order
from portal.work import gather
from safety.models import Task
from tests.consults.builders import TRACKED, a_pdmp_check, a_signed_order, dispensed
from tests.consults.test_on_purpose_and_entry import decided
from tests.consults.test_pages import send, text_of

pytestmark = pytest.mark.django_db
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)
LAST = "2026-11-30"


@pytest.fixture
def order(alice: User, dana: User, at: dt.datetime, protocol_version: Any, settings: Any) -> Order:
    """Signed, and all that it rests on holds; the flexibility lasts for another week."""
    settings.TELEMEDICINE_FLEXIBILITY_ENDS_ON = LAST
    return a_signed_order(alice, dana, at, sessions_covered=(1, 2))


def fresh(order: Order) -> Order:
    return Order.objects.select_related("patient__user", "prescriber", "note", "protocol").get(pk=order.pk)


def sent(order: Order, by: User, at: dt.datetime) -> HandOver:
    return actions.send_to_pharmacy(fresh(order), way="fax", by=by, at=at)


def shipped(order: Order, by: User, at: dt.datetime, count: int = 1) -> Fulfilment:
    return actions.ship(fresh(order), lot="L-1", count=count, **TRACKED, adult_signature=True, by=by, at=at)


def noon(day: str, zone_hours: int = 8) -> dt.datetime:
    """Noon where the patient and the prescriber are."""
    return dt.datetime.fromisoformat(f"{day}T12:00:00+00:00") + zone_hours * HOUR


def lines(person: User, at: dt.datetime, *kinds: str) -> list[Any]:
    return [item for item in gather(person, at=at) if item.kind in kinds]


@pytest.mark.parametrize(("day", "leaves"), [("2026-11-30", True), ("2026-12-01", False)])
def test_an_order_signed_under_the_flexibility_leaves_on_its_last_day_and_not_on_the_day_after(
    day: str, leaves: bool, order: Order, alice: User, dana: User, at: dt.datetime
) -> None:
    when = noon(day)
    a_pdmp_check(alice, dana, when - HOUR)
    if leaves:
        assert sent(order, dana, when).status == "handed_over"
        return
    with pytest.raises(Conflict) as refused:
        sent(order, dana, when)
    assert refused.value.code == "does_not_stand" and "is not in force today" in refused.value.detail
    row = fresh(order)
    assert (row.pharmacy_status, row.external_id) == ("blocked", "")
    (kept,) = HandOver.objects.filter(order=order)
    assert (kept.status, kept.reasons, kept.by) == ("blocked", ["authority_lapsed"], dana)
    (line,) = lines(dana, when, "order.unsent")
    assert line.title == "An order was stopped on its way to the pharmacy" and str(order.pk) in line.url
    assert AuditEntry.objects.filter(action="order.stopped").get().detail["reasons"] == ["authority_lapsed"]


def test_when_the_flexibility_is_extended_a_stopped_order_leaves_and_when_it_is_cut_short_none_does(
    order: Order, alice: User, dana: User, settings: Any
) -> None:
    """The day that counts is the setting's of that day, not the one that stood on the order."""
    when = noon("2026-12-01")
    a_pdmp_check(alice, dana, when - HOUR)
    with pytest.raises(Conflict):
        sent(order, dana, when)
    settings.TELEMEDICINE_FLEXIBILITY_ENDS_ON = "2027-12-31"
    assert sent(order, dana, when).external_id
    settings.TELEMEDICINE_FLEXIBILITY_ENDS_ON = "2026-11-24"
    assert access.no_longer_stands(fresh(order), at=noon("2026-11-25")) >= {"authority_lapsed"}


def _licence_ended(order: Order, dana: User, at: dt.datetime) -> None:
    Licence.objects.filter(psychiatrist=dana, state="CA").update(expires_on=at.date() - DAY)


def _registration_gone(order: Order, dana: User, at: dt.datetime) -> None:
    DeaRegistration.objects.filter(psychiatrist=dana, state="CA").delete()


def _moved_where_she_has_no_licence(order: Order, dana: User, at: dt.datetime) -> None:
    Patient.objects.filter(pk=order.patient_id).update(state="TX")
    a_pdmp_check(order.patient.user, dana, at, states=["CA", "TX"])


def _moved_and_unchecked(order: Order, dana: User, at: dt.datetime) -> None:
    Patient.objects.filter(pk=order.patient_id).update(state="NY")


def _something_found(order: Order, dana: User, at: dt.datetime) -> None:
    a_pdmp_check(order.patient.user, dana, at, finding="discrepancy", note="Another prescriber")


SPOILED: list[tuple[Callable[[Order, User, dt.datetime], None], str]] = [
    (_licence_ended, "not_licensed_here"),
    (_registration_gone, "not_licensed_here"),
    (_moved_where_she_has_no_licence, "not_licensed_here"),
    (_moved_and_unchecked, "pdmp_not_checked"),
    (_something_found, "pdmp_discrepancy"),
]


@pytest.mark.parametrize(("spoil", "reason"), SPOILED)
def test_what_held_at_signing_and_holds_no_more_stops_the_order_and_its_parcels(
    spoil: Callable[[Order, User, dt.datetime], None],
    reason: str,
    order: Order,
    dana: User,
    cole: User,
    at: dt.datetime,
) -> None:
    spoil(order, dana, at + HOUR)
    with pytest.raises(Conflict):
        sent(order, dana, at + HOUR)
    (kept,) = HandOver.objects.filter(order=order)
    assert reason in kept.reasons and fresh(order).pharmacy_status == "blocked"
    dispensed(order)
    with pytest.raises(Conflict):
        shipped(order, cole, at + HOUR)
    assert not Fulfilment.objects.exists()
    assert HandOver.objects.filter(order=order, way="parcel").get().reasons == kept.reasons
    (task,) = Task.objects.filter(kind="order.stopped", done_at__isnull=True)
    assert task.owner == dana and task.about_id == order.pk
    assert fresh(order).pharmacy_status == "dispensed", "what the pharmacy has done stays written"


@pytest.mark.parametrize(("rule", "reason"), [("unknown", "unknown"), ("closed", "closed")])
def test_a_state_whose_rule_is_unknown_or_closed_since_the_signature_lets_nothing_leave(
    rule: str, reason: str, order: Order, dana: User, admin_ann: User, admin_ben: User, at: dt.datetime
) -> None:
    """Known when it was signed, unknown when it leaves: blocked, for the order and for a parcel."""
    decided("CA", rule, admin_ann, admin_ben, at + HOUR / 2)
    with pytest.raises(Conflict):
        sent(order, dana, at + HOUR)
    dispensed(order)
    with pytest.raises(Conflict):
        shipped(order, dana, at + HOUR)
    assert {f"state_rule_{reason}"} == {code for row in HandOver.objects.all() for code in row.reasons}
    decided("CA", "federal", admin_ann, admin_ben, at + 2 * HOUR)
    assert shipped(order, dana, at + 3 * HOUR)


def test_the_monitoring_programme_is_looked_at_again_when_an_order_waits_for_more_than_a_day(
    order: Order, alice: User, dana: User, at: dt.datetime
) -> None:
    with pytest.raises(Conflict) as refused:
        sent(order, dana, at + DAY + dt.timedelta(seconds=1))
    assert "too old" in refused.value.detail
    assert sent(order, dana, at + DAY).status == "handed_over", "good for a day, to the second"


def test_a_first_parcel_rests_on_the_look_at_the_hand_over_and_each_further_one_on_a_fresh_one(
    order: Order, alice: User, dana: User, cole: User, at: dt.datetime
) -> None:
    dispensed(order)
    parcel = shipped(order, cole, at + 3 * DAY)
    actions.confirm_count(parcel, count=1, by=alice, at=at + 4 * DAY)
    with pytest.raises(Conflict) as refused:
        shipped(order, cole, at + 4 * DAY)
    assert "too old" in refused.value.detail
    (task,) = Task.objects.filter(kind="order.stopped", done_at__isnull=True)
    assert access.last_stop(order)
    a_pdmp_check(alice, dana, at + 4 * DAY)
    assert shipped(order, cole, at + 4 * DAY + HOUR)
    assert access.last_stop(order) is None
    task.refresh_from_db()
    assert task.done_at is not None and task.outcome == "a parcel left"


def test_no_parcel_leaves_after_the_last_day_of_the_flexibility(
    order: Order, alice: User, dana: User, cole: User, at: dt.datetime
) -> None:
    dispensed(order)
    shown = [access.no_parcel_for(fresh(order), at=noon(day)) for day in (LAST, "2026-12-01")]
    assert shown == [frozenset(), {"authority_lapsed"}]


def test_an_order_of_a_prescriber_who_left_does_not_leave_with_a_colleague(
    order: Order, alice: User, dana: User, other_psychiatrist: User, at: dt.datetime
) -> None:
    from accounts.models import CareTeam

    CareTeam.objects.filter(pk=alice.pk).update(psychiatrist=other_psychiatrist)
    User.objects.filter(pk=dana.pk).update(is_active=False)
    with pytest.raises(Conflict) as refused:
        sent(order, other_psychiatrist, at + HOUR)
    assert "not here any more" in refused.value.detail


def test_writing_down_that_it_was_handed_over_by_another_way_is_asked_the_same(
    order: Order, dana: User, at: dt.datetime
) -> None:
    _registration_gone(order, dana, at)
    with pytest.raises(Conflict) as refused:
        actions.hand_over(fresh(order), status="handed_over", external_id="RX-1", by=dana, at=at + HOUR)
    assert refused.value.code == "does_not_stand" and fresh(order).pharmacy_status == "blocked"
    heard = actions.hand_over(fresh(order), status="accepted", external_id="RX-1", by=dana, at=at + HOUR)
    assert heard.pharmacy_status == "accepted", "what the pharmacy did is true, whatever holds"
    assert Task.objects.filter(kind="order.stopped", owner=dana, done_at__isnull=True).exists()
    actions.revoke(heard, reason="No registration any more.", by=dana, at=at + 2 * HOUR)
    assert not Task.objects.filter(kind="order.stopped", done_at__isnull=True).exists()


@pytest.mark.parametrize("status", ["not_sent", "handed_over", "rejected", "blocked", "cancelled"])
def test_no_parcel_is_recorded_for_an_order_that_the_pharmacy_has_not_accepted(
    status: str, order: Order, cole: User, at: dt.datetime
) -> None:
    """HZ-19: by the action, and by PostgreSQL."""
    Order.objects.filter(pk=order.pk).update(pharmacy_status=status)
    with pytest.raises(Conflict) as refused:
        shipped(order, cole, at + HOUR)
    assert refused.value.code == "not_accepted"
    with pytest.raises(DatabaseError, match="accepted"), transaction.atomic():
        Fulfilment.objects.create(
            order=order,
            patient_id=order.patient_id,
            lot="L",
            count=1,
            **TRACKED,
            adult_signature=True,
            shipped_at=at,
            shipped_by=cole,
        )


def test_no_parcel_leaves_while_an_order_that_is_over_waits_to_be_called_back(
    order: Order, alice: User, dana: User, cole: User, at: dt.datetime
) -> None:
    Order.objects.filter(pk=order.pk).update(pharmacy_status="accepted", superseded_at=at)
    newer = dispensed(a_signed_order(alice, dana, at + HOUR, supersedes=order))
    with pytest.raises(Conflict) as refused:
        shipped(newer, cole, at + 2 * HOUR)
    assert refused.value.code == "call_back_first"
    actions.hand_over(fresh(order), status="cancelled", external_id="", by=dana, at=at + 2 * HOUR)
    assert shipped(newer, cole, at + 3 * HOUR)


def test_an_order_that_the_pharmacy_has_not_answered_is_its_prescribers_to_ask_about(
    order: Order, dana: User, at: dt.datetime
) -> None:
    sent(order, dana, at)
    (line,) = lines(dana, at + HOUR, "order.unanswered", "order.unsent")
    assert (line.kind, line.waiting_on) == ("order.unanswered", "the pharmacy")
    (line,) = lines(dana, at + 49 * HOUR, "order.unanswered")
    assert line.overdue(at + 49 * HOUR)
    actions.hand_over(fresh(order), status="accepted", external_id="", by=dana, at=at + 49 * HOUR)
    assert not lines(dana, at + 49 * HOUR, "order.unanswered", "order.unsent")


def test_the_pages_say_why_nothing_left_and_keep_it(
    order: Order, dana: User, cole: User, at: dt.datetime, client_for: Any, clock_at: Any
) -> None:
    """The refusal is an answer that keeps what it says: nothing is rolled back with it."""
    _registration_gone(order, dana, at)
    with clock_at(at + HOUR):
        doctor, coach = client_for(dana), client_for(cole)
        shown = text_of(doctor.get(f"/consults/order/{order.pk}/pharmacy/"))
        assert "It cannot leave today" in shown and "Let it leave" not in shown
        # A page that was opened before.
        assert send(doctor, "order_pharmacy", order.pk, what="send", way="fax").status_code == 302
        shown = text_of(doctor.get(f"/consults/order/{order.pk}/pharmacy/"))
        assert "Stopped: something it rests on no longer holds" in shown and "Nothing left." in shown
        dispensed(order)
        assert "No parcel can leave today" in text_of(coach.get(f"/consults/order/{order.pk}/ship/"))
        send(coach, "order_ship", order.pk, lot="L-9", count="2", **TRACKED, adult_signature="on")
        assert HandOver.objects.filter(way="parcel", by=cole).exists() and not Fulfilment.objects.exists()
        shown = text_of(coach.get(f"/consults/patient/{order.patient_id}/"))
        assert "Stopped on its way out" in shown and "It is on the list of Dana Reyes" in shown
