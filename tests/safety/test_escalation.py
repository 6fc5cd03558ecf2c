"""PR-07: page again at 60 s, next level at 3 or 5 minutes, everyone at 10, and never silence."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from accounts.models import User
from common.models import AuditEntry, ProtocolVersion
from notify.actions import dispatch_crisis
from notify.models import OutboxMessage, SandboxDelivery
from safety import lane_access, roster_access
from safety.actions import acknowledge, add_holiday, escalate_due, escalation, remove_holiday
from safety.actions.escalation import everyone, ladder_for
from safety.management.commands.pager import Pager
from safety.models import Alert
from tests.safety.builders import a_shift, an_alert, close_by_force


@pytest.fixture
def roster(dana: User, other_psychiatrist: User, admin_ann: User, cole: User, at: datetime) -> None:
    a_shift(dana, at)
    a_shift(other_psychiatrist, at, level=2)


def run(at: datetime, *, seconds: int, every: int = 1) -> None:
    """The pager's loop for so long, without the waiting."""
    for n in range(0, seconds + 1, every):
        escalate_due(at=at + timedelta(seconds=n))
        dispatch_crisis(at=at + timedelta(seconds=n), limit=50)


def sent_to(alert: Alert) -> dict[str, list[int]]:
    """Who was reached, and how many seconds after the opening."""
    found: dict[str, list[int]] = {}
    for row in OutboxMessage.objects.filter(about_id=alert.pk, state="sent").order_by("sent_at"):
        found.setdefault(row.recipient.full_name.split()[0], []).append(
            int((row.sent_at - alert.opened_at).total_seconds())
        )
    return found


def test_the_ladder_of_a_page_that_nobody_takes(roster: None, alice: User, at: datetime) -> None:
    """PR-07"""
    alert = an_alert(alice, at, trigger="X04")
    run(at, seconds=600)
    reached = sent_to(alert)
    assert reached["Dana"][:4] == [0, 60, 120, 180]
    assert reached["Priya"][0] == 300
    assert reached["Cole"] == [600]
    assert reached["Ann"] == [600]
    alert.refresh_from_db()
    assert (alert.state, alert.level) == ("open", 3)


def test_an_alert_that_is_no_emergency_rings_everyone_ever_less_often_and_never_stops(
    roster: None, alice: User, at: datetime
) -> None:
    """HZ-09, PR-07: a mild answer that nobody takes reaches everyone at 10 minutes, and then rings less and less."""
    alert = an_alert(alice, at, trigger="X03", severity=2)
    run(at, seconds=3 * 3600, every=10)
    assert [seconds // 60 for seconds in sent_to(alert)["Ann"]] == [10, 15, 25, 45, 75, 105, 135, 165]


def test_an_emergency_rings_everyone_each_five_minutes_until_somebody_has_it(
    roster: None, alice: User, at: datetime
) -> None:
    """PR-07, HZ-08"""
    alert = an_alert(alice, at, trigger="X02")
    run(at, seconds=3600, every=10)
    assert [seconds // 60 for seconds in sent_to(alert)["Ann"]] == list(range(10, 61, 5))


def test_a_worse_sign_begins_the_quick_rounds_anew(roster: None, alice: User, at: datetime) -> None:
    """HZ-08, HZ-09: slower rounds belong to what was known; whatever is worse is an hour younger."""
    alert = an_alert(alice, at, trigger="X03", severity=2)
    run(at, seconds=7200, every=10)
    later = at + timedelta(seconds=7210)
    an_alert(alice, later, trigger="X03", severity=3)
    run(later, seconds=60, every=10)
    assert [seconds - 7210 for seconds in sent_to(alert)["Dana"]][-2:] == [0, 60]


@pytest.mark.parametrize(
    ("every_s", "in_session", "second_s"), [(150, True, 180), (300, False, 300), (59, False, 300), (59, True, 180)]
)  # fmt: skip
def test_what_gets_worse_again_and_again_still_reaches_the_second_on_call_and_everyone_in_time(
    roster: None, alice: User, at: datetime, every_s: int, in_session: bool, second_s: int
) -> None:
    """PR-07, HZ-08: each higher reading pages at once, and none makes anybody wait for the next rung anew."""
    alert = an_alert(alice, at, trigger="X04", severity=3, magnitude=170, in_session=in_session)
    given = alert.acknowledge_by_at
    for n in range(601):
        now = at + timedelta(seconds=n)
        if n and n % every_s == 0:
            an_alert(
                alice, now, trigger="X04", severity=3, magnitude=170 + n / every_s, in_session=in_session
            )
        escalate_due(at=now)
        dispatch_crisis(at=now, limit=50)
    reached = sent_to(alert)
    assert reached["Priya"][0] == second_s
    assert (reached["Cole"][0], reached["Ann"][0]) == (600, 600)
    assert set(range(0, 600, every_s)) <= set(reached["Dana"]), "each worse one was told at once"
    alert.refresh_from_db()
    assert (alert.state, alert.level, alert.acknowledge_by_at) == ("open", 3, given)


def test_what_gets_worse_in_a_session_climbs_as_in_a_session_from_when_it_opened(
    roster: None, alice: User, at: datetime
) -> None:
    """PR-07: the ladder becomes the shorter one; at four minutes the second on call is a minute late already."""
    alert = an_alert(alice, at, trigger="X04", severity=3)
    worse = an_alert(alice, at + timedelta(minutes=1), trigger="X04", severity=4, in_session=True)
    assert (worse.level, worse.next_escalation_at) == (1, at + timedelta(minutes=3))
    other = an_alert(alice, at, trigger="X04", severity=3, episode="other")
    other = an_alert(
        alice, at + timedelta(minutes=4), trigger="X04", severity=4, episode="other", in_session=True
    )
    assert (other.level, other.next_escalation_at) == (2, at + timedelta(minutes=10))
    assert alert.pk == worse.pk != other.pk
    risen = AuditEntry.objects.filter(action="alert.escalated", object_id=str(other.pk))
    assert [line.detail for line in risen] == [{"from": 1, "to": 2}]


def test_what_was_on_a_list_and_gets_severe_calls_the_person_on_call_and_not_everyone(
    roster: None, alice: User, at: datetime
) -> None:
    """HZ-09: its clock was not over, so nobody has missed a call yet (X09, then blood: X08)."""
    an_alert(alice, at, trigger="X09")
    later = at + timedelta(hours=47)
    alert = an_alert(alice, later, trigger="X08")
    assert (alert.trigger, alert.level) == ("X08", 1)
    assert alert.next_escalation_at == later + timedelta(hours=8)


def test_a_taken_alert_that_gets_worse_twice_climbs_from_when_it_opened_again(
    roster: None, alice: User, dana: User, at: datetime
) -> None:
    """PR-07: somebody had it until then; from there on the time counts in full."""
    alert = an_alert(alice, at, trigger="X04", severity=3, magnitude=170)
    acknowledge(alert, by=dana, at=at + timedelta(minutes=2))
    again = at + timedelta(minutes=30)
    assert an_alert(alice, again, trigger="X04", severity=3, magnitude=171).next_escalation_at == (
        again + timedelta(minutes=5)
    )
    worse = an_alert(alice, again + timedelta(minutes=4), trigger="X04", severity=3, magnitude=172)
    assert (worse.level, worse.next_escalation_at) == (1, again + timedelta(minutes=5))
    assert worse.acknowledge_by_at == again + timedelta(minutes=5)


def test_a_mild_effect_of_a_friday_is_the_coachs_until_monday_closes(
    roster: None, alice: User, cole: User, at: datetime
) -> None:
    """Protocol 9, X13: the next working day, by the practice's own calendar. No phone rings at the weekend."""
    friday = at + timedelta(days=4)
    a_shift(cole, friday, level=2, hours=24 * 5)
    alert = an_alert(alice, friday, trigger="X13")
    assert (
        roster_access.figures_of(alert.acknowledge_by_at, roster_access.practice_zone())
        == "2026-11-30 17:00 EST"
    )
    mail = OutboxMessage.objects.get(about_id=alert.pk)
    assert (mail.kind, mail.recipient, mail.context["by_words"]) == (
        "alert_notice",
        cole,
        "2026-11-30 14:00 PST",
    )
    run(friday, seconds=3 * 86_400 + 6 * 3600, every=3600)
    pages = OutboxMessage.objects.filter(about_id=alert.pk, kind="crisis_page").order_by("created_at")
    assert pages[0].created_at == alert.acknowledge_by_at
    assert alert.acknowledge_by_at - friday == timedelta(days=3, hours=5)


def test_a_holiday_of_the_roster_is_no_working_day(
    alice: User, cole: User, admin_ann: User, at: datetime
) -> None:
    """Protocol 9, X13"""
    add_holiday(day=date(2026, 11, 24), name="A day of rest", by=admin_ann, at=at)
    gone = add_holiday(day=date(2026, 11, 25), name="Not after all", by=admin_ann, at=at)
    remove_holiday(gone, by=admin_ann, at=at)
    alert = an_alert(alice, at, trigger="X13")
    zone = roster_access.practice_zone()
    assert roster_access.figures_of(alert.acknowledge_by_at, zone) == "2026-11-25 17:00 EST"


def test_a_deadline_that_was_given_stays_when_a_holiday_is_added_later(
    alice: User, cole: User, admin_ann: User, at: datetime
) -> None:
    alert = an_alert(alice, at, trigger="X13")
    given = alert.acknowledge_by_at
    add_holiday(day=date(2026, 11, 24), name="A day of rest", by=admin_ann, at=at)
    escalate_due(at=given)
    alert.refresh_from_db()
    assert (alert.acknowledge_by_at, alert.pages) == (given, 1)


@pytest.mark.parametrize("trigger", ["X05", "X06", "X08"])
def test_what_is_severe_in_a_session_climbs_like_an_emergency_and_at_another_time_by_its_clock(
    roster: None, alice: User, at: datetime, trigger: str
) -> None:
    """PR-07: next level at 3 minutes and everyone at 10 while somebody is under the medicine; below S3 its own clock stays."""
    alert = an_alert(alice, at, trigger=trigger, in_session=True)
    assert alert.severity == 3
    ladder = ladder_for(alert, at=at)
    assert (ladder.repage_s, ladder.next_level_s, ladder.everyone_s) == (60, 180, 600)
    alert.in_session = False
    assert ladder_for(alert, at=at).next_level_s > 600
    alert.in_session, alert.severity = True, 2
    assert ladder_for(alert, at=at).next_level_s > 600


def test_in_session_the_second_is_paged_after_three_minutes(roster: None, alice: User, at: datetime) -> None:
    """PR-07"""
    alert = an_alert(alice, at, trigger="X04", in_session=True)
    run(at, seconds=180)
    assert sent_to(alert)["Priya"] == [180]


def test_a_text_first_then_a_call(roster: None, alice: User, at: datetime) -> None:
    an_alert(alice, at, trigger="X04")
    run(at, seconds=60)
    assert [d.channel for d in SandboxDelivery.objects.order_by("id")] == ["sms", "voice"]
    assert "notice 2" in SandboxDelivery.objects.order_by("id").last().body.lower()


def test_a_day_later_it_is_still_open_and_still_paging(roster: None, alice: User, at: datetime) -> None:
    """PR-07: never auto-closes."""
    alert = an_alert(alice, at, trigger="X04")
    run(at, seconds=86_400, every=3600)
    alert.refresh_from_db()
    assert alert.state == "open"
    assert max(max(times) for times in sent_to(alert).values()) == 86_400


def test_a_pager_that_was_away_goes_to_the_rung_of_the_hour_at_once(
    roster: None, alice: User, at: datetime
) -> None:
    alert = an_alert(alice, at, trigger="X04")
    late = at + timedelta(minutes=11)
    assert escalate_due(at=late) == 1
    alert.refresh_from_db()
    assert alert.level == 3
    assert escalate_due(at=late) == 0


def test_a_person_on_call_whose_account_was_closed_is_stepped_over(
    roster: None, dana: User, alice: User, at: datetime
) -> None:
    """HZ-25"""
    close_by_force(dana)
    an_alert(alice, at, trigger="X04")
    assert [m.recipient.full_name for m in OutboxMessage.objects.all()] == ["Priya Raman"]


def test_a_page_carries_the_severity_of_its_alert(roster: None, alice: User, at: datetime) -> None:
    """HZ-24: what is graver goes first."""
    for trigger, severity in (("X02", 4), ("X04", 3)):
        alert = an_alert(alice, at, trigger=trigger)
        assert {p.priority for p in OutboxMessage.objects.filter(about_id=alert.pk)} == {severity}


def test_in_a_storm_the_gravest_alert_climbs_first(
    roster: None, alice: User, stranger_patient: User, at: datetime
) -> None:
    """HZ-24: its next page waits for none of the milder ones, whichever was due before."""
    for n in range(30):
        an_alert(alice, at, trigger="X19", episode=f"missing_contact_{n}")
    grave = an_alert(stranger_patient, at + timedelta(seconds=30), trigger="X02")
    assert escalate_due(at=at + timedelta(seconds=91), limit=1) == 1
    grave.refresh_from_db()
    assert grave.pages == 2


def test_a_table_in_force_that_cannot_be_read_gives_way_to_the_shipped_one(
    roster: None, alice: User, dana: User, admin_ann: User, protocol_version: ProtocolVersion, at: datetime,
) -> None:  # fmt: skip
    """HZ-25: an alert opens and climbs all the same. The table was approved by a release that read it otherwise."""
    whole = protocol_version.data
    rows = [
        {k: v for k, v in row.items() if k != "acknowledge_minutes"} if row["id"] == "X02" else row
        for row in whole["escalations"]["triggers"]
    ]
    for name, broken in (
        ("row", {**whole["escalations"], "triggers": rows}),
        ("ladders", {k: v for k, v in whole["escalations"].items() if k != "ladders"}),
        ("word", "a word"),
    ):
        ProtocolVersion.objects.create(
            version=name, state="approved", data={**whole, "escalations": broken}, proposed_by=admin_ann, proposed_at=at,
            approved_by=dana, approved_at=at, effective_from=at,
        )  # fmt: skip
        alert = an_alert(alice, at, trigger="X02", episode=name)
        assert OutboxMessage.objects.filter(about_id=alert.pk, kind="crisis_page").exists()
        assert alert.acknowledge_by_at == at + timedelta(minutes=5)
        assert escalate_due(at=at + timedelta(seconds=61)) >= 1


def test_an_alert_that_cannot_climb_holds_up_no_other_one_and_is_heard_of(
    roster: None, alice: User, stranger_patient: User, dana: User, admin_ann: User, at: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """HZ-24, HZ-25: whatever is wrong with the gravest alert, the others are paged all the same, and everybody is called about it."""
    broken = an_alert(alice, at, trigger="X02")
    others = [an_alert(stranger_patient, at, trigger="X19", episode=f"late_{n}") for n in range(2)]

    def ladder(alert: Alert, *, at: datetime) -> Any:
        if alert.pk == broken.pk:
            raise KeyError("a mistake of ours")
        return ladder_for(alert, at=at)

    pager = Pager(deadman_url="")
    late = at + timedelta(seconds=61)
    with monkeypatch.context() as mistake:
        mistake.setattr(escalation, "ladder_for", ladder)
        for _ in range(2):
            with pytest.raises(KeyError):
                pager.turn(at=late)
        assert [alert.pages for alert in Alert.objects.filter(pk__in=[one.pk for one in others])] == [2, 2]
        # Everybody is called about it, once in five minutes; it is tried again each turn, and the lane does not call itself well.
        broken.refresh_from_db()
        assert broken.pages == 2 and broken.next_page_at is not None and broken.next_page_at <= late
        called = OutboxMessage.objects.filter(about_id=broken.pk, created_at=late)
        assert set(called.values_list("recipient", flat=True)) == {person.pk for person in everyone()}
        assert len(called) >= 3
        for minutes, pages in ((4, 2), (5, 3)):
            with pytest.raises(KeyError):
                pager.turn(at=late + timedelta(minutes=minutes))
            broken.refresh_from_db()
            assert broken.pages == pages
        late += timedelta(minutes=5)
        assert lane_access.lane_trouble(at=late) and not lane_access.lane_is_well(at=late)
    pager.turn(at=late + timedelta(seconds=1))
    broken.refresh_from_db()
    assert broken.pages == 4 and lane_access.lane_is_well(at=late + timedelta(seconds=1))
