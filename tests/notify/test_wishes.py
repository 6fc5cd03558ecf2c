"""What people want and do not want: kept, honoured, never at the price of safety."""

import uuid
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.models import User
from common.errors import Invalid
from notify.access import catalogue
from notify.actions import dispatch_crisis, dispatch_due, promise
from notify.actions.wishes import kinds_for, set_wishes
from notify.models import MessagePreference, OutboxMessage, SandboxDelivery
from notify.rules import is_quiet, next_allowed, quiet_hours_leave_enough, wants
from tests.notify.builders import a_mail, a_text

PACIFIC = ZoneInfo("America/Los_Angeles")
NIGHT = (time(21, 0), time(8, 0))


def wish(user: User, at: datetime, *muted: str, quiet: tuple[time, time] = NIGHT) -> MessagePreference:
    return set_wishes(user, quiet_from=quiet[0], quiet_until=quiet[1], muted=muted, by=user, at=at)


def a_reminder(
    user: User, at: datetime, kind: str = "visit_tomorrow", channel: str = "sms", **more: Any
) -> OutboxMessage:
    context = {
        "when_words": at,
        "when": at,
        "link": "https://care.example/x",
        "path": "/x/",
        "first_name": "Alice",
    }
    return promise(kind, to=user, channel=channel, context=context, due_at=at, at=at, **more)


def test_what_somebody_turned_off_does_not_go_and_is_logged_as_that(alice: User, at: datetime) -> None:
    wish(alice, at, "visit_tomorrow:sms")
    off, other = a_reminder(alice, at), a_reminder(alice, at, channel="email")
    dispatch_due(at=at)
    off.refresh_from_db()
    other.refresh_from_db()
    assert (off.state, off.last_error) == ("dropped", "turned off by this person")
    assert other.state == "sent"


def test_what_is_turned_off_on_one_way_goes_the_next(alice: User, at: datetime) -> None:
    wish(alice, at, "session_tomorrow:sms")
    a_reminder(alice, at, "session_tomorrow", fallbacks=["email"])
    dispatch_due(at=at)
    dispatch_due(at=at)
    assert [d.channel for d in SandboxDelivery.objects.all()] == ["email"]


@pytest.mark.parametrize(
    "kind", [k for k in catalogue() if k.get("may_turn_off", "none") == "none"], ids=lambda k: k["kind"]
)
def test_security_crisis_and_safety_messages_cannot_be_turned_off(kind: dict[str, Any]) -> None:
    """HZ-23: not by the form, and not by whatever stands in the table."""
    channels = kind["channels"]
    muted = {f"{kind['kind']}:{channel}" for channel in channels}
    assert all(wants(kind["kind"], c, may_turn_off="none", channels=channels, muted=muted) for c in channels)


def test_the_kinds_that_keep_people_safe_are_marked_so() -> None:
    always = {k["kind"] for k in catalogue() if k.get("may_turn_off", "none") == "none"}
    assert {
        "account.mail", "crisis_page", "alert_notice", "roster_gap", "reading_late", "reading_late_sitter", "sitter_link",
        "sitter_check_late", "stay_together", "stay_together_sitter", "watch_note", "follow_up_due", "follow_up_late",
    } <= always  # fmt: skip


def test_a_forged_form_mutes_no_safety_message(
    client_for: Any, alice: User, at: datetime, clock_at: Any
) -> None:
    """HZ-23"""
    with clock_at(at):
        form = {"intent": str(uuid.uuid4()), "quiet_from": "21:00", "quiet_until": "08:00"}
        want = [f"session_{n}:email" for n in ("two_days", "tomorrow", "today")]
        assert client_for(alice).post("/profile/messages/", form | {"want": want}).status_code == 302
    kept = MessagePreference.objects.get(user=alice)
    assert "visit_tomorrow:sms" in kept.muted
    assert not [
        key
        for key in kept.muted
        if key.startswith(("reading_late", "follow_up")) and not key.endswith(":push")
    ]


def test_how_to_prepare_for_a_session_keeps_one_way(alice: User, at: datetime) -> None:
    with pytest.raises(Invalid) as refused:
        wish(alice, at, "session_tomorrow:sms", "session_tomorrow:email", "session_tomorrow:push")
    assert "keep at least one way" in refused.value.fields["session_tomorrow"]
    assert wish(alice, at, "session_tomorrow:sms", "session_tomorrow:push").muted
    # And if the table says otherwise all the same, it goes.
    MessagePreference.objects.update(
        muted=["session_tomorrow:sms", "session_tomorrow:email", "session_tomorrow:push"]
    )
    a_reminder(alice, at, "session_tomorrow")
    assert dispatch_due(at=at).sent == 1


def test_quiet_hours_of_ones_own_move_a_message_and_lose_none(alice: User, at: datetime) -> None:
    wish(alice, at, quiet=(time(17, 0), time(11, 0)))
    alice.refresh_from_db()
    message = a_text(alice, at)  # 9:00 in California
    assert message.due_at == datetime(2026, 11, 23, 11, 0, tzinfo=PACIFIC)
    assert dispatch_due(at=at).claimed == 0
    assert dispatch_due(at=message.due_at).sent == 1


def test_a_page_of_the_crisis_lane_rings_whatever_was_chosen(dana: User, at: datetime) -> None:
    """PR-05"""
    wish(dana, at, quiet=(time(23, 0), time(10, 0)))
    MessagePreference.objects.update(muted=["test.mail:sms", "crisis_page:sms"])
    a_text(dana, at, lane="crisis")
    assert dispatch_crisis(at=at).sent == 1


def test_new_quiet_hours_count_for_what_waits_already(alice: User, at: datetime) -> None:
    evening = datetime(2026, 11, 23, 21, 30, tzinfo=PACIFIC)
    waiting, exempt = (
        a_text(alice, at, due_at=evening),
        a_text(alice, at, due_at=evening, respect_quiet_hours=False),
    )
    assert waiting.due_at == datetime(2026, 11, 24, 8, 0, tzinfo=PACIFIC)
    wish(alice, at, quiet=(time(22, 0), time(7, 0)))
    waiting.refresh_from_db()
    exempt.refresh_from_db()
    assert waiting.due_at == evening and exempt.due_at == evening
    wish(alice, at, quiet=(time(20, 0), time(9, 30)))
    waiting.refresh_from_db()
    assert waiting.due_at == datetime(2026, 11, 24, 9, 30, tzinfo=PACIFIC)


def test_quiet_hours_that_leave_no_day_are_refused(alice: User, at: datetime) -> None:
    for quiet in ((time(8, 0), time(8, 0)), (time(10, 0), time(8, 0)), (time(8, 0), time(3, 0))):
        with pytest.raises(Invalid):
            wish(alice, at, quiet=quiet)
    assert quiet_hours_leave_enough(time(14, 0), time(8, 0)) and not quiet_hours_leave_enough(
        time(13, 59), time(8, 0)
    )


times = st.times().map(lambda t: t.replace(second=0, microsecond=0))
ZONES = ["America/New_York", "America/Los_Angeles", "America/Phoenix", "Pacific/Honolulu", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca"]  # fmt: skip
# Around the nights on which clocks change, and any other moment of two years.
moments = st.one_of(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),
    *(
        st.integers(-60 * 40, 60 * 40).map(lambda minutes, day=day: day + timedelta(minutes=minutes))
        for day in (
            datetime(2026, 3, 8, 10, tzinfo=UTC),
            datetime(2026, 11, 1, 9, tzinfo=UTC),
            datetime(2026, 4, 4, 15, tzinfo=UTC),
            datetime(2026, 10, 3, 15, tzinfo=UTC),
        )
    ),
)


@settings(max_examples=600)
@given(at=moments, zone=st.sampled_from(ZONES), quiet_from=times, quiet_until=times)
def test_whatever_the_hours_zone_and_night_a_message_goes_later_never_earlier_and_never_not_at_all(
    at: datetime, zone: str, quiet_from: time, quiet_until: time
) -> None:
    """HZ-11: "not yet", never "never"."""
    if not quiet_hours_leave_enough(quiet_from, quiet_until):
        return
    hours = {"quiet_from": quiet_from, "quiet_until": quiet_until}
    allowed = next_allowed(at, zone, **hours)
    assert timedelta(0) <= allowed - at <= timedelta(hours=19)
    assert not is_quiet(allowed, zone, **hours)
    assert next_allowed(allowed, zone, **hours) == allowed
    if is_quiet(at, zone, **hours):
        # It goes at the end of the quiet hours, or when the clocks jump over that end.
        local = allowed.astimezone(ZoneInfo(zone))
        jumped = local.replace(tzinfo=None) != (
            allowed.astimezone(UTC) + (local.utcoffset() or timedelta())
        ).replace(tzinfo=None)
        assert not jumped
        minute_before = (allowed - timedelta(minutes=1)).astimezone(ZoneInfo(zone))
        assert is_quiet(minute_before, zone, **hours)


def test_the_page_shows_each_message_that_comes_to_people_like_this_one(
    client_for: Any, alice: User, cole: User, query_budget: Any
) -> None:
    for person in (alice, cole):
        client = client_for(person)
        client.get("/profile/messages/")
        with query_budget(16):
            page = client.get("/profile/messages/").content.decode()
        for kind in kinds_for(person):
            assert kind["label"] in page
    assert "The person with you" not in page


def test_the_page_says_that_texts_are_stopped(client_for: Any, alice: User, at: datetime) -> None:
    from notify.actions.callbacks import opt_out

    opt_out(alice.phone, said="STOP", at=at)
    assert "Text START" in client_for(alice).get("/profile/messages/").content.decode()


def test_messages_are_written_in_the_language_of_whoever_reads_them(
    alice: User, stranger_patient: User, at: datetime
) -> None:
    User.objects.filter(pk=alice.pk).update(language="es")
    a_reminder(User.objects.get(pk=alice.pk), at, channel="email")
    a_reminder(stranger_patient, at, channel="email")
    dispatch_due(at=at)
    words = {d.to_address: d.subject + " " + d.body for d in SandboxDelivery.objects.all()}
    assert "su cita es el lunes 23 de noviembre a las 9:00 am (PST)" in words[alice.email]
    assert "your appointment is on Monday, November 23 at 9:00 am PST" in words[stranger_patient.email]


def test_a_sitter_is_written_to_in_the_language_of_the_person_they_are_with(
    alice: User, at: datetime
) -> None:
    User.objects.filter(pk=alice.pk).update(language="es")
    promise(
        "sitter_link", to="+14155550177", channel="sms", context={"link": "https://care.example/s/x/", "first_name": "Alice"},
        due_at=at, at=at, patient=alice.patient, respect_quiet_hours=False,
    )  # fmt: skip
    dispatch_due(at=at)
    assert "le pide que le acompañe" in SandboxDelivery.objects.get().body


def test_a_mail_with_its_own_words_goes_as_it_is(alice: User, at: datetime) -> None:
    User.objects.filter(pk=alice.pk).update(language="es")
    a_mail(alice, at)
    dispatch_due(at=at)
    assert SandboxDelivery.objects.get().body == "A word."
