"""The version in force: asked each time, its document sent and read once."""

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from common import protocol
from common.errors import Conflict, Invalid
from common.models import ProtocolVersion

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


def in_force(name: str, data: dict[str, Any], since: dt.datetime, by: User, other: User) -> ProtocolVersion:
    return protocol.approve(protocol.propose(version=name, data=data, by=by, at=since), by=other, at=since)


def test_the_newest_version_in_force_is_asked_for_each_time_in_one_query(
    admin_ann: User, admin_ben: User, at: dt.datetime, django_assert_num_queries: Any
) -> None:
    first = in_force("one", {"dosing": {"limit": 1}}, at - DAY, admin_ann, admin_ben)
    for _ in range(2):
        with django_assert_num_queries(1):
            assert protocol.current(at=at) == first
    second = in_force("two", {"dosing": {"limit": 2}}, at, admin_ann, admin_ben)
    for _ in range(2):
        with django_assert_num_queries(1):
            found = protocol.current(at=at)
        assert (found, found.data["dosing"]["limit"]) == (second, 2)
        # What was in force before is still what it was.
        with django_assert_num_queries(1):
            found = protocol.current(at=at - dt.timedelta(seconds=1))
        assert (found, found.data["dosing"]["limit"]) == (first, 1)


def test_a_document_that_is_known_is_not_sent_again(
    admin_ann: User, admin_ben: User, at: dt.datetime
) -> None:
    """Eighty kilobytes a question would be most of what a page costs."""
    version = in_force("one", protocol.from_files(), at - DAY, admin_ann, admin_ben)
    assert protocol.current(at=at).data is protocol.current(at=at).data
    with CaptureQueriesContext(connection) as seen:
        protocol.current(at=at)
    with connection.cursor() as cursor:
        cursor.execute(seen[0]["sql"])
        row = cursor.fetchone()
    assert str(version.pk) in map(str, row)
    assert max(len(str(value)) for value in row) < 100


def test_more_versions_than_are_kept_are_still_told_apart(
    admin_ann: User, admin_ben: User, at: dt.datetime
) -> None:
    """After a long life of the practice, with courses under many versions."""
    many = protocol.KEPT_VERSIONS + 3
    for number in range(many):
        in_force(f"v{number}", {"number": number}, at + number * DAY, admin_ann, admin_ben)
    for number in [*range(many), *reversed(range(many))]:
        assert protocol.current(at=at + number * DAY).data == {"number": number}
    assert len(protocol._kept) <= protocol.KEPT_VERSIONS


def test_what_a_draft_says_is_read_from_the_draft(admin_ann: User, admin_ben: User, at: dt.datetime) -> None:
    draft = protocol.propose(version="draft", data={"number": 1}, by=admin_ann, at=at)
    ProtocolVersion.objects.filter(pk=draft.pk).update(data={"number": 2})
    assert ProtocolVersion.objects.get(pk=draft.pk).data == {"number": 2}
    ProtocolVersion.objects.filter(pk=draft.pk).update(data={"number": 3})
    protocol.approve(draft, by=admin_ben, at=at)
    assert protocol.current(at=at).data == {"number": 3}


def test_working_hours_stand_in_two_parts_and_agree():
    shipped = protocol.from_files()
    assert protocol.disagreements(shipped) == []
    for one, other in protocol.SAID_TWICE:
        assert protocol._at(shipped, one) is not None and protocol._at(shipped, other) is not None
    # The words that patients read say the same hours.
    staffed = shipped["messaging"]["staffed"]
    days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    first, last = staffed["weekdays"][0], staffed["weekdays"][-1]
    hours = f"{staffed['from_hour']} am to {staffed['until_hour'] - 12} pm"
    assert staffed["words"] == f"{days[first]} to {days[last]}, {hours}"


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "value"), [("until_hour", 18), ("weekdays", [0, 1, 2, 3])])
def test_a_version_whose_working_hours_contradict_each_other_is_not_even_proposed(admin_ann, at, name, value):
    data = protocol.from_files()
    data["escalations"]["working_day"][name] = value
    with pytest.raises(Invalid, match=r"contradict each other: messaging\.staffed"):
        protocol.propose(version="late-hours", data=data, by=admin_ann, at=at)
    assert not ProtocolVersion.objects.filter(version="late-hours").exists()
    data["messaging"]["staffed"][name] = value
    protocol.propose(version="late-hours", data=data, by=admin_ann, at=at)


def _without(*path: str):
    def spoil(data):
        for name in path[:-1]:
            data = data[name]
        del data[path[-1]]

    return spoil


def _with(value, *path: str):
    def spoil(data):
        for name in path[:-1]:
            data = data[name]
        data[path[-1]] = value

    return spoil


def _no_row(data):
    rows = data["escalations"]["triggers"]
    rows[:] = [row for row in rows if row["id"] != "X02"]


def _no_name(data):
    next(row for row in data["escalations"]["triggers"] if row["id"] == "X02").pop("id")


def _no_clock(data):
    next(row for row in data["escalations"]["triggers"] if row["id"] == "X03").pop("acknowledge_minutes")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_without("escalations", "ladders"), "needs its ladders"),
        (_without("escalations", "triggers"), "needs its ladders and its triggers"),
        (_with([], "escalations"), "needs its ladders"),
        (_without("escalations", "ladders", "soon"), "ladder “soon” is missing"),
        (_with("soon", "escalations", "ladders", "urgent", "repage_everyone_seconds"), "ladder “urgent” is missing or cannot"),
        (_with(61, "escalations", "ladders", "urgent", "repage_seconds"), "repage_seconds is at most 60"),
        (_with(0, "escalations", "ladders", "urgent", "repage_seconds"), "repage_seconds is at most 60"),
        (_with(301, "escalations", "ladders", "urgent", "next_level_seconds"), "next_level_seconds is at most 300"),
        (_with(181, "escalations", "ladders", "urgent", "next_level_in_session_seconds"), "is at most 180"),
        (_with(601, "escalations", "ladders", "urgent", "everyone_seconds"), "everyone_seconds is at most 600"),
        (_with("at_the_clock", "escalations", "ladders", "urgent", "first_page"), "pages at once"),
        (_no_row, "The row of X02 is missing"),
        (_no_clock, "The row of X03 cannot be read"),
        (_with(["x"], "escalations", "triggers"), "The row of x cannot be read"),
        (_with([{"id": []}], "escalations", "triggers"), r"The row of \[\] cannot be read"),
        (_no_name, "The row of X02 is missing"),
        (_no_name, "The row of None cannot be read"),
        (_without("suicide_risk", "unanswered"), "suicide-risk questions cannot be read"),
        (_with({}, "suicide_risk"), "suicide-risk questions cannot be read"),
        (_without("eligibility", "rules"), "eligibility rules cannot be read"),
    ],
)  # fmt: skip
def test_a_part_that_cannot_be_read_is_refused_before_anybody_needs_it(
    admin_ann, admin_ben, at, protocol_version, spoil, sentence
):
    """HZ-28 and PR-07: a table that would silence the crisis lane is not proposed, and one that came another way is not approved."""
    data = protocol.from_files()
    spoil(data)
    with pytest.raises(Invalid, match=sentence):
        protocol.propose(version="broken", data=data, by=admin_ann, at=at)
    draft = ProtocolVersion.objects.create(version="broken", data=data, proposed_by=admin_ann, proposed_at=at)
    with pytest.raises(Invalid, match=sentence):
        protocol.approve(draft, by=admin_ben, at=at)
    draft.refresh_from_db()
    assert draft.state == "draft"


@pytest.mark.django_db
def test_what_ships_can_be_read_and_a_part_that_is_not_there_says_nothing(admin_ann, at):
    assert protocol.troubles(protocol.from_files()) == []
    assert protocol.troubles({"bp": {}}) == []


@pytest.mark.django_db
def test_a_draft_made_before_another_came_into_force_does_not_undo_it(admin_ann, admin_ben, at):
    """Nothing approved is undone unsaid."""
    in_force("base", {"a": 1, "b": 1}, at - DAY, admin_ann, admin_ben)
    first = protocol.propose(version="first", data={"a": 2, "b": 1}, by=admin_ann, at=at)
    second = protocol.propose(version="second", data={"a": 1, "b": 2}, by=admin_ann, at=at)
    protocol.approve(first, by=admin_ben, at=at + DAY)
    with pytest.raises(Conflict, match="first came into force after this draft was made"):
        protocol.approve(second, by=admin_ben, at=at + 2 * DAY)
    assert protocol.current(at=at + 3 * DAY).data == {"a": 2, "b": 1}
    anew = protocol.propose(version="anew", data={"a": 2, "b": 2}, by=admin_ann, at=at + 2 * DAY)
    assert protocol.approve(anew, by=admin_ben, at=at + 2 * DAY).state == "approved"
