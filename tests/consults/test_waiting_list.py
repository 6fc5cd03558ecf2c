"""A time that somebody gave back goes round: one person at a time, nobody twice (PR-09)."""

import datetime as dt
from typing import Any

import pytest
from django.db import IntegrityError

from accounts.models import CareTeam, Patient, User
from common import hooks
from common.errors import NotVisible, SlotTaken
from consults import actions
from consults.models import Appointment, FreedSlot, SlotOffer, WaitingListEntry
from notify.models import OutboxMessage
from tests.conftest import a_patient, a_psychiatrist
from tests.consults.builders import an_appointment, an_introduction, weekly_hours
from tests.consults.test_booking_races import race
from tests.intake.builders import an_accepted_intake

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
ALL_WEEK = range(7)


@pytest.fixture(autouse=True)
def _no_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(hooks._hooks, "booking.blockers", [])


def patient_of(user: User) -> Patient:
    return Patient.objects.select_related("user").get(pk=user.pk)


def waits(
    user: User, at: dt.datetime, *, visit_type: str = "follow_up", first: dt.time = dt.time(0), last: dt.time = dt.time(23, 59), days: Any = ALL_WEEK
) -> WaitingListEntry:  # fmt: skip
    return actions.join_waiting_list(
        patient_of(user), visit_type=visit_type, weekdays=list(days), from_time=first, until_time=last, by=user, at=at
    )  # fmt: skip


@pytest.fixture
def people(dana: User, protocol_version: Any, at: dt.datetime) -> list[User]:
    """Four of Dana's patients; the first has a visit in three days, the others later ones."""
    weekly_hours(dana)
    found = [a_patient(f"W{number} Waits") for number in range(4)]
    for number, person in enumerate(found):
        CareTeam.objects.update_or_create(patient_id=person.pk, defaults={"psychiatrist": dana})
        an_appointment(person, dana, at + (3 + number) * DAY, visit_type="follow_up", minutes=15)
    return found


def visit_of(user: User) -> Appointment:
    return Appointment.objects.get(patient_id=user.pk, state="booked")


def give_back(user: User, at: dt.datetime) -> FreedSlot | None:
    actions.cancel(visit_of(user), by=user, at=at)
    return FreedSlot.objects.order_by("-freed_at").first()


def live() -> list[SlotOffer]:
    return list(SlotOffer.objects.filter(state="offered"))


@pytest.mark.django_db
def test_whoever_has_waited_longest_is_offered_a_freed_time_and_it_is_kept_for_her(
    people: list[User], dana: User, at: dt.datetime
) -> None:
    first, second, third, _ = people
    an_accepted_intake(second, dana, at - 3 * DAY)
    waits(third, at)
    waits(second, at + HOUR)
    give_back(first, at + HOUR)
    assert actions.go_round(at=at + HOUR) == {"over": 0, "offered": 1, "settled": 0}
    (offer,) = live()
    assert (offer.patient_id, offer.starts_at) == (third.pk, at + 3 * DAY)
    assert offer.expires_at == at + 3 * HOUR
    with pytest.raises(SlotTaken):
        actions.hold_slot(
            patient_of(second), visit_type="follow_up", clinician_id=dana.pk, starts_at=at + 3 * DAY, by=second, at=at + HOUR
        )  # fmt: skip
    sent = OutboxMessage.objects.filter(kind="visit_offered")
    assert {m.recipient_id for m in sent} == {third.pk}


@pytest.mark.django_db
def test_taking_it_moves_her_visit_keeps_its_number_and_sends_the_old_time_round(
    people: list[User], at: dt.datetime
) -> None:
    first, second, third, fourth = people
    waits(third, at)
    waits(fourth, at + HOUR)
    before = visit_of(third)
    give_back(first, at + HOUR)
    actions.go_round(at=at + HOUR)
    moved = actions.take_offer(live()[0], by=third, at=at + 2 * HOUR)
    assert (moved.pk, moved.starts_at, moved.sequence) == (before.pk, at + 3 * DAY, before.sequence + 1)
    assert visit_of(third).pk == before.pk
    assert WaitingListEntry.objects.get(patient_id=third.pk).state == "done"
    actions.go_round(at=at + 2 * HOUR)
    assert [(o.patient_id, o.starts_at) for o in live()] == [(fourth.pk, before.starts_at)]


@pytest.mark.django_db
def test_passing_or_not_answering_sends_it_to_the_next_and_never_back(
    people: list[User], at: dt.datetime
) -> None:
    first, second, third, fourth = people
    for number, person in enumerate((second, third, fourth)):
        waits(person, at + number * dt.timedelta(minutes=1))
    give_back(first, at + HOUR)
    asked = []
    now = at + HOUR
    for answer in ("pass", "silence", "pass"):
        actions.go_round(at=now)
        (offer,) = live()
        asked.append(offer.patient_id)
        if answer == "pass":
            actions.pass_offer(offer, by=offer.patient.user, at=now)
        else:
            now = offer.expires_at
    actions.go_round(at=now)
    assert asked == [second.pk, third.pk, fourth.pk]
    assert live() == []
    assert FreedSlot.objects.get().settled_at is not None
    assert {visit_of(person).starts_at for person in (second, third, fourth)} == {
        at + n * DAY for n in (4, 5, 6)
    }


@pytest.mark.django_db
def test_an_answer_that_comes_too_late_is_told_so_and_loses_nothing(
    people: list[User], at: dt.datetime
) -> None:
    first, second, *_ = people
    waits(second, at)
    give_back(first, at + HOUR)
    actions.go_round(at=at + HOUR)
    (offer,) = live()
    with pytest.raises(SlotTaken):
        actions.take_offer(offer, by=second, at=offer.expires_at)
    assert visit_of(second).starts_at == at + 4 * DAY
    assert WaitingListEntry.objects.get(patient_id=second.pk).state == "waiting"


@pytest.mark.django_db
def test_two_freed_times_do_not_go_to_one_person_at_a_time(people: list[User], at: dt.datetime) -> None:
    first, second, third, fourth = people
    waits(fourth, at)
    give_back(first, at + HOUR)
    give_back(second, at + HOUR)
    actions.go_round(at=at + HOUR)
    actions.go_round(at=at + HOUR)
    assert len(live()) == 1
    with pytest.raises(IntegrityError, match="one_offer_at_a_time"):
        offer = live()[0]
        SlotOffer.objects.create(
            entry=offer.entry, patient=offer.patient, freed=FreedSlot.objects.exclude(pk=offer.freed_id).get(),
            hold=an_appointment(first, offer.clinician, at + 9 * DAY), clinician=offer.clinician,
            starts_at=at + 9 * DAY, offered_at=at, expires_at=at + DAY,
        )  # fmt: skip


@pytest.mark.django_db
def test_only_days_and_hours_that_suit_where_she_is_and_only_earlier_ones(
    people: list[User], at: dt.datetime
) -> None:
    """HZ-11: nine in California is twelve in New York, where she is now."""
    first, second, third, fourth = people
    User.objects.filter(pk=second.pk).update(time_zone="America/New_York")
    waits(second, at, last=dt.time(11, 59))
    give_back(fourth, at + HOUR)
    actions.go_round(at=at + HOUR)
    assert live() == []  # later than what she has
    waits(second, at, first=dt.time(12), last=dt.time(12))
    give_back(first, at + HOUR)
    actions.go_round(at=at + HOUR)
    assert [offer.patient_id for offer in live()] == [second.pk]


@pytest.mark.django_db
def test_nobody_is_written_to_at_night_and_the_time_waits_for_the_morning(
    people: list[User], at: dt.datetime
) -> None:
    first, second, *_ = people
    waits(second, at)
    night = at + 13 * HOUR
    give_back(first, night)
    assert actions.go_round(at=night) == {"over": 0, "offered": 0, "settled": 0}
    assert actions.go_round(at=at + 24 * HOUR)["offered"] == 1


@pytest.mark.django_db
def test_leaving_the_list_lets_the_kept_time_go_on(people: list[User], at: dt.datetime) -> None:
    first, second, third, _ = people
    entry = waits(second, at)
    waits(third, at + HOUR)
    give_back(first, at + HOUR)
    actions.go_round(at=at + HOUR)
    actions.leave_waiting_list(entry, by=second, at=at + HOUR)
    actions.go_round(at=at + HOUR)
    assert [offer.patient_id for offer in live()] == [third.pk]


@pytest.mark.django_db
def test_an_offer_is_its_persons_alone(people: list[User], at: dt.datetime) -> None:
    first, second, third, _ = people
    entry = waits(second, at)
    give_back(first, at + HOUR)
    actions.go_round(at=at + HOUR)
    (offer,) = live()
    for change in (
        lambda: actions.take_offer(offer, by=third, at=at + HOUR),
        lambda: actions.pass_offer(offer, by=third, at=at + HOUR),
        lambda: actions.leave_waiting_list(entry, by=third, at=at + HOUR),
    ):
        with pytest.raises(NotVisible):
            change()


@pytest.mark.django_db
def test_an_offer_is_no_ordinary_hold_and_choosing_another_time_keeps_it(
    people: list[User], dana: User, at: dt.datetime
) -> None:
    first, second, *_ = people
    an_accepted_intake(second, dana, at - 3 * DAY)
    waits(second, at)
    give_back(first, at + HOUR)
    actions.go_round(at=at + HOUR)
    actions.hold_slot(
        patient_of(second), visit_type="follow_up", clinician_id=dana.pk, starts_at=at + 2 * DAY, by=second, at=at + HOUR
    )  # fmt: skip
    assert len(live()) == 1
    assert live()[0].hold.state == "held"


@pytest.mark.django_db(transaction=True)
def test_ten_sweeps_at_once_make_one_offer_of_each_time(people: list[User], at: dt.datetime) -> None:
    first, second, third, fourth = people
    waits(third, at)
    waits(fourth, at + HOUR)
    for person in (first, second):
        actions.cancel(visit_of(person), by=person, at=at + 13 * HOUR)  # at night: nothing goes out yet
    assert live() == []
    morning = at + 24 * HOUR
    outcomes = race([lambda: actions.go_round(at=morning)] * 10)
    assert set(outcomes) == {"done"}
    actions.go_round(at=morning)
    offers = live()
    assert (
        len({offer.patient_id for offer in offers})
        == len({offer.freed_id for offer in offers})
        == len(offers)
        == 2
    )
    assert SlotOffer.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_take_pass_and_sweep_at_the_same_moment_have_one_outcome(people: list[User], at: dt.datetime) -> None:
    first, second, third, _ = people
    waits(second, at)
    waits(third, at + HOUR)
    give_back(first, at + HOUR)
    actions.go_round(at=at + HOUR)
    (offer,) = live()
    now = at + 2 * HOUR
    outcomes = race(
        [lambda: actions.take_offer(offer, by=second, at=now)] * 4
        + [lambda: actions.pass_offer(offer, by=second, at=now)] * 4
        + [lambda: actions.go_round(at=now)] * 2
    )  # fmt: skip
    assert set(outcomes) <= {"done", "SlotTaken"}
    offer.refresh_from_db()
    taken = offer.state == "taken"
    assert offer.state in ("taken", "passed")
    assert visit_of(second).starts_at == at + (3 if taken else 4) * DAY
    held = Appointment.objects.filter(state="held")
    assert [row.patient_id for row in held if row.starts_at == at + 3 * DAY] == ([] if taken else [third.pk])


@pytest.mark.django_db
def test_a_time_is_not_kept_for_somebody_who_may_not_book_it(people: list[User], at: dt.datetime) -> None:
    """Nobody has accepted the first one, and she has no visit to move; the time goes to whoever waits after her."""
    nobody = a_patient("W9 Waits")
    CareTeam.objects.update_or_create(patient_id=nobody.pk, defaults={"psychiatrist": people_doctor(people)})
    waits(nobody, at)
    waits(people[3], at + HOUR)
    give_back(people[0], at + 2 * HOUR)
    actions.go_round(at=at + 2 * HOUR)
    assert [offer.patient_id for offer in live()] == [people[3].pk]
    assert not Appointment.objects.filter(patient_id=nobody.pk).exists()


def people_doctor(people: list[User]) -> User:
    return visit_of(people[0]).clinician


@pytest.mark.django_db
def test_the_time_of_an_introductory_call_that_is_called_off_goes_round_once(
    people: list[User], dana: User, at: dt.datetime
) -> None:
    """By its visitor or by the practice: a patient who waits for an introduction is offered the time."""
    call = an_introduction(dana, at)
    waits(people[0], at, visit_type="intro")
    for _ in range(2):
        actions.cancel_introduction(call, by=actions.VISITOR, at=at)
    (freed,) = FreedSlot.objects.all()
    assert (freed.clinician_id, freed.visit_type, freed.during) == (dana.pk, "intro", call.during)
    actions.go_round(at=at)
    (offer,) = live()
    assert (offer.patient_id, offer.clinician_id, offer.starts_at) == (people[0].pk, dana.pk, call.starts_at)


@pytest.mark.django_db
def test_the_time_that_a_moved_introductory_call_gives_up_goes_round_with_the_one_who_had_it(
    people: list[User], dana: User, at: dt.datetime
) -> None:
    other = a_psychiatrist("Eva Stone", "CA")
    weekly_hours(other)
    call = an_introduction(dana, at)
    waits(people[0], at, visit_type="intro")
    moved = actions.move_introduction(call, clinician_id=other.pk, starts_at=at + 3 * DAY + HOUR, at=at)
    (freed,) = FreedSlot.objects.all()
    assert moved.clinician_id == other.pk
    assert (freed.clinician_id, freed.during) == (dana.pk, call.during)
    actions.go_round(at=at)
    assert [(offer.clinician_id, offer.starts_at) for offer in live()] == [(dana.pk, call.starts_at)]


@pytest.mark.django_db
def test_a_call_given_back_too_late_or_while_nobody_waits_for_one_leaves_nothing_behind(
    people: list[User], dana: User, at: dt.datetime
) -> None:
    waits(people[0], at)  # For a follow-up, not for an introduction.
    actions.cancel_introduction(an_introduction(dana, at), by=actions.VISITOR, at=at)
    waits(people[0], at, visit_type="intro")
    for minutes, left in ((120, 0), (121, 1)):
        soon = an_introduction(dana, at, starts_at=at + minutes * HOUR / 60)
        actions.cancel_introduction(soon, by=actions.VISITOR, at=at)
        assert FreedSlot.objects.count() == left
