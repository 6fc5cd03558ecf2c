"""The rules page: counts that are kept and not scanned, a change that a second person approves, and its dry run."""

import copy
import re
import threading
import uuid
from datetime import timedelta
from importlib import import_module

import pytest
from django.db import connection, connections
from django.urls import reverse

from common import protocol
from common.errors import Conflict, Invalid, NotPermitted
from intake import access, actions
from intake.actions import rulebook
from intake.actions.counts import count_rules
from intake.models import DryRun, DryRunCase, EligibilityEvaluation, RuleCount
from intake.rules import Stage, default_data
from tests.intake.builders import a_claimed_intake, a_submitted_intake
from tests.intake.test_assessment_pages import walk
from tests.intake.test_review_pages import waiting

pytestmark = pytest.mark.django_db

WHY = "The advisory board asked for it in November."


def counts(stage: str = "intake") -> dict[str, int]:
    return dict(RuleCount.objects.filter(stage=stage).values_list("rule_id", "hits"))


def sent(name: str, version, at, *, age: int = 40, intake=None) -> EligibilityEvaluation:
    """A past intake with the answers it was sent with, without its whole story."""
    intake = intake or waiting(name, at)
    facts = {"age_years": str(age), "state": "CA", "phq9_total": "15"}
    return EligibilityEvaluation.objects.create(
        intake=intake, patient=intake.patient, at=at, stage="intake", cause="submit", outcome="review", reasons=["E71"],
        rule_version="test", protocol=version, facts=facts,
    )  # fmt: skip


def test_sending_an_intake_counts_its_rules_once(alice, dana, stranger_patient, at, protocol_version):
    a_submitted_intake(alice, at, medicines=("Zoloft",))
    assert counts() == {"ALL": 1, "E66": 1}
    intake = a_claimed_intake(stranger_patient, dana, at, medicines=("Xanax",))
    assert counts() == {"ALL": 2, "E58": 1, "E66": 1}
    actions.decide(
        intake, "ask_more", by=dana, at=at + timedelta(minutes=20), items=["heart"], letter="When was it?"
    )
    intake.refresh_from_db()
    entry = intake.answers["heart"]
    actions.save_step(
        intake,
        "heart",
        entry["data"],
        version=entry["version"],
        by=stranger_patient,
        at=at + timedelta(minutes=30),
    )
    intake.refresh_from_db()
    actions.submit(intake, by=stranger_patient, at=at + timedelta(minutes=31))
    assert counts() == {"ALL": 2, "E58": 1, "E66": 1}


def test_intakes_that_were_sent_before_anybody_counted_are_counted_once(
    alice, dana, stranger_patient, at, protocol_version
):
    """The hit rate begins with the first intake: counted from the history, and again without doubling."""
    backfill = import_module("intake.migrations.0011_rules_counted_by_stage").count_what_was_asked
    intake = a_claimed_intake(alice, dana, at, medicines=("Zoloft",))
    a_submitted_intake(stranger_patient, at, medicines=("Xanax",))
    again = at + timedelta(minutes=20)
    actions.decide(intake, "ask_more", by=dana, at=again, items=["heart"], letter="When was it?")
    actions.add_medicine(intake.patient, name="Nardil", dose_text="", by=alice, at=again)
    intake.refresh_from_db()
    entry = intake.answers["heart"]
    actions.save_step(intake, "heart", entry["data"], version=entry["version"], by=alice, at=again)
    intake = actions.confirm_medicines(intake, by=alice, at=again)
    actions.submit(intake, by=alice, at=again + timedelta(minutes=1))
    counted = counts()
    assert counted == {"ALL": 2, "E58": 1, "E66": 1}
    for left in ([], ["ALL"], ["ALL", "E58", "E66"]):
        RuleCount.objects.exclude(rule_id__in=left).delete()
        with connection.schema_editor() as editor:
            backfill(None, editor)
        assert counts() == counted


def test_a_finished_assessment_counts_its_rules_at_its_own_stage(
    client, dana, at, protocol_version, clock_at
):
    """Nothing but numbers of rules: who answered, and what, is nowhere."""
    with clock_at(at):
        walk(client, monitor_available="no")
        client.get(reverse("intake:assessment_result"))
    assert counts("assessment")["ALL"] == 1 and counts("assessment")["E05"] == 1
    assert counts() == {} and counts("decision") == {}
    row = access.rule_row(protocol_version, "E05")
    assert [(rate.what, rate.hits, rate.of) for rate in row.rates] == [
        ("assessments finished", 1, 1), ("intakes sent", 0, 0), ("orders signed", 0, 0),
    ]  # fmt: skip


def test_every_rule_is_on_the_page_with_source_facts_words_numbers_and_hit_rate(
    client_for, admin_ann, dana, alice, at, protocol_version, query_budget
):
    a_submitted_intake(alice, at, medicines=("Zoloft",))
    rows = access.rule_rows(protocol_version)
    assert [row.text.id for row in rows] == [f"E{number:02d}" for number in range(1, 72)]
    assert all(row.text.source and row.facts and row.text.patient and row.text.clinician for row in rows)
    assert {row.text.id: row.share(Stage.INTAKE) for row in rows}["E66"] == 1 and rows[0].share(
        Stage.INTAKE
    ) == 0
    address = reverse("admin:intake_rulecount_changelist")
    browser = client_for(admin_ann)
    browser.get(address)
    with query_budget(8):
        page = browser.get(address).content.decode()
    for rule in default_data()["rules"]:
        assert rule["id"] + " " in page and rule["source"][0] in page
    assert "youngest age (years): 18" in page and "intakes sent: 100% (1 of 1)" in page
    assert client_for(dana).get(address).status_code in (302, 404)


def test_a_change_is_proposed_by_one_and_approved_by_another(
    client_for, admin_ann, admin_ben, at, protocol_version, clock_at
):
    """HZ-28."""
    with clock_at(at):
        address = reverse("admin:intake_rule", args=["E02"])
        ann, ben = client_for(admin_ann), client_for(admin_ben)
        page = ann.get(address).content.decode()
        assert "Older adult from (years)" in page and "Propose and run it dry" in page
        words = next(rule for rule in default_data()["rules"] if rule["id"] == "E02")
        form = {
            "older_adult_age_years": "60", "outcome": "review", "patient": words["patient"], "clinician": words["clinician"],
            "version": "older-60", "note": WHY,
        }  # fmt: skip
        assert ann.post(address, form | {"note": "short"}).status_code == 422
        assert ann.post(address, form | {"older_adult_age_years": "65"}).status_code == 422
        response = ann.post(address, form)
        assert response.status_code == 302, response.content
        assert "older-60" in ann.get(response["Location"]).content.decode()
        draft = protocol.ProtocolVersion.objects.get(version="older-60")
        assert draft.state == "draft" and protocol.current(at=at) == protocol_version
        assert thresholds(draft).older_adult_age_years == 60
        review = reverse("admin:common_protocolversion_review", args=[draft.pk])
        ann.post(review)
        draft.refresh_from_db()
        assert draft.state == "draft"
        shown = ben.get(review).content.decode()
        assert "older_adult_age_years" in shown and "Dry run over past intakes" in shown
        ben.post(review)
        assert protocol.current(at=at + timedelta(seconds=1)).version == "older-60"


def thresholds(version):
    from intake.actions.eligibility import thresholds_in

    return thresholds_in(version)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({}, "note"),
        ({"thresholds": {"minimum_age_years": -1}}, "minimum_age_years"),
        ({"thresholds": {"minimum_age_years": True}}, "minimum_age_years"),
        ({"thresholds": {"bmi_above": 40}}, "bmi_above"),
        ({"outcome": "maybe"}, "outcome"),
        ({"patient": "  "}, "patient"),
        ({"clinician": ""}, "clinician"),
    ],
)
def test_a_change_that_a_rule_cannot_have_is_refused(admin_ann, at, protocol_version, change, field):
    with pytest.raises(Invalid) as error:
        actions.propose_rule_change("E01", change, version="new", note=WHY, by=admin_ann, at=at)
    assert field in error.value.fields
    assert not DryRun.objects.exists()


def test_a_name_that_is_taken_an_unknown_rule_and_a_psychiatrist_are_refused(
    admin_ann, dana, at, protocol_version
):
    stricter = {"thresholds": {"minimum_age_years": 21}}
    for rule, version in (("E01", "test-1"), ("E72", "new"), ("E01", " ")):
        with pytest.raises(Invalid):
            actions.propose_rule_change(rule, stricter, version=version, note=WHY, by=admin_ann, at=at)
    with pytest.raises(NotPermitted):
        actions.propose_rule_change("E01", stricter, version="new", note=WHY, by=dana, at=at)


def test_a_dry_run_says_who_would_have_been_answered_otherwise(admin_ann, dana, at, protocol_version):
    for number, age in enumerate((20, 59, 60, 64, 65, 80)):
        sent(f"P{number} Person", protocol_version, at - timedelta(days=number), age=age)
    _, run = actions.propose_rule_change(
        "E02",
        {"thresholds": {"older_adult_age_years": 60}},
        version="older-60",
        note=WHY,
        by=admin_ann,
        at=at,
    )
    assert (run.looked, run.changed, run.stricter, run.milder) == (6, 2, 0, 0)
    assert run.finished_at == at
    assert [
        (case.gained, case.lost, case.old_outcome, case.new_outcome) for case in access.cases_of(run)
    ] == [(["E02"], [], "review", "review")] * 2
    _, run = actions.propose_rule_change(
        "E02", {"outcome": "exclude"}, version="older-out", note=WHY, by=admin_ann, at=at
    )
    assert (run.changed, run.stricter) == (2, 2)
    assert {case.new_outcome for case in access.cases_of(run)} == {"exclude"}


def test_a_rule_that_only_the_consult_can_answer_is_tried_on_the_orders(
    admin_ann, dana, at, protocol_version
):
    """E55 is about the monitoring programme: what was sent says nothing of it, what an order was signed on does."""
    for number, finding in enumerate(("clear", "discrepancy", None)):
        row = sent(f"P{number} Person", protocol_version, at - timedelta(days=number + 2))
        if finding is not None:
            EligibilityEvaluation.objects.create(
                intake=row.intake, patient=row.patient, at=row.at + timedelta(days=1), stage="decision", cause="order",
                outcome="review", reasons=["E71"], rule_version="test", protocol=protocol_version,
                facts={**row.facts, "pdmp": finding},
            )  # fmt: skip
    _, run = actions.propose_rule_change(
        "E55", {"outcome": "exclude"}, version="e55-out", note=WHY, by=admin_ann, at=at
    )
    assert (run.looked, run.changed, run.stricter) == (3, 1, 1)
    (case,) = access.cases_of(run)
    assert (case.old_outcome, case.new_outcome) == ("review", "exclude")
    assert case.intake.patient.user.full_name == "P1 Person"


def test_a_medicine_nobody_has_read_counts_in_a_dry_run_as_it_does_in_earnest(
    admin_ann, alice, at, protocol_version
):
    """The intake waits for review already, so that a rule that asks for review makes nobody's answer stricter."""
    intake = a_submitted_intake(alice, at, medicines=("Grandmother's tonic",))
    assert (intake.outcome, intake.reasons) == ("review", ["E71"])
    soon = at + timedelta(hours=1)
    _, run = actions.propose_rule_change(
        "E02",
        {"thresholds": {"older_adult_age_years": 19}},
        version="older-19",
        note=WHY,
        by=admin_ann,
        at=soon,
    )
    assert (run.looked, run.changed, run.stricter) == (1, 1, 0)
    case = access.cases_of(run)[0]
    assert (case.gained, case.lost, case.old_outcome, case.new_outcome) == (["E02"], [], "review", "review")


HOLES = [
    ("E28", {"controlled_below_systolic_mmhg": 139}, "E29"),
    ("E28", {"controlled_below_diastolic_mmhg": 89}, "E29"),
    ("E29", {"raised_from_systolic_mmhg": 141}, "E28"),
    ("E29", {"raised_below_systolic_mmhg": 159}, "E30"),
    ("E29", {"raised_below_diastolic_mmhg": 99}, "E30"),
    ("E30", {"uncontrolled_from_systolic_mmhg": 170}, "E29"),
    ("E30", {"uncontrolled_from_diastolic_mmhg": 101}, "E29"),
    ("E52", {"dast10_high_from": 7}, "E53"),
    ("E53", {"dast10_moderate_to": 4}, "E52"),
]


@pytest.mark.parametrize(("rule", "numbers", "other"), HOLES)
def test_a_number_that_opens_a_hole_between_two_rules_is_refused_by_both_names(
    admin_ann, at, protocol_version, rule, numbers, other
):
    with pytest.raises(Invalid) as error:
        actions.propose_rule_change(
            rule, {"thresholds": numbers}, version="new", note=WHY, by=admin_ann, at=at
        )
    assert rule in error.value.detail and other in error.value.detail and "no rule" in error.value.detail
    assert not DryRun.objects.exists()


def test_a_draft_with_a_hole_is_not_approved_and_the_page_says_which_rules(
    client_for, admin_ann, admin_ben, at, protocol_version, clock_at
):
    """HZ-28: one that was proposed before this was looked at."""
    with clock_at(at):
        words = next(rule for rule in default_data()["rules"] if rule["id"] == "E30")
        form = words["thresholds"] | {
            "uncontrolled_from_systolic_mmhg": "170", "outcome": "exclude", "patient": words["patient"],
            "clinician": words["clinician"], "version": "later", "note": WHY,
        }  # fmt: skip
        page = client_for(admin_ann).post(reverse("admin:intake_rule", args=["E30"]), form)
        assert page.status_code == 422
        assert "E29 ends at 160 and E30 begins only at 170" in page.content.decode()
        data = copy.deepcopy(protocol_version.data)
        rule = next(rule for rule in data["eligibility"]["rules"] if rule["id"] == "E30")
        rule["thresholds"]["uncontrolled_from_systolic_mmhg"] = 170
        draft = protocol.ProtocolVersion.objects.create(
            version="old", data=data, proposed_by=admin_ann, proposed_at=at, note=WHY
        )
        with pytest.raises(Invalid, match="E29 ends at 160 and E30 begins only at 170"):
            protocol.approve(draft, by=admin_ben, at=at)
        draft.refresh_from_db()
        assert draft.state == "draft"


def test_two_rules_that_meet_are_moved_one_after_the_other(admin_ann, admin_ben, at, protocol_version):
    """First the lower one up, so that both are true for a while, then the upper one."""
    steps = (("E29", "raised_below_systolic_mmhg"), ("E30", "uncontrolled_from_systolic_mmhg"))
    for number, (rule, name) in enumerate(steps):
        then = at + timedelta(days=number)
        draft, _ = actions.propose_rule_change(
            rule, {"thresholds": {name: 165}}, version=f"step-{number}", note=WHY, by=admin_ann, at=then
        )
        protocol.approve(draft, by=admin_ben, at=then)
    found = thresholds(protocol.current(at=at + timedelta(days=2)))
    assert found.raised_below_systolic_mmhg == found.uncontrolled_from_systolic_mmhg == 165


def test_an_intake_that_was_sent_twice_is_one_case_with_its_last_answers(admin_ann, at, protocol_version):
    first = sent("Ada Person", protocol_version, at - timedelta(days=3), age=64)
    sent("", protocol_version, at - timedelta(days=1), age=40, intake=first.intake)
    _, run = actions.propose_rule_change(
        "E02",
        {"thresholds": {"older_adult_age_years": 60}},
        version="older-60",
        note=WHY,
        by=admin_ann,
        at=at,
    )
    assert (run.looked, run.changed) == (1, 0)


def test_a_large_practice_is_worked_off_in_batches_and_every_intake_is_seen_once(
    admin_ann, at, protocol_version, monkeypatch
):
    monkeypatch.setattr(rulebook, "BATCH", 4)
    monkeypatch.setattr(rulebook, "CASES_KEPT", 5)
    for number in range(11):
        # Three share an instant, so that the order within it matters.
        sent(f"P{number:02d} Person", protocol_version, at - timedelta(days=number // 3), age=62)
    draft, run = actions.propose_rule_change(
        "E02",
        {"thresholds": {"older_adult_age_years": 60}},
        version="older-60",
        note=WHY,
        by=admin_ann,
        at=at,
    )
    assert (run.looked, run.finished_at) == (4, None)
    with pytest.raises(Conflict):
        actions.start_dry_run(draft, by=admin_ann, at=at)
    assert [actions.continue_dry_runs(at=at) for _ in range(3)] == [4, 3, 0]
    run.refresh_from_db()
    assert (run.looked, run.changed, run.finished_at, run.stopped_at_limit) == (11, 11, at, False)
    assert DryRunCase.objects.filter(run=run).count() == 5


def test_a_run_ends_at_its_limit_and_says_so(admin_ann, at, protocol_version, monkeypatch):
    monkeypatch.setattr(rulebook, "BATCH", 2)
    monkeypatch.setattr(rulebook, "LONGEST_RUN", 4)
    for number in range(9):
        sent(f"P{number:02d} Person", protocol_version, at - timedelta(days=number))
    actions.propose_rule_change("E02", {"outcome": "exclude"}, version="out", note=WHY, by=admin_ann, at=at)
    actions.continue_dry_runs(at=at)
    run = DryRun.objects.get()
    assert (run.looked, run.stopped_at_limit, run.finished_at) == (4, True, at)


def test_the_page_of_a_dry_run_names_no_person(
    client_for, admin_ann, at, protocol_version, clock_at, query_budget
):
    case = sent("Ada Secretname", protocol_version, at, age=62)
    with clock_at(at):
        _, run = actions.propose_rule_change(
            "E02",
            {"thresholds": {"older_adult_age_years": 60}},
            version="older-60",
            note=WHY,
            by=admin_ann,
            at=at,
        )
        browser = client_for(admin_ann)
        address = reverse("admin:intake_dryrun_change", args=[run.pk])
        browser.get(address)
        with query_budget(8):
            page = browser.get(address).content.decode()
        assert str(case.intake_id)[:8] in page and "Secretname" not in page and "E02" in page
        response = browser.post(reverse("admin:intake_dryrun_of", args=[run.draft_id]))
        assert response.status_code == 302 and DryRun.objects.count() == 2
        assert browser.get(reverse("admin:intake_dryrun_change", args=[uuid.uuid4()])).status_code == 404
        assert browser.get("/admin/intake/dryrun/x/change/").status_code == 404
        assert browser.get(reverse("admin:intake_dryrun_changelist")).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_ten_who_send_at_once_are_ten_in_the_counts(at, protocol_version):
    rows = [sent(f"P{number} Person", protocol_version, at) for number in range(10)]
    gate = threading.Barrier(10)

    def count(row) -> None:
        try:
            gate.wait(timeout=20)
            count_rules(row.reasons, stage=Stage.INTAKE, protocol_id=row.protocol_id)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=count, args=[row]) for row in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts() == {"ALL": 10, "E71": 10}


def test_nobody_else_opens_the_rules(client_for, dana, cole, alice, protocol_version):
    for user in (dana, cole, alice):
        for name, args in (("intake_rule", ["E01"]), ("intake_dryrun_of", [protocol_version.pk])):
            assert client_for(user).get(reverse(f"admin:{name}", args=args)).status_code in (302, 403, 404)


def test_a_number_that_is_no_rule_is_no_page(client_for, admin_ann, protocol_version):
    assert access.rule_row(protocol_version, "E99") is None
    assert client_for(admin_ann).get(reverse("admin:intake_rule", args=["E99"])).status_code == 404


def test_every_fact_and_every_number_of_the_rules_has_one_name_that_people_read():
    from dataclasses import fields

    from intake.rules import FACTS, Thresholds
    from intake.wording import _names

    wanted = {
        "facts": {fact.name for fact in FACTS},
        "numbers": {field.name for field in fields(Thresholds)} - {"version", "outcomes"},
    }
    for kind, names in wanted.items():
        found = _names()[kind]
        assert set(found) == names
        assert len(set(found.values())) == len(found)
        assert not [
            words for words in found.values() if "_" in words or not words.strip() or words != words.strip()
        ]


def test_the_rules_page_names_facts_and_numbers_in_words_and_strings_nothing_together_with_a_stray_comma(
    client_for, admin_ann, protocol_version
):
    from intake.rules import FACTS

    client = client_for(admin_ann)
    pages = [client.get(reverse("admin:intake_rulecount_changelist")).content.decode()]
    pages.append(client.get(reverse("admin:intake_rule", args=["E51"])).content.decode())
    for page in pages:
        text = re.sub(
            r"<script.*?</script>|<style.*?</style>|</?(strong|em|a|span)\b[^>]*>", "", page, flags=re.S
        )
        read = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))
        assert " , " not in read
        assert [fact.name for fact in FACTS if "_" in fact.name and fact.name in read] == []
        assert "AUDIT-C positive for men from" in read
    assert "absolute: nobody signs against it" in pages[0] and "bladder symptoms, counted" in pages[0]
