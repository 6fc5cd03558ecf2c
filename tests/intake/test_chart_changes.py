"""The chart when it is opened again: what others changed is marked, what oneself did is not; one mark for each reader."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings

from common import audit
from intake import actions
from intake.access.changes import news_words
from intake.access.chart import chart_of
from intake.models import ChartView, ClearanceRequest
from intake.rules.documents import document
from intake.views.chart import SECTIONS
from tests.conftest import a_psychiatrist
from tests.intake.builders import a_claimed_intake, an_accepted_intake, plain_answers
from tests.intake.test_documents import a_file

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("protocol_version")]


def page(client_for, user, patient_id) -> str:
    response = client_for(user).get(f"/chart/{patient_id}/")
    assert response.status_code == 200
    return response.content.decode()


def new_part(text: str) -> str:
    """The card of what is new, without its tags."""
    found = re.search(r'<div id="new".*?(?=<div class="split">)', text, re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found[0])) if found else ""


def rules_part(text: str) -> str:
    """The card of what speaks against, or needs a look."""
    return text.split('<div id="rules"')[1].split('<div id="medicines"')[0]


def test_the_first_look_marks_nothing(client_for, dana, alice, at, clock_at):
    intake = a_claimed_intake(alice, dana, at)
    with clock_at(at + timedelta(minutes=12)):
        text = page(client_for, dana, intake.patient_id)
    assert new_part(text) == "" and ">new<" not in text
    assert ChartView.objects.get().since_at is None


def test_what_the_patient_changed_is_marked_with_old_and_new(client_for, dana, alice, at, clock_at):
    intake = a_claimed_intake(alice, dana, at)
    with clock_at(at + timedelta(minutes=12)):
        page(client_for, dana, intake.patient_id)
    actions.decide(
        intake, "ask_more", by=dana, at=at + timedelta(minutes=15), items=["body"], letter="Which eye doctor?"
    )
    intake.refresh_from_db()
    later = at + timedelta(days=1)
    with clock_at(later):
        changed = plain_answers("body", glaucoma="controlled")
        from intake.forms import step_form
        from intake.rules.steps import intake_steps

        form = step_form(next(step for step in intake_steps() if step.id == "body"))(changed, on=at.date())
        assert form.is_valid(), form.errors
        intake = actions.save_step(
            intake, "body", form.answers(), version=intake.answers["body"]["version"], by=alice, at=later
        )
        intake.refresh_from_db()
        actions.submit(intake, by=alice, at=later)
    actions.claim(intake.pk, by=dana, at=later + timedelta(minutes=1))
    with clock_at(later + timedelta(minutes=2)):
        new = new_part(page(client_for, dana, intake.patient_id))
    assert "laucoma" in new and "Alice Lindqvist sent the intake" in new
    assert "signed a decision" not in new  # her own


def test_medicines_scores_and_readings_of_others_are_marked_and_ones_own_are_not(
    client_for, dana, alice, at, clock_at
):
    intake = an_accepted_intake(alice, dana, at)
    with clock_at(at + timedelta(minutes=30)):
        page(client_for, dana, intake.patient_id)
    later = at + timedelta(hours=3)
    actions.add_medicine(intake.patient, name="Nardil", dose_text="", by=alice, at=later)
    with clock_at(later + timedelta(hours=1)):
        text = page(client_for, dana, intake.patient_id)
    assert "Alice Lindqvist added a medicine" in new_part(text)
    assert re.search(r"Nardil[^N]{0,600}</svg>new<", text)
    # Her own act leaves no mark at her next look.
    actions.settle(intake.patient, note="Stopped long ago.", by=dana, at=later + timedelta(hours=2))
    with clock_at(later + timedelta(hours=9)):
        assert "Nothing new by anybody else" in new_part(page(client_for, dana, intake.patient_id))


def test_looks_close_together_are_one_look(dana, alice, at):
    intake = a_claimed_intake(alice, dana, at)
    look = [
        actions.remember_look(intake.patient, intake, by=dana, at=at + timedelta(minutes=minutes)).since_at
        for minutes in (0, 20, 40, 71, 75)
    ]
    assert look == [None, None, None, at + timedelta(minutes=40), at + timedelta(minutes=40)]


def test_each_reader_has_a_place_of_their_own(dana, alice, at):
    intake = a_claimed_intake(alice, dana, at)
    nora = a_psychiatrist("Nora Fields", "CA")
    actions.remember_look(intake.patient, intake, by=dana, at=at)
    assert actions.remember_look(intake.patient, intake, by=nora, at=at + timedelta(days=1)).since_at is None
    assert actions.remember_look(intake.patient, intake, by=dana, at=at + timedelta(days=1)).since_at == at


def test_an_act_of_another_shows_and_the_same_act_of_ones_own_does_not(dana, alice, cole, at):
    intake = an_accepted_intake(alice, dana, at)
    later = at + timedelta(hours=1)
    actions.add_medicine(intake.patient, name="Zoloft", dose_text="", by=alice, at=later)
    for reader in (dana, alice, cole):
        actions.remember_look(intake.patient, intake, by=reader, at=at + timedelta(minutes=25))
    words = {
        reader: [
            one.words
            for one in actions.remember_look(
                intake.patient, intake, by=reader, at=later + timedelta(hours=1)
            ).news
        ]
        for reader in (dana, alice, cole)
    }
    assert "added a medicine" in words[dana] and "added a medicine" in words[cole]
    assert "added a medicine" not in words[alice]


def test_everything_that_counts_as_news_is_something_that_is_recorded():
    """A key of another spelling would be news that never comes."""
    apps = [Path(settings.BASE_DIR / app) for app in ("accounts", "coaching", "consults", "intake", "measures", "safety", "sessions", "vitals")]  # fmt: skip
    written = " ".join(path.read_text() for app in apps for path in app.rglob("*.py"))
    assert [action for action in news_words() if f'"{action}"' not in written] == []


def test_a_document_that_a_colleague_read_is_news(dana, alice, other_psychiatrist, at):
    intake = a_claimed_intake(alice, dana, at)
    actions.remember_look(intake.patient, intake, by=dana, at=at + timedelta(minutes=12))
    audit.record(
        "document.read",
        by=other_psychiatrist,
        at=at + timedelta(minutes=20),
        about=intake,
        patient_id=alice.pk,
    )
    look = actions.remember_look(intake.patient, intake, by=dana, at=at + timedelta(hours=2))
    assert [one.words for one in look.news] == ["read a document"]


def test_a_rule_that_became_true_since_the_last_look_is_marked_and_the_others_are_not(
    client_for, dana, alice, at, clock_at
):
    intake = an_accepted_intake(alice, dana, at, bp=(146, 88))
    with clock_at(at + timedelta(minutes=30)):
        assert ">new<" not in rules_part(page(client_for, dana, intake.patient_id))
    actions.add_medicine(intake.patient, name="Xanax", dose_text="", by=alice, at=at + timedelta(hours=1))
    with clock_at(at + timedelta(hours=3)):
        marked = re.findall(
            r"<li>(.*?)</li>", rules_part(page(client_for, dana, intake.patient_id)), re.DOTALL
        )
    assert {re.search(r"E\d\d", line)[0]: ">new<" in line for line in marked} == {
        "E29": False,
        "E58": True,
        "E69": False,
    }


def test_reading_the_chart_keeps_the_claim(client_for, dana, alice, at, clock_at):
    intake = a_claimed_intake(alice, dana, at)
    before = intake.claim_expires_at
    with clock_at(at + timedelta(minutes=30)):
        page(client_for, dana, intake.patient_id)
    intake.refresh_from_db()
    assert intake.claim_expires_at == before + timedelta(minutes=20)


def test_the_chart_opened_again_with_everything_new_needs_twelve_queries_at_most(
    client_for, dana, alice, at, clock_at, query_budget
):
    intake = a_claimed_intake(alice, dana, at, medicines=("Zoloft",))
    with clock_at(at + timedelta(minutes=12)):
        page(client_for, dana, intake.patient_id)
    actions.add_medicine(intake.patient, name="Xanax", dose_text="", by=alice, at=at + timedelta(minutes=50))
    with clock_at(at + timedelta(hours=3)):
        browser = client_for(dana)
        browser.get("/queue/")
        with query_budget(12):
            text = browser.get(f"/chart/{intake.patient_id}/").content.decode()
    assert "Alice Lindqvist added a medicine" in new_part(text)


def test_papers_and_a_withdrawal_are_told_at_the_next_look_within_twelve_queries(
    client_for, dana, alice, at, clock_at, query_budget
):
    """Documents, a specialist's answer, the right to stop: each is news, and the last stands on top of the chart."""
    intake = a_claimed_intake(alice, dana, at, cardiac_history="yes")
    ask = at + timedelta(minutes=15)
    actions.decide(
        intake, "clearance", by=dana, at=ask, items=("cardiology",), letter="Please ask your cardiologist."
    )
    with clock_at(at + timedelta(minutes=20)):
        assert "Consent was withdrawn" not in page(client_for, dana, intake.patient_id)
    later = at + timedelta(hours=3)
    asked = ClearanceRequest.objects.get()
    for kind, about in (("specialist_letter", asked), ("result", None)):
        actions.upload_document(
            alice.patient, kind=kind, upload=a_file(), clearance=about, by=alice, at=later
        )
    actions.withdraw_consent(alice.patient, what="consent", by=alice, at=later)
    with clock_at(later + timedelta(hours=1)):
        browser = client_for(dana)
        browser.get("/queue/")
        with query_budget(12):
            text = browser.get(f"/chart/{intake.patient_id}/").content.decode()
    new = new_part(text)
    assert "Alice Lindqvist sent 2 documents" in new and "withdrew consent" in new
    assert "a specialist" in new
    assert "Consent was withdrawn on" in text.split('aria-label="On this page"')[0]


def test_the_notice_of_a_withdrawal_goes_when_they_sign_again(client_for, dana, alice, at, clock_at):
    intake = a_claimed_intake(alice, dana, at)
    shown = []
    for minute, act in ((20, "withdraw"), (30, "sign"), (40, "withdraw")):
        now = at + timedelta(minutes=minute)
        if act == "withdraw":
            actions.withdraw_consent(alice.patient, what="consent", by=alice, at=now)
        else:
            text = document("treatment-consent", "CA")
            actions.sign_consent(
                alice.patient, text, sha256=text.sha256, signed_name="Alice Lindqvist", acknowledged=text.acknowledge,
                by=alice, at=now,
            )  # fmt: skip
        found = chart_of(intake.patient)
        shown.append(found.withdrawn_at)
    assert shown == [at + timedelta(minutes=20), None, at + timedelta(minutes=40)]


def test_whoever_holds_the_claim_finds_the_way_to_the_messages(client_for, dana, alice, at, clock_at):
    intake = a_claimed_intake(alice, dana, at)
    with clock_at(at + timedelta(minutes=12)):
        text = page(client_for, dana, intake.patient_id)
        address = re.search(
            r'href="(/[^"]*)"[^>]*>Messages</a>', text.split('aria-label="About this person"')[1]
        )
        assert client_for(dana).get(address[1]).status_code == 200


def test_every_section_is_on_the_page_with_a_key_of_its_own_and_a_link(client_for, dana, alice, at, clock_at):
    intake = a_claimed_intake(alice, dana, at)
    with clock_at(at + timedelta(minutes=12)):
        page(client_for, dana, intake.patient_id)
    with clock_at(at + timedelta(hours=3)):
        text = page(client_for, dana, intake.patient_id)
    found = re.findall(r'data-key="([^"]+)"', text)
    assert len(found) == len(set(found)) and not {"j", "k", "/"} & set(found)
    for key, anchor, _ in SECTIONS:
        assert f'href="#{anchor}" data-key="{key}"' in text and f'id="{anchor}"' in text
    assert "js/chart.js" in text
