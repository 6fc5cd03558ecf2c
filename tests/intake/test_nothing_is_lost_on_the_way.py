"""Between a question and its answer, a claim and its signature: what nobody answers comes back, what was typed stays."""

import uuid
from collections import Counter
from datetime import timedelta

import pytest

from accounts.actions import update_patient
from accounts.models import Licence, Patient
from common import protocol
from common.errors import Conflict, Invalid, NotVisible
from intake import access, actions, states
from intake.models import ClearanceRequest, Decision, Intake
from notify.models import OutboxMessage
from safety.models import Task
from tests.conftest import a_psychiatrist
from tests.intake.builders import a_claimed_intake, a_submitted_intake
from tests.intake.test_clearance import asked, intake_of
from tests.intake.test_races import all_at_once
from tests.intake.test_review_pages import post

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("protocol_version")]
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def asks(dana, alice, at, **more):
    intake = a_claimed_intake(alice, dana, at)
    decided = {"items": ["heart"], "letter": "When was it?", **more}
    actions.decide(intake, "ask_more", by=dana, at=at + 15 * MINUTE, **decided)
    intake.refresh_from_db()
    return intake


# --- a question that nobody answers -------------------------------------------------------------------------------------


def test_a_question_nobody_answers_is_the_practices_move_from_the_day_after_where_the_patient_lives(
    client_for, alice, dana, other_psychiatrist, at, clock_at
):
    intake = asks(dana, alice, at, due_on=(at + 7 * DAY).date())  # November 30 in Los Angeles
    last_minute = at + 7 * DAY + timedelta(hours=14, minutes=59)
    with pytest.raises(Conflict):
        actions.claim(intake.pk, by=dana, at=last_minute)
    with clock_at(last_minute + MINUTE):
        browser = client_for(dana)
        text = browser.get("/work/").content.decode()
        assert "No answer to your question: ask again" in text and f"/queue/{intake.pk}/" in text
        shown = browser.get(f"/queue/{intake.pk}/").content.decode()
        assert "Asked for an answer by November 30, 2026" in shown
        assert client_for(other_psychiatrist).get(f"/queue/{intake.pk}/").status_code == 404
        assert post(browser, f"/queue/{intake.pk}/")["Location"] == f"/chart/{alice.pk}/"
        assert browser.get(f"/chart/{alice.pk}/").status_code == 200
    intake.refresh_from_db()
    assert (intake.state, intake.claimed_by) == (states.CLAIMED, dana)


def test_it_is_then_decided_or_asked_again_and_put_back_it_waits_in_the_queue(alice, dana, at):
    intake = asks(dana, alice, at)
    later = at + 30 * DAY
    actions.claim(intake.pk, by=dana, at=later)
    actions.decide(
        intake, "ask_more", by=dana, at=later + MINUTE, items=["body"], letter="Once more, please."
    )
    assert intake_of(alice).state == states.MORE_INFO
    actions.claim(intake.pk, by=dana, at=later + 30 * DAY)
    actions.release_claim(intake, by=dana, at=later + 30 * DAY + MINUTE)
    rows, _ = access.queue_page(access.states_today(dana, later), at=later + 31 * DAY)
    assert [row["id"] for row in rows] == [intake.pk]


def test_what_a_specialist_was_asked_ends_with_a_decision_without_it(client_for, alice, dana, at, clock_at):
    """Task, reminder and question go; the patient is told that nobody waits, and may be asked by the same specialty again."""
    found = asked(alice, dana, at)
    actions.claim(found.intake_id, by=dana, at=at + 60 * DAY)
    decision = {"items": ("cardiology",), "letter": "Please try once more."}
    actions.decide(intake_of(alice), "clearance", by=dana, at=at + 60 * DAY + MINUTE, **decision)
    found.refresh_from_db()
    assert found.cancelled_at == at + 60 * DAY + MINUTE and not found.cancelled_by_patient
    assert Task.objects.get(about_id=found.pk).done_at is not None
    assert ClearanceRequest.objects.filter(cancelled_at=None, answered_at=None).count() == 1
    with clock_at(at + 61 * DAY):
        text = client_for(alice).get(f"/clearance/{found.pk}/").content.decode()
    assert "Nobody waits for this letter any more" in text and "You said that" not in text


def test_whoever_takes_the_intake_back_is_reminded_of_nothing_and_nobody_waits(alice, dana, at):
    found = asked(alice, dana, at)
    actions.withdraw(intake_of(alice), by=alice, at=at + DAY)
    found.refresh_from_db()
    assert found.cancelled_at == at + DAY
    assert Task.objects.get(kind="clearance_awaited").done_at == at + DAY
    assert {row.state for row in OutboxMessage.objects.filter(kind="intake_reminder")} == {"cancelled"}


# --- somebody who moves, rules that change, a licence that ends ---------------------------------------------------------


def test_whoever_moves_while_the_intake_waits_is_read_where_they_are_now(alice, dana, at):
    """HZ-12: another state means another queue, the rule of that state, and no decision under the licence of the old one."""
    intake = a_submitted_intake(alice, at)
    other = a_psychiatrist("Nora Fields", "NV")
    update_patient(Patient.objects.get(pk=alice.pk), by=alice, at=at + HOUR, state="NV")
    intake.refresh_from_db()
    assert intake.care_state == "NV" and "E03" not in intake.reasons
    with pytest.raises(NotVisible):
        actions.claim(intake.pk, by=dana, at=at + 2 * HOUR)
    actions.claim(intake.pk, by=other, at=at + 2 * HOUR)
    update_patient(Patient.objects.get(pk=alice.pk), by=alice, at=at + 2 * HOUR + MINUTE, state="FL")
    # Whoever held it is not licensed where they are now, so it waits for somebody who is.
    with pytest.raises(Conflict):
        actions.decide(intake, "accept", by=other, at=at + 2 * HOUR + 2 * MINUTE)
    intake.refresh_from_db()
    assert intake.care_state == "FL" and "E03" in intake.reasons


def test_taking_an_intake_asks_the_rules_that_are_in_force_now(alice, dana, admin_ann, admin_ben, at):
    """HZ-28: a version approved while it waited is what the chart shows and what a decision sees."""
    intake = a_submitted_intake(alice, at, bp=(135, 85))
    assert "E29" not in intake.reasons
    data = protocol.from_files()
    rule = next(row for row in data["eligibility"]["rules"] if row["id"] == "E29")
    rule["thresholds"]["raised_from_systolic_mmhg"] = 130
    protocol.approve(
        protocol.propose(version="stricter", data=data, by=admin_ann, at=at), by=admin_ben, at=at + HOUR
    )
    taken = actions.claim(intake.pk, by=dana, at=at + 2 * HOUR)
    newest = access.latest_evaluation(intake.patient)
    assert "E29" in newest.reasons and newest.protocol.version == "stricter"
    assert "E29" in taken.reasons and taken.urgency == 1


def test_a_version_that_comes_into_force_while_the_letter_is_written_is_read_before_it_is_signed(
    client_for, alice, dana, admin_ann, admin_ben, at, clock_at
):
    """HZ-20, HZ-28."""
    a_claimed_intake(alice, dana, at, bp=(135, 85))
    address = f"/chart/{alice.pk}/decide/accept/"
    with clock_at(at + 15 * MINUTE):
        client = client_for(dana)
        client.get(address)
        seen = str(access.latest_evaluation(alice.patient).pk)
        data = protocol.from_files()
        rule = next(row for row in data["eligibility"]["rules"] if row["id"] == "E30")
        rule["thresholds"]["uncontrolled_from_systolic_mmhg"] = 130
        draft = protocol.propose(version="stricter", data=data, by=admin_ann, at=at)
        protocol.approve(draft, by=admin_ben, at=at + 14 * MINUTE)
        shown = post(client, address, {"seen": seen, "note": "A fine note, long enough."})
    assert shown.status_code == 409 and "True now: E30" in shown.content.decode()
    assert not Decision.objects.exists()


def test_a_licence_that_ends_between_opening_and_signing_signs_nothing(client_for, alice, dana, at, clock_at):
    a_claimed_intake(alice, dana, at)
    address = f"/chart/{alice.pk}/decide/accept/"
    with clock_at(at + 12 * MINUTE):
        client = client_for(dana)
        assert client.get(address).status_code == 200
        Licence.objects.filter(psychiatrist=dana, state="CA").update(expires_on=(at - DAY).date())
        seen = str(access.latest_evaluation(alice.patient).pk)
        answer = post(client, address, {"seen": seen, "note": "typed at length"})
        assert answer.status_code == 403 and "typed at length" in answer.content.decode()
        assert "not in force today" in answer.content.decode()
    assert not Decision.objects.exists()


# --- the claim ----------------------------------------------------------------------------------------------------------


def test_who_writes_longer_than_the_lease_signs_if_nobody_took_it_and_loses_no_word_if_somebody_did(
    client_for, alice, dana, at, clock_at
):
    nora = a_psychiatrist("Nora Fields", "CA")
    intake = a_claimed_intake(alice, nora, at)
    address = f"/chart/{alice.pk}/decide/ask_more/"
    seen = str(access.latest_evaluation(alice.patient).pk)
    form = {"items": ["heart"], "letter": "When was it? BP <90?", "note": "an hour of thought", "seen": seen}
    with clock_at(at + 12 * MINUTE):
        assert client_for(nora).get(address).status_code == 200
    actions.claim(intake.pk, by=dana, at=at + 90 * MINUTE)
    with clock_at(at + 91 * MINUTE):
        answer = post(client_for(nora), address, form)
        text = answer.content.decode()
        assert answer.status_code == 404 and "not in your hands" in text
        assert "When was it? BP &lt;90?" in text and "an hour of thought" in text and "Lindqvist" not in text
        assert post(client_for(nora), address).status_code == 404
    intake.refresh_from_db()
    actions.release_claim(intake, by=dana, at=at + 92 * MINUTE)
    actions.claim(intake.pk, by=nora, at=at + 93 * MINUTE)
    with clock_at(at + 190 * MINUTE):
        assert post(client_for(nora), address, form).status_code == 302
    assert Decision.objects.get().by == nora


def test_opening_the_decision_keeps_the_claim(client_for, alice, dana, at, clock_at):
    a_claimed_intake(alice, dana, at)
    with clock_at(at + 35 * MINUTE):
        client_for(dana).get(f"/chart/{alice.pk}/decide/decline/")
    assert Intake.objects.get().claim_expires_at == at + 65 * MINUTE


def test_after_the_decision_there_is_nothing_to_decide_and_a_second_tab_is_told_so(
    client_for, alice, dana, at, clock_at
):
    a_claimed_intake(alice, dana, at)
    address = f"/chart/{alice.pk}/decide/accept/"
    with clock_at(at + 15 * MINUTE):
        client = client_for(dana)
        seen = str(access.latest_evaluation(alice.patient).pk)
        assert post(client, address, {"seen": seen, "note": "one"}).status_code == 302
        second = post(client, address, {"seen": seen, "note": "two"})
        assert second.status_code == 409 and "two" in second.content.decode()
        assert client.get(address)["Location"] == f"/chart/{alice.pk}/"
    assert [one.note for one in Decision.objects.all()] == ["one"]


@pytest.mark.parametrize("reasons", [["E99"], ["zebra"], ["E23", "<b>"], []])
def test_a_decline_names_rules_or_reasons_there_are(alice, dana, at, reasons):
    intake = a_claimed_intake(alice, dana, at)
    with pytest.raises(Invalid):
        actions.decide(intake, "decline", by=dana, at=at + 15 * MINUTE, reasons=reasons, letter="Dear A")
    assert not Decision.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_twenty_presses_of_sign_in_two_tabs_are_one_decision(client_for, alice, dana, at, clock_at):
    """PR-09: over HTTP, ten replays of each form; one is signed, nobody meets a 500."""
    a_claimed_intake(alice, dana, at)
    with clock_at(at + 15 * MINUTE):
        seen = str(access.latest_evaluation(alice.patient).pk)
        tabs = [str(uuid.uuid4()), str(uuid.uuid4())]
        browsers = [client_for(dana) for _ in range(12)]
        statuses = all_at_once(
            20,
            lambda n: (
                browsers[n % 12]
                .post(
                    f"/chart/{alice.pk}/decide/accept/",
                    {"intent": tabs[n % 2], "seen": seen, "note": "Fits."},
                )
                .status_code
            ),
        )
    assert set(statuses) <= {302, 409}, Counter(statuses)
    assert Decision.objects.count() == 1 and Intake.objects.get().state == "accepted"


# --- HZ-21: signs and numbers as they were typed ------------------------------------------------------------------------

HARD = "BP <90/60 lying, QTc > 450 ms & rising; 2.5 µg/kg, −3 °C, ½ tablet 😀 <script>1</script>"


def test_what_a_psychiatrist_writes_is_read_as_it_was_written(client_for, alice, dana, at, clock_at):
    """HZ-21: in the chart, on the patient's page, in the letter and its PDF: escaped, never stripped."""
    import html
    import io

    from pypdf import PdfReader

    found = asked(alice, dana, at, question=HARD, note=HARD)
    with clock_at(at + 2 * HOUR):
        browser = client_for(alice)
        assert HARD in html.unescape(browser.get(f"/clearance/{found.pk}/").content.decode())
        pdf = browser.get(f"/clearance/{found.pk}/letter/")
    said = " ".join(
        " ".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf.content)).pages).split()
    )
    assert "BP <90/60 lying, QTc > 450 ms & rising; 2.5 µg/kg, −3 °C, ½ tablet" in said
    assert "<script>1</script>" in said
    actions.cannot_be_answered(found, by=alice, at=at + DAY)
    actions.claim(found.intake_id, by=dana, at=at + DAY + MINUTE)
    with clock_at(at + DAY + 2 * MINUTE):
        chart = client_for(dana).get(f"/chart/{alice.pk}/").content.decode()
    assert HARD in html.unescape(chart) and "<script>1" not in chart


# --- ten years ----------------------------------------------------------------------------------------------------------


def test_the_chart_needs_twelve_queries_at_most_with_ten_years_of_history_too(
    client_for, alice, dana, at, clock_at, query_budget
):
    from bench.fill import _again
    from intake.models import EligibilityEvaluation, Medicine
    from measures.models import InstrumentResponse
    from vitals.models import Reading

    intake = a_claimed_intake(alice, dana, at, medicines=("Zoloft", "Xanax"))
    ended = Medicine.objects.get(rx_class="benzo")
    actions.end_medicine(ended, by=alice, at=at + 11 * MINUTE)
    for row, column, every in (
        (InstrumentResponse.objects.filter(instrument="phq9").latest("completed_at"), "completed_at", -1),
        (Reading.objects.latest("received_at"), "received_at", -0.5),
        (EligibilityEvaluation.objects.latest("at"), "at", -30),
        (ended, "started_at", -30),
    ):
        _again(row, column, every, -3_650)
    assert Reading.objects.count() > 7_000 and InstrumentResponse.objects.count() > 3_600
    with clock_at(at + 3 * HOUR):
        actions.claim(intake.pk, by=dana, at=at + 3 * HOUR)
        client = client_for(dana)
        client.get(f"/chart/{alice.pk}/")
        with query_budget(12):
            assert client.get(f"/chart/{alice.pk}/").status_code == 200
