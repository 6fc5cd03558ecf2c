"""Asking a specialist through the patient: a letter with no more than it needs, a date, a task, and the way back."""

import datetime as dt
import io
import uuid

import pytest
from pypdf import PdfReader

from common.errors import Conflict, Invalid, NotPermitted
from intake import access, actions, states
from intake.models import ClearanceRequest, Decision, Intake
from intake.paper import letter_pdf
from intake.rules.clearance import days_to_answer, specialties, suggested
from intake.rules.predicates import RULES
from notify.models import OutboxMessage
from safety.models import Task
from tests.intake.builders import a_claimed_intake
from tests.intake.test_documents import a_file

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("protocol_version")]
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


def asked(alice, dana, at, *, items=("cardiology",), **more) -> ClearanceRequest:
    """A heart condition that is stable (E27), and a letter to the cardiologist."""
    intake = a_claimed_intake(alice, dana, at, cardiac_history="yes", past_treatments="Sertraline for years")
    actions.decide(
        intake, Decision.Kind.ASK_CLEARANCE, by=dana, at=at + HOUR, items=items, letter="Please ask your cardiologist.", **more
    )  # fmt: skip
    return ClearanceRequest.objects.filter(patient_id=alice.pk).order_by("specialty").first()


def answers(alice, found, at):
    return actions.upload_document(
        alice.patient, kind="specialist_letter", upload=a_file(), clearance=found, by=alice, at=at
    )


def intake_of(alice) -> Intake:
    return Intake.objects.get(patient_id=alice.pk)


def test_every_specialty_names_rules_that_exist_and_the_suggestion_follows_them():
    known = {rule.id for rule in RULES} if not isinstance(RULES, dict) else set(RULES)
    assert all(set(one.rules) <= known for one in specialties().values())
    assert suggested(["E27", "E36"])[0] in ("cardiology", "neurology") and set(suggested(["E27"])) == {
        "cardiology"
    }
    assert suggested([]) == ()


def test_asking_writes_a_letter_a_task_a_reminder_and_gives_the_patient_the_pen(alice, dana, at):
    found = asked(alice, dana, at)
    intake = intake_of(alice)
    assert (intake.state, intake.more_info_items, intake.claimed_by) == (states.MORE_INFO, [], None)
    assert (
        found.rules == ["E27"]
        and found.due_on == (at + HOUR).date() + days_to_answer() * DAY == intake.more_info_due_on
    )
    task = Task.objects.get(kind="clearance_awaited")
    assert (task.owner_id, task.about_id) == (dana.pk, found.pk)
    # Due when that day is over where the patient lives.
    assert task.due_at == dt.datetime(2026, 12, 15, 8, tzinfo=dt.UTC)
    reminder = OutboxMessage.objects.get(kind="intake_reminder")
    assert reminder.due_at == dt.datetime(2026, 12, 11, 17, tzinfo=dt.UTC) and reminder.state == "scheduled"
    assert all(entry.get("complete") for entry in intake.answers.values() if entry)


def test_the_letter_holds_the_protocols_limits_and_nothing_of_the_chart_it_does_not_need(alice, dana, at):
    """HZ-21, PR-14: name, birth date, one condition; no score, no other medicine, no address, no history."""
    found = asked(alice, dana, at, question="Is an ECG of this year at hand?")
    for words in (
        "Alice Lindqvist",
        "April 2, 1988",
        "140/90",
        "160/100",
        "off-label",
        "Is an ECG of this year at hand?",
        str(dana),
    ):
        assert words in found.letter, words
    for secret in ("Sertraline", "PHQ", "depress", "Elm Street", "Maja", "suicid", "E27", "@"):
        assert secret not in found.letter, secret
    said = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(letter_pdf(found))).pages)
    for line in found.letter.split("\n"):
        plain = line.removeprefix("- ").removeprefix("[ ] ")
        assert " ".join(plain.split()) in " ".join(said.split())
    assert letter_pdf(found) == letter_pdf(found)


def test_the_answer_returns_the_intake_to_the_queue_and_settles_everything(alice, dana, at):
    found = asked(alice, dana, at)
    answers(alice, found, at + DAY)
    found.refresh_from_db()
    intake = intake_of(alice)
    assert found.answered_at == at + DAY
    assert (intake.state, intake.more_info_due_on) == (states.SUBMITTED, None)
    assert Task.objects.get(kind="clearance_awaited").done_at == at + DAY
    assert OutboxMessage.objects.get(kind="intake_reminder").state == "cancelled"
    assert [one.clearance_id for one in access.documents_of(alice.patient)] == [found.pk]


def test_with_two_letters_the_intake_waits_for_both_and_cannot_be_sent_before(alice, dana, at):
    asked(alice, dana, at, items=("cardiology", "primary_care"))
    first, second = ClearanceRequest.objects.order_by("specialty")
    answers(alice, first, at + DAY)
    assert intake_of(alice).state == states.MORE_INFO
    with pytest.raises(Invalid, match="still awaited"):
        actions.submit(intake_of(alice), by=alice, at=at + DAY)
    answers(alice, second, at + 2 * DAY)
    assert intake_of(alice).state == states.SUBMITTED
    # A further page of the same answer is kept and changes nothing else.
    answers(alice, ClearanceRequest.objects.get(pk=first.pk), at + 3 * DAY)
    assert intake_of(alice).state == states.SUBMITTED


def test_a_letter_that_cannot_be_had_is_said_and_the_intake_goes_back(client_for, alice, dana, at, clock_at):
    found = asked(alice, dana, at)
    with clock_at(at + DAY):
        browser = client_for(alice)
        intent = str(uuid.uuid4())
        for _ in range(2):
            assert browser.post(f"/clearance/{found.pk}/cannot/", {"intent": intent}).status_code == 302
        assert "You said that you cannot get it" in browser.get(f"/clearance/{found.pk}/").content.decode()
    found.refresh_from_db()
    assert found.cancelled_at == at + DAY and intake_of(alice).state == states.SUBMITTED
    with pytest.raises(Conflict):
        actions.cannot_be_answered(found, by=alice, at=at + DAY)


def test_only_the_patient_says_so_and_only_a_psychiatrist_asks(alice, dana, cole, at):
    found = asked(alice, dana, at)
    with pytest.raises(NotPermitted):
        actions.cannot_be_answered(found, by=dana, at=at)
    with pytest.raises(NotPermitted):
        actions.ask_for_clearance(intake_of(alice), found.decision, by=cole, at=at)


@pytest.mark.parametrize(("days", "taken"), [(-1, False), (0, False), (1, True), (180, True), (181, False)])
@pytest.mark.parametrize("kind", ["clearance", "ask_more"])
def test_the_day_asked_for_is_to_come_and_not_too_far(alice, dana, at, kind, days, taken):
    intake = a_claimed_intake(alice, dana, at)
    items = ["cardiology"] if kind == "clearance" else ["heart"]
    due_on = at.date() + days * DAY

    def ask():
        return actions.decide(
            intake, kind, by=dana, at=at + HOUR, items=items, letter="Please.", due_on=due_on
        )

    if taken:
        ask()
        assert intake_of(alice).more_info_due_on == due_on
    else:
        with pytest.raises(Invalid) as refused:
            ask()
        assert "due_on" in refused.value.fields
        assert intake_of(alice).state == states.CLAIMED and not Decision.objects.exists()


@pytest.mark.parametrize("items", [[], ["astrology"], ["cardiology", "heart"]])
def test_a_specialist_is_one_we_know(alice, dana, at, items):
    intake = a_claimed_intake(alice, dana, at)
    with pytest.raises(Invalid):
        actions.decide(intake, "clearance", by=dana, at=at, items=items, letter="Please.")
    assert not ClearanceRequest.objects.exists()


def test_asking_for_more_names_pages_and_a_day_reminds_once_and_ends_with_sending(alice, dana, at):
    intake = a_claimed_intake(alice, dana, at)
    actions.decide(
        intake,
        "ask_more",
        by=dana,
        at=at + HOUR,
        items=["heart"],
        letter="Which year?",
        due_on=at.date() + 10 * DAY,
    )
    intake = intake_of(alice)
    assert (intake.state, intake.more_info_items) == (states.MORE_INFO, ["heart"])
    reminder = OutboxMessage.objects.get(kind="intake_reminder")
    assert reminder.due_at == dt.datetime(2026, 11, 30, 17, tzinfo=dt.UTC)
    entry = intake.answers["heart"]
    actions.save_step(intake, "heart", entry["data"], version=entry["version"], by=alice, at=at + DAY)
    actions.submit(intake_of(alice), by=alice, at=at + DAY)
    reminder.refresh_from_db()
    assert reminder.state == "cancelled" and intake_of(alice).state == states.SUBMITTED


def test_the_pages_of_a_letter(client_for, alice, dana, at, clock_at, query_budget):
    found = asked(alice, dana, at)
    with clock_at(at + DAY):
        browser = client_for(alice)
        assert f"/clearance/{found.pk}/" in browser.get("/intake/").content.decode()
        with query_budget(14):
            page = browser.get(f"/clearance/{found.pk}/").content.decode()
        assert "the cardiologist" in page and "December 14, 2026" in page
        assert browser.get(f"/clearance/{found.pk}/letter/")["Content-Type"] == "application/pdf"
        bad = browser.post(
            f"/clearance/{found.pk}/", {"intent": str(uuid.uuid4()), "file": a_file("x.pdf", b"no")}
        )
        assert bad.status_code == 422 and "field__error" in bad.content.decode()
        good = browser.post(f"/clearance/{found.pk}/", {"intent": str(uuid.uuid4()), "file": a_file()})
        assert good.status_code == 302
        assert "We have the answer" in browser.get(f"/clearance/{found.pk}/").content.decode()


def test_who_opens_a_letter(
    client_for, alice, dana, cole, admin_ann, stranger_patient, other_psychiatrist, at, clock_at
):
    """PR-02, HZ-05."""
    found = asked(alice, dana, at)
    with clock_at(at + HOUR):
        for person in (cole, admin_ann, stranger_patient, other_psychiatrist):
            for path in (f"/clearance/{found.pk}/", f"/clearance/{found.pk}/letter/"):
                assert client_for(person).get(path).status_code == 404, (person, path)


def test_an_overdue_answer_is_seen_from_the_day_after_where_the_patient_lives(alice, dana, at):
    found = asked(alice, dana, at)
    edge = dt.datetime(2026, 12, 15, 8, tzinfo=dt.UTC)  # midnight in California
    assert not access.is_overdue(found, edge - dt.timedelta(seconds=1))
    assert access.is_overdue(found, edge)
    answers(alice, found, edge)
    found.refresh_from_db()
    assert not access.is_overdue(found, edge + DAY)


def test_the_psychiatrist_signs_it_on_the_decide_page_and_what_is_wrong_stays_typed(
    client_for, alice, dana, at, clock_at
):
    a_claimed_intake(alice, dana, at, cardiac_history="yes")
    with clock_at(at + HOUR):
        browser = client_for(dana)
        address = f"/chart/{alice.pk}/decide/clearance/"
        page = browser.get(address).content.decode()
        assert "Cardiology (E27)" in page
        fields = {
            "items": ["cardiology"],
            "letter": "Please ask.",
            "question": "ECG?",
            "due_on": "2020-01-01",
            "seen": str(access.latest_evaluation(alice.patient).pk),
        }
        wrong = browser.post(address, {"intent": str(uuid.uuid4()), **fields})
        assert (
            wrong.status_code == 422
            and "Choose a day from tomorrow" in wrong.content.decode()
            and "ECG?" in wrong.content.decode()
        )
        right = browser.post(address, {"intent": str(uuid.uuid4()), **fields, "due_on": "2026-12-10"})
        assert right.status_code == 302
    assert ClearanceRequest.objects.get().due_on == dt.date(2026, 12, 10)
