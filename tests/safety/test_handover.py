"""A shift changes hands when a colleague accepts it; alerts go along; holidays, leave and zones are respected (HZ-25)."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from accounts.models import User
from common.errors import Conflict, Invalid, NotPermitted
from notify.models import OutboxMessage
from safety import access
from safety.actions import (
    accept_handover,
    acknowledge,
    add_holiday,
    add_shift,
    add_time_away,
    carry_out_handovers,
    check_coverage,
    decline_handover,
    offer_handover,
    remove_holiday,
    remove_shift,
    remove_time_away,
    withdraw_handover,
)
from safety.models import OnCallShift
from tests.conftest import a_psychiatrist
from tests.safety.builders import a_shift, an_alert, close_by_force

HOUR = timedelta(hours=1)


@pytest.fixture
def priya(other_psychiatrist: User) -> User:
    return other_psychiatrist


def live_shifts() -> list[tuple[str, datetime, datetime]]:
    rows = OnCallShift.objects.filter(removed_at__isnull=True).order_by("starts_at")
    return [(row.person.full_name.split()[0], row.starts_at, row.ends_at) for row in rows]


def test_the_rest_of_a_shift_moves_when_it_is_accepted_and_not_before(
    dana: User, priya: User, at: datetime
) -> None:
    shift = a_shift(dana, at, hours=12)
    offer = offer_handover(shift, taker=priya, by=dana, at=at + HOUR)
    assert access.on_call_now(at=at + 2 * HOUR) == dana
    assert OutboxMessage.objects.get(kind="handover_offered").recipient == priya
    accept_handover(offer, by=priya, at=at + 2 * HOUR)
    assert live_shifts() == [
        ("Dana", shift.starts_at, at + 2 * HOUR),
        ("Priya", at + 2 * HOUR, shift.ends_at),
    ]
    assert {m.recipient for m in OutboxMessage.objects.filter(kind="handover_accepted")} == {dana, priya}
    assert check_coverage_unchanged(at, shift.ends_at)


def check_coverage_unchanged(begins: datetime, ends: datetime) -> bool:
    """A hand-over opens no hole."""
    return access.gaps_between(begins, ends) == []


def test_a_part_in_the_middle_leaves_both_ends_with_its_holder(dana: User, priya: User, at: datetime) -> None:
    shift = a_shift(dana, at, hours=12)
    offer = offer_handover(shift, taker=priya, starts_at=at + 3 * HOUR, ends_at=at + 5 * HOUR, by=dana, at=at)
    accept_handover(offer, by=priya, at=at + HOUR)
    assert live_shifts() == [
        ("Dana", shift.starts_at, at + 3 * HOUR),
        ("Priya", at + 3 * HOUR, at + 5 * HOUR),
        ("Dana", at + 5 * HOUR, shift.ends_at),
    ]


def test_live_alerts_go_with_the_shift_when_its_time_begins(
    alice: User, dana: User, priya: User, cole: User, at: datetime
) -> None:
    """PR-07: what somebody has taken never stays with a person who has gone home."""
    shift = a_shift(dana, at, hours=12)
    taken, waiting = an_alert(alice, at), an_alert(alice, at, trigger="X04", episode="other")
    acknowledge(taken, by=dana, at=at)
    offer = offer_handover(shift, taker=priya, starts_at=at + 2 * HOUR, by=dana, at=at)
    accept_handover(offer, by=priya, at=at + HOUR)
    taken.refresh_from_db()
    assert taken.acknowledged_by == dana
    assert carry_out_handovers(at=at + 2 * HOUR - timedelta(seconds=1)) == 0
    assert carry_out_handovers(at=at + 2 * HOUR) == 1
    assert carry_out_handovers(at=at + 2 * HOUR) == 0
    taken.refresh_from_db()
    assert (taken.state, taken.acknowledged_by) == ("acknowledged", priya)
    for alert in (taken, waiting):
        page = OutboxMessage.objects.filter(about_id=alert.pk, recipient=priya, kind="crisis_page")
        assert page.count() == 1 and page.get().lane == "crisis"


def test_only_the_person_who_was_asked_answers_and_only_once(
    dana: User, priya: User, cole: User, admin_ann: User, at: datetime
) -> None:
    shift = a_shift(dana, at)
    offer = offer_handover(shift, taker=priya, by=dana, at=at)
    for person in (dana, cole, admin_ann):
        with pytest.raises(NotPermitted):
            accept_handover(offer, by=person, at=at)
    with pytest.raises(Conflict):
        offer_handover(shift, taker=priya, by=dana, at=at)
    decline_handover(offer, by=priya, at=at)
    assert OutboxMessage.objects.get(kind="handover_declined").recipient == dana
    with pytest.raises(Conflict):
        accept_handover(offer, by=priya, at=at)
    again = offer_handover(shift, taker=priya, by=dana, at=at)
    withdraw_handover(again, by=dana, at=at)
    with pytest.raises(Conflict):
        accept_handover(again, by=priya, at=at)
    assert access.on_call_now(at=at) == dana


def test_somebody_elses_shift_is_not_offered_and_nobody_takes_what_they_cannot_hold(
    dana: User, priya: User, cole: User, other_coach: User, at: datetime
) -> None:
    shift = a_shift(dana, at)
    with pytest.raises(NotPermitted):
        offer_handover(shift, taker=priya, by=priya, at=at)
    for taker in (cole, other_coach, dana):
        with pytest.raises(Invalid) as refused:
            offer_handover(shift, taker=taker, by=dana, at=at)
        assert "taker" in refused.value.fields
    for starts_at, ends_at in ((at - 2 * HOUR, None), (None, at + 20 * HOUR), (at + 5 * HOUR, at + 5 * HOUR)):
        with pytest.raises(Invalid) as refused:
            offer_handover(shift, taker=priya, by=dana, at=at, starts_at=starts_at, ends_at=ends_at)
        assert "ends_at" in refused.value.fields


def test_a_shift_in_somebodys_leave_is_refused_and_leave_over_a_shift_too(
    dana: User, priya: User, admin_ann: User, at: datetime
) -> None:
    away = add_time_away(person=dana, starts_at=at, ends_at=at + 48 * HOUR, by=dana, at=at)
    with pytest.raises(Invalid) as refused:
        add_shift(person=dana, level=1, starts_at=at + 47 * HOUR, ends_at=at + 60 * HOUR, by=admin_ann, at=at)
    assert "away" in refused.value.fields["person"]
    add_shift(person=dana, level=1, starts_at=at + 48 * HOUR, ends_at=at + 60 * HOUR, by=admin_ann, at=at)
    with pytest.raises(Conflict) as conflict:
        add_time_away(person=dana, starts_at=at + 50 * HOUR, ends_at=at + 51 * HOUR, by=dana, at=at)
    assert conflict.value.code == "on_call"
    remove_time_away(away, by=dana, at=at)
    add_shift(person=dana, level=1, starts_at=at, ends_at=at + 12 * HOUR, by=admin_ann, at=at)
    with pytest.raises(NotPermitted):
        add_time_away(person=dana, starts_at=at, ends_at=at + HOUR, by=priya, at=at)


def test_leave_of_the_calendar_counts_and_leave_over_a_shift_is_refused_there(
    dana: User, admin_ann: User, at: datetime
) -> None:
    """HZ-25: one leave, wherever it was entered."""
    from consults.actions import add_exception

    add_exception(dana, kind="leave", starts_at=at, ends_at=at + 24 * HOUR, by=dana, at=at)
    with pytest.raises(Invalid) as refused:
        add_shift(person=dana, level=2, starts_at=at + 23 * HOUR, ends_at=at + 30 * HOUR, by=admin_ann, at=at)
    assert "away" in refused.value.fields["person"]
    add_shift(person=dana, level=2, starts_at=at + 24 * HOUR, ends_at=at + 30 * HOUR, by=admin_ann, at=at)
    with pytest.raises(Conflict):
        add_exception(dana, kind="leave", starts_at=at + 29 * HOUR, ends_at=at + 40 * HOUR, by=dana, at=at)


def test_a_shift_on_a_holiday_needs_a_word_that_it_is_meant(
    dana: User, admin_ann: User, at: datetime
) -> None:
    thanksgiving = date(2026, 11, 26)
    add_holiday(day=thanksgiving, name="Thanksgiving", by=admin_ann, at=at)
    zone = ZoneInfo("America/New_York")
    midnight = datetime(2026, 11, 26, tzinfo=zone).astimezone(UTC)
    given: dict[str, Any] = {"person": dana, "level": 1, "by": admin_ann, "at": at}
    with pytest.raises(Invalid) as refused:
        add_shift(starts_at=midnight - HOUR, ends_at=midnight + HOUR, **given)
    assert "Thanksgiving" in refused.value.fields["holiday_confirmed"]
    # Until midnight is not on it, from midnight after it neither: both ends pinned.
    assert not add_shift(starts_at=midnight - HOUR, ends_at=midnight, **given).holiday_confirmed
    after = midnight + 24 * HOUR
    assert not add_shift(starts_at=after, ends_at=after + HOUR, **given).holiday_confirmed
    assert add_shift(starts_at=midnight, ends_at=after, holiday_confirmed=True, **given).holiday_confirmed


def test_a_day_is_one_holiday_and_only_an_administrator_keeps_them(
    dana: User, admin_ann: User, at: datetime
) -> None:
    day = date(2026, 12, 25)
    row = add_holiday(day=day, name="Christmas", by=admin_ann, at=at)
    with pytest.raises(Conflict):
        add_holiday(day=day, name="Again", by=admin_ann, at=at)
    with pytest.raises(NotPermitted):
        add_holiday(day=date(2026, 12, 26), name="Mine", by=dana, at=at)
    remove_holiday(row, by=admin_ann, at=at)
    add_holiday(day=day, name="Christmas", by=admin_ann, at=at)


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 11, 1), 25), (date(2026, 3, 8), 23), (date(2026, 11, 2), 24)]
)
def test_hz_11_a_day_on_call_is_as_long_as_that_day_really_is(
    dana: User, admin_ann: User, day: date, hours: int
) -> None:
    """From midnight to midnight of a wall clock: 25 hours in autumn, 23 in spring, and no hole beside it."""
    zone = ZoneInfo("America/Los_Angeles")
    begins = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    following = day + timedelta(days=1)
    ends = datetime(following.year, following.month, following.day, tzinfo=zone).astimezone(UTC)
    shift = add_shift(
        person=dana, level=1, starts_at=begins, ends_at=ends, by=admin_ann, at=begins - 24 * HOUR, zone=str(zone)
    )  # fmt: skip
    assert shift.ends_at - shift.starts_at == hours * HOUR
    assert access.gaps_between(begins, ends) == []
    assert access.gaps_between(begins, ends + HOUR) == [(ends, ends + HOUR)]


def test_the_gap_notice_names_the_hours_of_both_levels_and_a_new_hole_is_told_again(
    dana: User, admin_ann: User, at: datetime
) -> None:
    """HZ-25"""
    for level in (1, 2):
        add_shift(person=dana, level=level, starts_at=at, ends_at=at + 40 * HOUR, by=admin_ann, at=at)
        add_shift(
            person=dana, level=level, starts_at=at + 50 * HOUR, ends_at=at + 90 * HOUR, by=admin_ann, at=at
        )
    alert = check_coverage(at=at)
    (mail,) = OutboxMessage.objects.filter(kind="roster_gap")
    zone = ZoneInfo(admin_ann.time_zone)
    begins = f"{(at + 40 * HOUR).astimezone(zone):%Y-%m-%d %H:%M}"
    assert [hole["level"] for hole in mail.context["holes"]] == [1, 2]
    assert all(hole["begins"].startswith(begins) for hole in mail.context["holes"])
    assert check_coverage(at=at + HOUR) == alert
    assert OutboxMessage.objects.filter(kind="roster_gap").count() == 1
    # Time goes on, and a second hole comes into view while the first is still open.
    assert check_coverage(at=at + 19 * HOUR) == alert
    assert OutboxMessage.objects.filter(kind="roster_gap").count() == 2


@pytest.mark.parametrize("successor", [True, False])
def test_alerts_never_go_to_somebody_who_left_between_the_yes_and_the_hour(
    alice: User,
    dana: User,
    other_psychiatrist: User,
    admin_ann: User,
    at: datetime,
    successor: bool,
) -> None:
    """What counts is who holds the level when the hour comes; when nobody does, whoever took the alert still has it."""
    shift = a_shift(dana, at, hours=12)
    alert = acknowledge(an_alert(alice, at), by=dana, at=at)
    offer = offer_handover(shift, taker=other_psychiatrist, starts_at=at + 4 * HOUR, by=dana, at=at)
    new = accept_handover(offer, by=other_psychiatrist, at=at + HOUR)
    remove_shift(new, by=admin_ann, at=at + 2 * HOUR)
    close_by_force(other_psychiatrist)
    third = a_psychiatrist("Noor Haddad", "CA") if successor else dana
    if successor:
        a_shift(third, at + 4 * HOUR + timedelta(minutes=1), hours=8)
    carry_out_handovers(at=at + 4 * HOUR)
    alert.refresh_from_db()
    assert alert.acknowledged_by == third
    later = OutboxMessage.objects.filter(about_id=alert.pk, created_at=at + 4 * HOUR)
    assert {page.recipient for page in later} == ({third} if successor else set())
