"""The ledger can fail: fed with a lost, a doubled, an early, a late and a stuck one, it names each and tells its story (PR-03)."""

from pathlib import Path

import pytest

from tests.faults.ledger import Intent, Ledger, counted, reconcile, taken_back

T = 1_800_000_000.0


def crisis(**changes: object) -> Intent:
    given = {
        "meant_at_s": T,
        "acknowledged_at_s": T + 1,
        "due_at_s": T + 0.5,
        "taken_at_s": [T + 2],
        "effects": 1,
    }
    return Intent("crisis-1", "crisis", "L", **{**given, **changes}, story=["said at T", "told at T+1"])  # type: ignore[arg-type]


def reminder(**changes: object) -> Intent:
    given = {"due_at_s": T, "taken_at_s": [T + 3]}
    return Intent("reminder-1", "reminder", "R", **{**given, **changes}, story=["promised for T"])  # type: ignore[arg-type]


def effect(**changes: object) -> Intent:
    given = {"acknowledged_at_s": T + 1, "effects": 1}
    return Intent("reading-1", "reading", "X", **{**given, **changes}, story=["sent three times"])  # type: ignore[arg-type]


def row(**changes: object) -> dict:
    return {"id": "m-1", "state": "sent", "due_at_s": T, "lease_until_s": None, **changes}


def test_a_run_in_which_all_went_well_has_no_findings() -> None:
    intents = [crisis(), reminder(), effect(), effect(acknowledged_at_s=None, effects=0)]
    rows = [row(), row(state="cancelled"), row(state="scheduled", due_at_s=T + 99)]
    assert reconcile(intents, [*rows, row(state="sending", lease_until_s=T + 50)], now_s=T + 10) == []


@pytest.mark.parametrize(
    ("intent", "what"),
    [
        (effect(effects=0), "lost"),
        (effect(effects=2), "doubled"),
        (effect(acknowledged_at_s=None, effects=2), "doubled"),
        (crisis(effects=0, taken_at_s=[]), "lost"),
        (crisis(taken_at_s=[]), "lost"),
        (crisis(acknowledged_at_s=None, effects=1, taken_at_s=[]), "lost"),
        (crisis(taken_at_s=[T + 90.51]), "late"),
        (reminder(taken_at_s=[]), "lost"),
        (reminder(taken_at_s=[T + 1, T + 2, T + 3]), "doubled"),
        (reminder(taken_at_s=[T + 1, T + 2], one_extra=False), "doubled"),
        (reminder(taken_at_s=[T - 1]), "early"),
        (reminder(taken_at_s=[T + 661]), "late"),
        (reminder(taken_at_s=[T + 1_101], leapt_s=440.0), "late"),
        (reminder(a_person_has_it=True, taken_at_s=[T + 1, T + 2, T + 3]), "doubled"),
        (reminder(withdrawn=True), "doubled"),
    ],
)
def test_a_broken_promise_is_named_with_the_whole_story(intent: Intent, what: str) -> None:
    """PR-03"""
    findings = reconcile([crisis(), reminder(), intent], [], now_s=T + 100)
    assert {finding.what for finding in findings} == {what}
    assert all(line in str(findings[0]) for line in (intent.key, *intent.story))


@pytest.mark.parametrize(
    "intent",
    [
        crisis(taken_at_s=[T + 90.4]),
        crisis(taken_at_s=[T + 1, T + 2, T + 3]),
        crisis(acknowledged_at_s=None, effects=0, taken_at_s=[]),
        reminder(taken_at_s=[T + 1, T + 2]),
        reminder(withdrawn=True, taken_at_s=[]),
        reminder(taken_at_s=[T + 660]),
        reminder(taken_at_s=[T + 1_100], leapt_s=440.0),
        reminder(a_person_has_it=True, taken_at_s=[]),
    ],
)
def test_what_the_class_allows_is_no_finding(intent: Intent) -> None:
    """A second notice of a page, one extra reminder after a crash, and what nobody was told was done."""
    assert reconcile([intent], [], now_s=T + 100) == []


@pytest.mark.parametrize(
    ("meant_at_s", "told_at_s", "copies", "found"),
    [
        (T - 2, T, 0, []),
        (T - 2, T, 1, ["doubled"]),
        (T - 2, T + 0.1, 1, []),
        (T - 2, T + 0.1, 0, []),
        (T - 2, None, 0, []),
        (T - 2, None, 3, ["doubled"]),
        (None, None, 0, ["lost"]),
        (None, None, 1, []),
    ],
)
def test_what_was_cancelled_before_it_was_due_may_not_go_and_what_stood_must(
    meant_at_s: float | None, told_at_s: float | None, copies: int, found: list[str]
) -> None:
    """PR-03: cancelled, yet it went. In the very instant of sending either is right."""
    intent = taken_back(reminder(taken_at_s=[T + 3] * copies), meant_at_s=meant_at_s, told_at_s=told_at_s)
    assert [finding.what for finding in reconcile([intent], [], now_s=T + 100)] == found


@pytest.mark.parametrize(
    ("stuck", "why"),
    [
        (row(state="sending", lease_until_s=T - 1), "lease"),
        (row(state="scheduled", due_at_s=T - 1), "claimed"),
    ],
)
def test_a_row_that_nobody_works_on_is_stuck(stuck: dict, why: str) -> None:
    """PR-03"""
    (finding,) = reconcile([], [row(), stuck], now_s=T)
    assert finding.what == "stuck" and why in finding.why
    assert counted([finding]) == {"lost": 0, "doubled": 0, "early": 0, "late": 0, "stuck": 1}


def test_the_half_line_of_a_killed_writer_is_no_line(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    ledger.write(what="meant", key="a")
    with ledger.path.open("a") as out:
        out.write('{"what": "meant", "ke')
    assert [line["key"] for line in ledger.lines()] == ["a"]
