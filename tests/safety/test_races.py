"""Many at once, on the real database: one winner, one alert, no error that nobody meant."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connections

from accounts import actions as people
from accounts.models import User
from common.errors import Conflict, DomainError
from notify.actions import dispatch_crisis, dispatch_due
from notify.models import OutboxMessage, SandboxDelivery
from safety.actions import accept_handover, acknowledge, add_shift, escalate_due, offer_handover, place_hold
from safety.models import Alert, OnCallShift, SafetyHold
from tests.notify.builders import a_mail
from tests.safety.builders import a_shift, an_alert

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Run `work(n)` in so many threads that start together; answers results and exceptions."""
    barrier = threading.Barrier(count)
    results: list[Any] = [None] * count

    def one(n: int) -> None:
        try:
            barrier.wait(timeout=20)
            results[n] = work(n)
        except Exception as error:
            results[n] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results


def test_of_many_who_take_an_alert_at_once_one_has_it(
    alice: User, dana: User, cole: User, at: datetime
) -> None:
    """PR-09"""
    alert = an_alert(alice, at)
    people = [dana, cole]
    results = at_once(20, lambda n: acknowledge(Alert.objects.get(pk=alert.pk), by=people[n % 2], at=at))
    alert.refresh_from_db()
    winner = alert.acknowledged_by
    assert winner in people
    for n, result in enumerate(results):
        if people[n % 2] == winner:
            assert isinstance(result, Alert), result
        else:
            assert isinstance(result, Conflict) and result.code == "already_taken"


def test_signs_of_one_episode_that_come_at_once_are_one_alert(alice: User, dana: User, at: datetime) -> None:
    """PR-09, HZ-24"""
    a_shift(dana, at)
    results = at_once(20, lambda n: an_alert(alice, at, trigger="X04", severity=3, magnitude=170))
    assert not [r for r in results if isinstance(r, Exception)]
    alert = Alert.objects.get()
    assert alert.signs == 20
    # Nineteen equal signs of an alert that nobody has taken yet add no page: its ladder is already running.
    assert OutboxMessage.objects.count() == 1


def test_holds_placed_at_once_are_one_hold(alice: User, at: datetime) -> None:
    results = at_once(
        20, lambda n: place_hold(alice.patient, reason_code="suicide_risk", at=at, by="system:test")
    )
    assert not [r for r in results if isinstance(r, Exception)]
    assert SafetyHold.objects.count() == 1


def test_pagers_climbing_at_once_climb_once(
    alice: User, dana: User, other_psychiatrist: User, at: datetime
) -> None:
    """PR-07"""
    a_shift(dana, at)
    a_shift(other_psychiatrist, at, level=2)
    for n in range(5):
        an_alert(alice, at, trigger="X04", episode=f"e{n}")
    later = at + timedelta(seconds=60)
    counts = at_once(6, lambda n: escalate_due(at=later))
    assert sum(counts) == 5
    assert set(Alert.objects.values_list("pages", flat=True)) == {2}


def test_a_page_never_waits_for_an_alert_that_was_taken_while_it_climbed(
    alice: User, dana: User, other_psychiatrist: User, at: datetime
) -> None:
    """PR-07: two pagers climb and a person takes it in the same instant; whoever comes first, nothing is left waiting."""
    a_shift(dana, at)
    a_shift(other_psychiatrist, at, level=2)
    for n in range(6):
        alert = an_alert(alice, at, trigger="X04", episode=f"e{n}")
        later = at + timedelta(seconds=60)

        def work(who: int, alert: Alert = alert, later: datetime = later) -> Any:
            if who:
                return escalate_due(at=later)
            return acknowledge(Alert.objects.get(pk=alert.pk), by=dana, at=later)

        results = at_once(3, work)
        assert not [r for r in results if isinstance(r, Exception)], results
        alert.refresh_from_db()
        assert (alert.state, alert.acknowledged_by) == ("acknowledged", dana)
        assert not OutboxMessage.objects.filter(about_id=alert.pk, state="scheduled").exists()


def test_dispatchers_at_once_send_each_message_once(alice: User, dana: User, at: datetime) -> None:
    """PR-03"""
    for _ in range(100):
        a_mail(alice, at)
        a_mail(dana, at, lane="crisis")

    def work(n: int) -> None:
        while (dispatch_due if n % 2 else dispatch_crisis)(at=at, limit=7).claimed:
            pass

    assert not [r for r in at_once(8, work) if r is not None]
    references = list(SandboxDelivery.objects.values_list("reference", flat=True))
    assert len(references) == len(set(references)) == 200
    assert set(OutboxMessage.objects.values_list("state", flat=True)) == {"sent"}


def test_hz_25_a_shift_and_a_leaving_at_once_never_leave_somebody_gone_on_call(
    dana: User, other_psychiatrist: User, admin_ann: User, at: datetime
) -> None:
    """HZ-25: of two administrators, one closes the account and one puts the person on call; one of them is refused."""
    for n in range(4):
        begins = at + timedelta(days=n)

        def work(who: int, begins: datetime = begins) -> Any:
            if who:
                return add_shift(
                    person=dana, level=2, starts_at=begins, ends_at=begins + timedelta(hours=8), by=admin_ann, at=at
                )  # fmt: skip
            return people.set_active(dana, active=False, by=admin_ann, at=at)

        results = at_once(2, work)
        assert sum(isinstance(r, DomainError) for r in results) == 1, results
        gone = not User.objects.get(pk=dana.pk).is_active
        held = OnCallShift.objects.filter(person=dana, removed_at__isnull=True)
        assert gone != held.exists()
        held.update(removed_at=at)
        User.objects.filter(pk=dana.pk).update(is_active=True)


def test_a_hand_over_accepted_twice_at_once_moves_once(
    dana: User, other_psychiatrist: User, at: datetime
) -> None:
    """PR-09"""
    offer = offer_handover(a_shift(dana, at), taker=other_psychiatrist, by=dana, at=at)
    results = at_once(6, lambda n: accept_handover(offer, by=other_psychiatrist, at=at))
    assert sum(isinstance(r, OnCallShift) for r in results) == 1
    assert all(isinstance(r, OnCallShift | Conflict) for r in results)
    assert OnCallShift.objects.filter(removed_at__isnull=True, person=other_psychiatrist).count() == 1
