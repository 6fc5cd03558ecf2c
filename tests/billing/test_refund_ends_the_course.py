"""Whoever takes the money back has left the programme: no further dose is given."""

import datetime as dt

import pytest

from accounts.models import User
from billing import actions
from common import clock
from sessions.models import Course, DosingSession
from tests.billing.builders import a_paid_programme
from tests.sessions.builders import a_course

pytestmark = pytest.mark.django_db


def test_a_refund_the_patient_asked_for_stops_the_course_and_calls_off_what_is_to_come(
    alice: User, dana: User, at: dt.datetime
) -> None:
    """HZ-12: paid back and still dosed must not be possible."""
    with clock.frozen(at):
        course = a_course(alice, dana, at, first_in_days=6)
        invoice = a_paid_programme(alice, at)
        refund = actions.request_refund(invoice, by=alice, at=at)
    assert refund.amount_cents > 0
    assert Course.objects.get(pk=course.pk).state == "stopped"
    assert set(DosingSession.objects.filter(course=course).values_list("state", flat=True)) == {"aborted"}


def test_a_refund_before_any_course_needs_none(alice: User, dana: User, at: dt.datetime) -> None:
    from tests.sessions.builders import an_accepted_patient

    an_accepted_patient(alice, dana, at - dt.timedelta(days=1))
    invoice = a_paid_programme(alice, at)
    assert actions.request_refund(invoice, by=alice, at=at).amount_cents > 0
