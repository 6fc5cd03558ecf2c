"""Nothing of an order leaves for somebody whose care stands still, and what ends is called back until the pharmacy has none of it."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from accounts.actions import assign_care_team
from accounts.models import Patient, User
from common.errors import Conflict
from consults import access, actions
from consults.models import Fulfilment, HandOver, Order
from intake.actions.consents import withdraw_consent
from intake.models import ConsentWithdrawal, EligibilityEvaluation
from portal.work import gather
from safety.actions import place_hold
from safety.models import Task
from sessions.actions import stop_course, stop_open_course
from sessions.models import Course, DosingSession
from tests.consults.builders import (
    TRACKED,
    a_pdmp_check,
    a_signed_note,
    a_signed_order,
    dispensed,
)
from tests.consults.test_pages import text_of
from tests.safety.builders import an_alert
from tests.sessions.builders import a_course, a_decision, a_finished_session, fresh

pytestmark = pytest.mark.django_db
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)


def now(order: Order) -> Order:
    return Order.objects.select_related("patient__user", "prescriber", "note", "protocol").get(pk=order.pk)


def at_the_pharmacy(order: Order) -> Order:
    Order.objects.filter(pk=order.pk).update(pharmacy_status="accepted")
    return order


def sent(order: Order, by: User, at: dt.datetime) -> HandOver:
    return actions.send_to_pharmacy(now(order), way="fax", by=by, at=at)


def heard(order: Order, status: str, by: User, at: dt.datetime) -> Order:
    return actions.hand_over(now(order), status=status, external_id="", by=by, at=at)


def shipped(order: Order, by: User, at: dt.datetime, count: int = 2) -> Fulfilment:
    return actions.ship(now(order), lot="L-1", count=count, **TRACKED, adult_signature=True, by=by, at=at)


def kinds(person: User, at: dt.datetime) -> set[str]:
    return {item.kind for item in gather(person, at=at)}


def _not_suitable(course: Course, dana: User, at: dt.datetime) -> None:
    a_signed_note(course.patient.user, dana, at, suitable=False)


def _withdrawn(course: Course, dana: User, at: dt.datetime) -> None:
    what = ConsentWithdrawal.What.values[0]
    withdraw_consent(course.patient, what=what, by=course.patient.user, at=at)


def _held(course: Course, dana: User, at: dt.datetime) -> None:
    place_hold(course.patient, reason_code="severe_symptom", at=at, by="system:test")


def _in_crisis(course: Course, dana: User, at: dt.datetime) -> None:
    an_alert(course.patient.user, at)


def _reopened(course: Course, dana: User, at: dt.datetime) -> None:
    before = EligibilityEvaluation.objects.filter(patient=course.patient).latest("at")
    EligibilityEvaluation.objects.create(
        intake=before.intake, patient=course.patient, at=at, stage="decision", cause="reopened", outcome="exclude",
        rule_version="t", protocol=before.protocol, facts={},
    )  # fmt: skip


def _note_reopened(course: Course, dana: User, at: dt.datetime) -> None:
    actions.reopen_note(course.order.note, reason="The diagnosis was another one.", by=dana, at=at)


def _stopped(course: Course, dana: User, at: dt.datetime) -> None:
    stop_course(course, by=dana, at=at, reason="dose_decision")


def _account_closed(course: Course, dana: User, at: dt.datetime) -> None:
    User.objects.filter(pk=course.patient_id).update(is_active=False)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_not_suitable, "note_not_suitable"),
        (_withdrawn, "consent_not_current"),
        (_held, "dosing_on_hold"),
        (_in_crisis, "dosing_on_hold"),
        (_reopened, "eligibility_reopened"),
        (_note_reopened, "note_reopened"),
        (_stopped, "care_ended"),
        (_account_closed, "account_closed"),
    ],
)
def test_neither_order_nor_parcel_leaves_for_somebody_whose_care_stands_still(
    spoil: Callable[[Course, User, dt.datetime], None],
    reason: str,
    alice: User,
    dana: User,
    at: dt.datetime,
    protocol_version: Any,
) -> None:
    """HZ-12, HZ-19: asked at signing, and asked again of whatever leaves later."""
    course = a_course(alice, dana, at, first_in_days=3, on_call=False)
    order = course.order
    a_pdmp_check(alice, dana, at)
    assert not access.no_longer_stands(now(order), at=at)
    spoil(course, dana, at)
    for leave in (lambda: sent(order, dana, at + HOUR), lambda: heard(order, "handed_over", dana, at + HOUR)):
        with pytest.raises(Conflict) as refused:
            leave()
        assert refused.value.code == "does_not_stand" and now(order).pharmacy_status == "blocked"
    dispensed(order)
    with pytest.raises(Conflict) as refused:
        shipped(order, dana, at + HOUR)
    assert refused.value.code == "does_not_stand" and not Fulfilment.objects.exists()
    assert all(reason in step.reasons for step in HandOver.objects.filter(order=order, status="blocked"))
    assert Task.objects.filter(kind="order.stopped", owner=dana, done_at__isnull=True).exists()


@pytest.mark.parametrize("why", ["not_suitable", "consent_withdrawn", "patient_stopped"])
def test_a_stop_of_the_care_is_the_prescribers_to_revoke_and_then_to_call_back(
    why: str, alice: User, dana: User, cole: User, at: dt.datetime, protocol_version: Any
) -> None:
    """HZ-12: it reaches her as work, and nobody is asked to send medicine meanwhile."""
    order = a_course(alice, dana, at, first_in_days=3, on_call=False).order
    assign_care_team(Patient.objects.get(pk=alice.pk), coach=cole, by=dana, at=at)
    at_the_pharmacy(order)
    assert {"medicine.unsent", "kit.unsent"} <= kinds(cole, at)
    stop_open_course(alice.pk, by=dana, at=at, reason=why)
    assert not {"medicine.unsent", "kit.unsent"} & kinds(cole, at)
    (task,) = Task.objects.filter(kind="order.care_ended", done_at__isnull=True)
    assert (task.owner, task.about_id) == (dana, order.pk)
    (item,) = [item for item in gather(dana, at=at) if item.kind == "order.care_ended"]
    assert item.url.endswith(f"/consults/order/{order.pk}/revoke/")
    actions.revoke(now(order), reason="The care was stopped.", by=dana, at=at + HOUR)
    task.refresh_from_db()
    assert task.outcome == "revoked"
    assert "order.call_back" in kinds(dana, at + HOUR)


def test_an_order_whose_care_was_stopped_is_not_asked_to_be_handed_over(
    alice: User, dana: User, at: dt.datetime, protocol_version: Any
) -> None:
    order = a_course(alice, dana, at, first_in_days=3, on_call=False).order
    assert "order.unsent" in kinds(dana, at)
    stop_open_course(alice.pk, by=alice, at=at, reason="consent_withdrawn")
    assert "order.unsent" not in kinds(dana, at) and "order.care_ended" in kinds(dana, at)
    actions.revoke(now(order), reason="The care was stopped.", by=dana, at=at)
    assert not {"order.care_ended", "order.call_back", "order.unsent"} & kinds(dana, at), "it never left"


def test_after_a_decision_to_stop_no_further_parcel_leaves(
    alice: User, dana: User, at: dt.datetime, protocol_version: Any
) -> None:
    session = a_finished_session(alice, dana, at, sessions_covered=(1, 2))
    two = DosingSession.objects.get(course=session.course, number=2)
    a_decision(fresh(two), dana, at + 2 * DAY, kind="stop", reason="Dissociation that lasted for hours.")
    order = session.course.order
    actions.move_stock(now(order), kind="damaged", units=2, note="Wet.", by=dana, at=at + 2 * DAY)
    a_pdmp_check(alice, dana, at + 2 * DAY)
    with pytest.raises(Conflict) as refused:
        shipped(order, dana, at + 2 * DAY + HOUR)
    assert refused.value.code == "does_not_stand" and "was stopped" in refused.value.detail
    assert Task.objects.filter(kind="order.care_ended", owner=dana, done_at__isnull=True).exists()


def test_a_first_parcel_needs_a_fresh_look_when_the_order_came_to_the_pharmacy_without_one(
    alice: User, dana: User, at: dt.datetime, protocol_version: Any
) -> None:
    """What was heard from the pharmacy stays true, but it is no look at the monitoring programme; nor does a parcel end the task."""
    order = a_signed_order(alice, dana, at - 30 * DAY, first_in_days=40, sessions_covered=(1, 2))
    heard(order, "accepted", dana, at)
    stopped = access.last_stop(now(order))
    assert stopped is not None and stopped.reasons == ["pdmp_too_old"], "of one instant, the stop comes last"
    with pytest.raises(Conflict) as refused:
        shipped(order, dana, at + HOUR)
    assert "too old" in refused.value.detail and not Fulfilment.objects.exists()
    assert Task.objects.filter(kind="order.stopped", done_at__isnull=True).exists()
    a_pdmp_check(alice, dana, at + HOUR)
    assert shipped(order, dana, at + 2 * HOUR)
    assert not Task.objects.filter(kind="order.stopped", done_at__isnull=True).exists()


def test_hz_19_the_stop_of_an_instant_comes_after_what_was_heard_in_it_however_the_rows_fall(
    alice: User, dana: User, at: dt.datetime, protocol_version: Any
) -> None:
    order = a_signed_order(alice, dana, at, sessions_covered=(1, 2))
    for turn in range(6):
        for status in ("blocked", "accepted"):
            HandOver.objects.create(
                order=order, way="heard", status=status, at=at + turn * HOUR, by=dana,
                reasons=["pdmp_too_old"] if status == "blocked" else [],
            )  # fmt: skip
        stopped = access.last_stop(now(order))
        assert stopped is not None and stopped.at == at + turn * HOUR


def test_hz_19_of_what_a_parcel_has_left_nothing_is_sent_back_and_filled_again(
    alice: User, dana: User, at: dt.datetime, protocol_version: Any
) -> None:
    order = at_the_pharmacy(a_signed_order(alice, dana, at, sessions_covered=(1, 2)))
    parcel = shipped(order, dana, at + HOUR)
    with pytest.raises(Conflict) as refused:
        heard(order, "rejected", dana, at + HOUR)
    assert refused.value.code == "no_such_step"
    Fulfilment.objects.filter(pk=parcel.pk).update(lost_at=at + 2 * HOUR)
    assert heard(order, "rejected", dana, at + 2 * HOUR).pharmacy_status == "rejected"


def test_hz_19_an_order_handed_over_by_another_way_waits_for_the_one_to_be_called_back(
    alice: User, dana: User, at: dt.datetime, protocol_version: Any
) -> None:
    one = at_the_pharmacy(a_signed_order(alice, dana, at - HOUR, sessions_covered=(1, 2)))
    actions.revoke(now(one), reason="Another dose.", by=dana, at=at)
    other = a_signed_order(alice, dana, at, sessions_covered=(1, 2), note=one.note)
    with pytest.raises(Conflict) as refused:
        heard(other, "handed_over", dana, at)
    assert refused.value.code == "call_back_first" and now(other).pharmacy_status == "not_sent"
    heard(one, "cancelled", dana, at)
    assert heard(other, "handed_over", dana, at).pharmacy_status == "handed_over"


def test_hz_19_an_order_does_not_go_to_the_pharmacy_with_an_address_that_is_not_the_patients(
    alice: User, dana: User, at: dt.datetime, protocol_version: Any
) -> None:
    order = a_signed_order(alice, dana, at, sessions_covered=(1, 2))
    Patient.objects.filter(pk=alice.pk).update(address="99 New Road, San Francisco")
    for leave in (lambda: sent(order, dana, at + HOUR), lambda: heard(order, "handed_over", dana, at + HOUR)):
        with pytest.raises(Conflict) as refused:
            leave()
        assert refused.value.code == "address_changed"
    Patient.objects.filter(pk=alice.pk).update(address="12 elm street San Francisco")
    assert sent(order, dana, at + HOUR).status == "handed_over", "the same, written otherwise"


@pytest.mark.parametrize("first", ["revoked", "dispensed"])
def test_hz_19_what_was_filled_and_not_sent_is_called_back_when_the_order_ends(
    first: str,
    alice: User,
    dana: User,
    at: dt.datetime,
    protocol_version: Any,
    client_for: Any,
    clock_at: Any,
) -> None:
    """Whichever was heard first: else a second fill leaves beside it."""
    order = at_the_pharmacy(a_signed_order(alice, dana, at - HOUR, sessions_covered=(1, 2)))
    if first == "dispensed":
        heard(order, "dispensed", dana, at - HOUR)
    actions.revoke(now(order), reason="Another dose.", by=dana, at=at)
    if first == "revoked":
        heard(order, "dispensed", dana, at)
    assert "order.call_back" in kinds(dana, at)
    newer = a_signed_order(alice, dana, at, sessions_covered=(1, 2), note=order.note)
    with pytest.raises(Conflict) as refused:
        sent(newer, dana, at)
    assert refused.value.code == "call_back_first"
    with clock_at(at):
        page = client_for(dana).get(f"/consults/order/{order.pk}/pharmacy/")
        assert "taken back what it filled and did not send" in text_of(page)
    heard(order, "cancelled", dana, at)
    assert "order.call_back" not in kinds(dana, at)
    assert sent(newer, dana, at).status == "handed_over"


def test_hz_19_an_order_of_which_a_part_was_sent_is_called_back_for_the_rest(
    alice: User, dana: User, at: dt.datetime, protocol_version: Any
) -> None:
    order = at_the_pharmacy(a_signed_order(alice, dana, at - DAY, sessions_covered=(1, 2)))
    parcel = shipped(order, dana, at - HOUR)
    assert "order.call_back" not in kinds(dana, at)
    actions.confirm_count(parcel, count=2, by=alice, at=at)
    actions.revoke(now(order), reason="Another strength.", by=dana, at=at)
    assert "order.call_back" in kinds(dana, at)
    other = a_signed_order(
        alice, dana, at, sessions_covered=(1, 2), note=order.note, strength_ug=150_000, dose_ug=300_000
    )
    with pytest.raises(Conflict) as refused:
        sent(other, dana, at)
    assert refused.value.code == "call_back_first"
    heard(order, "cancelled", dana, at)
    assert sent(other, dana, at).status == "handed_over"


def test_hz_19_an_order_that_was_sent_whole_is_not_called_back(
    alice: User, dana: User, at: dt.datetime, protocol_version: Any
) -> None:
    order = dispensed(a_signed_order(alice, dana, at - DAY, sessions_covered=(1, 2)))
    first = shipped(order, dana, at - 2 * HOUR)
    actions.confirm_count(first, count=2, by=alice, at=at - HOUR)
    shipped(order, dana, at - HOUR)
    actions.revoke(now(order), reason="Another strength.", by=dana, at=at)
    assert "order.call_back" not in kinds(dana, at)
    with pytest.raises(Conflict):
        heard(order, "cancelled", dana, at)
