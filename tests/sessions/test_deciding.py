"""The dose of each session is a psychiatrist's signed decision (G13, HZ-04): the rules at their edges, who may sign, what SQL refuses."""

import datetime as dt
import json

import pytest
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from common.errors import Invalid, NotPermitted
from measures.models import InstrumentResponse
from sessions import actions
from sessions.access import gate_inputs
from sessions.access.work import work_items
from sessions.models import DoseDecision, DosingSession
from sessions.rules.deciding import DecisionFacts, DecisionGap, decision_gaps
from sessions.rules.zones import zone_of
from tests.sessions.builders import DAY, a_decision, a_finished_session, a_session_ready_for_release, fresh

TITRATION = json.loads((settings.BASE_DIR / "consults/data/dosing.json").read_text())["titration"]
MG = 1000


def gaps(kind="same", now=200, before=200, **more):
    facts = DecisionFacts(
        **{
            "kind": kind, "review": "Calm, slept well.", "reason": "Little effect at all.", "order_in_force": True, "order_covers": True,
            "order_dose_ug": now * MG, "last_dose_ug": None if before is None else before * MG, "previous_over": True,
            "released": False, "days_since_last": 7, "last_bands": frozenset(), **more,
        }
    )  # fmt: skip
    return decision_gaps(facts, TITRATION)


@pytest.mark.parametrize(
    ("kind", "now", "before", "found"),
    [
        ("same", 200, 200, set()), ("same", 200, None, set()), ("same", 201, 200, {"not_the_same"}), ("up", 200, None, {"not_the_same"}),
        ("up", 400, 200, set()), ("up", 401, 200, {"step_too_large"}), ("up", 500, 300, set()), ("up", 501, 300, {"step_too_large"}),
        ("up", 200, 200, {"not_higher"}), ("down", 199, 200, set()), ("down", 200, 200, {"not_lower"}), ("stop", 999, 200, set()),
    ],
)  # fmt: skip
def test_a_decision_fits_the_order_and_the_protocol_at_its_edges(kind, now, before, found):
    assert set(map(str, gaps(kind, now, before))) == found


@pytest.mark.parametrize("kind", ["same", "up", "down", "stop"])
@pytest.mark.parametrize(
    ("note", "enough"), [("x", False), ("ok", False), ("Calm day", False), ("Calm, fine.", True)]
)
def test_each_decision_says_what_was_seen_and_a_change_says_why(kind, note, enough):
    now = {"up": 250, "down": 150}.get(kind, 200)
    assert gaps(kind, now, review=note) == (set() if enough else {DecisionGap.REVIEW_MISSING})
    asked = kind != "same" and not enough
    assert gaps(kind, now, reason=note) == ({DecisionGap.REASON_MISSING} if asked else set())


def test_no_step_up_after_a_high_reading_and_a_long_break_begins_lower():
    assert gaps("up", 250, 200, last_bands=frozenset({"high"})) == {DecisionGap.HIGHER_AFTER_HIGH_PRESSURE}
    assert gaps("same", last_bands=frozenset({"high"})) == set()
    assert gaps("same", days_since_last=28) == set()
    assert gaps("same", days_since_last=28.1) == {DecisionGap.RESTART_LOWER}
    assert gaps("down", 150, 200, days_since_last=40) == set()


def test_a_protocol_without_titration_allows_no_step_up():
    facts = DecisionFacts(
        kind="up", review="Calm, slept well.", reason="Little effect at all.", order_in_force=True, order_covers=True, order_dose_ug=201, last_dose_ug=200,
        previous_over=True, released=False, days_since_last=7, last_bands=frozenset(),
    )  # fmt: skip
    assert decision_gaps(facts, {}) == {DecisionGap.STEP_TOO_LARGE}


def test_her_own_zone_counts_only_where_the_state_has_it():
    zones = {"TX": ["America/Chicago", "America/Denver"]}
    assert zone_of("TX", "America/Denver", zones) == "America/Denver"
    assert zone_of("TX", "Asia/Tokyo", zones) == "America/Chicago"
    assert zone_of("??", "Asia/Tokyo", zones) == "Asia/Tokyo"


@pytest.mark.django_db
def test_the_second_dose_waits_for_its_decision_and_only_the_newest_counts(alice, dana, cole, at):
    first = a_finished_session(alice, dana, at)
    second = fresh(DosingSession.objects.get(course=first.course, number=2))
    later = at + 2 * DAY

    def reasons(when):
        return {str(r) for r in gate_inputs(fresh(second), by=dana, at=when, stepped_up_at=when).reasons}

    assert "G13.dose_not_decided" in reasons(later)
    with pytest.raises(NotPermitted):
        a_decision(second, cole, later)
    made = a_decision(second, dana, later)
    assert made.dose_ug == first.course.order.dose_ug and made.previous == first
    assert not {r for r in reasons(later) if r.startswith("G13")}
    with pytest.raises(Invalid):
        a_decision(second, dana, later, kind="stop")
    a_decision(second, dana, later + dt.timedelta(hours=1), kind="stop", reason="side effects")
    assert "G13.dose_stopped" in reasons(later + dt.timedelta(hours=2))
    first.course.refresh_from_db()
    assert first.course.state == "stopped"


@pytest.mark.django_db
@pytest.mark.parametrize("days", [10, 14, 28])
def test_a_decision_counts_in_the_part_of_the_gap_in_which_it_was_signed(alice, dana, at, days):
    """Protocol 8.1: over 10 days a clinician confirms, over 14 the psychiatrist reviews anew, over 28 one begins again lower. What was
    signed on the second day says nothing of that, though the session was moved by an ordinary button.
    """
    first = a_finished_session(alice, dana, at)
    second = fresh(DosingSession.objects.get(course=first.course, number=2))
    limit = first.dose_at + days * DAY

    def open_at(when):
        found = gate_inputs(fresh(second), by=dana, at=when, stepped_up_at=when).reasons
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT dosing_gap_step(%s, %s) = dosing_gap_step(%s, %s)",
                [
                    made.decided_at - first.dose_at,
                    first.course.protocol_id,
                    when - first.dose_at,
                    first.course.protocol_id,
                ],
            )
            (same_in_sql,) = cursor.fetchone()
        shut = "G13.dose_not_decided" in {str(reason) for reason in found}
        assert same_in_sql is not shut
        return not shut

    def on_the_list(when):
        return any(line.kind == "dose.review" for line in work_items(user=dana, at=when))

    made = a_decision(second, dana, limit)
    assert open_at(limit) and not on_the_list(limit)
    past = limit + dt.timedelta(seconds=1)
    assert not open_at(past) and on_the_list(past)
    if days < 28:
        made = a_decision(second, dana, past)
        assert open_at(past) and not on_the_list(past)


@pytest.mark.django_db
def test_sql_alone_refuses_what_is_no_psychiatrists_decision(alice, dana, cole, other_psychiatrist, at):
    session = a_session_ready_for_release(alice, dana, at)
    order = session.course.order
    good = {
        "session": session, "patient": session.patient, "order": order, "kind": "same", "dose_ug": order.dose_ug, "review": "x",
        "decided_at": at, "decided_by": dana, "stepped_up_at": at,
    }  # fmt: skip
    for wrong in (
        {"decided_by": cole},
        {"decided_by": other_psychiatrist},
        {"dose_ug": order.dose_ug + 1},
        {"dose_ug": None},
        {"kind": "up"},
        {"review": ""},
        {"stepped_up_at": at - dt.timedelta(seconds=301)},
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            DoseDecision.objects.create(**good | wrong)
    row = DoseDecision.objects.create(**good)
    for change in (lambda: DoseDecision.objects.filter(pk=row.pk).update(dose_ug=1), row.delete):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


@pytest.mark.django_db
def test_the_page_shows_the_session_before(client_for, clock_at, alice, dana, at):
    first = a_finished_session(alice, dana, at)
    second = DosingSession.objects.get(course=first.course, number=2)
    for instrument, result in (
        ("phq9", {"total": 12, "band": "moderate", "item9": 0}),
        ("suicide_risk", {"risk_level": "low"}),
    ):
        InstrumentResponse.objects.create(
            patient_id=alice.pk, instrument=instrument, instrument_version="1", timepoint="after_session_1", items={},
            completed_at=fresh(first).dose_at + dt.timedelta(hours=20), recorded_by=f"user:{alice.pk}", **result,
        )  # fmt: skip
    with clock_at(at + DAY):
        page = client_for(dana).get(f"/sessions/{second.pk}/decide/")
        assert page.status_code == 200
        assert "Session 1" in page.content.decode() and "Sign the decision" in page.content.decode()
        words = page.content.decode()
        assert "PHQ-9 12, moderate" in words and "Safety questions, low risk" in words
    assert actions.may_be_decided(fresh(second))
