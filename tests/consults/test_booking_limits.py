"""One person cannot take everybody's times, book what is not theirs yet, or undo what has begun."""

import datetime as dt
import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from accounts.models import CareTeam, Patient, User
from common import hooks
from common.errors import Conflict, SlotTaken
from consults import actions
from consults.models import Appointment, AvailabilityException
from consults.rules.limits import Limit, limit_reached, moves_reached
from tests.consults.builders import an_appointment, an_introduction, weekly_hours
from tests.consults.test_booking_races import race
from tests.intake.builders import an_accepted_intake

pytestmark = pytest.mark.django_db
LIMITS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "consults/data/dosing.json").read_text())["visits"]["limits"]  # fmt: skip
MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _no_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(hooks._hooks, "booking.blockers", [])


@pytest.fixture
def patient(alice: User, protocol_version: Any, dana: User) -> Patient:
    weekly_hours(dana)
    return Patient.objects.select_related("user").get(pk=alice.pk)


def keeps(
    patient: Patient, dana: User, starts_at: dt.datetime, at: dt.datetime, kind: str = "intro"
) -> Appointment:
    return actions.hold_slot(
        patient, visit_type=kind, clinician_id=dana.pk, starts_at=starts_at, by=patient.user, at=at
    )


@pytest.mark.parametrize(
    ("ahead", "chosen", "found"),
    [(0, 0, None), (3, 29, None), (4, 0, Limit.AHEAD), (0, 30, Limit.CHOICES), (4, 30, Limit.AHEAD)],
)
def test_the_numbers_hold_on_both_sides(ahead: int, chosen: int, found: Limit | None) -> None:
    assert limit_reached(LIMITS, "follow_up", ahead=ahead, chosen_today=chosen) == found
    assert limit_reached({}, "follow_up", ahead=ahead, chosen_today=chosen) is None
    assert moves_reached(LIMITS, moves=7) is None
    assert moves_reached(LIMITS, moves=8) == Limit.MOVES
    assert moves_reached({}, moves=99) is None


def test_a_second_introduction_is_refused_while_one_lies_ahead_and_possible_after_it(
    patient: Patient, dana: User, at: dt.datetime
) -> None:
    actions.confirm_booking(keeps(patient, dana, at + DAY, at), by=patient.user, at=at)
    with pytest.raises(Conflict) as refused:
        keeps(patient, dana, at + 2 * DAY, at)
    assert refused.value.code == "enough_booked"
    assert keeps(patient, dana, at + 3 * DAY, at + 2 * DAY).state == "held"


def test_keeping_times_all_day_ends_and_the_care_team_can_still_book(
    patient: Patient, dana: User, at: dt.datetime
) -> None:
    for _ in range(LIMITS["choices_per_day"]):
        held = keeps(patient, dana, at + DAY, at)
        actions.cancel(held, by=patient.user, at=at)
    with pytest.raises(Conflict) as refused:
        keeps(patient, dana, at + DAY, at)
    assert refused.value.code == "too_many_choices"
    row = actions.hold_slot(
        patient, visit_type="intro", clinician_id=dana.pk, starts_at=at + DAY, by=dana, at=at
    )
    assert row.state == "held"
    actions.cancel(row, by=dana, at=at)
    assert keeps(patient, dana, at + 3 * DAY, at + DAY + MINUTE).state == "held"


@pytest.mark.parametrize("kind", ["consult", "follow_up", "prep", "integration"])
def test_care_is_not_booked_by_hand_before_a_psychiatrist_said_yes(
    patient: Patient,
    dana: User,
    cole: User,
    at: dt.datetime,
    kind: str,
    client_for: Any,
    clock_at: Any,
    api_for: Any,
) -> None:
    """HZ-17: neither by a made-up form nor over the API; a follow-up is no way around the consult and its price."""
    weekly_hours(cole)
    who = cole if kind in ("prep", "integration") else dana
    with clock_at(at):
        browser = client_for(patient.user)
        form = {"intent": str(uuid.uuid4()), "slot": f"{who.pk}|{(at + DAY).isoformat()}"}
        assert browser.get(f"/consults/book/{kind}/").status_code == 302
        assert browser.post(f"/consults/book/{kind}/", form).status_code == 409
        body = {"visit_type": kind, "clinician": str(who.pk), "starts_at": (at + DAY).isoformat()}
        answer = api_for(patient.user).post("/api/v1/appointments/", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "intake_not_accepted")
    assert not Appointment.objects.exists()


def test_a_patient_cannot_cancel_what_has_begun_and_so_cannot_undo_a_missed_visit(
    patient: Patient, dana: User, at: dt.datetime
) -> None:
    row = an_appointment(patient.user, dana, at)
    with pytest.raises(Conflict) as refused:
        actions.cancel(row, by=patient.user, at=at)
    assert refused.value.code == "has_begun"
    later = an_appointment(patient.user, dana, at + 2 * HOUR)
    assert actions.cancel(later, by=patient.user, at=at + 2 * HOUR - MINUTE).state == "cancelled"
    # The practice may: a visit that could not be held is not one she missed.
    assert actions.cancel(row, by=dana, at=at + MINUTE).cancel_reason == "practice"


@pytest.mark.parametrize("what", ["leave", "account"])
def test_a_kept_time_is_not_booked_when_its_clinician_is_away_meanwhile(
    patient: Patient, dana: User, at: dt.datetime, what: str
) -> None:
    held = keeps(patient, dana, at + DAY, at)
    if what == "leave":
        actions.add_exception(dana, kind="leave", starts_at=at + DAY, ends_at=at + 2 * DAY, by=dana, at=at)
    else:
        User.objects.filter(pk=dana.pk).update(is_active=False)
    with pytest.raises(SlotTaken):
        actions.confirm_booking(held, by=patient.user, at=at + MINUTE)


def test_leave_over_an_introductory_call_is_refused_like_leave_over_a_visit(
    protocol_version: Any, dana: User, at: dt.datetime
) -> None:
    an_introduction(dana, at, starts_at=at + DAY)
    with pytest.raises(Conflict) as refused:
        actions.add_exception(dana, kind="leave", starts_at=at, ends_at=at + 2 * DAY, by=dana, at=at)
    assert refused.value.code == "visits_booked"


@pytest.mark.django_db(transaction=True)
def test_leave_and_a_booking_at_the_same_moment_never_both_succeed(
    alice: User, protocol_version: Any, dana: User, at: dt.datetime
) -> None:
    """PR-09"""
    weekly_hours(dana)
    patient = Patient.objects.select_related("user").get(pk=alice.pk)
    for day in range(1, 6):
        start = at + day * DAY
        held = keeps(patient, dana, start, at)
        race(
            [
                lambda row=held: actions.confirm_booking(row, by=patient.user, at=at),  # type: ignore[misc]
                lambda first=start: actions.add_exception(  # type: ignore[misc]
                    dana, kind="leave", starts_at=first, ends_at=first + HOUR, by=dana, at=at
                ),
            ]
        )
        held.refresh_from_db()
        away = AvailabilityException.objects.filter(clinician=dana, during__overlap=held.during).exists()
        assert away is not (held.state == "booked")
        Appointment.objects.filter(pk=held.pk).update(state="cancelled")


def test_a_time_that_somebody_looks_at_goes_round_when_she_has_not_booked_it(
    patient: Patient, stranger_patient: User, dana: User, at: dt.datetime
) -> None:
    """A hold of ten minutes is no reason to forget who waits."""
    for user in (patient.user, stranger_patient):
        CareTeam.objects.update_or_create(patient_id=user.pk, defaults={"psychiatrist": dana})
        an_accepted_intake(user, dana, at - 3 * DAY)
    from consults.models import FreedSlot, SlotOffer

    actions.join_waiting_list(
        patient, visit_type="follow_up", weekdays=list(range(7)), from_time=dt.time(0), until_time=dt.time(23, 59),
        by=patient.user, at=at,
    )  # fmt: skip
    night = at + 13 * HOUR
    gone = an_appointment(stranger_patient, dana, at + 3 * DAY, visit_type="follow_up", minutes=15)
    actions.cancel(gone, by=stranger_patient, at=night)  # at night: nobody is asked yet
    morning = at + 24 * HOUR
    bob = Patient.objects.select_related("user").get(pk=stranger_patient.pk)
    keeps(bob, dana, at + 3 * DAY, morning, kind="follow_up")
    assert actions.go_round(at=morning) == {"over": 0, "offered": 0, "settled": 0}
    assert FreedSlot.objects.get().settled_at is None
    assert actions.go_round(at=morning + 10 * MINUTE)["offered"] == 1
    assert SlotOffer.objects.get().patient_id == patient.pk
