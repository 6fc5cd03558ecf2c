"""Every trigger of protocol section 9 from every source that the escalation table names: the real verb, a real alert.

The table and the scenes below are held together both ways: a source without a scene fails, and so does a scene that the table
does not name. The clocks are the protocol's own, written down here once more.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.urls import reverse

from accounts.models import Patient, User
from coaching import actions as coaching
from coaching import message_actions as messages
from coaching.models import CheckIn
from consults.actions import confirm_count, give_up_parcel
from intake import actions as intake
from measures.actions import record_cssrs, record_response
from measures.rules import instrument
from notify.actions.callbacks import receive_text
from notify.models import OutboxMessage
from safety import roster_access
from safety.access import refills_held, shipped
from safety.actions import acknowledge, report_incident
from safety.models import Alert, SafetyHold
from sessions import actions as sessions
from sessions import states
from sessions.models import Checkpoint, DosingSession
from tests.coaching import builders as coached
from tests.consults.builders import a_delivered_parcel, a_signed_order
from tests.intake.builders import SAFE, an_accepted_intake
from tests.safety.builders import a_shift
from tests.sessions.builders import (
    CLEAR_ANSWERS,
    MINUTE,
    WELL,
    a_finished_session,
    a_released_dose,
    a_session_in_progress,
    an_opened_session,
    fresh,
    watched_to_its_end,
)
from vitals.actions import record_reading

ROWS = {row["id"]: row for row in shipped()["triggers"] if row["id"].startswith("X")}
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)

# Protocol section 9, column SLA, in minutes: by when a named person has it.
CLOCKS = {
    "X01": 2, "X02": 5, "X03": 4 * 60, "X04": 5, "X05": 30, "X06": 2 * 60, "X07": 5, "X08": 8 * 60, "X09": 48 * 60, "X10": 4 * 60,
    "X11": 30, "X12": 10, "X13": 24 * 60, "X14": 10, "X15": 60, "X16": 5, "X17": 8 * 60, "X18": 72 * 60, "X19": 15, "X20": 24 * 60,
    "X21": 24 * 60, "X22": 24 * 60, "X23": 15,
}  # fmt: skip
SEVERITIES = {
    "X01": (4, 4), "X02": (4, 4), "X03": (2, 3), "X04": (3, 4), "X05": (3, 3), "X06": (3, 3), "X07": (2, 3), "X08": (3, 3), "X09": (2, 2),
    "X10": (2, 4), "X11": (2, 3), "X12": (3, 3), "X13": (1, 1), "X14": (3, 4), "X15": (3, 3), "X16": (3, 3), "X17": (3, 3), "X18": (2, 2),
    "X19": (3, 3), "X20": (1, 1), "X21": (2, 2), "X22": (2, 3), "X23": (2, 2),
}  # fmt: skip


@dataclass
class World:
    """Alice, her psychiatrist on call, her coach, and a Monday morning."""

    alice: User
    dana: User
    cole: User
    at: dt.datetime

    @property
    def patient(self) -> Patient:
        return Patient.objects.select_related("user").get(pk=self.alice.pk)

    def on_call(self) -> None:
        a_shift(self.dana, self.at, hours=24 * 30)


Scene = Callable[[World], Any]


def a_session(w: World, state: str) -> DosingSession:
    """Session 1, walked into that state; the medicine was placed at `w.at`."""
    if state == states.RELEASED:
        return a_finished_session(w.alice, w.dana, w.at)
    session = a_session_in_progress(w.alice, w.dana, w.at)
    if state == states.OBSERVING:
        sessions.end_music(session, by=w.alice, at=w.at + 61 * MINUTE)
    return fresh(session)


def felt(**how: Any) -> Scene:
    """In a session the patient ticks how it is."""

    def scene(w: World) -> None:
        session = a_session(w, states.DOSING)
        sessions.record_symptoms(session, by=w.alice, at=w.at + 30 * MINUTE, **how)

    return scene


def seen(*findings: str) -> Scene:
    """The sitter ticks what they see."""

    def scene(w: World) -> None:
        session = a_session(w, states.DOSING)
        sessions.sitter_check(session, findings=findings, by="sitter:1", at=w.at + 15 * MINUTE)

    return scene


def answered(**answers: str) -> Scene:
    """The questions of the day."""

    def scene(w: World) -> None:
        session = an_opened_session(w.alice, w.dana, w.at)
        sessions.answer_check(session, answers={**CLEAR_ANSWERS, **answers}, by=w.alice, at=w.at)

    return scene


def next_morning(*effects: str, suicidal: bool = False) -> Scene:
    def scene(w: World) -> None:
        session = a_session(w, states.RELEASED)
        sessions.record_follow_up(
            session, slept=True, mood_0_10=5, suicidal_thoughts=suicidal, effects=effects, by=w.alice, at=w.at + 20 * HOUR
        )  # fmt: skip

    return scene


def at_the_end(**answers: bool) -> Scene:
    def scene(w: World) -> None:
        session = a_session(w, states.OBSERVING)
        sessions.close_session(session, answers={**WELL, **answers}, by=w.alice, at=w.at + 125 * MINUTE)

    return scene


def checked_in(*effects: str, suicidal: bool = False) -> Scene:
    def scene(w: World) -> None:
        w.on_call()
        coaching.check_in_today(
            w.patient, by=w.alice, at=w.at, mood=5, suicidal_thoughts=suicidal, side_effects=effects
        )

    return scene


def wrote(body: str, *, topic: str = "other", after: dt.timedelta = dt.timedelta()) -> Scene:
    def scene(w: World) -> None:
        w.on_call()
        messages.open_thread(w.patient, topic=topic, body=body, by=w.alice, at=w.at + after)

    return scene


def texted(body: str, *, after: dt.timedelta = dt.timedelta()) -> Scene:
    def scene(w: World) -> None:
        w.on_call()
        receive_text(sid="SM1", from_number=w.alice.phone, body=body, vendor_opt_out="", at=w.at + after)

    return scene


def texted_in_a_session(body: str) -> Scene:
    def scene(w: World) -> None:
        a_session(w, states.DOSING)
        receive_text(
            sid="SM1", from_number=w.alice.phone, body=body, vendor_opt_out="", at=w.at + 20 * MINUTE
        )

    return scene


def wrote_in_a_session(body: str) -> Scene:
    def scene(w: World) -> None:
        a_session(w, states.DOSING)
        messages.open_thread(w.patient, topic="other", body=body, by=w.alice, at=w.at + 20 * MINUTE)

    return scene


def reported(kind: str, *, by_coach: bool = False) -> Scene:
    def scene(w: World) -> None:
        w.on_call()
        report_incident(patient=w.patient, kind=kind, by=w.cole if by_coach else w.alice, at=w.at)

    return scene


def safety_questions(**answers: str) -> Scene:
    def scene(w: World) -> None:
        w.on_call()
        record_response(w.patient, "suicide_risk", {**SAFE, **answers}, "baseline", by=w.alice, at=w.at)

    return scene


def signed_cssrs(level: int) -> Scene:
    def scene(w: World) -> None:
        w.on_call()
        record_cssrs(
            w.patient, ideation_level=level, behaviour="none", by=w.dana, at=w.at, assessed_on=w.at.date(), form="screener", note=""
        )  # fmt: skip

    return scene


def got_worse(code: str, items: int) -> Scene:
    """Five points before the course, ten after session 2."""

    def scene(w: World) -> None:
        course = coached.a_course(w.alice, w.dana, w.at - 20 * DAY)
        for number, days in ((1, 13), (2, 6)):
            coached.the_dose_was_taken(course, number, w.at - days * DAY)
        for timepoint, points, when in (("baseline", 1, w.at - 25 * DAY), ("after_session_2", 2, w.at)):
            given = {f"{code}_{n}": points if n <= 5 else 0 for n in range(1, items + 1)}
            record_response(w.patient, code, given, timepoint, by=w.alice, at=when)

    return scene


def thought_of_death(w: World) -> None:
    w.on_call()
    given = {f"phq9_{n}": 0 for n in range(1, 9)} | {"phq9_9": 1}
    record_response(w.patient, "phq9", given, "baseline", by=w.alice, at=w.at)


def said_yes_to(code: str, item: str) -> Scene:
    """A yes in the questions that are asked after sessions 2 and 4 and at the follow-ups."""

    def scene(w: World) -> None:
        w.on_call()
        given = {each.code: int(each.code == item) for each in instrument(code).items}
        record_response(w.patient, code, given, "after_session_2", by=w.alice, at=w.at)

    return scene


def measured(w: World) -> None:
    w.on_call()
    record_reading(
        patient=w.patient, systolic_mmhg=184, diastolic_mmhg=101, pulse_bpm=70, taken_at=w.at, source="patient", by=w.alice, at=w.at
    )  # fmt: skip


def pressed(*, not_safe: bool) -> Scene:
    def scene(w: World) -> None:
        session = a_session(w, states.DOSING)
        sessions.ask_for_help(session, by=w.alice, at=w.at + MINUTE, not_safe=not_safe)

    return scene


def the_sitter_pressed(w: World) -> None:
    sessions.hear_of_dying(a_session(w, states.DOSING), by="sitter:1", at=w.at + MINUTE)


def stopped(w: World) -> None:
    session = a_session(w, states.DOSING)
    sessions.stop_early(session, reason="unwell", by=w.alice, at=w.at + 20 * MINUTE)


def took_too_many(w: World) -> None:
    session = fresh(a_released_dose(w.alice, w.dana, w.at).session)
    ordered = session.course.order.units_per_dose
    sessions.confirm_dose_taken(session, units_taken=ordered + 1, by=w.alice, at=w.at + MINUTE)


def nobody_ticked(w: World) -> None:
    a_session_in_progress(w.alice, w.dana, w.at)
    sessions.sweep(at=w.at + 20 * MINUTE)


def nobody_measured(w: World) -> None:
    session = a_session_in_progress(w.alice, w.dana, w.at)
    Checkpoint.objects.filter(session=session, kind="sitter").update(done_at=w.at, next_ladder_at=None)
    sessions.sweep(at=w.at + 56 * MINUTE)


def silent_for_three_days(w: World) -> None:
    course = coached.a_course(w.alice, w.dana, w.at)
    coached.the_dose_was_taken(course, 1, w.at + 7 * DAY)
    coaching.plan_course(course, by="system:test", at=w.at + 7 * DAY)
    evenings = sorted(CheckIn.objects.filter(kind="daily").values_list("due_at", flat=True))
    coaching.sweep(at=evenings[2] + MINUTE)


def told_in_the_intake(step: str, **answers: Any) -> Scene:
    def scene(w: World) -> None:
        found = an_accepted_intake(w.alice, w.dana, w.at)
        kept = found.answers[step]
        given = {**kept["data"], **answers}
        intake.save_step(found, step, given, version=kept["version"], by=w.alice, at=w.at + DAY)

    return scene


def took_something_new(w: World) -> None:
    found = an_accepted_intake(w.alice, w.dana, w.at)
    intake.add_medicine(found.patient, name="theophylline", dose_text="", by=w.alice, at=w.at + DAY)


def counted_one_less(w: World) -> None:
    parcel = a_delivered_parcel(
        a_signed_order(w.alice, w.dana, w.at), w.dana, w.at, count_confirmed=None, confirmed_at=None, confirmed_by=None
    )  # fmt: skip
    confirm_count(parcel, count=parcel.count - 1, by=w.alice, at=w.at)


def alone_for_the_third_time(w: World) -> None:
    session = a_session_in_progress(w.alice, w.dana, w.at)
    for number, days in ((2, 8), (3, 15)):
        before = coached.the_dose_was_taken(session.course, number, w.at - days * DAY)
        Checkpoint.objects.create(
            session=before, kind="sitter", minute=15, due_at=w.at - days * DAY, ladder_step=1, cancelled_at=w.at - days * DAY
        )  # fmt: skip
    sessions.sweep(at=w.at + 20 * MINUTE)
    watched_to_its_end(session, w.at)


def parcel_never_came(w: World) -> None:
    parcel = a_delivered_parcel(
        a_signed_order(w.alice, w.dana, w.at), w.dana, w.at, count_confirmed=None, confirmed_at=None, confirmed_by=None
    )  # fmt: skip
    give_up_parcel(parcel, why="The carrier lost it.", by=w.dana, at=w.at)


def lost_it_twice(w: World) -> None:
    for days in (0, 30):
        report_incident(patient=w.patient, kind="lost", by=w.alice, at=w.at + days * DAY)


SCENES: dict[tuple[str, str], Scene] = {
    ("X01", "session symptom report"): felt(red_flags=["chest_pain"]),
    ("X01", "sitter check"): seen("breathing"),
    ("X01", "check-in"): checked_in("chest_pain"),
    ("X01", "message"): wrote("I have chest pain"),
    ("X01", "text message"): texted("I have chest pain"),
    ("X02", "suicide-risk questions"): safety_questions(
        cssrs_q2="yes", cssrs_q3="no", cssrs_q4="no", cssrs_q5="yes"
    ),
    ("X02", "C-SSRS of a psychiatrist"): signed_cssrs(4),
    ("X02", "check before a session"): answered(safe_now="no"),
    ("X02", "I am not safe button"): pressed(not_safe=True),
    ("X02", "sitter check"): seen("speaks_of_dying"),
    ("X02", "sitter button"): the_sitter_pressed,
    ("X02", "message"): wrote("I want to kill myself"),
    ("X02", "text message"): texted("I want to kill myself"),
    ("X03", "PHQ-9"): thought_of_death,
    ("X03", "suicide-risk questions"): safety_questions(cssrs_q1="yes"),
    ("X03", "C-SSRS of a psychiatrist"): signed_cssrs(1),
    ("X03", "check before a session"): answered(suicidal="yes"),
    ("X03", "end of session"): at_the_end(suicidal=True),
    ("X03", "morning after"): next_morning(suicidal=True),
    ("X03", "check-in"): checked_in(suicidal=True),
    ("X03", "message"): wrote("I don't want to live anymore"),
    ("X03", "text message"): texted("I don't want to live anymore"),
    ("X04", "reading"): measured,
    ("X05", "session symptom report"): felt(other_flags=["vomiting_often"]),
    ("X05", "end of session"): at_the_end(severe_symptom=True),
    ("X05", "check-in"): checked_in("vomiting_cannot_keep_water"),
    ("X06", "check before a session"): answered(psychosis="yes"),
    ("X06", "session symptom report"): felt(other_flags=["hearing_or_seeing_things"]),
    ("X06", "morning after"): next_morning("no_need_for_sleep"),
    ("X06", "check-in"): checked_in("seeing_or_hearing_things"),
    ("X07", "session symptom report"): felt(other_flags=["panic"]),
    ("X07", "sitter check"): seen("distressed"),
    ("X07", "help button"): pressed(not_safe=False),
    ("X07", "message"): wrote_in_a_session("Is somebody there?"),
    ("X07", "text message"): texted_in_a_session("HELP"),
    ("X07", "session stopped early"): stopped,
    ("X08", "session symptom report"): felt(other_flags=["blood_in_urine"]),
    ("X08", "morning after"): next_morning("blood_in_urine"),
    ("X08", "check-in"): checked_in("blood_in_urine"),
    ("X09", "check before a session"): answered(bladder="yes"),
    ("X09", "session symptom report"): felt(other_flags=["burning_urine"]),
    ("X09", "morning after"): next_morning("burning_urine"),
    ("X09", "check-in"): checked_in("burning_urine"),
    ("X08", "bladder questions"): said_yes_to("bladder", "bladder_blood"),
    ("X09", "bladder questions"): said_yes_to("bladder", "bladder_burning"),
    ("X10", "session symptom report"): felt(other_flags=["throat"]),
    ("X10", "morning after"): next_morning("throat"),
    ("X10", "check-in"): checked_in("throat_or_swallowing"),
    ("X11", "session symptom report"): felt(other_flags=["dizzy"]),
    ("X11", "sitter check"): seen("fell"),
    ("X11", "morning after"): next_morning("fell"),
    ("X11", "check-in"): checked_in("dizziness"),
    ("X12", "morning after"): next_morning("fainted"),
    ("X12", "check-in"): checked_in("fainting"),
    ("X13", "session symptom report"): felt(vomited=True),
    ("X13", "morning after"): next_morning("nausea"),
    ("X13", "check-in"): checked_in("headache"),
    ("X14", "dose count"): took_too_many,
    ("X14", "medicine report"): reported("second_dose"),
    ("X15", "medicine report"): reported("stolen"),
    ("X15", "message"): wrote("somebody stole my medication"),
    ("X15", "text message"): texted("somebody stole my medication"),
    ("X16", "sitter check"): seen("in_water"),
    ("X16", "sitter check missed"): nobody_ticked,
    ("X16", "session symptom report"): felt(other_flags=["sitter_gone"]),
    ("X17", "check before a session"): answered(pregnant="yes"),
    ("X17", "intake"): told_in_the_intake("body", pregnant="yes"),
    ("X17", "message"): wrote("I think I am pregnant"),
    ("X17", "text message"): texted("I think I am pregnant"),
    ("X18", "PHQ-9"): got_worse("phq9", 9),
    ("X18", "GAD-7"): got_worse("gad7", 7),
    ("X19", "checkpoint sweep"): nobody_measured,
    ("X20", "check-in sweep"): silent_for_three_days,
    ("X21", "check before a session"): answered(new_medicine="yes"),
    ("X21", "medicine list"): took_something_new,
    ("X21", "intake"): told_in_the_intake("heart", aneurysm="yes"),
    ("X22", "coach report"): reported("early_refill", by_coach=True),
    ("X22", "parcel count"): counted_one_less,
    ("X22", "parcel lost"): parcel_never_came,
    ("X22", "a second report of lost medicine"): lost_it_twice,
    ("X22", "sessions late or without a sitter"): alone_for_the_third_time,
    ("X22", "questions about use"): said_yes_to("use", "use_elsewhere"),
    ("X23", "message"): wrote("I keep vomiting", after=8 * HOUR),
    ("X23", "text message"): texted("I keep vomiting", after=8 * HOUR),
}


def test_every_source_that_the_table_names_has_its_scene_and_no_scene_is_left_over() -> None:
    named = {(row["id"], source) for row in ROWS.values() for source in row["sources"]}
    assert named == set(SCENES)


@pytest.mark.parametrize("trigger", ROWS)
def test_clock_and_severity_are_the_protocols(trigger: str) -> None:
    row = ROWS[trigger]
    assert row["acknowledge_minutes"] == CLOCKS[trigger]
    assert (row["severity"], row["worst_severity"]) == SEVERITIES[trigger]
    assert row.get("contact_minutes") == {"X02": 15, "X03": 1440}.get(trigger)
    # A moderate risk is called by a clinician within the four hours, a low one within the day.
    assert row.get("contact_minutes_by_severity") == ({"3": 240} if trigger == "X03" else None)
    # Protocol 9: the coach reviews it the next working day; every other clock runs day and night.
    assert row.get("acknowledge_by") == ("end_of_next_working_day" if trigger == "X13" else None)


@pytest.mark.parametrize(("trigger", "source"), SCENES, ids=[f"{t} {s}" for t, s in SCENES])
def test_it_calls_somebody_on_the_protocols_clock_and_holds_what_it_should(
    alice: User, dana: User, cole: User, at: dt.datetime, protocol_version: Any, trigger: str, source: str
) -> None:
    """HZ-08, HZ-10: alert, hold and message in the transaction of the cause."""
    SCENES[(trigger, source)](World(alice, dana, cole, at))
    row = ROWS[trigger]
    alert = Alert.objects.get(patient_id=alice.pk, trigger=trigger)
    assert row["severity"] <= alert.severity <= row["worst_severity"], "as grave as the table says"
    since_at = alert.escalating_since_at
    assert alert.acknowledge_by_at == roster_access.acknowledge_by(row, at=since_at, severity=alert.severity)
    if "acknowledge_by" not in row:
        # An emergency is taken within the five minutes of the urgent ladder, whatever its trigger's usual clock.
        minutes = min(CLOCKS[trigger], 5) if alert.severity == 4 else CLOCKS[trigger]
        assert alert.acknowledge_by_at - alert.escalating_since_at == minutes * MINUTE
    first = OutboxMessage.objects.filter(about_id=alert.pk).order_by("due_at").first()
    assert first is not None and first.created_at == alert.escalating_since_at
    quiet = row["ladder"] == "routine" and alert.severity < 3
    assert first.kind == ("alert_notice" if quiet else "crisis_page")
    assert quiet or (first.lane == "crisis" and first.due_at == first.created_at)
    held = SafetyHold.objects.filter(patient_id=alice.pk, reason_code=row["hold"], cleared_at=None)
    assert row["hold"] is None or held.exists()


# --- what becomes a sign by its degree, its count or how long it lasts ---


@pytest.mark.parametrize(
    ("minutes", "how", "code"),
    [
        (180, {"sedation": 4}, None),
        (181, {"sedation": 3}, "sleepy_too_long"),
        (181, {"sedation": 2}, None),
        (240, {"dissociation": 4}, None),
        (241, {"dissociation": 3}, "dissociation_too_long"),
    ],
)
def test_x05_sleepy_over_three_hours_or_far_away_over_four(
    alice: User, dana: User, cole: User, at: dt.datetime, minutes: int, how: dict[str, int], code: str | None
) -> None:
    """X05, at the boundary."""
    session = a_session(World(alice, dana, cole, at), states.OBSERVING)
    sessions.record_symptoms(session, by=alice, at=at + minutes * MINUTE, **how)
    assert [alert.detail_codes for alert in Alert.objects.filter(trigger="X05")] == ([[code]] if code else [])


def test_x05_the_fourth_time_of_vomiting_is_no_longer_mild(
    alice: User, dana: User, cole: User, at: dt.datetime
) -> None:
    """X13 three times, X05 from the fourth on: more than three."""
    session = a_session(World(alice, dana, cole, at), states.OBSERVING)
    for n in range(1, 5):
        sessions.record_symptoms(session, by=alice, at=at + n * 10 * MINUTE, vomited=True)
        assert Alert.objects.filter(trigger="X05").exists() is (n == 4)
    assert Alert.objects.get(trigger="X13").signs == 3


def test_another_symptom_of_the_same_trigger_is_a_new_sign(
    alice: User, dana: User, cole: User, at: dt.datetime
) -> None:
    """HZ-08: confusion after vomiting, though both are X05 and somebody has taken the first."""
    world = World(alice, dana, cole, at)
    checked_in("vomiting_cannot_keep_water")(world)
    alert = acknowledge(Alert.objects.get(), by=dana, at=at)
    coaching.check_in_today(
        world.patient, by=alice, at=at + HOUR, mood=4, suicidal_thoughts=False, side_effects=["confusion"]
    )
    assert Alert.objects.get(pk=alert.pk).state == "open"


def test_x16_both_are_told_to_stay_together(alice: User, dana: User, cole: User, at: dt.datetime) -> None:
    """HZ-07: at once, at any hour, once for one cause; the words name no medicine."""
    session = a_session(World(alice, dana, cole, at), states.OBSERVING)
    for _ in range(2):
        sessions.sitter_check(fresh(session), findings=["leaves_or_drives"], by="sitter:1", at=at + MINUTE)
    told = OutboxMessage.objects.filter(kind__startswith="stay_together").order_by("kind")
    assert [(row.kind, row.due_at, row.respect_quiet_hours) for row in told] == [
        ("stay_together", at + MINUTE, False), ("stay_together_sitter", at + MINUTE, False),
    ]  # fmt: skip
    assert (told[0].recipient, told[1].to_address) == (alice, "+14155550177")


def test_x17_a_pregnancy_holds_the_next_parcel_too(
    alice: User, dana: User, cole: User, at: dt.datetime, protocol_version: Any
) -> None:
    """X17: the prescription is locked, however it was told."""
    told_in_the_intake("body", pregnant="yes")(World(alice, dana, cole, at))
    patient = Patient.objects.get(pk=alice.pk)
    assert refills_held(patient) == ["pregnancy"]
    assert set(Alert.objects.values_list("trigger", flat=True)) == {"X17", "X21"}


def test_pr_06_chest_pain_at_a_check_in_answers_with_911(client_for: Any, alice: User, dana: User) -> None:
    """PR-06, X01: in the same answer, with a link that dials."""
    form = {
        "mood": "5", "suicidal_thoughts": "no", "side_effects": ["chest_pain", "nausea"],
        "intent": "6a1f7a1e-0000-4000-8000-000000000009",
    }  # fmt: skip
    page = client_for(alice).post(reverse("coaching:daily"), form)
    words = page.content.decode()
    assert page.status_code == 200 and "Call 911 now" in words and 'href="tel:911"' in words
    assert "often pass" not in words
    assert Alert.objects.filter(trigger="X01", severity=4).count() == 1
