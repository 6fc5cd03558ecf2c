"""PR-08: the gate in Python against an independent oracle, over random states."""

import datetime as dt
import json
import random
from typing import Any

import pytest
from django.conf import settings as django_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions import rules
from sessions.rules.gate import (
    CONDITIONS,
    CheckFacts,
    GateFacts,
    ReadingFacts,
    caution_only,
    gate,
    gate_numbers,
)
from sessions.wording import words_of
from tests.sessions.oracle import failing
from vitals.rules import default_limits

NOW = dt.datetime(2026, 11, 23, 17, 0, tzinfo=dt.UTC)
MIN = dt.timedelta(minutes=1)
SEC = dt.timedelta(seconds=1)
NUMBERS = gate_numbers(json.loads((django_settings.BASE_DIR / "sessions/data/gate.json").read_text()))
LIMITS = default_limits()
SAID = ("adult", "sober", "present", "stays", "read_card")


def all_go() -> dict[str, Any]:
    """A state in which every condition holds."""
    return {
        "at": NOW, "active": True, "verified": True, "age": 38, "consent": True, "signed": True, "in_force": True,
        "unexpired": True, "covers": True, "left": 4, "licensed": True, "dose": 200_000, "order_dose": 200_000, "settled": True,
        "looked_at_releases": True, "last_release": None, "open": True, "other": False, "today": True, "hour": 9,
        "readings": [a_reading(NOW - 4 * MIN), a_reading(NOW - 2 * MIN)], "sys_max": 140, "dia_max": 90, "caution": False,
        "sitter_at": NOW - 10 * MIN, "sitter_said": SAID, "checks": [a_check(NOW - 20 * MIN)], "place": True, "contact": True,
        "role": "coach", "assigned": True, "step_up": NOW - MIN, "crisis": False, "hold": False, "on_call": True,
        "taken_before": False, "decision": "", "decided": None, "decided_dose": None, "units": 8, "per_dose": 2, "kit": True,
        "practised": 2, "scores": True, "screen": "", "seen_today": None, "owed": False,
    }  # fmt: skip


def a_reading(got: dt.datetime, s: int = 118, d: int = 76, p: int = 70, **more: Any) -> dict[str, Any]:
    return {
        "got": got,
        "said": got,
        "s": s,
        "d": d,
        "p": p,
        "o": None,
        "rejected": False,
        "used": False,
        **more,
    }


def a_check(at: dt.datetime, *codes: str, **more: Any) -> dict[str, Any]:
    return {"at": at, "today": True, "codes": list(codes), "cleared": None, **more}


def facts_of(s: dict[str, Any]) -> GateFacts:
    """The state as the gate takes it."""
    grave = frozenset(map(str, rules.CLINICIAN_CLEARS))
    return GateFacts(
        at=s["at"], patient_active=s["active"], identity_verified=s["verified"], age_years=s["age"], consent_current=s["consent"],
        order_signed=s["signed"], order_in_force=s["in_force"], order_unexpired=s["unexpired"], order_covers_session=s["covers"],
        doses_left=s["left"], prescriber_licensed=s["licensed"], dose_ug=s["dose"], order_dose_ug=s["order_dose"],
        eligibility_settled=s["settled"], releases_read=s["looked_at_releases"], last_release_at=s["last_release"],
        session_open=s["open"], other_active_session=s["other"], scheduled_today=s["today"], local_hour=s["hour"],
        readings=tuple(
            ReadingFacts(systolic_mmhg=r["s"], diastolic_mmhg=r["d"], pulse_bpm=r["p"], spo2_pct=r["o"], received_at=r["got"],
                         claimed_at=r["said"], rejected=r["rejected"], used=r["used"])
            for r in s["readings"]
        ),
        order_systolic_max_mmhg=s["sys_max"], order_diastolic_max_mmhg=s["dia_max"], caution_released=s["caution"],
        sitter_confirmed_at=s["sitter_at"], sitter_attested=frozenset(s["sitter_said"]),
        checks=tuple(
            CheckFacts(answered_at=c["at"], answered_today=c["today"], positive=frozenset(c["codes"]),
                       needs_clinician=frozenset(c["codes"]) & grave, cleared_at=c["cleared"])
            for c in s["checks"]
        ),
        location_confirmed=s["place"], emergency_contact_confirmed=s["contact"], releaser_role=s["role"],
        releaser_assigned=s["assigned"], stepped_up_at=s["step_up"], crisis_open=s["crisis"], holds_open=s["hold"],
        on_call=s["on_call"], decision_needed=s["taken_before"], decision_kind=s["decision"], decision_in_time=s["decided"],
        decided_dose_ug=s["decided_dose"], units_on_hand=s["units"], units_per_dose=s["per_dose"], kit_received=s["kit"],
        practice_days=s["practised"], scores_given=s["scores"], screen_level=s["screen"], screen_decided_today=s["seen_today"],
        screen_owed=s["owed"],
    )  # fmt: skip


def failed(s: dict[str, Any]) -> set[str]:
    return {reason.condition for reason in gate(facts_of(s), NUMBERS, LIMITS)}


def random_state(rng: random.Random) -> dict[str, Any]:
    """Mostly true with a few things off, so that both sides of every condition are met often; edges included."""
    s = all_go()
    many = rng.random() < 0.3
    for name in ("active", "verified", "consent", "signed", "in_force", "unexpired", "covers", "licensed", "settled", "open", "today",
                 "place", "contact", "assigned", "on_call", "looked_at_releases"):  # fmt: skip
        if rng.random() < (0.3 if many else 0.015):
            s[name] = rng.choice([False, None])
    for name in ("other", "crisis", "hold"):
        if rng.random() < (0.3 if many else 0.015):
            s[name] = rng.choice([True, None])
    off = 0.4 if many else 0.06
    if rng.random() < off:
        s["age"] = rng.choice([None, 0, 17, 18, 19, 64, 90])
    if rng.random() < off:
        s["left"] = rng.choice([None, -1, 0, 1, 4])
    if rng.random() < off:
        s["dose"] = rng.choice([None, 0, 199_999, 200_000, 200_001, 2_000_000])
    if rng.random() < off:
        days = dt.timedelta(days=6)
        s["last_release"] = NOW - rng.choice(
            [days, days - SEC, days + SEC, dt.timedelta(days=1), dt.timedelta(days=30)]
        )
    if rng.random() < off:
        s["hour"] = rng.choice([None, 0, 6, 7, 19, 20, 23])
    if rng.random() < off:
        s["sitter_at"] = rng.choice([None, NOW - 90 * MIN, NOW - 90 * MIN - SEC, NOW + SEC, NOW])
    if rng.random() < off:
        s["sitter_said"] = SAID[: rng.randint(0, 5)]
    if rng.random() < off:
        s["step_up"] = rng.choice([None, NOW - 5 * MIN, NOW - 5 * MIN - SEC, NOW + SEC, NOW])
    if rng.random() < 0.4:
        s["taken_before"] = rng.choice([True, True, False] if not many else [True, False, None])
        s["decision"] = (
            rng.choice(["same", "up", "down", "same", "same"])
            if rng.random() < 0.95
            else rng.choice(["stop", ""])
        )
        s["decided"] = True if rng.random() > off else rng.choice([False, None])
        s["decided_dose"] = s["dose"] if rng.random() > off else rng.choice([None, 0, 199_999, 200_001])
    if rng.random() < off:
        s["units"], s["per_dose"] = rng.choice(
            [(None, 2), (0, 2), (1, 2), (2, 2), (-1, 2), (2, None), (8, 0)]
        )
    if rng.random() < off:
        s["kit"], s["practised"] = rng.choice(
            [(None, 2), (False, 2), (True, 1), (True, None), (True, 0), (True, 3)]
        )
    if rng.random() < off:
        s["scores"] = rng.choice([False, None])
    if rng.random() < 0.2:
        s["screen"] = rng.choice(["none", "low", "moderate", "moderate", "low", "high", None])
        s["seen_today"] = rng.choice([True, True, False, None])
    if rng.random() < off:
        s["owed"] = rng.choice([True, None])
    if rng.random() < 0.5:
        s["role"] = rng.choice(["coach", "psychiatrist", "psychiatrist", "administrator", "patient", ""])
    if rng.random() < 0.4:
        s["caution"] = True
    if rng.random() < off:
        s["sys_max"], s["dia_max"] = rng.choice([(140, 90), (130, 85), (None, 90), (160, 100)])
    if rng.random() < 0.5:
        s["checks"] = random_checks(rng)
    if rng.random() < 0.8:
        s["readings"] = random_readings(rng)
    return s


def random_checks(rng: random.Random) -> list[dict[str, Any]]:
    found = []
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
        when = NOW - rng.randint(0, 60) * MIN
        codes = rng.sample(
            ["not_fasted", "suicidal", "psychosis", "ill", "unanswered", "pregnant"],
            rng.choice([0, 0, 0, 1, 2]),
        )
        cleared = rng.choice([None, when, when + SEC, NOW, NOW + SEC]) if codes else None
        found.append(a_check(when, *codes, today=rng.random() < 0.95, cleared=cleared))
    return found if len({c["at"] for c in found}) == len(found) else found[:1]


def random_readings(rng: random.Random) -> list[dict[str, Any]]:
    found = []
    when = NOW - rng.choice([0, 0, 1, 2, 4, 29, 30, 31]) * MIN - rng.choice([0, 1, 30]) * SEC
    middle = rng.choice(
        [
            (118, 76),
            (118, 76),
            (138, 84),
            (139, 88),
            (144, 88),
            (120, 92),
            (158, 96),
            (165, 90),
            (92, 56),
            (178, 90),
        ]
    )
    for _ in range(rng.choice([0, 1, 2, 2, 2, 2, 3, 3, 4, 5, 6])):
        s = middle[0] + rng.choice([0, 0, 1, -1, 2, 5, -5, 10, 11, -11, 15])
        d = middle[1] + rng.choice([0, 0, 1, -1, 2, 4, -4])
        reading = a_reading(when, s, d, rng.choice([70, 70, 70, 70, 50, 49, 100, 101, 39, 40, 120, 121]))
        if rng.random() < 0.05:
            reading["o"] = rng.choice([91, 92, 94, 95, 98])
        if rng.random() < 0.04:
            reading["said"] = when + rng.choice([2 * MIN, 2 * MIN + SEC, -30 * MIN, -30 * MIN - SEC])
        reading["used"] = rng.random() < 0.03
        reading["rejected"] = rng.random() < 0.04
        found.append(reading)
        when = when - rng.choice(
            [59 * SEC, MIN, 2 * MIN, 2 * MIN, 3 * MIN, 5 * MIN, 5 * MIN + SEC, 15 * MIN, 16 * MIN]
        )
        if rng.random() < 0.15:
            middle = rng.choice([(118, 76), (146, 88), (165, 90), (185, 100)])
    if rng.random() < 0.02:
        found.append(a_reading(NOW + SEC))
    return list(reversed(found))


def test_when_everything_holds_the_dose_may_be_released():
    assert failed(all_go()) == set() == failing(all_go())


def test_when_nothing_is_known_every_condition_fails():
    assert {r.condition for r in gate(GateFacts(at=NOW), NUMBERS, LIMITS)} == set(CONDITIONS)


@pytest.mark.parametrize(
    ("change", "condition"),
    [
        ({"active": None}, "G1"), ({"verified": False}, "G1"), ({"age": 17}, "G1"), ({"consent": None}, "G2"), ({"signed": False}, "G3"),
        ({"in_force": False}, "G3"), ({"unexpired": None}, "G3"), ({"covers": False}, "G3"), ({"left": 0}, "G3"), ({"licensed": False}, "G3"),
        ({"dose": 200_001}, "G4"), ({"dose": 199_999}, "G4"), ({"dose": 2_000_000}, "G4"), ({"settled": False}, "G5"),
        ({"last_release": NOW - dt.timedelta(days=6) + SEC}, "G6"), ({"looked_at_releases": False}, "G6"), ({"other": True}, "G7"),
        ({"other": None}, "G7"), ({"open": False}, "G7"), ({"today": False}, "G7"), ({"hour": 6}, "G7"), ({"hour": 20}, "G7"),
        ({"readings": []}, "G8"), ({"sitter_at": None}, "G9"), ({"sitter_said": SAID[:4]}, "G9"), ({"checks": []}, "G10"),
        ({"place": None}, "G11"), ({"contact": False}, "G11"), ({"role": "administrator"}, "G12"), ({"assigned": False}, "G12"),
        ({"step_up": NOW - 5 * MIN - SEC}, "G12"), ({"crisis": True}, "G12"), ({"hold": None}, "G12"), ({"on_call": False}, "G12"),
        ({"taken_before": True}, "G13"), ({"taken_before": None}, "G13"), ({"decision": "stop"}, "G13"),
        ({"decision": "same", "decided": True, "decided_dose": 100_000}, "G13"), ({"units": 1}, "G14"), ({"units": None}, "G14"),
        ({"kit": False}, "G14"), ({"practised": 1}, "G14"), ({"practised": None}, "G14"), ({"scores": None}, "G15"),
        ({"screen": "high", "seen_today": True}, "G16"), ({"screen": "moderate"}, "G16"), ({"screen": None}, "G16"),
        ({"owed": True}, "G16"),
    ],
)  # fmt: skip
def test_pr_08_each_condition_alone_locks_the_dose(change, condition):
    s = {**all_go(), **change}
    assert failed(s) == {condition} == failing(s)


@pytest.mark.parametrize(
    ("first", "second", "goes"),
    [
        ((139, 89), (139, 89), True), ((140, 80), (138, 80), True), ((140, 80), (140, 80), False), ((139, 89), (141, 89), False),
        ((120, 90), (120, 90), False), ((120, 89), (120, 90), True), ((90, 50), (90, 50), True), ((89, 60), (90, 60), False),
    ],
)  # fmt: skip
def test_hz_01_the_mean_of_two_decides_at_its_edges(first, second, goes):
    s = all_go()
    s["readings"] = [a_reading(NOW - 4 * MIN, *first), a_reading(NOW - 2 * MIN, *second)]
    assert (failed(s) == set()) is goes is (failing(s) == set())


@pytest.mark.parametrize(("age", "goes"), [(30 * MIN, True), (30 * MIN + SEC, False)])
def test_hz_02_a_reading_counts_for_thirty_minutes(age, goes):
    s = all_go()
    s["readings"] = [a_reading(NOW - age), a_reading(NOW - age + 2 * MIN)]
    assert (failed(s) == set()) is goes


@pytest.mark.parametrize(
    ("apart", "goes"), [(59 * SEC, False), (MIN, True), (5 * MIN, True), (5 * MIN + SEC, False)]
)
def test_hz_03_two_readings_lie_one_to_five_minutes_apart(apart, goes):
    s = all_go()
    s["readings"] = [a_reading(NOW - MIN - apart), a_reading(NOW - MIN)]
    assert (failed(s) == set()) is goes


def test_hz_03_readings_more_than_ten_apart_need_a_third():
    s = all_go()
    s["readings"] = [a_reading(NOW - 6 * MIN, 135), a_reading(NOW - 4 * MIN, 124)]
    assert failed(s) == {"G8"}
    s["readings"].append(a_reading(NOW - 2 * MIN, 122))
    assert failed(s) == set()


def test_hz_01_a_crisis_reading_locks_the_day_whoever_releases():
    s = {**all_go(), "role": "psychiatrist", "caution": True}
    s["readings"] = [a_reading(NOW - 25 * MIN, 182, 100), *s["readings"]]
    assert failed(s) == {"G8"}


@pytest.mark.parametrize(("units", "goes"), [(1, False), (2, True), (3, True)])
def test_a_dose_needs_its_units_at_home(units, goes):
    assert (failed({**all_go(), "units": units}) == set()) is goes


def test_a_moderate_screen_needs_a_decision_of_the_day_and_a_high_one_none_can_release():
    assert failed({**all_go(), "screen": "moderate", "seen_today": True}) == set()
    assert failed({**all_go(), "screen": "high", "seen_today": True, "role": "psychiatrist"}) == {"G16"}


def test_the_second_dose_goes_with_its_decision():
    s = {**all_go(), "taken_before": True, "decision": "same", "decided": True, "decided_dose": 200_000}
    assert failed(s) == set() == failing(s)


def test_a_third_recheck_needs_a_psychiatrist():
    s = all_go()
    early = [a_reading(NOW - start * MIN + extra * MIN, 146) for start in (80, 60, 40) for extra in (0, 2)]
    s["readings"] = [*early, *s["readings"]]
    assert failed(s) == {"G8"}
    s.update(role="psychiatrist", caution=True)
    assert failed(s) == set()


def test_measuring_again_without_resting_is_not_taken():
    s = all_go()
    s["readings"] = [
        a_reading(NOW - 14 * MIN, 146),
        a_reading(NOW - 12 * MIN, 146),
        a_reading(NOW - 4 * MIN),
        a_reading(NOW - 2 * MIN),
    ]
    assert {str(r) for r in gate(facts_of(s), NUMBERS, LIMITS)} == {"G8.recheck_too_early"}


def test_hz_27_an_answer_that_needs_a_clinician_is_not_undone_by_a_later_one():
    s = all_go()
    s["checks"] = [a_check(NOW - 30 * MIN, "suicidal"), a_check(NOW - 10 * MIN)]
    assert failed(s) == {"G10"}
    s["checks"][0]["cleared"] = NOW - 30 * MIN
    assert failed(s) == {"G10"}, "cleared before it was answered"
    s["checks"][0]["cleared"] = NOW - 20 * MIN
    assert failed(s) == set()


def test_pr_08_ten_thousand_random_states_and_not_one_wrong_release():
    """Both ways: never open when the oracle says no, never locked on a condition that the oracle says holds."""
    rng = random.Random(20261123)
    opened = 0
    for number in range(12_000):
        s = random_state(rng)
        ours, theirs = failed(s), failing(s)
        assert ours == theirs, (number, ours ^ theirs, s)
        opened += not ours
    # A run that never opens, or always does, would prove nothing.
    assert 300 < opened < 6_000, opened


@settings(max_examples=300, deadline=None)
@given(st.randoms(use_true_random=False))
def test_pr_08_states_that_shrink(rng):
    s = random_state(rng)
    assert failed(s) == failing(s)


def test_every_reason_has_words_for_both():
    rng = random.Random(7)
    seen = {r for _ in range(3_000) for r in gate(facts_of(random_state(rng)), NUMBERS, LIMITS)}
    assert len({r.code for r in seen}) > 40
    for reason in seen:
        words = words_of(reason)
        assert len(words.patient) >= 10 and len(words.staff) >= 10
        assert "fail" not in words.patient.lower()


def test_a_coach_is_never_offered_a_caution_release():
    s = all_go()
    s["readings"] = [a_reading(NOW - 4 * MIN, 146), a_reading(NOW - 2 * MIN, 146)]
    assert caution_only(gate(facts_of(s), NUMBERS, LIMITS))
    s["consent"] = False
    assert not caution_only(gate(facts_of(s), NUMBERS, LIMITS))
