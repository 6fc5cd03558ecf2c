"""Between visits nothing falls through: what is not booked, written, handed over, sent, arrived, practised, judged or decided has a line."""

import datetime as dt
from typing import Any

import pytest
from django.conf import settings as django_settings

from accounts.models import User
from consults.models import Fulfilment, Order
from intake.models import Intake
from portal.work import gather
from safety.models import AdverseEvent
from sessions.models import DosingSession
from tests.coaching.builders import a_course
from tests.consults.builders import (
    a_delivered_parcel,
    a_kit,
    a_signed_note,
    a_signed_order,
    an_appointment,
    an_introduction,
)
from tests.portal.test_home import an_intake

pytestmark = pytest.mark.django_db
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)


def lines(person: User, at: dt.datetime, *kinds: str) -> list[Any]:
    return [item for item in gather(person, at=at) if item.kind in kinds]


def test_accepted_and_not_booked_is_the_patients_move_then_the_coachs_and_a_missed_consult_counts_as_none(
    alice: User, dana: User, cole: User, at: dt.datetime
) -> None:
    an_intake(alice, "accepted", at)
    Intake.objects.update(decided_at=at)
    (line,) = lines(cole, at, "consult.unbooked")
    assert line.waiting_on == "the patient"
    (line,) = lines(cole, at + 5 * DAY, "consult.unbooked")
    assert line.overdue(at + 5 * DAY)
    visit = an_appointment(alice, dana, at + 6 * DAY)
    assert lines(cole, at + 5 * DAY, "consult.unbooked") == []
    type(visit).objects.filter(pk=visit.pk).update(state="no_show")
    assert lines(cole, at + 7 * DAY, "consult.unbooked")


def test_a_suitable_note_asks_for_an_order_an_order_for_the_pharmacy_and_the_pharmacy_for_a_parcel(
    alice: User, dana: User, cole: User, at: dt.datetime
) -> None:
    note = a_signed_note(alice, dana, at)
    (line,) = lines(dana, at, "order.unwritten", "order.unsent")
    assert line.kind == "order.unwritten" and line.due_at == at + 2 * DAY
    order = a_signed_order(alice, dana, at, note=note)
    (line,) = lines(dana, at, "order.unwritten", "order.unsent")
    assert line.kind == "order.unsent" and lines(cole, at, "medicine.unsent") == []
    Order.objects.filter(pk=order.pk).update(pharmacy_status="rejected", pharmacy_updated_at=at)
    (line,) = lines(dana, at, "order.unsent")
    assert "sent an order back" in line.title
    Order.objects.filter(pk=order.pk).update(pharmacy_status="accepted")
    assert lines(dana, at, "order.unsent") == [] and lines(cole, at, "medicine.unsent")
    a_delivered_parcel(order, cole, at)
    assert lines(cole, at, "medicine.unsent") == []


def test_a_kit_is_owed_from_the_signature_until_one_is_sent_that_was_not_given_up(
    alice: User, dana: User, cole: User, at: dt.datetime
) -> None:
    a_signed_order(alice, dana, at)
    assert lines(cole, at, "kit.unsent")
    kit = a_kit(alice, cole, at, confirmed_at=None, delivered_at=None)
    assert lines(cole, at, "kit.unsent") == []
    type(kit).objects.filter(pk=kit.pk).update(lost_at=at)
    assert lines(cole, at, "kit.unsent")


def test_a_parcel_is_the_carriers_then_late_then_the_patients_to_count_then_the_coachs_again(
    alice: User, dana: User, cole: User, at: dt.datetime
) -> None:
    order = a_signed_order(alice, dana, at)
    parcel = a_delivered_parcel(
        order, cole, at, shipped_at=at, delivered_at=None, confirmed_at=None, count_confirmed=None, confirmed_by=None, count=8
    )  # fmt: skip
    (line,) = lines(cole, at + 4 * DAY, "parcel.late")
    assert line.waiting_on == "the carrier" and line.due_at == at + 4 * DAY
    (line,) = lines(cole, at + 4 * DAY + HOUR, "parcel.late")
    assert line.overdue(at + 4 * DAY + HOUR) and "not arrived in time" in line.title
    Fulfilment.objects.filter(pk=parcel.pk).update(delivered_at=at + 5 * DAY)
    (line,) = lines(cole, at + 5 * DAY, "parcel.late", "parcel.uncounted")
    assert (line.kind, line.waiting_on) == ("parcel.uncounted", "the patient")
    (line,) = lines(cole, at + 7 * DAY, "parcel.uncounted")
    assert line.overdue(at + 7 * DAY)
    Fulfilment.objects.filter(pk=parcel.pk).update(
        confirmed_at=at + 7 * DAY, count_confirmed=8, confirmed_by=alice
    )
    assert lines(cole, at + 7 * DAY, "parcel.late", "parcel.uncounted") == []


@pytest.mark.usefixtures("protocol_version")
def test_a_consult_after_the_flexibility_ends_is_seen_while_it_can_still_be_moved(
    alice: User, dana: User, at: dt.datetime
) -> None:
    last = dt.datetime.fromisoformat(f"{django_settings.TELEMEDICINE_FLEXIBILITY_ENDS_ON}T23:00:00+00:00")
    an_appointment(alice, dana, last - DAY)
    assert lines(dana, last - 20 * DAY, "basis.lapses") == []
    late = an_appointment(alice, dana, last + 5 * DAY)
    (line,) = lines(dana, last - 20 * DAY, "basis.lapses")
    assert str(late.pk) in line.url and last - 15 * DAY < line.due_at < last - 13 * DAY


def test_an_event_is_judged_within_a_week_and_a_serious_one_within_a_day(
    alice: User, dana: User, at: dt.datetime
) -> None:
    fields = {
        "patient_id": alice.pk,
        "onset_at": at,
        "severity": 3,
        "reported_at": at,
        "reported_by": "system:t",
    }
    AdverseEvent.objects.create(kind="nausea", **fields)
    serious = AdverseEvent.objects.create(kind="fall", seriousness=["hospital"], **fields)
    found = {item.kind: item.due_at for item in lines(dana, at, "event.serious", "event.unjudged")}
    assert found == {"event.serious": at + DAY, "event.unjudged": at + 7 * DAY}
    AdverseEvent.objects.filter(pk=serious.pk).update(assessed_at=at, assessed_by=dana)
    assert [item.kind for item in lines(dana, at, "event.serious", "event.unjudged")] == ["event.unjudged"]


def test_the_cuff_is_to_be_practised_before_session_one_and_reminded_of_until_it_is(
    alice: User, dana: User, cole: User, at: dt.datetime
) -> None:
    from consults.actions import practice_reading
    from notify.models import OutboxMessage
    from sessions.actions.course import plan_reminders

    course = a_course(alice, dana, at, first_in_days=6)
    plan_reminders(DosingSession.objects.get(course=course, number=1), at=at)
    waiting = OutboxMessage.objects.filter(kind="practice_due", state="scheduled")
    assert [(row.due_at - at) // DAY for row in waiting.order_by("due_at")] == [1, 3]
    (line,) = lines(cole, at, "practice.missing")
    assert line.waiting_on == "the patient" and "0 of 2 days" in line.title
    reading = {"systolic_mmhg": 120, "diastolic_mmhg": 78, "pulse_bpm": 66, "by": alice}
    practice_reading(course.patient, at=at, **reading)
    assert waiting.count() == 2
    (line,) = lines(cole, at + 5 * DAY, "practice.missing")
    assert line.overdue(at + 5 * DAY) and "1 of 2 days" in line.title
    practice_reading(course.patient, at=at + DAY, **reading)
    assert waiting.count() == 0 and lines(cole, at + 5 * DAY, "practice.missing") == []


def test_the_free_call_of_a_psychiatrist_who_left_is_somebodys(
    dana: User, other_psychiatrist: User, admin_ann: User, client_for: Any, at: dt.datetime, clock_at: Any
) -> None:
    row = an_introduction(dana, at)
    assert [i.key for i in lines(dana, at, "introduction.coming")] == [f"introduction.coming:{row.pk}"]
    User.objects.filter(pk=dana.pk).update(is_active=False)
    (line,) = lines(admin_ann, at, "introduction.coming")
    assert (
        line.unowned
        and "is not here" in line.title
        and lines(other_psychiatrist, at, "introduction.coming") == []
    )
    with clock_at(at):
        assert client_for(admin_ann).get(line.url).status_code == 200
        assert client_for(other_psychiatrist).get(line.url).status_code == 404


def test_a_change_of_what_a_state_allows_waits_for_a_second_administrator(
    admin_ann: User, admin_ben: User, at: dt.datetime
) -> None:
    from consults.actions.state_rules import approve_state_rule, propose_state_rule

    draft = propose_state_rule(
        state="NH", rule="closed", reason="Letter of counsel, 2026-11-20.", by=admin_ann, at=at
    )
    assert lines(admin_ann, at, "state_rule.draft") == []
    assert "NH" in lines(admin_ben, at, "state_rule.draft")[0].title
    approve_state_rule(draft, by=admin_ben, at=at + HOUR)
    assert lines(admin_ben, at + 2 * HOUR, "state_rule.draft") == []


def test_whoever_stopped_is_not_asked_each_day_about_sessions_that_will_never_be(
    alice: User, dana: User, cole: User, at: dt.datetime
) -> None:
    from coaching import actions as coaching
    from notify.models import OutboxMessage
    from sessions.actions import stop_course

    course = a_course(alice, dana, at)
    coaching.plan_course(course, by=dana, at=at)
    waiting = OutboxMessage.objects.filter(kind="daily_check_in", state="scheduled")
    assert waiting.count() > 10
    stop_course(course, by=dana, at=at + HOUR, reason="consent_withdrawn")
    coaching.sweep(at=at + 2 * HOUR)
    assert waiting.count() == 0 and lines(cole, at + 2 * HOUR, "check_in.due") == []
