"""Notices on a device: encrypted for one browser, without content, beside the message itself, only to known push services."""

import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings

from accounts.models import User
from common.errors import Invalid
from notify import gateways
from notify.actions import dispatch_due, promise, resolve_expired
from notify.actions.push import MOST_DEVICES, keep_device
from notify.actions.wishes import set_wishes
from notify.gateways.push_hosts import host_is_allowed, known_hosts
from notify.management.commands.push_keys import fresh_pair
from notify.models import DeadLetter, OutboxMessage, PushSubscription, SandboxDelivery
from notify.rules import QUIET_FROM, QUIET_UNTIL
from tests.notify.builders import a_device
from tests.notify.push_server import PushServer, recording_push_service


@pytest.fixture
def service(settings: Any) -> Any:
    with recording_push_service() as server:
        settings.VAPID_PRIVATE_KEY, settings.VAPID_PUBLIC_KEY = fresh_pair()
        settings.VAPID_SUBJECT = "mailto:care@example.test"
        settings.PUSH_TEST_HOSTS = [server.host]
        yield server
        assert server.problems == []


def told(user: User, service: PushServer, at: datetime) -> PushSubscription:
    return keep_device(
        user, endpoint=service.endpoint, p256dh=service.browser.p256dh, auth=service.browser.auth, label="Android", at=at
    )  # fmt: skip


def a_reminder(user: User, at: datetime, channel: str = "sms", **more: Any) -> OutboxMessage:
    return promise(
        "visit_tomorrow", to=user, channel=channel, due_at=at, at=at, about=user,
        context={"when_words": at, "link": "https://care.example/visits/canary/"}, **more,
    )  # fmt: skip


def run(at: datetime) -> None:
    while dispatch_due(at=at).claimed:
        pass


def test_a_device_is_told_that_there_is_something_and_nothing_of_what(
    service: PushServer, alice: User, at: datetime
) -> None:
    """PR-14"""
    told(alice, service, at)
    a_reminder(alice, at)
    run(at)
    (notice,) = service.notices
    assert notice["body"] == "You have a message from your care team." and notice["url"] == "/home/"
    assert notice["title"] == django_settings.PRACTICE["name"]
    assert "canary" not in str(notice) and "visit" not in str(notice)
    # The message itself went its own way too.
    assert [d.channel for d in SandboxDelivery.objects.all()] == ["sms"]
    (claim,) = service.claims
    assert claim["aud"] == f"http://{service.host}" and claim["sub"] == "mailto:care@example.test"


def test_staff_are_told_in_their_words_and_in_their_language(
    service: PushServer, cole: User, at: datetime
) -> None:
    User.objects.filter(pk=cole.pk).update(language="es")
    told(cole, service, at)
    promise("check_in_overdue", to=cole, channel="email", context={"path": "/coaching/"}, due_at=at, at=at)
    run(at)
    assert service.notices[0]["body"] == "Hay algo nuevo en su lista."


def test_a_message_that_goes_two_ways_is_one_notice(service: PushServer, alice: User, at: datetime) -> None:
    told(alice, service, at)
    a_reminder(alice, at)
    a_reminder(alice, at, channel="email")
    run(at)
    assert len(service.notices) == 1


def test_a_device_is_not_told_before_its_time_nor_at_night(
    service: PushServer, alice: User, at: datetime
) -> None:
    told(alice, service, at)
    message = a_reminder(alice, at + timedelta(hours=14))
    for hours in (0, 13, 14):
        run(at + timedelta(hours=hours))
    assert service.notices == []
    run(message.due_at)
    assert len(service.notices) == 1


def test_notices_of_a_kind_can_be_turned_off_by_themselves(
    service: PushServer, alice: User, at: datetime
) -> None:
    told(alice, service, at)
    set_wishes(
        alice, quiet_from=QUIET_FROM, quiet_until=QUIET_UNTIL, muted=["visit_tomorrow:push"], by=alice, at=at
    )
    a_reminder(alice, at)
    run(at)
    assert service.notices == [] and SandboxDelivery.objects.count() == 1


@pytest.mark.parametrize("answer", [404, 410])
def test_a_browser_that_is_no_more_is_forgotten(
    service: PushServer, alice: User, at: datetime, answer: int
) -> None:
    told(alice, service, at)
    service.answer = answer
    a_reminder(alice, at)
    run(at)
    assert not PushSubscription.objects.exists()
    assert OutboxMessage.objects.get(channel="push").state == "failed"
    # Nobody's work: the message itself arrived by text.
    assert not DeadLetter.objects.exists()


def test_a_push_service_that_is_busy_is_asked_again_later(
    service: PushServer, alice: User, at: datetime
) -> None:
    told(alice, service, at)
    service.answer = 429
    a_reminder(alice, at)
    run(at)
    notice = OutboxMessage.objects.get(channel="push")
    assert (notice.state, PushSubscription.objects.count()) == ("scheduled", 1)
    service.answer = 201
    run(notice.due_at)
    notice.refresh_from_db()
    assert notice.state == "sent"


def test_what_is_in_doubt_goes_once_more_and_takes_the_first_ones_place(
    service: PushServer, alice: User, at: datetime
) -> None:
    """PR-03, class R: nobody can be asked, so the second carries the same topic and tag."""
    told(alice, service, at)
    service.answer = 503
    a_reminder(alice, at)
    run(at)
    notice = OutboxMessage.objects.get(channel="push")
    assert notice.state == "sending"
    service.answer = 201
    later = notice.lease_until + timedelta(seconds=1)
    assert resolve_expired(at=later) == 1
    run(later)
    notice.refresh_from_db()
    assert notice.state == "sent" and len(service.notices) == 2
    assert len({h["topic"] for h in service.headers}) == 1 and len({n["tag"] for n in service.notices}) == 1


def test_a_redirect_is_not_followed(service: PushServer, alice: User, at: datetime) -> None:
    told(alice, service, at)
    service.answer = 307
    a_reminder(alice, at)
    run(at)
    assert len(service.notices) == 1
    assert OutboxMessage.objects.get(channel="push").state == "failed"


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://fcm.googleapis.com/x", "https://fcm.googleapis.com.evil.example/x", "https://evil.example/fcm.googleapis.com",
        "https://127.0.0.1/x", "https://169.254.169.254/latest/meta-data/", "https://localhost/x", "https://[::1]/x",
        "https://fcm.googleapis.com@evil.example/x", "https://user:pass@fcm.googleapis.com/x", "https://fcm.googleapis.com:8080/x",
        "https://notify.windows.com.evil.example/x", "https://evilnotify.windows.com/x", "file:///etc/passwd", "gopher://x", "", "https://",
        "https://postgres:5432/", "https://fcm.googleapis.com:99999/x",
    ],
)  # fmt: skip
def test_only_known_push_services_are_ever_called(alice: User, at: datetime, endpoint: str) -> None:
    """A browser names the address itself, and it could name one inside our network."""
    assert not host_is_allowed(endpoint)
    with pytest.raises(Invalid):
        keep_device(alice, endpoint=endpoint or "x", p256dh="B" * 87, auth="c" * 22, label="", at=at)
    assert not PushSubscription.objects.exists()


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://fcm.googleapis.com/fcm/send/abc", "https://updates.push.services.mozilla.com/wpush/v2/abc",
        "https://web.push.apple.com/abc", "https://wns2-par02p.notify.windows.com/w/?token=abc",
    ],
)  # fmt: skip
def test_the_push_services_of_browsers_are_known(endpoint: str) -> None:
    assert host_is_allowed(endpoint) and len(known_hosts()) >= 4


def test_test_hosts_are_not_believed_in_production(service: PushServer, settings: Any) -> None:
    assert host_is_allowed(service.endpoint)
    settings.PRODUCTION = True
    assert not host_is_allowed(service.endpoint)


def test_an_address_that_slipped_into_the_table_is_not_called(
    service: PushServer, alice: User, at: datetime, settings: Any
) -> None:
    told(alice, service, at)
    settings.PUSH_TEST_HOSTS = []
    a_reminder(alice, at)
    run(at)
    assert service.notices == [] and not PushSubscription.objects.exists()


def test_a_shared_browser_belongs_to_whoever_asked_last(
    service: PushServer, alice: User, stranger_patient: User, at: datetime
) -> None:
    told(alice, service, at)
    told(stranger_patient, service, at)
    a_reminder(alice, at)
    run(at)
    assert service.notices == []
    assert PushSubscription.objects.get().user == stranger_patient


def test_somebody_keeps_a_few_devices_and_the_oldest_goes(alice: User, at: datetime) -> None:
    for n in range(MOST_DEVICES + 2):
        keep_device(
            alice, endpoint=f"https://web.push.apple.com/{n}", p256dh="B" * 87, auth="c" * 22, label=str(n), at=at + timedelta(minutes=n)
        )  # fmt: skip
    assert set(PushSubscription.objects.values_list("label", flat=True)) == {"2", "3", "4", "5", "6"}


def test_the_page_adds_a_device_and_takes_it_back(
    service: PushServer, client_for: Any, alice: User, stranger_patient: User
) -> None:
    client = client_for(alice)
    page = client.get("/profile/messages/").content.decode()
    assert "js/push.js" in page and django_settings.VAPID_PUBLIC_KEY in page
    form = {
        "intent": str(uuid.uuid4()), "endpoint": service.endpoint, "p256dh": service.browser.p256dh, "auth": service.browser.auth,
        "label": "Android",
    }  # fmt: skip
    assert client.post("/profile/messages/devices/", form).status_code == 302
    device = PushSubscription.objects.get()
    remove = f"/profile/messages/devices/{device.pk}/remove/"
    assert client_for(stranger_patient).post(remove, {"intent": str(uuid.uuid4())}).status_code == 404
    assert client.post(remove, {"intent": str(uuid.uuid4())}).status_code == 302
    assert not PushSubscription.objects.exists()


def test_without_keys_it_is_not_offered_and_the_sandbox_serves(
    client_for: Any, alice: User, at: datetime
) -> None:
    assert gateways.for_channel("push").name == "sandbox"
    page = client_for(alice).get("/profile/messages/").content.decode()
    assert "has not set up notices" in page and "js/push.js" not in page
    a_device(alice, at)
    a_reminder(alice, at)
    run(at)
    assert {d.channel for d in SandboxDelivery.objects.all()} == {"sms", "push"}


def test_the_worker_script_reaches_no_further_than_the_page_of_messages(client: Any) -> None:
    answer = client.get("/profile/messages/worker.js")
    assert answer.status_code == 200 and answer["Content-Type"].startswith("text/javascript")
    assert "Service-Worker-Allowed" not in answer
    assert "fetch" not in answer.content.decode()


def test_the_address_and_keys_of_a_browser_are_not_readable_in_the_table(alice: User, at: datetime) -> None:
    from django.db import connection

    a_device(alice, at, endpoint="https://web.push.apple.com/canary", auth="canary-auth")
    with connection.cursor() as cursor:
        cursor.execute("SELECT notify_pushsubscription::text FROM notify_pushsubscription")
        assert "canary" not in cursor.fetchone()[0]
