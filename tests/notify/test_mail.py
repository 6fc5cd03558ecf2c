"""Mail of the log-in pages goes through the outbox."""

from typing import Any

import pytest
from django.core.mail import send_mail
from django.test import Client

from accounts.models import User
from notify.models import OutboxMessage


@pytest.fixture(autouse=True)
def _the_real_backend(settings: Any) -> None:
    # The test runner puts a backend of its own in its place.
    settings.EMAIL_BACKEND = "notify.mail.OutboxBackend"


def test_mail_is_a_row_in_the_outbox(db: None) -> None:
    assert send_mail("Confirm", "Open http://127.0.0.1/x", None, ["new@example.test"]) == 1
    message = OutboxMessage.objects.get()
    assert (message.channel, message.to_address, message.recipient) == ("email", "new@example.test", None)
    assert message.context == {"subject": "Confirm", "body": "Open http://127.0.0.1/x"}
    assert message.respect_quiet_hours is False


def test_a_password_reset_leaves_through_the_outbox(client: Client, alice: User) -> None:
    assert client.post("/accounts/password/reset/", {"email": alice.email}).status_code == 302
    message = OutboxMessage.objects.get()
    assert message.recipient == alice
    assert "/accounts/password/reset/key/" in message.context["body"]


def test_no_broker_is_no_trouble_for_the_person(settings: Any, transactional_db: None) -> None:
    """PR-18: Redis is down, and the mail is promised all the same."""
    from config.celery import app

    before = app.conf.broker_url
    app.conf.broker_url = "redis://127.0.0.1:1/0"
    try:
        send_mail("Confirm", "Words", None, ["new@example.test"])
    finally:
        app.conf.broker_url = before
    assert OutboxMessage.objects.get().state == "scheduled"


def test_a_letter_about_an_account_names_the_practice_and_no_machine(client: Client, alice: User) -> None:
    client.post("/accounts/password/reset/", {"email": alice.email})
    client.post(
        "/accounts/signup/", {"email": "new@visitors.example", "password1": "a warm stone by the river"}
    )
    client.post("/accounts/signup/", {"email": alice.email, "password1": "a warm stone by the river"})
    letters = [message.context for message in OutboxMessage.objects.order_by("created_at")]
    assert [letter["subject"] for letter in letters] == [
        "A new password", "Please confirm your e-mail address", "You have an account already",
    ]  # fmt: skip
    for letter in letters:
        assert "Hearthside, (555) 010-0199" in letter["body"] and "988" in letter["body"]
        assert "testserver" not in letter["body"].replace("http://testserver/", "")
