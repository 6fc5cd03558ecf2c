"""Many at once on a real database: one effect, clean refusals, no 5xx (PR-09)."""

import threading
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, connections

from common.errors import Conflict
from intake import actions
from intake.models import Consent, Decision, Intake, Medicine
from intake.rules.documents import document
from measures.models import InstrumentResponse
from safety.models import Alert, SafetyHold
from tests.conftest import a_psychiatrist
from tests.intake.builders import PHQ9, a_claimed_intake, a_draft, a_submitted_intake

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("protocol_version")]
AT_ONCE = 12


def all_at_once(count: int, work) -> list:
    """Run `work(n)` for n below `count` from many threads that start together."""
    gate = threading.Barrier(min(count, AT_ONCE))
    started = iter(range(AT_ONCE))

    def one(number: int):
        try:
            if next(started, None) is not None:
                gate.wait(timeout=20)
            return work(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return list(pool.map(one, range(count)))


def test_fifty_psychiatrists_claim_one_intake_and_one_has_it(alice, at):
    intake = a_submitted_intake(alice, at)
    everyone = [a_psychiatrist(f"Doc{n:02d} Tor", "CA") for n in range(50)]

    def claim(number: int) -> str:
        try:
            actions.claim(intake.pk, by=everyone[number], at=at + timedelta(minutes=10))
        except Conflict:
            return "refused"
        return "taken"

    assert Counter(all_at_once(50, claim)) == {"taken": 1, "refused": 49}
    from common.models import StateEvent

    assert StateEvent.objects.filter(object_id=intake.pk, target="claimed").count() == 1


def test_fifty_replays_of_a_crisis_form_are_one_answer_one_alert_one_hold(alice, at, client_for, clock_at):
    with clock_at(at):
        a_draft(alice, at)
        browsers = [client_for(alice) for _ in range(AT_ONCE)]
        body = {"intent": str(uuid.uuid4()), **PHQ9, "phq9_9": 2}
        statuses = all_at_once(50, lambda n: browsers[n % AT_ONCE].post("/intake/phq9/", body).status_code)
    assert set(statuses) <= {200, 302}
    assert statuses.count(200) == 1
    assert InstrumentResponse.objects.count() == 1
    assert Alert.objects.count() == SafetyHold.objects.count() == 1


def test_fifty_sends_of_one_intake_send_it_once(alice, at, client_for, clock_at):
    from notify.models import OutboxMessage
    from tests.intake.builders import a_filled_intake

    a_filled_intake(alice, at)
    with clock_at(at + timedelta(minutes=6)):
        browsers = [client_for(alice) for _ in range(AT_ONCE)]
        statuses = all_at_once(
            50,
            lambda n: browsers[n % AT_ONCE].post("/intake/send/", {"intent": str(uuid.uuid4())}).status_code,
        )
    assert set(statuses) <= {302, 409}
    assert statuses.count(302) == 1
    assert OutboxMessage.objects.filter(kind="intake_received").count() == 1


def test_many_decisions_at_once_are_one_decision(alice, dana, at):
    intake = a_claimed_intake(alice, dana, at)

    def sign(number: int) -> str:
        try:
            actions.decide(
                intake, "accept" if number % 2 else "decline", by=dana, at=at + timedelta(minutes=20), reasons=["E22"], letter="Dear Alice",
                note="Looked at with care.",
            )  # fmt: skip
        except Conflict:
            return "refused"
        return "signed"

    assert Counter(all_at_once(20, sign)) == {"signed": 1, "refused": 19}
    assert Decision.objects.count() == 1


def test_many_starts_make_one_intake_and_many_signatures_one_signature(alice, at):
    patient = alice.patient
    all_at_once(20, lambda n: actions.start_intake(patient, by=alice, at=at).pk)
    assert Intake.objects.count() == 1
    text = document("safety-agreement", "CA")

    def sign(number: int) -> None:
        actions.sign_consent(
            patient,
            text,
            sha256=text.sha256,
            signed_name="Alice Lindqvist",
            acknowledged=text.acknowledge,
            by=alice,
            at=at,
        )

    all_at_once(20, sign)
    assert Consent.objects.count() == 1


def test_two_tabs_saving_at_once_keep_one_and_refuse_the_other(alice, at):
    """HZ-20."""
    intake = a_draft(alice, at)

    def save(number: int) -> str:
        try:
            actions.save_step(intake, "home", {"home_notes": str(number)}, version=0, by=alice, at=at)
        except Conflict:
            return "stale"
        return "saved"

    assert Counter(all_at_once(20, save)) == {"saved": 1, "stale": 19}


def test_a_medicine_sent_fifty_times_is_listed_once(alice, at, client_for, clock_at):
    with clock_at(at):
        a_draft(alice, at)
        browsers = [client_for(alice) for _ in range(AT_ONCE)]
        body = {"intent": str(uuid.uuid4()), "name": "Prozac", "dose_text": ""}
        statuses = all_at_once(
            50, lambda n: browsers[n % AT_ONCE].post("/intake/medicines/", body).status_code
        )
    assert set(statuses) == {302}
    assert Medicine.objects.count() == 1
    assert connection.vendor == "postgresql"


def test_a_medicine_added_in_many_tabs_at_once_is_listed_once_and_another_dose_is_another(
    alice, at, client_for, clock_at
):
    """HZ-20: each tab has an intent of its own."""
    with clock_at(at):
        a_draft(alice, at)
        browsers = [client_for(alice) for _ in range(AT_ONCE)]

        def add(number: int) -> int:
            name = ("Zoloft", "zoloft ")[number % 2]
            body = {"intent": str(uuid.uuid4()), "name": name, "dose_text": "50 mg"}
            return browsers[number % AT_ONCE].post("/intake/medicines/", body).status_code

        assert set(all_at_once(10, add)) == {302}
        assert [m.dose_text for m in Medicine.objects.all()] == ["50 mg"]
        browsers[0].post(
            "/intake/medicines/", {"intent": str(uuid.uuid4()), "name": "Zoloft", "dose_text": "100 mg"}
        )
    assert sorted(m.dose_text for m in Medicine.objects.all()) == ["100 mg", "50 mg"]
