"""A booked visit that cannot be held as it is stands on somebody's list days before, and its patient reads it."""

import datetime as dt
import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import CareTeam, DeaRegistration, Licence, Patient, Role, User
from common import hooks
from common.errors import NotPermitted
from common.work import WorkItem
from consults import actions
from consults.access.doubt import doubts_of, doubts_of_call, with_doubts
from consults.access.introductions import introduction_token, introduction_work
from consults.access.work import work_items
from consults.models import Appointment, AvailabilityException, Introduction
from consults.rules.doubt import Doubt, doubts
from notify.models import OutboxMessage
from safety.models import Task
from tests.conftest import a_psychiatrist
from tests.consults.builders import an_appointment, an_introduction, weekly_hours
from tests.intake.builders import an_accepted_intake
from tests.safety.test_tasks import a_shift

pytestmark = pytest.mark.django_db
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
ON = dt.date(2026, 12, 1)


@pytest.fixture(autouse=True)
def _no_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(hooks._hooks, "booking.blockers", [])


@pytest.fixture
def visit(alice: User, dana: User, protocol_version: Any, at: dt.datetime) -> Appointment:
    weekly_hours(dana)
    CareTeam.objects.filter(pk=alice.pk).update(psychiatrist=dana)
    row = an_appointment(alice, dana, at + 20 * DAY)
    return Appointment.objects.select_related("patient__user", "clinician").get(pk=row.pk)


def again(row: Appointment) -> Appointment:
    return Appointment.objects.select_related("patient__user", "clinician").get(pk=row.pk)


def lines(user: User, at: dt.datetime) -> list[WorkItem]:
    return [one for one in work_items(user=user, at=at) if one.kind == "visit.in_doubt"]


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({}, []),
        ({"licensed_until": ON - DAY}, [Doubt.NOT_LICENSED]),
        ({"licensed_until": None}, [Doubt.NOT_LICENSED]),
        ({"licensed_until": None, "needs_licence": False}, []),
        ({"gone": True, "licensed_until": None}, [Doubt.GONE]),
        ({"away": True, "closed": True}, [Doubt.AWAY, Doubt.STATE_CLOSED]),
    ],
)
def test_what_stands_against_a_visit(facts: dict[str, Any], found: list[Doubt]) -> None:
    usual: dict[str, Any] = {
        "gone": False, "away": False, "needs_licence": True, "licensed_until": ON, "on": ON, "closed": False,
    }  # fmt: skip
    assert doubts(**usual | facts) == found


@pytest.mark.parametrize("paper", [Licence, DeaRegistration])
@pytest.mark.parametrize(("days", "doubt"), [(20, False), (19, True)])
def test_a_paper_that_ends_before_the_day_is_seen_weeks_ahead(
    visit: Appointment, dana: User, at: dt.datetime, paper: Any, days: int, doubt: bool
) -> None:
    """Renewed, the line is gone; on the last day of the paper there was none."""
    paper.objects.filter(psychiatrist=dana, state="CA").update(expires_on=at.date() + days * DAY)
    found = lines(dana, at)
    assert bool(found) is doubt
    if doubt:
        assert "you have no licence and DEA registration in CA on that day" in found[0].title
        assert found[0].url == reverse("consults:visit_move", args=[visit.pk])
        assert found[0].due_at == visit.starts_at - 3 * DAY
        paper.objects.filter(psychiatrist=dana, state="CA").update(expires_on=at.date() + 400 * DAY)
        assert lines(dana, at) == []


def test_a_patient_who_moves_to_another_state_is_told_and_so_is_her_psychiatrist(
    visit: Appointment, dana: User, at: dt.datetime, client_for: Any, clock_at: Any
) -> None:
    Patient.objects.filter(pk=visit.patient_id).update(state="TX")
    assert "in TX" in lines(dana, at)[0].title
    with clock_at(at):
        page = client_for(visit.patient.user).get(f"/consults/{visit.pk}/").content.decode()
    assert "may not see you in the state you live in" in page
    Patient.objects.filter(pk=visit.patient_id).update(state="NY")
    assert lines(dana, at) == []


def test_visits_of_a_psychiatrist_who_leaves_go_to_her_new_one_or_to_who_is_on_call(
    visit: Appointment, dana: User, other_psychiatrist: User, admin_ann: User, at: dt.datetime, client_for: Any, clock_at: Any
) -> None:  # fmt: skip
    """Three weeks ahead, not in the last one; and nobody is left waiting in vain."""
    from accounts.actions import set_active

    a_shift(other_psychiatrist, at - HOUR)
    set_active(dana, active=False, by=admin_ann, at=at)
    assert Task.objects.filter(kind="care_team.reassign", about_id=dana.pk).exists()
    (line,) = lines(other_psychiatrist, at)
    assert "Dana Reyes is not here any more" in line.title
    assert line.unowned
    eva = a_psychiatrist("Eva Stone", "CA")
    weekly_hours(eva)
    assert lines(eva, at) == []
    CareTeam.objects.filter(pk=visit.patient_id).update(psychiatrist=eva)
    assert lines(other_psychiatrist, at) == []
    (line,) = lines(eva, at)
    with clock_at(at):
        doctor = client_for(eva)
        page = doctor.get(line.url).content.decode()
        assert "Dana Reyes is not here any more" in page
        form = {"intent": str(uuid.uuid4()), "slot": f"{eva.pk}|{(at + 20 * DAY).isoformat()}"}
        assert doctor.post(line.url, form).status_code == 302
    moved = again(visit)
    assert (moved.clinician_id, moved.sequence) == (eva.pk, 1)
    assert lines(eva, at) == []
    assert OutboxMessage.objects.filter(kind="visit_moved", recipient=visit.patient.user).exists()


def test_a_role_that_changed_leaves_nothing_behind(
    visit: Appointment, dana: User, other_psychiatrist: User, at: dt.datetime
) -> None:
    a_shift(other_psychiatrist, at - HOUR)
    User.objects.filter(pk=dana.pk).update(role=Role.ADMINISTRATOR)
    CareTeam.objects.filter(pk=visit.patient_id).update(psychiatrist=None)
    assert [line.unowned for line in lines(other_psychiatrist, at)] == [True]


def test_a_coach_who_leaves_has_calls_that_go_to_the_new_coach(
    alice: User, cole: User, other_coach: User, protocol_version: Any, at: dt.datetime
) -> None:
    an_appointment(alice, cole, at + 9 * DAY, visit_type="prep", minutes=30)
    User.objects.filter(pk=cole.pk).update(is_active=False)
    CareTeam.objects.filter(pk=alice.pk).update(coach=other_coach)
    assert len(lines(other_coach, at)) == 1


def test_calls_of_a_psychiatrist_who_is_gone_are_kept_by_who_stands_in(
    dana: User,
    other_psychiatrist: User,
    protocol_version: Any,
    at: dt.datetime,
    client_for: Any,
    clock_at: Any,
) -> None:
    """Whoever was promised twenty minutes is called by somebody, or told."""
    call = an_introduction(dana, at)
    with clock_at(at):
        url = reverse("consults:introduction_call", args=[call.pk])
        a_shift(other_psychiatrist, at - HOUR)
        assert client_for(other_psychiatrist).get(url).status_code == 404
        User.objects.filter(pk=dana.pk).update(is_active=False)
        (line,) = [
            one for one in introduction_work(user=other_psychiatrist, at=at) if one.kind != "visit.in_doubt"
        ]
        assert line.title == "Introductory call, Dana Reyes is not here"
        assert client_for(other_psychiatrist).get(url).status_code == 200
        call.clinician.refresh_from_db()
        gone = actions.cancel_introduction(call, by=other_psychiatrist, at=at)
    assert gone.state == "cancelled"


def test_looking_for_doubts_takes_the_same_number_of_queries_for_one_visit_and_for_many(
    visit: Appointment, dana: User, at: dt.datetime, django_assert_num_queries: Any
) -> None:
    many = [visit] + [
        again(an_appointment(visit.patient.user, dana, at + (21 + day) * DAY)) for day in range(8)
    ]
    for rows in (many[:1], many):
        with django_assert_num_queries(6):
            doubts_of(rows, at=at)


# --- introductory calls ---


def call_lines(user: User, at: dt.datetime) -> list[WorkItem]:
    return [one for one in introduction_work(user=user, at=at) if one.kind == "visit.in_doubt"]


@pytest.mark.parametrize("paper", [Licence, DeaRegistration])
@pytest.mark.parametrize(("days", "doubt"), [(20, False), (19, True)])
def test_a_call_whose_psychiatrists_paper_ends_before_it_is_seen_weeks_ahead_and_the_visitor_reads_it(
    dana: User,
    protocol_version: Any,
    at: dt.datetime,
    client_for: Any,
    clock_at: Any,
    paper: Any,
    days: int,
    doubt: bool,
) -> None:
    call = an_introduction(dana, at, starts_at=at + 20 * DAY)
    paper.objects.filter(psychiatrist=dana, state="CA").update(expires_on=at.date() + days * DAY)
    found = call_lines(dana, at)
    assert bool(found) is doubt
    url = reverse("consults:introduction_call", args=[call.pk])
    with clock_at(at):
        page = client_for(dana).get(url).content.decode()
        theirs = Client().get(f"/introduction/link/{introduction_token(call)}/").content.decode()
    assert ("cannot be held as booked" in page) is doubt
    assert ("may not see you in the state you live in on that day" in theirs) is doubt
    if doubt:
        assert (
            "introductory call, you have no licence and DEA registration in CA on that day" in found[0].title
        )
        assert (found[0].url, found[0].due_at) == (url, call.starts_at - 3 * DAY)
        paper.objects.filter(psychiatrist=dana, state="CA").update(expires_on=at.date() + 400 * DAY)
        assert call_lines(dana, at) == []


@pytest.mark.parametrize("gone", [{"is_active": False}, {"role": Role.ADMINISTRATOR}])
def test_a_call_of_a_psychiatrist_who_is_gone_is_in_doubt_weeks_ahead_on_the_list_of_who_stands_in(
    dana: User,
    other_psychiatrist: User,
    protocol_version: Any,
    at: dt.datetime,
    client_for: Any,
    clock_at: Any,
    gone: dict[str, Any],
) -> None:
    """Closed or in another role: either way nobody would ring."""
    call = an_introduction(dana, at, starts_at=at + 20 * DAY)
    a_shift(other_psychiatrist, at - HOUR)
    assert call_lines(other_psychiatrist, at) == []
    User.objects.filter(pk=dana.pk).update(**gone)
    (line,) = call_lines(other_psychiatrist, at)
    assert "Dana Reyes is not here any more" in line.title
    assert line.unowned
    with clock_at(at):
        assert client_for(other_psychiatrist).get(line.url).status_code == 200
        page = Client().get(f"/introduction/link/{introduction_token(call)}/").content.decode()
    assert "not with us any more" in page


def test_whoever_stands_in_takes_the_call_over_at_its_time_and_its_room_opens_for_them(
    dana: User,
    other_psychiatrist: User,
    protocol_version: Any,
    at: dt.datetime,
    client_for: Any,
    clock_at: Any,
) -> None:
    call = an_introduction(dana, at, starts_at=at + 5 * HOUR / 60)
    a_shift(other_psychiatrist, at - HOUR)
    browser = client_for(other_psychiatrist)
    take, page = (reverse(f"consults:introduction_{name}", args=[call.pk]) for name in ("take", "call"))

    def press() -> int:
        status: int = browser.post(take, {"intent": str(uuid.uuid4())}).status_code
        return status

    with clock_at(at):
        assert press() == 404, "while Dana is here it is hers"
        User.objects.filter(pk=dana.pk).update(is_active=False)
        text = browser.get(page).content.decode()
        assert "Take it over" in text and "Open the video room" not in text
        # Not where they may not see anybody, not over something else, not in their leave.
        assert press() == 409
        for papers in (Licence, DeaRegistration):
            papers.objects.filter(psychiatrist=other_psychiatrist).update(state="CA")
        busy = an_introduction(other_psychiatrist, at, starts_at=call.starts_at, contact_digest="e" * 64)
        assert press() == 409
        actions.cancel_introduction(busy, by=other_psychiatrist, at=at)
        leave = AvailabilityException.objects.create(
            clinician=other_psychiatrist, kind="leave", during=call.during
        )
        assert press() == 409
        leave.delete()
        call.refresh_from_db()
        assert call.clinician_id == dana.pk and call.sequence == 0
        assert (press(), press()) == (302, 302)
        call.refresh_from_db()
        assert (call.clinician_id, call.sequence, call.starts_at) == (
            other_psychiatrist.pk,
            1,
            at + 5 * HOUR / 60,
        )
        assert call_lines(other_psychiatrist, at) == []
        told = OutboxMessage.objects.filter(about_id=call.pk, kind="visit_moved")
        assert told.filter(recipient=other_psychiatrist).count() == 1 and told.exclude(
            recipient=other_psychiatrist
        )
        # And the room is theirs: the caller reads who comes.
        opened = browser.post(
            reverse("consults:introduction_video", args=[call.pk]), {"intent": str(uuid.uuid4())}
        )
        assert opened.status_code == 302 and "visit-mic" in browser.get(opened["Location"]).content.decode()
        seen = Client().get(f"/introduction/link/{introduction_token(call)}/").content.decode()
    assert "not with us any more" not in seen and str(other_psychiatrist) in seen


def test_nobody_but_a_psychiatrist_takes_a_call_over(
    dana: User, admin_ann: User, cole: User, protocol_version: Any, at: dt.datetime
) -> None:
    call = an_introduction(dana, at)
    User.objects.filter(pk=dana.pk).update(is_active=False)
    call.clinician.refresh_from_db()
    for person in (admin_ann, cole):
        with pytest.raises(NotPermitted):
            actions.take_introduction(call, by=person, at=at)


def test_a_call_in_leave_is_in_doubt_and_one_that_was_called_off_or_is_over_is_not(
    dana: User, protocol_version: Any, at: dt.datetime
) -> None:
    call = an_introduction(dana, at, starts_at=at + 20 * DAY)
    AvailabilityException.objects.create(
        clinician=dana, kind="leave", during=(call.starts_at - HOUR, call.starts_at + HOUR)
    )
    (line,) = call_lines(dana, at)
    assert "you are away then" in line.title
    assert call_lines(dana, call.ends_at) == []
    actions.cancel_introduction(call, by=dana, at=at)
    assert call_lines(dana, at) == []


def test_doubts_of_calls_come_with_the_query_that_finds_them(
    dana: User, protocol_version: Any, at: dt.datetime, django_assert_num_queries: Any
) -> None:
    for day in range(9):
        an_introduction(dana, at, starts_at=at + (20 + day) * DAY)
    Licence.objects.filter(psychiatrist=dana).update(issued_on=at.date() + 25 * DAY)
    with django_assert_num_queries(1):
        found = [doubts_of_call(row, at=at) for row in with_doubts(Introduction.objects.order_by("during"))]
    assert found == [[Doubt.NOT_LICENSED]] * 5 + [[]] * 4


# --- the care team books and moves for a patient who called ---


def test_the_care_team_books_for_a_patient_by_the_same_rules(
    alice: User,
    dana: User,
    cole: User,
    protocol_version: Any,
    at: dt.datetime,
    client_for: Any,
    clock_at: Any,
) -> None:
    weekly_hours(dana)
    weekly_hours(cole)
    User.objects.filter(pk=alice.pk).update(time_zone="America/New_York")
    with clock_at(at):
        doctor = client_for(dana)
        url = reverse("consults:book_for", args=[alice.pk, "consult"])
        assert "has not been accepted" in doctor.get(url).content.decode()
        form = {"intent": str(uuid.uuid4()), "slot": f"{dana.pk}|{(at + DAY).isoformat()}"}
        assert doctor.post(url, form).status_code == 409
        assert not Appointment.objects.exists()
        an_accepted_intake(alice, dana, at - 3 * DAY)
        User.objects.filter(pk=alice.pk).update(time_zone="America/New_York")
        page = doctor.get(url).content.decode()
        assert "2:00 pm EST" in page
        assert "(11:00 am PST)" in page
        for _ in range(2):  # a replayed form books once
            answer = doctor.post(url, form | {"intent": form["intent"][:-1] + "0"})
            assert answer.status_code == 302
        coach = client_for(cole)
        prep = reverse("consults:book_for", args=[alice.pk, "prep"])
        form = {"intent": str(uuid.uuid4()), "slot": f"{cole.pk}|{(at + DAY).isoformat()}"}
        # She is with Dana then: nobody is in two visits at a time, whoever books.
        assert coach.post(prep, form).status_code == 409
        form = {"intent": str(uuid.uuid4()), "slot": f"{cole.pk}|{(at + 2 * DAY).isoformat()}"}
        assert coach.post(prep, form).status_code == 302
    assert set(Appointment.objects.values_list("visit_type", "state", "clinician")) == {
        ("consult", "booked", dana.pk), ("prep", "booked", cole.pk),
    }  # fmt: skip
    assert OutboxMessage.objects.filter(kind="visit_booked", recipient=alice).count() == 2


def test_the_care_team_moves_no_visit_that_has_begun_and_nobody_elses(
    alice: User, dana: User, other_psychiatrist: User, protocol_version: Any, at: dt.datetime, client_for: Any, clock_at: Any
) -> None:  # fmt: skip
    weekly_hours(dana)
    begun = an_appointment(alice, dana, at - HOUR / 4)
    coming = an_appointment(alice, dana, at + DAY)
    form = {"intent": str(uuid.uuid4()), "slot": f"{dana.pk}|{(at + 2 * DAY).isoformat()}"}
    with clock_at(at):
        url = reverse("consults:visit_move", args=[begun.pk])
        assert client_for(dana).post(url, form)["Location"] == reverse("consults:visit", args=[begun.pk])
        url = reverse("consults:visit_move", args=[coming.pk])
        assert client_for(other_psychiatrist).get(url).status_code == 404
        assert client_for(other_psychiatrist).post(url, form).status_code == 404
    assert {row.sequence for row in Appointment.objects.all()} == {0}
