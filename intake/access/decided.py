"""What a psychiatrist signed stays readable for them, also when the chart is no longer theirs: the decision, not the chart."""

import uuid
from typing import Any

from django.db.models import QuerySet

from accounts.models import Role
from common.errors import NotVisible
from common.paging import newest_first
from intake.models import Decision

DECISIONS_A_PAGE = 25


def _signed_by(user: Any) -> QuerySet[Decision]:
    rows = Decision.objects.filter(by=user) if user.role == Role.PSYCHIATRIST else Decision.objects.none()
    return rows.select_related("intake__patient__user")


def decisions_signed_by(user: Any, *, after: str = "") -> tuple[list[Decision], str]:
    """A page of this psychiatrist's own decisions, newest first, and the key of the next page ("" at the end)."""
    return newest_first(_signed_by(user), "signed_at", after=after, limit=DECISIONS_A_PAGE)


def own_decision(user: Any, decision_id: uuid.UUID) -> Decision:
    """That decision with the evaluation it rests on, for whoever signed it and nobody else. Raises NotVisible."""
    found = _signed_by(user).filter(pk=decision_id).select_related("evaluation__protocol").first()
    if found is None:
        raise NotVisible("There is no such page.")
    return found
