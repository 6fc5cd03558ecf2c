"""The outbox pages: who reads what, how a failed message goes again, and the demo's mail."""

import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest

from accounts.models import User
from notify.actions import dispatch_due
from notify.models import InboundText, OutboxMessage
from tests.notify.builders import a_mail, a_text


@pytest.fixture(autouse=True)
def _then(clock_at: Any, at: datetime, db: None) -> Any:
    with clock_at(at):
        yield


def test_an_administrator_reads_the_outbox_and_chooses_by_state(
    client_for: Any, admin_ann: User, alice: User, at: datetime
) -> None:
    a_mail(alice, at, context={"subject": "First", "body": "gone already"})
    dispatch_due(at=at)
    a_mail(alice, at, context={"subject": "Second", "body": "waits still"}, due_at=at + timedelta(hours=2))
    client = client_for(admin_ann)
    everything = client.get("/outbox/").content.decode()
    assert "gone already" in everything and "waits still" in everything
    sent = client.get("/outbox/?state=sent").content.decode()
    assert "gone already" in sent and "waits still" not in sent


def test_staff_read_messages_of_their_own_patients_only(
    client_for: Any, cole: User, other_coach: User, alice: User, at: datetime
) -> None:
    """PR-02"""
    a_mail(alice, at, context={"subject": "Hello", "body": "canary-words"}, patient=alice.patient)
    assert "canary-words" in client_for(cole).get("/outbox/").content.decode()
    assert "canary-words" not in client_for(other_coach).get("/outbox/").content.decode()
    assert client_for(alice).get("/outbox/").status_code == 404


def test_in_production_nobody_reads_the_links_of_account_mail(
    client_for: Any, admin_ann: User, alice: User, at: datetime, settings: Any
) -> None:
    """TM-16: a reset link in the outbox would let staff become the patient."""
    message = a_mail(alice, at, context={"subject": "Reset", "body": "https://care.example/key/canary"})
    OutboxMessage.objects.filter(pk=message.pk).update(kind="account.mail")
    client = client_for(admin_ann)
    settings.PRODUCTION = True
    assert "canary" not in client.get("/outbox/").content.decode()


def test_pages_follow_one_another_by_key(client_for: Any, admin_ann: User, alice: User, at: datetime) -> None:
    for n in range(30):
        a_mail(alice, at + timedelta(seconds=n), context={"subject": "s", "body": f"mail-number-{n:02d}."})
    client = client_for(admin_ann)
    first = client.get("/outbox/").content.decode()
    key = OutboxMessage.objects.order_by("-created_at", "-id")[24]
    second = client.get("/outbox/", {"before": f"{key.created_at.isoformat()}~{key.pk}"}).content.decode()
    assert "mail-number-29." in first and "mail-number-05." in first and "mail-number-04." not in first
    assert "mail-number-04." in second and "mail-number-00." in second and "mail-number-05." not in second
    assert client.get("/outbox/?before=nonsense").status_code == 200


def test_a_failed_message_waits_for_a_person_who_sends_it_again(
    client_for: Any, admin_ann: User, alice: User, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = a_text(alice, at, channel="email")
    OutboxMessage.objects.filter(pk=message.pk).update(state="failed", attempts=6, last_error="no")
    client = client_for(admin_ann)
    assert "could not be sent and waits for a person" in client.get("/outbox/").content.decode()
    form = {"intent": str(uuid.uuid4())}
    assert client.post(f"/outbox/{message.pk}/again/", form).status_code == 302
    message.refresh_from_db()
    assert (message.state, message.attempts) == ("scheduled", 0)
    assert client.post(f"/outbox/{message.pk}/again/", {"intent": str(uuid.uuid4())}).status_code == 409


def test_a_reply_is_marked_done_once(
    client_for: Any, cole: User, dana: User, other_coach: User, alice: User, at: datetime
) -> None:
    reply = InboundText.objects.create(
        sid="SM1", from_number=alice.phone, sender=alice, body="CANCEL", meaning="triage", received_at=at
    )
    path = f"/outbox/replies/{reply.pk}/handled/"
    assert client_for(other_coach).post(path, {"intent": str(uuid.uuid4())}).status_code == 404
    assert client_for(cole).post(path, {"intent": str(uuid.uuid4())}).status_code == 302
    assert client_for(dana).post(path, {"intent": str(uuid.uuid4())}).status_code == 409


def test_the_demo_shows_a_stranger_the_link_that_was_mailed(client: Any, settings: Any, at: datetime) -> None:
    link = f"{settings.SITE_URL}/accounts/confirm-email/abc/"
    a_mail(
        "new@example.test",
        at,
        context={"subject": "Confirm", "body": f"Open {link} now. Not https://elsewhere.example/x"},
    )
    page = client.get("/outbox/demo/").content.decode()
    assert f'<a href="{link}">' in page
    assert 'href="https://elsewhere.example' not in page


def test_there_is_no_demo_page_in_production(client: Any, settings: Any) -> None:
    settings.PRODUCTION = True
    settings.SECURE_SSL_REDIRECT = False
    assert client.get("/outbox/demo/").status_code == 404


def test_the_catalogue_lists_every_kind(client_for: Any, admin_ann: User) -> None:
    from notify.access import catalogue

    page = client_for(admin_ann).get("/outbox/catalogue/").content.decode()
    for entry in catalogue():
        assert entry["kind"].replace("_", " ").replace(".", " ") in page


def test_staff_see_that_no_worker_runs(client_for: Any, admin_ann: User, at: datetime) -> None:
    from notify.actions import beat

    client = client_for(admin_ann)
    assert "No worker has run yet" in client.get("/outbox/").content.decode()
    beat("ordinary:test", lane="ordinary", at=at - timedelta(minutes=3))
    assert "No worker has run for 3 minutes" in client.get("/outbox/").content.decode()
    beat("ordinary:test", lane="ordinary", at=at)
    assert "No worker has run" not in client.get("/outbox/").content.decode()


def test_the_care_team_sees_on_caseload_and_check_ins_that_texts_are_stopped(
    client_for: Any, cole: User, dana: User, alice: User, at: datetime
) -> None:
    """HZ-23"""
    from coaching.actions import plan_course
    from notify.actions.callbacks import opt_out
    from tests.coaching.builders import a_course

    plan_course(a_course(alice, dana, at), by=dana, at=at)

    client = client_for(cole)
    pages = ("/coaching/", f"/coaching/patient/{alice.pk}/")
    for path in pages:
        page = client.get(path).content.decode()
        assert "texts stopped" not in page and "Texts are stopped" not in page
    opt_out(alice.phone, said="STOP", at=at)
    assert "texts stopped" in client.get(pages[0]).content.decode()
    assert "texts do not reach it" in client.get(pages[1]).content.decode()
