"""HZ-25: the roster cannot overlap, and a hole in the next 72 hours is itself an alert."""

from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from accounts.models import User
from common.errors import Conflict, Invalid, NotPermitted
from notify.models import OutboxMessage
from safety import access
from safety.actions import acknowledge, add_shift, check_coverage, daily_drill, remove_shift
from safety.models import Alert, OnCallShift
from tests.safety.builders import a_shift, close_by_force


def hours(at: datetime, n: float) -> datetime:
    return at + timedelta(hours=n)


def test_two_people_cannot_hold_one_level_at_one_time(
    dana: User, other_psychiatrist: User, admin_ann: User, at: datetime
) -> None:
    add_shift(person=dana, level=1, starts_at=at, ends_at=hours(at, 12), by=admin_ann, at=at)
    with pytest.raises(Conflict):
        add_shift(
            person=other_psychiatrist,
            level=1,
            starts_at=hours(at, 11),
            ends_at=hours(at, 20),
            by=admin_ann,
            at=at,
        )
    # Hand-over at the same instant is no overlap, and another level is another list.
    add_shift(
        person=other_psychiatrist,
        level=1,
        starts_at=hours(at, 12),
        ends_at=hours(at, 24),
        by=admin_ann,
        at=at,
    )
    add_shift(person=other_psychiatrist, level=2, starts_at=at, ends_at=hours(at, 12), by=admin_ann, at=at)


def test_the_database_itself_refuses_the_overlap(dana: User, at: datetime) -> None:
    a_shift(dana, at)
    with pytest.raises(IntegrityError), transaction.atomic():
        a_shift(dana, hours(at, 1))


def test_a_shift_taken_off_frees_its_time(
    dana: User, other_psychiatrist: User, admin_ann: User, at: datetime
) -> None:
    shift = add_shift(person=dana, level=1, starts_at=at, ends_at=hours(at, 12), by=admin_ann, at=at)
    remove_shift(shift, by=admin_ann, at=at)
    add_shift(person=other_psychiatrist, level=1, starts_at=at, ends_at=hours(at, 12), by=admin_ann, at=at)
    assert OnCallShift.objects.count() == 2
    assert access.on_call_now(at=at) == other_psychiatrist


@pytest.mark.parametrize(
    ("offset", "held"), [(-1, False), (0, True), (12 * 3600 - 1, True), (12 * 3600, False)]
)
def test_a_shift_holds_from_its_first_second_to_before_its_last(
    dana: User, admin_ann: User, at: datetime, offset: int, held: bool
) -> None:
    add_shift(person=dana, level=1, starts_at=at, ends_at=hours(at, 12), by=admin_ann, at=at)
    assert (access.on_call_now(at=at + timedelta(seconds=offset)) == dana) is held


def test_a_person_who_cannot_be_rung_is_not_put_on_call(
    other_coach: User, cole: User, alice: User, admin_ann: User, at: datetime
) -> None:
    for person, level in ((other_coach, 2), (cole, 1), (alice, 1), (admin_ann, 1)):
        with pytest.raises(Invalid) as refused:
            add_shift(person=person, level=level, starts_at=at, ends_at=hours(at, 1), by=admin_ann, at=at)
        assert "person" in refused.value.fields


def test_only_an_administrator_keeps_the_roster(dana: User, at: datetime) -> None:
    with pytest.raises(NotPermitted):
        add_shift(person=dana, level=1, starts_at=at, ends_at=hours(at, 1), by=dana, at=at)


def test_a_hole_in_72_hours_is_an_alert_to_the_administrators_once(
    dana: User, admin_ann: User, admin_ben: User, at: datetime
) -> None:
    add_shift(person=dana, level=1, starts_at=at, ends_at=hours(at, 71), by=admin_ann, at=at)
    add_shift(person=dana, level=2, starts_at=at, ends_at=hours(at, 100), by=admin_ann, at=at)
    alert = check_coverage(at=at)
    assert alert is not None and alert.trigger == "P01" and alert.patient is None
    assert check_coverage(at=at) == alert
    mails = OutboxMessage.objects.filter(kind="roster_gap")
    assert {m.recipient for m in mails} == {admin_ann, admin_ben}
    assert Alert.objects.count() == 1


def test_a_full_roster_is_no_alert(
    dana: User, other_psychiatrist: User, admin_ann: User, at: datetime
) -> None:
    add_shift(person=dana, level=1, starts_at=at, ends_at=hours(at, 40), by=admin_ann, at=at)
    add_shift(
        person=other_psychiatrist,
        level=1,
        starts_at=hours(at, 40),
        ends_at=hours(at, 72),
        by=admin_ann,
        at=at,
    )
    add_shift(person=dana, level=2, starts_at=at, ends_at=hours(at, 72), by=admin_ann, at=at)
    assert check_coverage(at=at) is None
    assert access.staffed_throughout(at, hours(at, 72))
    assert not access.staffed_throughout(at, hours(at, 73))


def test_a_hole_that_comes_near_is_graver_and_rings(dana: User, admin_ann: User, at: datetime) -> None:
    """HZ-25"""
    add_shift(person=dana, level=1, starts_at=at, ends_at=hours(at, 20), by=admin_ann, at=at)
    far = check_coverage(at=at)
    assert far is not None and far.severity == 2
    assert not OutboxMessage.objects.filter(lane="crisis").exists()
    near = check_coverage(at=hours(at, 9))
    assert near is not None and (near.pk, near.severity) == (far.pk, 3)
    assert [m.recipient for m in OutboxMessage.objects.filter(lane="crisis")] == [admin_ann]


def test_a_shift_of_somebody_who_left_is_a_hole(dana: User, admin_ann: User, at: datetime) -> None:
    """HZ-25"""
    for level in (1, 2):
        add_shift(person=dana, level=level, starts_at=at, ends_at=hours(at, 100), by=admin_ann, at=at)
    assert check_coverage(at=at) is None
    close_by_force(dana)
    assert check_coverage(at=at) is not None


def test_the_daily_drill_is_marked_and_comes_once_a_day(dana: User, admin_ann: User, at: datetime) -> None:
    """HZ-30"""
    add_shift(person=dana, level=1, starts_at=at, ends_at=hours(at, 100), by=admin_ann, at=at)
    drill = daily_drill(at=at)
    assert drill is not None and drill.is_synthetic and drill.severity == 1
    page = OutboxMessage.objects.get(lane="crisis")
    assert (page.recipient, page.context["drill"]) == (dana, True)
    Alert.objects.filter(pk=drill.pk).update(
        state="closed", closed_at=at, closed_by=dana, disposition="drill", note="Heard."
    )
    assert daily_drill(at=hours(at, 23)) is None
    assert daily_drill(at=hours(at, 24)) is not None


def test_a_hole_that_opens_again_is_told_though_the_alert_of_the_one_before_is_not_closed(
    dana: User, admin_ann: User, at: datetime
) -> None:
    """HZ-25: what was filled in between is forgotten, so the next hole is news."""
    alert = check_coverage(at=at)
    assert alert is not None and "level_1_now" in alert.detail_codes
    acknowledge(alert, by=admin_ann, at=at)
    shifts = [a_shift(dana, at, hours=100), a_shift(dana, at, level=2, hours=100)]
    assert check_coverage(at=hours(at, 0.1)) is None
    alert.refresh_from_db()
    assert alert.detail_codes == [] and alert.state == "acknowledged"
    type(shifts[0]).objects.filter(pk=shifts[0].pk).update(removed_at=hours(at, 2))
    again = check_coverage(at=hours(at, 2))
    assert again is not None and again.pk == alert.pk
    again.refresh_from_db()
    assert again.state == "open" and "level_1_now" in again.detail_codes
    assert OutboxMessage.objects.filter(about_id=alert.pk, created_at=hours(at, 2)).exists()
