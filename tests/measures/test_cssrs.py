"""A clinician's C-SSRS result: who may sign it, what it sets in motion, and that it never takes anything back."""

import json
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import DatabaseError, transaction

from accounts.step_up import METHODS_KEY
from common.errors import Conflict, Invalid, NotPermitted
from intake.access import facts_of
from intake.models import EligibilityEvaluation
from measures.actions import record_cssrs
from measures.models import CssrsResult
from measures.rules import RiskLevel, cssrs_level, facts_of_result
from safety.actions import acknowledge, clear_hold, close
from safety.models import Alert, SafetyHold
from tests.intake.builders import a_claimed_intake, an_accepted_intake


def sign(alice, dana, at, level=0, behaviour="none", **fields):
    fields = {"assessed_on": at.date(), "form": "screener", "note": "", **fields}
    return record_cssrs(
        alice.patient, ideation_level=level, behaviour=behaviour, by=fields.pop("by", dana), at=at, **fields
    )


@pytest.mark.parametrize(
    ("level", "behaviour", "risk"),
    [
        (0, "none", "none"),
        (1, "none", "low"),
        (2, "none", "low"),
        (3, "none", "moderate"),
        (4, "none", "high"),
        (5, "none", "high"),
        (0, "lifetime", "moderate"),
        (2, "lifetime", "moderate"),
        (4, "lifetime", "high"),
        (0, "last_3_months", "high"),
        (5, "last_3_months", "high"),
    ],
)
def test_each_result_is_one_level(level, behaviour, risk):
    assert cssrs_level(level, behaviour) is RiskLevel(risk)


@pytest.mark.parametrize("level", [-1, 6])
def test_there_is_no_other_ideation_level(level):
    with pytest.raises(ValueError, match=str(level)):
        cssrs_level(level, "none")


def test_a_result_adds_what_was_found_to_the_facts_and_never_a_no():
    assert facts_of_result(0, "none") == {}
    assert facts_of_result(4, "lifetime") == {"cssrs_q4": "yes", "cssrs_q6_life": "yes"}
    assert facts_of_result(0, "last_3_months") == {"cssrs_q6_life": "yes", "cssrs_q6_3mo": "yes"}


def test_the_licensed_questions_are_not_shipped():
    """The text of the C-SSRS is copyrighted: its data holds no question at all."""
    data = json.loads((Path(django_settings.BASE_DIR) / "measures/data/cssrs.json").read_text())
    assert "questions" not in data and "items" not in data
    assert not [row for row in (*data["forms"], *data["behaviour"]) if "?" in row["label"]]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("level", "behaviour", "trigger", "severity", "minutes", "contact_minutes"),
    [
        (0, "none", None, None, None, None),
        (1, "none", "X03", 2, 240, 1440),
        (3, "none", "X03", 3, 240, 240),
        (4, "none", "X02", 4, 5, 15),
        (0, "lifetime", "X03", 3, 240, 240),
        (0, "last_3_months", "X02", 4, 5, 15),
    ],
)
def test_a_result_alerts_with_the_clock_of_its_level_and_holds_doses(
    alice, dana, at, protocol_version, level, behaviour, trigger, severity, minutes, contact_minutes
):
    """HZ-08."""
    sign(alice, dana, at, level, behaviour)
    found = [
        (
            a.trigger,
            a.severity,
            (a.acknowledge_by_at - a.opened_at) / timedelta(minutes=1),
            (a.contact_by_at - a.opened_at) / timedelta(minutes=1),
        )
        for a in Alert.objects.all()
    ]
    assert found == ([] if trigger is None else [(trigger, severity, minutes, contact_minutes)])
    assert SafetyHold.objects.filter(reason_code="suicide_risk").exists() is (trigger is not None)


@pytest.mark.django_db
def test_a_worse_result_pages_again_although_the_earlier_alert_was_taken(alice, dana, at, protocol_version):
    sign(alice, dana, at, 2)
    acknowledge(Alert.objects.get(), by=dana, at=at)
    sign(alice, dana, at + timedelta(hours=1), 4)
    alert = Alert.objects.get()
    assert (alert.trigger, alert.severity, alert.state, alert.signs) == ("X02", 4, "open", 2)


@pytest.mark.django_db
def test_a_result_of_zero_clears_nothing(alice, dana, at, protocol_version):
    """HZ-27: it adds."""
    sign(alice, dana, at, 4)
    sign(alice, dana, at + timedelta(days=1), 0)
    assert Alert.objects.get().state == "open"
    assert SafetyHold.objects.get().cleared_at is None


@pytest.mark.django_db
def test_only_a_psychiatrist_of_hers_signs(
    alice, dana, cole, admin_ann, other_psychiatrist, at, protocol_version
):
    for other in (cole, admin_ann, other_psychiatrist, alice):
        with pytest.raises(NotPermitted):
            sign(alice, dana, at, 0, by=other)
    assert not CssrsResult.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "wrong",
    [
        {"level": 6},
        {"level": -1},
        {"behaviour": "once"},
        {"form": "other"},
        {"intensity_total": 26},
        {"intensity_total": -1},
        {"note": "x" * 10_001},
        {"days": 2},
    ],
)
def test_what_cannot_be_is_refused(alice, dana, at, protocol_version, wrong):
    fields = {"assessed_on": at.date() + timedelta(days=wrong.pop("days", 0)), **wrong}
    with pytest.raises(Invalid):
        sign(alice, dana, at, **fields)
    assert not CssrsResult.objects.exists() and not Alert.objects.exists()


@pytest.mark.django_db
def test_a_signed_result_stays_and_is_corrected_once_by_a_further_one(alice, dana, at, protocol_version):
    wrong = sign(alice, dana, at, 4, note="mistyped")
    for spoil in (lambda: CssrsResult.objects.update(ideation_level=0), wrong.delete):
        with pytest.raises(DatabaseError), transaction.atomic():
            spoil()
    right = sign(alice, dana, at, 2, corrects=wrong)
    wrong.refresh_from_db()
    assert wrong.ideation_level == 4 and wrong.corrected_by == right
    with pytest.raises(Conflict):
        sign(alice, dana, at, 0, corrects=wrong)
    assert Alert.objects.get().severity == 4  # what was raised stays


@pytest.mark.django_db
def test_postgresql_refuses_intent_that_is_called_less_than_high(alice, dana, at):
    row = {"patient": alice.patient, "assessed_on": at.date(), "form": "full", "result_version": "x",
           "signed_by": dana, "signed_at": at}  # fmt: skip
    for wrong in (
        {"ideation_level": 4, "behaviour": "none"},
        {"ideation_level": 0, "behaviour": "last_3_months"},
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            CssrsResult.objects.create(**row, **wrong, risk_level="moderate")


@pytest.mark.django_db
def test_after_acceptance_a_finding_opens_eligibility_again(alice, dana, at, protocol_version):
    """HZ-12: E19 from a clinician's interview, beside what the person answered."""
    intake = an_accepted_intake(alice, dana, at)
    sign(alice, dana, at + timedelta(days=1), 4)
    newest = EligibilityEvaluation.objects.filter(patient=alice.patient).latest("at")
    assert "E19" in newest.reasons and newest.cause == "reopened"
    facts = facts_of(intake, at=at + timedelta(days=1), version=protocol_version)
    assert facts["cssrs_q4"] == "yes" and facts["cssrs_q1"] == "no"


@pytest.mark.django_db
def test_a_corrected_entry_no_longer_speaks_in_the_facts(alice, dana, at, protocol_version):
    intake = a_claimed_intake(alice, dana, at)
    wrong = sign(alice, dana, at + timedelta(hours=1), 5)
    sign(alice, dana, at + timedelta(hours=2), 1, corrects=wrong)
    facts = facts_of(intake, at=at + timedelta(hours=2), version=protocol_version)
    assert (facts["cssrs_q1"], facts["cssrs_q5"]) == ("yes", "no")


# --- who lets doses go on -----------------------------------------------------------------------------


@pytest.mark.django_db
def test_nobody_but_her_psychiatrist_lets_doses_go_on_and_only_with_a_note(
    alice, dana, cole, admin_ann, other_psychiatrist, at, protocol_version
):
    """HZ-09, PR-05."""
    sign(alice, dana, at, 2)
    hold, alert = SafetyHold.objects.get(), Alert.objects.get()
    acknowledge(alert, by=dana, at=at)
    close(alert, by=dana, at=at, disposition="contacted_safe", note="We talked at length.")
    for other in (cole, admin_ann, other_psychiatrist, alice):
        with pytest.raises(NotPermitted):
            clear_hold(hold, by=other, at=at, note="All is well again.")
    for note in ("", "  ", "ok"):
        with pytest.raises(Invalid):
            clear_hold(hold, by=dana, at=at, note=note)
    assert clear_hold(hold, by=dana, at=at, note="Talked, plan written.").cleared_by == dana


# --- the page -----------------------------------------------------------------------------------------


def filled(**changes):
    return {"intent": str(uuid.uuid4()), "assessed_on": "2026-11-22", "form": "full", "ideation_level": "2",
            "behaviour": "none", "intensity_total": "", "note": "calm", **changes}  # fmt: skip


@pytest.mark.django_db
def test_she_signs_on_the_page_and_reads_what_was_signed(
    client_for, alice, dana, at, clock_at, protocol_version
):
    with clock_at(at):
        browser = client_for(dana)
        form = filled()
        assert browser.post(f"/c-ssrs/{alice.pk}/", form).status_code == 302
        browser.post(f"/c-ssrs/{alice.pk}/", form)  # the same form again
        text = browser.get(f"/c-ssrs/{alice.pk}/").content.decode()
    row = CssrsResult.objects.get()
    assert "level 2" in text and "calm" in text and f"corrects={row.pk}" in text


@pytest.mark.django_db
@pytest.mark.parametrize("field", ["assessed_on", "form", "ideation_level", "behaviour"])
def test_what_is_left_out_is_asked_for_and_nothing_typed_is_lost(
    client_for, alice, dana, at, clock_at, field
):
    with clock_at(at):
        answer = client_for(dana).post(f"/c-ssrs/{alice.pk}/", filled(**{field: "", "note": "long thoughts"}))
    assert answer.status_code == 422 and "long thoughts" in answer.content.decode()
    assert not CssrsResult.objects.exists()


@pytest.mark.django_db
def test_signing_asks_for_the_second_factor_again(client_for, alice, dana, at, protocol_version):
    """PR-11."""
    browser = client_for(dana)
    session = browser.session
    for method in session[METHODS_KEY]:
        method["at"] -= 6 * 60
    session.save()
    answer = browser.post(f"/c-ssrs/{alice.pk}/", filled())
    assert answer.status_code == 302 and "/accounts/" in answer["Location"]
    assert not CssrsResult.objects.exists()


@pytest.mark.django_db
def test_an_entry_of_somebody_else_cannot_be_corrected_here(
    client_for, alice, dana, stranger_patient, at, clock_at, protocol_version
):
    from accounts.models import CareTeam

    CareTeam.objects.filter(pk=stranger_patient.pk).update(psychiatrist=dana)
    row = sign(stranger_patient, dana, at, 0)
    with clock_at(at):
        answer = client_for(dana).post(f"/c-ssrs/{alice.pk}/", filled(corrects=str(row.pk)))
    assert answer.status_code == 404 and CssrsResult.objects.count() == 1


@pytest.mark.django_db
def test_the_page_stays_within_its_budget(
    client_for, alice, dana, at, clock_at, query_budget, protocol_version
):
    for day in range(20):
        sign(alice, dana, at + timedelta(minutes=day), 0)
    with clock_at(at + timedelta(days=30)):
        browser = client_for(dana)
        browser.get(f"/c-ssrs/{alice.pk}/")
        with query_budget(14):
            browser.get(f"/c-ssrs/{alice.pk}/")
