"""A licence or DEA registration is entered by one administrator and counts when another one approves (TM-16)."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from accounts import actions
from accounts.models import CredentialRequest, DeaRegistration, Licence, User
from common.errors import Conflict, Invalid, NotPermitted
from common.models import AuditEntry
from tests.safety.builders import a_shift

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]
UNTIL = dt.date(2029, 6, 30)


def entered(dana: User, by: User, at: dt.datetime, **changes: Any) -> CredentialRequest:
    given = {"kind": "licence", "psychiatrist": dana, "state": "OR", "number": "OR-77", "expires_on": UNTIL}
    return actions.propose_credential(by=by, at=at, **(given | changes))


def test_tm_16_nothing_is_in_force_before_a_second_administrator_approves(
    dana: User, admin_ann: User, admin_ben: User, at: dt.datetime
) -> None:
    row = entered(dana, admin_ann, at)
    assert not Licence.objects.filter(state="OR").exists()
    with pytest.raises(NotPermitted):
        actions.decide_credential(row, approve=True, by=admin_ann, at=at)
    actions.decide_credential(row, approve=True, by=admin_ben, at=at)
    licence = Licence.objects.get(psychiatrist=dana, state="OR")
    assert (licence.number, licence.expires_on) == ("OR-77", UNTIL)
    with pytest.raises(Conflict):
        actions.decide_credential(row, approve=False, by=admin_ben, at=at)
    trail = AuditEntry.objects.filter(action__startswith="credential.").values_list("action", flat=True)
    assert sorted(trail) == ["credential.approved", "credential.requested"]


def test_a_refused_one_changes_nothing_and_may_be_entered_again(
    dana: User, admin_ann: User, admin_ben: User, at: dt.datetime
) -> None:
    row = entered(dana, admin_ann, at, kind="dea", state="CA", number="fr7654321")
    with pytest.raises(Conflict):
        entered(dana, admin_ben, at, kind="dea", state="CA", number="FR7654321")
    actions.decide_credential(row, approve=False, by=admin_ben, at=at)
    assert DeaRegistration.objects.get(psychiatrist=dana, state="CA").number == "FR1234560"
    again = entered(dana, admin_ben, at, kind="dea", state="CA", number="FR7654321")
    actions.decide_credential(again, approve=True, by=admin_ann, at=at)
    assert DeaRegistration.objects.get(psychiatrist=dana, state="CA").number == "FR7654321"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"state": "XX"}, "state"),
        ({"number": " "}, "number"),
        ({"kind": "dea", "number": "12"}, "number"),
        ({"kind": "other"}, "kind"),
        ({"issued_on": UNTIL + dt.timedelta(days=1)}, "expires_on"),
    ],
)
def test_what_has_not_its_form_is_refused(
    dana: User, admin_ann: User, at: dt.datetime, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        entered(dana, admin_ann, at, **changes)
    assert field in refused.value.fields


def test_only_administrators_and_only_for_psychiatrists(
    dana: User, cole: User, admin_ann: User, at: dt.datetime
) -> None:
    with pytest.raises(NotPermitted):
        entered(dana, dana, at)
    with pytest.raises(Invalid):
        entered(cole, admin_ann, at)


def test_hz_25_a_date_that_leaves_the_first_on_call_unlicensed_is_refused(
    dana: User, admin_ann: User, admin_ben: User, at: dt.datetime, clock_at: Any
) -> None:
    with clock_at(at):
        a_shift(dana, at, hours=72)
        soon = (at + dt.timedelta(days=1)).date()
        first = entered(dana, admin_ann, at, state="CA", number="CA-1000", expires_on=soon)
        # New York still stands for her: fine. Then the last one too: refused.
        actions.decide_credential(first, approve=True, by=admin_ben, at=at)
        last = entered(dana, admin_ann, at, state="NY", number="NY-1001", expires_on=soon)
        with pytest.raises(Conflict) as refused:
            actions.decide_credential(last, approve=True, by=admin_ben, at=at)
    assert refused.value.code == "on_call"
    last.refresh_from_db()
    assert last.decided_at is None


def test_the_database_refuses_what_one_person_does_alone_and_keeps_what_was_decided(
    dana: User, admin_ann: User, admin_ben: User, at: dt.datetime
) -> None:
    """TM-16"""
    row = entered(dana, admin_ann, at)
    alone = {"decided_by": admin_ann, "decided_at": at, "approved": True}
    with pytest.raises(IntegrityError), transaction.atomic():
        CredentialRequest.objects.filter(pk=row.pk).update(**alone)
    actions.decide_credential(row, approve=False, by=admin_ben, at=at)
    with pytest.raises(DatabaseError), transaction.atomic():
        CredentialRequest.objects.filter(pk=row.pk).update(approved=True)
    with pytest.raises(DatabaseError), transaction.atomic():
        CredentialRequest.objects.filter(pk=row.pk).delete()


def test_two_administrators_at_the_pages(
    client_for: Browser, dana: User, admin_ann: User, admin_ben: User
) -> None:
    form = {
        "kind": "licence", "psychiatrist": str(dana.pk), "state": "OR", "number": "OR-1", "issued_on": "", "expires_on": "2028-01-01",
    }  # fmt: skip
    ann, ben = client_for(admin_ann), client_for(admin_ben)
    assert ann.post(reverse("admin:accounts_credentialrequest_add"), form).status_code == 302
    row = CredentialRequest.objects.get()
    address = reverse("admin:accounts_credentialrequest_decide", args=[row.pk])
    assert "Another administrator must decide" in ann.get(address).content.decode()
    ann.post(address, {"answer": "approve"})
    assert not Licence.objects.filter(state="OR").exists()
    assert "OR-1" in ben.get(address).content.decode()
    ben.post(address, {"answer": "approve"})
    assert Licence.objects.get(psychiatrist=dana, state="OR").number == "OR-1"
