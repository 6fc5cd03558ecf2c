"""What administrators read about patients in lists: whose work and of which kind, as /privacy/ says."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils.html import escape

from accounts.actions import set_active
from accounts.models import User
from common import clock
from notify.models import OutboxMessage
from safety.access import shipped
from safety.actions import place_hold, raise_alert
from safety.wording import HOLD_WORDS_FOR_STAFF
from tests.safety.test_tasks import a_task

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


def test_no_list_of_an_administrator_says_more_of_a_patient_than_name_and_kind_of_work(
    alice: User, dana: User, cole: User, admin_ann: User, client_for: Browser
) -> None:
    """PR-02: their home, the administration's first page, their list, everybody's work and the alerts, with every kind of alert
    paged to everybody; what an alert says is read on the alert itself, and losses of medicine are theirs to report."""
    now = clock.now()
    canary = "CANARY-afraid-of-the-neighbour"
    rows = [row for row in shipped()["triggers"] if row["id"].startswith("X")]
    for row in rows:
        alert = raise_alert(
            patient=alice.patient, trigger=row["id"], source=alice.patient, at=now, by="system:test"
        )
        # A sign of an episode that is open joins its alert.
        OutboxMessage.objects.get_or_create(
            dedupe_key=f"canary:{alert.pk}",
            defaults={
                "kind": "crisis_page", "channel": "sms", "recipient": admin_ann, "about_type": "safety.alert", "about_id": alert.pk,
                "template": "crisis_page", "wanted_at": now, "due_at": now, "created_at": now,
            },
        )  # fmt: skip
        if row["hold"]:
            place_hold(alice.patient, reason_code=row["hold"], at=now, by="system:test")
    a_task(admin_ann, now, kind="follow_up", patient=alice.patient, detail=canary)
    set_active(dana, active=False, by=admin_ann, at=now)
    browser = client_for(admin_ann)
    for address in ("/home/", "/admin/", "/work/", "/work/practice/", "/alerts/"):
        page = browser.get(address).content.decode()
        assert "Alice Lindqvist" in page or address == "/work/practice/"
        told = [
            row["trigger"]
            for row in rows
            if "compliance" not in row["also_page"] and escape(row["trigger"]) in page
        ]
        told += [
            words for words in HOLD_WORDS_FOR_STAFF.values() if f">{words}" in page or f": {words}" in page
        ]
        assert told == [] and canary not in page, address
    lost = next(row["trigger"] for row in rows if row["id"] == "X15")
    assert escape(lost) in browser.get("/alerts/").content.decode()
