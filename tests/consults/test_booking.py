"""Find, hold, confirm; move and cancel; who is offered; what leaves the house."""

import datetime as dt
from typing import Any

import pytest

from accounts.models import CareTeam, DeaRegistration, Licence, Patient, User
from common import hooks
from common.errors import Conflict, NotVisible, SlotTaken
from common.models import AuditEntry, StateEvent
from consults import actions
from consults.access import open_slots, visible_appointments
from consults.models import Appointment, Availability
from consults.states import APPOINTMENT_MOVES
from notify.models import OutboxMessage
from tests.consults.builders import a_booked_consult, an_appointment, weekly_hours
from tests.intake.builders import an_accepted_intake

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
MINUTE = dt.timedelta(minutes=1)
# Protocol, care team, who may, their hours, their exceptions, what is taken.
SEARCH_QUERIES = 7


@pytest.fixture(autouse=True)
def _no_price(monkeypatch: pytest.MonkeyPatch) -> None:
    """Booking here is tested without what upper apps hold against it; tests/billing has those."""
    monkeypatch.setitem(hooks._hooks, "booking.blockers", [])


@pytest.fixture
def patient(alice: User, protocol_version: Any, dana: User) -> Patient:
    weekly_hours(dana)
    return Patient.objects.select_related("user").get(pk=alice.pk)


@pytest.fixture
def accepted(patient: Patient, dana: User, at: dt.datetime) -> Patient:
    an_accepted_intake(patient.user, dana, at - 3 * DAY)
    return patient


def hold(
    patient: Patient, clinician: User, starts_at: dt.datetime, at: dt.datetime, visit_type: str = "consult"
) -> Appointment:
    return actions.hold_slot(
        patient, visit_type=visit_type, clinician_id=clinician.pk, starts_at=starts_at, by=patient.user, at=at
    )


def booked(patient: Patient, clinician: User, starts_at: dt.datetime, at: dt.datetime) -> Appointment:
    return actions.confirm_booking(hold(patient, clinician, starts_at, at), by=patient.user, at=at)


def test_free_times_are_the_clinicians_hours_and_nothing_sooner_than_the_notice(
    patient: Patient, dana: User, at: dt.datetime
) -> None:
    found = open_slots("consult", patient, at, at + DAY, at=at)
    # at is 09:00 in California; two hours of notice; the day ends at 18:00, visits take an hour, each half hour is a start.
    assert found[0].starts_at == at + 2 * HOUR
    assert [slot for slot in found if slot.starts_at < at + 9 * HOUR][-1].ends_at == at + 9 * HOUR
    assert {slot.clinician_id for slot in found} == {dana.pk}


def test_leave_and_visits_take_time_away_and_extra_hours_add_some(
    patient: Patient, dana: User, at: dt.datetime
) -> None:
    tomorrow = at + DAY
    an_appointment(patient.user, dana, tomorrow + 2 * HOUR)
    actions.add_exception(
        dana, kind="leave", starts_at=tomorrow + 4 * HOUR, ends_at=tomorrow + 20 * HOUR, by=dana, at=at
    )
    actions.add_exception(
        dana,
        kind="extra",
        starts_at=at + 12 * HOUR,
        ends_at=at + 13 * HOUR,
        visit_types=["consult"],
        by=dana,
        at=at,
    )
    # A consult wants ten free minutes after it: neither the one before the visit nor the one right after it is left.
    found = [
        slot.starts_at for slot in open_slots("consult", patient, at + 10 * HOUR, tomorrow + 10 * HOUR, at=at)
    ]
    assert found == [at + 12 * HOUR] + [tomorrow + n * dt.timedelta(minutes=30) for n in (-2, -1, 0, 1)]


def test_every_offered_time_can_be_held_also_where_extra_hours_begin_before_the_weekly_ones_end(
    patient: Patient, dana: User, at: dt.datetime
) -> None:
    """The grid of a stretch begins with it, from whatever moment somebody looks: extra hours do not begin one of their own."""
    Availability.objects.filter(clinician=dana).update(starts=dt.time(8), ends=dt.time(12))
    eight = at - HOUR
    for day in (1, 2, 5):  # The search works in strides of four days: one stretch lies beyond the first.
        actions.add_exception(
            dana, kind="extra", starts_at=eight + day * DAY + 3.25 * HOUR, ends_at=eight + day * DAY + 6 * HOUR,
            visit_types=["intro"], by=dana, at=at,
        )  # fmt: skip
    end = at + 6 * DAY
    offered = [slot.starts_at for slot in open_slots("intro", patient, at, end, at=at)]
    long, short = [eight + n * 20 * MINUTE for n in range(18)], [eight + n * 20 * MINUTE for n in range(12)]
    notice = at + 2 * HOUR
    assert offered == [one for one in short if one >= notice] + [
        one + day * DAY for day in (1, 2, 3, 4, 5) for one in (long if day in (1, 2, 5) else short)
    ] + [one + 6 * DAY for one in short if one + 6 * DAY < end]  # fmt: skip
    for window in (7 * HOUR, 100 * MINUTE):
        begin, found = at, []
        while begin < end:
            found += open_slots("intro", patient, begin, min(begin + window, end), at=at)
            begin += window
        assert [slot.starts_at for slot in found] == offered
    for starts_at in [one for one in offered if one.date() in {(at + DAY).date(), (at + 5 * DAY).date()}]:
        held = actions.hold_slot(
            patient, visit_type="intro", clinician_id=dana.pk, starts_at=starts_at, by=dana, at=at
        )
        assert held.starts_at == starts_at


def test_only_a_psychiatrist_with_licence_and_registration_there_is_offered(
    patient: Patient, dana: User, other_psychiatrist: User, at: dt.datetime
) -> None:
    CareTeam.objects.filter(pk=patient.pk).update(psychiatrist=None)
    weekly_hours(other_psychiatrist)
    assert {s.clinician_id for s in open_slots("intro", patient, at, at + DAY, at=at)} == {dana.pk}
    Patient.objects.filter(pk=patient.pk).update(state="TX")
    texan = Patient.objects.select_related("user").get(pk=patient.pk)
    assert {s.clinician_id for s in open_slots("intro", texan, at, at + DAY, at=at)} == {
        other_psychiatrist.pk
    }
    DeaRegistration.objects.filter(psychiatrist=other_psychiatrist).delete()
    assert open_slots("intro", texan, at, at + DAY, at=at) == []


def test_no_time_is_offered_after_the_day_on_which_a_licence_ends(
    patient: Patient, dana: User, at: dt.datetime
) -> None:
    Licence.objects.filter(psychiatrist=dana, state="CA").update(expires_on=at.date() + DAY)
    days = {slot.starts_at.date() for slot in open_slots("consult", patient, at, at + 5 * DAY, at=at)}
    assert max(day for day in days) <= at.date() + 2 * DAY
    last = max(slot.starts_at for slot in open_slots("consult", patient, at, at + 5 * DAY, at=at))
    assert last <= at + DAY + 9 * HOUR


def test_a_coach_call_is_with_her_own_coach(
    patient: Patient, cole: User, other_coach: User, at: dt.datetime
) -> None:
    weekly_hours(cole)
    weekly_hours(other_coach)
    assert {s.clinician_id for s in open_slots("prep", patient, at, at + DAY, at=at)} == {cole.pk}


def test_the_search_takes_the_same_number_of_queries_for_many_clinicians_and_days(
    patient: Patient, at: dt.datetime, django_assert_num_queries: Any
) -> None:
    from tests.conftest import a_psychiatrist

    CareTeam.objects.filter(pk=patient.pk).update(psychiatrist=None)
    open_slots("intro", patient, at, at + DAY, at=at)
    with django_assert_num_queries(SEARCH_QUERIES):
        one = open_slots("intro", patient, at, at + DAY, at=at)
    for name in ("Eva Stone", "Finn Reed", "Gia Park", "Hal Moss", "Ida Fox"):
        weekly_hours(a_psychiatrist(name, "CA"))
    with django_assert_num_queries(SEARCH_QUERIES):
        few = open_slots("intro", patient, at, at + DAY, at=at)
    with django_assert_num_queries(SEARCH_QUERIES):
        many = open_slots("intro", patient, at, at + 50 * DAY, at=at)
    assert len(many) > 20 * len(few) > 0
    assert len(few) == 6 * len(one) > 0


def test_a_hold_lasts_ten_minutes(accepted: Patient, dana: User, at: dt.datetime) -> None:
    row = hold(accepted, dana, at + DAY, at)
    assert row.state == "held"
    assert row.hold_expires_at == at + dt.timedelta(minutes=10)
    with pytest.raises(SlotTaken):
        actions.confirm_booking(row, by=accepted.user, at=at + dt.timedelta(minutes=10))
    assert (
        actions.confirm_booking(row, by=accepted.user, at=at + dt.timedelta(minutes=9, seconds=59)).state
        == "booked"
    )


def test_a_held_time_is_nobody_elses_until_the_hold_is_over(
    accepted: Patient, stranger_patient: User, dana: User, at: dt.datetime
) -> None:
    an_accepted_intake(stranger_patient, dana, at - 3 * DAY)
    held = hold(accepted, dana, at + DAY, at)
    bob = Patient.objects.select_related("user").get(pk=stranger_patient.pk)
    with pytest.raises(SlotTaken):
        hold(bob, dana, at + DAY, at + dt.timedelta(minutes=9))
    taken = hold(bob, dana, at + DAY, at + dt.timedelta(minutes=10))
    assert taken.state == "held"
    held.refresh_from_db()
    assert (held.state, held.cancel_reason) == ("cancelled", "hold_over")
    assert StateEvent.objects.filter(object_id=held.pk, target="cancelled", by="system:holds").exists()


def test_choosing_another_time_lets_the_first_one_go(accepted: Patient, dana: User, at: dt.datetime) -> None:
    first = hold(accepted, dana, at + DAY, at)
    hold(accepted, dana, at + 2 * DAY, at)
    first.refresh_from_db()
    assert first.state == "cancelled"


def test_the_sweeper_lets_expired_holds_go(accepted: Patient, dana: User, at: dt.datetime) -> None:
    hold(accepted, dana, at + DAY, at)
    assert actions.release_expired_holds(at=at + dt.timedelta(minutes=9)) == 0
    assert actions.release_expired_holds(at=at + dt.timedelta(minutes=10)) == 1


@pytest.mark.parametrize("minutes", [-30, 5, 15 * 60])
def test_a_time_that_was_never_offered_cannot_be_held(
    accepted: Patient, dana: User, at: dt.datetime, minutes: int
) -> None:
    with pytest.raises(SlotTaken):
        hold(
            accepted, dana, at + (DAY if minutes > 0 else dt.timedelta()) + dt.timedelta(minutes=minutes), at
        )


def test_a_consult_waits_for_an_accepted_intake_and_an_introduction_does_not(
    patient: Patient, dana: User, at: dt.datetime
) -> None:
    with pytest.raises(Conflict) as refused:
        actions.confirm_booking(hold(patient, dana, at + DAY, at), by=patient.user, at=at)
    assert refused.value.code == "intake_not_accepted"
    intro = hold(patient, dana, at + DAY, at, visit_type="intro")
    assert actions.confirm_booking(intro, by=patient.user, at=at).minutes == 20


def test_what_upper_apps_hold_against_it_blocks_a_booking(
    accepted: Patient, dana: User, at: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpaid = {
        "code": "not_paid",
        "sentence": "Pay for the programme first.",
        "url": "/billing/",
        "label": "Pay",
    }
    monkeypatch.setitem(hooks._hooks, "booking.blockers", [lambda **_: [unpaid]])
    with pytest.raises(Conflict) as refused:
        booked(accepted, dana, at + DAY, at)
    assert refused.value.code == "not_paid"


def test_a_booking_is_audited_and_promises_invitation_and_reminders(
    accepted: Patient, dana: User, at: dt.datetime
) -> None:
    starts_at = at + 3 * DAY
    row = booked(accepted, dana, starts_at, at)
    assert (
        AuditEntry.objects.filter(
            action="visit.booked", object_id=str(row.pk), patient_id=accepted.pk
        ).count()
        == 1
    )
    sent = {
        (m.kind, m.channel, m.recipient_id): m.wanted_at
        for m in OutboxMessage.objects.filter(about_id=row.pk)
    }
    assert sent == {
        ("visit_booked", "email", accepted.pk): at,
        ("visit_booked", "email", dana.pk): at,
        ("visit_tomorrow", "email", accepted.pk): starts_at - DAY,
        ("visit_tomorrow", "sms", accepted.pk): starts_at - DAY,
        ("visit_soon", "sms", accepted.pk): starts_at - HOUR,
    }


def test_a_reminder_speaks_in_the_patients_zone_and_says_nothing_clinical(
    accepted: Patient, dana: User, at: dt.datetime
) -> None:
    """HZ-11, PR-14"""
    from notify.actions import render_message

    User.objects.filter(pk=accepted.pk).update(time_zone="America/New_York")
    patient = Patient.objects.select_related("user").get(pk=accepted.pk)
    row = booked(patient, dana, at + 3 * DAY, at)
    for message in OutboxMessage.objects.filter(about_id=row.pk, recipient=patient.user):
        text = render_message(message.template, message.channel, message.context)
        assert "12:00 pm EST" in text.body
        words = f"{text.subject} {text.body}".lower()
        assert not [
            word
            for word in ("ketamine", "consult", "psychiatr", "depress", "anxiety", "dose", "session")
            if word in words.replace("/consults/", "/")
        ]


def test_a_moved_visit_keeps_its_number_raises_its_sequence_and_takes_its_reminders_along(
    accepted: Patient, dana: User, at: dt.datetime
) -> None:
    row = booked(accepted, dana, at + 3 * DAY, at)
    moved = actions.reschedule(row, starts_at=at + 4 * DAY, clinician_id=None, by=accepted.user, at=at + HOUR)
    assert (moved.pk, moved.sequence, moved.starts_at) == (row.pk, 1, at + 4 * DAY)
    waiting = OutboxMessage.objects.filter(about_id=row.pk, kind__startswith="visit_", state="scheduled")
    assert {m.wanted_at for m in waiting.filter(kind="visit_tomorrow")} == {at + 3 * DAY}
    assert {m.wanted_at for m in waiting.filter(kind="visit_soon")} == {at + 4 * DAY - HOUR}


def test_a_visit_may_move_within_its_own_time(accepted: Patient, dana: User, at: dt.datetime) -> None:
    row = booked(accepted, dana, at + 3 * DAY, at)
    moved = actions.reschedule(
        row, starts_at=at + 3 * DAY + HOUR / 2, clinician_id=None, by=accepted.user, at=at
    )
    assert moved.starts_at == at + 3 * DAY + HOUR / 2


def test_a_visit_cannot_move_onto_another(
    accepted: Patient, stranger_patient: User, dana: User, at: dt.datetime
) -> None:
    row = booked(accepted, dana, at + 3 * DAY, at)
    a_booked_consult(stranger_patient, dana, at + 4 * DAY)
    with pytest.raises(SlotTaken):
        actions.reschedule(row, starts_at=at + 4 * DAY, clinician_id=None, by=accepted.user, at=at)


def test_a_cancelled_visit_takes_its_reminders_back_and_tells_both(
    accepted: Patient, dana: User, at: dt.datetime
) -> None:
    row = booked(accepted, dana, at + 3 * DAY, at)
    gone = actions.cancel(row, by=accepted.user, at=at + HOUR)
    assert (gone.state, gone.sequence, gone.cancel_reason) == ("cancelled", 1, "patient")
    left = OutboxMessage.objects.filter(about_id=row.pk, state="scheduled")
    assert {(m.kind, m.recipient_id) for m in left} == {
        ("visit_cancelled", accepted.pk),
        ("visit_cancelled", dana.pk),
    }
    assert actions.cancel(row, by=accepted.user, at=at + HOUR).sequence == 1


def test_another_patient_can_neither_see_nor_change_a_visit(
    accepted: Patient, stranger_patient: User, dana: User, at: dt.datetime
) -> None:
    row = booked(accepted, dana, at + 3 * DAY, at)
    assert not visible_appointments(stranger_patient).exists()
    for change in (
        lambda: actions.cancel(row, by=stranger_patient, at=at),
        lambda: actions.reschedule(
            row, starts_at=at + 4 * DAY, clinician_id=None, by=stranger_patient, at=at
        ),
        lambda: actions.arrive(row, state_now="CA", by=stranger_patient, at=at + 3 * DAY),
        lambda: actions.hold_slot(
            accepted,
            visit_type="consult",
            clinician_id=dana.pk,
            starts_at=at + DAY,
            by=stranger_patient,
            at=at,
        ),
    ):
        with pytest.raises(NotVisible):
            change()


def test_the_door_opens_a_quarter_of_an_hour_before_and_the_clinician_hears_of_it(
    accepted: Patient, dana: User, at: dt.datetime
) -> None:
    starts_at = at + 3 * DAY
    row = booked(accepted, dana, starts_at, at)
    with pytest.raises(Conflict):
        actions.arrive(
            row, state_now="CA", by=accepted.user, at=starts_at - dt.timedelta(minutes=15, seconds=1)
        )
    come = actions.arrive(row, state_now="CA", by=accepted.user, at=starts_at - dt.timedelta(minutes=15))
    assert come.patient_arrived_at == starts_at - dt.timedelta(minutes=15)
    told = OutboxMessage.objects.filter(kind="visit_waiting", recipient=dana, about_id=row.pk)
    assert sorted(told.values_list("channel", flat=True)) == ["email", "sms"]


def test_a_patient_who_is_elsewhere_is_not_let_in_where_nobody_is_licensed(
    accepted: Patient, dana: User, at: dt.datetime
) -> None:
    row = booked(accepted, dana, at + 3 * DAY, at)
    with pytest.raises(Conflict) as refused:
        actions.arrive(row, state_now="TX", by=accepted.user, at=at + 3 * DAY)
    assert refused.value.code == "not_licensed_there"
    assert actions.arrive(row, state_now="NY", by=accepted.user, at=at + 3 * DAY).state_of_care == "NY"


def test_only_the_clinician_says_whether_a_visit_took_place_and_not_before_it(
    accepted: Patient, dana: User, cole: User, at: dt.datetime
) -> None:
    row = booked(accepted, dana, at + 3 * DAY, at)
    with pytest.raises(Conflict):
        actions.close_visit(row, happened=True, by=dana, at=at + 3 * DAY - HOUR)
    assert actions.close_visit(row, happened=False, by=dana, at=at + 3 * DAY + HOUR).state == "no_show"


def test_leave_over_booked_visits_is_refused(accepted: Patient, dana: User, at: dt.datetime) -> None:
    booked(accepted, dana, at + 3 * DAY, at)
    with pytest.raises(Conflict) as refused:
        actions.add_exception(
            dana, kind="leave", starts_at=at + 2 * DAY, ends_at=at + 5 * DAY, by=dana, at=at
        )
    assert "1 booked visit lies" in refused.value.detail


def test_the_table_of_moves_has_no_way_back_from_completed_or_cancelled() -> None:
    sources = {source for source, _ in APPOINTMENT_MOVES}
    # A clinician's word may still correct what the room's book said, and nothing else.
    assert [target for source, target in APPOINTMENT_MOVES if source == "completed"] == ["no_show"]
    assert "cancelled" not in sources
    assert ("held", "completed") not in APPOINTMENT_MOVES
