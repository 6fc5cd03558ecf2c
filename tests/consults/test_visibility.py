"""TM-17, TM-20: one visit opens a chart for a while, not for ever."""

import datetime as dt

import pytest

from accounts.access import patients_visible_to
from tests.consults.builders import an_appointment

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.mark.parametrize("state", ["booked", "completed", "no_show"])
@pytest.mark.parametrize(("days_later", "seen"), [(-3, True), (13, True), (15, False), (400, False)])
def test_tm_17_a_visit_shows_the_chart_before_it_and_two_weeks_after(
    stranger_patient, dana, at, clock_at, state, days_later, seen
):
    an_appointment(stranger_patient, dana, at, state=state)
    with clock_at(at + days_later * DAY):
        assert patients_visible_to(dana).filter(pk=stranger_patient.pk).exists() is seen


def test_tm_17_a_cancelled_visit_shows_nothing(stranger_patient, dana, at, clock_at):
    an_appointment(stranger_patient, dana, at, state="cancelled")
    with clock_at(at - DAY):
        assert not patients_visible_to(dana).filter(pk=stranger_patient.pk).exists()
