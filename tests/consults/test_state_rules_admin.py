"""The rule of a state in the administration: two people, and nothing approved changes."""

import datetime as dt
from typing import Any

import pytest
from django.urls import reverse

from accounts.models import User
from common.errors import Conflict, Invalid, NotPermitted
from consults import actions
from consults.access.state_rules import rule_in, rules_of_all
from consults.models import StateRule
from tests.conftest import a_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def second(db: None) -> User:
    return a_person("administrator", "Bea Second")


def test_one_proposes_and_another_approves(
    protocol_version: Any, admin_ann: User, second: User, client_for: Any
) -> None:
    add = reverse("admin:consults_staterule_add")
    said = client_for(admin_ann).post(
        add, {"state": "OR", "rule": "closed", "reason": "Counsel, 20 November."}
    )
    assert said.status_code == 302
    row = StateRule.objects.get()
    assert (row.state, row.proposed_by, row.approved_by) == ("OR", admin_ann, None)
    approve = {"action": "approve", "_selected_action": str(row.pk)}
    changelist = reverse("admin:consults_staterule_changelist")
    client_for(admin_ann).post(changelist, approve)
    row.refresh_from_db()
    assert row.approved_by is None
    client_for(second).post(changelist, approve)
    row.refresh_from_db()
    assert row.approved_by == second
    assert rule_in("OR", at=row.approved_at) == "closed"
    assert rules_of_all(row.approved_at)["OR"] == "closed"
    with pytest.raises(Conflict):
        actions.approve_state_rule(row, by=second, at=row.approved_at)


def test_a_psychiatrist_neither_proposes_nor_approves(
    protocol_version: Any, admin_ann: User, dana: User, at: dt.datetime
) -> None:
    with pytest.raises(NotPermitted):
        actions.propose_state_rule(state="OR", rule="federal", reason="I think so.", by=dana, at=at)
    with pytest.raises(Invalid):
        actions.propose_state_rule(state="OR", rule="federal", reason=" ", by=admin_ann, at=at)
    row = actions.propose_state_rule(state="OR", rule="federal", reason="Counsel.", by=admin_ann, at=at)
    with pytest.raises(NotPermitted):
        actions.approve_state_rule(row, by=dana, at=at)
