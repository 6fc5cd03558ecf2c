"""HZ-25: nobody stops working here while they are on call, unless a named colleague takes their shifts with them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from accounts import actions as people
from accounts.models import Licence, User
from common.errors import Conflict, Invalid
from notify.models import OutboxMessage
from safety import access
from safety.actions import acknowledge, add_shift
from safety.models import Alert, OnCallShift
from safety.models_roster import ShiftHandover
from tests.safety.builders import a_shift, an_alert, close_by_force


@pytest.fixture
def now(db: None, at: datetime, clock_at: Any) -> Any:
    """The database's clock too: its triggers ask which shifts are still to come."""
    with clock_at(at):
        yield at


@pytest.fixture
def priya(other_psychiatrist: User) -> User:
    return other_psychiatrist


def test_hz_25_closing_the_account_of_the_person_on_call_is_refused_and_says_why(
    dana: User, admin_ann: User, now: datetime
) -> None:
    a_shift(dana, now)
    with pytest.raises(Conflict) as refused:
        people.set_active(dana, active=False, by=admin_ann, at=now)
    assert refused.value.code == "on_call"
    assert "one shift to come" in refused.value.detail and "Name who takes over" in refused.value.detail
    dana.refresh_from_db()
    assert dana.is_active


def test_hz_25_a_named_successor_has_shifts_and_alerts_in_the_same_transaction(
    alice: User, dana: User, priya: User, admin_ann: User, now: datetime
) -> None:
    a_shift(dana, now, hours=12)
    later = add_shift(
        person=dana, level=2, starts_at=now + timedelta(days=3), ends_at=now + timedelta(days=4), by=admin_ann, at=now
    )  # fmt: skip
    alert = an_alert(alice, now)
    acknowledge(alert, by=dana, at=now)
    people.set_active(dana, active=False, by=admin_ann, at=now, successor=priya)
    assert not User.objects.get(pk=dana.pk).is_active
    assert access.on_call_now(at=now) == priya
    held = OnCallShift.objects.filter(removed_at__isnull=True, ends_at__gt=now)
    assert {shift.person for shift in held} == {priya}
    assert held.get(level=2).starts_at == later.starts_at
    alert.refresh_from_db()
    assert (alert.state, alert.acknowledged_by) == ("acknowledged", priya)
    assert OutboxMessage.objects.filter(about_id=alert.pk, recipient=priya, kind="crisis_page").exists()
    # What Dana really held is history: her hours until now stay hers.
    assert OnCallShift.objects.get(person=dana, removed_at__isnull=True).ends_at == now
    assert OutboxMessage.objects.filter(kind="handover_accepted", recipient=priya).count() == 2


def test_a_successor_who_cannot_hold_the_shift_is_no_successor(
    dana: User, cole: User, admin_ann: User, now: datetime
) -> None:
    a_shift(dana, now)
    with pytest.raises(Invalid) as refused:
        people.set_active(dana, active=False, by=admin_ann, at=now, successor=cole)
    assert "psychiatrist" in refused.value.fields["successor"]
    assert User.objects.get(pk=dana.pk).is_active and not ShiftHandover.objects.exists()


def test_an_alert_that_a_leaver_had_taken_is_open_again_and_pages(
    alice: User, dana: User, cole: User, admin_ann: User, now: datetime
) -> None:
    """HZ-25: somebody without a shift may leave, and what they had taken belongs to nobody until a person takes it."""
    a_shift(dana, now)
    alert = an_alert(alice, now)
    acknowledge(alert, by=cole, at=now)
    people.set_active(cole, active=False, by=admin_ann, at=now + timedelta(minutes=5))
    alert.refresh_from_db()
    assert (alert.state, alert.acknowledged_by) == ("open", None)
    assert OutboxMessage.objects.filter(about_id=alert.pk, recipient=dana, state="scheduled").exists()


def test_a_role_that_cannot_hold_the_shift_is_refused_while_on_call(
    dana: User, admin_ann: User, admin_ben: User, now: datetime
) -> None:
    a_shift(dana, now)
    grant = people.propose_role(dana, role="administrator", reason="moves", by=admin_ann, at=now)
    with pytest.raises(Conflict) as refused:
        people.decide_role(grant, approve=True, by=admin_ben, at=now)
    assert refused.value.code == "on_call"
    grant.refresh_from_db()
    assert grant.decided_at is None and User.objects.get(pk=dana.pk).role == "psychiatrist"


def test_the_number_of_somebody_on_call_is_not_taken_away(dana: User, now: datetime) -> None:
    a_shift(dana, now)
    with pytest.raises(Conflict):
        people.update_person(
            dana, full_name=dana.full_name, time_zone=dana.time_zone, phone="", by=dana, at=now
        )
    assert User.objects.get(pk=dana.pk).phone


@pytest.mark.parametrize("change", [{"is_active": False}, {"role": "administrator"}, {"role": "coach"}])
def test_hz_25_the_database_itself_keeps_the_person_on_call(
    dana: User, now: datetime, change: dict[str, Any]
) -> None:
    a_shift(dana, now)
    with pytest.raises(IntegrityError, match="on call"), transaction.atomic():
        User.objects.filter(pk=dana.pk).update(**change)


def test_the_database_lets_go_of_somebody_whose_shifts_are_over_or_off(
    dana: User, cole: User, admin_ann: User, now: datetime
) -> None:
    old = a_shift(dana, now - timedelta(days=2), hours=12)
    assert old.ends_at < now
    gone = a_shift(dana, now)
    OnCallShift.objects.filter(pk=gone.pk).update(removed_at=now)
    people.set_active(dana, active=False, by=admin_ann, at=now)
    assert not User.objects.get(pk=dana.pk).is_active


def test_the_database_puts_nobody_on_call_who_left(dana: User, cole: User, now: datetime) -> None:
    User.objects.filter(pk=dana.pk).update(is_active=False)
    with pytest.raises(IntegrityError, match="on call"), transaction.atomic():
        a_shift(dana, now)
    with pytest.raises(IntegrityError, match="on call"), transaction.atomic():
        a_shift(cole, now, level=1)


def test_hz_25_the_last_licence_of_the_first_on_call_does_not_end_before_the_shift(
    dana: User, now: datetime
) -> None:
    shift = a_shift(dana, now)
    last_day = shift.ends_at.astimezone(UTC).date()
    Licence.objects.filter(psychiatrist=dana, state="NY").delete()
    Licence.objects.filter(psychiatrist=dana, state="CA").update(expires_on=last_day)
    with pytest.raises(IntegrityError, match="beyond the licence"), transaction.atomic():
        Licence.objects.filter(psychiatrist=dana).update(expires_on=last_day - timedelta(days=1))
    with pytest.raises(IntegrityError, match="beyond the licence"), transaction.atomic():
        Licence.objects.filter(psychiatrist=dana).delete()


def test_a_shift_beyond_the_licence_is_refused_and_a_lapsed_one_is_a_hole_that_still_rings(
    dana: User, priya: User, admin_ann: User, now: datetime
) -> None:
    """HZ-25: coverage closes, paging fails open."""
    day = (now + timedelta(days=1)).date()
    Licence.objects.filter(psychiatrist=dana).update(expires_on=day)
    with pytest.raises(Invalid) as refused:
        add_shift(person=dana, level=1, starts_at=now, ends_at=now + timedelta(days=3), by=admin_ann, at=now)
    assert "licence" in refused.value.fields["person"]
    a_shift(dana, now, hours=72)
    holes = access.gaps_between(now, now + timedelta(hours=70))
    assert holes == [
        (datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1), now + timedelta(hours=70))
    ]
    assert access.on_call_now(at=now + timedelta(hours=60)) == dana


def test_the_lane_outlives_an_account_that_was_closed_past_every_guard(
    alice: User, dana: User, cole: User, now: datetime
) -> None:
    """HZ-25: fail open."""
    a_shift(dana, now)
    close_by_force(dana)
    alert = an_alert(alice, now)
    assert OutboxMessage.objects.get(about_id=alert.pk).recipient == cole
    assert Alert.objects.get().level == 1
