"""What the practice decides about one state: one person proposes, another approves, and nothing approved ever changes."""

from datetime import datetime

from django.db import transaction

from accounts.models import STATES, Role, User
from common import audit
from common.errors import Conflict, Invalid, NotPermitted
from consults.models import StateRule
from consults.rules.state_law import RULES


def propose_state_rule(*, state: str, rule: str, reason: str, by: User, at: datetime) -> StateRule:
    """A decision that counts when somebody else approves it. Raises NotPermitted, or Invalid without a reason."""
    if by.role != Role.ADMINISTRATOR:
        raise NotPermitted("Administrators propose the rule of a state.")
    if state not in STATES or rule not in RULES or not reason.strip():
        raise Invalid("Give the state, its rule, and what it rests on.")
    with transaction.atomic():
        row = StateRule.objects.create(
            state=state, rule=rule, reason=reason.strip(), proposed_by=by, proposed_at=at
        )
        audit.record("state_rule.proposed", by=by, at=at, about=row, detail={"state": state, "rule": rule})
    return row


def approve_state_rule(draft: StateRule, *, by: User, at: datetime) -> StateRule:
    """Put it in force from now on. Raises NotPermitted for whoever proposed it, Conflict when it is in force already."""
    if by.role != Role.ADMINISTRATOR or draft.proposed_by_id == by.pk:
        raise NotPermitted("An administrator other than the proposer approves.", code="second_person_needed")
    with transaction.atomic():
        changed = StateRule.objects.filter(pk=draft.pk, approved_at__isnull=True).update(
            approved_by=by, approved_at=at
        )
        if not changed:
            raise Conflict("This rule is in force already.")
        draft.refresh_from_db()
        audit.record(
            "state_rule.approved",
            by=by,
            at=at,
            about=draft,
            detail={"state": draft.state, "rule": draft.rule},
        )
    return draft
