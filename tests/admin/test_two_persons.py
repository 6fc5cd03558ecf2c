"""Roles and protocols need a second administrator (TM-16, HZ-28)."""

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from accounts import actions
from accounts.access import invitation_token, invited
from accounts.models import RoleGrant, User
from common import protocol
from common.errors import Conflict, NotPermitted, NotVisible
from common.models import ProtocolVersion
from notify.models import OutboxMessage

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]
NEW = {
    "email": "Nora@Example.test",
    "full_name": "Nora O'Hara",
    "role": "psychiatrist",
    "time_zone": "America/Chicago",
    "phone": "(312) 555-0142",
    "reason": "Joins in December",
}


@pytest.fixture(autouse=True)
def _mail_goes_into_the_outbox(settings: Any) -> None:
    """The test runner swaps the mail backend; these tests want the product's own."""
    settings.EMAIL_BACKEND = "notify.mail.OutboxBackend"


@pytest.fixture
def grant(admin_ann: User, at: dt.datetime) -> RoleGrant:
    return actions.invite_staff(by=admin_ann, at=at, **(NEW | {"phone": "+13125550142"}))


def test_an_invited_psychiatrist_is_asleep_until_a_second_administrator_approves(
    grant: RoleGrant, admin_ann: User, admin_ben: User, at: dt.datetime
) -> None:
    assert (grant.user.email, grant.user.is_active, grant.user.role) == (
        "nora@example.test",
        False,
        "patient",
    )
    assert not OutboxMessage.objects.exists()
    with pytest.raises(NotPermitted):
        actions.decide_role(grant, approve=True, by=admin_ann, at=at)
    actions.decide_role(grant, approve=True, by=admin_ben, at=at)
    user = User.objects.get(pk=grant.user_id)
    assert (user.is_active, user.role, user.is_staff) == (True, "psychiatrist", False)
    mail = OutboxMessage.objects.get()
    assert "/accounts/invitation/" in str(mail.context) and "O'Hara" in str(mail.context)


def test_nobody_asks_for_or_decides_about_their_own_role(
    admin_ann: User, admin_ben: User, at: dt.datetime
) -> None:
    with pytest.raises(NotPermitted):
        actions.propose_role(admin_ann, role="psychiatrist", reason="me", by=admin_ann, at=at)
    grant = actions.propose_role(admin_ben, role="psychiatrist", reason="him", by=admin_ann, at=at)
    with pytest.raises(NotPermitted):
        actions.decide_role(grant, approve=True, by=admin_ben, at=at)


@pytest.mark.parametrize(
    "broken",
    [{"requested_by_id": "user"}, {"decided_by_id": "user"}, {"decided_by_id": "requested"}],
    ids=["asks for oneself", "decides about oneself", "approves alone"],
)
def test_the_database_refuses_what_one_person_does_alone(
    admin_ann: User, admin_ben: User, dana: User, at: dt.datetime, broken: dict[str, str]
) -> None:
    """The second control: the constraint holds even when the action is bypassed."""
    people = {"user": dana.pk, "requested": admin_ann.pk}
    fields: dict[str, Any] = {
        "user": dana, "role": "administrator", "reason": "r", "requested_at": at, "requested_by_id": admin_ann.pk,
        "decided_at": at, "decided_by_id": admin_ben.pk, "approved": True,
    } | {name: people[who] for name, who in broken.items()}  # fmt: skip
    with pytest.raises(IntegrityError), transaction.atomic():
        RoleGrant.objects.create(**fields)


def test_only_administrators_give_roles(dana: User, cole: User, at: dt.datetime) -> None:
    with pytest.raises(NotPermitted):
        actions.propose_role(cole, role="psychiatrist", reason="r", by=dana, at=at)


def test_a_patient_never_becomes_staff_under_the_same_account(
    alice: User, admin_ann: User, at: dt.datetime
) -> None:
    with pytest.raises(Conflict):
        actions.propose_role(alice, role="coach", reason="r", by=admin_ann, at=at)


def test_a_request_is_decided_once(grant: RoleGrant, admin_ben: User, at: dt.datetime) -> None:
    actions.decide_role(grant, approve=False, by=admin_ben, at=at)
    with pytest.raises(Conflict):
        actions.decide_role(grant, approve=True, by=admin_ben, at=at)
    assert User.objects.get(pk=grant.user_id).is_active is False


@pytest.mark.django_db(transaction=True)
def test_the_way_in_from_invitation_to_second_factor(
    grant: RoleGrant, admin_ben: User, at: dt.datetime, client: Client
) -> None:
    """PR-11: invited, password chosen, logged in, and stopped until the second factor is there."""
    actions.decide_role(grant, approve=True, by=admin_ben, at=at)
    user = User.objects.get(pk=grant.user_id)
    link = reverse("accounts:invitation", args=[invitation_token(user)])
    assert client.get(link).status_code == 200
    response = client.post(link, follow=True)
    assert response.status_code == 200
    assert EmailAddress.objects.get(user=user).verified
    password = "seven lamps at the harbour"
    response = client.post(
        response.redirect_chain[-1][0], {"password1": password, "password2": password}, follow=True
    )
    assert response.status_code == 200
    response = client.post(reverse("account_login"), {"login": user.email, "password": password})
    assert response.status_code == 302, response.content
    response = client.get("/home/")
    assert response["Location"].startswith(reverse("accounts:second_step"))
    assert client.get("/queue/")["Location"].startswith(reverse("accounts:second_step"))
    page = client.get(response["Location"]).content.decode()
    assert reverse("mfa_activate_totp") in page and reverse("mfa_add_webauthn") in page
    assert client.get(reverse("mfa_add_webauthn")).status_code == 200
    assert client.get(reverse("mfa_activate_totp")).status_code == 200
    secret = client.session["mfa.totp.secret"]
    code = format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time())))
    response = client.post(reverse("mfa_activate_totp"), {"code": code})
    assert response.status_code == 302, response.content
    # The code given while setting up counts: no second one is asked for.
    assert client.get("/home/").status_code == 200
    # The link worked once.
    assert client.get(link).status_code == 404


def test_an_invitation_cannot_be_made_up_or_used_by_a_closed_account(
    grant: RoleGrant, admin_ann: User, admin_ben: User, at: dt.datetime
) -> None:
    with pytest.raises(NotVisible):
        invited("made:up:thing")
    actions.decide_role(grant, approve=True, by=admin_ben, at=at)
    user = User.objects.get(pk=grant.user_id)
    token = invitation_token(user)
    assert invited(token).pk == user.pk
    actions.set_active(user, active=False, by=admin_ann, at=at)
    with pytest.raises(NotVisible):
        invited(token)


def test_the_pages_carry_the_same_two_persons(client_for: Browser, admin_ann: User, admin_ben: User) -> None:
    ann, ben = client_for(admin_ann), client_for(admin_ben)
    assert ann.get(reverse("admin:accounts_user_add")).status_code == 200
    response = ann.post(reverse("admin:accounts_user_add"), NEW)
    assert response.status_code == 302, response.context["errors"]
    grant = RoleGrant.objects.get()
    assert grant.user.phone == "+13125550142"
    page = reverse("admin:accounts_rolegrant_decide", args=[grant.pk])
    assert "Another administrator must decide" in ann.get(page).content.decode()
    ann.post(page, {"answer": "approve"})
    grant.refresh_from_db()
    assert grant.decided_at is None
    assert "Approve" in ben.get(page).content.decode()
    ben.post(page, {"answer": "approve"})
    grant.refresh_from_db()
    assert grant.approved is True


def test_a_role_cannot_be_changed_on_the_account_page(
    client_for: Browser, admin_ann: User, cole: User
) -> None:
    form = {
        "full_name": "Cole O.",
        "time_zone": "America/Chicago",
        "phone": "",
        "is_active": "on",
        "role": "psychiatrist",
        "is_superuser": "on",
    }
    response = client_for(admin_ann).post(reverse("admin:accounts_user_change", args=[cole.pk]), form)
    assert response.status_code == 302
    user = User.objects.get(pk=cole.pk)
    assert (user.full_name, user.role, user.is_superuser) == ("Cole O.", "coach", False)


def test_a_closed_account_is_out_with_the_next_request(
    client_for: Browser, admin_ann: User, cole: User, at: dt.datetime
) -> None:
    """PR-10."""
    browser = client_for(cole)
    assert browser.get("/coaching/").status_code == 200
    actions.set_active(cole, active=False, by=admin_ann, at=at)
    assert browser.get("/coaching/").status_code == 302
    with pytest.raises(NotPermitted):
        actions.set_active(admin_ann, active=False, by=admin_ann, at=at)


def test_a_protocol_is_proposed_by_one_and_approved_by_another_who_saw_the_difference(
    client_for: Browser, admin_ann: User, admin_ben: User, protocol_version: ProtocolVersion, at: dt.datetime
) -> None:
    """HZ-28."""
    data = dict(protocol_version.data)
    data["outcomes"] = data["outcomes"] | {"deterioration_rise_from": 6}
    draft = protocol.propose(version="test-2", data=data, by=admin_ann, at=at)
    page = reverse("admin:common_protocolversion_review", args=[draft.pk])
    ann, ben = client_for(admin_ann), client_for(admin_ben)
    assert "You proposed this version" in ann.get(page).content.decode()
    ann.post(page)
    draft.refresh_from_db()
    assert draft.state == "draft"
    shown = ben.get(page).content.decode()
    assert "outcomes.deterioration_rise_from" in shown and "test-1" in shown
    assert ben.post(page).status_code == 302
    draft.refresh_from_db()
    assert (draft.state, draft.approved_by_id) == ("approved", admin_ben.pk)


def test_a_version_is_proposed_on_the_page_from_what_is_in_force_and_the_first_one_from_the_shipped_files(
    client_for: Browser, admin_ann: User, admin_ben: User, at: Any
) -> None:
    """Whoever changes one number must not undo an approved one by leaving the rest as the form brings it."""
    browser = client_for(admin_ann)
    address = reverse("admin:common_protocolversion_add")
    page = browser.get(address)
    assert page.status_code == 200 and "systolic" in page.content.decode()
    data = protocol.from_files()
    data["outcomes"]["deterioration_rise_from"] = 4321
    earlier = at - dt.timedelta(days=1)
    draft = protocol.propose(version="changed", data=data, by=admin_ann, at=earlier)
    protocol.approve(draft, by=admin_ben, at=earlier)
    assert "4321" in browser.get(address).content.decode()
    response = browser.post(
        reverse("admin:common_protocolversion_add"), {"version": "v9", "note": "n", "data": '{"bp": {}}'}
    )
    assert response.status_code == 302
    draft = ProtocolVersion.objects.get(version="v9")
    assert (draft.state, draft.proposed_by_id) == ("draft", admin_ann.pk)
    assert browser.get(reverse("admin:common_protocolversion_change", args=[draft.pk])).status_code == 200


def test_a_proposal_whose_parts_contradict_each_other_comes_back_with_what_differs(
    client_for: Any, admin_ann: User
) -> None:
    data = {"messaging": {"staffed": {"until_hour": 17}}, "escalations": {"working_day": {"until_hour": 18}}}
    answer = client_for(admin_ann).post(
        reverse("admin:common_protocolversion_add"), {"version": "v9", "note": "n", "data": json.dumps(data)}
    )
    page = answer.content.decode()
    assert "messaging.staffed.until_hour is 17, escalations.working_day.until_hour is 18" in page
    assert not ProtocolVersion.objects.filter(version="v9").exists()


def test_a_proposal_with_a_hole_between_two_rules_comes_back_with_both_named(
    client_for: Any, admin_ann: User
) -> None:
    """HZ-28: what a person types as a document is held to what the page of rules is held to."""
    data = protocol.from_files()
    raised = next(rule for rule in data["eligibility"]["rules"] if rule["id"] == "E30")
    raised["thresholds"]["uncontrolled_from_systolic_mmhg"] = 170
    answer = client_for(admin_ann).post(
        reverse("admin:common_protocolversion_add"), {"version": "v9", "note": "n", "data": json.dumps(data)}
    )
    assert "E29 ends at 160 and E30 begins only at 170" in answer.content.decode()
    assert not ProtocolVersion.objects.filter(version="v9").exists()
