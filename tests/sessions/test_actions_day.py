"""The dosing day through its verbs."""

import datetime as dt
import itertools

import pytest

from common.errors import Conflict, Invalid, NotPermitted, NotVisible
from notify.models import OutboxMessage
from safety.models import Alert, SafetyHold
from sessions import actions, states
from sessions.models import Checkpoint, Course, DosingSession
from tests.sessions.builders import (
    CLEAR_ANSWERS,
    DAY,
    MINUTE,
    WELL,
    a_course,
    a_finished_session,
    a_reading,
    a_released_dose,
    a_session_in_progress,
    a_session_ready_for_release,
    a_sitter,
    an_opened_session,
    first_session,
    fresh,
    release,
)

pytestmark = pytest.mark.django_db


def test_a_signed_order_becomes_four_sessions_on_its_dates(alice, dana, at):
    course = a_course(alice, dana, at)
    days = [s.scheduled_at.date() for s in DosingSession.objects.filter(course=course).order_by("number")]
    assert days == course.order.session_dates
    assert OutboxMessage.objects.filter(patient=alice.patient, kind="session_tomorrow").count() == 4


def test_a_whole_session_runs_from_release_to_the_morning_after(alice, dana, at):
    session = a_finished_session(alice, dana, at)
    assert session.state == states.RELEASED
    follow_up, alerts = actions.record_follow_up(
        session, slept=True, mood_0_10=6, suicidal_thoughts=False, by=alice, at=at + 19 * 60 * MINUTE
    )
    assert fresh(session).state == states.CLOSED and follow_up.slept and not alerts
    assert not Alert.objects.exists()


def test_a_coach_who_is_assigned_releases_when_everything_is_go(alice, dana, cole, at):
    released = a_released_dose(alice, dana, at, by=cole)
    assert released.released_by == cole
    assert fresh(released.session).state == states.READY


def test_a_coach_of_somebody_else_cannot_release(alice, dana, other_coach, at):
    session = a_session_ready_for_release(alice, dana, at)
    result = release(session, at, by=other_coach)
    assert result.release is None and [str(r) for r in result.reasons] == ["G12.not_assigned"]


def test_hz_01_a_coach_can_never_release_a_caution_reading_and_a_psychiatrist_can_with_reason_and_plan(
    alice, dana, cole, at
):
    session = a_session_ready_for_release(alice, dana, at, readings=((146, 92, 70), (144, 88, 70)))
    refused = release(session, at, by=cole, caution_reason="looks fine", plan_t40=True)
    assert refused.release is None and {r.code for r in refused.reasons} >= {"bp_caution"}
    with pytest.raises(Invalid):
        release(session, at, by=dana, caution_reason="Known white-coat rise.", plan_t40=False)
    result = release(session, at, by=dana, caution_reason="Known white-coat rise.", plan_t40=True)
    assert result.release is not None and result.release.caution_released
    assert fresh(session).early_reading


@pytest.mark.parametrize("readings", [((161, 88, 70), (159, 88, 70)), ((150, 101, 70), (150, 99, 70))])
def test_hz_01_a_mean_at_160_or_100_is_never_released(alice, dana, at, readings):
    session = a_session_ready_for_release(alice, dana, at, readings=readings)
    result = release(session, at, by=dana, caution_reason="I know her.", plan_t40=True)
    assert result.release is None


def test_hz_06_a_second_dose_within_six_days_is_refused(alice, dana, at):
    session = a_finished_session(alice, dana, at)
    second = DosingSession.objects.get(course=session.course, number=2)
    with pytest.raises(Invalid):
        actions.reschedule_session(second, on=(at + 5 * DAY).date(), by=alice, at=at + DAY)


def test_hz_10_what_is_due_after_the_dose_are_rows(alice, dana, at):
    session = a_session_in_progress(alice, dana, at)
    due = {(c.kind, c.minute) for c in Checkpoint.objects.filter(session=session)}
    assert due == {
        ("sitter", 15), ("sitter", 30), ("sitter", 45), ("sitter", 60), ("t40", 40), ("t65", 65), ("t120", 120),
        ("release", 180), ("follow_up", 18 * 60),
    }  # fmt: skip


def test_hz_10_a_missed_reading_climbs_the_ladder_without_any_browser(alice, dana, at):
    session = a_session_in_progress(alice, dana, at)
    Checkpoint.objects.filter(session=session, kind="sitter").update(done_at=at, next_ladder_at=None)
    assert not actions.sweep(at=at + 54 * MINUTE)["late_t40"]
    assert actions.sweep(at=at + 55 * MINUTE)["late_t40"] == 1
    assert OutboxMessage.objects.filter(kind="reading_late").count() == 1
    assert OutboxMessage.objects.filter(kind="reading_late_sitter").count() == 1
    assert not actions.sweep(at=at + 56 * MINUTE)["late_t40"]
    assert actions.sweep(at=at + 70 * MINUTE)["late_t40"] == 1
    alert = Alert.objects.get(trigger="X19")
    assert set(alert.detail_codes) == {"t40_missing_15_min", "t40_missing_30_min"}


def test_hz_07_a_sitter_who_does_not_tick_is_an_alarm_after_five_minutes(alice, dana, at):
    session = a_session_in_progress(alice, dana, at)
    actions.sweep(at=at + 19 * MINUTE)
    assert not Alert.objects.exists()
    actions.sweep(at=at + 20 * MINUTE)
    assert Alert.objects.get().trigger == "X16"
    assert OutboxMessage.objects.filter(kind="sitter_check_late").exists()
    assert fresh(session).state == states.DOSING


def test_hz_07_the_sitters_phone_is_not_the_patients_own(alice, dana, at):
    session = an_opened_session(alice, dana, at)
    with pytest.raises(Invalid) as error:
        actions.invite_sitter(session, name="Me", phone=alice.phone, by=alice, at=at)
    assert "phone" in error.value.fields


def test_a_sitter_confirms_all_or_nothing(alice, dana, at):
    session = an_opened_session(alice, dana, at)
    link, _ = actions.invite_sitter(session, name="Sam", phone="+14155550177", by=alice, at=at)
    with pytest.raises(Invalid):
        actions.confirm_sitter(link, attested=("adult", "present", "stays", "read_card"), at=at)
    link.refresh_from_db()
    assert link.confirmed_at is None


def test_a_link_stops_working_when_it_ends_or_is_replaced(alice, dana, at):
    from sessions.access import link_by_token

    session = an_opened_session(alice, dana, at)
    _, plain = a_sitter(session, at)
    assert link_by_token(plain, at=at).session_id == session.pk
    with pytest.raises(NotVisible):
        link_by_token(plain, at=at + 25 * 60 * MINUTE)
    a_sitter(session, at + MINUTE)
    with pytest.raises(NotVisible):
        link_by_token(plain, at=at + MINUTE)


def test_hz_08_a_suicidal_answer_calls_somebody_holds_the_dose_and_shows_help(alice, dana, at):
    session = an_opened_session(alice, dana, at)
    result = actions.answer_check(session, answers={**CLEAR_ANSWERS, "suicidal": "yes"}, by=alice, at=at)
    assert result.crisis and result.alerts[0].trigger == "X03"
    assert SafetyHold.objects.filter(patient=alice.patient, cleared_at__isnull=True).exists()
    assert OutboxMessage.objects.filter(lane="crisis").exists()


def test_hz_27_a_later_answer_adds_and_never_clears(alice, dana, cole, at):
    session = a_session_ready_for_release(alice, dana, at)
    actions.answer_check(session, answers={**CLEAR_ANSWERS, "psychosis": "yes"}, by=alice, at=at)
    actions.answer_check(session, answers=CLEAR_ANSWERS, by=alice, at=at + MINUTE)
    result = release(fresh(session), at + 2 * MINUTE, by=dana)
    assert "G10.psychosis" in set(map(str, result.reasons))


def test_only_her_psychiatrist_clears_an_answer(alice, dana, cole, other_psychiatrist, at):
    session = an_opened_session(alice, dana, at)
    check = actions.answer_check(session, answers={**CLEAR_ANSWERS, "ill": "yes"}, by=alice, at=at).check
    for person in (cole, other_psychiatrist):
        with pytest.raises(NotPermitted):
            actions.clear_check(check, by=person, at=at + MINUTE, note="fine")
    with pytest.raises(Invalid):
        actions.clear_check(check, by=dana, at=at + MINUTE, note="ok.")
    assert actions.clear_check(check, by=dana, at=at + MINUTE, note="A cold, no fever.").cleared_by == dana


def test_not_having_fasted_may_be_answered_again(alice, dana, at):
    session = a_session_ready_for_release(alice, dana, at)
    actions.answer_check(session, answers={**CLEAR_ANSWERS, "fasted": "no"}, by=alice, at=at)
    assert release(fresh(session), at, by=dana).release is None
    actions.answer_check(session, answers=CLEAR_ANSWERS, by=alice, at=at + MINUTE)
    assert release(fresh(session), at + MINUTE, by=dana).release is not None


def test_a_red_flag_answers_with_911_pages_and_holds_the_course(alice, dana, at):
    session = a_session_in_progress(alice, dana, at)
    result = actions.record_symptoms(session, red_flags=["chest_pain"], by=alice, at=at + 20 * MINUTE)
    assert result.emergency and result.alerts[0].trigger == "X01" and result.alerts[0].in_session
    assert Course.objects.get(pk=session.course_id).state == states.ON_HOLD


def test_stopping_after_the_dose_keeps_the_watch_and_ends_as_aborted(alice, dana, at):
    session = a_session_in_progress(alice, dana, at)
    stopped = actions.stop_early(session, reason="wants_to_stop", by=alice, at=at + 20 * MINUTE)
    assert stopped.state == states.OBSERVING
    with pytest.raises(Conflict):
        actions.abort(stopped, reason="x", by=alice, at=at + 21 * MINUTE)
    for minute, systolic in ((40, 126), (65, 122), (120, 118)):
        a_reading(fresh(session), at + minute * MINUTE, systolic, 78)
    actions.sign_as_sitter(session.sitter_links.get(revoked_at__isnull=True), at=at + 121 * MINUTE)
    assert actions.close_session(fresh(session), answers=WELL, by=alice, at=at + 122 * MINUTE).closed
    assert fresh(session).state == states.ABORTED


def test_a_session_called_off_before_the_dose_is_over(alice, dana, at):
    session = a_session_ready_for_release(alice, dana, at)
    actions.stop_early(session, reason="not_today", by=alice, at=at)
    assert fresh(session).state == states.ABORTED
    assert not Alert.objects.exists()


@pytest.mark.parametrize(("minute", "closed"), [(119, False), (120, True)])
def test_the_watch_ends_at_120_minutes_and_not_before(alice, dana, at, minute, closed):
    session = a_session_in_progress(alice, dana, at)
    actions.end_music(session, by=alice, at=at + 60 * MINUTE)
    a_reading(session, at + 65 * MINUTE, 124, 80)
    a_reading(session, at + 115 * MINUTE, 120, 78)
    actions.sign_as_sitter(session.sitter_links.get(revoked_at__isnull=True), at=at + 116 * MINUTE)
    result = actions.close_session(fresh(session), answers=WELL, by=alice, at=at + minute * MINUTE)
    assert result.closed is closed
    assert closed or result.reasons == {"too_early"}


def test_hz_02_a_dose_released_too_long_ago_is_not_taken(alice, dana, at):
    released = a_released_dose(alice, dana, at)
    with pytest.raises(Conflict):
        actions.confirm_dose_taken(fresh(released.session), units_taken=2, by=alice, at=at + 31 * MINUTE)


def test_taking_more_than_ordered_calls_somebody(alice, dana, at):
    released = a_released_dose(alice, dana, at)
    actions.confirm_dose_taken(fresh(released.session), units_taken=3, by=alice, at=at + MINUTE)
    assert Alert.objects.get().trigger == "X14"


def test_moving_a_session_pushes_the_next_and_renews_the_reminders(alice, dana, at):
    course = a_course(alice, dana, at, first_in_days=3)
    first = first_session(course)
    actions.reschedule_session(first, on=(at + 8 * DAY).date(), by=alice, at=at)
    days = list(
        DosingSession.objects.filter(course=course).order_by("number").values_list("scheduled_at", flat=True)
    )
    assert all((later - earlier) >= dt.timedelta(days=6) for earlier, later in itertools.pairwise(days))
    due = OutboxMessage.objects.filter(about_id=first.pk, kind="session_tomorrow", state="scheduled").get()
    assert due.wanted_at == days[0] - DAY


def test_a_session_opens_on_its_own_day_only(alice, dana, at):
    session = first_session(a_course(alice, dana, at, first_in_days=1))
    with pytest.raises(Conflict) as error:
        actions.start_check(session, by=alice, at=at)
    assert error.value.code == "not_today"


def test_an_unopened_session_is_missed_and_can_be_given_another_day(alice, dana, at):
    session = first_session(a_course(alice, dana, at))
    assert actions.sweep(at=at + 20 * 60 * MINUTE)["missed"] == 1
    moved = actions.reschedule_session(fresh(session), on=(at + 3 * DAY).date(), by=alice, at=at + DAY)
    assert moved.state == states.SCHEDULED


def test_a_high_reading_after_the_dose_asks_for_another_and_tells_the_person_on_call(alice, dana, at):
    session = a_session_in_progress(alice, dana, at)
    recorded = a_reading(session, at + 40 * MINUTE, 168, 96)
    assert recorded.alert is not None and recorded.alert.trigger == "X04"
    again = Checkpoint.objects.get(session=session, kind="recheck")
    assert again.due_at == at + 55 * MINUTE
    assert Checkpoint.objects.get(session=session, kind="t40").done_at is not None


def test_a_reading_that_was_missed_is_not_asked_for_again_once_the_next_is_taken(alice, dana, at):
    session = a_session_in_progress(alice, dana, at)
    actions.sweep(at=at + 56 * MINUTE)
    a_reading(session, at + 66 * MINUTE, 124, 80)
    rows = {c.kind: c for c in Checkpoint.objects.filter(session=session)}
    assert rows["t65"].done_at and rows["t40"].cancelled_at and not rows["t40"].done_at
    assert not actions.sweep(at=at + 90 * MINUTE)["late_t40"]
    assert Alert.objects.filter(trigger="X19").exists()


def test_hz_14_without_todays_place_and_contact_the_dose_stays_locked(alice, dana, at):
    """HZ-14: where an ambulance would go is said anew for each session, and not in a state without a licence."""
    session = an_opened_session(alice, dana, at - 25 * MINUTE)
    result = actions.release_dose(session, by=dana, at=at, stepped_up_at=at)
    assert "G11" in {reason.condition for reason in result.reasons}
    with pytest.raises(Invalid) as refused:
        actions.confirm_place(
            fresh(session),
            address="",
            state="XX",
            contact_name="",
            contact_phone="12",
            by=alice,
            at=at - 20 * MINUTE,
        )
    assert set(refused.value.fields) == {"address", "state", "contact_name", "contact_phone"}
