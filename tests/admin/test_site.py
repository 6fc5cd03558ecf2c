"""The administration: who may open it, what can be changed, what cannot, and what a look leaves behind."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from accounts.models import Licence, Patient, User
from accounts.step_up import METHODS_KEY
from common import audit, clock
from common.admin import HistoryAdmin, PracticeAdmin, ShortPaginator, differences
from common.models import AuditEntry

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


def lists() -> list[str]:
    return [f"admin:{m._meta.app_label}_{m._meta.model_name}_changelist" for m in admin.site._registry]


def test_every_page_of_the_administration_is_ours() -> None:
    assert {m._meta.app_label for m in admin.site._registry} == {
        "accounts",
        "billing",
        "common",
        "consults",
        "intake",
        "notify",
        "safety",
        "video",
    }
    assert all(isinstance(one, PracticeAdmin) for one in admin.site._registry.values())


def test_history_cannot_be_added_changed_or_deleted(rf: Any, admin_ann: User) -> None:
    request = rf.get("/admin/")
    request.user = admin_ann
    immutable = {
        "auditentry",
        "stateevent",
        "clientintent",
        "alert",
        "safetyhold",
        "outboxmessage",
        "oncallshift",
        "patient",
    }
    for model, one in admin.site._registry.items():
        assert not one.has_delete_permission(request)
        if isinstance(one, HistoryAdmin):
            assert not one.has_add_permission(request) and not one.has_change_permission(request)
            immutable.discard(model._meta.model_name or "")
    assert immutable == set()


@pytest.mark.parametrize(
    "name", ["common_auditentry", "common_stateevent", "safety_alert", "notify_outboxmessage"]
)
def test_a_post_to_history_changes_nothing(
    client_for: Browser, admin_ann: User, at: dt.datetime, name: str
) -> None:
    audit.record("test.row", by="system:test", at=at)
    browser = client_for(admin_ann)
    before = AuditEntry.objects.filter(action="test.row").count()
    assert browser.post(reverse(f"admin:{name}_add"), {"action": "x"}).status_code == 403
    entry = AuditEntry.objects.filter(action="test.row").get()
    if name == "common_auditentry":
        assert (
            browser.post(reverse(f"admin:{name}_change", args=[entry.pk]), {"action": "x"}).status_code == 403
        )
        assert (
            browser.post(reverse(f"admin:{name}_delete", args=[entry.pk]), {"post": "yes"}).status_code == 403
        )
    assert AuditEntry.objects.filter(action="test.row").count() == before


def test_each_list_opens_within_a_few_queries(
    client_for: Browser, admin_ann: User, alice: User, query_budget: Any
) -> None:
    browser = client_for(admin_ann)
    browser.get("/admin/")
    for name in lists():
        with query_budget(14):
            assert browser.get(reverse(name)).status_code == 200, name


@pytest.mark.parametrize("who", ["alice", "dana", "cole"])
def test_the_administration_does_not_exist_for_other_roles(
    request: Any, client_for: Browser, who: str
) -> None:
    browser = client_for(request.getfixturevalue(who))
    for address in ("/admin/", reverse("admin:accounts_user_changelist"), reverse("admin:login")):
        assert browser.get(address).status_code == 404


def test_a_stranger_is_sent_to_the_one_log_in_page(client: Client) -> None:
    response = client.get("/admin/accounts/user/")
    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/")
    assert client.get("/admin/login/?next=https://evil.example/")["Location"].startswith(
        "/accounts/login/?next=/admin/"
    )


def test_an_administrator_without_a_second_factor_sees_nothing(client_for: Browser, admin_ann: User) -> None:
    """PR-11."""
    response = client_for(admin_ann, second_factor=False).get("/admin/accounts/user/")
    assert response.status_code == 302 and response["Location"].startswith("/accounts/second-step/")


def test_a_change_needs_a_second_factor_of_the_last_five_minutes(
    client_for: Browser, admin_ann: User, dana: User
) -> None:
    """PR-11."""
    browser = client_for(admin_ann)
    session = browser.session
    session[METHODS_KEY] = [{"method": "mfa", "type": "totp", "at": clock.wall_time_s() - 301}]
    session.save()
    address = reverse("admin:accounts_credentialrequest_add")
    assert browser.get(address).status_code == 200
    form = {
        "kind": "licence", "psychiatrist": str(dana.pk), "state": "OR", "number": "OR-1", "expires_on": "2028-01-01",
    }  # fmt: skip
    response = browser.post(address, form)
    assert response.status_code == 302 and "reauthenticate" in response["Location"]
    assert not Licence.objects.filter(state="OR").exists()


def test_a_licence_that_is_in_force_is_looked_at_and_never_changed_here(
    client_for: Browser, admin_ann: User, dana: User
) -> None:
    """TM-16: what is in force came from two people; tests/admin/test_credentials.py holds the way there."""
    browser = client_for(admin_ann)
    licence = Licence.objects.get(psychiatrist=dana, state="CA")
    address = reverse("admin:accounts_licence_change", args=[licence.pk])
    assert browser.get(address).status_code == 200
    assert browser.post(address, {"number": "X", "expires_on": "2040-01-01"}).status_code == 403
    assert browser.get(reverse("admin:accounts_licence_add")).status_code == 403


def test_reading_about_a_patient_leaves_a_row_and_shows_nothing_clinical(
    client_for: Browser, admin_ann: User, alice: User
) -> None:
    """PR-12, TM-16."""
    Patient.objects.filter(pk=alice.pk).update(weight_kg="61.5")
    patient = Patient.objects.get(pk=alice.pk)
    patient.address = "12 Canary Row"
    patient.save(update_fields=["address"])
    page = client_for(admin_ann).get(reverse("admin:accounts_patient_change", args=[alice.pk]))
    assert page.status_code == 200
    for canary in ("12 Canary Row", "61.5", "1988"):
        assert canary not in page.content.decode()
    entry = AuditEntry.objects.get(action="admin.read")
    assert entry.patient_id == alice.pk


def test_a_care_team_takes_only_people_of_the_role(
    client_for: Browser, admin_ann: User, alice: User, cole: User, dana: User
) -> None:
    address = reverse("admin:accounts_careteam_change", args=[alice.pk])
    browser = client_for(admin_ann)
    page = browser.post(address, {"psychiatrist": str(cole.pk), "coach": str(cole.pk)})
    assert page.status_code == 200 and "Select a valid choice" in page.content.decode()
    assert browser.post(address, {"psychiatrist": str(dana.pk), "coach": ""}).status_code == 302
    assert AuditEntry.objects.filter(action="care_team.assigned", patient_id=alice.pk).exists()


def test_a_long_list_is_counted_to_a_thousand_and_no_further(
    at: dt.datetime, django_assert_num_queries: Any
) -> None:
    for _ in range(3):
        audit.record("test.row", by="system:test", at=at)
    pages = ShortPaginator(AuditEntry.objects.order_by("-at", "-id"), 2)
    with django_assert_num_queries(1) as queries:
        assert pages.count == 3
    assert "LIMIT 1000" in queries.captured_queries[0]["sql"]


def test_two_versions_are_laid_beside_each_other() -> None:
    old = {
        "bp": {"limits": {"systolic": 140}},
        "rules": [{"id": "E01", "test": "a"}, {"id": "E02", "test": "b"}],
    }
    new = {"bp": {"limits": {"systolic": 135}}, "rules": [{"id": "E01", "test": "a"}], "note": "x"}
    assert differences(old, new) == [
        ("bp.limits.systolic", 140, 135),
        ("note", "(not there)", "x"),
        ("rules[E02].id", "E02", "(taken out)"),
        ("rules[E02].test", "b", "(taken out)"),
    ]
